/* Median backgrounds, and the window that differs from them (focus.h). Figures: docs/model.md, "Where to look". */
#include "focus.h"

#include "status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = FOCUS_WIDTH * FOCUS_HEIGHT, N_SAMPLE = 61, N_PASSES = 3 };

/* A pixel's difference is measured in its usual deviation plus this many levels (of 255): sensor noise. */
static const float noise_levels = 4;
static const float usual_score = 0.5F; /* what grass and noise reach; it does not count */
static const float max_score = 8;
static const double margin = 1.5;       /* the window's side over that of what differs */
static const double min_side = 1 / 7.0; /* of the picture's height */

/* Channel by channel: [3][N]. */
struct focus_background {
	float median[3 * N];
	float usual[3 * N]; /* scaled median absolute deviation + noise_levels */
};

bool focus_is_grey(const uint8_t *rgb)
{
	long sum = 0;
	for (int i = 0; i < N; i++)
		sum += labs((long)rgb[3 * i] - rgb[3 * i + 1]) +
			labs((long)rgb[3 * i + 1] - rgb[3 * i + 2]);
	return sum < 6L * N;
}

/* The k-th smallest, by Hoare's selection; v is reordered. */
static float kth(float *v, int n, int k)
{
	int low = 0, high = n - 1;
	while (low < high) {
		float pivot = v[(low + high) / 2];
		int i = low, j = high;
		while (i <= j) {
			while (v[i] < pivot)
				i++;
			while (v[j] > pivot)
				j--;
			if (i <= j) {
				float swap = v[i];
				v[i++] = v[j];
				v[j--] = swap;
			}
		}
		if (k <= j)
			high = j;
		else if (k >= i)
			low = i;
		else
			break;
	}
	return v[k];
}

static void to_planes(const uint8_t *rgb, float *planes)
{
	for (int i = 0; i < N; i++)
		for (int c = 0; c < 3; c++)
			planes[c * N + i] = rgb[3 * i + c];
}

/* The line a + b x that brings a channel closest to the background's; what differs much counts little. */
static void fit_channel(const float *x, const float *y, double *a, double *b)
{
	*a = 0;
	*b = 1;
	for (int round = 0; round < 4; round++) {
		double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
		for (int i = 0; i < N; i++) {
			float off = (float)(*a + *b * x[i]) - y[i];
			float w = round ? 1 / (1 + off * off / 100) : 1;
			n += w;
			sx += w * x[i];
			sy += w * y[i];
			sxx += w * x[i] * x[i];
			sxy += w * x[i] * y[i];
		}
		double spread = n * sxx - sx * sx;
		*b = spread > 1e-6 ? fmin(fmax((n * sxy - sx * sy) / spread, 0.3), 4) : 1;
		*a = (sy - *b * sx) / n;
	}
}

static void fit(const uint8_t *rgb, const float *median, float *planes)
{
	to_planes(rgb, planes);
	for (int c = 0; c < 3; c++) {
		double a, b;
		fit_channel(planes + c * N, median + c * N, &a, &b);
		for (int i = c * N; i < (c + 1) * N; i++)
			planes[i] = (float)(a + b * planes[i]);
	}
}

struct focus_background *focus_background_new(const uint8_t *const *frames, int n)
{
	struct focus_background *bg = xcalloc(1, sizeof *bg);
	int n_sample = n < N_SAMPLE ? n : N_SAMPLE;
	float *planes = xmalloc((size_t)n_sample * 3 * N * sizeof *planes);
	float v[N_SAMPLE];
	for (int pass = 0; pass < N_PASSES; pass++) {
		for (int s = 0; s < n_sample; s++) {
			const uint8_t *rgb = frames[(long)s * n / n_sample];
			if (pass == 0)
				to_planes(rgb, planes + (size_t)s * 3 * N);
			else
				fit(rgb, bg->median, planes + (size_t)s * 3 * N);
		}
		for (int i = 0; i < 3 * N; i++) {
			for (int s = 0; s < n_sample; s++)
				v[s] = planes[(size_t)s * 3 * N + (size_t)i];
			bg->median[i] = kth(v, n_sample, n_sample / 2);
			for (int s = 0; s < n_sample; s++)
				v[s] = fabsf(planes[(size_t)s * 3 * N + (size_t)i] - bg->median[i]);
			bg->usual[i] = 1.4826F * kth(v, n_sample, n_sample / 2) + noise_levels;
		}
	}
	free(planes);
	return bg;
}

void focus_background_free(struct focus_background *background)
{
	free(background);
}

static int clamp(int i, int n)
{
	return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* How unusual each pixel is: its least difference from the background at its place or beside it. */
static void score_pixels(const struct focus_background *bg, const float *planes, float *score)
{
	for (int y = 0; y < FOCUS_HEIGHT; y++) {
		for (int x = 0; x < FOCUS_WIDTH; x++) {
			int i = y * FOCUS_WIDTH + x;
			float least = max_score;
			for (int at = 0; at < 9; at++) {
				int j = clamp(y + at / 3 - 1, FOCUS_HEIGHT) * FOCUS_WIDTH +
					clamp(x + at % 3 - 1, FOCUS_WIDTH);
				float sum = 0;
				for (int c = 0; c < 3; c++)
					sum += fabsf(planes[c * N + i] - bg->median[c * N + j]) / bg->usual[c * N + j];
				least = fminf(least, sum / 3);
			}
			score[i] = least;
		}
	}
}

/*
 * Sums of the scores that are left after smoothing over 3 x 3 and taking off what is usual: sums[y][x] is that of all
 * pixels above and left of (x, y). Shapes: sums [97][129].
 */
static void sum_scores(const float *score, double *sums)
{
	const int stride = FOCUS_WIDTH + 1;
	for (int y = 0; y < FOCUS_HEIGHT; y++) {
		double row = 0;
		for (int x = 0; x < FOCUS_WIDTH; x++) {
			float mean = 0;
			for (int at = 0; at < 9; at++)
				mean += score[clamp(y + at / 3 - 1, FOCUS_HEIGHT) * FOCUS_WIDTH +
							clamp(x + at % 3 - 1, FOCUS_WIDTH)] /
					9;
			row += fmaxf(mean - usual_score, 0);
			sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1] + row;
		}
	}
}

/* Of all squares of eight sizes the one with the largest sum a side: a larger one must hold more. */
static bool best_square(
	const double *sums, double aspect, int *best_x, int *best_y, int *best_w, int *best_h)
{
	static const int heights[] = {10, 14, 20, 28, 40, 56, 76, 96};
	const int stride = FOCUS_WIDTH + 1;
	double best = 0;
	for (size_t k = 0; k < sizeof heights / sizeof *heights; k++) {
		int h = heights[k];
		int w = (int)lround(h / aspect * FOCUS_WIDTH / FOCUS_HEIGHT);
		if (w < 1 || w > FOCUS_WIDTH)
			continue;
		for (int y = 0; y + h <= FOCUS_HEIGHT; y += h / 8 + 1) {
			for (int x = 0; x + w <= FOCUS_WIDTH; x += w / 8 + 1) {
				double sum = sums[(y + h) * stride + x + w] - sums[y * stride + x + w] -
					sums[(y + h) * stride + x] + sums[y * stride + x];
				if (sum / h > best) {
					best = sum / h;
					*best_x = x;
					*best_y = y;
					*best_w = w;
					*best_h = h;
				}
			}
		}
	}
	return best > 1e-6;
}

/* A stretch of the given length about a centre, moved to lie within [0, 1]. */
static void place(double centre, double length, double *from, double *extent)
{
	*extent = fmin(length, 1);
	*from = fmin(fmax(centre - *extent / 2, 0), 1 - *extent);
}

bool focus_find(const struct focus_background *background, const uint8_t *rgb, double aspect,
	struct focus_window *out)
{
	float *planes = xmalloc((size_t)4 * N * sizeof *planes), *score = planes + 3 * N;
	double *sums = xcalloc((FOCUS_WIDTH + 1) * (FOCUS_HEIGHT + 1), sizeof *sums);
	int x = 0, y = 0, w = 0, h = 0;
	fit(rgb, background->median, planes);
	score_pixels(background, planes, score);
	sum_scores(score, sums);
	bool found = best_square(sums, aspect, &x, &y, &w, &h);
	if (found) {
		double height = fmin(fmax(margin * h / FOCUS_HEIGHT, min_side), fmin(1, aspect));
		place((x + w / 2.0) / FOCUS_WIDTH, height / aspect, &out->x, &out->width);
		place((y + h / 2.0) / FOCUS_HEIGHT, height, &out->y, &out->height);
	}
	free(planes);
	free(sums);
	return found;
}
