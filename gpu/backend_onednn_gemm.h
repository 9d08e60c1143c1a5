/* oneDNN's matrix product, for code that names no type of oneDNN's. */
#pragma once

#include "status.h"

/* c = op(a) op(b) + beta c, row-major. Inside a parallel region it runs on the calling thread. */
struct gemm {
	int m, n, k;
	const float *a; /* [m][k], or [k][m] with a_across */
	const float *b; /* [k][n], or [n][k] with b_across */
	float *c;       /* [m][n] */
	int a_across, b_across;
	float beta;
};

/* Errors: FAULT. */
enum status gemm_run(const struct gemm *g, struct err *err) MUST_CHECK;
