/* labels: unit; timeout: 60 */
/* The guess from which the head's L-BFGS starts: the inverse of what it says it is, and the same bits on any number of threads. */
#include "head_curvature.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { D = 19, N = 4 * D, K = 11 };

static const double share = 1.0 / K, l2 = 1e-2;

/* Features that have much in common and are unlike in size. */
static void make(float *x)
{
	uint32_t state = 3;
	for (int i = 0; i < N; i++) {
		float common = 0;
		for (int j = 0; j < D; j++) {
			state = state * 1664525 + 1013904223;
			float own = (float)(state >> 8) / (1 << 24) - 0.5f;
			common = 0.7f * common + own;
			x[i * D + j] = common * (float)(1 + j % 4);
		}
	}
}

static void it_is_the_inverse(void **state)
{
	(void)state;
	float x[N * D];
	double p[D][D] = {{0}}, in[K * D + K], out[K * D + K], again[K * D + K];
	struct curvature *c = NULL;
	struct err err = {0};
	make(x);
	for (int a = 0; a < D; a++) {
		for (int b = 0; b < D; b++)
			for (int i = 0; i < N; i++)
				p[a][b] += share / N * (double)x[i * D + a] * (double)x[i * D + b];
		p[a][a] += l2;
	}
	for (int j = 0; j < K * D + K; j++)
		in[j] = 1e-30 * sin(j); /* as small as no float squared can be */
	assert_int_equal(curvature_new(x, N, D, share, l2, &c, &err), OK);
	assert_non_null(c);
	omp_set_num_threads(1);
	assert_int_equal(curvature_solve(c, in, K, out, &err), OK);
	for (int k = 0; k < K; k++)
		for (int a = 0; a < D; a++) {
			double product = 0;
			for (int b = 0; b < D; b++)
				product += p[a][b] * out[k * D + b];
			assert_true(fabs(product - in[k * D + a]) < 1e-34);
		}
	for (int k = K * D; k < K * D + K; k++)
		assert_true(fabs(out[k] * share - in[k]) < 1e-40);
	for (int n_threads = 2; n_threads < 5; n_threads++) {
		omp_set_num_threads(n_threads);
		assert_int_equal(curvature_solve(c, in, K, again, &err), OK);
		assert_memory_equal(again, out, sizeof out);
	}
	curvature_free(c);
}

static void few_rows_give_none(void **state)
{
	(void)state;
	float x[N * D];
	double in[K * D + K] = {7}, out[K * D + K] = {7};
	struct curvature *c = NULL;
	struct err err = {0};
	make(x);
	assert_int_equal(curvature_new(x, N - 1, D, share, l2, &c, &err), OK);
	assert_null(c);
	assert_int_equal(curvature_solve(c, in, K, out, &err), OK);
	assert_memory_equal(in, out, sizeof in);
	curvature_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_inverse),
		cmocka_unit_test(few_rows_give_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
