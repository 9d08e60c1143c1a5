/*
 * The two plain tables: a row a subject with where its label comes from, and a row an answer as it was given. Where a label
 * or an answer names several species there is a row for each.
 */
#include "export_part.h"

#include "survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One cell that grows: a subject's file names. Kept from row to row. */
struct text {
	char *bytes;
	size_t n, room;
};

static void text_put(struct text *t, char c)
{
	if (t->n + 1 >= t->room)
		t->bytes = xrealloc(t->bytes, t->room = t->room * 2 + 256);
	t->bytes[t->n++] = c;
	t->bytes[t->n] = '\0';
}

/* Parts are set off by '|'; one inside a part, and a backslash, stand behind a backslash. */
static void text_part(struct text *t, const char *part)
{
	if (t->n > 0)
		text_put(t, '|');
	for (; *part; part++) {
		if (*part == '|' || *part == '\\')
			text_put(t, '\\');
		text_put(t, *part);
	}
}

static void put_text(struct sheet *s, const struct stmt *row, int i)
{
	sheet_text(s, col_text(row, i));
}

static void put_int(struct sheet *s, const struct stmt *row, int i)
{
	if (col_null(row, i))
		sheet_empty(s, 1);
	else
		sheet_int(s, col_int(row, i));
}

static void put_time(struct sheet *s, const struct stmt *row, int i, int64_t utc_offset_s)
{
	if (col_null(row, i))
		sheet_empty(s, 1);
	else
		sheet_time(s, col_int(row, i), utc_offset_s);
}

static enum status list_files(const struct export_job *job, int64_t subject_id, struct text *files,
	int64_t *n, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(job->db, Q_EXPORT_FILES, "i", subject_id);
	files->n = 0;
	text_put(files, '\0'); /* "" where there is no file */
	files->n = 0;
	for (*n = 0; (st = db_step(row, err)) == OK; (*n)++)
		text_part(files, col_text(row, 0));
	return st == NOT_FOUND ? OK : st;
}

/* How many, and what voters saw of it. */
static enum status put_species(const struct export_job *job, struct sheet *s, int64_t subject_id,
	const struct taxon *taxon, struct err *err)
{
	struct export_species e = {0};
	enum status st = taxon->kind == TAXON_BLANK
		? OK
		: export_species_load(job, subject_id, taxon->id, &e, err);
	const int64_t counts[3] = {e.count, e.count_min, e.count_max};
	for (int i = 0; i < 3; i++) {
		char text[24] = "";
		if (e.n_counts)
			count_text(counts[i], text);
		sheet_text(s, text);
	}
	sheet_text(s, e.young);
	sheet_text(s, e.behaviours.text);
	sheet_text(s, e.sex.text);
	sheet_text(s, e.life_stage.text);
	return st;
}

/* The probability that a head of "no" and "yes" gives to yes. */
static double p_yes(const json_t *said)
{
	double p = json_number_value(json_array_get(said, 1));
	const char *class = json_string_value(json_array_get(said, 0));
	return class && strcmp(class, "yes") == 0 ? p : 1 - p;
}

/* What the subject's model says beside the species: the likeliest count, and probabilities. */
static void put_heads(struct sheet *s, const char *text)
{
	static const char prefix[] = "behaviour:";
	json_t *heads = text[0] ? json_loads(text, 0, NULL) : NULL, *said;
	const json_t *count = json_array_get(json_object_get(heads, "count"), 0);
	const json_t *young = json_object_get(heads, "young");
	struct text behaviours = {0};
	const char *name;
	char word[80];
	sheet_text(s, json_string_value(count));
	if (young)
		sheet_real(s, p_yes(young));
	else
		sheet_empty(s, 1);
	json_object_foreach(heads, name, said)
	{
		if (strncmp(name, prefix, sizeof prefix - 1) != 0)
			continue;
		snprintf(word, sizeof word, "%s:%.3g", name + sizeof prefix - 1, p_yes(said));
		text_part(&behaviours, word);
	}
	sheet_text(s, behaviours.n ? behaviours.bytes : NULL);
	free(behaviours.bytes);
	json_decref(heads);
}

/* One species of a subject's label; taxon NULL: it has none. */
static enum status subject_row(const struct export_job *job, struct sheet *s,
	const struct stmt *row, const struct text *files, int64_t n_files, const struct taxon *taxon,
	int n_species, bool is_first, struct err *err)
{
	enum status st = OK;
	int64_t offset_s = col_int(row, 5);
	put_int(s, row, 0);
	put_text(s, row, 1);
	if (col_null(row, 2)) {
		char name[32];
		snprintf(name, sizeof name, "e%lld", (long long)col_int(row, 0));
		sheet_text(s, name);
	} else {
		put_text(s, row, 2);
	}
	put_time(s, row, 3, offset_s);
	put_time(s, row, 4, offset_s);
	sheet_int(s, n_files);
	sheet_text(s, files->bytes);
	sheet_text(s, taxon ? taxon->code : NULL);
	sheet_text(s, taxon ? taxon->scientific_name : NULL);
	for (int i = 8; i <= 10; i++) /* state, decided_by, reason */
		put_text(s, row, i);
	if (col_null(row, 11))
		sheet_empty(s, 1);
	else
		sheet_real(s, col_real(row, 11));
	put_int(s, row, 12);
	put_int(s, row, 13);
	put_text(s, row, 14);
	put_int(s, row, 15);
	put_int(s, row, 16);
	put_time(s, row, 17, offset_s);
	put_text(s, row, 18);
	put_text(s, row, 19);
	sheet_int(s, n_species);
	if (taxon)
		st = put_species(job, s, col_int(row, 0), taxon, err);
	else
		sheet_empty(s, 7);
	put_heads(s, is_first ? col_text(row, 21) : "");
	return st == OK ? sheet_end_row(s, err) : st;
}

/* All rows of a subject: one, or one a species. */
static enum status subject_rows(const struct export_job *job, struct sheet *s,
	const struct stmt *row, struct text *files, int *also, struct err *err)
{
	const struct project *p = job->project;
	int64_t n_files = 0;
	int n_also = 0;
	int class = col_null(row, 20) ? -1 : project_class(p, col_int(row, 20));
	const struct taxon *first = class >= 0 ? &p->taxa[class] : NULL;
	enum status st = list_files(job, col_int(row, 0), files, &n_files, err);
	if (st == OK)
		st = export_also(job, col_int(row, 0), also, &n_also, err);
	int n_species = first && first->kind != TAXON_BLANK ? 1 + n_also : 0;
	if (st == OK)
		st = subject_row(job, s, row, files, n_files, first, n_species, true, err);
	for (int i = 0; st == OK && i < n_also; i++)
		st = subject_row(job, s, row, files, n_files, &p->taxa[also[i]], n_species, false, err);
	return st;
}

/* Ends a sheet well or not at all; its rows are in *out then. */
static enum status finish(
	const struct export_job *job, struct sheet *s, enum status st, struct err *err)
{
	struct sheet_sum sum;
	if (st != NOT_FOUND) { /* the walk failed */
		sheet_free(s);
		return st;
	}
	st = sheet_finish(s, &sum, err);
	if (st == OK) {
		job->out->n_rows = sum.n_rows;
		memcpy(job->out->sha256, sum.sha256, sizeof sum.sha256);
	}
	return st;
}

enum status export_subjects(const struct export_job *job, const char *path, struct err *err)
{
	static const char *const header[] = {"subject", "deployment", "event", "start", "end",
		"n_frames", "files", "label", "scientific_name", "state", "decided_by", "reason",
		"probability", "n_answers", "n_cant_tell", "model", "certificate", "policy", "decided",
		"gold", "audit", "n_species", "count", "count_min", "count_max", "young", "behaviours",
		"sex", "life_stage", "model_count", "model_young", "model_behaviours", NULL};
	struct sheet *s = NULL;
	struct text files = {0};
	enum status st = sheet_open(path, header, &s, err);
	if (st != OK)
		return st;
	int *also = xcalloc((size_t)job->project->k, sizeof *also);
	struct stmt *row = db_query(job->db, Q_EXPORT_SUBJECTS, "i", job->project->id);
	while ((st = db_step(row, err)) == OK)
		if ((st = subject_rows(job, s, row, &files, also, err)) != OK)
			break;
	db_done(row);
	free(also);
	free(files.bytes);
	return finish(job, s, st, err);
}

enum status export_answers(const struct export_job *job, const char *path, struct err *err)
{
	static const char *const header[] = {"classification", "uuid", "subject", "deployment",
		"volunteer", "answer", "label", "scientific_name", "count", "details", "counted", "expert",
		"blind", "credited", "superseded_by", "shown", "guess", "guess_model", "told", "policy",
		"model", "duration_ms", "created", "subject_label", "gold", "gold_label", "several", NULL};
	enum { CREATED = 22 };
	struct sheet *s = NULL;
	enum status st = sheet_open(path, header, &s, err);
	if (st != OK)
		return st;
	struct stmt *row = db_query(job->db, Q_EXPORT_CLASSIFICATIONS, "i", job->project->id);
	while ((st = db_step(row, err)) == OK) {
		for (int i = 0; header[i]; i++)
			if (i == CREATED)
				put_time(s, row, i, 0);
			else
				put_text(s, row, i); /* numbers read as text, NULL as nothing */
		if ((st = sheet_end_row(s, err)) != OK)
			break;
	}
	db_done(row);
	return finish(job, s, st, err);
}
