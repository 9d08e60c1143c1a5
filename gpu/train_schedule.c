/* Rates, averages and mixtures: arithmetic on a recipe. */
#include "train_schedule.h"

#include "train_set.h"
#include "train_target.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double train_rate_at(const struct recipe *recipe, double peak, int64_t step, int64_t n_steps)
{
	double total = (double)n_steps, at = (double)step;
	double warm = fmax(1, total * recipe->warm_up);
	if (at < warm)
		return peak * (at + 1) / warm;
	switch (recipe->schedule) {
	case RECIPE_COSINE:
		return peak * 0.5 * (1 + cos(M_PI * (at - warm) / fmax(1, total - warm)));
	case RECIPE_STEP:
		return peak * pow(recipe->step_factor, floor(at / (total * recipe->step_every) + 1e-9));
	}
	return 0;
}

double train_average_at(const struct recipe *recipe, int64_t step, int64_t n_steps)
{
	double keep = 1 - 1 / fmax(1, (double)n_steps * recipe->average), at = (double)step;
	return recipe->average > 0 ? fmin(keep, (1 + at) / (10 + at)) : 0;
}

enum { HEAD_STAGE = 5 };

/* 0: the stem; 1 to 4: the stages; 5: the head. */
static int stage_of(const struct net_param *p)
{
	if (p->kind == NET_FC_WEIGHT || p->kind == NET_FC_BIAS)
		return HEAD_STAGE;
	return strncmp(p->name, "layer", 5) ? 0 : p->name[5] - '0';
}

/* A tensor of zeros, as a new bias, is to move, too. */
static const double least_size = 1e-3;

static double size_of(const struct net_param *p, const float *params)
{
	double sum = 0;
	for (size_t i = 0; i < p->n; i++)
		sum += pow((double)params[p->offset + i], 2);
	return fmax(sqrt(sum / (double)p->n), least_size);
}

void train_layer_rates(
	const struct recipe *recipe, const struct net *net, const float *params, float *out)
{
	for (int i = 0; i < net->n_params; i++) {
		int stage = stage_of(&net->params[i]);
		double size = recipe->relative ? size_of(&net->params[i], params) : 1;
		out[i] = stage < recipe->frozen_stages
			? 0
			: (float)(size * pow(recipe->layer_decay, HEAD_STAGE - stage));
	}
}

/* A number of Beta(alpha, alpha), alpha at most 1 (Jöhnk 1964). */
static double draw_beta(double alpha, unsigned long long *state)
{
	for (int i = 0; i < 1000; i++) {
		double u = pow(train_uniform(state), 1 / alpha), v = pow(train_uniform(state), 1 / alpha);
		if (u + v > 0 && u + v <= 1)
			return u / (u + v);
	}
	return 1; /* alpha so small that both are 0: nothing is mixed */
}

/* One row of numbers that are weighted by their items: the weight, then the targets. */
static void mix_targets(const struct train_mix *m, const float *target, const float *weight,
	double share, int row, int other)
{
	double a = share * (double)weight[row], b = (1 - share) * (double)weight[other];
	const float *one = target + row * m->k, *two = target + other * m->k;
	m->weight[row] = (float)(a + b);
	for (int h = 0, at = 0; h < m->n_heads; at += m->head_size[h++]) {
		bool known = train_target_is_known(one + at, m->head_size[h]) &&
			train_target_is_known(two + at, m->head_size[h]);
		for (int c = at; c < at + m->head_size[h]; c++)
			m->target[row * m->k + c] = known
				? (float)((a * (double)one[c] + b * (double)two[c]) / (a + b))
				: 0;
	}
}

void train_mixup(const struct train_mix *m, double alpha, unsigned long long seed)
{
	unsigned long long state = seed ^ 0xa0761d6478bd642full;
	if (!(alpha > 0) || m->n < 2)
		return;
	unsigned part = (unsigned)(draw_beta(alpha, &state) * 256 + 0.5); /* of 256 */
	int shift = 1 + (int)(train_uniform(&state) * (m->n - 1));
	size_t n_targets = (size_t)m->n * (size_t)m->k;
	float *target = xmalloc(n_targets * sizeof *target);
	float *weight = xmalloc((size_t)m->n * sizeof *weight);
	memcpy(target, m->target, n_targets * sizeof *target);
	memcpy(weight, m->weight, (size_t)m->n * sizeof *weight);
	memcpy(m->spare, m->rgb, (size_t)m->n * m->image_bytes);
#pragma omp parallel for schedule(static)
	for (int i = 0; i < m->n; i++) {
		int other = (i + shift) % m->n;
		uint8_t *to = m->rgb + (size_t)i * m->image_bytes;
		const uint8_t *from = m->spare + (size_t)other * m->image_bytes;
		for (size_t j = 0; j < m->image_bytes; j++)
			to[j] = (uint8_t)((part * to[j] + (256 - part) * from[j] + 128) >> 8);
		mix_targets(m, target, weight, part / 256.0, i, other);
	}
	free(target);
	free(weight);
}
