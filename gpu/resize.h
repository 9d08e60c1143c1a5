/*
 * From decoded pixels to the square that a net sees: a triangle filter as wide as the reduction (what Pillow and
 * torchvision call antialiased bilinear), a mirror and a change of colour, in one pass. The same bits on every
 * processor: sums run in the same order, in single precision, without fused multiply-adds.
 */
#pragma once

#include "image.h"

/* out[c] = sum over k of matrix[c][k] in[k], + offset[c]. Units: bytes' values. */
struct resize_colour {
	float matrix[3][3], offset[3];
};

struct resize {
	double x, y, w,
		h;            /* the rectangle of the source, in its pixels; may reach beyond its borders */
	bool is_mirrored; /* left for right */
	const struct resize_colour *colour; /* NULL: as they are */
};

/* Shapes: dst [dst_h][dst_w][3]. */
void resize_rgb(
	const struct image_rgb *src, const struct resize *resize, uint8_t *dst, int dst_w, int dst_h);
