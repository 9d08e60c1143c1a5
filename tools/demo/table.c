/* One pass over the CSV, columns by name. */
#include "table.h"

#include "taxa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 40 };

enum column {
	SUBJECT,
	FILES,
	LABEL,
	STATE,
	DECIDED_BY,
	N_ANSWERS,
	N_CANT_TELL,
	CERTIFICATE,
	GOLD,
	AUDIT,
	N_COLUMNS
};

static const char *const names[N_COLUMNS] = {"subject", "files", "label", "state", "decided_by",
	"n_answers", "n_cant_tell", "certificate", "gold", "audit"};

/* Cuts a line in place (RFC 4180, no line breaks inside a cell). */
static int split(char *line, char *cells[MAX_COLUMNS])
{
	int n = 0;
	char *in = line;
	for (bool more = true; more && n < MAX_COLUMNS; in++) {
		char *out = cells[n++] = in;
		bool quoted = false;
		for (; *in && (quoted || !strchr(",\r\n", *in)); in++) {
			if (*in != '"')
				*out++ = *in;
			else if (quoted && in[1] == '"')
				*out++ = *in++;
			else
				quoted = !quoted;
		}
		more = *in == ',';
		*out = 0;
	}
	return n;
}

static int by_event(const void *a, const void *b)
{
	return strcmp(
		(*(const struct truth_row *const *)a)->event, (*(const struct truth_row *const *)b)->event);
}

static const struct truth_row *find(const struct truth_row *const *sorted, int n, const char *files)
{
	char first[200];
	snprintf(first, sizeof first, "%.*s", (int)strcspn(files, "|"), files);
	const struct truth_row key = {.event = first}, *wanted = &key;
	const struct truth_row *const *found = bsearch(
		&wanted, sorted, (size_t)n, sizeof *sorted, by_event);
	return found ? *found : NULL;
}

static void copy(char *out, size_t size, const char *from)
{
	snprintf(out, size, "%s", from);
}

static int int_of(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

static enum status read_row(struct table *t, char *cells[MAX_COLUMNS], const int at[N_COLUMNS],
	const struct truth_row *const *sorted, int n, struct err *err)
{
	struct table_row *row = &t->rows[t->n++];
	const char *label = cells[at[LABEL]];
	*row = (struct table_row){.id = strtoll(cells[at[SUBJECT]], NULL, 10),
		.truth = find(sorted, n, cells[at[FILES]]),
		.label = *label ? taxon_of(label) : -1,
		.audited = strncmp(cells[at[AUDIT]], "audit:", 6) == 0,
		.certificate = strtoll(cells[at[CERTIFICATE]], NULL, 10),
		.n_answers = int_of(cells[at[N_ANSWERS]]) + int_of(cells[at[N_CANT_TELL]])};
	copy(row->state, sizeof row->state, cells[at[STATE]]);
	copy(row->decided_by, sizeof row->decided_by, cells[at[DECIDED_BY]]);
	copy(row->gold, sizeof row->gold, cells[at[GOLD]]);
	t->max_id = row->id > t->max_id ? row->id : t->max_id;
	if (row->id <= 0 || !row->truth)
		return err_set(err, BAD_INPUT,
			"the export's row %d has no truth: subject %lld, files %.80s", t->n, (long long)row->id,
			cells[at[FILES]]);
	if (*label && row->label < 0)
		return err_set(err, BAD_INPUT, "the export's row %d has the label %.80s", t->n, label);
	return OK;
}

static enum status read_header(char *cells[MAX_COLUMNS], int n, int at[N_COLUMNS], struct err *err)
{
	for (int c = 0; c < N_COLUMNS; c++) {
		at[c] = -1;
		for (int i = 0; i < n; i++)
			if (strcmp(cells[i], names[c]) == 0)
				at[c] = i;
		if (at[c] < 0)
			return err_set(err, BAD_INPUT, "the export has no column %s", names[c]);
	}
	return OK;
}

static enum status read_rows(struct table *t, FILE *in, const struct truth *truth,
	const struct truth_row *const *sorted, struct err *err)
{
	char *line = NULL, *cells[MAX_COLUMNS];
	size_t size = 0;
	int at[N_COLUMNS], n_columns = 0;
	enum status st = OK;
	if (getline(&line, &size, in) > 0)
		n_columns = split(line, cells);
	st = read_header(cells, n_columns, at, err);
	while (st == OK && getline(&line, &size, in) > 0) {
		if (split(line, cells) != n_columns || t->n == truth->n)
			st = err_set(err, BAD_INPUT, "the export's row %d is too many or not whole", t->n + 1);
		else
			st = read_row(t, cells, at, sorted, truth->n, err);
	}
	free(line);
	return st;
}

enum status table_load(
	struct table *out, const char *path, const struct truth *truth, struct err *err)
{
	*out = (struct table){0};
	FILE *in = fopen(path, "r");
	if (!in)
		return err_set(err, NOT_FOUND, "cannot read %s: %m", path);
	const struct truth_row **sorted = xcalloc((size_t)truth->n, sizeof *sorted);
	for (int i = 0; i < truth->n; i++)
		sorted[i] = &truth->rows[i];
	qsort(sorted, (size_t)truth->n, sizeof *sorted, by_event);
	out->rows = xcalloc((size_t)truth->n, sizeof *out->rows);
	enum status st = read_rows(out, in, truth, sorted, err);
	free(sorted);
	fclose(in);
	return st;
}

void table_release(struct table *t)
{
	free(t->rows);
	*t = (struct table){0};
}
