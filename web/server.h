/*
 * The web server: a data directory served at an address until it is stopped. Requests run on
 * CivetWeb's threads; they share a pool of read-only connections and one writer.
 */
#pragma once

#include "db.h"
#include "writer.h"

struct server_options {
	const char *dir;
	const char *listen; /* "HOST:PORT"; port 0 takes a free one */
	bool verbose;       /* one line a request on stderr: method, path, status, milliseconds */
	bool behind_proxy;  /* who asks is told by X-Forwarded-For */
	int people;         /* that may share one address (limit.h); 0: the default */
};

enum { PEOPLE_PER_ADDRESS = 30, MAX_PEOPLE_PER_ADDRESS = 100000 };

struct server;

/*
 * Owns:   the caller owns *out and ends it with server_stop.
 * Errors: BAD_INPUT an address that is not HOST:PORT; CONFLICT the port is taken; those of db_open.
 */
enum status server_start(
	const struct server_options *options, struct server **out, struct err *err) MUST_CHECK;
/* "http://127.0.0.1:8080", with the port that was bound. */
const char *server_url(const struct server *server);
/* Ends within 5 s: requests that run are finished, none is taken on. NULL is fine. */
void server_stop(struct server *server);

/* What handlers see of the server. */
struct app {
	const char *dir;
	struct writer *writer;
	bool verbose, behind_proxy;
	struct limits *limits;
	struct pool *readers;
};

/* A read-only connection from the pool; waits until one is free. */
struct db *pool_take(struct pool *pool);
void pool_give(struct pool *pool, struct db *db);
