/* topi certificate list: under which bound the model has labelled alone, and what the audits say of it. */
#include "bounds.h"
#include "commands.h"
#include "project.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

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

static void print(const json_t *c)
{
	const char *why = json_string_value(json_object_get(c, "why"));
	printf("certificate %lld, model %s: %s%s%s\n",
		(long long)json_integer_value(json_object_get(c, "id")),
		json_string_value(json_object_get(c, "model")),
		json_string_value(json_object_get(c, "state")), why[0] ? ", " : "", why);
	printf("  promise: at most %.4f of auto-labels are wrong, with probability %.2f\n",
		json_real_value(json_object_get(c, "alpha")),
		1 - json_real_value(json_object_get(c, "delta")));
	printf("  gold:    threshold %.4f, above it %d of %d, %d wrong (bound %.4f)\n",
		json_real_value(json_object_get(c, "threshold")),
		(int)json_integer_value(json_object_get(c, "n_above")),
		(int)json_integer_value(json_object_get(c, "n_gold")),
		(int)json_integer_value(json_object_get(c, "n_wrong")),
		json_real_value(json_object_get(c, "p_error_upper")));
	printf("  audits:  %d done, %d errors (%.4f to %.4f); %lld labels stand on it\n",
		(int)json_integer_value(json_object_get(c, "n_audits")),
		(int)json_integer_value(json_object_get(c, "n_errors")),
		json_real_value(json_object_get(c, "audit_lower")),
		json_real_value(json_object_get(c, "audit_upper")),
		(long long)json_integer_value(json_object_get(c, "n_labelled")));
}

static enum status list(const char *dir, const char *slug, json_t *out, struct err *err)
{
	struct db *db = NULL;
	int64_t id = 0;
	enum status st = db_open(dir, DB_READ, &db, err);
	if (st == OK)
		st = project_find(db, slug, &id, err);
	if (st == OK)
		st = db_read_begin(db, err);
	struct stmt *row = st == OK ? db_query(db, Q_CERTIFICATE_LIST, "i", id) : NULL;
	while (st == OK && (st = db_step(row, err)) == OK)
		json_array_append_new(out, one(db, row, &st, err));
	if (st == NOT_FOUND && row)
		st = OK;
	db_close(db);
	return st;
}

int cmd_certificate(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	struct err err = {0};
	bool json = false;
	size_t i;
	json_t *c;
	int opt;
	if (argc < 2 || strcmp(argv[1], "list") != 0)
		return cmd_usage("certificate list DIR PROJECT [--json]");
	optind = 2;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'j')
			return EXIT_USAGE;
		json = true;
	}
	if (argc - optind != 2)
		return cmd_usage("certificate list DIR PROJECT [--json]");
	json_t *all = json_array();
	enum status st = list(argv[optind], argv[optind + 1], all, &err);
	if (st == OK && json) {
		json_t *out = json_pack("{sO}", "certificates", all);
		json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
		putchar('\n');
		json_decref(out);
	}
	if (st == OK && !json) {
		if (json_array_size(all) == 0)
			puts("no certificate: nothing is auto-labelled");
		json_array_foreach(all, i, c) print(c);
	}
	json_decref(all);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}
