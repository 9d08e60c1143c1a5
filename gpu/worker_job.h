/* What the parts of a worker share: where files are, the engine at hand, and the two kinds of job. */
#pragma once

#include "engine.h"
#include "feed.h"
#include "worker_http.h"
#include "worker_lease.h"

enum { WORKER_PATH = 1200 };

struct worker {
	const struct worker_options *options;
	struct client *client;
	struct engine *engine; /* of the last prediction; NULL: none */
	char engine_sha256[65];
	long pause_ms; /* before the next question, after a failure or when there is no work */
};

/* Path of a model file: the data directory's, or fetched into the cache and checked against its hash. path [WORKER_PATH]. */
enum status worker_model(
	struct worker *w, const char *sha256, char *path, struct err *err) MUST_CHECK;

/* A subject's frame as the server names it: sha256 is borrowed from the JSON. */
struct worker_frame {
	const char *sha256;
	int64_t crop, px; /* px: the rendition's size, a folder's name */
	struct input_window window;
};

/* Errors: BAD_INPUT. */
enum status worker_frame(const json_t *json, struct worker_frame *out, struct err *err) MUST_CHECK;

/* Path of its rendition in the data directory; false: it is not seen from here. path [WORKER_PATH]. */
bool worker_rendition(
	const struct worker_options *options, const struct worker_frame *frame, char *path);

/* A stored embedding (base64 of float16) as floats. False: it is not of n floats. out [n]. */
bool worker_embedding(const json_t *text, float *out, int n);

/* Computes a prediction's batch into lease->results. Errors: what it failed of. */
enum status worker_predict(struct worker *w, struct lease *lease, struct err *err) MUST_CHECK;
/* Trains and sends the model. Errors: DENIED, BUSY, and what it failed of. */
enum status worker_train(struct worker *w, struct lease *lease, struct err *err) MUST_CHECK;

/*
 * Where subjects' frames become pictures, in batches that suit the engine (feed.h). frames_next is called by the engine's
 * thread and gives the next batch, in order.
 */
struct frames;
struct frame_picture {
	int item; /* index of the subject in the list */
	const struct err *
		why; /* BAD_INPUT, TOO_LARGE, NOT_FOUND: the frame's own fault; else it could not be fetched */
};
enum { FRAMES_MAX_BATCH = 128 };

/* subjects: a JSON array of objects with "frames"; entries of skip that are true are passed over (NULL: none). */
enum status frames_open(const struct worker_options *options, const json_t *subjects,
	const bool *skip, const struct engine *engine, struct frames **out, struct err *err) MUST_CHECK;
/*
 * How many; 0: there are no more. Shapes: out [FRAMES_MAX_BATCH]; *rgb [n][px][px][3].
 * Owns: *rgb and the reasons are good until the next call.
 */
int frames_next(struct frames *frames, struct frame_picture *out, const uint8_t **rgb);
/* Stops the threads and frees what was not taken. NULL is fine. */
void frames_close(struct frames *frames);

/* Mean logits (and embeddings) of every subject. Shapes: logits [n][k], embeddings [n][d] or NULL, n_frames [n], why [n][120]. */
struct scores {
	int n, k, d;
	float *logits, *embeddings;
	int *n_frames; /* 0: none could be read, see why */
	char (*why)[120];
};

/*
 * Scores subjects: those with a stored embedding of the model's size by the head alone, the others by their frames.
 * Owns: the caller releases *out with scores_release, also after a failure. Errors: CONFLICT when *unwanted turned true.
 */
struct beat;
enum status scores_run(struct worker *w, struct engine *engine, const json_t *subjects,
	const struct beat *beat, struct scores *out, struct err *err) MUST_CHECK;
void scores_release(struct scores *scores);
