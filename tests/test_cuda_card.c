/* labels: unit; timeout: 600 */
/*
 * libtopi_cuda.so on a card, held to the reference as every backend; skipped where there is none.
 * What is right without a card is in test_cuda_steps.c and test_cuda_train.c.
 */
#include "support_net.h"

#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MODULE TOPI_BINARY_DIR "/libtopi_cuda.so"

static const struct backend *module;

static enum status open_halves(const struct backend_config *config, void **handle, struct err *err)
{
	struct backend_config chosen = *config;
	chosen.precision = BACKEND_FASTEST;
	return module->open(&chosen, handle, err);
}

static struct backend halves(void)
{
	struct backend b = *module;
	b.open = open_halves;
	return b;
}

static void forward(void **state)
{
	(void)state;
	const struct backend b = halves();
	backend_forward_agrees(module, 1e-4);
	backend_forward_agrees(&b, 1e-2);
}

static void step(void **state)
{
	(void)state;
	backend_step_agrees(module, 2e-3);
}

static void inference_follows_training(void **state)
{
	(void)state;
	const struct backend b = halves();
	backend_inference_follows_training(module, 1e-4);
	backend_inference_follows_training(&b, 1e-2);
	backend_training_wants_a_batch(module);
}

/* In bf16 the net learns its four pictures, and goes the same way each time. */
static void learns_in_bf16(void **state)
{
	(void)state;
	static const enum backend_rule rules[] = {BACKEND_SGD, BACKEND_ADAMW};
	for (int arch = 0; arch < FIXTURE_ARCHS; arch++)
		for (int r = 0; r < 2; r++) {
			double losses[2][40];
			for (int run = 0; run < 2; run++) {
				struct fixture *f = fixture_new(arch);
				struct backend_step step = {.rgb = f->rgb,
					.target = f->target,
					.weight = f->weight,
					.rule = rules[r],
					.rate = r ? 0.003f : 0.05f,
					.momentum = 0.9f,
					.beta2 = 0.999f,
					.clip = 5};
				f->config.precision = BACKEND_HALF;
				void *handle = fixture_open(module, f);
				for (int i = 0; i < 40; i++) {
					assert_int_equal(module->train_step(handle, &step, NULL), OK);
					losses[run][i] = step.loss;
				}
				assert_true(step.loss < 0.8 * losses[run][0]);
				assert_int_equal(step.n_right, BATCH);
				module->close(handle);
				fixture_free(f);
			}
			assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
		}
}

/* Large batches, recorded and with every way tried, give each picture what it gets alone. */
static void the_same_when_tuned(void **state)
{
	(void)state;
	enum { MANY = 70, RUNS = 40, CLASSES = 11, SIDE = 64 };
	static const char *const names[] = {"resnet18", "resnet50"};
	for (int a = 0; a < 2; a++) {
		static struct net net;
		const size_t picture = SIDE * SIDE * 3;
		uint8_t *rgb = malloc(MANY * picture);
		float *logits = malloc(MANY * CLASSES * sizeof *logits),
			  *alone = malloc(sizeof *alone * 22);
		void *handle = NULL;
		struct err err = {0};
		assert_int_equal(net_init(&net, net_arch_find(names[a]), CLASSES, SIDE, NULL), OK);
		float *params = malloc(net.n_floats * sizeof *params);
		net_init_params(&net, 5, params);
		for (size_t i = 0; i < MANY * picture; i++)
			rgb[i] = (uint8_t)(i * 2654435761u >> 21);
		const struct backend_config config = {.net = &net,
			.params = params,
			.mean = {0.485f, 0.456f, 0.406f},
			.std = {0.229f, 0.224f, 0.225f},
			.precision = BACKEND_HALF};
		if (module->open(&config, &handle, &err))
			fail_msg("%s", err.text);
		for (int i = 0; i < RUNS; i++)
			if (module->infer(handle, rgb, MANY, logits, NULL, &err))
				fail_msg("%s", err.text);
		assert_int_equal(module->infer(handle, rgb, 1, alone, NULL, &err), OK);
		assert_int_equal(
			module->infer(handle, rgb + 69 * picture, 1, alone + CLASSES, NULL, &err), OK);
		assert_true(relative_error(logits, alone, CLASSES) < 1e-2);
		assert_true(relative_error(logits + 69 * CLASSES, alone + CLASSES, CLASSES) < 1e-2);
		assert_true(relative_error(alone, alone + CLASSES, CLASSES) > 1e-3); /* they differ */
		module->close(handle);
		free(rgb);
		free(logits);
		free(alone);
		free(params);
	}
}

/* A group of one, through NCCL: the same as without. */
static void a_rank_alone(void **state)
{
	(void)state;
	uint8_t id[BACKEND_RANKS_ID_BYTES];
	struct err err = {0};
	if (module->new_id(id, &err)) {
		printf("skipped: %s\n", err.text);
		skip();
	}
	struct fixture *f = fixture_new(0);
	const struct backend_ranks ranks = {.n_ranks = 1, .nccl_id = id};
	float *gradient[2];
	for (int i = 0; i < 2; i++) {
		gradient[i] = malloc(f->net.n_floats * sizeof(float));
		struct backend_step step = {
			.rgb = f->rgb, .target = f->target, .weight = f->weight, .gradient = gradient[i]};
		f->config.ranks = i ? &ranks : NULL;
		void *handle = fixture_open(module, f);
		assert_int_equal(module->train_step(handle, &step, NULL), OK);
		module->close(handle);
	}
	assert_memory_equal(gradient[0], gradient[1], f->net.n_floats * sizeof(float));
	free(gradient[0]);
	free(gradient[1]);
	fixture_free(f);
}

static void card_of_another_number(void **state)
{
	(void)state;
	struct fixture *f = fixture_new(0);
	void *handle = NULL;
	struct err err = {0};
	f->config.device = 1000;
	assert_int_equal(module->open(&f->config, &handle, &err), BAD_INPUT);
	assert_non_null(strstr(err.text, "cuda:1000 was asked for"));
	fixture_free(f);
}

/* More than any card has is one line, and the card is usable after it. */
static void no_room(void **state)
{
	(void)state;
	struct fixture *f = fixture_new(0);
	void *handle = NULL;
	struct err err = {0};
	f->config.train_batch = 1 << 24;
	assert_int_equal(module->open(&f->config, &handle, &err), FAULT);
	assert_non_null(strstr(err.text, "has no room for"));
	f->config.train_batch = BATCH;
	module->close(fixture_open(module, f));
	fixture_free(f);
}

static int skipped(const char *why)
{
	printf("skipped: %s\n", why);
	return 77;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward),
		cmocka_unit_test(step),
		cmocka_unit_test(inference_follows_training),
		cmocka_unit_test(learns_in_bf16),
		cmocka_unit_test(the_same_when_tuned),
		cmocka_unit_test(a_rank_alone),
		cmocka_unit_test(card_of_another_number),
		cmocka_unit_test(no_room),
	};
	if (access(MODULE, F_OK))
		return skipped("the CUDA module was not built");
	void *library = dlopen(MODULE, RTLD_NOW | RTLD_LOCAL);
	module = library ? dlsym(library, "topi_backend") : NULL;
	if (!module) {
		fprintf(stderr, "%s is there and cannot be loaded: %s\n", MODULE, dlerror());
		return 1;
	}
	if (module->n_devices() == 0)
		return skipped("no card is here");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
