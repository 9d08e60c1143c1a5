/*
 * Training steps on nets of random shapes, and what must hold for every backend: the functions fail
 * the running cmocka test. Where a processor has no half precision they return 0 and check nothing.
 */
#pragma once

#include "backend.h"

/* Any arch, size, batch and heads; parameters, pictures and targets from a seed. */
struct steps {
	struct net_arch arch;
	struct net net;
	int batch;
	float *params, *target, *weight, *layer_rate;
	uint8_t *rgb;
	struct backend_config config;
	struct backend_step step; /* borrows the above; no layer_rate unless the test sets it */
};

struct steps *steps_new(uint32_t seed, int n_heads);
void steps_free(struct steps *s);
/* 0 for every parameter before the first whose name begins so. */
void steps_freeze_below(struct steps *s, const char *name);

/* What a handle holds after n steps. Shapes: states [4][n_floats]. */
struct steps_result {
	float *states, *gradient;
	double loss, norm;
	int n_right;
};
/* Errors: as open and train_step. */
enum status steps_run(const struct backend *backend, const struct steps *s, int n,
	struct steps_result *out, struct err *err) MUST_CHECK;
void steps_result_release(struct steps_result *r);

/* Two steps of every rule, with all that backend_step can ask for, on random nets. */
void backend_steps_agree(const struct backend *backend, double tolerance);
/* The same losses and nearly the same direction in half precision. */
int backend_half_is_near(const struct backend *backend);
void backend_resumes_to_the_bit(const struct backend *backend, enum backend_precision precision);
/* What is frozen keeps its bits, momentum and statistics too; the rest moves. */
void backend_freezes(const struct backend *backend);
/* Two ranks, in threads, end with the step of their gradients' mean. */
void backend_ranks_take_the_mean(const struct backend *backend, double tolerance);
int backend_overfits(const struct backend *backend, enum backend_precision precision);
