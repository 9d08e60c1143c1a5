/* A model on a backend. */
#include "engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct engine {
	struct model *owned; /* NULL when the model is the caller's */
	const struct model *model;
	const struct backend *backend;
	void *handle;
};

enum status engine_open_model(const struct model *model, const char *device,
	enum backend_precision precision, struct engine **out, struct err *err)
{
	struct engine *engine = xcalloc(1, sizeof *engine);
	struct backend_config config = {
		.net = &model->net, .params = model->params, .precision = precision};
	memcpy(config.mean, model->input.mean, sizeof config.mean);
	memcpy(config.std, model->input.std, sizeof config.std);
	engine->model = model;
	enum status status = backend_open(device, &config, &engine->backend, &engine->handle, err);
	if (status) {
		free(engine);
		return status;
	}
	*out = engine;
	return OK;
}

enum status engine_open(const char *path, const char *device, enum backend_precision precision,
	struct engine **out, struct err *err)
{
	struct model *model;
	enum status status = model_load(path, &model, err);
	if (status)
		return status;
	status = engine_open_model(model, device, precision, out, err);
	if (status) {
		model_free(model);
		return status;
	}
	(*out)->owned = model;
	return OK;
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	engine->backend->close(engine->handle);
	model_free(engine->owned);
	free(engine);
}

const struct model *engine_model(const struct engine *engine)
{
	return engine->model;
}

const char *engine_backend(const struct engine *engine)
{
	return engine->backend->name;
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

enum status engine_run(struct engine *engine, const uint8_t *rgb, int n, float *logits,
	float *embeddings, struct err *err)
{
	enum status status = engine->backend->infer(engine->handle, rgb, n, logits, embeddings, err);
	if (status || !engine->model->input.focus || n == 0)
		return status;
	size_t n_logits = (size_t)n * (size_t)engine->model->net.n_classes;
	size_t n_features = embeddings ? (size_t)n * (size_t)engine->model->net.n_features : 0;
	uint8_t *turned = mirrored(rgb, n, engine->model->input.px);
	float *again = xmalloc((n_logits + n_features) * sizeof *again);
	status = engine->backend->infer(
		engine->handle, turned, n, again, embeddings ? again + n_logits : NULL, err);
	for (size_t i = 0; i < n_logits && !status; i++)
		logits[i] = (logits[i] + again[i]) / 2;
	for (size_t i = 0; i < n_features && !status; i++)
		embeddings[i] = (embeddings[i] + again[n_logits + i]) / 2;
	free(turned);
	free(again);
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
