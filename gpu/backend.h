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

#define BACKEND_ABI 3
#define BACKEND_RANKS_ID_BYTES 128 /* of an ncclUniqueId */

/*
 * How numbers are held while a net runs. HALF is bf16 on CPUs that have it and half precision or
 * bf16 on cards; weights that are trained and statistics stay single. FASTEST is HALF where the
 * device is made for it, else SINGLE. What each promises: docs/model.md.
 */
enum backend_precision { BACKEND_SINGLE, BACKEND_HALF, BACKEND_FASTEST };

/*
 * One of several that train together, each on its own part of the data: gradients become the mean
 * over the ranks. Batch norm looks at its own rank's batch.
 */
struct backend_ranks {
	int rank, n_ranks;
	/* CUDA: the same ncclUniqueId on every rank. Others: NULL, and sum is called. */
	const void *nccl_id;
	/* Adds up `at` over all ranks, in place and in the same order on each; called by train_step as
	 * parts of the gradient become known, in the same sequence everywhere. Shapes: at [n]. */
	enum status (*sum)(void *arg, float *at, size_t n, struct err *err);
	void *arg;
};

struct backend_config {
	const struct net *net; /* borrowed until close */
	const float *params;   /* [net->n_floats], borrowed for the call */
	float mean[3], std[3]; /* of R, G, B in [0, 1] */
	int device;            /* N of cuda:N */
	int train_batch;       /* images in a training step; 0: inference only */
	int threads;           /* 0: as many as there are cores */
	enum backend_precision precision;
	const struct backend_ranks *ranks; /* NULL: alone; borrowed until close */
};

enum backend_rule { BACKEND_SGD, BACKEND_ADAMW };

/*
 * One step, with g the gradient (clipped, where asked) and r = rate * layer_rate of the parameter:
 *   SGD:   v = momentum v + g + weight_decay p;  p -= r v
 *   AdamW: m = momentum m + (1 - momentum) g;  v = beta2 v + (1 - beta2) g^2;
 *          p -= r (m / (1 - momentum^t) / (sqrt(v / (1 - beta2^t)) + 1e-8) + weight_decay p),
 *          t = 1, 2, … (Loshchilov and Hutter, ICLR 2019)
 * Weight decay spares vectors (batch norm, bias). Batch norm uses the batch and moves its running
 * statistics by 0.1, with the unbiased variance; frozen, it uses the running statistics and leaves
 * them.
 */
struct backend_step {
	const uint8_t *rgb;  /* [train_batch][px][px][3] */
	const float *target; /* [train_batch][n_classes]: see backend_row_loss */
	const float *weight; /* [train_batch]: the loss is the weighted mean of backend_row_loss */
	enum backend_rule rule;
	float rate, momentum, weight_decay;
	float beta2;             /* AdamW */
	const float *layer_rate; /* NULL: all 1; else [net->n_params]; 0 leaves a parameter as it is */
	float clip; /* 0: none; else the gradient's largest L2 norm, over all that are trained */
	int is_norm_frozen;
	float average; /* moving average of every parameter: a = average a + (1 - average) p; starts at
					  the params of open; 0 keeps a copy of p */
	float *gradient; /* NULL, or [net->n_floats] out: of the loss, before clipping and weight decay;
						0 for running statistics */
	double loss;     /* out: of this rank's batch */
	double norm;     /* out, where clip > 0: the gradient's L2 norm before clipping */
	int n_right;     /* out: rows whose largest logit of the first head is their largest target */
};

/* All that a step changes, each [net->n_floats]; SECOND is AdamW's v. */
enum backend_state { BACKEND_LIVE, BACKEND_AVERAGE, BACKEND_MOMENTUM, BACKEND_SECOND };

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
	/*
	 * The plane that the embedding pools, as infer sees it: for looking at, one picture at a time.
	 * Shapes: rgb [n][px][px][3]; planes [n][n_features][h][w] of net_plane.
	 */
	enum status (*features)(
		void *handle, const uint8_t *rgb, int n, float *planes, struct err *err);
	/* CONFLICT when opened with train_batch 0. */
	enum status (*train_step)(void *handle, struct backend_step *step, struct err *err);
	/* Shapes: out, in [net->n_floats]. CONFLICT when opened with train_batch 0 (but for reading
	 * LIVE). Writing all four and n_steps (taken so far) goes on as the handle that they were read
	 * from would have. */
	enum status (*read_state)(void *handle, enum backend_state which, float *out, struct err *err);
	enum status (*write_state)(
		void *handle, enum backend_state which, const float *in, int64_t n_steps, struct err *err);
	void (*close)(void *handle); /* NULL is fine */
	/* CUDA's alone, NULL in the others. Cards that are here; 0 as well without a driver. */
	int (*n_devices)(void);
	/* The nccl_id of a new group of ranks: one rank makes it and gives it to the others.
	 * Shapes: id, BACKEND_RANKS_ID_BYTES. Errors: NOT_FOUND when NCCL is not there. */
	enum status (*new_id)(void *id, struct err *err);
};

extern const struct backend backend_reference;
extern const struct backend backend_onednn;

/*
 * Opens a net on a device: "auto", "cpu", "cuda", "cuda:N", "cuda:all" (backend_cards.h) or
 * "reference"; NULL means auto. Auto
 * takes the first card when the module is there and opens, else the CPU. config->device is ignored.
 * Owns:   *handle is the caller's, to (*out)->close.
 * Errors: BAD_INPUT for another name; NOT_FOUND when CUDA is asked for and its module cannot be
 * loaded, with why; others as open.
 */
enum status backend_open(const char *device, const struct backend_config *config,
	const struct backend **out, void **handle, struct err *err) MUST_CHECK;

/* Whether it computes on the CPU. */
int backend_is_cpu(const struct backend *backend);

/*
 * What ranks on this device must share before they open it (backend_ranks.nccl_id): *n is BACKEND_RANKS_ID_BYTES, or 0
 * where the device needs none or is "auto". Shapes: id [BACKEND_RANKS_ID_BYTES].
 * Errors: as backend_open; NOT_FOUND when NCCL is not there.
 */
enum status backend_rank_id(const char *device, void *id, size_t *n, struct err *err) MUST_CHECK;

/*
 * The loss of one row, shared by the backends that compute it on the CPU: softmax cross entropy,
 * summed over the net's heads. A head's targets sum to 1, or are all 0: nothing is known, no loss.
 * Shapes: logits, target, gradient [net->n_classes]; gradient of the loss times scale.
 * Returns the loss, unscaled.
 */
double backend_row_loss(
	const struct net *net, const float *logits, const float *target, float scale, float *gradient);
