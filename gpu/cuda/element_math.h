/*
 * What the module's own kernels compute, one element `i` at a time: a kernel calls one of these for
 * every index, and so does a loop in C. No element reads what another writes.
 */
#pragma once

#include "half_math.h"

/* Of R, G, B: (byte / 255 - mean) / std = byte * scale + shift. */
struct picture_scale {
	float scale[3], shift[3];
};

MATH_FN struct picture_scale picture_scale_of(const float mean[3], const float std[3])
{
	struct picture_scale s;
	for (int c = 0; c < 3; c++) {
		s.scale[c] = 1 / (255 * std[c]);
		s.shift[c] = -mean[c] / std[c];
	}
	return s;
}

/* Shapes: rgb [pixels][3]; out [pixels][4] halves, the fourth 0; i in 0..4 pixels. */
MATH_FN void element_picture_half(
	size_t i, const uint8_t *rgb, struct picture_scale s, uint16_t *out)
{
	size_t pixel = i / 4, c = i % 4;
	out[i] = c < 3 ? half_from_float((float)rgb[3 * pixel + c] * s.scale[c] + s.shift[c])
				   : (uint16_t)0;
}

/* Shapes: rgb [n][plane][3]; out [n][3][plane]; i in 0..3 n plane. */
MATH_FN void element_picture_float(
	size_t i, const uint8_t *rgb, size_t plane, struct picture_scale s, float *out)
{
	size_t pixel = i / (3 * plane) * plane + i % plane, c = i / plane % 3;
	out[i] = (float)rgb[3 * pixel + c] * s.scale[c] + s.shift[c];
}

MATH_FN void element_widen(size_t i, const uint16_t *half, float *out)
{
	out[i] = half_to_float(half[i]);
}

/* Shapes: bias [k]; rows [n][k]. */
MATH_FN void element_add_bias(size_t i, const float *bias, size_t k, float *rows)
{
	rows[i] += bias[i % k];
}

/* The end of a block: y = max(y + add, 0). */
MATH_FN void element_add_relu(size_t i, const float *add, float *y)
{
	float sum = y[i] + add[i];
	y[i] = sum > 0 ? sum : 0;
}

MATH_FN void element_relu(size_t i, float *y)
{
	y[i] = y[i] > 0 ? y[i] : 0;
}

/* The slope by the relu's input, from the slope by its output y, in place. */
MATH_FN void element_relu_backward(size_t i, const float *y, float *slope)
{
	slope[i] = y[i] > 0 ? slope[i] : 0;
}

/* backend.h's step of SGD, for one parameter. */
struct sgd {
	float rate, momentum, decay, average;
};

MATH_FN void element_sgd(
	size_t i, const float *gradient, struct sgd s, float *v, float *param, float *average)
{
	v[i] = s.momentum * v[i] + gradient[i] + s.decay * param[i];
	param[i] -= s.rate * v[i];
	average[i] += (1 - s.average) * (param[i] - average[i]);
}
