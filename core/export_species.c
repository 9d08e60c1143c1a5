/*
 * What people said about one species of a subject, for the files of an export: the median of their counts with its range,
 * and shares of voters. A share's voters are those who answered that question about that species; answers in force only.
 */
#include "export_part.h"

#include "survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 32 };

struct tally {
	int n_voters, n_words;
	struct {
		char word[SURVEY_BEHAVIOUR + 1];
		int n;
	} words[MAX_WORDS];
};

static void add_word(struct tally *t, const char *word)
{
	int i = 0;
	while (i < t->n_words && strcmp(t->words[i].word, word) != 0)
		i++;
	if (i == MAX_WORDS)
		return; /* more than any survey has ever asked at a time */
	if (i == t->n_words)
		snprintf(t->words[t->n_words++].word, sizeof t->words[0].word, "%s", word);
	/* The most frequent first; among equals the one that came first. */
	for (t->words[i].n++; i > 0 && t->words[i - 1].n < t->words[i].n; i--) {
		__typeof__(t->words[0]) other = t->words[i - 1];
		t->words[i - 1] = t->words[i];
		t->words[i] = other;
	}
}

static void add_answer(struct tally *t, const json_t *answer)
{
	t->n_voters += answer != NULL;
	if (json_is_string(answer))
		add_word(t, json_string_value(answer));
	for (size_t i = 0; i < json_array_size(answer); i++)
		add_word(t, json_string_value(json_array_get(answer, i)));
}

static void put_shares(const struct tally *t, struct export_shares *out)
{
	size_t n = 0, most = 0;
	for (int i = 0; i < t->n_words && n < sizeof out->text; i++) {
		double share = (double)t->words[i].n / t->n_voters;
		n += (size_t)snprintf(out->text + n, sizeof out->text - n, "%s%s:%.3g", i ? "|" : "",
			t->words[i].word, share);
		if (share > 0.5 && most < sizeof out->most)
			most += (size_t)snprintf(out->most + most, sizeof out->most - most, "%s%s",
				most ? "|" : "", t->words[i].word);
	}
}

static int by_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

enum status export_species_load(const struct export_job *job, int64_t subject_id, int64_t taxon_id,
	struct export_species *out, struct err *err)
{
	enum status st;
	int64_t *counts = NULL;
	size_t n = 0, room = 0;
	int n_young = 0, n_young_voters = 0;
	struct tally behaviours = {0}, sex = {0}, life_stage = {0};
	struct stmt *row = db_query(job->db, Q_EXPORT_SPECIES, "ii", subject_id, taxon_id);
	*out = (struct export_species){0};
	while ((st = db_step(row, err)) == OK) {
		if (n == room)
			counts = xrealloc(counts, (room = room ? room * 2 : 16) * sizeof *counts);
		if (!col_null(row, 0))
			counts[n++] = count_bin(col_int(row, 0));
		if (strcmp(col_text(row, 1), "{}") == 0)
			continue;
		json_t *details = json_loads(col_text(row, 1), 0, NULL);
		const json_t *young = json_object_get(details, "young");
		n_young_voters += young != NULL;
		n_young += json_is_true(young);
		add_answer(&behaviours, json_object_get(details, "behaviours"));
		add_answer(&sex, json_object_get(details, "sex"));
		add_answer(&life_stage, json_object_get(details, "life_stage"));
		json_decref(details);
	}
	if (n > 0) {
		qsort(counts, n, sizeof *counts, by_number);
		out->n_counts = (int)n;
		out->count = counts[(n - 1) / 2]; /* the lower median */
		out->count_min = counts[0];
		out->count_max = counts[n - 1];
	}
	free(counts);
	if (n_young_voters)
		snprintf(out->young, sizeof out->young, "%.3g", (double)n_young / n_young_voters);
	put_shares(&behaviours, &out->behaviours);
	put_shares(&sex, &out->sex);
	put_shares(&life_stage, &out->life_stage);
	return st == NOT_FOUND ? OK : st;
}

enum status export_also(
	const struct export_job *job, int64_t subject_id, int *classes, int *n, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(job->db, Q_LABEL_ALSO_LIST, "i", subject_id);
	*n = 0;
	while ((st = db_step(row, err)) == OK) {
		int class = project_class(job->project, col_int(row, 0));
		if (class >= 0)
			classes[(*n)++] = class;
	}
	return st == NOT_FOUND ? OK : st;
}
