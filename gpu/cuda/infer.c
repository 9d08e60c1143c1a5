/*
 * Inference: batch norm folded into half-precision weights, one fused call a convolution, buffers
 * shared as net_plan_slots says, the head in floats. A batch runs as the next power of two, so that
 * few sizes are ever prepared; what the unused rows compute is not read.
 */
#include "module.h"

#include <math.h>
#include <stdlib.h>

#define N_SIZES 8 /* batches of 1, 2, 4 ... 128 */
#define MAX_BATCH (1 << (N_SIZES - 1))
#define ALIGNMENT 128 /* in halves */

struct cuda_infer {
	uint16_t *weights; /* on the card: of every convolution, then its bias */
	size_t at_weights[NET_MAX_LAYERS], at_bias[NET_MAX_LAYERS];
	float *fc_weights, *fc_bias;
	struct device_layer *layers[N_SIZES][NET_MAX_LAYERS];
	int ready[N_SIZES];
	int batch; /* that the buffers below are for */
	int n_slots, slot_of[NET_MAX_LAYERS + 1];
	void *slot[NET_MAX_LAYERS + 1];
	uint8_t *rgb;
	float *embeddings, *logits;
};

static int padded_channels(const struct net_param *weight)
{
	return weight->shape[1] == 3 ? 4 : weight->shape[1]; /* the picture's */
}

/* Scale times weights, [c_out][kernel][kernel][c_in padded]; bias after it. Returns 0 when a value
 * is beyond a half's range. */
static int fold(const struct cuda *c, const struct net_param *p, uint16_t *weights, uint16_t *bias)
{
	int c_in = p->shape[1], c_pad = padded_channels(p), kernel = p->shape[2], fits = 1;
	const float *w = c->params + p[0].offset, *scale = c->params + p[1].offset;
	const float *shift = c->params + p[2].offset, *mean = c->params + p[3].offset;
	const float *var = c->params + p[4].offset;
	for (int o = 0; o < p->shape[0]; o++) {
		float by = scale[o] / sqrtf(var[o] + NET_BN_EPSILON);
		for (int i = 0; i < c_in; i++)
			for (int k = 0; k < kernel * kernel; k++) {
				float value = by * w[(o * c_in + i) * kernel * kernel + k];
				weights[(o * kernel * kernel + k) * c_pad + i] = half_from_float(value);
				fits &= fabsf(value) < 65520;
			}
		float at_zero = shift[o] - by * mean[o];
		bias[o] = half_from_float(at_zero);
		fits &= fabsf(at_zero) < 65520;
	}
	return fits;
}

static size_t aligned(size_t n)
{
	return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static enum status load_weights(struct cuda *c, struct err *err)
{
	struct cuda_infer *f = c->infer;
	const struct net *net = c->net;
	size_t n = 0;
	for (int i = 0; i < net->n_layers; i++) {
		if (net->layers[i].kind != NET_CONV)
			continue;
		const struct net_param *p = &net->params[net->layers[i].weight];
		f->at_weights[i] = n;
		n += aligned(p->n / (size_t)p->shape[1] * (size_t)padded_channels(p));
		f->at_bias[i] = n;
		n += aligned((size_t)p->shape[0]);
	}
	uint16_t *packed = xcalloc(n, sizeof *packed);
	enum status status = OK;
	for (int i = 0; i < net->n_layers && !status; i++) {
		if (net->layers[i].kind != NET_CONV)
			continue;
		const struct net_param *p = &net->params[net->layers[i].weight];
		if (!fold(c, p, packed + f->at_weights[i], packed + f->at_bias[i]))
			status = err_set(err, FAULT,
				"%s with its batch norm is beyond half precision: run it with --device cpu",
				p->name);
	}
	if (!status) {
		const struct net_param *fc = &net->params[net->layers[net->n_layers - 1].weight];
		f->weights = device_alloc(c->device, n * sizeof *packed, "weights");
		device_put(c->device, f->weights, packed, n * sizeof *packed);
		f->fc_weights = device_alloc(c->device, fc[0].n * sizeof(float), "weights");
		f->fc_bias = device_alloc(c->device, fc[1].n * sizeof(float), "weights");
		device_put(c->device, f->fc_weights, c->params + fc[0].offset, fc[0].n * sizeof(float));
		device_put(c->device, f->fc_bias, c->params + fc[1].offset, fc[1].n * sizeof(float));
		status = device_check(c->device, err);
	}
	free(packed);
	return status;
}

static void free_buffers(struct cuda *c)
{
	struct cuda_infer *f = c->infer;
	for (int i = 0; i < f->n_slots; i++) {
		device_free(c->device, f->slot[i]);
		f->slot[i] = NULL;
	}
	device_free(c->device, f->rgb);
	device_free(c->device, f->embeddings);
	device_free(c->device, f->logits);
	f->rgb = NULL;
	f->embeddings = f->logits = NULL;
	f->batch = 0;
}

static enum status size_buffers(struct cuda *c, int batch, struct err *err)
{
	struct cuda_infer *f = c->infer;
	const struct net *net = c->net;
	size_t slot_size[NET_MAX_LAYERS + 1], pixels = (size_t)net->input_px * (size_t)net->input_px;
	size_t n = (size_t)batch;
	if (batch <= f->batch)
		return OK;
	free_buffers(c);
	f->n_slots = net_plan_slots(net, f->slot_of, slot_size);
	if (slot_size[f->slot_of[0]] < 4 * pixels)
		slot_size[f->slot_of[0]] = 4 * pixels; /* the picture is wider here */
	for (int i = 0; i < f->n_slots; i++)
		f->slot[i] = device_alloc(c->device, n * slot_size[i] * sizeof(uint16_t), "activations");
	f->rgb = device_alloc(c->device, n * pixels * 3, "pictures");
	f->embeddings = device_alloc(
		c->device, n * (size_t)net->n_features * sizeof(float), "embeddings");
	f->logits = device_alloc(c->device, n * (size_t)net->n_classes * sizeof(float), "logits");
	enum status status = device_check(c->device, err);
	if (status)
		free_buffers(c);
	else
		f->batch = batch;
	return status;
}

static void free_layers(struct cuda_infer *f, int size)
{
	for (int i = 0; i < NET_MAX_LAYERS; i++) {
		device_layer_free(f->layers[size][i]);
		f->layers[size][i] = NULL;
	}
	f->ready[size] = 0;
}

static enum status ready_layers(struct cuda *c, int size, struct err *err)
{
	struct cuda_infer *f = c->infer;
	if (f->ready[size])
		return OK;
	for (int i = 0; i < c->net->n_layers; i++) {
		if (c->net->layers[i].kind != NET_FC)
			f->layers[size][i] = device_layer_new(c->device, c->net, i, 1 << size, DEVICE_INFER);
	}
	enum status status = device_check(c->device, err);
	if (status)
		free_layers(f, size);
	else
		f->ready[size] = 1;
	return status;
}

static void head(struct cuda *c, size_t n, const void *features)
{
	struct cuda_infer *f = c->infer;
	size_t d = (size_t)c->net->n_features, k = (size_t)c->net->n_classes;
	device_widen(c->device, n * d, features, f->embeddings);
	device_multiply(c->device,
		&(struct device_product){.m = (int)n,
			.n = (int)k,
			.k = (int)d,
			.b_turned = 1,
			.a = f->embeddings,
			.b = f->fc_weights,
			.c = f->logits});
	device_add_bias(c->device, n * k, f->fc_bias, k, f->logits);
}

/* At most MAX_BATCH pictures. */
static enum status run(
	struct cuda *c, const uint8_t *rgb, int n, float *logits, float *embeddings, struct err *err)
{
	struct cuda_infer *f = c->infer;
	const struct net *net = c->net;
	size_t pixels = (size_t)n * (size_t)net->input_px * (size_t)net->input_px;
	int size = 0;
	while (1 << size < n)
		size++;
	enum status status = size_buffers(c, 1 << size, err);
	if (!status)
		status = ready_layers(c, size, err);
	if (status)
		return status;
	device_put(c->device, f->rgb, rgb, pixels * 3);
	device_picture_half(c->device, 4 * pixels, f->rgb, c->picture, f->slot[f->slot_of[0]]);
	for (int i = 0; i < net->n_layers; i++) {
		const struct net_layer *l = &net->layers[i];
		void *x = f->slot[f->slot_of[l->src]], *y = f->slot[f->slot_of[l->dst]];
		switch (l->kind) {
		case NET_CONV:
			device_conv_infer(f->layers[size][i], x, f->weights + f->at_weights[i],
				f->weights + f->at_bias[i], l->add < 0 ? NULL : f->slot[f->slot_of[l->add]], y);
			break;
		case NET_MAXPOOL:
		case NET_AVGPOOL:
			device_pool(f->layers[size][i], x, y);
			break;
		case NET_FC:
			head(c, (size_t)n, x);
			break;
		}
	}
	size_t n_logits = (size_t)n * (size_t)net->n_classes;
	device_get(c->device, logits, f->logits, n_logits * sizeof *logits);
	if (embeddings)
		device_get(c->device, embeddings, f->embeddings,
			(size_t)n * (size_t)net->n_features * sizeof *embeddings);
	status = device_check(c->device, err);
	for (size_t i = 0; i < n_logits && !status; i++) {
		if (!isfinite(logits[i]))
			status = err_set(err, FAULT,
				"a value inside the net is beyond half precision: run it with --device cpu");
	}
	return status;
}

enum status cuda_infer(
	struct cuda *c, const uint8_t *rgb, int n, float *logits, float *embeddings, struct err *err)
{
	size_t picture = (size_t)c->net->input_px * (size_t)c->net->input_px * 3;
	enum status status = OK;
	if (!c->infer) {
		c->infer = xcalloc(1, sizeof *c->infer);
		status = load_weights(c, err);
	}
	for (int at = 0; at < n && !status; at += MAX_BATCH) {
		int now = n - at < MAX_BATCH ? n - at : MAX_BATCH;
		status = run(c, rgb + (size_t)at * picture, now,
			logits + (size_t)at * (size_t)c->net->n_classes,
			embeddings ? embeddings + (size_t)at * (size_t)c->net->n_features : NULL, err);
	}
	if (status)
		cuda_infer_free(c);
	return status;
}

/* The buffers of a run of one are read before another writes over them; rows of channels become planes. */
enum status cuda_features(struct cuda *c, const uint8_t *rgb, int n, float *planes, struct err *err)
{
	const struct net *net = c->net;
	const struct net_act *a = net_plane(net);
	size_t picture = (size_t)net->input_px * (size_t)net->input_px * 3;
	size_t channels = (size_t)a->c, places = (size_t)a->h * (size_t)a->w;
	uint16_t *halves = xmalloc(channels * places * sizeof *halves);
	float *logits = xmalloc((size_t)net->n_classes * sizeof *logits);
	enum status status = OK;
	for (int i = 0; i < n && !status; i++) {
		status = cuda_infer(c, rgb + (size_t)i * picture, 1, logits, NULL, err);
		if (status)
			break;
		int slot = c->infer->slot_of[net->layers[net->n_layers - 2].src];
		device_get(c->device, halves, c->infer->slot[slot], channels * places * sizeof *halves);
		status = device_check(c->device, err);
		float *out = planes + (size_t)i * channels * places;
		for (size_t at = 0; at < channels * places && !status; at++)
			out[at % channels * places + at / channels] = half_to_float(halves[at]);
	}
	free(halves);
	free(logits);
	return status;
}

void cuda_infer_free(struct cuda *c)
{
	struct cuda_infer *f = c->infer;
	if (!f)
		return;
	free_buffers(c);
	for (int size = 0; size < N_SIZES; size++)
		free_layers(f, size);
	device_free(c->device, f->weights);
	device_free(c->device, f->fc_weights);
	device_free(c->device, f->fc_bias);
	free(f);
	c->infer = NULL;
}
