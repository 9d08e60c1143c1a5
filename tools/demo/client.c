/* libcurl, and the cookie kept by hand: one handle serves many people. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>

enum { TRIES = 20, PAUSE_NS = 500000000, TIMEOUT_S = 60, MAX_REPLY = 32 << 20 };

struct client {
	CURL *curl;
	struct curl_slist *headers;
	char *url;
	char *bytes; /* the reply */
	size_t n, room;
	struct session *who;
};

static size_t on_body(char *from, size_t size, size_t n, void *to)
{
	struct client *c = to;
	n *= size;
	if (c->n + n > MAX_REPLY)
		return 0;
	if (c->n + n + 1 > c->room)
		c->bytes = xrealloc(c->bytes, c->room = 2 * (c->n + n + 1));
	memcpy(c->bytes + c->n, from, n);
	c->n += n;
	c->bytes[c->n] = 0;
	return n;
}

static size_t on_header(char *from, size_t size, size_t n, void *to)
{
	static const char name[] = "set-cookie: topi=";
	struct client *c = to;
	size_t skip = sizeof name - 1, i = 0;
	n *= size;
	if (n > skip && strncasecmp(from, name, skip) == 0) {
		for (; skip + i < n && i + 1 < sizeof c->who->cookie; i++) {
			char ch = from[skip + i];
			if (ch == ';' || ch == '\r' || ch == '\n')
				break;
			c->who->cookie[i] = ch;
		}
		c->who->cookie[i] = 0;
	}
	return n;
}

struct client *client_new(const char *url)
{
	struct client *c = xcalloc(1, sizeof *c);
	c->url = xstrdup(url);
	c->bytes = xmalloc(c->room = 4096);
	c->curl = curl_easy_init();
	if (!c->curl)
		abort(); /* memory is out */
	c->headers = curl_slist_append(NULL, "X-Topi: 1");
	c->headers = curl_slist_append(c->headers, "Content-Type: application/json");
	return c;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	curl_slist_free_all(c->headers);
	curl_easy_cleanup(c->curl);
	free(c->url);
	free(c->bytes);
	free(c);
}

static CURLcode ask(struct client *c, struct session *who, const char *path, const char *body)
{
	char url[1000], cookie[120];
	c->n = 0;
	c->bytes[0] = 0;
	c->who = who;
	curl_easy_reset(c->curl);
	snprintf(url, sizeof url, "%s%s", c->url, path);
	snprintf(cookie, sizeof cookie, "topi=%s", who->cookie);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, c);
	if (*who->cookie)
		curl_easy_setopt(c->curl, CURLOPT_COOKIE, cookie);
	if (body)
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
	return curl_easy_perform(c->curl);
}

static enum status kind_of(long http)
{
	return http == 400               ? BAD_INPUT
		: http == 401 || http == 403 ? DENIED
		: http == 404                ? NOT_FOUND
		: http == 409                ? CONFLICT
		: http == 413                ? TOO_LARGE
		: http == 503                ? BUSY
		: http == 507                ? FULL
									 : FAULT;
}

static enum status problem(const struct client *c, const char *path, long http, struct err *err)
{
	json_t *json = json_loads(c->bytes, 0, NULL);
	const char *text = json_string_value(json_object_get(json, "error"));
	enum status st = err_set(
		err, kind_of(http), "%.60s: %ld %.110s", path, http, text ? text : "without a reason");
	json_decref(json);
	return st;
}

static enum status request(
	struct client *c, struct session *who, const char *path, const char *body, struct err *err)
{
	static const struct timespec pause = {0, PAUSE_NS};
	for (int i = 0;; i++) {
		CURLcode code = ask(c, who, path, body);
		long http = 0;
		curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &http);
		if (code == CURLE_OK && http < 400)
			return OK;
		if (i == TRIES || (code == CURLE_OK && http != 503))
			return code == CURLE_OK
				? problem(c, path, http, err)
				: err_set(err, FAULT, "%.60s: %s", path, curl_easy_strerror(code));
		nanosleep(&pause, NULL);
	}
}

enum status client_call(struct client *c, struct session *who, const char *path, json_t *body,
	json_t **out, struct err *err)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	enum status st = request(c, who, path, text, err);
	free(text);
	json_decref(body);
	if (out)
		*out = NULL;
	if (st != OK)
		return st;
	json_t *json = json_loads(c->bytes, 0, NULL);
	if (!json)
		return err_set(err, FAULT, "%.60s: the reply is no JSON", path);
	if (out)
		*out = json;
	else
		json_decref(json);
	return OK;
}

enum status client_fetch(
	struct client *c, struct session *who, const char *path, size_t *n_bytes, struct err *err)
{
	enum status st = request(c, who, path, NULL, err);
	*n_bytes = st == OK ? c->n : 0;
	return st;
}
