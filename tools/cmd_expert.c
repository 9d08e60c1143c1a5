/*
 * topi expert list: what waits for an expert, and why. Experts themselves are not told on the page: whoever knows that a
 * subject is an audit, or what people made of it, answers another question.
 */
#include "commands.h"
#include "project.h"
#include "sheet.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static json_t *one(const struct stmt *row)
{
	char since[CIVIL_TEXT] = "", start[CIVIL_TEXT] = "";
	if (!col_null(row, 3))
		iso_time(col_int(row, 3), col_int(row, 10), start);
	if (!col_null(row, 9))
		iso_time(col_int(row, 9), 0, since);
	return json_pack("{sI ss ss ss ss si si sf ss ss}", "subject", (json_int_t)col_int(row, 0),
		"deployment", col_text(row, 1), "event", col_text(row, 2), "start", start, "why",
		col_text(row, 4), "n_answers", (int)col_int(row, 5), "n_cant_tell", (int)col_int(row, 6),
		"risk", col_real(row, 7), "label", col_text(row, 8), "since", since);
}

static const char *text(const json_t *c, const char *name)
{
	return json_string_value(json_object_get(c, name));
}

/* A count a reason first, then a line a subject. */
static void print(const json_t *all)
{
	static const char *const reasons[] = {
		"cap", "cant_tell", "out_of_reach", "audit", "protected", "flagged", "gold"};
	static const char *const words[] = {"as many answers as the policy's cap, and no label",
		"people cannot tell", "no further answers could settle it", "an audit",
		"people say a protected taxon", "somebody flagged it", "drawn as gold"};
	size_t i;
	json_t *c;
	if (json_array_size(all) == 0)
		puts("nothing waits for an expert");
	for (size_t r = 0; r < sizeof reasons / sizeof *reasons; r++) {
		int n = 0;
		json_array_foreach((json_t *)all, i, c) n += strcmp(text(c, "why"), reasons[r]) == 0;
		if (n)
			printf("%6d %-12s  %s\n", n, reasons[r], words[r]);
	}
	json_array_foreach((json_t *)all, i, c)
		printf("subject %lld, %s%s%s: %s, %d answers, %d cannot tell, risk %.3f\n",
			(long long)json_integer_value(json_object_get(c, "subject")), text(c, "deployment"),
			text(c, "start")[0] ? " " : "", text(c, "start"), text(c, "why"),
			(int)json_integer_value(json_object_get(c, "n_answers")),
			(int)json_integer_value(json_object_get(c, "n_cant_tell")),
			json_real_value(json_object_get(c, "risk")));
}

static enum status list(const char *dir, const char *slug, json_t *out, struct err *err)
{
	struct db *db = NULL;
	int64_t id = 0;
	enum status st = db_open(dir, DB_READ, &db, err);
	if (st == OK)
		st = project_find(db, slug, &id, err);
	struct stmt *row = st == OK ? db_query(db, Q_EXPERT_LIST, "i", id) : NULL;
	while (st == OK && (st = db_step(row, err)) == OK)
		json_array_append_new(out, one(row));
	if (st == NOT_FOUND && row)
		st = OK;
	db_close(db);
	return st;
}

int cmd_expert(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	static const char usage[] = "expert list DIR PROJECT [--json]";
	struct err err = {0};
	bool json = false;
	int opt;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'j')
			return EXIT_USAGE;
		json = true;
	}
	if (argc - optind != 3 || strcmp(argv[optind], "list") != 0)
		return cmd_usage(usage);
	json_t *all = json_array();
	enum status st = list(argv[optind + 1], argv[optind + 2], all, &err);
	if (st == OK && json) {
		json_t *out = json_pack("{sO}", "subjects", all);
		json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
		putchar('\n');
		json_decref(out);
	} else if (st == OK) {
		print(all);
	}
	json_decref(all);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}
