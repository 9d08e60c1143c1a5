/*
 * What runs a net: the reference (slow and obvious, the oracle), oneDNN on CPUs, CUDA from a module
 * that is loaded at run time. The engine and the trainer know only this struct.
 *
 * A handle is used by one thread at a time; oneDNN's want all their calls from one thread. The
 * module `libtopi_cuda.so` lies beside the program and exports `const struct backend topi_backend`
 * with `abi` as here.
 */
#pragma once

#include "net.h"

#include <stdint.h>

#define BACKEND_ABI 1

struct backend_config {
	const struct net *net; /* borrowed until close */
	const float *params;   /* [net->n_floats], borrowed for the call */
	float mean[3], std[3]; /* of R, G, B in [0, 1] */
	int device;            /* N of cuda:N */
	int train_batch;       /* images in a training step; 0: inference only */
	int threads;           /* 0: as many as there are cores */
};

/* One step of SGD with momentum: v = momentum v + g + weight_decay p; p -= rate v. Weight decay
 * spares vectors (batch norm, bias). Batch norm uses the batch and moves its running statistics by
 * 0.1, with the unbiased variance. */
struct backend_step {
	const uint8_t *rgb;  /* [train_batch][px][px][3] */
	const float *target; /* [train_batch][n_classes], each row sums to 1 */
	const float *weight; /* [train_batch]: the loss is the weighted mean of cross entropies */
	float rate, momentum, weight_decay;
	float average; /* moving average of every parameter: a = average a + (1 - average) p; starts at
					  the params of open; 0 keeps a copy of p */
	float *gradient; /* NULL, or [net->n_floats] out: of the loss, before weight decay; 0 for
						running statistics */
	double loss;     /* out */
	int n_right;     /* out: rows whose largest logit is their largest target */
};

enum backend_params { BACKEND_LIVE, BACKEND_AVERAGE };

struct backend {
	int abi; /* BACKEND_ABI */
	const char *name;
	/* Errors: BAD_INPUT for a device that is not there, FAULT with the library's words. */
	enum status (*open)(const struct backend_config *config, void **handle, struct err *err);
	/*
	 * Runs with the running statistics (of the live parameters).
	 * Shapes: rgb [n][px][px][3]; logits [n][n_classes]; embeddings [n][n_features] or NULL.
	 */
	enum status (*infer)(
		void *handle, const uint8_t *rgb, int n, float *logits, float *embeddings, struct err *err);
	/* CONFLICT when opened with train_batch 0. */
	enum status (*train_step)(void *handle, struct backend_step *step, struct err *err);
	/* Shapes: out [net->n_floats]. */
	enum status (*read_params)(
		void *handle, enum backend_params which, float *out, struct err *err);
	void (*close)(void *handle); /* NULL is fine */
};

extern const struct backend backend_reference;
extern const struct backend backend_onednn;

/*
 * Opens a net on a device: "auto", "cpu", "cuda", "cuda:N" or "reference"; NULL means auto. Auto
 * takes the first card when the module is there and opens, else the CPU. config->device is ignored.
 * Owns:   *handle is the caller's, to (*out)->close.
 * Errors: BAD_INPUT for another name; NOT_FOUND when CUDA is asked for and its module cannot be
 * loaded, with why; others as open.
 */
enum status backend_open(const char *device, const struct backend_config *config,
	const struct backend **out, void **handle, struct err *err) MUST_CHECK;

/*
 * Softmax cross entropy of one row, shared by the backends that compute it on the CPU.
 * Shapes: logits, target, gradient [n]; gradient of the loss times scale.
 * Returns the loss, unscaled.
 */
double backend_softmax_loss(
	const float *logits, const float *target, int n, float scale, float *gradient);
