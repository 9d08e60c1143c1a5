/* labels: real slow; timeout: 400 */
/* Real weights on real pictures: the logits of the published ResNet-18 as another framework
 * computed them, and a folder of broken JPEG files. Skips where ../shared is absent. */
#include "engine.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DATA TOPI_SOURCE_DIR "/../shared/data"
#define WEIGHTS DATA "/weights/resnet18-imagenet-ktb-f16.safetensors"
#define PX 224
#define IMAGE (PX * PX * 3)
#define N 12
#define K 1000

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct engine *open_engine(enum backend_precision precision)
{
	struct engine *engine = NULL;
	struct err err = {0};
	if (engine_open(WEIGHTS, "cpu", precision, &engine, &err))
		fail_msg("%s", err.text);
	return engine;
}

static void read_floats(const char *name, float *out)
{
	struct safetensors *file = NULL;
	assert_int_equal(
		safetensors_open(DATA "/weights/reference/logits.safetensors", &file, NULL), OK);
	const struct safetensors_tensor *t = safetensors_find(file, name);
	assert_non_null(t);
	assert_int_equal(safetensors_floats(t, out, NULL), OK);
	safetensors_close(file);
}

static double largest_difference(const float *a, const float *b, int n)
{
	double largest = 0;
	for (int i = 0; i < n; i++) {
		double difference = fabs((double)a[i] - (double)b[i]);
		largest = difference > largest ? difference : largest;
	}
	return largest;
}

static void top5(const float *logits, int *out)
{
	for (int j = 0; j < 5; j++) {
		out[j] = -1;
		for (int i = 0; i < K; i++) {
			int taken = 0;
			for (int t = 0; t < j; t++)
				taken = taken || out[t] == i;
			if (!taken && (out[j] < 0 || logits[i] > logits[out[j]]))
				out[j] = i;
		}
	}
}

static void is_recognised_without_metadata_of_ours(void **state)
{
	(void)state;
	struct engine *engine = open_engine(BACKEND_SINGLE);
	const struct model *model = engine_model(engine);
	assert_string_equal(model->net.arch->name, "resnet18");
	assert_int_equal(model->net.n_classes, K);
	assert_int_equal(model->input.px, PX);
	assert_int_equal(model->input.fit, INPUT_CROP);
	assert_int_equal(strlen(model->backbone), 32);
	engine_close(engine);
}

static void logits_and_features_agree(void **state)
{
	(void)state;
	static uint8_t rgb[N * IMAGE];
	static float got[N * K], want[N * K], features[N * 512], want_features[N * 512];
	for (int i = 0; i < N; i++) {
		char path[512];
		int w, h, top;
		snprintf(path, sizeof path, DATA "/weights/reference/in_%02d.ppm", i);
		FILE *file = fopen(path, "rb");
		assert_non_null(file);
		assert_int_equal(fscanf(file, "P6 %d %d %d", &w, &h, &top), 3);
		assert_true(w == PX && h == PX && top == 255 && fgetc(file) != EOF);
		assert_int_equal(fread(rgb + i * IMAGE, 1, IMAGE, file), IMAGE);
		fclose(file);
	}
	struct engine *engine = open_engine(BACKEND_SINGLE);
	assert_int_equal(engine_run(engine, rgb, N, got, features, NULL), OK);
	engine_close(engine);
	read_floats("resnet18.logits", want);
	read_floats("resnet18.pool", want_features);
	printf("logits off by %.2g, features by %.2g\n", largest_difference(got, want, N * K),
		largest_difference(features, want_features, N * 512));
	assert_true(largest_difference(got, want, N * K) < 1e-3);
	assert_true(largest_difference(features, want_features, N * 512) < 1e-3);
	for (int i = 0; i < N; i++) {
		int a[5], b[5];
		top5(got + i * K, a);
		top5(want + i * K, b);
		assert_memory_equal(a, b, sizeof a);
	}
}

static void formula_agrees(void **state)
{
	(void)state;
	static uint8_t rgb[IMAGE];
	static float got[K], want[K];
	for (int n = 0; n < IMAGE; n++) /* the formula numbers pixels plane by plane */
		rgb[n % (PX * PX) * 3 + n / (PX * PX)] = (uint8_t)(n * 37 % 256);
	struct engine *engine = open_engine(BACKEND_SINGLE);
	assert_int_equal(engine_run(engine, rgb, 1, got, NULL, NULL), OK);
	engine_close(engine);
	read_floats("resnet18.formula.logits", want);
	assert_true(largest_difference(got, want, K) < 1e-3);
}

static void photographs_are_what_they_show(void **state)
{
	(void)state;
	static const struct {
		const char *file;
		int top1;
	} rows[] = {
		{"photos/dalmatian/dalmatian_0006.jpg", 251},
		{"photos/leopard/Leopards_0001.jpg", 293},
		{"photos/llama/llama_0001.jpg", 355},
		{"photos/rooster/rooster_0002.jpg", 7},
		{"camera-traps/lila/S1_P07_R1_PICT0370.JPG", 353},
	};
	static uint8_t rgb[IMAGE];
	static float logits[K];
	struct engine *engine = open_engine(BACKEND_SINGLE);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char path[512];
		int best[5];
		snprintf(path, sizeof path, DATA "/%s", rows[i].file);
		assert_int_equal(input_load(path, &engine_model(engine)->input, NULL, rgb, NULL), OK);
		assert_int_equal(engine_run(engine, rgb, 1, logits, NULL, NULL), OK);
		top5(logits, best);
		assert_int_equal(best[0], rows[i].top1);
	}
	engine_close(engine);
}

/* The likeliest class of n pictures. */
static void run_top1(struct engine *engine, const uint8_t *rgb, int n, int *out)
{
	static float logits[N * K];
	assert_int_equal(engine_run(engine, rgb, n, logits, NULL, NULL), OK);
	for (int i = 0; i < n; i++) {
		int best[5];
		top5(logits + i * K, best);
		out[i] = best[0];
	}
}

/* Every photograph that there is, in both precisions. */
static void half_sees_what_single_sees(void **state)
{
	(void)state;
	static const char *const folders[] = {"photos", "camera-traps"};
	static uint8_t rgb[N * IMAGE];
	struct engine *single = open_engine(BACKEND_SINGLE), *half = NULL;
	struct err err = {0};
	int n = 0, n_same = 0, n_waiting = 0;
	if (engine_open(WEIGHTS, "cpu", BACKEND_HALF, &half, &err)) {
		engine_close(single);
		assert_non_null(strstr(err.text, "bf16"));
		skip();
	}
	for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
		char path[1024], line[1024];
		snprintf(path, sizeof path, DATA "/%s/labels.csv", folders[f]);
		FILE *csv = fopen(path, "r");
		assert_non_null(csv);
		assert_non_null(fgets(line, sizeof line, csv));
		for (int is_more = 1; is_more;) {
			is_more = fgets(line, sizeof line, csv) != NULL;
			if (is_more) {
				snprintf(
					path, sizeof path, DATA "/%s/%.*s", folders[f], (int)strcspn(line, ","), line);
				n_waiting += !input_load(
					path, &engine_model(single)->input, NULL, rgb + n_waiting * IMAGE, NULL);
			}
			if (n_waiting == N || (!is_more && n_waiting)) {
				int a[N], b[N];
				run_top1(single, rgb, n_waiting, a);
				run_top1(half, rgb, n_waiting, b);
				for (int i = 0; i < n_waiting; i++)
					n_same += a[i] == b[i];
				n += n_waiting;
				n_waiting = 0;
			}
		}
		fclose(csv);
	}
	engine_close(single);
	engine_close(half);
	printf("the same class in both precisions: %d of %d photographs\n", n_same, n);
	assert_true(n > 1900);
	assert_true(n_same >= 0.995 * n);
}

/* Our decode and resize against the crops that Pillow made of the same files. */
static void crops_look_like_pillows(void **state)
{
	(void)state;
	static const struct {
		const char *jpeg, *ppm;
	} rows[] = {
		{"photos/dalmatian/dalmatian_0006.jpg", "in_01.ppm"},
		{"camera-traps/lila/S6_J06_R2_IMAG0033.JPG", "in_09.ppm"},
	};
	static uint8_t got[IMAGE], want[IMAGE];
	struct input_spec spec = {.px = PX, .fit = INPUT_CROP};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char path[512];
		double sum = 0;
		snprintf(path, sizeof path, DATA "/%s", rows[i].jpeg);
		assert_int_equal(input_load(path, &spec, NULL, got, NULL), OK);
		snprintf(path, sizeof path, DATA "/weights/reference/%s", rows[i].ppm);
		FILE *file = fopen(path, "rb");
		assert_non_null(file);
		assert_int_equal(fseek(file, -(long)IMAGE, SEEK_END), 0);
		assert_int_equal(fread(want, 1, IMAGE, file), IMAGE);
		fclose(file);
		for (int j = 0; j < IMAGE; j++)
			sum += abs(got[j] - want[j]);
		printf("%s: mean difference %.2f of 255\n", rows[i].jpeg, sum / IMAGE);
		assert_true(sum / IMAGE < 2);
	}
}

static void odd_files_neither_crash_nor_hang(void **state)
{
	(void)state;
	static const char *const folders[] = {
		DATA "/jpeg-robustness/fuzz", DATA "/jpeg-robustness/odd"};
	static uint8_t rgb[IMAGE];
	int n = 0, n_good = 0;
	for (int f = 0; f < 2; f++) {
		DIR *folder = opendir(folders[f]);
		assert_non_null(folder);
		for (struct dirent *entry; (entry = readdir(folder));) {
			char path[1024];
			struct err err = {0};
			struct input_spec spec = {.px = PX, .fit = n % 2 ? INPUT_CROP : INPUT_SQUASH};
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "%s/%s", folders[f], entry->d_name);
			double start = now_s();
			enum status status = input_load(path, &spec, NULL, rgb, &err);
			if (now_s() - start > 2)
				fail_msg("%s took %.1f s", entry->d_name, now_s() - start);
			assert_true(status == OK || strlen(err.text) > 5);
			n++;
			n_good += status == OK;
		}
		closedir(folder);
	}
	printf("%d files, %d decoded\n", n, n_good);
	assert_true(n >= 227);
	assert_true(n_good >= 29);
}

int main(void)
{
	if (access(WEIGHTS, R_OK)) {
		printf("skipped: no %s\n", WEIGHTS);
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_recognised_without_metadata_of_ours),
		cmocka_unit_test(logits_and_features_agree),
		cmocka_unit_test(formula_agrees),
		cmocka_unit_test(photographs_are_what_they_show),
		cmocka_unit_test(half_sees_what_single_sees),
		cmocka_unit_test(crops_look_like_pillows),
		cmocka_unit_test(odd_files_neither_crash_nor_hang),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
