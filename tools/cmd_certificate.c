/* topi certificate list|show|check: under which bounds the model labels alone, and whether they are what the tables say. */
#include "bounds.h"
#include "certificate.h"
#include "certificate_check.h"
#include "civil.h"
#include "commands.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"certificate list DIR PROJECT, show DIR PROJECT ID or check DIR PROJECT "
	"[ID], each with [--json]";

static json_t *time_json(const struct stmt *row, int i)
{
	char text[CIVIL_TEXT];
	if (col_null(row, i))
		return json_null();
	civil_format(col_int(row, i) / 1000, (int)(col_int(row, i) % 1000), 0, text);
	return json_string(text);
}

/* One certificate with its audits as JSON. */
static json_t *one(struct db *db, struct stmt *row, enum status *st, struct err *err)
{
	int64_t id = col_int(row, 0);
	double delta = col_real(row, 5);
	json_t *c = json_pack("{sI ss ss ss sf sf sf si si si sf sf sI ss}", "id", (json_int_t)id,
		"model", col_text(row, 1), "stratum", col_text(row, 2), "state", col_text(row, 3), "alpha",
		col_real(row, 4), "delta", delta, "threshold", col_real(row, 6), "n_gold",
		(int)col_int(row, 7), "n_above", (int)col_int(row, 8), "n_wrong", (int)col_int(row, 9),
		"p_error_upper", col_real(row, 10), "audit_rate", col_real(row, 11), "n_labelled",
		(json_int_t)col_int(row, 16), "why", col_text(row, 15));
	json_t *more = json_pack("{ss sf sI sI sf so so so so}", "group", col_text(row, 17),
		"delta_share", col_real(row, 18), "n_strata", (json_int_t)col_int(row, 19), "policy",
		(json_int_t)col_int(row, 20), "p_top_min", col_real(row, 21), "issued", time_json(row, 12),
		"active", time_json(row, 13), "ended", time_json(row, 14), "after",
		col_null(row, 22) ? json_null() : json_integer(col_int(row, 22)));
	json_object_update_new(c, more);
	struct stmt *audits = NULL;
	*st = db_one(db, Q_AUDIT_COUNT, &audits, err, "i", id);
	if (*st != OK)
		return c;
	int n = (int)col_int(audits, 0);
	int k = (int)col_int(audits, 1);
	db_done(audits);
	json_object_set_new(c, "n_audits", json_integer(n));
	json_object_set_new(c, "n_errors", json_integer(k));
	json_object_set_new(c, "audit_upper", json_real(cs_upper(k, n, delta)));
	json_object_set_new(c, "audit_lower", json_real(cs_lower(k, n, delta)));
	return c;
}

static double real_of(const json_t *c, const char *name)
{
	return json_real_value(json_object_get(c, name));
}

static long long int_of(const json_t *c, const char *name)
{
	return (long long)json_integer_value(json_object_get(c, name));
}

static const char *text_of(const json_t *c, const char *name)
{
	const char *text = json_string_value(json_object_get(c, name));
	return text ? text : "";
}

static void print(const json_t *c)
{
	const char *why = text_of(c, "why"), *group = text_of(c, "group");
	printf("certificate %lld, model %s, %s%s%s: %s%s%s\n", int_of(c, "id"), text_of(c, "model"),
		text_of(c, "stratum"), group[0] ? " in group " : "", group, text_of(c, "state"),
		why[0] ? ", " : "", why);
	printf(
		"  promise: at most %.4f of auto-labels are wrong, with probability %.4g (delta %.4g over "
		"%lld strata)\n",
		real_of(c, "alpha"), 1 - real_of(c, "delta_share"), real_of(c, "delta"),
		int_of(c, "n_strata"));
	printf("  gold:    threshold %.4f, above it %lld of %lld, %lld wrong (bound %.4f)\n",
		real_of(c, "threshold"), int_of(c, "n_above"), int_of(c, "n_gold"), int_of(c, "n_wrong"),
		real_of(c, "p_error_upper"));
	if (int_of(c, "after"))
		printf("  follows: certificate %lld, revoked; the model is %s\n", int_of(c, "after"),
			json_is_null(json_object_get(c, "active"))
				? "not heard until shadow audits alone bear the promise"
				: "heard again since shadow audits alone bore the promise");
	printf("  audits:  %lld done, %lld errors (%.4f to %.4f); %lld labels stand on it\n",
		int_of(c, "n_audits"), int_of(c, "n_errors"), real_of(c, "audit_lower"),
		real_of(c, "audit_upper"), int_of(c, "n_labelled"));
}

/* One array under one name, on one line. */
static void print_json(const char *name, const json_t *value)
{
	json_t *out = json_pack("{sO}", name, value);
	json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
	putchar('\n');
	json_decref(out);
}

/* Every certificate, or the one of this id. */
static enum status load_all(
	struct db *db, int64_t project_id, int64_t id, json_t *out, struct err *err)
{
	enum status st = OK, found = OK;
	struct stmt *row = db_query(db, Q_CERTIFICATE_LIST, "i", project_id);
	while (found == OK && (st = db_step(row, err)) == OK)
		if (!id || col_int(row, 0) == id)
			json_array_append_new(out, one(db, row, &found, err));
	if (found != OK)
		return found;
	if (st == NOT_FOUND && id && json_array_size(out) == 0)
		return err_set(err, NOT_FOUND, "the project has no certificate %lld", (long long)id);
	return st == NOT_FOUND ? OK : st;
}

/* How much gold the promoted model has in each stratum, and how much a certificate would take. */
static enum status strata(struct db *db, const struct project *p, json_t *out, struct err *err)
{
	struct stratum_now *all = NULL;
	int n = 0;
	enum status st = p->model_id ? certificate_strata(db, p, &all, &n, err) : OK;
	for (int i = 0; st == OK && i < n; i++)
		json_array_append_new(out,
			json_pack("{ss ss sf si si sb}", "stratum", stratum_name(all[i].part), "group",
				all[i].group, "alpha", all[i].alpha, "n_gold", all[i].n_gold, "n_needed",
				all[i].n_needed, "tested", all[i].tested));
	free(all);
	return st;
}

static enum status list(struct db *db, const struct project *p, bool json, struct err *err)
{
	json_t *all = json_array(), *now = json_array(), *c;
	size_t i;
	enum status st = load_all(db, p->id, 0, all, err);
	if (st == OK)
		st = strata(db, p, now, err);
	if (st == OK && json) {
		json_t *out = json_pack("{sO sO}", "certificates", all, "strata", now);
		json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
		putchar('\n');
		json_decref(out);
	}
	if (st == OK && !json) {
		if (json_array_size(all) == 0)
			puts("no certificate: nothing is auto-labelled");
		json_array_foreach(all, i, c) print(c);
		json_array_foreach(now, i, c) printf("gold now, %s%s%s: %lld, %s %lld without an error\n",
			text_of(c, "stratum"), text_of(c, "group")[0] ? " in group " : "", text_of(c, "group"),
			int_of(c, "n_gold"),
			json_is_true(json_object_get(c, "tested")) ? "tested; it takes"
													   : "not tested; it would take",
			int_of(c, "n_needed"));
	}
	json_decref(all);
	json_decref(now);
	return st;
}

/* Rows of a query about one certificate, each made an object by `pack`. */
static enum status add_rows(struct db *db, enum query query, int64_t id,
	json_t *(*pack)(const struct stmt *), json_t *c, const char *name, struct err *err)
{
	enum status st;
	json_t *rows = json_array();
	struct stmt *row = db_query(db, query, "i", id);
	json_object_set_new(c, name, rows);
	while ((st = db_step(row, err)) == OK)
		json_array_append_new(rows, pack(row));
	return st == NOT_FOUND ? OK : st;
}

static json_t *pack_class(const struct stmt *row)
{
	return json_pack("{ss sI}", "code", col_text(row, 1), "n_gold", (json_int_t)col_int(row, 3));
}

static json_t *pack_audits(const struct stmt *row)
{
	return json_pack("{ss ss sI sf sf}", "kind", col_text(row, 0), "state", col_text(row, 1), "n",
		(json_int_t)col_int(row, 2), "p_draw_min", col_real(row, 3), "p_draw_max",
		col_real(row, 4));
}

static json_t *pack_probation(const struct stmt *row)
{
	return json_pack("{ss so}", "deployment", col_text(row, 0), "ended", time_json(row, 1));
}

static void print_more(const json_t *c)
{
	size_t i;
	json_t *row;
	printf("  issued %s under policy %lld; active since %s; ended %s\n  classes:",
		text_of(c, "issued"), int_of(c, "policy"),
		text_of(c, "active")[0] ? text_of(c, "active") : "-",
		text_of(c, "ended")[0] ? text_of(c, "ended") : "-");
	json_array_foreach(json_object_get(c, "classes"), i, row)
		printf(" %s (%lld gold)", text_of(row, "code"), int_of(row, "n_gold"));
	putchar('\n');
	json_array_foreach(json_object_get(c, "audits"), i, row)
		printf("  %s audits %s: %lld, drawn at %.4f to %.4f\n",
			strcmp(text_of(row, "kind"), "audit") == 0 ? "later" : "shadow", text_of(row, "state"),
			int_of(row, "n"), real_of(row, "p_draw_min"), real_of(row, "p_draw_max"));
	json_array_foreach(json_object_get(c, "probations"), i, row)
		printf("  deployment %s: %s%s\n", text_of(row, "deployment"),
			text_of(row, "ended")[0] ? "probation ended " : "on probation", text_of(row, "ended"));
}

static enum status show(
	struct db *db, const struct project *p, int64_t id, bool json, struct err *err)
{
	json_t *all = json_array();
	enum status st = load_all(db, p->id, id, all, err);
	json_t *c = json_array_get(all, 0);
	if (st == OK)
		st = add_rows(db, Q_CERTIFICATE_SAID, id, pack_class, c, "classes", err);
	if (st == OK)
		st = add_rows(db, Q_CERTIFICATE_AUDIT_STATES, id, pack_audits, c, "audits", err);
	if (st == OK)
		st = add_rows(db, Q_CERTIFICATE_PROBATIONS, id, pack_probation, c, "probations", err);
	if (st == OK && json)
		print_json("certificate", c);
	if (st == OK && !json) {
		print(c);
		print_more(c);
	}
	json_decref(all);
	return st;
}

/* *n_bad: certificates of which something differs. */
static enum status check(
	struct db *db, const struct project *p, int64_t id, bool json, int *n_bad, struct err *err)
{
	json_t *all = json_array(), *out = json_array(), *c, *text;
	size_t i, j;
	enum status st = load_all(db, p->id, id, all, err);
	json_array_foreach(all, i, c)
	{
		json_t *findings = json_array();
		bool whole = true;
		if (st == OK)
			st = certificate_check(db, p, int_of(c, "id"), findings, &whole, err);
		*n_bad += json_array_size(findings) > 0;
		json_array_append_new(out,
			json_pack("{sI sb sb so}", "id", (json_int_t)int_of(c, "id"), "ok",
				json_array_size(findings) == 0, "whole", (int)whole, "findings", findings));
	}
	if (st == OK && json)
		print_json("checks", out);
	if (st == OK && !json && json_array_size(out) == 0)
		puts("no certificate");
	json_array_foreach(out, i, c)
	{
		json_t *findings = json_object_get(c, "findings");
		if (st != OK || json)
			break;
		if (json_array_size(findings) == 0)
			printf("certificate %lld: ok%s\n", int_of(c, "id"),
				json_is_true(json_object_get(c, "whole"))
					? ""
					: ", as far as its audits go: its gold was not kept then");
		json_array_foreach(findings, j, text)
			printf("certificate %lld: %s\n", int_of(c, "id"), json_string_value(text));
	}
	json_decref(all);
	json_decref(out);
	return st;
}

int cmd_certificate(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	struct err err = {0};
	struct db *db = NULL;
	struct project p = {0};
	bool json = false;
	int n_bad = 0, opt;
	int64_t project_id = 0, id = 0;
	const char *verb = argc > 1 ? argv[1] : "";
	bool lists = strcmp(verb, "list") == 0, shows = strcmp(verb, "show") == 0,
		 checks = strcmp(verb, "check") == 0;
	if (!lists && !shows && !checks)
		return cmd_usage("%s", usage);
	optind = 2;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'j')
			return EXIT_USAGE;
		json = true;
	}
	int n = argc - optind;
	if (!(n == 2 && !shows) && !(n == 3 && !lists))
		return cmd_usage("%s", usage);
	if (n == 3 && parse_int("ID", argv[optind + 2], 1, INT64_MAX, &id, &err) != OK)
		return cmd_usage("%s", err.text);
	enum status st = db_open(argv[optind], DB_READ, &db, &err);
	if (st == OK)
		st = db_read_begin(db, &err);
	if (st == OK)
		st = project_find(db, argv[optind + 1], &project_id, &err);
	if (st == OK)
		st = project_load(db, project_id, &p, &err);
	if (st == OK)
		st = lists  ? list(db, &p, json, &err)
			: shows ? show(db, &p, id, json, &err)
					: check(db, &p, id, json, &n_bad, &err);
	project_release(&p);
	db_close(db);
	if (st != OK)
		return cmd_fail(&err);
	return n_bad ? EXIT_FAILED : EXIT_DONE;
}
