/*
 * Top-label calibration in two numbers. Only the top class is calibrated because only it decides
 * whether a subject is labelled without people. Follows top_logodds, calibrate and fit_calibration
 * of the reference.
 */
#include "calibration.h"
#include "consensus.h"

#include <math.h>

enum { NEWTON_STEPS = 30 };
static const double ridge_per_subject = 1e-3;
static const double prior_share = 0.02;
static const double least_damping = 1e-4;
/* A sum of losses is known to about this, relatively. A last step changes the loss by less than that,
 * and refusing it for its rounding would leave the weights 1e-8 from where they belong. */
static const double loss_rounding = 1e-12;

double top_logodds(double p_top)
{
	const double p = fmin(fmax(p_top, 1e-9), 1.0 - 1e-6);
	return log(p) - log1p(-p);
}

static double logistic(double x)
{
	return 1.0 / (1.0 + exp(-x));
}

/* log(1 + exp(x)) without overflow. */
static double softplus(double x)
{
	return fmax(x, 0.0) + log1p(exp(-fabs(x)));
}

struct gold {
	const double *top;
	const bool *right;
	int n;
	double ridge;
};

static double penalised_loss(const struct gold *gold, struct calibration w)
{
	double loss = 0.0;
	for (int i = 0; i < gold->n; i++) {
		double score = w.w0 + w.w1 * gold->top[i];
		loss += softplus(gold->right[i] ? -score : score);
	}
	return loss + gold->ridge / 2 * (w.w0 * w.w0 + (w.w1 - 1.0) * (w.w1 - 1.0));
}

/* The full Newton step from w: the 2 x 2 system H d = g by Cramer's rule. */
static struct calibration newton_step(const struct gold *gold, struct calibration w)
{
	double g0 = -gold->ridge * w.w0, g1 = -gold->ridge * (w.w1 - 1.0);
	double h00 = gold->ridge, h01 = 0.0, h11 = gold->ridge;
	for (int i = 0; i < gold->n; i++) {
		double x = gold->top[i];
		double u = logistic(fmin(fmax(w.w0 + w.w1 * x, -40.0), 40.0));
		double residual = (gold->right[i] ? 1.0 : 0.0) - u, v = u * (1.0 - u);
		g0 += residual;
		g1 += residual * x;
		h00 += v;
		h01 += v * x;
		h11 += v * x * x;
	}
	const double det = h00 * h11 - h01 * h01;
	return (struct calibration){(h11 * g0 - h01 * g1) / det, (h00 * g1 - h01 * g0) / det};
}

enum status calibration_fit(
	const double *top, const bool *right, int n, struct calibration *out, struct err *err)
{
	if (n <= 0)
		return err_set(err, NOT_FOUND, "no gold subject to calibrate on: at least 1 is needed");
	for (int i = 0; i < n; i++)
		if (!isfinite(top[i]))
			return err_set(
				err, BAD_INPUT, "gold %d has log-odds %g: they must be finite", i, top[i]);

	const struct gold gold = {top, right, n, ridge_per_subject * n};
	struct calibration w = {0.0, 1.0};
	for (int i = 0; i < NEWTON_STEPS; i++) {
		const struct calibration d = newton_step(&gold, w);
		const double most = penalised_loss(&gold, w) * (1.0 + loss_rounding);
		double h = 1.0;
		struct calibration next = {w.w0 + d.w0, w.w1 + d.w1};
		while (h > least_damping && penalised_loss(&gold, next) > most) {
			h /= 2;
			next = (struct calibration){w.w0 + h * d.w0, w.w1 + h * d.w1};
		}
		if (h > least_damping)
			w = next;
	}
	*out = w;
	return OK;
}

void calibration_soften(double *p, const double *pi, int k, double rest)
{
	const int top = consensus_argmax(p, k);
	double before = 0.0, after = 0.0;
	if (rest >= 1.0)
		return;
	for (int z = 0; z < k; z++) {
		if (z == top)
			continue;
		before += p[z];
		p[z] = pow(fmax(p[z], 1e-12), rest) * pow(fmax(pi[z], 1e-12), 1.0 - rest);
		after += p[z];
	}
	for (int z = 0; z < k; z++)
		p[z] *= z == top ? 1.0 : before / after;
}

enum status calibration_apply(const double *p, const double *pi, int k,
	struct calibration calibration, double *q_out, struct err *err)
{
	if (k < 2)
		return err_set(err, BAD_INPUT, "a prediction over %d classes: at least 2 are needed", k);
	for (int z = 0; z < k; z++)
		if (!(p[z] >= 0.0 && p[z] <= 1.0 + 1e-6 && pi[z] >= 0.0 && pi[z] <= 1.0 + 1e-6))
			return err_set(err, BAD_INPUT,
				"class %d has probability %g and prior %g: both must lie in 0..1", z, p[z], pi[z]);
	const int top = consensus_argmax(p, k);
	const double right = logistic(calibration.w0 + calibration.w1 * top_logodds(p[top]));
	double others = 0.0;
	for (int z = 0; z < k; z++)
		others += z == top ? 0.0 : (1.0 - prior_share) * p[z] + prior_share * pi[z];
	if (!(others > 0.0) || !isfinite(right))
		return err_set(err, BAD_INPUT,
			"a prediction of %g for class %d and nothing for the others cannot be calibrated",
			p[top], top);
	const double scale = (1.0 - right) / others;
	for (int z = 0; z < k; z++)
		q_out[z] = z == top ? right : scale * ((1.0 - prior_share) * p[z] + prior_share * pi[z]);
	return OK;
}
