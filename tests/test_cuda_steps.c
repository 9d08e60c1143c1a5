/* labels: unit; timeout: 300 */
/*
 * The CUDA module's order of work without a card: module.c, infer.c and train.c run on a device in
 * plain C (support_device.c) and are held to the reference. This shows
 * that folding, layouts, shared buffers and slopes are right; that cuDNN does what device.h says is
 * for test_cuda.c on a machine with a card.
 */
#include "support_device.h"
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

extern const struct backend topi_backend;

/* The same in halves, and bf16 in training. */
static enum status open_halves(const struct backend_config *config, void **handle, struct err *err)
{
	struct backend_config chosen = *config;
	chosen.precision = BACKEND_FASTEST;
	return topi_backend.open(&chosen, handle, err);
}

static struct backend halves(void)
{
	struct backend b = topi_backend;
	b.open = open_halves;
	return b;
}

static void forward(void **state)
{
	(void)state;
	backend_forward_agrees(&topi_backend, 1e-4);
	backend_features_agree(&topi_backend, 1e-4);
	assert_int_equal(device_n_live, 0);
}

static void forward_in_halves(void **state)
{
	(void)state;
	const struct backend b = halves();
	backend_forward_agrees(&b, 1e-2);
	backend_features_agree(&b, 1e-2);
	assert_int_equal(device_n_live, 0);
}

static void step(void **state)
{
	(void)state;
	backend_step_agrees(&topi_backend, 1e-3);
	assert_int_equal(device_n_live, 0);
}

/* A relu that flips by rounding turns a whole slope, which tells in nets this small (with halves for
 * bf16, the errors of the gradient are a fifth); the loss is near, and the net learns its pictures. */
static void step_in_bf16(void **state)
{
	(void)state;
	for (int arch = 0; arch < FIXTURE_ARCHS; arch++) {
		struct fixture *f = fixture_new(arch);
		float *gradient[2];
		double loss[2];
		for (int is_half = 0; is_half < 2; is_half++) {
			gradient[is_half] = malloc(f->net.n_floats * sizeof(float));
			struct backend_step step = {.rgb = f->rgb,
				.target = f->target,
				.weight = f->weight,
				.rate = 0.05f,
				.momentum = 0.9f,
				.gradient = gradient[is_half]};
			f->config.precision = is_half ? BACKEND_HALF : BACKEND_SINGLE;
			void *handle = fixture_open(&topi_backend, f);
			assert_int_equal(topi_backend.train_step(handle, &step, NULL), OK);
			loss[is_half] = step.loss;
			step.gradient = NULL;
			for (int i = 0; i < 12 && is_half; i++)
				assert_int_equal(topi_backend.train_step(handle, &step, NULL), OK);
			if (is_half)
				assert_true(step.loss < 0.75 * loss[0] && step.n_right == BATCH);
			topi_backend.close(handle);
		}
		assert_true(fabs(loss[1] - loss[0]) < 1e-2 * loss[0]);
		assert_true(relative_error(gradient[1], gradient[0], f->net.n_floats) < 0.6);
		free(gradient[0]);
		free(gradient[1]);
		fixture_free(f);
	}
	assert_int_equal(device_n_live, 0);
}

static void inference_follows_training(void **state)
{
	(void)state;
	const struct backend b = halves();
	backend_inference_follows_training(&b, 1e-2);
	backend_inference_follows_training(&topi_backend, 1e-4);
	assert_int_equal(device_n_live, 0);
}

static void training_wants_a_batch(void **state)
{
	(void)state;
	backend_training_wants_a_batch(&topi_backend);
	assert_int_equal(device_n_live, 0);
}

/* More pictures than the largest batch: each gets what it gets alone. */
static void many_pictures(void **state)
{
	(void)state;
	enum { MANY = 131 };
	struct fixture *f = fixture_new(0);
	size_t picture = PX * PX * 3, d = (size_t)f->net.n_features;
	uint8_t *rgb = malloc(MANY * picture);
	float *logits = calloc(MANY * K, sizeof *logits), *x = calloc(MANY * d, sizeof *x);
	float alone[BATCH * K];
	f->config.train_batch = 0;
	for (int i = 0; i < MANY; i++)
		memcpy(rgb + (size_t)i * picture, f->rgb + (size_t)(i % BATCH) * picture, picture);
	void *handle = fixture_open(&topi_backend, f);
	assert_int_equal(topi_backend.infer(handle, rgb, MANY, logits, x, NULL), OK);
	for (int i = 0; i < BATCH; i++)
		assert_int_equal(
			topi_backend.infer(handle, f->rgb + (size_t)i * picture, 1, alone + i * K, NULL, NULL),
			OK);
	for (int i = 0; i < MANY; i++) {
		assert_memory_equal(logits + i * K, alone + i % BATCH * K, K * sizeof *alone);
		assert_memory_equal(x + (size_t)i * d, x + (size_t)(i % BATCH) * d, d * sizeof *x);
	}
	topi_backend.close(handle);
	assert_int_equal(device_n_live, 0);
	free(rgb);
	free(logits);
	free(x);
	fixture_free(f);
}

/* A size's first run is plain, the next are recorded, one of them tries all ways: the same each
 * time, and on a card with little room in smaller batches. */
static void the_same_again(void **state)
{
	(void)state;
	struct fixture *f = fixture_new(1);
	size_t picture = PX * PX * 3;
	float first[BATCH * K], again[BATCH * K];
	f->config.train_batch = 0;
	void *handle = fixture_open(&topi_backend, f);
	device_n_tuned = device_n_recorded = 0;
	assert_int_equal(topi_backend.infer(handle, f->rgb, BATCH, first, NULL, NULL), OK);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(topi_backend.infer(handle, f->rgb, BATCH, again, NULL, NULL), OK);
		assert_memory_equal(again, first, sizeof first);
		assert_int_equal(topi_backend.infer(handle, f->rgb + picture, 1, again, NULL, NULL), OK);
		assert_memory_equal(again, first + K, K * sizeof *first);
	}
	assert_true(device_n_tuned > 10);
	assert_true(device_n_recorded >= 4); /* two sizes, two lanes */
	topi_backend.close(handle);
	device_room = 1;
	handle = fixture_open(&topi_backend, f);
	assert_int_equal(topi_backend.infer(handle, f->rgb, BATCH, again, NULL, NULL), OK);
	assert_memory_equal(again, first, sizeof first);
	topi_backend.close(handle);
	device_room = (size_t)1 << 40;
	assert_int_equal(device_n_live, 0);
	fixture_free(f);
}

/* The Nth allocation on the card fails: one error, nothing kept, and inference works the next
 * time. */
static void no_room(void **state)
{
	(void)state;
	for (int train_batch = 0; train_batch <= BATCH; train_batch += BATCH) {
		struct fixture *f = fixture_new(0);
		float logits[BATCH * K];
		int failures = 0;
		enum status status = FAULT;
		f->config.train_batch = train_batch;
		for (device_fail_at = 1; status == FAULT; device_fail_at++) {
			void *handle = NULL;
			struct err err = {0};
			status = topi_backend.open(&f->config, &handle, &err);
			if (!status) {
				status = topi_backend.infer(handle, f->rgb, BATCH, logits, NULL, &err);
				if (status)
					assert_int_equal(
						topi_backend.infer(handle, f->rgb, BATCH, logits, NULL, NULL), OK);
				topi_backend.close(handle);
			}
			assert_int_equal(device_n_live, 0);
			failures += status == FAULT;
			if (status)
				assert_string_equal(err.text, "no room");
		}
		device_fail_at = 0;
		assert_int_equal(status, OK);
		assert_true(failures > 5);
		fixture_free(f);
	}
}

/* What halves cannot hold is an error, not a wrong label. */
static void beyond_half_precision(void **state)
{
	(void)state;
	static const struct {
		enum net_param_kind kind;
		float is;
		const char *says;
	} rows[] = {
		{NET_BN_SCALE, 1e8f, "with its batch norm is beyond half precision"},
		{NET_BN_SCALE, 3e3f, "a value inside the net is beyond half precision"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture *f = fixture_new(0);
		struct err err = {0};
		float logits[BATCH * K];
		for (int j = 0; j < f->net.n_params; j++) {
			const struct net_param *p = &f->net.params[j];
			for (size_t k = 0; p->kind == rows[i].kind && k < p->n; k++)
				f->params[p->offset + k] = rows[i].is;
		}
		f->config.precision = BACKEND_HALF;
		void *handle = fixture_open(&topi_backend, f);
		assert_int_equal(topi_backend.infer(handle, f->rgb, BATCH, logits, NULL, &err), FAULT);
		if (!strstr(err.text, rows[i].says))
			fail_msg("'%s' does not say '%s'", err.text, rows[i].says);
		topi_backend.close(handle);
		assert_int_equal(device_n_live, 0);
		fixture_free(f);
	}
}

static void no_such_card(void **state)
{
	(void)state;
	struct fixture *f = fixture_new(0);
	void *handle = NULL;
	struct err err = {0};
	f->config.device = 7;
	assert_int_equal(topi_backend.open(&f->config, &handle, &err), BAD_INPUT);
	assert_null(handle);
	assert_int_equal(device_n_live, 0);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward),
		cmocka_unit_test(forward_in_halves),
		cmocka_unit_test(step),
		cmocka_unit_test(step_in_bf16),
		cmocka_unit_test(inference_follows_training),
		cmocka_unit_test(training_wants_a_batch),
		cmocka_unit_test(many_pictures),
		cmocka_unit_test(the_same_again),
		cmocka_unit_test(no_room),
		cmocka_unit_test(beyond_half_precision),
		cmocka_unit_test(no_such_card),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
