/* labels: peer alone; timeout: 900 */
/* Twenty steps of ResNet-18 from the same parameters and pictures as PyTorch's, which reads them
 * from a safetensors file (tests/peer/torch_train.py): beside its single precision at a rate where rounding does not grow,
 * and at ten times that, where it does, beside its double precision, which rounding leaves alone. */
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
#define MAX_PIXELS 96
#define CLASSES 10
#define MOMENTUM 0.9
#define DECAY 1e-3

/* As pictures() in torch_train.py: patches of 8 x 8, since in plain noise pictures hardly differ to
 * a net, and rounding soon decides. */
static void pictures(int step, uint32_t px, uint8_t *rgb)
{
	for (uint32_t i = 0; i < ROWS * px * px * 3; i++) {
		uint32_t x = i / 3 % px / 8, y = i / 3 / px % px / 8;
		uint32_t n = i / 3 / px / px, key = ((n * 64 + y) * 64 + x) * 3 + i % 3;
		rgb[i] = (uint8_t)((key + (uint32_t)step * 7919u) * 2654435761u >> 13);
	}
}

static void our_losses(const struct model *model, double rate, double *losses)
{
	static uint8_t rgb[ROWS * MAX_PIXELS * MAX_PIXELS * 3];
	float target[ROWS * CLASSES] = {0}, weight[ROWS];
	struct backend_config config = {
		.net = &model->net, .params = model->params, .train_batch = ROWS};
	struct backend_step step = {.rgb = rgb,
		.target = target,
		.weight = weight,
		.rate = (float)rate,
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
		pictures(i, (uint32_t)model->net.input_px, rgb);
		assert_int_equal(backend_onednn.train_step(handle, &step, NULL), OK);
		losses[i] = step.loss;
	}
	backend_onednn.close(handle);
}

/* kind: "" or "double". Returns 0 where there is no PyTorch. */
static int their_losses(struct model *model, double rate, const char *kind, double *losses)
{
	char path[] = "/tmp/topi-peer-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(model_save(model, path, NULL, NULL), OK);
	int status = command(TOPI_SOURCE_DIR
		"/tests/peer/torch_train.py losses %s %d %d %d %g %g %g %s",
		path, ROWS, model->net.input_px, STEPS, rate, MOMENTUM, DECAY, kind);
	unlink(path);
	if (status == 77)
		return 0;
	assert_int_equal(status, 0);
	const char *at = command_out;
	for (int i = 0; i < STEPS; i++) {
		char *end;
		losses[i] = strtod(at, &end);
		assert_true(end > at);
		at = end;
	}
	return 1;
}

static double largest_difference(const double *a, const double *b)
{
	double largest = 0;
	for (int i = 0; i < STEPS; i++)
		largest = fmax(largest, fabs(a[i] - b[i]));
	return largest;
}

static void losses_are_pytorchs(void **state)
{
	(void)state;
	struct model *model = NULL;
	double ours[STEPS], theirs[STEPS];
	assert_int_equal(model_new("resnet18", NULL, CLASSES, 96, 5, &model, NULL), OK);
	int is_there = their_losses(model, 0.001, "", theirs);
	if (is_there)
		our_losses(model, 0.001, ours);
	model_free(model);
	if (!is_there) {
		print_message("skipped: no PyTorch in Debian's Python\n");
		skip();
	}
	print_message("losses %.4f to %.4f, at most %.1e from PyTorch's\n", ours[0], ours[STEPS - 1],
		largest_difference(ours, theirs));
	assert_true(largest_difference(ours, theirs) < 1e-3);
	assert_true(ours[STEPS - 1] < ours[0]);
}

/* The largest difference of our losses from those in double precision; *theirs: of PyTorch's in single. -1: no PyTorch. */
static double off_exact(unsigned long long seed, double *theirs_off)
{
	struct model *model = NULL;
	double ours[STEPS], theirs[STEPS], exact[STEPS];
	assert_int_equal(model_new("resnet18", NULL, CLASSES, 64, seed, &model, NULL), OK);
	int is_there = their_losses(model, 0.01, "", theirs) &&
		their_losses(model, 0.01, "double", exact);
	if (is_there)
		our_losses(model, 0.01, ours);
	model_free(model);
	*theirs_off = is_there ? largest_difference(theirs, exact) : 0;
	return is_there ? largest_difference(ours, exact) : -1;
}

/*
 * At this rate a rounding that falls the other way early on (another number of threads is enough) moves the later losses by up to
 * some 1e-2, for some first parameters ours and for others PyTorch's: what is wrong would do so for all.
 */
static void losses_are_the_exact_ones(void **state)
{
	(void)state;
	double off = 1;
	for (unsigned long long seed = 6; seed < 9 && off >= 1e-3; seed++) {
		double theirs_off;
		off = off_exact(seed, &theirs_off);
		if (off < 0) {
			print_message("skipped: no PyTorch in Debian's Python\n");
			skip();
		}
		print_message("seed %llu: losses at most %.1e from double precision's; PyTorch's in single "
					  "%.1e\n",
			seed, off, theirs_off);
	}
	assert_true(off < 1e-3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(losses_are_pytorchs), cmocka_unit_test(losses_are_the_exact_ones)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
