/*
 * A request and a reply as plain data. A handler is a function from one to the other and knows no
 * socket; civet.c is the only file that does. routes.c finds the handler, checks who asks and reads
 * the body as the route wants it, so that a handler starts with what it needs.
 *
 * A handler reads through r->db, a read-only connection that is its own until it returns, and
 * writes through writer_do(r->app->writer, ...). It returns OK with the reply filled, or a status
 * with err filled: the problem reply is made of that in one place (http_problem).
 */
#pragma once

#include "db.h"
#include "limit.h"
#include "volunteer.h"
#include "writer.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROUTE_MAX_ARGS = 3, ROUTE_MAX_ARG = 200, HTTP_MAX_PATH = 1000 };

struct app; /* the running server, server.h */

/* Who may ask. Roles are those of the route's {project}; an admin of the program has every role. */
enum who {
	WHO_ANYONE,
	WHO_SESSION,    /* a browser that has a session; 401 else */
	WHO_RESEARCHER, /* admin or researcher of the project */
	WHO_WORKER      /* a worker's token */
};

/* What a route reads. Limits: docs/api.md. */
enum body {
	BODY_NONE,
	BODY_JSON,     /* an object of at most 1 MiB: r->json */
	BODY_JSON_BIG, /* at most 16 MiB */
	BODY_FILE      /* at most 512 MiB, streamed to r->file in the data directory */
};

struct request {
	struct app *app;
	struct db *db;
	int64_t now_ms;
	const char *method, *path;                /* the path decoded, without the query */
	const char *query;                        /* undecoded, "" when there is none */
	char args[ROUTE_MAX_ARGS][ROUTE_MAX_ARG]; /* what stood for the {} of the route, in order */
	int64_t project_id;                       /* of the route's {project}, else 0 */
	struct volunteer volunteer;               /* who asks; id 0: nobody known */
	const char *cookie;                       /* the session's, NULL when there is none */
	char address[48];          /* what limits know the sender by; "": this machine itself */
	const char *if_none_match; /* or NULL */
	bool takes_gzip;           /* the client can unpack it */
	json_t *json;              /* BODY_JSON, borrowed */
	const char *file; /* BODY_FILE: its path; removed after the handler unless it was renamed */
	int64_t file_bytes;
};

enum cache { CACHE_NO_STORE, CACHE_REVALIDATE, CACHE_PRIVATE_IMMUTABLE, CACHE_IMMUTABLE };

/* Zero is a valid, empty reply: {} with 200 OK. */
struct reply {
	int http_status;     /* 0: 200 */
	const char *type;    /* NULL: application/json */
	char etag[40];       /* "": none; with its quotes */
	const char *save_as; /* a file name to keep it under, or NULL */
	const char *csp;     /* sources added to script-src, or NULL */
	bool sandbox;        /* a drawing: nothing in it may run or load */
	bool varies;         /* the client's Accept-Encoding decided the bytes */
	bool gzipped;        /* the bytes are compressed */
	bool takes_gzip;     /* set by http_answer: JSON may be sent compressed */
	const void *bytes;   /* static bytes, borrowed */
	size_t n_bytes;
	json_t *json;  /* owned */
	bool has_file; /* stream from `fd`, which is owned, to its end */
	int fd;
	enum cache cache;
	char new_cookie[65]; /* not empty: sets the session's cookie */
	bool drop_cookie;
	int retry_s; /* Retry-After, where not 0; with BUSY set by a handler: 429, one person's too much */
};

typedef enum status handler(struct request *r, struct reply *reply, struct err *err);

/*
 * One route. A pattern is a path whose segments are literal, {name} (fills the next args entry) or
 * {project} (a slug: fills args and project_id, 404 when there is none). Method GET serves HEAD.
 * Every method but GET needs the header X-Topi: 1, but for a worker, whose token no page can send.
 */
struct route {
	const char *method, *pattern;
	enum who who;
	enum body body;
	handler *handler;
};

/* Each ends with a row whose method is NULL. */
extern const struct route volunteer_routes[]; /* handlers_volunteer.c, accounts and labelling */
extern const struct route people_routes[];    /* handlers_me.c: one's own answers, data, account */
extern const struct route page_routes[];      /* handlers_page.c: pages, media, health, status */
extern const struct route worker_routes[];    /* handlers_worker.c */

/* What civet.c hands to routes.c: the request before anybody has looked at it. */
struct raw_request {
	const char *method, *target; /* the target as sent: path and query, undecoded */
	const char *cookie, *bearer; /* NULL: none */
	const char *if_none_match, *accept_encoding;
	const char *address;       /* the connection's other end */
	const char *forwarded_for; /* X-Forwarded-For, or NULL */
	bool x_topi;
	int64_t content_length; /* -1: not told */
	/* Reads up to n bytes of the body: how many, 0 at its end, -1 when the client is gone. */
	long (*read)(void *from, void *buffer, size_t n);
	void *from;
};

/* Routes, checks, runs; always fills the reply. The caller ends with reply_release. */
void http_answer(struct app *app, const struct raw_request *raw, struct reply *reply);
void reply_release(struct reply *reply);

/* The HTTP status of a failure, and its problem as the reply. `known`: somebody is logged in. */
int http_status(enum status status, bool known);
void http_problem(const struct err *err, bool known, struct reply *reply);

/*
 * BUSY with reply->retry_s (429) where it is too much: one of a kind more by whom the key names, or, for the kinds by address,
 * by the address that asks (key NULL).
 */
enum status http_limit(const struct request *r, struct reply *reply, enum limit_kind kind,
	const char *key, struct err *err) MUST_CHECK;

/* The text of a status line: "Not Found". */
const char *http_reason(int http_status);

/* Decodes %XX. Errors: BAD_INPUT for a bad escape, a NUL, a control character or bad UTF-8;
 * TOO_LARGE when out is too small. */
enum status url_decode(
	const char *in, size_t n, char *out, size_t size, struct err *err) MUST_CHECK;
/* A variable of the query, decoded. Errors: NOT_FOUND when it is not there (err is filled). */
enum status query_get(
	const struct request *r, const char *name, char *out, size_t size, struct err *err) MUST_CHECK;

/* Members of r->json. Errors: BAD_INPUT that names the member and what is wanted. */
enum status body_text(
	const struct request *r, const char *name, const char **out, struct err *err) MUST_CHECK;
enum status body_int(const struct request *r, const char *name, int64_t low, int64_t high,
	int64_t *out, struct err *err) MUST_CHECK;
/* An id of a route's args. Errors: NOT_FOUND (an address with another text is no address). */
enum status arg_id(const struct request *r, int arg, int64_t *out, struct err *err) MUST_CHECK;

/* "2026-11-23T12:00:00.000Z" */
void time_text(int64_t ms, char out[32]);
