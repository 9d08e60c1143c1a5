/*
 * Inside oneDNN's training: one trainer, built by backend_onednn_forward.c and _backward.c, run by
 * _train.c and _update.c.
 *
 * The master parameters are the plain floats of net.h; every step copies the convolutions' into the
 * layouts that the primitives want, and gradients back. In half precision activations, slopes and
 * the copies are bf16; master parameters, gradients of parameters and statistics stay floats.
 */
#pragma once

#include "backend_onednn.h"
#include "step_rule.h"
#include "tile_gradient.h"

#define TRAIN_NORM_CHUNK 65536 /* floats whose squares one thread adds up */
#define TRAIN_MAX_OPS (NET_MAX_LAYERS * 12)

/* What has to be wanted for an operation of backward to run. */
enum train_use {
	TRAIN_PASS,   /* the slope by the layer's output */
	TRAIN_WEIGHT, /* the weights' gradient */
	TRAIN_DATA    /* the slope by the layer's input */
};

struct train_op {
	struct onednn_op op;
	struct onednn_op frozen; /* instead, with frozen batch norm; no primitive: the same */
	int is_tiled;            /* neither: the weights' gradient by the layer's tile_gradient */
	int layer;
	enum train_use use;
};

struct train_list {
	int n;
	struct train_op ops[TRAIN_MAX_OPS];
};

struct onednn_trainer {
	struct onednn_pool pool;
	int batch, is_half;
	dnnl_format_tag_t tag;
	const struct backend_ranks *ranks; /* NULL: alone */
	int64_t n_steps;
	struct param_state state; /* live is the handle's */
	float *gradient;          /* [n_floats] */
	float *batch_mean[NET_MAX_LAYERS], *batch_var[NET_MAX_LAYERS];
	/* [batch][n_features] twice; [batch][n_classes] twice; [batch] */
	float *embedding, *embedding_slope, *logits, *logits_slope, *row_loss;
	double *norm_sums; /* one a TRAIN_NORM_CHUNK of the gradient */
	struct train_list forward, backward;
	/* While it is built: */
	dnnl_memory_t act[NET_MAX_LAYERS + 1], slope[NET_MAX_LAYERS + 1];
	dnnl_memory_t conv[NET_MAX_LAYERS], workspace[NET_MAX_LAYERS];
	dnnl_memory_t mean[NET_MAX_LAYERS], var[NET_MAX_LAYERS];
	dnnl_memory_t weights[NET_MAX_LAYERS], weights_copy[NET_MAX_LAYERS];
	dnnl_primitive_desc_t conv_desc[NET_MAX_LAYERS], norm_desc[NET_MAX_LAYERS][2];
	dnnl_memory_t plain_embedding, plain_embedding_slope;
	void *conv_slope, *second_slope; /* one buffer each for all layers */
	struct tile_gradient tiles[NET_MAX_LAYERS];
	void *tile_scratch; /* NULL: no tiles here */
	int is_written[NET_MAX_LAYERS + 1];
};

struct train_op *train_next(
	struct onednn_pool *pool, struct train_list *list, int layer, enum train_use use);
/* Of an activation that is not the logits. */
dnnl_memory_desc_t train_act_md(struct onednn *o, int act);
void train_conv_init(struct onednn *o, struct onednn_conv *conv, int layer);
dnnl_memory_t train_vector(struct onednn *o, int param, float *flat);
unsigned train_norm_flags(const struct net_layer *l, int is_frozen);
/* to = to + from, then relu where asked. */
void train_add_sum(
	struct onednn *o, struct onednn_op *op, dnnl_memory_t to, dnnl_memory_t from, int relu);
/* Both ways of a pool. */
void train_add_pool(struct onednn *o, int layer, int is_backward);

void train_add_forward(struct onednn *o);
void train_add_backward(struct onednn *o);

/* backend_onednn_update.c: the head, forward and backward, and the loss between. */
enum status train_head_step(
	struct onednn *o, struct backend_step *step, struct err *err) MUST_CHECK;
void train_move_statistics(struct onednn *o, const struct backend_step *step);
/* Writes step->norm where it clips. */
void train_move_params(struct onednn *o, struct backend_step *step);
