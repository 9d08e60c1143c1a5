/*
 * Confusion matrices: pooled over everybody and bent towards one volunteer by a single number.
 *
 * The one idea: few volunteers answer often enough for a matrix of their own, so everyone starts
 * from the pooled one, with the odds of an error multiplied by exp(lambda); own counts take over
 * slowly, cell by cell. Follows the reference in shared/consensus (pooled, theta_column,
 * Online.retire).
 */
#include "confusion.h"

#include <assert.h>
#include <math.h>

const struct label_params label_params = {
	.a0 = 100.0,
	.acc0 = 0.8,
	.s = 30.0,
	.v0 = 1.0,
	.wcap = 200.0,
	.trunc = 0.05,
	.kem = 0.1,
	.kd = 0.3,
	.iter = 25,
	.lmax = 4.0,
	.floor = 1e-12,
};

static double clip(double x, double limit)
{
	return fmin(fmax(x, -limit), limit);
}

enum status confusion_pool(const double *counts, int k, double *m_out, struct err *err)
{
	if (k < 2)
		return err_set(
			err, BAD_INPUT, "a confusion matrix of %d classes: at least 2 are needed", k);
	const size_t n = (size_t)k;
	double right = 0.0, wrong = 0.0;
	for (size_t z = 0; z < n; z++) {
		for (size_t a = 0; a < n; a++) {
			double c = counts[z * n + a];
			if (!isfinite(c) || c < 0.0)
				return err_set(err, BAD_INPUT,
					"confusion count (%zu, %zu) is %g: it must be finite and not negative", z, a,
					c);
			*(z == a ? &right : &wrong) += c;
		}
	}
	const double accuracy = (right + label_params.acc0 * label_params.a0) /
		(right + wrong + label_params.a0);
	/* What people say when they are wrong, smoothed by one answer a class. It is kept in row 0 of
	 * the output, which is therefore the last row to be filled, entry over entry. */
	double *habit = m_out;
	for (size_t a = 0; a < n; a++) {
		double sum = 0.0;
		for (size_t z = 0; z < n; z++)
			sum += z == a ? 0.0 : counts[z * n + a];
		habit[a] = (sum + 1.0) / (wrong + k);
	}
	for (size_t z = n; z-- > 0;) {
		double row = 0.0, others = 0.0;
		for (size_t a = 0; a < n; a++) {
			row += counts[z * n + a];
			others += a == z ? 0.0 : habit[a];
		}
		const double scale = (1.0 - accuracy) / others;
		for (size_t a = 0; a < n; a++) {
			double base = a == z ? accuracy : scale * habit[a];
			m_out[z * n + a] = (counts[z * n + a] + label_params.a0 * base) /
				(row + label_params.a0);
		}
	}
	return OK;
}

void confusion_column(
	const double *m, int k, double lambda, struct own_counts own, int a, double *theta_out)
{
	assert(k >= 1 && a >= 0 && a < k);
	const size_t n = (size_t)k, answer = (size_t)a;
	const double rho = exp(lambda), s = own.prior > 0.0 ? own.prior : label_params.s;
	for (size_t z = 0; z < n; z++) {
		double m_zz = m[z * n + z];
		double bent = m[z * n + answer] * (z == answer ? 1.0 : rho) / (m_zz + rho * (1.0 - m_zz));
		double cell = own.cells ? own.cells[z] : 0.0, row = own.rows ? own.rows[z] : 0.0;
		theta_out[z] = (s * bent + cell) / (s + row);
	}
}

double confusion_error_rate(double m_zz, double lambda)
{
	const double odds = exp(lambda) * (1.0 - m_zz);
	return odds / (m_zz + odds);
}

void skill_credit(const double *m, int k, const double *t, int a, double *lambda, double *precision)
{
	assert(k >= 1 && a >= 0 && a < k);
	const size_t n = (size_t)k;
	double expected = 0.0, information = 0.0;
	for (size_t z = 0; z < n; z++) {
		double e = confusion_error_rate(m[z * n + z], *lambda);
		expected += t[z] * e;
		information += t[z] * e * (1.0 - e);
	}
	*precision += information;
	const double step = ((1.0 - t[a]) - expected) / *precision;
	*lambda = clip(*lambda + clip(step, 1.0), label_params.lmax);
}

double credit_weight(double n)
{
	return n > label_params.wcap ? label_params.wcap / n : 1.0;
}
