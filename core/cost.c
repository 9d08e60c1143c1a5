/* A sparse list of the policy, spread over the classes once a project is loaded; the decision is a sum a class. */
#include "cost.h"

#include "consensus.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char KIND[] = "kind:";

/* Whether an entry's name means the taxon of this code and kind. */
static bool names(const char *name, const char *code, const char *kind)
{
	if (strncmp(name, KIND, sizeof KIND - 1) == 0)
		return strcmp(name + sizeof KIND - 1, kind) == 0;
	return strcmp(name, code) == 0;
}

enum status cost_check(
	struct db *db, int64_t project_id, const struct policy *policy, struct err *err)
{
	bool known[2 * POLICY_MAX_COSTS] = {false};
	enum status st;
	struct stmt *row = db_query(db, Q_TAXON_LIST, "i", project_id);
	while ((st = db_step(row, err)) == OK)
		for (int i = 0; i < policy->n_costs; i++) {
			const char *code = col_text(row, 1), *kind = col_text(row, 2);
			known[2 * i] = known[2 * i] || names(policy->costs[i].truth, code, kind);
			known[2 * i + 1] = known[2 * i + 1] || names(policy->costs[i].decided, code, kind);
		}
	if (st != NOT_FOUND)
		return st;
	for (int i = 0; i < 2 * policy->n_costs; i++)
		if (!known[i])
			return err_set(err, BAD_INPUT,
				"policy: costs name '%.60s': the project has no such taxon (a code, kind:animal, "
				"kind:blank, kind:human or kind:vehicle is wanted)",
				i % 2 ? policy->costs[i / 2].decided : policy->costs[i / 2].truth);
	return OK;
}

static bool means(const char *name, const struct taxon *t)
{
	return names(name, t->code, taxon_kind_name(t->kind));
}

enum status cost_matrix(const struct project *p, double **out, struct err *err)
{
	size_t k = (size_t)p->k;
	*out = NULL;
	if (p->policy.n_costs == 0)
		return OK;
	*out = calloc(k * k, sizeof **out);
	if (!*out)
		return err_set(err, FAULT, "no memory for the costs of %d taxa", p->k);
	for (size_t z = 0; z < k; z++)
		for (size_t d = 0; d < k; d++) {
			double cost = z == d ? 0 : 1;
			for (int i = 0; z != d && i < p->policy.n_costs; i++)
				if (means(p->policy.costs[i].truth, &p->taxa[z]) &&
					means(p->policy.costs[i].decided, &p->taxa[d]))
					cost = p->policy.costs[i].cost;
			(*out)[z * k + d] = cost;
		}
	return OK;
}

void cost_decide(const double *cost, const double *q, int k, int *decided, double *risk)
{
	if (!cost) {
		*decided = consensus_argmax(q, k);
		*risk = consensus_risk(q, k);
		return;
	}
	double least = INFINITY;
	for (int d = 0; d < k; d++) {
		double expected = 0;
		for (int z = 0; z < k; z++)
			expected += q[z] * cost[(size_t)z * (size_t)k + (size_t)d];
		if (expected < least) {
			least = expected;
			*decided = d;
		}
	}
	*risk = fmin(1, least);
}

/* A posterior over sets, in the terms that its expected costs are made of. */
struct sets {
	const double *cost, *p;
	int k, blank;
	double nothing; /* P(no species is there) */
	double *alone;  /* [k] P(this one and no other) */
	double more;    /* P(several) */
};

/* -1 is the empty set. */
static double cost_at(const struct sets *s, int z, int d)
{
	z = z < 0 ? s->blank : z;
	d = d < 0 ? s->blank : d;
	return z < 0 || d < 0 ? 1 : s->cost[(size_t)z * (size_t)s->k + (size_t)d];
}

/* Nothing is decided: the expected cost of the dearest species that is there, dearest first. */
static double expect_empty(const struct sets *s)
{
	bool *seen = xcalloc((size_t)s->k, sizeof *seen);
	double expected = 0, none_before = 1;
	for (int i = 0; i < s->k; i++) {
		int next = -1;
		for (int z = 0; z < s->k; z++)
			if (!seen[z] && (next < 0 || cost_at(s, z, -1) > cost_at(s, next, -1)))
				next = z;
		seen[next] = true;
		expected += none_before * s->p[next] * cost_at(s, next, -1);
		none_before *= 1 - s->p[next];
	}
	free(seen);
	return expected;
}

static double expect_single(const struct sets *s, int d)
{
	double expected = s->nothing * cost_at(s, -1, d) + s->more;
	for (int z = 0; z < s->k; z++)
		if (z != d)
			expected += s->alone[z] * cost_at(s, z, d);
	return expected;
}

static double expect_several(const struct sets *s, const bool *in)
{
	double dearest = 0, right = 1;
	for (int z = 0; z < s->k; z++) {
		right *= in[z] ? s->p[z] : 1 - s->p[z];
		if (in[z])
			dearest = fmax(dearest, cost_at(s, -1, z));
	}
	return s->nothing * dearest + 1 - s->nothing - right;
}

static void measure(struct sets *s)
{
	static const double least_absent =
		1e-12; /* a species that is surely there leaves a little to divide by */
	s->nothing = 1;
	for (int z = 0; z < s->k; z++)
		s->nothing *= fmax(1 - s->p[z], least_absent);
	s->more = 1 - s->nothing;
	for (int z = 0; z < s->k; z++) {
		s->alone[z] = s->nothing / fmax(1 - s->p[z], least_absent) * s->p[z];
		s->more -= s->alone[z];
	}
	s->more = fmax(s->more, 0);
}

void cost_decide_set(
	const double *cost, const double *p, int blank, int k, bool *in_out, double *risk)
{
	int n = 0, decided = -1; /* of at most one species */
	double right = 1;
	for (int z = 0; z < k; z++) {
		in_out[z] = p[z] > 0.5;
		decided = in_out[z] ? z : decided;
		n += in_out[z];
		right *= fmax(p[z], 1 - p[z]);
	}
	*risk = 1 - right;
	if (!cost)
		return;
	struct sets s = {cost, p, k, blank, .alone = xcalloc((size_t)k, sizeof *s.alone)};
	measure(&s);
	const double empty = expect_empty(&s);
	bool several = n > 1;
	double least = several ? expect_several(&s, in_out)
		: n == 1           ? expect_single(&s, decided)
						   : empty;
	if (empty < least) {
		least = empty;
		decided = -1;
		several = false;
	}
	for (int d = 0; d < k; d++) {
		double expected = p[d] > 0 ? expect_single(&s, d) : INFINITY;
		if (expected < least) {
			least = expected;
			decided = d;
			several = false;
		}
	}
	for (int z = 0; z < k && !several; z++)
		in_out[z] = z == decided;
	*risk = fmin(1, fmax(least, 0));
	free(s.alone);
}
