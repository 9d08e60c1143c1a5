/* labels: unit; timeout: 60 */
/* What a net sees of a photograph: the whole, or a window of it as strongly as it differs. */
#include "input.h"
#include "support_photo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PX = 32 };

/* A light square over (96, 144) .. (191, 239) of 384 x 288: a quarter of the width, a third of the height. */
static const struct photo_spec square = {
	.seed = 3, .width_px = 384, .height_px = 288, .patch_x = 96, .patch_y = 144, .patch_px = 96};
static const struct input_window there = {0.25, 0.5, 0.25, 1 / 3.0, 1e9};

static double mean(const uint8_t *rgb, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += rgb[i];
	return sum / (double)n;
}

static double seen(const uint8_t *jpeg, size_t n, struct input_spec spec,
	const struct input_window *window, uint8_t rgb[PX * PX * 3])
{
	struct err err = {0};
	spec.px = PX;
	if (input_decode(jpeg, n, &spec, window, rgb, &err) != OK)
		fail_msg("%s", err.text);
	return mean(rgb, PX * PX * 3);
}

static void a_window_is_seen_alone(void **state)
{
	(void)state;
	size_t n = 0;
	uint8_t *jpeg = photo_bytes(&square, &n), rgb[PX * PX * 3], whole[PX * PX * 3];
	const struct input_spec focus = {.fit = INPUT_SQUASH, .focus = true};
	const struct input_spec cut = {.fit = INPUT_CROP, .focus = true};
	const struct input_spec frame = {.fit = INPUT_SQUASH};
	double all = seen(jpeg, n, frame, NULL, whole);
	assert_true(all < 130);
	/* all of it is light; the resize filter reads a little beyond its border */
	assert_true(seen(jpeg, n, focus, &there, rgb) > 240);
	assert_true(rgb[0] > 150 && rgb[PX * PX * 3 - 1] > 150);
	assert_true(seen(jpeg, n, cut, &there, rgb) > 240);
	/* none is known, the model sees whole frames: the whole */
	seen(jpeg, n, focus, NULL, rgb);
	assert_memory_equal(rgb, whole, sizeof whole);
	seen(jpeg, n, focus, &(struct input_window){0}, rgb);
	assert_memory_equal(rgb, whole, sizeof whole);
	seen(jpeg, n, frame, &there, rgb);
	assert_memory_equal(rgb, whole, sizeof whole);
	/* to training, too */
	struct image_rgb picture;
	struct err err;
	assert_int_equal(input_picture(jpeg, n, PX, INPUT_SQUASH, &there, &picture, &err), OK);
	assert_int_equal(picture.width_px, PX);
	assert_true(mean(picture.pixels, PX * PX * 3) > 240);
	free(picture.pixels);
	free(jpeg);
}

static void what_differs_little_is_faint(void **state)
{
	(void)state;
	size_t n = 0;
	uint8_t *jpeg = photo_bytes(&square, &n), rgb[PX * PX * 3];
	const struct input_spec focus = {.fit = INPUT_SQUASH, .focus = true};
	static const struct {
		double strength, low, high;
	} rows[] = {{0, 128, 128}, {1, 186, 190}, {3, 216, 221}, {1e9, 240, 255}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct input_window window = there;
		window.strength = rows[i].strength;
		double got = seen(jpeg, n, focus, &window, rgb);
		if (got < rows[i].low || got > rows[i].high)
			fail_msg("strength %g is seen as %g", rows[i].strength, got);
	}
	free(jpeg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_is_seen_alone),
		cmocka_unit_test(what_differs_little_is_faint),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
