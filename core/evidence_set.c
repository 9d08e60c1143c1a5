/* A subject of several species: every answer speaks about every class, and each class is decided by itself (set_mode.h). */
#include "confusion.h"
#include "consensus.h"
#include "cost.h"
#include "evidence.h"
#include "set_skill.h"

#include <math.h>
#include <stdlib.h>

/* Before any answer: the model's opinion where it is heard, else the class prior. */
static enum status load_prior(const struct project *p, struct evidence *e, struct err *err)
{
	size_t k = (size_t)p->k;
	double *pi = xcalloc(k, sizeof *pi);
	bool *is_species = xcalloc(k, sizeof *is_species);
	struct correlation independent = {0};
	e->prior = xcalloc(k, sizeof *e->prior);
	enum status st = consensus_decide(
		p->log_prior, e->model, e->has_model, p->k, independent, e->prior, err);
	for (int z = 0; z < p->k; z++) {
		pi[z] = exp(p->log_prior[z]);
		is_species[z] = p->taxa[z].kind != TAXON_BLANK;
	}
	if (st == OK)
		set_prior(e->prior, pi, is_species, p->k, e->prior);
	free(pi);
	free(is_species);
	return st;
}

static enum status load_columns(
	struct db *db, const struct project *p, struct evidence *e, struct err *err)
{
	struct set_rates *rates = xcalloc((size_t)p->k, sizeof *rates);
	bool *named = xcalloc((size_t)p->k, sizeof *named);
	enum status st = set_rates_load(db, p, rates, err);
	for (int i = 0; st == OK && i < e->n_votes; i++) {
		struct vote *v = &e->votes[i];
		double lambda = 0;
		v->log_theta = xcalloc((size_t)p->k, sizeof *v->log_theta);
		st = set_lambda(db, p, v->volunteer_id, &lambda, err);
		for (int j = 0; j < v->n_classes; j++)
			named[v->classes[j]] = true;
		for (int z = 0; z < p->k; z++) {
			if (e->prior[z] > 0)
				v->log_theta[z] = set_evidence(set_rates_bend(rates[z], lambda), named[z]);
			e->sum[z] += v->log_theta[z];
			named[z] = false;
		}
	}
	free(rates);
	free(named);
	return st;
}

/* The label and its risk: every species with more than even odds where costs say nothing else, the surest first. */
static void take_members(const struct project *p, struct evidence *e)
{
	bool *in = xcalloc((size_t)p->k, sizeof *in);
	const int blank = project_blank(p);
	e->also = xcalloc((size_t)p->k, sizeof *e->also);
	cost_decide_set(p->cost, e->q, blank, p->k, in, &e->risk);
	int n = 0;
	e->p = 1;
	for (int z = 0; z < p->k; z++) {
		e->p *= in[z] ? e->q[z] : 1 - e->q[z];
		if (!in[z])
			continue;
		int at = n++;
		for (; at > 0 && e->q[e->also[at - 1]] < e->q[z]; at--)
			e->also[at] = e->also[at - 1];
		e->also[at] = z;
	}
	free(in);
	if (n == 0) {
		e->top = blank >= 0 ? blank : e->top;
		return;
	}
	e->top = e->also[0];
	e->n_also = n - 1;
	for (int i = 0; i < e->n_also; i++)
		e->also[i] = e->also[i + 1];
}

enum status evidence_set_load(
	struct db *db, const struct project *p, struct evidence *e, struct err *err)
{
	enum status st = load_prior(p, e, err);
	for (int z = 0; z < p->k; z++)
		e->sum[z] = 0;
	if (st == OK)
		st = load_columns(db, p, e, err);
	if (st == OK)
		st = set_decide(
			e->prior, e->sum, e->n_votes, p->k, p->correlation.kappa, e->q, &e->risk, err);
	if (st == OK)
		take_members(p, e);
	return st;
}

enum status evidence_set_others(
	const struct evidence *e, const struct project *p, int i, double *t, bool *any, struct err *err)
{
	double risk = 0;
	*any = e->n_votes + e->has_model > 1;
	if (!*any)
		return OK;
	for (int z = 0; z < e->k; z++)
		t[z] = e->sum[z] - e->votes[i].log_theta[z];
	enum status st = set_decide(
		e->prior, t, e->n_votes - 1, e->k, p->correlation.kappa, t, &risk, err);
	for (int z = 0; st == OK && z < e->k; z++)
		t[z] = t[z] < label_params.trunc ? 0 : t[z] > 1 - label_params.trunc ? 1 : t[z];
	return st;
}

/* The same species in every further answer: for each class the better of naming it and not, as each is decided by itself. */
enum status evidence_set_reach(struct db *db, const struct evidence *e, const struct project *p,
	int n_more, double *risk_out, struct err *err)
{
	struct set_rates *rates = xcalloc((size_t)e->k, sizeof *rates);
	enum status st = set_rates_load(db, p, rates, err);
	double *bits = xcalloc((size_t)e->k, sizeof *bits);
	bool *in = xcalloc((size_t)e->k, sizeof *in);
	*risk_out = 1;
	for (int m = 1; st == OK && m <= n_more; m++) {
		double d = 1 + (e->n_votes + m - 1) * p->correlation.kappa;
		double risk = 1;
		for (int z = 0; z < e->k; z++) {
			double logit = log(e->prior[z]) - log1p(-e->prior[z]);
			double up = logit + (e->sum[z] + m * set_evidence(rates[z], true)) / d;
			double down = logit + (e->sum[z] + m * set_evidence(rates[z], false)) / d;
			if (e->prior[z] > 0)
				bits[z] = 1 / (1 + exp(-(fabs(up) > fabs(down) ? up : down)));
		}
		cost_decide_set(p->cost, bits, project_blank(p), e->k, in, &risk);
		*risk_out = fmin(*risk_out, risk);
	}
	free(rates);
	free(bits);
	free(in);
	return st;
}
