/*
 * A model that is ready to run on a device: what the worker and the commands call.
 * One thread at a time uses an engine, and every engine of a process is used from the same thread:
 * on CPUs oneDNN keeps one team of threads for each thread that calls it.
 */
#pragma once

#include "backend.h"
#include "model.h"

struct engine;

/*
 * Loads a model file and readies it on a device ("auto", "cpu", "cuda[:N]", "reference"; NULL:
 * auto), in a precision (the worker and the commands take BACKEND_FASTEST).
 * Owns:   *out is the caller's, to engine_close.
 * Errors: as model_load and backend_open.
 */
enum status engine_open(const char *path, const char *device, enum backend_precision precision,
	struct engine **out, struct err *err) MUST_CHECK;
/* The same for a model in memory, which is borrowed until engine_close. */
enum status engine_open_model(const struct model *model, const char *device,
	enum backend_precision precision, struct engine **out, struct err *err) MUST_CHECK;
void engine_close(struct engine *engine);

/* Arch, classes, prior, input, backbone hash: all in the model. Borrowed from the engine. */
const struct model *engine_model(const struct engine *engine);
/* "onednn", "cuda" or "reference". */
const char *engine_backend(const struct engine *engine);

/*
 * Runs n pictures of the model's input size (input_decode with engine_model(e)->input makes them). A model with focus sees
 * each twice, the second time mirrored: what comes is the mean.
 * Shapes: rgb [n][px][px][3]; logits [n][n_classes]; embeddings [n][n_features] or NULL (not
 * wanted).
 */
enum status engine_run(struct engine *engine, const uint8_t *rgb, int n, float *logits,
	float *embeddings, struct err *err) MUST_CHECK;

/*
 * The head alone on stored embeddings, for rescoring after a new head: logits = W x + b.
 * Shapes: embeddings [n][n_features]; logits [n][n_classes].
 */
void engine_head(const struct model *model, const float *embeddings, int n, float *logits);

/* Shapes: logits, probs [k]; probs sum to 1. logits and probs may be the same array. */
void engine_softmax(const float *logits, int k, float *probs);
