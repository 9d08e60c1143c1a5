/*
 * The full refit: every skill, the pooled matrix, the class prior and all posteriors at once, by expectation maximisation over
 * all answers (docs/consensus.md, equations 17-21; after Dawid and Skene 1979, with the reference's priors and correlations).
 *
 * A refit is a state and two steps: refit_judge (E: posteriors from skills) and refit_learn (M: skills from posteriors).
 * refit_run alternates them. Results do not depend on the number of threads: every sum has a fixed order.
 *
 * Shapes: m [k x k], row = truth; lambda [n_volunteers]; q_out, evidence_out, cells_out [k].
 * Memory: 8 k bytes a column (answers.h) and about 30 bytes a subject, besides the answers. A subject with one answer
 *         teaches its whole posterior: up to 16 k bytes each.
 */
#pragma once

#include "answers.h"
#include "consensus.h"
#include "status.h"

#include <stdbool.h>

/*
 * Calibrated predictions: of subject i the classes class[start[i]] .. with their probabilities p; what they leave of 1 is
 * shared among the other classes like share. A subject without entries has no prediction. A class with a share of
 * REFIT_UNKNOWN is none that the model knows: its odds are left to the crowd.
 * Shapes: start [n_subjects + 1]; class, p [start[n_subjects]]; share [n_models x k], the class prior that a model is
 *         calibrated to; model [n_subjects] whose prediction it is, or NULL where there is one model; rest [n_subjects] what
 *         the entries leave of 1, or NULL: 1 less their sum, which has lost digits where little is left.
 */
struct refit_prior {
	const uint32_t *start;
	const uint16_t *class;
	const double *p;
	const double *share;
	const double *rest;
	const uint8_t *model;
	int n_models; /* where model is not NULL */
};

#define REFIT_UNKNOWN (-1.0)

/*
 * Answers to confirm cards (confirm.h), which are none of `answers`: they teach nobody's skill, for who says yes to a guess has
 * not been asked what they see. answer == guess is a yes, another class what followed a no.
 * Shapes: start [n_subjects + 1]; card [start[n_subjects]].
 */
struct refit_card {
	uint32_t volunteer;
	uint16_t guess, answer;
};
struct refit_cards {
	const uint32_t *start;
	const struct refit_card *card;
	double yes_right,
		yes_wrong; /* P(yes | the guess is right), P(yes | it is wrong), inside (0, 1) */
};

enum { REFIT_NO_GOLD = -1 };

/* One volunteer's credited mass, as a former refit left it. */
struct refit_cell {
	uint32_t volunteer;
	int truth, answer;
	double mass;
};

/* Where to begin instead of from nothing: each may be NULL. Entries that no answer uses are heeded in row sums only. */
struct refit_start {
	const double *m, *lambda;
	const struct refit_cell *cells; /* sorted by volunteer */
	size_t n_cells;
	double own_prior; /* own_counts.prior, 0: label_params.s */
};

struct refit_input {
	const struct answers *answers;   /* borrowed until refit_free */
	const struct refit_prior *prior; /* or NULL; borrowed until refit_free */
	const struct refit_cards *cards; /* or NULL; borrowed until refit_free */
	const int16_t *gold;             /* [n_subjects] class or REFIT_NO_GOLD, or NULL; borrowed */
	const double *
		labelled; /* [k] labels of subjects that nobody answered, for the class prior, or NULL; borrowed */
	const struct refit_start *start; /* or NULL; borrowed for refit_new only */
	bool fits_own_prior; /* own_counts.prior from these answers (equation 19a); else it stays */
	int n_threads;
};

struct refit;

/*
 * Owns:   on OK the caller ends *out with refit_free.
 * Errors: BAD_INPUT for a prediction with a probability outside 0..1 or a sum over 1, a gold class that is none, a card of a class or
 *         volunteer that is none, a start
 *         that is not finite; FAULT when memory is out.
 */
enum status refit_new(
	const struct refit_input *input, struct refit **out, struct err *err) MUST_CHECK;
void refit_free(struct refit *refit);

/* What refit_run has done. */
struct refit_report {
	int n_passes; /* M steps */
	double moved; /* the largest change of a probability over .05 in the last pass */
};

/*
 * Passes until no probability that was at least .05 moves by tolerance (0: never early), max_passes at most, and a last
 * judgement by what was learned. Errors: FAULT when memory is out.
 */
enum status refit_run(struct refit *refit, int max_passes, double tolerance,
	struct refit_report *out, struct err *err) MUST_CHECK;

/* The two steps by themselves. moved_out as in struct refit_report; 1 at the first judgement. */
enum status refit_judge(struct refit *refit, double *moved_out, struct err *err) MUST_CHECK;
enum status refit_learn(struct refit *refit, struct err *err) MUST_CHECK;

/* Gives back the memory that judging and deciding need, most of a refit's: from here on it only tells what it has learned. */
void refit_end_judging(struct refit *refit);

/* After a judgement. Owns: what they point to is the refit's, until the next step. */
const double *refit_m(const struct refit *refit);
const double *refit_pi(const struct refit *refit);     /* [k] */
const double *refit_lambda(const struct refit *refit); /* [n_volunteers] */
const double *refit_counts(
	const struct refit *refit); /* [k x k] the weighted counts that m was pooled from */

double refit_own_prior(const struct refit *refit); /* own_counts.prior of everybody */

/* One over the square root of this is lambda's standard error (the curvature at the last step). */
double refit_precision(const struct refit *refit, size_t volunteer);

/* The mass by truth of the answers in a column, as the skills in force were learned from; 0 before the first refit_learn. */
void refit_cells(const struct refit *refit, size_t column, double *cells_out);

/*
 * log P(answer | truth) of a volunteer's answer, whether or not they ever gave it; of somebody who answered nothing where
 * volunteer is n_volunteers. Shapes: log_theta_out [k], nats.
 */
void refit_log_theta(
	const struct refit *refit, size_t volunteer, int answer, double *log_theta_out);

/* A subject's evidence besides the class prior, and how many sources it has (the prediction and each card are
 * one). */
int refit_evidence(const struct refit *refit, size_t subject, double *evidence_out);

/* A subject's posterior for a decision (consensus_decide); gold is certain. Errors: as consensus_decide. */
enum status refit_decide(const struct refit *refit, size_t subject, struct correlation correlation,
	double *q_out, struct err *err) MUST_CHECK;
