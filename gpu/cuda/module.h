/* Inside the CUDA backend: what module.c opens and infer.c and train.c fill. */
#pragma once

#include "device.h"

struct cuda_infer;
struct cuda_trainer;

struct cuda {
	const struct net *net;
	struct device *device;
	struct picture_scale picture;
	int is_exact;   /* BACKEND_SINGLE */
	float *params;  /* [n_floats] here; older than the card's after a training step */
	int params_old; /* they are */
	int has_ranks;  /* it trains with others */
	struct cuda_infer *infer;
	struct cuda_trainer *trainer;
};

/* The geometry of a pool, and of a convolution's weights, of the net. */
struct pool_shape cuda_pool_shape(const struct net *net, const struct net_layer *layer);
struct weights_shape cuda_weights_shape(const struct net_param *weights);
size_t cuda_packed_size(struct weights_shape s); /* in numbers */

/* infer.c. Its memory is had when it is first needed, or, by cuda_infer_new, before that: what the net
 * and one picture need. */
enum status cuda_infer_new(struct cuda *c, struct err *err) MUST_CHECK;
enum status cuda_infer(struct cuda *c, const uint8_t *rgb, int n, float *logits, float *embeddings,
	struct err *err) MUST_CHECK;
enum status cuda_features(
	struct cuda *c, const uint8_t *rgb, int n, float *planes, struct err *err) MUST_CHECK;
enum status cuda_infer_reload(
	struct cuda *c, struct err *err) MUST_CHECK; /* the parameters have changed */
void cuda_infer_free(struct cuda *c);

/* train.c */
enum status cuda_train_new(struct cuda *c, int batch, struct err *err) MUST_CHECK;
enum status cuda_train_step(struct cuda *c, struct backend_step *step, struct err *err) MUST_CHECK;
enum status cuda_train_read(
	struct cuda *c, enum backend_state which, float *out, struct err *err) MUST_CHECK;
enum status cuda_train_write(struct cuda *c, enum backend_state which, const float *in,
	int64_t n_steps, struct err *err) MUST_CHECK;
void cuda_train_free(struct cuda *c);
