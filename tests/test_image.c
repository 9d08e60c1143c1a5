/* labels: unit; timeout: 300 */
/* Pictures made here with libjpeg, put through the decoder, the resizer and the encoder: what comes
 * out is measured against what was drawn. */
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

struct bytes {
	uint8_t *p;
	size_t n;
};

/* What to write: a picture of four flat quarters (red, green / blue, white), and under it strip_px
 * rows of magenta. */
struct drawing {
	int width_px, height_px, strip_px;
	int n_components; /* 1 grey, 3 YCbCr 4:2:0, 4 CMYK */
	bool ycck, adobe, progressive, arithmetic;
	int orientation;             /* 0: no EXIF */
	const jpeg_scan_info *scans; /* a progression of the test's own */
	int n_scans;
	bool clutter; /* a comment, a profile and an XMP segment */
};

static void quarter(const struct drawing *d, int x, int y, int rgb[3])
{
	static const int colours[4][3] = {{220, 30, 30}, {30, 200, 30}, {30, 30, 210}, {240, 240, 240}};
	int kept = d->height_px - d->strip_px;
	int q = (x >= d->width_px / 2) + 2 * (y >= kept / 2);
	memcpy(rgb, y >= kept ? (const int[3]){255, 0, 255} : colours[q], 3 * sizeof *rgb);
}

static void put_exif(struct jpeg_compress_struct *j, int orientation)
{
	uint8_t block[] = "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
	block[25] = (uint8_t)orientation;
	jpeg_write_marker(j, JPEG_APP0 + 1, block, sizeof block - 1);
}

static struct bytes draw(const struct drawing *d)
{
	struct jpeg_compress_struct j;
	struct jpeg_error_mgr errors;
	unsigned char *out = NULL;
	unsigned long n = 0;
	j.err = jpeg_std_error(&errors);
	jpeg_create_compress(&j);
	jpeg_mem_dest(&j, &out, &n);
	j.image_width = (JDIMENSION)d->width_px;
	j.image_height = (JDIMENSION)d->height_px;
	j.input_components = d->n_components;
	j.in_color_space = d->n_components == 1 ? JCS_GRAYSCALE
		: d->n_components == 3              ? JCS_RGB
											: JCS_CMYK;
	jpeg_set_defaults(&j);
	if (d->n_components == 4) {
		jpeg_set_colorspace(&j, d->ycck ? JCS_YCCK : JCS_CMYK);
		j.write_Adobe_marker = d->adobe;
	}
	jpeg_set_quality(&j, 92, TRUE);
	j.arith_code = d->arithmetic;
	if (d->progressive)
		jpeg_simple_progression(&j);
	if (d->scans) {
		j.scan_info = d->scans;
		j.num_scans = d->n_scans;
	}
	jpeg_start_compress(&j, TRUE);
	if (d->orientation)
		put_exif(&j, d->orientation);
	if (d->clutter) {
		jpeg_write_marker(&j, JPEG_COM, (const JOCTET *)"taken at home", 13);
		jpeg_write_marker(
			&j, JPEG_APP0 + 1, (const JOCTET *)"http://ns.adobe.com/xap/1.0/\0<x/>", 33);
		jpeg_write_marker(&j, JPEG_APP0 + 2, (const JOCTET *)"ICC_PROFILE\0\1\1secret", 20);
	}
	uint8_t *row = malloc((size_t)d->width_px * 4);
	while (j.next_scanline < j.image_height) {
		for (int x = 0; x < d->width_px; x++) {
			int rgb[3];
			quarter(d, x, (int)j.next_scanline, rgb);
			for (int c = 0; c < d->n_components; c++) {
				int v = d->n_components == 1 ? (rgb[0] * 299 + rgb[1] * 587 + rgb[2] * 114) / 1000
					: c < 3                  ? rgb[c]
											 : 255;
				row[x * d->n_components + c] = (uint8_t)(d->n_components == 4 && !d->adobe ? 255 - v
																						   : v);
			}
		}
		jpeg_write_scanlines(&j, &row, 1);
	}
	free(row);
	jpeg_finish_compress(&j);
	jpeg_destroy_compress(&j);
	return (struct bytes){out, (size_t)n};
}

/* Every segment's marker up to the pixels: only JFIF, tables, frame and scan are allowed. */
static void assert_bare(const uint8_t *p, size_t n)
{
	assert_true(n > 20 && p[0] == 0xff && p[1] == 0xd8 && memcmp(p + 6, "JFIF", 5) == 0);
	assert_true(p[n - 2] == 0xff && p[n - 1] == 0xd9);
	for (size_t at = 2;;) {
		assert_true(at + 4 < n && p[at] == 0xff);
		unsigned marker = p[at + 1];
		assert_true(
			marker == 0xe0 || marker == 0xdb || marker == 0xc0 || marker == 0xc4 || marker == 0xda);
		if (marker == 0xc0)
			assert_true(p[at + 11] == 0x22 && p[at + 14] == 0x11 && p[at + 17] == 0x11);
		if (marker == 0xda)
			return;
		at += 2 + ((size_t)p[at + 2] << 8 | p[at + 3]);
	}
}

static void assert_colour(
	const struct image_rgb *image, double fx, double fy, const int rgb[3], int within)
{
	int x = (int)(fx * image->width_px), y = (int)(fy * image->height_px);
	const uint8_t *p = image->pixels + ((size_t)y * (size_t)image->width_px + (size_t)x) * 3;
	for (int c = 0; c < 3; c++) {
		if (abs(p[c] - rgb[c]) > within)
			fail_msg(
				"at %d,%d: %d %d %d, not %d %d %d", x, y, p[0], p[1], p[2], rgb[0], rgb[1], rgb[2]);
	}
}

/* The stored quarter (0-3, by rows) that lies top left, top right, bottom left, bottom right when
 * the picture is upright; index = orientation. */
static const int upright[9][4] = {{0, 1, 2, 3}, {0, 1, 2, 3}, {1, 0, 3, 2}, {3, 2, 1, 0},
	{2, 3, 0, 1}, {0, 2, 1, 3}, {2, 0, 3, 1}, {3, 1, 2, 0}, {1, 3, 0, 2}};

static void assert_quarters(const struct drawing *d, const struct image_rgb *image)
{
	struct drawing whole = *d;
	whole.strip_px = 0;
	double inner = d->width_px < 100 ? 0.2 : 0.4; /* 8-pixel blocks blur the middle */
	for (int q = 0; q < 4; q++) {
		int rgb[3], from = upright[d->orientation][q];
		quarter(&whole, from % 2 ? d->width_px - 1 : 0, from / 2 ? d->height_px - 1 : 0, rgb);
		if (d->n_components == 1)
			rgb[0] = rgb[1] = rgb[2] = (rgb[0] * 299 + rgb[1] * 587 + rgb[2] * 114) / 1000;
		/* Close to the centre lines and in the very corner: orientation, cut and edges. */
		assert_colour(image, q % 2 ? 0.999 : 0, q / 2 ? 0.999 : 0, rgb, 9);
		assert_colour(image, q % 2 ? 1 - inner : inner, q / 2 ? 1 - inner : inner, rgb, 9);
	}
}

static const struct row {
	const char *name;
	struct drawing d;
	int crop_px;
	int web[2], thumb[2], model[2];
} rows[] = {
	{"4:3", {.width_px = 1600, .height_px = 1200, .n_components = 3}, 0, {1280, 960}, {320, 240},
		{448, 336}},
	{"clutter is left out",
		{.width_px = 1600, .height_px = 1200, .n_components = 3, .orientation = 1, .clutter = true},
		0, {1280, 960}, {320, 240}, {448, 336}},
	{"half size", {.width_px = 2600, .height_px = 1950, .n_components = 3}, 0, {1280, 960},
		{320, 240}, {448, 336}},
	{"quarter size, odd edges", {.width_px = 5237, .height_px = 3003, .n_components = 3}, 0,
		{1280, 734}, {320, 183}, {448, 257}},
	{"strip", {.width_px = 1600, .height_px = 1300, .strip_px = 100, .n_components = 3}, 104,
		{1280, 957}, {320, 239}, {448, 335}},
	{"strip at half size, odd",
		{.width_px = 2600, .height_px = 2001, .strip_px = 51, .n_components = 3}, 53, {1280, 959},
		{320, 240}, {448, 336}},
	{"never larger", {.width_px = 400, .height_px = 300, .n_components = 3}, 0, {400, 300},
		{320, 240}, {400, 300}},
	{"small", {.width_px = 61, .height_px = 47, .n_components = 3}, 0, {61, 47}, {61, 47},
		{61, 47}},
	{"grey", {.width_px = 1600, .height_px = 1200, .n_components = 1}, 0, {1280, 960}, {320, 240},
		{448, 336}},
	{"progressive", {.width_px = 1600, .height_px = 1200, .n_components = 3, .progressive = true},
		0, {1280, 960}, {320, 240}, {448, 336}},
	{"CMYK, Adobe", {.width_px = 1600, .height_px = 1200, .n_components = 4, .adobe = true}, 0,
		{1280, 960}, {320, 240}, {448, 336}},
	{"CMYK, plain", {.width_px = 1600, .height_px = 1200, .n_components = 4}, 0, {1280, 960},
		{320, 240}, {448, 336}},
	{"YCCK, Adobe",
		{.width_px = 1600, .height_px = 1200, .n_components = 4, .adobe = true, .ycck = true}, 0,
		{1280, 960}, {320, 240}, {448, 336}},
	{"tall", {.width_px = 8, .height_px = 4000, .n_components = 3}, 0, {3, 1280}, {1, 320},
		{1, 448}},
	{"orientation 2", {.width_px = 1600, .height_px = 1200, .n_components = 3, .orientation = 2}, 0,
		{1280, 960}, {320, 240}, {448, 336}},
	{"orientation 3", {.width_px = 1600, .height_px = 1200, .n_components = 3, .orientation = 3}, 0,
		{1280, 960}, {320, 240}, {448, 336}},
	{"orientation 4", {.width_px = 1600, .height_px = 1200, .n_components = 3, .orientation = 4}, 0,
		{1280, 960}, {320, 240}, {448, 336}},
	{"orientation 5", {.width_px = 1600, .height_px = 1200, .n_components = 3, .orientation = 5}, 0,
		{960, 1280}, {240, 320}, {336, 448}},
	{"orientation 6", {.width_px = 1600, .height_px = 1200, .n_components = 3, .orientation = 6}, 0,
		{960, 1280}, {240, 320}, {336, 448}},
	{"orientation 7", {.width_px = 1600, .height_px = 1200, .n_components = 3, .orientation = 7}, 0,
		{960, 1280}, {240, 320}, {336, 448}},
	{"orientation 8", {.width_px = 1600, .height_px = 1200, .n_components = 3, .orientation = 8}, 0,
		{960, 1280}, {240, 320}, {336, 448}},
	{"strip is cut as stored",
		{.width_px = 1600, .height_px = 1300, .strip_px = 100, .n_components = 3, .orientation = 6},
		104, {957, 1280}, {239, 320}, {335, 448}},
};

static void makes_renditions(void **state)
{
	const struct row *row = *state;
	struct bytes jpeg = draw(&row->d);
	struct image_options options = {.crop_bottom_px = row->crop_px};
	struct image_rendition out[N_RENDITIONS];
	struct image_info info;
	struct err err = {0};
	if (image_renditions(jpeg.p, jpeg.n, &options, out, &info, &err) != OK)
		fail_msg("%s", err.text);
	bool turned = row->d.orientation >= 5;
	assert_int_equal(info.width_px, turned ? row->d.height_px : row->d.width_px);
	assert_int_equal(info.height_px, turned ? row->d.width_px : row->d.height_px);
	assert_int_equal(info.progressive, row->d.progressive);
	assert_int_equal(info.n_components, row->d.n_components);
	assert_int_equal(info.n_warnings, 0);
	const int *sizes[N_RENDITIONS] = {row->web, row->thumb, row->model};
	for (int i = 0; i < N_RENDITIONS; i++) {
		assert_bare(out[i].bytes, out[i].n_bytes);
		assert_int_equal(out[i].width_px, sizes[i][0]);
		assert_int_equal(out[i].height_px, sizes[i][1]);
		struct image_rgb image;
		struct image_info again;
		assert_int_equal(
			image_decode_rgb(out[i].bytes, out[i].n_bytes, NULL, 0, &image, &again, &err), OK);
		assert_int_equal(image.width_px, sizes[i][0]);
		assert_int_equal(image.height_px, sizes[i][1]);
		assert_int_equal(again.orientation, 1);
		if (row->d.width_px > 8)
			assert_quarters(&row->d, &image);
		image_rgb_release(&image);
	}
	image_renditions_release(out);
	if (row->model[0] == 448) {
		options.model_px = 640;
		assert_int_equal(image_renditions(jpeg.p, jpeg.n, &options, out, &info, &err), OK);
		assert_int_equal(out[RENDITION_MODEL].width_px, 640);
		assert_int_equal(out[RENDITION_WEB].width_px, row->web[0]);
		image_renditions_release(out);
	}
	free(jpeg.p);
}

static void refuse(const uint8_t *p, size_t n, int crop_px, enum status status, const char *text)
{
	struct image_rendition out[N_RENDITIONS];
	struct image_options options = {.crop_bottom_px = crop_px};
	struct image_info info;
	struct err err = {0};
	enum status got = image_renditions(p, n, &options, out, &info, &err);
	if (got != status || !strstr(err.text, text))
		fail_msg("%zu bytes: %s: %s", n, status_name(got), err.text);
	for (int i = 0; i < N_RENDITIONS; i++)
		assert_null(out[i].bytes);
}

static void refuses_every_truncation(void **state)
{
	(void)state;
	const struct drawing drawings[] = {{.width_px = 640, .height_px = 480, .n_components = 3},
		{.width_px = 640, .height_px = 480, .n_components = 3, .progressive = true},
		{.width_px = 640, .height_px = 480, .n_components = 1}};
	for (size_t k = 0; k < sizeof drawings / sizeof *drawings; k++) {
		struct bytes jpeg = draw(&drawings[k]);
		for (size_t i = 1; i < 16; i++) {
			/* A copy of exactly that size, so that a read past it is seen by ASan. */
			size_t n = jpeg.n * i / 16;
			uint8_t *cut = malloc(n);
			memcpy(cut, jpeg.p, n);
			refuse(cut, n, 0, BAD_INPUT, "the file is cut short");
			free(cut);
		}
		refuse(jpeg.p, jpeg.n - 2, 0, BAD_INPUT, "the file is cut short");
		/* Cut, and closed again by a careful program. */
		size_t n = jpeg.n * 3 / 4;
		memcpy(jpeg.p + n - 2, "\xff\xd9", 2);
		refuse(jpeg.p, n, 0, BAD_INPUT, "the file is cut short");
		free(jpeg.p);
	}
}

static uint8_t *frame_of(struct bytes jpeg)
{
	for (size_t at = 2; at + 9 < jpeg.n; at += 2 + ((size_t)jpeg.p[at + 2] << 8 | jpeg.p[at + 3])) {
		if (jpeg.p[at + 1] >= 0xc0 && jpeg.p[at + 1] <= 0xc2)
			return jpeg.p + at;
	}
	fail_msg("no frame header");
	return NULL;
}

static void judges_the_size_first(void **state)
{
	(void)state;
	static const struct {
		int width_px, height_px;
		enum status status;
		const char *text;
	} sizes[] = {
		{60000, 60000, TOO_LARGE,
			"60000 x 60000 pixels: at most 30000 a side and 100 megapixels are taken"},
		{65535, 65535, TOO_LARGE,
			"65535 x 65535 pixels: at most 30000 a side and 100 megapixels are taken"},
		{30001, 1, TOO_LARGE,
			"30001 x 1 pixels: at most 30000 a side and 100 megapixels are taken"},
		{10001, 10000, TOO_LARGE,
			"10001 x 10000 pixels: at most 30000 a side and 100 megapixels are taken"},
		/* Allowed, but a few kilobytes cannot hold it. */
		{10000, 10000, BAD_INPUT, "the file is cut short"},
		{0, 100, BAD_INPUT, "not a usable JPEG"},
	};
	struct bytes jpeg = draw(
		&(struct drawing){.width_px = 640, .height_px = 480, .n_components = 3});
	uint8_t *frame = frame_of(jpeg);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		frame[5] = (uint8_t)(sizes[i].height_px >> 8), frame[6] = (uint8_t)sizes[i].height_px;
		frame[7] = (uint8_t)(sizes[i].width_px >> 8), frame[8] = (uint8_t)sizes[i].width_px;
		refuse(jpeg.p, jpeg.n, 0, sizes[i].status, sizes[i].text);
		struct image_info info;
		struct err err = {0};
		assert_int_equal(image_probe(jpeg.p, jpeg.n, &info, &err), sizes[i].status);
		assert_non_null(strstr(err.text, sizes[i].text));
	}
	free(jpeg.p);
}

static void refuses_what_is_no_picture(void **state)
{
	(void)state;
	static const uint8_t text[] = "This is a text file called .jpg\n";
	refuse(text, sizeof text - 1, 0, BAD_INPUT, "Not a JPEG file: starts with 0x54 0x68");
	refuse(text, 0, 0, BAD_INPUT, "the file is empty");
	refuse((const uint8_t *)"\xff\xd8", 2, 0, BAD_INPUT, "the file is cut short");
	struct drawing d = {.width_px = 64, .height_px = 48, .n_components = 3};
	struct bytes jpeg = draw(&d);
	refuse(jpeg.p, jpeg.n, 48, BAD_INPUT, "48 pixels cannot be cut from a picture of 48 rows");
	refuse(jpeg.p, jpeg.n, -1, BAD_INPUT, "-1 pixels cannot be cut");
	frame_of(jpeg)[4] = 12;
	refuse(jpeg.p, jpeg.n, 0, BAD_INPUT, "not a usable JPEG: ");
	free(jpeg.p);
	d.arithmetic = true;
	jpeg = draw(&d);
	refuse(jpeg.p, jpeg.n, 0, BAD_INPUT, "arithmetic coding is not taken");
	free(jpeg.p);
}

/* Valid to the letter: each of 63 coefficients in nine scans of one more bit. */
static void refuses_a_bomb_of_scans(void **state)
{
	(void)state;
	static jpeg_scan_info scans[1 + 63 * 9] = {{.comps_in_scan = 1}};
	for (int k = 1, n = 1; k <= 63; k++) {
		for (int bit = 8; bit >= 0; bit--, n++)
			scans[n] = (jpeg_scan_info){
				.comps_in_scan = 1, .Ss = k, .Se = k, .Ah = bit == 8 ? 0 : bit + 1, .Al = bit};
	}
	struct bytes jpeg = draw(&(struct drawing){.width_px = 64,
		.height_px = 48,
		.n_components = 1,
		.scans = scans,
		.n_scans = sizeof scans / sizeof *scans});
	refuse(
		jpeg.p, jpeg.n, 0, BAD_INPUT, "the picture has over 100 scans: it is built to waste time");
	free(jpeg.p);
}

static void passes_over_lesser_faults(void **state)
{
	(void)state;
	struct bytes jpeg = draw(&(struct drawing){.width_px = 64, .height_px = 48, .n_components = 3});
	uint8_t *odd = malloc(jpeg.n + 3);
	memcpy(odd, jpeg.p, 20); /* SOI and JFIF, then three bytes that belong to nothing */
	memcpy(odd + 20, "abc", 3);
	memcpy(odd + 23, jpeg.p + 20, jpeg.n - 20);
	struct image_info info;
	struct image_rgb image;
	assert_int_equal(image_decode_rgb(odd, jpeg.n + 3, NULL, 0, &image, &info, NULL), OK);
	assert_int_equal(info.n_warnings, 1);
	assert_non_null(strstr(info.warning, "3 extraneous bytes"));
	image_rgb_release(&image);
	free(odd);
	free(jpeg.p);
}

static uint8_t value(const struct image_rgb *image, int x, int y)
{
	return image->pixels[((size_t)y * (size_t)image->width_px + (size_t)x) * 3];
}

static void resizes_by_area(void **state)
{
	(void)state;
	/* 5 columns to 2: each output covers 2.5; the second's edge is exact too. */
	uint8_t p[15], big[3 * 64 * 64];
	const uint8_t line[5] = {0, 100, 200, 40, 250};
	for (int i = 0; i < 15; i++)
		p[i] = line[i / 3];
	struct image_rgb in = {5, 1, p}, out;
	assert_int_equal(image_resize_rgb(&in, 2, 1, &out, NULL), OK);
	assert_int_equal(value(&out, 0, 0), 80);  /* (0 + 100 + 200/2) / 2.5 */
	assert_int_equal(value(&out, 1, 0), 156); /* (200/2 + 40 + 250) / 2.5 */
	image_rgb_release(&out);
	assert_int_equal(image_resize_rgb(&in, 5, 1, &out, NULL), OK);
	assert_memory_equal(out.pixels, p, sizeof p);
	image_rgb_release(&out);
	/* Enlarging is linear between centres and flat beyond the outer ones. */
	in = (struct image_rgb){2, 1, (uint8_t[]){0, 0, 0, 200, 200, 200}};
	assert_int_equal(image_resize_rgb(&in, 4, 3, &out, NULL), OK);
	for (int y = 0; y < 3; y++) {
		const int expected[4] = {0, 50, 150, 200};
		for (int x = 0; x < 4; x++)
			assert_int_equal(value(&out, x, y), expected[x]);
	}
	image_rgb_release(&out);
	/* The finest chequerboard becomes even grey, not a pattern; flat stays flat to the last bit. */
	for (int i = 0; i < 64 * 64; i++)
		memset(big + 3 * i, (i + i / 64) % 2 ? 255 : 0, 3);
	in = (struct image_rgb){64, 64, big};
	assert_int_equal(image_resize_rgb(&in, 16, 16, &out, NULL), OK);
	for (int i = 0; i < 256; i++)
		assert_true(value(&out, i % 16, i / 16) == 127 || value(&out, i % 16, i / 16) == 128);
	image_rgb_release(&out);
	memset(big, 255, sizeof big);
	for (int side = 1; side < 100; side++) {
		assert_int_equal(image_resize_rgb(&in, side, 100 - side, &out, NULL), OK);
		for (int i = 0; i < side * (100 - side) * 3; i++)
			assert_int_equal(out.pixels[i], 255);
		image_rgb_release(&out);
	}
	assert_int_equal(image_resize_rgb(&in, 0, 5, &out, NULL), BAD_INPUT);
	assert_int_equal(image_resize_rgb(&in, 5, 30001, &out, NULL), BAD_INPUT);
}

static void decodes_as_small_as_serves(void **state)
{
	(void)state;
	static const struct {
		int wanted_px, width_px, height_px;
	} sizes[] = {{0, 1001, 600}, {1001, 1001, 600}, {501, 1001, 600}, {500, 500, 300},
		{250, 250, 150}, {200, 250, 150}, {125, 125, 75}, {1, 125, 75}, {5000, 1001, 600}};
	struct bytes jpeg = draw(
		&(struct drawing){.width_px = 1001, .height_px = 600, .n_components = 3});
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct image_rgb image;
		assert_int_equal(
			image_decode_rgb(jpeg.p, jpeg.n, NULL, sizes[i].wanted_px, &image, NULL, NULL), OK);
		assert_int_equal(image.width_px, sizes[i].width_px);
		assert_int_equal(image.height_px, sizes[i].height_px);
		image_rgb_release(&image);
	}
	free(jpeg.p);
}

int main(void)
{
	enum { N_ROWS = sizeof rows / sizeof *rows };
	struct CMUnitTest made[N_ROWS];
	for (size_t i = 0; i < N_ROWS; i++)
		made[i] = (struct CMUnitTest){.name = rows[i].name,
			.test_func = makes_renditions,
			.initial_state = (void *)(uintptr_t)&rows[i]};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(judges_the_size_first),
		cmocka_unit_test(refuses_what_is_no_picture),
		cmocka_unit_test(refuses_a_bomb_of_scans),
		cmocka_unit_test(passes_over_lesser_faults),
		cmocka_unit_test(resizes_by_area),
		cmocka_unit_test(decodes_as_small_as_serves),
	};
	int failed = cmocka_run_group_tests_name("renditions", made, NULL, NULL);
	return failed + cmocka_run_group_tests_name("the rest", tests, NULL, NULL);
}
