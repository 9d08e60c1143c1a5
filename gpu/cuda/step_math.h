/* The step of a parameter, as backend.h has it, one float `i` at a time. */
#pragma once

#include "number_math.h"

#ifndef __CUDACC__
#include <math.h>
#endif

/* What a step does to the floats [at, at + n) of the parameters. */
struct step_range {
	size_t at, n;
	int is_trained; /* 0: only the average moves */
	int is_adamw;
	float rate, momentum, beta2, decay;
	float by_momentum, by_beta2; /* AdamW: 1 / (1 - momentum^t), 1 / (1 - beta2^t) */
	float average;
};

struct step_arrays {
	const float *gradient;
	float *param, *average, *momentum, *second;
};

/* gradient_by: the clipping's, or 1. */
MATH_FN void element_step(
	size_t i, const struct step_range *r, float gradient_by, const struct step_arrays *a)
{
	float p = a->param[i];
	if (r->is_trained) {
		float g = a->gradient[i] * gradient_by, m = a->momentum[i];
		if (r->is_adamw) {
			float v = r->beta2 * a->second[i] + (1 - r->beta2) * g * g;
			m = r->momentum * m + (1 - r->momentum) * g;
			p -= r->rate * (m * r->by_momentum / (sqrtf(v * r->by_beta2) + 1e-8f) + r->decay * p);
			a->second[i] = v;
		} else {
			m = r->momentum * m + g + r->decay * p;
			p -= r->rate * m;
		}
		a->momentum[i] = m;
		a->param[i] = p;
	}
	a->average[i] += (1 - r->average) * (p - a->average[i]);
}
