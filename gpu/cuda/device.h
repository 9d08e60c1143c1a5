/*
 * What the CUDA backend asks of a card: memory, and a dozen operations on it. infer.c and train.c
 * know only this header, so that their order of layers, their layouts and their sharing of buffers
 * are tested on any machine against a device in plain C (tests/test_cuda_steps.c); device_cuda.c
 * and device_cudnn.c are the card.
 *
 * Work is queued: a call returns before it is done, in the order of the calls. A device remembers
 * its first failure, and from then on every call does nothing until device_check reports it.
 * Activations are [n][h][w][c] halves in inference (the picture with 4 channels, the fourth 0) and
 * [n][c][h][w] floats in training; vectors, parameters and the head are floats in both.
 */
#pragma once

#include "element_math.h"
#include "net.h"

struct device;
struct device_layer; /* a convolution with its batch norm, or a pool, for one batch size */

enum device_use { DEVICE_INFER, DEVICE_TRAIN };

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

/* Zeroed, or NULL after a failure; what: the words for an error. */
void *device_alloc(struct device *d, size_t n_bytes, const char *what);
void device_free(struct device *d, void *at); /* NULL is fine */
/* Both wait until the bytes are there. */
void device_put(struct device *d, void *to, const void *from, size_t n_bytes);
void device_get(struct device *d, void *to, const void *from, size_t n_bytes);

/* NULL after a failure. Owns: the caller frees it. */
struct device_layer *device_layer_new(
	struct device *d, const struct net *net, int layer, int batch, enum device_use use);
void device_layer_free(struct device_layer *l); /* NULL is fine */

/* In inference: y = act(conv(x) + bias + add), act as in the layer; add may be y, or NULL.
 * Shapes: weights [c_out][kernel][kernel][c_in] halves; bias [c_out] halves. */
void device_conv_infer(struct device_layer *l, const void *x, const void *weights, const void *bias,
	const void *add, void *y);
void device_pool(struct device_layer *l, const void *x, void *y); /* both uses */

/* In training. Shapes: weights as in the net, [c_out][c_in][kernel][kernel]. */
void device_conv(struct device_layer *l, const float *x, const float *weights, float *y);
void device_conv_backward_weights(
	struct device_layer *l, const float *x, const float *y_slope, float *weights_slope);
/* Adds to x_slope, or overwrites it. */
void device_conv_backward_data(
	struct device_layer *l, const float *weights, const float *y_slope, int adds, float *x_slope);
void device_pool_backward(
	struct device_layer *l, const float *x, const float *y, const float *y_slope, float *x_slope);

/* Batch norm over a convolution's result. Shapes: all but x and y [c_out]; in order of the net's
 * parameters. Keeps the batch's mean and 1 / standard deviation; moves the running statistics. */
struct device_norm {
	const float *scale, *shift;
	float *running_mean, *running_var;
	float *mean, *inverse;
};
void device_norm(struct device_layer *l, const struct device_norm *norm, const float *x, float *y);
void device_norm_backward(struct device_layer *l, const struct device_norm *norm, const float *x,
	const float *y_slope, float *x_slope, float *scale_slope, float *shift_slope);

/* c = a b, row by row. Shapes: a [m][k], or [k][m] with a_turned; b [k][n], or [n][k] with
 * b_turned; c [m][n]. */
struct device_product {
	int m, n, k, a_turned, b_turned;
	const float *a, *b;
	float *c;
};
void device_multiply(struct device *d, const struct device_product *p);

/* element_math.h, for i in 0..n. */
void device_picture_half(
	struct device *d, size_t n, const uint8_t *rgb, struct picture_scale s, void *out);
void device_picture_float(struct device *d, size_t n, const uint8_t *rgb, size_t plane,
	struct picture_scale s, float *out);
void device_widen(struct device *d, size_t n, const void *half, float *out);
void device_add_bias(struct device *d, size_t n, const float *bias, size_t k, float *rows);
void device_add_relu(struct device *d, size_t n, const float *add, float *y);
void device_relu(struct device *d, size_t n, float *y);
void device_relu_backward(struct device *d, size_t n, const float *y, float *slope);
void device_sgd(struct device *d, size_t n, const float *gradient, struct sgd s, float *v,
	float *param, float *average);
