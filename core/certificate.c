/* Labels under certificates and draws audits; certificate_renew.c issues them, audit.c reads their audits. */
#include "certificate_part.h"

#include "bounds.h"
#include "draw.h"
#include "drift.h"
#include "prediction.h"

#include <math.h>
#include <string.h>

double certificate_bound(double alpha, bool follows)
{
	return follows ? alpha : 2 * alpha;
}

double certificate_share(
	const struct policy *policy, double bound, double delta, int n_errors, double n)
{
	double wanted = fmax(policy->audits, cs_enough(n_errors, bound, delta));
	return fmin(1, fmax(policy->audit_rate, (wanted + 3 * sqrt(wanted)) / fmax(n, 1)));
}

enum status certificate_draw_more(
	struct db *db, const struct project *p, int64_t certificate_id, int n_errors, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_CERTIFICATE_GET, &row, err, "i", certificate_id);
	if (st != OK)
		return st;
	bool waits = col_int(row, 1) == p->model_id && strcmp(col_text(row, 6), "probation") == 0;
	double bound = certificate_bound(col_real(row, 2), !col_null(row, 8));
	double delta = col_real(row, 3), before = col_real(row, 5);
	db_done(row);
	if (!waits)
		return OK;
	st = db_one(db, Q_CERTIFICATE_N_SURE, &row, err, "i", certificate_id);
	if (st != OK)
		return st;
	double rate = certificate_share(&p->policy, bound, delta, n_errors, (double)col_int(row, 0));
	db_done(row);
	if (rate <= before)
		return OK;
	st = db_run(db, Q_CERTIFICATE_SET_RATE, err, "id", certificate_id, rate);
	return st == OK ? db_run(db, Q_PROJECT_MARK_SWEEP, err, "i", p->id) : st;
}

/* The certificate that a subject's opinion in use falls under, and that opinion. */
struct covered {
	int64_t id, model_id, issued_ms, top_id;
	double audit_rate;
	bool active;
	bool follows; /* a revoked one: not active, its model is not heard */
};

static enum status find_covering(
	struct db *db, int64_t subject_id, struct covered *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_CERTIFICATE_FOR, &row, err, "i", subject_id);
	if (st != OK)
		return st;
	*out = (struct covered){.id = col_int(row, 0),
		.model_id = col_int(row, 1),
		.audit_rate = col_real(row, 5),
		.active = strcmp(col_text(row, 6), "active") == 0,
		.issued_ms = col_int(row, 7),
		.top_id = col_int(row, 8),
		.follows = col_int(row, 9) != 0};
	db_done(row);
	return OK;
}

/* A deployment that the certificate's gold does not cover is on probation of its own. */
static enum status on_probation(struct db *db, const struct project *p, const struct covered *c,
	int64_t deployment_id, bool *out, struct err *err)
{
	struct stmt *row = NULL;
	*out = !c->active;
	if (*out)
		return OK;
	enum status st = db_one(db, Q_PROBATION_GET, &row, err, "ii", c->id, deployment_id);
	if (st == OK) {
		*out = col_null(row, 0);
		db_done(row);
		return OK;
	}
	if (st != NOT_FOUND)
		return st;
	st = db_one(db, Q_DEPLOYMENT_HAS_GOLD, &row, err, "iii", p->id, deployment_id, c->issued_ms);
	db_done(st == OK ? row : NULL);
	if (st != NOT_FOUND)
		return st;
	*out = true;
	return db_run(db, Q_PROBATION_ADD, err, "ii", c->id, deployment_id);
}

/*
 * The share of auto-labels that is drawn: the certificate's until `audits` are done, those of its probation among them; from
 * then on the policy's. Never less than drift asks for in the deployment.
 */
static enum status rate_now(struct db *db, const struct project *p, const struct covered *c,
	int64_t deployment_id, bool probation, double *rate, struct err *err)
{
	struct stmt *row = NULL;
	double least = 0;
	*rate = c->audit_rate;
	enum status st = drift_rate(db, p, c->model_id, deployment_id, &least, err);
	if (st == OK && !probation) {
		st = db_one(db, Q_AUDIT_ENOUGH, &row, err, "ii", c->id, (int64_t)p->policy.audits - 1);
		if (st == OK) {
			db_done(row);
			*rate = p->policy.audit_rate;
		}
	}
	*rate = fmax(*rate, least);
	return st == NOT_FOUND ? OK : st;
}

static bool is_never_labelled(const struct project *p, int64_t taxon_id)
{
	int class = project_class(p, taxon_id);
	return class < 0 || p->taxa[class].protected || p->taxa[class].retired ||
		(p->taxa[class].kind == TAXON_BLANK && !p->policy.auto_blank);
}

enum status certificate_apply(struct db *db, const struct project *p, const struct subject *s,
	int64_t now_ms, bool *drawn, struct err *err)
{
	struct covered c = {0};
	struct prediction_top top = {0};
	bool probation = false;
	double u = 0, rate = 1;
	*drawn = false;
	if (!s->prediction_id || !p->policy.auto_label)
		return OK;
	enum status st = find_covering(db, s->id, &c, err);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	if (is_never_labelled(p, c.top_id))
		return OK;
	st = prediction_read_top(db, p, s->prediction_id, &top, err);
	if (st != OK || (!top.calibrated && (c.active || !c.follows)))
		return st;
	st = on_probation(db, p, &c, s->deployment_id, &probation, err);
	if (st == OK)
		st = rate_now(db, p, &c, s->deployment_id, probation, &rate, err);
	const char *kind = probation ? "shadow" : "audit";
	if (st == OK)
		st = draw_uniform(db, kind, c.id, s->id, &u, err);
	if (st != OK)
		return st;
	*drawn = u < rate;
	if (*drawn)
		st = db_run(db, Q_AUDIT_ADD, err, "iisdii", s->id, c.id, kind, rate, c.top_id, now_ms);
	if (*drawn && probation && st == OK)
		st = db_run(db, Q_SUBJECT_SET_BLIND, err, "ii", s->id, (int64_t)1);
	if (st != OK || probation)
		return st;
	st = label_by_model(db, p, s, c.top_id, top.p, c.id, *drawn, now_ms, err);
	return st == OK ? db_run(db, Q_SUBJECT_SET_AUDIT_U, err, "id", s->id, u) : st;
}

enum status certificate_audit_more(struct db *db, const struct project *p, int64_t subject_id,
	double rate, int64_t now_ms, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_AUDIT_MORE_OF, &row, err, "i", subject_id);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	int64_t certificate_id = col_int(row, 0), label_id = col_int(row, 1);
	double u = col_real(row, 2);
	db_done(row);
	if (rate <= u)
		rate = nextafter(u, 1);
	st = db_run(db, Q_AUDIT_ADD, err, "iisdii", subject_id, certificate_id, "audit", rate, label_id,
		now_ms);
	if (st == OK)
		st = db_run(db, Q_SUBJECT_AUDIT_AGAIN, err, "i", subject_id);
	return st == OK ? label_decide(db, p, subject_id, 0, now_ms, err) : st;
}
