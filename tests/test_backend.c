/* labels: unit; timeout: 120 */
/* Every backend agrees with the reference; the reference's gradients agree with finite differences.
 */
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

static double loss_at(struct fixture *f, size_t at, float delta)
{
	float kept = f->params[at];
	f->params[at] = kept + delta;
	void *handle = fixture_open(&backend_reference, f);
	struct backend_step step = {.rgb = f->rgb, .target = f->target, .weight = f->weight};
	assert_int_equal(backend_reference.train_step(handle, &step, NULL), OK);
	backend_reference.close(handle);
	f->params[at] = kept;
	return step.loss;
}

static void reference_gradient_is_the_slope(void **state)
{
	(void)state;
	for (int a = 0; a < FIXTURE_ARCHS; a++) {
		struct fixture *f = fixture_new(a);
		float *gradient = malloc(f->net.n_floats * sizeof *gradient);
		void *handle = fixture_open(&backend_reference, f);
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
			fail_msg("%s: the gradient is off by %g", f->net.arch->name, sqrt(difference / size));
		free(gradient);
		fixture_free(f);
	}
}

static void onednn_forward(void **state)
{
	(void)state;
	backend_forward_agrees(&backend_onednn, 1e-4);
}

static void planes_agree(void **state)
{
	(void)state;
	backend_features_agree(&backend_reference, 1e-6);
	backend_features_agree(&backend_onednn, 1e-4);
}

static void onednn_step(void **state)
{
	(void)state;
	backend_step_agrees(&backend_onednn, 1e-3);
}

static void onednn_inference_follows_training(void **state)
{
	(void)state;
	backend_inference_follows_training(&backend_onednn, 1e-4);
}

static void training_wants_a_batch(void **state)
{
	(void)state;
	backend_training_wants_a_batch(&backend_reference);
	backend_training_wants_a_batch(&backend_onednn);
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
	struct fixture *f = fixture_new(0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(onednn_forward),
		cmocka_unit_test(reference_gradient_is_the_slope),
		cmocka_unit_test(planes_agree),
		cmocka_unit_test(onednn_step),
		cmocka_unit_test(onednn_inference_follows_training),
		cmocka_unit_test(names_of_devices),
		cmocka_unit_test(training_wants_a_batch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
