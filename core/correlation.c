/* A search over a short list: the likelihood is flat in kappa, and a list gives the same answer on every machine. Follows
 * fit_kappa and gain of the reference. */
#include "correlation.h"
#include "confusion.h"

#include <math.h>
#include <stdlib.h>

static const double kappas[] = {0, .02, .05, .1, .15, .2, .3, .4, .5, .7, 1, 1.5, 2, 3};
static const double spread = 1.5;        /* of log(kappa + offset) */
static const double offset = .05;        /* so that 0 is not infinitely unlikely */
static const double least_truth = 1e-9;  /* one gold label that is a mistake must not decide */
static const double least_better = 1e-9; /* equals: the earlier in the list */

static enum status loss(const double *log_pi, const double *evidence, const int *n_sources,
	const int *truth, const double *weight, int n, int k, struct correlation correlation, double *q,
	double *out, struct err *err)
{
	double sum = 0.0;
	for (int i = 0; i < n; i++) {
		if (truth[i] < 0 || truth[i] >= k)
			return err_set(
				err, BAD_INPUT, "the truth of gold %d is class %d of %d", i, truth[i], k);
		const enum status status = consensus_decide(
			log_pi, evidence + (size_t)i * (size_t)k, n_sources[i], k, correlation, q, err);
		if (status != OK)
			return status;
		sum -= (weight ? weight[i] : 1) * log(fmax(q[truth[i]], least_truth));
	}
	*out = sum;
	return OK;
}

enum status correlation_fit(const double *log_pi, const double *evidence, const int *n_sources,
	const int *truth, const double *weight, int n, int k, struct correlation *out, struct err *err)
{
	if (n <= 0)
		return err_set(err, NOT_FOUND, "no gold to fit the correlation on: at least 1 is needed");
	double *q = xcalloc(k > 0 ? (size_t)k : 1, sizeof *q), best = INFINITY;
	struct correlation found = {.kappa = label_params.kd};
	enum status status = OK;
	for (int gamma = 0; gamma <= 1; gamma++)
		for (size_t i = 0; status == OK && i < sizeof kappas / sizeof *kappas; i++) {
			const struct correlation tried = {.kappa = kappas[i], .gamma = gamma};
			const double x = (log(kappas[i] + offset) - log(label_params.kd + offset)) / spread;
			double f = 0.0;
			status = loss(log_pi, evidence, n_sources, truth, weight, n, k, tried, q, &f, err);
			f += 0.5 * x * x;
			if (status == OK && f < best - least_better) {
				best = f;
				found = tried;
			}
		}
	free(q);
	if (status == OK)
		*out = found;
	return status;
}

enum status correlation_weights(
	const double *p_draw, const int64_t *draw, int n, double *weight_out, struct err *err)
{
	double sum = 0, sum_squares = 0;
	for (int i = 0; i < n; i++) {
		if (!(p_draw[i] > 0 && p_draw[i] <= 1))
			return err_set(err, BAD_INPUT,
				"gold was drawn with probability %g: above 0 and at most 1 is possible", p_draw[i]);
		weight_out[i] = -1;
	}
	for (int first = 0; first < n; first++) {
		if (weight_out[first] >= 0) /* its draw has been seen to */
			continue;
		double total = 0;
		int size = 0;
		for (int i = first; i < n; i++)
			if (draw[i] == draw[first]) {
				weight_out[i] = p_draw[first] / p_draw[i];
				total += weight_out[i];
				size++;
			}
		for (int i = first; i < n; i++)
			if (draw[i] == draw[first])
				weight_out[i] *= size / total;
	}
	for (int i = 0; i < n; i++) {
		sum += weight_out[i];
		sum_squares += weight_out[i] * weight_out[i];
	}
	for (int i = 0; i < n; i++)
		weight_out[i] *= sum / sum_squares;
	return OK;
}

enum status correlation_loss(const double *log_pi, const double *evidence, const int *n_sources,
	const int *truth, const double *weight, int n, int k, struct correlation correlation,
	double *out, struct err *err)
{
	if (n <= 0)
		return err_set(err, NOT_FOUND, "no gold to judge a correlation by: at least 1 is needed");
	double *q = xcalloc(k > 0 ? (size_t)k : 1, sizeof *q), sum = 0.0, total = 0.0;
	const enum status status = loss(
		log_pi, evidence, n_sources, truth, weight, n, k, correlation, q, &sum, err);
	free(q);
	for (int i = 0; i < n; i++)
		total += weight ? weight[i] : 1;
	if (status == OK)
		*out = sum / total;
	return status;
}

static double plogp(double p)
{
	return p > 0.0 ? p * log(p) : 0.0;
}

struct gain answer_gain(const double *q, const double *theta, int k)
{
	const size_t n = (size_t)k;
	double right = 0.0, entropy_before = 0.0, entropy_after = 0.0;
	for (size_t z = 0; z < n; z++)
		entropy_before -= plogp(q[z]);
	for (size_t a = 0; a < n; a++) {
		double p_answer = 0.0, highest = 0.0, sum = 0.0;
		for (size_t z = 0; z < n; z++) {
			const double joint = q[z] * theta[z * n + a];
			p_answer += joint;
			highest = fmax(highest, joint);
			sum += plogp(joint);
		}
		right += highest;
		/* p(a) H(posterior) = p(a) log p(a) - sum of joint log joint */
		entropy_after += plogp(p_answer) - sum;
	}
	return (struct gain){
		.risk = right - q[consensus_argmax(q, k)], .entropy = entropy_before - entropy_after};
}
