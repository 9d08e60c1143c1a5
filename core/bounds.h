/*
 * What a count of errors proves about an error rate: exact binomial bounds, a confidence sequence
 * that may be read after every audit, and the confidence threshold that a certificate stands on
 * (docs/consensus.md, equations 13-16).
 *
 * Units:  k errors in n trials, 0 <= k <= n; delta, alpha and every result are probabilities.
 * Owns:   nothing is kept.
 * Rule:   a delta outside (0, 1), NaN included, gives the bound that promises nothing (upper 1,
 * lower 0), never a tight one.
 */
#pragma once

#include "status.h"

#include <stdbool.h>

/* P(Binomial(n, p) <= k). 1 when p <= 0. O(k). */
double binom_cdf(int k, int n, double p);

/* Clopper-Pearson (1934): with probability 1 - delta the error rate is below this. 1 when n = 0. */
double cp_upper(int k, int n, double delta);

/*
 * Both ends of a confidence sequence from the beta(1, 20)-binomial mixture martingale (Robbins
 * 1970; Howard et al. 2021): with probability 1 - delta each holds at every n at once, so it may be
 * read after every audit. cs_lower above alpha: the promise is broken.
 */
double cs_upper(int k, int n, double delta);
double cs_lower(int k, int n, double delta);

/*
 * The fewest trials in which k errors leave cs_upper below p: 63 for no error, p .068 and delta .05. Capped at a million.
 */
int cs_enough(int k, double p, double delta);

/*
 * The lowest confidence from which auto-labels are wrong at most alpha of the time, with
 * probability 1 - delta, by fixed-sequence exact tests over the most confident gold. Equal
 * confidences share one test and one side of the threshold. Shapes: confidence, wrong [n]; a random
 * sample of gold that chose neither model nor calibration. Owns:   borrows both arrays, sorts a
 * copy; writes threshold_out only on OK. Errors: NOT_FOUND when no threshold passes (alpha = 0 and
 * n = 0 included): nothing may be auto-labelled. BAD_INPUT when alpha or delta is outside its range
 * or a confidence is not finite. FAULT when the copy does not fit in memory.
 */
enum status choose_threshold(const double *confidence, const bool *wrong, int n, double alpha,
	double delta, double *threshold_out, struct err *err) MUST_CHECK;
