/*
 * The memory of a training on the card: parameters and what a step changes, activations, and slopes by
 * them, which share memory as backward goes.
 *
 * The slope by an activation has one part or two (a block's input goes into its first convolution
 * and into its sum): whoever reads it adds them up, so that no kernel is spent on that.
 */
#include "trainer.h"

#include <assert.h>
#include <stdlib.h>

size_t cuda_act_size(const struct cuda *c, int act)
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
				l->kind == NET_FC ? floats(c, cuda_act_size(c, l->src), "slopes")
								  : slope_memory(c, cuda_act_size(c, l->src)));
			continue;
		}
		if (l->src > 0)
			add_part(&t->slopes[l->src], slope_memory(c, cuda_act_size(c, l->src)));
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
	size_t size = cuda_act_size(c, l->dst);
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

static void alloc_staged(struct cuda *c)
{
	struct cuda_trainer *t = c->trainer;
	size_t batch = (size_t)t->batch, px = (size_t)c->net->input_px;
	struct staged *s = &t->staged;
	s->target = staged_aligned(batch * px * px * 3);
	s->share = s->target + staged_aligned(batch * (size_t)c->net->n_classes * sizeof(float));
	s->ranges = s->share + staged_aligned(batch * sizeof(float));
	s->size = s->ranges + staged_aligned((size_t)c->net->n_params * sizeof(struct step_range));
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
	t->state.live = floats(c, net->n_floats, "parameters");
	t->state.average = floats(c, net->n_floats, "parameters");
	t->state.momentum = floats(c, net->n_floats, "parameters");
	t->state.second = floats(c, net->n_floats, "parameters");
	t->gradient = floats(c, net->n_floats, "parameters");
	device_put(c->device, t->state.live, c->params, n_bytes);
	device_put(c->device, t->state.average, c->params, n_bytes);
	t->act[0] = numbers(c, cuda_act_size(c, 0), "activations");
	for (int i = 0; i < net->n_layers; i++)
		alloc_layer(c, i, &largest_conv, &largest_weights);
	t->conv_slope = numbers(c, largest_conv, "slopes");
	t->weights_slope = numbers(c, largest_weights, "slopes");
	add_part(&t->slopes[net->n_layers], floats(c, cuda_act_size(c, net->n_layers), "slopes"));
	plan_slopes(c);
	alloc_staged(c);
	return device_check(c->device, err);
}

void cuda_train_free(struct cuda *c)
{
	struct cuda_trainer *t = c->trainer;
	if (!t)
		return;
	device_graph_free(t->graph);
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
	void *const others[] = {t->state.live, t->state.average, t->state.momentum, t->state.second,
		t->gradient, t->conv_slope, t->weights_slope, t->norm, t->card, t->loss, t->is_right};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		device_free(c->device, others[i]);
	device_free_host(c->device, t->host);
	device_free_host(c->device, t->host_result);
	free(t);
	c->trainer = NULL;
}
