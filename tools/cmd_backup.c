/* topi backup DIR FILE: a consistent copy of the database while others write. */
#include "commands.h"
#include "db.h"

#include <stdio.h>

int cmd_backup(int argc, char **argv)
{
	struct err err = {0};
	struct db *db = NULL;
	if (argc != 3)
		return cmd_usage("backup wants DIR and the FILE to write");
	enum status st = db_open(argv[1], DB_WRITE, &db, &err);
	if (st == OK)
		st = db_check(db, &err);
	if (st == OK)
		st = db_backup(db, argv[2], &err);
	db_close(db);
	if (st != OK)
		return cmd_fail(&err);
	printf("%s holds the database: together with media/, renditions/ and models/ it is the whole "
		   "project\n",
		argv[2]);
	return EXIT_DONE;
}
