/* topi token add|list|revoke DIR [NAME]: the keys of workers, shown once. */
#include "commands.h"
#include "volunteer.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static enum status list(struct db *db, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(db, Q_TOKEN_LIST, "");
	while ((st = db_step(row, err)) == OK)
		printf("%-24s %s, %s\n", col_text(row, 1), col_text(row, 2),
			col_null(row, 4) ? "in force" : "revoked");
	return st == NOT_FOUND ? OK : st;
}

static enum status run(
	struct db *db, const char *verb, const char *name, const char *secret, struct err *err)
{
	if (strcmp(verb, "list") == 0)
		return list(db, err);
	return strcmp(verb, "add") == 0 ? token_add(db, name, secret, now_ms(), err)
									: token_revoke(db, name, now_ms(), err);
}

int cmd_token(int argc, char **argv)
{
	struct err err = {0};
	struct db *db = NULL;
	char secret[SECRET_SIZE];
	const char *verb = argc > 1 ? argv[1] : "";
	bool lists = strcmp(verb, "list") == 0;
	bool known = lists || strcmp(verb, "add") == 0 || strcmp(verb, "revoke") == 0;
	if (!known || argc != (lists ? 3 : 4))
		return cmd_usage("token takes add DIR NAME, list DIR or revoke DIR NAME");
	if (sodium_init() < 0)
		return cmd_fail(&(struct err){FAULT, "libsodium does not start"});
	secret_make(secret);
	enum status st = db_open(argv[2], DB_WRITE, &db, &err);
	if (st == OK)
		st = db_begin(db, &err);
	if (st == OK)
		st = run(db, verb, argc > 3 ? argv[3] : NULL, secret, &err);
	if (st == OK)
		st = db_commit(db, &err);
	if (db)
		db_rollback(db);
	db_close(db);
	if (st == OK && strcmp(verb, "add") == 0)
		puts(secret);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}
