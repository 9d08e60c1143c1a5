/*
 * L-BFGS on softmax regression. Products over rows are in single precision, by oneDNN, in fixed pieces whose sums are added in
 * order and in double precision, so the number of threads does not change a bit of the result; the search is in double.
 */
#include "head.h"

#include "backend_onednn_gemm.h"
#include "head_curvature.h"
#include "net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY 10     /* pairs that approximate the curvature */
#define PIECES 16     /* of the rows, for threads */
#define BLOCK 128     /* rows of a product: their logits stay in the cache */
#define ROUNDING 1e-7 /* of the loss, whose rows are in single precision */
#define MAX_HALVINGS 20
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
	double mean_weight;
	int n_vars;          /* k d + k: V = s W, then the bias */
	double *piece_slope; /* [PIECES][n_vars] */
	double piece_loss[PIECES];
	float *vars;        /* [n_vars], single */
	float *logits;      /* [PIECES][BLOCK][k] */
	float *block_slope; /* [PIECES][k][d] */
};

/*
 * Softmax in place of the logits, then minus the target, times share: the loss' slope. Returns the row's loss. Single
 * precision but for the sums: exponentials of 32 bits at once are what this costs.
 * Shapes: z, bias, target [k].
 */
VECTORISED static double row_slope(
	float *z, const float *bias, const float *target, float share, int k)
{
	float top = -INFINITY, sum = 0;
#pragma omp simd reduction(max : top)
	for (int c = 0; c < k; c++) {
		z[c] += bias[c];
		top = z[c] > top ? z[c] : top;
	}
	float inside = 0;
#pragma omp simd reduction(+ : inside)
	for (int c = 0; c < k; c++) {
		z[c] -= top;
		inside += target[c] * z[c];
	}
	/* exp by 2^n times a polynomial (Cody and Waite's reduction; Cephes' coefficients), which vectorises. */
#pragma omp simd reduction(+ : sum)
	for (int c = 0; c < k; c++) {
		float x = z[c] < -87 ? -87 : z[c];
		int32_t n = (int32_t)(x * 1.44269504f - 0.5f);
		float r = x - (float)n * 0.693359375f + (float)n * 2.12194440e-4f;
		float p = 1.9875691500e-4f;
		p = p * r + 1.3981999507e-3f;
		p = p * r + 8.3334519073e-3f;
		p = p * r + 4.1665795894e-2f;
		p = p * r + 1.6666665459e-1f;
		p = p * r + 5.0000001201e-1f;
		p = p * r * r + r + 1;
		union {
			int32_t bits;
			float value;
		} power = {.bits = (n + 127) << 23};
		z[c] = p * power.value;
		sum += z[c];
	}
	float over = 1 / sum;
#pragma omp simd
	for (int c = 0; c < k; c++)
		z[c] = share * (z[c] * over - target[c]);
	return (double)share * (log((double)sum) - (double)inside);
}

/* One piece of the rows, block by block: logits, their slopes, and what these do to the weights. */
static enum status piece(struct fit *f, const float *vars, int which, struct err *err)
{
	const struct head_problem *p = f->p;
	size_t d = (size_t)p->d, k = (size_t)p->k;
	int first = (int)((int64_t)p->n * which / PIECES),
		last = (int)((int64_t)p->n * (which + 1) / PIECES);
	double *slope = f->piece_slope + (size_t)which * (size_t)f->n_vars, *bias = slope + k * d;
	float *z = f->logits + (size_t)which * BLOCK * k, *sum = f->block_slope + (size_t)which * k * d;
	enum status st = OK;
	memset(slope, 0, (size_t)f->n_vars * sizeof *slope);
	memset(sum, 0, k * d * sizeof *sum);
	f->piece_loss[which] = 0;
	for (int i = first; i < last && !st; i += BLOCK) {
		int n = last - i < BLOCK ? last - i : BLOCK;
		const float *x = f->x + (size_t)i * d;
		st = gemm_run(
			&(struct gemm){.m = n, .n = p->k, .k = p->d, .a = x, .b = vars, .b_across = 1, .c = z},
			err);
		for (int t = 0; t < n && !st; t++) {
			f->piece_loss[which] += row_slope(z + (size_t)t * k, vars + k * d,
				p->target + (size_t)(i + t) * k, (float)((double)p->weight[i + t] / f->mean_weight),
				p->k);
			for (size_t c = 0; c < k; c++)
				bias[c] += (double)z[(size_t)t * k + c];
		}
		if (!st)
			st = gemm_run(&(struct gemm){.m = p->k,
							  .n = p->d,
							  .k = n,
							  .a = z,
							  .a_across = 1,
							  .b = x,
							  .c = sum,
							  .beta = i > first},
				err);
	}
	for (size_t j = 0; j < k * d; j++)
		slope[j] = (double)sum[j];
	return st;
}

/* The rows' part has weights around 1 while it is summed in single precision; over n it is the mean. */
static enum status objective(
	struct fit *f, const double *vars, double *slope, double *loss, struct err *err)
{
	size_t n_weights = (size_t)f->p->k * (size_t)f->p->d;
	struct err whys[PIECES] = {0};
	for (int j = 0; j < f->n_vars; j++)
		f->vars[j] = (float)vars[j];
#pragma omp parallel for schedule(dynamic)
	for (int i = 0; i < PIECES; i++)
		whys[i].status = piece(f, f->vars, i, &whys[i]);
	*loss = 0;
	memset(slope, 0, (size_t)f->n_vars * sizeof *slope);
	for (int i = 0; i < PIECES; i++) {
		if (whys[i].status)
			return err_set(err, whys[i].status, "%s", whys[i].text);
		*loss += f->piece_loss[i] / f->p->n;
		for (int j = 0; j < f->n_vars; j++)
			slope[j] += f->piece_slope[(size_t)i * (size_t)f->n_vars + (size_t)j] / f->p->n;
	}
	for (size_t j = 0; j < n_weights; j++) {
		*loss += f->p->l2 / 2 * vars[j] * vars[j];
		slope[j] += f->p->l2 * vars[j];
	}
	return OK;
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

/* The last MEMORY steps and how the slope changed along them; gamma fits the curvature's guess to the last one. */
struct history {
	int n;
	double *step[MEMORY], *change[MEMORY], rho[MEMORY], gamma;
	double *solved; /* [n_vars], room */
	struct curvature *curvature;
};

/* The quasi-Newton direction (Nocedal & Wright, algorithm 7.4). */
static enum status direction(
	const struct fit *f, const struct history *h, const double *slope, double *out, struct err *err)
{
	int n = f->n_vars;
	double alpha[MEMORY];
	for (int i = 0; i < n; i++)
		out[i] = -slope[i];
	for (int m = h->n - 1; m >= 0; m--) {
		alpha[m] = h->rho[m] * dot(h->step[m], out, n);
		for (int i = 0; i < n; i++)
			out[i] -= alpha[m] * h->change[m][i];
	}
	enum status status = curvature_solve(h->curvature, out, f->p->k, out, err);
	for (int i = 0; i < n && h->n > 0; i++)
		out[i] *= h->gamma;
	for (int m = 0; m < h->n; m++) {
		double beta = h->rho[m] * dot(h->change[m], out, n);
		for (int i = 0; i < n; i++)
			out[i] += (alpha[m] - beta) * h->step[m][i];
	}
	return status;
}

/* Takes a step into the history when the curvature along it is positive, as it is but for rounding. */
static enum status remember(const struct fit *f, struct history *h, const double *step,
	const double *change, struct err *err)
{
	int n = f->n_vars;
	double curvature = dot(step, change, n);
	if (curvature <= 1e-12 * dot(change, change, n))
		return OK;
	memcpy(h->solved, change, (size_t)n * sizeof *change);
	enum status status = curvature_solve(h->curvature, change, f->p->k, h->solved, err);
	h->gamma = curvature / dot(change, h->solved, n);
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
	return status;
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
	h.solved = xmalloc(bytes);
	double loss = 0;
	int iteration = 0;
	status = curvature_new(f->x, f->p->n, f->p->d, 1.0 / f->p->k, f->p->l2, &h.curvature, err);
	if (!status)
		status = objective(f, vars, slope, &loss, err);
	while (!status && iteration < f->p->max_iterations && largest(slope, n) > SMALL) {
		status = direction(f, &h, slope, way, err);
		double descent = dot(way, slope, n), next,
			   length = h.n || h.curvature ? 1 : 1 / (1 + largest(slope, n));
		int halvings = 0;
		for (; !status;
			 halvings++, length /= 2) { /* Armijo, with the rounding of the loss allowed for */
			for (int i = 0; i < n; i++)
				trial[i] = vars[i] + length * way[i];
			status = objective(f, trial, trial_slope, &next, err);
			if (status || next <= loss + 1e-4 * length * descent + ROUNDING * fabs(loss) ||
				halvings == MAX_HALVINGS)
				break;
		}
		if (status || halvings == MAX_HALVINGS)
			break; /* as low as rounding lets it go */
		for (int i = 0; i < n; i++) {
			step[i] = trial[i] - vars[i];
			change[i] = trial_slope[i] - slope[i];
		}
		status = remember(f, &h, step, change, err);
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
	curvature_free(h.curvature);
	free(h.solved);
	free(slope);
	free(way);
	free(trial);
	free(trial_slope);
	free(step);
	free(change);
	return status;
}

/* Sums over pieces in the order of pieces, as everywhere here. */
static void scale_features(struct fit *f)
{
	const struct head_problem *p = f->p;
	size_t d = (size_t)p->d;
	double *sums = f->piece_slope, squares[PIECES] = {0}, square = 0;
#pragma omp parallel for schedule(dynamic)
	for (int w = 0; w < PIECES; w++) {
		double *sum = sums + (size_t)w * d;
		memset(sum, 0, d * sizeof *sum);
		for (int64_t i = (int64_t)p->n * w / PIECES; i < (int64_t)p->n * (w + 1) / PIECES; i++)
			for (size_t j = 0; j < d; j++)
				sum[j] += (double)p->x[(size_t)i * d + j];
	}
	for (int w = 0; w < PIECES; w++)
		for (size_t j = 0; j < d; j++)
			f->centre[j] += sums[(size_t)w * d + j] / p->n;
#pragma omp parallel for schedule(dynamic)
	for (int w = 0; w < PIECES; w++) {
		for (int64_t i = (int64_t)p->n * w / PIECES; i < (int64_t)p->n * (w + 1) / PIECES; i++)
			for (size_t j = 0; j < d; j++) {
				double off = (double)p->x[(size_t)i * d + j] - f->centre[j];
				squares[w] += off * off;
			}
	}
	for (int w = 0; w < PIECES; w++)
		square += squares[w];
	f->scale = square > 0 ? sqrt(square / ((double)p->n * (double)d)) : 1;
#pragma omp parallel for schedule(static)
	for (int i = 0; i < p->n; i++) {
		for (size_t j = 0; j < d; j++)
			f->x[(size_t)i * d + j] = (float)(((double)p->x[(size_t)i * d + j] - f->centre[j]) /
				f->scale);
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
		f.mean_weight += (double)p->weight[i] / p->n;
	}
	size_t d = (size_t)p->d, k = (size_t)p->k;
	f.n_vars = (int)(k * d + k);
	f.x = malloc((size_t)p->n * d * sizeof *f.x);
	f.piece_slope = malloc(PIECES * (size_t)f.n_vars * sizeof *f.piece_slope);
	f.vars = xmalloc((size_t)f.n_vars * sizeof *f.vars);
	f.logits = malloc(PIECES * BLOCK * k * sizeof *f.logits);
	f.block_slope = malloc(PIECES * k * d * sizeof *f.block_slope);
	f.centre = xcalloc(d, sizeof *f.centre);
	double *vars = xcalloc((size_t)f.n_vars, sizeof *vars);
	enum status status = OK;
	if (!f.x || !f.piece_slope || !f.logits || !f.block_slope) {
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
	free(f.vars);
	free(f.logits);
	free(f.block_slope);
	free(f.centre);
	return status;
}
