/*
 * The classic, with one logarithm a column and truth (answers.h): classes that a volunteer never answered need no room. What is
 * kept is single precision, sums are double.
 */
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

/* Puts away what is known of a subject by now: gold stays as it is. */
static void keep(const int16_t *gold, size_t subject, size_t k, const double *q, float *shares)
{
	for (size_t z = 0; z < k; z++)
		shares[z] = gold && gold[subject] >= 0 ? (size_t)gold[subject] == z : (float)q[z];
}

/* Columns become log P(answer | truth), log_pi the logarithms of the class prior. Shapes: sums [k x k], work space. */
static void learn(const struct answers *answers, const float *shares, double *sums, float *columns,
	double *log_pi)
{
	const size_t k = (size_t)answers->k;
	double rows[ANSWERS_MAX_CLASSES];
	memset(log_pi, 0, k * sizeof *log_pi);
	for (size_t i = 0; i < answers->n_subjects; i++)
		for (size_t z = 0; z < k; z++)
			log_pi[z] += (double)shares[i * k + z];
	for (size_t z = 0; z < k; z++)
		log_pi[z] = log(
			(log_pi[z] + smoothing) / ((double)answers->n_subjects + smoothing * (double)k));
	for (size_t v = 0; v < answers->n_volunteers; v++) {
		for (size_t z = 0; z < k; z++)
			rows[z] = smoothing * (double)k;
		const uint32_t first = answers->volunteer_start[v], end = answers->volunteer_start[v + 1];
		for (uint32_t c = first; c < end; c++) {
			double *column = sums + (c - first) * k;
			memset(column, 0, k * sizeof *column);
			for (uint32_t i = answers->column_start[c]; i < answers->column_start[c + 1]; i++)
				for (size_t z = 0; z < k; z++)
					column[z] += (double)shares[answers->column_subject[i] * k + z];
			for (size_t z = 0; z < k; z++)
				rows[z] += column[z];
		}
		for (uint32_t c = first; c < end; c++)
			for (size_t z = 0; z < k; z++)
				columns[c * k + z] = (float)log((sums[(c - first) * k + z] + smoothing) / rows[z]);
	}
}

static void judge(const struct answers *answers, size_t subject, const float *columns,
	const double *log_pi, double *q)
{
	const size_t k = (size_t)answers->k;
	double highest = -INFINITY, sum = 0.0;
	memcpy(q, log_pi, k * sizeof *q);
	for (uint32_t i = answers->subject_start[subject]; i < answers->subject_start[subject + 1]; i++)
		for (size_t z = 0; z < k; z++)
			q[z] += (double)columns[answers->subject_column[i] * k + z];
	for (size_t z = 0; z < k; z++)
		highest = fmax(highest, q[z]);
	for (size_t z = 0; z < k; z++)
		sum += q[z] = exp(q[z] - highest);
	for (size_t z = 0; z < k; z++)
		q[z] /= sum;
}

enum status dawid_skene(const struct answers *answers, const int16_t *gold, int n_rounds,
	float *shares_out, struct err *err)
{
	const size_t k = (size_t)answers->k;
	float *columns = answers_alloc(answers->n_columns * k, sizeof *columns);
	double *sums = answers_alloc(k * k, sizeof *sums);
	double log_pi[ANSWERS_MAX_CLASSES], q[ANSWERS_MAX_CLASSES];
	if (!columns || !sums) {
		free(columns);
		free(sums);
		return err_set(err, FAULT, "the matrices of %zu volunteers do not fit in memory",
			answers->n_volunteers);
	}
	for (size_t i = 0; i < answers->n_subjects; i++) {
		majority_shares(answers, i, q);
		keep(gold, i, k, q, shares_out + i * k);
	}
	for (int round = 0; round < n_rounds; round++) {
		learn(answers, shares_out, sums, columns, log_pi);
		for (size_t i = 0; i < answers->n_subjects; i++) {
			judge(answers, i, columns, log_pi, q);
			keep(gold, i, k, q, shares_out + i * k);
		}
	}
	free(columns);
	free(sums);
	return OK;
}
