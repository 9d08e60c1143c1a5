/*
 * What the CUDA backend asks of a card: memory, and two dozen operations on it. infer.c and train.c
 * know only this header, so that their order of layers, their layouts and their sharing of buffers
 * are tested on any machine against a device in plain C (tests/test_cuda_steps.c); device_*.c and
 * kernels*.cu are the card.
 *
 * Work is queued: a call returns before it is done, in the order of the calls. A device remembers
 * its first failure, and from then on every call does nothing until device_check reports it.
 * Activations are [n][h][w][c] of a layer's number, the picture with 4 channels, the fourth 0; a
 * convolution's weights are [c_out][kernel][kernel][c_in] of that number. Everything of the head,
 * vectors and parameters are floats.
 */
#pragma once

#include "backend.h"
#include "element_math.h"
#include "loss_math.h"
#include "norm_math.h"
#include "step_math.h"

#ifdef __cplusplus
extern "C" {
#endif

struct device;
struct device_layer; /* a convolution for one batch size */
struct device_graph; /* work that can be queued again at once */

enum device_use { DEVICE_INFER, DEVICE_TRAIN };

int device_count(void); /* 0 as well when there is no driver */

/*
 * Errors: BAD_INPUT when there is no card, none of that number, or it is too old; FAULT with the
 * library's words.
 */
enum status device_open(int number, struct device **out, struct err *err) MUST_CHECK;
void device_close(struct device *d); /* NULL is fine; layers and memory first */

/* To be called by a thread before it uses the device. */
void device_enter(struct device *d);

/* Waits for all that is queued. Errors: FAULT with the first failure, which is then forgotten. */
enum status device_check(struct device *d, struct err *err) MUST_CHECK;
int device_has_failed(const struct device *d);

/* Zeroed, or NULL after a failure; what: the words for an error. */
void *device_alloc(struct device *d, size_t n_bytes, const char *what);
void device_free(struct device *d, void *at);              /* NULL is fine */
void *device_alloc_host(struct device *d, size_t n_bytes); /* memory here that the card reads */
void device_free_host(struct device *d, void *at);         /* NULL is fine */
size_t device_room_bytes(struct device *d);                /* free on the card */
/* Both wait until the bytes are there. */
void device_put(struct device *d, void *to, const void *from, size_t n_bytes);
void device_get(struct device *d, void *to, const void *from, size_t n_bytes);

/*
 * Two lanes, so that one batch is copied while another is computed: device_lane_put copies from
 * device_alloc_host's memory beside the queue; device_lane_use makes the queue wait for the lane's
 * copies; device_lane_get is part of the queue; device_lane_mark says that what is queued so far is
 * all that the lane's memory is used for, and device_lane_wait waits here until that is done.
 */
void device_lane_put(struct device *d, int lane, void *to, const void *from, size_t n_bytes);
void device_lane_use(struct device *d, int lane);
void device_lane_get(struct device *d, void *to, const void *from, size_t n_bytes);
void device_lane_mark(struct device *d, int lane);
void device_lane_wait(struct device *d, int lane);

/* Owns: arg is borrowed until device_graph_free: what cannot be recorded is queued anew each time.
 */
struct device_graph *device_graph_new(struct device *d, void (*queue)(void *arg), void *arg);
void device_graph_run(struct device_graph *g);
void device_graph_free(struct device_graph *g); /* NULL is fine */

/* NULL after a failure. Owns: the caller frees it. */
struct device_layer *device_layer_new(struct device *d, const struct net *net, int layer, int batch,
	enum number type, enum device_use use);
void device_layer_free(struct device_layer *l); /* NULL is fine */

/* In inference: y = act(conv(x) + bias + add), act as in the layer; add may be y, or NULL. bias
 * [c_out] of the layer's number. */
struct device_conv {
	const void *x, *weights, *bias, *add;
	void *y;
};
void device_conv_infer(struct device_layer *l, const struct device_conv *c);
/* Tries all ways that there are for the layer's shape and keeps the fastest; y is spoilt. */
void device_conv_tune(struct device_layer *l, const struct device_conv *c);

/* In training; the way is the same in every run. */
void device_conv(struct device_layer *l, const void *x, const void *weights, void *y);
void device_conv_backward_weights(
	struct device_layer *l, const void *x, const void *y_slope, void *weights_slope);
void device_conv_backward_data(
	struct device_layer *l, const void *weights, const void *y_slope, void *x_slope);

/* Batch norm over rows of c channels (norm_math.h). Shapes: all but x, y and slopes [c]; in order of
 * the net's parameters. Not frozen, it moves the running statistics. */
struct device_norm {
	enum number type;
	size_t rows;
	int c, is_frozen;
	const float *scale, *shift;
	float *running_mean, *running_var;
	struct norm_channel *channels; /* [c]: from forward to backward */
	float *scale_slope, *shift_slope;
};
void device_norm(struct device *d, const struct device_norm *n, const void *x, const void *add,
	int relu, void *y);
void device_norm_backward(
	struct device *d, const struct device_norm *n, const struct norm_slope *slope, void *x_slope);

/* element_math.h, for every i. A pool's result is of type `to`. */
void device_picture(struct device *d, enum number type, size_t pixels, const uint8_t *rgb,
	struct picture_scale s, void *out);
void device_pack(
	struct device *d, enum number type, struct weights_shape s, const float *from, void *to);
void device_unpack(
	struct device *d, enum number type, struct weights_shape s, const void *from, float *to);
struct device_pool {
	enum number type, to;
	int batch;
	struct pool_shape shape;
	uint16_t *chosen;
};
void device_maxpool(struct device *d, const struct device_pool *p, const void *x, void *y);
void device_maxpool_backward(
	struct device *d, const struct device_pool *p, const void *a, const void *b, void *x_slope);
void device_avgpool(struct device *d, const struct device_pool *p, const void *x, float *y);
void device_avgpool_backward(
	struct device *d, const struct device_pool *p, const float *y_slope, void *x_slope);
void device_add_bias(struct device *d, size_t n, const float *bias, size_t k, float *rows);
void device_column_sum(struct device *d, size_t n, size_t k, const float *rows, float *out);

/* c = a b, row by row. Shapes: a [m][k], or [k][m] with a_turned; b [k][n], or [n][k] with
 * b_turned; c [m][n]. */
struct device_product {
	int m, n, k, a_turned, b_turned;
	const float *a, *b;
	float *c;
};
void device_multiply(struct device *d, const struct device_product *p);

/* Shapes: logits, target, slope [n][n_classes]; share, loss [n]; is_right [n]. */
struct device_loss {
	struct loss_shape shape;
	size_t n;
	const float *logits, *target, *share;
	float *slope, *loss;
	int *is_right;
};
void device_loss(struct device *d, const struct device_loss *l);

/* What a step does to the floats [at, at + n) of the parameters. */
struct step_range {
	size_t at, n;
	struct param_rule rule; /* its scale is not looked at: it becomes known on the card */
};

/* norm [2]: of the gradient over the ranges that are trained, and what to multiply it by so that it
 * is at most clip. Shapes: ranges [n_ranges], on the card. */
void device_gradient_norm(struct device *d, const struct step_range *ranges, int n_ranges,
	const float *gradient, float clip, float *norm);
/* scale: of the gradient, one float on the card; NULL: 1. */
void device_step(struct device *d, const struct step_range *ranges, int n_ranges,
	const float *gradient, const float *scale, const struct param_state *state);

/*
 * Training with others. Every rank joins (each waits for all); then device_ranks_mean makes
 * gradients the mean over the ranks, beside the queue and in the order of the calls, and
 * device_ranks_wait makes the queue wait for that.
 * Errors: NOT_FOUND when NCCL is not there; FAULT with its words.
 */
enum status device_ranks_join(
	struct device *d, const struct backend_ranks *ranks, struct err *err) MUST_CHECK;
void device_ranks_mean(struct device *d, float *at, size_t n);
void device_ranks_wait(struct device *d);
/* Shapes: id, BACKEND_RANKS_ID_BYTES. Errors: as device_ranks_join. */
enum status device_ranks_id(void *id, struct err *err) MUST_CHECK;

#ifdef __cplusplus
}
#endif
