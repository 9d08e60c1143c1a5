/* Reads, computes and compares; changes nothing. */
#include "certificate_check.h"

#include "bounds.h"
#include "calibration.h"
#include "certificate.h"
#include "draw.h"
#include "strata.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stored {
	int64_t id, model_id;
	enum stratum_part part;
	double alpha, delta, delta_share, p_top_min, threshold, p_error_upper;
	int n_strata, n_gold, n_above, n_wrong;
	struct calibration calibration;
	char state[12];
	bool was_active, whole, sweeping;
	bool follows, follows_right; /* a revoked one; of the same model and stratum */
	struct policy policy;        /* of its day */
};

static void find(json_t *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void find(json_t *findings, const char *format, ...)
{
	char text[300];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	json_array_append_new(findings, json_string(text));
}

static bool same(double a, double b)
{
	return fabs(a - b) <= 1e-9;
}

static enum status load(struct db *db, const struct project *p, int64_t id, struct stored *c,
	json_t *findings, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_CERTIFICATE_STORED, &row, err, "i", id);
	if (st == NOT_FOUND || (st == OK && col_int(row, 0) != p->id)) {
		db_done(row);
		return err_set(err, NOT_FOUND, "the project has no certificate %lld", (long long)id);
	}
	if (st != OK)
		return st;
	*c = (struct stored){.id = id,
		.model_id = col_int(row, 1),
		.part = N_PARTS,
		.alpha = col_real(row, 3),
		.delta = col_real(row, 4),
		.delta_share = col_real(row, 5),
		.n_strata = (int)col_int(row, 6),
		.p_top_min = col_real(row, 7),
		.threshold = col_real(row, 8),
		.whole = !col_null(row, 9),
		.calibration = {col_real(row, 9), col_real(row, 10)},
		.n_gold = (int)col_int(row, 11),
		.n_above = (int)col_int(row, 12),
		.n_wrong = (int)col_int(row, 13),
		.p_error_upper = col_real(row, 14),
		.was_active = !col_null(row, 16),
		.sweeping = col_int(row, 18) != 0,
		.follows = !col_null(row, 19),
		.follows_right = col_int(row, 20) != 0};
	snprintf(c->state, sizeof c->state, "%s", col_text(row, 15));
	for (int part = 0; part < N_PARTS; part++)
		if (strcmp(col_text(row, 2), stratum_name((enum stratum_part)part)) == 0)
			c->part = (enum stratum_part)part;
	json_t *rules = json_loads(col_text(row, 17), 0, NULL);
	db_done(row);
	if (!rules || policy_parse(rules, policy_default(), &c->policy, err) != OK)
		find(findings, "the policy that it was issued under cannot be read");
	json_decref(rules);
	return OK;
}

static void check_rules(const struct stored *c, json_t *findings)
{
	double alpha = c->part == PART_BLANK ? c->policy.alpha_blank : c->policy.alpha;
	if (c->part == N_PARTS)
		find(findings, "its stratum is none");
	if (!same(c->alpha, alpha))
		find(findings, "alpha is %g, its policy says %g", c->alpha, alpha);
	if (!same(c->delta, c->policy.delta))
		find(findings, "delta is %g, its policy says %g", c->delta, c->policy.delta);
	if (c->n_strata < 1 || !same(c->delta_share * c->n_strata, c->delta))
		find(findings, "delta %g over %d strata is not %g", c->delta, c->n_strata, c->delta_share);
}

static enum status check_classes(
	struct db *db, const struct stored *c, json_t *findings, struct err *err)
{
	enum status st;
	int n = 0;
	struct stmt *row = db_query(db, Q_CERTIFICATE_SAID, "i", c->id);
	while ((st = db_step(row, err)) == OK) {
		bool blank = strcmp(col_text(row, 2), "blank") == 0;
		int n_said = (int)col_int(row, 3);
		n++;
		/* The classes of what was refuted stay with what follows it, however many gold they have by then. */
		if ((blank || !c->follows || c->part == PART_BLANK) &&
			stratum_part_of(blank, n_said, c->policy.common_gold) != c->part)
			find(findings, "class %.60s, with %d gold, is not of its stratum", col_text(row, 1),
				n_said);
	}
	if (st == NOT_FOUND && n == 0)
		find(findings, "it holds for no class");
	return st == NOT_FOUND ? OK : st;
}

struct sample {
	int n;
	double *p_top;
	bool *wrong;
};

static enum status load_sample(
	struct db *db, const struct stored *c, struct sample *s, json_t *findings, struct err *err)
{
	int room = 0, n_changed = 0;
	enum status st;
	struct stmt *row = db_query(db, Q_CERTIFICATE_GOLD_OF, "i", c->id);
	while ((st = db_step(row, err)) == OK) {
		if (s->n == room) {
			room = room ? room * 2 : 256;
			s->p_top = xrealloc(s->p_top, (size_t)room * sizeof *s->p_top);
			s->wrong = xrealloc(s->wrong, (size_t)room * sizeof *s->wrong);
		}
		long long subject = (long long)col_int(row, 0);
		s->p_top[s->n] = col_real(row, 1);
		s->wrong[s->n++] = col_int(row, 2) != col_int(row, 3);
		n_changed += col_int(row, 3) != col_int(row, 4);
		if (!col_int(row, 5))
			find(findings, "subject %lld is not certification gold", subject);
		if (!col_int(row, 6))
			find(findings, "of gold subject %lld the model says a class that it does not hold for",
				subject);
		if (col_int(row, 7))
			find(findings, "the model was trained on gold subject %lld", subject);
	}
	if (n_changed)
		find(findings, "the truth of %d of its gold was changed since it was issued", n_changed);
	return st == NOT_FOUND ? OK : st;
}

static enum status check_numbers(
	struct db *db, const struct stored *c, json_t *findings, struct err *err)
{
	struct sample s = {0};
	double p_top_min = 0;
	int n_above = 0, n_wrong = 0;
	enum status st = load_sample(db, c, &s, findings, err);
	if (st == OK && s.n != c->n_gold)
		find(findings, "n_gold is %d, its gold counts %d", c->n_gold, s.n);
	if (st == OK)
		st = choose_threshold(s.p_top, s.wrong, s.n, c->alpha, c->delta_share, &p_top_min, err);
	if (st == NOT_FOUND || st == BAD_INPUT)
		find(findings, "no threshold passes on its gold");
	for (int i = 0; st == OK && i < s.n; i++) {
		n_above += s.p_top[i] >= p_top_min;
		n_wrong += s.p_top[i] >= p_top_min && s.wrong[i];
	}
	if (st == OK) {
		double upper = cp_upper(n_wrong, n_above, c->delta_share);
		double threshold = 1 /
			(1 + exp(-(c->calibration.w0 + c->calibration.w1 * top_logodds(p_top_min))));
		if (!same(p_top_min, c->p_top_min))
			find(findings, "p_top_min is %.9g, its gold gives %.9g", c->p_top_min, p_top_min);
		if (!same(threshold, c->threshold))
			find(findings, "threshold is %.9g, it works out at %.9g", c->threshold, threshold);
		if (n_above != c->n_above || n_wrong != c->n_wrong)
			find(findings, "%d errors of %d above the threshold are stored, its gold has %d of %d",
				c->n_wrong, c->n_above, n_wrong, n_above);
		if (!same(upper, c->p_error_upper))
			find(findings, "p_error_upper is %.9g, %d errors of %d give %.9g", c->p_error_upper,
				n_wrong, n_above, upper);
	}
	free(s.p_top);
	free(s.wrong);
	return st == NOT_FOUND || st == BAD_INPUT ? OK : st;
}

struct drawn {
	int64_t subject_id;
	char kind[8];
	double p_draw;
	bool label_differs, half_done;
};

static enum status check_draws(
	struct db *db, const struct stored *c, json_t *findings, struct err *err)
{
	struct drawn *all = NULL;
	size_t n = 0, room = 0;
	enum status st;
	struct stmt *row = db_query(db, Q_CERTIFICATE_AUDITS, "i", c->id);
	while ((st = db_step(row, err)) == OK) {
		if (n == room) {
			room = room ? room * 2 : 256;
			all = xrealloc(all, room * sizeof *all);
		}
		struct drawn *d = &all[n++];
		*d = (struct drawn){.subject_id = col_int(row, 0),
			.p_draw = col_real(row, 2),
			.label_differs = col_int(row, 3) != col_int(row, 4),
			.half_done = col_int(row, 5) != 0};
		snprintf(d->kind, sizeof d->kind, "%s", col_text(row, 1));
	}
	st = st == NOT_FOUND ? OK : st;
	for (size_t i = 0; st == OK && i < n; i++) {
		double u = 0;
		st = draw_uniform(db, all[i].kind, c->id, all[i].subject_id, &u, err);
		if (st == OK && u >= all[i].p_draw)
			find(findings, "audit of subject %lld: the hash does not draw it at %g",
				(long long)all[i].subject_id, all[i].p_draw);
		if (all[i].label_differs)
			find(findings, "audit of subject %lld: not what the model says",
				(long long)all[i].subject_id);
		if (all[i].half_done)
			find(findings, "audit of subject %lld: done without a truth, or the reverse",
				(long long)all[i].subject_id);
	}
	free(all);
	return st;
}

static enum status two_counts(
	struct db *db, enum query query, int64_t id, int *n, int *k, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, query, &row, err, "i", id);
	if (st == OK) {
		*n = (int)col_int(row, 0);
		*k = (int)col_int(row, 1);
		db_done(row);
	}
	return st;
}

static enum status check_state(
	struct db *db, const struct stored *c, json_t *findings, struct err *err)
{
	int n = 0, k = 0, n_shadow = 0, k_shadow = 0, n_labels = 0, n_beyond = 0;
	bool revoked = strcmp(c->state, "revoked") == 0;
	enum status st = two_counts(db, Q_AUDIT_COUNT, c->id, &n, &k, err);
	if (st == OK)
		st = two_counts(db, Q_CERTIFICATE_PROBATION_COUNT, c->id, &n_shadow, &k_shadow, err);
	if (st == OK)
		st = two_counts(db, Q_CERTIFICATE_LABELS, c->id, &n_labels, &n_beyond, err);
	if (st != OK)
		return st;
	double lower = cs_lower(k, n, c->delta);
	if ((lower > c->alpha) != revoked)
		find(findings, "%d errors in %d audits put the error above %.4f, and it is %s", k, n, lower,
			c->state);
	if (c->follows && !c->follows_right)
		find(findings, "what it follows is no revoked certificate of its model and stratum");
	double bound = certificate_bound(c->alpha, c->follows);
	if (c->was_active && !(cs_upper(k_shadow, n_shadow, c->delta) < bound))
		find(
			findings, "%d errors in %d shadow audits do not end its probation", k_shadow, n_shadow);
	if (c->whole && n_beyond)
		find(
			findings, "%d of %d labels that stand on it are not covered by it", n_beyond, n_labels);
	if (revoked && n_labels && !c->sweeping)
		find(findings, "%d labels still stand on it, and nothing takes them back", n_labels);
	return OK;
}

enum status certificate_check(struct db *db, const struct project *p, int64_t certificate_id,
	json_t *findings, bool *whole, struct err *err)
{
	struct stored c = {0};
	enum status st = load(db, p, certificate_id, &c, findings, err);
	*whole = c.whole;
	if (st == OK && c.whole) {
		check_rules(&c, findings);
		st = check_classes(db, &c, findings, err);
		if (st == OK)
			st = check_numbers(db, &c, findings, err);
	}
	if (st == OK)
		st = check_draws(db, &c, findings, err);
	return st == OK ? check_state(db, &c, findings, err) : st;
}
