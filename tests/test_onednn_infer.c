/* labels: unit slow; timeout: 300 */
/* Inference on CPUs, in both precisions and as on lesser processors, agrees with the reference. The library asks once
 * what a processor can do, so each kind runs in a process of its own. */
#include "backend.h"

#include <math.h>
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

#define K 7

/* A stem of stride 1 without a pool, peaks, and channels that are no power of two. */
static const struct net_arch peaks = {"peaks", {16, 48, 32, 80}, {1, 2, 1, 1}, 1, 5, 1, 0, 1, 96};

/* Planes of odd sizes (96 px end in 3 x 3), batches of one and such as fill no plan or several. 32 px end in one pixel,
 * where no mean evens out what bf16 rounds: of pure noise the logits are then off by 1.4 % (docs/model.md). */
static struct {
	const char *arch; /* one that the table lacks: peaks */
	int px, n, is_single;
	struct net net;
	float *params, *logits, *embeddings; /* the last two of the reference */
	uint8_t *rgb;
} rows[] = {
	{.arch = "resnet10s", .px = 32, .n = 33, .is_single = 1},
	{.arch = "resnet10s", .px = 64, .n = 33},
	{.arch = "resnet10s", .px = 96, .n = 3},
	{.arch = "peaks", .px = 96, .n = 1},
	{.arch = "resnet18", .px = 96, .n = 1},
	{.arch = "resnet18", .px = 64, .n = 5},
	{.arch = "resnet50", .px = 96, .n = 1},
	{.arch = "resnet50", .px = 32, .n = 6, .is_single = 1},
	{.arch = "resnet50", .px = 64, .n = 3},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static const struct {
	enum backend_precision precision;
	const char *name;
	double bound; /* of the largest value */
} precisions[] = {{BACKEND_SINGLE, "single", 1e-4}, {BACKEND_HALF, "half", 1e-2},
	{BACKEND_FASTEST, "fastest", 1e-2}};

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static struct backend_config row_config(int i, enum backend_precision precision)
{
	return (struct backend_config){.net = &rows[i].net,
		.params = rows[i].params,
		.mean = {0.485f, 0.456f, 0.406f},
		.std = {0.229f, 0.224f, 0.225f},
		.precision = precision};
}

static int prepare(void **unused)
{
	(void)unused;
	uint32_t state = 99;
	for (int i = 0; i < N_ROWS; i++) {
		const struct net_arch *arch = net_arch_find(rows[i].arch);
		struct net *net = &rows[i].net;
		assert_int_equal(net_init(net, arch ? arch : &peaks, K, rows[i].px, NULL), OK);
		size_t n_bytes = (size_t)rows[i].n * (size_t)rows[i].px * (size_t)rows[i].px * 3;
		rows[i].params = malloc(net->n_floats * sizeof(float));
		rows[i].rgb = malloc(n_bytes);
		rows[i].logits = malloc((size_t)(rows[i].n * K) * sizeof(float));
		rows[i].embeddings = malloc((size_t)(rows[i].n * net->n_features) * sizeof(float));
		net_init_params(net, 5, rows[i].params);
		for (int p = 0; p < net->n_params; p++) { /* no zero scales, no trivial statistics */
			float *at = rows[i].params + net->params[p].offset;
			for (size_t j = 0; j < net->params[p].n; j++) {
				float u = (float)next(&state) / 16777216.0f;
				if (net->params[p].kind == NET_BN_SCALE || net->params[p].kind == NET_BN_VAR)
					at[j] = 0.5f + u;
				if (net->params[p].kind == NET_BN_SHIFT || net->params[p].kind == NET_BN_MEAN)
					at[j] = 0.4f * u - 0.2f;
			}
		}
		for (size_t j = 0; j < n_bytes; j++)
			rows[i].rgb[j] = (uint8_t)next(&state);
		struct backend_config config = row_config(i, BACKEND_SINGLE);
		void *handle = NULL;
		assert_int_equal(backend_reference.open(&config, &handle, NULL), OK);
		assert_int_equal(backend_reference.infer(handle, rows[i].rgb, rows[i].n, rows[i].logits,
							 rows[i].embeddings, NULL),
			OK);
		backend_reference.close(handle);
	}
	return 0;
}

static int release(void **unused)
{
	(void)unused;
	for (int i = 0; i < N_ROWS; i++) {
		free(rows[i].params);
		free(rows[i].rgb);
		free(rows[i].logits);
		free(rows[i].embeddings);
	}
	return 0;
}

static double off_by(const float *a, const float *b, int n)
{
	double difference = 0, size = 0;
	for (int i = 0; i < n; i++) {
		difference = fmax(difference, fabs((double)a[i] - (double)b[i]));
		size = fmax(size, fabs((double)b[i]));
	}
	return difference / size;
}

/* Prints what is wrong. Returns the number of faults. */
static int check_row(int i, int p)
{
	struct backend_config config = row_config(i, precisions[p].precision);
	int n = rows[i].n, d = rows[i].net.n_features;
	float *logits = malloc((size_t)(n * K) * sizeof *logits);
	float *embeddings = malloc((size_t)(n * d) * sizeof *embeddings);
	struct err err = {0};
	void *handle = NULL;
	double by_logits = 1, by_embeddings = 1;
	if (backend_onednn.open(&config, &handle, &err) ||
		backend_onednn.infer(handle, rows[i].rgb, n, logits, embeddings, &err)) {
		fprintf(stderr, "%s, %s: %s\n", rows[i].arch, precisions[p].name, err.text);
	} else {
		by_logits = off_by(logits, rows[i].logits, n * K);
		by_embeddings = off_by(embeddings, rows[i].embeddings, n * d);
		printf("%s, %d px, batch %d, %s: logits off by %.2g, embeddings by %.2g\n", rows[i].arch,
			rows[i].px, n, precisions[p].name, by_logits, by_embeddings);
	}
	backend_onednn.close(handle);
	free(logits);
	free(embeddings);
	return !(by_logits <= precisions[p].bound) + !(by_embeddings <= precisions[p].bound);
}

/* Whether it is refused, as where there is no bf16, in words that say so. */
static int half_is_refused(void)
{
	struct backend_config config = row_config(0, BACKEND_HALF);
	struct err err = {0};
	void *handle = NULL;
	enum status status = backend_onednn.open(&config, &handle, &err);
	if (!status)
		backend_onednn.close(handle);
	return status == BAD_INPUT && strstr(err.text, "bf16");
}

/* As on a processor that has no more than isa (oneDNN's DNNL_MAX_CPU_ISA). */
static void agrees_on(const char *isa, int is_without_half)
{
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		int n_faults = 0;
		setenv("DNNL_MAX_CPU_ISA", isa, 1);
		printf("%s:\n", isa);
		int has_half = !half_is_refused();
		for (int p = 0; p < 3; p++)
			for (int i = 0; i < N_ROWS; i++)
				if (precisions[p].precision == BACKEND_SINGLE ||
					(!rows[i].is_single && (has_half || precisions[p].precision != BACKEND_HALF)))
					n_faults += check_row(i, p);
		if (!has_half)
			printf("skipped: half, which the processor does not have\n");
		fflush(NULL);
		_exit(n_faults || (has_half && is_without_half));
	}
	int code = 0;
	assert_int_equal(waitpid(child, &code, 0), child);
	assert_true(WIFEXITED(code));
	assert_int_equal(WEXITSTATUS(code), 0);
}

static void here(void **state)
{
	(void)state;
	agrees_on("ALL", 0);
}

static void without_tiles(void **state)
{
	(void)state;
	agrees_on("AVX512_CORE_BF16", 0);
}

static void without_bf16(void **state)
{
	(void)state;
	agrees_on("AVX512_CORE", 1);
}

static void without_avx512(void **state)
{
	(void)state;
	agrees_on("AVX2", 1);
}

/* Returns 0 when the precision is not to be had. */
static int run(
	struct backend_config config, enum backend_precision precision, int n, float *logits, float *x)
{
	void *handle = NULL;
	config.precision = precision;
	if (backend_onednn.open(&config, &handle, NULL))
		return 0;
	assert_int_equal(backend_onednn.infer(handle, rows[1].rgb, n, logits, x, NULL), OK);
	backend_onednn.close(handle);
	return 1;
}

/* The first of two pictures is made a tie of the likeliest two classes in bf16: it is seen as single precision sees it, to the
 * bit. The second, black and no tie, is not. */
static void near_ties_are_run_again_in_single(void **state)
{
	(void)state;
	enum { D = 128, IMAGE = 64 * 64 * 3 };
	struct backend_config config = row_config(1, BACKEND_HALF);
	const struct net_param *bias = &rows[1].net.params[rows[1].net.n_params - 1];
	float logits[2 * K], single[2 * K], x[2 * D], single_x[2 * D];
	assert_int_equal(rows[1].net.n_features, D);
	memset(rows[1].rgb + IMAGE, 0, IMAGE);
	for (int c = 0; c < 2; c++)
		rows[1].params[bias->offset + (size_t)c] += 50;
	if (!run(config, BACKEND_HALF, 2, logits, x)) {
		print_message("skipped: no bf16 on this processor\n");
		return;
	}
	rows[1].params[bias->offset] += logits[1] - logits[0];
	assert_true(run(config, BACKEND_HALF, 2, logits, x));
	for (int i = 0; i < 2; i++) { /* batches of one, as in the second run of a tie */
		memcpy(rows[1].rgb, rows[1].rgb + (i ? IMAGE : 0), IMAGE);
		assert_true(run(config, BACKEND_SINGLE, 1, single + i * K, single_x + i * D));
	}
	assert_memory_equal(logits, single, K * sizeof *logits);
	assert_memory_equal(x, single_x, D * sizeof *x);
	assert_memory_not_equal(x + D, single_x + D, D * sizeof *x);
	assert_memory_not_equal(logits + K, single + K, K * sizeof *logits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(here), cmocka_unit_test(without_tiles), cmocka_unit_test(without_bf16),
		cmocka_unit_test(without_avx512),
		cmocka_unit_test(near_ties_are_run_again_in_single), /* last: the library has then asked */
	};
	return cmocka_run_group_tests(tests, prepare, release);
}
