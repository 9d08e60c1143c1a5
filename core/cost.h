/*
 * What a wrong label costs (policy "costs"; docs/consensus.md, eq. 8a). An ordinary mistake costs 1, and costs are in that
 * unit: where none is given, the decision is the most probable class and the risk its probability of being wrong.
 */
#pragma once

#include "project.h"

/*
 * The policy's list as a matrix. A kind stands for every class of that kind; of entries that speak of the same pair the
 * last holds; a label that is right costs nothing.
 * Shapes: *out [k x k], row = truth, column = decided; NULL where the policy has no costs.
 * Owns:   the caller frees *out.
 * Errors: FAULT no memory.
 */
enum status cost_matrix(const struct project *project, double **out, struct err *err) MUST_CHECK;

/* Whether every name of a policy's costs means a taxon of the project. Errors: BAD_INPUT the name that does not. */
enum status cost_check(
	struct db *db, int64_t project_id, const struct policy *policy, struct err *err) MUST_CHECK;

/*
 * The class of least expected cost, the lowest number among equals, and that cost, at most 1: a bet on a label that would be
 * worse than one sure ordinary mistake is no worse than that.
 * Shapes: q [k] sums to 1; cost [k x k] or NULL: every mistake costs 1.
 */
void cost_decide(const double *cost, const double *q, int k, int *decided, double *risk);

/*
 * The same for sets of species, each there or not by itself (eq. 27a): among the most probable set, the empty one and each single
 * species the one of least expected cost, in this order among equals; and that cost, at most 1. Between sets of at most one
 * species costs are those of `cost`, the empty set being class `blank` (-1: there is none, and it costs 1); nothing decided
 * where several are costs what the dearest of them would, and so does a set decided where nothing is; all else costs 1.
 * Shapes: p [k] P(species is there), 0 where the class is no species; cost [k x k] or NULL; in_out [k]: the label.
 */
void cost_decide_set(
	const double *cost, const double *p, int blank, int k, bool *in_out, double *risk);
