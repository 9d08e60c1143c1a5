/* The database is copied as a backup is, while others write. */
#include "db_copy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status db_copy_make(struct db *db, struct db_copy *out, struct err *err)
{
	const char *tmp = getenv("TMPDIR");
	char file[320];
	*out = (struct db_copy){0};
	snprintf(out->dir, sizeof out->dir, "%s/topi-copy.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(out->dir)) {
		err_set(err, FAULT, "%.100s: %s", out->dir, strerror(errno));
		out->dir[0] = 0;
		return FAULT;
	}
	snprintf(file, sizeof file, "%s/topi.db", out->dir);
	enum status st = db_backup(db, file, err);
	return st == OK ? db_open(out->dir, DB_WRITE, &out->db, err) : st;
}

void db_copy_release(struct db_copy *copy)
{
	static const char *const names[] = {"topi.db", "topi.db-wal", "topi.db-shm", "embeddings.db",
		"embeddings.db-wal", "embeddings.db-shm", "refit.lock"};
	char file[320];
	db_close(copy->db);
	if (!copy->dir[0])
		return;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(file, sizeof file, "%s/%s", copy->dir, names[i]);
		unlink(file);
	}
	rmdir(copy->dir);
}
