/*
 * topi project add DIR FILE.json | list DIR | show DIR PROJECT | set DIR PROJECT FILE.json | pages DIR PROJECT FOLDER
 *
 * Projects from and to JSON files, and what volunteers read from a folder. `show` prints what `add` takes.
 */
#include "commands.h"
#include "pages.h"
#include "project.h"

#include <stdio.h>
#include <string.h>

static enum status load(const char *path, json_t **out, struct err *err)
{
	json_error_t at;
	*out = json_load_file(path, JSON_REJECT_DUPLICATES, &at);
	if (*out)
		return OK;
	return at.line > 0 ? err_set(err, BAD_INPUT, "%.80s:%d: %.90s", path, at.line, at.text)
					   : err_set(err, NOT_FOUND, "%.180s", at.text);
}

static enum status add(struct db *db, char **args, struct err *err)
{
	json_t *file = NULL;
	int64_t id = 0;
	enum status st = load(args[0], &file, err);
	if (st == OK)
		st = db_begin(db, err);
	if (st == OK)
		st = project_add(db, file, now_ms(), &id, err);
	if (st == OK)
		st = db_commit(db, err);
	db_rollback(db);
	if (st == OK)
		printf("project %s is there: import photographs with `topi import`\n",
			json_string_value(json_object_get(file, "slug")));
	json_decref(file);
	return st;
}

static enum status list(struct db *db, char **args, struct err *err)
{
	(void)args;
	enum status st;
	struct stmt *row = db_query(db, Q_PROJECT_LIST, "");
	while ((st = db_step(row, err)) == OK)
		printf("%-24s %s (%lld open, %lld for an expert, %lld retired)\n", col_text(row, 1),
			col_text(row, 2), (long long)col_int(row, 4), (long long)col_int(row, 5),
			(long long)col_int(row, 6));
	return st == NOT_FOUND ? OK : st;
}

static enum status show(struct db *db, char **args, struct err *err)
{
	json_t *file = NULL;
	int64_t id = 0;
	enum status st = db_read_begin(db, err);
	if (st == OK)
		st = project_find(db, args[0], &id, err);
	if (st == OK)
		st = project_show(db, id, &file, err);
	db_rollback(db);
	if (st == OK) {
		json_dumpf(file, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
		putchar('\n');
	}
	json_decref(file);
	return st;
}

static enum status set(struct db *db, char **args, struct err *err)
{
	json_t *file = NULL;
	int64_t id = 0;
	enum status st = load(args[1], &file, err);
	if (st == OK)
		st = db_begin(db, err);
	if (st == OK)
		st = project_find(db, args[0], &id, err);
	if (st == OK)
		st = project_set(db, id, file, now_ms(), err);
	if (st == OK)
		st = db_commit(db, err);
	db_rollback(db);
	json_decref(file);
	return st;
}

static enum status pages(struct db *db, char **args, struct err *err)
{
	struct pages_taken taken = {0};
	int64_t id = 0;
	int n_removed = 0;
	enum status st = db_begin(db, err);
	if (st == OK)
		st = project_find(db, args[0], &id, err);
	if (st == OK) /* args[-1] is DIR */
		st = pages_take(db, args[-1], id, args[1], &taken, err);
	if (st == OK)
		st = db_commit(db, err);
	db_rollback(db);
	if (st == OK)
		printf("project %s has %d pages and %d pictures now\n", args[0], taken.n_pages,
			taken.n_pictures);
	if (st == OK)
		st = db_begin(db, err);
	if (st == OK)
		st = pages_clean(db, args[-1], &n_removed, err);
	db_rollback(db); /* it has only looked */
	return st;
}

static const struct {
	const char *name;
	int n_args; /* after DIR */
	enum db_mode mode;
	enum status (*run)(struct db *db, char **args, struct err *err);
} verbs[] = {
	{"add", 1, DB_WRITE, add},
	{"list", 0, DB_READ, list},
	{"show", 1, DB_READ, show},
	{"set", 2, DB_WRITE, set},
	{"pages", 2, DB_WRITE, pages},
};

int cmd_project(int argc, char **argv)
{
	struct err err = {0};
	struct db *db = NULL;
	for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		if (argc != 3 + verbs[i].n_args)
			break;
		enum status st = db_open(argv[2], verbs[i].mode, &db, &err);
		if (st == OK)
			st = verbs[i].run(db, argv + 3, &err);
		db_close(db);
		return st == OK ? EXIT_DONE : cmd_fail(&err);
	}
	return cmd_usage(
		"project takes add DIR FILE, list DIR, show DIR PROJECT, set DIR PROJECT FILE or pages DIR "
		"PROJECT FOLDER");
}
