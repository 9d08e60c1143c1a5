/* JPEG to the net's square. libjpeg reports errors by longjmp: it never leaves decode(), whose
 * locals that live across it are in struct decoder. */
#include "input.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#define MAX_SCANS 200                   /* of a progressive file; cameras write ten */
#define DECODER_MEMORY_BYTES (1l << 30) /* coefficients of a progressive 100 MP file need .6 GB */

struct decoder {
	struct jpeg_error_mgr errors; /* first, so that libjpeg's pointer to it is ours */
	struct jpeg_progress_mgr progress;
	struct jpeg_decompress_struct jpeg;
	jmp_buf bail;
	char reason[JMSG_LENGTH_MAX];
	uint8_t *row;
	struct picture picture;
};

static void on_error(j_common_ptr jpeg)
{
	struct decoder *d = (struct decoder *)jpeg->err;
	jpeg->err->format_message(jpeg, d->reason);
	longjmp(d->bail, 1);
}

/* Warnings are about damage that libjpeg paints over. A file that ends early is refused; a few bad
 * bytes in the middle of a picture, or stray ones between its parts, are not. */
static void on_message(j_common_ptr jpeg, int level)
{
	if (level < 0 && jpeg->err->msg_code == JWRN_JPEG_EOF) {
		struct decoder *d = (struct decoder *)jpeg->err;
		snprintf(d->reason, sizeof d->reason, "the file ends early");
		longjmp(d->bail, 1);
	}
}

static void on_progress(j_common_ptr jpeg)
{
	struct decoder *d = (struct decoder *)jpeg->err;
	if (((j_decompress_ptr)jpeg)->input_scan_number > MAX_SCANS) {
		snprintf(d->reason, sizeof d->reason, "more than %d scans", MAX_SCANS);
		longjmp(d->bail, 1);
	}
}

/* What a caller wants of the decoded size: both sides at least as long as here, where the picture
 * has them. */
struct least {
	int w, h, short_side;
};

/* Only 1, 1/2, 1/4 and 1/8 have fast code in libjpeg-turbo. */
static unsigned scale_denominator(unsigned w, unsigned h, struct least least)
{
	for (unsigned s = 8; s > 1; s /= 2) {
		unsigned sw = (w + s - 1) / s, sh = (h + s - 1) / s, side = sw < sh ? sw : sh;
		if (sw >= (unsigned)least.w && sh >= (unsigned)least.h &&
			side >= (unsigned)least.short_side)
			return s;
	}
	return 1;
}

/* Adobe's CMYK is stored inverted, which is what libjpeg hands out: so 255 is no ink. A file
 * without Adobe's marker is rare and taken the same way, as browsers do. */
static void cmyk_to_rgb(const uint8_t *cmyk, uint8_t *rgb, int n)
{
	for (int i = 0; i < n; i++) {
		for (int c = 0; c < 3; c++)
			rgb[3 * i + c] = (uint8_t)((cmyk[4 * i + c] * cmyk[4 * i + 3] + 127) / 255);
	}
}

static enum status check_size(const struct jpeg_decompress_struct *jpeg, struct err *err)
{
	if ((uint64_t)jpeg->image_width * jpeg->image_height > INPUT_MAX_PIXELS)
		return err_set(err, TOO_LARGE, "%u x %u pixels: at most %d million are read",
			jpeg->image_width, jpeg->image_height, INPUT_MAX_PIXELS / 1000000);
	return OK;
}

static enum status decode_rows(struct decoder *d, struct least least, struct err *err)
{
	struct jpeg_decompress_struct *jpeg = &d->jpeg;
	jpeg_read_header(jpeg, TRUE);
	enum status status = check_size(jpeg, err);
	if (status)
		return status;
	int is_cmyk = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
	jpeg->out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
	jpeg->scale_num = 1;
	jpeg->scale_denom = scale_denominator(jpeg->image_width, jpeg->image_height, least);
	jpeg_start_decompress(jpeg);
	d->picture.w = (int)jpeg->output_width;
	d->picture.h = (int)jpeg->output_height;
	size_t stride = (size_t)d->picture.w * 3;
	d->picture.rgb = malloc(stride * (size_t)d->picture.h);
	if (!d->picture.rgb)
		return err_set(err, FAULT, "no memory for %d x %d pixels", d->picture.w, d->picture.h);
	if (is_cmyk)
		d->row = xmalloc((size_t)d->picture.w * 4);
	while (jpeg->output_scanline < jpeg->output_height) {
		uint8_t *out = d->picture.rgb + jpeg->output_scanline * stride;
		JSAMPROW row = is_cmyk ? d->row : out;
		if (jpeg_read_scanlines(jpeg, &row, 1) != 1)
			return err_set(err, BAD_INPUT, "damaged JPEG: a row is missing");
		if (is_cmyk)
			cmyk_to_rgb(row, out, d->picture.w);
	}
	return OK;
}

static enum status decode(
	const void *bytes, size_t n_bytes, struct least least, struct picture *out, struct err *err)
{
	const uint8_t *head = bytes;
	if (n_bytes > INPUT_MAX_FILE_BYTES)
		return err_set(
			err, TOO_LARGE, "%zu bytes: at most %u are read", n_bytes, INPUT_MAX_FILE_BYTES);
	if (n_bytes < 4 || head[0] != 0xff || head[1] != 0xd8)
		return err_set(err, BAD_INPUT, "not a JPEG file");
	struct decoder *d = xcalloc(1, sizeof *d);
	enum status status;
	d->jpeg.err = jpeg_std_error(&d->errors);
	d->errors.error_exit = on_error;
	d->errors.emit_message = on_message;
	if (setjmp(d->bail)) {
		status = err_set(err, BAD_INPUT, "damaged JPEG: %.120s", d->reason);
	} else {
		jpeg_create_decompress(&d->jpeg);
		d->jpeg.mem->max_memory_to_use = DECODER_MEMORY_BYTES;
		d->progress.progress_monitor = on_progress;
		d->jpeg.progress = &d->progress;
		jpeg_mem_src(&d->jpeg, bytes, n_bytes);
		status = decode_rows(d, least, err);
	}
	jpeg_destroy_decompress(&d->jpeg);
	*out = d->picture;
	if (status) {
		free(out->rgb);
		out->rgb = NULL;
	}
	free(d->row);
	free(d);
	return status;
}

/* One axis of a resize: for each output, which inputs with which weights. */
struct taps {
	int n; /* weights an output */
	int *first;
	float *weights; /* [outputs][n], rows sum to 1 */
};

static struct taps taps_new(double from, double length, int n_in, int n_out)
{
	double scale = length / n_out, reach = scale > 1 ? scale : 1;
	struct taps taps = {.n = (int)ceil(2 * reach) + 1};
	taps.first = xmalloc((size_t)n_out * sizeof *taps.first);
	taps.weights = xcalloc((size_t)n_out * (size_t)taps.n, sizeof *taps.weights);
	for (int i = 0; i < n_out; i++) {
		double centre = from + (i + 0.5) * scale, sum = 0;
		int first = (int)floor(centre - reach + 0.5), last = (int)floor(centre + reach + 0.5);
		first = first < 0 ? 0 : first > n_in - 1 ? n_in - 1 : first;
		last = last > n_in ? n_in : last;
		float *weights = taps.weights + i * taps.n;
		taps.first[i] = first;
		for (int j = first; j < last && j - first < taps.n; j++) {
			double weight = 1 - fabs(j + 0.5 - centre) / reach;
			weights[j - first] = weight > 0 ? (float)weight : 0;
			sum += weights[j - first];
		}
		if (sum <= 0) { /* outside the picture: its nearest pixel */
			weights[0] = 1;
			sum = 1;
		}
		for (int j = 0; j < taps.n; j++)
			weights[j] = (float)(weights[j] / sum);
		if (first + taps.n > n_in) { /* reads of zero weight must stay inside, too */
			int shift = first + taps.n - n_in;
			if (taps.n > n_in)
				shift = first;
			memmove(weights + shift, weights, (size_t)(taps.n - shift) * sizeof *weights);
			memset(weights, 0, (size_t)shift * sizeof *weights);
			taps.first[i] = first - shift;
		}
	}
	if (taps.n > n_in) { /* a tiny picture: drop the columns that are zero for all */
		for (int i = 0; i < n_out; i++)
			memmove(
				taps.weights + i * n_in, taps.weights + i * taps.n, (size_t)n_in * sizeof(float));
		taps.n = n_in;
	}
	return taps;
}

static void taps_free(struct taps *taps)
{
	free(taps->first);
	free(taps->weights);
}

static uint8_t to_byte(float x)
{
	return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : (int)(x + 0.5f));
}

/* Rows first (only those that the second pass reads), then columns. */
void input_resize(const struct picture *src, double x, double y, double w, double h, uint8_t *dst,
	int dst_w, int dst_h)
{
	struct taps across = taps_new(x, w, src->w, dst_w), down = taps_new(y, h, src->h, dst_h);
	int top = down.first[0], bottom = down.first[dst_h - 1] + down.n;
	float *rows = xmalloc((size_t)(bottom - top) * (size_t)dst_w * 3 * sizeof *rows);
	for (int j = top; j < bottom; j++) {
		const uint8_t *in = src->rgb + (size_t)j * (size_t)src->w * 3;
		float *out = rows + (size_t)(j - top) * (size_t)dst_w * 3;
		for (int i = 0; i < dst_w; i++) {
			const uint8_t *at = in + across.first[i] * 3;
			const float *weights = across.weights + i * across.n;
			float r = 0, g = 0, b = 0;
			for (int t = 0; t < across.n; t++) {
				r += weights[t] * at[3 * t];
				g += weights[t] * at[3 * t + 1];
				b += weights[t] * at[3 * t + 2];
			}
			out[3 * i] = r;
			out[3 * i + 1] = g;
			out[3 * i + 2] = b;
		}
	}
	float *sum = xmalloc((size_t)dst_w * 3 * sizeof *sum);
	for (int j = 0; j < dst_h; j++) {
		memset(sum, 0, (size_t)dst_w * 3 * sizeof *sum);
		for (int t = 0; t < down.n; t++) {
			float weight = down.weights[j * down.n + t];
			const float *in = rows + (size_t)(down.first[j] - top + t) * (size_t)dst_w * 3;
			for (int i = 0; i < dst_w * 3; i++)
				sum[i] += weight * in[i];
		}
		for (int i = 0; i < dst_w * 3; i++)
			dst[(size_t)j * (size_t)dst_w * 3 + (size_t)i] = to_byte(sum[i]);
	}
	free(sum);
	free(rows);
	taps_free(&across);
	taps_free(&down);
}

/* The window's rectangle in pixels; without one, the whole picture's. */
struct region {
	double x, y, w, h;
};

static struct region region_of(const struct picture *picture, const struct input_window *window)
{
	if (!window)
		return (struct region){0, 0, picture->w, picture->h};
	return (struct region){window->x * picture->w, window->y * picture->h,
		window->width * picture->w, window->height * picture->h};
}

/* Towards a middle grey (input.h). */
static void fade(uint8_t *rgb, size_t n, const struct input_window *window)
{
	uint8_t levels[256];
	double share = window->strength / (window->strength + 1);
	for (int i = 0; i < 256; i++)
		levels[i] = (uint8_t)lround(128 + (i - 128) * share);
	for (size_t i = 0; i < n; i++)
		rgb[i] = levels[rgb[i]];
}

/* What the decoder must keep of the whole picture for its window to have w by h pixels. */
static struct least least_of(
	const struct input_window *window, enum input_fit fit, int px, int short_side)
{
	double across = window ? window->width : 1, down = window ? window->height : 1;
	if (fit == INPUT_CROP)
		return (struct least){.short_side = (int)fmin(short_side / fmin(across, down), 1e6)};
	return (struct least){.w = (int)fmin(px / across, 1e6), .h = (int)fmin(px / down, 1e6)};
}

enum status input_decode(const void *jpeg, size_t n_bytes, const struct input_spec *spec,
	const struct input_window *window, uint8_t *rgb, struct err *err)
{
	struct picture picture;
	int px = spec->px, short_side = (px * 256 + 112) / 224;
	if (!spec->focus || (window && !(window->width > 0)))
		window = NULL;
	enum status status = decode(
		jpeg, n_bytes, least_of(window, spec->fit, px, short_side), &picture, err);
	if (status)
		return status;
	struct region r = region_of(&picture, window);
	if (spec->fit == INPUT_CROP) {
		double side = fmin(r.w, r.h) * px / short_side;
		r = (struct region){r.x + (r.w - side) / 2, r.y + (r.h - side) / 2, side, side};
	}
	input_resize(&picture, r.x, r.y, r.w, r.h, rgb, px, px);
	if (window)
		fade(rgb, (size_t)px * (size_t)px * 3, window);
	free(picture.rgb);
	return OK;
}

enum status input_picture(const void *jpeg, size_t n_bytes, int px, enum input_fit fit,
	const struct input_window *window, struct picture *out, struct err *err)
{
	struct picture whole;
	if (window && !(window->width > 0))
		window = NULL;
	enum status status = decode(jpeg, n_bytes, least_of(window, fit, px, px), &whole, err);
	if (status)
		return status;
	struct region r = region_of(&whole, window);
	*out = (struct picture){.w = px, .h = px};
	if (fit == INPUT_CROP) {
		double w = fmin(r.w, 3 * r.h), h = fmin(r.h, 3 * r.w);
		r = (struct region){r.x + (r.w - w) / 2, r.y + (r.h - h) / 2, w, h};
		out->w = w > h ? (int)lround(px * w / h) : px;
		out->h = h > w ? (int)lround(px * h / w) : px;
	}
	out->rgb = xmalloc((size_t)out->w * (size_t)out->h * 3);
	input_resize(&whole, r.x, r.y, r.w, r.h, out->rgb, out->w, out->h);
	if (window)
		fade(out->rgb, (size_t)out->w * (size_t)out->h * 3, window);
	free(whole.rgb);
	return OK;
}

enum status input_read_file(const char *path, uint8_t **bytes, size_t *n_bytes, struct err *err)
{
	enum status status = OK;
	uint8_t *buffer = NULL;
	size_t n = 0, room = 1 << 18;
	FILE *file = fopen(path, "rb");
	if (!file)
		return err_set(err, errno == ENOENT ? NOT_FOUND : FAULT, "%s", strerror(errno));
	do {
		room *= 2;
		buffer = xrealloc(buffer, room);
		n += fread(buffer + n, 1, room - n, file);
	} while (n == room && n <= INPUT_MAX_FILE_BYTES);
	if (ferror(file))
		status = err_set(err, errno == EISDIR ? BAD_INPUT : FAULT, "%s", strerror(errno));
	else if (n > INPUT_MAX_FILE_BYTES)
		status = err_set(err, TOO_LARGE, "over %u bytes", INPUT_MAX_FILE_BYTES);
	fclose(file);
	if (status) {
		free(buffer);
		return status;
	}
	*bytes = buffer;
	*n_bytes = n;
	return OK;
}

enum status input_load(const char *path, const struct input_spec *spec,
	const struct input_window *window, uint8_t *rgb, struct err *err)
{
	uint8_t *bytes;
	size_t n_bytes;
	enum status status = input_read_file(path, &bytes, &n_bytes, err);
	if (status)
		return status;
	status = input_decode(bytes, n_bytes, spec, window, rgb, err);
	free(bytes);
	return status;
}
