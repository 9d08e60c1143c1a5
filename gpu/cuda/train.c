/*
 * A training step in single precision: forward and backward layer by layer, the loss on the host
 * between them, then SGD. Plain before fast: every activation is kept, nothing is fused.
 */
#include "module.h"

#include <assert.h>
#include <stdlib.h>

struct cuda_trainer {
	int batch;
	struct device_layer *layers[NET_MAX_LAYERS];
	float *params, *average, *momentum, *gradient; /* [n_floats] */
	float *act[NET_MAX_LAYERS + 1];                /* values of activations, the logits last; */
	float *slope[NET_MAX_LAYERS + 1];              /* the loss' derivatives by them: shared by an
													  activation that is added and the sum */
	int slope_owner[NET_MAX_LAYERS + 1];           /* whose allocation that is */
	float *conv[NET_MAX_LAYERS];                   /* what a layer's batch norm reads, */
	float *conv_slope;                             /* and the slope by it, of one layer at a time */
	float *mean[NET_MAX_LAYERS], *inverse[NET_MAX_LAYERS]; /* of the batch */
	uint8_t *rgb;
	float *logits, *logits_slope,
		*bias_slope; /* on the host: [batch][n_classes] twice, [n_classes] */
};

static size_t act_size(const struct cuda *c, int act)
{
	const struct net_act *a = &c->net->acts[act];
	return (size_t)c->trainer->batch * (size_t)a->c * (size_t)a->h * (size_t)a->w;
}

static float *floats(struct cuda *c, size_t n, const char *what)
{
	return device_alloc(c->device, n * sizeof(float), what);
}

static void alloc_activations(struct cuda *c)
{
	struct cuda_trainer *t = c->trainer;
	const struct net *net = c->net;
	size_t largest = 0;
	for (int i = net->n_layers; i >= 0; i--) {
		size_t size = act_size(c, i);
		t->act[i] = floats(c, size, "activations");
		if (i == 0)
			break; /* nobody wants the slope by the picture */
		if (!t->slope[i]) {
			t->slope[i] = floats(c, size, "slopes");
			t->slope_owner[i] = 1;
		}
		const struct net_layer *l = &net->layers[i - 1];
		if (l->kind != NET_CONV)
			continue;
		if (l->add >= 0)
			t->slope[l->add] = t->slope[i];
		t->conv[i - 1] = floats(c, size, "activations");
		t->mean[i - 1] = floats(c, (size_t)net->acts[i].c, "batch statistics");
		t->inverse[i - 1] = floats(c, (size_t)net->acts[i].c, "batch statistics");
		largest = size > largest ? size : largest;
	}
	t->conv_slope = floats(c, largest, "slopes");
}

enum status cuda_train_new(struct cuda *c, int batch, struct err *err)
{
	struct cuda_trainer *t = c->trainer = xcalloc(1, sizeof *t);
	const struct net *net = c->net;
	size_t n_bytes = net->n_floats * sizeof(float), k = (size_t)net->n_classes;
	t->batch = batch;
	t->params = floats(c, net->n_floats, "parameters");
	t->average = floats(c, net->n_floats, "parameters");
	t->momentum = floats(c, net->n_floats, "parameters");
	t->gradient = floats(c, net->n_floats, "parameters");
	device_put(c->device, t->params, c->params, n_bytes);
	device_put(c->device, t->average, c->params, n_bytes);
	alloc_activations(c);
	t->rgb = device_alloc(c->device, act_size(c, 0), "pictures");
	t->logits = xmalloc((size_t)batch * k * sizeof(float));
	t->logits_slope = xmalloc((size_t)batch * k * sizeof(float));
	t->bias_slope = xmalloc(k * sizeof(float));
	for (int i = 0; i < net->n_layers; i++) {
		if (net->layers[i].kind != NET_FC)
			t->layers[i] = device_layer_new(c->device, net, i, batch, DEVICE_TRAIN);
	}
	return device_check(c->device, err);
}

void cuda_train_free(struct cuda *c)
{
	struct cuda_trainer *t = c->trainer;
	if (!t)
		return;
	for (int i = 0; i < NET_MAX_LAYERS; i++) {
		device_layer_free(t->layers[i]);
		device_free(c->device, t->conv[i]);
		device_free(c->device, t->mean[i]);
		device_free(c->device, t->inverse[i]);
	}
	for (int i = 0; i <= NET_MAX_LAYERS; i++) {
		device_free(c->device, t->act[i]);
		if (t->slope_owner[i])
			device_free(c->device, t->slope[i]);
	}
	float *const others[] = {t->params, t->average, t->momentum, t->gradient, t->conv_slope};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		device_free(c->device, others[i]);
	device_free(c->device, t->rgb);
	free(t->logits);
	free(t->logits_slope);
	free(t->bias_slope);
	free(t);
	c->trainer = NULL;
}

enum status cuda_train_read(struct cuda *c, enum backend_state which, float *out, struct err *err)
{
	const float *from = which == BACKEND_AVERAGE ? c->trainer->average : c->trainer->params;
	device_get(c->device, out, from, c->net->n_floats * sizeof *out);
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

static struct device_norm norm_of(const struct cuda *c, int layer)
{
	int weight = c->net->layers[layer].weight;
	return (struct device_norm){.scale = param(c, weight + 1),
		.shift = param(c, weight + 2),
		.running_mean = param(c, weight + 3),
		.running_var = param(c, weight + 4),
		.mean = c->trainer->mean[layer],
		.inverse = c->trainer->inverse[layer]};
}

static void forward(struct cuda *c)
{
	struct cuda_trainer *t = c->trainer;
	const struct net *net = c->net;
	for (int i = 0; i < net->n_layers; i++) {
		const struct net_layer *l = &net->layers[i];
		struct device_norm norm;
		float *x = t->act[l->src], *y = t->act[l->dst];
		switch (l->kind) {
		case NET_CONV:
			norm = norm_of(c, i);
			device_conv(t->layers[i], x, param(c, l->weight), t->conv[i]);
			device_norm(t->layers[i], &norm, t->conv[i], y);
			assert(l->add < 0 || l->relu);
			if (l->add >= 0)
				device_add_relu(c->device, act_size(c, l->dst), t->act[l->add], y);
			else if (l->relu)
				device_relu(c->device, act_size(c, l->dst), y);
			break;
		case NET_MAXPOOL:
		case NET_AVGPOOL:
			device_pool(t->layers[i], x, y);
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

/* On the host: a batch of logits is small, and its softmax is the other backends'. */
static enum status loss(struct cuda *c, struct backend_step *step, struct err *err)
{
	struct cuda_trainer *t = c->trainer;
	int k = c->net->n_classes, last = c->net->n_layers;
	size_t n_bytes = act_size(c, last) * sizeof(float);
	double total = 0;
	device_get(c->device, t->logits, t->act[last], n_bytes);
	enum status status = device_check(c->device, err);
	if (status)
		return status;
	for (int j = 0; j < k; j++)
		t->bias_slope[j] = 0;
	for (int i = 0; i < t->batch; i++)
		total += step->weight[i];
	step->loss = 0;
	step->n_right = 0;
	for (int i = 0; i < t->batch; i++) {
		const float *target = step->target + i * k, *logits = t->logits + i * k;
		float *slope = t->logits_slope + i * k;
		double share = step->weight[i] / total;
		step->loss += share * backend_row_loss(c->net, logits, target, (float)share, slope);
		int best = 0, truth = 0;
		for (int j = 0; j < k; j++) {
			best = logits[j] > logits[best] ? j : best;
			truth = target[j] > target[truth] ? j : truth;
			t->bias_slope[j] += slope[j];
		}
		step->n_right += best == truth;
	}
	device_put(c->device, t->slope[last], t->logits_slope, n_bytes);
	device_put(c->device, slope_of_param(c, c->net->layers[last - 1].weight + 1), t->bias_slope,
		(size_t)k * sizeof(float));
	return OK;
}

static void head_backward(struct cuda *c, const struct net_layer *l)
{
	struct cuda_trainer *t = c->trainer;
	int d = c->net->n_features, k = c->net->n_classes;
	device_multiply(c->device,
		&(struct device_product){.m = k,
			.n = d,
			.k = t->batch,
			.a_turned = 1,
			.a = t->slope[l->dst],
			.b = t->act[l->src],
			.c = slope_of_param(c, l->weight)});
	device_multiply(c->device,
		&(struct device_product){.m = t->batch,
			.n = d,
			.k = k,
			.a = t->slope[l->dst],
			.b = param(c, l->weight),
			.c = t->slope[l->src]});
}

static void backward(struct cuda *c)
{
	struct cuda_trainer *t = c->trainer;
	const struct net *net = c->net;
	int is_written[NET_MAX_LAYERS + 1] = {0}; /* a slope has a first part */
	for (int i = net->n_layers; i-- > 0;) {
		const struct net_layer *l = &net->layers[i];
		struct device_norm norm;
		float *x = t->act[l->src], *slope = t->slope[l->dst];
		switch (l->kind) {
		case NET_CONV:
			norm = norm_of(c, i);
			if (l->relu)
				device_relu_backward(c->device, act_size(c, l->dst), t->act[l->dst], slope);
			if (l->add >= 0)
				is_written[l->add] = 1; /* a sum's slope is its terms' */
			device_norm_backward(t->layers[i], &norm, t->conv[i], slope, t->conv_slope,
				slope_of_param(c, l->weight + 1), slope_of_param(c, l->weight + 2));
			device_conv_backward_weights(
				t->layers[i], x, t->conv_slope, slope_of_param(c, l->weight));
			if (l->src > 0)
				device_conv_backward_data(t->layers[i], param(c, l->weight), t->conv_slope,
					is_written[l->src], t->slope[l->src]);
			break;
		case NET_MAXPOOL:
		case NET_AVGPOOL:
			assert(!is_written[l->src]);
			device_pool_backward(t->layers[i], x, t->act[l->dst], slope, t->slope[l->src]);
			break;
		case NET_FC:
			head_backward(c, l);
			break;
		}
		is_written[l->src] = 1;
	}
}

static void move_params(struct cuda *c, const struct backend_step *step)
{
	struct cuda_trainer *t = c->trainer;
	for (int i = 0; i < c->net->n_params; i++) {
		const struct net_param *p = &c->net->params[i];
		struct sgd sgd = {.rate = step->rate,
			.momentum = step->momentum,
			.decay = p->n_dims > 1 ? step->weight_decay : 0,
			.average = step->average};
		if (p->kind == NET_BN_MEAN || p->kind == NET_BN_VAR)
			sgd.rate = 0; /* their gradient is 0: only the average moves */
		device_sgd(c->device, p->n, t->gradient + p->offset, sgd, t->momentum + p->offset,
			t->params + p->offset, t->average + p->offset);
	}
}

enum status cuda_train_step(struct cuda *c, struct backend_step *step, struct err *err)
{
	struct cuda_trainer *t = c->trainer;
	size_t plane = (size_t)c->net->input_px * (size_t)c->net->input_px;
	device_put(c->device, t->rgb, step->rgb, act_size(c, 0));
	device_picture_float(c->device, act_size(c, 0), t->rgb, plane, c->picture, t->act[0]);
	forward(c);
	enum status status = loss(c, step, err);
	if (status)
		return status;
	backward(c);
	if (step->gradient)
		device_get(c->device, step->gradient, t->gradient, c->net->n_floats * sizeof(float));
	move_params(c, step);
	return device_check(c->device, err);
}
