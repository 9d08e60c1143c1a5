/*
 * bench_refit ANSWERS THREADS: ten passes of the full refit (core/refit.h) over synthetic answers of 28,000 volunteers, nine a
 * subject, 54 classes with a long tail; the time of its two steps, the E step against a bare loop over the same arithmetic,
 * and the memory of the process at its highest. Prints one line of a Markdown table.
 */
#include "answers.h"
#include "confusion.h"
#include "measure.h"
#include "refit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { K = 54, VOLUNTEERS = 28000, ANSWERS_EACH = 9, PASSES = 10 };

static uint64_t state = 88172645463325252u;

static double uniform(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (double)(state >> 11) / 9007199254740992.0;
}

static size_t draw(const double *cumulative, size_t n)
{
	const double x = uniform() * cumulative[n - 1];
	size_t low = 0, high = n - 1;
	while (low < high) {
		const size_t mid = (low + high) / 2;
		if (cumulative[mid] <= x)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Volunteers of log-normal activity, half of them with few answers; three quarters of the subjects blank. */
static struct answer *make(size_t n, size_t n_subjects)
{
	double *activity = answers_alloc(VOLUNTEERS, sizeof *activity),
		   *right = answers_alloc(VOLUNTEERS, sizeof *right);
	double species[K] = {0.75}, sum = 0.0;
	struct answer *list = answers_alloc(n, sizeof *list);
	if (!activity || !right || !list)
		return NULL;
	for (size_t v = 0; v < VOLUNTEERS; v++) {
		const double normal = sqrt(-2.0 * log(1.0 - uniform())) * cos(6.283185307 * uniform());
		activity[v] = (sum += exp(2.2 * normal));
		right[v] = 0.75 + 0.22 * uniform();
	}
	for (size_t z = 1; z < K; z++)
		species[z] = species[z - 1] + 0.25 * pow((double)z, -1.2);
	for (size_t i = 0; i < n; i += ANSWERS_EACH) {
		const size_t truth = draw(species, K);
		for (size_t j = i; j < n && j < i + ANSWERS_EACH; j++) {
			const size_t v = draw(activity, VOLUNTEERS);
			const size_t class = uniform() < right[v] ? truth : draw(species, K);
			list[j] = (struct answer){
				(uint32_t)(i / ANSWERS_EACH % n_subjects), (uint32_t)v, (uint32_t) class};
		}
	}
	free(activity);
	free(right);
	return list;
}

/* The arithmetic of one E step and nothing else, over flat arrays of the same sizes. */
static double bare_loop(const struct answers *answers, const double *columns)
{
	double sums[K] = {0}, base[K];
	for (size_t z = 0; z < K; z++)
		base[z] = -log(K);
	for (size_t i = 0; i < answers->n_subjects; i++) {
		double q[K], highest = -INFINITY, sum = 0.0;
		memcpy(q, base, sizeof q);
		const uint32_t first = answers->subject_start[i], end = answers->subject_start[i + 1];
		for (uint32_t j = first; j < end; j++)
			for (size_t z = 0; z < K; z++)
				q[z] += columns[answers->subject_column[j] * (size_t)K + z];
		const double scale = 1.0 / (1.0 + (end > first ? end - first - 1 : 0) * label_params.kem);
		for (size_t z = 0; z < K; z++)
			highest = q[z] > highest ? q[z] : highest;
		for (size_t z = 0; z < K; z++)
			sum += q[z] = exp((q[z] - highest) * scale);
		for (size_t z = 0; z < K; z++)
			sums[z] += q[z] / sum;
	}
	return sums[0];
}

/* The fastest of three, so that a noisy machine says the same of both. */
static double bare_s(const struct answers *answers)
{
	double *columns = answers_alloc(answers->n_columns * K, sizeof *columns), best = INFINITY;
	if (!columns)
		return NAN;
	for (size_t i = 0; i < answers->n_columns * K; i++)
		columns[i] = -uniform();
	for (int round = 0; round < 3; round++) {
		const double start = measure_now_s(), sum = bare_loop(answers, columns);
		const double took = measure_now_s() - start;
		if (sum > 0.0)
			best = fmin(best, took);
	}
	free(columns);
	return best;
}

static enum status measure(const struct answers *answers, int n_threads, struct err *err)
{
	const struct refit_input input = {
		.answers = answers, .fits_own_prior = true, .n_threads = n_threads};
	struct refit *refit = NULL;
	struct rusage usage;
	double judged = 0.0, learned = 0.0, best = INFINITY, moved = 1.0, start = measure_now_s();
	const double began = start;
	enum status status = refit_new(&input, &refit, err);
	for (int pass = 0; status == OK && pass <= PASSES; pass++) {
		start = measure_now_s();
		if (pass > 0)
			status = refit_learn(refit, err);
		learned += measure_now_s() - start;
		start = measure_now_s();
		if (status == OK)
			status = refit_judge(refit, &moved, err);
		const double took = measure_now_s() - start;
		judged += took;
		best = fmin(best, took);
	}
	if (status == OK) {
		const double total = measure_now_s() - began;
		getrusage(RUSAGE_SELF, &usage);
		const double bare = bare_s(answers);
		printf("| %.1f M | %zu | %d | %.1f | %.1f | %.1f | %.2f | %.2f | %.2f | %.0f | %.2g |\n",
			(double)answers->n_answers / 1e6, answers->n_columns, n_threads, total, judged, learned,
			best, bare, best / bare, (double)usage.ru_maxrss / 1024.0, moved);
	}
	refit_free(refit);
	return status;
}

int main(int argc, char **argv)
{
	const long n = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
	const long n_threads = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	if (n < ANSWERS_EACH || n > 1000000000 || n_threads < 1 || n_threads > 64) {
		fputs("bench_refit: wanted ANSWERS (9 to 1e9) and THREADS (1 to 64)\n", stderr);
		return 2;
	}
	const size_t n_subjects = ((size_t)n + ANSWERS_EACH - 1) / ANSWERS_EACH;
	struct answer *list = make((size_t)n, n_subjects);
	struct answers answers = {0};
	struct err err;
	enum status status = list
		? answers_sort(list, (size_t)n, n_subjects, VOLUNTEERS, K, &answers, &err)
		: err_set(&err, FAULT, "%ld answers do not fit in memory", n);
	free(list);
	if (status == OK)
		status = measure(&answers, (int)n_threads, &err);
	answers_release(&answers);
	if (status != OK)
		fprintf(stderr, "bench_refit: %s\n", err.text);
	return status != OK;
}
