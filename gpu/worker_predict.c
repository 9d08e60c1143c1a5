/* Predictions: a subject's score is the mean of its frames' logits, its embedding the mean of theirs. */
#include "worker_beat.h"
#include "worker_job.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FEATURES = 8192 };

bool worker_embedding(const json_t *text, float *out, int n)
{
	_Float16 half[MAX_FEATURES];
	size_t n_bytes = 0;
	if (!json_is_string(text) || n < 1 || n > MAX_FEATURES ||
		sodium_base642bin((unsigned char *)half, sizeof half, json_string_value(text),
			json_string_length(text), NULL, &n_bytes, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
		n_bytes != (size_t)n * 2)
		return false;
	for (int i = 0; i < n; i++)
		out[i] = (float)half[i];
	return true;
}

static json_t *embedding_text(const float *embedding, int n)
{
	_Float16 half[MAX_FEATURES];
	char text[MAX_FEATURES * 3];
	if (n < 1 || n > MAX_FEATURES)
		return json_null(); /* an ensemble has none */
	for (int i = 0; i < n; i++)
		half[i] = (_Float16)embedding[i];
	sodium_bin2base64(text, sizeof text, (const unsigned char *)half, (size_t)n * 2,
		sodium_base64_VARIANT_ORIGINAL);
	return json_string(text);
}

void scores_release(struct scores *s)
{
	free(s->logits);
	free(s->embeddings);
	free(s->n_frames);
	free(s->why);
	*s = (struct scores){0};
}

static void scores_init(struct scores *s, int n, int k, int d)
{
	*s = (struct scores){.n = n, .k = k, .d = d};
	s->logits = xcalloc((size_t)n * (size_t)k + 1, sizeof *s->logits);
	s->embeddings = xcalloc((size_t)n * (size_t)d + 1, sizeof *s->embeddings);
	s->n_frames = xcalloc((size_t)n + 1, sizeof *s->n_frames);
	s->why = xcalloc((size_t)n + 1, sizeof *s->why);
	for (int i = 0; i < n; i++)
		snprintf(s->why[i], sizeof s->why[i], "it has no photographs");
}

/* What a look at the same frame tomorrow would find too. Everything else (no connection) fails the batch instead. */
static bool is_for_good(enum status st)
{
	return st == BAD_INPUT || st == TOO_LARGE || st == NOT_FOUND;
}

/* One engine run, added to the subjects' sums. What could not be read is run with the others, for nothing: it is rare. */
static enum status add_pictures(struct engine *engine, const uint8_t *rgb,
	const struct frame_picture *pictures, int n, struct scores *s, struct err *err)
{
	const size_t k = (size_t)s->k, d = (size_t)s->d;
	float *logits = xmalloc(sizeof *logits * (k + d) * (size_t)n);
	float *embeddings = logits + k * (size_t)n;
	enum status st = OK;
	for (int i = 0; i < n && st == OK; i++) {
		const struct err *why = pictures[i].why;
		if (why->status != OK && !is_for_good(why->status))
			st = err_set(err, why->status, "%s", why->text);
		else if (why->status != OK)
			snprintf(s->why[pictures[i].item], sizeof s->why[0], "%.119s", why->text);
	}
	if (st == OK)
		st = engine_run(engine, rgb, n, logits, embeddings, err);
	for (int i = 0; st == OK && i < n; i++) {
		size_t at = (size_t)pictures[i].item;
		if (pictures[i].why->status != OK)
			continue;
		s->n_frames[at]++;
		for (size_t j = 0; j < k; j++)
			s->logits[at * k + j] += logits[(size_t)i * k + j];
		for (size_t j = 0; j < d; j++)
			s->embeddings[at * d + j] += embeddings[(size_t)i * d + j];
	}
	free(logits);
	return st;
}

enum status scores_run(struct worker *w, struct engine *engine, const json_t *subjects,
	const struct beat *beat, struct scores *s, struct err *err)
{
	const struct model *model = engine_model(engine);
	const int n = (int)json_array_size(subjects), k = model->net.n_classes,
			  d = model->net.n_features;
	struct frames *frames = NULL;
	struct frame_picture pictures[FRAMES_MAX_BATCH];
	const uint8_t *rgb = NULL;
	bool *known = xcalloc((size_t)n + 1, sizeof *known);
	int got = 0;
	scores_init(s, n, k, d);
	for (int i = 0; i < n; i++) {
		const json_t *subject = json_array_get(subjects, (size_t)i);
		float *embedding = s->embeddings + (size_t)i * (size_t)d;
		known[i] = worker_embedding(json_object_get(subject, "embedding"), embedding, d);
		if (known[i]) {
			engine_head(model, embedding, 1, s->logits + (size_t)i * (size_t)k);
			s->n_frames[i] = (int)json_array_size(json_object_get(subject, "frames"));
			s->n_frames[i] += s->n_frames[i] == 0;
		}
	}
	enum status st = frames_open(w->options, subjects, known, engine, &frames, err);
	while (st == OK && (got = frames_next(frames, pictures, &rgb)) > 0) {
		st = add_pictures(engine, rgb, pictures, got, s, err);
		if (st == OK && beat_unwanted(beat))
			st = err_set(err, CONFLICT, "nobody wants the result any more");
	}
	frames_close(frames);
	for (int i = 0; st == OK && i < n; i++) {
		for (int j = 0; !known[i] && s->n_frames[i] > 1 && j < k; j++)
			s->logits[(size_t)i * (size_t)k + (size_t)j] /= (float)s->n_frames[i];
		for (int j = 0; !known[i] && s->n_frames[i] > 1 && j < d; j++)
			s->embeddings[(size_t)i * (size_t)d + (size_t)j] /= (float)s->n_frames[i];
	}
	free(known);
	return st;
}

/* {"count": ["2", p], ...}: the likeliest class of every head after the first. Shapes: logits [n_classes]. */
static json_t *heads_json(const struct model *model, const float *logits)
{
	float *p = xmalloc((size_t)model->net.n_classes * sizeof *p);
	json_t *all = json_object();
	engine_probs(model, logits, p);
	for (int h = 1, at = model->net.head_size[0]; h < model->net.n_heads;
		 at += model->net.head_size[h++]) {
		int top = at;
		for (int c = at; c < at + model->net.head_size[h]; c++)
			top = p[c] > p[top] ? c : top;
		json_object_set_new(
			all, model->heads[h], json_pack("[s, f]", model->classes[top], (double)p[top]));
	}
	free(p);
	return all;
}

static json_t *body_of(const struct worker *w, const json_t *job, const struct scores *s)
{
	const json_t *subjects = json_object_get(job, "subjects");
	json_t *good = json_array(), *bad = json_array();
	const struct model *model = engine_model(w->engine);
	const int n_species = model->net.head_size[0];
	for (int i = 0; i < s->n; i++) {
		const json_t *subject = json_array_get(subjects, (size_t)i);
		json_t *id = json_object_get(subject, "id");
		if (s->n_frames[i] == 0) {
			json_array_append_new(bad, json_pack("{s:O, s:s}", "subject", id, "reason", s->why[i]));
			continue;
		}
		json_t *logits = json_array();
		for (int j = 0; j < n_species; j++)
			json_array_append_new(
				logits, json_real((double)s->logits[(size_t)i * (size_t)s->k + (size_t)j]));
		bool known = json_is_string(json_object_get(subject, "embedding"));
		json_t *entry = json_pack("{s:O, s:i, s:o, s:o}", "subject", id, "n_frames", s->n_frames[i],
			"logits", logits, "embedding",
			known ? json_null() : embedding_text(s->embeddings + (size_t)i * (size_t)s->d, s->d));
		if (model->net.n_heads > 1)
			json_object_set_new(
				entry, "heads", heads_json(model, s->logits + (size_t)i * (size_t)s->k));
		json_array_append_new(good, entry);
	}
	return json_pack("{s:s, s:O, s:o, s:o}", "worker", w->options->name, "batch",
		json_object_get(job, "batch"), "predictions", good, "failed", bad);
}

/* The engine of a model; it stays open for the batches that follow. */
static enum status engine_for(struct worker *w, const char *sha256, struct err *err)
{
	char path[WORKER_PATH];
	if (w->engine && strcmp(w->engine_sha256, sha256) == 0)
		return OK;
	engine_close(w->engine);
	w->engine = NULL;
	enum status st = worker_model(w, sha256, path, err);
	if (st == OK)
		st = engine_open(path, w->options->device, BACKEND_FASTEST, &w->engine, err);
	if (st != OK)
		w->engine = NULL;
	snprintf(w->engine_sha256, sizeof w->engine_sha256, "%s", sha256);
	return st;
}

enum status worker_predict(struct worker *w, struct lease *lease, struct err *err)
{
	const json_t *job = lease->job;
	const char *sha256 = json_string_value(
		json_object_get(json_object_get(job, "model"), "sha256"));
	struct scores scores = {0};
	if (!sha256)
		return err_set(err, BAD_INPUT, "job %lld names no model",
			(long long)json_integer_value(json_object_get(job, "id")));
	enum status st = engine_for(w, sha256, err);
	if (st == OK)
		st = scores_run(w, w->engine, json_object_get(job, "subjects"), lease->beat, &scores, err);
	if (st == OK)
		lease->results = body_of(w, job, &scores);
	scores_release(&scores);
	return st;
}
