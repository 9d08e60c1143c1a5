/*
 * kappa and gamma from certification gold (docs/consensus.md, equation 22). What people say of planted certification gold has
 * taught nobody, so their answers to it go wrong together exactly as they do elsewhere. Half of the gold, by the keyed hash of
 * its planting, is fitted on; the other half decides whether what was fitted is better than the default.
 */
#include "project_refit_part.h"

#include "confusion.h"
#include "consensus.h"
#include "correlation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_subject(const void *a, const void *b)
{
	const struct refit_planted *x = a, *y = b;
	return (x->subject_id > y->subject_id) - (x->subject_id < y->subject_id);
}

/* The planted answers to a subject: the first of n. */
static const struct refit_planted *planted_of(
	const struct project_refit *r, int64_t subject_id, size_t *n)
{
	const struct refit_planted key = {.subject_id = subject_id}, *end = r->planted + r->n_planted;
	const struct refit_planted *first = r->n_planted
		? bsearch(&key, r->planted, r->n_planted, sizeof key, by_subject)
		: NULL;
	*n = 0;
	while (first && first > r->planted && first[-1].subject_id == subject_id)
		first--;
	while (first && first + *n < end && first[*n].subject_id == subject_id)
		++*n;
	return first;
}

static enum status take_gold(struct db *db, struct project_refit *r,
	struct prediction_reader *reader, struct stmt *row, struct refit_gold *g, struct err *err)
{
	const size_t k = (size_t)r->project.k;
	struct prediction_short s;
	size_t n_answers = 0, n_bytes = 0;
	bool heard = false;
	*g = (struct refit_gold){.subject_id = col_int(row, 0),
		.truth = project_class(&r->project, col_int(row, 1)),
		.p_draw = col_real(row, 4),
		.drawn_ms = col_int(row, 5)};
	planted_of(r, g->subject_id, &n_answers);
	if (n_answers == 0 || g->truth < 0)
		return OK;
	g->evidence = answers_alloc(k, sizeof *g->evidence);
	double *share = answers_alloc(k, sizeof *share);
	enum status st = g->evidence && share
		? OK
		: err_set(err, FAULT, "the certification gold does not fit in memory");
	g->n_sources = (int)n_answers;
	if (st == OK && !col_null(row, 2)) {
		unsigned char top[256];
		const int64_t model_id = col_int(row, 2);
		const void *blob = col_blob(row, 3, &n_bytes);
		memcpy(top, blob, n_bytes < sizeof top ? n_bytes : sizeof top);
		st = prediction_shorten(reader, db, model_id, top, n_bytes, &s, &heard, err);
	}
	if (st == OK && heard) {
		double left = 1;
		bool *listed = xcalloc(k, sizeof *listed);
		g->n_sources++;
		prediction_reader_share(reader, s.model, share);
		for (int i = 0; i < s.n; i++) {
			listed[s.class[i]] = true;
			left -= share[s.class[i]];
			g->evidence[s.class[i]] = log(fmax(s.p[i], label_params.floor)) -
				log(share[s.class[i]]);
		}
		for (size_t z = 0; z < k; z++)
			if (!listed[z] && share[z] > 0)
				g->evidence[z] = log(fmax(s.rest * share[z] / left, label_params.floor)) -
					log(share[z]);
		free(listed);
	}
	free(share);
	return st;
}

enum status project_refit_read_gold(struct db *db, struct project_refit *r, struct err *err)
{
	struct prediction_reader *reader = prediction_reader_new(&r->project);
	size_t room = 0;
	enum status st;
	if (r->n_planted)
		qsort(r->planted, r->n_planted, sizeof *r->planted, by_subject);
	struct stmt *row = db_query(db, Q_REFIT_GOLD, "ii", r->project.id, r->project.model_id);
	while ((st = db_step(row, err)) == OK) {
		if (r->n_certify == room) {
			room = room ? room * 2 : 64;
			r->certify = xrealloc(r->certify, room * sizeof *r->certify);
		}
		struct refit_gold *g = &r->certify[r->n_certify++];
		st = take_gold(db, r, reader, row, g, err);
		if (st != OK) {
			db_done(row);
			break;
		}
		if (g->n_sources < 2) { /* whatever kappa is, one source counts as one */
			free(g->evidence);
			r->n_certify--;
		}
	}
	prediction_reader_free(reader);
	return st == NOT_FOUND ? OK : st;
}

/* What the answers and the model say of one gold. Shapes: evidence [k]. */
static void add_evidence(
	const struct project_refit *r, const struct refit_gold *g, double *evidence)
{
	const size_t k = (size_t)r->project.k;
	double log_theta[ANSWERS_MAX_CLASSES];
	size_t n_answers = 0;
	const struct refit_planted *planted = planted_of(r, g->subject_id, &n_answers);
	memcpy(evidence, g->evidence, k * sizeof *evidence);
	for (size_t j = 0; j < n_answers; j++) {
		const int64_t v = id_number(&r->volunteers, planted[j].volunteer_id);
		refit_log_theta(
			r->refit, v == ID_NONE ? r->volunteers.n : (size_t)v, planted[j].class, log_theta);
		for (size_t z = 0; z < k; z++)
			evidence[z] += log_theta[z];
	}
}

/* Gold in two halves, one after the other. */
struct halves {
	int n[2];
	double *evidence, *log_pi;
	int *n_sources, *truth;
	double *p_draw, *weight; /* each half's weights are its own */
	int64_t *drawn_ms;
};

static enum status fit_half(struct project_refit *r, const struct halves *h, struct err *err)
{
	const struct correlation by_default = {.kappa = label_params.kd};
	struct refit_record *record = &r->record;
	const int k = r->project.k, first = h->n[0];
	const double *evidence = h->evidence + (size_t)first * (size_t)k;
	enum status st = correlation_weights(h->p_draw, h->drawn_ms, first, h->weight, err);
	if (st == OK)
		st = correlation_weights(
			h->p_draw + first, h->drawn_ms + first, h->n[1], h->weight + first, err);
	if (st == OK)
		st = correlation_fit(h->log_pi, h->evidence, h->n_sources, h->truth, h->weight, first, k,
			&record->correlation, err);
	if (st == OK)
		st = correlation_loss(h->log_pi, evidence, h->n_sources + first, h->truth + first,
			h->weight + first, h->n[1], k, record->correlation, &record->loss, err);
	if (st == OK)
		st = correlation_loss(h->log_pi, evidence, h->n_sources + first, h->truth + first,
			h->weight + first, h->n[1], k, by_default, &record->loss_default, err);
	record->has_losses = st == OK;
	record->has_kappa = st == OK && record->loss <= record->loss_default;
	if (record->has_kappa && r->project.policy.kappa == POLICY_AUTO)
		r->correlation = record->correlation;
	return st;
}

/* How gold fares that would have retired on what was said of it. */
static enum status count_sure(struct project_refit *r, const struct halves *h, struct err *err)
{
	const int k = r->project.k;
	struct refit_record *record = &r->record;
	double q[ANSWERS_MAX_CLASSES], sum = 0;
	enum status st = OK;
	for (int i = 0; st == OK && i < h->n[0] + h->n[1]; i++) {
		st = consensus_decide(h->log_pi, h->evidence + (size_t)i * (size_t)k, h->n_sources[i], k,
			r->correlation, q, err);
		if (st != OK || consensus_risk(q, k) > r->project.policy.tau)
			continue;
		record->n_gold_sure++;
		record->n_gold_wrong += consensus_argmax(q, k) != h->truth[i];
		sum += consensus_risk(q, k);
	}
	record->p_gold_wrong = record->n_gold_sure ? sum / record->n_gold_sure : 0;
	return st;
}

enum status project_refit_fit_kappa(struct project_refit *r, struct err *err)
{
	const size_t k = (size_t)r->project.k, n = r->n_certify;
	double log_pi[ANSWERS_MAX_CLASSES];
	struct halves h = {.n = {(int)(n - n / 2), (int)(n / 2)},
		.log_pi = log_pi,
		.evidence = answers_alloc(n * k + 1, sizeof *h.evidence),
		.n_sources = answers_alloc(n + 1, sizeof *h.n_sources),
		.truth = answers_alloc(n + 1, sizeof *h.truth),
		.p_draw = answers_alloc(n + 1, sizeof *h.p_draw),
		.weight = answers_alloc(n + 1, sizeof *h.weight),
		.drawn_ms = answers_alloc(n + 1, sizeof *h.drawn_ms)};
	enum status st = h.evidence && h.n_sources && h.truth && h.p_draw && h.weight && h.drawn_ms
		? OK
		: err_set(err, FAULT, "the certification gold does not fit in memory");
	r->correlation = (struct correlation){.kappa = r->project.policy.kappa == POLICY_AUTO
			? label_params.kd
			: r->project.policy.kappa};
	r->record.n_gold_fit = h.n[0];
	r->record.n_gold_check = h.n[1];
	for (size_t z = 0; z < k; z++)
		log_pi[z] = log(refit_pi(r->refit)[z]);
	for (size_t i = 0; st == OK && i < n; i++) {
		const size_t at = i % 2 ? (size_t)h.n[0] + i / 2 : i / 2;
		add_evidence(r, &r->certify[i], h.evidence + at * k);
		h.n_sources[at] = r->certify[i].n_sources;
		h.truth[at] = r->certify[i].truth;
		h.p_draw[at] = r->certify[i].p_draw;
		h.drawn_ms[at] = r->certify[i].drawn_ms;
	}
	if (st == OK && h.n[1] >= REFIT_LEAST_GOLD)
		st = fit_half(r, &h, err);
	if (st == OK)
		st = count_sure(r, &h, err);
	free(h.evidence);
	free(h.n_sources);
	free(h.truth);
	free(h.p_draw);
	free(h.weight);
	free(h.drawn_ms);
	return st;
}
