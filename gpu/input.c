/* JPEG to the net's square: which part of the picture, decoded by core/image_window.c, resized by resize.c. */
#include "input.h"

#include "resize.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is to be seen of a picture. */
struct wish {
	int px;
	enum input_fit fit;
	const struct input_window *window; /* NULL: the whole */
};

/* The share of itself about its middle that a part keeps. */
static void narrow(struct image_part *part, double across, double down)
{
	part->x += part->width * (1 - across) / 2;
	part->y += part->height * (1 - down) / 2;
	part->width *= across;
	part->height *= down;
}

static struct image_part part_of(const struct wish *wish)
{
	const struct input_window *window = wish->window;
	struct image_part part = {0, 0, 1, 1, wish->px, wish->px};
	if (window)
		part = (struct image_part){
			window->x, window->y, window->width, window->height, wish->px, wish->px};
	return part;
}

static struct image_part net_part(const void *arg, int width_px, int height_px)
{
	const struct wish *wish = arg;
	struct image_part part = part_of(wish);
	if (wish->fit == INPUT_CROP) {
		double w = part.width * width_px, h = part.height * height_px;
		int short_side = (wish->px * 256 + 112) / 224;
		double side = fmin(w, h) * wish->px / short_side;
		narrow(&part, side / w, side / h);
	}
	return part;
}

static struct image_part training_part(const void *arg, int width_px, int height_px)
{
	const struct wish *wish = arg;
	struct image_part part = part_of(wish);
	if (wish->fit == INPUT_CROP) {
		double w = part.width * width_px, h = part.height * height_px;
		double kept_w = fmin(w, 3 * h), kept_h = fmin(h, 3 * w);
		narrow(&part, kept_w / w, kept_h / h);
		part.width_px = kept_w > kept_h ? (int)lround(wish->px * kept_w / kept_h) : wish->px;
		part.height_px = kept_h > kept_w ? (int)lround(wish->px * kept_h / kept_w) : wish->px;
	}
	return part;
}

/* Towards a middle grey (input.h). */
static struct resize_colour faded(const struct input_window *window)
{
	float share = (float)(window->strength / (window->strength + 1)), rest = 128 * (1 - share);
	return (struct resize_colour){
		{{share, 0, 0}, {0, share, 0}, {0, 0, share}}, {rest, rest, rest}};
}

static enum status decode(const void *jpeg, size_t n_bytes,
	struct image_part (*choose)(const void *arg, int width_px, int height_px),
	const struct wish *wish, struct image_window *out, struct err *err)
{
	if (n_bytes > INPUT_MAX_FILE_BYTES)
		return err_set(
			err, TOO_LARGE, "%zu bytes: at most %u are read", n_bytes, INPUT_MAX_FILE_BYTES);
	return image_decode_window(jpeg, n_bytes, choose, wish, out, err);
}

static void resize_part(
	const struct image_window *seen, const struct input_window *window, uint8_t *rgb)
{
	const struct image_part *part = &seen->part;
	struct resize_colour colour = window ? faded(window) : (struct resize_colour){0};
	struct resize resize = {.x = part->x * seen->whole_width_px - seen->x_px,
		.y = part->y * seen->whole_height_px - seen->y_px,
		.w = part->width * seen->whole_width_px,
		.h = part->height * seen->whole_height_px,
		.colour = window ? &colour : NULL};
	resize_rgb(&seen->rgb, &resize, rgb, part->width_px, part->height_px);
}

enum status input_decode(const void *jpeg, size_t n_bytes, const struct input_spec *spec,
	const struct input_window *window, uint8_t *rgb, struct err *err)
{
	bool is_narrow = spec->focus && window && window->width > 0;
	struct wish wish = {spec->px, spec->fit, is_narrow ? window : NULL};
	struct image_window seen;
	enum status status = decode(jpeg, n_bytes, net_part, &wish, &seen, err);
	if (status)
		return status;
	resize_part(&seen, wish.window, rgb);
	image_rgb_release(&seen.rgb);
	return OK;
}

enum status input_picture(const void *jpeg, size_t n_bytes, int px, enum input_fit fit,
	const struct input_window *window, struct image_rgb *out, struct err *err)
{
	struct wish wish = {px, fit, window && window->width > 0 ? window : NULL};
	struct image_window seen;
	enum status status = decode(jpeg, n_bytes, training_part, &wish, &seen, err);
	if (status)
		return status;
	*out = (struct image_rgb){.width_px = seen.part.width_px, .height_px = seen.part.height_px};
	out->pixels = xmalloc((size_t)out->width_px * (size_t)out->height_px * 3);
	resize_part(&seen, wish.window, out->pixels);
	image_rgb_release(&seen.rgb);
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
