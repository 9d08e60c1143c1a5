/*
 * Batch norm as y = act(x by + plus + add), forward and backward, eight channels at a time; the act
 * is a relu or nothing. Forward: sums over the rows, then norm_finish for every channel, then
 * unit_norm for every unit. Backward: unit_norm_slope for every unit, whose sums norm_slope_finish
 * turns into the three numbers with which unit_norm_slope_x writes the slope by x.
 */
#pragma once

#include "number_math.h"

#ifndef __CUDACC__
#include <math.h>
#endif

/* Of one channel, or of a unit's: what is known of it. */
struct norm_channel {
	float mean, inverse; /* of the batch, or running (frozen): 1 / sqrt(variance + epsilon) */
	float by, plus;
};

/* From the sums of x and x^2 over `count` rows; frozen, from the running statistics alone. */
MATH_FN struct norm_channel norm_finish(double sum, double squares, double count, int is_frozen,
	float scale, float shift, float *running_mean, float *running_var, float epsilon)
{
	struct norm_channel c;
	double mean = *running_mean, var = *running_var;
	if (!is_frozen) {
		mean = sum / count;
		var = squares / count - mean * mean;
		var = var > 0 ? var : 0;
		double unbiased = count > 1 ? var * count / (count - 1) : var;
		*running_mean = (float)(0.9 * (double)*running_mean + 0.1 * mean);
		*running_var = (float)(0.9 * (double)*running_var + 0.1 * unbiased);
	}
	c.mean = (float)mean;
	c.inverse = (float)(1 / sqrt(var + (double)epsilon));
	c.by = scale * c.inverse;
	c.plus = shift - c.mean * c.by;
	return c;
}

MATH_FN void unit_square(enum number type, size_t i, const void *x, float *sum, float *squares)
{
	float v[UNIT];
	unit_load(type, x, i, v);
	for (int j = 0; j < UNIT; j++) {
		sum[j] += v[j];
		squares[j] += v[j] * v[j];
	}
}

/* by, plus: of the unit's channels. add: NULL, or like y. */
MATH_FN void unit_norm(enum number type, size_t i, const void *x, const float *by,
	const float *plus, const void *add, int relu, void *y)
{
	float v[UNIT], more[UNIT];
	unit_load(type, x, i, v);
	if (add)
		unit_load(type, add, i, more);
	for (int j = 0; j < UNIT; j++) {
		float sum = v[j] * by[j] + plus[j] + (add ? more[j] : 0);
		v[j] = relu && sum < 0 ? 0 : sum;
	}
	unit_store(type, y, i, v);
}

/*
 * The slope by the norm's own result: a, plus b unless that is NULL, where the relu let it pass. y
 * is the layer's result when something was added, and its sign tells; else NULL, and x tells.
 * Written over a when y or b is there, so that it is read again without them.
 */
struct norm_slope {
	void *a;
	const void *b, *x, *y;
	int relu;
};

MATH_FN void unit_norm_slope_load(enum number type, size_t i, const struct norm_slope *s,
	const float *x, const float *by, const float *plus, int is_again, float *slope)
{
	float v[UNIT];
	unit_load(type, s->a, i, slope);
	if (is_again && (s->b || s->y))
		return;
	if (s->b) {
		unit_load(type, s->b, i, v);
		for (int j = 0; j < UNIT; j++)
			slope[j] += v[j];
	}
	if (!s->relu)
		return;
	if (s->y)
		unit_load(type, s->y, i, v);
	for (int j = 0; j < UNIT; j++) {
		float result = s->y ? v[j] : x[j] * by[j] + plus[j];
		slope[j] = result > 0 ? slope[j] : 0;
	}
}

/* Adds up the slopes by shift and by scale. */
MATH_FN void unit_norm_slope(enum number type, size_t i, const struct norm_slope *s,
	const struct norm_channel *c, float *by_shift, float *by_scale)
{
	float slope[UNIT], x[UNIT], by[UNIT], plus[UNIT];
	unit_load(type, s->x, i, x);
	for (int j = 0; j < UNIT; j++) {
		by[j] = c[j].by;
		plus[j] = c[j].plus;
	}
	unit_norm_slope_load(type, i, s, x, by, plus, 0, slope);
	if (s->b || s->y) {
		unit_store(type, s->a, i, slope);
		unit_load(type, s->a, i, slope); /* what later passes read */
	}
	for (int j = 0; j < UNIT; j++) {
		by_shift[j] += slope[j];
		by_scale[j] += slope[j] * (x[j] - c[j].mean) * c[j].inverse;
	}
}

/* x_slope = slope * slope_by + x * x_by + plus; frozen statistics do not depend on x. */
struct norm_back {
	float slope_by, x_by, plus;
};

MATH_FN struct norm_back norm_slope_finish(
	double by_shift, double by_scale, double count, int is_frozen, struct norm_channel c)
{
	struct norm_back b;
	b.slope_by = c.by;
	b.x_by = is_frozen ? 0 : (float)(-(double)c.by * (double)c.inverse * by_scale / count);
	b.plus = is_frozen
		? 0
		: (float)(-(double)c.by * by_shift / count - (double)b.x_by * (double)c.mean);
	return b;
}

MATH_FN void unit_norm_slope_x(enum number type, size_t i, const struct norm_slope *s,
	const float *by, const float *plus, const struct norm_back *back, void *x_slope)
{
	float slope[UNIT], x[UNIT];
	unit_load(type, s->x, i, x);
	unit_norm_slope_load(type, i, s, x, by, plus, 1, slope);
	for (int j = 0; j < UNIT; j++)
		slope[j] = slope[j] * back[j].slope_by + x[j] * back[j].x_by + back[j].plus;
	unit_store(type, x_slope, i, slope);
}
