/* Resizing by weights per axis (image.h). The vertical sum runs over whole rows, so the inner loop
 * is one multiply-add over contiguous bytes that the compiler vectorises; the horizontal sum then
 * reads each summed row once. */
#include "image.h"

#include <math.h>
#include <stdlib.h>

/* Output index i is the sum of weight[i * n_max + j] times input first[i] + j, j < n[i]. */
struct taps {
	int n_max;
	int *first, *n;
	float *weight;
};

static void taps_release(struct taps *t)
{
	free(t->first);
	free(t->n);
	free(t->weight);
}

/* The part of [from, to) that each input pixel [j, j + 1) covers. */
static void area_taps(struct taps *t, int i, double from, double to, int n_in)
{
	int first = (int)floor(from), n = 0;
	for (int j = first; j < n_in && j < to && n < t->n_max; j++, n++) {
		double cover = fmin(to, j + 1) - fmax(from, j);
		t->weight[(size_t)i * (size_t)t->n_max + (size_t)n] = (float)(cover / (to - from));
	}
	t->first[i] = first;
	t->n[i] = n;
}

static void linear_taps(struct taps *t, int i, double centre, int n_in)
{
	double at = fmin(fmax(centre - 0.5, 0), n_in - 1);
	int first = (int)floor(at);
	if (first > n_in - 2)
		first = n_in > 1 ? n_in - 2 : 0;
	t->first[i] = first;
	t->n[i] = n_in > 1 ? 2 : 1;
	t->weight[2 * i] = n_in > 1 ? (float)(1 - (at - first)) : 1;
	t->weight[2 * i + 1] = (float)(at - first);
}

static bool taps_init(struct taps *t, int n_in, int n_out)
{
	double step = (double)n_in / n_out;
	t->n_max = n_out <= n_in ? (int)ceil(step) + 1 : 2;
	t->first = calloc((size_t)n_out, sizeof *t->first);
	t->n = calloc((size_t)n_out, sizeof *t->n);
	t->weight = calloc((size_t)n_out * (size_t)t->n_max, sizeof *t->weight);
	if (!t->first || !t->n || !t->weight)
		return false;
	for (int i = 0; i < n_out; i++) {
		if (n_out <= n_in)
			area_taps(t, i, (double)i * n_in / n_out, (double)(i + 1) * n_in / n_out, n_in);
		else
			linear_taps(t, i, (i + 0.5) * step, n_in);
	}
	return true;
}

static void sum_rows(const struct image_rgb *in, const struct taps *down, int y, float *sum)
{
	size_t n = (size_t)in->width_px * 3;
	const float *weight = down->weight + (size_t)y * (size_t)down->n_max;
	for (size_t x = 0; x < n; x++)
		sum[x] = 0.5f; /* rounds to nearest below */
	for (int j = 0; j < down->n[y]; j++) {
		const uint8_t *row = in->pixels + (size_t)(down->first[y] + j) * n;
		float w = weight[j];
		for (size_t x = 0; x < n; x++)
			sum[x] += w * (float)row[x];
	}
}

static uint8_t byte_of(float v)
{
	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void sum_columns(const float *sum, const struct taps *across, int width_px, uint8_t *out)
{
	for (int x = 0; x < width_px; x++) {
		const float *weight = across->weight + (size_t)x * (size_t)across->n_max;
		const float *in = sum + (size_t)across->first[x] * 3;
		float r = 0, g = 0, b = 0;
		for (int j = 0; j < across->n[x]; j++) {
			r += weight[j] * in[3 * j];
			g += weight[j] * in[3 * j + 1];
			b += weight[j] * in[3 * j + 2];
		}
		out[3 * x] = byte_of(r);
		out[3 * x + 1] = byte_of(g);
		out[3 * x + 2] = byte_of(b);
	}
}

enum status image_resize_rgb(
	const struct image_rgb *in, int width_px, int height_px, struct image_rgb *out, struct err *err)
{
	*out = (struct image_rgb){0};
	if (width_px < 1 || height_px < 1 || width_px > IMAGE_MAX_SIDE_PX ||
		height_px > IMAGE_MAX_SIDE_PX)
		return err_set(err, BAD_INPUT, "a picture of %d x %d pixels: sides of 1 to %d are made",
			width_px, height_px, IMAGE_MAX_SIDE_PX);
	struct taps across = {0}, down = {0};
	size_t row_bytes = (size_t)width_px * 3;
	uint8_t *pixels = malloc(row_bytes * (size_t)height_px);
	float *sum = malloc((size_t)in->width_px * 3 * sizeof *sum);
	enum status status = OK;
	if (!pixels || !sum || !taps_init(&across, in->width_px, width_px) ||
		!taps_init(&down, in->height_px, height_px)) {
		status = err_set(
			err, FAULT, "no memory for a picture of %d x %d pixels", width_px, height_px);
		goto done;
	}
	for (int y = 0; y < height_px; y++) {
		sum_rows(in, &down, y, sum);
		sum_columns(sum, &across, width_px, pixels + (size_t)y * row_bytes);
	}
	*out = (struct image_rgb){.width_px = width_px, .height_px = height_px, .pixels = pixels};
	pixels = NULL;
done:
	free(pixels);
	free(sum);
	taps_release(&across);
	taps_release(&down);
	return status;
}
