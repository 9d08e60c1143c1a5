/* The loss of a classifier, in a file of its own because the CUDA module holds a copy. */
#include "backend.h"

#include <math.h>

static double head_loss(
	const float *logits, const float *target, int n, float scale, float *gradient)
{
	double top = logits[0], sum = 0, loss = 0, known = 0;
	for (int i = 1; i < n; i++)
		top = logits[i] > top ? logits[i] : top;
	for (int i = 0; i < n; i++)
		sum += exp(logits[i] - top);
	for (int i = 0; i < n; i++)
		known += target[i];
	if (known == 0)
		scale = 0;
	for (int i = 0; i < n; i++) {
		double log_p = logits[i] - top - log(sum);
		loss -= target[i] * log_p;
		gradient[i] = scale * (float)(exp(log_p) - target[i]);
	}
	return loss;
}

double backend_row_loss(
	const struct net *net, const float *logits, const float *target, float scale, float *gradient)
{
	double loss = 0;
	int first = 0;
	for (int h = 0; h < net->n_heads; h++) {
		loss += head_loss(
			logits + first, target + first, net->head_size[h], scale, gradient + first);
		first += net->head_size[h];
	}
	return loss;
}
