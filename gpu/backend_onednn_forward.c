/*
 * Forward through a net in training: convolution, batch norm on the batch's statistics (or on the
 * running ones, frozen: a second primitive beside the first) with its relu inside, the skip added
 * in place. Every convolution's result and every activation is kept for backward.
 */
#include "backend_onednn_train.h"

struct train_op *train_next(
	struct onednn_pool *pool, struct train_list *list, int layer, enum train_use use)
{
	static struct train_op overflow;
	if (list->n == TRAIN_MAX_OPS) {
		onednn_attempt(pool, dnnl_runtime_error, "a list of so many steps");
		return &overflow;
	}
	struct train_op *op = &list->ops[list->n++];
	op->layer = layer;
	op->use = use;
	return op;
}

dnnl_memory_desc_t train_act_md(struct onednn *o, int act)
{
	struct onednn_trainer *t = o->trainer;
	const struct net_act *a = &o->net->acts[act];
	dnnl_format_tag_t picture = t->is_half && t->tag == dnnl_nhwc ? dnnl_nhwc : dnnl_nchw;
	return onednn_md4_of(&t->pool, t->is_half ? dnnl_bf16 : dnnl_f32,
		(dnnl_dims_t){t->batch, a->c, a->h, a->w}, act ? t->tag : picture);
}

void train_conv_init(struct onednn *o, struct onednn_conv *conv, int layer)
{
	struct onednn_trainer *t = o->trainer;
	const struct net_layer *l = &o->net->layers[layer];
	const int *s = o->net->params[l->weight].shape;
	*conv = (struct onednn_conv){.layer = l,
		.src = train_act_md(o, l->src),
		.weights = onednn_md4_of(&t->pool, t->is_half ? dnnl_bf16 : dnnl_f32,
			(dnnl_dims_t){s[0], s[1], s[2], s[3]}, dnnl_format_tag_any),
		.dst = train_act_md(o, l->dst)};
}

dnnl_memory_t train_vector(struct onednn *o, int param, float *flat)
{
	const struct net_param *p = &o->net->params[param];
	dnnl_memory_desc_t md = onednn_md1(&o->trainer->pool, p->shape[0]);
	return onednn_memory(&o->trainer->pool, &md, flat + p->offset);
}

unsigned train_norm_flags(const struct net_layer *l, int is_frozen)
{
	unsigned flags = dnnl_use_scale | dnnl_use_shift;
	flags |= is_frozen ? dnnl_use_global_stats : 0;
	return l->relu && l->add < 0 ? flags | dnnl_fuse_norm_relu : flags;
}

static void add_forward_conv(struct onednn *o, int layer)
{
	struct onednn_trainer *t = o->trainer;
	struct onednn_pool *pool = &t->pool;
	const struct net_layer *l = &o->net->layers[layer];
	const struct net_param *p = &o->net->params[l->weight];
	struct onednn_conv conv;
	train_conv_init(o, &conv, layer);
	dnnl_primitive_desc_t desc = t->conv_desc[layer] = onednn_conv_forward(
		pool, &conv, dnnl_forward_training, NULL, NULL);
	dnnl_memory_desc_t plain = onednn_weights_md(pool, p, dnnl_oihw);
	t->weights[layer] = onednn_memory(pool, &plain, o->params + p->offset);
	dnnl_memory_t w = onednn_memory(pool, onednn_query(pool, desc, dnnl_query_weights_md), NULL);
	onednn_op_reorder(
		pool, &train_next(pool, &t->forward, layer, TRAIN_PASS)->op, t->weights[layer], w);
	t->weights_copy[layer] = w;
	t->conv[layer] = onednn_memory(pool, &conv.dst, NULL);
	struct onednn_op *op = &train_next(pool, &t->forward, layer, TRAIN_PASS)->op;
	onednn_op_init(pool, op, desc);
	onednn_op_arg(op, DNNL_ARG_SRC, t->act[l->src]);
	onednn_op_arg(op, DNNL_ARG_WEIGHTS, w);
	onednn_op_arg(op, DNNL_ARG_DST, t->conv[layer]);
}

static void norm_op(struct onednn *o, int layer, int is_frozen, struct onednn_op *op)
{
	struct onednn_trainer *t = o->trainer;
	struct onednn_pool *pool = &t->pool;
	const struct net_layer *l = &o->net->layers[layer];
	unsigned flags = train_norm_flags(l, is_frozen);
	dnnl_batch_normalization_desc_t norm;
	if (pool->failed != dnnl_success)
		return;
	onednn_attempt(pool,
		dnnl_batch_normalization_forward_desc_init(
			&norm, dnnl_forward_training, onednn_memory_md(t->conv[layer]), NET_BN_EPSILON, flags),
		"batch norm");
	dnnl_primitive_desc_t desc = t->norm_desc[layer][is_frozen] = onednn_desc(
		pool, &norm, NULL, NULL, "batch norm");
	onednn_op_init(pool, op, desc);
	onednn_op_arg(op, DNNL_ARG_SRC, t->conv[layer]);
	onednn_op_arg(op, DNNL_ARG_DST, t->act[l->dst]);
	onednn_op_arg(
		op, DNNL_ARG_MEAN, is_frozen ? train_vector(o, l->weight + 3, o->params) : t->mean[layer]);
	onednn_op_arg(op, DNNL_ARG_VARIANCE,
		is_frozen ? train_vector(o, l->weight + 4, o->params) : t->var[layer]);
	onednn_op_arg(op, DNNL_ARG_SCALE, train_vector(o, l->weight + 1, o->params));
	onednn_op_arg(op, DNNL_ARG_SHIFT, train_vector(o, l->weight + 2, o->params));
	if (flags & dnnl_fuse_norm_relu) {
		if (!t->workspace[layer])
			t->workspace[layer] = onednn_memory(
				pool, onednn_query(pool, desc, dnnl_query_workspace_md), NULL);
		onednn_op_arg(op, DNNL_ARG_WORKSPACE, t->workspace[layer]);
	}
}

static void add_forward_norm(struct onednn *o, int layer)
{
	struct onednn_trainer *t = o->trainer;
	struct onednn_pool *pool = &t->pool;
	dnnl_memory_desc_t channels = onednn_md1(pool, o->net->acts[o->net->layers[layer].dst].c);
	t->mean[layer] = onednn_memory(pool, &channels, NULL);
	t->var[layer] = onednn_memory(pool, &channels, NULL);
	t->batch_mean[layer] = onednn_memory_data(t->mean[layer]);
	t->batch_var[layer] = onednn_memory_data(t->var[layer]);
	struct train_op *op = train_next(pool, &t->forward, layer, TRAIN_PASS);
	norm_op(o, layer, 0, &op->op);
	norm_op(o, layer, 1, &op->frozen);
}

void train_add_sum(
	struct onednn *o, struct onednn_op *op, dnnl_memory_t to, dnnl_memory_t from, int relu)
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
	onednn_op_init(pool, op, onednn_desc(pool, &sum, attr, NULL, "a sum"));
	onednn_op_arg(op, DNNL_ARG_SRC_0, to);
	onednn_op_arg(op, DNNL_ARG_SRC_1, from);
	onednn_op_arg(op, DNNL_ARG_DST, to);
	dnnl_post_ops_destroy(after);
	dnnl_primitive_attr_destroy(attr);
}

void train_add_pool(struct onednn *o, int layer, int is_backward)
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
		struct onednn_op *op = &train_next(pool, &t->forward, layer, TRAIN_PASS)->op;
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
	struct onednn_op *op = &train_next(pool, &t->backward, layer, TRAIN_DATA)->op;
	onednn_op_init(
		pool, op, onednn_desc(pool, &pooling, NULL, t->conv_desc[layer], "pooling backward"));
	onednn_op_arg(op, DNNL_ARG_DIFF_DST, t->slope[l->dst]);
	onednn_op_arg(op, DNNL_ARG_DIFF_SRC, t->slope[l->src]);
	if (t->workspace[layer])
		onednn_op_arg(op, DNNL_ARG_WORKSPACE, t->workspace[layer]);
	t->is_written[l->src] = 1;
}

void train_add_forward(struct onednn *o)
{
	struct onednn_trainer *t = o->trainer;
	for (int i = 0; i < o->net->n_layers && t->pool.failed == dnnl_success; i++) {
		const struct net_layer *l = &o->net->layers[i];
		switch (l->kind) {
		case NET_CONV:
			add_forward_conv(o, i);
			add_forward_norm(o, i);
			if (l->add >= 0)
				train_add_sum(o, &train_next(&t->pool, &t->forward, i, TRAIN_PASS)->op,
					t->act[l->dst], t->act[l->add], l->relu);
			break;
		case NET_MAXPOOL:
		case NET_AVGPOOL:
			train_add_pool(o, i, 0);
			break;
		case NET_FC:
			break;
		}
	}
	int last = o->net->n_layers - 1;
	if (t->is_half)
		onednn_op_reorder(&t->pool, &train_next(&t->pool, &t->forward, last, TRAIN_PASS)->op,
			t->act[last], t->plain_embedding);
}
