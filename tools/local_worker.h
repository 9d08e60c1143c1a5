/*
 * A worker on this machine as a child process: it has a token of its own (handed over by a pipe, revoked at the end), is
 * started again when it dies, and dies with us.
 */
#pragma once

#include "status.h"

#include <stdbool.h>

struct local_worker;

struct local_worker_options {
	const char *dir;    /* data directory */
	const char *url;    /* of its server */
	const char *device; /* auto, cpu, cuda[:N] */
	bool quiet;
};

/* Owns: the caller owns *out and ends it with local_worker_stop. Errors: those of db_open and token_add; FAULT. */
enum status local_worker_start(const struct local_worker_options *options,
	struct local_worker **out, struct err *err) MUST_CHECK;
/* Ends the child within 5 s. NULL is fine. */
void local_worker_stop(struct local_worker *worker);
