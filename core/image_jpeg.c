/* Whole pictures from JPEG (image.h), and what every decoding shares (image_part.h). */
#include "image_part.h"

#include <stdlib.h>
#include <string.h>

#include <jerror.h>

#include "exif.h"

void image_fail(struct failure *f, enum status status, const char *text)
{
	f->status = err_set(f->err, status, "%s", text);
	longjmp(f->jump, 1);
}

__attribute__((noreturn)) static void fail_size(struct failure *f, unsigned width, unsigned height)
{
	char text[120];
	snprintf(text, sizeof text, "%u x %u pixels: at most %d a side and %d megapixels are taken",
		width, height, IMAGE_MAX_SIDE_PX, IMAGE_MAX_PIXELS / 1000000);
	image_fail(f, TOO_LARGE, text);
}

__attribute__((noreturn)) static void on_error(j_common_ptr jpeg)
{
	struct failure *f = (struct failure *)jpeg->err;
	char text[JMSG_LENGTH_MAX + 20] = "not a usable JPEG: ";
	size_t used = strlen(text);
	switch (f->base.msg_code) {
	case JERR_OUT_OF_MEMORY:
		image_fail(f, FAULT, "no memory for the picture");
	case JERR_IMAGE_TOO_BIG:
		fail_size(f, ((j_decompress_ptr)jpeg)->image_width, ((j_decompress_ptr)jpeg)->image_height);
	case JERR_INPUT_EMPTY:
		image_fail(f, BAD_INPUT, "the file is empty");
	}
	f->base.format_message(jpeg, text + used);
	image_fail(f, BAD_INPUT, text);
}

/* level < 0 is a warning about the data, others are traces. */
static void on_message(j_common_ptr jpeg, int level)
{
	struct failure *f = (struct failure *)jpeg->err;
	char text[JMSG_LENGTH_MAX + 20] = "the picture is damaged: ";
	if (level >= 0)
		return;
	switch (f->base.msg_code) {
	case JWRN_JPEG_EOF:
		image_fail(f, BAD_INPUT, "the file is cut short");
	case JWRN_HIT_MARKER:
		if (f->is_lenient)
			break;
		image_fail(f, BAD_INPUT, "the file is cut short");
	case JWRN_HUFF_BAD_CODE:
	case JWRN_MUST_RESYNC:
	case JWRN_BOGUS_PROGRESSION:
		if (f->is_lenient)
			break;
		f->base.format_message(jpeg, text + strlen(text));
		image_fail(f, BAD_INPUT, text);
	}
	if (f->info && f->info->n_warnings++ == 0) {
		f->base.format_message(jpeg, text);
		snprintf(f->info->warning, sizeof f->info->warning, "%s", text);
	}
}

static void on_nothing(j_common_ptr jpeg)
{
	(void)jpeg;
}

static void on_progress(j_common_ptr jpeg)
{
	if (((j_decompress_ptr)jpeg)->input_scan_number > IMAGE_MAX_SCANS) {
		char text[80];
		snprintf(text, sizeof text, "the picture has over %d scans: it is built to waste time",
			IMAGE_MAX_SCANS);
		image_fail((struct failure *)jpeg->err, BAD_INPUT, text);
	}
}

void image_failure_init(struct failure *f, struct image_info *info, struct err *err)
{
	jpeg_std_error(&f->base);
	f->base.error_exit = on_error;
	f->base.emit_message = on_message;
	f->base.output_message = on_nothing;
	f->err = err;
	f->info = info;
}

void image_decoder_init(struct decoder *d, struct image_info *info, struct err *err)
{
	*info = (struct image_info){.orientation = 1};
	image_failure_init(&d->failure, info, err);
	d->jpeg.err = &d->failure.base;
}

void image_decoder_release(struct decoder *d)
{
	jpeg_destroy_decompress(&d->jpeg);
	free(d->row);
	free(d->huffman);
}

/* Every Huffman-coded block takes at least a bit for DC and, in one sequential scan, one for the
 * end of block. A header that promises more than the file can hold is found out before anything of
 * its size is allocated. */
static void check_plausible(struct decoder *d, size_t n_bytes)
{
	const struct jpeg_decompress_struct *jpeg = &d->jpeg;
	uint64_t n_blocks = 0;
	for (int i = 0; i < jpeg->num_components; i++)
		n_blocks += (uint64_t)jpeg->comp_info[i].width_in_blocks *
			(uint64_t)jpeg->comp_info[i].height_in_blocks;
	if ((uint64_t)n_bytes * 8 < n_blocks * (jpeg->progressive_mode ? 1 : 2))
		image_fail(&d->failure, BAD_INPUT, "the file is cut short");
}

void image_read_header(
	struct decoder *d, const uint8_t *jpeg, size_t n_bytes, struct image_info *info)
{
	struct jpeg_decompress_struct *j = &d->jpeg;
	jpeg_create_decompress(j);
	d->progress.progress_monitor = on_progress;
	j->progress = &d->progress;
	jpeg_mem_src(j, jpeg, (unsigned long)n_bytes);
	jpeg_read_header(j, TRUE);
	if (j->image_width > IMAGE_MAX_SIDE_PX || j->image_height > IMAGE_MAX_SIDE_PX ||
		(uint64_t)j->image_width * j->image_height > IMAGE_MAX_PIXELS)
		fail_size(&d->failure, j->image_width, j->image_height);
	if (j->arith_code && !d->failure.is_lenient)
		image_fail(&d->failure, BAD_INPUT,
			"arithmetic coding is not taken: save the picture as ordinary JPEG");
	if (j->num_components != 1 && j->num_components != 3 && j->num_components != 4)
		image_fail(&d->failure, BAD_INPUT, "the picture has neither 1, 3 nor 4 colour components");
	struct exif exif;
	exif_read(jpeg, n_bytes, &exif);
	bool turned = exif.orientation >= 5;
	info->width_px = (int)(turned ? j->image_height : j->image_width);
	info->height_px = (int)(turned ? j->image_width : j->image_height);
	info->orientation = exif.orientation;
	info->n_components = j->num_components;
	info->progressive = j->progressive_mode;
	if (!d->failure.is_lenient)
		check_plausible(d, n_bytes);
}

/* The largest of 8, 4, 2, 1 by which both the wish and whole pixels allow to shrink. Scales between
 * are slower than full size. */
static unsigned choose_shrink(int width_px, int height_px, int min_long_side_px)
{
	int long_side_px = width_px > height_px ? width_px : height_px;
	int short_side_px = width_px > height_px ? height_px : width_px;
	for (int by = 8; min_long_side_px > 0 && by > 1; by /= 2) {
		if (long_side_px / by >= min_long_side_px && short_side_px / by >= 1)
			return (unsigned)by;
	}
	return 1;
}

void image_cmyk_to_rgb(const uint8_t *in, int n_px, bool inverted, uint8_t *out)
{
	uint8_t flip = inverted ? 0 : 255;
	for (int i = 0; i < n_px; i++) {
		unsigned k = in[4 * i + 3] ^ flip;
		for (int c = 0; c < 3; c++)
			out[3 * i + c] = (uint8_t)(((in[4 * i + c] ^ flip) * k + 127) / 255);
	}
}

/* Decodes every row, also those that are cut, because damage there is damage to the file too. */
static void decode_rows(struct decoder *d, int crop_bottom_px, int min_long_side_px)
{
	struct jpeg_decompress_struct *j = &d->jpeg;
	if (crop_bottom_px < 0 || (unsigned)crop_bottom_px >= j->image_height) {
		char text[120];
		snprintf(text, sizeof text, "%d pixels cannot be cut from a picture of %u rows",
			crop_bottom_px, j->image_height);
		image_fail(&d->failure, BAD_INPUT, text);
	}
	int kept_px = (int)j->image_height - crop_bottom_px;
	unsigned shrink = choose_shrink((int)j->image_width, kept_px, min_long_side_px);
	j->scale_num = 8 / shrink;
	j->scale_denom = 8;
	j->out_color_space = j->num_components == 4 ? JCS_CMYK : JCS_RGB;
	jpeg_start_decompress(j);

	int width_px = (int)(j->image_width / shrink), height_px = kept_px / (int)shrink;
	d->image = (struct image_rgb){.width_px = width_px, .height_px = height_px};
	d->image.pixels = malloc((size_t)width_px * (size_t)height_px * 3);
	d->row = malloc((size_t)j->output_width * (size_t)j->output_components);
	if (!d->image.pixels || !d->row)
		image_fail(&d->failure, FAULT, "no memory for the picture");
	while (j->output_scanline < j->output_height) {
		int y = (int)j->output_scanline;
		jpeg_read_scanlines(j, &d->row, 1);
		if (y >= height_px)
			continue;
		uint8_t *out = d->image.pixels + (size_t)y * (size_t)width_px * 3;
		if (j->output_components == 4)
			image_cmyk_to_rgb(d->row, width_px, j->saw_Adobe_marker, out);
		else
			memcpy(out, d->row, (size_t)width_px * 3);
	}
	jpeg_finish_decompress(j);
}

/* Pixel (x, y) of the upright picture, as an index into the stored one; EXIF 2.32, tag 0x0112. */
static size_t stored_index(int orientation, int x, int y, int width_px, int height_px)
{
	int sx = 0, sy = 0;
	switch (orientation) {
	case 2:
		sx = width_px - 1 - x, sy = y;
		break;
	case 3:
		sx = width_px - 1 - x, sy = height_px - 1 - y;
		break;
	case 4:
		sx = x, sy = height_px - 1 - y;
		break;
	case 5:
		sx = y, sy = x;
		break;
	case 6:
		sx = y, sy = height_px - 1 - x;
		break;
	case 7:
		sx = width_px - 1 - y, sy = height_px - 1 - x;
		break;
	case 8:
		sx = width_px - 1 - y, sy = x;
		break;
	}
	return ((size_t)sy * (size_t)width_px + (size_t)sx) * 3;
}

static enum status turn_upright(struct image_rgb *image, int orientation, struct err *err)
{
	if (orientation <= 1)
		return OK;
	struct image_rgb in = *image, out = in;
	if (orientation >= 5) {
		out.width_px = in.height_px;
		out.height_px = in.width_px;
	}
	out.pixels = malloc((size_t)in.width_px * (size_t)in.height_px * 3);
	if (!out.pixels)
		return err_set(err, FAULT, "no memory to turn the picture");
	uint8_t *to = out.pixels;
	for (int y = 0; y < out.height_px; y++) {
		for (int x = 0; x < out.width_px; x++, to += 3)
			memcpy(to, in.pixels + stored_index(orientation, x, y, in.width_px, in.height_px), 3);
	}
	free(in.pixels);
	*image = out;
	return OK;
}

/* What the caller wants of a file; the pointers outlive the call. */
struct request {
	const uint8_t *bytes;
	size_t n_bytes;
	int crop_bottom_px, min_long_side_px;
	bool header_only;
};

static void run_decoder(struct decoder *d, const struct request *request)
{
	if (setjmp(d->failure.jump))
		return;
	image_read_header(d, request->bytes, request->n_bytes, d->failure.info);
	if (!request->header_only)
		decode_rows(d, request->crop_bottom_px, request->min_long_side_px);
}

static enum status decode(
	const struct request *request, struct image_rgb *out, struct image_info *info, struct err *err)
{
	struct decoder d = {0};
	image_decoder_init(&d, info, err);
	run_decoder(&d, request);
	image_decoder_release(&d);
	if (d.failure.status == OK && !request->header_only)
		d.failure.status = turn_upright(&d.image, info->orientation, err);
	if (d.failure.status == OK)
		*out = d.image;
	else
		image_rgb_release(&d.image);
	return d.failure.status;
}

enum status image_probe(
	const uint8_t *jpeg, size_t n_bytes, struct image_info *info, struct err *err)
{
	struct image_rgb none;
	struct request request = {.bytes = jpeg, .n_bytes = n_bytes, .header_only = true};
	return decode(&request, &none, info, err);
}

enum status image_decode_rgb(const uint8_t *jpeg, size_t n_bytes,
	const struct image_options *options, int min_long_side_px, struct image_rgb *out,
	struct image_info *info, struct err *err)
{
	struct image_info own;
	struct request request = {.bytes = jpeg,
		.n_bytes = n_bytes,
		.crop_bottom_px = options ? options->crop_bottom_px : 0,
		.min_long_side_px = min_long_side_px};
	*out = (struct image_rgb){0};
	return decode(&request, out, info ? info : &own, err);
}
