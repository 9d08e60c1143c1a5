/*
 * Small nets with random parameters, pictures and targets, and what must hold for every backend:
 * the functions fail the running cmocka test. A tolerance is of relative_error.
 */
#pragma once

#include "backend.h"

#define PX 32
#define K 5
#define BATCH 4
#define FIXTURE_ARCHS 3

struct fixture {
	struct net net;
	float *params;
	uint8_t rgb[BATCH * PX * PX * 3];
	float target[BATCH * K], weight[BATCH];
	struct backend_config config;
};

struct fixture *fixture_new(int arch); /* in 0..FIXTURE_ARCHS */
void fixture_free(struct fixture *f);
void *fixture_open(const struct backend *backend, const struct fixture *f);

/* |a - b| against the size of b's values. */
double relative_error(const float *a, const float *b, size_t n);

/* Against the reference: logits and embeddings of batches of every size up to BATCH. */
void backend_forward_agrees(const struct backend *backend, double tolerance);
/* Against the reference: the plane that is pooled. Its pool is the embedding. */
void backend_features_agree(const struct backend *backend, double tolerance);
/* Loss, parameters and average after two steps; gradients within five times the tolerance. */
void backend_step_agrees(const struct backend *backend, double tolerance);
/* After a step, inference runs with the new parameters. */
void backend_inference_follows_training(const struct backend *backend, double tolerance);
void backend_training_wants_a_batch(const struct backend *backend);
