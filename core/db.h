/*
 * One connection to a data directory's database, and the named statements of schema/queries.
 *
 * A data directory holds topi.db (everything that counts), embeddings.db (attached as `emb`; a
 * cache that can be made again), media/, renditions/ and models/. Every connection runs with
 * foreign keys on, WAL, synchronous=FULL and a busy time-out. The only file that includes sqlite3.h
 * is db.c.
 *
 * A statement is prepared once a connection and kept. One that is being stepped may not be started
 * again before it is done: copy what you need, db_done(), then go on.
 */
#pragma once

#include "schema.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct stmt;

enum db_mode {
	DB_CREATE, /* `topi init`: the directory may be missing or empty; a data directory is a CONFLICT
				*/
	DB_WRITE,  /* migrates an older file first */
	DB_READ    /* refuses every write; never migrates: an older or newer file is a CONFLICT */
};

/*
 * Opens dir's database.
 * Owns:   the caller owns *out and closes it with db_close. One connection belongs to one thread at
 * a time. Errors: NOT_FOUND when dir is no data directory; CONFLICT when it exists (DB_CREATE) or
 * is of another version of topi; FULL, FAULT.
 */
enum status db_open(
	const char *dir, enum db_mode mode, struct db **out, struct err *err) MUST_CHECK;
void db_close(struct db *db);
const char *db_dir(const struct db *db);

/*
 * Runs a statement to its end; rows are passed over. `types` names the arguments that follow, in
 * order ?1, ?2, ...: i int64_t, I const int64_t * (NULL binds NULL), d double, D const double *, s
 * const char * (NULL binds NULL), b const void *, size_t (a NULL pointer binds NULL), n nothing
 * (NULL). Errors: CONFLICT when a constraint forbids it, BUSY, FULL, FAULT.
 */
enum status db_run(
	struct db *db, enum query query, struct err *err, const char *types, ...) MUST_CHECK;

/* Starts a statement; step it until it is not OK. Errors of binding come out of the first step. */
struct stmt *db_query(struct db *db, enum query query, const char *types, ...);
/* OK: there is a row. NOT_FOUND: there was none left, the statement is done, err is untouched.
 * Else: failed, done. */
enum status db_step(struct stmt *stmt, struct err *err) MUST_CHECK;
/* Ends a statement early. NULL, and a statement that is done, are fine. */
void db_done(struct stmt *stmt);

/* One row at most, for lookups: db_query and one step. On OK read the columns, then db_done(*out).
 */
enum status db_one(struct db *db, enum query query, struct stmt **out, struct err *err,
	const char *types, ...) MUST_CHECK;

/* Columns of the row at hand, from 0. Text and blobs live until the next step. NULL reads as 0, ""
 * (never a NULL pointer). */
int64_t col_int(const struct stmt *stmt, int i);
double col_real(const struct stmt *stmt, int i);
const char *col_text(const struct stmt *stmt, int i);
const void *col_blob(const struct stmt *stmt, int i, size_t *n_bytes);
bool col_null(const struct stmt *stmt, int i);

int64_t db_last_id(const struct db *db); /* of the last INSERT */
int db_changes(const struct db *db);     /* rows that the last statement changed */

/* Gives the memory of the cache back, before work that needs a lot of its own. */
void db_shrink(struct db *db);

/* BEGIN IMMEDIATE, COMMIT, ROLLBACK; transactions do not nest, savepoints inside one do. */
enum status db_begin(struct db *db, struct err *err) MUST_CHECK;
enum status db_commit(struct db *db, struct err *err) MUST_CHECK;
void db_rollback(struct db *db);
bool db_in_transaction(const struct db *db); /* false too after SQLite rolled one back by itself */
enum status db_savepoint(struct db *db, struct err *err) MUST_CHECK;
enum status db_release(struct db *db, struct err *err) MUST_CHECK; /* keeps what was done since */
enum status db_undo(struct db *db, struct err *err) MUST_CHECK;    /* takes it back */

/* Begins a read transaction, so that several statements see one state; db_commit ends it. */
enum status db_read_begin(struct db *db, struct err *err) MUST_CHECK;

/*
 * A name for what the tables of a project's rules hold as this connection sees them (project, policy, taxon, class_prior,
 * pool_cell, model, confirm, without their counts): the same name, the same rules. Another connection's commit of anything
 * changes it, as does any statement of this one that writes there, and taking anything back. `skills` names what skill and
 * skill_cell hold beside that: a decision's skills are the same where both are.
 */
struct rules_version {
	int64_t others, own, skills;
};
enum status db_rules_version(struct db *db, struct rules_version *out, struct err *err) MUST_CHECK;
bool rules_same(struct rules_version a, struct rules_version b);
bool skills_same(struct rules_version a, struct rules_version b);

/* One place where whoever reads the rules (project.c) keeps them with the connection; db_close releases what is in it. */
void **db_slot(struct db *db, void (*release)(void *));

/* A consistent copy of topi.db to a new file while others write. Errors: CONFLICT when the file
 * exists. */
enum status db_backup(struct db *db, const char *file, struct err *err) MUST_CHECK;

/* Integrity and foreign keys. Errors: FAULT with the first finding. */
enum status db_check(struct db *db, struct err *err) MUST_CHECK;

/* Tests: the nth step from now (1 = the next) on any connection of this process fails with `as`; 0
 * turns it off. */
void db_fail_step(long nth, enum status as);
/* Tests: steps since the start of the process. */
long db_n_steps(void);
