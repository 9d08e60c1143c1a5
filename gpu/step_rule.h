/* From a step to what it does to each parameter (step_math.h), and to what of backward it needs. */
#pragma once

#include "backend.h"
#include "step_math.h"

#include <math.h>
#include <string.h>

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

static inline float **param_state_of(struct param_state *s, enum backend_state which)
{
	float **const states[] = {[BACKEND_LIVE] = &s->live,
		[BACKEND_AVERAGE] = &s->average,
		[BACKEND_MOMENTUM] = &s->momentum,
		[BACKEND_SECOND] = &s->second};
	return states[which];
}

/* What of backward somebody is trained by. */
struct step_wanted {
	int slope[NET_MAX_LAYERS + 1]; /* by an activation */
	int weight[NET_MAX_LAYERS],
		trained[NET_MAX_LAYERS]; /* of a convolution: that, or any parameter */
};

/* A caller that asks for the gradient gets all of it. The head is always worked out: it has no entry. */
static inline void step_wanted_of(
	const struct net *net, const struct backend_step *step, struct step_wanted *w)
{
	memset(w, 0, sizeof *w);
	for (int i = 0; i < net->n_layers; i++) {
		const struct net_layer *l = &net->layers[i];
		for (int j = 0; l->kind == NET_CONV && j < 3; j++) {
			int is_trained = step->gradient || step_is_trained(net, step, l->weight + j);
			w->weight[i] |= j == 0 && is_trained;
			w->trained[i] |= is_trained;
		}
		w->slope[l->dst] = w->trained[i] || w->slope[l->src] || (l->add >= 0 && w->slope[l->add]);
	}
}
