/*
 * A guess of how the loss of softmax regression (head.h) curves, which L-BFGS starts from in each step instead of a
 * multiple of the identity. Its curvature is at most (diag(q) - q q') of each row times x x' (Böhning, Ann. Inst. Stat.
 * Math. 1992); here one matrix stands for all classes:  P = share X'X / n + l2 I  for their weights, share for their bias. What
 * features have in common, and how unlike they are in size, then costs no iterations.
 */
#pragma once

#include "status.h"

struct curvature;

/*
 * From rows of x evenly spread, so many as an estimate of d by d numbers wants.
 * Shapes: x [n][d], centred. Owns: *out is the caller's, to curvature_free; NULL where n is too small for a guess.
 * Errors: FAULT.
 */
enum status curvature_new(const float *x, int n, int d, double share, double l2,
	struct curvature **out, struct err *err) MUST_CHECK;
void curvature_free(struct curvature *c);

/*
 * P's inverse times each class' weights and bias, the same bits for any number of threads. With c NULL nothing is done.
 * Shapes: in, out [k][d] then [k]; they may be the same.
 */
enum status curvature_solve(
	struct curvature *c, const double *in, int k, double *out, struct err *err) MUST_CHECK;
