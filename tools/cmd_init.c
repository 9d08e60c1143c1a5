/* topi init DIR: makes a data directory with its secret. */
#include "commands.h"
#include "db.h"

#include <sodium.h>
#include <stdio.h>

int cmd_init(int argc, char **argv)
{
	struct err err = {0};
	struct db *db = NULL;
	unsigned char secret[32];
	char hex[65];
	char created[32];
	if (argc != 2 || argv[1][0] == '-' || !argv[1][0])
		return cmd_usage("init takes one directory");
	if (sodium_init() < 0)
		return cmd_fail(&(struct err){FAULT, "libsodium does not start"});
	randombytes_buf(secret, sizeof secret);
	sodium_bin2hex(hex, sizeof hex, secret, sizeof secret);
	snprintf(created, sizeof created, "%lld", (long long)now_ms());
	enum status st = db_open(argv[1], DB_CREATE, &db, &err);
	if (st == OK)
		st = db_begin(db, &err);
	if (st == OK)
		st = db_run(db, Q_SETTING_PUT, &err, "ss", "secret", hex);
	if (st == OK)
		st = db_run(db, Q_SETTING_PUT, &err, "ss", "created_ms", created);
	if (st == OK)
		st = db_commit(db, &err);
	db_close(db);
	if (st != OK)
		return cmd_fail(&err);
	printf("%s is a topi data directory now: add a project with `topi project add %s FILE.json`\n",
		argv[1], argv[1]);
	return EXIT_DONE;
}
