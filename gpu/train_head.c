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

/* Fits the model's head to the items that have an embedding. */
static enum status fit_head(struct model *model, const struct train_spec *spec,
	const struct train_item *items, int n_items, const struct embedder *e, struct err *err)
{
	size_t d = (size_t)model->net.n_features, k = (size_t)model->net.n_classes, n = 0;
	const struct net_param *fc = &model->net.params[model->net.n_params - 2];
	float *x = xmalloc((size_t)n_items * d * sizeof *x);
	float *target = xmalloc((size_t)n_items * k * sizeof *target);
	float *weight = xmalloc((size_t)n_items * sizeof *weight);
	int *which = xmalloc((size_t)n_items * sizeof *which), n_right = 0;
	for (int i = 0; i < n_items; i++) {
		if (!e->counts[i])
			continue;
		for (size_t j = 0; j < d; j++)
			x[n * d + j] = (float)(e->sums[(size_t)i * d + j] / e->counts[i]);
		memcpy(target + n * k, items[i].target, k * sizeof *target);
		weight[n] = items[i].weight;
		which[n++] = i;
	}
	train_target_prior(model, items, which, (int)n);
	struct train_report *report = e->report;
	struct head_watch watch = {spec, spec->n_epochs ? spec->n_epochs : 500};
	struct head_problem problem = {.x = x,
		.target = target,
		.weight = weight,
		.n = (int)n,
		.d = (int)d,
		.k = (int)k,
		.l2 = train_recipe(spec)->l2,
		.max_iterations = watch.max_iterations,
		.progress = head_progress,
		.arg = &watch};
	struct head_report result = {0};
	report->n_items = (int)n;
	report->n_skipped_items = n_items - (int)n;
	enum status status = n < 2
		? err_set(err, BAD_INPUT, "%d of %d items have a readable frame: training wants 2 or more",
			  (int)n, n_items)
		: head_fit(
			  &problem, model->params + fc[0].offset, model->params + fc[1].offset, &result, err);
	if (!status) {
		float *logits = xmalloc(n * k * sizeof *logits);
		engine_head(model, x, (int)n, logits);
		for (size_t i = 0; i < n; i++) {
			size_t best = 0, truth = 0;
			for (size_t c = 1; c < k; c++) {
				best = logits[i * k + c] > logits[i * k + best] ? c : best;
				truth = target[i * k + c] > target[i * k + truth] ? c : truth;
			}
			n_right += best == truth;
		}
		free(logits);
		train_shift_bias(model, model->params, -train_recipe(spec)->logit_adjust);
		report->n_epochs = result.n_iterations;
		report->loss = result.loss;
		report->gradient_norm = result.gradient_norm;
		report->accuracy = n_right / (double)n;
	}
	free(x);
	free(target);
	free(weight);
	free(which);
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
		status = fit_head(model, spec, items, n_items, &e, err);
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
