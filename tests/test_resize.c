/* labels: unit; timeout: 60 */
/* The resize against sums written out in double precision, and a window's decode against the whole picture's. */
#include "augment.h"
#include "resize.h"
#include "support_photo.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct image_rgb noise(int w, int h)
{
	struct image_rgb image = {w, h, malloc((size_t)w * (size_t)h * 3)};
	for (int i = 0; i < w * h * 3; i++)
		image.pixels[i] = (uint8_t)((unsigned)i * 2654435761u >> 13);
	return image;
}

static double triangle(double centre, double reach, int at)
{
	return fmax(0, 1 - fabs(at + 0.5 - centre) / reach);
}

/* One output value, from every pixel of the picture. */
static double plain(
	const struct image_rgb *in, const struct resize *r, int i, int j, int c, int w, int h)
{
	double sx = r->w / w, sy = r->h / h, sum = 0, total = 0;
	double x = r->x + ((r->is_mirrored ? w - 1 - i : i) + 0.5) * sx, y = r->y + (j + 0.5) * sy;
	for (int v = 0; v < in->height_px; v++) {
		for (int u = 0; u < in->width_px; u++) {
			double weight = triangle(x, fmax(sx, 1), u) * triangle(y, fmax(sy, 1), v);
			sum += weight * in->pixels[(v * in->width_px + u) * 3 + c];
			total += weight;
		}
	}
	return sum / total;
}

static void is_the_sum_it_says(void **state)
{
	(void)state;
	static const struct {
		int in_w, in_h, w, h;
		double x, y, rw, rh;
		bool is_mirrored;
	} rows[] = {
		{1, 1, 1, 1, 0, 0, 1, 1, false},
		{1, 1, 7, 5, 0, 0, 1, 1, true},
		{1, 97, 13, 11, 0, 0, 1, 97, false},
		{89, 1, 11, 13, 0, 0, 89, 1, true},
		{61, 47, 13, 17, 0, 0, 61, 47, false},
		{61, 47, 13, 17, 3.3, 5.7, 40.1, 31.9, true},
		{13, 17, 61, 47, 2.5, 1.25, 9, 12, true},
		{211, 3, 7, 7, 0, 0, 211, 3, false},
		{64, 64, 31, 31, 0.5, 0.5, 63, 63, false},
		{31, 31, 31, 31, 0, 0, 31, 31, true},
	};
	static const struct resize_colour night = {
		{{0.3f, 0.6f, 0.1f}, {0.3f, 0.6f, 0.1f}, {0.3f, 0.6f, 0.1f}}, {-20, 0, 40}};
	for (size_t n = 0; n < 2 * sizeof rows / sizeof *rows; n++) {
		const struct resize_colour *colour = n % 2 ? &night : NULL;
		int w = rows[n / 2].w, h = rows[n / 2].h;
		struct image_rgb in = noise(rows[n / 2].in_w, rows[n / 2].in_h);
		struct resize r = {rows[n / 2].x, rows[n / 2].y, rows[n / 2].rw, rows[n / 2].rh,
			rows[n / 2].is_mirrored, colour};
		uint8_t *out = malloc((size_t)w * (size_t)h * 3);
		resize_rgb(&in, &r, out, w, h);
		for (int i = 0; i < w * h * 3; i++) {
			int x = i / 3 % w, y = i / 3 / w, c = i % 3;
			double want = 0;
			for (int k = 0; k < 3; k++)
				want += (colour ? (double)colour->matrix[c][k] : k == c) *
					plain(&in, &r, x, y, k, w, h);
			want = fmin(fmax(want + (colour ? (double)colour->offset[c] : 0), 0), 255);
			if (fabs(out[i] - want) > 0.501)
				fail_msg("row %zu, %d,%d: %d, not %g", n / 2, x, y, out[i], want);
		}
		free(out);
		image_rgb_release(&in);
	}
}

static struct image_part chosen;

static struct image_part choose(const void *arg, int width_px, int height_px)
{
	(void)arg;
	assert_true(width_px > 0 && height_px > 0);
	return chosen;
}

/* A window holds the pixels that the whole has there, at whatever scale it chose. */
static void a_window_is_cut_from_the_whole(void **state)
{
	(void)state;
	static const struct {
		int w, h;
		struct image_part part;
		int whole_w; /* 0: any */
	} rows[] = {
		{384, 288, {0.3, 0.4, 0.4, 0.3, 150, 80}, 384},
		{384, 288, {0.3, 0.4, 0.4, 0.3, 70, 40}, 192},
		{384, 288, {0.3, 0.4, 0.4, 0.3, 38, 20}, 96},
		{384, 288, {0.62, 0.71, 0.3, 0.29, 10, 10}, 48},
		{389, 283, {0.11, 0.09, 0.83, 0.9, 224, 224}, 389},
		{389, 283, {0.5, 0.5, 0.5, 0.5, 64, 64}, 195},
		{1, 1, {0, 0, 1, 1, 32, 32}, 1},
		{17, 400, {0.2, 0.9, 0.1, 0.1, 8, 8}, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct image_window whole, got;
		struct err err = {0};
		size_t n;
		uint8_t *jpeg = photo_bytes(
			&(struct photo_spec){.seed = (int)i, .width_px = rows[i].w, .height_px = rows[i].h},
			&n);
		chosen = rows[i].part;
		assert_int_equal(image_decode_window(jpeg, n, choose, NULL, &got, &err), OK);
		if (rows[i].whole_w)
			assert_int_equal(got.whole_width_px, rows[i].whole_w);
		chosen = (struct image_part){0, 0, 1, 1, got.whole_width_px, got.whole_height_px};
		assert_int_equal(image_decode_window(jpeg, n, choose, NULL, &whole, &err), OK);
		assert_int_equal(whole.rgb.width_px, got.whole_width_px);
		assert_int_equal(whole.rgb.height_px, got.whole_height_px);
		for (int y = 0; y < got.rgb.height_px; y++) {
			const uint8_t *a = got.rgb.pixels + (size_t)y * (size_t)got.rgb.width_px * 3;
			const uint8_t *b = whole.rgb.pixels +
				((size_t)(y + got.y_px) * (size_t)whole.rgb.width_px + (size_t)got.x_px) * 3;
			assert_memory_equal(a, b, (size_t)got.rgb.width_px * 3);
		}
		assert_true(got.x_px <= rows[i].part.x * got.whole_width_px);
		assert_true(got.y_px <= rows[i].part.y * got.whole_height_px);
		image_rgb_release(&got.rgb);
		image_rgb_release(&whole.rgb);
		/* cut short anywhere, also below the window, it is refused; nothing is read beyond its end */
		for (size_t cut = n / 9 + 1; cut < n; cut += n / 9 + 1) {
			uint8_t *part = malloc(cut);
			memcpy(part, jpeg, cut);
			chosen = rows[i].part;
			assert_int_equal(image_decode_window(part, cut, choose, NULL, &got, &err), BAD_INPUT);
			assert_null(got.rgb.pixels);
			free(part);
		}
		free(jpeg);
	}
}

static void chance_is_the_seeds(void **state)
{
	(void)state;
	static uint8_t a[32 * 32 * 3], b[sizeof a];
	struct image_rgb in = noise(43, 41);
	const struct input_spec spec = {.px = 32, .fit = INPUT_SQUASH};
	int n_grey = 0;
	for (unsigned long long seed = 0; seed < 200; seed++) {
		unsigned long long s = seed * 977, t = s;
		augment_picture(&in, &spec, &s, a);
		augment_picture(&in, &spec, &t, b);
		assert_memory_equal(a, b, sizeof a);
		assert_int_equal(s, t);
		bool is_grey = true;
		for (size_t i = 0; i < sizeof a && is_grey; i += 3)
			is_grey = a[i] == a[i + 1] && a[i] == a[i + 2];
		n_grey += is_grey;
	}
	assert_in_range(n_grey, 15, 50); /* of 200 at 15 % */
	image_rgb_release(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_the_sum_it_says),
		cmocka_unit_test(a_window_is_cut_from_the_whole),
		cmocka_unit_test(chance_is_the_seeds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
