/* topi gold draw|add|list: subjects whose truth an expert gives. */
#include "commands.h"
#include "csv.h"
#include "gold.h"
#include "prediction.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct args {
	const char *dir, *slug, *file, *purpose;
	int64_t n, seed;
	bool seeded, not_holdout, by_class, json;
};

enum { MAX_ERRORS = 20 };

static enum status begin(const struct args *a, struct db **db, struct project *p, struct err *err)
{
	int64_t id = 0;
	enum status st = db_open(a->dir, DB_WRITE, db, err);
	if (st == OK)
		st = db_begin(*db, err);
	if (st == OK)
		st = project_find(*db, a->slug, &id, err);
	return st == OK ? project_load(*db, id, p, err) : st;
}

/* The rest of what new gold sets going: a calibration and a certificate, and the decisions that follow. */
static enum status settle(struct db *db, int64_t project_id, struct err *err)
{
	int n = 0;
	enum status st = db_begin(db, err);
	if (st == OK)
		st = prediction_settle(db, project_id, now_ms(), err);
	if (st == OK)
		st = db_commit(db, err);
	do {
		if (st == OK)
			st = db_begin(db, err);
		if (st == OK)
			st = prediction_sweep(db, 500, now_ms(), &n, err);
		if (st == OK)
			st = db_commit(db, err);
	} while (st == OK && n > 0);
	return st;
}

static int gold_draw_command(const struct args *a)
{
	struct err err = {0};
	struct db *db = NULL;
	struct project p = {0};
	int64_t seed = a->seed;
	if (!a->seeded)
		randombytes_buf(&seed, sizeof seed);
	enum status st = begin(a, &db, &p, &err);
	if (st == OK)
		st = (a->by_class ? gold_draw_by_class : gold_draw)(
			db, p.id, a->purpose, (int)a->n, !a->not_holdout, seed, now_ms(), &err);
	if (st == OK)
		st = db_commit(db, &err);
	project_release(&p);
	db_close(db);
	if (st == BAD_INPUT) /* a purpose that is none, or not for this draw */
		return cmd_usage("%s", err.text);
	if (st != OK)
		return cmd_fail(&err);
	printf("%lld subjects were drawn for '%s': label them in the expert queue, or by `topi gold "
		   "add`\n",
		(long long)a->n, a->purpose);
	return EXIT_DONE;
}

/* Which column is which; -1: absent. */
static int column(const struct csv_reader *csv, const char *name)
{
	for (int i = 0; i < csv_n_fields(csv); i++)
		if (strcmp(csv_field(csv, i), name) == 0)
			return i;
	return -1;
}

/* What a row says; the label is its own. */
struct said {
	int64_t subject_id;
	long long line;
	char *label;
};

/* A subject's rows together, each where it first came. */
struct truth {
	int first, n;
	long long line;
};

static int by_subject(const void *a, const void *b)
{
	const struct said *x = a, *y = b;
	return x->subject_id != y->subject_id ? (x->subject_id > y->subject_id ? 1 : -1)
										  : (x->line > y->line) - (x->line < y->line);
}

static int by_line(const void *a, const void *b)
{
	const struct truth *x = a, *y = b;
	return (x->line > y->line) - (x->line < y->line);
}

/* Mistakes of a file: each a line on stderr, but a single one. */
struct mistakes {
	int n;
	struct err last;
};

static void mistake(
	struct mistakes *m, const char *file, long long line, enum status st, const char *why)
{
	if (m->n++ > 0)
		cmd_fail(&m->last);
	err_set(&m->last, st, "%.90s:%lld: %.90s", file, line, why);
}

/* All rows of the file. *rows: the caller frees it and every label. */
static enum status read_rows(
	FILE *in, const struct args *a, struct said **rows, int *n, struct mistakes *m, struct err *err)
{
	struct csv_reader *csv = csv_reader_new(in, a->file);
	int room = 0;
	enum status st = csv_next(csv, err);
	int subject = st == OK ? column(csv, "subject") : -1;
	int label = st == OK ? column(csv, "label") : -1;
	if (st == NOT_FOUND || (st == OK && (subject < 0 || label < 0)))
		st = err_set(err, BAD_INPUT, "%.100s:1: the header must name the columns subject and label",
			a->file);
	while (st == OK && (st = csv_next(csv, err)) == OK && m->n < MAX_ERRORS) {
		struct err why = {0};
		struct said row = {.line = (long long)csv_line(csv)};
		enum status found = csv_n_fields(csv) > (subject > label ? subject : label)
			? parse_int("subject", csv_field(csv, subject), 1, INT64_MAX, &row.subject_id, &why)
			: err_set(&why, BAD_INPUT, "the row is too short: a subject and a label are wanted");
		if (found != OK) {
			mistake(m, a->file, row.line, found, why.text);
			continue;
		}
		if (*n == room) {
			room = room ? room * 2 : 256;
			*rows = xrealloc(*rows, (size_t)room * sizeof **rows);
		}
		const char *text = csv_field(csv, label);
		row.label = xcalloc(strlen(text) + 1, 1);
		memcpy(row.label, text, strlen(text));
		(*rows)[(*n)++] = row;
	}
	csv_reader_free(csv);
	return st == NOT_FOUND ? OK : st;
}

/* Several rows of a subject are the species in it, as exports write them. */
static void add_truths(struct db *db, const struct project *p, struct said *rows, int n,
	const struct args *a, struct mistakes *m, int *n_added)
{
	struct truth *truths = xcalloc((size_t)n + 1, sizeof *truths);
	const char **labels = xcalloc((size_t)n + 1, sizeof *labels);
	int n_truths = 0;
	if (n > 0)
		qsort(rows, (size_t)n, sizeof *rows, by_subject);
	for (int i = 0; i < n; i++) {
		labels[i] = rows[i].label;
		if (i == 0 || rows[i].subject_id != rows[i - 1].subject_id)
			truths[n_truths++] = (struct truth){i, 0, rows[i].line};
		truths[n_truths - 1].n++;
	}
	qsort(truths, (size_t)n_truths, sizeof *truths, by_line);
	for (int i = 0; i < n_truths && m->n < MAX_ERRORS; i++) {
		const struct truth *t = &truths[i];
		struct err why = {0};
		enum status st = gold_label_set(
			db, p, rows[t->first].subject_id, labels + t->first, t->n, a->purpose, now_ms(), &why);
		if (st != OK)
			mistake(m, a->file, t->line, st, why.text);
		else
			(*n_added)++;
	}
	free(labels);
	free(truths);
}

/* All rows or none. Several that are wrong are a line each, and err sums up; of a single one err is the line. */
static enum status add_rows(struct db *db, const struct project *p, FILE *in, const struct args *a,
	int *n_added, struct err *err)
{
	struct said *rows = NULL;
	struct mistakes m = {0};
	int n = 0;
	enum status st = read_rows(in, a, &rows, &n, &m, err);
	if (st == OK)
		add_truths(db, p, rows, n, a, &m, n_added);
	for (int i = 0; i < n; i++)
		free(rows[i].label);
	free(rows);
	if (st != OK || m.n == 0)
		return st;
	if (m.n == 1)
		return err_set(err, m.last.status, "%s", m.last.text);
	cmd_fail(&m.last);
	return err_set(
		err, BAD_INPUT, "%.100s: %d rows or more are wrong: nothing was stored", a->file, m.n);
}

static int gold_add_command(const struct args *a)
{
	struct err err = {0};
	struct db *db = NULL;
	struct project p = {0};
	int n_added = 0;
	FILE *in = fopen(a->file, "r");
	if (!in) {
		err_set(&err, NOT_FOUND, "%.120s cannot be read: %s", a->file, strerror(errno));
		return cmd_fail(&err);
	}
	enum status st = begin(a, &db, &p, &err);
	if (st == OK)
		st = add_rows(db, &p, in, a, &n_added, &err);
	fclose(in);
	if (st == OK)
		st = db_commit(db, &err);
	if (st == OK)
		st = settle(db, p.id, &err);
	project_release(&p);
	db_close(db);
	if (st != OK)
		return cmd_fail(&err);
	printf("%d subjects have an expert's label now\n", n_added);
	return EXIT_DONE;
}

static int gold_list_command(const struct args *a)
{
	struct err err = {0};
	struct db *db = NULL;
	int64_t id = 0;
	json_t *all = json_array();
	enum status st = db_open(a->dir, DB_READ, &db, &err);
	if (st == OK)
		st = project_find(db, a->slug, &id, &err);
	struct stmt *row = st == OK ? db_query(db, Q_GOLD_LIST, "i", id) : NULL;
	while (st == OK && (st = db_step(row, &err)) == OK) {
		const char *label = col_text(row, 3)[0] ? col_text(row, 3) : NULL;
		json_t *also = json_loads(col_text(row, 7), 0, NULL), *code;
		size_t i;
		if (a->json)
			json_array_append_new(all,
				json_pack("{sI ss so ss* sO ss ss}", "subject", (json_int_t)col_int(row, 0),
					"purpose", col_text(row, 1), "p_draw",
					col_null(row, 2) ? json_null() : json_real(col_real(row, 2)), "label", label,
					"also", also, "deployment", col_text(row, 4), "file", col_text(row, 6)));
		else {
			char text[200];
			int at = snprintf(text, sizeof text, "%.60s", label ? label : "(waits for an expert)");
			json_array_foreach(also, i, code) if (at < (int)sizeof text - 64) at += snprintf(
				text + at, sizeof text - (size_t)at, " + %.60s", json_string_value(code));
			printf("%8lld  %-12s  %-24s  %s %s\n", (long long)col_int(row, 0), col_text(row, 1),
				text, col_text(row, 4), col_text(row, 6));
		}
		json_decref(also);
	}
	if (st == NOT_FOUND && id) {
		st = OK;
		if (a->json) {
			json_t *out = json_pack("{sO}", "gold", all);
			json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
			putchar('\n');
			json_decref(out);
		}
	}
	json_decref(all);
	db_close(db);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}

int cmd_gold(int argc, char **argv)
{
	static const struct option options[] = {{"n", required_argument, NULL, 'n'},
		{"purpose", required_argument, NULL, 'p'}, {"seed", required_argument, NULL, 's'},
		{"not-holdout", no_argument, NULL, 'h'}, {"by-class", no_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'}, {0}};
	struct args a = {.purpose = "train-people"};
	struct err err = {0};
	enum status st = OK;
	int c;
	if (argc < 2)
		return cmd_usage("gold wants draw, add or list");
	const char *verb = argv[1];
	optind = 2;
	while (st == OK && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'n')
			st = parse_int("--n", optarg, 1, 10000000, &a.n, &err);
		else if (c == 's') {
			st = parse_int("--seed", optarg, 0, INT64_MAX, &a.seed, &err);
			a.seeded = true;
		} else if (c == 'p')
			a.purpose = optarg;
		else if (c == 'h')
			a.not_holdout = true;
		else if (c == 'c')
			a.by_class = true;
		else if (c == 'j')
			a.json = true;
		else
			return EXIT_USAGE;
	}
	if (st != OK)
		return cmd_usage("%s", err.text);
	int n_left = argc - optind;
	if (n_left >= 2) {
		a.dir = argv[optind];
		a.slug = argv[optind + 1];
	}
	if (strcmp(verb, "draw") == 0 && n_left == 2 && a.n > 0)
		return gold_draw_command(&a);
	if (strcmp(verb, "add") == 0 && n_left == 3) {
		a.file = argv[optind + 2];
		return gold_add_command(&a);
	}
	if (strcmp(verb, "list") == 0 && n_left == 2)
		return gold_list_command(&a);
	return cmd_usage(
		"gold draw DIR PROJECT --n N --purpose P [--by-class], gold add DIR PROJECT FILE.csv, or "
		"gold list DIR PROJECT");
}
