/* labels: unit; timeout: 120 */
/*
 * Several tasks at once: two heads in a file, a tiny net that learns both though one is known for half of the pictures
 * only, and `topi infer` that tells both.
 */
#include "backend.h"
#include "engine.h"
#include "image.h"
#include "train.h"

#include <jansson.h>
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

enum { PX = 32, N = 8, N_SPECIES = 3, N_COUNTS = 2, K = N_SPECIES + N_COUNTS };

static const char *const species[N_SPECIES] = {"blank", "zebra", "topi"};
static const char *const counts[N_COUNTS] = {"one", "more"};
static const struct model_head heads[2] = {
	{"species", species, N_SPECIES}, {"count", counts, N_COUNTS}};
static char dir[] = "/tmp/topi_heads_XXXXXX";

static const char *in_dir(const char *name)
{
	static char paths[64][128];
	static int turn;
	turn = (turn + 1) % 64;
	snprintf(paths[turn], sizeof paths[turn], "%s/%s", dir, name);
	return paths[turn];
}

static void a_file_carries_its_heads(void **state)
{
	(void)state;
	struct model *model = NULL, *back = NULL;
	struct safetensors *file = NULL;
	assert_int_equal(model_new_heads("resnet10s", heads, 2, PX, 5, &model, NULL), OK);
	assert_int_equal(model->net.n_heads, 2);
	model->prior[0] = model->prior[1] = 0.25;
	model->prior[2] = 0.5;
	model->prior[3] = 0.875;
	model->prior[4] = 0.125;
	assert_int_equal(model_save(model, in_dir("m"), NULL, NULL), OK);
	assert_int_equal(model_load(in_dir("m"), &back, NULL), OK);
	assert_int_equal(back->net.n_heads, 2);
	assert_int_equal(back->net.head_size[0], N_SPECIES);
	assert_string_equal(back->heads[1], "count");
	assert_string_equal(back->classes[4], "more");
	assert_true(back->prior[2] == 0.5 && back->prior[3] == 0.875);
	/* who knows of no heads reads the species */
	assert_int_equal(safetensors_open(in_dir("m"), &file, NULL), OK);
	assert_string_equal(safetensors_metadata(file, "classes"), "[\"blank\",\"zebra\",\"topi\"]");
	assert_string_equal(safetensors_metadata(file, "prior"), "[0.25,0.25,0.5]");
	safetensors_close(file);
	/* a head by another name brings nothing along, one by the same does */
	static const struct model_head other[2] = {
		{"species", species, N_SPECIES}, {"pose", counts, N_COUNTS}};
	assert_int_equal(model_replace_head(back, other, 2, 6, NULL), OK);
	const struct net_param *fc = &model->net.params[model->net.n_params - 2];
	size_t d = (size_t)model->net.n_features;
	const float *old = model->params + fc->offset, *new = back->params + fc->offset;
	assert_memory_equal(new, old, N_SPECIES * d * sizeof *new);
	assert_memory_not_equal(new + N_SPECIES *d, old + N_SPECIES * d, d * sizeof *new);
	model_free(back);
	model_free(model);
}

static const struct {
	const char *heads, *word;
} malformed[] = {
	{"3", "array of 1 to 24"},
	{"[]", "array of 1 to 24"},
	{"[{\"name\":\"a\"},{\"name\":\"b\"}]", "lacks a name or classes"},
	{"[{\"classes\":[\"x\",\"y\"]}]", "lacks a name or classes"},
	{"[{\"name\":\"a\",\"classes\":[\"x\",3]}]", "lacks a name or classes"},
	{"[{\"name\":\"a\",\"classes\":[\"x\",\"y\"]}]", "2 classes, fc.weight has 5"},
	{"[{\"name\":\"a\",\"classes\":[\"x\"]},{\"name\":\"b\",\"classes\":[\"1\",\"2\",\"3\",\"4\"]}"
	 "]",
		"head 0 has 1 classes"},
	{"[{\"name\":\"a\",\"classes\":[\"x\",\"y\"],\"prior\":[1]},{\"name\":\"b\",\"classes\":[\"1\","
	 "\"2\",\"3\"]}]",
		"prior"},
};

static void malformed_heads_are_refused(void **state)
{
	(void)state;
	struct safetensors *file = NULL;
	static struct safetensors_out out[NET_MAX_PARAMS];
	assert_int_equal(safetensors_open(in_dir("m"), &file, NULL), OK);
	for (int i = 0; i < safetensors_count(file); i++)
		out[i] = (struct safetensors_out){
			.name = safetensors_at(file, i)->name, .raw = safetensors_at(file, i)};
	for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
		const struct safetensors_pair pair = {"heads", malformed[i].heads};
		struct model *model = NULL;
		struct err err = {0};
		assert_int_equal(
			safetensors_write(in_dir("bad"), out, safetensors_count(file), &pair, 1, NULL), OK);
		assert_int_equal(model_load(in_dir("bad"), &model, &err), BAD_INPUT);
		if (!strstr(err.text, malformed[i].word))
			fail_msg("%s: %s", malformed[i].heads, err.text);
	}
	safetensors_close(file);
}

/* Picture i: its species by colour, its count by one bright square or four. */
static void draw(int i, uint8_t *rgb)
{
	static const uint8_t colours[N_SPECIES][3] = {{90, 90, 90}, {150, 60, 40}, {40, 60, 150}};
	for (int y = 0; y < PX; y++)
		for (int x = 0; x < PX; x++) {
			int in_one = x > 12 && x < 19 && y > 12 && y < 19;
			int in_more = x / 4 % 2 && y / 4 % 2;
			int bright = i / N_SPECIES % 2 ? in_more : in_one;
			for (int c = 0; c < 3; c++)
				rgb[(y * PX + x) * 3 + c] = (uint8_t)(colours[i % N_SPECIES][c] + 90 * bright +
					i % 5);
		}
}

static int largest(const float *x, int n)
{
	int best = 0;
	for (int i = 1; i < n; i++)
		best = x[i] > x[best] ? i : best;
	return best;
}

/* Trains a fresh model on the N pictures; the count is known for the first six. */
static void overfit(const struct backend *backend, struct model *model)
{
	static uint8_t rgb[N * PX * PX * 3];
	float target[N * K] = {0}, weight[N], logits[N * K];
	struct backend_config config = {
		.net = &model->net, .params = model->params, .train_batch = N, .threads = 2};
	void *handle = NULL;
	memcpy(config.mean, model->input.mean, sizeof config.mean);
	memcpy(config.std, model->input.std, sizeof config.std);
	for (int i = 0; i < N; i++) {
		draw(i, rgb + i * PX * PX * 3);
		weight[i] = 1;
		target[i * K + i % N_SPECIES] = 1;
		if (i < 6)
			target[i * K + N_SPECIES + i / N_SPECIES % 2] = 1;
	}
	struct backend_step step = {.rgb = rgb,
		.target = target,
		.weight = weight,
		.rate = 0.05f,
		.momentum = 0.9f,
		.average = 0.5f};
	double first = 0;
	assert_int_equal(backend->open(&config, &handle, NULL), OK);
	for (int i = 0; i < 60; i++) {
		assert_int_equal(backend->train_step(handle, &step, NULL), OK);
		first = i ? first : step.loss;
	}
	/* of two heads: log 3 + 6/8 log 2 to begin with, about */
	if (!(first > 1.2 && step.loss < 0.05))
		fail_msg("%s: loss %g, then %g", backend->name, first, step.loss);
	assert_int_equal(backend->infer(handle, rgb, N, logits, NULL, NULL), OK);
	for (int i = 0; i < N; i++) {
		assert_int_equal(largest(logits + i * K, N_SPECIES), i % N_SPECIES);
		if (i < 6)
			assert_int_equal(largest(logits + i * K + N_SPECIES, N_COUNTS), i / N_SPECIES % 2);
	}
	assert_int_equal(backend->read_state(handle, BACKEND_LIVE, model->params, NULL), OK);
	backend->close(handle);
}

static json_t *infer_line(const char *model, const char *jpeg, const char *options)
{
	char command[600], text[4000];
	snprintf(command, sizeof command, TOPI_BINARY_DIR "/topi infer %s %s --device cpu %s", model,
		jpeg, options);
	FILE *in = popen(command, "r");
	assert_non_null(in);
	text[fread(text, 1, sizeof text - 1, in)] = 0;
	assert_int_equal(pclose(in), 0);
	json_t *line = json_loads(text, 0, NULL);
	assert_non_null(line);
	return line;
}

static const char *first_class(const json_t *list)
{
	return json_string_value(json_object_get(json_array_get(list, 0), "class"));
}

static void infer_tells_both(const struct model *model)
{
	struct image_rgb image = {.width_px = PX, .height_px = PX, .pixels = malloc(PX * PX * 3)};
	for (int i = 0; i < 6; i++) {
		uint8_t *jpeg = NULL;
		size_t n = 0;
		draw(i, image.pixels);
		assert_int_equal(image_encode_rgb(&image, 100, &jpeg, &n, NULL), OK);
		FILE *out = fopen(in_dir("p.jpg"), "wb");
		assert_int_equal(fwrite(jpeg, 1, n, out), n);
		fclose(out);
		free(jpeg);
		assert_int_equal(model_save(model, in_dir("m"), NULL, NULL), OK);
		json_t *line = infer_line(in_dir("m"), in_dir("p.jpg"), "--top 3");
		json_t *count = json_object_get(json_object_get(line, "heads"), "count");
		assert_string_equal(first_class(json_object_get(line, "top")), species[i % N_SPECIES]);
		assert_string_equal(first_class(count), counts[i / N_SPECIES]);
		assert_int_equal(json_array_size(json_object_get(line, "top")), N_SPECIES);
		double sum = 0;
		for (size_t j = 0; j < N_COUNTS; j++)
			sum += json_number_value(json_object_get(json_array_get(count, j), "p"));
		assert_true(json_array_size(count) == N_COUNTS && fabs(sum - 1) < 1e-4);
		json_decref(line);
	}
	json_t *line = infer_line(in_dir("m"), in_dir("p.jpg"), "--raw");
	assert_int_equal(json_array_size(json_object_get(line, "logits")), K);
	json_decref(line);
	free(image.pixels);
}

static void two_heads_are_learned(void **state)
{
	(void)state;
	static const struct backend *const backends[] = {&backend_reference, &backend_onednn};
	for (int b = 0; b < 2; b++) {
		struct model *model = NULL;
		assert_int_equal(model_new_heads("resnet10s", heads, 2, PX, 5, &model, NULL), OK);
		overfit(backends[b], model);
		model_hash(model);
		infer_tells_both(model);
		model_free(model);
	}
}

/* The head's rows of a model file, and its bias. Owns: the caller frees *model. */
static const float *rows_of(const char *path, struct model **model, const float **bias)
{
	assert_int_equal(model_load(path, model, NULL), OK);
	const struct net *net = &(*model)->net;
	*bias = (*model)->params + net->params[net->n_params - 1].offset;
	return (*model)->params + net->params[net->n_params - 2].offset;
}

/* Each head has its own optimum: the species' is the one it has without the other. */
static void heads_alone(struct train_spec *spec, const struct train_item *items, int n)
{
	struct train_report report;
	struct model *both = NULL, *one = NULL;
	struct err err = {0};
	struct train_spec alone = *spec;
	const float *bias, *other_bias;
	spec->mode = alone.mode = TRAIN_HEAD;
	spec->n_epochs = alone.n_epochs = 0;
	alone.heads = NULL;
	alone.n_heads = 0;
	alone.classes = species;
	alone.n_classes = N_SPECIES;
	if (train_run(spec, items, n, in_dir("both"), &report, &err) ||
		train_run(&alone, items, n, in_dir("one"), &report, &err))
		fail_msg("%s", err.text);
	const float *w = rows_of(in_dir("both"), &both, &bias);
	const float *other = rows_of(in_dir("one"), &one, &other_bias);
	assert_int_equal(both->net.n_heads, 2);
	assert_memory_equal(w, other, N_SPECIES * (size_t)both->net.n_features * sizeof *w);
	assert_memory_equal(bias, other_bias, N_SPECIES * sizeof *bias);
	assert_true(bias[N_SPECIES] != 0);
	model_free(both);
	model_free(one);
}

/* A head that one item alone tells of says all its classes alike. */
static void nothing_is_learnt_of_one(
	const struct train_spec *spec, const struct train_item *items, int n)
{
	struct train_report report;
	struct model *model = NULL;
	struct err err = {0};
	const float *bias;
	if (train_run(spec, items, n, in_dir("both"), &report, &err))
		fail_msg("%s", err.text);
	const float *w = rows_of(in_dir("both"), &model, &bias);
	for (int i = 0; i < N_COUNTS * model->net.n_features; i++)
		assert_true(w[N_SPECIES * model->net.n_features + i] == 0);
	assert_true(bias[N_SPECIES] == 0 && bias[N_SPECIES + 1] == 0);
	model_free(model);
}

/* train_run with heads: what is in the file, and what a target must be. */
static void trainings_take_heads(void **state)
{
	(void)state;
	enum { N_ITEMS = 6 };
	struct image_rgb image = {.width_px = PX, .height_px = PX, .pixels = malloc(PX * PX * 3)};
	struct train_frame frames[N_ITEMS] = {0};
	struct train_item items[N_ITEMS];
	float target[N_ITEMS][K] = {0};
	struct recipe recipe = recipe_default;
	recipe.batch = 2;
	struct train_spec spec = {.mode = TRAIN_FULL,
		.arch = "resnet10s",
		.heads = heads,
		.n_heads = 2,
		.input_px = PX,
		.n_epochs = 2,
		.recipe = &recipe,
		.seed = 3,
		.device = "cpu"};
	struct train_report report;
	struct err err = {0};
	struct model *model = NULL;
	for (int i = 0; i < N_ITEMS; i++) {
		uint8_t *jpeg = NULL;
		draw(i, image.pixels);
		assert_int_equal(image_encode_rgb(&image, 95, &jpeg, &frames[i].n_bytes, NULL), OK);
		frames[i].jpeg = jpeg;
		target[i][i % N_SPECIES] = 1;
		if (i < 3) /* one, one, more; else not known */
			target[i][N_SPECIES + i / 2] = 1;
		items[i] = (struct train_item){
			.frames = &frames[i], .n_frames = 1, .target = target[i], .weight = 1};
	}
	if (train_run(&spec, items, N_ITEMS, in_dir("t"), &report, &err))
		fail_msg("%s", err.text);
	assert_true(isfinite(report.loss));
	assert_int_equal(model_load(in_dir("t"), &model, NULL), OK);
	assert_int_equal(model->net.n_heads, 2);
	for (int c = 0; c < N_SPECIES; c++)
		assert_true(fabs(model->prior[c] - 1.0 / 3) < 1e-9);
	assert_true(fabs(model->prior[N_SPECIES] - 2.5 / 4) < 1e-9);
	model_free(model);
	/* on from there with one task only: what it knew of that comes along */
	spec.from = in_dir("t");
	spec.heads = NULL;
	spec.n_heads = 0;
	spec.classes = species;
	spec.n_classes = N_SPECIES;
	if (train_run(&spec, items, N_ITEMS, in_dir("u"), &report, &err))
		fail_msg("%s", err.text);
	assert_int_equal(model_load(in_dir("u"), &model, NULL), OK);
	assert_int_equal(model->net.n_heads, 1);
	assert_int_equal(model->net.n_classes, N_SPECIES);
	model_free(model);
	spec.heads = heads;
	spec.n_heads = 2;
	recipe.mixup = 0.2;
	if (train_run(&spec, items, N_ITEMS, in_dir("v"), &report, &err))
		fail_msg("%s", err.text);
	recipe.mixup = 0;
	target[2][0] = 0.5f; /* 1.5 in one head */
	assert_int_equal(train_run(&spec, items, N_ITEMS, in_dir("u"), &report, &err), BAD_INPUT);
	assert_non_null(strstr(err.text, "item 2: its target sums to 1.5"));
	memset(target[2], 0, sizeof target[2]);
	assert_int_equal(train_run(&spec, items, N_ITEMS, in_dir("u"), &report, &err), BAD_INPUT);
	assert_non_null(strstr(err.text, "item 2: nothing is known"));
	target[2][2] = 1;
	heads_alone(&spec, items, N_ITEMS);
	memset(target[0] + N_SPECIES, 0, N_COUNTS * sizeof target[0][0]);
	nothing_is_learnt_of_one(&spec, items, N_ITEMS);
	for (int i = 0; i < N_ITEMS; i++)
		free((void *)(uintptr_t)frames[i].jpeg);
	free(image.pixels);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_carries_its_heads),
		cmocka_unit_test(malformed_heads_are_refused),
		cmocka_unit_test(two_heads_are_learned),
		cmocka_unit_test(trainings_take_heads),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	static const char *const names[] = {"m", "bad", "p.jpg", "t", "u"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(in_dir(names[i]));
	rmdir(dir);
	return failed;
}
