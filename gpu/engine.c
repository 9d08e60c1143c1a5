/* A model on a backend. */
#include "engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct runner {
	const struct model *model;
	const struct backend *backend;
	void *handle;
};

struct engine {
	struct model *owned; /* NULL when the model is the caller's, or an ensemble's */
	struct ensemble *owned_ensemble;
	const struct ensemble *ensemble; /* NULL: one model */
	const struct model *model;
	struct runner runners[ENSEMBLE_MAX];
	int n;
};

static enum status add_runner(struct engine *engine, const struct model *model, const char *device,
	enum backend_precision precision, struct err *err)
{
	struct runner *runner = &engine->runners[engine->n];
	struct backend_config config = {
		.net = &model->net, .params = model->params, .precision = precision};
	memcpy(config.mean, model->input.mean, sizeof config.mean);
	memcpy(config.std, model->input.std, sizeof config.std);
	enum status status = backend_open(device, &config, &runner->backend, &runner->handle, err);
	runner->model = model;
	engine->n += !status;
	return status;
}

enum status engine_open_model(const struct model *model, const char *device,
	enum backend_precision precision, struct engine **out, struct err *err)
{
	struct engine *engine = xcalloc(1, sizeof *engine);
	engine->model = model;
	enum status status = add_runner(engine, model, device, precision, err);
	if (status) {
		free(engine);
		return status;
	}
	*out = engine;
	return OK;
}

enum status engine_open_ensemble(const struct ensemble *ensemble, const char *device,
	enum backend_precision precision, struct engine **out, struct err *err)
{
	struct engine *engine = xcalloc(1, sizeof *engine);
	enum status status = OK;
	engine->ensemble = ensemble;
	engine->model = ensemble->face;
	for (int i = 0; i < ensemble->n && !status; i++)
		status = add_runner(engine, ensemble->members[i], device, precision, err);
	if (status) {
		engine_close(engine);
		return status;
	}
	*out = engine;
	return OK;
}

enum status engine_open(const char *path, const char *device, enum backend_precision precision,
	struct engine **out, struct err *err)
{
	struct model *model = NULL;
	struct ensemble *ensemble = NULL;
	enum status status = ensemble_or_model(path, &ensemble, &model, err);
	if (!status)
		status = ensemble ? engine_open_ensemble(ensemble, device, precision, out, err)
						  : engine_open_model(model, device, precision, out, err);
	if (status) {
		ensemble_free(ensemble);
		model_free(model);
		return status;
	}
	(*out)->owned = model;
	(*out)->owned_ensemble = ensemble;
	return OK;
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	for (int i = 0; i < engine->n; i++)
		engine->runners[i].backend->close(engine->runners[i].handle);
	ensemble_free(engine->owned_ensemble);
	model_free(engine->owned);
	free(engine);
}

const struct model *engine_model(const struct engine *engine)
{
	return engine->model;
}

const char *engine_backend(const struct engine *engine)
{
	return engine->runners[0].backend->name;
}

bool engine_is_cpu(const struct engine *engine)
{
	return backend_is_cpu(engine->runners[0].backend);
}

/* Left for right. */
static uint8_t *mirrored(const uint8_t *rgb, int n, int px)
{
	uint8_t *out = xmalloc((size_t)n * (size_t)px * (size_t)px * 3);
	for (size_t row = 0; row < (size_t)n * (size_t)px; row++) {
		const uint8_t *from = rgb + row * (size_t)px * 3;
		uint8_t *to = out + (row + 1) * (size_t)px * 3;
		for (int x = 0; x < px; x++, from += 3)
			memcpy(to -= 3, from, 3);
	}
	return out;
}

/* The mean of the members' logits, class by class of the face. */
static enum status run_ensemble(
	struct engine *engine, const uint8_t *rgb, int n, float *logits, struct err *err)
{
	size_t k = (size_t)engine->model->net.n_classes, n_logits = (size_t)n * k;
	double *sums = xcalloc(n_logits + 1, sizeof *sums);
	float *one = xmalloc((n_logits + 1) * sizeof *one);
	enum status status = OK;
	for (int i = 0; i < engine->n && !status; i++) {
		const struct runner *runner = &engine->runners[i];
		const int *place = engine->ensemble->place[i];
		status = runner->backend->infer(runner->handle, rgb, n, one, NULL, err);
		for (size_t at = 0; at < n_logits && !status; at++)
			sums[at] += (double)one[at / k * k + (size_t)place[at % k]];
	}
	for (size_t at = 0; at < n_logits && !status; at++)
		logits[at] = (float)(sums[at] / engine->n);
	free(sums);
	free(one);
	return status;
}

static enum status run_once(struct engine *engine, const uint8_t *rgb, int n, float *logits,
	float *embeddings, struct err *err)
{
	const struct runner *first = &engine->runners[0];
	if (engine->ensemble)
		return run_ensemble(engine, rgb, n, logits, err);
	return first->backend->infer(first->handle, rgb, n, logits, embeddings, err);
}

enum status engine_run(struct engine *engine, const uint8_t *rgb, int n, float *logits,
	float *embeddings, struct err *err)
{
	enum status status = run_once(engine, rgb, n, logits, embeddings, err);
	if (status || !engine->model->input.focus || n == 0)
		return status;
	size_t n_logits = (size_t)n * (size_t)engine->model->net.n_classes;
	size_t n_features = embeddings ? (size_t)n * (size_t)engine->model->net.n_features : 0;
	uint8_t *turned = mirrored(rgb, n, engine->model->input.px);
	float *again = xmalloc((n_logits + n_features) * sizeof *again);
	status = run_once(engine, turned, n, again, embeddings ? again + n_logits : NULL, err);
	for (size_t i = 0; i < n_logits && !status; i++)
		logits[i] = (logits[i] + again[i]) / 2;
	for (size_t i = 0; i < n_features && !status; i++)
		embeddings[i] = (embeddings[i] + again[n_logits + i]) / 2;
	free(turned);
	free(again);
	return status;
}

/* Adds a class' map of one view to sum, which is turned back where the view is mirrored. */
static enum status add_map(const struct runner *runner, const uint8_t *rgb, int class,
	int is_mirrored, double *sum, struct err *err)
{
	const struct net *net = &runner->model->net;
	const struct net_act *plane = net_plane(net);
	const struct net_param *fc = &net->params[net->layers[net->n_layers - 1].weight];
	const float *w = runner->model->params + fc->offset + (size_t) class * (size_t)plane->c;
	int places = plane->h * plane->w;
	float *x = xmalloc((size_t)plane->c * (size_t)places * sizeof *x);
	enum status status = runner->backend->features(runner->handle, rgb, 1, x, err);
	for (int c = 0; c < plane->c && !status; c++) {
		const float *channel = x + (size_t)c * (size_t)places;
		int peak = 0;
		for (int p = 1; p < places; p++)
			peak = channel[p] > channel[peak] ? p : peak;
		for (int p = 0; p < places; p++) {
			int column = p % plane->w;
			int at = p - column + (is_mirrored ? plane->w - 1 - column : column);
			if (!net->arch->peak_pool)
				sum[at] += (double)w[c] * (double)channel[p];
			else if (p == peak)
				sum[at] += (double)w[c] * (double)channel[p] * places;
		}
	}
	free(x);
	return status;
}

enum status engine_map(
	struct engine *engine, const uint8_t *rgb, int class, float *map, struct err *err)
{
	const struct model *model = engine->model;
	if (engine->ensemble)
		return err_set(
			err, BAD_INPUT, "an ensemble has no map of its own: name one of its members");
	if (class < 0 || class >= model->net.n_classes)
		return err_set(err, BAD_INPUT, "class %d: wanted 0 to %d", class, model->net.n_classes - 1);
	const struct net_act *plane = net_plane(&model->net);
	int places = plane->h * plane->w, n_views = model->input.focus ? 2 : 1;
	double *sum = xcalloc((size_t)places, sizeof *sum);
	enum status status = add_map(&engine->runners[0], rgb, class, 0, sum, err);
	if (!status && n_views == 2) {
		uint8_t *turned = mirrored(rgb, 1, model->input.px);
		status = add_map(&engine->runners[0], turned, class, 1, sum, err);
		free(turned);
	}
	for (int p = 0; p < places && !status; p++)
		map[p] = (float)(sum[p] / n_views);
	free(sum);
	return status;
}

void engine_head(const struct model *model, const float *embeddings, int n, float *logits)
{
	const struct net *net = &model->net;
	const struct net_param *fc = &net->params[net->layers[net->n_layers - 1].weight];
	const float *w = model->params + fc[0].offset, *b = model->params + fc[1].offset;
	int k = net->n_classes, d = net->n_features;
	for (int i = 0; i < n; i++) {
		for (int c = 0; c < k; c++) {
			double sum = b[c];
			for (int j = 0; j < d; j++)
				sum += (double)w[c * d + j] * (double)embeddings[i * d + j];
			logits[i * k + c] = (float)sum;
		}
	}
}

void engine_softmax(const float *logits, int k, float *probs)
{
	double top = logits[0], sum = 0;
	for (int i = 1; i < k; i++)
		top = logits[i] > top ? logits[i] : top;
	for (int i = 0; i < k; i++)
		sum += exp(logits[i] - top);
	for (int i = 0; i < k; i++)
		probs[i] = (float)(exp(logits[i] - top) / sum);
}

void engine_probs(const struct model *model, const float *logits, float *probs)
{
	for (int h = 0, at = 0; h < model->net.n_heads; at += model->net.head_size[h++])
		engine_softmax(logits + at, model->net.head_size[h], probs + at);
}
