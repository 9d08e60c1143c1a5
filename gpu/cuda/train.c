/*
 * A training step: activations in bf16, sums, parameters and statistics in single precision; or all
 * in single precision, which is the way that is checked against the reference. Forward and backward
 * layer by layer, the loss on the card; nothing comes back before the step's end.
 *
 * What a step brings is staged on the card before its work is queued, so steps of one kind are the
 * same work: the first runs plainly, the next are one recorded graph. With ranks none is recorded,
 * since a rank whose recording fails would part from the others.
 */
#include "trainer.h"

#include <assert.h>
#include <string.h>

#define BUCKET                                                                                     \
	((size_t)4 << 20)   /* floats of the gradient that are averaged over the ranks at once */
#define PICTURE_PARTS 4 /* copied one while the next is made ready */
#define LANE 0

enum status cuda_train_read(struct cuda *c, enum backend_state which, float *out, struct err *err)
{
	device_get(
		c->device, out, *param_state_of(&c->trainer->state, which), c->net->n_floats * sizeof *out);
	return device_check(c->device, err);
}

enum status cuda_train_write(
	struct cuda *c, enum backend_state which, const float *in, int64_t n_steps, struct err *err)
{
	device_put(
		c->device, *param_state_of(&c->trainer->state, which), in, c->net->n_floats * sizeof *in);
	c->trainer->n_steps = n_steps;
	return device_check(c->device, err);
}

static float *param(const struct cuda *c, int i)
{
	return c->trainer->state.live + c->net->params[i].offset;
}

static float *slope_of_param(const struct cuda *c, int i)
{
	return c->trainer->gradient + c->net->params[i].offset;
}

static struct device_norm norm_of(const struct cuda *c, int layer)
{
	const struct net_layer *l = &c->net->layers[layer];
	const struct net_act *a = &c->net->acts[l->dst];
	return (struct device_norm){.type = c->trainer->type,
		.rows = (size_t)c->trainer->batch * (size_t)a->h * (size_t)a->w,
		.c = a->c,
		.is_frozen = c->trainer->kind.is_norm_frozen,
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

static void forward(struct cuda *c)
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
			norm = norm_of(c, i);
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
			device_add_bias(c->device, cuda_act_size(c, l->dst), param(c, l->weight + 1),
				(size_t)net->n_classes, y);
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
	if (t->kind.wanted.slope[l->src])
		device_multiply(c->device,
			&(struct device_product){.m = t->batch,
				.n = d,
				.k = k,
				.a = slope,
				.b = param(c, l->weight),
				.c = t->slopes[l->src].parts[0]});
}

/* Where the part of a layer's slope by its source lies: the first that was made. An activation's slope
 * is wanted where any layer that reads it is, so of a wanted one every part is made. */
static void *slope_by_source(const struct cuda_trainer *t, const struct net_layer *l, int *n_parts)
{
	return t->slopes[l->src].parts[n_parts[l->src]++];
}

static void conv_backward(struct cuda *c, int i, int *n_parts)
{
	struct cuda_trainer *t = c->trainer;
	const struct net_layer *l = &c->net->layers[i];
	const struct device_norm norm = norm_of(c, i);
	const struct slope *own = &t->slopes[l->dst];
	const struct norm_slope slope = {.a = own->parts[0],
		.b = own->parts[1],
		.x = t->conv[i],
		.y = l->add < 0 ? NULL : t->act[l->dst],
		.relu = l->relu};
	device_norm_backward(c->device, &norm, &slope, t->conv_slope);
	if (t->kind.wanted.weight[i]) {
		device_conv_backward_weights(t->layers[i], t->act[l->src], t->conv_slope, t->weights_slope);
		device_unpack(c->device, t->type, cuda_weights_shape(&c->net->params[l->weight]),
			t->weights_slope, slope_of_param(c, l->weight));
	}
	if (t->kind.wanted.slope[l->src])
		device_conv_backward_data(
			t->layers[i], t->weights[i], t->conv_slope, slope_by_source(t, l, n_parts));
	if (l->add >= 0)
		n_parts[l->add]++; /* own->parts[0], masked */
}

/* A layer whose output's slope is wanted by nobody is passed over, and so are all below it. */
static void layer_backward(struct cuda *c, int i, int *n_parts)
{
	struct cuda_trainer *t = c->trainer;
	const struct net_layer *l = &c->net->layers[i];
	const struct device_pool pool = pool_of(c, i);
	const struct slope *own = &t->slopes[l->dst];
	if (l->kind == NET_FC)
		head_backward(c, l);
	if (!t->kind.wanted.slope[l->dst])
		return;
	switch (l->kind) {
	case NET_CONV:
		conv_backward(c, i, n_parts);
		break;
	case NET_MAXPOOL:
		device_maxpool_backward(
			c->device, &pool, own->parts[0], own->parts[1], slope_by_source(t, l, n_parts));
		break;
	case NET_AVGPOOL:
		device_avgpool_backward(c->device, &pool, own->parts[0], slope_by_source(t, l, n_parts));
		break;
	case NET_FC:
		break;
	}
}

/* What is known of the gradient grows downwards from its end, and goes to the others in buckets. */
static void backward(struct cuda *c)
{
	const struct net *net = c->net;
	const struct step_wanted *wanted = &c->trainer->kind.wanted;
	int n_parts[NET_MAX_LAYERS + 1] = {0};
	size_t unsent = net->n_floats, known = unsent;
	for (int i = net->n_layers; i-- > 0;) {
		layer_backward(c, i, n_parts);
		if (net->layers[i].kind == NET_FC || wanted->trained[i])
			known = net->params[net->layers[i].weight].offset;
		if (c->has_ranks && known < unsent && (unsent - known >= BUCKET || i == 0)) {
			device_ranks_mean(c->device, c->trainer->gradient + known, unsent - known);
			unsent = known;
		}
	}
	if (c->has_ranks)
		device_ranks_wait(c->device);
}

/* The batch to the card: a part is copied there while the next is copied here. */
static void stage(struct cuda *c, const struct backend_step *step)
{
	struct cuda_trainer *t = c->trainer;
	const struct net *net = c->net;
	size_t n_rgb = (size_t)t->batch * (size_t)net->input_px * (size_t)net->input_px * 3;
	size_t part = staged_aligned(n_rgb / PICTURE_PARTS + 1);
	struct step_range *ranges = (struct step_range *)(t->host + t->staged.ranges);
	float *share = (float *)(t->host + t->staged.share);
	double total = 0;
	struct backend_step unclipped = *step; /* by how much is known on the card */
	unclipped.clip = 0;
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
		ranges[i] = (struct step_range){.at = net->params[i].offset,
			.n = net->params[i].n,
			.rule = param_rule_of(net, &unclipped, i, t->n_steps + 1)};
	device_lane_put(c->device, LANE, t->card + t->staged.target, t->host + t->staged.target,
		t->staged.size - t->staged.target);
	device_lane_use(c->device, LANE);
}

static void move_params(struct cuda *c)
{
	struct cuda_trainer *t = c->trainer;
	const struct step_range *ranges = (const struct step_range *)(t->card + t->staged.ranges);
	float clip = t->kind.clip;
	if (clip > 0)
		device_gradient_norm(c->device, ranges, c->net->n_params, t->gradient, clip, t->norm);
	device_step(
		c->device, ranges, c->net->n_params, t->gradient, clip > 0 ? t->norm + 1 : NULL, &t->state);
}

/* All of a step of the trainer's kind, on what is staged. */
static void queue_step(void *arg)
{
	struct cuda *c = arg;
	struct cuda_trainer *t = c->trainer;
	size_t pixels = (size_t)t->batch * (size_t)c->net->input_px * (size_t)c->net->input_px;
	device_picture(c->device, t->type, pixels, (const uint8_t *)t->card, c->picture, t->act[0]);
	forward(c);
	loss(c);
	backward(c);
	move_params(c);
}

static void run_step(struct cuda *c, const struct backend_step *step)
{
	struct cuda_trainer *t = c->trainer;
	struct step_kind kind = {.is_norm_frozen = step->is_norm_frozen, .clip = step->clip};
	step_wanted_of(c->net, step, &kind.wanted);
	if (memcmp(&kind, &t->kind, sizeof kind) != 0) {
		device_graph_free(t->graph);
		t->graph = NULL;
		t->kind = kind;
		t->n_alike = 0;
	}
	if (t->n_alike++ > 0 && !t->graph && !c->has_ranks)
		t->graph = device_graph_new(c->device, queue_step, c);
	if (t->graph)
		device_graph_run(t->graph);
	else
		queue_step(c); /* what cannot be run is found out here */
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
	stage(c, step);
	run_step(c, step);
	t->n_steps++;
	if (step->gradient) /* the step itself only reads it */
		device_get(c->device, step->gradient, t->gradient, c->net->n_floats * sizeof(float));
	return finish(c, step, err);
}
