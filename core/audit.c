/*
 * Audits of a certificate: what people and experts find when they do not know what the model said. Shadow audits and
 * audits are draws from the same subjects, so one confidence sequence reads both.
 */
#include "certificate_part.h"

#include "bounds.h"
#include "draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct found {
	int64_t certificate_id, model_label_id, truth_id; /* the truth: 0 while it is not done */
};

static enum status find_audit(
	struct db *db, int64_t subject_id, const char *state, struct found *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_AUDIT_OF, &row, err, "is", subject_id, state);
	if (st == OK) {
		*out = (struct found){col_int(row, 0), col_int(row, 1), col_int(row, 2)};
		db_done(row);
	}
	return st;
}

enum status audit_answered(struct db *db, const struct project *p, int64_t subject_id,
	int64_t crowd_label_id, int64_t now_ms, bool *wants_expert, struct err *err)
{
	struct found audit = {0};
	double u = 0;
	enum status st = find_audit(db, subject_id, "crowd", &audit, err);
	*wants_expert = crowd_label_id == 0;
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	st = draw_uniform(db, "expert", audit.certificate_id, subject_id, &u, err);
	if (st != OK)
		return st;
	*wants_expert = crowd_label_id != audit.model_label_id || u < p->policy.expert_share;
	const int64_t *crowd = crowd_label_id ? &crowd_label_id : NULL;
	return db_run(db, Q_AUDIT_SET, err, "iisIII", subject_id, audit.certificate_id,
		*wants_expert ? "expert" : "done", crowd, *wants_expert ? NULL : crowd,
		*wants_expert ? NULL : &now_ms);
}

enum status audit_judged(struct db *db, int64_t subject_id, const int64_t *taxon_ids, int n,
	int64_t now_ms, struct err *err)
{
	struct found audit = {0};
	enum status st = find_audit(db, subject_id, "expert", &audit, err);
	if (st == NOT_FOUND) /* an expert may come before people are done */
		st = find_audit(db, subject_id, "crowd", &audit, err);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	const int64_t *truth = n > 0 ? taxon_ids : NULL;
	for (int i = 1; i < n; i++)
		truth = *truth == audit.model_label_id ? &taxon_ids[i] : truth;
	return db_run(db, Q_AUDIT_JUDGE, err, "iisIi", subject_id, audit.certificate_id,
		truth ? "done" : "void", truth, now_ms);
}

enum status audit_reopened(struct db *db, int64_t subject_id, bool *blind, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_AUDIT_LAST, &row, err, "i", subject_id);
	*blind = st == OK;
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	int64_t certificate_id = col_int(row, 0);
	db_done(row);
	return db_run(db, Q_AUDIT_SET, err, "iisnnn", subject_id, certificate_id, "crowd");
}

struct counts {
	int n, k;               /* audits done, and those that found an error */
	int n_shadow, k_shadow; /* of them shadow audits */
	int waiting; /* shadow audits where people disagree with the model and an expert is asked */
};

static enum status count(struct db *db, int64_t certificate_id, struct counts *c, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_AUDIT_COUNT, &row, err, "i", certificate_id);
	if (st == OK) {
		*c = (struct counts){(int)col_int(row, 0), (int)col_int(row, 1), (int)col_int(row, 2),
			(int)col_int(row, 3), (int)col_int(row, 4)};
		db_done(row);
	}
	return st;
}

/* What audit_settle knows of a certificate. */
struct audited {
	int64_t id, model_id;
	double alpha, delta;
	bool in_force, probation, revoked;
	bool follows; /* one that was revoked */
};

static enum status load_audited(
	struct db *db, int64_t certificate_id, struct audited *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_CERTIFICATE_GET, &row, err, "i", certificate_id);
	if (st != OK)
		return st;
	const char *state = col_text(row, 6);
	*out = (struct audited){.id = certificate_id,
		.model_id = col_int(row, 1),
		.alpha = col_real(row, 2),
		.delta = col_real(row, 3),
		.probation = strcmp(state, "probation") == 0,
		.revoked = strcmp(state, "revoked") == 0,
		.follows = !col_null(row, 8)};
	out->in_force = out->probation || strcmp(state, "active") == 0;
	db_done(row);
	return OK;
}

/*
 * What follows revoked_id: certificate like_id anew, for shadow audits alone. Once: where they too show that the model is wrong
 * more often than alpha, only another model or promise, or as much new gold as a test takes, gives a reason to ask people again.
 */
static enum status follow(struct db *db, const struct project *p, int64_t like_id,
	int64_t revoked_id, int64_t now_ms, struct err *err)
{
	enum status st = db_run(db, Q_CERTIFICATE_ADD_AFTER, err, "iii", like_id, now_ms, revoked_id);
	int64_t id = db_last_id(db);
	if (st == OK)
		st = db_run(db, Q_CERTIFICATE_TAXA_COPY, err, "ii", like_id, id);
	if (st == OK)
		st = db_run(db, Q_CERTIFICATE_GOLD_COPY, err, "ii", like_id, id);
	return st == OK ? certificate_draw_more(db, p, id, 0, err) : st;
}

/*
 * Ends what took the place of a certificate that audits refute only now, where it is their word against its promise too and it
 * follows nothing itself. *id: that certificate; 0: none.
 */
static enum status end_successor(struct db *db, const struct project *p, const struct audited *a,
	double lower, int64_t *id, int64_t now_ms, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_CERTIFICATE_SUCCESSOR, &row, err, "id", a->id, lower);
	*id = 0;
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	*id = col_int(row, 0);
	db_done(row);
	return certificate_replace(
		db, p, *id, "audits of the one before it have refuted what it promises", now_ms, err);
}

/* Its model is heard there no more; the sweep takes its labels back and decides what is open again. */
static enum status revoke(struct db *db, const struct project *p, const struct audited *a,
	double lower, const char *why, int64_t now_ms, struct err *err)
{
	const int64_t certificate_id = a->id;
	int64_t like_id = a->id;
	enum status st = db_run(
		db, Q_CERTIFICATE_END, err, "isis", certificate_id, "revoked", now_ms, why);
	if (st == OK && !a->in_force)
		st = end_successor(db, p, a, lower, &like_id, now_ms, err);
	if (st == OK)
		st = db_run(db, Q_MODEL_CLEAR_CALIBRATION, err, "i", a->model_id);
	if (st == OK)
		st = db_run(db, Q_AUDIT_UNBLIND, err, "ii", certificate_id, (int64_t)0);
	if (st == OK)
		st = db_run(db, Q_AUDIT_VOID, err, "ii", certificate_id, (int64_t)0);
	if (st == OK && like_id && !a->follows && a->model_id == p->model_id)
		st = follow(db, p, like_id, certificate_id, now_ms, err);
	return st == OK ? db_run(db, Q_PROJECT_MARK_SWEEP, err, "i", p->id) : st;
}

/* Whether audits end a probation. A disagreement that waits for its expert counts as an error: agreements do not wait. */
static bool holds(const struct project *p, const struct audited *a, int k, int n, int waiting)
{
	return n >= p->policy.audits &&
		cs_upper(k + waiting, n + waiting, a->delta) < certificate_bound(a->alpha, a->follows);
}

/* A model that was not heard is heard again. */
static enum status end_probation(struct db *db, const struct project *p, const struct audited *a,
	int64_t now_ms, struct err *err)
{
	enum status st = db_run(db, Q_CERTIFICATE_ACTIVATE, err, "ii", a->id, now_ms);
	if (st == OK && a->follows)
		st = db_run(db, Q_MODEL_CALIBRATE_AGAIN, err, "ii", a->model_id, a->id);
	return st == OK ? db_run(db, Q_PROJECT_MARK_SWEEP, err, "i", p->id) : st;
}

/* A deployment that came after the certificate ends its probation by its own audits. */
static enum status settle_deployment(struct db *db, const struct project *p,
	const struct audited *a, int64_t deployment_id, int64_t now_ms, struct err *err)
{
	const int64_t certificate_id = a->id;
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_PROBATION_GET, &row, err, "ii", certificate_id, deployment_id);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	bool ended = !col_null(row, 0);
	db_done(row);
	if (ended)
		return OK;
	st = db_one(db, Q_AUDIT_COUNT_DEPLOYMENT, &row, err, "ii", certificate_id, deployment_id);
	if (st != OK)
		return st;
	int n = (int)col_int(row, 0);
	int k = (int)col_int(row, 1);
	int waiting = (int)col_int(row, 2);
	db_done(row);
	if (!holds(p, a, k, n, waiting))
		return OK;
	st = db_run(db, Q_PROBATION_END, err, "iii", certificate_id, deployment_id, now_ms);
	return st == OK ? db_run(db, Q_PROJECT_MARK_SWEEP, err, "i", p->id) : st;
}

enum status audit_settle(
	struct db *db, const struct project *p, int64_t subject_id, int64_t now_ms, struct err *err)
{
	struct found audit = {0};
	struct audited a = {0};
	struct subject s;
	struct counts c = {0};
	enum status st = find_audit(db, subject_id, "done", &audit, err);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	st = load_audited(db, audit.certificate_id, &a, err);
	if (st != OK || a.revoked)
		return st;
	st = count(db, a.id, &c, err);
	if (st != OK)
		return st;
	double lower = cs_lower(c.k, c.n, a.delta);
	if (lower > a.alpha) {
		char why[160];
		snprintf(why, sizeof why,
			"%d errors in %d audits: above %.4f with probability %.2f, %.4f was promised", c.k, c.n,
			lower, 1 - a.delta, a.alpha);
		return revoke(db, p, &a, lower, why, now_ms, err);
	}
	if (a.probation && holds(p, &a, c.k_shadow, c.n_shadow, c.waiting))
		return end_probation(db, p, &a, now_ms, err);
	if (a.probation && audit.truth_id != audit.model_label_id)
		return certificate_draw_more(db, p, a.id, c.k_shadow, err);
	st = subject_load(db, subject_id, &s, err);
	return st == OK ? settle_deployment(db, p, &a, s.deployment_id, now_ms, err) : st;
}
