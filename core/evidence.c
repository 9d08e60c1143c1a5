/* Gathers a subject's sources from the database; the formulas are in consensus.h. */
#include "evidence.h"

#include "confirm.h"
#include "confusion.h"
#include "consensus.h"
#include "cost.h"
#include "prediction.h"
#include "skill.h"

#include <math.h>
#include <stdlib.h>

static void add_class(struct vote *v, int class)
{
	v->classes = xrealloc(v->classes, (size_t)(v->n_classes + 1) * sizeof *v->classes);
	v->classes[v->n_classes++] = class;
}

static enum status load_votes(
	struct db *db, const struct project *p, int64_t subject_id, struct evidence *e, struct err *err)
{
	int room = 0;
	enum status st;
	struct stmt *row = db_query(db, Q_VOTE_LIST, "i", subject_id);
	while ((st = db_step(row, err)) == OK) {
		int answer = project_class(p, col_int(row, 2));
		e->n_cant_tell += col_int(row, 6) != 0;
		if (answer < 0)
			continue;
		e->set_mode = e->set_mode || col_int(row, 4) != 0;
		if (e->n_votes > 0 && e->votes[e->n_votes - 1].classification_id == col_int(row, 0)) {
			add_class(&e->votes[e->n_votes - 1], answer);
			continue;
		}
		if (e->n_votes == room) {
			room = room ? room * 2 : 8;
			e->votes = xrealloc(e->votes, (size_t)room * sizeof *e->votes);
		}
		e->votes[e->n_votes++] = (struct vote){
			.classification_id = col_int(row, 0),
			.volunteer_id = col_int(row, 1),
			.answer = answer,
			.credited = col_int(row, 3) != 0 || col_int(row, 0) <= p->refit_last_id,
			.guess = col_null(row, 5) ? -1 : project_class(p, col_int(row, 5)),
		};
		add_class(&e->votes[e->n_votes - 1], answer);
	}
	return st == NOT_FOUND ? OK : st;
}

/* What one vote says: a survey's column, or a yes; after a no, the no and the column of the class that was then answered. */
static enum status read_vote(struct db *db, const struct project *p,
	const struct confirm_rates *rates, struct vote *v, struct err *err)
{
	bool yes = v->guess >= 0 && v->answer == v->guess;
	v->log_theta = xcalloc((size_t)p->k, sizeof *v->log_theta);
	enum status st = yes ? OK : skill_column(db, p, v->volunteer_id, v->answer, v->log_theta, err);
	if (st == OK && v->guess >= 0)
		confirm_add(*rates, v->guess, yes, p->k, v->log_theta);
	return st;
}

enum status evidence_load(struct db *db, const struct project *p, int64_t subject_id,
	int64_t prediction_id, struct evidence *e, struct err *err)
{
	size_t k = (size_t)p->k;
	*e = (struct evidence){.k = p->k};
	e->model = xcalloc(k, sizeof *e->model);
	e->sum = xcalloc(k, sizeof *e->sum);
	e->q = xcalloc(k, sizeof *e->q);
	enum status st = load_votes(db, p, subject_id, e, err);
	if (st == OK && prediction_id)
		st = prediction_evidence(db, p, prediction_id, e->model, &e->has_model, err);
	if (st == OK && e->set_mode)
		return evidence_set_load(db, p, e, err);
	for (int z = 0; z < p->k; z++)
		e->sum[z] = e->model[z];
	struct confirm_rates rates = {0};
	bool has_rates = false;
	for (int i = 0; st == OK && i < e->n_votes; i++) {
		struct vote *v = &e->votes[i];
		if (v->guess >= 0 && !has_rates) {
			st = confirm_load(db, p->id, &rates, NULL, err);
			has_rates = true;
		}
		if (st == OK)
			st = read_vote(db, p, &rates, v, err);
		for (int z = 0; st == OK && z < p->k; z++)
			e->sum[z] += v->log_theta[z];
	}
	if (st == OK)
		st = consensus_decide(
			p->log_prior, e->sum, e->n_votes + e->has_model, p->k, p->correlation, e->q, err);
	if (st == OK) {
		cost_decide(p->cost, e->q, p->k, &e->top, &e->risk);
		e->p = e->q[e->top];
	}
	return st;
}

void evidence_release(struct evidence *e)
{
	for (int i = 0; i < e->n_votes; i++) {
		free(e->votes[i].log_theta);
		free(e->votes[i].classes);
	}
	free(e->votes);
	free(e->also);
	free(e->prior);
	free(e->model);
	free(e->sum);
	free(e->q);
	*e = (struct evidence){0};
}

enum status evidence_others(const struct evidence *e, const struct project *p, int i, double *t_out,
	bool *any, struct err *err)
{
	if (e->set_mode)
		return evidence_set_others(e, p, i, t_out, any, err);
	int n_others = e->n_votes + e->has_model - 1;
	*any = n_others > 0;
	if (!*any)
		return OK;
	for (int z = 0; z < e->k; z++)
		t_out[z] = e->sum[z] - e->votes[i].log_theta[z];
	return consensus_credit(p->log_prior, t_out, n_others, e->k, p->correlation, t_out, err);
}

enum status evidence_after_yes(struct db *db, const struct project *p, int64_t prediction_id,
	int guess, double *risk_out, struct err *err)
{
	struct confirm_rates rates;
	double *q = xcalloc((size_t)p->k, sizeof *q), risk = 1;
	bool heard = false;
	int decided = -1;
	enum status st = confirm_load(db, p->id, &rates, NULL, err);
	if (st == OK)
		st = prediction_evidence(db, p, prediction_id, q, &heard, err);
	if (st == OK && heard) {
		confirm_add(rates, guess, true, p->k, q);
		st = consensus_decide(p->log_prior, q, 2, p->k, p->correlation, q, err);
		if (st == OK)
			cost_decide(p->cost, q, p->k, &decided, &risk);
	}
	*risk_out = decided == guess ? risk : 1;
	free(q);
	return st;
}

/* With costs the label that n_more answers of one mind lead to need not be the class that they name. */
static enum status reach_with_costs(const struct evidence *e, const struct project *p,
	const double *log_theta, int n_more, double tau, bool *out, struct err *err)
{
	double *q = xcalloc((size_t)e->k, sizeof *q);
	enum status st = OK;
	for (int m = 1; st == OK && m <= n_more && !*out; m++) {
		int decided = 0;
		double risk = 1;
		for (int z = 0; z < e->k; z++)
			q[z] = e->sum[z] + m * log_theta[z];
		st = consensus_decide(
			p->log_prior, q, e->n_votes + e->has_model + m, e->k, p->correlation, q, err);
		if (st == OK)
			cost_decide(p->cost, q, e->k, &decided, &risk);
		*out = risk <= tau;
	}
	free(q);
	return st;
}

enum status evidence_reach(struct db *db, const struct evidence *e, const struct project *p,
	int n_more, double tau, bool *out, struct err *err)
{
	double least = 1;
	*out = false;
	if (e->set_mode) {
		enum status st = evidence_set_reach(db, e, p, n_more, &least, err);
		*out = least <= tau;
		return st;
	}
	double *log_theta = xcalloc((size_t)e->k, sizeof *log_theta);
	enum status st = OK;
	for (int a = 0; st == OK && a < e->k && !*out; a++) {
		if (e->q[a] < label_params.trunc)
			continue;
		st = skill_column(db, p, SKILL_AVERAGE, a, log_theta, err);
		if (st == OK && p->cost)
			st = reach_with_costs(e, p, log_theta, n_more, tau, out, err);
		else if (st == OK)
			*out = consensus_reach(p->log_prior, e->sum, e->n_votes + e->has_model, log_theta, a,
					   n_more, tau, e->k, p->correlation) <= tau;
	}
	free(log_theta);
	return st;
}
