/* libcurl behind four requests; the one place where an HTTP status becomes a status again. */
#include "worker_http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_REPLY = 256 << 20, FIRST_PAUSE_MS = 200, MAX_PAUSE_MS = 10000, MAX_URL = 2000 };

struct client {
	const struct worker_options *options;
	int patience_s;
	CURL *curl;
	struct curl_slist *headers;
};

struct request {
	const char *path;
	const char *body;     /* POST */
	const char *put_file; /* PUT */
	FILE *to;             /* the bytes of a good reply go here, else to memory */
	CURL *curl;           /* that asks */
	char *bytes;
	size_t n_bytes;
	bool full; /* the disk, or the reply's limit */
};

enum status client_open(
	const struct worker_options *options, int patience_s, struct client **out, struct err *err)
{
	char bearer[400];
	struct client *client = xcalloc(1, sizeof *client);
	client->options = options;
	client->patience_s = patience_s;
	client->curl = curl_easy_init();
	snprintf(bearer, sizeof bearer, "Authorization: Bearer %.300s", options->token);
	client->headers = curl_slist_append(NULL, bearer);
	if (client->headers)
		curl_slist_append(client->headers, "Content-Type: application/json");
	if (client->headers)
		curl_slist_append(client->headers, "Expect:");
	if (!client->curl || !client->headers) {
		client_close(client);
		return err_set(err, FAULT, "libcurl does not start");
	}
	*out = client;
	return OK;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->curl);
	curl_slist_free_all(client->headers);
	free(client);
}

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int worker_patience_s(const struct worker_options *options)
{
	return options->once ? 3 : 600;
}

void worker_sleep(const struct worker_options *options, long ms)
{
	for (long until = now() + ms; now() < until && !atomic_load(options->stop);)
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

static size_t take(char *bytes, size_t one, size_t n, void *arg)
{
	struct request *r = arg;
	long http = 0;
	(void)one;
	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &http);
	if (r->to && http >= 200 && http < 300) {
		r->full = fwrite(bytes, 1, n, r->to) != n;
		return r->full ? 0 : n;
	}
	if (r->n_bytes + n > MAX_REPLY) {
		r->full = true;
		return 0;
	}
	r->bytes = xrealloc(r->bytes, r->n_bytes + n + 1);
	memcpy(r->bytes + r->n_bytes, bytes, n);
	r->n_bytes += n;
	r->bytes[r->n_bytes] = 0;
	return n;
}

static enum status status_of(long http, const struct request *r, struct err *err)
{
	static const struct {
		long http;
		enum status status;
	} table[] = {{400, BAD_INPUT}, {401, DENIED}, {403, DENIED}, {404, NOT_FOUND}, {409, CONFLICT},
		{413, TOO_LARGE}, {503, BUSY}, {507, FULL}};
	enum status st = http >= 500 ? FAULT : BAD_INPUT;
	json_t *problem = r->bytes ? json_loadb(r->bytes, r->n_bytes, 0, NULL) : NULL;
	const char *words = json_string_value(json_object_get(problem, "error"));
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].http == http)
			st = table[i].status;
	if (words)
		err_set(err, st, "%s", words);
	else
		err_set(err, st, "%.100s: the server answers %ld", r->path, http);
	json_decref(problem);
	return st;
}

static void set_up(struct client *c, struct request *r, const char *url, FILE *from)
{
	curl_easy_reset(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
	curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, 10L);
	curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L); /* bytes a second */
	curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, 120L);
	if (r->body)
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, r->body);
	if (from) {
		fseek(from, 0, SEEK_END);
		curl_easy_setopt(c->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)ftell(from));
		rewind(from);
		curl_easy_setopt(c->curl, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c->curl, CURLOPT_READDATA, from);
	}
}

static enum status ask_once(struct client *c, struct request *r, struct err *err)
{
	char url[MAX_URL];
	long http = 0;
	FILE *from = r->put_file ? fopen(r->put_file, "rbe") : NULL;
	if (r->put_file && !from)
		return err_set(err, NOT_FOUND, "%.120s cannot be read", r->put_file);
	snprintf(url, sizeof url, "%.900s%.900s", c->options->url, r->path);
	free(r->bytes);
	r->bytes = NULL;
	r->n_bytes = 0;
	r->curl = c->curl;
	set_up(c, r, url, from);
	CURLcode code = curl_easy_perform(c->curl);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &http);
	if (from)
		fclose(from);
	if (r->full)
		return err_set(err, TOO_LARGE, "%.100s: no room for the reply", r->path);
	if (code != CURLE_OK)
		return err_set(
			err, BUSY, "%.100s cannot be reached: %s", c->options->url, curl_easy_strerror(code));
	return http >= 200 && http < 300 ? OK : status_of(http, r, err);
}

/* Again and again where it may help. A reply into a file starts at the file's beginning. */
static enum status ask(struct client *c, struct request *r, struct err *err)
{
	long until = now() + c->patience_s * 1000L, pause = FIRST_PAUSE_MS;
	for (;;) {
		enum status st = ask_once(c, r, err);
		bool again = st == BUSY || st == FAULT || st == FULL;
		if (!again || now() >= until || atomic_load(c->options->stop))
			return st;
		worker_sleep(c->options, pause);
		pause = pause * 2 < MAX_PAUSE_MS ? pause * 2 : MAX_PAUSE_MS;
		if (r->to && (fflush(r->to) != 0 || ftruncate(fileno(r->to), 0) != 0))
			return err_set(err, FAULT, "a file cannot be begun again");
		if (r->to)
			rewind(r->to);
	}
}

static enum status reply_json(const struct request *r, json_t **reply, struct err *err)
{
	if (!reply)
		return OK;
	*reply = r->bytes ? json_loadb(r->bytes, r->n_bytes, 0, NULL) : NULL;
	return json_is_object(*reply) ? OK
								  : err_set(err, FAULT, "%.100s: the reply is no JSON", r->path);
}

enum status client_post(
	struct client *client, const char *path, const json_t *body, json_t **reply, struct err *err)
{
	char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(9)) : xstrdup("{}");
	struct request r = {.path = path, .body = text};
	if (reply)
		*reply = NULL;
	enum status st = text ? ask(client, &r, err)
						  : err_set(err, FAULT, "%.100s: the body is no text", path);
	if (st == OK)
		st = reply_json(&r, reply, err);
	free(text);
	free(r.bytes);
	return st;
}

enum status client_get(struct client *client, const char *path, unsigned char **bytes,
	size_t *n_bytes, struct err *err)
{
	struct request r = {.path = path};
	enum status st = ask(client, &r, err);
	*bytes = NULL;
	*n_bytes = 0;
	if (st == OK) {
		*bytes = (unsigned char *)r.bytes;
		*n_bytes = r.n_bytes;
	} else {
		free(r.bytes);
	}
	return st;
}

enum status client_get_file(
	struct client *client, const char *path, const char *file, struct err *err)
{
	static atomic_int n_parts;
	char part[MAX_URL];
	snprintf(part, sizeof part, "%.1900s.%ld-%d.part", file, (long)getpid(),
		atomic_fetch_add(&n_parts, 1));
	struct request r = {.path = path, .to = fopen(part, "wbe")};
	if (!r.to)
		return err_set(err, FAULT, "%.120s cannot be written", part);
	enum status st = ask(client, &r, err);
	if (fclose(r.to) != 0 && st == OK)
		st = err_set(err, FULL, "%.120s cannot be written", part);
	if (st == OK && rename(part, file) != 0)
		st = err_set(err, FAULT, "%.120s cannot be written", file);
	if (st != OK)
		unlink(part);
	free(r.bytes);
	return st;
}

enum status client_put_file(
	struct client *client, const char *path, const char *file, json_t **reply, struct err *err)
{
	struct request r = {.path = path, .put_file = file};
	if (reply)
		*reply = NULL;
	enum status st = ask(client, &r, err);
	if (st == OK)
		st = reply_json(&r, reply, err);
	free(r.bytes);
	return st;
}
