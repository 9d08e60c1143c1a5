/* Issues certificates and labels under them; audit.c reads their audits. */
#include "certificate.h"

#include "bounds.h"
#include "calibration.h"
#include "draw.h"
#include "prediction.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct certificate {
	int64_t id, model_id;
	double alpha, delta, threshold, audit_rate;
	bool active;
	int n_gold;
	int64_t issued_ms;
};

/* A threshold is the confidence of a gold subject; the same confidence computed on another path may round below it. */
static const double ROUNDING = 1e-9;

struct gold {
	/* The promise is about what is auto-labelled: what never is must not dilute its errors. */
	bool for_threshold;
	bool right;
	double p_top; /* before calibration */
	struct prediction_truth truth;
};

static enum status load_gold(
	struct db *db, const struct project *p, struct gold **out, int *n, struct err *err)
{
	int room = 0;
	enum status st;
	struct stmt *row = db_query(db, Q_PREDICTION_GOLD, "ii", p->id, p->model_id);
	while ((st = db_step(row, err)) == OK) {
		if (*n == room) {
			room = room ? room * 2 : 256;
			*out = xrealloc(*out, (size_t)room * sizeof **out);
		}
		struct gold *g = &(*out)[(*n)++];
		*g = (struct gold){.for_threshold = !col_int(row, 4),
			.right = col_int(row, 1) == col_int(row, 3),
			.p_top = col_real(row, 2),
			.truth = {col_int(row, 5), col_int(row, 1)}};
	}
	return st == NOT_FOUND ? OK : st;
}

static double confidence(struct calibration c, double p_top)
{
	return 1 / (1 + exp(-(c.w0 + c.w1 * top_logodds(p_top))));
}

static enum status fit(const struct gold *gold, int n, struct calibration *out, struct err *err)
{
	double *top = xcalloc((size_t)n, sizeof *top);
	bool *right = xcalloc((size_t)n, sizeof *right);
	for (int i = 0; i < n; i++) {
		top[i] = top_logodds(gold[i].p_top);
		right[i] = gold[i].right;
	}
	enum status st = n < CERTIFICATE_MIN_GOLD
		? err_set(err, NOT_FOUND, "too little gold for a calibration")
		: calibration_fit(top, right, n, out, err);
	if (st == OK && out->w1 <= 0)
		/* More confidence means more errors: such a model's confidence says nothing, and no threshold on it can. */
		st = err_set(err, NOT_FOUND, "the model's confidence does not rise with its accuracy");
	free(top);
	free(right);
	return st;
}

/* The rest of the calibration. NOT_FOUND when the model knows no more than its class prior: then it is not heard. */
static enum status fit_rest(struct db *db, const struct project *p, const struct gold *gold, int n,
	struct calibration c, double *rest, struct err *err)
{
	struct prediction_truth *truths = xcalloc((size_t)n, sizeof *truths);
	bool informs = false;
	for (int i = 0; i < n; i++)
		truths[i] = gold[i].truth;
	enum status st = prediction_fit_rest(db, p, truths, n, c, rest, &informs, err);
	free(truths);
	if (st == OK && !informs)
		st = err_set(err, NOT_FOUND, "the model says no more than its class prior");
	return st;
}

struct tested {
	double threshold;
	int n_gold, n_above, n_wrong;
};

/*
 * On the same gold that the calibration was fitted on: fixed-sequence tests of subjects in order of confidence hold
 * whatever the order, if the gold did not choose it. It did not, for a calibration with w1 > 0 keeps the model's own order.
 */
static enum status test(const struct policy *policy, struct calibration c, const struct gold *gold,
	int n, struct tested *out, struct err *err)
{
	double *conf = xcalloc((size_t)n, sizeof *conf);
	bool *wrong = xcalloc((size_t)n, sizeof *wrong);
	*out = (struct tested){0};
	for (int i = 0; i < n; i++)
		if (gold[i].for_threshold) {
			conf[out->n_gold] = confidence(c, gold[i].p_top);
			wrong[out->n_gold++] = !gold[i].right;
		}
	enum status st = choose_threshold(
		conf, wrong, out->n_gold, policy->alpha, policy->delta, &out->threshold, err);
	for (int i = 0; st == OK && i < out->n_gold; i++) {
		out->n_above += conf[i] >= out->threshold;
		out->n_wrong += conf[i] >= out->threshold && wrong[i];
	}
	free(conf);
	free(wrong);
	return st;
}

static enum status read_certificate(struct stmt *row, enum status st, struct certificate *c)
{
	if (st != OK)
		return st;
	*c = (struct certificate){
		.id = col_int(row, 0),
		.model_id = col_int(row, 1),
		.alpha = col_real(row, 2),
		.delta = col_real(row, 3),
		.threshold = col_real(row, 4),
		.audit_rate = col_real(row, 5),
		.active = strcmp(col_text(row, 6), "active") == 0,
		.n_gold = (int)col_int(row, 7),
		.issued_ms = col_int(row, 8),
	};
	db_done(row);
	return OK;
}

/* Whether this model's last certificate is of just this gold and these rules: then there is nothing to renew. */
static enum status is_current(
	struct db *db, const struct project *p, int n_gold, bool *current, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_CERTIFICATE_LAST_OF_MODEL, &row, err, "i", p->model_id);
	*current = false;
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	*current = strcmp(col_text(row, 0), "replaced") != 0 && col_int(row, 1) == n_gold &&
		col_real(row, 2) == p->policy.alpha && col_real(row, 3) == p->policy.delta;
	db_done(row);
	return OK;
}

static enum status in_force(
	struct db *db, int64_t project_id, struct certificate *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_CERTIFICATE_IN_FORCE, &row, err, "i", project_id);
	return read_certificate(row, st, out);
}

/*
 * The share drawn of n that would be auto-labelled: enough that a probation with n_errors so far can end (audit.c) but for
 * bad luck of three standard deviations; on a closed set of photographs too few drawn would leave it on probation for ever.
 */
static double share_drawn(
	const struct policy *policy, double alpha, double delta, int n_errors, double n)
{
	double wanted = fmax(policy->audits, cs_enough(n_errors, 2 * alpha, delta));
	return fmin(1, fmax(policy->audit_rate, (wanted + 3 * sqrt(wanted)) / fmax(n, 1)));
}

/* Where only gold may have been predicted yet: as many are sure as of all n_gold. */
static enum status audit_rate(struct db *db, const struct project *p, const struct tested *t,
	int n_gold, double *rate, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_SUBJECT_N_UNTOUCHED, &row, err, "i", p->id);
	if (st != OK)
		return st;
	*rate = share_drawn(&p->policy, p->policy.alpha, p->policy.delta, 0,
		(double)col_int(row, 0) * t->n_above / n_gold);
	db_done(row);
	return OK;
}

enum status certificate_draw_more(
	struct db *db, const struct project *p, int n_errors, struct err *err)
{
	struct certificate c = {0};
	struct calibration k = {0};
	struct stmt *row = NULL;
	enum status st = in_force(db, p->id, &c, err);
	if (st != OK || c.model_id != p->model_id || c.active)
		return st == NOT_FOUND ? OK : st;
	st = db_one(db, Q_PREDICTION_MODEL, &row, err, "i", c.model_id);
	if (st != OK)
		return st;
	k = (struct calibration){col_real(row, 1), col_real(row, 2)};
	db_done(row);
	double t = c.threshold - ROUNDING;
	double logodds = (log(t / (1 - t)) - k.w0) / k.w1;
	st = db_one(
		db, Q_CERTIFICATE_N_SURE, &row, err, "iid", c.id, c.model_id, 1 / (1 + exp(-logodds)));
	if (st != OK)
		return st;
	double rate = share_drawn(&p->policy, c.alpha, c.delta, n_errors, (double)col_int(row, 0));
	db_done(row);
	if (rate <= c.audit_rate)
		return OK;
	st = db_run(db, Q_CERTIFICATE_SET_RATE, err, "id", c.id, rate);
	return st == OK ? db_run(db, Q_PROJECT_MARK_SWEEP, err, "i", p->id) : st;
}

/*
 * Ends a certificate that another takes the place of, or none. What it has labelled stands, with its audits; what was drawn
 * to see whether it may label at all is asked of nobody any more.
 */
static enum status replace(struct db *db, const struct project *p, int64_t certificate_id,
	const char *why, int64_t now_ms, struct err *err)
{
	enum status st = db_run(
		db, Q_CERTIFICATE_END, err, "isis", certificate_id, "replaced", now_ms, why);
	if (st == OK)
		st = db_run(db, Q_AUDIT_UNBLIND, err, "ii", certificate_id, (int64_t)1);
	if (st == OK)
		st = db_run(db, Q_AUDIT_VOID, err, "ii", certificate_id, (int64_t)1);
	return st == OK ? db_run(db, Q_PROJECT_MARK_SWEEP, err, "i", p->id) : st;
}

static enum status issue(struct db *db, const struct project *p, const struct tested *t, int n_gold,
	int64_t now_ms, struct err *err)
{
	struct certificate old = {0};
	const struct policy *policy = &p->policy;
	double rate = 1;
	enum status st = in_force(db, p->id, &old, err);
	if (st == OK)
		st = replace(db, p, old.id,
			"a newer model, more gold or another policy has a certificate of its own", now_ms, err);
	if (st == OK || st == NOT_FOUND)
		st = audit_rate(db, p, t, n_gold, &rate, err);
	if (st != OK)
		return st;
	return db_run(db, Q_CERTIFICATE_ADD, err, "iiidddiiiddi", p->id, p->model_id, policy->id,
		policy->alpha, policy->delta, t->threshold, (int64_t)t->n_gold, (int64_t)t->n_above,
		(int64_t)t->n_wrong, cp_upper(t->n_wrong, t->n_above, policy->delta), rate, now_ms);
}

/* No threshold passes on all the gold there is now: what the model's older certificate stood on is gone. */
static enum status end_own(struct db *db, const struct project *p, int64_t now_ms, struct err *err)
{
	struct certificate old = {0};
	enum status st = in_force(db, p->id, &old, err);
	if (st == OK && old.model_id == p->model_id)
		return replace(db, p, old.id,
			"no threshold passes any more with the gold and the policy there are now", now_ms, err);
	return st == NOT_FOUND ? OK : st;
}

enum status certificate_renew(
	struct db *db, const struct project *p, int64_t now_ms, struct err *err)
{
	struct gold *gold = NULL;
	int n = 0;
	bool current = false;
	double rest = 1;
	struct calibration c = {0};
	struct tested t = {0};
	enum status st = load_gold(db, p, &gold, &n, err);
	int n_gold = 0;
	for (int i = 0; st == OK && i < n; i++)
		n_gold += gold[i].for_threshold;
	if (st == OK)
		st = is_current(db, p, n_gold, &current, err);
	if (st == OK && current)
		st = certificate_draw_more(db, p, 0, err);
	if (st == OK && !current) {
		st = fit(gold, n, &c, err);
		if (st == OK)
			st = fit_rest(db, p, gold, n, c, &rest, err);
		if (st == OK)
			st = db_run(db, Q_MODEL_SET_CALIBRATION, err, "idddi", p->model_id, c.w0, c.w1, rest,
				(int64_t)n);
		if (st == OK)
			st = db_run(db, Q_PROJECT_MARK_SWEEP, err, "i", p->id);
		if (st == OK)
			st = test(&p->policy, c, gold, n, &t, err);
		if (st == OK)
			st = issue(db, p, &t, n, now_ms, err);
		if (st == NOT_FOUND) /* too little gold, or no threshold passes: nothing is auto-labelled */
			st = end_own(db, p, now_ms, err);
	}
	free(gold);
	return st;
}

/* A deployment that the certificate's gold does not cover is on probation of its own. */
static enum status on_probation(struct db *db, const struct project *p, const struct certificate *c,
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
 * then on the policy's.
 */
static enum status rate_now(struct db *db, const struct project *p, const struct certificate *c,
	bool probation, double *rate, struct err *err)
{
	struct stmt *row = NULL;
	*rate = c->audit_rate;
	if (probation)
		return OK;
	enum status st = db_one(
		db, Q_AUDIT_ENOUGH, &row, err, "ii", c->id, (int64_t)p->policy.audits - 1);
	if (st == OK) {
		db_done(row);
		*rate = p->policy.audit_rate;
	}
	return st == NOT_FOUND ? OK : st;
}

enum status certificate_apply(struct db *db, const struct project *p, const struct subject *s,
	int64_t now_ms, bool *drawn, struct err *err)
{
	struct certificate c = {0};
	struct prediction_top top = {0};
	bool probation = false;
	double u = 0, rate = 1;
	*drawn = false;
	if (!s->prediction_id || !p->policy.auto_label)
		return OK;
	enum status st = in_force(db, p->id, &c, err);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	st = prediction_read_top(db, p, s->prediction_id, &top, err);
	int class = project_class(p, top.taxon_id);
	if (st != OK || !top.calibrated || top.model_id != c.model_id ||
		top.p < c.threshold - ROUNDING || class < 0 || p->taxa[class].protected ||
		p->taxa[class].retired || p->taxa[class].kind == TAXON_BLANK)
		return st;
	st = on_probation(db, p, &c, s->deployment_id, &probation, err);
	if (st == OK)
		st = rate_now(db, p, &c, probation, &rate, err);
	if (st == OK)
		st = draw_uniform(db, probation ? "shadow" : "audit", c.id, s->id, &u, err);
	if (st != OK)
		return st;
	*drawn = u < rate;
	if (*drawn)
		st = db_run(db, Q_AUDIT_ADD, err, "iisdii", s->id, c.id, probation ? "shadow" : "audit",
			rate, top.taxon_id, now_ms);
	if (*drawn && probation && st == OK)
		st = db_run(db, Q_SUBJECT_SET_BLIND, err, "ii", s->id, (int64_t)1);
	if (st != OK || probation)
		return st;
	return label_by_model(db, p, s, top.taxon_id, top.p, c.id, *drawn, now_ms, err);
}
