/*
 * Issues certificates: one calibration a model, one threshold a stratum. What is tested is settled by what the model says
 * of the gold, before its truths are looked at.
 */
#include "certificate_part.h"

#include "bounds.h"
#include "calibration.h"
#include "prediction.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gold {
	int64_t subject_id;
	struct prediction_truth truth;
	int top;     /* the model's class, -1: not the project's */
	int stratum; /* -1: never auto-labelled; it must not dilute the errors of what is */
	bool right;
	double p_top; /* before calibration */
	int64_t drawn_ms;
	char group[DEPLOYMENT_GROUP_MAX + 1];
};

/* What one renewal works on. */
struct work {
	const struct project *p;
	struct gold *gold;
	int n;
	int n_strata; /* groups times N_PARTS, a group's parts together */
	struct stratum_now *strata;
	enum stratum_part *part; /* [groups, k] */
	int n_tested;
	double delta_share;
};

static enum status load_gold(struct db *db, struct work *w, struct err *err)
{
	int room = 0;
	enum status st;
	struct stmt *row = db_query(db, Q_PREDICTION_GOLD, "ii", w->p->id, w->p->model_id);
	while ((st = db_step(row, err)) == OK) {
		if (w->n == room) {
			room = room ? room * 2 : 256;
			w->gold = xrealloc(w->gold, (size_t)room * sizeof *w->gold);
		}
		struct gold *g = &w->gold[w->n++];
		*g = (struct gold){.subject_id = col_int(row, 0),
			.truth = {col_int(row, 4), col_int(row, 1)},
			.top = project_class(w->p, col_int(row, 3)),
			.right = col_int(row, 1) == col_int(row, 3),
			.p_top = col_real(row, 2),
			.drawn_ms = col_int(row, 6)};
		snprintf(g->group, sizeof g->group, "%s", col_text(row, 5));
	}
	return st == NOT_FOUND ? OK : st;
}

static bool is_labelled(const struct project *p, int class)
{
	return class >= 0 && !p->taxa[class].protected && !p->taxa[class].retired &&
		(p->taxa[class].kind != TAXON_BLANK || p->policy.auto_blank);
}

/* The first stratum of a group, made where there is none. */
static int group_at(struct work *w, const char *group)
{
	for (int i = 0; i < w->n_strata; i += N_PARTS)
		if (strcmp(w->strata[i].group, group) == 0)
			return i;
	int at = w->n_strata;
	w->n_strata += N_PARTS;
	w->strata = xrealloc(w->strata, (size_t)w->n_strata * sizeof *w->strata);
	for (int part = 0; part < N_PARTS; part++) {
		struct stratum_now *s = &w->strata[at + part];
		*s = (struct stratum_now){.part = (enum stratum_part)part,
			.alpha = part == PART_BLANK ? w->p->policy.alpha_blank : w->p->policy.alpha};
		snprintf(s->group, sizeof s->group, "%s", group);
	}
	return at;
}

/* The gold of a group that the model takes for each class. Shapes: n_said [k]. */
static void count_said(const struct work *w, const char *group, int *n_said)
{
	memset(n_said, 0, (size_t)w->p->k * sizeof *n_said);
	for (int i = 0; i < w->n; i++)
		if (w->gold[i].top >= 0 && strcmp(w->gold[i].group, group) == 0)
			n_said[w->gold[i].top]++;
}

static enum stratum_part part_of(const struct work *w, int class, int stratum)
{
	return w->part[stratum / N_PARTS * w->p->k + class];
}

/* The last of the stratum's revoked certificates whose audits put the error above this alpha too; 0: none. */
static enum status find_refuting(
	struct db *db, const struct work *w, const struct stratum_now *s, int64_t *out, struct err *err)
{
	struct revoked {
		int64_t id;
		double delta;
	} *all = NULL;
	int n = 0;
	enum status st;
	struct stmt *row = db_query(db, Q_CERTIFICATE_REVOKED, "issd", w->p->model_id,
		(const char *)s->group, stratum_name(s->part), s->alpha);
	while ((st = db_step(row, err)) == OK) {
		all = xrealloc(all, ((size_t)n + 1) * sizeof *all);
		all[n++] = (struct revoked){col_int(row, 0), col_real(row, 1)};
	}
	st = st == NOT_FOUND ? OK : st;
	*out = 0;
	for (int i = 0; st == OK && !*out && i < n; i++) {
		st = db_one(db, Q_AUDIT_COUNT, &row, err, "i", all[i].id);
		if (st == OK &&
			cs_lower((int)col_int(row, 1), (int)col_int(row, 0), all[i].delta) > s->alpha)
			*out = all[i].id;
		db_done(st == OK ? row : NULL);
	}
	free(all);
	return st;
}

/* A class of a certificate that audits have refuted stays in its stratum, however much gold there is of it now. */
static enum status keep_parts(struct db *db, struct work *w, int at, struct err *err)
{
	enum status st = OK;
	for (int part = 0; st == OK && part < N_PARTS; part++) {
		int64_t id = 0;
		st = find_refuting(db, w, &w->strata[at + part], &id, err);
		if (st != OK || !id)
			continue;
		struct stmt *row = db_query(db, Q_CERTIFICATE_TAXA, "i", id);
		while ((st = db_step(row, err)) == OK) {
			int class = project_class(w->p, col_int(row, 0));
			if (class >= 0)
				w->part[at / N_PARTS * w->p->k + class] = (enum stratum_part)part;
		}
		st = st == NOT_FOUND ? OK : st;
	}
	return st;
}

/* Which part of its group each class is in. */
static enum status load_parts(struct db *db, struct work *w, struct err *err)
{
	enum status st = OK;
	int *n_said = xcalloc((size_t)w->p->k, sizeof *n_said);
	w->part = xcalloc((size_t)(w->n_strata / N_PARTS * w->p->k) + 1, sizeof *w->part);
	for (int at = 0; st == OK && at < w->n_strata; at += N_PARTS) {
		count_said(w, w->strata[at].group, n_said);
		for (int z = 0; z < w->p->k; z++)
			w->part[at / N_PARTS * w->p->k + z] = stratum_part_of(
				w->p->taxa[z].kind == TAXON_BLANK, n_said[z], w->p->policy.common_gold);
		st = keep_parts(db, w, at, err);
	}
	free(n_said);
	return st;
}

/* Puts the gold into strata and says which are tested at which share of delta. */
static enum status plan(struct db *db, struct work *w, struct err *err)
{
	for (int i = 0; i < w->n; i++)
		group_at(w, w->gold[i].group);
	enum status st = load_parts(db, w, err);
	if (st != OK)
		return st;
	for (int i = 0; i < w->n; i++) {
		struct gold *g = &w->gold[i];
		int at = group_at(w, g->group);
		g->stratum = is_labelled(w->p, g->top) ? at + (int)part_of(w, g->top, at) : -1;
		if (g->stratum >= 0)
			w->strata[g->stratum].n_gold++;
	}
	struct stratum *counts = xcalloc((size_t)w->n_strata + 1, sizeof *counts);
	for (int i = 0; i < w->n_strata; i++)
		counts[i] = (struct stratum){w->strata[i].alpha, w->strata[i].n_gold, false};
	w->n_tested = strata_choose(counts, w->n_strata, w->p->policy.delta);
	w->delta_share = w->p->policy.delta / (w->n_tested > 0 ? w->n_tested : 1);
	for (int i = 0; i < w->n_strata; i++) {
		struct stratum_now *s = &w->strata[i];
		s->tested = counts[i].tested;
		s->n_needed = stratum_needed(
			s->alpha, s->tested ? w->delta_share : w->p->policy.delta / (w->n_tested + 1));
	}
	free(counts);
	return OK;
}

static void work_release(struct work *w)
{
	free(w->gold);
	free(w->strata);
	free(w->part);
}

enum status certificate_strata(
	struct db *db, const struct project *p, struct stratum_now **out, int *n, struct err *err)
{
	struct work w = {.p = p};
	enum status st = load_gold(db, &w, err);
	if (st == OK)
		st = plan(db, &w, err);
	*out = w.strata;
	*n = w.n_strata;
	w.strata = NULL;
	work_release(&w);
	return st;
}

static double confidence(struct calibration c, double p_top)
{
	return 1 / (1 + exp(-(c.w0 + c.w1 * top_logodds(p_top))));
}

/*
 * The model's calibration, on all its gold. NOT_FOUND when there is too little, or the model knows no more than its class
 * prior: then it is not heard.
 */
static enum status fit(
	struct db *db, const struct work *w, struct calibration *out, struct err *err)
{
	double *top = xcalloc((size_t)w->n + 1, sizeof *top), rest = 1;
	bool *right = xcalloc((size_t)w->n + 1, sizeof *right), informs = false;
	struct prediction_truth *truths = xcalloc((size_t)w->n + 1, sizeof *truths);
	for (int i = 0; i < w->n; i++) {
		top[i] = top_logodds(w->gold[i].p_top);
		right[i] = w->gold[i].right;
		truths[i] = w->gold[i].truth;
	}
	enum status st = w->n < CERTIFICATE_MIN_GOLD
		? err_set(err, NOT_FOUND, "too little gold for a calibration")
		: calibration_fit(top, right, w->n, out, err);
	if (st == OK && out->w1 <= 0)
		/* More confidence means more errors: such a model's confidence says nothing, and no threshold on it can. */
		st = err_set(err, NOT_FOUND, "the model's confidence does not rise with its accuracy");
	if (st == OK)
		st = prediction_fit_rest(db, w->p, truths, w->n, *out, &rest, &informs, err);
	if (st == OK && !informs)
		st = err_set(err, NOT_FOUND, "the model says no more than its class prior");
	if (st == OK)
		st = db_run(db, Q_MODEL_SET_CALIBRATION, err, "idddi", w->p->model_id, out->w0, out->w1,
			rest, (int64_t)w->n);
	if (st == OK)
		st = db_run(db, Q_PROJECT_MARK_SWEEP, err, "i", w->p->id);
	free(top);
	free(right);
	free(truths);
	return st;
}

struct tested {
	bool passes;
	int64_t after_id; /* the revoked certificate that it would follow; 0: none */
	double p_top_min;
	int n_above, n_wrong;
};

/*
 * On the same gold that the calibration is fitted on: fixed-sequence tests of subjects in order of confidence hold
 * whatever the order, if the gold did not choose it. It did not: this is the model's own order, before calibration.
 */
static enum status test(const struct work *w, int stratum, struct tested *out, struct err *err)
{
	double *conf = xcalloc((size_t)w->n, sizeof *conf);
	bool *wrong = xcalloc((size_t)w->n, sizeof *wrong);
	int n = 0;
	for (int i = 0; i < w->n; i++)
		if (w->gold[i].stratum == stratum) {
			conf[n] = w->gold[i].p_top;
			wrong[n++] = !w->gold[i].right;
		}
	enum status st = choose_threshold(
		conf, wrong, n, w->strata[stratum].alpha, w->delta_share, &out->p_top_min, err);
	out->passes = st == OK;
	for (int i = 0; st == OK && i < n; i++) {
		out->n_above += conf[i] >= out->p_top_min;
		out->n_wrong += conf[i] >= out->p_top_min && wrong[i];
	}
	free(conf);
	free(wrong);
	return st == NOT_FOUND ? OK : st;
}

/* The model's last certificate of a stratum. */
struct last {
	bool there;
	bool follows; /* a revoked one; in force, of the promise there is now */
	/*
	 * Of just this gold and these rules: then there is nothing to renew. A share of delta that has grown since changes
	 * nothing either: it was tested more strictly.
	 */
	bool current;
	int64_t since_ms; /* it ended, or was issued */
};

static enum status find_last(struct db *db, const struct work *w, const struct stratum_now *s,
	struct last *out, struct err *err)
{
	struct stmt *row = NULL;
	*out = (struct last){0};
	enum status st = db_one(db, Q_CERTIFICATE_LAST_OF_STRATUM, &row, err, "iss", w->p->model_id,
		(const char *)s->group, stratum_name(s->part));
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	const char *state = col_text(row, 1);
	bool promise = col_real(row, 3) == s->alpha && col_real(row, 4) == w->p->policy.delta;
	*out = (struct last){.there = true,
		.follows = promise && col_int(row, 6) && strcmp(state, "probation") == 0,
		.current = promise && strcmp(state, "replaced") != 0 && col_int(row, 2) == s->n_gold &&
			col_real(row, 5) <= w->delta_share,
		.since_ms = col_int(row, 7)};
	db_done(row);
	return OK;
}

enum status certificate_replace(struct db *db, const struct project *p, int64_t certificate_id,
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

/* Where only gold may have been predicted yet: as many are sure as of all n_gold. */
static enum status audit_rate(struct db *db, const struct work *w, const struct stratum_now *s,
	const struct tested *t, double *rate, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_SUBJECT_N_UNTOUCHED, &row, err, "i", w->p->id);
	if (st != OK)
		return st;
	*rate = certificate_share(&w->p->policy, certificate_bound(s->alpha, t->after_id != 0),
		w->p->policy.delta, 0, (double)col_int(row, 0) * t->n_above / w->n);
	db_done(row);
	return OK;
}

/* The classes that a certificate holds for and the gold that it stands on. */
static enum status record(
	struct db *db, const struct work *w, int stratum, int64_t certificate_id, struct err *err)
{
	const struct stratum_now *s = &w->strata[stratum];
	enum status st = OK;
	for (int z = 0; st == OK && z < w->p->k; z++)
		if (is_labelled(w->p, z) && part_of(w, z, stratum) == s->part)
			st = db_run(db, Q_CERTIFICATE_TAXON_ADD, err, "ii", certificate_id, w->p->taxa[z].id);
	for (int i = 0; st == OK && i < w->n; i++)
		if (w->gold[i].stratum == stratum)
			st = db_run(db, Q_CERTIFICATE_GOLD_ADD, err, "iiii", certificate_id,
				w->gold[i].subject_id, w->gold[i].truth.prediction_id, w->gold[i].truth.taxon_id);
	return st;
}

static enum status issue(struct db *db, const struct work *w, int stratum, const struct tested *t,
	struct calibration c, int64_t now_ms, struct err *err)
{
	const struct stratum_now *s = &w->strata[stratum];
	const struct policy *policy = &w->p->policy;
	struct stmt *row = NULL;
	double rate = 1;
	enum status st = db_one(db, Q_CERTIFICATE_IN_FORCE, &row, err, "iss", w->p->id,
		(const char *)s->group, stratum_name(s->part));
	if (st == OK) {
		int64_t old = col_int(row, 0);
		db_done(row);
		st = certificate_replace(db, w->p, old,
			"a newer model, more gold or another policy has a certificate of its own", now_ms, err);
	}
	if (st == OK || st == NOT_FOUND)
		st = audit_rate(db, w, s, t, &rate, err);
	if (st == OK)
		st = db_run(db, Q_CERTIFICATE_ADD, err,
			"iiissdddidddd"
			"iiiddiI",
			w->p->id, w->p->model_id, policy->id, (const char *)s->group, stratum_name(s->part),
			s->alpha, policy->delta, w->delta_share, (int64_t)w->n_tested, t->p_top_min,
			confidence(c, t->p_top_min), c.w0, c.w1, (int64_t)s->n_gold, (int64_t)t->n_above,
			(int64_t)t->n_wrong, cp_upper(t->n_wrong, t->n_above, w->delta_share), rate, now_ms,
			t->after_id ? &t->after_id : NULL);
	return st == OK ? record(db, w, stratum, db_last_id(db), err) : st;
}

enum { STAYS = 1, ISSUED, REFUTED };

/*
 * Goes through the model's certificates in force: what its stratum no longer bears ends; what stays on probation may want
 * more audits. Shapes: fate [n_strata]: STAYS, ISSUED (issue() sees to the old one), REFUTED (nothing was
 * tested) or 0.
 */
static enum status tend(
	struct db *db, const struct work *w, const int *fate, int64_t now_ms, struct err *err)
{
	struct own {
		int64_t id;
		int fate;
	} *own = NULL;
	int n = 0;
	enum status st;
	struct stmt *row = db_query(db, Q_CERTIFICATE_OF_MODEL, "i", w->p->model_id);
	while ((st = db_step(row, err)) == OK) {
		own = xrealloc(own, ((size_t)n + 1) * sizeof *own);
		own[n] = (struct own){.id = col_int(row, 0)};
		for (int i = 0; i < w->n_strata; i++)
			if (strcmp(col_text(row, 1), w->strata[i].group) == 0 &&
				strcmp(col_text(row, 2), stratum_name(w->strata[i].part)) == 0)
				own[n].fate = fate[i];
		n++;
	}
	st = st == NOT_FOUND ? OK : st;
	for (int i = 0; st == OK && i < n; i++)
		if (own[i].fate == STAYS)
			st = certificate_draw_more(db, w->p, own[i].id, 0, err);
		else if (own[i].fate != ISSUED)
			st = certificate_replace(db, w->p, own[i].id,
				own[i].fate == REFUTED
					? "audits have refuted what is promised now, and too little gold was drawn "
					  "since"
					: "no threshold passes any more with the gold and the policy there are now",
				now_ms, err);
	free(own);
	return st;
}

static enum status n_calibration(struct db *db, int64_t model_id, int *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_MODEL_N_CALIBRATION, &row, err, "i", model_id);
	if (st == OK) {
		*out = (int)col_int(row, 0);
		db_done(row);
	}
	return st;
}

/* How much of the stratum's gold was drawn after that. */
static int n_drawn_since(const struct work *w, int stratum, int64_t ms)
{
	int n = 0;
	for (int i = 0; i < w->n; i++)
		n += w->gold[i].stratum == stratum && w->gold[i].drawn_ms > ms;
	return n;
}

/*
 * What becomes of a stratum. Where audits have refuted the promise, gold only gives a reason to ask people again: as much of
 * it, drawn since, as a test takes. What is asked already goes on, even where gold elsewhere leaves too little of delta for a test.
 */
static enum status decide(
	struct db *db, const struct work *w, int stratum, int *fate, struct tested *t, struct err *err)
{
	const struct stratum_now *s = &w->strata[stratum];
	struct last last;
	enum status st = find_last(db, w, s, &last, err);
	*fate = s->tested && last.current ? STAYS : 0;
	if (st != OK || *fate == STAYS)
		return st;
	st = last.there ? find_refuting(db, w, s, &t->after_id, err) : OK;
	if (st != OK)
		return st;
	if (t->after_id && last.follows)
		*fate = STAYS;
	else if (t->after_id && n_drawn_since(w, stratum, last.since_ms) < s->n_needed)
		*fate = REFUTED;
	else if (s->tested) {
		st = test(w, stratum, t, err);
		*fate = t->passes ? ISSUED : 0;
	}
	return st;
}

/* Decides on all strata, and tests what is new. *any: there is something to issue. Shapes: fate, tests [n_strata]. */
static enum status test_all(struct db *db, const struct work *w, int *fate, struct tested *tests,
	bool *any, struct err *err)
{
	enum status st = OK;
	for (int i = 0; st == OK && i < w->n_strata; i++) {
		st = decide(db, w, i, &fate[i], &tests[i], err);
		*any = *any || fate[i] == ISSUED;
	}
	return st;
}

enum status certificate_renew(
	struct db *db, const struct project *p, int64_t now_ms, struct err *err)
{
	struct work w = {.p = p};
	struct calibration c = {0};
	int n_before = 0;
	bool any = false;
	enum status st = load_gold(db, &w, err);
	if (st == OK)
		st = plan(db, &w, err);
	int *fate = xcalloc((size_t)w.n_strata + 1, sizeof *fate);
	struct tested *tests = xcalloc((size_t)w.n_strata + 1, sizeof *tests);
	if (st == OK)
		st = test_all(db, &w, fate, tests, &any, err);
	if (st == OK)
		st = n_calibration(db, p->model_id, &n_before, err);
	if (st == OK && (any || n_before != w.n))
		st = fit(db, &w, &c, err);
	if (st == NOT_FOUND) { /* the model is not heard, and nothing is auto-labelled */
		memset(fate, 0, (size_t)w.n_strata * sizeof *fate);
		st = OK;
	}
	for (int i = 0; st == OK && i < w.n_strata; i++)
		if (fate[i] == ISSUED)
			st = issue(db, &w, i, &tests[i], c, now_ms, err);
	if (st == OK)
		st = tend(db, &w, fate, now_ms, err);
	free(fate);
	free(tests);
	work_release(&w);
	return st;
}
