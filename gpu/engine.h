/*
 * A model that is ready to run on a device: what the worker and the commands call.
 * One thread at a time uses an engine, and every engine of a process is used from the same thread:
 * on CPUs oneDNN keeps one team of threads for each thread that calls it.
 */
#pragma once

#include "backend.h"
#include "ensemble.h"

struct engine;

/*
 * Loads a model file, or an ensemble's, and readies it on a device ("auto", "cpu", "cuda[:N]", "reference"; NULL: auto), in a
 * precision (the worker and the commands take BACKEND_FASTEST).
 * Owns:   *out is the caller's, to engine_close.
 * Errors: as model_load and backend_open.
 */
enum status engine_open(const char *path, const char *device, enum backend_precision precision,
	struct engine **out, struct err *err) MUST_CHECK;
/* The same for a model in memory, which is borrowed until engine_close. */
enum status engine_open_model(const struct model *model, const char *device,
	enum backend_precision precision, struct engine **out, struct err *err) MUST_CHECK;
/* And for an ensemble in memory, borrowed likewise. */
enum status engine_open_ensemble(const struct ensemble *ensemble, const char *device,
	enum backend_precision precision, struct engine **out, struct err *err) MUST_CHECK;
void engine_close(struct engine *engine);

/* Arch, classes, prior, input, backbone hash: all in the model (an ensemble's face, which has no
 * parameters and no features). Borrowed from the engine. */
const struct model *engine_model(const struct engine *engine);
/* "onednn", "cuda" or "reference". */
const char *engine_backend(const struct engine *engine);
/* Whether the net takes the CPU's own time: what is made for it beside it slows it down (feed.h). */
bool engine_is_cpu(const struct engine *engine);

/*
 * Runs n pictures of the model's input size (input_decode with engine_model(e)->input makes them).
 * A model with focus sees each twice, the second time mirrored: what comes is the mean. An
 * ensemble's logits are the mean of its members', class by class; it has no embeddings.
 * Shapes: rgb [n][px][px][3]; logits [n][n_classes]; embeddings [n][n_features] or NULL (not
 * wanted).
 */
enum status engine_run(struct engine *engine, const uint8_t *rgb, int n, float *logits,
	float *embeddings, struct err *err) MUST_CHECK;

/*
 * Where in a picture the evidence for a class lies: the last plane of features, each channel times
 * its weight in the class' row of the head (class activation maps: Zhou, Khosla, Lapedriza, Oliva,
 * Torralba, CVPR 2016). In both kinds of net the mean over the map and the row's bias make the
 * logit: where features are pooled by their mean, the map is that product at every place; where by
 * their peak, a channel counts at its peak alone (the first of equal ones), times the number of
 * places, since nothing else of it reaches the head.
 * Shapes: rgb [px][px][3]; map [h][w] of net_plane(&engine_model(e)->net).
 * Errors: BAD_INPUT for a class that is none, or an ensemble, whose members' planes are not one.
 */
enum status engine_map(
	struct engine *engine, const uint8_t *rgb, int class, float *map, struct err *err) MUST_CHECK;

/*
 * The head alone on stored embeddings, for rescoring after a new head: logits = W x + b.
 * Shapes: embeddings [n][n_features]; logits [n][n_classes].
 */
void engine_head(const struct model *model, const float *embeddings, int n, float *logits);

/* Shapes: logits, probs [k]; probs sum to 1. logits and probs may be the same array. */
void engine_softmax(const float *logits, int k, float *probs);
/* The same for every head of a model. Shapes: logits, probs [n_classes]; each head's sum to 1. */
void engine_probs(const struct model *model, const float *logits, float *probs);
