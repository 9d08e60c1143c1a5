/* A copy of a database in TMPDIR, for commands that say what they would do. */
#pragma once

#include "db.h"

struct db_copy {
	struct db *db; /* open for writing */
	char dir[300];
};

/* Owns: db_copy_release ends *out and takes the files away, also after a failure. Errors: FULL, FAULT. */
enum status db_copy_make(struct db *db, struct db_copy *out, struct err *err) MUST_CHECK;
void db_copy_release(struct db_copy *copy);
