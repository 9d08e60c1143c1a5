/* labels: unit sql; timeout: 60 */
#include "dataset.h"
#include "job.h"
#include "project.h"
#include "registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>
#include <sqlite3.h>

#include <cmocka.h>

enum { T0 = 1000000, K = 3, N_SUBJECTS = 40 };

static char dir[64];
static struct db *db;
static int64_t project_id;

/* Rows that no function of topi makes in this form. */
static void sql(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void sql(const char *format, ...)
{
	char path[100];
	char text[2000];
	sqlite3 *raw = NULL;
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(path, sizeof path, "%s/topi.db", dir);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	if (sqlite3_exec(raw, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(raw));
	sqlite3_close(raw);
}

static int64_t number(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int64_t number(const char *format, ...)
{
	char path[100];
	char text[1000];
	sqlite3 *raw = NULL;
	sqlite3_stmt *stmt = NULL;
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(path, sizeof path, "%s/topi.db", dir);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	if (sqlite3_prepare_v2(raw, text, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(raw));
	int64_t out = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
	sqlite3_finalize(stmt);
	sqlite3_close(raw);
	return out;
}

/* A project of 3 taxa, 5 deployments (the 5th held out), 40 subjects of one frame, one model 'start'. */
static int set_up(void **state)
{
	(void)state;
	struct err err = {0};
	snprintf(dir, sizeof dir, "/tmp/topi-job-XXXXXX");
	if (sodium_init() < 0 || !mkdtemp(dir) || db_open(dir, DB_CREATE, &db, &err) != OK ||
		db_run(db, Q_SETTING_PUT, &err, "ss", "secret", "00112233445566778899aabbccddeeff") != OK) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	json_t *file = json_pack("{s:s, s:s, s:[{s:s,s:s,s:s},{s:s,s:s,s:s},{s:s,s:s,s:s}]}", "slug",
		"p", "title", "P", "taxa", "code", "blank", "kind", "blank", "common_name", "nothing",
		"code", "zebra", "common_name", "zebra", "scientific_name", "Equus quagga", "code", "topi",
		"common_name", "topi", "scientific_name", "Damaliscus lunatus");
	enum status st = project_add(db, file, T0, &project_id, &err);
	json_decref(file);
	if (st != OK) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	for (int i = 1; i <= 5; i++)
		sql("INSERT INTO deployment (project_id, name, utc_offset_s, holdout, created_ms) "
			"VALUES (%d, 'd%d', 0, %d, 0)",
			(int)project_id, i, i == 5);
	for (int i = 1; i <= N_SUBJECTS; i++) {
		sql("INSERT INTO subject (project_id, deployment_id, created_ms) VALUES (%d, %d, 0)",
			(int)project_id, (i - 1) % 5 + 1);
		sql("INSERT INTO media (project_id, deployment_id, subject_id, sha256, n_bytes, file_name, "
			"width_px, height_px, crop_bottom_px, created_ms) "
			"VALUES (%d, %d, %d, randomblob(32), 1, 'f', 10, 10, 30, 0)",
			(int)project_id, (i - 1) % 5 + 1, i);
	}
	sql("UPDATE media SET (focus_x, focus_y, focus_width, focus_height, focus_strength) = "
		"(0, 0, 1, 1, 7) WHERE subject_id %% 2 = 0");
	sql("INSERT INTO model (project_id, name, sha256, arch, backbone, classes, created_ms) VALUES "
		"(%d, 'start', zeroblob(32), 'resnet18', 'bb', '[{\"taxon\":1,\"prior\":0.4},"
		"{\"taxon\":2,\"prior\":0.3},{\"taxon\":3,\"prior\":0.3}]', 0)",
		(int)project_id);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	char command[100];
	db_fail_step(0, OK);
	db_close(db);
	db = NULL;
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command); /* a test's own folder under /tmp */
}

static void must(enum status st, const struct err *err)
{
	if (st != OK)
		fail_msg("%s", err->text);
}

static struct job_lease take(const char *worker, int n, int64_t now)
{
	struct err err = {0};
	struct job_lease lease;
	must(job_take(db, worker, n, now, &lease, &err), &err);
	return lease;
}

static const float logits[K] = {0.5f, 2, -1};

/* The batch's subjects with the same result; those at `bad` (by place) cannot be read. */
static int results_of(const struct job_lease *lease, int bad, struct job_result *out)
{
	struct err err = {0};
	json_t *job = NULL;
	must(job_describe(db, lease, &job, &err), &err);
	json_t *subjects = json_object_get(job, "subjects");
	int n = (int)json_array_size(subjects);
	for (int i = 0; i < n; i++) {
		const json_t *subject = json_array_get(subjects, (size_t)i);
		json_t *frame = json_array_get(json_object_get(subject, "frames"), 0);
		int64_t id = json_integer_value(json_object_get(subject, "id"));
		assert_int_equal(json_array_size(json_object_get(frame, "focus")), id % 2 ? 0 : 5);
		out[i] = (struct job_result){.subject_id = id,
			.n_frames = 1,
			.logits = logits,
			.n_logits = K,
			.embedding = "\0\0\1\1",
			.n_embedding_bytes = 4};
		if (i == bad)
			out[i] = (struct job_result){.subject_id = id, .reason = "no JPEG"};
	}
	json_decref(job);
	return n;
}

static int send_all(const struct job_lease *lease, int bad, int64_t now)
{
	struct err err = {0};
	struct job_result results[JOB_MAX_BATCH];
	int n_stored = 0, n = results_of(lease, bad, results);
	must(job_store(db, lease->job_id, lease->batch_id, results, n, now, &n_stored, &err), &err);
	return n_stored;
}

static int64_t add_predict(void)
{
	struct err err = {0};
	int64_t id = 0, again = 0;
	must(job_add_predict(db, 1, false, T0, &id, &err), &err);
	must(job_add_predict(db, 1, false, T0, &again, &err), &err);
	assert_int_equal(id, again); /* one that waits is enough */
	return id;
}

static void a_prediction_is_handed_out_and_stored_once(void **state)
{
	(void)state;
	struct err err = {0};
	struct job job;
	int64_t id = add_predict();
	int n_stored = 0, n_batches = 0;
	for (struct job_lease lease = take("a", 16, T0); lease.job_id; lease = take("a", 16, T0)) {
		struct job_result results[JOB_MAX_BATCH];
		int n = results_of(&lease, n_batches == 0 ? 3 : -1, results);
		assert_int_equal(n, n_batches == 2 ? 8 : 16);
		/* a part of a batch stores nothing, as whoever runs it takes it back */
		int stored = 0;
		must(db_begin(db, &err), &err);
		assert_int_equal(
			job_store(db, id, lease.batch_id, results + 1, n - 1, T0, &stored, &err), BAD_INPUT);
		db_rollback(db);
		n_stored += n;
		assert_int_equal(send_all(&lease, n_batches++ == 0 ? 3 : -1, T0), n);
		int again = 0;
		must(job_store(db, id, lease.batch_id, results, n, T0, &again, &err), &err);
		assert_int_equal(again, 0);
	}
	assert_int_equal(n_batches, 3);
	assert_int_equal(n_stored, N_SUBJECTS);
	must(job_get(db, id, &job, &err), &err);
	assert_int_equal(job.state, JOB_DONE);
	job_release(&job);
	assert_int_equal(number("SELECT count(*) FROM prediction"), N_SUBJECTS - 1);
	assert_int_equal(number("SELECT count(*) FROM prediction_problem"), 1);
	must(job_add_predict(db, 1, false, T0, &id, &err), &err);
	assert_int_equal(take("a", 16, T0).job_id, 0);
	assert_int_equal(number("SELECT count(*) FROM job WHERE state = 'done'"), 2);
}

static void leases_end_by_the_clock(void **state)
{
	(void)state;
	struct err err = {0};
	bool cancel = false;
	int64_t id = add_predict();
	struct job_lease a = take("a", 40, T0);
	assert_int_equal(a.lease_ms, JOB_LEASE_MS);
	struct job_lease none = take("b", 40, T0 + JOB_LEASE_MS - 1);
	assert_int_equal(none.job_id, 0);
	assert_true(none.pending);
	/* a heartbeat keeps it */
	must(job_heartbeat(db, id, "a", a.batch_id, NULL, T0 + JOB_LEASE_MS - 1, &cancel, &err), &err);
	assert_int_equal(take("b", 40, T0 + JOB_LEASE_MS).job_id, 0);
	struct job_lease b = take("b", 40, T0 + 2 * JOB_LEASE_MS);
	assert_int_equal(b.batch_id, a.batch_id);
	/* and then it is b's, but a's result is as good */
	assert_int_equal(
		job_heartbeat(db, id, "a", a.batch_id, NULL, T0 + 2 * JOB_LEASE_MS, &cancel, &err),
		CONFLICT);
	assert_int_equal(send_all(&a, -1, T0 + 2 * JOB_LEASE_MS), N_SUBJECTS);
	assert_int_equal(number("SELECT count(*) FROM job WHERE state = 'done'"), 1);
	assert_int_equal(
		job_heartbeat(db, id, "b", b.batch_id, NULL, T0 + 2 * JOB_LEASE_MS, &cancel, &err),
		CONFLICT);
	assert_int_equal(
		number("SELECT count(*) FROM (SELECT subject_id FROM prediction GROUP BY subject_id, "
			   "model_id HAVING count(*) > 1)"),
		0);
}

static void attempts_end(void **state)
{
	(void)state;
	struct err err = {0};
	struct job job;
	int64_t id = add_predict(), now = T0;
	for (int i = 0; i < JOB_MAX_ATTEMPTS; i++, now += JOB_LEASE_MS)
		assert_int_equal(take("a", 40, now).job_id, id);
	assert_int_equal(take("a", 40, now).job_id, 0);
	must(job_get(db, id, &job, &err), &err);
	assert_int_equal(job.state, JOB_FAILED);
	assert_non_null(strstr(job.error, "5 workers took the subjects 1 to 40"));
	job_release(&job);
	/* a worker that says why: its words are kept */
	id = add_predict();
	for (int i = 0; i < JOB_MAX_ATTEMPTS; i++) {
		assert_int_equal(take("a", 40, now).job_id, id);
		must(job_give_up(db, id, "a", "no memory", false, now, &err), &err);
	}
	assert_int_equal(take("a", 40, now).job_id, 0);
	must(job_get(db, id, &job, &err), &err);
	assert_int_equal(job.state, JOB_FAILED);
	assert_non_null(strstr(job.error, "no memory"));
	job_release(&job);
}

static void a_cancelled_job_wants_nothing(void **state)
{
	(void)state;
	struct err err = {0};
	bool cancel = false;
	int n_stored = 0;
	struct job_result results[JOB_MAX_BATCH];
	int64_t id = add_predict();
	struct job_lease a = take("a", 10, T0);
	int n = results_of(&a, -1, results);
	must(job_cancel(db, id, T0, &err), &err);
	assert_int_equal(job_cancel(db, id, T0, &err), CONFLICT);
	must(job_heartbeat(db, id, "a", a.batch_id, NULL, T0, &cancel, &err), &err);
	assert_true(cancel);
	assert_int_equal(job_store(db, id, a.batch_id, results, n, T0, &n_stored, &err), CONFLICT);
	assert_int_equal(number("SELECT count(*) FROM prediction"), 0);
	assert_int_equal(take("a", 10, T0).job_id, 0);
}

static void results_of_others_are_refused(void **state)
{
	(void)state;
	struct err err = {0};
	struct job_result results[JOB_MAX_BATCH];
	int n_stored = 0;
	int64_t id = add_predict();
	struct job_lease a = take("a", 10, T0), b = take("b", 10, T0);
	int n = results_of(&a, -1, results);
	assert_int_equal(job_store(db, id, b.batch_id, results, n, T0, &n_stored, &err), BAD_INPUT);
	assert_int_equal(job_store(db, id, 99, results, n, T0, &n_stored, &err), NOT_FOUND);
	results[0].n_logits = 2;
	assert_int_equal(job_store(db, id, a.batch_id, results, n, T0, &n_stored, &err), BAD_INPUT);
}

/* What becomes of a labelled subject in a training, by deployment (5 is held out), who decided, and gold. */
static const struct item_row {
	int subject, taxon;
	const char *by, *gold; /* gold: purpose with the expert's taxon, or NULL */
	const char *split;     /* NULL: left out */
	double weight;
	const char *also; /* SQL, or NULL */
} item_rows[] = {
	{1, 1, "expert", NULL, "train", 1, NULL},
	{2, 2, "people", NULL, "train", 1, NULL},
	{3, 2, "model", NULL, "train", 0.2, NULL},
	{4, 3, "expert", "certify", NULL, 0, NULL},
	{5, 2, "expert", "certify", "eval", 1, NULL}, /* deployment 5 */
	{10, 3, "people", NULL, "eval", 1, NULL},
	{15, 3, "model", NULL, NULL, 0, NULL},
	{6, 1, "expert", "train-people", "train", 1, NULL},
	{7, 0, NULL, NULL, NULL, 0, NULL}, /* open */
	{20, 1, "expert", NULL, "eval", 1, NULL},
	/* Judged on people alone: not where the model was heard, but where it was not, in an audit. */
	{25, 2, "people", NULL, NULL, 0, "UPDATE subject SET prediction_id = 1 WHERE id = 25"},
	{30, 2, "people", NULL, "eval", 1,
		"UPDATE subject SET prediction_id = 1, reason = 'audit' WHERE id = 30"},
	/* A label that is about to be taken back. */
	{8, 2, "model", NULL, NULL, 0,
		"UPDATE subject SET certificate_id = 1 WHERE id = 8; INSERT INTO certificate (project_id, "
		"model_id, policy_id, alpha, delta, threshold, n_gold, n_above, n_wrong, p_error_upper, "
		"audit_rate, state, issued_ms) VALUES (1, 1, 1, .1, .1, .9, 9, 9, 0, .1, 1, 'revoked', 0)"},
	/* A taxon that has left the list. */
	{9, 4, "expert", NULL, NULL, 0,
		"INSERT INTO taxon (id, project_id, code, kind, common_name, position, retired_ms) "
		"VALUES (4, 1, 'old', 'animal', 'old', 9, 1)"},
};

static void label_rows(void)
{
	for (size_t i = 0; i < sizeof item_rows / sizeof *item_rows; i++) {
		const struct item_row *r = &item_rows[i];
		if (r->by)
			sql("UPDATE subject SET state = 'retired', label_id = %d, p_label = 1, decided_by = "
				"'%s', reason = 'risk' WHERE id = %d",
				r->taxon, r->by, r->subject);
		if (r->gold)
			sql("INSERT INTO gold (subject_id, project_id, purpose, p_draw, taxon_id, drawn_ms, "
				"plant_u) VALUES (%d, %d, '%s', 0.5, %d, 0, 0)",
				r->subject, (int)project_id, r->gold, r->taxon);
		if (r->also)
			sql("%s", r->also);
	}
}

static int64_t lease_training(int64_t parent, int64_t now)
{
	struct err err = {0};
	int64_t id = 0;
	struct train_request request = {
		.arch = parent ? NULL : "resnet10s", .head = parent != 0, .seed = 1, .parent_id = parent};
	must(job_add_train(db, project_id, &request, now, &id, &err), &err);
	assert_int_equal(take("t", 1, now).job_id, id);
	return id;
}

static void fix_all(int64_t id)
{
	struct err err = {0};
	for (bool more = true; more;)
		must(dataset_fix(db, id, 3, &more, &err), &err);
}

static enum status keep_line(void *arg, const char *line, size_t n_bytes, struct err *err)
{
	json_t *object = json_loadb(line, n_bytes, 0, NULL);
	(void)err;
	assert_non_null(object);
	assert_int_equal(line[n_bytes - 1], '\n');
	json_array_append_new(arg, object);
	return OK;
}

static void the_training_set_follows_the_rules(void **state)
{
	(void)state;
	struct err err = {0};
	char why[200];
	label_rows();
	/* As it is without a weight for the model's own labels. */
	sql("UPDATE policy SET rules = json_set(rules, '$.auto_weight', 0.0)");
	int64_t id = lease_training(1, T0);
	fix_all(id);
	assert_int_equal(number("SELECT count(*) FROM training_item WHERE subject_id = 3"), 0);
	sql("DELETE FROM training_item; UPDATE job SET cursor = 0");
	sql("UPDATE policy SET rules = json_set(rules, '$.auto_weight', 0.2)");
	fix_all(id);
	size_t n = sizeof item_rows / sizeof *item_rows;
	int n_kept = 0;
	for (size_t i = 0; i < n; i++) {
		const struct item_row *r = &item_rows[i];
		int64_t there = number(
			"SELECT count(*) FROM training_item WHERE job_id = %d AND subject_id "
			"= %d AND split = '%s' AND taxon_id = %d AND weight = %g",
			(int)id, r->subject, r->split ? r->split : "", r->taxon, r->weight);
		if (there != (r->split != NULL))
			fail_msg("subject %d", r->subject);
		n_kept += r->split != NULL;
	}
	assert_int_equal(number("SELECT count(*) FROM training_item"), n_kept);
	assert_int_equal(dataset_problem(db, id, why, &err), NOT_FOUND);
	json_t *lines = json_array();
	must(dataset_write(db, id, keep_line, lines, &err), &err);
	assert_int_equal(json_array_size(lines), n_kept + 1);
	json_t *header = json_array_get(lines, 0);
	/* taxon 3 has no training label: no class; its eval item has no target */
	assert_int_equal(json_array_size(json_object_get(header, "classes")), 2);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(header, "names"), 1)), "zebra");
	for (size_t i = 1; i < json_array_size(lines); i++) {
		json_t *item = json_array_get(lines, i), *pair;
		double sum = 0;
		size_t j;
		json_array_foreach(json_object_get(item, "target"), j, pair)
			sum += json_number_value(json_array_get(pair, 1));
		if (json_integer_value(json_object_get(item, "subject")) == 10)
			assert_true(sum == 0);
		else
			assert_true(sum > 0.999 && sum < 1.001);
	}
	json_decref(lines);
}

static void a_set_of_nothing_says_so(void **state)
{
	(void)state;
	struct err err = {0};
	char why[200];
	int64_t id = lease_training(0, T0);
	fix_all(id);
	must(dataset_problem(db, id, why, &err), &err);
	assert_non_null(strstr(why, "0 labelled subjects"));
}

/* Nothing is flagged: the judged deployments are some, not all, and no training item lies in them. */
static void without_a_flag_some_deployments_judge(void **state)
{
	(void)state;
	sql("UPDATE deployment SET holdout = 0");
	sql("UPDATE subject SET state = 'retired', label_id = 1 + id %% 2, p_label = 1, decided_by = "
		"'expert', reason = 'expert'");
	int64_t id = lease_training(0, T0);
	fix_all(id);
	assert_int_equal(number("SELECT count(*) FROM training_item"), N_SUBJECTS);
	assert_in_range(number("SELECT count(*) FROM training_item WHERE split = 'eval'"), 1, 32);
	assert_int_equal(
		number("SELECT count(*) FROM (SELECT s.deployment_id FROM training_item i JOIN "
			   "subject s ON s.id = i.subject_id GROUP BY s.deployment_id HAVING "
			   "count(DISTINCT i.split) > 1)"),
		0);
}

static struct registry_file made_file(char fill)
{
	struct registry_file file = {.arch = xstrdup("resnet18"), .backbone = xstrdup("bb2")};
	file.classes = json_pack("[s, s]", "blank", "zebra");
	file.prior = json_pack("[f, f]", 0.75, 0.25);
	memset(file.sha256, fill, 64);
	return file;
}

static void a_training_becomes_a_model_once(void **state)
{
	(void)state;
	struct err err = {0};
	int64_t model = 0, again = 0;
	label_rows();
	int64_t id = lease_training(1, T0);
	fix_all(id);
	struct registry_file file = made_file('a'), other = made_file('b');
	assert_int_equal(registry_add_trained(db, id, "u", &file, T0, &model, &err), CONFLICT);
	must(registry_add_trained(db, id, "t", &file, T0, &model, &err), &err);
	must(registry_add_trained(db, id, "t", &file, T0, &again, &err), &err);
	assert_int_equal(model, again);
	assert_int_equal(registry_add_trained(db, id, "t", &other, T0, &again, &err), CONFLICT);
	assert_int_equal(number("SELECT count(*) FROM model"), 2);
	assert_int_equal(
		number("SELECT count(*) FROM model_subject WHERE model_id = %d", (int)model), 4);
	assert_int_equal(number("SELECT count(*) FROM training_item"), 0);
	assert_int_equal(number("SELECT count(*) FROM job WHERE state = 'done'"), 1);
	registry_file_release(&file);
	registry_file_release(&other);
}

static void a_training_is_taken_over(void **state)
{
	(void)state;
	struct err err = {0};
	struct job job;
	bool cancel = false;
	int64_t id = lease_training(1, T0);
	must(job_heartbeat(db, id, "t", 0, "{\"epoch\": 2, \"n_epochs\": 9}", T0 + 1, &cancel, &err),
		&err);
	assert_true(take("u", 1, T0 + JOB_LEASE_MS).pending);
	assert_int_equal(take("u", 1, T0 + 1 + JOB_LEASE_MS).job_id, id);
	assert_int_equal(
		job_heartbeat(db, id, "t", 0, NULL, T0 + 2 + JOB_LEASE_MS, &cancel, &err), CONFLICT);
	must(job_get(db, id, &job, &err), &err);
	assert_int_equal(job.n_done, 2);
	assert_int_equal(job.n_total, 9);
	assert_int_equal(job.n_attempts, 2);
	job_release(&job);
	must(job_give_up(db, id, "u", "bad data", true, T0 + JOB_LEASE_MS + 3, &err), &err);
	must(job_get(db, id, &job, &err), &err);
	assert_int_equal(job.state, JOB_FAILED);
	assert_string_equal(job.error, "bad data");
	job_release(&job);
}

static void imports_are_checked(void **state)
{
	(void)state;
	struct err err = {0};
	int64_t id = 0, job = 0;
	struct registry_file file = made_file('c');
	assert_int_equal(registry_import(db, project_id, "m7", &file, T0, &id, &err), BAD_INPUT);
	assert_int_equal(registry_import(db, project_id, "start", &file, T0, &id, &err), CONFLICT);
	must(registry_import(db, project_id, "whole", &file, T0, &id, &err), &err);
	json_array_append_new(file.classes, json_string("dodo"));
	json_decref(file.prior);
	file.prior = NULL;
	assert_int_equal(registry_import(db, project_id, "other", &file, T0, &id, &err), BAD_INPUT);
	assert_non_null(strstr(err.text, "dodo"));
	json_array_clear(file.classes);
	must(registry_import(db, project_id, "bare", &file, T0, &id, &err), &err);
	assert_int_equal(registry_promote(db, project_id, id, T0, &err), BAD_INPUT);
	assert_int_equal(job_add_predict(db, id, false, T0, &job, &err), BAD_INPUT);
	registry_file_release(&file);
}

/* Every step of a promotion and of a rollback fails once: nothing is half done. */
static void promotion_is_one_step(void **state)
{
	(void)state;
	struct err err = {0};
	int64_t second = 0, back = 0;
	struct registry_file file = made_file('d');
	label_rows();
	must(registry_import(db, project_id, "second", &file, T0, &second, &err), &err);
	must(registry_promote(db, project_id, 1, T0, &err), &err);
	assert_int_equal(number("SELECT count(*) FROM job"), 2); /* gold first, then all */
	assert_int_equal(number("SELECT n_total FROM job ORDER BY id"), 2);
	for (int rollback = 0; rollback < 2; rollback++) {
		int64_t before = number("SELECT model_id FROM project");
		enum status st = FULL;
		for (long nth = 1; st != OK; nth++) {
			int64_t n_jobs = number("SELECT count(*) FROM job");
			db_fail_step(nth, FULL);
			st = db_begin(db, &err);
			if (st == OK)
				st = rollback ? registry_rollback(db, project_id, T0 + 2, &back, &err)
							  : registry_promote(db, project_id, second, T0 + 1, &err);
			if (st == OK)
				st = db_commit(db, &err);
			db_fail_step(0, OK);
			if (st == OK)
				break;
			assert_int_equal(st, FULL);
			db_rollback(db);
			assert_int_equal(number("SELECT model_id FROM project"), before);
			assert_int_equal(number("SELECT id FROM model WHERE state = 'promoted'"), before);
			assert_int_equal(number("SELECT count(*) FROM job"), n_jobs);
			assert_true(nth < 100);
		}
		assert_int_equal(number("SELECT model_id FROM project"), rollback ? 1 : second);
		assert_int_equal(number("SELECT count(*) FROM model WHERE state = 'promoted'"), 1);
	}
	assert_int_equal(back, 1);
	assert_int_equal(registry_rollback(db, project_id, T0 + 3, &back, &err), CONFLICT);
	assert_int_equal(registry_promote(db, project_id, 1, T0, &err), CONFLICT);
	registry_file_release(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		CASE(a_prediction_is_handed_out_and_stored_once),
		CASE(leases_end_by_the_clock),
		CASE(attempts_end),
		CASE(a_cancelled_job_wants_nothing),
		CASE(results_of_others_are_refused),
		CASE(the_training_set_follows_the_rules),
		CASE(a_set_of_nothing_says_so),
		CASE(without_a_flag_some_deployments_judge),
		CASE(a_training_becomes_a_model_once),
		CASE(a_training_is_taken_over),
		CASE(imports_are_checked),
		CASE(promotion_is_one_step),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
