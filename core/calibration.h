/*
 * Making a model's probability mean what it says: the top class' probability becomes a logistic
 * function of its own log-odds, fitted on certification gold; the rest is shared out
 * (docs/consensus.md, equations 11-12; top-label calibration after Platt 1999).
 *
 * Shapes: p, pi, q_out [k]; gold arrays [n].
 * Units:  probabilities; log-odds in nats.
 * Owns:   every pointer is borrowed for the call; nothing here allocates.
 */
#pragma once

#include "status.h"

#include <stdbool.h>

/* P(top class is right) = 1 / (1 + exp(-(w0 + w1 top_logodds))). {0, 1} leaves the top as it is. */
struct calibration {
	double w0, w1;
};

/* The log-odds of a prediction's highest probability, which is first held to 1e-9 .. 1 - 1e-6. */
double top_logodds(double p_top);

/*
 * Fits the two weights by damped Newton steps, with a ridge of 1e-3 a gold subject towards {0, 1}.
 * top holds each gold prediction's top_logodds, right whether its top class was the truth.
 * Errors: NOT_FOUND when n = 0 (nothing to learn from; a model is then used as it is, {0, 1}).
 *         BAD_INPUT when a log-odds is not finite. *out is written only on OK.
 */
enum status calibration_fit(const double *top, const bool *right, int n, struct calibration *out,
	struct err *err) MUST_CHECK;

/*
 * What the model says of the classes that it did not put first is often far too sure of itself, and evidence against the
 * truth costs answers. Keeps the top class' share and gives the others shape p^rest pi^(1 - rest): 1 leaves them as they are,
 * 0 believes the class prior about them. In place. Errors: none; entries that make no sense are calibration_apply's to name.
 */
void calibration_soften(double *p, const double *pi, int k, double rest);

/*
 * One prediction, calibrated: its top class gets the logistic, the others share what is left in the
 * proportions of p mixed with 2 % of the class prior pi. q_out may be p.
 * Errors: BAD_INPUT when k < 2, p or pi has an entry outside 0..1, or the other classes have no
 * mass at all in either; q_out is then untouched.
 */
enum status calibration_apply(const double *p, const double *pi, int k,
	struct calibration calibration, double *q_out, struct err *err) MUST_CHECK;
