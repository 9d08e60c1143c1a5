/*
 * L-BFGS on softmax regression, in double precision. Sums over rows run in fixed pieces that are added in order,
 * so the number of threads does not change a bit of the result.
 */
#include "head.h"

#include "net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY 10  /* pairs that approximate the curvature */
#define PIECES 16  /* of the rows, for threads */
#define SMALL 1e-7 /* gradient component at which it has converged */

#if defined(__x86_64__)
#define VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VECTORISED
#endif

struct fit {
	const struct head_problem *p;
	float *x;       /* [n][d], centred and scaled */
	double *centre; /* [d] */
	double scale;   /* s of head.h */
	double total_weight;
	int n_vars;          /* k d + k: V = s W, then the bias */
	double *piece_slope; /* [PIECES][n_vars] */
	double piece_loss[PIECES];
};

/* z = V x + b for one row. Shapes: v [k][d]; b, z [k]; x [d]. */
VECTORISED static void row_logits(
	const double *v, const double *b, const float *x, int d, int k, double *z)
{
	int c = 0;
	for (; c + 4 <= k; c += 4) {
		const double *v0 = v + (size_t)c * (size_t)d, *v1 = v0 + d, *v2 = v1 + d, *v3 = v2 + d;
		double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
		for (int j = 0; j < d; j++) {
			double xj = (double)x[j];
			s0 += v0[j] * xj;
			s1 += v1[j] * xj;
			s2 += v2[j] * xj;
			s3 += v3[j] * xj;
		}
		z[c] = b[c] + s0;
		z[c + 1] = b[c + 1] + s1;
		z[c + 2] = b[c + 2] + s2;
		z[c + 3] = b[c + 3] + s3;
	}
	for (; c < k; c++) {
		double s = 0;
#pragma omp simd reduction(+ : s)
		for (int j = 0; j < d; j++)
			s += v[(size_t)c * (size_t)d + (size_t)j] * (double)x[j];
		z[c] = b[c] + s;
	}
}

/* slope += r x' for four rows at once. Shapes: r [4][k]; x [4][d]; slope [k][d]. */
VECTORISED static void add_outer(const double *r, const float *x, int d, int k, double *slope)
{
	const float *x0 = x, *x1 = x0 + d, *x2 = x1 + d, *x3 = x2 + d;
	for (int c = 0; c < k; c++) {
		double r0 = r[c], r1 = r[k + c], r2 = r[2 * k + c], r3 = r[3 * k + c];
		double *to = slope + (size_t)c * (size_t)d;
#pragma omp simd
		for (int j = 0; j < d; j++)
			to[j] += r0 * (double)x0[j] + r1 * (double)x1[j] + r2 * (double)x2[j] +
				r3 * (double)x3[j];
	}
}

/* Softmax in place of the logits, then minus the target, times share: the loss' slope. Returns the row's loss. */
static double row_slope(double *z, const float *target, double share, int k)
{
	double top = z[0], sum = 0, loss = 0;
	for (int c = 1; c < k; c++)
		top = z[c] > top ? z[c] : top;
	for (int c = 0; c < k; c++)
		sum += exp(z[c] - top);
	double log_sum = log(sum) + top;
	for (int c = 0; c < k; c++) {
		loss -= (double)target[c] * (z[c] - log_sum);
		z[c] = share * (exp(z[c] - log_sum) - (double)target[c]);
	}
	return share * loss;
}

static void piece(struct fit *f, const double *vars, int which)
{
	const struct head_problem *p = f->p;
	int d = p->d, k = p->k;
	int first = (int)((int64_t)p->n * which / PIECES),
		last = (int)((int64_t)p->n * (which + 1) / PIECES);
	double *slope = f->piece_slope + (size_t)which * (size_t)f->n_vars;
	double *bias = slope + (size_t)k * (size_t)d, *r = xmalloc(4 * (size_t)k * sizeof *r);
	float *pad = xcalloc(4 * (size_t)d, sizeof *pad);
	memset(slope, 0, (size_t)f->n_vars * sizeof *slope);
	f->piece_loss[which] = 0;
	for (int i = first; i < last; i += 4) {
		int n = last - i < 4 ? last - i : 4;
		const float *x = f->x + (size_t)i * (size_t)d;
		memset(r, 0, 4 * (size_t)k * sizeof *r);
		for (int t = 0; t < n; t++) {
			double *z = r + t * k;
			row_logits(vars, vars + (size_t)k * (size_t)d, x + (size_t)t * (size_t)d, d, k, z);
			f->piece_loss[which] += row_slope(z, p->target + (size_t)(i + t) * (size_t)k,
				(double)p->weight[i + t] / f->total_weight, k);
			for (int c = 0; c < k; c++)
				bias[c] += z[c];
		}
		if (n < 4) { /* the missing rows are zero, and so is their r */
			memcpy(pad, x, (size_t)n * (size_t)d * sizeof *pad);
			x = pad;
		}
		add_outer(r, x, d, k, slope);
	}
	free(pad);
	free(r);
}

static double objective(struct fit *f, const double *vars, double *slope)
{
	double loss = 0;
	size_t n_weights = (size_t)f->p->k * (size_t)f->p->d;
#pragma omp parallel for schedule(dynamic)
	for (int i = 0; i < PIECES; i++)
		piece(f, vars, i);
	memset(slope, 0, (size_t)f->n_vars * sizeof *slope);
	for (int i = 0; i < PIECES; i++) {
		loss += f->piece_loss[i];
		for (int j = 0; j < f->n_vars; j++)
			slope[j] += f->piece_slope[(size_t)i * (size_t)f->n_vars + (size_t)j];
	}
	for (size_t j = 0; j < n_weights; j++) {
		loss += f->p->l2 / 2 * vars[j] * vars[j];
		slope[j] += f->p->l2 * vars[j];
	}
	return loss;
}

static double dot(const double *a, const double *b, int n)
{
	double sum = 0;
	for (int i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static double largest(const double *a, int n)
{
	double top = 0;
	for (int i = 0; i < n; i++)
		top = fabs(a[i]) > top ? fabs(a[i]) : top;
	return top;
}

/* The last MEMORY steps and how the slope changed along them. */
struct history {
	int n;
	double *step[MEMORY], *change[MEMORY], rho[MEMORY];
};

/* The quasi-Newton direction (Nocedal & Wright, algorithm 7.4). */
static void direction(const struct history *h, const double *slope, int n, double *out)
{
	double alpha[MEMORY];
	for (int i = 0; i < n; i++)
		out[i] = -slope[i];
	for (int m = h->n - 1; m >= 0; m--) {
		alpha[m] = h->rho[m] * dot(h->step[m], out, n);
		for (int i = 0; i < n; i++)
			out[i] -= alpha[m] * h->change[m][i];
	}
	if (h->n > 0) {
		int m = h->n - 1;
		double scale = 1 / (h->rho[m] * dot(h->change[m], h->change[m], n));
		for (int i = 0; i < n; i++)
			out[i] *= scale;
	}
	for (int m = 0; m < h->n; m++) {
		double beta = h->rho[m] * dot(h->change[m], out, n);
		for (int i = 0; i < n; i++)
			out[i] += (alpha[m] - beta) * h->step[m][i];
	}
}

/* Takes a step into the history when the curvature along it is positive, as it is but for rounding. */
static void remember(struct history *h, const double *step, const double *change, int n)
{
	double curvature = dot(step, change, n);
	if (curvature <= 1e-12 * dot(change, change, n))
		return;
	if (h->n == MEMORY) {
		double *s = h->step[0], *c = h->change[0];
		memmove(h->step, h->step + 1, (MEMORY - 1) * sizeof *h->step);
		memmove(h->change, h->change + 1, (MEMORY - 1) * sizeof *h->change);
		memmove(h->rho, h->rho + 1, (MEMORY - 1) * sizeof *h->rho);
		h->step[MEMORY - 1] = s;
		h->change[MEMORY - 1] = c;
		h->n--;
	}
	memcpy(h->step[h->n], step, (size_t)n * sizeof *step);
	memcpy(h->change[h->n], change, (size_t)n * sizeof *change);
	h->rho[h->n++] = 1 / curvature;
}

/* Minimises from vars, in place. */
static enum status minimise(
	struct fit *f, double *vars, struct head_report *report, struct err *err)
{
	int n = f->n_vars;
	size_t bytes = (size_t)n * sizeof(double);
	double *slope = xmalloc(bytes), *way = xmalloc(bytes), *trial = xmalloc(bytes);
	double *trial_slope = xmalloc(bytes), *step = xmalloc(bytes), *change = xmalloc(bytes);
	struct history h = {0};
	enum status status = OK;
	for (int m = 0; m < MEMORY; m++) {
		h.step[m] = xmalloc(bytes);
		h.change[m] = xmalloc(bytes);
	}
	double loss = objective(f, vars, slope);
	int iteration = 0;
	while (iteration < f->p->max_iterations && largest(slope, n) > SMALL) {
		direction(&h, slope, n, way);
		double descent = dot(way, slope, n), length = h.n ? 1 : 1 / (1 + largest(slope, n)), next;
		int halvings = 0;
		for (;; halvings++, length /= 2) { /* Armijo, with the rounding of the loss allowed for */
			for (int i = 0; i < n; i++)
				trial[i] = vars[i] + length * way[i];
			next = objective(f, trial, trial_slope);
			if (next <= loss + 1e-4 * length * descent + 1e-15 * fabs(loss) || halvings == 40)
				break;
		}
		if (halvings == 40)
			break; /* as low as rounding lets it go */
		for (int i = 0; i < n; i++) {
			step[i] = trial[i] - vars[i];
			change[i] = trial_slope[i] - slope[i];
		}
		remember(&h, step, change, n);
		memcpy(vars, trial, bytes);
		memcpy(slope, trial_slope, bytes);
		loss = next;
		iteration++;
		if (f->p->progress && f->p->progress(f->p->arg, iteration, loss)) {
			status = err_set(err, CONFLICT, "stopped");
			break;
		}
	}
	*report = (struct head_report){iteration, loss, largest(slope, n)};
	for (int m = 0; m < MEMORY; m++) {
		free(h.step[m]);
		free(h.change[m]);
	}
	free(slope);
	free(way);
	free(trial);
	free(trial_slope);
	free(step);
	free(change);
	return status;
}

static void scale_features(struct fit *f)
{
	const struct head_problem *p = f->p;
	size_t n = (size_t)p->n, d = (size_t)p->d;
	double square = 0;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < d; j++)
			f->centre[j] += (double)p->x[i * d + j] / (double)n;
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < d; j++)
			square += pow((double)p->x[i * d + j] - f->centre[j], 2);
	}
	f->scale = square > 0 ? sqrt(square / (double)(n * d)) : 1;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < d; j++)
			f->x[i * d + j] = (float)(((double)p->x[i * d + j] - f->centre[j]) / f->scale);
	}
}

enum status head_fit(const struct head_problem *p, float *w_out, float *b_out,
	struct head_report *report, struct err *err)
{
	struct fit f = {.p = p};
	if (p->n < 1 || p->d < 1 || p->k < 1 || !(p->l2 > 0) || p->k > NET_MAX_CLASSES || p->d > 65536)
		return err_set(err, BAD_INPUT,
			"%d rows of %d features, %d classes, l2 %g: all must be above 0", p->n, p->d, p->k,
			p->l2);
	for (int i = 0; i < p->n; i++) {
		if (!(p->weight[i] > 0 && isfinite(p->weight[i])))
			return err_set(err, BAD_INPUT, "row %d has weight %g", i, (double)p->weight[i]);
		f.total_weight += (double)p->weight[i];
	}
	size_t d = (size_t)p->d, k = (size_t)p->k;
	f.n_vars = (int)(k * d + k);
	f.x = malloc((size_t)p->n * d * sizeof *f.x);
	f.piece_slope = malloc(PIECES * (size_t)f.n_vars * sizeof *f.piece_slope);
	f.centre = xcalloc(d, sizeof *f.centre);
	double *vars = xcalloc((size_t)f.n_vars, sizeof *vars);
	enum status status = OK;
	if (!f.x || !f.piece_slope) {
		status = err_set(err, FAULT, "no memory for %d rows of %d features", p->n, p->d);
		goto done;
	}
	scale_features(&f);
	status = minimise(&f, vars, report, err);
	for (size_t c = 0; c < k; c++) {
		double bias = vars[k * d + c];
		for (size_t j = 0; j < d; j++) {
			w_out[c * d + j] = (float)(vars[c * d + j] / f.scale);
			bias -= vars[c * d + j] / f.scale * f.centre[j];
		}
		b_out[c] = (float)bias;
	}
done:
	free(vars);
	free(f.x);
	free(f.piece_slope);
	free(f.centre);
	return status;
}
