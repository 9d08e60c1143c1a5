/*
 * Where a camera's picture differs from its background. A camera trap stands still, so the median of a deployment's
 * photographs is the place without animals; what a photograph shows beside it is where an animal is to be looked for.
 * A net that sees that window sees an animal large, and little of the place it has learned the animal at.
 *
 * The camera sways and light, haze and exposure change: each photograph is first shifted onto the background (Lucas and
 * Kanade 1981, a shift alone) and fitted to it channel by channel. Grass, leaves and clouds move: a difference counts by
 * how much that pixel usually differs (its median absolute deviation), and a pixel may still have moved by one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Photographs are compared this small, whatever their shape. */
#define FOCUS_WIDTH 192
#define FOCUS_HEIGHT 144
#define FOCUS_BYTES (FOCUS_WIDTH * FOCUS_HEIGHT * 3)
/* Fewer show animals as often as the place. */
#define FOCUS_MIN_FRAMES 9

/*
 * Units: shares of the picture's width and height, from its upper left corner. strength: how much differs there, 0 nothing
 * at all; an animal has tens, an empty place that lies still a small part of 1.
 */
struct focus_window {
	double x, y, width, height, strength;
};

struct focus_background;

/* Taken by infrared light: grey. Such photographs have a background of their own. Shapes: rgb [144][192][3]. */
bool focus_is_grey(const uint8_t *rgb);

/*
 * The background of n >= FOCUS_MIN_FRAMES photographs of one camera and one kind of light, of which a few dozen, evenly
 * spread, are looked at.
 * Shapes: frames [n], each [144][192][3].
 * Owns: the caller frees it with focus_background_free.
 */
struct focus_background *focus_background_new(const uint8_t *const *frames, int n);
void focus_background_free(struct focus_background *background);

/*
 * The window of a photograph that differs most for its size, half as wide again as what differs, square in pixels of the
 * photograph; the middle where nothing does.
 * Shapes: rgb [144][192][3]. Units: aspect is the photograph's width over its height.
 */
struct focus_window focus_find(
	const struct focus_background *background, const uint8_t *rgb, double aspect);
