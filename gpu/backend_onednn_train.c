/*
 * One training step, in fp32. The master parameters are the plain floats of net.h; every step
 * copies the convolutions' into the layouts that the primitives want, and gradients back.
 *
 * Backward visits layers in reverse. Where a layer adds a skip, the slope by what is added is the
 * slope by its own output, so both share one buffer; an activation that two layers read gets its
 * second slope added to the first.
 */
#include "backend_onednn.h"

#include <stdlib.h>
#include <string.h>

#define MAX_OPS (NET_MAX_LAYERS * 12)

struct op_list {
	int n;
	struct onednn_op ops[MAX_OPS];
};

struct onednn_trainer {
	struct onednn_pool pool;
	int batch;
	float *momentum, *average, *gradient; /* [n_floats] */
	float *batch_mean[NET_MAX_LAYERS], *batch_var[NET_MAX_LAYERS];
	float *picture, *embedding, *embedding_slope, *logits, *logits_slope;
	struct op_list forward, backward;
	/* While it is built: */
	dnnl_memory_t act[NET_MAX_LAYERS + 1], slope[NET_MAX_LAYERS + 1];
	dnnl_memory_t conv[NET_MAX_LAYERS], workspace[NET_MAX_LAYERS];
	dnnl_memory_t mean[NET_MAX_LAYERS], var[NET_MAX_LAYERS];
	dnnl_memory_t weights[NET_MAX_LAYERS];
	dnnl_primitive_desc_t conv_desc[NET_MAX_LAYERS], norm_desc[NET_MAX_LAYERS];
	float *conv_slope, *second_slope; /* one buffer each for all layers */
	int is_written[NET_MAX_LAYERS + 1];
};

static struct onednn_op *next(struct onednn_pool *pool, struct op_list *list)
{
	static struct onednn_op overflow;
	if (list->n == MAX_OPS) {
		onednn_attempt(pool, dnnl_runtime_error, "a list of so many steps");
		return &overflow;
	}
	return &list->ops[list->n++];
}

static dnnl_memory_t vector(struct onednn *o, int param, float *flat)
{
	const struct net_param *p = &o->net->params[param];
	dnnl_memory_desc_t md = onednn_md1(&o->trainer->pool, p->shape[0]);
	return onednn_memory(&o->trainer->pool, &md, flat + p->offset);
}

static unsigned norm_flags(const struct net_layer *l)
{
	unsigned flags = dnnl_use_scale | dnnl_use_shift;
	return l->relu && l->add < 0 ? flags | dnnl_fuse_norm_relu : flags;
}

static void add_forward_conv(struct onednn *o, int layer)
{
	struct onednn_trainer *t = o->trainer;
	struct onednn_pool *pool = &t->pool;
	const struct net_layer *l = &o->net->layers[layer];
	const struct net_param *p = &o->net->params[l->weight];
	struct onednn_conv conv;
	onednn_conv_init(pool, &conv, o->net, layer, t->batch, o->tag);
	dnnl_primitive_desc_t desc = t->conv_desc[layer] = onednn_conv_forward(
		pool, &conv, dnnl_forward_training, NULL, NULL);
	dnnl_memory_desc_t plain = onednn_weights_md(pool, p, dnnl_oihw);
	t->weights[layer] = onednn_memory(pool, &plain, o->params + p->offset);
	dnnl_memory_t w = onednn_memory(pool, onednn_query(pool, desc, dnnl_query_weights_md), NULL);
	onednn_op_reorder(pool, next(pool, &t->forward), t->weights[layer], w);
	t->conv[layer] = onednn_memory(pool, &conv.dst, NULL);
	struct onednn_op *op = next(pool, &t->forward);
	onednn_op_init(pool, op, desc);
	onednn_op_arg(op, DNNL_ARG_SRC, t->act[l->src]);
	onednn_op_arg(op, DNNL_ARG_WEIGHTS, w);
	onednn_op_arg(op, DNNL_ARG_DST, t->conv[layer]);
}

static void add_forward_norm(struct onednn *o, int layer)
{
	struct onednn_trainer *t = o->trainer;
	struct onednn_pool *pool = &t->pool;
	const struct net_layer *l = &o->net->layers[layer];
	dnnl_batch_normalization_desc_t norm;
	const dnnl_memory_desc_t *md = onednn_memory_md(t->conv[layer]);
	if (pool->failed != dnnl_success)
		return;
	onednn_attempt(pool,
		dnnl_batch_normalization_forward_desc_init(
			&norm, dnnl_forward_training, md, NET_BN_EPSILON, norm_flags(l)),
		"batch norm");
	dnnl_primitive_desc_t desc = t->norm_desc[layer] = onednn_desc(
		pool, &norm, NULL, NULL, "batch norm");
	dnnl_memory_desc_t channels = onednn_md1(pool, o->net->acts[l->dst].c);
	t->mean[layer] = onednn_memory(pool, &channels, NULL);
	t->var[layer] = onednn_memory(pool, &channels, NULL);
	t->batch_mean[layer] = onednn_memory_data(t->mean[layer]);
	t->batch_var[layer] = onednn_memory_data(t->var[layer]);
	struct onednn_op *op = next(pool, &t->forward);
	onednn_op_init(pool, op, desc);
	onednn_op_arg(op, DNNL_ARG_SRC, t->conv[layer]);
	onednn_op_arg(op, DNNL_ARG_DST, t->act[l->dst]);
	onednn_op_arg(op, DNNL_ARG_MEAN, t->mean[layer]);
	onednn_op_arg(op, DNNL_ARG_VARIANCE, t->var[layer]);
	onednn_op_arg(op, DNNL_ARG_SCALE, vector(o, l->weight + 1, o->params));
	onednn_op_arg(op, DNNL_ARG_SHIFT, vector(o, l->weight + 2, o->params));
	if (norm_flags(l) & dnnl_fuse_norm_relu) {
		t->workspace[layer] = onednn_memory(
			pool, onednn_query(pool, desc, dnnl_query_workspace_md), NULL);
		onednn_op_arg(op, DNNL_ARG_WORKSPACE, t->workspace[layer]);
	}
}

/* to = to + from, then relu where asked. */
static void add_sum(
	struct onednn *o, struct op_list *list, dnnl_memory_t to, dnnl_memory_t from, int relu)
{
	struct onednn_pool *pool = &o->trainer->pool;
	const dnnl_memory_desc_t *md = onednn_memory_md(to);
	dnnl_binary_desc_t sum;
	dnnl_post_ops_t after = NULL;
	dnnl_primitive_attr_t attr = NULL;
	if (pool->failed != dnnl_success)
		return;
	onednn_attempt(pool, dnnl_primitive_attr_create(&attr), "attributes");
	onednn_attempt(pool, dnnl_post_ops_create(&after), "attributes");
	if (relu)
		onednn_attempt(
			pool, dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_relu, 0, 0), "a relu");
	onednn_attempt(pool, dnnl_primitive_attr_set_post_ops(attr, after), "attributes");
	onednn_attempt(pool, dnnl_binary_desc_init(&sum, dnnl_binary_add, md, md, md), "a sum");
	struct onednn_op *op = next(pool, list);
	onednn_op_init(pool, op, onednn_desc(pool, &sum, attr, NULL, "a sum"));
	onednn_op_arg(op, DNNL_ARG_SRC_0, to);
	onednn_op_arg(op, DNNL_ARG_SRC_1, from);
	onednn_op_arg(op, DNNL_ARG_DST, to);
	dnnl_post_ops_destroy(after);
	dnnl_primitive_attr_destroy(attr);
}

static void add_pool(struct onednn *o, int layer, int is_backward)
{
	struct onednn_trainer *t = o->trainer;
	struct onednn_pool *pool = &t->pool;
	const struct net_layer *l = &o->net->layers[layer];
	dnnl_alg_kind_t alg = l->kind == NET_MAXPOOL ? dnnl_pooling_max
												 : dnnl_pooling_avg_exclude_padding;
	const dnnl_memory_desc_t *src = onednn_memory_md(t->act[l->src]);
	const dnnl_memory_desc_t *dst = onednn_memory_md(t->act[l->dst]);
	const dnnl_dims_t stride = {l->stride, l->stride}, kernel = {l->kernel, l->kernel};
	const dnnl_dims_t pad = {l->pad, l->pad};
	dnnl_pooling_desc_t pooling;
	if (pool->failed != dnnl_success)
		return;
	if (!is_backward) {
		onednn_attempt(pool,
			dnnl_pooling_forward_desc_init(
				&pooling, dnnl_forward_training, alg, src, dst, stride, kernel, pad, pad),
			"pooling");
		t->conv_desc[layer] = onednn_desc(pool, &pooling, NULL, NULL, "pooling");
		if (l->kind == NET_MAXPOOL)
			t->workspace[layer] = onednn_memory(
				pool, onednn_query(pool, t->conv_desc[layer], dnnl_query_workspace_md), NULL);
		struct onednn_op *op = next(pool, &t->forward);
		onednn_op_init(pool, op, t->conv_desc[layer]);
		onednn_op_arg(op, DNNL_ARG_SRC, t->act[l->src]);
		onednn_op_arg(op, DNNL_ARG_DST, t->act[l->dst]);
		if (t->workspace[layer])
			onednn_op_arg(op, DNNL_ARG_WORKSPACE, t->workspace[layer]);
		return;
	}
	onednn_attempt(pool,
		dnnl_pooling_backward_desc_init(&pooling, alg, src, dst, stride, kernel, pad, pad),
		"pooling backward");
	struct onednn_op *op = next(pool, &t->backward);
	onednn_op_init(
		pool, op, onednn_desc(pool, &pooling, NULL, t->conv_desc[layer], "pooling backward"));
	onednn_op_arg(op, DNNL_ARG_DIFF_DST, t->slope[l->dst]);
	onednn_op_arg(op, DNNL_ARG_DIFF_SRC, t->slope[l->src]);
	if (t->workspace[layer])
		onednn_op_arg(op, DNNL_ARG_WORKSPACE, t->workspace[layer]);
	t->is_written[l->src] = 1;
}

/* Through the relu after a sum, in place. */
static void add_backward_relu(struct onednn *o, const struct net_layer *l)
{
	struct onednn_trainer *t = o->trainer;
	struct onednn_pool *pool = &t->pool;
	const dnnl_memory_desc_t *md = onednn_memory_md(t->act[l->dst]);
	dnnl_eltwise_desc_t forward, backward;
	if (pool->failed != dnnl_success)
		return;
	onednn_attempt(pool,
		dnnl_eltwise_forward_desc_init(
			&forward, dnnl_forward_training, dnnl_eltwise_relu_use_dst_for_bwd, md, 0, 0),
		"a relu");
	onednn_attempt(pool,
		dnnl_eltwise_backward_desc_init(&backward, dnnl_eltwise_relu_use_dst_for_bwd, md, md, 0, 0),
		"a relu backward");
	dnnl_primitive_desc_t hint = onednn_desc(pool, &forward, NULL, NULL, "a relu");
	struct onednn_op *op = next(pool, &t->backward);
	onednn_op_init(pool, op, onednn_desc(pool, &backward, NULL, hint, "a relu backward"));
	onednn_op_arg(op, DNNL_ARG_DST, t->act[l->dst]);
	onednn_op_arg(op, DNNL_ARG_DIFF_DST, t->slope[l->dst]);
	onednn_op_arg(op, DNNL_ARG_DIFF_SRC, t->slope[l->dst]);
}

static void add_backward_norm(struct onednn *o, int layer, dnnl_memory_t conv_slope)
{
	struct onednn_trainer *t = o->trainer;
	struct onednn_pool *pool = &t->pool;
	const struct net_layer *l = &o->net->layers[layer];
	const dnnl_memory_desc_t *md = onednn_memory_md(t->conv[layer]);
	dnnl_batch_normalization_desc_t norm;
	if (pool->failed != dnnl_success)
		return;
	onednn_attempt(pool,
		dnnl_batch_normalization_backward_desc_init(
			&norm, dnnl_backward, md, md, NET_BN_EPSILON, norm_flags(l)),
		"batch norm backward");
	struct onednn_op *op = next(pool, &t->backward);
	onednn_op_init(
		pool, op, onednn_desc(pool, &norm, NULL, t->norm_desc[layer], "batch norm backward"));
	onednn_op_arg(op, DNNL_ARG_SRC, t->conv[layer]);
	onednn_op_arg(op, DNNL_ARG_MEAN, t->mean[layer]);
	onednn_op_arg(op, DNNL_ARG_VARIANCE, t->var[layer]);
	onednn_op_arg(op, DNNL_ARG_SCALE, vector(o, l->weight + 1, o->params));
	onednn_op_arg(op, DNNL_ARG_SHIFT, vector(o, l->weight + 2, o->params)); /* 2.6 wants it bound */
	onednn_op_arg(op, DNNL_ARG_DIFF_DST, t->slope[l->dst]);
	onednn_op_arg(op, DNNL_ARG_DIFF_SRC, conv_slope);
	onednn_op_arg(op, DNNL_ARG_DIFF_SCALE, vector(o, l->weight + 1, t->gradient));
	onednn_op_arg(op, DNNL_ARG_DIFF_SHIFT, vector(o, l->weight + 2, t->gradient));
	if (t->workspace[layer])
		onednn_op_arg(op, DNNL_ARG_WORKSPACE, t->workspace[layer]);
}

static void add_backward_conv(
	struct onednn *o, int layer, const struct onednn_conv *conv, dnnl_memory_t conv_slope)
{
	struct onednn_trainer *t = o->trainer;
	struct onednn_pool *pool = &t->pool;
	const struct net_layer *l = conv->layer;
	const struct net_param *p = &o->net->params[l->weight];
	const dnnl_dims_t stride = {l->stride, l->stride}, pad = {l->pad, l->pad};
	dnnl_convolution_desc_t by_weights, by_data;
	onednn_attempt(pool,
		dnnl_convolution_backward_weights_desc_init(&by_weights, dnnl_convolution_auto, &conv->src,
			&conv->weights, NULL, &conv->dst, stride, pad, pad),
		"a weight gradient");
	dnnl_primitive_desc_t desc = onednn_desc(
		pool, &by_weights, NULL, t->conv_desc[layer], "a weight gradient");
	dnnl_memory_t dw = onednn_memory(
		pool, onednn_query(pool, desc, dnnl_query_diff_weights_md), NULL);
	struct onednn_op *op = next(pool, &t->backward);
	onednn_op_init(pool, op, desc);
	onednn_op_arg(op, DNNL_ARG_SRC, t->act[l->src]);
	onednn_op_arg(op, DNNL_ARG_DIFF_DST, conv_slope);
	onednn_op_arg(op, DNNL_ARG_DIFF_WEIGHTS, dw);
	dnnl_memory_desc_t plain = onednn_weights_md(pool, p, dnnl_oihw);
	onednn_op_reorder(
		pool, next(pool, &t->backward), dw, onednn_memory(pool, &plain, t->gradient + p->offset));
	if (l->src == 0)
		return;
	onednn_attempt(pool,
		dnnl_convolution_backward_data_desc_init(&by_data, dnnl_convolution_auto, &conv->src,
			&conv->weights, &conv->dst, stride, pad, pad),
		"a data gradient");
	desc = onednn_desc(pool, &by_data, NULL, t->conv_desc[layer], "a data gradient");
	dnnl_memory_t w = onednn_memory(pool, onednn_query(pool, desc, dnnl_query_weights_md), NULL);
	dnnl_memory_t to = t->slope[l->src];
	if (t->is_written[l->src])
		to = onednn_memory(pool, &conv->src, t->second_slope);
	onednn_op_reorder(pool, next(pool, &t->backward), t->weights[layer], w);
	op = next(pool, &t->backward);
	onednn_op_init(pool, op, desc);
	onednn_op_arg(op, DNNL_ARG_DIFF_DST, conv_slope);
	onednn_op_arg(op, DNNL_ARG_WEIGHTS, w);
	onednn_op_arg(op, DNNL_ARG_DIFF_SRC, to);
	if (t->is_written[l->src])
		add_sum(o, &t->backward, t->slope[l->src], to, 0);
	t->is_written[l->src] = 1;
}

static void add_forward(struct onednn *o)
{
	struct onednn_trainer *t = o->trainer;
	for (int i = 0; i < o->net->n_layers && t->pool.failed == dnnl_success; i++) {
		const struct net_layer *l = &o->net->layers[i];
		switch (l->kind) {
		case NET_CONV:
			add_forward_conv(o, i);
			add_forward_norm(o, i);
			if (l->add >= 0)
				add_sum(o, &t->forward, t->act[l->dst], t->act[l->add], l->relu);
			break;
		case NET_MAXPOOL:
		case NET_AVGPOOL:
			add_pool(o, i, 0);
			break;
		case NET_FC:
			break;
		}
	}
}

static void add_backward(struct onednn *o)
{
	struct onednn_trainer *t = o->trainer;
	for (int i = o->net->n_layers; i-- > 0 && t->pool.failed == dnnl_success;) {
		const struct net_layer *l = &o->net->layers[i];
		struct onednn_conv conv;
		dnnl_memory_t conv_slope;
		switch (l->kind) {
		case NET_CONV:
			if (l->add >= 0) {
				add_backward_relu(o, l);
				t->is_written[l->add] = 1; /* they share a buffer: see add_buffers */
			}
			onednn_conv_init(&t->pool, &conv, o->net, i, t->batch, o->tag);
			conv_slope = onednn_memory(&t->pool, &conv.dst, t->conv_slope);
			add_backward_norm(o, i, conv_slope);
			add_backward_conv(o, i, &conv, conv_slope);
			break;
		case NET_MAXPOOL:
		case NET_AVGPOOL:
			add_pool(o, i, 1);
			break;
		case NET_FC:
			break;
		}
	}
}

/* Buffers of activations and of slopes by them. */
static void add_buffers(struct onednn *o)
{
	struct onednn_trainer *t = o->trainer;
	const struct net *net = o->net;
	size_t largest = 0;
	for (int i = net->n_layers - 1; i >= 0; i--) {
		const struct net_act *a = &net->acts[i];
		size_t size = (size_t)t->batch * (size_t)a->c * (size_t)a->h * (size_t)a->w;
		largest = size > largest ? size : largest;
		dnnl_memory_desc_t md = onednn_md4(
			&t->pool, t->batch, a->c, a->h, a->w, i ? o->tag : dnnl_nchw);
		t->act[i] = onednn_memory(&t->pool, &md, NULL);
		if (i && !t->slope[i])
			t->slope[i] = onednn_memory(&t->pool, &md, NULL);
		if (i && net->layers[i - 1].kind == NET_CONV && net->layers[i - 1].add >= 0)
			t->slope[net->layers[i - 1].add] = t->slope[i];
	}
	t->conv_slope = onednn_buffer(&t->pool, largest);
	t->second_slope = onednn_buffer(&t->pool, largest);
	t->logits = onednn_buffer(&t->pool, (size_t)t->batch * (size_t)net->n_classes);
	t->logits_slope = onednn_buffer(&t->pool, (size_t)t->batch * (size_t)net->n_classes);
	t->momentum = onednn_buffer(&t->pool, net->n_floats);
	t->average = onednn_buffer(&t->pool, net->n_floats);
	t->gradient = onednn_buffer(&t->pool, net->n_floats);
	t->picture = onednn_memory_data(t->act[0]);
	t->embedding = onednn_memory_data(t->act[net->n_layers - 1]);
	t->embedding_slope = onednn_memory_data(t->slope[net->n_layers - 1]);
}

enum status onednn_train_new(struct onednn *o, int batch, struct err *err)
{
	struct onednn_trainer *t = o->trainer = xcalloc(1, sizeof *t);
	t->pool.engine = o->engine;
	t->batch = batch;
	add_buffers(o);
	add_forward(o);
	add_backward(o);
	if (t->pool.failed == dnnl_success)
		memcpy(t->average, o->params, o->net->n_floats * sizeof *t->average);
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

const float *onednn_train_average(const struct onednn *o)
{
	return o->trainer ? o->trainer->average : NULL;
}

/* The head, forward and backward, and the loss between. */
static enum status head_step(struct onednn *o, struct backend_step *step, struct err *err)
{
	struct onednn_trainer *t = o->trainer;
	int n = t->batch, k = o->net->n_classes, d = o->net->n_features;
	const struct net_param *fc = &o->net->params[o->net->layers[o->net->n_layers - 1].weight];
	const float *w = o->params + fc[0].offset, *bias = o->params + fc[1].offset;
	float *dw = t->gradient + fc[0].offset, *db = t->gradient + fc[1].offset;
	double total = 0;
	dnnl_status_t status = dnnl_success;
	for (int i = 0; i < n; i++) {
		memcpy(t->logits + i * k, bias, (size_t)k * sizeof *bias);
		total += step->weight[i];
	}
	status |= dnnl_sgemm('N', 'T', n, k, d, 1, t->embedding, d, w, d, 1, t->logits, k);
	memset(db, 0, (size_t)k * sizeof *db);
	step->loss = 0;
	step->n_right = 0;
	for (int i = 0; i < n; i++) {
		const float *target = step->target + i * k, *logits = t->logits + i * k;
		float *slope = t->logits_slope + i * k;
		double share = step->weight[i] / total;
		step->loss += share * backend_row_loss(o->net, logits, target, (float)share, slope);
		int best = 0, truth = 0;
		for (int j = 0; j < k; j++) {
			best = logits[j] > logits[best] ? j : best;
			truth = target[j] > target[truth] ? j : truth;
			db[j] += slope[j];
		}
		step->n_right += best == truth;
	}
	status |= dnnl_sgemm('T', 'N', k, d, n, 1, t->logits_slope, k, t->embedding, d, 0, dw, d);
	status |= dnnl_sgemm('N', 'N', n, d, k, 1, t->logits_slope, k, w, d, 0, t->embedding_slope, d);
	return status == dnnl_success ? OK : err_set(err, FAULT, "oneDNN: a matrix product failed");
}

static void move_statistics(struct onednn *o)
{
	struct onednn_trainer *t = o->trainer;
	for (int i = 0; i < o->net->n_layers; i++) {
		const struct net_layer *l = &o->net->layers[i];
		if (l->kind != NET_CONV)
			continue;
		const struct net_act *a = &o->net->acts[l->dst];
		float count = (float)t->batch * (float)(a->h * a->w);
		float unbiased = count > 1 ? count / (count - 1) : 1;
		float *mean = o->params + o->net->params[l->weight + 3].offset;
		float *var = o->params + o->net->params[l->weight + 4].offset;
		for (int c = 0; c < a->c; c++) {
			mean[c] += 0.1f * (t->batch_mean[i][c] - mean[c]);
			var[c] += 0.1f * (t->batch_var[i][c] * unbiased - var[c]);
		}
	}
}

static void move_params(struct onednn *o, const struct backend_step *step)
{
	struct onednn_trainer *t = o->trainer;
	for (int i = 0; i < o->net->n_params; i++) {
		const struct net_param *p = &o->net->params[i];
		float *at = o->params + p->offset, *v = t->momentum + p->offset;
		float *average = t->average + p->offset;
		const float *g = t->gradient + p->offset;
		float decay = p->n_dims > 1 ? step->weight_decay : 0, keep = step->average;
		float momentum = step->momentum, rate = step->rate;
		if (p->kind == NET_BN_MEAN || p->kind == NET_BN_VAR)
			rate = 0; /* their gradient is 0: only the average moves */
#pragma omp parallel for simd schedule(static) if (p->n > 65536)
		for (size_t j = 0; j < p->n; j++) {
			v[j] = momentum * v[j] + g[j] + decay * at[j];
			at[j] -= rate * v[j];
			average[j] += (1 - keep) * (at[j] - average[j]);
		}
	}
}

enum status onednn_train_step(struct onednn *o, struct backend_step *step, struct err *err)
{
	struct onednn_trainer *t = o->trainer;
	onednn_normalise(o, step->rgb, t->batch, t->picture);
	enum status status = onednn_run(o, t->forward.ops, t->forward.n, err);
	if (!status)
		status = head_step(o, step, err);
	if (!status)
		status = onednn_run(o, t->backward.ops, t->backward.n, err);
	if (status)
		return status;
	move_statistics(o);
	if (step->gradient)
		memcpy(step->gradient, t->gradient, o->net->n_floats * sizeof(float));
	move_params(o, step);
	return OK;
}
