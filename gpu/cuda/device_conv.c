/*
 * Convolutions for one batch size. In training each direction runs the first of cuDNN's engines that
 * takes the shape and repeats its bits. In inference that is where it starts; device_conv_tune then
 * times every engine, cuDNN's fused call and cuBLASLt's products on the layer's own data, and what
 * was found is known for all layers of that shape.
 */
#include "ways.h"

#include <stdlib.h>
#include <string.h>

#define TIMED_RUNS 5
#define WARM_RUNS 2

enum way_kind { WAY_PLAN, WAY_FIXED, WAY_PRODUCT };

struct way {
	enum way_kind kind;
	int i; /* of the plans or products */
};

/* One direction: its engines, and the one in use. */
struct direction {
	struct plan_list *plans;
	int i;
};

struct device_layer {
	struct device *device;
	struct plan_shape shape; /* of the forward direction */
	struct direction forward, data, weights;
	struct fixed_conv *fixed;
	struct product_conv *product;
	struct way way; /* in inference */
};

struct device_known {
	struct plan_shape shape;
	struct way way;
	struct device_known *next;
};

void device_known_free(struct device *d)
{
	while (d->known) {
		struct device_known *k = d->known;
		d->known = k->next;
		free(k);
	}
}

/* By fields: a struct's padding has no value. */
static int is_same(const struct plan_shape *a, const struct plan_shape *b)
{
	return a->kind == b->kind && a->n == b->n && a->c_in == b->c_in && a->h_in == b->h_in &&
		a->w_in == b->w_in && a->c_out == b->c_out && a->kernel == b->kernel &&
		a->stride == b->stride && a->pad == b->pad && a->relu == b->relu && a->adds == b->adds &&
		a->type == b->type;
}

static const struct device_known *known(const struct device *d, const struct plan_shape *shape)
{
	const struct device_known *k = d->known;
	while (k && !is_same(&k->shape, shape))
		k = k->next;
	return k;
}

static cudnnDataType_t type_of(enum number type)
{
	switch (type) {
	case NUMBER_SINGLE:
		return CUDNN_DATA_FLOAT;
	case NUMBER_HALF:
		return CUDNN_DATA_HALF;
	case NUMBER_BF16:
		return CUDNN_DATA_BFLOAT16;
	}
	return CUDNN_DATA_FLOAT;
}

static void refused(struct device *d, const char *what)
{
	char text[120] = "";
	if (d->failed)
		return;
	cudnnGetLastErrorString(text, sizeof text);
	d->failed = 1;
	err_set(
		&d->failure, FAULT, "cuda:%d: cuDNN has no way to run %s: %.120s", d->number, what, text);
}

/* The next engine from `i` on that can be made. 0: there is none. */
static int next_plan(struct device *d, struct direction *way)
{
	for (; way->i < plan_count(way->plans); way->i++) {
		if (plan_ready(way->plans, way->i, d->workspace_bytes))
			return 1;
	}
	return 0;
}

static void open_direction(
	struct device_layer *l, enum plan_kind kind, const char *what, struct direction *out)
{
	struct plan_shape shape = l->shape;
	if (l->device->failed)
		return;
	shape.kind = kind;
	out->plans = plan_list_new(l->device->cudnn, NULL, &shape);
	if (!next_plan(l->device, out))
		refused(l->device, what);
}

static void open_infer(struct device_layer *l)
{
	struct device *d = l->device;
	const struct device_known *k = known(d, &l->shape);
	l->forward.plans = plan_list_new(d->cudnn, NULL, &l->shape);
	l->fixed = fixed_conv_new(d, &l->shape);
	l->product = product_conv_new(d, &l->shape);
	if (k) {
		l->way = k->way;
		if (l->way.kind != WAY_PLAN || plan_ready(l->forward.plans, l->way.i, d->workspace_bytes))
			return;
	}
	l->way = (struct way){WAY_PLAN, 0};
	if (next_plan(d, &l->forward))
		l->way.i = l->forward.i;
	else if (l->fixed)
		l->way.kind = WAY_FIXED;
	else
		refused(d, "a fused convolution");
}

struct device_layer *device_layer_new(struct device *d, const struct net *net, int layer, int batch,
	enum number type, enum device_use use)
{
	const struct net_layer *from = &net->layers[layer];
	const struct net_act *in = &net->acts[from->src], *out = &net->acts[from->dst];
	if (d->failed)
		return NULL;
	struct device_layer *l = xcalloc(1, sizeof *l);
	l->device = d;
	l->shape = (struct plan_shape){.kind = use == DEVICE_INFER ? PLAN_FUSED : PLAN_FORWARD,
		.n = batch,
		.c_in = in->c == 3 ? 4 : in->c,
		.h_in = in->h,
		.w_in = in->w,
		.c_out = out->c,
		.h_out = out->h,
		.w_out = out->w,
		.kernel = from->kernel,
		.stride = from->stride,
		.pad = from->pad,
		.relu = use == DEVICE_INFER && from->relu,
		.adds = use == DEVICE_INFER && from->add >= 0,
		.type = type_of(type),
		.is_exact = type == NUMBER_SINGLE,
		.repeats = use == DEVICE_TRAIN};
	if (use == DEVICE_INFER) {
		open_infer(l);
	} else {
		open_direction(l, PLAN_FORWARD, "a convolution", &l->forward);
		open_direction(l, PLAN_WEIGHTS, "a weight gradient", &l->weights);
		if (from->src > 0)
			open_direction(l, PLAN_DATA, "a data gradient", &l->data);
	}
	if (d->failed) {
		device_layer_free(l);
		return NULL;
	}
	return l;
}

void device_layer_free(struct device_layer *l)
{
	if (!l)
		return;
	plan_list_free(l->forward.plans);
	plan_list_free(l->data.plans);
	plan_list_free(l->weights.plans);
	fixed_conv_free(l->fixed);
	product_conv_free(l->product);
	free(l);
}

/* 0 when it cannot be run that way. */
static int run_way(struct device_layer *l, struct way way, const struct device_conv *c)
{
	struct device *d = l->device;
	const struct plan_data data = {
		.x = c->x, .weights = c->weights, .bias = c->bias, .add = c->add, .y = c->y};
	switch (way.kind) {
	case WAY_PLAN:
		return plan_ready(l->forward.plans, way.i, d->workspace_bytes) &&
			plan_run(l->forward.plans, way.i, &data, d->workspace) == CUDNN_STATUS_SUCCESS;
	case WAY_FIXED:
		return l->fixed && fixed_conv_run(d, l->fixed, c);
	case WAY_PRODUCT:
		return product_conv_run(d, l->product, way.i, c);
	}
	return 0;
}

/* A layer is NULL only after a failure, but which device failed is then no longer known: callers
 * check after making layers, before running them. */
void device_conv_infer(struct device_layer *l, const struct device_conv *c)
{
	if (l->device->failed || run_way(l, l->way, c))
		return;
	if (l->device->is_recording) { /* the way may be good: the recording is not */
		refused(l->device, "a fused convolution");
		return;
	}
	int n = l->way.kind == WAY_PLAN ? plan_count(l->forward.plans) : 0;
	for (int i = l->way.i + 1; i < n; i++) { /* an engine can be made and still refuse */
		l->way.i = i;
		if (run_way(l, l->way, c))
			return;
	}
	l->way = (struct way){WAY_FIXED, 0};
	if (!run_way(l, l->way, c))
		refused(l->device, "a fused convolution");
}

/* Milliseconds a run, or -1. */
static float timed(
	struct device_layer *l, struct way way, const struct device_conv *c, const cudaEvent_t *events)
{
	cudaStream_t stream = l->device->stream;
	float ms = -1;
	for (int i = 0; i < WARM_RUNS; i++) {
		if (!run_way(l, way, c))
			return -1;
	}
	if (cudaEventRecord(events[0], stream) != cudaSuccess)
		return -1;
	for (int i = 0; i < TIMED_RUNS; i++) {
		if (!run_way(l, way, c))
			return -1;
	}
	if (cudaEventRecord(events[1], stream) != cudaSuccess ||
		cudaEventSynchronize(events[1]) != cudaSuccess ||
		cudaEventElapsedTime(&ms, events[0], events[1]) != cudaSuccess)
		return -1;
	return ms / TIMED_RUNS;
}

void device_conv_tune(struct device_layer *l, const struct device_conv *c)
{
	struct device *d = l->device;
	const int n[3] = {
		plan_count(l->forward.plans), l->fixed != NULL, product_conv_count(l->product)};
	cudaEvent_t events[2] = {NULL, NULL};
	float best = -1;
	const struct device_known *k = known(d, &l->shape);
	if (d->failed)
		return;
	if (k) {
		l->way = k->way;
		return;
	}
	device_tried(d, cudaEventCreate(&events[0]), "an event");
	device_tried(d, cudaEventCreate(&events[1]), "an event");
	for (int kind = WAY_PLAN; kind <= WAY_PRODUCT && !d->failed; kind++) {
		for (int i = 0; i < n[kind]; i++) {
			const struct way way = {(enum way_kind)kind, i};
			float ms = timed(l, way, c, events);
			if (ms < 0 || (best >= 0 && ms >= best))
				continue;
			best = ms;
			l->way = way;
		}
	}
	if (best >= 0) {
		struct device_known *found = xcalloc(1, sizeof *found);
		*found = (struct device_known){.shape = l->shape, .way = l->way, .next = d->known};
		d->known = found;
	}
	for (int i = 0; i < 2; i++) {
		if (events[i])
			cudaEventDestroy(events[i]);
	}
}

static void run_direction(
	struct device_layer *l, struct direction *way, const struct plan_data *data, const char *what)
{
	struct device *d = l->device;
	if (d->failed)
		return;
	for (; next_plan(d, way); way->i++) {
		if (plan_run(way->plans, way->i, data, d->workspace) == CUDNN_STATUS_SUCCESS)
			return;
		if (d->is_recording)
			break;
	}
	refused(d, what);
}

void device_conv(struct device_layer *l, const void *x, const void *weights, void *y)
{
	const struct plan_data data = {.x = x, .weights = weights, .y = y};
	run_direction(l, &l->forward, &data, "a convolution");
}

void device_conv_backward_weights(
	struct device_layer *l, const void *x, const void *y_slope, void *weights_slope)
{
	const struct plan_data data = {.x = x, .y_slope = y_slope, .weights_slope = weights_slope};
	run_direction(l, &l->weights, &data, "a weight gradient");
}

void device_conv_backward_data(
	struct device_layer *l, const void *weights, const void *y_slope, void *x_slope)
{
	const struct plan_data data = {.weights = weights, .y_slope = y_slope, .x_slope = x_slope};
	run_direction(l, &l->data, &data, "a data gradient");
}
