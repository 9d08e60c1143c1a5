/* Independent bits: plain arithmetic a class. The rates come from set_skill.h, the answers from evidence_set.c. */
#include "set_mode.h"

#include <math.h>

static const double HITS = 80, MISSES = 20, ALARMS = 1, QUIETS = 99;
static const double PRIOR_LEAST = 1e-4, PRIOR_MOST = 0.99;

struct set_rates set_rates_of(struct set_counts c)
{
	return (struct set_rates){
		.miss = (MISSES + c.miss) / (HITS + MISSES + c.hit + c.miss),
		.alarm = (ALARMS + c.alarm) / (ALARMS + QUIETS + c.alarm + c.quiet),
	};
}

static double bend(double p, double rho)
{
	return rho * p / (1 - p + rho * p);
}

struct set_rates set_rates_bend(struct set_rates pool, double lambda)
{
	double rho = exp(lambda);
	return (struct set_rates){bend(pool.miss, rho), bend(pool.alarm, rho)};
}

double set_evidence(struct set_rates r, bool named)
{
	return named ? log1p(-r.miss) - log(r.alarm) : log(r.miss) - log1p(-r.alarm);
}

void set_prior(const double *q, const double *pi, const bool *is_species, int k, double *prior_out)
{
	for (int z = 0; z < k; z++)
		prior_out[z] = is_species[z] ? fmin(fmax(fmax(q[z], pi[z]), PRIOR_LEAST), PRIOR_MOST) : 0;
}

enum status set_decide(const double *prior, const double *evidence, int n_answers, int k,
	double kappa, double *p_out, double *risk_out, struct err *err)
{
	if (k < 2 || n_answers < 0)
		return err_set(
			err, BAD_INPUT, "%d classes and %d answers: at least 2 and 0 are wanted", k, n_answers);
	if (!isfinite(kappa) || kappa < 0)
		return err_set(err, BAD_INPUT, "kappa is %g: a finite number from 0 is wanted", kappa);
	for (int z = 0; z < k; z++)
		if (!(prior[z] >= 0 && prior[z] < 1) || !isfinite(evidence[z]))
			return err_set(err, BAD_INPUT,
				"class %d: prior %g and evidence %g, 0 up to 1 and a finite number are wanted", z,
				prior[z], evidence[z]);
	double d = 1 + (n_answers > 1 ? n_answers - 1 : 0) * kappa;
	double right = 1;
	for (int z = 0; z < k; z++) {
		double logit = log(prior[z]) - log1p(-prior[z]) + evidence[z] / d;
		p_out[z] = prior[z] > 0 ? 1 / (1 + exp(-logit)) : 0;
		right *= fmax(p_out[z], 1 - p_out[z]);
	}
	*risk_out = 1 - right;
	return OK;
}
