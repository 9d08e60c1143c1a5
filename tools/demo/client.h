/*
 * A browser's side of topi's HTTP interface (docs/api.md): one connection, any number of people,
 * each with a cookie of their own. A client is used by one thread at a time.
 */
#pragma once

#include "status.h"

#include <stddef.h>

#include <jansson.h>

struct session {
	char cookie[100]; /* the value of the cookie `topi`; empty: not seen yet */
};

struct client;

/* url: "http://127.0.0.1:8080". Never NULL. */
struct client *client_new(const char *url);
void client_free(struct client *c);

/*
 * GET where body is NULL, else POST of body, as this person, whose cookie the reply may set. A
 * server that is busy or away for a moment is asked again for about ten seconds.
 * Owns:   takes body; *out (NULL: dropped) is the caller's, json_decref it.
 * Errors: the problem's own line under its kind; FAULT when there is no answer, or one that is no
 *         JSON.
 */
enum status client_call(struct client *c, struct session *who, const char *path, json_t *body,
	json_t **out, struct err *err) MUST_CHECK;

/* GET of anything else: its size. Errors: as above. */
enum status client_fetch(struct client *c, struct session *who, const char *path, size_t *n_bytes,
	struct err *err) MUST_CHECK;
