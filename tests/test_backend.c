/* labels: unit; timeout: 120 */
/* Every backend agrees with the reference; the reference's gradients agree with finite differences.
 */
#include "backend.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PX 32
#define K 5
#define BATCH 4

/* Between them every kind of layer: pools or none, mean and peak, both blocks, with and without downsampling, 1x1,
 * 3x3, 7x7. */
static const struct net_arch archs[] = {
	{"basic", {16, 32, 48, 64}, {1, 1, 1, 1}, 1, 3, 2, 0, 0, PX},
	{"identity", {16, 16, 32, 32}, {2, 1, 2, 1}, 1, 7, 2, 1, 1, PX},
	{"bottleneck", {16, 16, 16, 16}, {2, 1, 1, 1}, 4, 7, 1, 1, 0, PX},
};

struct fixture {
	struct net net;
	float *params;
	uint8_t rgb[BATCH * PX * PX * 3];
	float target[BATCH * K], weight[BATCH];
	struct backend_config config;
};

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static struct fixture *fixture_new(const struct net_arch *arch)
{
	struct fixture *f = calloc(1, sizeof *f);
	uint32_t state = 12345;
	assert_int_equal(net_init(&f->net, arch, K, PX, NULL), OK);
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

static void fixture_free(struct fixture *f)
{
	free(f->params);
	free(f);
}

/* |a - b| against the size of b's values. */
static double relative_error(const float *a, const float *b, size_t n)
{
	double difference = 0, size = 0;
	for (size_t i = 0; i < n; i++) {
		difference += pow((double)a[i] - (double)b[i], 2);
		size += pow((double)b[i], 2);
	}
	return sqrt(difference / (size > 1e-20 ? size : 1e-20));
}

static void *open_backend(const struct backend *backend, const struct fixture *f)
{
	void *handle = NULL;
	struct err err = {0};
	if (backend->open(&f->config, &handle, &err))
		fail_msg("%s: %s", backend->name, err.text);
	return handle;
}

static void forward_agrees(void **state)
{
	(void)state;
	for (size_t a = 0; a < sizeof archs / sizeof *archs; a++) {
		struct fixture *f = fixture_new(&archs[a]);
		size_t d = (size_t)f->net.n_features;
		float *x = calloc(BATCH * d * 2, sizeof *x), logits[2][BATCH * K];
		void *slow = open_backend(&backend_reference, f), *fast = open_backend(&backend_onednn, f);
		assert_int_equal(backend_reference.infer(slow, f->rgb, BATCH, logits[0], x, NULL), OK);
		for (int n = 1; n <= BATCH; n++) { /* 3 runs in a batch of 4 */
			assert_int_equal(
				backend_onednn.infer(fast, f->rgb, n, logits[1], x + BATCH * d, NULL), OK);
			double by_logits = relative_error(logits[1], logits[0], (size_t)(n * K));
			double by_features = relative_error(x + BATCH * d, x, (size_t)n * d);
			if (by_logits > 1e-4 || by_features > 1e-4)
				fail_msg("%s, %d images: logits off by %g, features by %g", archs[a].name, n,
					by_logits, by_features);
		}
		assert_int_equal(backend_onednn.infer(fast, f->rgb, 2, logits[1], NULL, NULL), OK);
		backend_reference.close(slow);
		backend_onednn.close(fast);
		free(x);
		fixture_free(f);
	}
}

static double loss_at(struct fixture *f, size_t at, float delta)
{
	float kept = f->params[at];
	f->params[at] = kept + delta;
	void *handle = open_backend(&backend_reference, f);
	struct backend_step step = {.rgb = f->rgb, .target = f->target, .weight = f->weight};
	assert_int_equal(backend_reference.train_step(handle, &step, NULL), OK);
	backend_reference.close(handle);
	f->params[at] = kept;
	return step.loss;
}

static void reference_gradient_is_the_slope(void **state)
{
	(void)state;
	for (size_t a = 0; a < sizeof archs / sizeof *archs; a++) {
		struct fixture *f = fixture_new(&archs[a]);
		float *gradient = malloc(f->net.n_floats * sizeof *gradient);
		void *handle = open_backend(&backend_reference, f);
		struct backend_step step = {
			.rgb = f->rgb, .target = f->target, .weight = f->weight, .gradient = gradient};
		assert_int_equal(backend_reference.train_step(handle, &step, NULL), OK);
		backend_reference.close(handle);
		double difference = 0, size = 0;
		for (int i = 0; i < f->net.n_params; i += 1 + i % 3) { /* some of each kind */
			const struct net_param *p = &f->net.params[i];
			if (p->kind == NET_BN_MEAN || p->kind == NET_BN_VAR)
				continue;
			size_t at = p->offset + p->n / 2;
			float h = 0x1p-13f;
			double slope = (loss_at(f, at, h) - loss_at(f, at, -h)) / (double)(2 * h);
			difference += pow(slope - (double)gradient[at], 2);
			size += slope * slope;
		}
		if (!(sqrt(difference / size) < 1e-2))
			fail_msg("%s: the gradient is off by %g", archs[a].name, sqrt(difference / size));
		free(gradient);
		fixture_free(f);
	}
}

static void training_step_agrees(void **state)
{
	(void)state;
	for (size_t a = 0; a < sizeof archs / sizeof *archs; a++) {
		struct fixture *f = fixture_new(&archs[a]);
		const struct backend *backends[2] = {&backend_reference, &backend_onednn};
		size_t n = f->net.n_floats;
		float *gradient[2], *params[2], *average[2];
		double losses[2];
		for (int b = 0; b < 2; b++) {
			gradient[b] = malloc(n * sizeof(float));
			params[b] = malloc(n * sizeof(float));
			average[b] = malloc(n * sizeof(float));
			void *handle = open_backend(backends[b], f);
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
			assert_int_equal(backends[b]->read_params(handle, BACKEND_LIVE, params[b], NULL), OK);
			assert_int_equal(
				backends[b]->read_params(handle, BACKEND_AVERAGE, average[b], NULL), OK);
			backends[b]->close(handle);
		}
		assert_true(fabs(losses[0] - losses[1]) < 1e-3 * fabs(losses[0]));
		for (int i = 0; i < f->net.n_params; i++) {
			const struct net_param *p = &f->net.params[i];
			double by_gradient = relative_error(
				gradient[1] + p->offset, gradient[0] + p->offset, p->n);
			double by_params = relative_error(params[1] + p->offset, params[0] + p->offset, p->n);
			double by_average = relative_error(
				average[1] + p->offset, average[0] + p->offset, p->n);
			if (by_gradient > 5e-3 || by_params > 1e-3 || by_average > 1e-3)
				fail_msg("%s %s: gradient off by %g, value by %g, average by %g", archs[a].name,
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

static void inference_follows_training(void **state)
{
	(void)state;
	struct fixture *f = fixture_new(&archs[0]);
	float before[BATCH * K], after[BATCH * K], *params = malloc(f->net.n_floats * sizeof *params);
	struct backend_step step = {
		.rgb = f->rgb, .target = f->target, .weight = f->weight, .rate = 0.1f};
	void *handle = open_backend(&backend_onednn, f);
	assert_int_equal(backend_onednn.infer(handle, f->rgb, BATCH, before, NULL, NULL), OK);
	assert_int_equal(backend_onednn.train_step(handle, &step, NULL), OK);
	assert_int_equal(backend_onednn.infer(handle, f->rgb, BATCH, after, NULL, NULL), OK);
	assert_int_equal(backend_onednn.read_params(handle, BACKEND_LIVE, params, NULL), OK);
	backend_onednn.close(handle);
	assert_memory_not_equal(before, after, sizeof before);
	memcpy(f->params, params, f->net.n_floats * sizeof *params);
	handle = open_backend(&backend_reference, f);
	assert_int_equal(backend_reference.infer(handle, f->rgb, BATCH, before, NULL, NULL), OK);
	backend_reference.close(handle);
	assert_true(relative_error(after, before, BATCH * K) < 1e-4);
	free(params);
	fixture_free(f);
}

static void names_of_devices(void **state)
{
	(void)state;
	static const struct {
		const char *device;
		enum status status;
		const char *backend;
	} rows[] = {
		{"cpu", OK, "onednn"},
		{"reference", OK, "reference"},
		{"gpu", BAD_INPUT, NULL},
		{"cuda:", BAD_INPUT, NULL},
		{"cuda:x", BAD_INPUT, NULL},
		{"cuda:-1", BAD_INPUT, NULL},
		{"", BAD_INPUT, NULL},
	};
	struct fixture *f = fixture_new(&archs[0]);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct backend *backend = NULL;
		void *handle = NULL;
		struct err err = {0};
		assert_int_equal(
			backend_open(rows[i].device, &f->config, &backend, &handle, &err), rows[i].status);
		if (rows[i].status == OK) {
			assert_string_equal(backend->name, rows[i].backend);
			backend->close(handle);
		} else {
			assert_true(strlen(err.text) > 10);
		}
	}
	fixture_free(f);
}

static void training_wants_a_batch(void **state)
{
	(void)state;
	struct fixture *f = fixture_new(&archs[0]);
	const struct backend *backends[] = {&backend_reference, &backend_onednn};
	f->config.train_batch = 0;
	for (int i = 0; i < 2; i++) {
		struct backend_step step = {.rgb = f->rgb, .target = f->target, .weight = f->weight};
		void *handle = open_backend(backends[i], f);
		assert_int_equal(backends[i]->train_step(handle, &step, NULL), CONFLICT);
		assert_int_equal(
			backends[i]->read_params(handle, BACKEND_AVERAGE, f->params, NULL), CONFLICT);
		backends[i]->close(handle);
	}
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward_agrees),
		cmocka_unit_test(reference_gradient_is_the_slope),
		cmocka_unit_test(training_step_agrees),
		cmocka_unit_test(inference_follows_training),
		cmocka_unit_test(names_of_devices),
		cmocka_unit_test(training_wants_a_batch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
