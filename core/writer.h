/*
 * The writer thread: request threads hand it work, it commits the work in groups, and a caller
 * hears OK only after its commit is on disk. One fsync serves everybody who waited for it, so
 * durable is also fast.
 *
 * Work runs inside one transaction, each piece in a savepoint of its own: a piece that fails is
 * undone alone and its caller gets its error; the others commit. When the commit itself fails, or
 * SQLite gives the transaction up (a full disk), every piece of the group fails with that status.
 */
#pragma once

#include "db.h"

struct writer;

/* Runs on the writer thread inside a transaction; must not begin or commit. `arg` is the caller's,
 * alive until writer_do returns. */
typedef enum status writer_work(struct db *db, void *arg, struct err *err);

/*
 * Starts the thread with its own connection to dir.
 * Owns:   the caller owns *out; writer_stop finishes what waits and frees it.
 * Errors: those of db_open.
 */
enum status writer_start(const char *dir, struct writer **out, struct err *err) MUST_CHECK;
void writer_stop(struct writer *writer);

/* Waits until `work` is committed. Errors: the work's own; BUSY when too many wait; FULL or FAULT
 * of the commit. */
enum status writer_do(
	struct writer *writer, writer_work *work, void *arg, struct err *err) MUST_CHECK;
