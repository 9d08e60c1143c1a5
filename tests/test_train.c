/* labels: unit; timeout: 120 */
/* Training learns a small invented world, does the same thing twice, and minds damaged frames. */
#include "engine.h"
#include "head.h"
#include "support_world.h"

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

#define N WORLD_N
#define K WORLD_K

static char folder[] = "/tmp/topi_train_XXXXXX";
static struct world world;
static struct train_frame *const frames = world.frames;
static struct train_item *const items = world.items;

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static const char *in_folder(const char *name)
{
	static char path[4][256];
	static int turn;
	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
	return path[turn];
}

static struct train_spec small_spec(void)
{
	static struct recipe recipe;
	recipe = world_recipe();
	return world_spec(&recipe);
}

static void run(const struct train_spec *spec, int n, const char *path, struct train_report *report)
{
	struct err err = {0};
	if (train_run(spec, items, n, path, report, &err))
		fail_msg("%s", err.text);
}

static double accuracy(const char *path)
{
	return world_accuracy(&world, path);
}

static uint8_t *file_bytes(const char *path, size_t *n)
{
	uint8_t *bytes = NULL;
	assert_int_equal(input_read_file(path, &bytes, n, NULL), OK);
	return bytes;
}

static void a_small_world_is_learnt(void **state)
{
	(void)state;
	struct train_spec spec = small_spec();
	struct train_report report;
	run(&spec, N, in_folder("world"), &report);
	assert_int_equal(report.n_items, N);
	assert_int_equal(report.n_epochs, 40);
	double right = accuracy(in_folder("world"));
	if (right < 0.95)
		fail_msg("only %.3f right (loss %.3f)", right, report.loss);
	struct model *model = NULL;
	assert_int_equal(model_load(in_folder("world"), &model, NULL), OK);
	assert_string_equal(model->classes[1], "blob");
	assert_string_equal(model_get(model, "snapshot"), "s9");
	assert_string_equal(model_get(model, "mode"), "full");
	assert_null(model_get(model, "parent"));
	assert_true(fabs(model->prior[0] - 1.0 / K) < 0.01);
	model_free(model);
}

static void the_seed_decides_every_byte(void **state)
{
	(void)state;
	struct train_spec spec = small_spec();
	struct train_report report;
	size_t n[3];
	uint8_t *bytes[3];
	spec.n_epochs = 2;
	for (int i = 0; i < 3; i++) {
		const char *path = in_folder("seed");
		spec.seed = i == 2 ? 8 : 7;
		run(&spec, 32, path, &report);
		bytes[i] = file_bytes(path, &n[i]);
	}
	assert_int_equal(n[0], n[1]);
	assert_memory_equal(bytes[0], bytes[1], n[0]);
	assert_true(n[2] != n[0] || memcmp(bytes[0], bytes[2], n[0]) != 0);
	for (int i = 0; i < 3; i++)
		free(bytes[i]);
}

static void a_new_head_leaves_the_backbone(void **state)
{
	(void)state;
	struct train_spec spec = small_spec();
	struct train_report report;
	spec.mode = TRAIN_HEAD;
	spec.arch = NULL;
	spec.from = in_folder("world");
	char from[256];
	snprintf(from, sizeof from, "%s", spec.from);
	spec.from = from;
	spec.n_epochs = 0;
	run(&spec, N, in_folder("head"), &report);
	assert_true(report.gradient_norm < 1e-6);
	assert_true(accuracy(in_folder("head")) >= 0.95);
	struct safetensors *a = NULL, *b = NULL;
	assert_int_equal(safetensors_open(from, &a, NULL), OK);
	assert_int_equal(safetensors_open(in_folder("head"), &b, NULL), OK);
	for (int i = 0; i < safetensors_count(a); i++) {
		const struct safetensors_tensor *s = safetensors_at(a, i);
		const struct safetensors_tensor *t = safetensors_find(b, s->name);
		assert_non_null(t);
		assert_int_equal(s->n_bytes, t->n_bytes);
		if (strncmp(s->name, "fc.", 3))
			assert_memory_equal(s->data, t->data, s->n_bytes);
		else
			assert_memory_not_equal(s->data, t->data, s->n_bytes);
	}
	safetensors_close(a);
	safetensors_close(b);
	struct model *model = NULL;
	assert_int_equal(model_load(in_folder("head"), &model, NULL), OK);
	assert_string_equal(model_get(model, "parent"), "world");
	model_free(model);
}

/* A model with focus sees a picture and its mirror image alike; a whole-frame model does not. */
static void mirror_images_are_alike_to_focus(void **state)
{
	(void)state;
	enum { PX = 64 };
	static uint8_t rgb[2][PX][PX][3];
	static float logits[2][K], embeddings[2][128], again[K];
	for (int focus = 0; focus < 2; focus++) {
		struct model *model = NULL;
		struct engine *engine = NULL;
		assert_int_equal(model_load(in_folder("world"), &model, NULL), OK);
		assert_int_equal(model->input.px, PX);
		model->input.focus = focus;
		assert_int_equal(engine_open_model(model, "cpu", BACKEND_FASTEST, &engine, NULL), OK);
		assert_int_equal(input_decode(frames[1].jpeg, frames[1].n_bytes, &model->input, NULL,
							 rgb[0][0][0], NULL),
			OK);
		for (int y = 0; y < PX; y++)
			for (int x = 0; x < PX; x++)
				memcpy(rgb[1][y][x], rgb[0][y][PX - 1 - x], 3);
		assert_int_equal(engine_run(engine, rgb[0][0][0], 2, logits[0], embeddings[0], NULL), OK);
		double off = 0;
		for (int c = 0; c < K; c++)
			off = fmax(off, fabs((double)logits[0][c] - (double)logits[1][c]));
		assert_true(focus ? off < 1e-4 : off > 1e-3);
		engine_head(model, embeddings[0], 1, again);
		for (int c = 0; c < K; c++)
			assert_true(fabsf(again[c] - logits[0][c]) < 1e-4f * (1 + fabsf(logits[0][c])));
		engine_close(engine);
		model_free(model);
	}
}

/* Embeddings that the caller stored give the head that the frames would have. */
static void stored_embeddings_do_as_well(void **state)
{
	(void)state;
	static float embeddings[N][128], logits[K];
	static struct train_item stored[N];
	struct engine *engine = NULL;
	uint8_t *rgb = malloc(64 * 64 * 3);
	char from[256];
	snprintf(from, sizeof from, "%s", in_folder("world"));
	/* In single precision: in half a picture alone rounds otherwise than among others. */
	assert_int_equal(engine_open(from, "cpu", BACKEND_SINGLE, &engine, NULL), OK);
	for (int i = 0; i < N; i++) {
		stored[i] = items[i];
		stored[i].frames = NULL;
		stored[i].n_frames = 0;
		stored[i].embedding = embeddings[i];
		assert_int_equal(input_decode(frames[i].jpeg, frames[i].n_bytes,
							 &engine_model(engine)->input, NULL, rgb, NULL),
			OK);
		assert_int_equal(engine_run(engine, rgb, 1, logits, embeddings[i], NULL), OK);
	}
	/* The head alone gives the net's logits. */
	float again[K];
	engine_head(engine_model(engine), embeddings[N - 1], 1, again);
	for (int c = 0; c < K; c++)
		assert_true(fabsf(again[c] - logits[c]) < 1e-4f * (1 + fabsf(logits[c])));
	engine_close(engine);
	free(rgb);
	struct train_spec spec = small_spec();
	struct train_report report;
	struct recipe recipe = recipe_default;
	recipe.precision = BACKEND_SINGLE;
	spec.recipe = &recipe;
	spec.mode = TRAIN_HEAD;
	spec.from = from;
	spec.n_epochs = 0;
	assert_int_equal(train_run(&spec, items, N, in_folder("seen"), &report, NULL), OK);
	assert_int_equal(train_run(&spec, stored, N, in_folder("stored"), &report, NULL), OK);
	struct model *a = NULL, *b = NULL;
	assert_int_equal(model_load(in_folder("seen"), &a, NULL), OK);
	assert_int_equal(model_load(in_folder("stored"), &b, NULL), OK);
	size_t fc = a->net.params[a->net.n_params - 2].offset;
	for (size_t i = fc; i < a->net.n_floats; i++)
		assert_true(fabsf(a->params[i] - b->params[i]) < 1e-3f * (1 + fabsf(a->params[i])));
	model_free(a);
	model_free(b);
}

struct heard {
	int n_skipped, item, frame, n_progress, stop_at;
	char why[200];
};

static void on_skipped(void *arg, int item, int frame, const struct err *why)
{
	struct heard *h = arg;
	h->n_skipped++;
	h->item = item;
	h->frame = frame;
	snprintf(h->why, sizeof h->why, "%s", why->text);
}

static int on_progress(void *arg, const struct train_progress *progress)
{
	struct heard *h = arg;
	h->n_progress++;
	return h->stop_at && progress->epoch >= h->stop_at;
}

static void damaged_frames_are_skipped_and_told(void **state)
{
	(void)state;
	struct train_spec spec = small_spec();
	const enum train_mode modes[] = {TRAIN_FULL, TRAIN_HEAD};
	char from[256];
	snprintf(from, sizeof from, "%s", in_folder("world"));
	for (int m = 0; m < 2; m++) {
		static struct train_item some[20];
		struct train_frame broken[2] = {frames[4], frames[4]};
		struct train_frame absent = {.path = "/nonexistent/a.jpg"};
		struct heard heard = {0};
		struct train_report report;
		memcpy(some, items, sizeof some);
		broken[1].n_bytes /= 2; /* cut in half */
		some[4].frames = broken;
		some[4].n_frames = 2;
		some[9].frames = &absent;
		spec.mode = modes[m];
		spec.from = m ? from : NULL;
		spec.n_epochs = m ? 0 : 1;
		spec.skipped = on_skipped;
		spec.arg = &heard;
		assert_int_equal(train_run(&spec, some, 20, in_folder("damaged"), &report, NULL), OK);
		assert_int_equal(heard.n_skipped, 2);
		assert_int_equal(heard.item, 9);
		assert_non_null(strstr(heard.why, "No such file"));
		assert_int_equal(report.n_skipped_frames, 2);
		assert_int_equal(report.n_skipped_items, 1);
		assert_int_equal(report.n_items, 19);
		assert_int_equal(report.n_frames, 19);
	}
}

static void stopping_leaves_no_file(void **state)
{
	(void)state;
	struct train_spec spec = small_spec();
	struct heard heard = {.stop_at = 2};
	struct train_report report;
	spec.progress = on_progress;
	spec.arg = &heard;
	assert_int_equal(train_run(&spec, items, 32, in_folder("stopped"), &report, NULL), CONFLICT);
	assert_int_equal(heard.n_progress, 2);
	assert_int_not_equal(access(in_folder("stopped"), F_OK), 0);
}

static void wrong_specs_are_refused(void **state)
{
	(void)state;
	static const float bad_target[K] = {0.5f, 0.2f, 0.1f}, negative[K] = {1.5f, -0.5f, 0};
	struct train_item few[3] = {items[0], items[1], items[2]};
	struct train_spec spec = small_spec();
	struct train_report report;
	struct err err = {0};
	const char *path = in_folder("refused");
	few[1].target = bad_target;
	assert_int_equal(train_run(&spec, few, 3, path, &report, &err), BAD_INPUT);
	assert_non_null(strstr(err.text, "sums to"));
	few[1].target = negative;
	assert_int_equal(train_run(&spec, few, 3, path, &report, &err), BAD_INPUT);
	few[1] = items[1];
	few[1].weight = 0;
	assert_int_equal(train_run(&spec, few, 3, path, &report, &err), BAD_INPUT);
	assert_int_equal(train_run(&spec, items, 1, path, &report, &err), BAD_INPUT);
	spec.arch = "vgg16";
	assert_int_equal(train_run(&spec, items, 8, path, &report, &err), BAD_INPUT);
	spec.arch = "resnet10s";
	spec.input_px = 70;
	assert_int_equal(train_run(&spec, items, 8, path, &report, &err), BAD_INPUT);
	spec.mode = TRAIN_HEAD;
	assert_int_equal(train_run(&spec, items, 8, path, &report, &err), BAD_INPUT);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* Random features, soft targets and weights: at the optimum the objective's own slope is zero, and no step lowers it. */
static void the_head_reaches_the_optimum(void **state)
{
	(void)state;
	enum { ROWS = 203, D = 7, C = 5 };
	static float x[ROWS * D], target[ROWS * C], weight[ROWS], w[C * D], b[C];
	uint32_t seed = 5;
	for (int i = 0; i < ROWS; i++) {
		float sum = 0;
		for (int j = 0; j < D; j++)
			x[i * D + j] = (float)(next(&seed) % 1000) / 100 + 3 * (float)(j == i % C);
		for (int c = 0; c < C; c++)
			sum += target[i * C + c] = (float)(1 + next(&seed) % 100) * (c == i % C ? 5.0f : 1.0f);
		for (int c = 0; c < C; c++)
			target[i * C + c] /= sum;
		weight[i] = 0.1f + (float)(next(&seed) % 100) / 50;
	}
	struct head_problem problem = {.x = x,
		.target = target,
		.weight = weight,
		.n = ROWS,
		.d = D,
		.k = C,
		.l2 = 1e-2,
		.max_iterations = 500};
	struct head_report report;
	assert_int_equal(head_fit(&problem, w, b, &report, NULL), OK);
	assert_true(report.gradient_norm < 1e-6);
	/* The slope by the bias, computed here: sum of weight (p - t). */
	double slope[C] = {0}, total = 0;
	for (int i = 0; i < ROWS; i++) {
		double z[C], sum = 0;
		for (int c = 0; c < C; c++) {
			z[c] = (double)b[c];
			for (int j = 0; j < D; j++)
				z[c] += (double)w[c * D + j] * (double)x[i * D + j];
			sum += exp(z[c]);
		}
		total += (double)weight[i];
		for (int c = 0; c < C; c++)
			slope[c] += (double)weight[i] * (exp(z[c]) / sum - (double)target[i * C + c]);
	}
	for (int c = 0; c < C; c++)
		assert_true(fabs(slope[c] / total) < 1e-5);
	problem.l2 = 0;
	assert_int_equal(head_fit(&problem, w, b, &report, NULL), BAD_INPUT);
	problem.l2 = 1;
	weight[3] = -1;
	assert_int_equal(head_fit(&problem, w, b, &report, NULL), BAD_INPUT);
}

int main(void)
{
	if (!mkdtemp(folder))
		return 1;
	train_world_init(&world);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_head_reaches_the_optimum),
		cmocka_unit_test(a_small_world_is_learnt),
		cmocka_unit_test(the_seed_decides_every_byte),
		cmocka_unit_test(a_new_head_leaves_the_backbone),
		cmocka_unit_test(mirror_images_are_alike_to_focus),
		cmocka_unit_test(stored_embeddings_do_as_well),
		cmocka_unit_test(damaged_frames_are_skipped_and_told),
		cmocka_unit_test(stopping_leaves_no_file),
		cmocka_unit_test(wrong_specs_are_refused),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	static const char *const names[] = {"world", "seed", "head", "seen", "stored", "damaged"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(in_folder(names[i]));
	rmdir(folder);
	train_world_release(&world);
	return failed;
}
