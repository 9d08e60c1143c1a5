/* A model's opinion in the database, calibrated when it is read, so that a new calibration needs no rewrite. */
#include "prediction_part.h"

#include "calibration.h"
#include "certificate.h"
#include "consensus.h"
#include "drift.h"
#include "label.h"
#include "project_shared.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void head_free(struct head *h)
{
	free(h->class_of);
	free(h->taxon_id);
	free(h->prior);
}

void prediction_head_release(struct head *h)
{
	if (!h->kept)
		head_free(h);
	*h = (struct head){0};
}

static void heads_release(void *heads)
{
	for (struct head *h = heads, *next; h; h = next) {
		next = h->next;
		head_free(h);
		free(h);
	}
}

/* Keeps a head that was just read with its project, for as long as the rules stand. */
static void keep(struct project_shared *s, struct rules_version version, struct head *h)
{
	struct head *kept = xcalloc(1, sizeof *kept);
	h->kept = true;
	*kept = *h;
	kept->next = s->heads;
	s->heads = kept;
	s->heads_release = heads_release;
	s->heads_version = version;
}

static bool find_kept(const struct project_shared *s, int64_t model_id, struct head *out)
{
	for (const struct head *h = s->heads; h; h = h->next)
		if (h->model_id == model_id) {
			*out = *h;
			return true;
		}
	return false;
}

static enum status parse_classes(
	const char *text, const struct project *p, struct head *h, struct err *err)
{
	json_t *list = json_loads(text, 0, NULL);
	size_t k = json_array_size(list);
	double sum = 0;
	if (k < 2 || k > PROJECT_MAX_TAXA) {
		json_decref(list);
		return err_set(
			err, FAULT, "a model has %zu classes: 2 to %d are possible", k, PROJECT_MAX_TAXA);
	}
	h->k = (int)k;
	h->class_of = xcalloc(k, sizeof *h->class_of);
	h->taxon_id = xcalloc(k, sizeof *h->taxon_id);
	h->prior = xcalloc(k, sizeof *h->prior);
	for (size_t i = 0; i < k; i++) {
		const json_t *one = json_array_get(list, i);
		h->taxon_id[i] = json_integer_value(json_object_get(one, "taxon"));
		h->prior[i] = fmax(json_number_value(json_object_get(one, "prior")), 1e-6);
		h->class_of[i] = project_class(p, h->taxon_id[i]);
		sum += h->prior[i];
	}
	for (size_t i = 0; i < k; i++)
		h->prior[i] /= sum;
	json_decref(list);
	return isfinite(sum) ? OK : err_set(err, FAULT, "a model's class prior is not finite");
}

enum status prediction_head_load(
	struct db *db, const struct project *p, int64_t model_id, struct head *h, struct err *err)
{
	struct stmt *row = NULL;
	struct project_shared *s = p->shared;
	struct rules_version version;
	*h = (struct head){.model_id = model_id};
	enum status st = db_rules_version(db, &version, err);
	if (st != OK)
		return st;
	if (!rules_same(s->heads_version, version)) { /* nobody holds one between two calls */
		heads_release(s->heads);
		s->heads = NULL;
	}
	if (find_kept(s, model_id, h))
		return OK;
	st = db_one(db, Q_PREDICTION_MODEL, &row, err, "i", model_id);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "there is no model %lld", (long long)model_id);
	if (st != OK)
		return st;
	h->calibrated = !col_null(row, 1);
	h->calibration = (struct calibration){col_real(row, 1), col_real(row, 2)};
	h->rest = col_real(row, 4);
	if (col_int(row, 3) != p->id)
		st = err_set(err, BAD_INPUT, "model %lld is another project's", (long long)model_id);
	else
		st = parse_classes(col_text(row, 0), p, h, err);
	db_done(row);
	if (st == OK)
		keep(s, version, h);
	return st;
}

/* Softmax in place. Shapes: x [k] logits in, probabilities out. */
static enum status softmax(double *x, int k, struct err *err)
{
	double max = -INFINITY;
	double sum = 0;
	for (int i = 0; i < k; i++) {
		if (!isfinite(x[i]))
			return err_set(err, BAD_INPUT, "logit %d is not a finite number", i);
		max = fmax(max, x[i]);
	}
	for (int i = 0; i < k; i++)
		sum += x[i] = exp(x[i] - max);
	for (int i = 0; i < k; i++)
		x[i] /= sum;
	return OK;
}

/* The largest entries, p falling. Returns how many. */
static int take_top(const double *p, const struct head *h, struct entry *out)
{
	bool *taken = xcalloc((size_t)h->k, sizeof *taken);
	int n = h->k < PREDICTION_TOP ? h->k : PREDICTION_TOP;
	for (int i = 0; i < n; i++) {
		int best = -1;
		for (int j = 0; j < h->k; j++)
			if (!taken[j] && (best < 0 || p[j] > p[best]))
				best = j;
		taken[best] = true;
		out[i] = (struct entry){(uint32_t)h->taxon_id[best], (float)p[best]};
	}
	free(taken);
	return n;
}

enum status prediction_adopt(
	struct db *db, const struct project *p, int64_t subject_id, struct err *err)
{
	return p->model_id ? db_run(db, Q_SUBJECT_ADOPT, err, "ii", subject_id, p->model_id) : OK;
}

static enum status store(struct db *db, const struct project *p, int64_t subject_id,
	int64_t model_id, int n_frames, const struct head *h, double *probs, int64_t now_ms,
	bool *stored, struct err *err)
{
	struct entry top[PREDICTION_TOP];
	enum status st = softmax(probs, h->k, err);
	if (st != OK)
		return st;
	int n = take_top(probs, h, top);
	st = db_run(db, Q_PREDICTION_ADD, err, "iiiidbi", subject_id, model_id, (int64_t)n_frames,
		(int64_t)top[0].taxon_id, (double)top[0].p, (const void *)top, (size_t)n * sizeof *top,
		now_ms);
	if (st != OK)
		return st;
	*stored = db_changes(db) > 0;
	if (!*stored || model_id != p->model_id)
		return OK;
	st = prediction_adopt(db, p, subject_id, err);
	return st == OK ? label_decide(db, p, subject_id, 0, now_ms, err) : st;
}

enum status prediction_store(struct db *db, int64_t subject_id, int64_t model_id, int n_frames,
	const float *logits, int n_classes, int64_t now_ms, bool *stored, struct err *err)
{
	struct subject s;
	struct project p = {0};
	struct head h = {0};
	double *probs = NULL;
	*stored = false;
	enum status st = subject_load(db, subject_id, &s, err);
	if (st == OK)
		st = project_load(db, s.project_id, &p, err);
	if (st == OK)
		st = prediction_head_load(db, &p, model_id, &h, err);
	if (st == OK && n_classes != h.k)
		st = err_set(err, BAD_INPUT, "%d logits came for a model of %d classes", n_classes, h.k);
	if (st == OK && n_frames < 1)
		st = err_set(err, BAD_INPUT, "a prediction of %d frames: at least 1 is wanted", n_frames);
	if (st == OK) {
		probs = xcalloc((size_t)h.k, sizeof *probs);
		for (int i = 0; i < h.k; i++)
			probs[i] = (double)logits[i];
		st = store(db, &p, subject_id, model_id, n_frames, &h, probs, now_ms, stored, err);
	}
	free(probs);
	prediction_head_release(&h);
	project_release(&p);
	return st;
}

/* The stored entries as the head's full distribution: what is not listed is shared in proportion to pi_m. */
void prediction_spread(const struct head *h, const struct entry *top, int n, double *out)
{
	double listed = 0;
	double prior_rest = 0;
	for (int i = 0; i < h->k; i++)
		out[i] = -1;
	for (int j = 0; j < n; j++)
		for (int i = 0; i < h->k; i++)
			if (h->taxon_id[i] == (int64_t)top[j].taxon_id) {
				out[i] = (double)top[j].p;
				listed += out[i];
			}
	for (int i = 0; i < h->k; i++)
		if (out[i] < 0)
			prior_rest += h->prior[i];
	for (int i = 0; i < h->k; i++)
		if (out[i] < 0)
			out[i] = fmax(1 - listed, 0) * h->prior[i] / prior_rest;
}

/* One prediction in the head's classes, calibrated where the model is. *top_id is its largest class. */
static enum status load_probs(struct db *db, const struct project *p, int64_t prediction_id,
	struct head *h, double **probs, int64_t *model_id, int64_t *top_id, struct err *err)
{
	struct stmt *row = NULL;
	struct entry top[PREDICTION_TOP];
	enum status st = db_one(db, Q_PREDICTION_GET, &row, err, "i", prediction_id);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "there is no prediction %lld", (long long)prediction_id);
	if (st != OK)
		return st;
	size_t n_bytes = 0;
	const void *blob = col_blob(row, 1, &n_bytes);
	bool sound = n_bytes >= sizeof *top && n_bytes <= sizeof top && n_bytes % sizeof *top == 0;
	*model_id = col_int(row, 0);
	bool revoked = col_int(row, 2) != 0;
	if (sound)
		memcpy(top, blob, n_bytes);
	db_done(row);
	if (!sound)
		return err_set(
			err, FAULT, "prediction %lld is of %zu bytes", (long long)prediction_id, n_bytes);
	*top_id = (int64_t)top[0].taxon_id;
	st = prediction_head_load(db, p, *model_id, h, err);
	if (st != OK)
		return st;
	h->calibrated = h->calibrated &&
		!revoked; /* audits have shown that it is not, for such opinions */
	*probs = xcalloc((size_t)h->k, sizeof **probs);
	prediction_spread(h, top, (int)(n_bytes / sizeof *top), *probs);
	return OK;
}

enum status prediction_calibrate(const struct head *h, double *probs, struct err *err)
{
	calibration_soften(probs, h->prior, h->k, h->rest);
	return calibration_apply(probs, h->prior, h->k, h->calibration, probs, err);
}

enum status prediction_read_top(struct db *db, const struct project *p, int64_t prediction_id,
	struct prediction_top *out, struct err *err)
{
	struct head h = {0};
	double *probs = NULL;
	struct prediction_top top = {0};
	enum status st = load_probs(
		db, p, prediction_id, &h, &probs, &top.model_id, &top.taxon_id, err);
	if (st == OK && h.calibrated)
		st = prediction_calibrate(&h, probs, err);
	if (st == OK) {
		top.calibrated = h.calibrated;
		for (int i = 0; i < h.k; i++)
			if (h.taxon_id[i] == top.taxon_id)
				top.p = probs[i];
		*out = top;
	}
	free(probs);
	prediction_head_release(&h);
	return st;
}

enum status prediction_second(
	struct db *db, int64_t prediction_id, int64_t *taxon_id, struct err *err)
{
	struct stmt *row = NULL;
	struct entry top[2];
	size_t n_bytes = 0;
	enum status st = db_one(db, Q_PREDICTION_GET, &row, err, "i", prediction_id);
	if (st != OK)
		return st;
	const void *blob = col_blob(row, 1, &n_bytes);
	*taxon_id = 0;
	if (n_bytes >= sizeof top) {
		memcpy(top, blob, sizeof top);
		*taxon_id = (int64_t)top[1].taxon_id;
	}
	db_done(row);
	return OK;
}

/* The log-probability of the truth under one prediction; false where the model does not know it. */
static bool log_score(struct head *h, const double *probs, int64_t truth_id, double *scratch,
	double *score, double *prior_score)
{
	struct err err;
	memcpy(scratch, probs, (size_t)h->k * sizeof *scratch);
	if (prediction_calibrate(h, scratch, &err) != OK)
		return false;
	for (int i = 0; i < h->k; i++)
		if (h->taxon_id[i] == truth_id) {
			*score += log(fmax(scratch[i], 1e-12));
			*prior_score += log(h->prior[i]);
			return true;
		}
	return false;
}

enum status prediction_fit_rest(struct db *db, const struct project *p,
	const struct prediction_truth *gold, int n, struct calibration calibration, double *rest,
	bool *informs, struct err *err)
{
	enum { GRID = 20 };
	double score[GRID + 1] = {0}, prior_score[GRID + 1] = {0};
	enum status st = OK;
	for (int i = 0; st == OK && i < n; i++) {
		struct head h = {0};
		double *probs = NULL;
		int64_t model_id = 0, top_id = 0;
		st = load_probs(db, p, gold[i].prediction_id, &h, &probs, &model_id, &top_id, err);
		double *scratch = xcalloc((size_t)h.k + 1, sizeof *scratch);
		h.calibration = calibration;
		for (int g = 0; st == OK && g <= GRID; g++) {
			h.rest = g / (double)GRID;
			log_score(&h, probs, gold[i].taxon_id, scratch, &score[g], &prior_score[g]);
		}
		free(scratch);
		free(probs);
		prediction_head_release(&h);
	}
	int best = GRID;
	for (int g = GRID - 1; g >= 0; g--)
		best = score[g] > score[best] ? g : best;
	*rest = best / (double)GRID;
	*informs = score[best] > prior_score[best];
	return st;
}

enum status prediction_evidence(struct db *db, const struct project *p, int64_t prediction_id,
	double *out, bool *has, struct err *err)
{
	struct head h = {0};
	double *probs = NULL;
	int64_t model_id = 0;
	int64_t top_id = 0;
	*has = false;
	for (int z = 0; z < p->k; z++)
		out[z] = 0;
	enum status st = load_probs(db, p, prediction_id, &h, &probs, &model_id, &top_id, err);
	if (st == OK && h.calibrated) {
		double *ev = xcalloc((size_t)h.k, sizeof *ev);
		st = prediction_calibrate(&h, probs, err);
		if (st == OK)
			st = consensus_model_evidence(probs, h.prior, NULL, h.k, ev, err);
		for (int i = 0; st == OK && i < h.k; i++)
			if (h.class_of[i] >= 0)
				out[h.class_of[i]] = ev[i];
		*has = st == OK;
		free(ev);
	}
	free(probs);
	prediction_head_release(&h);
	return st;
}

enum status prediction_forget(
	struct db *db, const struct project *p, int64_t subject_id, int64_t now_ms, struct err *err)
{
	enum status st = db_run(db, Q_SUBJECT_UNHEAR, err, "i", subject_id);
	bool heard = st == OK && db_changes(db) > 0;
	if (st == OK)
		st = db_run(db, Q_PREDICTION_FORGET, err, "i", subject_id);
	if (st == OK)
		st = db_run(db, Q_PREDICTION_PROBLEM_FORGET, err, "i", subject_id);
	return st == OK && heard ? label_decide(db, p, subject_id, 0, now_ms, err) : st;
}

enum status prediction_settle(struct db *db, int64_t project_id, int64_t now_ms, struct err *err)
{
	struct project p = {0};
	enum status st = project_load(db, project_id, &p, err);
	if (st == OK && p.model_id)
		st = certificate_renew(db, &p, now_ms, err);
	project_release(&p);
	return st;
}

/* Up to n_max ids of a query whose last argument is that limit. */
static enum status take_ids(struct stmt *row, int64_t *ids, int *n, struct err *err)
{
	enum status st;
	*n = 0;
	while ((st = db_step(row, err)) == OK)
		ids[(*n)++] = col_int(row, 0);
	return st == NOT_FOUND ? OK : st;
}

/* One piece of one project's sweep: labels to take back first, then audits of others, then open subjects after `from`. */
static enum status sweep_some(struct db *db, const struct project *p, int64_t from, int n_max,
	int64_t now_ms, int *n_swept, struct err *err)
{
	int64_t *ids = xcalloc((size_t)n_max, sizeof *ids);
	int n = 0;
	enum status st = take_ids(
		db_query(db, Q_SUBJECT_REVOKED, "ii", p->id, (int64_t)n_max), ids, &n, err);
	for (int i = 0; st == OK && i < n; i++)
		st = label_reopen(db, p, ids[i], "revoked", now_ms, err);
	if (st == OK && n == 0)
		st = drift_redraw(db, p, n_max, now_ms, &n, err);
	*n_swept = n;
	if (st != OK || n > 0)
		goto done;
	st = take_ids(db_query(db, Q_SUBJECT_PROTECTED, "ii", p->id, (int64_t)n_max), ids, &n, err);
	for (int i = 0; st == OK && i < n; i++)
		st = label_reopen(db, p, ids[i], "protected", now_ms, err);
	*n_swept = n;
	if (st != OK || n > 0)
		goto done;
	st = take_ids(db_query(db, Q_SUBJECT_SWEEP, "iii", p->id, from, (int64_t)n_max), ids, &n, err);
	/* Set before the decisions: one of them may mark the project anew. */
	if (st == OK)
		st = db_run(db, Q_PROJECT_SET_SWEEP, err, "iI", p->id, n == n_max ? &ids[n_max - 1] : NULL);
	for (int i = 0; st == OK && i < n; i++) {
		st = prediction_adopt(db, p, ids[i], err);
		if (st == OK)
			st = label_decide(db, p, ids[i], 0, now_ms, err);
	}
	*n_swept = n;
done:
	free(ids);
	return st;
}

enum status prediction_sweep(
	struct db *db, int n_max, int64_t now_ms, int *n_swept, struct err *err)
{
	struct stmt *row = NULL;
	struct project p = {0};
	*n_swept = 0;
	enum status st = db_one(db, Q_PROJECT_NEXT_SWEEP, &row, err, "");
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	int64_t id = col_int(row, 0);
	int64_t from = col_int(row, 1);
	db_done(row);
	st = project_load(db, id, &p, err);
	if (st == OK)
		st = sweep_some(db, &p, from, n_max, now_ms, n_swept, err);
	if (st == OK && *n_swept == 0)
		*n_swept = 1; /* a mark was cleared: there may be another project's */
	project_release(&p);
	return st;
}
