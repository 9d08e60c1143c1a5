/* The ResNets as a table, and its expansion. Channel counts are multiples of 16, which every
 * backend's fast layouts want. */
#include "net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct net_arch net_archs[] = {
	{"resnet10s", {16, 32, 64, 128}, {1, 1, 1, 1}, 1, 3, 2, 1, 1, 128},
	{"resnet18", {64, 128, 256, 512}, {2, 2, 2, 2}, 1, 7, 2, 1, 0, 224},
	{"resnet34", {64, 128, 256, 512}, {3, 4, 6, 3}, 1, 7, 2, 1, 0, 224},
	{"resnet50", {64, 128, 256, 512}, {3, 4, 6, 3}, 4, 7, 2, 1, 0, 224},
	{"resnet101", {64, 128, 256, 512}, {3, 4, 23, 3}, 4, 7, 2, 1, 0, 224},
	{"resnet152", {64, 128, 256, 512}, {3, 8, 36, 3}, 4, 7, 2, 1, 0, 224},
};
const int net_n_archs = sizeof net_archs / sizeof *net_archs;

const struct net_arch *net_arch_find(const char *name)
{
	for (int i = 0; i < net_n_archs; i++) {
		if (!strcmp(net_archs[i].name, name))
			return &net_archs[i];
	}
	return NULL;
}

static int add_param(
	struct net *net, const char *name, enum net_param_kind kind, int n_dims, const int *shape)
{
	struct net_param *p = &net->params[net->n_params];
	snprintf(p->name, sizeof p->name, "%s", name);
	p->kind = kind;
	p->n_dims = n_dims;
	p->n = 1;
	for (int i = 0; i < n_dims; i++) {
		p->shape[i] = shape[i];
		p->n *= (size_t)shape[i];
	}
	p->offset = net->n_floats;
	net->n_floats += p->n;
	if (kind != NET_BN_MEAN && kind != NET_BN_VAR)
		net->n_trained += p->n;
	return net->n_params++;
}

/* Appends a layer and its output activation; returns that activation. */
static int add_layer(struct net *net, struct net_layer layer, int c)
{
	const struct net_act *in = &net->acts[layer.src];
	struct net_act *out = &net->acts[net->n_layers + 1];
	out->c = c;
	out->h = (in->h + 2 * layer.pad - layer.kernel) / layer.stride + 1;
	out->w = (in->w + 2 * layer.pad - layer.kernel) / layer.stride + 1;
	layer.dst = net->n_layers + 1;
	net->layers[net->n_layers++] = layer;
	return layer.dst;
}

/* A convolution and its batch norm, as torchvision calls them. */
struct conv_names {
	char conv[40], bn[40];
};

static int add_conv(struct net *net, const struct conv_names *names, struct net_layer layer, int c)
{
	static const struct {
		const char *name;
		enum net_param_kind kind;
	} norms[] = {{"weight", NET_BN_SCALE}, {"bias", NET_BN_SHIFT}, {"running_mean", NET_BN_MEAN},
		{"running_var", NET_BN_VAR}};
	char name[64];
	layer.kind = NET_CONV;
	layer.pad = layer.kernel / 2;
	snprintf(name, sizeof name, "%s.weight", names->conv);
	layer.weight = add_param(net, name, NET_CONV_WEIGHT, 4,
		(int[]){c, net->acts[layer.src].c, layer.kernel, layer.kernel});
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof name, "%s.%s", names->bn, norms[i].name);
		add_param(net, name, norms[i].kind, 1, &c);
	}
	return add_layer(net, layer, c);
}

static struct conv_names block_names(int stage, int block, int conv)
{
	struct conv_names n;
	snprintf(n.conv, sizeof n.conv, "layer%d.%d.conv%d", stage + 1, block, conv);
	snprintf(n.bn, sizeof n.bn, "layer%d.%d.bn%d", stage + 1, block, conv);
	return n;
}

/* A downsampling comes first: the block's last layer adds its output. */
static int add_block(struct net *net, int src, int stage, int block)
{
	const struct net_arch *arch = net->arch;
	int width = arch->width[stage], c_out = width * arch->expansion;
	int stride = stage > 0 && block == 0 ? 2 : 1, skip = src, at;
	if (stride != 1 || net->acts[src].c != c_out) {
		struct conv_names names;
		snprintf(names.conv, sizeof names.conv, "layer%d.%d.downsample.0", stage + 1, block);
		snprintf(names.bn, sizeof names.bn, "layer%d.%d.downsample.1", stage + 1, block);
		skip = add_conv(net, &names,
			(struct net_layer){.src = src, .add = -1, .kernel = 1, .stride = stride}, c_out);
	}
	struct conv_names first = block_names(stage, block, 1), second = block_names(stage, block, 2),
					  third = block_names(stage, block, 3);
	if (arch->expansion == 1) {
		at = add_conv(net, &first,
			(struct net_layer){.src = src, .add = -1, .relu = 1, .kernel = 3, .stride = stride},
			width);
		return add_conv(net, &second,
			(struct net_layer){.src = at, .add = skip, .relu = 1, .kernel = 3, .stride = 1}, c_out);
	}
	at = add_conv(net, &first,
		(struct net_layer){.src = src, .add = -1, .relu = 1, .kernel = 1, .stride = 1}, width);
	at = add_conv(net, &second,
		(struct net_layer){.src = at, .add = -1, .relu = 1, .kernel = 3, .stride = stride}, width);
	return add_conv(net, &third,
		(struct net_layer){.src = at, .add = skip, .relu = 1, .kernel = 1, .stride = 1}, c_out);
}

enum status net_init(
	struct net *net, const struct net_arch *arch, int n_classes, int input_px, struct err *err)
{
	if (n_classes < 1 || n_classes > NET_MAX_CLASSES)
		return err_set(err, BAD_INPUT, "%d classes: a net has 1 to %d", n_classes, NET_MAX_CLASSES);
	if (input_px < 32 || input_px > 1024 || input_px % 32)
		return err_set(err, BAD_INPUT,
			"an input of %d pixels: wanted a multiple of 32 from 32 to 1024", input_px);
	memset(net, 0, sizeof *net);
	net->arch = arch;
	net->n_classes = n_classes;
	net->n_heads = 1;
	net->head_size[0] = n_classes;
	net->input_px = input_px;
	net->acts[0] = (struct net_act){3, input_px, input_px};
	int at = add_conv(net, &(struct conv_names){"conv1", "bn1"},
		(struct net_layer){.src = 0,
			.add = -1,
			.relu = 1,
			.kernel = arch->stem_kernel,
			.stride = arch->stem_stride},
		arch->width[0]);
	if (arch->stem_pool)
		at = add_layer(net,
			(struct net_layer){.kind = NET_MAXPOOL,
				.src = at,
				.add = -1,
				.kernel = 3,
				.stride = 2,
				.pad = 1,
				.weight = -1},
			arch->width[0]);
	for (int stage = 0; stage < 4; stage++) {
		for (int block = 0; block < arch->depth[stage]; block++)
			at = add_block(net, at, stage, block);
	}
	net->n_features = net->acts[at].c;
	at = add_layer(net,
		(struct net_layer){.kind = arch->peak_pool ? NET_MAXPOOL : NET_AVGPOOL,
			.src = at,
			.add = -1,
			.kernel = net->acts[at].h,
			.stride = 1,
			.weight = -1},
		net->n_features);
	int weight = add_param(net, "fc.weight", NET_FC_WEIGHT, 2, (int[]){n_classes, net->n_features});
	add_param(net, "fc.bias", NET_FC_BIAS, 1, &n_classes);
	add_layer(net,
		(struct net_layer){
			.kind = NET_FC, .src = at, .add = -1, .kernel = 1, .stride = 1, .weight = weight},
		n_classes);
	return OK;
}

enum status net_set_heads(struct net *net, const int *sizes, int n_heads, struct err *err)
{
	int n = 0;
	if (n_heads < 1 || n_heads > NET_MAX_HEADS)
		return err_set(err, BAD_INPUT, "%d heads: a net has 1 to %d", n_heads, NET_MAX_HEADS);
	for (int h = 0; h < n_heads; h++) {
		if (sizes[h] < 2 || sizes[h] > net->n_classes - n)
			return err_set(err, BAD_INPUT,
				"head %d has %d classes: wanted 2 or more, %d in all heads", h, sizes[h],
				net->n_classes);
		n += sizes[h];
	}
	if (n != net->n_classes)
		return err_set(err, BAD_INPUT, "the heads have %d classes, the net %d", n, net->n_classes);
	net->n_heads = n_heads;
	memcpy(net->head_size, sizes, (size_t)n_heads * sizeof *sizes);
	return OK;
}

const struct net_act *net_plane(const struct net *net)
{
	return &net->acts[net->layers[net->n_layers - 2].src];
}

int net_param_find(const struct net *net, const char *name)
{
	for (int i = 0; i < net->n_params; i++) {
		if (!strcmp(net->params[i].name, name))
			return i;
	}
	return -1;
}

/* splitmix64 (Steele, Lea, Flood 2014): one state, any seed. */
static double uniform(unsigned long long *state)
{
	unsigned long long z = *state += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return ((double)((z ^ z >> 31) >> 11) + 0.5) * 0x1p-53;
}

static float normal(unsigned long long *state)
{
	double radius = sqrt(-2 * log(uniform(state)));
	return (float)(radius * cos(2 * M_PI * uniform(state)));
}

void net_init_params(const struct net *net, unsigned long long seed, float *params)
{
	for (int i = 0; i < net->n_params; i++) {
		const struct net_param *p = &net->params[i];
		float *at = params + p->offset;
		double scale = 0;
		if (p->kind == NET_CONV_WEIGHT)
			scale = sqrt(2.0 / (p->shape[0] * p->shape[2] * p->shape[3]));
		if (p->kind == NET_FC_WEIGHT || p->kind == NET_FC_BIAS)
			scale = 1 / sqrt(net->n_features);
		for (size_t j = 0; j < p->n; j++) {
			switch (p->kind) {
			case NET_CONV_WEIGHT:
				at[j] = (float)scale * normal(&seed);
				break;
			case NET_FC_WEIGHT:
			case NET_FC_BIAS:
				at[j] = (float)(scale * (2 * uniform(&seed) - 1));
				break;
			case NET_BN_SCALE:
			case NET_BN_VAR:
				at[j] = 1;
				break;
			case NET_BN_SHIFT:
			case NET_BN_MEAN:
				at[j] = 0;
				break;
			}
		}
	}
	for (int i = 0; i < net->n_layers; i++) {
		const struct net_layer *layer = &net->layers[i];
		if (layer->kind == NET_CONV && layer->add >= 0) {
			const struct net_param *scale = &net->params[layer->weight + 1];
			memset(params + scale->offset, 0, scale->n * sizeof *params);
		}
	}
}

int net_plan_slots(const struct net *net, int *slot, size_t *slot_size)
{
	int last_use[NET_MAX_LAYERS + 1] = {0}, busy_until[NET_MAX_LAYERS + 1], n_slots = 0;
	for (int i = 0; i < net->n_layers; i++) {
		last_use[net->layers[i].src] = i;
		if (net->layers[i].add >= 0)
			last_use[net->layers[i].add] = i;
	}
	last_use[net->n_layers] = net->n_layers;
	for (int act = 0; act <= net->n_layers; act++) {
		const struct net_act *a = &net->acts[act];
		size_t size = (size_t)a->c * (size_t)a->h * (size_t)a->w;
		int layer = act - 1, found = -1;
		if (layer >= 0 && net->layers[layer].add >= 0)
			found = slot[net->layers[layer].add];
		for (int s = 0; s < n_slots && found < 0; s++) {
			if (busy_until[s] < layer)
				found = s;
		}
		if (found < 0) {
			found = n_slots++;
			slot_size[found] = 0;
		}
		slot[act] = found;
		busy_until[found] = last_use[act];
		if (slot_size[found] < size)
			slot_size[found] = size;
	}
	return n_slots;
}
