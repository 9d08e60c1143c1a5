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
