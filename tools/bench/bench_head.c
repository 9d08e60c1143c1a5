/*
 * bench_head FILE: milliseconds to fit a head to 50,000 synthetic embeddings of 512 features and 54 classes. First the optimum is
 * found, untimed; the time is that of a fit which ends when its loss is within 1e-4 of it, relative. FILE gets the data
 * and that loss, for a peer to reach the same (tests/peer/sklearn_head.py).
 */
#include "head.h"
#include "measure.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 50000, D = 512, K = 54 };

static const double l2 = 1e-3, tolerance = 1e-4;

static double uniform(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static double normal(uint64_t *state)
{
	double radius = sqrt(-2 * log(1 - uniform(state)));
	return radius * cos(2 * M_PI * uniform(state));
}

/* What a pooled layer gives: not negative, features of unlike size, classes that overlap and are unlike in number. */
static void make(float *x, float *target, int32_t *label)
{
	static double centre[K][D], size[D];
	uint64_t state = 7;
	for (int j = 0; j < D; j++)
		size[j] = exp(0.7 * normal(&state));
	for (int c = 0; c < K; c++)
		for (int j = 0; j < D; j++)
			centre[c][j] = 0.35 * normal(&state);
	for (int i = 0; i < N; i++) {
		label[i] = (int32_t)(K * pow(uniform(&state), 2));
		target[(size_t)i * K + (size_t)label[i]] = 1;
		for (int j = 0; j < D; j++)
			x[(size_t)i * D + (size_t)j] = (float)(size[j] *
				fmax(0, 0.5 + centre[label[i]][j] + normal(&state)));
	}
}

static int is_reached(void *arg, int iteration, double loss)
{
	(void)iteration;
	return loss <= *(double *)arg;
}

int main(int argc, char **argv)
{
	float *x = calloc((size_t)N * D, sizeof *x), *target = calloc((size_t)N * K, sizeof *target);
	float *weight = calloc(N, sizeof *weight), *w = calloc((size_t)K * D, sizeof *w), b[K];
	int32_t *label = calloc(N, sizeof *label);
	struct head_report report;
	struct err err = {0};
	if (argc != 2 || !x || !target || !weight || !w || !label)
		return 2;
	for (int i = 0; i < N; i++)
		weight[i] = 1;
	make(x, target, label);
	struct head_problem problem = {.x = x,
		.target = target,
		.weight = weight,
		.n = N,
		.d = D,
		.k = K,
		.l2 = l2,
		.max_iterations = 1000};
	if (head_fit(&problem, w, b, &report, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	double wanted = report.loss * (1 + tolerance);
	fprintf(stderr, "optimum %.9f after %d iterations, slope %.1g\n", report.loss,
		report.n_iterations, report.gradient_norm);
	FILE *out = fopen(argv[1], "wb");
	const int32_t sizes[] = {N, D, K};
	if (!out || fwrite(sizes, sizeof sizes, 1, out) != 1 ||
		fwrite(&wanted, sizeof wanted, 1, out) != 1 || fwrite(&l2, sizeof l2, 1, out) != 1 ||
		fwrite(label, sizeof *label, N, out) != N ||
		fwrite(x, sizeof *x, (size_t)N * D, out) != (size_t)N * D || fclose(out)) {
		fprintf(stderr, "%s cannot be written\n", argv[1]);
		return 1;
	}
	problem.progress = is_reached;
	problem.arg = &wanted;
	double start = measure_now_s();
	if (head_fit(&problem, w, b, &report, &err) != CONFLICT) {
		fprintf(stderr, "it ended at %.9f\n", report.loss);
		return 1;
	}
	fprintf(stderr, "%d iterations\n", report.n_iterations);
	printf("%.1f\n", 1e3 * (measure_now_s() - start));
	free(x);
	free(target);
	free(weight);
	free(w);
	free(label);
	return 0;
}
