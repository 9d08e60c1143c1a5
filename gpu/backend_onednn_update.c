/* The ends of a training step on oneDNN: the head with the loss, and what moves the parameters.
 * Sums are in an order that does not depend on how threads run. */
#include "backend_onednn_train.h"

#include <string.h>

static int is_right(const struct net *net, const float *logits, const float *target)
{
	int best = 0, truth = 0;
	for (int i = 1; i < net->head_size[0]; i++) {
		best = logits[i] > logits[best] ? i : best;
		truth = target[i] > target[truth] ? i : truth;
	}
	return best == truth;
}

static void losses(struct onednn *o, struct backend_step *step)
{
	struct onednn_trainer *t = o->trainer;
	int n = t->batch, k = o->net->n_classes;
	double total = 0;
	for (int i = 0; i < n; i++)
		total += (double)step->weight[i];
#pragma omp parallel for schedule(static)
	for (int i = 0; i < n; i++) {
		double share = (double)step->weight[i] / total;
		t->row_loss[i] = (float)(share *
			backend_row_loss(o->net, t->logits + i * k, step->target + i * k, (float)share,
				t->logits_slope + i * k));
	}
	step->loss = 0;
	step->n_right = 0;
	for (int i = 0; i < n; i++) {
		step->loss += (double)t->row_loss[i];
		step->n_right += is_right(o->net, t->logits + i * k, step->target + i * k);
	}
}

enum status train_head_step(struct onednn *o, struct backend_step *step, struct err *err)
{
	struct onednn_trainer *t = o->trainer;
	int n = t->batch, k = o->net->n_classes, d = o->net->n_features;
	const struct net_param *fc = &o->net->params[o->net->layers[o->net->n_layers - 1].weight];
	const float *w = o->params + fc[0].offset, *bias = o->params + fc[1].offset;
	float *dw = t->gradient + fc[0].offset, *db = t->gradient + fc[1].offset;
	dnnl_status_t status = dnnl_success;
	for (int i = 0; i < n; i++)
		memcpy(t->logits + i * k, bias, (size_t)k * sizeof *bias);
	status |= dnnl_sgemm('N', 'T', n, k, d, 1, t->embedding, d, w, d, 1, t->logits, k);
	losses(o, step);
	memset(db, 0, (size_t)k * sizeof *db);
	for (int i = 0; i < n; i++) {
		for (int j = 0; j < k; j++)
			db[j] += t->logits_slope[i * k + j];
	}
	status |= dnnl_sgemm('T', 'N', k, d, n, 1, t->logits_slope, k, t->embedding, d, 0, dw, d);
	status |= dnnl_sgemm('N', 'N', n, d, k, 1, t->logits_slope, k, w, d, 0, t->embedding_slope, d);
	return status == dnnl_success ? OK : err_set(err, FAULT, "oneDNN: a matrix product failed");
}

void train_move_statistics(struct onednn *o, const struct backend_step *step)
{
	struct onednn_trainer *t = o->trainer;
	for (int i = 0; i < o->net->n_layers && !step->is_norm_frozen; i++) {
		const struct net_layer *l = &o->net->layers[i];
		if (l->kind != NET_CONV)
			continue;
		const struct net_act *a = &o->net->acts[l->dst];
		float count = (float)t->batch * (float)(a->h * a->w);
		float unbiased = count > 1 ? count / (count - 1) : 1;
		float *mean = o->params + o->net->params[l->weight + 3].offset;
		float *var = o->params + o->net->params[l->weight + 4].offset;
		for (int c = 0; c < a->c && step_layer_rate(step, l->weight + 3) != 0; c++)
			mean[c] += 0.1f * (t->batch_mean[i][c] - mean[c]);
		for (int c = 0; c < a->c && step_layer_rate(step, l->weight + 4) != 0; c++)
			var[c] += 0.1f * (t->batch_var[i][c] * unbiased - var[c]);
	}
}

static double sum_of_squares(const float *at, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (double)at[i] * (double)at[i];
	return sum;
}

static double gradient_norm(const struct onednn *o, const struct backend_step *step)
{
	const struct onednn_trainer *t = o->trainer;
	double total = 0;
	for (int i = 0; i < o->net->n_params; i++) {
		const struct net_param *p = &o->net->params[i];
		size_t n_chunks = (p->n + TRAIN_NORM_CHUNK - 1) / TRAIN_NORM_CHUNK;
		if (!step_is_trained(o->net, step, i))
			continue;
#pragma omp parallel for schedule(static) if (n_chunks > 1)
		for (size_t c = 0; c < n_chunks; c++) {
			size_t from = c * TRAIN_NORM_CHUNK, n = p->n - from;
			t->norm_sums[c] = sum_of_squares(
				t->gradient + p->offset + from, n < TRAIN_NORM_CHUNK ? n : TRAIN_NORM_CHUNK);
		}
		for (size_t c = 0; c < n_chunks; c++)
			total += t->norm_sums[c];
	}
	return sqrt(total);
}

static void move_param(
	const struct onednn_trainer *t, const struct net_param *p, const struct param_rule *given)
{
	/* Of its own, and no pointer into the trainer: else every element reads them anew. */
	const struct param_rule rule = *given;
	const struct param_state s = {.live = t->state.live + p->offset,
		.average = t->state.average + p->offset,
		.momentum = t->state.momentum + p->offset,
		.second = t->state.second + p->offset};
	const float *g = t->gradient + p->offset;
	if (rule.is_trained && rule.is_adamw) {
#pragma omp parallel for simd schedule(static) if (p->n > 65536)
		for (size_t i = 0; i < p->n; i++) {
			element_adamw_step(i, g[i], &rule, &s);
			element_average(i, &rule, &s);
		}
	} else if (rule.is_trained) {
#pragma omp parallel for simd schedule(static) if (p->n > 65536)
		for (size_t i = 0; i < p->n; i++) {
			element_sgd_step(i, g[i], &rule, &s);
			element_average(i, &rule, &s);
		}
	} else {
#pragma omp parallel for simd schedule(static) if (p->n > 65536)
		for (size_t i = 0; i < p->n; i++)
			element_average(i, &rule, &s);
	}
}

void train_move_params(struct onednn *o, struct backend_step *step)
{
	struct onednn_trainer *t = o->trainer;
	t->n_steps++;
	if (step->clip > 0)
		step->norm = gradient_norm(o, step);
	for (int i = 0; i < o->net->n_params; i++) {
		struct param_rule rule = param_rule_of(o->net, step, i, t->n_steps);
		move_param(t, &o->net->params[i], &rule);
	}
}
