/* Gathers a subject's sources from the database; the formulas are in consensus.h. */
#include "evidence.h"

#include "confusion.h"
#include "consensus.h"
#include "prediction.h"
#include "skill.h"

#include <math.h>
#include <stdlib.h>

static enum status load_votes(
	struct db *db, const struct project *p, int64_t subject_id, struct evidence *e, struct err *err)
{
	int room = 0;
	enum status st;
	struct stmt *row = db_query(db, Q_VOTE_LIST, "i", subject_id);
	while ((st = db_step(row, err)) == OK) {
		int answer = project_class(p, col_int(row, 2));
		if (answer < 0)
			continue;
		if (e->n_votes == room) {
			room = room ? room * 2 : 8;
			e->votes = xrealloc(e->votes, (size_t)room * sizeof *e->votes);
		}
		e->votes[e->n_votes++] = (struct vote){
			.classification_id = col_int(row, 0),
			.volunteer_id = col_int(row, 1),
			.answer = answer,
			.credited = col_int(row, 3) != 0,
		};
	}
	return st == NOT_FOUND ? OK : st;
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
	for (int z = 0; z < p->k; z++)
		e->sum[z] = e->model[z];
	for (int i = 0; st == OK && i < e->n_votes; i++) {
		struct vote *v = &e->votes[i];
		v->log_theta = xcalloc(k, sizeof *v->log_theta);
		st = skill_column(db, p, v->volunteer_id, v->answer, v->log_theta, err);
		for (int z = 0; z < p->k; z++)
			e->sum[z] += v->log_theta[z];
	}
	if (st == OK)
		st = consensus_decide(
			p->log_prior, e->sum, e->n_votes + e->has_model, p->k, p->correlation, e->q, err);
	if (st == OK) {
		e->top = consensus_argmax(e->q, p->k);
		e->risk = consensus_risk(e->q, p->k);
	}
	return st;
}

void evidence_release(struct evidence *e)
{
	for (int i = 0; i < e->n_votes; i++)
		free(e->votes[i].log_theta);
	free(e->votes);
	free(e->model);
	free(e->sum);
	free(e->q);
	*e = (struct evidence){0};
}

enum status evidence_others(const struct evidence *e, const struct project *p, int i, double *t_out,
	bool *any, struct err *err)
{
	int n_others = e->n_votes + e->has_model - 1;
	*any = n_others > 0;
	if (!*any)
		return OK;
	for (int z = 0; z < e->k; z++)
		t_out[z] = e->sum[z] - e->votes[i].log_theta[z];
	return consensus_credit(p->log_prior, t_out, n_others, e->k, p->correlation, t_out, err);
}

enum status evidence_reach(struct db *db, const struct evidence *e, const struct project *p,
	int n_more, double *risk_out, struct err *err)
{
	double *log_theta = xcalloc((size_t)e->k, sizeof *log_theta);
	enum status st = OK;
	*risk_out = 1;
	for (int a = 0; st == OK && a < e->k; a++) {
		if (e->q[a] < label_params.trunc)
			continue;
		st = skill_column(db, p, SKILL_AVERAGE, a, log_theta, err);
		if (st == OK)
			*risk_out = fmin(*risk_out,
				consensus_reach(p->log_prior, e->sum, e->n_votes + e->has_model, log_theta, a,
					n_more, e->k, p->correlation));
	}
	free(log_theta);
	return st;
}
