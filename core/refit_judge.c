/*
 * The E step: a posterior a subject from the columns' logarithms, and what it teaches. Subjects are judged in blocks of a
 * fixed size, each by one thread, and the blocks' sums are added in order. Posteriors are not kept: of most subjects one or
 * two classes have a mass that teaches, and only those are written down.
 */
#include "confusion.h"
#include "crew.h"
#include "refit_part.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool refit_base(const struct refit *r, size_t subject, double *ev)
{
	const struct refit_prior *prior = r->in.prior;
	const size_t k = (size_t)r->in.answers->k;
	if (!prior || prior->start[subject] == prior->start[subject + 1]) {
		for (size_t z = 0; z < k; z++)
			ev[z] += r->log_votes[z];
		return false;
	}
	const double log_floor = log(label_params.floor);
	const size_t model = prior->model ? prior->model[subject] : 0;
	const double *share = prior->share + model * k, *log_share = r->log_share + model * k;
	bool listed[ANSWERS_MAX_CLASSES] = {false};
	double rest = 1.0, left = 1.0;
	for (uint32_t i = prior->start[subject]; i < prior->start[subject + 1]; i++) {
		const uint16_t z = prior->class[i];
		listed[z] = true;
		ev[z] += log(fmax(prior->p[i], label_params.floor));
		rest -= prior->p[i];
		left -= share[z];
	}
	if (prior->rest)
		rest = prior->rest[subject];
	const double log_scale = log(fmax(rest, 0.0) / fmax(left, label_params.floor));
	for (size_t z = 0; z < k; z++)
		if (share[z] == REFIT_UNKNOWN)
			ev[z] += log_share[z];
		else if (!listed[z])
			ev[z] += fmax(log_scale + log_share[z], log_floor);
	return true;
}

/* Adds the answers' logarithms to ev. */
static void add_answers(const struct refit *r, size_t subject, double *restrict ev)
{
	const struct answers *answers = r->in.answers;
	const size_t k = (size_t)answers->k;
	for (uint32_t i = answers->subject_start[subject]; i < answers->subject_start[subject + 1];
		 i++) {
		const double *restrict column = r->columns + answers->subject_column[i] * k;
		for (size_t z = 0; z < k; z++)
			ev[z] += column[z];
	}
}

/*
 * Adds the cards' logarithms to ev and returns their number. A no is followed by the column of what was answered then; where
 * the volunteer has none (they never gave that answer blind), by what their lambda says without cells of their own.
 */
static double add_cards(const struct refit *r, size_t subject, double *ev)
{
	const struct refit_cards *cards = r->in.cards;
	const size_t k = (size_t)r->in.answers->k;
	if (!cards)
		return 0.0;
	for (uint32_t i = cards->start[subject]; i < cards->start[subject + 1]; i++) {
		const struct refit_card *card = &cards->card[i];
		const bool yes = card->answer == card->guess;
		ev[card->guess] += yes ? log(cards->yes_right / cards->yes_wrong)
							   : log((1.0 - cards->yes_right) / (1.0 - cards->yes_wrong));
		if (yes)
			continue;
		const size_t column = refit_find_column(r->in.answers, card->volunteer, card->answer);
		double theta[ANSWERS_MAX_CLASSES];
		if (column == r->in.answers->n_columns)
			confusion_column(r->m, (int)k, r->lambda[card->volunteer], (struct own_counts){0},
				card->answer, theta);
		for (size_t z = 0; z < k; z++)
			ev[z] += column == r->in.answers->n_columns ? log(theta[z])
														: r->columns[column * k + z];
	}
	return cards->start[subject + 1] - cards->start[subject];
}

static void temper(const struct refit *r, size_t subject, double n_cards, bool has_prior, double *q)
{
	const size_t k = (size_t)r->in.answers->k;
	const double n_sources = (double)answers_of_subject(r->in.answers, subject) + n_cards +
		has_prior;
	const double scale = 1.0 / (1.0 + fmax(n_sources - 1.0, 0.0) * label_params.kem);
	double highest = q[0], sum = 0.0;
	for (size_t z = 1; z < k; z++)
		highest = q[z] > highest ? q[z] : highest;
	for (size_t z = 0; z < k; z++) {
		q[z] = exp((q[z] - highest) * scale);
		sum += q[z];
	}
	const double share = 1.0 / sum;
	for (size_t z = 0; z < k; z++)
		q[z] *= share;
}

/* A block's lesson while it is written: room for all that it may become. */
struct draft {
	uint16_t *class;
	double *t;
	size_t n_classes, n_t;
};

/* consensus_sharpen without the zeros. Returns the share that was kept. */
static double write_lesson(struct draft *draft, const double *q, size_t k, bool cut)
{
	double least = 0.0, sum = 0.0;
	size_t n = 0;
	if (cut) {
		for (size_t z = 0; z < k; z++)
			least = q[z] > least ? q[z] : least;
		least = fmin(least, label_params.trunc);
	}
	uint16_t *class = draft->class + draft->n_classes;
	double *t = draft->t + draft->n_t;
	for (size_t z = 0; z < k; z++) {
		if (!(q[z] >= least && q[z] > 0.0))
			continue;
		class[n] = (uint16_t)z;
		t[n++] = q[z];
		sum += q[z];
	}
	for (size_t i = 0; i < n; i++)
		t[i] /= sum;
	draft->n_classes += n < k ? n : 0;
	draft->n_t += n > 1 ? n : 0;
	return sum;
}

/* Room for n entries, and not for many more. */
static bool fit_room(void **array, size_t n, size_t size, size_t *room)
{
	if (*array && n <= *room && *room <= n + n / 8 + 1)
		return true;
	void *fitting = realloc(*array, (n + 1) * size);
	if (!fitting)
		return false;
	*array = fitting;
	*room = n + 1;
	return true;
}

static bool keep_lesson(struct refit_lesson *lesson, const struct draft *draft)
{
	if (!fit_room((void **)&lesson->class, draft->n_classes, sizeof *lesson->class,
			&lesson->class_room) ||
		!fit_room((void **)&lesson->t, draft->n_t, sizeof *lesson->t, &lesson->t_room))
		return false;
	memcpy(lesson->class, draft->class, draft->n_classes * sizeof *lesson->class);
	memcpy(lesson->t, draft->t, draft->n_t * sizeof *lesson->t);
	return true;
}

static double moved_since(const struct refit *r, size_t subject, const double *q)
{
	const struct refit_taught old = refit_taught(r, r->current, subject);
	const double mass = r->mass[subject];
	double moved = 0.0;
	for (size_t i = 0; i < old.n; i++)
		moved = fmax(
			moved, fabs(q[old.class ? old.class[i] : i] - (old.t ? old.t[i] : 1.0) * mass));
	return moved;
}

static void judge_subjects(struct refit *r, size_t block, struct draft *draft)
{
	const struct answers *answers = r->in.answers;
	const size_t k = (size_t)answers->k, first = block * REFIT_SUBJECTS_A_BLOCK;
	const size_t end = first + REFIT_SUBJECTS_A_BLOCK < answers->n_subjects
		? first + REFIT_SUBJECTS_A_BLOCK
		: answers->n_subjects;
	struct refit_lesson *lesson = &r->lessons[!r->current][block];
	double q[ANSWERS_MAX_CLASSES], *sums = r->sums + block * k;
	const bool has_former = r->learned >= 0;
	memset(sums, 0, k * sizeof *sums);
	r->moved[block] = has_former ? 0.0 : 1.0;
	for (size_t i = first; i < end; i++) {
		memset(q, 0, k * sizeof *q);
		if (r->in.gold && r->in.gold[i] != REFIT_NO_GOLD) {
			q[r->in.gold[i]] = 1.0;
		} else {
			add_answers(r, i, q);
			const double n_cards = add_cards(r, i, q);
			temper(r, i, n_cards, refit_base(r, i, q), q);
		}
		for (size_t z = 0; z < k; z++)
			sums[z] += q[z];
		if (has_former)
			r->moved[block] = fmax(r->moved[block], moved_since(r, i, q));
		r->mass[i] = write_lesson(draft, q, k, answers_of_subject(answers, i) > 1);
		lesson->class_end[i - first] = (uint32_t)draft->n_classes;
		lesson->t_end[i - first] = (uint32_t)draft->n_t;
	}
}

static bool judge_block(void *arg, size_t block)
{
	struct refit *r = arg;
	const size_t room = REFIT_SUBJECTS_A_BLOCK * (size_t)r->in.answers->k;
	struct draft draft = {malloc(room * sizeof *draft.class), malloc(room * sizeof *draft.t), 0, 0};
	if (draft.class && draft.t)
		judge_subjects(r, block, &draft);
	if (!draft.class || !draft.t || !keep_lesson(&r->lessons[!r->current][block], &draft))
		r->is_full = true;
	free(draft.class);
	free(draft.t);
	return !r->is_full;
}

enum status refit_judge(struct refit *r, double *moved_out, struct err *err)
{
	const struct answers *answers = r->in.answers;
	const size_t k = (size_t)answers->k;
	*moved_out = 0.0;
	if (r->is_judged)
		return OK;
	crew_run(r->n_blocks, r->in.n_threads, judge_block, r);
	if (r->is_full)
		return err_set(
			err, FAULT, "the posteriors of %zu subjects do not fit in memory", answers->n_subjects);
	r->current = !r->current;
	r->is_judged = true;
	double n = (double)answers->n_subjects + (double)k;
	for (size_t z = 0; r->in.labelled && z < k; z++)
		n += r->in.labelled[z];
	for (size_t z = 0; z < k; z++) {
		double sum = r->in.labelled ? 1.0 + r->in.labelled[z] : 1.0;
		for (size_t block = 0; block < r->n_blocks; block++)
			sum += r->sums[block * k + z];
		r->pi[z] = sum / n;
		r->log_pi[z] = log(r->pi[z]);
	}
	for (size_t block = 0; block < r->n_blocks; block++)
		*moved_out = fmax(*moved_out, r->moved[block]);
	return OK;
}

int refit_evidence(const struct refit *r, size_t subject, double *evidence_out)
{
	const size_t k = (size_t)r->in.answers->k;
	memset(evidence_out, 0, k * sizeof *evidence_out);
	const bool has_prior = refit_base(r, subject, evidence_out);
	const double *log_share = has_prior && r->in.prior->model
		? r->log_share + r->in.prior->model[subject] * k
		: r->log_share;
	/* Without a prediction the crowd's votes stand in for the class prior while learning, and are no evidence. */
	for (size_t z = 0; z < k; z++)
		evidence_out[z] = has_prior ? evidence_out[z] - log_share[z] : 0.0;
	add_answers(r, subject, evidence_out);
	return (int)add_cards(r, subject, evidence_out) +
		(int)answers_of_subject(r->in.answers, subject) + has_prior;
}

enum status refit_decide(const struct refit *r, size_t subject, struct correlation correlation,
	double *q_out, struct err *err)
{
	const int k = r->in.answers->k;
	if (r->in.gold && r->in.gold[subject] != REFIT_NO_GOLD) {
		memset(q_out, 0, (size_t)k * sizeof *q_out);
		q_out[r->in.gold[subject]] = 1.0;
		return OK;
	}
	const int n_sources = refit_evidence(r, subject, q_out);
	return consensus_decide(r->log_pi, q_out, n_sources, k, correlation, q_out, err);
}
