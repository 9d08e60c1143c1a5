/* labels: http; timeout: 240 */
/*
 * Real workers (child processes) against a real server in this process, over a small project of coloured frames: grey
 * is blank, red a zebra, blue a topi. Two subjects have no frame that can be decoded, of a third one is cut short.
 */
#include "image.h"
#include "job.h"
#include "model.h"
#include "project.h"
#include "registry.h"
#include "server.h"
#include "volunteer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>
#include <spawn.h>
#include <sqlite3.h>

#include <cmocka.h>

enum { N_SUBJECTS = 180, N_BROKEN = 2, CUT_SUBJECT = 7, N_FRAMES = 2, PX = 64, LEASE_MS = 400 };

extern char **environ;
static char dir[64], token_file[100], wrong_file[100];
static struct server *server;
static int64_t project_id, model_id;

static void check_status(enum status st, const struct err *err)
{
	if (st != OK)
		fail_msg("%s", err->text);
}

static int64_t sql(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int64_t sql(const char *format, ...)
{
	char path[100], text[2000];
	sqlite3 *raw = NULL;
	sqlite3_stmt *stmt = NULL;
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(path, sizeof path, "%s/topi.db", dir);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	sqlite3_busy_timeout(raw, 10000);
	if (strncmp(text, "ATTACH", 6) == 0) {
		snprintf(path, sizeof path, "ATTACH '%s/embeddings.db' AS emb", dir);
		assert_int_equal(sqlite3_exec(raw, path, NULL, NULL, NULL), SQLITE_OK);
		memmove(text, text + 6, strlen(text + 6) + 1);
	}
	if (sqlite3_prepare_v2(raw, text, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(raw));
	int code = sqlite3_step(stmt);
	int64_t out = code == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		fail_msg("%s: %s", text, sqlite3_errmsg(raw));
	sqlite3_finalize(stmt);
	sqlite3_close(raw);
	return out;
}

static void write_file(const char *path, const void *bytes, size_t n)
{
	FILE *out = fopen(path, "wb");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, n, out), n);
	assert_int_equal(fclose(out), 0);
}

/* The 448 px rendition of a frame: its class' colour with noise, or no JPEG at all. */
static void make_frame(int subject, int frame)
{
	static const uint8_t colours[3][3] = {{128, 128, 128}, {220, 40, 40}, {40, 40, 220}};
	struct err err = {0};
	struct image_rgb image = {.width_px = PX, .height_px = PX};
	char hex[65], path[300];
	uint8_t *bytes = NULL;
	size_t n = 0;
	unsigned noise = (unsigned)(subject * 7919 + frame);
	snprintf(hex, sizeof hex, "%02x%062d", subject, subject * 10 + frame);
	snprintf(path, sizeof path, "%s/renditions/448/%.2s", dir, hex);
	mkdir(path, 0750);
	snprintf(path, sizeof path, "%s/renditions/448/%.2s/%s-0.jpg", dir, hex, hex);
	image.pixels = xmalloc(PX * PX * 3);
	for (int i = 0; i < PX * PX * 3; i++) {
		noise = noise * 1664525 + 1013904223;
		image.pixels[i] = (uint8_t)(colours[subject % 3][i % 3] + (int)(noise >> 27) - 16);
	}
	if (subject <= N_SUBJECTS - N_BROKEN) {
		check_status(image_encode_rgb(&image, 90, &bytes, &n, &err), &err);
		write_file(path, bytes, subject == CUT_SUBJECT && frame == 1 ? n / 2 : n);
	} else {
		write_file(path, "no JPEG", 7);
	}
	free(bytes);
	image_rgb_release(&image);
	sql("INSERT INTO media (project_id, deployment_id, subject_id, sha256, n_bytes, file_name, "
		"width_px, height_px, crop_bottom_px, created_ms) "
		"VALUES (%d, %d, %d, x'%s', 1, 'f%d', 64, 64, 0, 0)",
		(int)project_id, subject % 3 == 0 ? 3 : 1 + subject % 2, subject, hex, frame);
}

/* An untrained net of the project's taxa, promoted. */
static void make_model(struct db *db)
{
	static const char *const codes[] = {"blank", "zebra", "topi"};
	struct err err = {0};
	struct model *model = NULL;
	struct registry_file file = {0};
	char path[100];
	snprintf(path, sizeof path, "%s/start.safetensors", dir);
	check_status(model_new("resnet10s", codes, 3, PX, 1, &model, &err), &err);
	model_set(model, "backbone", model->backbone);
	check_status(model_save(model, path, NULL, &err), &err);
	model_free(model);
	check_status(registry_parse(path, &file, &err), &err);
	check_status(registry_keep_file(dir, path, file.sha256, &err), &err);
	check_status(registry_import(db, project_id, "start", &file, 1, &model_id, &err), &err);
	check_status(registry_promote(db, project_id, model_id, 1, &err), &err);
	registry_file_release(&file);
}

static int set_up(void **state)
{
	(void)state;
	struct err err = {0};
	struct db *db = NULL;
	char secret[SECRET_SIZE], path[100];
	snprintf(dir, sizeof dir, "/tmp/topi-worker-XXXXXX");
	assert_true(sodium_init() >= 0);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/cache", dir);
	setenv("XDG_CACHE_HOME", path, 1);
	check_status(db_open(dir, DB_CREATE, &db, &err), &err);
	secret_make(secret);
	check_status(db_run(db, Q_SETTING_PUT, &err, "ss", "secret", secret), &err);
	snprintf(path, sizeof path, "%d", LEASE_MS);
	check_status(db_run(db, Q_SETTING_PUT, &err, "ss", "lease_ms", path), &err);
	json_t *file = json_pack("{s:s, s:s, s:[{s:s,s:s,s:s},{s:s,s:s,s:s},{s:s,s:s,s:s}]}", "slug",
		"p", "title", "P", "taxa", "code", "blank", "kind", "blank", "common_name", "nothing",
		"code", "zebra", "common_name", "zebra", "scientific_name", "Equus quagga", "code", "topi",
		"common_name", "topi", "scientific_name", "Damaliscus lunatus");
	check_status(project_add(db, file, 1, &project_id, &err), &err);
	json_decref(file);
	for (int i = 1; i <= 3; i++)
		sql("INSERT INTO deployment (project_id, name, utc_offset_s, holdout, created_ms) "
			"VALUES (%d, 'd%d', 0, 0, 0)",
			(int)project_id, i);
	snprintf(path, sizeof path, "%s/renditions/448", dir);
	assert_int_equal(mkdir(path, 0750), 0);
	for (int i = 1; i <= N_SUBJECTS; i++) {
		sql("INSERT INTO subject (project_id, deployment_id, created_ms) VALUES (%d, %d, 0)",
			(int)project_id, 1 + (i / 3) % 3);
		for (int j = 0; j < N_FRAMES; j++)
			make_frame(i, j);
	}
	make_model(db);
	secret_make(secret);
	check_status(token_add(db, "t", secret, 1, &err), &err);
	db_close(db);
	snprintf(token_file, sizeof token_file, "%s/token", dir);
	write_file(token_file, secret, strlen(secret));
	secret_make(secret);
	snprintf(wrong_file, sizeof wrong_file, "%s/wrong", dir);
	write_file(wrong_file, secret, strlen(secret));
	struct server_options options = {.dir = dir, .listen = "127.0.0.1:0"};
	check_status(server_start(&options, &server, &err), &err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	char command[100];
	server_stop(server);
	server = NULL;
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command); /* a test's own folder under /tmp */
}

static pid_t start(const char *const *args)
{
	pid_t pid = 0;
	posix_spawn_file_actions_t actions;
	char out[100];
	snprintf(out, sizeof out, "%s/out", dir);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, out, 01101 /* O_WRONLY|O_CREAT|O_TRUNC */, 0600);
	assert_int_equal(posix_spawn(&pid, TOPI_BINARY_DIR "/topi", &actions, NULL,
						 (char *const *)(uintptr_t)args, environ),
		0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static pid_t start_worker(const char *url, const char *token, const char *name, bool media)
{
	const char *args[] = {"topi", "worker", url, "--token-file", token, "--device", "cpu", "--name",
		name, "--quiet", "--once", media ? "--media" : NULL, dir, NULL};
	return start(args);
}

static int wait_for(pid_t pid)
{
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_predictions(void)
{
	assert_int_equal(sql("SELECT count(*) FROM job WHERE state <> 'done'"), 0);
	assert_int_equal(sql("SELECT count(*) FROM prediction"), N_SUBJECTS - N_BROKEN);
	assert_int_equal(
		sql("SELECT count(DISTINCT subject_id) FROM prediction"), N_SUBJECTS - N_BROKEN);
	assert_int_equal(sql("SELECT count(*) FROM prediction WHERE n_frames = %d", N_FRAMES),
		N_SUBJECTS - N_BROKEN - 1);
	assert_int_equal(
		sql("SELECT n_frames FROM prediction WHERE subject_id = %d", CUT_SUBJECT), N_FRAMES - 1);
	assert_int_equal(sql("SELECT count(*) FROM prediction_problem"), N_BROKEN);
	assert_int_equal(sql("SELECT count(*) FROM prediction_problem WHERE subject_id > %d AND "
						 "reason LIKE '%%JPEG%%'",
						 N_SUBJECTS - N_BROKEN),
		N_BROKEN);
	assert_int_equal(sql("ATTACHSELECT count(*) FROM emb.embedding"), N_SUBJECTS - N_BROKEN);
}

static void every_subject_is_predicted_over_http_alone(void **state)
{
	(void)state;
	assert_int_equal(wait_for(start_worker(server_url(server), token_file, "w", false)), 0);
	check_predictions();
}

static void killed_at_any_point_every_subject_is_predicted_once(void **state)
{
	(void)state;
	unsigned random = (unsigned)time(NULL);
	int n_held = 0;
	print_message("seed %u\n", random);
	/* several batches, so that kills fall before, in and between them */
	for (int i = 0; i < 10; i++) {
		char name[20];
		snprintf(name, sizeof name, "w%d", i);
		/* a fresh attempt count: the limit is another test's */
		sql("UPDATE batch SET n_attempts = 1");
		pid_t pid = start_worker(server_url(server), token_file, name, i % 2);
		random = random * 1664525 + 1013904223;
		nanosleep(&(struct timespec){.tv_nsec = (long)(random >> 8) % 700 * 1000000L}, NULL);
		kill(pid, SIGKILL);
		wait_for(pid);
		n_held += sql("SELECT count(*) FROM batch WHERE done = 0") > 0;
	}
	print_message("%d of 10 held a batch when they were killed\n", n_held);
	sql("UPDATE batch SET n_attempts = 1");
	assert_int_equal(wait_for(start_worker(server_url(server), token_file, "last", true)), 0);
	check_predictions();
}

static void two_workers_share_the_work(void **state)
{
	(void)state;
	pid_t a = start_worker(server_url(server), token_file, "a", true);
	pid_t b = start_worker(server_url(server), token_file, "b", false);
	assert_int_equal(wait_for(a), 0);
	assert_int_equal(wait_for(b), 0);
	check_predictions();
}

static void a_wrong_token_and_no_server_end_the_worker(void **state)
{
	(void)state;
	assert_int_equal(wait_for(start_worker(server_url(server), wrong_file, "w", true)), 1);
	assert_int_equal(sql("SELECT count(*) FROM prediction"), 0);
	assert_int_equal(sql("SELECT count(*) FROM batch"), 0);
	time_t begun = time(NULL);
	assert_int_equal(wait_for(start_worker("http://127.0.0.1:1", token_file, "w", true)), 1);
	assert_true(time(NULL) - begun < 20);
	assert_int_equal(wait_for(start_worker("gopher://x", token_file, "w", true)), 2);
}

static json_t *run_json(const char *const *args)
{
	char out[100];
	assert_int_equal(wait_for(start(args)), 0);
	snprintf(out, sizeof out, "%s/out", dir);
	json_t *reply = json_load_file(out, 0, NULL);
	assert_non_null(reply);
	return reply;
}

static int64_t check_training(json_t *reply)
{
	json_t *model = json_object_get(reply, "model"), *report = json_object_get(model, "report");
	int64_t id = json_integer_value(json_object_get(model, "id"));
	assert_string_equal(json_string_value(json_object_get(reply, "state")), "done");
	assert_int_equal(json_integer_value(json_object_get(model, "n_trained_on")),
		sql("SELECT count(*) FROM model_subject WHERE model_id = %d", (int)id));
	assert_true(json_integer_value(json_object_get(report, "n")) >= 10);
	return id;
}

/* `topi train`: the last layer on stored embeddings, then a whole net from scratch; each judged where it was not trained. */
static void trainings_make_candidates(void **state)
{
	(void)state;
	const char *head[] = {
		"topi", "train", dir, "p", "--from", "start", "--device", "cpu", "--json", NULL};
	const char *full[] = {"topi", "train", dir, "p", "--arch", "resnet10s", "--epochs", "2",
		"--device", "cpu", "--json", NULL};
	assert_int_equal(wait_for(start_worker(server_url(server), token_file, "w", true)), 0);
	sql("UPDATE subject SET state = 'retired', label_id = 1 + id %% 3, p_label = 1, decided_by = "
		"'expert', reason = 'expert'");
	json_t *reply = run_json(head);
	int64_t id = check_training(reply);
	json_t *report = json_object_get(json_object_get(reply, "model"), "report");
	assert_true(json_number_value(json_object_get(report, "accuracy")) > 0.8);
	assert_int_equal(sql("SELECT parent_id FROM model WHERE id = %d", (int)id), model_id);
	json_decref(reply);
	reply = run_json(full);
	check_training(reply);
	json_decref(reply);
	assert_int_equal(sql("SELECT count(*) FROM training_item"), 0);
	assert_int_equal(sql("SELECT count(*) FROM token WHERE revoked_ms IS NULL"), 1);
	/* the new head scores without a look at the photographs: they are gone; only an embedding that lacks a frame is not used */
	char command[200];
	snprintf(command, sizeof command, "rm -rf %s/renditions/448", dir);
	assert_int_equal(system(command), 0); /* a test's own folder under /tmp */
	struct err err = {0};
	struct db *db = NULL;
	check_status(db_open(dir, DB_WRITE, &db, &err), &err);
	check_status(registry_promote(db, project_id, id, 2, &err), &err);
	db_close(db);
	assert_int_equal(wait_for(start_worker(server_url(server), token_file, "w", true)), 0);
	assert_int_equal(sql("SELECT count(*) FROM prediction WHERE model_id = %d AND subject_id <> %d",
						 (int)id, CUT_SUBJECT),
		N_SUBJECTS - N_BROKEN - 1);
}

/* A model of the same classes in another order, from a file. */
static void make_other(void)
{
	static const char *const codes[] = {"topi", "blank", "zebra"};
	struct err err = {0};
	struct model *model = NULL;
	char path[100];
	snprintf(path, sizeof path, "%s/other.safetensors", dir);
	check_status(model_new("resnet10s", codes, 3, PX, 2, &model, &err), &err);
	check_status(model_save(model, path, NULL, &err), &err);
	model_free(model);
	const char *import[] = {"topi", "model", "import", dir, "p", path, NULL};
	const char *backbone[] = {
		"topi", "model", "import", dir, "p", path, "--name", "bare", "--backbone", NULL};
	assert_int_equal(wait_for(start(import)), 0);
	assert_int_equal(wait_for(start(backbone)), 0);
}

/* The log of what a model said of the first three taxa. */
static void log_probs(const char *model, int subject, double *out)
{
	char path[100];
	sqlite3 *raw = NULL;
	sqlite3_stmt *stmt = NULL;
	snprintf(path, sizeof path, "%s/topi.db", dir);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(raw,
						 "SELECT p.top FROM prediction p JOIN model m ON m.id = p.model_id "
						 "WHERE m.name = ?1 AND p.subject_id = ?2",
						 -1, &stmt, NULL),
		SQLITE_OK);
	sqlite3_bind_text(stmt, 1, model, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 2, subject);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_bytes(stmt, 0), 3 * 8);
	const unsigned char *top = sqlite3_column_blob(stmt, 0);
	for (int i = 0; i < 3; i++) {
		uint32_t taxon;
		float p;
		memcpy(&taxon, top + 8 * i, 4);
		memcpy(&p, top + 8 * i + 4, 4);
		assert_in_range(taxon, 1, 3);
		out[taxon - 1] = log((double)p);
	}
	sqlite3_finalize(stmt);
	sqlite3_close(raw);
}

static const struct {
	const char *members;
	const char *name;
} no_ensembles[] = {
	{"start", "one"}, {"start,nobody", "absent"}, {"start,start", "twice"},
	{"start,bare", "backbone"}, {"start,both", "nested"},
	{"start,other", "m5"},   /* a name that is topi's own */
	{"other,start", "both"}, /* taken, by another */
};

/* Made by a command, fetched over HTTP like any model, promoted; its opinion is the mean of its members'. */
static void an_ensemble_is_a_model_like_any_other(void **state)
{
	(void)state;
	make_other();
	sql("INSERT INTO model_subject (model_id, subject_id) VALUES (%d, 7)", (int)model_id);
	sql("INSERT INTO model_subject (model_id, subject_id) SELECT id, 7 FROM model WHERE name = "
		"'other'");
	sql("INSERT INTO model_subject (model_id, subject_id) SELECT id, 8 FROM model WHERE name = "
		"'other'");
	const char *make[] = {
		"topi", "model", "ensemble", dir, "p", "start,other", "--name", "both", "--json", NULL};
	json_t *reply = run_json(make);
	int64_t id = json_integer_value(json_object_get(reply, "id"));
	assert_int_equal(json_integer_value(json_object_get(reply, "n_trained_on")), 2);
	assert_string_equal(json_string_value(json_object_get(reply, "arch")), "ensemble");
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(reply, "spec"), "ensemble")), 2);
	json_decref(reply);
	reply = run_json(make);
	assert_int_equal(json_integer_value(json_object_get(reply, "id")), id);
	json_decref(reply);
	for (size_t i = 0; i < sizeof no_ensembles / sizeof *no_ensembles; i++) {
		const char *args[] = {"topi", "model", "ensemble", dir, "p", no_ensembles[i].members,
			"--name", no_ensembles[i].name, NULL};
		if (wait_for(start(args)) != 1)
			fail_msg("%s was made", no_ensembles[i].name);
	}
	const char *promote[] = {"topi", "model", "promote", dir, "p", "both", NULL};
	const char *predict[] = {"topi", "predict", dir, "p", "--model", "other", "--queue", NULL};
	assert_int_equal(wait_for(start(promote)), 0);
	assert_int_equal(wait_for(start(predict)), 0);
	assert_int_equal(wait_for(start_worker(server_url(server), token_file, "w", false)), 0);
	assert_int_equal(sql("SELECT count(*) FROM prediction p JOIN model m ON m.id = p.model_id "
						 "WHERE m.name IN ('both', 'start', 'other')"),
		3 * (N_SUBJECTS - N_BROKEN));
	/* no embedding is the ensemble's */
	assert_int_equal(sql("ATTACHSELECT count(*) FROM emb.embedding"), 2 * (N_SUBJECTS - N_BROKEN));
	for (int subject = 1; subject <= N_SUBJECTS - N_BROKEN; subject++) {
		double a[3], b[3], both[3];
		log_probs("start", subject, a);
		log_probs("other", subject, b);
		log_probs("both", subject, both);
		for (int c = 1; c < 3; c++) {
			double mean = (a[c] - a[0] + b[c] - b[0]) / 2;
			if (!(fabs(both[c] - both[0] - mean) < 1e-4))
				fail_msg("subject %d: %g, not %g", subject, both[c] - both[0], mean);
		}
	}
	const char *train[] = {"topi", "train", dir, "p", "--from", "both", "--queue", NULL};
	assert_int_equal(wait_for(start(train)), 1);
	/* the list alone makes the model, and names it */
	const char *list[] = {
		"topi", "predict", dir, "p", "--model", "other,start", "--queue", "--json", NULL};
	assert_int_equal(wait_for(start(list)), 0);
	assert_int_equal(sql("SELECT count(*) FROM model WHERE name = 'other+start'"), 1);
	assert_int_equal(wait_for(start(list)), 0);
	assert_int_equal(sql("SELECT count(*) FROM model WHERE arch = 'ensemble'"), 2);
	/* what is exported comes back as one model */
	char path[100];
	snprintf(path, sizeof path, "%s/exported.safetensors", dir);
	const char *export[] = {"topi", "model", "export", dir, "p", "both", "--out", path, NULL};
	const char *import[] = {"topi", "model", "import", dir, "p", path, NULL};
	const char *focus[] = {"topi", "model", "import", dir, "p", path, "--focus", NULL};
	assert_int_equal(wait_for(start(export)), 0);
	assert_int_equal(wait_for(start(import)), 0);
	assert_int_equal(wait_for(start(focus)), 1);
	assert_int_equal(
		sql("SELECT count(DISTINCT sha256) FROM model WHERE name IN ('both', 'exported')"), 1);
}

static void a_set_that_cannot_be_trained_on_says_why(void **state)
{
	(void)state;
	const char *args[] = {"topi", "train", dir, "p", "--from", "start", "--json", NULL};
	sql("UPDATE job SET state = 'cancelled'");
	assert_int_equal(wait_for(start(args)), 1);
	assert_int_equal(
		sql("SELECT error LIKE '0 labelled subjects%%' FROM job WHERE kind = 'train'"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		CASE(every_subject_is_predicted_over_http_alone),
		CASE(killed_at_any_point_every_subject_is_predicted_once),
		CASE(two_workers_share_the_work),
		CASE(a_wrong_token_and_no_server_end_the_worker),
		CASE(trainings_make_candidates),
		CASE(an_ensemble_is_a_model_like_any_other),
		CASE(a_set_that_cannot_be_trained_on_says_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
