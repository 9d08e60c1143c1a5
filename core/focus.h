/*
 * Where a camera's picture differs from its background. A camera trap stands still, so the median of a deployment's
 * photographs is the place without animals; what a photograph shows beside it is where an animal is to be looked for.
 * A net that sees that window sees an animal large, and little of the place it has learned the animal at.
 *
 * Light, haze and exposure change from photograph to photograph: each is fitted to the background, channel by channel,
 * before they are compared. Grass, leaves and clouds move: a difference counts by how much that pixel usually differs
 * (its median absolute deviation), and a pixel may have moved by one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Photographs are compared this small, whatever their shape. */
#define FOCUS_WIDTH 128
#define FOCUS_HEIGHT 96
#define FOCUS_BYTES (FOCUS_WIDTH * FOCUS_HEIGHT * 3)
/* Fewer show animals as often as the place. */
#define FOCUS_MIN_FRAMES 9

/* Units: shares of the picture's width and height, from its upper left corner. */
struct focus_window {
	double x, y, width, height;
};

struct focus_background;

/* Taken by infrared light: grey. Such photographs have a background of their own. Shapes: rgb [96][128][3]. */
bool focus_is_grey(const uint8_t *rgb);

/*
 * The background of n >= FOCUS_MIN_FRAMES photographs of one camera and one kind of light, of which 61, evenly spread, are
 * looked at.
 * Shapes: frames [n], each [96][128][3].
 * Owns: the caller frees it with focus_background_free.
 */
struct focus_background *focus_background_new(const uint8_t *const *frames, int n);
void focus_background_free(struct focus_background *background);

/*
 * The window of a photograph that differs most for its size, half as wide again as what differs, square in pixels of the
 * photograph.
 * Shapes: rgb [96][128][3]. Units: aspect is the photograph's width over its height.
 * False: nothing differs.
 */
bool focus_find(const struct focus_background *background, const uint8_t *rgb, double aspect,
	struct focus_window *out);
