/* labels: http; timeout: 240 */
/*
 * Real workers (child processes) against a real server in this process, over a small project of coloured frames: grey
 * is blank, red a zebra, blue a topi. Two subjects have no frame that can be decoded, of a third one is cut short.
 */
#include "model.h"
#include "registry.h"
#include "server.h"
#include "support_frames.h"
#include "volunteer.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include <cmocka.h>

enum { LEASE_MS = 400 };

static struct frames frames;
static char token_file[100], wrong_file[100];
static struct server *server;

#define sql(...) frames_sql(&frames, __VA_ARGS__)

static void check_status(enum status st, const struct err *err)
{
	if (st != OK)
		fail_msg("%s", err->text);
}

static void write_text(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static int set_up(void **state)
{
	(void)state;
	struct err err = {0};
	struct db *db = NULL;
	char secret[SECRET_SIZE];
	frames_open(&frames, LEASE_MS);
	check_status(db_open(frames.dir, DB_WRITE, &db, &err), &err);
	secret_make(secret);
	check_status(token_add(db, "t", secret, 1, &err), &err);
	db_close(db);
	snprintf(token_file, sizeof token_file, "%s/token", frames.dir);
	write_text(token_file, secret);
	secret_make(secret);
	snprintf(wrong_file, sizeof wrong_file, "%s/wrong", frames.dir);
	write_text(wrong_file, secret);
	struct server_options options = {.dir = frames.dir, .listen = "127.0.0.1:0"};
	check_status(server_start(&options, &server, &err), &err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	server_stop(server);
	server = NULL;
	frames_close(&frames);
	return 0;
}

static pid_t start(const char *const *args)
{
	return frames_start(&frames, args);
}

static pid_t start_worker(const char *url, const char *token, const char *name, bool media)
{
	const char *args[] = {"topi", "worker", url, "--token-file", token, "--device", "cpu", "--name",
		name, "--quiet", "--once", media ? "--media" : NULL, frames.dir, NULL};
	return start(args);
}

static void check_predictions(void)
{
	assert_int_equal(sql("SELECT count(*) FROM job WHERE state <> 'done'"), 0);
	assert_int_equal(sql("SELECT count(*) FROM prediction"), FRAMES_SUBJECTS - FRAMES_BROKEN);
	assert_int_equal(
		sql("SELECT count(DISTINCT subject_id) FROM prediction"), FRAMES_SUBJECTS - FRAMES_BROKEN);
	assert_int_equal(sql("SELECT count(*) FROM prediction WHERE n_frames = %d", FRAMES_EACH),
		FRAMES_SUBJECTS - FRAMES_BROKEN - 1);
	assert_int_equal(
		sql("SELECT n_frames FROM prediction WHERE subject_id = %d", FRAMES_CUT), FRAMES_EACH - 1);
	assert_int_equal(sql("SELECT count(*) FROM prediction_problem"), FRAMES_BROKEN);
	assert_int_equal(sql("SELECT count(*) FROM prediction_problem WHERE subject_id > %d AND "
						 "reason LIKE '%%JPEG%%'",
						 FRAMES_SUBJECTS - FRAMES_BROKEN),
		FRAMES_BROKEN);
	assert_int_equal(
		sql("ATTACHSELECT count(*) FROM emb.embedding"), FRAMES_SUBJECTS - FRAMES_BROKEN);
}

static void every_subject_is_predicted_over_http_alone(void **state)
{
	(void)state;
	assert_int_equal(frames_wait(start_worker(server_url(server), token_file, "w", false)), 0);
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
		frames_wait(pid);
		n_held += sql("SELECT count(*) FROM batch WHERE done = 0") > 0;
	}
	print_message("%d of 10 held a batch when they were killed\n", n_held);
	sql("UPDATE batch SET n_attempts = 1");
	assert_int_equal(frames_wait(start_worker(server_url(server), token_file, "last", true)), 0);
	check_predictions();
}

static void two_workers_share_the_work(void **state)
{
	(void)state;
	pid_t a = start_worker(server_url(server), token_file, "a", true);
	pid_t b = start_worker(server_url(server), token_file, "b", false);
	assert_int_equal(frames_wait(a), 0);
	assert_int_equal(frames_wait(b), 0);
	check_predictions();
}

static void a_wrong_token_and_no_server_end_the_worker(void **state)
{
	(void)state;
	assert_int_equal(frames_wait(start_worker(server_url(server), wrong_file, "w", true)), 1);
	assert_int_equal(sql("SELECT count(*) FROM prediction"), 0);
	assert_int_equal(sql("SELECT count(*) FROM batch"), 0);
	time_t begun = time(NULL);
	assert_int_equal(frames_wait(start_worker("http://127.0.0.1:1", token_file, "w", true)), 1);
	assert_true(time(NULL) - begun < 20);
	assert_int_equal(frames_wait(start_worker("gopher://x", token_file, "w", true)), 2);
}

/* Why a file is not sent is what its job says. */
static void the_servers_words_are_passed_on(void **state)
{
	(void)state;
	char line[200];
	snprintf(line, sizeof line, "find %s/models -type f -delete", frames.dir);
	assert_int_equal(system(line), 0); /* a test's own folder under /tmp */
	frames_wait(start_worker(server_url(server), token_file, "w", false));
	assert_int_equal(sql("SELECT error LIKE '%%there is no such file' FROM job"), 1);
}

/* A model of a job that is not this worker's is refused before it is kept. */
static void a_model_that_is_not_wanted_is_not_kept(void **state)
{
	(void)state;
	const char *queue[] = {
		"topi", "train", frames.dir, "p", "--from", "start", "--queue", "--json", NULL};
	assert_int_equal(frames_wait(start_worker(server_url(server), token_file, "w", true)), 0);
	frames_label(&frames);
	json_decref(frames_json(&frames, queue));
	const int64_t job = sql("SELECT max(id) FROM job WHERE kind = 'train'");
	assert_true(job > 0);
	sql("UPDATE job SET state = 'running', worker = 'other', lease_ms = 9999999999999 WHERE id = "
		"%d",
		(int)job);
	char line[600];
	snprintf(line, sizeof line,
		"cd %s && cp $(ls models/*.safetensors models/*/*.safetensors 2>/dev/null | head -1) copy "
		"&& printf x "
		">> copy; n=$(find models -type f | wc -l); curl -s -X PUT -H \"Authorization: Bearer "
		"$(cat token)\" "
		"--data-binary @copy '%s/api/worker/jobs/%d/model?worker=w' | grep -q 'held by other' && "
		"test $n = "
		"$(find models -type f | wc -l)",
		frames.dir, server_url(server), (int)job);
	assert_int_equal(system(line), 0);
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
		"topi", "train", frames.dir, "p", "--from", "start", "--device", "cpu", "--json", NULL};
	const char *full[] = {"topi", "train", frames.dir, "p", "--arch", "resnet10s", "--epochs", "2",
		"--device", "cpu", "--json", NULL};
	assert_int_equal(frames_wait(start_worker(server_url(server), token_file, "w", true)), 0);
	frames_label(&frames);
	json_t *reply = frames_json(&frames, head);
	int64_t id = check_training(reply);
	json_t *report = json_object_get(json_object_get(reply, "model"), "report");
	assert_true(json_number_value(json_object_get(report, "accuracy")) > 0.8);
	assert_int_equal(sql("SELECT parent_id FROM model WHERE id = %d", (int)id), frames.model);
	json_decref(reply);
	reply = frames_json(&frames, full);
	check_training(reply);
	json_decref(reply);
	assert_int_equal(sql("SELECT count(*) FROM training_item"), 0);
	assert_int_equal(sql("SELECT count(*) FROM token WHERE revoked_ms IS NULL"), 1);
	/* the new head scores without a look at the photographs: they are gone; only an embedding that lacks a frame is not used */
	char command[200];
	snprintf(command, sizeof command, "rm -rf %s/renditions/448", frames.dir);
	assert_int_equal(system(command), 0); /* a test's own folder under /tmp */
	struct err err = {0};
	struct db *db = NULL;
	check_status(db_open(frames.dir, DB_WRITE, &db, &err), &err);
	check_status(registry_promote(db, frames.project, id, 2, &err), &err);
	db_close(db);
	assert_int_equal(frames_wait(start_worker(server_url(server), token_file, "w", true)), 0);
	assert_int_equal(sql("SELECT count(*) FROM prediction WHERE model_id = %d AND subject_id <> %d",
						 (int)id, FRAMES_CUT),
		FRAMES_SUBJECTS - FRAMES_BROKEN - 1);
}

/* A model of the same classes in another order, from a file. */
static void make_other(void)
{
	static const char *const codes[] = {"topi", "blank", "zebra"};
	struct err err = {0};
	struct model *model = NULL;
	char path[100];
	snprintf(path, sizeof path, "%s/other.safetensors", frames.dir);
	check_status(model_new("resnet10s", codes, 3, FRAMES_PX, 2, &model, &err), &err);
	check_status(model_save(model, path, NULL, &err), &err);
	model_free(model);
	const char *import[] = {"topi", "model", "import", frames.dir, "p", path, NULL};
	const char *backbone[] = {
		"topi", "model", "import", frames.dir, "p", path, "--name", "bare", "--backbone", NULL};
	assert_int_equal(frames_wait(start(import)), 0);
	assert_int_equal(frames_wait(start(backbone)), 0);
}

/* The log of what a model said of the first three taxa. */
static void log_probs(const char *model, int subject, double *out)
{
	char path[100];
	sqlite3 *raw = NULL;
	sqlite3_stmt *stmt = NULL;
	snprintf(path, sizeof path, "%s/topi.db", frames.dir);
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
	sql("INSERT INTO model_subject (model_id, subject_id) VALUES (%d, 7)", (int)frames.model);
	sql("INSERT INTO model_subject (model_id, subject_id) SELECT id, 7 FROM model WHERE name = "
		"'other'");
	sql("INSERT INTO model_subject (model_id, subject_id) SELECT id, 8 FROM model WHERE name = "
		"'other'");
	const char *make[] = {"topi", "model", "ensemble", frames.dir, "p", "start,other", "--name",
		"both", "--json", NULL};
	json_t *reply = frames_json(&frames, make);
	int64_t id = json_integer_value(json_object_get(reply, "id"));
	assert_int_equal(json_integer_value(json_object_get(reply, "n_trained_on")), 2);
	assert_string_equal(json_string_value(json_object_get(reply, "arch")), "ensemble");
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(reply, "spec"), "ensemble")), 2);
	json_decref(reply);
	reply = frames_json(&frames, make);
	assert_int_equal(json_integer_value(json_object_get(reply, "id")), id);
	json_decref(reply);
	for (size_t i = 0; i < sizeof no_ensembles / sizeof *no_ensembles; i++) {
		const char *args[] = {"topi", "model", "ensemble", frames.dir, "p", no_ensembles[i].members,
			"--name", no_ensembles[i].name, NULL};
		if (frames_wait(start(args)) != 1)
			fail_msg("%s was made", no_ensembles[i].name);
	}
	const char *promote[] = {"topi", "model", "promote", frames.dir, "p", "both", NULL};
	const char *predict[] = {
		"topi", "predict", frames.dir, "p", "--model", "other", "--queue", NULL};
	assert_int_equal(frames_wait(start(promote)), 0);
	assert_int_equal(frames_wait(start(predict)), 0);
	assert_int_equal(frames_wait(start_worker(server_url(server), token_file, "w", false)), 0);
	assert_int_equal(sql("SELECT count(*) FROM prediction p JOIN model m ON m.id = p.model_id "
						 "WHERE m.name IN ('both', 'start', 'other')"),
		3 * (FRAMES_SUBJECTS - FRAMES_BROKEN));
	/* no embedding is the ensemble's */
	assert_int_equal(
		sql("ATTACHSELECT count(*) FROM emb.embedding"), 2 * (FRAMES_SUBJECTS - FRAMES_BROKEN));
	for (int subject = 1; subject <= FRAMES_SUBJECTS - FRAMES_BROKEN; subject++) {
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
	const char *train[] = {"topi", "train", frames.dir, "p", "--from", "both", "--queue", NULL};
	assert_int_equal(frames_wait(start(train)), 1);
	/* the list alone makes the model, and names it */
	const char *list[] = {
		"topi", "predict", frames.dir, "p", "--model", "other,start", "--queue", "--json", NULL};
	assert_int_equal(frames_wait(start(list)), 0);
	assert_int_equal(sql("SELECT count(*) FROM model WHERE name = 'other+start'"), 1);
	assert_int_equal(frames_wait(start(list)), 0);
	assert_int_equal(sql("SELECT count(*) FROM model WHERE arch = 'ensemble'"), 2);
	/* what is exported comes back as one model */
	char path[100];
	snprintf(path, sizeof path, "%s/exported.safetensors", frames.dir);
	const char *export[] = {
		"topi", "model", "export", frames.dir, "p", "both", "--out", path, NULL};
	const char *import[] = {"topi", "model", "import", frames.dir, "p", path, NULL};
	const char *focus[] = {"topi", "model", "import", frames.dir, "p", path, "--focus", NULL};
	assert_int_equal(frames_wait(start(export)), 0);
	assert_int_equal(frames_wait(start(import)), 0);
	assert_int_equal(frames_wait(start(focus)), 1);
	assert_int_equal(
		sql("SELECT count(DISTINCT sha256) FROM model WHERE name IN ('both', 'exported')"), 1);
}

static void a_set_that_cannot_be_trained_on_says_why(void **state)
{
	(void)state;
	const char *args[] = {"topi", "train", frames.dir, "p", "--from", "start", "--json", NULL};
	sql("UPDATE job SET state = 'cancelled'");
	assert_int_equal(frames_wait(start(args)), 1);
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
		CASE(the_servers_words_are_passed_on),
		CASE(a_model_that_is_not_wanted_is_not_kept),
		CASE(trainings_make_candidates),
		CASE(an_ensemble_is_a_model_like_any_other),
		CASE(a_set_that_cannot_be_trained_on_says_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
