/* topi replay: whether every label follows from the answers, predictions, certificates and policies that are stored. */
#include "commands.h"
#include "replay.h"

#include <getopt.h>
#include <stdio.h>

static void print_json(const struct replay *r)
{
	json_t *told = json_array();
	for (int i = 0; i < r->n_told; i++)
		json_array_append_new(told, json_string(r->told[i]));
	json_t *out = json_pack("{sb sI sI sI sI sI so}", "ok", r->n_differ == 0, "subjects",
		(json_int_t)r->n_subjects, "people", (json_int_t)r->n_by_people, "model",
		(json_int_t)r->n_by_model, "expert", (json_int_t)r->n_by_expert, "differ",
		(json_int_t)r->n_differ, "findings", told);
	json_dumpf(out, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(out);
}

static void print(const struct replay *r)
{
	printf("%lld subjects, labels by people %lld, the model %lld, experts %lld: ",
		(long long)r->n_subjects, (long long)r->n_by_people, (long long)r->n_by_model,
		(long long)r->n_by_expert);
	if (r->n_differ == 0)
		puts("all follow from what is stored");
	else
		printf("%lld do not follow from what is stored\n", (long long)r->n_differ);
	for (int i = 0; i < r->n_told; i++)
		puts(r->told[i]);
	if (r->n_differ > r->n_told)
		printf("and %lld more\n", (long long)(r->n_differ - r->n_told));
}

int cmd_replay(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	struct err err = {0};
	struct db *db = NULL;
	struct project p = {0};
	struct replay r = {0};
	int64_t id = 0;
	bool json = false;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c != 'j')
			return EXIT_USAGE;
		json = true;
	}
	if (argc - optind != 2)
		return cmd_usage("replay DIR PROJECT [--json]");
	enum status st = db_open(argv[optind], DB_READ, &db, &err);
	if (st == OK)
		st = db_read_begin(db, &err);
	if (st == OK)
		st = project_find(db, argv[optind + 1], &id, &err);
	if (st == OK)
		st = project_load(db, id, &p, &err);
	if (st == OK)
		st = replay_check(db, &p, &r, &err);
	project_release(&p);
	db_close(db);
	if (st != OK)
		return cmd_fail(&err);
	if (json)
		print_json(&r);
	else
		print(&r);
	return r.n_differ ? EXIT_FAILED : EXIT_DONE;
}
