/* Heads are kept in the order in which they were met: a project has few, and looks for the same one again and again. */
#include "prediction_short.h"

#include "prediction_part.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MODELS = 255 };

struct prediction_reader {
	const struct project *project;
	int n;
	int64_t model_id[MAX_MODELS];
	struct head head[MAX_MODELS];
	double *probs; /* [PROJECT_MAX_TAXA] */
};

struct prediction_reader *prediction_reader_new(const struct project *project)
{
	struct prediction_reader *r = xcalloc(1, sizeof *r);
	r->project = project;
	r->probs = xcalloc(PROJECT_MAX_TAXA, sizeof *r->probs);
	return r;
}

void prediction_reader_free(struct prediction_reader *r)
{
	for (int i = 0; r && i < r->n; i++)
		prediction_head_release(&r->head[i]);
	free(r ? r->probs : NULL);
	free(r);
}

static enum status find_head(
	struct prediction_reader *r, struct db *db, int64_t model_id, int *out, struct err *err)
{
	for (*out = 0; *out < r->n; ++*out)
		if (r->model_id[*out] == model_id)
			return OK;
	if (r->n == MAX_MODELS)
		return err_set(err, TOO_LARGE, "predictions of over %d models are in use", MAX_MODELS);
	r->model_id[r->n] = model_id;
	return prediction_head_load(db, r->project, model_id, &r->head[r->n++], err);
}

enum status prediction_shorten(struct prediction_reader *r, struct db *db, int64_t model_id,
	const void *top, size_t n_bytes, struct prediction_short *out, bool *heard, struct err *err)
{
	struct entry entries[PREDICTION_TOP];
	*out = (struct prediction_short){0};
	*heard = false;
	enum status st = find_head(r, db, model_id, &out->model, err);
	if (st != OK || !r->head[out->model].calibrated)
		return st;
	if (n_bytes < sizeof *entries || n_bytes > sizeof entries || n_bytes % sizeof *entries != 0)
		return err_set(
			err, FAULT, "a prediction of model %lld is of %zu bytes", (long long)model_id, n_bytes);
	const struct head *h = &r->head[out->model];
	const int n = (int)(n_bytes / sizeof *entries);
	memcpy(entries, top, n_bytes);
	for (int j = 0; j < n; j++)
		if (!(entries[j].p >= 0 && entries[j].p <= 1.001f))
			return err_set(err, FAULT, "a prediction of model %lld has probability %g",
				(long long)model_id, (double)entries[j].p);
	prediction_spread(h, entries, n, r->probs);
	st = prediction_calibrate(h, r->probs, err);
	for (int i = 0; st == OK && i < h->k; i++) {
		bool listed = false;
		for (int j = 0; j < n && !listed; j++)
			listed = h->taxon_id[i] == (int64_t)entries[j].taxon_id;
		if (!listed)
			out->rest += r->probs[i];
		else if (h->class_of[i] >= 0) {
			out->class[out->n] = (uint16_t)h->class_of[i];
			out->p[out->n++] = r->probs[i];
		}
	}
	*heard = st == OK;
	return st;
}

int prediction_reader_n(const struct prediction_reader *r)
{
	return r->n;
}

void prediction_reader_share(const struct prediction_reader *r, int model, double *share)
{
	const struct head *h = &r->head[model];
	for (int z = 0; z < r->project->k; z++)
		share[z] = -1;
	for (int i = 0; i < h->k; i++)
		if (h->class_of[i] >= 0)
			share[h->class_of[i]] = h->prior[i];
}
