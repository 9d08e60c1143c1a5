/* The loss of one row, as backend_row_loss has it, in floats. */
#pragma once

#include "number_math.h"

#ifndef __CUDACC__
#include <math.h>
#endif

#define LOSS_MAX_HEADS 24

struct loss_shape {
	int n_classes, n_heads, head_size[LOSS_MAX_HEADS];
};

/* As backend_row_loss; is_right: the largest logit of the first head is the largest target.
 * Shapes: logits, target, slope [n_classes]. */
MATH_FN float element_loss(const struct loss_shape *shape, const float *logits, const float *target,
	float share, float *slope, int *is_right)
{
	double loss = 0;
	int first = 0;
	for (int h = 0; h < shape->n_heads; h++) {
		int n = shape->head_size[h], best = 0, truth = 0;
		float top = logits[first], sum = 0, known = 0;
		for (int i = 0; i < n; i++) {
			known += target[first + i];
			if (logits[first + i] > logits[first + best])
				best = i;
			if (target[first + i] > target[first + truth])
				truth = i;
		}
		top = logits[first + best];
		for (int i = 0; i < n; i++)
			sum += expf(logits[first + i] - top);
		float log_sum = logf(sum), by = known == 0 ? 0 : share;
		for (int i = 0; i < n; i++) {
			float log_p = logits[first + i] - top - log_sum;
			loss -= (double)(target[first + i] * log_p);
			slope[first + i] = by * (expf(log_p) - target[first + i]);
		}
		if (h == 0)
			*is_right = best == truth;
		first += n;
	}
	return (float)loss;
}
