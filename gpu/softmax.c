/* The loss of a classifier, in a file of its own because the CUDA module holds a copy. */
#include "backend.h"

#include <math.h>

double backend_softmax_loss(
	const float *logits, const float *target, int n, float scale, float *gradient)
{
	double top = logits[0], sum = 0, loss = 0;
	for (int i = 1; i < n; i++)
		top = logits[i] > top ? logits[i] : top;
	for (int i = 0; i < n; i++)
		sum += exp(logits[i] - top);
	for (int i = 0; i < n; i++) {
		double log_p = logits[i] - top - log(sum);
		loss -= target[i] * log_p;
		gradient[i] = scale * (float)(exp(log_p) - target[i]);
	}
	return loss;
}
