/*
 * How far volunteers' own habits are told apart from everybody's (docs/consensus.md, equation 19a): the prior answers behind
 * each row of a volunteer's own matrix, from the marginal likelihood of their rows (Dirichlet and multinomial) over a short
 * list, which gives the same answer on every machine.
 */
#include "confusion.h"
#include "crew.h"
#include "refit_part.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_ASKED = 2000 }; /* volunteers: far more than one number takes */

static const double tried[] = {1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 70, 100, 150, 200, 300};
enum { N_TRIED = sizeof tried / sizeof *tried };
static const double spread = 1.5; /* of log(own_prior) around log(label_params.s), as kappa's */

struct search {
	struct refit *r;
	size_t stride;
	double (*sums)[N_TRIED]; /* [n_learn_blocks] */
};

static double log_gamma(double x)
{
	int sign;
	return lgamma_r(x, &sign); /* lgamma writes a global */
}

/* log P(what this volunteer answered | truths) at each strength, but for what does not depend on it. */
static void add_volunteer(const struct refit *r, size_t volunteer, double *sums)
{
	const struct answers *answers = r->in.answers;
	const size_t k = (size_t)answers->k;
	const double rho = exp(r->lambda[volunteer]);
	double rows[ANSWERS_MAX_CLASSES] = {0};
	for (uint32_t c = answers->volunteer_start[volunteer];
		 c < answers->volunteer_start[volunteer + 1]; c++) {
		const size_t a = answers->column_class[c];
		for (size_t z = 0; z < k; z++) {
			const double mass = r->columns[c * k + z], m_zz = r->m[z * k + z];
			if (mass <= 0.0)
				continue;
			const double bent = r->m[z * k + a] * (z == a ? 1.0 : rho) /
				(m_zz + rho * (1.0 - m_zz));
			rows[z] += mass;
			for (int i = 0; i < N_TRIED; i++)
				sums[i] += log_gamma(tried[i] * bent + mass) - log_gamma(tried[i] * bent);
		}
	}
	for (size_t z = 0; z < k; z++)
		for (int i = 0; rows[z] > 0.0 && i < N_TRIED; i++)
			sums[i] += log_gamma(tried[i]) - log_gamma(tried[i] + rows[z]);
}

static bool search_block(void *arg, size_t block)
{
	const struct search *s = arg;
	const size_t n = s->r->in.answers->n_volunteers, n_blocks = s->r->n_learn_blocks;
	for (size_t v = n * block / n_blocks; v < n * (block + 1) / n_blocks; v++)
		if (v % s->stride == 0)
			add_volunteer(s->r, v, s->sums[block]);
	return true;
}

void refit_fit_own_prior(struct refit *r)
{
	struct search s = {.r = r,
		.stride = r->in.answers->n_volunteers / MOST_ASKED + 1,
		.sums = xcalloc(r->n_learn_blocks, sizeof *s.sums)};
	double best = -INFINITY;
	crew_run(r->n_learn_blocks, r->in.n_threads, search_block, &s);
	for (int i = 0; i < N_TRIED; i++) {
		const double away = log(tried[i] / label_params.s) / spread;
		double sum = -away * away / 2;
		for (size_t block = 0; block < r->n_learn_blocks; block++)
			sum += s.sums[block][i];
		if (sum > best) {
			best = sum;
			r->own_prior = tried[i];
		}
	}
	free(s.sums);
}
