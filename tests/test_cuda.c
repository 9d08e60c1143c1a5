/* labels: unit; timeout: 300 */
/*
 * libtopi_cuda.so and the program that may or may not find it. Where there is no card, it must say so
 * in one line, and --device auto must not care. What a card computes: test_cuda_card.c.
 */
#include "image.h"
#include "model.h"
#include "support_net.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MODULE TOPI_BINARY_DIR "/libtopi_cuda.so"
#define OLD_DRIVER TOPI_BINARY_DIR "/tests/driver" /* the folder of driver/libcuda.c's library */

static char dir[64];
static char out[4000]; /* of the last command, stdout and stderr */

static const struct backend *module; /* NULL where it was not built */
static int has_card;

static int run(const char *command, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *command, ...)
{
	char text[1000];
	va_list args;
	va_start(args, command);
	vsnprintf(text, sizeof text, command, args);
	va_end(args);
	FILE *in = popen(text, "r");
	assert_non_null(in);
	out[fread(out, 1, sizeof out - 1, in)] = 0;
	int code = pclose(in);
	return WIFEXITED(code) ? WEXITSTATUS(code) : -1;
}

/* A folder with a model, a picture and a program of its own, without the module beside it. */
static int set_up(void **state)
{
	(void)state;
	struct model *model = NULL;
	struct image_rgb grey = {.width_px = 48, .height_px = 32};
	uint8_t *jpeg = NULL;
	size_t n = 0;
	char path[128];
	snprintf(dir, sizeof dir, "/tmp/topi-cuda-XXXXXX");
	if (!mkdtemp(dir) || model_new("resnet10s", NULL, 3, 32, 1, &model, NULL))
		return -1;
	snprintf(path, sizeof path, "%s/m.safetensors", dir);
	enum status status = model_save(model, path, NULL, NULL);
	model_free(model);
	grey.pixels = calloc(48 * 32, 3);
	if (!status)
		status = image_encode_rgb(&grey, 90, &jpeg, &n, NULL);
	free(grey.pixels);
	snprintf(path, sizeof path, "%s/a.jpg", dir);
	FILE *file = status ? NULL : fopen(path, "wb");
	if (!file)
		return -1;
	fwrite(jpeg, 1, n, file);
	free(jpeg);
	return fclose(file) || run("cp " TOPI_BINARY_DIR "/topi %s/topi 2>&1", dir) ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	return run("rm -rf %s", dir);
}

static void runs_without_the_module(void **state)
{
	(void)state;
	assert_int_equal(run("cd %s && ./topi infer m.safetensors a.jpg --device cuda 2>&1", dir), 1);
	assert_non_null(strstr(out, "no CUDA here"));
	assert_int_equal(run("cd %s && ./topi infer m.safetensors a.jpg --device auto 2>&1", dir), 0);
	assert_non_null(strstr(out, "\"top\""));
	assert_null(strstr(out, "CUDA"));
}

static void refuses_another_library(void **state)
{
	(void)state;
	assert_int_equal(run("cp " TOPI_BINARY_DIR "/topi %s/libtopi_cuda.so", dir), 0);
	assert_int_equal(run("cd %s && ./topi infer m.safetensors a.jpg --device cuda 2>&1", dir), 1);
	assert_non_null(strstr(out, "no CUDA here"));
	assert_int_equal(run("cd %s && ./topi infer m.safetensors a.jpg 2>&1", dir), 0);
	assert_int_equal(run("rm %s/libtopi_cuda.so", dir), 0);
}

static void module_fits(void **state)
{
	(void)state;
	if (!module)
		skip();
	assert_int_equal(module->abi, BACKEND_ABI);
	assert_string_equal(module->name, "cuda");
	assert_non_null(module->open);
	assert_non_null(module->infer);
	assert_non_null(module->train_step);
	assert_non_null(module->read_state);
	assert_non_null(module->write_state);
	assert_non_null(module->n_devices);
	assert_non_null(module->new_id);
	assert_non_null(module->close);
	module->close(NULL);
}

/* A driver that is not there, or knows no card; its words follow. */
static const char *no_card(void)
{
	return access("/proc/driver/nvidia", F_OK) == 0
		? "cuda was asked for: no CUDA device is there (driver says: "
		: "cuda was asked for: there is no NVIDIA driver here";
}

static void no_card_is_one_line(void **state)
{
	(void)state;
	if (!module || has_card)
		skip();
	const char *says = no_card();
	struct fixture *f = fixture_new(0);
	void *handle = NULL;
	struct err err = {0};
	assert_int_equal(module->open(&f->config, &handle, &err), BAD_INPUT);
	assert_null(handle);
	assert_memory_equal(err.text, says, strlen(says));
	fixture_free(f);
	static const char *const devices[] = {"cuda", "cuda:1", "cuda:all"};
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			run(TOPI_BINARY_DIR "/topi infer %s/m.safetensors %s/a.jpg --device %s 2>&1", dir, dir,
				devices[i]),
			1);
		assert_non_null(strstr(out, says));
		assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
	}
	assert_int_equal(
		run(TOPI_BINARY_DIR "/topi infer %s/m.safetensors %s/a.jpg --device auto 2>&1", dir, dir),
		0);
	assert_non_null(strstr(out, "\"top\""));
	assert_null(strstr(out, "CUDA"));
}

static void an_old_driver_is_one_line(void **state)
{
	(void)state;
	static const char says[] = "cuda was asked for: the driver is for CUDA 11.4, and ";
	if (!module)
		skip();
	static const char *const devices[] = {"cuda", "cuda:0", "cuda:all"};
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run("LD_LIBRARY_PATH=" OLD_DRIVER " " TOPI_BINARY_DIR
							 "/topi infer %s/m.safetensors %s/a.jpg --device %s 2>&1",
							 dir, dir, devices[i]),
			1);
		assert_non_null(strstr(out, says));
		assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
	}
	assert_int_equal(run("LD_LIBRARY_PATH=" OLD_DRIVER " " TOPI_BINARY_DIR
						 "/topi infer %s/m.safetensors %s/a.jpg 2>&1",
						 dir, dir),
		0);
	assert_non_null(strstr(out, "\"top\""));
	assert_null(strstr(out, "CUDA"));
}

static void card_runs_the_program(void **state)
{
	(void)state;
	if (!has_card)
		skip();
	assert_int_equal(
		run(TOPI_BINARY_DIR "/topi infer %s/m.safetensors %s/a.jpg --device cuda 2>&1", dir, dir),
		0);
	assert_non_null(strstr(out, "\"top\""));
}

static void find_module(void)
{
	if (access(MODULE, F_OK))
		return;
	void *library = dlopen(MODULE, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		fprintf(stderr, "%s\n", dlerror());
	module = library ? dlsym(library, "topi_backend") : NULL;
	if (!module) {
		fprintf(stderr, "%s is there and cannot be loaded\n", MODULE);
		exit(1);
	}
	struct fixture *f = fixture_new(0);
	void *handle = NULL;
	struct err err = {0};
	enum status status = module->open(&f->config, &handle, &err);
	has_card = status == OK;
	if (status)
		printf("cards' tests are skipped: %s\n", err.text);
	else
		module->close(handle);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_without_the_module),
		cmocka_unit_test(refuses_another_library),
		cmocka_unit_test(module_fits),
		cmocka_unit_test(no_card_is_one_line),
		cmocka_unit_test(an_old_driver_is_one_line),
		cmocka_unit_test(card_runs_the_program),
	};
	find_module();
	int n_failed = cmocka_run_group_tests(tests, set_up, tear_down);
	if (n_failed)
		return n_failed;
	if (!module)
		printf("skipped: the CUDA module was not built\n");
	return module ? 0 : 77;
}
