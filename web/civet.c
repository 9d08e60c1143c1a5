/*
 * The only file that includes civetweb.h. One thread serves one connection until it closes, so idle
 * connections are let go soon and threads are many. Never TLS: Debian's build crashes on it.
 */
#include "civet.h"

#include "server.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { MAX_HEAD = 2048, CHUNK = 65536, GZIP_FROM = 1400 };

struct civet {
	struct mg_context *context;
};

static const char security_headers[] = "X-Content-Type-Options: nosniff\r\n"
									   "X-Frame-Options: DENY\r\n"
									   "Referrer-Policy: no-referrer\r\n"
									   "Cross-Origin-Opener-Policy: same-origin\r\n"
									   "Cross-Origin-Resource-Policy: same-origin\r\n";

static const char *cache_text(enum cache cache)
{
	switch (cache) {
	case CACHE_NO_STORE:
		return "no-store";
	case CACHE_REVALIDATE:
		return "no-cache";
	case CACHE_PRIVATE_IMMUTABLE:
		return "private, max-age=31536000, immutable";
	case CACHE_IMMUTABLE:
		return "public, max-age=31536000, immutable";
	}
	return "no-store";
}

static void head_add(char *head, size_t *n, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void head_add(char *head, size_t *n, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int m = vsnprintf(head + *n, MAX_HEAD - *n, format, args);
	va_end(args);
	if (m > 0 && (size_t)m < MAX_HEAD - *n)
		*n += (size_t)m;
}

static size_t make_head(char *head, const struct reply *reply, int64_t length, bool close_after)
{
	size_t n = 0;
	char date[40];
	struct tm utc;
	time_t now = time(NULL);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
	head_add(head, &n, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\n", reply->http_status,
		http_reason(reply->http_status), date, reply->type ? reply->type : "application/json");
	if (reply->http_status != 304)
		head_add(head, &n, "Content-Length: %lld\r\n", (long long)length);
	head_add(head, &n, "Cache-Control: %s\r\n%s", cache_text(reply->cache), security_headers);
	if (reply->sandbox)
		head_add(head, &n,
			"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; sandbox\r\n");
	else
		head_add(head, &n,
			"Content-Security-Policy: default-src 'self'; img-src 'self' blob:; script-src "
			"'self'%s%s; "
			"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'\r\n",
			reply->csp ? " " : "", reply->csp ? reply->csp : "");
	if (reply->varies)
		head_add(head, &n, "Vary: Accept-Encoding\r\n");
	if (reply->gzipped)
		head_add(head, &n, "Content-Encoding: gzip\r\n");
	if (reply->etag[0])
		head_add(head, &n, "ETag: %s\r\n", reply->etag);
	if (reply->new_cookie[0])
		head_add(head, &n, "Set-Cookie: topi=%s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Lax\r\n",
			reply->new_cookie, SESSION_MS / 1000);
	if (reply->drop_cookie)
		head_add(head, &n, "Set-Cookie: topi=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax\r\n");
	if (reply->retry_s)
		head_add(head, &n, "Retry-After: %d\r\n", reply->retry_s);
	if (reply->save_as)
		head_add(head, &n, "Content-Disposition: attachment; filename=\"%s\"\r\n", reply->save_as);
	if (close_after)
		head_add(head, &n, "Connection: close\r\n");
	head_add(head, &n, "\r\n");
	return n;
}

static void send_bytes(
	struct mg_connection *c, char *head, size_t n_head, const void *bytes, size_t n_bytes)
{
	if (n_head + n_bytes <= CHUNK) { /* one packet where it fits */
		char *all = xmalloc(n_head + n_bytes);
		memcpy(all, head, n_head);
		if (n_bytes)
			memcpy(all + n_head, bytes, n_bytes);
		mg_write(c, all, n_head + n_bytes);
		free(all);
	} else if (mg_write(c, head, n_head) > 0) {
		mg_write(c, bytes, n_bytes);
	}
}

static void send_file(struct mg_connection *c, int fd)
{
	char *chunk = xmalloc(CHUNK);
	ssize_t n;
	while ((n = read(fd, chunk, CHUNK)) > 0)
		if (mg_write(c, chunk, (size_t)n) != n)
			break;
	free(chunk);
}

/* The text compressed, in place of it; left as it is where that does not make it smaller. */
static bool compress_text(char **text, size_t *n)
{
	z_stream z = {.next_in = (unsigned char *)*text, .avail_in = (unsigned)*n};
	if (*n < GZIP_FROM || deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	char *out = xmalloc(*n);
	z.next_out = (unsigned char *)out;
	z.avail_out = (unsigned)*n;
	bool smaller = deflate(&z, Z_FINISH) == Z_STREAM_END;
	free(smaller ? *text : out);
	if (smaller) {
		*text = out;
		*n = z.total_out;
	}
	deflateEnd(&z);
	return smaller;
}

static void send_reply(struct mg_connection *c, struct reply *reply, bool body, bool close_after)
{
	char head[MAX_HEAD];
	char *text = reply->json ? json_dumps(reply->json, JSON_COMPACT) : NULL;
	size_t n = text ? strlen(text) : reply->n_bytes;
	if (text && reply->takes_gzip)
		reply->gzipped = compress_text(&text, &n);
	const void *bytes = text ? text : reply->bytes;
	struct stat file = {0};
	if (reply->has_file)
		fstat(reply->fd, &file);
	size_t n_head = make_head(
		head, reply, reply->has_file ? (int64_t)file.st_size : (int64_t)n, close_after);
	bool empty = !body || reply->http_status == 304;
	send_bytes(c, head, n_head, bytes, empty || reply->has_file ? 0 : n);
	if (reply->has_file && !empty)
		send_file(c, reply->fd);
	free(text);
}

/* The value of our cookie in a Cookie header, copied to out; false when it is not there. */
static bool find_cookie(const struct mg_connection *c, char *out, size_t size)
{
	const char *header = mg_get_header(c, "Cookie");
	return header && mg_get_cookie(header, "topi", out, size) > 0;
}

struct body_reader {
	struct mg_connection *connection;
	int64_t left; /* -1: chunked, the end is told by the client */
	bool asked;   /* the client that waits for 100 Continue has been told */
};

static long read_body(void *from, void *buffer, size_t n)
{
	struct body_reader *b = from;
	if (b->left == 0)
		return 0;
	const char *expect = mg_get_header(b->connection, "Expect");
	if (!b->asked && expect && mg_strcasecmp(expect, "100-continue") == 0)
		mg_write(b->connection, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	b->asked = true;
	if (b->left > 0 && (int64_t)n > b->left)
		n = (size_t)b->left;
	int got = mg_read(b->connection, buffer, n);
	if (got <= 0)
		return b->left > 0 || got < 0 ? -1 : 0;
	if (b->left > 0)
		b->left -= got;
	return got;
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Never the query, a header or a body: they may hold what is nobody else's business. */
static void log_line(const struct mg_request_info *info, int http_status_code, double seconds)
{
	char path[300];
	size_t n = 0;
	const char *target = info->request_uri ? info->request_uri : "";
	while (n < sizeof path - 1 && target[n] && target[n] != '?') {
		path[n] = target[n] > ' ' && target[n] < 127 ? target[n] : '?';
		n++;
	}
	path[n] = 0;
	fprintf(stderr, "topi: %s %s %d %.1f ms\n", info->request_method, path, http_status_code,
		seconds * 1e3);
}

static int begin_request(struct mg_connection *c)
{
	const struct mg_request_info *info = mg_get_request_info(c);
	struct app *app = info->user_data;
	double start = now_s();
	char cookie[200];
	char target[HTTP_MAX_PATH + 2100];
	const char *x_topi = mg_get_header(c, "X-Topi");
	const char *authorization = mg_get_header(c, "Authorization");
	struct body_reader body = {.connection = c, .left = info->content_length};
	struct reply reply = {0};
	if (mg_get_header(c, "Transfer-Encoding") == NULL && body.left < 0)
		body.left = 0;
	snprintf(target, sizeof target, "%s%s%s", info->request_uri ? info->request_uri : "",
		info->query_string ? "?" : "", info->query_string ? info->query_string : "");
	struct raw_request raw = {.method = info->request_method,
		.target = target,
		.cookie = find_cookie(c, cookie, sizeof cookie) ? cookie : NULL,
		.bearer = authorization && strncmp(authorization, "Bearer ", 7) == 0 ? authorization + 7
																			 : NULL,
		.if_none_match = mg_get_header(c, "If-None-Match"),
		.accept_encoding = mg_get_header(c, "Accept-Encoding"),
		.address = info->remote_addr,
		.forwarded_for = mg_get_header(c, "X-Forwarded-For"),
		.x_topi = x_topi && strcmp(x_topi, "1") == 0,
		.content_length = body.left,
		.read = read_body,
		.from = &body};
	http_answer(app, &raw, &reply);
	bool unread = body.left != 0; /* a refused body is not read to its end: the connection goes */
	if (unread)
		mg_disable_connection_keep_alive(c);
	send_reply(c, &reply, strcmp(info->request_method, "HEAD") != 0, unread);
	if (app->verbose)
		log_line(info, reply.http_status, now_s() - start);
	int http_status_code = reply.http_status;
	reply_release(&reply);
	return http_status_code;
}

/* What CivetWeb refuses by itself (a line that is no HTTP, headers over 16 KiB). */
static int http_error(struct mg_connection *c, int code, const char *message)
{
	struct err err = {0};
	struct reply reply = {0};
	bool big = code == 413 || code == 414 || code == 431;
	enum status status = big ? TOO_LARGE : code < 500 || code == 501 ? BAD_INPUT : FAULT;
	(void)message; /* may quote what was sent */
	err_set(&err, status, "this is no HTTP request that can be answered");
	http_problem(&err, true, &reply);
	mg_disable_connection_keep_alive(c);
	send_reply(c, &reply, true, true);
	reply_release(&reply);
	return 0;
}

static int say_nothing(const struct mg_connection *c, const char *message)
{
	(void)c;
	(void)message;
	return 1;
}

/* HOST:PORT, with an IPv4 address or localhost. */
static enum status parse_listen(const char *text, char host[64], int *port, struct err *err)
{
	const char *colon = strrchr(text, ':');
	char *end = NULL;
	struct in_addr address;
	long number = colon ? strtol(colon + 1, &end, 10) : -1;
	size_t n = colon ? (size_t)(colon - text) : 0;
	if (!colon || n == 0 || n >= 64 || end == colon + 1 || *end || number < 0 || number > 65535)
		return err_set(err, BAD_INPUT,
			"'%.60s' is no address to listen at: HOST:PORT is wanted, as 127.0.0.1:8080", text);
	memcpy(host, text, n);
	host[n] = 0;
	if (strcmp(host, "localhost") == 0)
		memcpy(host, "127.0.0.1", sizeof "127.0.0.1");
	if (inet_pton(AF_INET, host, &address) != 1)
		return err_set(err, BAD_INPUT,
			"'%.60s' is no IPv4 address to listen at: 127.0.0.1 for this machine, 0.0.0.0 for all",
			host);
	*port = (int)number;
	return OK;
}

/* Why the port could not be had, in words. */
static enum status why_not(const char *host, int port, struct err *err)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, host, &address.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	int result = bind(fd, (const struct sockaddr *)&address, sizeof address);
	int reason = errno;
	close(fd);
	if (result != 0 && reason == EADDRINUSE)
		return err_set(err, CONFLICT,
			"%s:%d is taken: stop the program that listens there, or name another with --listen",
			host, port);
	if (result != 0)
		return err_set(
			err, CONFLICT, "%s:%d cannot be listened at: %s", host, port, strerror(reason));
	return err_set(err, FAULT, "the server does not start at %s:%d", host, port);
}

enum status civet_open(
	struct app *app, const char *listen, struct civet **out, int *port, struct err *err)
{
	char host[64];
	char address[80];
	*out = NULL;
	enum status st = parse_listen(listen, host, port, err);
	if (st != OK)
		return st;
	snprintf(address, sizeof address, "%s:%d", host, *port);
	const char *options[] = {"listening_ports", address, "num_threads", "64", "enable_keep_alive",
		"yes", "keep_alive_timeout_ms", "2000", "request_timeout_ms", "10000", "tcp_nodelay", "1",
		"decode_url", "no", "listen_backlog", "1024", "connection_queue", "256",
		"linger_timeout_ms", "1000", NULL};
	const struct mg_callbacks callbacks = {.begin_request = begin_request,
		.http_error = http_error,
		.log_message = say_nothing,
		.log_access = say_nothing};
	struct sigaction child;
	sigaction(SIGCHLD, NULL, &child);
	struct civet *civet = xcalloc(1, sizeof *civet);
	mg_init_library(0);
	civet->context = mg_start(&callbacks, app, options);
	sigaction(SIGCHLD, &child, NULL); /* mg_start ignores it, which would lose a worker's exit */
	struct mg_server_port ports[4];
	memset(ports, 0, sizeof ports);
	if (!civet->context || mg_get_server_ports(civet->context, 4, ports) < 1) {
		civet_close(civet);
		return why_not(host, *port, err);
	}
	*port = ports[0].port;
	*out = civet;
	return OK;
}

void civet_close(struct civet *civet)
{
	if (!civet)
		return;
	if (civet->context)
		mg_stop(civet->context);
	mg_exit_library();
	free(civet);
}
