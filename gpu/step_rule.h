/*
 * From a step to what it does to each parameter: backend.h's formulas, one element `i` at a time.
 * No element reads what another writes.
 */
#pragma once

#include "backend.h"

#include <math.h>

struct param_rule {
	int is_trained; /* 0: only the average moves */
	int is_adamw;
	float rate, momentum, beta2, decay;
	float scale;                 /* of the gradient: the clipping's, or 1 */
	float by_momentum, by_beta2; /* AdamW: 1 / (1 - momentum^t), 1 / (1 - beta2^t) */
	float average;
};

/* Running statistics have no gradient; a rate of 0 leaves them, too, where they are. */
static inline int step_is_statistic(const struct net_param *p)
{
	return p->kind == NET_BN_MEAN || p->kind == NET_BN_VAR;
}

static inline float step_layer_rate(const struct backend_step *step, int param)
{
	return step->layer_rate ? step->layer_rate[param] : 1;
}

/* Whether a gradient moves the parameter; the norm counts only these. */
static inline int step_is_trained(const struct net *net, const struct backend_step *step, int param)
{
	return !step_is_statistic(&net->params[param]) && step_layer_rate(step, param) != 0;
}

/* norm: step->norm is read where step->clip > 0; n_steps: with this one. */
static inline struct param_rule param_rule_of(
	const struct net *net, const struct backend_step *step, int param, int64_t n_steps)
{
	int is_clipped = step->clip > 0 && step->norm > (double)step->clip;
	return (struct param_rule){.is_trained = step_is_trained(net, step, param),
		.is_adamw = step->rule == BACKEND_ADAMW,
		.rate = step->rate * step_layer_rate(step, param),
		.momentum = step->momentum,
		.beta2 = step->beta2,
		.decay = net->params[param].n_dims > 1 ? step->weight_decay : 0,
		.scale = is_clipped ? (float)((double)step->clip / step->norm) : 1,
		.by_momentum = (float)(1 / (1 - pow((double)step->momentum, (double)n_steps))),
		.by_beta2 = (float)(1 / (1 - pow((double)step->beta2, (double)n_steps))),
		.average = step->average};
}

/* Everything that a step changes. Shapes: each [net->n_floats]. */
struct param_state {
	float *live, *average, *momentum, *second;
};

static inline float **param_state_of(struct param_state *s, enum backend_state which)
{
	float **const states[] = {[BACKEND_LIVE] = &s->live,
		[BACKEND_AVERAGE] = &s->average,
		[BACKEND_MOMENTUM] = &s->momentum,
		[BACKEND_SECOND] = &s->second};
	return states[which];
}

static inline void element_sgd_step(
	size_t i, float gradient, const struct param_rule *r, const struct param_state *s)
{
	s->momentum[i] = r->momentum * s->momentum[i] + r->scale * gradient + r->decay * s->live[i];
	s->live[i] -= r->rate * s->momentum[i];
}

static inline void element_adamw_step(
	size_t i, float gradient, const struct param_rule *r, const struct param_state *s)
{
	float g = r->scale * gradient;
	float m = s->momentum[i] = r->momentum * s->momentum[i] + (1 - r->momentum) * g;
	float v = s->second[i] = r->beta2 * s->second[i] + (1 - r->beta2) * g * g;
	s->live[i] -= r->rate *
		(m * r->by_momentum / (sqrtf(v * r->by_beta2) + 1e-8f) + r->decay * s->live[i]);
}

static inline void element_average(
	size_t i, const struct param_rule *r, const struct param_state *s)
{
	s->average[i] += (1 - r->average) * (s->live[i] - s->average[i]);
}
