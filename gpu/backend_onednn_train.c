/*
 * A training step on oneDNN: what a step needs is run, the gradient is added up over ranks in parts
 * while the rest of it is still to be computed, and then the parameters move.
 */
#include "backend_onednn_train.h"

#include <stdlib.h>
#include <string.h>

#define BUCKET_FLOATS (1 << 20) /* of the gradient, that ranks add up at once */

/* The head reads and writes floats; one pixel of floats is the same bytes in every layout. */
static void add_embedding(struct onednn *o)
{
	struct onednn_trainer *t = o->trainer;
	int last = o->net->n_layers - 1;
	dnnl_memory_desc_t md = onednn_md4(&t->pool, t->batch, o->net->n_features, 1, 1, dnnl_nchw);
	t->plain_embedding = t->is_half ? onednn_memory(&t->pool, &md, NULL) : t->act[last];
	t->plain_embedding_slope = t->is_half ? onednn_memory(&t->pool, &md, NULL) : t->slope[last];
	t->embedding = onednn_memory_data(t->plain_embedding);
	t->embedding_slope = onednn_memory_data(t->plain_embedding_slope);
}

/* Buffers of activations and of slopes by them. A sum's slope is its terms': one buffer. */
static void add_buffers(struct onednn *o)
{
	struct onednn_trainer *t = o->trainer;
	const struct net *net = o->net;
	size_t largest = 0, n = (size_t)t->batch, k = (size_t)net->n_classes;
	for (int i = net->n_layers - 1; i >= 0; i--) {
		const struct net_act *a = &net->acts[i];
		size_t size = n * (size_t)a->c * (size_t)a->h * (size_t)a->w;
		largest = size > largest ? size : largest;
		dnnl_memory_desc_t md = train_act_md(o, i);
		t->act[i] = onednn_memory(&t->pool, &md, NULL);
		if (i && !t->slope[i])
			t->slope[i] = onednn_memory(&t->pool, &md, NULL);
		if (i && net->layers[i - 1].kind == NET_CONV && net->layers[i - 1].add >= 0)
			t->slope[net->layers[i - 1].add] = t->slope[i];
	}
	t->conv_slope = onednn_buffer(&t->pool, largest);
	t->second_slope = onednn_buffer(&t->pool, largest);
	t->logits = onednn_buffer(&t->pool, n * k);
	t->logits_slope = onednn_buffer(&t->pool, n * k);
	t->row_loss = onednn_buffer(&t->pool, n);
	t->state.live = o->params;
	t->state.average = onednn_buffer(&t->pool, net->n_floats);
	t->state.momentum = onednn_buffer(&t->pool, net->n_floats);
	t->state.second = onednn_buffer(&t->pool, net->n_floats);
	t->gradient = onednn_buffer(&t->pool, net->n_floats);
	t->norm_sums = (double *)onednn_buffer(&t->pool, net->n_floats / TRAIN_NORM_CHUNK * 2 + 2);
	add_embedding(o);
}

enum status onednn_train_new(struct onednn *o, const struct backend_config *config, struct err *err)
{
	struct onednn_trainer *t = o->trainer = xcalloc(1, sizeof *t);
	t->pool.engine = o->engine;
	t->batch = config->train_batch;
	t->ranks = config->ranks;
	t->is_half = o->is_half;
	t->tag = onednn_choose_tag(o->engine, o->is_half ? dnnl_bf16 : dnnl_f32);
	add_buffers(o);
	train_add_forward(o);
	train_add_backward(o);
	if (t->pool.failed == dnnl_success)
		memcpy(t->state.average, o->params, o->net->n_floats * sizeof(float));
	return onednn_pool_check(&t->pool, err);
}

void onednn_train_free(struct onednn *o)
{
	if (!o->trainer)
		return;
	onednn_pool_release(&o->trainer->pool);
	free(o->trainer);
	o->trainer = NULL;
}

float *onednn_train_state(struct onednn *o, enum backend_state which)
{
	return o->trainer ? *param_state_of(&o->trainer->state, which) : NULL;
}

void onednn_train_set_steps(struct onednn *o, int64_t n_steps)
{
	o->trainer->n_steps = n_steps;
}

static int is_wanted(const struct onednn *o, const struct train_op *op, const struct step_wanted *w)
{
	switch (op->use) {
	case TRAIN_PASS:
		return w->slope[o->net->layers[op->layer].dst];
	case TRAIN_WEIGHT:
		return w->weight[op->layer];
	case TRAIN_DATA:
		return w->slope[o->net->layers[op->layer].src];
	}
	return 1;
}

static enum status run_op(
	const struct onednn *o, const struct train_op *op, int is_frozen, struct err *err)
{
	return onednn_run(o, is_frozen && op->frozen.primitive ? &op->frozen : &op->op, 1, err);
}

/* The gradient of [from, *end) becomes the mean over the ranks; *end becomes from. */
static enum status send(struct onednn_trainer *t, size_t from, size_t *end, struct err *err)
{
	size_t n = *end - from;
	float *at = t->gradient + from, share = 1 / (float)t->ranks->n_ranks;
	enum status status = n ? t->ranks->sum(t->ranks->arg, at, n, err) : OK;
	for (size_t i = 0; i < n; i++)
		at[i] *= share;
	*end = from;
	return status;
}

/* The parameters of layers lie in their order, so what is known of the gradient grows downwards
 * from its end. */
static enum status backward(struct onednn *o, const struct backend_step *step, struct err *err)
{
	struct onednn_trainer *t = o->trainer;
	const struct net *net = o->net;
	struct step_wanted wanted;
	size_t known = net->params[net->layers[net->n_layers - 1].weight].offset;
	size_t unsent = net->n_floats;
	enum status status = OK;
	step_wanted_of(net, step, &wanted);
	for (int i = 0; i < t->backward.n && !status; i++) {
		const struct train_op *op = &t->backward.ops[i];
		if (is_wanted(o, op, &wanted))
			status = run_op(o, op, step->is_norm_frozen, err);
		if (i + 1 < t->backward.n && t->backward.ops[i + 1].layer == op->layer)
			continue;
		if (wanted.trained[op->layer])
			known = net->params[net->layers[op->layer].weight].offset;
		if (!status && t->ranks && unsent - known >= BUCKET_FLOATS)
			status = send(t, known, &unsent, err);
	}
	if (!status && t->ranks)
		status = send(t, known, &unsent, err);
	return status;
}

enum status onednn_train_step(struct onednn *o, struct backend_step *step, struct err *err)
{
	struct onednn_trainer *t = o->trainer;
	enum status status = OK;
	onednn_picture(o, step->rgb, t->batch, 0, t->act[0]);
	for (int i = 0; i < t->forward.n && !status; i++)
		status = run_op(o, &t->forward.ops[i], step->is_norm_frozen, err);
	if (!status)
		status = train_head_step(o, step, err);
	if (!status)
		status = backward(o, step, err);
	if (status)
		return status;
	if (step->gradient)
		memcpy(step->gradient, t->gradient, o->net->n_floats * sizeof(float));
	train_move_statistics(o, step);
	train_move_params(o, step);
	return OK;
}
