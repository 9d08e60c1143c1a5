/*
 * Bounds on error rates and the threshold of a certificate. Every bound is found by halving an
 * interval on which the test is monotone: slow (about 100 evaluations), short and exact.
 * Follows binom_cdf, cp_upper, cs_upper, cs_lower and choose_threshold of the reference.
 */
#include "bounds.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { HALVINGS = 100 };

/* The mixture's prior on the error rate: beta(1, 20), a mean of .048. */
static const double mixture_a = 1.0, mixture_b = 20.0;

static double log_gamma(double x)
{
	int sign;
	return lgamma_r(x, &sign); /* lgamma writes a global */
}

static double log_beta(double x, double y)
{
	return log_gamma(x) + log_gamma(y) - log_gamma(x + y);
}

static bool is_probability(double p)
{
	return p > 0.0 && p < 1.0;
}

double binom_cdf(int k, int n, double p)
{
	assert(k >= 0 && n >= 0);
	if (p <= 0.0 || k >= n)
		return 1.0;
	if (p >= 1.0)
		return 0.0;
	const double log_p = log(p), log_1_p = log1p(-p), log_n = log_gamma(n + 1.0);
	double sum = 0.0;
	for (int x = 0; x <= k; x++)
		sum += exp(
			log_n - log_gamma(x + 1.0) - log_gamma(n - x + 1.0) + x * log_p + (n - x) * log_1_p);
	return fmin(sum, 1.0);
}

double cp_upper(int k, int n, double delta)
{
	if (k >= n || !is_probability(delta))
		return 1.0;
	double low = (double)k / n, high = 1.0;
	for (int i = 0; i < HALVINGS; i++) {
		double mid = (low + high) / 2;
		if (binom_cdf(k, n, mid) > delta)
			low = mid;
		else
			high = mid;
	}
	return (low + high) / 2;
}

/* log P(k errors in n, in this order | p); p in (0, 1). */
static double log_likelihood(int k, int n, double p)
{
	return k * log(p) + (k < n ? (n - k) * log1p(-p) : 0.0);
}

/* A rate p is refuted once its likelihood is at most delta times the mixture's. */
static double log_refuted(int k, int n, double delta)
{
	return log_beta(mixture_a + k, mixture_b + n - k) - log_beta(mixture_a, mixture_b) + log(delta);
}

double cs_upper(int k, int n, double delta)
{
	assert(k >= 0 && k <= n);
	if (n == 0 || !is_probability(delta))
		return 1.0;
	const double refuted = log_refuted(k, n, delta);
	double low = fmax((double)k / n, 1e-300), high = 1.0 - 1e-16;
	for (int i = 0; i < HALVINGS; i++) {
		double mid = (low + high) / 2;
		if (log_likelihood(k, n, mid) > refuted)
			low = mid;
		else
			high = mid;
	}
	return (low + high) / 2;
}

double cs_lower(int k, int n, double delta)
{
	assert(k >= 0 && k <= n);
	if (k == 0 || !is_probability(delta))
		return 0.0;
	const double refuted = log_refuted(k, n, delta);
	double low = 1e-300, high = (double)k / n;
	for (int i = 0; i < HALVINGS; i++) {
		double mid = (low + high) / 2;
		if (log_likelihood(k, n, mid) <= refuted)
			low = mid;
		else
			high = mid;
	}
	return (low + high) / 2;
}

int cs_enough(int k, double p, double delta)
{
	enum { MOST = 1000000 };
	int low = k, high = k + 1; /* low does not suffice */
	while (high < MOST && !(cs_upper(k, high, delta) < p)) {
		low = high;
		high *= 2;
	}
	while (high - low > 1 && low < MOST) {
		int middle = low + (high - low) / 2;
		*(cs_upper(k, middle, delta) < p ? &high : &low) = middle;
	}
	return high < MOST ? high : MOST;
}

struct trial {
	double confidence;
	int n_wrong; /* after sorting: among this one and all more confident ones */
};

static int by_falling_confidence(const void *a, const void *b)
{
	const double x = ((const struct trial *)a)->confidence;
	const double y = ((const struct trial *)b)->confidence;
	return (x < y) - (x > y);
}

/* The largest number of most confident trials that passes, 0 for none. */
static int accepted(const struct trial *trials, int n_trials, double alpha, double delta)
{
	const double refute = -log1p(-alpha); /* one flawless trial is worth this much against alpha */
	/* Sequences start at 1, 2, 4, 8 times the smallest size that can pass; fewer on little gold. */
	const double room = fmax(1.0, n_trials * refute / -log(delta / 4));
	const int n_starts = (int)fmin(4.0, floor(log2(room)) + 1.0);
	const double delta_each = delta / n_starts;
	const double smallest = ceil(-log(delta_each) / refute);
	int best = 0;
	for (int i = 0; i < n_starts; i++) {
		const double start = ldexp(smallest, i);
		if (start > n_trials)
			break;
		int n = (int)start;
		while (n <= n_trials) {
			int m = n; /* equals belong to the same threshold */
			while (m < n_trials && trials[m].confidence >= trials[n - 1].confidence)
				m++;
			if (binom_cdf(trials[m - 1].n_wrong, m, alpha) > delta_each)
				break;
			best = m > best ? m : best;
			const int stride = n + n / 20 + 1;
			n = m + 1 > stride ? m + 1 : stride;
		}
	}
	return best;
}

enum status choose_threshold(const double *confidence, const bool *wrong, int n, double alpha,
	double delta, double *threshold_out, struct err *err)
{
	if (!(alpha >= 0.0 && alpha < 1.0))
		return err_set(err, BAD_INPUT, "alpha is %g: it must lie in 0..1, 1 excluded", alpha);
	if (!is_probability(delta))
		return err_set(err, BAD_INPUT, "delta is %g: it must lie between 0 and 1", delta);
	for (int i = 0; i < n; i++)
		if (!isfinite(confidence[i]))
			return err_set(
				err, BAD_INPUT, "gold %d has confidence %g: it must be finite", i, confidence[i]);
	if (n <= 0 || alpha <= 0.0)
		return err_set(
			err, NOT_FOUND, "no threshold keeps the error at %g with %d gold subjects", alpha, n);

	struct trial *trials = malloc((size_t)n * sizeof *trials);
	if (!trials)
		return err_set(err, FAULT, "no memory for %d gold subjects", n);
	for (int i = 0; i < n; i++)
		trials[i] = (struct trial){.confidence = confidence[i], .n_wrong = wrong[i]};
	qsort(trials, (size_t)n, sizeof *trials, by_falling_confidence);
	for (int i = 1; i < n; i++)
		trials[i].n_wrong += trials[i - 1].n_wrong;

	const int best = accepted(trials, n, alpha, delta);
	enum status status = OK;
	if (best > 0)
		*threshold_out = trials[best - 1].confidence;
	else
		status = err_set(
			err, NOT_FOUND, "no threshold keeps the error at %g with %d gold subjects", alpha, n);
	free(trials);
	return status;
}
