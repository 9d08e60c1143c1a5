/*
 * A class activation map (engine_map) as a picture to look at: the photograph in grey, and over it,
 * from yellow to red, where the evidence for the class lies. What speaks against it is not shown.
 */
#pragma once

#include "input.h"

/*
 * Draws a map over the JPEG that it was made of, its short side 448 px (a picture longer than 3 : 1
 * is cut to that, in the middle). The map is what input_decode showed the net: with fit crop, the
 * square in the middle. It is scaled to its own largest value, so that maps of two pictures or
 * classes do not compare.
 * Shapes: map [h][w].
 * Owns:   *out is the caller's (free), a JPEG.
 * Errors: as input_picture; FAULT when memory is out.
 */
enum status heat_draw(const void *jpeg, size_t n_bytes, const struct input_spec *spec,
	const float *map, int h, int w, uint8_t **out, size_t *n_out, struct err *err) MUST_CHECK;
