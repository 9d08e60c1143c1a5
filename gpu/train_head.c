/* The last layer alone: embeddings of what has none, then head_fit. */
#include "train_part.h"

#include "train_target.h"

#include "engine.h"
#include "head.h"
#include "train_set.h"

#include <stdlib.h>
#include <string.h>

#define EMBED_BATCH 32

struct embedder {
	const struct train_spec *spec;
	struct engine *engine;
	int n; /* frames waiting */
	int item[EMBED_BATCH], frame[EMBED_BATCH];
	const struct train_frame *frames[EMBED_BATCH];
	double *sums; /* [n_items][d] */
	int *counts;  /* [n_items] */
	struct train_report *report;
};

/* Decodes and runs the frames that wait. */
static enum status flush(struct embedder *e, struct err *err)
{
	const struct model *model = engine_model(e->engine);
	size_t image = (size_t)model->input.px * (size_t)model->input.px * 3;
	size_t d = (size_t)model->net.n_features, k = (size_t)model->net.n_classes;
	struct err whys[EMBED_BATCH] = {0};
	uint8_t *rgb = xcalloc(EMBED_BATCH, image);
	float *logits = xmalloc(EMBED_BATCH * k * sizeof *logits);
	float *x = xmalloc(EMBED_BATCH * d * sizeof *x);
	int n = e->n;
#pragma omp parallel for schedule(dynamic)
	for (int i = 0; i < n; i++)
		whys[i].status = train_frame_decode(
			e->frames[i], &model->input, rgb + (size_t)i * image, &whys[i]);
	enum status status = n ? engine_run(e->engine, rgb, n, logits, x, err) : OK;
	for (int i = 0; i < n && !status; i++) {
		if (whys[i].status) {
			e->report->n_skipped_frames++;
			if (e->spec->skipped)
				e->spec->skipped(e->spec->arg, e->item[i], e->frame[i], &whys[i]);
			continue;
		}
		e->counts[e->item[i]]++;
		e->report->n_frames++;
		for (size_t j = 0; j < d; j++)
			e->sums[(size_t)e->item[i] * d + j] += (double)x[(size_t)i * d + j];
	}
	e->n = 0;
	free(rgb);
	free(logits);
	free(x);
	return status;
}

static int is_stopped(const struct train_spec *spec, const struct train_progress *p)
{
	return (spec->progress && spec->progress(spec->arg, p)) ||
		(spec->stop && spec->stop(spec->arg));
}

/* The mean embedding of each item, in e->sums; not of what a full training looks at only. */
static enum status embed(
	struct embedder *e, const struct train_item *items, int n_items, struct err *err)
{
	size_t d = (size_t)engine_model(e->engine)->net.n_features;
	double start = train_now_s();
	bool is_judged = e->spec->mode == TRAIN_FULL && train_recipe(e->spec)->patience;
	enum status status = OK;
	for (int i = 0; i < n_items && !status; i++) {
		if (is_judged && items[i].is_kept_out)
			continue;
		if (items[i].embedding) {
			e->counts[i] = 1;
			for (size_t j = 0; j < d; j++)
				e->sums[(size_t)i * d + j] = (double)items[i].embedding[j];
			continue;
		}
		for (int f = 0; f < items[i].n_frames && !status; f++) {
			e->item[e->n] = i;
			e->frame[e->n] = f;
			e->frames[e->n++] = &items[i].frames[f];
			if (e->n < EMBED_BATCH)
				continue;
			status = flush(e, err);
			struct train_progress p = {
				.images_per_s = e->report->n_frames / (train_now_s() - start)};
			if (!status && is_stopped(e->spec, &p))
				status = err_set(err, CONFLICT, "stopped");
		}
	}
	return status ? status : flush(e, err);
}

struct head_watch {
	const struct train_spec *spec;
	int max_iterations;
};

static int head_progress(void *arg, int iteration, double loss)
{
	const struct head_watch *w = arg;
	struct train_progress p = {.epoch = iteration, .n_epochs = w->max_iterations, .loss = loss};
	return is_stopped(w->spec, &p);
}

/* The items with an embedding, as rows of numbers. */
struct rows {
	float *x;   /* [n][d] */
	int *which; /* [n] items */
	int n, d;
};

/*
 * Fits head h, whose first logit is `at`, to the rows of which it is known; one that is known of fewer than two says all
 * classes alike.
 */
static enum status fit_one(struct model *model, const struct train_spec *spec,
	const struct train_item *items, const struct rows *rows, int h, int at,
	struct head_report *result, struct err *err)
{
	const struct net_param *fc = &model->net.params[model->net.n_params - 2];
	const size_t d = (size_t)rows->d, k = (size_t)model->net.head_size[h];
	float *w = model->params + fc[0].offset + (size_t)at * d;
	float *bias = model->params + fc[1].offset + at;
	float *x = xmalloc((size_t)rows->n * d * sizeof *x);
	float *target = xmalloc((size_t)rows->n * k * sizeof *target);
	float *weight = xmalloc((size_t)rows->n * sizeof *weight);
	size_t n = 0;
	for (int i = 0; i < rows->n; i++) {
		const struct train_item *item = &items[rows->which[i]];
		if (!train_target_is_known(item->target + at, (int)k))
			continue;
		memcpy(x + n * d, rows->x + (size_t)i * d, d * sizeof *x);
		memcpy(target + n * k, item->target + at, k * sizeof *target);
		weight[n++] = item->weight;
	}
	struct head_watch watch = {spec, spec->n_epochs ? spec->n_epochs : 500};
	struct head_problem problem = {.x = x,
		.target = target,
		.weight = weight,
		.n = (int)n,
		.d = rows->d,
		.k = (int)k,
		.l2 = train_recipe(spec)->l2,
		.max_iterations = watch.max_iterations,
		.progress = head_progress,
		.arg = &watch};
	memset(w, 0, k * d * sizeof *w);
	memset(bias, 0, k * sizeof *bias);
	enum status status = n < 2 ? OK : head_fit(&problem, w, bias, result, err);
	free(x);
	free(target);
	free(weight);
	return status;
}

/* The share of rows whose species the model has right. */
static double accuracy_of(
	const struct model *model, const struct train_item *items, const struct rows *rows)
{
	const size_t k = (size_t)model->net.n_classes;
	const int n_species = model->net.head_size[0];
	float *logits = xmalloc((size_t)rows->n * k * sizeof *logits);
	int n_right = 0;
	engine_head(model, rows->x, rows->n, logits);
	for (int i = 0; i < rows->n; i++) {
		const float *target = items[rows->which[i]].target, *row = logits + (size_t)i * k;
		int best = 0, truth = 0;
		for (int c = 1; c < n_species; c++) {
			best = row[c] > row[best] ? c : best;
			truth = target[c] > target[truth] ? c : truth;
		}
		n_right += best == truth;
	}
	free(logits);
	return n_right / (double)rows->n;
}

/* Fits the model's heads, one by one, to the items that have an embedding. */
static enum status fit_heads(struct model *model, const struct train_spec *spec,
	const struct train_item *items, int n_items, const struct embedder *e, struct err *err)
{
	struct rows rows = {.d = model->net.n_features};
	const size_t d = (size_t)rows.d;
	struct train_report *report = e->report;
	enum status status = OK;
	rows.x = xmalloc((size_t)n_items * d * sizeof *rows.x);
	rows.which = xmalloc((size_t)n_items * sizeof *rows.which);
	for (int i = 0; i < n_items; i++) {
		if (!e->counts[i])
			continue;
		for (size_t j = 0; j < d; j++)
			rows.x[(size_t)rows.n * d + j] = (float)(e->sums[(size_t)i * d + j] / e->counts[i]);
		rows.which[rows.n++] = i;
	}
	train_target_prior(model, items, rows.which, rows.n);
	report->n_items = rows.n;
	report->n_skipped_items = n_items - rows.n;
	if (rows.n < 2)
		status = err_set(err, BAD_INPUT,
			"%d of %d items have a readable frame: training wants 2 or more", rows.n, n_items);
	for (int h = 0, at = 0; h < model->net.n_heads && !status; at += model->net.head_size[h++]) {
		struct head_report result = {0};
		status = fit_one(model, spec, items, &rows, h, at, &result, err);
		if (!status && h == 0) {
			report->n_epochs = result.n_iterations;
			report->loss = result.loss;
			report->gradient_norm = result.gradient_norm;
		}
	}
	if (!status)
		report->accuracy = accuracy_of(model, items, &rows);
	if (!status)
		train_shift_bias(model, model->params, -train_recipe(spec)->logit_adjust);
	free(rows.x);
	free(rows.which);
	return status;
}

enum status train_head_fit(struct model *model, const struct train_spec *spec,
	const struct train_item *items, int n_items, struct train_report *report, struct err *err)
{
	struct embedder e = {.spec = spec, .report = report};
	enum status status = engine_open_model(
		model, spec->device, train_recipe(spec)->precision, &e.engine, err);
	if (status)
		return status;
	e.sums = xcalloc((size_t)n_items * (size_t)model->net.n_features, sizeof *e.sums);
	e.counts = xcalloc((size_t)n_items, sizeof *e.counts);
	status = embed(&e, items, n_items, err);
	engine_close(e.engine);
	if (!status)
		status = fit_heads(model, spec, items, n_items, &e, err);
	free(e.sums);
	free(e.counts);
	return status;
}

enum status train_head(const struct train_spec *spec, const struct train_item *items, int n_items,
	const char *path, struct train_report *report, struct err *err)
{
	struct model *parent = NULL, *model = NULL;
	enum status status = model_load(spec->from, &parent, err);
	if (!status)
		status = train_adopt(parent, spec, parent->input.px, &model, err);
	if (!status)
		status = train_head_fit(model, spec, items, n_items, report, err);
	if (!status) {
		train_set_history(model, spec, report->n_items);
		status = model_save(model, path, spec->from, err);
	}
	model_free(model);
	model_free(parent);
	return status;
}
