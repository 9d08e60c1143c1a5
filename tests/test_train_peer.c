/* labels: peer; timeout: 300 */
/* Twenty steps of ResNet-18 from the same parameters and pictures as PyTorch's, which reads them
 * from a safetensors file (tests/peer/torch_train.py). */
#include "backend.h"
#include "model.h"
#include "support_command.h"

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

#define STEPS 20
#define ROWS 16
#define PIXELS 96
#define CLASSES 10
#define RATE 0.001 /* at .01 two ways of rounding part after ten steps */
#define MOMENTUM 0.9
#define DECAY 1e-3

/* As pictures() in torch_train.py: patches of 8 x 8, since in plain noise pictures hardly differ to
 * a net, and rounding soon decides. */
static void pictures(int step, uint8_t *rgb)
{
	for (uint32_t i = 0; i < ROWS * PIXELS * PIXELS * 3; i++) {
		uint32_t x = i / 3 % PIXELS / 8, y = i / 3 / PIXELS % PIXELS / 8;
		uint32_t n = i / 3 / PIXELS / PIXELS, key = ((n * 64 + y) * 64 + x) * 3 + i % 3;
		rgb[i] = (uint8_t)((key + (uint32_t)step * 7919u) * 2654435761u >> 13);
	}
}

static void our_losses(const struct model *model, double *losses)
{
	static uint8_t rgb[ROWS * PIXELS * PIXELS * 3];
	float target[ROWS * CLASSES] = {0}, weight[ROWS];
	struct backend_config config = {
		.net = &model->net, .params = model->params, .train_batch = ROWS};
	struct backend_step step = {.rgb = rgb,
		.target = target,
		.weight = weight,
		.rate = (float)RATE,
		.momentum = (float)MOMENTUM,
		.weight_decay = (float)DECAY};
	void *handle = NULL;
	memcpy(config.mean, model->input.mean, sizeof config.mean);
	memcpy(config.std, model->input.std, sizeof config.std);
	for (int i = 0; i < ROWS; i++) {
		target[i * CLASSES + i % CLASSES] = 1;
		weight[i] = 1;
	}
	assert_int_equal(backend_onednn.open(&config, &handle, NULL), OK);
	for (int i = 0; i < STEPS; i++) {
		pictures(i, rgb);
		assert_int_equal(backend_onednn.train_step(handle, &step, NULL), OK);
		losses[i] = step.loss;
	}
	backend_onednn.close(handle);
}

static void losses_are_pytorchs(void **state)
{
	(void)state;
	char path[] = "/tmp/topi-peer-XXXXXX";
	struct model *model = NULL;
	double ours[STEPS], largest = 0;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(model_new("resnet18", NULL, CLASSES, PIXELS, 5, &model, NULL), OK);
	assert_int_equal(model_save(model, path, NULL, NULL), OK);
	int status = command(TOPI_SOURCE_DIR "/tests/peer/torch_train.py losses %s %d %d %d %g %g %g",
		path, ROWS, PIXELS, STEPS, RATE, MOMENTUM, DECAY);
	unlink(path);
	if (status == 77) {
		model_free(model);
		print_message("skipped: no PyTorch in Debian's Python\n");
		skip();
	}
	assert_int_equal(status, 0);
	our_losses(model, ours);
	model_free(model);
	const char *at = command_out;
	for (int i = 0; i < STEPS; i++) {
		char *end;
		double theirs = strtod(at, &end);
		assert_true(end > at);
		at = end;
		double off = fabs(ours[i] - theirs);
		if (!(off < 1e-3))
			fail_msg("step %d: loss %.6f, PyTorch's %.6f", i, ours[i], theirs);
		largest = off > largest ? off : largest;
	}
	assert_true(ours[STEPS - 1] < ours[0]);
	print_message(
		"losses %.4f to %.4f, at most %.1e from PyTorch's\n", ours[0], ours[STEPS - 1], largest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(losses_are_pytorchs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
