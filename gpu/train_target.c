/* What is known of an item, head by head. */
#include "train_target.h"

#include <math.h>

int train_heads(const struct train_spec *spec, struct model_head *out)
{
	for (int h = 0; h < spec->n_heads && h < NET_MAX_HEADS; h++)
		out[h] = spec->heads[h];
	if (spec->n_heads)
		return spec->n_heads;
	out[0] = (struct model_head){"species", spec->classes, spec->n_classes};
	return 1;
}

enum status train_target_check(
	const struct model_head *heads, int n_heads, const float *target, int item, struct err *err)
{
	int n_known = 0;
	for (int h = 0, at = 0; h < n_heads; at += heads[h++].n_classes) {
		double sum = 0;
		for (int c = at; c < at + heads[h].n_classes; c++) {
			if (!(target[c] >= 0))
				return err_set(
					err, BAD_INPUT, "item %d has a target of %g", item, (double)target[c]);
			sum += (double)target[c];
		}
		if (n_heads > 1 && sum == 0)
			continue;
		if (!(fabs(sum - 1) < 1e-3))
			return err_set(err, BAD_INPUT, "item %d: its target sums to %g, not 1", item, sum);
		n_known++;
	}
	return n_known ? OK : err_set(err, BAD_INPUT, "item %d: nothing is known of it", item);
}

bool train_target_is_known(const float *target, int n)
{
	for (int c = 0; c < n; c++)
		if (target[c] > 0)
			return true;
	return false;
}

void train_target_smooth(const struct net *net, const float *target, double share, float *out)
{
	for (int h = 0, at = 0; h < net->n_heads; at += net->head_size[h++]) {
		int k = net->head_size[h];
		double spread = train_target_is_known(target + at, k) ? share / k : 0;
		for (int c = at; c < at + k; c++)
			out[c] = (float)((1 - share) * (double)target[c] + spread);
	}
}

void train_target_prior(
	struct model *model, const struct train_item *items, const int *which, int n)
{
	const struct net *net = &model->net;
	for (int h = 0, at = 0; h < net->n_heads; at += net->head_size[h++]) {
		double total = 0;
		for (int c = at; c < at + net->head_size[h]; c++) {
			model->prior[c] = 0.5;
			for (int i = 0; i < n; i++)
				model->prior[c] += (double)items[which[i]].weight *
					(double)items[which[i]].target[c];
			total += model->prior[c];
		}
		for (int c = at; c < at + net->head_size[h]; c++)
			model->prior[c] /= total;
	}
}
