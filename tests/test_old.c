/* labels: unit sql; timeout: 300 */
/*
 * A project in use, as an older program left it: the rows of one that today's made, brought back to the columns that each
 * schema since 0008 had, then opened with today's. What migrations derive must be what triggers have kept, row by row.
 */
#include "certificate_check.h"
#include "flag.h"
#include "replay.h"
#include "support_strata.h"
#include "task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include <cmocka.h>

enum { FIRST = 8, FLAGS_SINCE = 11, RECENT_SINCE = 15, N_DEALT = 4 };

static struct test_project *const t = &strata_world;

/* A promoted model, its gold and certificates in force, audits, labels of people's and the model's, answers, leases, flags. */
static int set_up(void **state)
{
	struct err err = {0};
	struct task_list list;
	(void)state;
	strata_open("{\"auto_blank\": false, \"expert_share\": 0}", NULL);
	strata_activate(10);
	for (int i = 0; i < N_DEALT; i++) {
		assert_int_equal(db_begin(t->db, &err), OK);
		assert_int_equal(
			task_next(t->db, t->id, t->volunteers[40 + i], false, 5, 86400000LL * i, &list, &err),
			OK);
		assert_int_equal(list.n, 5);
		const int64_t subject = list.tasks[0].subject_id;
		const struct flag flag = {.project_id = t->id,
			.subject_id = list.tasks[1].subject_id,
			.volunteer_id = t->volunteers[40 + i],
			.kind = i % 2 ? FLAG_DAMAGED : FLAG_PERSON};
		assert_int_equal(flag_set(t->db, &flag, true, 20, &err), OK);
		assert_int_equal(db_commit(t->db, &err), OK);
		task_list_release(&list);
		test_must_answer(t, subject, 40 + i, i % 2, 86400000LL * i);
	}
	test_must_answer_set(t,
		test_sql(t, "SELECT max(id) FROM subject WHERE state = 'open' AND n_answers = 0"), 50,
		(const int[]){1}, 1);
	assert_true(test_sql(t, "SELECT count(*) FROM subject WHERE decided_by = 'model'") > 50);
	assert_true(test_sql(t, "SELECT count(*) FROM subject WHERE decided_by = 'people'") > 50);
	assert_true(test_sql(t, "SELECT count(*) FROM likely_count") > 3);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate WHERE state = 'active'"), 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_project_close(t);
	return 0;
}

static void must(sqlite3 *db, const char *sql)
{
	char *error = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %.300s", error, sql);
}

/* The first column of all rows, put together. Owns: the caller's, to sqlite3_free. */
static char *all_of(sqlite3 *db, const char *between, const char *sql)
{
	sqlite3_stmt *row = NULL;
	char *text = sqlite3_mprintf("%s", "");
	if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK)
		fail_msg("%s: %.300s", sqlite3_errmsg(db), sql);
	while (sqlite3_step(row) == SQLITE_ROW)
		text = sqlite3_mprintf(
			"%z%s%s", text, *text ? between : "", (const char *)sqlite3_column_text(row, 0));
	sqlite3_finalize(row);
	return text;
}

static void must_all(sqlite3 *db, const char *sql)
{
	char *text = all_of(db, ";", sql);
	must(db, text);
	sqlite3_free(text);
}

/* Rows of today's database (attached as "now") in the tables and columns of then; no trigger counts them again. */
static void make_old(const char *dir, int version)
{
	char text[300];
	sqlite3 *db = NULL;
	snprintf(text, sizeof text, "%s/topi.db", dir);
	assert_int_equal(sqlite3_open(text, &db), SQLITE_OK);
	for (int i = 0; i < version; i++)
		must(db, migrations[i].sql);
	char *triggers = all_of(db, ";", "SELECT sql FROM sqlite_master WHERE type = 'trigger'");
	must_all(db, "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger'");
	snprintf(text, sizeof text, "ATTACH '%s/topi.db' AS now", t->dir);
	must(db, text);
	must_all(db,
		"SELECT 'DELETE FROM ' || m.name || '; INSERT INTO ' || m.name || ' (' || c.list || ') "
		"SELECT ' || "
		"c.list || ' FROM now.' || m.name FROM main.sqlite_master m JOIN now.sqlite_master n ON "
		"n.name = "
		"m.name AND n.type = 'table' JOIN (SELECT s.name AS t, group_concat(o.name) AS list FROM "
		"main.sqlite_master s JOIN pragma_table_info(s.name, 'main') o JOIN "
		"pragma_table_info(s.name, 'now') w "
		"ON w.name = o.name WHERE s.type = 'table' GROUP BY s.name) c ON c.t = m.name WHERE m.type "
		"= 'table'");
	must(db, "DETACH now");
	must(db, triggers);
	sqlite3_free(triggers);
	snprintf(
		text, sizeof text, "PRAGMA application_id = 1953460329; PRAGMA user_version = %d", version);
	must(db, text);
	sqlite3_close(db);
}

/* Every table of the two, both ways. */
static void must_be_the_same(const char *dir, int version)
{
	char text[300];
	sqlite3 *db = NULL;
	snprintf(text, sizeof text, "%s/topi.db", dir);
	assert_int_equal(sqlite3_open(text, &db), SQLITE_OK);
	snprintf(text, sizeof text, "ATTACH '%s/topi.db' AS now", t->dir);
	must(db, text);
	if (version < RECENT_SINCE) /* which starts afresh there */
		must(db,
			"UPDATE answer_day SET recent = (SELECT n.recent FROM now.answer_day n WHERE "
			"n.volunteer_id = answer_day.volunteer_id AND n.day = answer_day.day AND n.project_id "
			"= answer_day.project_id) WHERE recent = 1");
	char *tables = sqlite3_mprintf(
		"SELECT 'SELECT ''' || name || ''' WHERE EXISTS (SELECT * FROM main.' || name || ' EXCEPT "
		"SELECT * FROM now.' || name || ') OR EXISTS (SELECT * FROM now.' || name || ' EXCEPT "
		"SELECT * FROM main.' || name || ')' FROM now.sqlite_master WHERE type = 'table' AND (name "
		"<> 'flag' OR %d >= %d)",
		version, FLAGS_SINCE);
	char *query = all_of(db, " UNION ALL ", tables);
	sqlite3_free(tables);
	char *differ = all_of(db, ", ", query);
	if (*differ)
		fail_msg("from version %d: %s", version, differ);
	sqlite3_free(differ);
	sqlite3_free(query);
	char *broken = all_of(db, ", ", "SELECT \"table\" FROM pragma_foreign_key_check");
	assert_string_equal(broken, "");
	sqlite3_free(broken);
	char *sound = all_of(db, ", ", "PRAGMA integrity_check");
	assert_string_equal(sound, "ok");
	sqlite3_free(sound);
	sqlite3_close(db);
}

/* Certificates and labels follow from the old rows as they do from the new ones; an answer is taken, counted and taken back. */
static void must_go_on(struct test_project *old)
{
	struct err err = {0};
	struct project p = {0};
	struct replay replay, before;
	struct task_list list;
	bool whole = false;
	json_t *findings = json_array();
	assert_int_equal(project_load(t->db, t->id, &p, &err), OK);
	assert_int_equal(replay_check(t->db, &p, &before, &err), OK);
	project_release(&p);
	assert_int_equal(project_load(old->db, old->id, &p, &err), OK);
	assert_int_equal(p.model_id, t->model_id);
	const int64_t id = test_sql(old, "SELECT id FROM certificate WHERE state = 'active'");
	assert_int_equal(certificate_check(old->db, &p, id, findings, &whole, &err), OK);
	if (!whole || json_array_size(findings))
		fail_msg("%s", json_string_value(json_array_get(findings, 0)));
	json_decref(findings);
	assert_int_equal(replay_check(old->db, &p, &replay, &err), OK);
	assert_memory_equal(&replay, &before, sizeof replay);
	project_release(&p);

	const int64_t volunteer = old->volunteers[45], now_ms = 86400000LL * 9;
	assert_int_equal(db_begin(old->db, &err), OK);
	assert_int_equal(task_next(old->db, old->id, volunteer, false, 1, now_ms, &list, &err), OK);
	assert_int_equal(db_commit(old->db, &err), OK);
	assert_int_equal(list.n, 1);
	const int64_t subject = list.tasks[0].subject_id;
	task_list_release(&list);
	test_must_answer(old, subject, 45, 1, now_ms);
	const char *own = "SELECT sum(n) FROM answer_day WHERE volunteer_id = %d AND day = 9";
	assert_int_equal(test_sql(old, own, (int)volunteer), 1);
	uint8_t of[16], uuid[16];
	struct classification_undone undone;
	test_uuid(test_n_answers, of);
	test_uuid(9999999, uuid);
	assert_int_equal(db_begin(old->db, &err), OK);
	assert_int_equal(
		classification_undo(old->db, uuid, of, volunteer, now_ms + 1, &undone, &err), OK);
	assert_int_equal(db_commit(old->db, &err), OK);
	assert_int_equal(test_sql(old, own, (int)volunteer), 0);
	assert_int_equal(
		test_sql(old,
			"SELECT count(*) FROM subject_count c WHERE n <> (SELECT count(*) FROM subject s "
			"WHERE s.project_id = c.project_id AND s.state = c.state)"),
		0);
}

static void a_project_of_every_schema_goes_on(void **state)
{
	(void)state;
	for (int version = FIRST; version <= N_MIGRATIONS; version++) {
		struct test_project old = *t;
		struct err err = {0};
		snprintf(old.dir, sizeof old.dir, "/tmp/topi-old-XXXXXX");
		assert_non_null(mkdtemp(old.dir));
		make_old(old.dir, version);
		if (db_open(old.dir, DB_WRITE, &old.db, &err) != OK)
			fail_msg("from version %d: %s", version, err.text);
		assert_int_equal(db_check(old.db, &err), OK);
		must_be_the_same(old.dir, version);
		must_go_on(&old);
		test_project_close(&old);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_project_of_every_schema_goes_on, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
