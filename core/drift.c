/* One row a model and deployment; an alarm stays until another model is promoted. */
#include "drift.h"

#include "certificate.h"
#include "confusion.h"
#include "prediction.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BETS = 3 };
static const double lambdas[BETS] = {0.25, 0.5, 1};

double drift_bet(struct drift_bets *bets, bool differs, double p_agree)
{
	double most = -INFINITY, sum = 0;
	double gain = (differs ? 1 : 0) - (1 - p_agree);
	for (int i = 0; i < BETS; i++) {
		bets->log_w[i] += log(fmax(1 + lambdas[i] * gain, 1e-300));
		most = fmax(most, bets->log_w[i]);
	}
	for (int i = 0; i < BETS; i++)
		sum += exp(bets->log_w[i] - most) / BETS;
	return most + log(sum);
}

struct drift {
	int64_t n, n_differ;
	double n_expected;
	struct drift_bets bets;
	bool alarmed;
};

static enum status load(
	struct db *db, int64_t model_id, int64_t deployment_id, struct drift *d, struct err *err)
{
	struct stmt *row = NULL;
	*d = (struct drift){0};
	enum status st = db_one(db, Q_DRIFT_GET, &row, err, "ii", model_id, deployment_id);
	if (st == OK) {
		*d = (struct drift){.n = col_int(row, 0),
			.n_differ = col_int(row, 1),
			.n_expected = col_real(row, 2),
			.bets = {{col_real(row, 3), col_real(row, 4), col_real(row, 5)}},
			.alarmed = !col_null(row, 6)};
		db_done(row);
	}
	return st == NOT_FOUND ? OK : st;
}

/* P(this volunteer names the model's class), if the model and what is known of the volunteer are right. */
static enum status p_agree(struct db *db, const struct project *p, const struct prediction_top *top,
	int64_t volunteer_id, double *out, struct err *err)
{
	struct stmt *row = NULL;
	double m_zz = label_params.acc0, lambda = 0;
	enum status st = db_one(db, Q_POOL_CELL, &row, err, "ii", p->id, top->taxon_id);
	if (st == OK) {
		m_zz = col_real(row, 0);
		db_done(row);
	}
	if (st == OK || st == NOT_FOUND)
		st = db_one(db, Q_SKILL_GET, &row, err, "ii", p->id, volunteer_id);
	if (st == OK) {
		lambda = col_real(row, 0);
		db_done(row);
	}
	*out = top->p * (1 - confusion_error_rate(m_zz, lambda));
	return st == NOT_FOUND ? OK : st;
}

enum status drift_observe(struct db *db, const struct project *p, const struct subject *s,
	int64_t volunteer_id, int class, int64_t now_ms, struct err *err)
{
	struct prediction_top top = {0};
	struct drift d = {0};
	double agree = 1;
	char why[160] = "";
	if (class < 0 || s->blind || !s->prediction_id)
		return OK;
	enum status st = prediction_read_top(db, p, s->prediction_id, &top, err);
	if (st != OK || !top.calibrated)
		return st;
	st = load(db, top.model_id, s->deployment_id, &d, err);
	if (st == OK)
		st = p_agree(db, p, &top, volunteer_id, &agree, err);
	if (st != OK)
		return st;
	bool differs = p->taxa[class].id != top.taxon_id;
	double log_w = drift_bet(&d.bets, differs, agree);
	d.n++;
	d.n_differ += differs;
	d.n_expected += 1 - agree;
	bool alarm = !d.alarmed && log_w >= -log(p->policy.drift_delta);
	snprintf(why, sizeof why,
		"%lld of %lld first answers differ from the model, %.1f were expected",
		(long long)d.n_differ, (long long)d.n, d.n_expected);
	st = db_run(db, Q_DRIFT_PUT, err, "iiiidddd", top.model_id, s->deployment_id, d.n, d.n_differ,
		d.n_expected, d.bets.log_w[0], d.bets.log_w[1], d.bets.log_w[2]);
	if (st == OK && alarm)
		st = db_run(db, Q_DRIFT_ALARM, err, "iiis", top.model_id, s->deployment_id, now_ms,
			(const char *)why);
	return st == OK && alarm ? db_run(db, Q_PROJECT_MARK_SWEEP, err, "i", p->id) : st;
}

enum status drift_rate(struct db *db, const struct project *p, int64_t model_id,
	int64_t deployment_id, double *rate, struct err *err)
{
	struct drift d = {0};
	enum status st = load(db, model_id, deployment_id, &d, err);
	*rate = d.alarmed ? p->policy.drift_rate : 0;
	return st;
}

enum status drift_redraw(
	struct db *db, const struct project *p, int n_max, int64_t now_ms, int *n, struct err *err)
{
	int64_t *ids = xcalloc((size_t)n_max, sizeof *ids);
	enum status st;
	*n = 0;
	struct stmt *row = db_query(
		db, Q_DRIFT_UNDRAWN, "idi", p->id, p->policy.drift_rate, (int64_t)n_max);
	while ((st = db_step(row, err)) == OK)
		ids[(*n)++] = col_int(row, 0);
	st = st == NOT_FOUND ? OK : st;
	for (int i = 0; st == OK && i < *n; i++)
		st = certificate_audit_more(db, p, ids[i], p->policy.drift_rate, now_ms, err);
	free(ids);
	return st;
}
