/*
 * A training step: activations in bf16, sums, parameters and statistics in single precision; or all
 * in single precision, which is the way that is checked against the reference. Forward and backward
 * layer by layer, the loss on the card; nothing comes back before the step's end.
 *
 * The slope by an activation has one part or two (a block's input goes into its first convolution
 * and into its sum): whoever reads it adds them up, so that no kernel is spent on that.
 */
#include "module.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BUCKET                                                                                     \
	((size_t)4 << 20)   /* floats of the gradient that are averaged over the ranks at once */
#define PICTURE_PARTS 4 /* copied one while the next is made ready */
#define LANE 0

struct slope {
	void *parts[2];
	int n;
};

/* Memory of slopes, reused as backward goes. */
struct spare {
	void *at;
	size_t size;
	int is_used;
};

/* What comes from here in a step and what goes back: offsets into one block, here and on the card. */
struct staged {
	size_t rgb, target, share, ranges, size;
};

struct cuda_trainer {
	int batch;
	enum number type;
	int64_t n_steps;
	struct device_layer *layers[NET_MAX_LAYERS];
	float *params, *average, *momentum, *second, *gradient; /* [n_floats] */
	void *act[NET_MAX_LAYERS + 1]; /* values of activations: floats from the last pool on */
	void *conv[NET_MAX_LAYERS];    /* what a layer's batch norm reads */
	void *weights[NET_MAX_LAYERS]; /* packed */
	struct norm_channel *channels[NET_MAX_LAYERS];
	uint16_t *chosen[NET_MAX_LAYERS]; /* by a maximum */
	void *conv_slope, *weights_slope; /* of one layer at a time */
	struct slope slopes[NET_MAX_LAYERS + 1];
	struct spare spares[2 * NET_MAX_LAYERS];
	int n_spares;
	float *norm; /* [2]: device_gradient_norm's */
	struct staged staged;
	char *host, *card;  /* staged, here and on the card */
	float *host_result; /* loss [batch], norm [2]; then is_right [batch] */
	float *loss;
	int *is_right;
};

static size_t act_size(const struct cuda *c, int act)
{
	const struct net_act *a = &c->net->acts[act];
	return (size_t)c->trainer->batch * (size_t)(act == 0 ? 4 : a->c) * (size_t)a->h * (size_t)a->w;
}

static float *floats(struct cuda *c, size_t n, const char *what)
{
	return device_alloc(c->device, n * sizeof(float), what);
}

static void *numbers(struct cuda *c, size_t n, const char *what)
{
	return device_alloc(c->device, n * number_size(c->trainer->type), what);
}

/* The smallest spare that is large enough, or a new one. */
static void *slope_memory(struct cuda *c, size_t size)
{
	struct cuda_trainer *t = c->trainer;
	struct spare *best = NULL;
	for (int i = 0; i < t->n_spares; i++) {
		struct spare *s = &t->spares[i];
		if (!s->is_used && s->size >= size && (!best || s->size < best->size))
			best = s;
	}
	if (!best) {
		best = &t->spares[t->n_spares++];
		*best = (struct spare){.at = numbers(c, size, "slopes"), .size = size};
	}
	best->is_used = 1;
	return best->at;
}

static void release(struct cuda_trainer *t, const void *at)
{
	for (int i = 0; i < t->n_spares; i++) {
		if (t->spares[i].at == at)
			t->spares[i].is_used = 0;
	}
}

static void add_part(struct slope *slope, void *at)
{
	assert(slope->n < 2);
	slope->parts[slope->n++] = at;
}

/* In the order of backward: where each part lies, and when it is done with. */
static void plan_slopes(struct cuda *c)
{
	struct cuda_trainer *t = c->trainer;
	const struct net *net = c->net;
	for (int i = net->n_layers - 1; i >= 0; i--) {
		const struct net_layer *l = &net->layers[i];
		struct slope *own = &t->slopes[l->dst];
		if (l->kind == NET_FC || l->dst == net->layers[net->n_layers - 1].src) {
			add_part(&t->slopes[l->src], /* the features' are floats, of their own */
				l->kind == NET_FC ? floats(c, act_size(c, l->src), "slopes")
								  : slope_memory(c, act_size(c, l->src)));
			continue;
		}
		if (l->src > 0)
			add_part(&t->slopes[l->src], slope_memory(c, act_size(c, l->src)));
		if (l->add >= 0)
			add_part(&t->slopes[l->add], own->parts[0]);
		else
			release(t, own->parts[0]);
		if (own->n == 2)
			release(t, own->parts[1]);
	}
}

static void alloc_layer(struct cuda *c, int i, size_t *largest_conv, size_t *largest_weights)
{
	struct cuda_trainer *t = c->trainer;
	const struct net_layer *l = &c->net->layers[i];
	size_t size = act_size(c, l->dst);
	int is_float = l->kind == NET_FC || l->dst == c->net->layers[c->net->n_layers - 1].src;
	t->act[l->dst] = is_float ? floats(c, size, "activations") : numbers(c, size, "activations");
	if (l->kind == NET_MAXPOOL)
		t->chosen[i] = device_alloc(c->device, size * sizeof(uint16_t), "activations");
	if (l->kind != NET_CONV)
		return;
	size_t n_weights = cuda_packed_size(cuda_weights_shape(&c->net->params[l->weight]));
	t->conv[i] = numbers(c, size, "activations");
	t->weights[i] = numbers(c, n_weights, "weights");
	t->channels[i] = device_alloc(c->device,
		(size_t)c->net->acts[l->dst].c * sizeof(struct norm_channel), "batch statistics");
	*largest_conv = size > *largest_conv ? size : *largest_conv;
	*largest_weights = n_weights > *largest_weights ? n_weights : *largest_weights;
	t->layers[i] = device_layer_new(c->device, c->net, i, t->batch, t->type, DEVICE_TRAIN);
}

static size_t aligned(size_t n)
{
	return (n + 255) / 256 * 256;
}

static void alloc_staged(struct cuda *c)
{
	struct cuda_trainer *t = c->trainer;
	size_t batch = (size_t)t->batch, px = (size_t)c->net->input_px;
	struct staged *s = &t->staged;
	s->target = aligned(batch * px * px * 3);
	s->share = s->target + aligned(batch * (size_t)c->net->n_classes * sizeof(float));
	s->ranges = s->share + aligned(batch * sizeof(float));
	s->size = s->ranges + aligned((size_t)c->net->n_params * sizeof(struct step_range));
	t->host = device_alloc_host(c->device, s->size);
	t->card = device_alloc(c->device, s->size, "pictures");
	t->host_result = device_alloc_host(c->device, (2 * batch + 2) * sizeof(float));
	t->loss = floats(c, batch, "the loss");
	t->is_right = device_alloc(c->device, batch * sizeof(int), "the loss");
	t->norm = floats(c, 2, "the gradient's norm");
}

enum status cuda_train_new(struct cuda *c, int batch, struct err *err)
{
	struct cuda_trainer *t = c->trainer = xcalloc(1, sizeof *t);
	const struct net *net = c->net;
	size_t n_bytes = net->n_floats * sizeof(float), largest_conv = 0, largest_weights = 0;
	t->batch = batch;
	t->type = c->is_exact ? NUMBER_SINGLE : NUMBER_BF16;
	t->params = floats(c, net->n_floats, "parameters");
	t->average = floats(c, net->n_floats, "parameters");
	t->momentum = floats(c, net->n_floats, "parameters");
	t->second = floats(c, net->n_floats, "parameters");
	t->gradient = floats(c, net->n_floats, "parameters");
	device_put(c->device, t->params, c->params, n_bytes);
	device_put(c->device, t->average, c->params, n_bytes);
	t->act[0] = numbers(c, act_size(c, 0), "activations");
	for (int i = 0; i < net->n_layers; i++)
		alloc_layer(c, i, &largest_conv, &largest_weights);
	t->conv_slope = numbers(c, largest_conv, "slopes");
	t->weights_slope = numbers(c, largest_weights, "slopes");
	add_part(&t->slopes[net->n_layers], floats(c, act_size(c, net->n_layers), "slopes"));
	plan_slopes(c);
	alloc_staged(c);
	return device_check(c->device, err);
}

void cuda_train_free(struct cuda *c)
{
	struct cuda_trainer *t = c->trainer;
	if (!t)
		return;
	int last = c->net->n_layers, features = c->net->layers[last - 1].src;
	for (int i = 0; i < NET_MAX_LAYERS; i++) {
		device_layer_free(t->layers[i]);
		device_free(c->device, t->conv[i]);
		device_free(c->device, t->weights[i]);
		device_free(c->device, t->channels[i]);
		device_free(c->device, t->chosen[i]);
	}
	for (int i = 0; i <= NET_MAX_LAYERS; i++)
		device_free(c->device, t->act[i]);
	for (int i = 0; i < t->n_spares; i++)
		device_free(c->device, t->spares[i].at);
	device_free(c->device, t->slopes[last].parts[0]);
	device_free(c->device, t->slopes[features].parts[0]);
	void *const others[] = {t->params, t->average, t->momentum, t->second, t->gradient,
		t->conv_slope, t->weights_slope, t->norm, t->card, t->loss, t->is_right};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		device_free(c->device, others[i]);
	device_free_host(c->device, t->host);
	device_free_host(c->device, t->host_result);
	free(t);
	c->trainer = NULL;
}

static float *state_of(const struct cuda_trainer *t, enum backend_state which)
{
	switch (which) {
	case BACKEND_LIVE:
		return t->params;
	case BACKEND_AVERAGE:
		return t->average;
	case BACKEND_MOMENTUM:
		return t->momentum;
	case BACKEND_SECOND:
		return t->second;
	}
	return NULL;
}

enum status cuda_train_read(struct cuda *c, enum backend_state which, float *out, struct err *err)
{
	device_get(c->device, out, state_of(c->trainer, which), c->net->n_floats * sizeof *out);
	return device_check(c->device, err);
}

enum status cuda_train_write(
	struct cuda *c, enum backend_state which, const float *in, int64_t n_steps, struct err *err)
{
	device_put(c->device, state_of(c->trainer, which), in, c->net->n_floats * sizeof *in);
	c->trainer->n_steps = n_steps;
	return device_check(c->device, err);
}

static float *param(const struct cuda *c, int i)
{
	return c->trainer->params + c->net->params[i].offset;
}

static float *slope_of_param(const struct cuda *c, int i)
{
	return c->trainer->gradient + c->net->params[i].offset;
}

static struct device_norm norm_of(const struct cuda *c, int layer, int is_frozen)
{
	const struct net_layer *l = &c->net->layers[layer];
	const struct net_act *a = &c->net->acts[l->dst];
	return (struct device_norm){.type = c->trainer->type,
		.rows = (size_t)c->trainer->batch * (size_t)a->h * (size_t)a->w,
		.c = a->c,
		.is_frozen = is_frozen,
		.scale = param(c, l->weight + 1),
		.shift = param(c, l->weight + 2),
		.running_mean = param(c, l->weight + 3),
		.running_var = param(c, l->weight + 4),
		.channels = c->trainer->channels[layer],
		.scale_slope = slope_of_param(c, l->weight + 1),
		.shift_slope = slope_of_param(c, l->weight + 2)};
}

static struct device_pool pool_of(const struct cuda *c, int layer)
{
	const struct cuda_trainer *t = c->trainer;
	const struct net_layer *l = &c->net->layers[layer];
	int is_last = l->dst == c->net->layers[c->net->n_layers - 1].src;
	return (struct device_pool){.type = t->type,
		.to = is_last ? NUMBER_SINGLE : t->type,
		.batch = t->batch,
		.shape = cuda_pool_shape(c->net, l),
		.chosen = t->chosen[layer]};
}

static void forward(struct cuda *c, int is_frozen)
{
	struct cuda_trainer *t = c->trainer;
	const struct net *net = c->net;
	for (int i = 0; i < net->n_layers; i++) {
		const struct net_layer *l = &net->layers[i];
		const struct device_pool pool = pool_of(c, i);
		struct device_norm norm;
		void *x = t->act[l->src], *y = t->act[l->dst];
		switch (l->kind) {
		case NET_CONV:
			norm = norm_of(c, i, is_frozen);
			device_pack(c->device, t->type, cuda_weights_shape(&net->params[l->weight]),
				param(c, l->weight), t->weights[i]);
			device_conv(t->layers[i], x, t->weights[i], t->conv[i]);
			device_norm(
				c->device, &norm, t->conv[i], l->add < 0 ? NULL : t->act[l->add], l->relu, y);
			break;
		case NET_MAXPOOL:
			device_maxpool(c->device, &pool, x, y);
			break;
		case NET_AVGPOOL:
			device_avgpool(c->device, &pool, x, y);
			break;
		case NET_FC:
			device_multiply(c->device,
				&(struct device_product){.m = t->batch,
					.n = net->n_classes,
					.k = net->n_features,
					.b_turned = 1,
					.a = x,
					.b = param(c, l->weight),
					.c = y});
			device_add_bias(
				c->device, act_size(c, l->dst), param(c, l->weight + 1), (size_t)net->n_classes, y);
			break;
		}
	}
}

static void loss(struct cuda *c)
{
	struct cuda_trainer *t = c->trainer;
	const struct net *net = c->net;
	int last = net->n_layers;
	struct device_loss l = {.shape = {.n_classes = net->n_classes, .n_heads = net->n_heads},
		.n = (size_t)t->batch,
		.logits = t->act[last],
		.target = (const float *)(t->card + t->staged.target),
		.share = (const float *)(t->card + t->staged.share),
		.slope = t->slopes[last].parts[0],
		.loss = t->loss,
		.is_right = t->is_right};
	static_assert(LOSS_MAX_HEADS >= NET_MAX_HEADS, "heads");
	memcpy(l.shape.head_size, net->head_size, (size_t)net->n_heads * sizeof(int));
	device_loss(c->device, &l);
}

static void head_backward(struct cuda *c, const struct net_layer *l)
{
	struct cuda_trainer *t = c->trainer;
	int d = c->net->n_features, k = c->net->n_classes;
	float *slope = t->slopes[l->dst].parts[0];
	device_column_sum(
		c->device, (size_t)t->batch, (size_t)k, slope, slope_of_param(c, l->weight + 1));
	device_multiply(c->device,
		&(struct device_product){.m = k,
			.n = d,
			.k = t->batch,
			.a_turned = 1,
			.a = slope,
			.b = t->act[l->src],
			.c = slope_of_param(c, l->weight)});
	device_multiply(c->device,
		&(struct device_product){.m = t->batch,
			.n = d,
			.k = k,
			.a = slope,
			.b = param(c, l->weight),
			.c = t->slopes[l->src].parts[0]});
}

/* Where the part of a layer's slope by its source lies: the first that was made. */
static void *slope_by_source(const struct cuda_trainer *t, const struct net_layer *l, int *n_parts)
{
	return t->slopes[l->src].parts[n_parts[l->src]++];
}

static void conv_backward(struct cuda *c, int i, int is_frozen, int *n_parts)
{
	struct cuda_trainer *t = c->trainer;
	const struct net_layer *l = &c->net->layers[i];
	const struct device_norm norm = norm_of(c, i, is_frozen);
	const struct slope *own = &t->slopes[l->dst];
	const struct norm_slope slope = {.a = own->parts[0],
		.b = own->parts[1],
		.x = t->conv[i],
		.y = l->add < 0 ? NULL : t->act[l->dst],
		.relu = l->relu};
	device_norm_backward(c->device, &norm, &slope, t->conv_slope);
	device_conv_backward_weights(t->layers[i], t->act[l->src], t->conv_slope, t->weights_slope);
	device_unpack(c->device, t->type, cuda_weights_shape(&c->net->params[l->weight]),
		t->weights_slope, slope_of_param(c, l->weight));
	if (l->src > 0)
		device_conv_backward_data(
			t->layers[i], t->weights[i], t->conv_slope, slope_by_source(t, l, n_parts));
	if (l->add >= 0)
		n_parts[l->add]++; /* own->parts[0], masked */
}

/* Gradients from `at` on are done: those that are not on their way go, when they are many or all. */
static size_t send_gradients(struct cuda *c, size_t at, size_t end)
{
	if (!c->has_ranks || (end - at < BUCKET && at > 0) || at == end)
		return end;
	device_ranks_mean(c->device, c->trainer->gradient + at, end - at);
	return at;
}

static void backward(struct cuda *c, int is_frozen)
{
	struct cuda_trainer *t = c->trainer;
	const struct net *net = c->net;
	int n_parts[NET_MAX_LAYERS + 1] = {0};
	size_t unsent = net->n_floats;
	for (int i = net->n_layers; i-- > 0;) {
		const struct net_layer *l = &net->layers[i];
		const struct device_pool pool = pool_of(c, i);
		const struct slope *own = &t->slopes[l->dst];
		switch (l->kind) {
		case NET_CONV:
			conv_backward(c, i, is_frozen, n_parts);
			break;
		case NET_MAXPOOL:
			device_maxpool_backward(
				c->device, &pool, own->parts[0], own->parts[1], slope_by_source(t, l, n_parts));
			break;
		case NET_AVGPOOL:
			device_avgpool_backward(
				c->device, &pool, own->parts[0], slope_by_source(t, l, n_parts));
			break;
		case NET_FC:
			head_backward(c, l);
			break;
		}
		if (l->weight >= 0)
			unsent = send_gradients(c, net->params[l->weight].offset, unsent);
	}
	if (c->has_ranks)
		device_ranks_wait(c->device);
}

static struct step_range range_of(
	const struct net *net, const struct backend_step *step, int param, double t)
{
	const struct net_param *p = &net->params[param];
	float by = step->layer_rate ? step->layer_rate[param] : 1;
	return (struct step_range){.at = p->offset,
		.n = p->n,
		.is_trained = p->kind != NET_BN_MEAN && p->kind != NET_BN_VAR && by != 0,
		.is_adamw = step->rule == BACKEND_ADAMW,
		.rate = step->rate * by,
		.momentum = step->momentum,
		.beta2 = step->beta2,
		.decay = p->n_dims > 1 ? step->weight_decay : 0,
		.by_momentum = (float)(1 / (1 - pow((double)step->momentum, t))),
		.by_beta2 = (float)(1 / (1 - pow((double)step->beta2, t))),
		.average = step->average};
}

/* The batch to the card: a part is copied there while the next is copied here. */
static void stage(struct cuda *c, const struct backend_step *step)
{
	struct cuda_trainer *t = c->trainer;
	const struct net *net = c->net;
	size_t n_rgb = (size_t)t->batch * (size_t)net->input_px * (size_t)net->input_px * 3;
	size_t part = aligned(n_rgb / PICTURE_PARTS + 1);
	struct step_range *ranges = (struct step_range *)(t->host + t->staged.ranges);
	float *share = (float *)(t->host + t->staged.share);
	double total = 0;
	if (device_has_failed(c->device))
		return;
	for (size_t at = 0; at < n_rgb; at += part) {
		size_t n = n_rgb - at < part ? n_rgb - at : part;
		memcpy(t->host + at, step->rgb + at, n);
		device_lane_put(c->device, LANE, t->card + at, t->host + at, n);
	}
	memcpy(t->host + t->staged.target, step->target,
		(size_t)t->batch * (size_t)net->n_classes * sizeof(float));
	for (int i = 0; i < t->batch; i++)
		total += (double)step->weight[i];
	for (int i = 0; i < t->batch; i++)
		share[i] = (float)((double)step->weight[i] / total);
	for (int i = 0; i < net->n_params; i++)
		ranges[i] = range_of(net, step, i, (double)(t->n_steps + 1));
	device_lane_put(c->device, LANE, t->card + t->staged.target, t->host + t->staged.target,
		t->staged.size - t->staged.target);
	device_lane_use(c->device, LANE);
}

static void move_params(struct cuda *c, const struct backend_step *step)
{
	struct cuda_trainer *t = c->trainer;
	const struct step_range *ranges = (const struct step_range *)(t->card + t->staged.ranges);
	const struct step_arrays arrays = {.gradient = t->gradient,
		.param = t->params,
		.average = t->average,
		.momentum = t->momentum,
		.second = t->second};
	if (step->clip > 0)
		device_gradient_norm(c->device, ranges, c->net->n_params, t->gradient, step->clip, t->norm);
	device_step(c->device, ranges, c->net->n_params, step->clip > 0 ? t->norm + 1 : NULL, &arrays);
	t->n_steps++;
}

static enum status finish(struct cuda *c, struct backend_step *step, struct err *err)
{
	struct cuda_trainer *t = c->trainer;
	size_t batch = (size_t)t->batch;
	float *result = t->host_result;
	int *is_right = (int *)(result + batch + 2);
	const float *share = (const float *)(t->host + t->staged.share);
	device_lane_get(c->device, result, t->loss, batch * sizeof(float));
	device_lane_get(c->device, result + batch, t->norm, 2 * sizeof(float));
	device_lane_get(c->device, is_right, t->is_right, batch * sizeof(int));
	enum status status = device_check(c->device, err);
	if (status)
		return status;
	step->loss = 0;
	step->n_right = 0;
	for (size_t i = 0; i < batch; i++) {
		step->loss += (double)share[i] * (double)result[i];
		step->n_right += is_right[i];
	}
	if (step->clip > 0)
		step->norm = (double)result[batch];
	return OK;
}

enum status cuda_train_step(struct cuda *c, struct backend_step *step, struct err *err)
{
	struct cuda_trainer *t = c->trainer;
	size_t pixels = (size_t)t->batch * (size_t)c->net->input_px * (size_t)c->net->input_px;
	stage(c, step);
	device_picture(c->device, t->type, pixels, (const uint8_t *)t->card, c->picture, t->act[0]);
	forward(c, step->is_norm_frozen);
	loss(c);
	backward(c, step->is_norm_frozen);
	if (step->gradient)
		device_get(c->device, step->gradient, t->gradient, c->net->n_floats * sizeof(float));
	move_params(c, step);
	return finish(c, step, err);
}
