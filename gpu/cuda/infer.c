/*
 * Inference: batch norm folded into the weights, one fused call a convolution, buffers shared by
 * activations that are not alive together, the head in floats; in halves, or in floats where
 * BACKEND_SINGLE is asked for.
 *
 * A batch runs as a power of two, so that few sizes are ever prepared; what unused rows compute is
 * not read. A size runs plainly once, as one recorded graph from then on, and once it has proved
 * worth it (TUNE_AFTER) every way to run its convolutions is timed. Two batches are under way at a
 * time: while one is computed the next is copied to the card and the last one's logits are read.
 */
#include "module.h"

#include <math.h>
#include <stdlib.h>

#define N_SIZES 11                            /* batches of 1, 2, 4 ... 1024 */
#define FULL_PIXELS ((size_t)256 * 224 * 224) /* of a batch: enough to fill a large card */
#define ROOM_SHARE 2                          /* activations take at most half of the free memory */
#define TUNE_AFTER 16                         /* batches of a size */
#define N_LANES 2
#define ALIGNMENT 128 /* of weights, in numbers */

/* A batch on its way. */
struct lane {
	uint8_t *host_rgb, *rgb;    /* here, and on the card */
	float *host_out;            /* logits of all, then embeddings of all */
	int n;                      /* pictures that are waited for; 0: free */
	float *logits, *embeddings; /* where they are wanted */
};

/* What a graph of one size and lane needs to know. */
struct job {
	struct cuda *c;
	int size;
	struct lane *lane;
};

struct cuda_infer {
	enum number type;
	char *weights; /* on the card: of every convolution, then its bias */
	size_t at_weights[NET_MAX_LAYERS], at_bias[NET_MAX_LAYERS]; /* in numbers */
	float *fc_weights, *fc_bias;
	int largest; /* size */
	struct device_layer *layers[N_SIZES][NET_MAX_LAYERS];
	struct device_graph *graphs[N_SIZES][N_LANES];
	struct job jobs[N_SIZES][N_LANES];
	int n_runs[N_SIZES];
	int batch; /* that the buffers below are for */
	int n_slots, slot_of[NET_MAX_LAYERS + 1];
	size_t slot_size[NET_MAX_LAYERS + 1]; /* in numbers an image */
	void *slot[NET_MAX_LAYERS + 1];
	float *embeddings, *logits;
	struct lane lanes[N_LANES];
	int turn; /* the next lane */
};

/* Scale times weights, as the card wants them; bias after it. Returns 0 when a value is beyond the
 * type's range. */
static int fold(const struct cuda *c, const struct net_param *p, void *weights, void *bias)
{
	const enum number type = c->infer->type;
	const struct weights_shape s = cuda_weights_shape(p);
	const float *w = c->params + p[0].offset, *scale = c->params + p[1].offset;
	const float *shift = c->params + p[2].offset, *mean = c->params + p[3].offset;
	const float *var = c->params + p[4].offset;
	float most = type == NUMBER_SINGLE ? INFINITY : 65520;
	int fits = 1;
	for (size_t o = 0; o < s.n_out; o++) {
		float by = scale[o] / sqrtf(var[o] + NET_BN_EPSILON);
		for (size_t i = 0; i < s.c_in * s.taps; i++) {
			size_t in = i / s.taps, tap = i % s.taps;
			float value = by * w[o * s.c_in * s.taps + i];
			number_store(type, weights, (o * s.taps + tap) * s.c_wide + in, value);
			fits &= fabsf(value) < most;
		}
		float at_zero = shift[o] - by * mean[o];
		number_store(type, bias, o, at_zero);
		fits &= fabsf(at_zero) < most;
	}
	return fits;
}

static size_t aligned(size_t n)
{
	return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void load_head(struct cuda *c)
{
	struct cuda_infer *f = c->infer;
	const struct net_param *fc = &c->net->params[c->net->layers[c->net->n_layers - 1].weight];
	if (!f->fc_weights)
		f->fc_weights = device_alloc(c->device, fc[0].n * sizeof(float), "weights");
	if (!f->fc_bias)
		f->fc_bias = device_alloc(c->device, fc[1].n * sizeof(float), "weights");
	device_put(c->device, f->fc_weights, c->params + fc[0].offset, fc[0].n * sizeof(float));
	device_put(c->device, f->fc_bias, c->params + fc[1].offset, fc[1].n * sizeof(float));
}

static enum status load_weights(struct cuda *c, struct err *err)
{
	struct cuda_infer *f = c->infer;
	const struct net *net = c->net;
	size_t n = 0, size = number_size(f->type);
	for (int i = 0; i < net->n_layers; i++) {
		if (net->layers[i].kind != NET_CONV)
			continue;
		const struct weights_shape s = cuda_weights_shape(&net->params[net->layers[i].weight]);
		f->at_weights[i] = n;
		n += aligned(cuda_packed_size(s));
		f->at_bias[i] = n;
		n += aligned(s.n_out);
	}
	char *packed = xcalloc(n, size);
	enum status status = OK;
	for (int i = 0; i < net->n_layers && !status; i++) {
		if (net->layers[i].kind != NET_CONV)
			continue;
		const struct net_param *p = &net->params[net->layers[i].weight];
		if (!fold(c, p, packed + f->at_weights[i] * size, packed + f->at_bias[i] * size))
			status = err_set(err, FAULT,
				"%s with its batch norm is beyond half precision: run it with --device cpu",
				p->name);
	}
	if (!status) {
		if (!f->weights)
			f->weights = device_alloc(c->device, n * size, "weights");
		device_put(c->device, f->weights, packed, n * size);
		load_head(c);
		status = device_check(c->device, err);
	}
	free(packed);
	return status;
}

/* Slots for activations so that no two that are alive together share one, and no layer writes over
 * what it reads or adds. */
static void plan_slots(struct cuda_infer *f, const struct net *net)
{
	int last_use[NET_MAX_LAYERS + 1] = {0}, busy_until[NET_MAX_LAYERS + 1];
	for (int i = 0; i < net->n_layers; i++) {
		last_use[net->layers[i].src] = i;
		if (net->layers[i].add >= 0)
			last_use[net->layers[i].add] = i;
	}
	for (int act = 0; act <= net->n_layers; act++) {
		const struct net_act *a = &net->acts[act];
		size_t size = (size_t)(act == 0 ? 4 : a->c) * (size_t)a->h * (size_t)a->w;
		int found = 0;
		while (found < f->n_slots && busy_until[found] >= act - 1)
			found++;
		if (found == f->n_slots)
			f->slot_size[f->n_slots++] = 0;
		f->slot_of[act] = found;
		busy_until[found] = last_use[act];
		if (f->slot_size[found] < size)
			f->slot_size[found] = size;
	}
}

/* The largest batch: it fills a large card, and has room on this one. */
static void choose_largest(struct cuda *c)
{
	struct cuda_infer *f = c->infer;
	size_t pixels = (size_t)c->net->input_px * (size_t)c->net->input_px, image = 0;
	size_t room = device_room_bytes(c->device) / ROOM_SHARE;
	for (int i = 0; i < f->n_slots; i++)
		image += f->slot_size[i] * number_size(f->type);
	while (f->largest + 1 < N_SIZES && (pixels << (f->largest + 1)) <= FULL_PIXELS &&
		(image << (f->largest + 1)) <= room)
		f->largest++;
}

static void free_graphs(struct cuda_infer *f, int size)
{
	for (int lane = 0; lane < N_LANES; lane++) {
		device_graph_free(f->graphs[size][lane]);
		f->graphs[size][lane] = NULL;
	}
}

static void free_buffers(struct cuda *c)
{
	struct cuda_infer *f = c->infer;
	for (int size = 0; size < N_SIZES; size++)
		free_graphs(f, size); /* they have the buffers' addresses */
	for (int i = 0; i < f->n_slots; i++) {
		device_free(c->device, f->slot[i]);
		f->slot[i] = NULL;
	}
	for (int i = 0; i < N_LANES; i++) {
		struct lane *l = &f->lanes[i];
		device_free_host(c->device, l->host_rgb);
		device_free_host(c->device, l->host_out);
		device_free(c->device, l->rgb);
		*l = (struct lane){0};
	}
	device_free(c->device, f->embeddings);
	device_free(c->device, f->logits);
	f->embeddings = f->logits = NULL;
	f->batch = 0;
}

/* Nothing is under way. */
static enum status size_buffers(struct cuda *c, int batch, struct err *err)
{
	struct cuda_infer *f = c->infer;
	const struct net *net = c->net;
	size_t n = (size_t)batch, pixels = (size_t)net->input_px * (size_t)net->input_px;
	size_t k = (size_t)net->n_classes, d = (size_t)net->n_features;
	if (batch <= f->batch)
		return OK;
	free_buffers(c);
	for (int i = 0; i < f->n_slots; i++)
		f->slot[i] = device_alloc(
			c->device, n * f->slot_size[i] * number_size(f->type), "activations");
	for (int i = 0; i < N_LANES; i++) {
		struct lane *l = &f->lanes[i];
		l->rgb = device_alloc(c->device, n * pixels * 3, "pictures");
		l->host_rgb = device_alloc_host(c->device, n * pixels * 3);
		l->host_out = device_alloc_host(c->device, n * (k + d) * sizeof(float));
	}
	f->embeddings = device_alloc(c->device, n * d * sizeof(float), "embeddings");
	f->logits = device_alloc(c->device, n * k * sizeof(float), "logits");
	enum status status = device_check(c->device, err);
	if (status)
		free_buffers(c);
	else
		f->batch = batch;
	return status;
}

static enum status ready_layers(struct cuda *c, int size, struct err *err)
{
	struct cuda_infer *f = c->infer;
	if (f->layers[size][0])
		return OK;
	for (int i = 0; i < c->net->n_layers; i++) {
		if (c->net->layers[i].kind == NET_CONV)
			f->layers[size][i] = device_layer_new(
				c->device, c->net, i, 1 << size, f->type, DEVICE_INFER);
	}
	enum status status = device_check(c->device, err);
	for (int i = 0; i < NET_MAX_LAYERS && status; i++) {
		device_layer_free(f->layers[size][i]);
		f->layers[size][i] = NULL;
	}
	return status;
}

static void queue_pool(struct cuda *c, const struct net_layer *l, int batch, void *x, void *y)
{
	struct cuda_infer *f = c->infer;
	int is_last = l->dst == c->net->layers[c->net->n_layers - 1].src;
	const struct device_pool pool = {.type = f->type,
		.to = is_last ? NUMBER_SINGLE : f->type,
		.batch = batch,
		.shape = cuda_pool_shape(c->net, l)};
	if (l->kind == NET_AVGPOOL)
		device_avgpool(c->device, &pool, x, f->embeddings);
	else
		device_maxpool(c->device, &pool, x, is_last ? f->embeddings : y);
}

static void queue_head(struct cuda *c, int batch, float *host_out)
{
	struct cuda_infer *f = c->infer;
	size_t n = (size_t)batch, d = (size_t)c->net->n_features, k = (size_t)c->net->n_classes;
	device_multiply(c->device,
		&(struct device_product){.m = batch,
			.n = (int)k,
			.k = (int)d,
			.b_turned = 1,
			.a = f->embeddings,
			.b = f->fc_weights,
			.c = f->logits});
	device_add_bias(c->device, n * k, f->fc_bias, k, f->logits);
	device_lane_get(c->device, host_out, f->logits, n * k * sizeof(float));
	device_lane_get(c->device, host_out + n * k, f->embeddings, n * d * sizeof(float));
}

/* From the lane's pictures on the card to its logits here. */
static void queue_net(const struct job *job, int tunes)
{
	struct cuda *c = job->c;
	struct cuda_infer *f = c->infer;
	int batch = 1 << job->size;
	size_t pixels = (size_t)batch * (size_t)c->net->input_px * (size_t)c->net->input_px;
	size_t size = number_size(f->type);
	device_picture(c->device, f->type, pixels, job->lane->rgb, c->picture, f->slot[f->slot_of[0]]);
	for (int i = 0; i < c->net->n_layers; i++) {
		const struct net_layer *l = &c->net->layers[i];
		void *x = f->slot[f->slot_of[l->src]], *y = f->slot[f->slot_of[l->dst]];
		const struct device_conv conv = {.x = x,
			.weights = f->weights + f->at_weights[i] * size,
			.bias = f->weights + f->at_bias[i] * size,
			.add = l->add < 0 ? NULL : f->slot[f->slot_of[l->add]],
			.y = y};
		switch (l->kind) {
		case NET_CONV:
			if (tunes)
				device_conv_tune(f->layers[job->size][i], &conv);
			device_conv_infer(f->layers[job->size][i], &conv);
			break;
		case NET_MAXPOOL:
		case NET_AVGPOOL:
			queue_pool(c, l, batch, x, y);
			break;
		case NET_FC:
			queue_head(c, batch, job->lane->host_out);
			break;
		}
	}
}

static void queue_job(void *arg)
{
	queue_net(arg, 0);
}

static void run(struct cuda *c, int size, int lane)
{
	struct cuda_infer *f = c->infer;
	struct job *job = &f->jobs[size][lane];
	int n_runs = f->n_runs[size]++;
	*job = (struct job){.c = c, .size = size, .lane = &f->lanes[lane]};
	if (n_runs == 0) {
		queue_net(job, 0); /* what cannot be run so is found out here */
		return;
	}
	if (n_runs == TUNE_AFTER) {
		free_graphs(f, size);
		queue_net(job, 1);
		return;
	}
	if (!f->graphs[size][lane])
		f->graphs[size][lane] = device_graph_new(c->device, queue_job, job);
	if (f->graphs[size][lane])
		device_graph_run(f->graphs[size][lane]);
}

/* Waits for a lane's batch and hands it over. */
static enum status collect(struct cuda *c, struct lane *lane, int is_good, struct err *err)
{
	size_t k = (size_t)c->net->n_classes, d = (size_t)c->net->n_features, n = (size_t)lane->n;
	size_t batch = 1;
	if (n == 0)
		return OK;
	while (batch < n)
		batch *= 2;
	device_lane_wait(c->device, (int)(lane - c->infer->lanes));
	lane->n = 0;
	if (device_has_failed(c->device))
		return device_check(c->device, err);
	if (!is_good)
		return OK;
	memcpy(lane->logits, lane->host_out, n * k * sizeof(float));
	if (lane->embeddings)
		memcpy(lane->embeddings, lane->host_out + batch * k, n * d * sizeof(float));
	for (size_t i = 0; i < n * k; i++) {
		if (!isfinite(lane->logits[i]))
			return err_set(err, FAULT,
				"a value inside the net is beyond %s precision: run it with --device cpu",
				c->is_exact ? "single" : "half");
	}
	return OK;
}

/* Remainders run as smaller batches where a full one would be emptier than a quarter. */
static int size_for(const struct cuda_infer *f, int n)
{
	int size = 0;
	while (size < f->largest && 1 << size < n)
		size++;
	if (1 << size > n && 4 * n < 3 << size)
		size--;
	return size;
}

static enum status run_all(
	struct cuda *c, const uint8_t *rgb, int n, float *logits, float *embeddings, struct err *err)
{
	struct cuda_infer *f = c->infer;
	size_t picture = (size_t)c->net->input_px * (size_t)c->net->input_px * 3;
	enum status status = size_buffers(c, 1 << size_for(f, n), err);
	for (int at = 0; at < n && !status;) {
		int size = size_for(f, n - at), lane = f->turn;
		int now = n - at < 1 << size ? n - at : 1 << size;
		struct lane *l = &f->lanes[lane];
		f->turn = (f->turn + 1) % N_LANES;
		status = collect(c, l, 1, err);
		if (!status)
			status = ready_layers(c, size, err);
		if (status)
			break;
		memcpy(l->host_rgb, rgb + (size_t)at * picture, (size_t)now * picture);
		device_lane_put(c->device, lane, l->rgb, l->host_rgb, (size_t)now * picture);
		device_lane_use(c->device, lane);
		run(c, size, lane);
		device_lane_mark(c->device, lane);
		l->n = now;
		l->logits = logits + (size_t)at * (size_t)c->net->n_classes;
		l->embeddings = embeddings ? embeddings + (size_t)at * (size_t)c->net->n_features : NULL;
		at += now;
	}
	for (int i = 0; i < N_LANES; i++) {
		struct err ignored;
		enum status last = collect(
			c, &f->lanes[(f->turn + i) % N_LANES], !status, status ? &ignored : err);
		status = status ? status : last;
	}
	return status;
}

enum status cuda_infer_new(struct cuda *c, struct err *err)
{
	struct cuda_infer *f = c->infer = xcalloc(1, sizeof *f);
	f->type = c->is_exact ? NUMBER_SINGLE : NUMBER_HALF;
	plan_slots(f, c->net);
	enum status status = load_weights(c, err);
	choose_largest(c);
	if (!status)
		status = size_buffers(c, 1, err);
	if (status)
		cuda_infer_free(c);
	return status;
}

enum status cuda_infer(
	struct cuda *c, const uint8_t *rgb, int n, float *logits, float *embeddings, struct err *err)
{
	enum status status = OK;
	if (n == 0)
		return OK;
	if (!c->infer)
		status = cuda_infer_new(c, err);
	if (!status)
		status = run_all(c, rgb, n, logits, embeddings, err);
	if (status)
		cuda_infer_free(c);
	return status;
}

enum status cuda_infer_reload(struct cuda *c, struct err *err)
{
	if (!c->infer)
		return OK;
	enum status status = load_weights(c, err);
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
	enum number type = c->is_exact ? NUMBER_SINGLE : NUMBER_HALF;
	void *rows = xmalloc(channels * places * number_size(type));
	float *logits = xmalloc((size_t)net->n_classes * sizeof *logits);
	enum status status = OK;
	for (int i = 0; i < n && !status; i++) {
		status = cuda_infer(c, rgb + (size_t)i * picture, 1, logits, NULL, err);
		if (status)
			break;
		int slot = c->infer->slot_of[net->layers[net->n_layers - 2].src];
		device_get(c->device, rows, c->infer->slot[slot], channels * places * number_size(type));
		status = device_check(c->device, err);
		float *out = planes + (size_t)i * channels * places;
		for (size_t at = 0; at < channels * places && !status; at++)
			out[at % channels * places + at / channels] = type == NUMBER_SINGLE
				? ((const float *)rows)[at]
				: half_to_float(((const uint16_t *)rows)[at]);
	}
	free(rows);
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
		for (int i = 0; i < NET_MAX_LAYERS; i++)
			device_layer_free(f->layers[size][i]);
	device_free(c->device, f->weights);
	device_free(c->device, f->fc_weights);
	device_free(c->device, f->fc_bias);
	free(f);
	c->infer = NULL;
}
