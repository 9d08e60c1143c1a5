/*
 * What the module's own kernels compute, one element or unit `i` at a time: a kernel calls one of
 * these for every index, and so does a loop in C. No call reads what another writes. Weights and
 * units of an activation are fewer than 2^32, and are divided as such: a card has no division of
 * longer numbers. Activations are
 * [n][h][w][c]; the picture and the first weights have a fourth channel of 0.
 */
#pragma once

#include "number_math.h"

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

/* Shapes: rgb [pixels][3]; out [pixels][4]; i a pixel. */
MATH_FN void element_picture(
	enum number type, size_t i, const uint8_t *rgb, struct picture_scale s, void *out)
{
	float v[4] = {0, 0, 0, 0};
	struct number_words w;
	for (size_t c = 0; c < 3; c++)
		v[c] = (float)rgb[3 * i + c] * s.scale[c] + s.shift[c];
	if (type == NUMBER_SINGLE) {
		memcpy(w.at, v, sizeof w);
		words_store(out, i, w);
		return;
	}
	for (size_t c = 0; c < 4; c++)
		((uint16_t *)out)[4 * i + c] = number_rounded(type, v[c]);
}

/* A convolution's weights: the net's [c_out][c_in][taps] floats, the card's [c_out][taps][c_wide]. */
struct weights_shape {
	size_t n_out, c_in, c_wide, taps;
};

/* i in 0..n_out taps c_wide */
MATH_FN void element_pack(
	enum number type, size_t i, struct weights_shape s, const float *from, void *to)
{
	uint32_t at = (uint32_t)i, wide = (uint32_t)s.c_wide, taps = (uint32_t)s.taps;
	size_t c = at % wide, tap = at / wide % taps, o = at / wide / taps;
	number_store(type, to, i, c < s.c_in ? from[(o * s.c_in + c) * s.taps + tap] : 0);
}

/* i in 0..n_out c_in taps */
MATH_FN void element_unpack(
	enum number type, size_t i, struct weights_shape s, const void *from, float *to)
{
	uint32_t at = (uint32_t)i, taps = (uint32_t)s.taps, c_in = (uint32_t)s.c_in;
	size_t tap = at % taps, c = at / taps % c_in, o = at / taps / c_in;
	to[i] = number_load(type, from, (o * s.taps + tap) * s.c_wide + c);
}

/* Pools. */
struct pool_shape {
	int c, h_in, w_in, h_out, w_out, kernel, stride, pad;
};

struct pool_place {
	size_t n;
	int unit, y, x;
};

MATH_FN struct pool_place pool_place_of(size_t i, int c, int h, int w)
{
	struct pool_place p;
	uint32_t at = (uint32_t)i, units = (uint32_t)(c / UNIT), across = (uint32_t)w;
	p.unit = (int)(at % units);
	at /= units;
	p.x = (int)(at % across);
	at /= across;
	p.y = (int)(at % (uint32_t)h);
	p.n = at / (uint32_t)h;
	return p;
}

MATH_FN size_t pool_input(const struct pool_shape *s, const struct pool_place *p, int y, int x)
{
	return ((p->n * (size_t)s->h_in + (size_t)y) * (size_t)s->w_in + (size_t)x) *
		(size_t)(s->c / UNIT) +
		(size_t)p->unit;
}

/* The largest value of a window, and the place in it of the first that is: NULL, or [n][h_out]
 * [w_out][c]. i a unit of y, which is of type `to`. */
MATH_FN void element_maxpool(enum number type, enum number to, size_t i, struct pool_shape s,
	const void *x, void *y, uint16_t *chosen)
{
	struct pool_place p = pool_place_of(i, s.c, s.h_out, s.w_out);
	float best[UNIT], v[UNIT];
	int at[UNIT], is_first = 1;
	for (int j = 0; j < UNIT; j++) {
		best[j] = 0;
		at[j] = 0;
	}
	for (int ky = 0; ky < s.kernel; ky++)
		for (int kx = 0; kx < s.kernel; kx++) {
			int iy = p.y * s.stride - s.pad + ky, ix = p.x * s.stride - s.pad + kx;
			if (iy < 0 || iy >= s.h_in || ix < 0 || ix >= s.w_in)
				continue;
			unit_load(type, x, pool_input(&s, &p, iy, ix), v);
			for (int j = 0; j < UNIT; j++) {
				if (is_first || v[j] > best[j] || v[j] != v[j]) { /* what is not a number stays */
					best[j] = v[j];
					at[j] = ky * s.kernel + kx;
				}
			}
			is_first = 0;
		}
	unit_store(to, y, i, best);
	for (int j = 0; j < UNIT && chosen; j++)
		chosen[i * UNIT + (size_t)j] = (uint16_t)at[j];
}

/* The slope by x, from that by y, which is the sum of a and b (or NULL), of type `from`; i a unit of
 * x, whose windows are visited in order. */
MATH_FN void element_maxpool_slope(enum number type, enum number from, size_t i,
	struct pool_shape s, const uint16_t *chosen, const void *a, const void *b, void *x_slope)
{
	struct pool_place p = pool_place_of(i, s.c, s.h_in, s.w_in);
	float sum[UNIT], v[UNIT], more[UNIT];
	int first_y = p.y + s.pad - s.kernel + 1, first_x = p.x + s.pad - s.kernel + 1;
	for (int j = 0; j < UNIT; j++)
		sum[j] = 0;
	first_y = first_y > 0 ? (first_y + s.stride - 1) / s.stride : 0;
	first_x = first_x > 0 ? (first_x + s.stride - 1) / s.stride : 0;
	for (int y = first_y; y < s.h_out && y * s.stride - s.pad <= p.y; y++)
		for (int x = first_x; x < s.w_out && x * s.stride - s.pad <= p.x; x++) {
			int tap = (p.y - y * s.stride + s.pad) * s.kernel + p.x - x * s.stride + s.pad;
			size_t at = ((p.n * (size_t)s.h_out + (size_t)y) * (size_t)s.w_out + (size_t)x) *
					(size_t)(s.c / UNIT) +
				(size_t)p.unit;
			unit_load(from, a, at, v);
			if (b)
				unit_load(from, b, at, more);
			for (int j = 0; j < UNIT; j++) {
				if (chosen[at * UNIT + (size_t)j] == tap)
					sum[j] += v[j] + (b ? more[j] : 0);
			}
		}
	unit_store(type, x_slope, i, sum);
}

/* The mean over the plane. Shapes: y [n][c] floats; i a unit of y. */
MATH_FN void element_avgpool(
	enum number type, size_t i, struct pool_shape s, const void *x, float *y)
{
	size_t units = (size_t)(s.c / UNIT), plane = (size_t)(s.h_in * s.w_in);
	float sum[UNIT], v[UNIT];
	for (int j = 0; j < UNIT; j++)
		sum[j] = 0;
	for (size_t at = 0; at < plane; at++) {
		unit_load(type, x, (i / units * plane + at) * units + i % units, v);
		for (int j = 0; j < UNIT; j++)
			sum[j] += v[j];
	}
	for (int j = 0; j < UNIT; j++)
		sum[j] /= (float)plane;
	unit_store(NUMBER_SINGLE, y, i, sum);
}

/* i a unit of x */
MATH_FN void element_avgpool_slope(
	enum number type, size_t i, struct pool_shape s, const float *y_slope, void *x_slope)
{
	size_t units = (size_t)(s.c / UNIT), plane = (size_t)(s.h_in * s.w_in);
	float v[UNIT];
	unit_load(NUMBER_SINGLE, y_slope, i / units / plane * units + i % units, v);
	for (int j = 0; j < UNIT; j++)
		v[j] /= (float)plane;
	unit_store(type, x_slope, i, v);
}

/* Shapes: bias [k]; rows [n][k]. */
MATH_FN void element_add_bias(size_t i, const float *bias, size_t k, float *rows)
{
	rows[i] += bias[i % k];
}

/* Shapes: rows [n][k]; out [k]; i a column. */
MATH_FN void element_column_sum(size_t i, size_t n, size_t k, const float *rows, float *out)
{
	float sum = 0;
	for (size_t row = 0; row < n; row++)
		sum += rows[row * k + i];
	out[i] = sum;
}
