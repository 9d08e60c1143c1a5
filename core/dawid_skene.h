/*
 * Two methods to compare with (docs/consensus.md, "Any crowd"): plain majority, and Dawid and Skene's (1979): a confusion
 * matrix a volunteer and a class prior, by expectation maximisation from the majority's shares, every count smoothed by .01.
 */
#pragma once

#include "answers.h"

enum { DAWID_SKENE_ROUNDS = 50 };

/* The share of a subject's answers that each class has; equal shares without answers. Shapes: q_out [k]. */
void majority_shares(const struct answers *answers, size_t subject, double *q_out);

/*
 * Shapes: gold [n_subjects] a class or a negative number, or NULL; shares_out [n_subjects x k], the posteriors.
 * Owns:   borrows all; writes shares_out. Errors: FAULT when memory is out.
 */
enum status dawid_skene(const struct answers *answers, const int16_t *gold, int n_rounds,
	float *shares_out, struct err *err) MUST_CHECK;
