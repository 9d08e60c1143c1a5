/* labels: sql */
#include "db.h"
#include "writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pthread.h>
#include <sqlite3.h>

#include <cmocka.h>

static char dir[64];

static int set_up(void **state)
{
	(void)state;
	struct err err = {0};
	struct db *db = NULL;
	snprintf(dir, sizeof dir, "/tmp/topi-db-XXXXXX");
	if (!mkdtemp(dir) || db_open(dir, DB_CREATE, &db, &err) != OK) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	db_close(db);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	char command[100];
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command); /* a test's own folder under /tmp */
}

static struct db *open_it(enum db_mode mode)
{
	struct err err = {0};
	struct db *db = NULL;
	if (db_open(dir, mode, &db, &err) != OK)
		fail_msg("%s", err.text);
	return db;
}

static void every_statement_is_prepared(void **state)
{
	(void)state;
	struct db *db = open_it(DB_WRITE);
	sqlite3 *raw = NULL;
	char path[100];
	snprintf(path, sizeof path, "%s/topi.db", dir);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	char attach[160];
	snprintf(attach, sizeof attach, "ATTACH '%s/embeddings.db' AS emb", dir);
	assert_int_equal(sqlite3_exec(raw, attach, NULL, NULL, NULL), SQLITE_OK);
	for (int i = 0; i < N_QUERIES; i++) {
		sqlite3_stmt *stmt = NULL;
		const char *tail = "";
		if (sqlite3_prepare_v2(raw, query_sql[i], -1, &stmt, &tail) != SQLITE_OK)
			fail_msg("%s: %s", query_name[i], sqlite3_errmsg(raw));
		if (tail[strspn(tail, " \n\t")])
			fail_msg("%s: text after its end: %s", query_name[i], tail);
		sqlite3_finalize(stmt);
	}
	sqlite3_close(raw);
	db_close(db);
}

static void modes(void **state)
{
	(void)state;
	struct err err = {0};
	struct db *db = NULL;
	assert_int_equal(db_open(dir, DB_CREATE, &db, &err), CONFLICT);
	assert_int_equal(db_open("/nonexistent/x", DB_WRITE, &db, &err), NOT_FOUND);
	assert_non_null(strstr(err.text, "topi init"));
	db = open_it(DB_READ);
	assert_int_not_equal(db_run(db, Q_SETTING_PUT, &err, "ss", "a", "b"), OK);
	db_close(db);
}

static void a_newer_file_is_left_alone(void **state)
{
	(void)state;
	struct err err = {0};
	struct db *db = open_it(DB_WRITE);
	db_close(db);
	sqlite3 *raw = NULL;
	char path[100];
	snprintf(path, sizeof path, "%s/topi.db", dir);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_exec(raw, "PRAGMA user_version = 999", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(db_open(dir, DB_WRITE, &db, &err), CONFLICT);
	assert_non_null(strstr(err.text, "999"));
	char back[60];
	snprintf(back, sizeof back, "PRAGMA user_version = %d", N_MIGRATIONS);
	assert_int_equal(sqlite3_exec(raw, back, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(raw);
	db_close(open_it(DB_WRITE));
}

/* From every released version up to now: a file that stopped there is brought up and ends with the
 * same schema. */
static void every_old_version_is_migrated(void **state)
{
	(void)state;
	for (int version = 0; version < N_MIGRATIONS; version++) {
		char other[] = "/tmp/topi-old-XXXXXX";
		char path[100];
		char text[100];
		struct err err = {0};
		struct db *db = NULL;
		sqlite3 *raw = NULL;
		assert_non_null(mkdtemp(other));
		snprintf(path, sizeof path, "%s/topi.db", other);
		assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
		for (int i = 0; i < version; i++)
			assert_int_equal(sqlite3_exec(raw, migrations[i].sql, NULL, NULL, NULL), SQLITE_OK);
		snprintf(text, sizeof text, "PRAGMA application_id = 1953460329; PRAGMA user_version = %d",
			version);
		assert_int_equal(sqlite3_exec(raw, text, NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(raw);
		assert_int_equal(db_open(other, DB_READ, &db, &err), CONFLICT);
		if (db_open(other, DB_WRITE, &db, &err) != OK)
			fail_msg("from version %d: %s", version, err.text);
		assert_int_equal(db_run(db, Q_SETTING_PUT, &err, "ss", "a", "b"), OK);
		assert_int_equal(db_check(db, &err), OK);
		db_close(db);
		snprintf(text, sizeof text, "rm -rf %s", other);
		assert_int_equal(system(text), 0);
	}
}

/* A certificate in force from before strata: its label stands, its shadow audit is asked of nobody, guesses are filled in. */
static void certificates_from_before_strata_end(void **state)
{
	(void)state;
	static const char rows[] =
		"INSERT INTO project (id, slug, title, created_ms) VALUES (1, 'p', 'P', 0);"
		"INSERT INTO policy (id, project_id, version, rules, created_ms) VALUES (1, 1, 1, '{}', 0);"
		"INSERT INTO taxon (id, project_id, code, kind, common_name, position) VALUES (1, 1, 'z', "
		"'animal', 'z', 1);"
		"INSERT INTO deployment (id, project_id, name, utc_offset_s, created_ms) VALUES (1, 1, "
		"'d', 0, "
		"0);"
		"INSERT INTO model (id, project_id, name, sha256, arch, backbone, classes, created_ms) "
		"VALUES "
		"(1, 1, 'm', zeroblob(32), 'a', 'b', '[]', 0);"
		"INSERT INTO certificate (id, project_id, model_id, policy_id, alpha, delta, threshold, "
		"n_gold, "
		"n_above, n_wrong, p_error_upper, audit_rate, state, issued_ms) VALUES (1, 1, 1, 1, .03, "
		".05, "
		".9, 100, 90, 0, .03, .02, 'probation', 5);"
		"INSERT INTO subject (id, project_id, deployment_id, blind, created_ms) VALUES (1, 1, 1, "
		"1, 0), "
		"(2, 1, 1, 0, 0);"
		"INSERT INTO prediction (id, subject_id, model_id, n_frames, top_id, p_top, top, "
		"created_ms) "
		"VALUES (1, 2, 1, 1, 1, .9, x'', 0);"
		"UPDATE subject SET prediction_id = 1, label_id = 1, decided_by = 'model', reason = "
		"'certificate', state = 'retired', certificate_id = 1 WHERE id = 2;"
		"INSERT INTO audit (subject_id, certificate_id, kind, p_draw, model_label_id, drawn_ms) "
		"VALUES "
		"(1, 1, 'shadow', .5, 1, 0);";
	static const char want[] = "SELECT (SELECT state = 'replaced' AND delta_share = .05 AND "
							   "ended_ms = 5 FROM certificate) + "
							   "(SELECT blind = 0 FROM subject WHERE id = 1) + (SELECT state = "
							   "'void' FROM audit) + (SELECT "
							   "label_id = 1 AND guess_id = 1 FROM subject WHERE id = 2) + (SELECT "
							   "sweep_id = 0 FROM project)";
	sqlite3 *raw = NULL;
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(sqlite3_open(":memory:", &raw), SQLITE_OK);
	for (int i = 0; i < N_MIGRATIONS; i++) {
		if (strstr(migrations[i].name, "strata") != NULL &&
			sqlite3_exec(raw, rows, NULL, NULL, NULL) != SQLITE_OK)
			fail_msg("%s", sqlite3_errmsg(raw));
		if (sqlite3_exec(raw, migrations[i].sql, NULL, NULL, NULL) != SQLITE_OK)
			fail_msg("%s: %s", migrations[i].name, sqlite3_errmsg(raw));
	}
	assert_int_equal(sqlite3_prepare_v2(raw, want, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(stmt, 0), 5);
	sqlite3_finalize(stmt);
	sqlite3_close(raw);
}

static void *open_main(void *arg)
{
	struct err *err = arg;
	struct db *db = NULL;
	if (db_open(dir, DB_WRITE, &db, err) == OK)
		err->status = OK;
	db_close(db);
	return NULL;
}

/* Programs that open an old file at the same moment: one migrates, the others find it done. */
static void migrated_once(void **state)
{
	enum { N_OPENERS = 8 };
	struct err errs[N_OPENERS] = {0};
	pthread_t threads[N_OPENERS];
	char path[100];
	sqlite3 *raw = NULL;
	(void)state;
	snprintf(path, sizeof path, "%s/topi.db", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_exec(raw,
						 "PRAGMA application_id = 1953460329; PRAGMA journal_mode = WAL; "
						 "BEGIN IMMEDIATE",
						 NULL, NULL, NULL),
		SQLITE_OK);
	for (int i = 0; i < N_OPENERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_main, &errs[i]), 0);
	usleep(300000); /* all have read the old version, and wait for the lock */
	assert_int_equal(sqlite3_exec(raw, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(raw);
	for (int i = 0; i < N_OPENERS; i++) {
		pthread_join(threads[i], NULL);
		if (errs[i].status != OK)
			fail_msg("opener %d: %s", i, errs[i].text);
	}
}

static void savepoints_and_binding(void **state)
{
	(void)state;
	struct err err = {0};
	struct stmt *row = NULL;
	struct db *db = open_it(DB_WRITE);
	assert_int_equal(db_begin(db, &err), OK);
	assert_int_equal(db_run(db, Q_SETTING_PUT, &err, "ss", "kept", "1"), OK);
	assert_int_equal(db_savepoint(db, &err), OK);
	assert_int_equal(db_run(db, Q_SETTING_PUT, &err, "ss", "dropped", "1"), OK);
	assert_int_equal(db_undo(db, &err), OK);
	assert_int_equal(db_commit(db, &err), OK);
	assert_int_equal(db_one(db, Q_SETTING_GET, &row, &err, "s", "dropped"), NOT_FOUND);
	assert_int_equal(db_one(db, Q_SETTING_GET, &row, &err, "s", "kept"), OK);
	assert_string_equal(col_text(row, 0), "1");
	db_done(row);
	assert_int_equal(db_run(db, Q_SETTING_PUT, &err, "s", "one too few"), FAULT);
	assert_int_equal(db_run(db, Q_SETTING_PUT, &err, "sn", "null", NULL), CONFLICT);
	db_close(db);
}

static enum status put(struct db *db, void *arg, struct err *err)
{
	return db_run(db, Q_SETTING_PUT, err, "ss", arg, "w");
}

static enum status put_and_fail(struct db *db, void *arg, struct err *err)
{
	enum status st = put(db, arg, err);
	return st == OK ? err_set(err, BAD_INPUT, "no") : st;
}

struct client {
	struct writer *writer;
	int number;
	int n_ok;
};

static void *client_main(void *arg)
{
	struct client *c = arg;
	for (int i = 0; i < 50; i++) {
		char name[40];
		struct err err = {0};
		snprintf(name, sizeof name, "c%d-%d", c->number, i);
		if (i % 5 == 4)
			c->n_ok += writer_do(c->writer, put_and_fail, name, &err) == BAD_INPUT;
		else
			c->n_ok += writer_do(c->writer, put, name, &err) == OK;
	}
	return NULL;
}

static void the_writer_commits_what_it_says_and_undoes_the_rest(void **state)
{
	(void)state;
	struct err err = {0};
	struct client clients[8];
	pthread_t threads[8];
	struct writer *w = NULL;
	assert_int_equal(writer_start(dir, &w, &err), OK);
	for (int i = 0; i < 8; i++) {
		clients[i] = (struct client){.writer = w, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL, client_main, &clients[i]), 0);
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(clients[i].n_ok, 50);
	}
	writer_stop(w);
	struct db *db = open_it(DB_READ);
	for (int c = 0; c < 8; c++)
		for (int i = 0; i < 50; i++) {
			char name[40];
			struct stmt *row = NULL;
			snprintf(name, sizeof name, "c%d-%d", c, i);
			enum status st = db_one(db, Q_SETTING_GET, &row, &err, "s", name);
			assert_int_equal(st, i % 5 == 4 ? NOT_FOUND : OK);
			db_done(row);
		}
	db_close(db);
}

/* The commit fails at any step: nobody is told OK for what is not there, and the writer goes on
 * afterwards. */
static void a_failed_commit_fails_its_callers(void **state)
{
	(void)state;
	struct err err = {0};
	struct writer *w = NULL;
	assert_int_equal(writer_start(dir, &w, &err), OK);
	for (long nth = 1; nth <= 5; nth++) { /* BEGIN, SAVEPOINT, the insert, RELEASE, COMMIT */
		char name[40];
		struct stmt *row = NULL;
		snprintf(name, sizeof name, "fault-%ld", nth);
		db_fail_step(nth, FULL);
		assert_int_equal(writer_do(w, put, name, &err), FULL);
		db_fail_step(0, OK);
		struct db *db = open_it(DB_READ);
		assert_int_equal(db_one(db, Q_SETTING_GET, &row, &err, "s", name), NOT_FOUND);
		db_close(db);
		assert_int_equal(writer_do(w, put, name, &err), OK);
	}
	writer_stop(w);
}

static enum status take_long(struct db *db, void *arg, struct err *err)
{
	usleep(200000);
	return put(db, arg, err);
}

/* What SQLite does by itself when the disk is full. */
static enum status lose_transaction(struct db *db, void *arg, struct err *err)
{
	enum status st = put(db, arg, err);
	db_rollback(db);
	return st == OK ? err_set(err, FULL, "the disk is full") : st;
}

struct piece {
	struct writer *writer;
	writer_work *work;
	char name[20];
	enum status status;
};

static void *piece_main(void *arg)
{
	struct piece *p = arg;
	struct err err = {0};
	p->status = writer_do(p->writer, p->work, p->name, &err);
	return NULL;
}

/* One group, the second of three pieces loses the transaction: nobody of it is committed, and all are told why. */
static void a_lost_transaction_fails_its_group(void **state)
{
	(void)state;
	struct err err = {0};
	struct writer *w = NULL;
	pthread_t threads[4];
	assert_int_equal(writer_start(dir, &w, &err), OK);
	struct piece pieces[4] = {{w, take_long, "lost-0", FAULT}, {w, put, "lost-1", FAULT},
		{w, lose_transaction, "lost-2", FAULT}, {w, put, "lost-3", FAULT}};
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, piece_main, &pieces[i]), 0);
		usleep(40000); /* in this order, behind the first */
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(writer_do(w, put, "after", &err), OK);
	writer_stop(w);
	struct db *db = open_it(DB_READ);
	for (int i = 0; i < 4; i++) {
		struct stmt *row = NULL;
		assert_int_equal(pieces[i].status, i == 0 ? OK : FULL);
		assert_int_equal(
			db_one(db, Q_SETTING_GET, &row, &err, "s", pieces[i].name), i == 0 ? OK : NOT_FOUND);
		db_done(row);
	}
	db_close(db);
}

static void a_backup_is_whole(void **state)
{
	(void)state;
	struct err err = {0};
	char file[100];
	sqlite3 *raw = NULL;
	struct db *db = open_it(DB_WRITE);
	assert_int_equal(db_run(db, Q_SETTING_PUT, &err, "ss", "in backup", "1"), OK);
	snprintf(file, sizeof file, "%s/copy.db", dir);
	assert_int_equal(db_backup(db, file, &err), OK);
	assert_int_equal(db_backup(db, file, &err), CONFLICT);
	db_close(db);
	assert_int_equal(sqlite3_open(file, &raw), SQLITE_OK);
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(sqlite3_prepare_v2(raw,
						 "SELECT count(*) FROM setting WHERE name = 'in backup'", -1, &stmt, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(stmt, 0), 1);
	sqlite3_finalize(stmt);
	sqlite3_close(raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_statement_is_prepared),
		cmocka_unit_test(modes),
		cmocka_unit_test(a_newer_file_is_left_alone),
		cmocka_unit_test(every_old_version_is_migrated),
		cmocka_unit_test(certificates_from_before_strata_end),
		cmocka_unit_test(migrated_once),
		cmocka_unit_test(savepoints_and_binding),
		cmocka_unit_test(the_writer_commits_what_it_says_and_undoes_the_rest),
		cmocka_unit_test(a_failed_commit_fails_its_callers),
		cmocka_unit_test(a_lost_transaction_fails_its_group),
		cmocka_unit_test(a_backup_is_whole),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
