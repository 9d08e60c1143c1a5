/* topi policy show|set: the rules a project decides by. */
#include "commands.h"
#include "prediction.h"
#include "project.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static void print(const struct policy *policy)
{
	json_t *rules = policy_json(policy);
	json_object_set_new(rules, "version", json_integer(policy->version));
	json_dumpf(rules, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	putchar('\n');
	json_decref(rules);
}

static int show(const char *dir, const char *slug)
{
	struct err err = {0};
	struct db *db = NULL;
	int64_t id = 0;
	struct policy policy;
	enum status st = db_open(dir, DB_READ, &db, &err);
	if (st == OK)
		st = project_find(db, slug, &id, &err);
	if (st == OK)
		st = policy_get(db, id, &policy, &err);
	if (st == OK)
		print(&policy);
	db_close(db);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}

/* A new version from the one in force; open subjects are decided again under it by the server (or the next command). */
static int set(const char *dir, const char *slug, const char *file)
{
	struct err err = {0};
	struct db *db = NULL;
	int64_t id = 0;
	struct policy policy;
	json_error_t at;
	json_t *rules = json_load_file(file, JSON_REJECT_DUPLICATES, &at);
	if (!rules) {
		if (at.line > 0)
			err_set(&err, BAD_INPUT, "%.80s:%d: %.80s", file, at.line, at.text);
		else
			err_set(&err, BAD_INPUT, "%.150s", at.text);
		return cmd_fail(&err);
	}
	json_object_del(rules, "version"); /* `show` prints it */
	enum status st = db_open(dir, DB_WRITE, &db, &err);
	if (st == OK)
		st = db_begin(db, &err);
	if (st == OK)
		st = project_find(db, slug, &id, &err);
	if (st == OK)
		st = policy_get(db, id, &policy, &err);
	if (st == OK)
		st = policy_parse(rules, policy, &policy, &err);
	if (st == OK)
		st = policy_put(db, id, &policy, now_ms(), &err);
	if (st == OK)
		st = db_run(db, Q_PROJECT_MARK_SWEEP, &err, "i", id);
	if (st == OK) /* another promise needs another certificate */
		st = prediction_settle(db, id, now_ms(), &err);
	if (st == OK)
		st = db_commit(db, &err);
	json_decref(rules);
	db_close(db);
	if (st != OK)
		return cmd_fail(&err);
	print(&policy);
	return EXIT_DONE;
}

int cmd_policy(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "show") == 0)
		return show(argv[2], argv[3]);
	if (argc == 5 && strcmp(argv[1], "set") == 0)
		return set(argv[2], argv[3], argv[4]);
	return cmd_usage("policy show DIR PROJECT, or policy set DIR PROJECT FILE.json");
}
