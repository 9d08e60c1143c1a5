/*
 * How much the sources of one project repeat each other, learned from gold; and what one more answer is worth
 * (docs/consensus.md, equations 22 and 23).
 *
 * Owns:   every pointer is borrowed for the call.
 */
#pragma once

#include "consensus.h"
#include "status.h"

#include <stdint.h>

/*
 * The kappa (of 14) and gamma (0 or 1) under which the gold's truth has the highest probability, with a log-normal prior on
 * kappa around label_params.kd.
 * Shapes: log_pi [k]; evidence [n x k]; n_sources, truth [n]; weight [n], >= 0, or NULL: each gold counts once.
 * Errors: NOT_FOUND when n = 0; BAD_INPUT when a truth is no class, or as consensus_decide.
 */
enum status correlation_fit(const double *log_pi, const double *evidence, const int *n_sources,
	const int *truth, const double *weight, int n, int k, struct correlation *out,
	struct err *err) MUST_CHECK;

/*
 * What each gold counts where draws were not even: 1 / p_draw, scaled so that each draw's add up to its size, and then so
 * that all add up to their effective number (sum w)^2 / sum w^2, by which the prior weighs them. Exactly 1 where each draw
 * had one probability.
 * Shapes: p_draw, draw [n]: equal numbers are one draw; weight_out [n].
 * Errors: BAD_INPUT a probability that is not in 0 .. 1, or 0.
 */
enum status correlation_weights(const double *p_draw, const int64_t *draw, int n,
	double *weight_out, struct err *err) MUST_CHECK;

/* - log P(truth) a gold subject under a correlation, nats. Shapes and errors: as correlation_fit. */
enum status correlation_loss(const double *log_pi, const double *evidence, const int *n_sources,
	const int *truth, const double *weight, int n, int k, struct correlation correlation,
	double *out, struct err *err) MUST_CHECK;

/* What is expected to fall by one answer. */
struct gain {
	double risk;    /* 0..1 */
	double entropy; /* nats */
};

/*
 * Expected over what a volunteer with matrix theta may answer.
 * Shapes: q [k] a posterior; theta [k x k], row = truth, rows sum to 1 (confusion_column).
 */
struct gain answer_gain(const double *q, const double *theta, int k);
