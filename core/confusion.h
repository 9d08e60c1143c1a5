/*
 * What volunteers answer when the truth is z: the matrix of everybody, one volunteer's own column
 * of it, and how one credited answer moves a volunteer's skill (docs/consensus.md, equations 1-5).
 *
 * Shapes: a matrix is row-major [k x k], row = truth z, column = answer a: m[z * k + a]; k >= 2.
 * Units:  matrices and error rates are probabilities; lambda is a log ratio of error odds; counts
 * are weighted answers. Owns:   every pointer is borrowed for the call; nothing here allocates.
 */
#pragma once

#include "status.h"

/* The label model's constants. One value each for every project; s and kd are defaults that a project may
 * replace by what its answers say and by a kappa fitted on its gold. */
struct label_params {
	double a0;   /* prior answers behind each row of the pooled matrix */
	double acc0; /* prior accuracy of a volunteer */
	double
		s; /* prior answers behind each row of a volunteer's own matrix; a refit may fit it (refit.h) */
	double v0;    /* prior variance of lambda */
	double wcap;  /* one volunteer weighs at most this many answers in the pool */
	double trunc; /* posterior mass below this teaches nothing */
	double kem;   /* correlation between sources while a refit learns */
	double kd;    /* correlation between sources when deciding */
	int iter;     /* passes of a full refit, as the check files use it */
	double lmax;  /* lambda stays within -lmax .. lmax */
	double floor; /* a model's probability counts as at least this */
};

extern const struct label_params label_params;

/*
 * The pooled matrix from weighted counts: each row shrinks towards one base row (everybody's
 * accuracy, everybody's habits when wrong) with a0 prior answers. O(k^2): for remixes only. Shapes:
 * counts [k x k]; m_out [k x k], must not overlap counts. Rows of m_out sum to 1, all > 0. Errors:
 * BAD_INPUT when k < 2 or a count is negative or not finite; m_out is then untouched.
 */
enum status confusion_pool(const double *counts, int k, double *m_out, struct err *err) MUST_CHECK;

/* A volunteer's own counts around one answer; both may be NULL for a volunteer who has none. */
struct own_counts {
	const double *cells; /* [k] credited mass (truth z, answer a) of this volunteer */
	const double *rows;  /* [k] the volunteer's mass in row z over all answers; >= cells */
	double prior;        /* prior answers behind each row; 0: label_params.s */
};

/*
 * P(this volunteer answers a | truth z) for every z: the pooled column with its error odds times
 * exp(lambda), then the volunteer's own counts on top of their prior answers. O(k).
 * Shapes: m [k x k]; theta_out [k], every entry in (0, 1) when m is a pooled matrix.
 */
void confusion_column(
	const double *m, int k, double lambda, struct own_counts own, int a, double *theta_out);

/* P(wrong | truth z) of a volunteer with this lambda, before own counts; m_zz = m[z * k + z]. */
double confusion_error_rate(double m_zz, double lambda);

/*
 * One credited answer moves a volunteer's skill: one Newton step on lambda, at most 1, precision
 * kept as a running sum. O(k). Shapes: m [k x k]; t [k], the sharpened opinion of the other sources
 * (consensus_credit), or one-hot gold; a the class the volunteer answered. Effect: updates *lambda
 * and *precision (start at 0 and 1 / v0). The caller then adds t[z] to the volunteer's cells (z, a)
 * and rows z, adds 1 to their answer count n, and adds credit_weight(n) * t[z] to the pool's counts
 * (z, a).
 */
void skill_credit(
	const double *m, int k, const double *t, int a, double *lambda, double *precision);

/* The pool's weight of the answer that brought a volunteer to n credited answers. */
double credit_weight(double n);
