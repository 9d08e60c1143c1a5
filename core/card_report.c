/* Both questions are judged on the same subjects: a survey of a hard one has more to say, and would look the better for it. */
#include "card_report.h"

#include "consensus.h"
#include "correlation.h"
#include "prediction.h"
#include "skill.h"

#include <math.h>
#include <stdlib.h>

enum { N_TIMES = 2000, N_SUBJECTS = 300 };

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static enum status read_times(
	struct stmt *row, struct card_question *out, int64_t *n_yes, struct err *err)
{
	double *ms = xcalloc(N_TIMES, sizeof *ms);
	enum status st;
	while ((st = db_step(row, err)) == OK) {
		ms[out->n++] = (double)col_int(row, 0);
		if (n_yes)
			*n_yes += col_int(row, 1);
	}
	qsort(ms, (size_t)out->n, sizeof *ms, by_size);
	if (out->n)
		out->seconds = (ms[(out->n - 1) / 2] + ms[out->n / 2]) / 2000;
	free(ms);
	return st == NOT_FOUND ? OK : st;
}

/* Everybody's matrix, as of the last remix. Owns: the caller frees *out. */
static enum status load_theta(struct db *db, const struct project *p, double **out, struct err *err)
{
	const size_t k = (size_t)p->k;
	double *column = xcalloc(k, sizeof *column);
	enum status st = OK;
	*out = calloc(k * k, sizeof **out);
	if (!*out)
		st = err_set(err, FAULT, "no memory for a matrix of %d taxa", p->k);
	for (int a = 0; st == OK && a < p->k; a++) {
		st = skill_column(db, p, SKILL_AVERAGE, a, column, err);
		for (size_t z = 0; z < k; z++)
			(*out)[z * k + (size_t)a] = exp(column[z]);
	}
	free(column);
	return st;
}

/* The entropy that each question lowers on one subject, from what its model says alone; *heard is false where it says nothing. */
static enum status add_subject(struct db *db, const struct project *p, int64_t prediction_id,
	const double *theta, struct card_report *out, bool *heard, struct err *err)
{
	struct prediction_top top;
	double *evidence = xcalloc((size_t)p->k, sizeof *evidence);
	double *q = xcalloc((size_t)p->k, sizeof *q);
	enum status st = prediction_read_top(db, p, prediction_id, &top, err);
	if (st == OK)
		st = prediction_evidence(db, p, prediction_id, evidence, heard, err);
	if (st == OK && *heard) {
		st = consensus_decide(p->log_prior, evidence, 1, p->k, p->correlation, q, err);
		if (st == OK) {
			int guess = project_class(p, top.taxon_id);
			out->card.bits += confirm_gain(out->rates, guess, q, theta, p->k) / log(2);
			out->survey.bits += answer_gain(q, theta, p->k).entropy / log(2);
		}
	}
	free(evidence);
	free(q);
	return st;
}

static enum status add_bits(
	struct db *db, const struct project *p, struct card_report *out, struct err *err)
{
	int64_t ids[N_SUBJECTS];
	int n = 0, n_heard = 0;
	double *theta = NULL;
	enum status st;
	struct stmt *row = db_query(db, Q_CARD_SHOWN, "ii", p->id, (int64_t)N_SUBJECTS);
	while ((st = db_step(row, err)) == OK)
		ids[n++] = col_int(row, 0);
	st = st == NOT_FOUND ? OK : st;
	if (st == OK && n > 0)
		st = load_theta(db, p, &theta, err);
	for (int i = 0; st == OK && i < n; i++) {
		bool heard = false;
		st = add_subject(db, p, ids[i], theta, out, &heard, err);
		n_heard += heard;
	}
	free(theta);
	struct card_question *questions[] = {&out->card, &out->survey};
	for (int i = 0; i < 2; i++) {
		struct card_question *q = questions[i];
		q->bits = n_heard ? q->bits / n_heard : 0;
		q->bits_per_s = q->seconds > 0 ? q->bits / q->seconds : 0;
	}
	return st;
}

enum status card_report_make(
	struct db *db, const struct project *p, struct card_report *out, struct err *err)
{
	*out = (struct card_report){0};
	enum status st = confirm_load(db, p->id, &out->rates, &out->counts, err);
	if (st == OK)
		st = read_times(db_query(db, Q_CARD_TIMES, "ii", p->id, (int64_t)N_TIMES), &out->card,
			&out->n_yes, err);
	if (st == OK)
		st = read_times(db_query(db, Q_CARD_SURVEY_TIMES, "ii", p->id, (int64_t)N_TIMES),
			&out->survey, NULL, err);
	return st == OK ? add_bits(db, p, out, err) : st;
}
