/* P = L L' by Cholesky, and M = L^-1, so that a solution is two matrix products: x M' M. Single precision does: it is a guess. */
#include "head_curvature.h"

#include "backend_onednn_gemm.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_A_FEATURE = 4, PIECES = 8 /* for threads, always as many */ };

struct curvature {
	int d;
	double share;
	float *inverse;  /* [d][d], M: 0 above the diagonal */
	float *in, *out; /* [k][d], grown when wanted */
	int k;
};

static int first_of(int n, int piece)
{
	return (int)((int64_t)n * piece / PIECES);
}

/* The lower triangle of p becomes L. False: p is not positive. */
static bool factor(float *p, int d)
{
	for (int i = 0; i < d; i++) {
		float *row = p + (size_t)i * (size_t)d;
		for (int j = 0; j <= i; j++) {
			const float *other = p + (size_t)j * (size_t)d;
			float sum = 0;
#pragma omp simd reduction(+ : sum)
			for (int m = 0; m < j; m++)
				sum += row[m] * other[m];
			if (j < i)
				row[j] = (row[j] - sum) / other[j];
			else if (!(row[i] > sum))
				return false;
			else
				row[i] = sqrtf(row[i] - sum);
		}
	}
	return true;
}

/* Shapes: l, m [d][d], lower triangles; m zeroed. */
static void invert(const float *l, int d, float *m)
{
	for (int i = 0; i < d; i++) {
		float *row = m + (size_t)i * (size_t)d;
		const float *from = l + (size_t)i * (size_t)d;
		for (int j = 0; j < i; j++) {
			const float *other = m + (size_t)j * (size_t)d;
			for (int c = 0; c <= j; c++)
				row[c] -= from[j] * other[c];
		}
		row[i] = 1;
		for (int c = 0; c <= i; c++)
			row[c] /= from[i];
	}
}

enum status curvature_new(
	const float *x, int n, int d, double share, double l2, struct curvature **out, struct err *err)
{
	int n_rows = ROWS_A_FEATURE * d;
	size_t width = (size_t)d;
	*out = NULL;
	if (n < n_rows)
		return OK;
	float *rows = malloc((size_t)n_rows * width * sizeof *rows);
	float *p = malloc(width * width * sizeof *p), *m = calloc(width * width, sizeof *m);
	enum status st = OK;
	if (!rows || !p || !m) {
		st = err_set(err, FAULT, "no memory for the curvature of %d features", d);
		goto done;
	}
	float scale = (float)sqrt(share / n_rows);
	for (int i = 0; i < n_rows; i++) {
		const float *from = x + (size_t)((int64_t)n * i / n_rows) * width;
		for (size_t j = 0; j < width; j++)
			rows[(size_t)i * width + j] = from[j] * scale;
	}
	struct err whys[PIECES] = {0};
#pragma omp parallel for schedule(dynamic)
	for (int w = 0; w < PIECES;
		 w++) { /* of the columns of the first factor, packed for the product */
		int first = first_of(d, w), n_some = first_of(d, w + 1) - first;
		float *some = xmalloc((size_t)n_rows * (size_t)n_some * sizeof *some + 1);
		for (int i = 0; i < n_rows; i++)
			memcpy(some + (size_t)i * (size_t)n_some, rows + (size_t)i * width + first,
				(size_t)n_some * sizeof *some);
		if (n_some)
			whys[w].status = gemm_run(&(struct gemm){.m = n_some,
										  .n = d,
										  .k = n_rows,
										  .a = some,
										  .a_across = 1,
										  .b = rows,
										  .c = p + (size_t)first * width},
				&whys[w]);
		free(some);
	}
	for (int w = 0; w < PIECES && !st; w++)
		if (whys[w].status)
			st = err_set(err, whys[w].status, "%s", whys[w].text);
	for (size_t j = 0; j < width && !st; j++)
		p[j * width + j] += (float)l2;
	if (st || !factor(p, d)) /* not positive, by rounding: no guess */
		goto done;
	invert(p, d, m);
	struct curvature *c = *out = xcalloc(1, sizeof *c);
	*c = (struct curvature){.d = d, .share = share, .inverse = m};
	m = NULL;
done:
	free(rows);
	free(p);
	free(m);
	return st;
}

void curvature_free(struct curvature *c)
{
	if (!c)
		return;
	free(c->inverse);
	free(c->in);
	free(c->out);
	free(c);
}

/* out = in M' M. */
static enum status solve_piece(struct curvature *c, int first, int n, struct err *err)
{
	float *in = c->in + (size_t)first * (size_t)c->d, *out = c->out + (size_t)first * (size_t)c->d;
	struct gemm product = {.m = n, .n = c->d, .k = c->d, .a = in, .b = c->inverse, .c = out};
	product.b_across = 1;
	enum status st = gemm_run(&product, err);
	product.b_across = 0;
	product.a = out;
	product.c = in;
	return st ? st : gemm_run(&product, err);
}

enum status curvature_solve(
	struct curvature *c, const double *in, int k, double *out, struct err *err)
{
	if (!c)
		return OK;
	size_t n = (size_t)k * (size_t)c->d;
	struct err whys[PIECES] = {0};
	if (c->k < k) {
		c->in = xrealloc(c->in, n * sizeof *c->in);
		c->out = xrealloc(c->out, n * sizeof *c->out);
		c->k = k;
	}
	/* Slopes become tiny near the optimum; squares of what is left of them must not vanish in single precision. */
	double top = 0;
	for (size_t j = 0; j < n; j++)
		top = fabs(in[j]) > top ? fabs(in[j]) : top;
	for (size_t j = 0; j < n; j++)
		c->in[j] = top > 0 ? (float)(in[j] / top) : 0;
#pragma omp parallel for schedule(dynamic)
	for (int w = 0; w < PIECES; w++) {
		int first = first_of(k, w), n_some = first_of(k, w + 1) - first;
		if (n_some)
			whys[w].status = solve_piece(c, first, n_some, &whys[w]);
	}
	for (int w = 0; w < PIECES; w++)
		if (whys[w].status)
			return err_set(err, whys[w].status, "%s", whys[w].text);
	for (size_t j = 0; j < n; j++)
		out[j] = (double)c->in[j] * top;
	for (size_t j = n; j < n + (size_t)k; j++)
		out[j] = in[j] / c->share;
	return OK;
}
