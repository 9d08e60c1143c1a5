/* Two Beta-Binomial rates; everything else follows from them. */
#include "confirm.h"

#include <math.h>

static const double PRIOR_N = 100, PRIOR_YES_RIGHT = 95, PRIOR_YES_WRONG = 30;

struct confirm_rates confirm_rates(struct confirm_counts c)
{
	struct confirm_rates rates = {
		.right = (PRIOR_YES_RIGHT + (double)c.n_yes_right) / (PRIOR_N + (double)c.n_right),
		.wrong = (PRIOR_YES_WRONG + (double)c.n_yes_wrong) / (PRIOR_N + (double)c.n_wrong),
	};
	rates.wrong = fmin(rates.wrong, rates.right);
	return rates;
}

enum status confirm_load(struct db *db, int64_t project_id, struct confirm_rates *out,
	struct confirm_counts *counts_out, struct err *err)
{
	struct confirm_counts counts = {0};
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_CONFIRM_GET, &row, err, "i", project_id);
	if (st == OK) {
		counts = (struct confirm_counts){
			col_int(row, 0), col_int(row, 1), col_int(row, 2), col_int(row, 3)};
		db_done(row);
	}
	*out = confirm_rates(counts);
	if (counts_out)
		*counts_out = counts;
	return st == NOT_FOUND ? OK : st;
}

enum status confirm_recount(struct db *db, int64_t project_id, struct err *err)
{
	return db_run(db, Q_CONFIRM_RECOUNT, err, "i", project_id);
}

void confirm_add(struct confirm_rates rates, int guess, bool yes, int k, double *log_theta)
{
	const double right = log(yes ? rates.right : 1 - rates.right);
	const double wrong = log(yes ? rates.wrong : 1 - rates.wrong);
	for (int z = 0; z < k; z++)
		log_theta[z] += z == guess ? right : wrong;
}

static double plogp(double p)
{
	return p > 0 ? p * log(p) : 0;
}

/* p(answer) H(posterior after it) from the joint probabilities of the answer and each truth, times -1. */
static double told(double sum, double sum_plogp)
{
	return sum_plogp - plogp(sum);
}

double confirm_gain(
	struct confirm_rates rates, int guess, const double *q, const double *theta, int k)
{
	double gain = 0, sum = 0, sum_plogp = 0;
	for (int z = 0; z < k; z++) {
		const double yes = q[z] * (z == guess ? rates.right : rates.wrong);
		gain -= plogp(q[z]);
		sum += yes;
		sum_plogp += plogp(yes);
	}
	gain += told(sum, sum_plogp);
	for (int a = 0; a < k; a++) {
		sum = sum_plogp = 0;
		for (int z = 0; z < k; z++) {
			const double no = q[z] * (1 - (z == guess ? rates.right : rates.wrong)) *
				theta[(size_t)z * (size_t)k + (size_t)a];
			sum += no;
			sum_plogp += plogp(no);
		}
		gain += told(sum, sum_plogp);
	}
	return gain;
}
