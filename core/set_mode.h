/*
 * Several species in one subject (docs/consensus.md, equations 24-27): K independent bits, present or absent. An answer is
 * a set of species; one that names a single species is a set of one, "nothing here" the empty set. About every class it is
 * either a hit or a miss where the species is there, an alarm or silence where it is not.
 *
 * Shapes: vectors are [k], one entry a class. A class that is no species ("nothing here") has prior 0 and stays at 0.
 * Owns:   every pointer is borrowed for the call; nothing here allocates.
 */
#pragma once

#include "status.h"

#include <stdbool.h>

/* What people do about one class, as probabilities. */
struct set_rates {
	double miss;  /* it is there and an answer does not name it: 1 - sensitivity */
	double alarm; /* it is not there and an answer names it */
};

/* Weighted answers, >= 0. */
struct set_counts {
	double hit, miss;    /* it was there: named, not named */
	double alarm, quiet; /* it was not there: named, not named */
};

/* The pooled rates: counts on top of Beta(80, 20) for the sensitivity and Beta(1, 99) for the alarms (eq. 24). */
struct set_rates set_rates_of(struct set_counts counts);

/* One volunteer's rates: the odds of a miss and of an alarm both times rho = exp(lambda). */
struct set_rates set_rates_bend(struct set_rates pool, double lambda);

/* log P(this answer | there) - log P(this answer | not there), in nats (eq. 25). */
double set_evidence(struct set_rates rates, bool named);

/*
 * The prior of each bit from q, the posterior over single classes that there is without any answer (the model's calibrated
 * opinion with the project's class prior, or the class prior alone) and that class prior pi (eq. 26):
 * max(q, pi), held to 1e-4 .. 0.99, and 0 where the class is no species. A model that is sure of one species has not said
 * that another is not there: its other classes are low because they share what is left, so they do not fall below pi.
 * Shapes: prior_out may be q.
 */
void set_prior(const double *q, const double *pi, const bool *is_species, int k, double *prior_out);

/*
 * p = 1 / (1 + exp(-(logit prior + evidence / d))), d = 1 + max(n_answers - 1, 0) kappa; and the risk that the set of all
 * classes with p > 1/2 is not the truth, 1 - prod max(p, 1 - p) (eq. 27).
 * Units:  evidence in nats, summed over the answers. p_out is finite, 0 where prior is 0.
 * Owns:   writes p_out and risk_out only on OK; p_out may be evidence.
 * Errors: BAD_INPUT when k < 2, n_answers < 0, kappa is negative, a prior is outside 0 .. 1 (1 itself included) or an input
 *         is not finite; the class is named.
 */
enum status set_decide(const double *prior, const double *evidence, int n_answers, int k,
	double kappa, double *p_out, double *risk_out, struct err *err) MUST_CHECK;
