/*
 * What a step does to a parameter, one element `i` at a time: backend.h's formulas, for the C compiler and nvcc alike.
 * No element reads what another writes.
 */
#pragma once

#include "math_fn.h"

#include <math.h>
#include <stddef.h>

struct param_rule {
	int is_trained; /* 0: only the average moves */
	int is_adamw;
	float rate, momentum, beta2, decay;
	float scale;                 /* of the gradient: the clipping's, or 1 */
	float by_momentum, by_beta2; /* AdamW: 1 / (1 - momentum^t), 1 / (1 - beta2^t) */
	float average;
};

/* Everything that a step changes. Shapes: each [net->n_floats]. */
struct param_state {
	float *live, *average, *momentum, *second;
};

MATH_FN void element_sgd_step(
	size_t i, float gradient, const struct param_rule *r, const struct param_state *s)
{
	s->momentum[i] = r->momentum * s->momentum[i] + r->scale * gradient + r->decay * s->live[i];
	s->live[i] -= r->rate * s->momentum[i];
}

MATH_FN void element_adamw_step(
	size_t i, float gradient, const struct param_rule *r, const struct param_state *s)
{
	float g = r->scale * gradient;
	float m = s->momentum[i] = r->momentum * s->momentum[i] + (1 - r->momentum) * g;
	float v = s->second[i] = r->beta2 * s->second[i] + (1 - r->beta2) * g * g;
	s->live[i] -= r->rate *
		(m * r->by_momentum / (sqrtf(v * r->by_beta2) + 1e-8f) + r->decay * s->live[i]);
}

MATH_FN void element_average(size_t i, const struct param_rule *r, const struct param_state *s)
{
	s->average[i] += (1 - r->average) * (s->live[i] - s->average[i]);
}

/* The three as the rule says. */
MATH_FN void element_step(
	size_t i, float gradient, const struct param_rule *r, const struct param_state *s)
{
	if (r->is_trained && r->is_adamw)
		element_adamw_step(i, gradient, r, s);
	else if (r->is_trained)
		element_sgd_step(i, gradient, r, s);
	element_average(i, r, s);
}
