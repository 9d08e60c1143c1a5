/*
 * SQLite behind a small, typed face: opening and migrating, named statements, transactions. Nothing
 * else in topi sees sqlite3.h, so that the database can be another one day.
 */
#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct stmt {
	sqlite3_stmt *handle;
	struct db *db;
	enum query query;
	int bind_error;
	bool changes_rules; /* it writes what decisions are read from */
	bool changes_skills;
};

struct db {
	sqlite3 *handle;
	char *dir;
	/* By this connection: statements that may make one, and all that is undone; and those that may change somebody's skill. */
	int64_t n_rule_changes, n_skill_changes;
	bool preparing_change, preparing_skill_change; /* the statement being prepared is one */
	int64_t data_version; /* of the transaction, which sees no other's commit; 0: not known */
	void *slot;
	void (*slot_release)(void *);
	struct stmt stmts[N_QUERIES + 1];
};

enum { APPLICATION_ID = 0x746f7069, BUSY_MS = 10000, MAX_PATH = 4096 };

static atomic_long n_steps;
static atomic_long fail_at;
static _Atomic enum status fail_as;

void db_fail_step(long nth, enum status as)
{
	fail_as = as;
	fail_at = nth > 0 ? n_steps + nth : 0;
}

long db_n_steps(void)
{
	return n_steps;
}

/* Tables that a project's decisions are read from and that seldom change: what project.c keeps in memory. */
static bool is_rule(const char *table)
{
	static const char *const tables[] = {
		"project", "policy", "taxon", "class_prior", "pool_cell", "model", "confirm"};
	for (size_t i = 0; table && i < sizeof tables / sizeof *tables; i++)
		if (strcmp(tables[i], table) == 0)
			return true;
	return false;
}

/* Counts beside the rules, which change with every answer and which nobody keeps in memory. */
static bool is_count(const char *table, const char *column)
{
	static const char *const columns[][2] = {{"project", "n_taught"}, {"project", "sweep_id"},
		{"class_prior", "n"}, {"pool_cell", "weight"}};
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
		if (strcmp(columns[i][0], table) == 0 && strcmp(columns[i][1], column) == 0)
			return true;
	return false;
}

/* SQLite asks, while it prepares a statement, about everything that the statement or a trigger of its own will do. */
static int on_action(
	void *arg, int action, const char *a, const char *b, const char *schema, const char *trigger)
{
	struct db *db = arg;
	(void)schema;
	(void)trigger;
	if ((action == SQLITE_INSERT || action == SQLITE_DELETE) && is_rule(a))
		db->preparing_change = true;
	if (action == SQLITE_UPDATE && is_rule(a) && !is_count(a, b))
		db->preparing_change = true;
	bool writes = action == SQLITE_INSERT || action == SQLITE_DELETE || action == SQLITE_UPDATE;
	if (writes && (strcmp(a, "skill") == 0 || strcmp(a, "skill_cell") == 0))
		db->preparing_skill_change = true;
	return SQLITE_OK;
}

/* Whether an "I/O error" is a full disk: the shared-memory index, which every connection needs, cannot grow there. */
static bool is_full(const struct db *db, int code)
{
	int cause = db && db->handle ? sqlite3_system_errno(db->handle) : 0;
	return code == SQLITE_IOERR_SHMSIZE || cause == ENOSPC || cause == EDQUOT;
}

/* SQLite's result code as our status, with its own words. */
static enum status fault(const struct db *db, int code, const char *what, struct err *err)
{
	const char *words = db && db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);
	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
		return err_set(err, CONFLICT, "%s: %s", what, words);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, BUSY, "the database is busy (%s)", what);
	case SQLITE_FULL:
		return err_set(err, FULL, "the disk is full (%s)", what);
	case SQLITE_TOOBIG:
		return err_set(err, TOO_LARGE, "%s: %s", what, words);
	case SQLITE_READONLY:
		return err_set(err, FULL, "the data directory cannot be written (%s)", what);
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return err_set(err, FAULT, "%.120s/topi.db is damaged (%.60s): restore a backup",
			db ? db->dir : what, words);
	case SQLITE_IOERR:
		if (is_full(db, code))
			return err_set(err, FULL, "the disk is full (%s)", what);
		return err_set(err, FAULT, "%s: %s", what, words);
	default:
		return err_set(err, FAULT, "%s: %s", what, words);
	}
}

/* Fixed statements of the machinery itself (pragmas, BEGIN): everything else is named in schema/queries. */
static enum status run_text(struct db *db, const char *sql, struct err *err)
{
	long step = ++n_steps;
	db->data_version = 0;
	if (fail_at && step == fail_at)
		return err_set(err, fail_as, "%s: a fault was asked for", sql);
	int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? OK : fault(db, code, sql, err);
}

static enum status pragma_int(struct db *db, const char *sql, int64_t *out, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return code == SQLITE_ROW ? OK : fault(db, code, sql, err);
}

static enum status migrate(struct db *db, int64_t from, struct err *err)
{
	enum status st = OK;
	for (int i = 0; st == OK && i < N_MIGRATIONS; i++) {
		const struct migration *m = &migrations[i];
		char version[64];
		if (m->version <= from)
			continue;
		snprintf(version, sizeof version, "PRAGMA user_version = %d", m->version);
		st = db_begin(db, err);
		if (st == OK) /* another program may have come first while we waited for the lock */
			st = pragma_int(db, "PRAGMA user_version", &from, err);
		if (st == OK && from < m->version)
			st = run_text(db, m->sql, err);
		if (st == OK && from < m->version)
			st = run_text(db, version, err);
		if (st == OK)
			st = db_commit(db, err);
		if (st != OK)
			db_rollback(db);
	}
	return st;
}

/* Brings the file to this program's version, or says why not. */
static enum status check_version(struct db *db, enum db_mode mode, struct err *err)
{
	int64_t version = 0;
	int64_t application = 0;
	enum status st = pragma_int(db, "PRAGMA user_version", &version, err);
	if (st == OK)
		st = pragma_int(db, "PRAGMA application_id", &application, err);
	if (st != OK)
		return st;
	if (mode != DB_CREATE && application != APPLICATION_ID)
		return err_set(err, NOT_FOUND, "%.150s/topi.db is not a topi database", db->dir);
	if (version > N_MIGRATIONS)
		return err_set(err, CONFLICT,
			"%.100s is of schema version %d, this topi knows up to %d: use a newer topi", db->dir,
			(int)version, N_MIGRATIONS);
	if (version < N_MIGRATIONS && mode == DB_READ)
		return err_set(err, CONFLICT,
			"%.100s is of schema version %d, this topi wants %d: open it for writing once (topi "
			"serve)",
			db->dir, (int)version, N_MIGRATIONS);
	return migrate(db, version, err);
}

/* The folders, and the database's empty file: whoever makes that one is the one who may take it away again. */
static enum status make(const char *dir, const char *file, struct err *err)
{
	static const char *const parts[] = {"", "/media", "/renditions", "/models"};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		char path[MAX_PATH];
		snprintf(path, sizeof path, "%s%s", dir, parts[i]);
		if (mkdir(path, 0750) != 0 && errno != EEXIST)
			return err_set(err, errno == ENOSPC ? FULL : BAD_INPUT, "%.120s cannot be made: %s",
				path, strerror(errno));
	}
	int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0 && errno == EEXIST)
		return err_set(err, CONFLICT, "%.150s is a data directory already", dir);
	if (fd < 0)
		return err_set(err, errno == ENOSPC ? FULL : BAD_INPUT, "%.120s cannot be made: %s", file,
			strerror(errno));
	close(fd);
	return OK;
}

/* Takes back what DB_CREATE began: a folder that holds something (photographs whose database was lost) stays. */
static void unmake(const char *dir)
{
	static const char *const parts[] = {"/media", "/renditions", "/models"};
	char path[MAX_PATH];
	snprintf(path, sizeof path, "%s/topi.db", dir);
	unlink(path);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		snprintf(path, sizeof path, "%s%s", dir, parts[i]);
		rmdir(path);
	}
}

static enum status open_embeddings(struct db *db, struct err *err)
{
	char *sql = sqlite3_mprintf("ATTACH '%q/embeddings.db' AS emb", db->dir);
	if (!sql)
		return err_set(err, FAULT, "out of memory");
	enum status st = run_text(db, sql, err);
	sqlite3_free(sql);
	if (st == OK)
		st = run_text(db, "PRAGMA emb.journal_mode = WAL", err);
	if (st == OK)
		st = db_run(db, Q_EMBEDDING_CREATE, err, "");
	return st;
}

static enum status set_up(struct db *db, enum db_mode mode, struct err *err)
{
	static const char *const always[] = {"PRAGMA foreign_keys = ON", "PRAGMA synchronous = FULL",
		"PRAGMA cache_size = -65536", "PRAGMA temp_store = MEMORY"};
	enum status st = OK;
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_set_authorizer(db->handle, on_action, db);
	for (size_t i = 0; st == OK && i < sizeof always / sizeof *always; i++)
		st = run_text(db, always[i], err);
	if (st == OK && mode == DB_CREATE) {
		char id[64];
		snprintf(id, sizeof id, "PRAGMA application_id = %d", APPLICATION_ID);
		st = run_text(db, id, err);
	}
	if (st == OK && mode != DB_READ)
		st = run_text(db, "PRAGMA journal_mode = WAL", err);
	if (st == OK)
		st = check_version(db, mode, err);
	if (st == OK)
		st = open_embeddings(db, err);
	if (st == OK && mode == DB_READ)
		st = run_text(db, "PRAGMA query_only = ON", err);
	return st;
}

enum status db_open(const char *dir, enum db_mode mode, struct db **out, struct err *err)
{
	char path[MAX_PATH];
	*out = NULL;
	/* It is asked for memory some hundred times an answer, each counted under a lock: nobody reads that. Too late, it does nothing. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (strlen(dir) == 0 || strlen(dir) > 2000)
		return err_set(err, BAD_INPUT, "the data directory's name is empty or over 2000 bytes");
	snprintf(path, sizeof path, "%s/topi.db", dir);
	bool there = access(path, F_OK) == 0;
	if (mode == DB_CREATE && there)
		return err_set(err, CONFLICT, "%.150s is a data directory already", dir);
	if (mode != DB_CREATE && !there)
		return err_set(
			err, NOT_FOUND, "%.120s is no data directory: make one with `topi init`", dir);
	enum status st = mode == DB_CREATE ? make(dir, path, err) : OK;
	if (st != OK)
		return st;
	struct db *db = xcalloc(1, sizeof *db);
	db->dir = xstrdup(dir);
	/* SQLITE_OPEN_CREATE is for embeddings.db, a cache that may have been deleted; topi.db was
	 * looked for. */
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	int code = sqlite3_open_v2(path, &db->handle, flags, NULL);
	st = code == SQLITE_OK ? set_up(db, mode, err) : fault(db, code, path, err);
	if (st != OK) {
		db_close(db);
		if (mode == DB_CREATE)
			unmake(dir);
		return st;
	}
	*out = db;
	return OK;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	if (db->slot)
		db->slot_release(db->slot);
	for (int i = 0; i < N_QUERIES; i++)
		sqlite3_finalize(db->stmts[i].handle);
	sqlite3_close(db->handle);
	free(db->dir);
	free(db);
}

const char *db_dir(const struct db *db)
{
	return db->dir;
}

static int bind_one(sqlite3_stmt *h, int i, char type, va_list *args)
{
	switch (type) {
	case 'i':
		return sqlite3_bind_int64(h, i, va_arg(*args, int64_t));
	case 'I': {
		const int64_t *v = va_arg(*args, const int64_t *);
		return v ? sqlite3_bind_int64(h, i, *v) : sqlite3_bind_null(h, i);
	}
	case 'd':
		return sqlite3_bind_double(h, i, va_arg(*args, double));
	case 'D': {
		const double *v = va_arg(*args, const double *);
		return v ? sqlite3_bind_double(h, i, *v) : sqlite3_bind_null(h, i);
	}
	case 's':
		return sqlite3_bind_text(h, i, va_arg(*args, const char *), -1, SQLITE_TRANSIENT);
	case 'b': {
		const void *p = va_arg(*args, const void *);
		size_t n = va_arg(*args, size_t);
		return p ? sqlite3_bind_blob64(h, i, p, n, SQLITE_TRANSIENT) : sqlite3_bind_null(h, i);
	}
	case 'n':
		return sqlite3_bind_null(h, i);
	default:
		return SQLITE_MISUSE;
	}
}

static struct stmt *start(struct db *db, enum query query, const char *types, va_list *args)
{
	struct stmt *stmt = &db->stmts[query];
	int code = SQLITE_OK;
	stmt->db = db;
	stmt->query = query;
	if (!stmt->handle) {
		db->preparing_change = db->preparing_skill_change = false;
		code = sqlite3_prepare_v3(
			db->handle, query_sql[query], -1, SQLITE_PREPARE_PERSISTENT, &stmt->handle, NULL);
		stmt->changes_rules = db->preparing_change;
		stmt->changes_skills = db->preparing_skill_change;
	} else {
		sqlite3_reset(stmt->handle);
	}
	db->n_rule_changes += stmt->changes_rules;
	db->n_skill_changes += stmt->changes_skills;
	for (int i = 0; code == SQLITE_OK && types[i]; i++)
		code = bind_one(stmt->handle, i + 1, types[i], args);
	if (code == SQLITE_OK && sqlite3_bind_parameter_count(stmt->handle) != (int)strlen(types))
		code = SQLITE_MISUSE;
	stmt->bind_error = code;
	return stmt;
}

struct stmt *db_query(struct db *db, enum query query, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	struct stmt *stmt = start(db, query, types, &args);
	va_end(args);
	return stmt;
}

enum status db_step(struct stmt *stmt, struct err *err)
{
	long step = ++n_steps;
	if (fail_at && step == fail_at) {
		db_done(stmt);
		return err_set(err, fail_as, "%s: a fault was asked for", query_name[stmt->query]);
	}
	int code = stmt->bind_error;
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt->handle);
	if (code == SQLITE_ROW)
		return OK;
	enum status st = code == SQLITE_DONE ? NOT_FOUND
										 : fault(stmt->db, code, query_name[stmt->query], err);
	db_done(stmt);
	return st;
}

void db_done(struct stmt *stmt)
{
	if (!stmt || !stmt->handle)
		return;
	sqlite3_reset(stmt->handle);
	sqlite3_clear_bindings(stmt->handle);
}

enum status db_run(struct db *db, enum query query, struct err *err, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	struct stmt *stmt = start(db, query, types, &args);
	va_end(args);
	enum status st;
	do
		st = db_step(stmt, err);
	while (st == OK);
	return st == NOT_FOUND ? OK : st;
}

enum status db_one(
	struct db *db, enum query query, struct stmt **out, struct err *err, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	*out = start(db, query, types, &args);
	va_end(args);
	return db_step(*out, err);
}

int64_t col_int(const struct stmt *stmt, int i)
{
	return sqlite3_column_int64(stmt->handle, i);
}

double col_real(const struct stmt *stmt, int i)
{
	return sqlite3_column_double(stmt->handle, i);
}

const char *col_text(const struct stmt *stmt, int i)
{
	const unsigned char *text = sqlite3_column_text(stmt->handle, i);
	return text ? (const char *)text : "";
}

const void *col_blob(const struct stmt *stmt, int i, size_t *n_bytes)
{
	const void *blob = sqlite3_column_blob(stmt->handle, i);
	*n_bytes = (size_t)sqlite3_column_bytes(stmt->handle, i);
	return blob ? blob : "";
}

bool col_null(const struct stmt *stmt, int i)
{
	return sqlite3_column_type(stmt->handle, i) == SQLITE_NULL;
}

void db_shrink(struct db *db)
{
	sqlite3_db_release_memory(db->handle);
	malloc_trim(0); /* pages of the cache lie between other blocks */
}

int64_t db_last_id(const struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

int db_changes(const struct db *db)
{
	return sqlite3_changes(db->handle);
}

enum status db_begin(struct db *db, struct err *err)
{
	return run_text(db, "BEGIN IMMEDIATE", err);
}

enum status db_read_begin(struct db *db, struct err *err)
{
	return run_text(db, "BEGIN", err);
}

enum status db_commit(struct db *db, struct err *err)
{
	return run_text(db, "COMMIT", err);
}

void db_rollback(struct db *db)
{
	db->n_rule_changes++;
	if (db_in_transaction(db))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

bool db_in_transaction(const struct db *db)
{
	return !sqlite3_get_autocommit(db->handle);
}

enum status db_savepoint(struct db *db, struct err *err)
{
	return run_text(db, "SAVEPOINT one", err);
}

enum status db_release(struct db *db, struct err *err)
{
	return run_text(db, "RELEASE one", err);
}

enum status db_undo(struct db *db, struct err *err)
{
	/* A full disk may have rolled the whole transaction back already; then there is nothing left to
	 * undo. */
	if (!db_in_transaction(db))
		return err_set(err, FAULT, "the transaction is gone");
	db->n_rule_changes++;
	return run_text(db, "ROLLBACK TO one; RELEASE one", err);
}

enum status db_rules_version(struct db *db, struct rules_version *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = OK;
	if (!db->data_version || !db_in_transaction(db)) {
		st = db_one(db, Q_CHECK_DATA_VERSION, &row, err, "");
		db->data_version = st == OK ? col_int(row, 0) : 0;
		db_done(row);
	}
	*out = (struct rules_version){db->data_version, db->n_rule_changes, db->n_skill_changes};
	return st;
}

bool rules_same(struct rules_version a, struct rules_version b)
{
	return a.others == b.others && a.own == b.own;
}

bool skills_same(struct rules_version a, struct rules_version b)
{
	return rules_same(a, b) && a.skills == b.skills;
}

void **db_slot(struct db *db, void (*release)(void *))
{
	db->slot_release = release;
	return &db->slot;
}

enum status db_backup(struct db *db, const char *file, struct err *err)
{
	if (access(file, F_OK) == 0)
		return err_set(err, CONFLICT, "%.150s exists already: name a new file", file);
	char part[MAX_PATH];
	snprintf(part, sizeof part, "%.4000s.part", file);
	unlink(part);
	char *sql = sqlite3_mprintf("VACUUM INTO %Q", part);
	if (!sql)
		return err_set(err, FAULT, "out of memory");
	enum status st = run_text(db, sql, err);
	sqlite3_free(sql);
	if (st == OK && rename(part, file) != 0)
		st = err_set(err, FAULT, "%.120s cannot be written: %s", file, strerror(errno));
	if (st != OK)
		unlink(part);
	return st;
}

enum status db_check(struct db *db, struct err *err)
{
	struct stmt *stmt = NULL;
	char found[120] = "";
	enum status st = db_one(db, Q_CHECK_INTEGRITY, &stmt, err, "");
	if (st == OK) {
		snprintf(found, sizeof found, "%s", col_text(stmt, 0));
		db_done(stmt);
		if (strcmp(found, "ok") != 0)
			return err_set(err, FAULT, "integrity: %s", found);
		st = db_one(db, Q_CHECK_FOREIGN_KEYS, &stmt, err, "");
		if (st == OK) {
			snprintf(found, sizeof found, "%s", col_text(stmt, 0));
			db_done(stmt);
			return err_set(
				err, FAULT, "a row of table %s points to a row that is not there", found);
		}
	}
	return st == NOT_FOUND ? OK : st;
}
