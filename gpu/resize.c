/*
 * Columns first: an output row is a weighted sum of whole input rows, contiguous bytes that vectorise at any width. Then
 * across, where a vector is a pixel: its red, green and blue, and a fourth value that nobody looks at. Inputs of weight
 * zero are not visited.
 */
#include "resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VECTORISED
#endif

typedef float pixel __attribute__((vector_size(16)));

/* One axis: output i is the sum of weights[i * room + t] times input first[i] + t, t < n[i]. */
struct taps {
	int room, *first, *n;
	float *weights;
};

/* The weights of one output, which sum to 1. */
static void draw_taps(struct taps *taps, int i, double centre, double reach, int n_in)
{
	int first = (int)floor(fmin(fmax(centre - reach + 0.5, 0), n_in - 1));
	int last = (int)floor(fmin(fmax(centre + reach + 0.5, first + 1), n_in));
	float *weights = taps->weights + (size_t)i * (size_t)taps->room;
	double sum = 0;
	int n = 0;
	for (int j = first; j < last && n < taps->room; j++) {
		double weight = 1 - fabs(j + 0.5 - centre) / reach;
		if (weight <= 0 && n == 0 && j + 1 < last) {
			first++;
			continue;
		}
		weights[n] = weight > 0 ? (float)weight : 0;
		sum += (double)weights[n++];
	}
	while (n > 1 && weights[n - 1] <= 0)
		n--;
	if (sum <= 0) { /* outside the picture: its nearest pixel */
		first = centre < 0 ? 0 : first;
		weights[0] = 1;
		sum = 1;
		n = 1;
	}
	for (int t = 0; t < n; t++)
		weights[t] = (float)((double)weights[t] / sum);
	taps->first[i] = first;
	taps->n[i] = n;
}

static struct taps taps_new(double from, double length, int n_in, int n_out, bool is_mirrored)
{
	double scale = length / n_out, reach = scale > 1 ? scale : 1;
	struct taps taps = {.room = (int)fmin(ceil(2 * reach) + 1, n_in)};
	taps.first = xmalloc((size_t)n_out * 2 * sizeof *taps.first);
	taps.n = taps.first + n_out;
	taps.weights = xmalloc((size_t)n_out * (size_t)taps.room * sizeof *taps.weights);
	for (int i = 0; i < n_out; i++)
		draw_taps(&taps, is_mirrored ? n_out - 1 - i : i, from + (i + 0.5) * scale, reach, n_in);
	return taps;
}

static void taps_free(struct taps *taps)
{
	free(taps->first);
	free(taps->weights);
}

/* sum = the weighted rows. Shapes: rows n of stride bytes; sum [n_values]. */
VECTORISED static void sum_rows(const uint8_t *restrict rows, size_t stride, const float *weights,
	int n, size_t n_values, float *restrict sum)
{
	enum { BLOCK = 64 };
	size_t x = 0;
	for (; x + BLOCK <= n_values; x += BLOCK) {
		float block[BLOCK];
		for (int i = 0; i < BLOCK; i++)
			block[i] = weights[0] * (float)rows[x + (size_t)i];
		for (int t = 1; t < n; t++) {
			const uint8_t *row = rows + (size_t)t * stride + x;
			for (int i = 0; i < BLOCK; i++)
				block[i] += weights[t] * (float)row[i];
		}
		memcpy(sum + x, block, sizeof block);
	}
	for (; x < n_values; x++) {
		sum[x] = weights[0] * (float)rows[x];
		for (int t = 1; t < n; t++)
			sum[x] += weights[t] * (float)rows[(size_t)t * stride + x];
	}
}

/* in holds a value more than its pixels, and out has room for one. */
static void sum_columns(const float *in, const struct taps *across, int left, int n_out,
	const struct resize_colour *colour, float *out)
{
	pixel m[4] = {{0}};
	for (int c = 0; colour && c < 3; c++) {
		for (int k = 0; k < 3; k++)
			m[k][c] = colour->matrix[c][k];
		m[3][c] = colour->offset[c];
	}
	for (int i = 0; i < n_out; i++) {
		const float *at = in + 3 * (size_t)(across->first[i] - left);
		const float *weights = across->weights + (size_t)i * (size_t)across->room;
		pixel sum, value;
		memcpy(&value, at, sizeof value);
		sum = weights[0] * value;
		for (int t = 1; t < across->n[i]; t++) {
			memcpy(&value, at + 3 * t, sizeof value);
			sum += weights[t] * value;
		}
		if (colour)
			sum = m[0] * sum[0] + m[1] * sum[1] + m[2] * sum[2] + m[3];
		memcpy(out + 3 * (size_t)i, &sum, sizeof sum);
	}
}

VECTORISED static void to_bytes(const float *restrict in, size_t n, uint8_t *restrict out)
{
	for (size_t i = 0; i < n; i++) {
		float v = in[i] + 0.5f;
		v = v > 0 ? v : 0;
		out[i] = (uint8_t)(int)(v < 255.5f ? v : 255.5f);
	}
}

void resize_rgb(
	const struct image_rgb *src, const struct resize *resize, uint8_t *dst, int dst_w, int dst_h)
{
	struct taps across = taps_new(resize->x, resize->w, src->width_px, dst_w, resize->is_mirrored);
	struct taps down = taps_new(resize->y, resize->h, src->height_px, dst_h, false);
	int far = resize->is_mirrored ? 0 : dst_w - 1; /* which output reads the rightmost inputs */
	int left = across.first[dst_w - 1 - far], right = across.first[far] + across.n[far];
	size_t n_values = (size_t)(right - left) * 3, stride = (size_t)src->width_px * 3;
	float *sum = xcalloc(n_values + 1, sizeof *sum);
	float *row = xmalloc(((size_t)dst_w * 3 + 1) * sizeof *row);
	for (int y = 0; y < dst_h; y++) {
		const uint8_t *rows = src->pixels + (size_t)down.first[y] * stride + (size_t)left * 3;
		sum_rows(
			rows, stride, down.weights + (size_t)y * (size_t)down.room, down.n[y], n_values, sum);
		sum_columns(sum, &across, left, dst_w, resize->colour, row);
		to_bytes(row, (size_t)dst_w * 3, dst + (size_t)y * (size_t)dst_w * 3);
	}
	free(sum);
	free(row);
	taps_free(&across);
	taps_free(&down);
}
