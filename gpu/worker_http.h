/*
 * What a worker asks its server, one client a thread. A request that does not get through (no connection, or the server's
 * own trouble) is sent again after a growing pause, until patience_s is over or the worker is stopped: every route may be
 * asked twice.
 */
#pragma once

#include "worker.h"

#include <jansson.h>
#include <stddef.h>

struct client;

/* Owns: the caller ends *out with client_close. Errors: FAULT. */
enum status client_open(const struct worker_options *options, int patience_s, struct client **out,
	struct err *err) MUST_CHECK;
void client_close(struct client *client);

/* POSTs body (borrowed; NULL sends {}) to a path. *reply: the caller's (may be NULL). Errors: the server's status and words. */
enum status client_post(struct client *client, const char *path, const json_t *body, json_t **reply,
	struct err *err) MUST_CHECK;

/* GETs a path into memory, bounded. Owns: *bytes is the caller's, to free(). */
enum status client_get(struct client *client, const char *path, unsigned char **bytes,
	size_t *n_bytes, struct err *err) MUST_CHECK;

/* GETs a path into a file: a name of its own first, then renamed. */
enum status client_get_file(
	struct client *client, const char *path, const char *file, struct err *err) MUST_CHECK;

/* PUTs a file. */
enum status client_put_file(struct client *client, const char *path, const char *file,
	json_t **reply, struct err *err) MUST_CHECK;

/* The patience_s of requests on which the worker's progress hangs: short with `once`. */
int worker_patience_s(const struct worker_options *options);

/* Sleeps, less when the worker is stopped. */
void worker_sleep(const struct worker_options *options, long ms);
