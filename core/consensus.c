/*
 * The consensus of one subject. Pure functions of numbers: the order of answers cannot matter
 * because evidence is a sum, and nothing here remembers anything. Follows decide, sharpen and
 * Online of the reference in shared/consensus.
 */
#include "consensus.h"
#include "confusion.h"

#include <assert.h>
#include <float.h>
#include <math.h>

enum status consensus_decide(const double *log_prior, const double *evidence, int n_sources, int k,
	struct correlation correlation, double *q_out, struct err *err)
{
	const double kappa = correlation.kappa, gamma = correlation.gamma;
	if (k < 2)
		return err_set(err, BAD_INPUT, "a decision between %d classes: at least 2 are needed", k);
	if (n_sources < 0)
		return err_set(err, BAD_INPUT, "%d sources of evidence: 0 or more are possible", n_sources);
	if (!(isfinite(kappa) && kappa >= 0.0 && isfinite(gamma) && gamma >= 0.0))
		return err_set(
			err, BAD_INPUT, "kappa %g and gamma %g must be finite and not negative", kappa, gamma);
	for (int z = 0; z < k; z++)
		if (!isfinite(log_prior[z]) || !isfinite(evidence[z]))
			return err_set(err, BAD_INPUT,
				"class %d has log prior %g and evidence %g: both must be finite", z, log_prior[z],
				evidence[z]);

	const double d = 1.0 + (n_sources > 1 ? n_sources - 1 : 0) * kappa;
	const double d_prior = pow(d, gamma);
	double highest = -DBL_MAX;
	for (int z = 0; z < k; z++) {
		/* Half of what a double holds, so that the difference to the highest cannot overflow. */
		double score = log_prior[z] / d_prior + evidence[z] / d;
		q_out[z] = fmin(fmax(score, -DBL_MAX / 2), DBL_MAX / 2);
		highest = fmax(highest, q_out[z]);
	}
	double sum = 0.0;
	for (int z = 0; z < k; z++) {
		q_out[z] = exp(q_out[z] - highest);
		sum += q_out[z];
	}
	for (int z = 0; z < k; z++)
		q_out[z] /= sum;
	return OK;
}

void consensus_sharpen(const double *q, int n_answers, int k, double *t_out)
{
	const double least = n_answers < 2 ? 0.0 : fmin(label_params.trunc, q[consensus_argmax(q, k)]);
	double sum = 0.0;
	for (int z = 0; z < k; z++) {
		t_out[z] = q[z] >= least ? q[z] : 0.0;
		sum += t_out[z];
	}
	for (int z = 0; z < k; z++)
		t_out[z] /= sum;
}

enum status consensus_credit(const double *log_prior, const double *evidence, int n_other_sources,
	int k, struct correlation correlation, double *t_out, struct err *err)
{
	if (n_other_sources < 1)
		return err_set(err, BAD_INPUT, "%d other sources: an answer is credited against at least 1",
			n_other_sources);
	enum status status = consensus_decide(
		log_prior, evidence, n_other_sources, k, correlation, t_out, err);
	/* Two, always: a lone opinion of the others is cut like any other (reference: Online.retire).
	 */
	if (status == OK)
		consensus_sharpen(t_out, 2, k, t_out);
	return status;
}

static bool is_known(const double *p_model_prior, const bool *unknown, int z)
{
	return !(unknown && unknown[z]) && !(p_model_prior[z] <= 0.0);
}

enum status consensus_model_evidence(const double *p, const double *p_model_prior,
	const bool *unknown, int k, double *evidence_out, struct err *err)
{
	if (k < 2)
		return err_set(err, BAD_INPUT, "a prediction over %d classes: at least 2 are needed", k);
	for (int z = 0; z < k; z++) {
		if (!is_known(p_model_prior, unknown, z))
			continue;
		/* Sums of rounded probabilities may pass 1 by a hair. */
		if (!(p[z] >= 0.0 && p[z] <= 1.0 + 1e-6))
			return err_set(
				err, BAD_INPUT, "class %d has model probability %g: it must lie in 0..1", z, p[z]);
		if (!(p_model_prior[z] <= 1.0 + 1e-6))
			return err_set(err, BAD_INPUT, "class %d has model prior %g: it must lie in 0..1", z,
				p_model_prior[z]);
	}
	for (int z = 0; z < k; z++)
		evidence_out[z] = is_known(p_model_prior, unknown, z)
			? log(fmax(p[z], label_params.floor)) - log(p_model_prior[z])
			: 0.0;
	return OK;
}

double consensus_reach(const double *log_prior, const double *evidence, int n_sources,
	const double *log_theta, int a, int n_more, double enough, int k,
	struct correlation correlation)
{
	double least = 1.0;
	for (int m = 1; m <= n_more && least > enough; m++) {
		const int s = n_sources + m;
		const double d = 1.0 + (s - 1) * correlation.kappa, d_prior = pow(d, correlation.gamma);
		double others = 0.0; /* their odds against a */
		for (int z = 0; z < k; z++)
			if (z != a)
				others += exp((log_prior[z] - log_prior[a]) / d_prior +
					(evidence[z] - evidence[a] + m * (log_theta[z] - log_theta[a])) / d);
		least = fmin(least, others / (1.0 + others));
	}
	return least;
}

int consensus_argmax(const double *q, int k)
{
	assert(k >= 1);
	int best = 0;
	for (int z = 1; z < k; z++)
		if (q[z] > q[best])
			best = z;
	return best;
}

double consensus_risk(const double *q, int k)
{
	return 1.0 - q[consensus_argmax(q, k)];
}
