/*
 * From a raw request to a reply: the route, who asks, the body, the handler. Who may is asked before
 * the body is read, so that nobody can fill the disk or memory who may not; and no reader is held
 * while a slow client sends its body.
 */
#include "http.h"

#include "project.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MIB (1024LL * 1024)

static int64_t clock_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One segment (or, for the pattern's last "*", the rest) into the next args entry. */
static bool take_arg(struct request *r, int *n_args, const char *text, size_t n)
{
	if (*n_args == ROUTE_MAX_ARGS || n == 0 || n >= ROUTE_MAX_ARG)
		return false;
	memcpy(r->args[*n_args], text, n);
	r->args[(*n_args)++][n] = 0;
	return true;
}

/* Whether the path is the pattern's; fills args, and says where the project's slug is (or -1). */
static bool matches(const char *pattern, struct request *r, int *project_arg)
{
	const char *path = r->path;
	int n_args = 0;
	*project_arg = -1;
	while (*pattern && *path) {
		if (*pattern == '*')
			return take_arg(r, &n_args, path, strlen(path));
		if (*pattern == '{') {
			size_t n = strcspn(path, "/");
			if (strncmp(pattern, "{project}", 9) == 0)
				*project_arg = n_args;
			if (!take_arg(r, &n_args, path, n))
				return false;
			pattern += strcspn(pattern, "}") + 1;
			path += n;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return !*pattern && !*path;
}

static const struct route *find_route(struct request *r, int *project_arg)
{
	const struct route *const tables[] = {
		volunteer_routes, people_routes, worker_routes, page_routes};
	const char *method = strcmp(r->method, "HEAD") == 0 ? "GET" : r->method;
	for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
		for (const struct route *route = tables[t]; route->method; route++)
			if (strcmp(route->method, method) == 0 && matches(route->pattern, r, project_arg))
				return route;
	return NULL;
}

/* "gzip, br": whether gzip is among them and not forbidden by q=0. */
static bool takes_gzip(const char *accept_encoding)
{
	const char *gzip = accept_encoding ? strstr(accept_encoding, "gzip") : NULL;
	const char *weight = gzip ? gzip + 4 + strspn(gzip + 4, " ;q=0.") : NULL;
	return gzip && (gzip[4] != ';' || (*weight >= '1' && *weight <= '9'));
}

/* The path decoded, and the query apart. `path` has room for HTTP_MAX_PATH. */
static enum status split_target(const char *target, char *path, const char **query, struct err *err)
{
	const char *mark = strchr(target, '?');
	size_t n = mark ? (size_t)(mark - target) : strlen(target);
	*query = mark ? mark + 1 : "";
	return url_decode(target, n, path, HTTP_MAX_PATH, err);
}

/* Whoever asks, known or not. An unknown or old cookie is nobody's, which is no error. */
static enum status find_volunteer(struct request *r, struct err *err)
{
	if (!r->cookie)
		return OK;
	enum status st = session_find(r->db, r->cookie, r->now_ms, &r->volunteer, err);
	if (st == NOT_FOUND) {
		r->cookie = NULL;
		st = OK;
	}
	return st;
}

/* *known says whether a DENIED is somebody's (403) or nobody's (401). */
static enum status check_who(struct request *r, const struct route *route,
	const struct raw_request *raw, bool *known, struct err *err)
{
	bool may = false;
	enum status st = OK;
	*known = route->who == WHO_ANYONE || r->volunteer.id != 0;
	switch (route->who) {
	case WHO_ANYONE:
		return OK;
	case WHO_SESSION:
		return r->volunteer.id
			? OK
			: err_set(err, DENIED, "this browser is not known: ask /api/me first");
	case WHO_RESEARCHER:
		*known = r->volunteer.id != 0 && !r->volunteer.anonymous;
		if (!*known)
			return err_set(err, DENIED, "this is for researchers and admins: log in first");
		st = role_has(r->db, r->project_id, &r->volunteer, "researcher", &may, err);
		if (st == OK && !may)
			st = err_set(err, DENIED, "this is for researchers and admins of the project");
		return st;
	case WHO_WORKER:
		*known = false;
		st = raw->bearer ? token_check(r->db, raw->bearer, r->now_ms, err) : NOT_FOUND;
		return st == NOT_FOUND ? err_set(err, DENIED, "a worker's token is wanted") : st;
	}
	return err_set(err, FAULT, "a route without an owner");
}

static enum status gone(struct err *err)
{
	return err_set(err, BAD_INPUT, "the body ended before its length");
}

static enum status too_large(int64_t limit, struct err *err)
{
	return err_set(err, TOO_LARGE, "the body is over %lld MiB", (long long)(limit / MIB));
}

static enum status read_json(
	struct request *r, const struct raw_request *raw, int64_t limit, struct err *err)
{
	json_error_t problem;
	size_t n = 0;
	size_t room = raw->content_length > 0 ? (size_t)raw->content_length + 1 : 4096;
	if (raw->content_length > limit)
		return too_large(limit, err);
	char *text = xmalloc(room);
	enum status st = OK;
	for (;;) {
		if (n == room)
			text = xrealloc(text, room *= 2);
		long got = raw->read(raw->from, text + n, room - n);
		if (got <= 0) {
			st = got < 0 ? gone(err) : OK;
			break;
		}
		n += (size_t)got;
		if ((int64_t)n > limit) {
			st = too_large(limit, err);
			break;
		}
	}
	if (st == OK) {
		r->json = json_loadb(text, n, JSON_REJECT_DUPLICATES, &problem);
		if (!r->json)
			st = err_set(err, BAD_INPUT, "the body is not JSON: %.120s (byte %d)", problem.text,
				problem.position);
		else if (!json_is_object(r->json))
			st = err_set(err, BAD_INPUT, "the body must be a JSON object");
	}
	free(text);
	return st;
}

/* Streams the body to a new file of the data directory; `path` has room for 2100 bytes. */
static enum status read_file(
	struct request *r, const struct raw_request *raw, char *path, int64_t limit, struct err *err)
{
	if (raw->content_length > limit)
		return too_large(limit, err);
	snprintf(path, 2100, "%.2000s/models/.upload-XXXXXX", r->app->dir);
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_set(
			err, errno == ENOSPC ? FULL : FAULT, "the upload cannot be kept: %s", strerror(errno));
	r->file = path;
	char *chunk = xmalloc(65536);
	enum status st = OK;
	long got = 0;
	while (st == OK && (got = raw->read(raw->from, chunk, 65536)) > 0) {
		r->file_bytes += got;
		if (r->file_bytes > limit)
			st = too_large(limit, err);
		else if (write(fd, chunk, (size_t)got) != got)
			st = err_set(err, FULL, "the disk is full: the upload cannot be kept");
	}
	if (st == OK && got < 0)
		st = gone(err);
	if (st == OK && fsync(fd) != 0)
		st = err_set(err, FULL, "the upload cannot be written: %s", strerror(errno));
	free(chunk);
	close(fd);
	return st;
}

static enum status read_body(struct request *r, const struct route *route,
	const struct raw_request *raw, char *file, struct err *err)
{
	switch (route->body) {
	case BODY_NONE:
		return OK;
	case BODY_JSON:
		return read_json(r, raw, 1 * MIB, err);
	case BODY_JSON_BIG:
		return read_json(r, raw, 16 * MIB, err);
	case BODY_FILE:
		return read_file(r, raw, file, 512 * MIB, err);
	}
	return err_set(err, FAULT, "a route without a kind of body");
}

/* Everything that is asked before the body is read. */
static enum status check(struct request *r, const struct raw_request *raw,
	const struct route *route, int project_arg, bool *known, struct err *err)
{
	enum status st = OK;
	if (strcmp(route->method, "GET") != 0 && route->who != WHO_WORKER && !raw->x_topi)
		return err_set(err, DENIED, "the header X-Topi: 1 is missing");
	r->db = pool_take(r->app->readers);
	if (route->who != WHO_WORKER)
		st = find_volunteer(r, err);
	if (st == OK && project_arg >= 0)
		st = project_find(r->db, r->args[project_arg], &r->project_id, err);
	if (st == OK)
		st = check_who(r, route, raw, known, err);
	pool_give(r->app->readers, r->db);
	r->db = NULL;
	return st;
}

static enum status run(struct request *r, const struct raw_request *raw, struct reply *reply,
	bool *known, struct err *err)
{
	char file[2100];
	int project_arg = -1;
	const struct route *route = find_route(r, &project_arg);
	if (!route)
		return err_set(err, NOT_FOUND, "there is no %.10s %.100s here", r->method, r->path);
	enum status st = check(r, raw, route, project_arg, known, err);
	if (st == OK)
		st = read_body(r, route, raw, file, err);
	if (st == OK) {
		r->db = pool_take(r->app->readers);
		st = route->handler(r, reply, err);
		pool_give(r->app->readers, r->db);
	}
	json_decref(r->json);
	if (r->file)
		unlink(r->file); /* what the handler kept has another name now */
	return st;
}

void http_answer(struct app *app, const struct raw_request *raw, struct reply *reply)
{
	char path[HTTP_MAX_PATH];
	struct err err = {0};
	bool known = true;
	struct request r = {.app = app,
		.now_ms = clock_ms(),
		.method = raw->method,
		.path = path,
		.cookie = raw->cookie,
		.if_none_match = raw->if_none_match,
		.takes_gzip = takes_gzip(raw->accept_encoding)};
	*reply = (struct reply){0};
	limit_address(raw->address, app->behind_proxy ? raw->forwarded_for : NULL, r.address);
	enum status st = split_target(raw->target, path, &r.query, &err);
	if (st == OK)
		st = run(&r, raw, reply, &known, &err);
	if (st == FAULT)
		fprintf(stderr, "topi: %s %.200s: %s\n", r.method, path, err.text);
	if (st != OK)
		http_problem(&err, known, reply);
	if (!reply->http_status)
		reply->http_status = 200;
	if (!reply->json && !reply->has_file && !reply->bytes && reply->http_status == 200 &&
		!reply->type)
		reply->json = json_object();
	reply->takes_gzip = r.takes_gzip;
}
