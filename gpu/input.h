/*
 * From JPEG bytes to the square of pixels that a net sees: the part that it sees is decoded at the smallest of 1, 1/2, 1/4
 * and 1/8 of its size that is large enough (core/image.h), and resized (resize.h).
 *
 * A picture comes from anywhere: its header is bounded before anything is allocated, a broken file
 * is a status with the decoder's reason.
 */
#pragma once

#include "image.h"

#define INPUT_MAX_FILE_BYTES (128u << 20)

enum input_fit {
	INPUT_CROP,  /* short side to px * 256 / 224, then the square in the centre: ImageNet's
					evaluation */
	INPUT_SQUASH /* the whole frame, made square: an animal at the border stays in */
};

struct input_spec {
	int px; /* side of the square */
	enum input_fit fit;
	bool focus; /* sees a picture's window (input_window) where it has one, instead of the whole */
	float mean[3], std[3]; /* of R, G, B in [0, 1] */
};

/*
 * The part of a picture where it differs from its camera's background (core/focus.h), in shares of its width and height
 * from the upper left corner. Width 0: it has not been compared, and the whole is seen.
 * strength says how much differs there, 0 nothing: the window is seen faded to grey, by strength / (strength + 1), so that
 * an empty place looks like any other empty place, also to a model that has never seen it.
 */
struct input_window {
	double x, y, width, height, strength;
};

#define INPUT_IMAGENET_MEAN                                                                        \
	{                                                                                              \
		0.485f, 0.456f, 0.406f                                                                     \
	}
#define INPUT_IMAGENET_STD                                                                         \
	{                                                                                              \
		0.229f, 0.224f, 0.225f                                                                     \
	}

/*
 * Decodes to the net's input. The picture is taken as stored: EXIF orientation is the importer's
 * matter. window: NULL is none; only a spec with focus looks at it.
 * Shapes: rgb [px][px][3].
 * Errors: BAD_INPUT when it is no JPEG, is damaged or ends early;
 * TOO_LARGE over 100 MP or 128 MB; NOT_FOUND when there is no such file. rgb is then unspecified.
 */
enum status input_decode(const void *jpeg, size_t n_bytes, const struct input_spec *spec,
	const struct input_window *window, uint8_t *rgb, struct err *err) MUST_CHECK;
enum status input_load(const char *path, const struct input_spec *spec,
	const struct input_window *window, uint8_t *rgb, struct err *err) MUST_CHECK;

/*
 * Decodes a picture for training: its window (NULL: none) squashed to px by px, or, with INPUT_CROP, with its short
 * side px (more than 3 : 1 is cut to that, in the middle).
 * Owns:   *out is the caller's, to image_rgb_release.
 */
enum status input_picture(const void *jpeg, size_t n_bytes, int px, enum input_fit fit,
	const struct input_window *window, struct image_rgb *out, struct err *err) MUST_CHECK;

/* A whole file, bounded by INPUT_MAX_FILE_BYTES. Owns: *bytes is the caller's, to free(). */
enum status input_read_file(
	const char *path, uint8_t **bytes, size_t *n_bytes, struct err *err) MUST_CHECK;
