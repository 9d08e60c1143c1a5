/*
 * The M step: what the posteriors teach about everybody. A volunteer's cells are summed column by column from the subjects'
 * lessons, so a volunteer belongs to one thread and needs no lock; the pool's counts are the weighted cells, summed by blocks
 * of volunteers in order. When the skills are known, the same memory takes the logarithms that the next judgement adds.
 */
#include "confusion.h"
#include "crew.h"
#include "refit_part.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct refit_taught refit_taught(const struct refit *r, int lessons, size_t subject)
{
	const struct refit_lesson *lesson = &r->lessons[lessons][subject / REFIT_SUBJECTS_A_BLOCK];
	const size_t at = subject % REFIT_SUBJECTS_A_BLOCK;
	const uint32_t class_first = at ? lesson->class_end[at - 1] : 0;
	const uint32_t t_first = at ? lesson->t_end[at - 1] : 0;
	const size_t n_classes = lesson->class_end[at] - class_first, n_t = lesson->t_end[at] - t_first;
	return (struct refit_taught){n_classes ? lesson->class + class_first : NULL,
		n_t ? lesson->t + t_first : NULL, n_classes ? n_classes : n_t};
}

static void sum_cells(const struct refit *r, int lessons, size_t column, double *cells)
{
	const struct answers *answers = r->in.answers;
	memset(cells, 0, (size_t)answers->k * sizeof *cells);
	for (uint32_t i = answers->column_start[column]; i < answers->column_start[column + 1]; i++) {
		const struct refit_taught taught = refit_taught(r, lessons, answers->column_subject[i]);
		for (size_t s = 0; s < taught.n; s++)
			cells[taught.class ? taught.class[s] : s] += taught.t ? taught.t[s] : 1.0;
	}
}

void refit_cells(const struct refit *r, size_t column, double *cells_out)
{
	if (r->learned < 0)
		memset(cells_out, 0, (size_t)r->in.answers->k * sizeof *cells_out);
	else
		sum_cells(r, r->learned, column, cells_out);
}

void refit_log_theta(const struct refit *r, size_t volunteer, int answer, double *out)
{
	const struct answers *answers = r->in.answers;
	const size_t k = (size_t)answers->k;
	double rows[ANSWERS_MAX_CLASSES] = {0}, own[ANSWERS_MAX_CLASSES] = {0};
	double cells[ANSWERS_MAX_CLASSES];
	const bool known = volunteer < answers->n_volunteers;
	for (uint32_t c = known ? answers->volunteer_start[volunteer] : 0;
		 known && c < answers->volunteer_start[volunteer + 1]; c++) {
		refit_cells(r, c, cells);
		for (size_t z = 0; z < k; z++)
			rows[z] += cells[z];
		if (answers->column_class[c] == answer)
			memcpy(own, cells, k * sizeof *own);
	}
	confusion_column(r->m, (int)k, known ? r->lambda[volunteer] : 0.0,
		(struct own_counts){own, rows, r->own_prior}, answer, out);
	for (size_t z = 0; z < k; z++)
		out[z] = log(out[z]);
}

static size_t block_start(const struct refit *r, size_t block)
{
	return r->in.answers->n_volunteers * block / r->n_learn_blocks;
}

static bool count_block(void *arg, size_t block)
{
	struct refit *r = arg;
	const struct answers *answers = r->in.answers;
	const size_t k = (size_t)answers->k;
	double *counts = r->sums + block * k * k; /* by answer, then truth: a column at a time */
	memset(counts, 0, k * k * sizeof *counts);
	for (size_t v = block_start(r, block); v < block_start(r, block + 1); v++) {
		const double weight = credit_weight(answers_of_volunteer(answers, v));
		for (uint32_t c = answers->volunteer_start[v]; c < answers->volunteer_start[v + 1]; c++) {
			double *cells = r->columns + c * k, *column = counts + answers->column_class[c] * k;
			sum_cells(r, r->current, c, cells);
			for (size_t z = 0; z < k; z++)
				column[z] += weight * cells[z];
		}
	}
	return true;
}

/* Steps of Newton's method on the log posterior of lambda, prior N(0, v0): expected errors meet those made. */
static void fit_lambda(
	struct refit *r, size_t volunteer, int steps, const double *rows, double wrong)
{
	const size_t k = (size_t)r->in.answers->k;
	double *lambda = &r->lambda[volunteer];
	for (int step = 0; step <= steps; step++) {
		double expected = 0.0, information = 1.0 / label_params.v0;
		const double rho = exp(*lambda);
		for (size_t z = 0; z < k; z++) {
			const double odds = rho * (1.0 - r->m[z * k + z]), e = odds / (r->m[z * k + z] + odds);
			expected += rows[z] * e;
			information += rows[z] * e * (1.0 - e);
		}
		r->precision[volunteer] = information;
		if (step == steps)
			return;
		const double move = (wrong - expected - *lambda / label_params.v0) / information;
		*lambda = fmin(
			fmax(*lambda + fmin(fmax(move, -1.0), 1.0), -label_params.lmax), label_params.lmax);
	}
}

/* Row sums from the cells, then lambda. Shapes: rows [k]. */
static void learn_lambda(
	struct refit *r, size_t volunteer, int steps, const double *more_rows, double *rows)
{
	const struct answers *answers = r->in.answers;
	const size_t k = (size_t)answers->k;
	double right = 0.0;
	for (size_t z = 0; z < k; z++)
		rows[z] = more_rows ? more_rows[z] : 0.0;
	for (uint32_t c = answers->volunteer_start[volunteer];
		 c < answers->volunteer_start[volunteer + 1]; c++) {
		for (size_t z = 0; z < k; z++)
			rows[z] += r->columns[c * k + z];
		right += r->columns[c * k + answers->column_class[c]];
	}
	fit_lambda(r, volunteer, steps, rows, answers_of_volunteer(answers, volunteer) - right);
}

void refit_volunteer(
	struct refit *r, size_t volunteer, int steps, const double *more_rows, double *scratch)
{
	const struct answers *answers = r->in.answers;
	const size_t k = (size_t)answers->k;
	const uint32_t first = answers->volunteer_start[volunteer];
	const uint32_t end = answers->volunteer_start[volunteer + 1];
	double *rows = scratch, *bend = scratch + k;
	learn_lambda(r, volunteer, steps, more_rows, rows);

	/* confusion_column, with what does not depend on the answer taken out of the loop. */
	const double rho = exp(r->lambda[volunteer]), s = r->own_prior;
	for (size_t z = 0; z < k; z++) {
		const double m_zz = r->m[z * k + z];
		bend[z] = s / (m_zz + rho * (1.0 - m_zz));
		rows[z] = 1.0 / (s + rows[z]);
	}
	for (uint32_t c = first; c < end; c++) {
		const size_t a = answers->column_class[c];
		double *column = r->columns + c * k;
		for (size_t z = 0; z < k; z++)
			column[z] = log(
				(r->m[z * k + a] * (z == a ? 1.0 : rho) * bend[z] + column[z]) * rows[z]);
	}
}

/* Lambdas alone: what own_prior is fitted with. */
static bool lambda_block(void *arg, size_t block)
{
	struct refit *r = arg;
	double scratch[ANSWERS_MAX_CLASSES];
	for (size_t v = block_start(r, block); v < block_start(r, block + 1); v++)
		learn_lambda(r, v, 2, NULL, scratch);
	return true;
}

static bool skill_block(void *arg, size_t block)
{
	struct refit *r = arg;
	double scratch[2 * ANSWERS_MAX_CLASSES];
	for (size_t v = block_start(r, block); v < block_start(r, block + 1); v++)
		refit_volunteer(r, v, r->in.fits_own_prior ? 0 : 2, NULL, scratch);
	return true;
}

enum status refit_learn(struct refit *r, struct err *err)
{
	const size_t k = (size_t)r->in.answers->k;
	if (!r->is_judged)
		return err_set(err, CONFLICT, "a refit learns from a judgement, and there is none yet");
	crew_run(r->n_learn_blocks, r->in.n_threads, count_block, r);
	for (size_t a = 0; a < k; a++)
		for (size_t z = 0; z < k; z++) {
			double sum = 0.0;
			for (size_t block = 0; block < r->n_learn_blocks; block++)
				sum += r->sums[(block * k + a) * k + z];
			r->counts[z * k + a] = sum;
		}
	const enum status status = confusion_pool(r->counts, (int)k, r->m, err);
	if (status != OK)
		return status;
	if (r->in.fits_own_prior) {
		crew_run(r->n_learn_blocks, r->in.n_threads, lambda_block, r);
		refit_fit_own_prior(r);
	}
	crew_run(r->n_learn_blocks, r->in.n_threads, skill_block, r);
	r->learned = r->current;
	r->is_judged = false;
	return OK;
}
