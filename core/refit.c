/*
 * A refit's beginning, its loop and its end (refit.h); the two steps are in refit_judge.c and refit_learn.c. Follows `refit` of
 * the reference in shared/consensus.
 */
#include "confusion.h"
#include "refit_part.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void refit_free(struct refit *r)
{
	if (!r)
		return;
	for (int i = 0; i < 2; i++) {
		for (size_t b = 0; r->lessons[i] && b < r->n_blocks; b++) {
			free(r->lessons[i][b].class_end);
			free(r->lessons[i][b].t_end);
			free(r->lessons[i][b].class);
			free(r->lessons[i][b].t);
		}
		free(r->lessons[i]);
	}
	free(r->m);
	free(r->counts);
	free(r->log_votes);
	free(r->log_share);
	free(r->pi);
	free(r->log_pi);
	free(r->lambda);
	free(r->precision);
	free(r->mass);
	free(r->columns);
	free(r->sums);
	free(r->moved);
	free(r);
}

size_t refit_n_models(const struct refit_prior *prior)
{
	return prior && prior->model ? (size_t)prior->n_models : 1;
}

static enum status check_prior(const struct refit_input *in, struct err *err)
{
	const struct refit_prior *prior = in->prior;
	const size_t k = (size_t)in->answers->k;
	if (!prior)
		return OK;
	const size_t n_shares = refit_n_models(prior) * k;
	for (size_t z = 0; z < n_shares; z++)
		if (!(prior->share[z] >= 0.0 && prior->share[z] <= 1.0 + 1e-6) &&
			prior->share[z] != REFIT_UNKNOWN)
			return err_set(err, BAD_INPUT, "class %zu has a prior of %g: it must lie in 0..1",
				z % k, prior->share[z]);
	for (size_t i = 0; i < in->answers->n_subjects; i++) {
		double sum = 0.0;
		for (uint32_t e = prior->start[i]; e < prior->start[i + 1]; e++) {
			const double p = prior->p[e];
			if (prior->class[e] >= k || !(p >= 0.0 && p <= 1.0 + 1e-6))
				return err_set(err, BAD_INPUT,
					"subject %zu has probability %g for class %u of %zu: it must lie in 0..1", i, p,
					prior->class[e], k);
			sum += p;
		}
		if (prior->rest && !(prior->rest[i] >= 0.0 && prior->rest[i] <= 1.0 + 1e-6))
			return err_set(err, BAD_INPUT, "subject %zu leaves %g of 1: it must lie in 0..1", i,
				prior->rest[i]);
		if (sum > 1.0 + 1e-6)
			return err_set(err, BAD_INPUT,
				"the probabilities of subject %zu sum to %.9g: 1 is the most", i, sum);
	}
	return OK;
}

static enum status check_gold(const struct refit_input *in, struct err *err)
{
	for (size_t i = 0; in->gold && i < in->answers->n_subjects; i++)
		if (in->gold[i] != REFIT_NO_GOLD && (in->gold[i] < 0 || in->gold[i] >= in->answers->k))
			return err_set(err, BAD_INPUT, "the gold of subject %zu is class %d of %d", i,
				in->gold[i], in->answers->k);
	return OK;
}

static enum status check_cards(const struct refit_input *in, struct err *err)
{
	const struct refit_cards *cards = in->cards;
	const size_t n = cards ? cards->start[in->answers->n_subjects] : 0;
	if (cards &&
		!(cards->yes_right > 0.0 && cards->yes_right < 1.0 && cards->yes_wrong > 0.0 &&
			cards->yes_wrong < 1.0))
		return err_set(err, BAD_INPUT, "a yes has probability %g or %g: inside 0..1",
			cards->yes_right, cards->yes_wrong);
	for (size_t i = 0; i < n; i++)
		if (cards->card[i].guess >= in->answers->k || cards->card[i].answer >= in->answers->k ||
			cards->card[i].volunteer >= in->answers->n_volunteers)
			return err_set(err, BAD_INPUT, "card %zu is (volunteer %u, guess %u, answer %u)", i,
				cards->card[i].volunteer, cards->card[i].guess, cards->card[i].answer);
	return OK;
}

static bool allocate(struct refit *r)
{
	const struct answers *answers = r->in.answers;
	const size_t k = (size_t)answers->k, n = answers->n_subjects, learn = 4000000 / (k * k);
	r->n_blocks = (n + REFIT_SUBJECTS_A_BLOCK - 1) / REFIT_SUBJECTS_A_BLOCK;
	r->n_learn_blocks = learn < REFIT_MAX_LEARN_BLOCKS ? learn : REFIT_MAX_LEARN_BLOCKS;
	const size_t by_learning = r->n_learn_blocks * k * k, by_judging = r->n_blocks * k;
	r->m = answers_alloc(k * k, sizeof *r->m);
	r->counts = answers_alloc(k * k, sizeof *r->counts);
	r->log_votes = answers_alloc(k, sizeof *r->log_votes);
	r->log_share = answers_alloc(refit_n_models(r->in.prior) * k, sizeof *r->log_share);
	r->pi = answers_alloc(k, sizeof *r->pi);
	r->log_pi = answers_alloc(k, sizeof *r->log_pi);
	r->lambda = answers_alloc(answers->n_volunteers, sizeof *r->lambda);
	r->precision = answers_alloc(answers->n_volunteers, sizeof *r->precision);
	r->mass = answers_alloc(n, sizeof *r->mass);
	r->columns = answers_alloc(answers->n_columns * k, sizeof *r->columns);
	r->sums = answers_alloc(by_learning > by_judging ? by_learning : by_judging, sizeof *r->sums);
	r->moved = answers_alloc(r->n_blocks, sizeof *r->moved);
	if (!(r->m && r->counts && r->log_votes && r->log_share && r->pi && r->log_pi && r->lambda &&
			r->precision && r->mass && r->columns && r->sums && r->moved))
		return false;
	for (int i = 0; i < 2; i++) {
		r->lessons[i] = answers_alloc(r->n_blocks, sizeof *r->lessons[i]);
		for (size_t b = 0; r->lessons[i] && b < r->n_blocks; b++) {
			struct refit_lesson *lesson = &r->lessons[i][b];
			lesson->class_end = answers_alloc(REFIT_SUBJECTS_A_BLOCK, sizeof *lesson->class_end);
			lesson->t_end = answers_alloc(REFIT_SUBJECTS_A_BLOCK, sizeof *lesson->t_end);
			if (!lesson->class_end || !lesson->t_end)
				return false;
		}
		if (!r->lessons[i])
			return false;
	}
	return true;
}

/* How often each class is answered, and a first matrix of people who are mostly right and err as they vote. */
static void begin_cold(struct refit *r)
{
	const struct answers *answers = r->in.answers;
	const size_t k = (size_t)answers->k;
	double sum = 0.0;
	for (size_t z = 0; z < k; z++)
		r->pi[z] = 1.0;
	for (size_t v = 0; v < answers->n_volunteers; v++) {
		const double weight = credit_weight(answers_of_volunteer(answers, v));
		for (uint32_t c = answers->volunteer_start[v]; c < answers->volunteer_start[v + 1]; c++)
			r->pi[answers->column_class[c]] += weight *
				(answers->column_start[c + 1] - answers->column_start[c]);
	}
	for (size_t z = 0; z < k; z++)
		sum += r->pi[z];
	for (size_t z = 0; z < k; z++) {
		r->pi[z] /= sum;
		r->log_votes[z] = log(r->pi[z]);
	}
	for (size_t i = 0; r->in.prior && i < refit_n_models(r->in.prior) * k; i++) {
		const double share = r->in.prior->share[i];
		r->log_share[i] = share == REFIT_UNKNOWN ? r->log_votes[i % k]
												 : log(fmax(share, label_params.floor));
	}
	for (size_t z = 0; z < k; z++) {
		double others = 0.0;
		for (size_t a = 0; a < k; a++)
			others += a == z ? 0.0 : (r->pi[a] + 1.0 / (double)k) / 2;
		for (size_t a = 0; a < k; a++)
			r->m[z * k + a] = a == z
				? label_params.acc0
				: (r->pi[a] + 1.0 / (double)k) / 2 * (1.0 - label_params.acc0) / others;
	}
}

size_t refit_find_column(const struct answers *answers, uint32_t volunteer, int class)
{
	for (uint32_t c = answers->volunteer_start[volunteer];
		 c < answers->volunteer_start[volunteer + 1]; c++)
		if (answers->column_class[c] == class)
			return c;
	return answers->n_columns;
}

static enum status check_start(
	const struct refit_start *start, const struct answers *answers, struct err *err)
{
	const size_t k = (size_t)answers->k;
	for (size_t i = 0; start->m && i < k * k; i++)
		if (!(start->m[i] > 0.0 && start->m[i] < 1.0))
			return err_set(
				err, BAD_INPUT, "entry %zu of the first matrix is %g: 0..1", i, start->m[i]);
	if (!(start->own_prior >= 0.0 && isfinite(start->own_prior)))
		return err_set(err, BAD_INPUT, "the start has %g prior answers: a finite number from 0",
			start->own_prior);
	for (size_t v = 0; start->lambda && v < answers->n_volunteers; v++)
		if (!(fabs(start->lambda[v]) <= label_params.lmax))
			return err_set(err, BAD_INPUT, "volunteer %zu starts with lambda %g: -%g to %g", v,
				start->lambda[v], label_params.lmax, label_params.lmax);
	for (size_t i = 0; i < start->n_cells; i++) {
		const struct refit_cell *cell = &start->cells[i];
		if (cell->volunteer >= answers->n_volunteers || cell->truth < 0 ||
			(size_t)cell->truth >= k || cell->answer < 0 || (size_t)cell->answer >= k ||
			!(cell->mass >= 0.0 && isfinite(cell->mass)) ||
			(i > 0 && cell->volunteer < start->cells[i - 1].volunteer))
			return err_set(err, BAD_INPUT,
				"first cell %zu is (volunteer %u, truth %d, answer %d, mass %g)", i,
				cell->volunteer, cell->truth, cell->answer, cell->mass);
	}
	return OK;
}

static enum status begin(struct refit *r, const struct refit_start *start, struct err *err)
{
	const struct answers *answers = r->in.answers;
	const size_t k = (size_t)answers->k;
	double more_rows[ANSWERS_MAX_CLASSES], scratch[2 * ANSWERS_MAX_CLASSES];
	begin_cold(r);
	r->own_prior = start && start->own_prior > 0.0 ? start->own_prior : label_params.s;
	if (start) {
		const enum status status = check_start(start, answers, err);
		if (status != OK)
			return status;
		if (start->m)
			memcpy(r->m, start->m, k * k * sizeof *r->m);
		if (start->lambda)
			memcpy(r->lambda, start->lambda, answers->n_volunteers * sizeof *r->lambda);
	}
	size_t next = 0;
	for (size_t v = 0; v < answers->n_volunteers; v++) {
		memset(more_rows, 0, k * sizeof *more_rows);
		for (; start && next < start->n_cells && start->cells[next].volunteer == v; next++) {
			const struct refit_cell *cell = &start->cells[next];
			const size_t column = refit_find_column(answers, (uint32_t)v, cell->answer);
			*(column < answers->n_columns ? &r->columns[column * k + (size_t)cell->truth]
										  : &more_rows[cell->truth]) += cell->mass;
		}
		refit_volunteer(r, v, 0, more_rows, scratch);
	}
	return OK;
}

enum status refit_new(const struct refit_input *input, struct refit **out, struct err *err)
{
	enum status status = check_prior(input, err);
	if (status == OK)
		status = check_gold(input, err);
	if (status == OK)
		status = check_cards(input, err);
	if (status != OK)
		return status;
	struct refit *r = xcalloc(1, sizeof *r);
	r->in = *input;
	r->learned = -1;
	r->in.start = NULL;
	status = allocate(r)
		? begin(r, input->start, err)
		: err_set(err, FAULT, "a refit of %zu answers in %zu columns of %d does not fit in memory",
			  input->answers->n_answers, input->answers->n_columns, input->answers->k);
	if (status == OK)
		*out = r;
	else
		refit_free(r);
	return status;
}

enum status refit_run(
	struct refit *r, int max_passes, double tolerance, struct refit_report *out, struct err *err)
{
	*out = (struct refit_report){.moved = 1.0};
	enum status status = refit_judge(r, &out->moved, err);
	while (status == OK && out->n_passes < max_passes &&
		(out->n_passes == 0 || out->moved >= tolerance)) {
		status = refit_learn(r, err);
		if (status == OK)
			status = refit_judge(r, &out->moved, err);
		out->n_passes++;
	}
	return status;
}

void refit_end_judging(struct refit *r)
{
	free(r->columns);
	r->columns = NULL;
}

const double *refit_m(const struct refit *r)
{
	return r->m;
}

const double *refit_pi(const struct refit *r)
{
	return r->pi;
}

const double *refit_lambda(const struct refit *r)
{
	return r->lambda;
}

double refit_own_prior(const struct refit *r)
{
	return r->own_prior;
}

const double *refit_counts(const struct refit *r)
{
	return r->counts;
}

double refit_precision(const struct refit *r, size_t volunteer)
{
	return r->precision[volunteer];
}
