/* labels: unit sql; timeout: 120 */
/* Painted places with and without something in them: where a camera's picture differs, and what an import keeps of it. */
#include "focus.h"
#include "model.h"
#include "support_command.h"
#include "support_import.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_PLACE = 40 };

static unsigned state = 1;

static double uniform(void)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) / 16777216.0;
}

static double between(double low, double high)
{
	return low + (high - low) * uniform();
}

static void fill(uint8_t *rgb, int x0, int y0, int w, int h, const double colour[3])
{
	for (int y = y0 < 0 ? 0 : y0; y < y0 + h && y < FOCUS_HEIGHT; y++)
		for (int x = x0 < 0 ? 0 : x0; x < x0 + w && x < FOCUS_WIDTH; x++)
			for (int c = 0; c < 3; c++)
				rgb[(y * FOCUS_WIDTH + x) * 3 + c] = (uint8_t)fmin(colour[c], 255);
}

/* The same place in another light, with noise, waving grass and a camera that sways by some pixels. */
static void paint_place(uint8_t *rgb, double light, double haze)
{
	const double sky[] = {150, 180, 220}, ground[] = {120, 130, 60}, tree[] = {40, 60, 30};
	int dx = (int)between(-3, 4), dy = (int)between(-3, 4);
	fill(rgb, 0, 0, FOCUS_WIDTH, 60 + dy, sky);
	fill(rgb, 0, 60 + dy, FOCUS_WIDTH, FOCUS_HEIGHT, ground);
	fill(rgb, 30 + dx, 18 + dy, 21, 60, tree);
	fill(rgb, 135 + dx, 37 + dy, 37, 30, tree);
	for (int i = 0; i < 30; i++)
		fill(rgb, 6 * i + dx, 90 + dy + i * 7 % 40, 2, 12, (double[]){90, 110, 50});
	for (int i = 0; i < FOCUS_WIDTH * FOCUS_HEIGHT; i++) {
		double grass = i / FOCUS_WIDTH > 83 ? between(-14, 14) : 0;
		for (int c = 0; c < 3; c++) {
			double v = (rgb[3 * i + c] + grass + between(-3, 3)) * light + haze;
			rgb[3 * i + c] = (uint8_t)fmin(fmax(v, 0), 255);
		}
	}
}

static uint8_t (*paint_many(int n))[FOCUS_BYTES]
{
	uint8_t(*frames)[FOCUS_BYTES] = malloc((size_t)n * sizeof *frames);
	for (int i = 0; i < n; i++)
		paint_place(frames[i], between(0.6, 1), between(0, 30));
	return frames;
}

static struct focus_background *learn(uint8_t (*frames)[FOCUS_BYTES], int n)
{
	const uint8_t *list[N_PLACE];
	for (int i = 0; i < n; i++)
		list[i] = frames[i];
	return focus_background_new(list, n);
}

/* Something of any size, anywhere, in any light is inside the window, and the window is not much larger than it. */
static void an_animal_is_found(void **unused)
{
	(void)unused;
	state = 7;
	uint8_t(*frames)[FOCUS_BYTES] = paint_many(N_PLACE);
	/* a third of a camera's pictures may show something */
	for (int i = 0; i < N_PLACE / 3; i++)
		fill(
			frames[i], (int)between(0, 150), (int)between(30, 105), 30, 21, (double[]){90, 60, 40});
	struct focus_background *background = learn(frames, N_PLACE);
	int n_found = 0;
	for (int i = 0; i < 60; i++) {
		uint8_t rgb[FOCUS_BYTES];
		struct focus_window window;
		int h = (int)between(8, 75), w = (int)(h * between(0.6, 1.6));
		int x = (int)between(0, FOCUS_WIDTH - w), y = (int)between(0, FOCUS_HEIGHT - h);
		paint_place(rgb, between(0.6, 1), between(0, 30));
		fill(rgb, x, y, w, h, i % 2 ? (double[]){230, 225, 210} : (double[]){60, 25, 15});
		window = focus_find(background, rgb, 4.0 / 3);
		double x1 = window.x + window.width, y1 = window.y + window.height;
		assert_true(window.x >= 0 && window.y >= 0 && x1 <= 1 + 1e-9 && y1 <= 1 + 1e-9);
		double cx = (x + w / 2.0) / FOCUS_WIDTH, cy = (y + h / 2.0) / FOCUS_HEIGHT;
		double shown = w * h / (double)(FOCUS_WIDTH * FOCUS_HEIGHT);
		double across = fmin(x1, (double)(x + w) / FOCUS_WIDTH) -
			fmax(window.x, (double)x / FOCUS_WIDTH);
		double down = fmin(y1, (double)(y + h) / FOCUS_HEIGHT) -
			fmax(window.y, (double)y / FOCUS_HEIGHT);
		/* its middle and over half of it, in a window of at most 8 times its area or the least size */
		n_found += window.x < cx && cx < x1 && window.y < cy && cy < y1 &&
			across * down > shown / 2 &&
			window.width * window.height < fmax(8 * shown, 1 / 49.0 + 1e-9);
	}
	if (n_found < 57)
		fail_msg("%d of 60 were found", n_found);
	focus_background_free(background);
	free(frames);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Empty places in any light are weaker than places with something small in them, and the same picture gets the same. */
static void strength_tells_empty_places(void **unused)
{
	(void)unused;
	state = 11;
	enum { N = 40 };
	uint8_t(*frames)[FOCUS_BYTES] = paint_many(N_PLACE);
	struct focus_background *background = learn(frames, N_PLACE);
	double empty[N], seen[N];
	for (int i = 0; i < N; i++) {
		uint8_t rgb[FOCUS_BYTES];
		paint_place(rgb, between(0.6, 1), between(0, 30));
		struct focus_window window = focus_find(background, rgb, 4.0 / 3);
		struct focus_window again = focus_find(background, rgb, 4.0 / 3);
		assert_memory_equal(&window, &again, sizeof window);
		empty[i] = window.strength;
		fill(rgb, (int)between(10, 160), (int)between(80, 125), 12, 9, (double[]){50, 35, 25});
		seen[i] = focus_find(background, rgb, 4.0 / 3).strength;
	}
	qsort(empty, N, sizeof *empty, by_value);
	qsort(seen, N, sizeof *seen, by_value);
	if (!(empty[N * 9 / 10] < 1 && seen[N / 10] > 4))
		fail_msg("empty up to %.2f, with something from %.2f", empty[N * 9 / 10], seen[N / 10]);
	focus_background_free(background);
	free(frames);
	/* the very same picture differs nowhere, and the window lies in the middle */
	uint8_t flat[FOCUS_BYTES];
	const uint8_t *same[FOCUS_MIN_FRAMES];
	memset(flat, 90, sizeof flat);
	for (int i = 0; i < FOCUS_MIN_FRAMES; i++)
		same[i] = flat;
	struct focus_background *still = focus_background_new(same, FOCUS_MIN_FRAMES);
	struct focus_window none = focus_find(still, flat, 1.5);
	assert_true(none.strength == 0 && none.width > 0 && fabs(none.x + none.width / 2 - 0.5) < 1e-9);
	focus_background_free(still);
}

static void windows_are_square_in_pixels(void **unused)
{
	(void)unused;
	static const double aspects[] = {4.0 / 3, 16.0 / 9, 1, 3.0 / 4, 9.0 / 16};
	state = 13;
	uint8_t(*frames)[FOCUS_BYTES] = paint_many(N_PLACE);
	struct focus_background *background = learn(frames, N_PLACE);
	for (size_t i = 0; i < sizeof aspects / sizeof *aspects; i++) {
		struct focus_window window;
		uint8_t rgb[FOCUS_BYTES];
		paint_place(rgb, 1, 0);
		fill(rgb, 75, 75, 30, 22, (double[]){240, 240, 240});
		window = focus_find(background, rgb, aspects[i]);
		assert_true(fabs(window.width * aspects[i] - window.height) < 1e-9);
		assert_true(window.x < 90.0 / FOCUS_WIDTH && window.x + window.width > 90.0 / FOCUS_WIDTH);
	}
	focus_background_free(background);
	free(frames);
}

static void night_is_grey(void **unused)
{
	(void)unused;
	uint8_t rgb[FOCUS_BYTES];
	paint_place(rgb, 1, 0);
	assert_false(focus_is_grey(rgb));
	for (int i = 0; i < FOCUS_BYTES; i++)
		rgb[i] = rgb[i - i % 3];
	assert_true(focus_is_grey(rgb));
}

/* ---- what an import keeps of it */

static void take(struct import_world *w, const char *name, int minute, struct photo_spec spec)
{
	char time[64];
	snprintf(time, sizeof time, "2024:05:%02d %02d:%02d:00", 1 + minute / 1440, minute / 60 % 24,
		minute % 60);
	spec.time = time;
	spec.seed = 77; /* one place */
	spec.width_px = 384;
	spec.height_px = 288;
	photo_write(w->photos, name, &spec);
}

static void take_empty(struct import_world *w, const char *place, int n, int from, bool is_grey)
{
	for (int i = 0; i < n; i++) {
		char name[60];
		snprintf(name, sizeof name, "%s/%c%d.jpg", place, is_grey ? 'n' : 'd', from + i);
		take(w, name, (from + i) * 7, (struct photo_spec){.is_grey = is_grey});
	}
}

#define COUNT(value, ...) assert_int_equal(test_sql(&w->p, __VA_ARGS__), value)

/* A window about the middle of the 60-pixel square at (90, 180) of 384 x 288 that is under a third of the picture wide. */
#define SHOWS                                                                                      \
	"focus_x < 120 / 384.0 AND focus_x + focus_width > 120 / 384.0 AND focus_y < 210 / 288.0 "     \
	"AND focus_y + focus_height > 210 / 288.0 AND focus_width < 0.34 AND focus_strength > 4"

static void an_import_says_where_to_look(void **world)
{
	struct import_world *w = *world;
	const struct photo_spec animal = {.patch_x = 90, .patch_y = 180, .patch_px = 60};
	struct photo_spec at_night = animal;
	at_night.is_grey = true;
	take_empty(w, "D", 12, 0, false);
	take_empty(w, "D", FOCUS_MIN_FRAMES - 2, 100, true);
	take(w, "D/seen.jpg", 3, animal);
	take(w, "D/night.jpg", 704, at_night);
	take_empty(w, "E", 3, 0, false);
	take(w, "E/seen.jpg", 3, animal);
	import_well(w);
	COUNT(1, "SELECT count(*) FROM media WHERE file_name = 'D/seen.jpg' AND " SHOWS);
	/* eight by night are too few, and so are four of a camera, even of the same place */
	COUNT(0, "SELECT count(focus_x) FROM media WHERE file_name IN ('D/night.jpg', 'E/seen.jpg')");
	/* an empty picture of a place that never changes differs nowhere */
	COUNT(1, "SELECT count(*) FROM media WHERE file_name = 'D/d3.jpg' AND focus_strength < 0.1");
	/* what came before lends its background, and is left as it is */
	take(w, "D/more.jpg", 719, at_night);
	import_well(w);
	COUNT(1, "SELECT count(*) FROM media WHERE file_name = 'D/more.jpg' AND " SHOWS);
	COUNT(0, "SELECT count(focus_x) FROM media WHERE file_name = 'D/night.jpg'");
	int64_t before = import_fingerprint(w);
	import_well(w);
	assert_true(import_fingerprint(w) == before);
}

/* More photographs than one background is made of, most of them with an animal: each is found. */
static void long_deployments(void **world)
{
	struct import_world *w = *world;
	for (int i = 0; i < 420; i++) {
		char name[60];
		snprintf(name, sizeof name, "L/%03d.jpg", i);
		take(w, name, i * 5,
			(struct photo_spec){
				.patch_x = i * 37 % 320, .patch_y = i * 53 % 230, .patch_px = 20 + i % 30});
	}
	import_well(w);
	COUNT(420, "SELECT count(*) FROM media");
	int64_t n = 0;
	for (int i = 0; i < 420; i++)
		n += test_sql(&w->p,
			"SELECT count(*) FROM media WHERE file_name = 'L/%03d.jpg' AND focus_x < %f AND "
			"focus_x + focus_width > %f AND focus_y < %f AND focus_y + focus_height > %f",
			i, (i * 37 % 320 + 10 + i % 30 / 2) / 384.0, (i * 37 % 320 + 10 + i % 30 / 2) / 384.0,
			(i * 53 % 230 + 10 + i % 30 / 2) / 288.0, (i * 53 % 230 + 10 + i % 30 / 2) / 288.0);
	if (n < 410)
		fail_msg("%lld of 420 were found", (long long)n);
}

/* Imports the file with `how`; its "backbone" and "sha256" as `model show` tells them. */
static void import_model(
	const char *dir, const char *name, const char *how, char sha256[65], char backbone[65])
{
	if (command(
			"%s model import %s p %s/net.safetensors --name %s %s 2>&1", TOPI, dir, dir, name, how))
		fail_msg("%s", command_out);
	assert_int_equal(command("%s model show %s p %s --json", TOPI, dir, name), 0);
	json_t *told = json_loads(command_out, 0, NULL);
	snprintf(sha256, 65, "%s", json_string_value(json_object_get(told, "sha256")));
	snprintf(backbone, 65, "%s", json_string_value(json_object_get(told, "backbone")));
	json_decref(told);
}

/* A backbone from elsewhere sees whole photographs, or, where that is asked for, windows. */
static void a_backbone_can_be_told_to_look(void **unused)
{
	(void)unused;
	char dir[] = "/tmp/topi-focus-XXXXXX", path[200], sha256[3][65], backbone[3][65];
	struct model *model = NULL;
	assert_non_null(mkdtemp(dir));
	command_init(dir);
	snprintf(path, sizeof path, "%s/net.safetensors", dir);
	assert_int_equal(model_new("resnet10s", NULL, 5, 64, 1, &model, NULL), OK);
	assert_int_equal(model_save(model, path, NULL, NULL), OK);
	model_free(model);
	import_model(dir, "whole", "--backbone", sha256[0], backbone[0]);
	import_model(dir, "window", "--backbone --focus", sha256[1], backbone[1]);
	import_model(
		dir, "window", "--backbone --focus", sha256[2], backbone[2]); /* is there already */
	assert_string_equal(sha256[2], sha256[1]);
	assert_string_not_equal(backbone[1], backbone[0]);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/models/%s.safetensors", dir, sha256[i]);
		assert_int_equal(model_load(path, &model, NULL), OK);
		assert_int_equal(model->input.focus, i);
		assert_string_equal(model->backbone, backbone[i]);
		model_free(model);
	}
	assert_int_equal(command("ls %s/models | wc -l", dir), 0);
	assert_int_equal(atoi(command_out), 2); /* nothing else is left there */
	assert_int_equal(command("rm -rf %s", dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_animal_is_found),
		cmocka_unit_test(strength_tells_empty_places),
		cmocka_unit_test(windows_are_square_in_pixels),
		cmocka_unit_test(night_is_grey),
		cmocka_unit_test(a_backbone_can_be_told_to_look),
		cmocka_unit_test_setup_teardown(
			an_import_says_where_to_look, import_world_open, import_world_close),
		cmocka_unit_test_setup_teardown(long_deployments, import_world_open, import_world_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
