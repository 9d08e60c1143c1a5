/* labels: unit; timeout: 120 */
/* Ensembles: their logits are the mean of their members', whatever the order of classes; and maps of where evidence lies. */
#include "engine.h"
#include "heat.h"
#include "image.h"

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

enum { PX = 64, K = 3, N = 3 };

static const char *const classes[K] = {"blank", "zebra", "topi"};
static const char *const turned[K] = {"topi", "blank", "zebra"};
static const char *const others[K] = {"blank", "zebra", "gnu"};
static char dir[] = "/tmp/topi_ensemble_XXXXXX";

static const char *in_dir(const char *name)
{
	static char paths[64][128]; /* the files of a test stay named */
	static int turn;
	turn = (turn + 1) % 64;
	snprintf(paths[turn], sizeof paths[turn], "%s/%s", dir, name);
	return paths[turn];
}

static void fill(uint8_t *rgb, size_t n)
{
	uint32_t state = 7;
	for (size_t i = 0; i < n; i++) {
		state = state * 1664525u + 1013904223u;
		rgb[i] = (uint8_t)(state >> 24);
	}
}

static struct model *make(
	const char *arch, const char *const *names, int k, int px, unsigned long long seed)
{
	struct model *model = NULL;
	assert_int_equal(model_new(arch, names, k, px, seed, &model, NULL), OK);
	return model;
}

/* Three members, the second with its classes in another order; written, read again, run. */
static void logits_are_the_members_mean(void **state)
{
	(void)state;
	static const int at[3][K] = {{0, 1, 2}, {1, 2, 0}, {0, 1, 2}}; /* of `classes` in each */
	static uint8_t rgb[N * PX * PX * 3];
	struct model *members[3] = {make("resnet10s", classes, K, PX, 1),
		make("resnet10s", turned, K, PX, 2), make("resnet18", classes, K, PX, 3)};
	struct ensemble_file files[3] = {
		{in_dir("a"), "a", "11"}, {in_dir("b"), "b", "22"}, {in_dir("c"), "c", "33"}};
	float one[3][N * K], mean[N * K];
	fill(rgb, sizeof rgb);
	members[0]->prior[0] = 0.98; /* goes with the mean of logits as the geometric mean */
	members[0]->prior[1] = members[0]->prior[2] = 0.01;
	members[1]->input.mean[0] = 0.5f; /* each has its own normalisation */
	for (int focus = 0; focus < 2; focus++) {
		struct engine *engine = NULL;
		for (int i = 0; i < 3; i++) {
			members[i]->input.focus = focus;
			assert_int_equal(model_save(members[i], files[i].path, NULL, NULL), OK);
			assert_int_equal(
				engine_open_model(members[i], "cpu", BACKEND_SINGLE, &engine, NULL), OK);
			assert_int_equal(engine_run(engine, rgb, N, one[i], NULL, NULL), OK);
			engine_close(engine);
		}
		assert_int_equal(ensemble_save(files, 3, in_dir("e"), NULL), OK);
		assert_int_equal(engine_open(in_dir("e"), "cpu", BACKEND_SINGLE, &engine, NULL), OK);
		const struct model *face = engine_model(engine);
		assert_string_equal(face->net.arch->name, "ensemble");
		assert_int_equal(face->net.n_features, 0);
		assert_string_equal(face->classes[2], "topi");
		assert_int_equal(engine_run(engine, rgb, N, mean, NULL, NULL), OK);
		for (int n = 0; n < N; n++)
			for (int c = 0; c < K; c++) {
				double sum = 0;
				for (int i = 0; i < 3; i++)
					sum += (double)one[i][n * K + at[i][c]];
				/* exactly, but for the rounding of a mirrored view's mean */
				if (!(fabs(sum / 3 - (double)mean[n * K + c]) <=
						(focus ? 1e-6 : 1e-7) * fmax(1, fabs(sum))))
					fail_msg("picture %d, class %d: %.9g, not %.9g", n, c, (double)mean[n * K + c],
						sum / 3);
				if (!focus)
					assert_true(mean[n * K + c] == (float)(sum / 3));
			}
		double shares[K] = {cbrt(0.98 / 9), cbrt(0.01 / 9), cbrt(0.01 / 9)};
		for (int c = 0; c < K; c++)
			assert_true(
				fabs(face->prior[c] - shares[c] / (shares[0] + shares[1] + shares[2])) < 1e-12);
		float map[4];
		struct err err = {0};
		assert_int_equal(engine_map(engine, rgb, 0, map, &err), BAD_INPUT);
		assert_non_null(strstr(err.text, "members"));
		engine_close(engine);
	}
	/* the file says what it was made of, and is no model to train from */
	struct safetensors *file = NULL;
	struct model *model = NULL;
	struct err err = {0};
	assert_int_equal(safetensors_open(in_dir("e"), &file, NULL), OK);
	assert_non_null(
		strstr(safetensors_metadata(file, "members"), "{\"name\":\"b\",\"sha256\":\"22\""));
	safetensors_close(file);
	assert_int_equal(model_load(in_dir("e"), &model, &err), BAD_INPUT);
	assert_non_null(strstr(err.text, "name one of its members"));
	files[2].path = in_dir("e");
	assert_int_equal(ensemble_save(files, 3, in_dir("g"), &err), BAD_INPUT);
	assert_non_null(strstr(err.text, "c is an ensemble itself"));
	files[2].path = in_dir("missing");
	assert_int_equal(ensemble_save(files, 3, in_dir("g"), &err), NOT_FOUND);
	assert_int_not_equal(access(in_dir("g"), F_OK), 0);
	for (int i = 0; i < 3; i++)
		model_free(members[i]);
}

static const struct {
	const char *const *classes;
	int k, px;
	enum input_fit fit;
	int focus;
	const char *word;
} strangers[] = {
	{others, K, PX, INPUT_SQUASH, 0, "class 'topi'"},
	{classes, 2, PX, INPUT_SQUASH, 0, "2 classes in 1 heads, the first 3"},
	{classes, K, 32, INPUT_SQUASH, 0, "32 px"},
	{classes, K, PX, INPUT_CROP, 0, "(crop, frame)"},
	{classes, K, PX, INPUT_SQUASH, 1, "(squash, focus)"},
};

static void members_that_do_not_go_together_are_refused(void **state)
{
	(void)state;
	struct ensemble *ensemble = NULL;
	struct model *first = make("resnet10s", classes, K, PX, 1);
	struct err err = {0};
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
		struct model *pair[2] = {
			first, make("resnet10s", strangers[i].classes, strangers[i].k, strangers[i].px, 2)};
		pair[1]->input.fit = strangers[i].fit;
		pair[1]->input.focus = strangers[i].focus;
		assert_int_equal(ensemble_new(pair, 2, &ensemble, &err), BAD_INPUT);
		if (!strstr(err.text, strangers[i].word))
			fail_msg("%s", err.text);
		model_free(pair[1]);
	}
	assert_int_equal(ensemble_new(&first, 1, &ensemble, &err), BAD_INPUT);
	/* tasks are matched by name */
	static const struct model_head heads[2] = {{"species", classes, K}, {"count", others, 2}};
	static const struct model_head poses[2] = {{"species", classes, K}, {"pose", others, 2}};
	struct model *pair[2] = {NULL};
	assert_int_equal(model_new_heads("resnet10s", heads, 2, PX, 1, &pair[0], NULL), OK);
	assert_int_equal(model_new_heads("resnet10s", poses, 2, PX, 1, &pair[1], NULL), OK);
	assert_int_equal(ensemble_new(pair, 2, &ensemble, &err), BAD_INPUT);
	model_free(pair[1]);
	assert_int_equal(model_new_heads("resnet10s", heads, 2, PX, 2, &pair[1], NULL), OK);
	assert_int_equal(ensemble_new(pair, 2, &ensemble, &err), OK);
	assert_int_equal(ensemble->face->net.n_heads, 2);
	assert_string_equal(ensemble->face->heads[1], "count");
	ensemble_free(ensemble);
	model_free(first);
}

/* What a file that calls itself an ensemble may say of its members, all over the tensors of a sound one. */
static const struct {
	const char *members; /* NULL: nothing */
	const char *word;
} malformed[] = {
	{NULL, "names no members"},
	{"3", "names no members"},
	{"[]", "names no members"},
	{"[{\"metadata\":{\"arch\":\"resnet10s\"}}]", "names no members"},
	{"[{\"name\":\"a\"},{\"name\":\"b\"}]", "member 1 has no metadata"},
	{"[{\"metadata\":\"x\"},{\"metadata\":{}}]", "member 1 has no metadata"},
	{"[{\"metadata\":[]},{\"metadata\":{}}]", "not an object of texts"},
	{"[{\"metadata\":{\"input_px\":64}},{\"metadata\":{}}]", "input_px is not a text"},
	{"[{\"metadata\":{\"arch\":\"ensemble\"}},{\"metadata\":{}}]", "name one of its members"},
	{"[{\"metadata\":{\"input_px\":\"64\"}},{\"metadata\":{}}]", "128 px"},
	{"[{\"metadata\":{}},{\"metadata\":{}},{\"metadata\":{}}]", "no fc.weight"},
};

static void malformed_files_are_refused(void **state)
{
	(void)state;
	struct model *model = make("resnet10s", classes, K, PX, 1);
	struct ensemble_file files[2] = {{in_dir("a"), "a", "1"}, {in_dir("b"), "b", "2"}};
	struct safetensors *file = NULL;
	for (int i = 0; i < 2; i++)
		assert_int_equal(model_save(model, files[i].path, NULL, NULL), OK);
	model_free(model);
	assert_int_equal(ensemble_save(files, 2, in_dir("e"), NULL), OK);
	assert_int_equal(safetensors_open(in_dir("e"), &file, NULL), OK);
	int n = safetensors_count(file);
	struct safetensors_out *out = calloc((size_t)n, sizeof *out);
	for (int i = 0; i < n; i++)
		out[i] = (struct safetensors_out){
			.name = safetensors_at(file, i)->name, .raw = safetensors_at(file, i)};
	for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
		const struct safetensors_pair pairs[2] = {
			{"arch", "ensemble"}, {"members", malformed[i].members}};
		struct engine *engine = NULL;
		struct err err = {0};
		assert_int_equal(
			safetensors_write(in_dir("f"), out, n, pairs, malformed[i].members ? 2 : 1, NULL), OK);
		assert_int_equal(engine_open(in_dir("f"), "cpu", BACKEND_SINGLE, &engine, &err), BAD_INPUT);
		if (!strstr(err.text, malformed[i].word))
			fail_msg("row %zu: %s", i, err.text);
	}
	free(out);
	safetensors_close(file);
}

/* The mean of a map and the bias make the logit, in nets of both poolings, with a mirrored view or without. */
static void maps_add_up_to_the_logit(void **state)
{
	(void)state;
	static const char *const archs[] = {"resnet10s", "resnet18", "resnet50"};
	enum { MAP_PX = 96, PLACES = 9 };
	static uint8_t rgb[MAP_PX * MAP_PX * 3];
	fill(rgb, sizeof rgb);
	for (int row = 0; row < 6; row++) {
		struct model *model = make(archs[row / 2], classes, K, MAP_PX, 4);
		struct engine *engine = NULL;
		float logits[K], map[PLACES];
		model->input.focus = row % 2;
		for (int i = 0; i < model->net.n_params; i++) /* untrained blocks are the identity else */
			if (model->net.params[i].kind == NET_BN_SCALE)
				for (size_t j = 0; j < model->net.params[i].n; j++)
					model->params[model->net.params[i].offset + j] = 0.5f;
		assert_int_equal(engine_open_model(model, "cpu", BACKEND_SINGLE, &engine, NULL), OK);
		assert_int_equal(engine_run(engine, rgb, 1, logits, NULL, NULL), OK);
		const struct net_param *bias = &model->net.params[model->net.n_params - 1];
		const struct net_act *plane = net_plane(&model->net);
		assert_int_equal(plane->h * plane->w, PLACES);
		for (int c = 0; c < K; c++) {
			assert_int_equal(engine_map(engine, rgb, c, map, NULL), OK);
			double sum = 0, spread = 0;
			for (int p = 0; p < PLACES; p++) {
				sum += (double)map[p];
				spread = fmax(spread, fabs((double)(map[p] - map[0])));
			}
			double logit = sum / PLACES + (double)model->params[bias->offset + (size_t)c];
			if (!(fabs(logit - (double)logits[c]) < 1e-5 * fmax(1, fabs(logit))))
				fail_msg(
					"%s: the map says %g, the net %g", archs[row / 2], logit, (double)logits[c]);
			assert_true(spread > 1e-4);
		}
		assert_int_equal(engine_map(engine, rgb, K, map, NULL), BAD_INPUT);
		assert_int_equal(engine_map(engine, rgb, -1, map, NULL), BAD_INPUT);
		engine_close(engine);
		model_free(model);
	}
}

/* How much redder than green a pixel is, in shares of the drawn picture. */
static int redness(const struct image_rgb *image, double u, double v)
{
	const uint8_t *p = image->pixels +
		((size_t)(v * image->height_px) * (size_t)image->width_px + (size_t)(u * image->width_px)) *
			3;
	return p[0] - p[2];
}

/* A map of one warm place, drawn over a grey picture of that size: the pixel at `hot` is red, that at `cold` grey. */
static const struct {
	int width, height;
	enum input_fit fit;
	int place; /* of 9, of rows of 3 */
	double hot[2], cold[2];
	int drawn[2];
} drawings[] = {
	{640, 448, INPUT_SQUASH, 0, {0.1, 0.1}, {0.9, 0.9}, {640, 448}},
	{640, 448, INPUT_SQUASH, 5, {0.9, 0.5}, {0.1, 0.5}, {640, 448}},
	{300, 600, INPUT_SQUASH, 7, {0.5, 0.9}, {0.5, 0.1}, {448, 896}},
	{900, 450, INPUT_CROP, 3, {0.33, 0.5}, {0.1, 0.5}, {896, 448}}, /* the square in the middle */
	{900, 450, INPUT_CROP, 4, {0.5, 0.5}, {0.9, 0.5}, {896, 448}},
	{2000, 400, INPUT_SQUASH, 4, {0.5, 0.5}, {0.05, 0.5}, {1344, 448}}, /* cut to 3 : 1 */
};

static void heat_is_drawn_where_the_map_is_warm(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof drawings / sizeof *drawings; i++) {
		struct image_rgb grey = {drawings[i].width, drawings[i].height, NULL}, drawn = {0};
		size_t n_pixels = (size_t)grey.width_px * (size_t)grey.height_px * 3, n = 0, n_out = 0;
		uint8_t *jpeg = NULL, *out = NULL;
		float map[9];
		grey.pixels = malloc(n_pixels);
		memset(grey.pixels, 128, n_pixels);
		for (int p = 0; p < 9; p++)
			map[p] = p == drawings[i].place ? 2 : -1;
		assert_int_equal(image_encode_rgb(&grey, 90, &jpeg, &n, NULL), OK);
		const struct input_spec spec = {.px = 96, .fit = drawings[i].fit};
		assert_int_equal(heat_draw(jpeg, n, &spec, map, 3, 3, &out, &n_out, NULL), OK);
		assert_int_equal(image_decode_rgb(out, n_out, NULL, 0, &drawn, NULL, NULL), OK);
		assert_int_equal(drawn.width_px, drawings[i].drawn[0]);
		assert_int_equal(drawn.height_px, drawings[i].drawn[1]);
		int hot = redness(&drawn, drawings[i].hot[0], drawings[i].hot[1]);
		int cold = redness(&drawn, drawings[i].cold[0], drawings[i].cold[1]);
		if (!(hot > 80 && cold < 10))
			fail_msg("row %zu: %d where it is warm, %d where it is cold", i, hot, cold);
		image_rgb_release(&drawn);
		free(out);
		free(jpeg);
		free(grey.pixels);
	}
	uint8_t *out = NULL;
	size_t n = 0;
	float map = 1;
	const struct input_spec spec = {.px = 32};
	assert_int_equal(heat_draw("no JPEG", 7, &spec, &map, 1, 1, &out, &n, NULL), BAD_INPUT);
	assert_null(out);
}

/* Exit code of `topi infer` with those words; what it printed lies in `printed`. */
static char printed[4000];
static int infer(const char *words)
{
	char command[600];
	snprintf(command, sizeof command, "cd %s && %s/topi infer %s --device cpu 2>&1", dir,
		TOPI_BINARY_DIR, words);
	FILE *in = popen(command, "r");
	assert_non_null(in);
	printed[fread(printed, 1, sizeof printed - 1, in)] = 0;
	return WEXITSTATUS(pclose(in));
}

static const struct {
	const char *words;
	int code;
	const char *word; /* in what it prints */
} commands[] = {
	{"a,b,c p.jpg", 0, "\"top\":["},
	{"a p.jpg --cam cam.jpg", 0, "\"class\":\""},
	{"a p.jpg --cam cam.jpg --class zebra", 0, "\"class\":\"zebra\""},
	{"a p.jpg --cam cam.jpg --class gnu", 1, "knows no class 'gnu'"},
	{"a,b p.jpg --cam cam2.jpg", 1, "name one of its members"},
	{"a p.jpg --cam no/cam.jpg", 1, "no/cam.jpg cannot be written"},
	{"a,missing p.jpg", 1, "missing"},
	{"a,e p.jpg", 1, "name one of its members"},
	{"a p.jpg p.jpg --cam cam.jpg", 2, "one JPEG file"},
	{"a p.jpg --class zebra", 2, "--cam"},
};

static void infer_runs_lists_and_draws_maps(void **state)
{
	(void)state;
	struct image_rgb image = {.width_px = 80, .height_px = 60, .pixels = malloc(80 * 60 * 3)};
	uint8_t *jpeg = NULL;
	size_t n = 0;
	fill(image.pixels, 80 * 60 * 3);
	assert_int_equal(image_encode_rgb(&image, 90, &jpeg, &n, NULL), OK);
	FILE *out = fopen(in_dir("p.jpg"), "wb");
	assert_int_equal(fwrite(jpeg, 1, n, out), n);
	fclose(out);
	free(jpeg);
	free(image.pixels);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		int code = infer(commands[i].words);
		if (code != commands[i].code || !strstr(printed, commands[i].word))
			fail_msg("%s: exit %d, %s", commands[i].words, code, printed);
	}
	assert_int_not_equal(access(in_dir("cam2.jpg"), F_OK), 0);
	uint8_t start[3] = {0};
	out = fopen(in_dir("cam.jpg"), "rb");
	assert_non_null(out);
	assert_int_equal(fread(start, 1, 3, out), 3);
	fclose(out);
	assert_memory_equal(start, "\xff\xd8\xff", 3);
	/* the list and the file of the same members say the same */
	char of_list[sizeof printed];
	assert_int_equal(infer("a,b,c p.jpg --raw"), 0);
	memcpy(of_list, printed, sizeof of_list);
	assert_int_equal(infer("e p.jpg --raw"), 0);
	assert_string_equal(printed, of_list);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_files_are_refused),
		cmocka_unit_test(logits_are_the_members_mean),
		cmocka_unit_test(members_that_do_not_go_together_are_refused),
		cmocka_unit_test(maps_add_up_to_the_logit),
		cmocka_unit_test(heat_is_drawn_where_the_map_is_warm),
		cmocka_unit_test(infer_runs_lists_and_draws_maps),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	static const char *const names[] = {"a", "b", "c", "e", "f", "p.jpg", "cam.jpg"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(in_dir(names[i]));
	rmdir(dir);
	return failed;
}
