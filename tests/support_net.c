/* Small nets, and what must hold for a backend that runs them. */
#include "support_net.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Between them every kind of layer: pools or none, mean and peak, both blocks, with and without downsampling, 1x1,
 * 3x3, 7x7. */
static const struct net_arch archs[FIXTURE_ARCHS] = {
	{"basic", {16, 32, 48, 64}, {1, 1, 1, 1}, 1, 3, 2, 0, 0, PX},
	{"identity", {16, 16, 32, 32}, {2, 1, 2, 1}, 1, 7, 2, 1, 1, PX},
	{"bottleneck", {16, 16, 16, 16}, {2, 1, 1, 1}, 4, 7, 1, 1, 0, PX},
};

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

struct fixture *fixture_new(int arch)
{
	struct fixture *f = calloc(1, sizeof *f);
	uint32_t state = 12345;
	assert_int_equal(net_init(&f->net, &archs[arch], K, PX, NULL), OK);
	f->params = malloc(f->net.n_floats * sizeof *f->params);
	net_init_params(&f->net, 3, f->params);
	for (int i = 0; i < f->net.n_params; i++) { /* no zero scales, no trivial statistics */
		const struct net_param *p = &f->net.params[i];
		for (size_t j = 0; j < p->n; j++) {
			float u = (float)next(&state) / 16777216.0f;
			if (p->kind == NET_BN_SCALE || p->kind == NET_BN_VAR)
				f->params[p->offset + j] = 0.5f + u;
			if (p->kind == NET_BN_SHIFT || p->kind == NET_BN_MEAN)
				f->params[p->offset + j] = 0.4f * u - 0.2f;
		}
	}
	for (size_t i = 0; i < sizeof f->rgb; i++)
		f->rgb[i] = (uint8_t)next(&state);
	for (int n = 0; n < BATCH; n++) {
		f->weight[n] = 0.5f + (float)n;
		for (int k = 0; k < K; k++)
			f->target[n * K + k] = k == n % K ? 0.8f : 0.05f;
	}
	f->config = (struct backend_config){.net = &f->net,
		.params = f->params,
		.mean = {0.485f, 0.456f, 0.406f},
		.std = {0.229f, 0.224f, 0.225f},
		.train_batch = BATCH};
	return f;
}

void fixture_free(struct fixture *f)
{
	free(f->params);
	free(f);
}

double relative_error(const float *a, const float *b, size_t n)
{
	double difference = 0, size = 0;
	for (size_t i = 0; i < n; i++) {
		difference += pow((double)a[i] - (double)b[i], 2);
		size += pow((double)b[i], 2);
	}
	return sqrt(difference / (size > 1e-20 ? size : 1e-20));
}

void *fixture_open(const struct backend *backend, const struct fixture *f)
{
	void *handle = NULL;
	struct err err = {0};
	if (backend->open(&f->config, &handle, &err))
		fail_msg("%s: %s", backend->name, err.text);
	return handle;
}

void backend_forward_agrees(const struct backend *backend, double tolerance)
{
	for (int a = 0; a < FIXTURE_ARCHS; a++) {
		struct fixture *f = fixture_new(a);
		size_t d = (size_t)f->net.n_features;
		float *x = calloc(BATCH * d * 2, sizeof *x), logits[2][BATCH * K];
		void *slow = fixture_open(&backend_reference, f), *fast = fixture_open(backend, f);
		assert_int_equal(backend_reference.infer(slow, f->rgb, BATCH, logits[0], x, NULL), OK);
		for (int n = 1; n <= BATCH; n++) { /* 3 runs in a batch of 4 */
			assert_int_equal(backend->infer(fast, f->rgb, n, logits[1], x + BATCH * d, NULL), OK);
			double by_logits = relative_error(logits[1], logits[0], (size_t)(n * K));
			double by_features = relative_error(x + BATCH * d, x, (size_t)n * d);
			if (by_logits > tolerance || by_features > tolerance)
				fail_msg("%s, %d images: logits off by %g, features by %g", f->net.arch->name, n,
					by_logits, by_features);
		}
		assert_int_equal(backend->infer(fast, f->rgb, 2, logits[1], NULL, NULL), OK);
		backend_reference.close(slow);
		backend->close(fast);
		free(x);
		fixture_free(f);
	}
}

void backend_features_agree(const struct backend *backend, double tolerance)
{
	for (int a = 0; a < FIXTURE_ARCHS; a++) {
		struct fixture *f = fixture_new(a);
		const struct net_act *plane = net_plane(&f->net);
		size_t d = (size_t)f->net.n_features, places = (size_t)(plane->h * plane->w);
		float *x = calloc(BATCH * d * (places * 2 + 1), sizeof *x), logits[BATCH * K];
		float *y = x + BATCH * d * places, *embeddings = y + BATCH * d * places;
		void *slow = fixture_open(&backend_reference, f), *fast = fixture_open(backend, f);
		assert_int_equal(plane->c, f->net.n_features);
		assert_int_equal(backend_reference.features(slow, f->rgb, BATCH, x, NULL), OK);
		assert_int_equal(backend->features(fast, f->rgb, BATCH, y, NULL), OK);
		double error = relative_error(y, x, BATCH * d * places);
		if (error > tolerance)
			fail_msg("%s: planes are off by %g", f->net.arch->name, error);
		assert_int_equal(backend->infer(fast, f->rgb, BATCH, logits, embeddings, NULL), OK);
		for (size_t i = 0; i < BATCH * d; i++) {
			float sum = 0, top = 0;
			for (size_t p = 0; p < places; p++) {
				sum += y[i * places + p];
				top = y[i * places + p] > top ? y[i * places + p] : top;
			}
			x[i] = f->net.arch->peak_pool ? top : sum / (float)places;
		}
		assert_true(relative_error(x, embeddings, BATCH * d) < tolerance);
		backend_reference.close(slow);
		backend->close(fast);
		free(x);
		fixture_free(f);
	}
}

void backend_step_agrees(const struct backend *backend, double tolerance)
{
	for (int a = 0; a < FIXTURE_ARCHS; a++) {
		struct fixture *f = fixture_new(a);
		const struct backend *backends[2] = {&backend_reference, backend};
		size_t n = f->net.n_floats;
		float *gradient[2], *params[2], *average[2];
		double losses[2];
		for (int b = 0; b < 2; b++) {
			gradient[b] = malloc(n * sizeof(float));
			params[b] = malloc(n * sizeof(float));
			average[b] = malloc(n * sizeof(float));
			void *handle = fixture_open(backends[b], f);
			struct backend_step step = {.rgb = f->rgb,
				.target = f->target,
				.weight = f->weight,
				.rate = 0.01f,
				.momentum = 0.9f,
				.weight_decay = 0.01f,
				.average = 0.5f,
				.gradient = gradient[b]};
			for (int i = 0; i < 2; i++) /* the second sees momentum */
				assert_int_equal(backends[b]->train_step(handle, &step, NULL), OK);
			losses[b] = step.loss;
			assert_int_equal(backends[b]->read_state(handle, BACKEND_LIVE, params[b], NULL), OK);
			assert_int_equal(
				backends[b]->read_state(handle, BACKEND_AVERAGE, average[b], NULL), OK);
			backends[b]->close(handle);
		}
		assert_true(fabs(losses[0] - losses[1]) < tolerance * fabs(losses[0]));
		for (int i = 0; i < f->net.n_params; i++) {
			const struct net_param *p = &f->net.params[i];
			double by_gradient = relative_error(
				gradient[1] + p->offset, gradient[0] + p->offset, p->n);
			double by_params = relative_error(params[1] + p->offset, params[0] + p->offset, p->n);
			double by_average = relative_error(
				average[1] + p->offset, average[0] + p->offset, p->n);
			if (by_gradient > 5 * tolerance || by_params > tolerance || by_average > tolerance)
				fail_msg("%s %s: gradient off by %g, value by %g, average by %g", f->net.arch->name,
					p->name, by_gradient, by_params, by_average);
		}
		assert_memory_not_equal(params[1], f->params, n * sizeof(float));
		assert_memory_not_equal(params[1], average[1], n * sizeof(float));
		for (int b = 0; b < 2; b++) {
			free(gradient[b]);
			free(params[b]);
			free(average[b]);
		}
		fixture_free(f);
	}
}

void backend_inference_follows_training(const struct backend *backend, double tolerance)
{
	struct fixture *f = fixture_new(0);
	float before[BATCH * K], after[BATCH * K], *params = malloc(f->net.n_floats * sizeof *params);
	struct backend_step step = {
		.rgb = f->rgb, .target = f->target, .weight = f->weight, .rate = 0.1f};
	void *handle = fixture_open(backend, f);
	assert_int_equal(backend->infer(handle, f->rgb, BATCH, before, NULL, NULL), OK);
	assert_int_equal(backend->train_step(handle, &step, NULL), OK);
	assert_int_equal(backend->infer(handle, f->rgb, BATCH, after, NULL, NULL), OK);
	assert_int_equal(backend->read_state(handle, BACKEND_LIVE, params, NULL), OK);
	backend->close(handle);
	assert_memory_not_equal(before, after, sizeof before);
	memcpy(f->params, params, f->net.n_floats * sizeof *params);
	handle = fixture_open(&backend_reference, f);
	assert_int_equal(backend_reference.infer(handle, f->rgb, BATCH, before, NULL, NULL), OK);
	backend_reference.close(handle);
	assert_true(relative_error(after, before, BATCH * K) < tolerance);
	free(params);
	fixture_free(f);
}

void backend_training_wants_a_batch(const struct backend *backend)
{
	struct fixture *f = fixture_new(0);
	f->config.train_batch = 0;
	struct backend_step step = {.rgb = f->rgb, .target = f->target, .weight = f->weight};
	void *handle = fixture_open(backend, f);
	assert_int_equal(backend->train_step(handle, &step, NULL), CONFLICT);
	assert_int_equal(backend->read_state(handle, BACKEND_AVERAGE, f->params, NULL), CONFLICT);
	assert_int_equal(backend->read_state(handle, BACKEND_LIVE, f->params, NULL), OK);
	backend->close(handle);
	fixture_free(f);
}
