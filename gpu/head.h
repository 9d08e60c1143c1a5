/*
 * Softmax regression with soft targets and weights, the retrained last layer of a model.
 * Minimises  sum_i w_i CE(t_i, softmax(W x_i + b)) / sum_i w_i + l2 / 2 |s W|^2
 * by L-BFGS (Nocedal & Wright, Numerical Optimization, ch. 7), where s is the root mean square of
 * the centred features, which makes l2 mean the same for every backbone. The bias is free.
 */
#pragma once

#include "status.h"

struct head_problem {
	const float *x;      /* [n][d] */
	const float *target; /* [n][k], rows sum to 1 */
	const float *weight; /* [n] */
	int n, d, k;
	double l2;
	int max_iterations;
	/* After each iteration; nonzero stops. May be NULL. */
	int (*progress)(void *arg, int iteration, double loss);
	void *arg;
};

struct head_report {
	int n_iterations;
	double loss;          /* of the objective */
	double gradient_norm; /* its largest component, in the scaled features' coordinates */
};

/*
 * Shapes: w_out [k][d]; b_out [k].
 * Errors: BAD_INPUT for sizes below 1, a weight that is not positive, or l2 <= 0; CONFLICT when
 * progress stopped it.
 */
enum status head_fit(const struct head_problem *problem, float *w_out, float *b_out,
	struct head_report *report, struct err *err) MUST_CHECK;
