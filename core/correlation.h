/*
 * How much the sources of one project repeat each other, learned from gold; and what one more answer is worth
 * (docs/consensus.md, equations 22 and 23).
 *
 * Owns:   every pointer is borrowed for the call.
 */
#pragma once

#include "consensus.h"
#include "status.h"

/*
 * The kappa (of 14) and gamma (0 or 1) under which the gold's truth has the highest probability, with a log-normal prior on
 * kappa around label_params.kd.
 * Shapes: log_pi [k]; evidence [n x k]; n_sources, truth [n].
 * Errors: NOT_FOUND when n = 0; BAD_INPUT when a truth is no class, or as consensus_decide.
 */
enum status correlation_fit(const double *log_pi, const double *evidence, const int *n_sources,
	const int *truth, int n, int k, struct correlation *out, struct err *err) MUST_CHECK;

/* - log P(truth) a gold subject under a correlation, nats. Shapes and errors: as correlation_fit. */
enum status correlation_loss(const double *log_pi, const double *evidence, const int *n_sources,
	const int *truth, int n, int k, struct correlation correlation, double *out,
	struct err *err) MUST_CHECK;

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
