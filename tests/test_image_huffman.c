/* labels: unit; timeout: 120 */
/* The fast Huffman decoding gives libjpeg's pixels, of whole files and of damaged ones. */
#include "image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>

struct kind {
	const char *name;
	int width_px, height_px, quality, n_components, across, down, restart_rows, restart_mcus;
	bool is_optimal, is_progressive, is_smooth;
};

static const struct kind kinds[] = {
	{"4:2:0", 203, 131, 85, 3, 2, 2, .restart_mcus = 0},
	{"4:2:2", 203, 131, 85, 3, 2, 1, .restart_mcus = 0},
	{"4:4:4, every bit", 75, 99, 100, 3, 1, 1, .restart_mcus = 0},
	{"grey", 203, 131, 90, 1, 1, 1, .restart_mcus = 0},
	{"CMYK", 67, 43, 90, 4, 1, 1, .restart_mcus = 0},
	{"restarts by row", 203, 131, 85, 3, 2, 2, .restart_rows = 1},
	{"restarts by MCU", 203, 131, 85, 3, 2, 2, .restart_mcus = 3},
	{"tables of its own", 203, 131, 95, 3, 2, 2, .is_optimal = true},
	{"few coefficients", 203, 131, 20, 3, 2, 2, .is_smooth = true, .is_optimal = true},
	{"progressive", 203, 131, 85, 3, 2, 2, .is_progressive = true},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static uint8_t *encode(const struct kind *kind, size_t *n)
{
	struct jpeg_compress_struct j;
	struct jpeg_error_mgr errors;
	uint8_t *bytes = NULL;
	unsigned long n_bytes = 0;
	uint32_t state = 9;
	j.err = jpeg_std_error(&errors);
	jpeg_create_compress(&j);
	jpeg_mem_dest(&j, &bytes, &n_bytes);
	j.image_width = (JDIMENSION)kind->width_px;
	j.image_height = (JDIMENSION)kind->height_px;
	j.input_components = kind->n_components;
	j.in_color_space = kind->n_components == 1 ? JCS_GRAYSCALE
		: kind->n_components == 4              ? JCS_CMYK
											   : JCS_RGB;
	jpeg_set_defaults(&j);
	jpeg_set_quality(&j, kind->quality, TRUE);
	j.comp_info[0].h_samp_factor = kind->across;
	j.comp_info[0].v_samp_factor = kind->down;
	j.restart_in_rows = kind->restart_rows;
	j.restart_interval = (unsigned)kind->restart_mcus;
	j.optimize_coding = kind->is_optimal;
	if (kind->is_progressive)
		jpeg_simple_progression(&j);
	jpeg_start_compress(&j, TRUE);
	uint8_t row[203 * 4], *rows[] = {row};
	for (int y = 0; y < kind->height_px; y++) {
		for (int x = 0; x < kind->width_px * kind->n_components; x++) {
			state = state * 1664525u + 1013904223u;
			row[x] = (uint8_t)(kind->is_smooth ? x / 4 + y
											   : (x / 40 * 70 + y * 2) % 200 + (int)(state >> 27));
		}
		jpeg_write_scanlines(&j, rows, 1);
	}
	jpeg_finish_compress(&j);
	jpeg_destroy_compress(&j);
	*n = n_bytes;
	return bytes;
}

struct plain {
	struct jpeg_error_mgr base;
	jmp_buf jump;
};

static void on_error(j_common_ptr jpeg)
{
	longjmp(((struct plain *)jpeg->err)->jump, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
	(void)jpeg;
	(void)level;
}

/* All of the picture by libjpeg alone, by 1 / shrink, with image_decode_window's choices. NULL: it cannot. */
static uint8_t *decode(const uint8_t *bytes, size_t n, int shrink, int *width_px, int *height_px)
{
	struct jpeg_decompress_struct j;
	struct plain errors;
	uint8_t *volatile out = NULL;
	j.err = jpeg_std_error(&errors.base);
	errors.base.error_exit = on_error;
	errors.base.emit_message = on_message;
	if (setjmp(errors.jump)) {
		jpeg_destroy_decompress(&j);
		free(out);
		return NULL;
	}
	jpeg_create_decompress(&j);
	jpeg_mem_src(&j, bytes, (unsigned long)n);
	jpeg_read_header(&j, TRUE);
	j.scale_num = (unsigned)(8 / shrink);
	j.scale_denom = 8;
	j.do_fancy_upsampling = FALSE;
	j.out_color_space = JCS_RGB;
	jpeg_start_decompress(&j);
	*width_px = (int)j.output_width;
	*height_px = (int)j.output_height;
	out = malloc((size_t)j.output_width * j.output_height * 3);
	while (j.output_scanline < j.output_height) {
		JSAMPROW row = out + (size_t)j.output_scanline * j.output_width * 3;
		jpeg_read_scanlines(&j, &row, 1);
	}
	jpeg_destroy_decompress(&j);
	return out;
}

struct wish {
	double x, y, width, height;
	int shrink;
};

static struct image_part choose(const void *arg, int width_px, int height_px)
{
	const struct wish *w = arg;
	return (struct image_part){w->x, w->y, w->width, w->height,
		(int)(width_px / w->shrink * w->width), (int)(height_px / w->shrink * w->height)};
}

/* What comes, if anything, is what libjpeg gives there. Returns whether something came. */
static bool compare(const char *name, const uint8_t *bytes, size_t n, const struct wish *wish)
{
	struct image_window seen;
	struct err err = {0};
	int width_px = 0, height_px = 0;
	enum status status = image_decode_window(bytes, n, choose, wish, &seen, &err);
	if (status != OK)
		return false;
	assert_int_equal(err.text[0], 0);
	uint8_t *want = decode(bytes, n, wish->shrink, &width_px, &height_px);
	if (!want || width_px != seen.whole_width_px || height_px != seen.whole_height_px)
		fail_msg("%s: %d x %d for %d x %d", name, seen.whole_width_px, seen.whole_height_px,
			width_px, height_px);
	for (int y = 0; y < seen.rgb.height_px; y++) {
		const uint8_t *row = want +
			((size_t)(seen.y_px + y) * (size_t)width_px + (size_t)seen.x_px) * 3;
		if (memcmp(seen.rgb.pixels + (size_t)y * (size_t)seen.rgb.width_px * 3, row,
				(size_t)seen.rgb.width_px * 3) != 0)
			fail_msg("%s, 1/%d: row %d differs", name, wish->shrink, y);
	}
	free(want);
	image_rgb_release(&seen.rgb);
	return true;
}

static const struct wish wishes[] = {
	{0, 0, 1, 1, 1}, {0, 0, 1, 1, 2}, {0, 0, 1, 1, 4}, {0, 0, 1, 1, 8}, {.3, .4, .5, .5, 1}};
enum { N_WISHES = sizeof wishes / sizeof *wishes };

static void pixels_are_libjpegs(void **state)
{
	(void)state;
	for (int i = 0; i < N_KINDS; i++) {
		size_t n;
		uint8_t *bytes = encode(&kinds[i], &n);
		/* CMYK becomes RGB on our side: it only has to come */
		struct image_window seen;
		struct err err = {0};
		if (kinds[i].n_components == 4) {
			assert_int_equal(image_decode_window(bytes, n, choose, &wishes[0], &seen, &err), OK);
			image_rgb_release(&seen.rgb);
		}
		for (int w = 0; w < N_WISHES && kinds[i].n_components != 4; w++)
			if (!compare(kinds[i].name, bytes, n, &wishes[w]))
				fail_msg("%s does not come", kinds[i].name);
		free(bytes);
	}
}

/* A byte or two are changed, or the end is missing: what libjpeg makes of it, or a reason. */
static void damage_is_libjpegs_matter(void **state)
{
	(void)state;
	uint32_t chance = 5;
	int n_came = 0, n_failed = 0;
	for (int i = 0; i < N_KINDS; i++) {
		size_t n;
		uint8_t *bytes = encode(&kinds[i], &n);
		for (int turn = 0; turn < 200 && kinds[i].n_components != 4; turn++) {
			uint8_t *bad = malloc(n);
			size_t kept = turn % 10 == 9 ? n - 1 - n / 300 * (size_t)(turn / 10) : n;
			memcpy(bad, bytes, n);
			for (int k = 0; k <= turn % 2; k++) {
				chance = chance * 1664525u + 1013904223u;
				bad[n / 5 + (size_t)((uint64_t)chance * (n - n / 5) >> 32)] ^=
					(uint8_t)(turn % 5 ? 1 << turn % 8 : 0xff);
			}
			/* of exactly that size, so that reading beyond it is seen */
			uint8_t *exact = malloc(kept);
			memcpy(exact, bad, kept);
			bool came = compare(kinds[i].name, exact, kept, &wishes[turn % 4]);
			n_came += came;
			n_failed += !came;
			free(bad);
			free(exact);
		}
		free(bytes);
	}
	assert_true(n_came > 200 && n_failed > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pixels_are_libjpegs),
		cmocka_unit_test(damage_is_libjpegs_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
