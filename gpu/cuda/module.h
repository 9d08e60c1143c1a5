/* Inside the CUDA backend: what module.c opens and infer.c and train.c fill. */
#pragma once

#include "backend.h"
#include "device.h"

struct cuda_infer;
struct cuda_trainer;

struct cuda {
	const struct net *net;
	struct device *device;
	struct picture_scale picture;
	float *params;  /* [n_floats] here; older than the card's after a training step */
	int params_old; /* they are */
	struct cuda_infer *infer;
	struct cuda_trainer *trainer;
};

/* infer.c */
enum status cuda_infer(struct cuda *c, const uint8_t *rgb, int n, float *logits, float *embeddings,
	struct err *err) MUST_CHECK;
enum status cuda_features(
	struct cuda *c, const uint8_t *rgb, int n, float *planes, struct err *err) MUST_CHECK;
void cuda_infer_free(struct cuda *c); /* also when the parameters have changed */

/* train.c */
enum status cuda_train_new(struct cuda *c, int batch, struct err *err) MUST_CHECK;
enum status cuda_train_step(struct cuda *c, struct backend_step *step, struct err *err) MUST_CHECK;
enum status cuda_train_read(
	struct cuda *c, enum backend_state which, float *out, struct err *err) MUST_CHECK;
void cuda_train_free(struct cuda *c);
