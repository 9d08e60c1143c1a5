/* The training runs: what is common, the head's, and the whole net's. */
#include "train.h"

#include "backend.h"
#include "engine.h"
#include "head.h"
#include "train_set.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EMBED_BATCH 32
#define TRAIN_FEED_THREADS 1

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static enum status check_items(
	const struct train_spec *spec, const struct train_item *items, int n_items, struct err *err)
{
	if (n_items < 2 || spec->n_classes < 2)
		return err_set(err, BAD_INPUT, "%d items of %d classes: training wants 2 or more of both",
			n_items, spec->n_classes);
	for (int i = 0; i < n_items; i++) {
		double sum = 0;
		for (int c = 0; c < spec->n_classes; c++) {
			if (!(items[i].target[c] >= 0))
				return err_set(
					err, BAD_INPUT, "item %d has a target of %g", i, (double)items[i].target[c]);
			sum += (double)items[i].target[c];
		}
		if (!(fabs(sum - 1) < 1e-3))
			return err_set(err, BAD_INPUT, "item %d: its target sums to %g, not 1", i, sum);
		if (!(items[i].weight > 0 && isfinite(items[i].weight)))
			return err_set(err, BAD_INPUT, "item %d has weight %g", i, (double)items[i].weight);
	}
	return OK;
}

/* The class shares that the model was trained on; half an item is added to each class, so that none is 0. */
static void set_prior(struct model *model, const struct train_item *items, const int *which, int n)
{
	int k = model->net.n_classes;
	double total = 0;
	for (int c = 0; c < k; c++) {
		model->prior[c] = 0.5;
		for (int i = 0; i < n; i++)
			model->prior[c] += (double)items[which[i]].weight * (double)items[which[i]].target[c];
		total += model->prior[c];
	}
	for (int c = 0; c < k; c++)
		model->prior[c] /= total;
}

static void set_history(struct model *model, const struct train_spec *spec, int n_items)
{
	char text[32];
	const char *slash = spec->from ? strrchr(spec->from, '/') : NULL;
	const char *parent = spec->parent ? spec->parent : slash ? slash + 1 : spec->from;
	model_set(model, "mode", spec->mode == TRAIN_HEAD ? "head" : "full");
	snprintf(text, sizeof text, "%llu", spec->seed);
	model_set(model, "seed", text);
	snprintf(text, sizeof text, "%d", n_items);
	model_set(model, "items", text);
	model_set(model, "parent", parent);
	model_set(model, "snapshot", spec->snapshot);
}

/* A model with the spec's classes on the parent's backbone; head rows of classes that the parent knows come along. */
static enum status adopt(const struct model *parent, const struct train_spec *spec, int px,
	struct model **out, struct err *err)
{
	enum status status = model_new(
		parent->net.arch->name, spec->classes, spec->n_classes, px, spec->seed, out, err);
	if (status)
		return status;
	struct model *model = *out;
	const struct net *net = &model->net;
	const struct net_param *fc = &net->params[net->n_params - 2];
	const struct net_param *from = &parent->net.params[net->n_params - 2];
	size_t d = (size_t)net->n_features;
	model->input = parent->input;
	model->input.px = px;
	memcpy(model->params, parent->params, fc->offset * sizeof(float));
	for (int c = 0; c < net->n_classes; c++) {
		for (int p = 0; p < parent->net.n_classes; p++) {
			if (strcmp(model->classes[c], parent->classes[p]))
				continue;
			memcpy(model->params + fc[0].offset + (size_t)c * d,
				parent->params + from[0].offset + (size_t)p * d, d * sizeof(float));
			model->params[fc[1].offset + (size_t)c] = parent->params[from[1].offset + (size_t)p];
		}
	}
	model_hash(model);
	return OK;
}

/* --- the head --- */

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

/* The mean embedding of each item, in e->sums. */
static enum status embed(
	struct embedder *e, const struct train_item *items, int n_items, struct err *err)
{
	size_t d = (size_t)engine_model(e->engine)->net.n_features;
	double start = now_s();
	enum status status = OK;
	for (int i = 0; i < n_items && !status; i++) {
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
			struct train_progress p = {.images_per_s = e->report->n_frames / (now_s() - start)};
			if (!status && e->spec->progress && e->spec->progress(e->spec->arg, &p))
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
	return w->spec->progress ? w->spec->progress(w->spec->arg, &p) : 0;
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
	struct train_report *report = e->report;
	struct head_watch watch = {spec, spec->n_epochs ? spec->n_epochs : 500};
	struct head_problem problem = {.x = x,
		.target = target,
		.weight = weight,
		.n = (int)n,
		.d = (int)d,
		.k = (int)k,
		.l2 = spec->l2 > 0 ? spec->l2 : 1e-3,
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
		set_prior(model, items, which, (int)n);
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

static enum status train_head(const struct train_spec *spec, const struct train_item *items,
	int n_items, const char *path, struct train_report *report, struct err *err)
{
	struct model *parent = NULL, *model = NULL;
	struct embedder e = {.spec = spec, .report = report};
	enum status status = model_load(spec->from, &parent, err);
	if (!status)
		status = adopt(parent, spec, parent->input.px, &model, err);
	if (!status)
		status = engine_open_model(parent, spec->device, &e.engine, err);
	if (!status) {
		e.sums = xcalloc((size_t)n_items * (size_t)model->net.n_features, sizeof *e.sums);
		e.counts = xcalloc((size_t)n_items, sizeof *e.counts);
		status = embed(&e, items, n_items, err);
	}
	if (!status)
		status = fit_head(model, spec, items, n_items, &e, err);
	if (!status) {
		set_history(model, spec, report->n_items);
		status = model_save(model, path, spec->from, err);
	}
	free(e.sums);
	free(e.counts);
	engine_close(e.engine);
	model_free(model);
	model_free(parent);
	return status;
}

/* --- the whole net --- */

struct run {
	const struct train_spec *spec;
	const struct train_set *set;
	int k, batch, n_epochs, n_steps; /* steps an epoch */
	double rate, weight_decay, smoothing;
	const struct backend *backend;
	void *handle;
	struct train_feed *feed;
	int *order; /* [n_items] */
	unsigned long long shuffle_state;
	float *target, *weight;
	struct train_report *report;
};

/* Fisher and Yates. */
static void shuffle(int *order, int n, unsigned long long *state)
{
	for (int i = n - 1; i > 0; i--) {
		int j = (int)(train_uniform(state) * (i + 1)), kept = order[i];
		order[i] = order[j];
		order[j] = kept;
	}
}

/* Linear warm-up over a twentieth of the run, then half a cosine to zero. */
static double rate_at(const struct run *r, int step)
{
	double total = (double)r->n_epochs * r->n_steps, warm = fmax(1, total / 20);
	if (step < warm)
		return r->rate * (step + 1) / warm;
	return r->rate * 0.5 * (1 + cos(M_PI * (step - warm) / fmax(1, total - warm)));
}

/* Which items a batch shows: the next of an order that is shuffled anew for each epoch. */
static unsigned long long draw_batch(void *arg, int64_t number, int *which)
{
	struct run *r = arg;
	int step = (int)(number % r->n_steps), n = r->set->n_items;
	if (step == 0)
		shuffle(r->order, n, &r->shuffle_state);
	for (int b = 0; b < r->batch; b++)
		which[b] = r->order[(step * r->batch + b) % n];
	return r->spec->seed * 0x9e3779b97f4a7c15ull + (unsigned long long)number + 1;
}

static enum status run_step(struct run *r, int number, struct backend_step *at, struct err *err)
{
	const struct train_set *set = r->set;
	const int *which;
	uint8_t *rgb;
	enum status status = train_feed_next(r->feed, &rgb, &which, err);
	if (status)
		return status;
	for (int b = 0; b < r->batch; b++) {
		const struct train_item *item = &set->items[set->item[which[b]]];
		r->weight[b] = item->weight;
		for (int c = 0; c < r->k; c++)
			r->target[b * r->k + c] = (float)((1 - r->smoothing) * (double)item->target[c] +
				r->smoothing / r->k);
	}
	/* The average looks back over the last twentieth of the run, and less at its start. */
	double keep = 1 - 1 / fmax(1, (double)r->n_epochs * r->n_steps / 20);
	*at = (struct backend_step){.rgb = rgb,
		.target = r->target,
		.weight = r->weight,
		.rate = (float)rate_at(r, number),
		.momentum = 0.9f,
		.weight_decay = (float)r->weight_decay,
		.average = (float)fmin(keep, (1.0 + number) / (10.0 + number))};
	status = r->backend->train_step(r->handle, at, err);
	if (!status && !isfinite(at->loss))
		status = err_set(
			err, FAULT, "training diverged at step %d: the rate %g is too high", number, r->rate);
	return status;
}

static enum status run_epochs(struct run *r, struct err *err)
{
	for (int epoch = 1; epoch <= r->n_epochs; epoch++) {
		double start = now_s(), loss = 0;
		int n_right = 0;
		for (int step = 0; step < r->n_steps; step++) {
			struct backend_step at;
			enum status status = run_step(r, (epoch - 1) * r->n_steps + step, &at, err);
			if (status)
				return status;
			loss += at.loss / r->n_steps;
			n_right += at.n_right;
		}
		int n_seen = r->n_steps * r->batch;
		struct train_progress p = {epoch, r->n_epochs, loss, n_right / (double)n_seen,
			n_seen / fmax(1e-9, now_s() - start)};
		r->report->n_epochs = epoch;
		r->report->loss = loss;
		r->report->accuracy = p.accuracy;
		if (r->spec->progress && r->spec->progress(r->spec->arg, &p))
			return err_set(err, CONFLICT, "stopped");
	}
	return OK;
}

/*
 * Epochs for so many items, where the caller leaves it to us. From scratch a net wants to see pictures some hundred
 * thousand times, however few they are: at 60,000 it still underfits (docs/model.md).
 */
static int choose_epochs(int n_items, int is_scratch)
{
	int n = (is_scratch ? 120000 : 12000) / n_items;
	int least = is_scratch ? 20 : 5, most = is_scratch ? 600 : 30;
	return n < least ? least : n > most ? most : n;
}

/* Trains model's parameters in place. */
static enum status run_training(struct model *model, const struct train_spec *spec,
	const struct train_set *set, struct train_report *report, struct err *err)
{
	struct run r = {.spec = spec, .set = set, .k = spec->n_classes, .report = report};
	r.batch = spec->batch ? spec->batch : 32;
	r.n_epochs = spec->n_epochs ? spec->n_epochs : choose_epochs(set->n_items, !spec->from);
	r.n_steps = (set->n_items + r.batch - 1) / r.batch;
	r.rate = spec->rate > 0 ? spec->rate : 0.1 * r.batch / 64 / (spec->from ? 5 : 1);
	r.weight_decay = spec->weight_decay >= 0 ? spec->weight_decay : 5e-4;
	r.smoothing = spec->label_smoothing >= 0 ? spec->label_smoothing : 0.05;
	struct backend_config config = {
		.net = &model->net, .params = model->params, .train_batch = r.batch};
	memcpy(config.mean, model->input.mean, sizeof config.mean);
	memcpy(config.std, model->input.std, sizeof config.std);
	enum status status = backend_open(spec->device, &config, &r.backend, &r.handle, err);
	if (status)
		return status;
	size_t batch = (size_t)r.batch;
	r.shuffle_state = spec->seed ^ 0x5851f42d4c957f2dull;
	r.order = xmalloc((size_t)set->n_items * sizeof *r.order);
	for (int i = 0; i < set->n_items; i++)
		r.order[i] = i;
	r.target = xmalloc(batch * (size_t)r.k * sizeof *r.target);
	r.weight = xmalloc(batch * sizeof *r.weight);
	struct train_plan plan = {.n_batches = (int64_t)r.n_epochs * r.n_steps,
		.batch = r.batch,
		.draw = draw_batch,
		.arg = &r};
	status = train_feed_open(set, &plan, TRAIN_FEED_THREADS, &r.feed, err);
	if (!status)
		status = run_epochs(&r, err);
	train_feed_close(r.feed);
	if (!status)
		status = r.backend->read_state(r.handle, BACKEND_AVERAGE, model->params, err);
	r.backend->close(r.handle);
	free(r.order);
	free(r.target);
	free(r.weight);
	return status;
}

static enum status train_full(const struct train_spec *spec, const struct train_item *items,
	int n_items, const char *path, struct train_report *report, struct err *err)
{
	struct model *parent = NULL, *model = NULL;
	struct train_set *set = NULL;
	enum status status;
	if (spec->from) {
		status = model_load(spec->from, &parent, err);
		if (!status)
			status = adopt(
				parent, spec, spec->input_px ? spec->input_px : parent->input.px, &model, err);
	} else {
		status = model_new(
			spec->arch, spec->classes, spec->n_classes, spec->input_px, spec->seed, &model, err);
		if (!status) {
			model->input.fit = spec->fit;
			model->input.focus = spec->focus;
		}
	}
	if (!status)
		status = train_set_new(spec, items, n_items, &model->input, &set, report, err);
	if (!status)
		status = run_training(model, spec, set, report, err);
	if (!status) {
		set_prior(model, items, set->item, set->n_items);
		set_history(model, spec, report->n_items);
		model_hash(model);
		status = model_save(model, path, NULL, err);
	}
	train_set_free(set);
	model_free(model);
	model_free(parent);
	return status;
}

enum status train_run(const struct train_spec *spec, const struct train_item *items, int n_items,
	const char *path, struct train_report *report, struct err *err)
{
	double start = now_s();
	*report = (struct train_report){0};
	enum status status = check_items(spec, items, n_items, err);
	if (status)
		return status;
	if (spec->batch < 0 || spec->batch > 4096 || spec->n_epochs < 0)
		return err_set(err, BAD_INPUT, "batches of %d, %d epochs: wanted 0 or more, at most 4096",
			spec->batch, spec->n_epochs);
	if (!spec->from && (spec->mode == TRAIN_HEAD || !spec->arch))
		return err_set(err, BAD_INPUT, "%s",
			spec->mode == TRAIN_HEAD ? "a head is trained on a model's backbone: name a model"
									 : "neither an arch nor a model to start from");
	status = spec->mode == TRAIN_HEAD ? train_head(spec, items, n_items, path, report, err)
									  : train_full(spec, items, n_items, path, report, err);
	report->wall_s = now_s() - start;
	return status;
}
