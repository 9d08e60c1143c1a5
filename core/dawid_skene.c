/* The classic, with one logarithm a column and truth (answers.h): classes that a volunteer never answered need no room. */
#include "dawid_skene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double smoothing = .01;

void majority_shares(const struct answers *answers, size_t subject, double *q_out)
{
	const size_t k = (size_t)answers->k;
	const uint32_t n = answers_of_subject(answers, subject);
	for (size_t z = 0; z < k; z++)
		q_out[z] = n ? 0.0 : 1.0 / (double)k;
	for (uint32_t i = answers->subject_start[subject]; i < answers->subject_start[subject + 1]; i++)
		q_out[answers->column_class[answers->subject_column[i]]] += 1.0;
	for (size_t z = 0; z < k; z++)
		q_out[z] /= n ? n : 1;
}

static void clamp(const int16_t *gold, size_t subject, size_t k, double *q)
{
	if (!gold || gold[subject] < 0)
		return;
	memset(q, 0, k * sizeof *q);
	q[gold[subject]] = 1.0;
}

/* Columns become log P(answer | truth), log_pi the logarithms of the class prior. */
static void learn(const struct answers *answers, const double *q, double *columns, double *log_pi)
{
	const size_t k = (size_t)answers->k;
	double rows[ANSWERS_MAX_CLASSES];
	memset(log_pi, 0, k * sizeof *log_pi);
	for (size_t i = 0; i < answers->n_subjects; i++)
		for (size_t z = 0; z < k; z++)
			log_pi[z] += q[i * k + z];
	for (size_t z = 0; z < k; z++)
		log_pi[z] = log(
			(log_pi[z] + smoothing) / ((double)answers->n_subjects + smoothing * (double)k));
	for (size_t v = 0; v < answers->n_volunteers; v++) {
		for (size_t z = 0; z < k; z++)
			rows[z] = smoothing * (double)k;
		const uint32_t first = answers->volunteer_start[v], end = answers->volunteer_start[v + 1];
		for (uint32_t c = first; c < end; c++) {
			double *column = columns + c * k;
			memset(column, 0, k * sizeof *column);
			for (uint32_t i = answers->column_start[c]; i < answers->column_start[c + 1]; i++)
				for (size_t z = 0; z < k; z++)
					column[z] += q[answers->column_subject[i] * k + z];
			for (size_t z = 0; z < k; z++)
				rows[z] += column[z];
		}
		for (uint32_t c = first; c < end; c++)
			for (size_t z = 0; z < k; z++)
				columns[c * k + z] = log((columns[c * k + z] + smoothing) / rows[z]);
	}
}

static void judge(const struct answers *answers, size_t subject, const double *columns,
	const double *log_pi, double *q)
{
	const size_t k = (size_t)answers->k;
	double highest = -INFINITY, sum = 0.0;
	memcpy(q, log_pi, k * sizeof *q);
	for (uint32_t i = answers->subject_start[subject]; i < answers->subject_start[subject + 1]; i++)
		for (size_t z = 0; z < k; z++)
			q[z] += columns[answers->subject_column[i] * k + z];
	for (size_t z = 0; z < k; z++)
		highest = fmax(highest, q[z]);
	for (size_t z = 0; z < k; z++)
		sum += q[z] = exp(q[z] - highest);
	for (size_t z = 0; z < k; z++)
		q[z] /= sum;
}

enum status dawid_skene(const struct answers *answers, const int16_t *gold, int n_rounds,
	double *q_out, struct err *err)
{
	const size_t k = (size_t)answers->k;
	double *columns = answers_alloc(answers->n_columns * k, sizeof *columns);
	double log_pi[ANSWERS_MAX_CLASSES];
	if (!columns)
		return err_set(err, FAULT, "the matrices of %zu volunteers do not fit in memory",
			answers->n_volunteers);
	for (size_t i = 0; i < answers->n_subjects; i++) {
		majority_shares(answers, i, q_out + i * k);
		clamp(gold, i, k, q_out + i * k);
	}
	for (int round = 0; round < n_rounds; round++) {
		learn(answers, q_out, columns, log_pi);
		for (size_t i = 0; i < answers->n_subjects; i++) {
			judge(answers, i, columns, log_pi, q_out + i * k);
			clamp(gold, i, k, q_out + i * k);
		}
	}
	free(columns);
	return OK;
}
