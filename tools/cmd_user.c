/*
 * topi user add|list|role|passwd|invite DIR ...: accounts and roles from the command line.
 *
 * A password is the first line of stdin or of a file, never an argument: arguments can be seen by
 * everybody on the machine.
 */
#include "commands.h"
#include "project.h"
#include "volunteer.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

struct user_options {
	const char *verb, *dir, *name, *role, *project, *password_file;
	bool admin, remove;
};

static enum status read_options(int argc, char **argv, struct user_options *o, struct err *err)
{
	*o = (struct user_options){.verb = argc > 1 ? argv[1] : ""};
	for (int i = 2; i < argc; i++) {
		const char *const names[] = {"--role", "--project", "--password-file"};
		const char **const values[] = {&o->role, &o->project, &o->password_file};
		size_t k = 0;
		while (k < 3 && strcmp(argv[i], names[k]) != 0)
			k++;
		if (k < 3 && i + 1 < argc)
			*values[k] = argv[++i];
		else if (strcmp(argv[i], "--admin") == 0)
			o->admin = true;
		else if (strcmp(argv[i], "--remove") == 0)
			o->remove = true;
		else if (argv[i][0] == '-' || (o->dir && o->name))
			return err_set(err, BAD_INPUT, "user does not know '%.60s' here", argv[i]);
		else
			*(o->dir ? &o->name : &o->dir) = argv[i];
	}
	bool lists = strcmp(o->verb, "list") == 0;
	bool known = lists || strcmp(o->verb, "add") == 0 || strcmp(o->verb, "role") == 0 ||
		strcmp(o->verb, "passwd") == 0 || strcmp(o->verb, "invite") == 0;
	if (!known || !o->dir || lists == (o->name != NULL))
		return err_set(
			err, BAD_INPUT, "user takes add, role, passwd or invite DIR NAME, or list DIR");
	if ((o->role != NULL) != (o->project != NULL))
		return err_set(err, BAD_INPUT, "--role and --project go together");
	if (strcmp(o->verb, "role") == 0 && !o->role && !o->admin)
		return err_set(err, BAD_INPUT, "user role wants --role ROLE --project SLUG, or --admin");
	return OK;
}

/* One line without its end. On a terminal it is asked for and not shown. */
static enum status read_password(const char *file, char *out, size_t size, struct err *err)
{
	struct termios shown;
	FILE *in = file ? fopen(file, "r") : stdin;
	if (!in)
		return err_set(err, NOT_FOUND, "%.120s cannot be read: %s", file, strerror(errno));
	bool terminal = !file && tcgetattr(STDIN_FILENO, &shown) == 0;
	if (terminal) {
		struct termios hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		fputs("Password: ", stderr);
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	const char *line = fgets(out, (int)size, in);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fputc('\n', stderr);
	}
	if (file)
		fclose(in);
	if (!line)
		return err_set(err, BAD_INPUT, "no password was given: it is the first line of %.100s",
			file ? file : "stdin");
	out[strcspn(out, "\r\n")] = 0;
	return OK;
}

static enum status set_role(
	struct db *db, const struct user_options *o, int64_t id, struct err *err)
{
	int64_t project_id = 0;
	enum status st = o->admin ? volunteer_set_admin(db, id, !o->remove, err) : OK;
	if (st != OK || !o->role)
		return st;
	st = project_find(db, o->project, &project_id, err);
	if (st == OK)
		st = o->remove ? role_drop(db, project_id, id, o->role, err)
					   : role_add(db, project_id, id, o->role, err);
	return st;
}

static enum status put_roles(struct db *db, int64_t id, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(db, Q_ROLE_LIST, "i", id);
	while ((st = db_step(row, err)) == OK)
		printf(", %s of %s", col_text(row, 1), col_text(row, 0));
	return st == NOT_FOUND ? OK : st;
}

static enum status list(struct db *db, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(db, Q_VOLUNTEER_LIST, "");
	while ((st = db_step(row, err)) == OK) {
		printf("%-24s %lld answers%s", col_text(row, 1), (long long)col_int(row, 4),
			col_int(row, 2) ? ", admin" : "");
		st = put_roles(db, col_int(row, 0), err);
		putchar('\n');
		if (st != OK) {
			db_done(row);
			return st;
		}
	}
	return st == NOT_FOUND ? OK : st;
}

/* After '#' no server, proxy or log sees it. */
static enum status invite(struct db *db, int64_t id, char secret[SECRET_SIZE], struct err *err)
{
	secret_make(secret);
	return invite_put(db, id, secret, now_ms(), err);
}

static enum status run(struct db *db, const struct user_options *o, const char *hash,
	char secret[SECRET_SIZE], struct err *err)
{
	int64_t id = 0;
	char old[PASSWORD_HASH_SIZE];
	if (strcmp(o->verb, "list") == 0)
		return list(db, err);
	enum status st = strcmp(o->verb, "add") == 0
		? volunteer_add(db, o->name, hash, false, now_ms(), &id, err)
		: volunteer_find(db, o->name, &id, old, err);
	if (st == OK && strcmp(o->verb, "passwd") == 0)
		return volunteer_set_password(db, id, hash, err);
	if (st == OK && strcmp(o->verb, "invite") == 0)
		return invite(db, id, secret, err);
	return st == OK ? set_role(db, o, id, err) : st;
}

int cmd_user(int argc, char **argv)
{
	struct err err = {0};
	struct db *db = NULL;
	struct user_options o;
	char password[PASSWORD_MAX + 3] = "";
	char hash[PASSWORD_HASH_SIZE] = "";
	char secret[SECRET_SIZE] = "";
	if (read_options(argc, argv, &o, &err) != OK)
		return cmd_usage("%s", err.text);
	if (sodium_init() < 0)
		return cmd_fail(&(struct err){FAULT, "libsodium does not start"});
	enum status st = db_open(o.dir, DB_WRITE, &db, &err);
	if (st == OK && (strcmp(o.verb, "add") == 0 || strcmp(o.verb, "passwd") == 0)) {
		st = read_password(o.password_file, password, sizeof password, &err);
		if (st == OK)
			st = password_hash(password, hash, &err);
		sodium_memzero(password, sizeof password);
	}
	if (st == OK)
		st = db_begin(db, &err);
	if (st == OK)
		st = run(db, &o, hash, secret, &err);
	if (st == OK)
		st = db_commit(db, &err);
	if (st == OK && secret[0])
		printf("/#/invite/%s\n", secret);
	if (db)
		db_rollback(db);
	db_close(db);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}
