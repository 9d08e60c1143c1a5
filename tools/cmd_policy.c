/* topi policy show|set|cards: the rules a project decides by, what other rules would change, and what confirm cards are worth. */
#include "card_report.h"
#include "commands.h"
#include "db_copy.h"
#include "policy_change.h"

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

static json_t *question_json(const struct card_question *q)
{
	return json_pack("{sI sf sf sf}", "n", (json_int_t)q->n, "seconds", q->seconds, "bits", q->bits,
		"bits_per_s", q->bits_per_s);
}

static void print_cards(const struct card_report *r, bool json)
{
	const struct confirm_counts *n = &r->counts;
	if (json) {
		json_t *out = json_pack("{s{sf sI sI} s{sf sI sI} sI so so}", "guess_right", "p_yes",
			r->rates.right, "n", (json_int_t)n->n_right, "n_yes", (json_int_t)n->n_yes_right,
			"guess_wrong", "p_yes", r->rates.wrong, "n", (json_int_t)n->n_wrong, "n_yes",
			(json_int_t)n->n_yes_wrong, "n_yes", (json_int_t)r->n_yes, "card",
			question_json(&r->card), "survey", question_json(&r->survey));
		json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
		putchar('\n');
		json_decref(out);
		return;
	}
	printf("a right guess is confirmed with probability %.3f (%lld of %lld on gold)\n",
		r->rates.right, (long long)n->n_yes_right, (long long)n->n_right);
	printf("a wrong one with probability %.3f (%lld of %lld)\n\n", r->rates.wrong,
		(long long)n->n_yes_wrong, (long long)n->n_wrong);
	printf("                  answers  seconds     bits   bits/s\n");
	printf("confirm card     %8lld %8.2f %8.3f %8.3f   %lld said yes\n", (long long)r->card.n,
		r->card.seconds, r->card.bits, r->card.bits_per_s, (long long)r->n_yes);
	printf("blind survey     %8lld %8.2f %8.3f %8.3f\n", (long long)r->survey.n, r->survey.seconds,
		r->survey.bits, r->survey.bits_per_s);
	printf(
		"\nbits are those an average volunteer's answer is worth on the subjects that had cards\n");
}

static int cards(const char *dir, const char *slug, bool json)
{
	struct err err = {0};
	struct db *db = NULL;
	int64_t id = 0;
	struct project project = {0};
	struct card_report report;
	enum status st = db_open(dir, DB_READ, &db, &err);
	if (st == OK)
		st = db_read_begin(db, &err);
	if (st == OK)
		st = project_find(db, slug, &id, &err);
	if (st == OK)
		st = project_load(db, id, &project, &err);
	if (st == OK)
		st = card_report_make(db, &project, &report, &err);
	if (st == OK)
		print_cards(&report, json);
	project_release(&project);
	db_close(db);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}

static enum status read_rules(const char *file, json_t **out, struct err *err)
{
	json_error_t at;
	*out = json_load_file(file, JSON_REJECT_DUPLICATES, &at);
	if (!*out && at.line > 0)
		return err_set(err, BAD_INPUT, "%.80s:%d: %.80s", file, at.line, at.text);
	if (!*out)
		return err_set(err, BAD_INPUT, "%.150s", at.text);
	json_object_del(*out, "version"); /* `show` prints it */
	return OK;
}

/* A new version from the one in force; open subjects are decided again under it by the server (or the next command). */
static enum status change(
	struct db *db, int64_t id, const json_t *rules, struct policy *policy, struct err *err)
{
	enum status st = db_begin(db, err);
	if (st == OK)
		st = policy_get(db, id, policy, err);
	if (st == OK)
		st = policy_parse(rules, *policy, policy, err);
	if (st == OK)
		st = policy_change(db, id, policy, now_ms(), err);
	return st == OK ? db_commit(db, err) : st;
}

static void print_preview(const struct policy_preview *v, bool json)
{
	int64_t n_same = 0, n_changed = 0;
	json_t *changes = json_array();
	for (int from = 0; from < N_OUTCOMES; from++)
		for (int to = 0; to < N_OUTCOMES; to++) {
			*(from == to ? &n_same : &n_changed) += v->n[from][to];
			if (from != to && v->n[from][to])
				json_array_append_new(changes,
					json_pack("{ss ss sI}", "from", outcome_name((enum outcome)from), "to",
						outcome_name((enum outcome)to), "n", (json_int_t)v->n[from][to]));
		}
	json_t *out = json_pack("{sI sI sI sI so}", "same", (json_int_t)n_same, "changed",
		(json_int_t)n_changed, "audits", (json_int_t)v->n_audits, "relabelled",
		(json_int_t)v->n_relabelled, "changes", changes);
	if (json) {
		json_dumpf(out, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		size_t i;
		json_t *c;
		printf("%lld subjects would change, %lld would not; nothing was changed\n",
			(long long)n_changed, (long long)n_same);
		json_array_foreach(changes, i, c) printf("  %8lld  from %s to %s\n",
			(long long)json_integer_value(json_object_get(c, "n")),
			json_string_value(json_object_get(c, "from")),
			json_string_value(json_object_get(c, "to")));
		printf("  %8lld  would be drawn for blind audits\n", (long long)v->n_audits);
	}
	json_decref(out);
}

/* On a copy of the database beside the others' temporary files, so that nobody waits. */
static enum status preview(
	struct db *db, int64_t id, const json_t *rules, bool json, struct err *err)
{
	struct db_copy copy;
	struct policy policy;
	struct policy_preview result;
	enum status st = policy_get(db, id, &policy, err);
	if (st == OK)
		st = policy_parse(rules, policy, &policy, err);
	if (st != OK)
		return st;
	st = db_copy_make(db, &copy, err);
	if (st == OK)
		st = policy_preview(copy.db, id, &policy, now_ms(), &result, err);
	db_copy_release(&copy);
	if (st == OK)
		print_preview(&result, json);
	return st;
}

static int set(const char *dir, const char *slug, const char *file, bool dry_run, bool json)
{
	struct err err = {0};
	struct db *db = NULL;
	int64_t id = 0;
	struct policy policy;
	json_t *rules = NULL;
	enum status st = read_rules(file, &rules, &err);
	if (st == OK)
		st = db_open(dir, DB_WRITE, &db, &err);
	if (st == OK)
		st = project_find(db, slug, &id, &err);
	if (st == OK)
		st = dry_run ? preview(db, id, rules, json, &err) : change(db, id, rules, &policy, &err);
	json_decref(rules);
	db_close(db);
	if (st != OK)
		return cmd_fail(&err);
	if (!dry_run)
		print(&policy);
	return EXIT_DONE;
}

int cmd_policy(int argc, char **argv)
{
	static const struct option options[] = {
		{"dry-run", no_argument, NULL, 'd'}, {"json", no_argument, NULL, 'j'}, {0}};
	bool dry_run = false, json = false;
	int c;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return EXIT_USAGE;
		*(c == 'd' ? &dry_run : &json) = true;
	}
	char **rest = argv + optind;
	int n = argc - optind;
	if (n == 3 && strcmp(rest[0], "show") == 0 && !dry_run)
		return show(rest[1], rest[2]); /* it is JSON as it is */
	if (n == 3 && strcmp(rest[0], "cards") == 0 && !dry_run)
		return cards(rest[1], rest[2], json);
	if (n == 4 && strcmp(rest[0], "set") == 0 && (dry_run || !json))
		return set(rest[1], rest[2], rest[3], dry_run, json);
	return cmd_usage(
		"policy show DIR PROJECT, policy cards DIR PROJECT [--json], or policy set DIR "
		"PROJECT FILE.json [--dry-run [--json]]");
}
