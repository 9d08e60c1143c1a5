/*
 * Backward through a net. Layers are visited in reverse. Where a layer adds a skip, the slope by
 * what is added is the slope by its own output, so both share one buffer; an activation that two
 * layers read gets its second slope added to the first. Each operation says what it is for, so that
 * a step leaves out what nobody is trained by.
 */
#include "backend_onednn_train.h"

/* Through the relu after a sum, in place. */
static void add_backward_relu(struct onednn *o, int layer)
{
	const struct net_layer *l = &o->net->layers[layer];
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
	struct onednn_op *op = &train_next(pool, &t->backward, layer, TRAIN_PASS)->op;
	onednn_op_init(pool, op, onednn_desc(pool, &backward, NULL, hint, "a relu backward"));
	onednn_op_arg(op, DNNL_ARG_DST, t->act[l->dst]);
	onednn_op_arg(op, DNNL_ARG_DIFF_DST, t->slope[l->dst]);
	onednn_op_arg(op, DNNL_ARG_DIFF_SRC, t->slope[l->dst]);
}

static void norm_op(
	struct onednn *o, int layer, int is_frozen, dnnl_memory_t conv_slope, struct onednn_op *op)
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
			&norm, dnnl_backward, md, md, NET_BN_EPSILON, train_norm_flags(l, is_frozen)),
		"batch norm backward");
	onednn_op_init(pool, op,
		onednn_desc(pool, &norm, NULL, t->norm_desc[layer][is_frozen], "batch norm backward"));
	onednn_op_arg(op, DNNL_ARG_SRC, t->conv[layer]);
	onednn_op_arg(
		op, DNNL_ARG_MEAN, is_frozen ? train_vector(o, l->weight + 3, o->params) : t->mean[layer]);
	onednn_op_arg(op, DNNL_ARG_VARIANCE,
		is_frozen ? train_vector(o, l->weight + 4, o->params) : t->var[layer]);
	onednn_op_arg(op, DNNL_ARG_SCALE, train_vector(o, l->weight + 1, o->params));
	onednn_op_arg(
		op, DNNL_ARG_SHIFT, train_vector(o, l->weight + 2, o->params)); /* 2.6 wants it bound */
	onednn_op_arg(op, DNNL_ARG_DIFF_DST, t->slope[l->dst]);
	onednn_op_arg(op, DNNL_ARG_DIFF_SRC, conv_slope);
	onednn_op_arg(op, DNNL_ARG_DIFF_SCALE, train_vector(o, l->weight + 1, t->gradient));
	onednn_op_arg(op, DNNL_ARG_DIFF_SHIFT, train_vector(o, l->weight + 2, t->gradient));
	if (t->workspace[layer])
		onednn_op_arg(op, DNNL_ARG_WORKSPACE, t->workspace[layer]);
}

static void add_weight_gradient(
	struct onednn *o, int layer, const struct onednn_conv *conv, dnnl_memory_t conv_slope)
{
	struct onednn_trainer *t = o->trainer;
	struct onednn_pool *pool = &t->pool;
	const struct net_layer *l = conv->layer;
	const struct net_param *p = &o->net->params[l->weight];
	const dnnl_dims_t stride = {l->stride, l->stride}, pad = {l->pad, l->pad};
	const dnnl_memory_desc_t weights = onednn_weights_md(pool, p, dnnl_format_tag_any);
	dnnl_convolution_desc_t by_weights;
	if (t->tiles[layer].n_scratch) {
		train_next(pool, &t->backward, layer, TRAIN_WEIGHT)->is_tiled = 1;
		return;
	}
	onednn_attempt(pool,
		dnnl_convolution_backward_weights_desc_init(&by_weights, dnnl_convolution_auto, &conv->src,
			&weights, NULL, &conv->dst, stride, pad, pad),
		"a weight gradient");
	dnnl_primitive_desc_t desc = onednn_desc(
		pool, &by_weights, NULL, t->conv_desc[layer], "a weight gradient");
	dnnl_memory_t dw = onednn_memory(
		pool, onednn_query(pool, desc, dnnl_query_diff_weights_md), NULL);
	struct onednn_op *op = &train_next(pool, &t->backward, layer, TRAIN_WEIGHT)->op;
	onednn_op_init(pool, op, desc);
	onednn_op_arg(op, DNNL_ARG_SRC, t->act[l->src]);
	onednn_op_arg(op, DNNL_ARG_DIFF_DST, conv_slope);
	onednn_op_arg(op, DNNL_ARG_DIFF_WEIGHTS, dw);
	dnnl_memory_desc_t plain = onednn_weights_md(pool, p, dnnl_oihw);
	onednn_op_reorder(pool, &train_next(pool, &t->backward, layer, TRAIN_WEIGHT)->op, dw,
		onednn_memory(pool, &plain, t->gradient + p->offset));
}

static void add_data_gradient(
	struct onednn *o, int layer, const struct onednn_conv *conv, dnnl_memory_t conv_slope)
{
	struct onednn_trainer *t = o->trainer;
	struct onednn_pool *pool = &t->pool;
	const struct net_layer *l = conv->layer;
	const dnnl_dims_t stride = {l->stride, l->stride}, pad = {l->pad, l->pad};
	dnnl_convolution_desc_t by_data;
	onednn_attempt(pool,
		dnnl_convolution_backward_data_desc_init(&by_data, dnnl_convolution_auto, &conv->src,
			&conv->weights, &conv->dst, stride, pad, pad),
		"a data gradient");
	dnnl_primitive_desc_t desc = onednn_desc(
		pool, &by_data, NULL, t->conv_desc[layer], "a data gradient");
	const dnnl_memory_desc_t *want = onednn_query(pool, desc, dnnl_query_weights_md);
	dnnl_memory_t w = t->weights_copy[layer], to = t->slope[l->src];
	if (!want || !dnnl_memory_desc_equal(want, onednn_memory_md(w))) {
		w = onednn_memory(pool, want, NULL);
		onednn_op_reorder(
			pool, &train_next(pool, &t->backward, layer, TRAIN_DATA)->op, t->weights[layer], w);
	}
	if (t->is_written[l->src])
		to = onednn_memory(pool, &conv->src, t->second_slope);
	struct onednn_op *op = &train_next(pool, &t->backward, layer, TRAIN_DATA)->op;
	onednn_op_init(pool, op, desc);
	onednn_op_arg(op, DNNL_ARG_DIFF_DST, conv_slope);
	onednn_op_arg(op, DNNL_ARG_WEIGHTS, w);
	onednn_op_arg(op, DNNL_ARG_DIFF_SRC, to);
	if (t->is_written[l->src])
		train_add_sum(
			o, &train_next(pool, &t->backward, layer, TRAIN_DATA)->op, t->slope[l->src], to, 0);
	t->is_written[l->src] = 1;
}

static void add_backward_conv(struct onednn *o, int layer)
{
	struct onednn_trainer *t = o->trainer;
	const struct net_layer *l = &o->net->layers[layer];
	struct onednn_conv conv;
	if (l->add >= 0) {
		add_backward_relu(o, layer);
		t->is_written[l->add] = 1; /* they share a buffer: see backend_onednn_train.c */
	}
	train_conv_init(o, &conv, layer);
	dnnl_memory_t conv_slope = onednn_memory(&t->pool, &conv.dst, t->conv_slope);
	struct train_op *op = train_next(&t->pool, &t->backward, layer, TRAIN_PASS);
	norm_op(o, layer, 0, conv_slope, &op->op);
	norm_op(o, layer, 1, conv_slope, &op->frozen);
	add_weight_gradient(o, layer, &conv, conv_slope);
	if (l->src > 0)
		add_data_gradient(o, layer, &conv, conv_slope);
}

void train_add_backward(struct onednn *o)
{
	struct onednn_trainer *t = o->trainer;
	int last = o->net->n_layers - 1;
	if (t->is_half)
		onednn_op_reorder(&t->pool, &train_next(&t->pool, &t->backward, last, TRAIN_DATA)->op,
			t->plain_embedding_slope, t->slope[last]);
	for (int i = o->net->n_layers; i-- > 0 && t->pool.failed == dnnl_success;) {
		switch (o->net->layers[i].kind) {
		case NET_CONV:
			add_backward_conv(o, i);
			break;
		case NET_MAXPOOL:
		case NET_AVGPOOL:
			train_add_pool(o, i, 1);
			break;
		case NET_FC:
			break;
		}
	}
}
