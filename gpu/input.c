/* JPEG to the net's square: which part of the picture, decoded by core/image_window.c, resized by resize.c. */
#include "input.h"

#include "resize.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Stored width and height. */
static enum status stored_size(
	const void *jpeg, size_t n_bytes, double *w, double *h, struct err *err)
{
	struct image_info info;
	if (n_bytes > INPUT_MAX_FILE_BYTES)
		return err_set(
			err, TOO_LARGE, "%zu bytes: at most %u are read", n_bytes, INPUT_MAX_FILE_BYTES);
	enum status status = image_probe(jpeg, n_bytes, &info, err);
	*w = info.orientation >= 5 ? info.height_px : info.width_px;
	*h = info.orientation >= 5 ? info.width_px : info.height_px;
	return status;
}

/* The share of itself about its middle that a part keeps. */
static struct image_part within(const struct image_part *part, double across, double down)
{
	return (struct image_part){part->x + part->width * (1 - across) / 2,
		part->y + part->height * (1 - down) / 2, part->width * across, part->height * down};
}

/* Towards a middle grey (input.h). */
static struct resize_colour faded(const struct input_window *window)
{
	float share = (float)(window->strength / (window->strength + 1)), rest = 128 * (1 - share);
	return (struct resize_colour){
		{{share, 0, 0}, {0, share, 0}, {0, 0, share}}, {rest, rest, rest}};
}

static enum status decode_part(const void *jpeg, size_t n_bytes, const struct image_part *part,
	const struct input_window *window, uint8_t *rgb, int w, int h, struct err *err)
{
	struct image_window seen;
	enum status status = image_decode_window(jpeg, n_bytes, part, w, h, &seen, err);
	if (status)
		return status;
	struct resize_colour colour = window ? faded(window) : (struct resize_colour){0};
	struct resize resize = {.x = part->x * seen.whole_width_px - seen.x_px,
		.y = part->y * seen.whole_height_px - seen.y_px,
		.w = part->width * seen.whole_width_px,
		.h = part->height * seen.whole_height_px,
		.colour = window ? &colour : NULL};
	resize_rgb(&seen.rgb, &resize, rgb, w, h);
	image_rgb_release(&seen.rgb);
	return OK;
}

static struct image_part part_of(const struct input_window *window)
{
	return window ? (struct image_part){window->x, window->y, window->width, window->height}
				  : (struct image_part){0, 0, 1, 1};
}

enum status input_decode(const void *jpeg, size_t n_bytes, const struct input_spec *spec,
	const struct input_window *window, uint8_t *rgb, struct err *err)
{
	double w = 0, h = 0;
	enum status status = stored_size(jpeg, n_bytes, &w, &h, err);
	if (status)
		return status;
	if (!spec->focus || (window && !(window->width > 0)))
		window = NULL;
	struct image_part part = part_of(window);
	if (spec->fit == INPUT_CROP) {
		int short_side = (spec->px * 256 + 112) / 224;
		double side = fmin(part.width * w, part.height * h) * spec->px / short_side;
		part = within(&part, side / (part.width * w), side / (part.height * h));
	}
	return decode_part(jpeg, n_bytes, &part, window, rgb, spec->px, spec->px, err);
}

enum status input_picture(const void *jpeg, size_t n_bytes, int px, enum input_fit fit,
	const struct input_window *window, struct image_rgb *out, struct err *err)
{
	double w = 0, h = 0;
	enum status status = stored_size(jpeg, n_bytes, &w, &h, err);
	if (status)
		return status;
	if (window && !(window->width > 0))
		window = NULL;
	struct image_part part = part_of(window);
	*out = (struct image_rgb){.width_px = px, .height_px = px};
	if (fit == INPUT_CROP) {
		w *= part.width;
		h *= part.height;
		double kept_w = fmin(w, 3 * h), kept_h = fmin(h, 3 * w);
		part = within(&part, kept_w / w, kept_h / h);
		out->width_px = kept_w > kept_h ? (int)lround(px * kept_w / kept_h) : px;
		out->height_px = kept_h > kept_w ? (int)lround(px * kept_h / kept_w) : px;
	}
	out->pixels = xmalloc((size_t)out->width_px * (size_t)out->height_px * 3);
	status = decode_part(
		jpeg, n_bytes, &part, window, out->pixels, out->width_px, out->height_px, err);
	if (status)
		image_rgb_release(out);
	return status;
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
