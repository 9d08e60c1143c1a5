/*
 * A worker: takes predictions and trainings from a topi server (docs/api.md, Workers), runs them on this machine's engine
 * and sends the results until they are acknowledged. It holds nothing that matters: killed at any point, its lease runs
 * out and another finishes the work.
 */
#pragma once

#include "ranks.h"
#include "status.h"

#include <stdatomic.h>
#include <stdbool.h>

struct worker_options {
	const char *url; /* "http://HOST:PORT" */
	const char *token;
	const char *name;   /* what the server calls this worker; unique among those that run */
	const char *device; /* backend_find; NULL: auto */
	const char *
		media; /* the server's data directory where it is seen from here; NULL: all comes over HTTP */
	const char *cache; /* folder of what was fetched; made when it is missing */
	bool
		once; /* return OK when the server has no work left, and at once when it cannot be reached */
	bool quiet;          /* no line a job on stderr */
	struct ranks *ranks; /* of one training on several; NULL: alone */
	const atomic_bool *
		stop; /* set by another thread or a signal: a prediction's batch is finished, then return OK */
};

/*
 * Works until stopped (or, with `once`, until nothing is left). All engine calls come from the calling thread.
 * Errors: DENIED the token is wrong; with `once` BUSY when the server cannot be reached. A job that fails here is the
 * server's to know, not an error of the worker.
 */
enum status worker_run(const struct worker_options *options, struct err *err) MUST_CHECK;

/*
 * A rank other than 0: trains whatever rank 0's worker trains, on its own share of the data, until that ends. It asks no
 * server: `media` must be the data directory, as it is seen from here. Errors: FAULT when rank 0 is gone.
 */
enum status worker_follow(const struct worker_options *options, struct err *err) MUST_CHECK;
