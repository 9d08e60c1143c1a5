/*
 * Networks are data. A row of net_archs describes a ResNet (He, Zhang, Ren, Sun, CVPR 2016, in
 * torchvision's form); net_init expands it into layers, activations and parameters; whatever
 * allocates, loads, saves, runs, trains or checks a net loops over these lists.
 *
 * All parameters of a net are one array of floats: parameter i lies at [offset, offset + n),
 * row-major in its published shape. Layers are in an order in which they can run.
 */
#pragma once

#include "status.h"

#define NET_MAX_LAYERS 160
#define NET_MAX_PARAMS 780 /* ResNet-152: 155 convolutions with 5 each, and the head */
#define NET_MAX_HEADS 24   /* species and what a project's survey asks (core/survey.h) */
#define NET_MAX_CLASSES 20000
#define NET_BN_EPSILON 1e-5f

struct net_arch {
	const char *name;
	int width[4];  /* channels inside the blocks of a stage; out of it, times expansion */
	int depth[4];  /* blocks in a stage */
	int expansion; /* 1: basic blocks (3x3, 3x3); 4: bottlenecks (1x1, 3x3, 1x1) */
	int stem_kernel, stem_stride;
	int stem_pool; /* 1: a 3x3 maximum of stride 2 follows the stem */
	int peak_pool; /* the embedding is each channel's 0: mean over the plane, 1: largest value (a small
					   animal in a wide frame is not averaged away) */
	int input_px; /* what it is made for; any multiple of 32 works */
};

extern const struct net_arch net_archs[];
extern const int net_n_archs;

enum net_param_kind {
	NET_CONV_WEIGHT, /* [c_out][c_in][kernel][kernel] */
	NET_BN_SCALE,    /* [c] */
	NET_BN_SHIFT,
	NET_BN_MEAN, /* running statistics: not trained by a gradient */
	NET_BN_VAR,
	NET_FC_WEIGHT, /* [n_classes][n_features] */
	NET_FC_BIAS
};

struct net_param {
	char name[64]; /* torchvision's: "layer2.0.bn1.running_var" */
	enum net_param_kind kind;
	int n_dims;
	int shape[4];
	size_t offset, n; /* in floats */
};

enum net_layer_kind {
	NET_CONV,    /* dst = act(bn(conv(src)) + add) where act is relu or nothing */
	NET_MAXPOOL, /* over kernel x kernel */
	NET_AVGPOOL, /* over the whole plane */
	NET_FC       /* logits */
};

struct net_layer {
	enum net_layer_kind kind;
	int src, dst; /* activations */
	int add;      /* activation added before the relu, or -1 */
	int relu;
	int kernel, stride, pad;
	int weight; /* parameter; batch norm's scale, shift, mean, var follow a NET_CONV's in the list,
				   the bias a NET_FC's. -1 for pools. */
};

struct net_act {
	int c, h, w;
};

struct net {
	const struct net_arch *arch;
	int n_classes, input_px, n_features;
	/* The logits are those of n_heads tasks in a row (species first, then counts or behaviours),
	 * each with a softmax of its own; net_init makes one head of all. */
	int n_heads, head_size[NET_MAX_HEADS];
	int n_layers;
	struct net_layer layers[NET_MAX_LAYERS];
	struct net_act acts[NET_MAX_LAYERS + 1]; /* 0 is the picture; layer i writes i + 1 */
	int n_params;
	struct net_param params[NET_MAX_PARAMS];
	size_t n_floats;  /* of all parameters */
	size_t n_trained; /* without the running statistics: the number that is published */
};

/* NULL when there is no net of that name. */
const struct net_arch *net_arch_find(const char *name);

/*
 * Expands a row of the table.
 * Errors: BAD_INPUT when n_classes is not in 1..NET_MAX_CLASSES or input_px not a multiple of 32
 * in 32..1024.
 */
enum status net_init(struct net *net, const struct net_arch *arch, int n_classes, int input_px,
	struct err *err) MUST_CHECK;

/* Splits the logits into heads. Errors: BAD_INPUT unless there are 1 to NET_MAX_HEADS of 2 or more
 * that add up to n_classes. */
enum status net_set_heads(
	struct net *net, const int *sizes, int n_heads, struct err *err) MUST_CHECK;

/* The last activation that still has places: [n_features][h][w], which the embedding pools. */
const struct net_act *net_plane(const struct net *net);

/* The index of the parameter of that name, or -1. */
int net_param_find(const struct net *net, const char *name);

/*
 * Parameters to start training from: He's normal (fan out) for convolutions, batch norm 1, 0, 0, 1
 * (0 instead of 1 for the last scale of each block, so that a block starts as the identity), small
 * uniform for the head. The same seed gives the same floats.
 * Shapes: params [net->n_floats].
 */
void net_init_params(const struct net *net, unsigned long long seed, float *params);

/*
 * Which buffers the activations of an inference run share: slot[i] for activation i, so that no two
 * that are alive together share one, except that a layer with an `add` writes over what it adds.
 * Shapes: slot [n_layers + 1]; slot_size [n_layers + 1] in floats an image.
 * Returns the number of slots.
 */
int net_plan_slots(const struct net *net, int *slot, size_t *slot_size);
