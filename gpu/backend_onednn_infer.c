/*
 * Inference: batch norm folded into the convolutions, bias, residual and relu inside them (the
 * residual by writing over the skip's buffer), one layout and type (single or bf16) for all
 * activations, so no copy runs between layers. Primitives are made once for each batch size,
 * weights once for each layout that these want.
 *
 * In bf16 a picture whose two likeliest classes come out too near to each other to be told apart by what bf16 keeps is
 * run again in single precision (is_near_tie), so that rounding hardly ever decides what a picture shows.
 */
#include "backend_onednn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BATCH 32
#define N_PLANS 6 /* batches of 1, 2, 4, … 32 */
#define NEAR 0.01 /* is_near_tie */

struct weights {
	dnnl_memory_t memory;
	int layer;
};

struct plan {
	struct onednn_pool pool;
	int n_ops;
	struct onednn_op ops[NET_MAX_LAYERS];
	dnnl_memory_t picture, plane; /* [batch][3][px][px]; [batch][n_features][h][w] */
	float *embedding;             /* [batch][n_features] */
};

struct onednn_infer {
	int is_half;
	dnnl_data_type_t type;
	dnnl_format_tag_t tag, picture_tag;
	struct onednn_pool pool; /* weights */
	float *folded;           /* convolutions' weights, plain, at their parameter's offset */
	dnnl_memory_t bias[NET_MAX_LAYERS];
	struct weights *weights;
	int n_weights;
	struct plan *plans[N_PLANS];
};

static void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	onednn_pool_release(&plan->pool);
	free(plan);
}

static void infer_free(struct onednn_infer *f)
{
	if (!f)
		return;
	for (int i = 0; i < N_PLANS; i++)
		plan_free(f->plans[i]);
	onednn_pool_release(&f->pool);
	free(f->folded);
	free(f->weights);
	free(f);
}

void onednn_infer_free(struct onednn *o)
{
	infer_free(o->infer);
	infer_free(o->again);
	o->infer = o->again = NULL;
}

/*
 * One output channel's weights. In bf16 what rounding takes from one is given to the next: inputs
 * are positive and alike from pixel to pixel, so that errors of one sign add up and these cancel. On
 * ResNet-18 that makes the logits' error from rounding weights a third.
 */
static void fold_filter(const struct onednn *o, struct onednn_infer *f, const struct net_layer *l,
	int channel, const float *weights, float factor, float *bias)
{
	const struct net_param *p = &o->net->params[l->weight];
	size_t n_taps = (size_t)p->shape[2] * (size_t)p->shape[3];
	size_t n = (size_t)p->shape[1] * n_taps, start = (size_t)channel * n;
	float *folded = f->folded + p->offset + start, carry = 0;
	for (size_t j = 0; j < n; j++) {
		float w = weights[start + j] * factor;
		if (f->is_half && l->src == 0) { /* of a picture of bytes */
			int c = (int)(j / n_taps);
			w /= 255 * o->std[c];
			*bias += w * (onednn_picture_zero(o, c) - 255 * o->mean[c]);
		}
		folded[j] = w;
		if (f->is_half) {
			folded[j] = onednn_from_half(onednn_to_half(w + carry));
			carry += w - folded[j];
		}
	}
}

static struct onednn_infer *infer_new(const struct onednn *o, int is_half)
{
	const struct net *net = o->net;
	struct onednn_infer *f = xcalloc(1, sizeof *f);
	f->is_half = is_half;
	f->pool.engine = o->engine;
	f->type = is_half ? dnnl_bf16 : dnnl_f32;
	f->tag = onednn_choose_tag(o->engine, f->type);
	f->picture_tag = is_half && f->tag == dnnl_nhwc ? dnnl_nhwc : dnnl_nchw;
	f->folded = xmalloc(net->n_floats * sizeof *f->folded);
	for (int i = 0; i < net->n_layers; i++) {
		if (net->layers[i].kind != NET_CONV)
			continue;
		const struct net_param *p = &net->params[net->layers[i].weight];
		const float *w = o->params + p[0].offset, *scale = o->params + p[1].offset;
		const float *shift = o->params + p[2].offset, *mean = o->params + p[3].offset;
		const float *var = o->params + p[4].offset;
		dnnl_memory_desc_t md = onednn_md1(&f->pool, p->shape[0]);
		f->bias[i] = onednn_memory(&f->pool, &md, NULL);
		float *bias = onednn_memory_data(f->bias[i]);
		for (int c = 0; c < p->shape[0] && bias; c++) {
			float factor = scale[c] / sqrtf(var[c] + NET_BN_EPSILON);
			bias[c] = shift[c] - mean[c] * factor;
			fold_filter(o, f, &net->layers[i], c, w, factor, &bias[c]);
		}
	}
	return f;
}

/* A layer's folded weights in the layout that a primitive wants. */
static dnnl_memory_t weights_in(
	const struct onednn *o, struct onednn_infer *f, int layer, const dnnl_memory_desc_t *want)
{
	if (!want)
		return NULL;
	for (int i = 0; i < f->n_weights; i++) {
		if (f->weights[i].layer == layer &&
			dnnl_memory_desc_equal(onednn_memory_md(f->weights[i].memory), want))
			return f->weights[i].memory;
	}
	const struct net_param *p = &o->net->params[o->net->layers[layer].weight];
	struct onednn_pool once = {.engine = o->engine};
	struct onednn_op op;
	dnnl_memory_desc_t plain = onednn_weights_md(&once, p, dnnl_oihw);
	dnnl_memory_t from = onednn_memory(&once, &plain, f->folded + p->offset);
	dnnl_memory_t to = onednn_memory(&f->pool, want, NULL);
	onednn_op_reorder(&once, &op, from, to);
	if (once.failed == dnnl_success && onednn_run(o, &op, 1, NULL))
		onednn_attempt(&once, dnnl_runtime_error, "a reorder of weights");
	onednn_attempt(&f->pool, once.failed, once.failed_at);
	onednn_pool_release(&once);
	f->weights = xrealloc(f->weights, (size_t)(f->n_weights + 1) * sizeof *f->weights);
	f->weights[f->n_weights++] = (struct weights){to, layer};
	return to;
}

static void add_conv(const struct onednn *o, struct onednn_infer *f, struct plan *plan, int layer,
	dnnl_memory_t *memories)
{
	const struct net_layer *l = &o->net->layers[layer];
	struct onednn_pool *pool = &plan->pool;
	struct onednn_op *op = &plan->ops[plan->n_ops++];
	const int *shape = o->net->params[l->weight].shape;
	struct onednn_conv conv = {.layer = l,
		.src = *onednn_memory_md(memories[l->src]),
		.weights = onednn_md4_of(pool, f->type,
			(dnnl_dims_t){shape[0], shape[1], shape[2], shape[3]}, dnnl_format_tag_any),
		.dst = *onednn_memory_md(memories[l->dst])};
	dnnl_post_ops_t after = NULL;
	dnnl_primitive_attr_t attr = NULL;
	onednn_attempt(pool, dnnl_primitive_attr_create(&attr), "attributes");
	onednn_attempt(pool, dnnl_post_ops_create(&after), "attributes");
	if (l->add >= 0)
		onednn_attempt(pool, dnnl_post_ops_append_sum(after, 1), "a sum");
	if (l->relu)
		onednn_attempt(
			pool, dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_relu, 0, 0), "a relu");
	onednn_attempt(pool, dnnl_primitive_attr_set_post_ops(attr, after), "attributes");
	dnnl_primitive_desc_t desc = onednn_conv_forward(
		pool, &conv, dnnl_forward_inference, onednn_memory_md(f->bias[layer]), attr);
	onednn_op_init(pool, op, desc);
	onednn_op_arg(op, DNNL_ARG_SRC, memories[l->src]);
	onednn_op_arg(op, DNNL_ARG_WEIGHTS,
		weights_in(o, f, layer, onednn_query(pool, desc, dnnl_query_weights_md)));
	onednn_op_arg(op, DNNL_ARG_BIAS, f->bias[layer]);
	onednn_op_arg(op, DNNL_ARG_DST, memories[l->dst]);
	dnnl_post_ops_destroy(after);
	dnnl_primitive_attr_destroy(attr);
}

static void add_maxpool(
	const struct onednn *o, struct plan *plan, int layer, dnnl_memory_t *memories)
{
	const struct net_layer *l = &o->net->layers[layer];
	struct onednn_op *op = &plan->ops[plan->n_ops++];
	dnnl_pooling_desc_t desc;
	onednn_attempt(&plan->pool,
		dnnl_pooling_forward_desc_init(&desc, dnnl_forward_inference, dnnl_pooling_max,
			onednn_memory_md(memories[l->src]), onednn_memory_md(memories[l->dst]),
			(dnnl_dims_t){l->stride, l->stride}, (dnnl_dims_t){l->kernel, l->kernel},
			(dnnl_dims_t){l->pad, l->pad}, (dnnl_dims_t){l->pad, l->pad}),
		"pooling");
	onednn_op_init(&plan->pool, op, onednn_desc(&plan->pool, &desc, NULL, NULL, "pooling"));
	onednn_op_arg(op, DNNL_ARG_SRC, memories[l->src]);
	onednn_op_arg(op, DNNL_ARG_DST, memories[l->dst]);
}

/* The net's convolutions and its pool; the average pool and the head, its last layers, are apart. */
static struct plan *plan_new(const struct onednn *o, struct onednn_infer *f, int batch)
{
	const struct net *net = o->net;
	struct plan *plan = xcalloc(1, sizeof *plan);
	int slot[NET_MAX_LAYERS + 1];
	size_t size[NET_MAX_LAYERS + 1];
	float *buffers[NET_MAX_LAYERS + 1];
	dnnl_memory_t memories[NET_MAX_LAYERS + 1];
	plan->pool.engine = o->engine;
	int n_slots = net_plan_slots(net, slot, size), last = net->n_layers - 2;
	for (int i = 0; i < n_slots; i++)
		buffers[i] = onednn_buffer(&plan->pool, (size_t)batch * size[i] / (f->is_half ? 2 : 1) + 1);
	for (int i = 0; i <= last && plan->pool.failed == dnnl_success; i++) {
		const struct net_act *a = &net->acts[i];
		dnnl_memory_desc_t md = onednn_md4_of(&plan->pool, f->type,
			(dnnl_dims_t){batch, a->c, a->h, a->w}, i ? f->tag : f->picture_tag);
		memories[i] = onednn_memory(&plan->pool, &md, buffers[slot[i]]);
	}
	for (int i = 0; i < last && plan->pool.failed == dnnl_success; i++) {
		if (net->layers[i].kind == NET_CONV)
			add_conv(o, f, plan, i, memories);
		else
			add_maxpool(o, plan, i, memories);
	}
	plan->embedding = onednn_buffer(&plan->pool, (size_t)batch * (size_t)net->n_features);
	if (plan->pool.failed == dnnl_success) {
		plan->picture = memories[0];
		plan->plane = memories[last];
	}
	return plan;
}

/* Embeddings to logits. */
static enum status head(
	const struct onednn *o, const float *x, int n, float *logits, struct err *err)
{
	int k = o->net->n_classes, d = o->net->n_features;
	const struct net_param *fc = &o->net->params[o->net->layers[o->net->n_layers - 1].weight];
	const float *w = o->params + fc[0].offset, *bias = o->params + fc[1].offset;
	for (int i = 0; i < n; i++)
		memcpy(logits + i * k, bias, (size_t)k * sizeof *bias);
	if (dnnl_sgemm('N', 'T', n, k, d, 1, x, d, w, d, 1, logits, k) != dnnl_success)
		return err_set(err, FAULT, "oneDNN: a matrix product failed");
	return OK;
}

static enum status run_batch(struct onednn *o, struct onednn_infer *f, const uint8_t *rgb, int n,
	float *logits, float *embeddings, struct err *err)
{
	int which = 0, d = o->net->n_features;
	while (1 << which < n)
		which++;
	struct plan **slot = &f->plans[which];
	if (!*slot)
		*slot = plan_new(o, f, 1 << which);
	enum status status = onednn_pool_check(&(*slot)->pool, err);
	if (!status)
		status = onednn_pool_check(&f->pool, err);
	if (status)
		return status;
	onednn_picture(o, rgb, n, 1, (*slot)->picture);
	status = onednn_run(o, (*slot)->ops, (*slot)->n_ops, err);
	if (status)
		return status;
	onednn_embed(o->net, (*slot)->plane, f->tag, n, (*slot)->embedding);
	memcpy(embeddings, (*slot)->embedding, (size_t)n * (size_t)d * sizeof *embeddings);
	return head(o, embeddings, n, logits, err);
}

/*
 * Whether rounding may have decided which class of a head is the likeliest. What bf16 does to features moves the
 * distance between two logits in proportion to the length of the vector (w_a - w_b) x, its features' shares: with real
 * weights and photographs by .0075 of that, rms (docs/model.md).
 */
static int is_near_tie(const struct onednn *o, const float *x, const float *logits)
{
	const struct net *net = o->net;
	const float *w = o->params + net->params[net->layers[net->n_layers - 1].weight].offset;
	int d = net->n_features;
	for (int h = 0, at = 0; h < net->n_heads; at += net->head_size[h++]) {
		int a = at, b = -1;
		double squares = 0;
		for (int c = at + 1; c < at + net->head_size[h]; c++) {
			if (logits[c] > logits[a]) {
				b = a;
				a = c;
			} else if (b < 0 || logits[c] > logits[b]) {
				b = c;
			}
		}
		for (int j = 0; j < d && b >= 0; j++) {
			double share = ((double)w[a * d + j] - (double)w[b * d + j]) * (double)x[j];
			squares += share * share;
		}
		if (b >= 0 && (double)logits[a] - (double)logits[b] < NEAR * sqrt(squares))
			return 1;
	}
	return 0;
}

/* In bf16 also again in single, where that is wanted. */
static enum status run_surely(
	struct onednn *o, const uint8_t *rgb, int n, float *logits, float *embeddings, struct err *err)
{
	int k = o->net->n_classes, d = o->net->n_features;
	size_t image = (size_t)o->net->input_px * (size_t)o->net->input_px * 3;
	enum status status = run_batch(o, o->infer, rgb, n, logits, embeddings, err);
	for (int i = 0; i < n && o->is_half && !status; i++) {
		if (!is_near_tie(o, embeddings + i * d, logits + i * k))
			continue;
		if (!o->again)
			o->again = infer_new(o, 0);
		status = run_batch(
			o, o->again, rgb + (size_t)i * image, 1, logits + i * k, embeddings + i * d, err);
	}
	return status;
}

enum status onednn_infer(
	struct onednn *o, const uint8_t *rgb, int n, float *logits, float *embeddings, struct err *err)
{
	int k = o->net->n_classes, d = o->net->n_features;
	size_t image = (size_t)o->net->input_px * (size_t)o->net->input_px * 3;
	float *spare = embeddings ? NULL : xmalloc((size_t)(MAX_BATCH * d) * sizeof *spare);
	enum status status = OK;
	if (!o->infer)
		o->infer = infer_new(o, o->is_half);
	for (int i = 0; i < n && !status; i += MAX_BATCH) {
		int m = n - i < MAX_BATCH ? n - i : MAX_BATCH;
		status = run_surely(o, rgb + (size_t)i * image, m, logits + i * k,
			embeddings ? embeddings + i * d : spare, err);
	}
	free(spare);
	return status;
}

enum status onednn_features(
	struct onednn *o, const uint8_t *rgb, int n, float *planes, struct err *err)
{
	const struct net_act *a = net_plane(o->net);
	size_t image = (size_t)o->net->input_px * (size_t)o->net->input_px * 3;
	size_t size = (size_t)a->c * (size_t)a->h * (size_t)a->w;
	float *logits = xmalloc((size_t)o->net->n_classes * sizeof *logits);
	float *embedding = xmalloc((size_t)o->net->n_features * sizeof *embedding);
	enum status status = OK;
	if (!o->infer)
		o->infer = infer_new(o, o->is_half);
	for (int i = 0; i < n && !status; i++) {
		status = run_batch(o, o->infer, rgb + (size_t)i * image, 1, logits, embedding, err);
		if (status)
			break;
		struct onednn_pool once = {.engine = o->engine};
		struct onednn_op op;
		dnnl_memory_desc_t plain = onednn_md4(&once, 1, a->c, a->h, a->w, dnnl_nchw);
		onednn_op_reorder(&once, &op, o->infer->plans[0]->plane,
			onednn_memory(&once, &plain, planes + (size_t)i * size));
		status = onednn_pool_check(&once, err);
		if (!status)
			status = onednn_run(o, &op, 1, err);
		onednn_pool_release(&once);
	}
	free(logits);
	free(embedding);
	return status;
}
