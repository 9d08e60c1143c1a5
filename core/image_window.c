/* A part of a picture at the size that a net sees it (image.h). Entropy decoding is most of the work and cannot be
 * helped; everything else is done for the part alone. */
#include "image_part.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BUNDLE = 8 }; /* rows that are asked for at a time */

struct request {
	const uint8_t *bytes;
	size_t n_bytes;
	struct image_part (*choose)(const void *arg, int width_px, int height_px);
	const void *arg;
	bool is_odd; /* libjpeg's own Huffman decoding is wanted */
};

/* Scales between 1, 1/2, 1/4 and 1/8 are slower than full size. */
static unsigned choose_shrink(const struct jpeg_decompress_struct *j, const struct image_part *part)
{
	for (unsigned by = 8; by > 1; by /= 2) {
		double width_px = (j->image_width + by - 1) / by * part->width;
		double height_px = (j->image_height + by - 1) / by * part->height;
		if (width_px > part->width_px - 1e-6 && height_px > part->height_px - 1e-6)
			return by;
	}
	return 1;
}

/* Pixels [*from, *to) of n that a triangle filter over [start, start + length) shares reads, for n_out outputs. */
static void reach(double start, double length, int n, int n_out, int *from, int *to)
{
	double margin = fmax(length * n / n_out, 1) + 1;
	*from = (int)fmin(fmax(floor(start * n - margin), 0), n - 1);
	*to = (int)fmin(fmax(ceil((start + length) * n + margin), *from + 1), n);
}

static void read_rows(struct decoder *d, int n)
{
	struct jpeg_decompress_struct *j = &d->jpeg;
	size_t row_bytes = (size_t)d->image.width_px * 3;
	uint8_t *out = d->image.pixels;
	while (n > 0) {
		JSAMPROW rows[BUNDLE];
		int want = n < BUNDLE ? n : BUNDLE, got;
		for (int i = 0; i < want; i++)
			rows[i] = out + (size_t)i * row_bytes;
		if (j->output_components == 4) {
			got = (int)jpeg_read_scanlines(j, &d->row, 1);
			image_cmyk_to_rgb(d->row, d->image.width_px, j->saw_Adobe_marker, out);
		} else {
			got = (int)jpeg_read_scanlines(j, rows, (JDIMENSION)want);
		}
		if (got < 1)
			image_fail(&d->failure, BAD_INPUT, "the file is cut short");
		out += (size_t)got * row_bytes;
		n -= got;
	}
}

/* The rows below the window are not decoded. That the file holds them shows in its end marker, which cannot be among
 * entropy-coded bytes. */
static void check_end(struct decoder *d)
{
	const struct jpeg_source_mgr *source = d->jpeg.src;
	const uint8_t *at = source->next_input_byte, *end = at + source->bytes_in_buffer;
	if (d->jpeg.unread_marker == JPEG_EOI || jpeg_input_complete(&d->jpeg))
		return;
	while ((at = memchr(at, 0xff, (size_t)(end - at))) && end - at > 1) {
		if (at[1] == JPEG_EOI)
			return;
		at++;
	}
	image_fail(&d->failure, BAD_INPUT, "the file is cut short");
}

static void run(
	struct decoder *d, const struct request *r, struct image_info *info, struct image_window *out)
{
	struct jpeg_decompress_struct *j = &d->jpeg;
	if (setjmp(d->failure.jump))
		return;
	image_read_header(d, r->bytes, r->n_bytes, info);
	const struct image_part *part = &out->part;
	out->part = r->choose(r->arg, (int)j->image_width, (int)j->image_height);
	j->scale_num = 8 / choose_shrink(j, part);
	j->scale_denom = 8;
	j->do_fancy_upsampling =
		FALSE; /* allows libjpeg's merged upsampling, and rows without neighbours */
	j->out_color_space = j->num_components == 4 ? JCS_CMYK : JCS_RGB;
	jpeg_start_decompress(j);
	if (!r->is_odd)
		image_huffman_start(d);

	int left, right, top, bottom;
	out->whole_width_px = (int)j->output_width;
	out->whole_height_px = (int)j->output_height;
	reach(part->x, part->width, out->whole_width_px, part->width_px, &left, &right);
	reach(part->y, part->height, out->whole_height_px, part->height_px, &top, &bottom);
	JDIMENSION x_px = (JDIMENSION)left, width_px = (JDIMENSION)(right - left);
	if (right - left < out->whole_width_px)
		jpeg_crop_scanline(j, &x_px, &width_px);
	out->x_px = (int)x_px;
	out->y_px = top;
	d->image.width_px = (int)j->output_width;
	d->image.height_px = bottom - top;
	d->image.pixels = malloc((size_t)d->image.width_px * (size_t)d->image.height_px * 3);
	d->row = malloc((size_t)j->output_width * (size_t)j->output_components);
	if (!d->image.pixels || !d->row)
		image_fail(&d->failure, FAULT, "no memory for the picture");
	if (top > 0)
		jpeg_skip_scanlines(j, (JDIMENSION)top);
	read_rows(d, bottom - top);
	check_end(d);
}

enum status image_decode_window(const uint8_t *jpeg, size_t n_bytes,
	struct image_part (*choose)(const void *arg, int width_px, int height_px), const void *arg,
	struct image_window *out, struct err *err)
{
	struct request request = {.bytes = jpeg, .n_bytes = n_bytes, .choose = choose, .arg = arg};
	struct image_info info;
	struct decoder d;
	for (;;) {
		d = (struct decoder){0};
		*out = (struct image_window){0};
		image_decoder_init(&d, &info, err);
		d.failure.is_lenient = true;
		run(&d, &request, &info, out);
		bool is_odd = image_huffman_is_odd(&d);
		image_decoder_release(&d);
		if (!is_odd)
			break;
		image_rgb_release(&d.image);
		request.is_odd = true;
	}
	if (d.failure.status == OK)
		out->rgb = d.image;
	else
		image_rgb_release(&d.image);
	return d.failure.status;
}
