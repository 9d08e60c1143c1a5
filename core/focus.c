/* Median backgrounds, and the window that differs from them (focus.h). Figures: docs/model.md, "Where to look". */
#include "focus.h"

#include "status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	N = FOCUS_WIDTH * FOCUS_HEIGHT,
	N_SAMPLE = 41,
	N_PASSES = 3,
	N_SHIFTS =
		4, /* steps towards the right shift, at most, on blurred and on sharp pictures each */
	BLUR = 3,
	STEP = 2, /* fits look at every second pixel of every second row */
	EDGE = 5  /* pixels at the border that a shift may leave without a counterpart */
};

/* A pixel's difference is measured in its usual deviation plus this many levels (of 255): sensor noise. */
static const float noise_levels = 4;
static const float usual_score = 0.5F; /* what grass and noise reach; it does not count */
static const float max_score = 8;
static const double size_cost = 0.85;
static const double usual_side = 20; /* of a square, pixels: where the strength is the sum a side */
static const double margin = 1.5;    /* the window's side over that of what differs */
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

static int clamp(int i, int n)
{
	return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* A value of a plane between its pixels. */
static float at_point(const float *plane, float x, float y)
{
	x = fminf(fmaxf(x, 0), FOCUS_WIDTH - 1.001F);
	y = fminf(fmaxf(y, 0), FOCUS_HEIGHT - 1.001F);
	int i = (int)x, j = (int)y;
	float u = x - (float)i, v = y - (float)j;
	const float *p = plane + j * FOCUS_WIDTH + i, *q = p + FOCUS_WIDTH;
	return (p[0] * (1 - u) + p[1] * u) * (1 - v) + (q[0] * (1 - u) + q[1] * u) * v;
}

static void shift_plane(const float *in, double dx, double dy, float *out)
{
	for (int y = 0; y < FOCUS_HEIGHT; y++)
		for (int x = 0; x < FOCUS_WIDTH; x++)
			out[y * FOCUS_WIDTH + x] = at_point(in, (float)(x + dx), (float)(y + dy));
}

/* What differs by ten levels counts half: an animal is not to pull the fit. */
static float fit_weight(float off)
{
	return 1 / (1 + off * off / 100);
}

/* The line a + b x that brings a channel closest to the background's. */
static void fit_light(const float *x, const float *y, double *a, double *b)
{
	*a = 0;
	*b = 1;
	for (int round = 0; round < 4; round++) {
		double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
		for (int j = EDGE; j < FOCUS_HEIGHT - EDGE; j += STEP) {
			for (int i = j * FOCUS_WIDTH + EDGE; i < (j + 1) * FOCUS_WIDTH - EDGE; i += STEP) {
				float w = round ? fit_weight((float)(*a + *b * x[i]) - y[i]) : 1;
				n += w;
				sx += w * x[i];
				sy += w * y[i];
				sxx += w * x[i] * x[i];
				sxy += w * x[i] * y[i];
			}
		}
		double spread = n * sxx - sx * sx;
		*b = spread > 1e-6 ? fmin(fmax((n * sxy - sx * sy) / spread, 0.3), 4) : 1;
		*a = (sy - *b * sx) / n;
	}
}

static double held(double v, double most)
{
	return fmin(fmax(v, -most), most);
}

/* One step of Lucas and Kanade's: the shift that best explains what is left between lit and the background. */
static void shift_step(
	const float *grey, const float *median, double a, double b, double *ux, double *uy)
{
	double xx = 1e-3, xy = 0, yy = 1e-3, ex = 0, ey = 0;
	for (int y = EDGE; y < FOCUS_HEIGHT - EDGE; y += STEP) {
		for (int x = EDGE; x < FOCUS_WIDTH - EDGE; x += STEP) {
			const float *p = grey + y * FOCUS_WIDTH + x;
			float gx = (float)b * (p[1] - p[-1]) / 2;
			float gy = (float)b * (p[FOCUS_WIDTH] - p[-FOCUS_WIDTH]) / 2;
			float off = median[y * FOCUS_WIDTH + x] - (float)(a + b * *p), w = fit_weight(off);
			xx += w * gx * gx;
			xy += w * gx * gy;
			yy += w * gy * gy;
			ex += w * gx * off;
			ey += w * gy * off;
		}
	}
	double spread = xx * yy - xy * xy;
	*ux = spread > 1e-6 ? held((yy * ex - xy * ey) / spread, 1) : 0;
	*uy = spread > 1e-6 ? held((xx * ey - xy * ex) / spread, 1) : 0;
}

static void to_grey(const float *planes, float *grey)
{
	for (int i = 0; i < N; i++)
		grey[i] = (planes[i] + planes[N + i] + planes[2 * N + i]) / 3;
}

/* The mean over (2 BLUR + 1)^2 pixels, those beyond the border as the last. */
static void blur(const float *in, float *out)
{
	float *rows = xmalloc(N * sizeof *rows);
	for (int y = 0; y < FOCUS_HEIGHT; y++) {
		for (int x = 0; x < FOCUS_WIDTH; x++) {
			float sum = 0;
			for (int d = -BLUR; d <= BLUR; d++)
				sum += in[y * FOCUS_WIDTH + clamp(x + d, FOCUS_WIDTH)];
			rows[y * FOCUS_WIDTH + x] = sum / (2 * BLUR + 1);
		}
	}
	for (int y = 0; y < FOCUS_HEIGHT; y++) {
		for (int x = 0; x < FOCUS_WIDTH; x++) {
			float sum = 0;
			for (int d = -BLUR; d <= BLUR; d++)
				sum += rows[clamp(y + d, FOCUS_HEIGHT) * FOCUS_WIDTH + x];
			out[y * FOCUS_WIDTH + x] = sum / (2 * BLUR + 1);
		}
	}
	free(rows);
}

static void find_shift(const float *grey, const float *goal, double *dx, double *dy)
{
	float *shifted = xmalloc(N * sizeof *shifted);
	double a, b, ux = 1, uy = 1;
	for (int step = 0; step < N_SHIFTS && fabs(ux) + fabs(uy) > 0.02; step++) {
		shift_plane(grey, *dx, *dy, shifted);
		fit_light(shifted, goal, &a, &b);
		shift_step(shifted, goal, a, b, &ux, &uy);
		*dx = held(*dx + ux, EDGE);
		*dy = held(*dy + uy, EDGE);
	}
	free(shifted);
}

/* A photograph shifted and lit as the background is. Shapes: planes [3][N]. Units: dx, dy pixels, at most EDGE. */
static void fit(const uint8_t *rgb, const float *median, float *planes, double *dx, double *dy)
{
	float *raw = xmalloc((size_t)7 * N * sizeof *raw);
	float *grey = raw + 3 * N, *goal = grey + N, *soft = goal + N, *soft_goal = soft + N;
	double a, b;
	to_planes(rgb, raw);
	to_grey(raw, grey);
	to_grey(median, goal);
	*dx = *dy = 0;
	/* blurred first: among blades of grass the right shift is one of many that look right from near */
	blur(grey, soft);
	blur(goal, soft_goal);
	find_shift(soft, soft_goal, dx, dy);
	find_shift(grey, goal, dx, dy);
	for (int c = 0; c < 3; c++) {
		float *plane = planes + c * N;
		shift_plane(raw + c * N, *dx, *dy, plane);
		fit_light(plane, median + c * N, &a, &b);
		for (int i = 0; i < N; i++)
			plane[i] = (float)(a + b * plane[i]);
	}
	free(raw);
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
			double dx, dy;
			if (pass == 0)
				to_planes(rgb, planes + (size_t)s * 3 * N);
			else
				fit(rgb, bg->median, planes + (size_t)s * 3 * N, &dx, &dy);
		}
		for (int i = 0; i < 3 * N; i++) {
			for (int s = 0; s < n_sample; s++)
				v[s] = planes[(size_t)s * 3 * N + (size_t)i];
			bg->median[i] = kth(v, n_sample, n_sample / 2);
		}
	}
	for (int i = 0; i < 3 * N; i++) {
		for (int s = 0; s < n_sample; s++)
			v[s] = fabsf(planes[(size_t)s * 3 * N + (size_t)i] - bg->median[i]);
		bg->usual[i] = 1.4826F * kth(v, n_sample, n_sample / 2) + noise_levels;
	}
	free(planes);
	return bg;
}

void focus_background_free(struct focus_background *background)
{
	free(background);
}

/* How unusual each pixel is: its least difference from the background at its place or beside it. */
static void score_pixels(const struct focus_background *bg, const float *planes, float *score)
{
	memset(score, 0, N * sizeof *score);
	for (int y = EDGE; y < FOCUS_HEIGHT - EDGE; y++) {
		for (int x = EDGE; x < FOCUS_WIDTH - EDGE; x++) {
			int i = y * FOCUS_WIDTH + x;
			float least = max_score;
			for (int at = 0; at < 9; at++) {
				int j = i + (at / 3 - 1) * FOCUS_WIDTH + at % 3 - 1;
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
 * pixels above and left of (x, y). Shapes: sums [145][193].
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

/* In pixels of FOCUS_WIDTH x FOCUS_HEIGHT. */
struct square {
	int x, y, w, h;
	double strength;
};

/*
 * Of all squares of eight sizes the one with the largest sum over its side to the power of size_cost: a larger one must
 * hold more. At 1 a part of a long animal would do as well as all of it.
 */
static struct square best_square(const double *sums, double aspect)
{
	static const int heights[] = {15, 21, 30, 42, 60, 84, 114, 144};
	const int stride = FOCUS_WIDTH + 1;
	struct square best = {FOCUS_WIDTH / 2, FOCUS_HEIGHT / 2, 0, 0, 0};
	for (size_t k = 0; k < sizeof heights / sizeof *heights; k++) {
		int h = heights[k];
		int w = (int)lround(h / aspect * FOCUS_WIDTH / FOCUS_HEIGHT);
		if (w < 1 || w > FOCUS_WIDTH)
			continue;
		double cost = usual_side * pow(h / usual_side, size_cost);
		for (int y = 0; y + h <= FOCUS_HEIGHT; y += h / 8 + 1) {
			for (int x = 0; x + w <= FOCUS_WIDTH; x += w / 8 + 1) {
				double sum = sums[(y + h) * stride + x + w] - sums[y * stride + x + w] -
					sums[(y + h) * stride + x] + sums[y * stride + x];
				if (sum / cost > best.strength)
					best = (struct square){x, y, w, h, sum / cost};
			}
		}
	}
	return best;
}

/* A stretch of the given length about a centre, moved to lie within [0, 1]. */
static void place(double centre, double length, double *from, double *extent)
{
	*extent = fmin(length, 1);
	*from = fmin(fmax(centre - *extent / 2, 0), 1 - *extent);
}

struct focus_window focus_find(
	const struct focus_background *background, const uint8_t *rgb, double aspect)
{
	float *planes = xmalloc((size_t)4 * N * sizeof *planes), *score = planes + 3 * N;
	double *sums = xcalloc((FOCUS_WIDTH + 1) * (FOCUS_HEIGHT + 1), sizeof *sums);
	double dx, dy;
	struct focus_window out;
	fit(rgb, background->median, planes, &dx, &dy);
	score_pixels(background, planes, score);
	sum_scores(score, sums);
	struct square best = best_square(sums, aspect);
	double height = fmin(fmax(margin * best.h / FOCUS_HEIGHT, min_side), fmin(1, aspect));
	place((best.x + best.w / 2.0 + dx) / FOCUS_WIDTH, height / aspect, &out.x, &out.width);
	place((best.y + best.h / 2.0 + dy) / FOCUS_HEIGHT, height, &out.y, &out.height);
	out.strength = best.strength;
	free(planes);
	free(sums);
	return out;
}
