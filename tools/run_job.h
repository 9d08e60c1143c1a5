/*
 * Runs queued jobs to their end from a command: a server of our own on a free port of 127.0.0.1, a local worker, and a
 * line of progress on stderr. Works beside a running `topi serve`, whose workers may take part.
 */
#pragma once

#include "job.h"

struct run_options {
	const char *dir, *device;
	bool quiet;
};

/*
 * Waits until the n jobs have ended, then decides again what that made necessary.
 * Errors: CONFLICT a job was cancelled; FAULT it failed, with its reason; those of server_start and local_worker_start.
 */
enum status run_jobs(
	const struct run_options *options, const int64_t *ids, int n, struct err *err) MUST_CHECK;
