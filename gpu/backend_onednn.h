/*
 * Inside the oneDNN backend (2.6's C API): a pool that owns the library's objects and remembers the
 * first failure, so that what builds a net reads as a list and checks once. Every dnnl call of the
 * program is in backend_onednn*.c.
 */
#pragma once

#include "backend.h"

#include <oneapi/dnnl/dnnl.h>

#define ONEDNN_MAX_ARGS 10

/* A primitive with what it reads and writes. */
struct onednn_op {
	dnnl_primitive_t primitive;
	dnnl_exec_arg_t args[ONEDNN_MAX_ARGS];
	int n_args;
};

struct onednn_buffer {
	void *at;
	size_t n_bytes;
};

/* Owns primitives, memories and buffers; frees them together. */
struct onednn_pool {
	dnnl_engine_t engine; /* borrowed */
	dnnl_status_t failed; /* the first failure; from then on every call below does nothing */
	const char *failed_at;
	dnnl_primitive_t *primitives;
	int n_primitives;
	dnnl_memory_t *memories;
	int n_memories;
	struct onednn_buffer *buffers;
	int n_buffers;
	dnnl_primitive_desc_t *descs;
	int n_descs;
};

void onednn_pool_release(struct onednn_pool *pool);
enum status onednn_pool_check(const struct onednn_pool *pool, struct err *err) MUST_CHECK;

/* Zeroed floats on huge pages where the system has them. */
float *onednn_buffer(struct onednn_pool *pool, size_t n_floats);

/* Memory of that layout: at `at`, or in a buffer of its own. NULL after a failure. */
dnnl_memory_t onednn_memory(struct onednn_pool *pool, const dnnl_memory_desc_t *md, void *at);
void *onednn_memory_data(dnnl_memory_t memory);
const dnnl_memory_desc_t *onednn_memory_md(dnnl_memory_t memory);

dnnl_memory_desc_t onednn_md4(
	struct onednn_pool *pool, int n, int c, int h, int w, dnnl_format_tag_t tag);
/* The same layout of another type. */
dnnl_memory_desc_t onednn_md4_of(
	struct onednn_pool *pool, dnnl_data_type_t type, const dnnl_dims_t dims, dnnl_format_tag_t tag);
dnnl_memory_desc_t onednn_md1(struct onednn_pool *pool, int n);
dnnl_memory_desc_t onednn_weights_md(
	struct onednn_pool *pool, const struct net_param *weight, dnnl_format_tag_t tag);

/* A primitive's description from an operation's, with attr (or NULL) and the forward's as hint (or
 * NULL). */
dnnl_primitive_desc_t onednn_desc(struct onednn_pool *pool, const void *op_desc,
	dnnl_primitive_attr_t attr, dnnl_primitive_desc_t hint, const char *what);
/* The layout that a primitive wants for an argument (dnnl_query_weights_md, …). */
const dnnl_memory_desc_t *onednn_query(
	struct onednn_pool *pool, dnnl_primitive_desc_t desc, dnnl_query_t what);

void onednn_op_init(struct onednn_pool *pool, struct onednn_op *op, dnnl_primitive_desc_t desc);
void onednn_op_arg(struct onednn_op *op, int arg, dnnl_memory_t memory);
/* An op that copies between layouts. */
void onednn_op_reorder(
	struct onednn_pool *pool, struct onednn_op *op, dnnl_memory_t from, dnnl_memory_t to);

void onednn_attempt(struct onednn_pool *pool, dnnl_status_t status, const char *what);

/* Convolution of a layer between two layouts, described for one propagation. */
struct onednn_conv {
	const struct net_layer *layer;
	dnnl_memory_desc_t src, weights, dst;
};
void onednn_conv_init(struct onednn_pool *pool, struct onednn_conv *conv, const struct net *net,
	int layer, int batch, dnnl_format_tag_t tag);
dnnl_primitive_desc_t onednn_conv_forward(struct onednn_pool *pool, const struct onednn_conv *conv,
	dnnl_prop_kind_t prop, const dnnl_memory_desc_t *bias, dnnl_primitive_attr_t attr);

struct onednn_trainer;

struct onednn {
	const struct net *net;
	dnnl_engine_t engine;
	dnnl_stream_t stream;
	dnnl_format_tag_t tag; /* of every activation but the picture */
	int is_half;           /* bf16: HALF was asked for, or FASTEST on a processor that has it */
	float mean[3], std[3];
	float *params; /* [n_floats], live */
	struct onednn_infer *infer;
	struct onednn_infer
		*again; /* is_half: in single, for what bf16 cannot decide; NULL until wanted */
	struct onednn_trainer *trainer;
};

/* The layout in which this processor's convolutions of a type (f32 or bf16) are fast. */
dnnl_format_tag_t onednn_choose_tag(dnnl_engine_t engine, dnnl_data_type_t type);

enum status onednn_run(
	const struct onednn *o, const struct onednn_op *ops, int n_ops, struct err *err) MUST_CHECK;

/* backend_onednn_ends.c: both ends of an inference, in floats or bf16. */
uint16_t onednn_to_half(float x);
float onednn_from_half(uint16_t x);
/* What a picture of whole numbers has less than its bytes. */
float onednn_picture_zero(const struct onednn *o, int c);
/* Normalised, or (is_whole, bf16 only) whole numbers as above, in the memory's layout. Shapes: rgb [n][px][px][3]. */
void onednn_picture(
	const struct onednn *o, const uint8_t *rgb, int n, int is_whole, dnnl_memory_t out);
/* Each channel's mean or largest value. Shapes: features [n][c][h][w] in the memory's layout;
 * embedding [n][c]. */
void onednn_embed(
	const struct net *net, dnnl_memory_t features, dnnl_format_tag_t tag, int n, float *embedding);

/* backend_onednn_infer.c */
/* In bf16 near ties are run again in single precision. */
enum status onednn_infer(struct onednn *o, const uint8_t *rgb, int n, float *logits,
	float *embeddings, struct err *err) MUST_CHECK;
enum status onednn_features(
	struct onednn *o, const uint8_t *rgb, int n, float *planes, struct err *err) MUST_CHECK;
void onednn_infer_free(struct onednn *o); /* also when the parameters have changed */

/* backend_onednn_train.c */
enum status onednn_train_new(
	struct onednn *o, const struct backend_config *config, struct err *err) MUST_CHECK;
enum status onednn_train_step(
	struct onednn *o, struct backend_step *step, struct err *err) MUST_CHECK;
/* NULL where there is no trainer. */
float *onednn_train_state(struct onednn *o, enum backend_state which);
void onednn_train_set_steps(struct onednn *o, int64_t n_steps);
void onednn_train_free(struct onednn *o);
