/*
 * A piece of work in this worker's hands: asked for, kept alive by a heartbeat from then on, and its results sent. While a
 * prediction's batch is computed an errand sends the results of the one before and asks for the next, so that the engine does not
 * wait for the server, which stores the former before it looks for the latter.
 */
#pragma once

#include "worker_beat.h"
#include "worker_http.h"

struct lease {
	json_t *reply; /* the server's; NULL: not asked */
	json_t *job;   /* of the reply; NULL: there is no work */
	bool is_pending;
	struct beat *beat;
	json_t *results; /* of a prediction; NULL: none (yet) */
};

/* Asks for work. Errors: those of client_post; no job is none. */
enum status lease_take(const struct worker_options *options, struct client *client,
	struct lease *out, struct err *err) MUST_CHECK;

/*
 * The end of a lease whose work ended with status (OK, or err's): sends a prediction's results, or tells the server that the
 * work failed, unless nobody wants it or the worker is stopped; a line on stderr. Releases the lease; an empty one is fine.
 * Returns status, or why the results could not be sent.
 */
enum status lease_finish(const struct worker_options *options, struct client *client,
	struct lease *lease, enum status status, struct err *err) MUST_CHECK;

/*
 * last (may be empty) is finished and next taken, in a thread with a client of its own.
 * Owns: borrows both until errand_end. Errors: FAULT when no thread can be had.
 */
struct errand;
enum status errand_start(const struct worker_options *options, struct lease *last,
	struct lease *next, struct errand **out, struct err *err) MUST_CHECK;
/* Waits for it; NULL is fine. Errors: DENIED alone: what else went wrong was told, or leaves next empty. */
enum status errand_end(struct errand *errand, struct err *err) MUST_CHECK;
