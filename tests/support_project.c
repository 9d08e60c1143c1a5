/* Builds the rows that imports and registries make in real life, by plain SQL. */
#include "support_project.h"

#include "prediction.h"
#include "project.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <math.h>
#include <sqlite3.h>

#include <cmocka.h>

int64_t test_n_answers;

static void run_raw(const char *dir, const char *sql, double *out)
{
	char path[100];
	sqlite3 *raw = NULL;
	sqlite3_stmt *stmt = NULL;
	snprintf(path, sizeof path, "%s/topi.db", dir);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	sqlite3_busy_timeout(raw, 5000);
	while (*sql) {
		if (sqlite3_prepare_v2(raw, sql, -1, &stmt, &sql) != SQLITE_OK)
			fail_msg("%s: %s", sqlite3_errmsg(raw), sql);
		int code = stmt ? sqlite3_step(stmt) : SQLITE_DONE;
		if (code == SQLITE_ROW && out)
			*out = sqlite3_column_double(stmt, 0);
		while (code == SQLITE_ROW)
			code = sqlite3_step(stmt);
		if (code != SQLITE_DONE)
			fail_msg("%s", sqlite3_errmsg(raw));
		sqlite3_finalize(stmt);
	}
	sqlite3_close(raw);
}

static double raw_value(struct test_project *t, const char *format, va_list args)
{
	char sql[2000];
	double value = -1;
	vsnprintf(sql, sizeof sql, format, args);
	run_raw(t->dir, sql, &value);
	return value;
}

int64_t test_sql(struct test_project *t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	double value = raw_value(t, format, args);
	va_end(args);
	return (int64_t)value;
}

double test_real(struct test_project *t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	double value = raw_value(t, format, args);
	va_end(args);
	return value;
}

static void add_project(struct test_project *t, const char *policy)
{
	struct err err = {0};
	json_t *taxa = json_array();
	for (int i = 0; i < t->k; i++) {
		char code[24];
		snprintf(code, sizeof code, i ? "animal%d" : "blank", i);
		json_array_append_new(taxa,
			json_pack("{ss ss ss ss}", "code", code, "kind", i ? "animal" : "blank", "common_name",
				code, "scientific_name", i ? "Genus species" : ""));
	}
	json_t *file = json_pack("{ss ss so}", "slug", "test", "title", "Test", "taxa", taxa);
	if (policy)
		json_object_set_new(file, "policy", json_loads(policy, 0, NULL));
	assert_int_equal(db_begin(t->db, &err), OK);
	if (project_add(t->db, file, 1000, &t->id, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(db_commit(t->db, &err), OK);
	json_decref(file);
}

void test_project_open(
	struct test_project *t, int k, int n_deployments, int n_subjects, const char *policy)
{
	struct err err = {0};
	memset(t, 0, sizeof *t);
	snprintf(t->dir, sizeof t->dir, "/tmp/topi-test-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	if (db_open(t->dir, DB_CREATE, &t->db, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(db_run(t->db, Q_SETTING_PUT, &err, "ss", "secret",
						 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
		OK);
	t->k = k;
	t->n_subjects = n_subjects;
	add_project(t, policy);
	for (int i = 0; i < k; i++)
		t->taxa[i] = test_sql(t, "SELECT id FROM taxon ORDER BY id LIMIT 1 OFFSET %d", i);
	test_sql(t,
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
		"INSERT INTO deployment (project_id, name, utc_offset_s, created_ms) SELECT %d, 'D' || i, "
		"0, 0 FROM n",
		n_deployments, (int)t->id);
	test_sql(t,
		"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d - 1)"
		"INSERT INTO subject (project_id, deployment_id, start_ms, end_ms, created_ms)"
		" SELECT %d, 1 + i %% %d, i * 100000, i * 100000 + 1000, 0 FROM n",
		n_subjects, (int)t->id, n_deployments);
	test_sql(t,
		"INSERT INTO media (project_id, deployment_id, subject_id, sha256, n_bytes, file_name, "
		"width_px,"
		" height_px, crop_bottom_px, created_ms)"
		" SELECT project_id, deployment_id, id, CAST(printf('%%032d', id) AS BLOB), 1, 'f' || id, "
		"640, 480, 0, 0"
		" FROM subject");
	test_sql(t,
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 64)"
		"INSERT INTO volunteer (created_ms) SELECT 0 FROM n");
	for (int i = 0; i < 64; i++)
		t->volunteers[i] = i + 1;
	t->first_subject = test_sql(t, "SELECT min(id) FROM subject");
}

void test_project_close(struct test_project *t)
{
	char command[100];
	db_close(t->db);
	snprintf(command, sizeof command, "rm -rf %s", t->dir);
	assert_int_equal(system(command), 0);
}

void test_model(struct test_project *t, int k)
{
	char classes[1000] = "[";
	for (int i = 0; i < k; i++)
		snprintf(classes + strlen(classes), sizeof classes - strlen(classes),
			"%s{\"taxon\":%d,\"prior\":%.9g}", i ? "," : "", (int)t->taxa[i], 1.0 / k);
	test_sql(t,
		"INSERT INTO model (project_id, name, sha256, arch, backbone, classes, state, created_ms)"
		" VALUES (%d, 'm' || (SELECT count(*) FROM model), randomblob(32), 'test', 'b', '%s]', "
		"'promoted', 0)",
		(int)t->id, classes);
	t->model_k = k;
	t->model_id = test_sql(t, "SELECT max(id) FROM model");
	test_sql(t, "UPDATE project SET model_id = %d", (int)t->model_id);
}

void test_predict(struct test_project *t, int64_t subject, int top, double p, int64_t now)
{
	struct err err = {0};
	float logits[16];
	bool stored = false;
	bool own = !db_in_transaction(t->db);
	int k = t->model_k;
	for (int i = 0; i < k; i++)
		logits[i] = (float)log(i == top ? p : (1 - p) / (k - 1));
	if (own)
		assert_int_equal(db_begin(t->db, &err), OK);
	if (prediction_store(t->db, subject, t->model_id, 1, logits, k, now, &stored, &err) != OK)
		fail_msg("%s", err.text);
	assert_true(stored);
	if (own)
		assert_int_equal(db_commit(t->db, &err), OK);
}

void test_uuid(int64_t n, uint8_t out[16])
{
	memset(out, 0, 16);
	memcpy(out, &n, sizeof n);
}

enum status test_answer_with(struct test_project *t, int64_t subject, int v,
	struct classification c, int64_t now, struct err *err)
{
	struct classification_result result;
	c.project_id = t->id;
	c.subject_id = subject;
	c.volunteer_id = t->volunteers[v];
	test_uuid(++test_n_answers, c.uuid);
	test_sql(t,
		"INSERT INTO task (project_id, subject_id, volunteer_id, issued_ms, expires_ms) VALUES "
		"(%d, %d, %d, 0, %lld)"
		" ON CONFLICT DO NOTHING",
		(int)t->id, (int)subject, (int)c.volunteer_id, (long long)now + 1000);
	enum status st = db_begin(t->db, err);
	if (st == OK)
		st = classification_add(t->db, &c, now, &result, err);
	if (st == OK)
		st = db_commit(t->db, err);
	if (st != OK)
		db_rollback(t->db);
	return st;
}

enum status test_answer(
	struct test_project *t, int64_t subject, int v, int class, int64_t now, struct err *err)
{
	struct classification c = {
		.answer = class < 0 ? ANSWER_CANT_TELL : ANSWER_TAXA,
		.taxon_id = class < 0 ? 0 : t->taxa[class],
	};
	return test_answer_with(t, subject, v, c, now, err);
}

void test_must_answer_set(struct test_project *t, int64_t subject, int v, const int *classes, int n)
{
	struct err err = {0};
	struct named more[ANSWER_MAX_TAXA] = {0};
	for (int i = 1; i < n; i++)
		more[i - 1].taxon_id = t->taxa[classes[i]];
	struct classification c = {.taxon_id = t->taxa[classes[0]], .n_more = n - 1, .more = more};
	if (test_answer_with(t, subject, v, c, 100, &err) != OK)
		fail_msg("%s", err.text);
}

void test_must_answer(struct test_project *t, int64_t subject, int v, int class, int64_t now)
{
	struct err err = {0};
	if (test_answer(t, subject, v, class, now, &err) != OK)
		fail_msg("%s", err.text);
}

const char *test_text(struct test_project *t, const char *column, int64_t subject)
{
	static char out[40];
	struct err err = {0};
	struct stmt *row = NULL;
	assert_int_equal(db_one(t->db, Q_SUBJECT_GET, &row, &err, "i", subject), OK);
	int i = strcmp(column, "state") == 0 ? 2 : strcmp(column, "by") == 0 ? 8 : 9;
	snprintf(out, sizeof out, "%s", col_text(row, i));
	db_done(row);
	return out;
}
