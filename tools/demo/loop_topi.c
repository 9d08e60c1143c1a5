/* What every step of the loop uses: topi's commands, its server, its export, its database. */
#include "loop.h"

#include "child.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARGS = 24, SERVE_TRIES = 300, QUIET_POLLS = 8, POLL_MS = 300 };

double loop_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

void loop_say(const struct loop *l, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "[%6.1f s] ", loop_seconds() - l->start_s);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

enum status loop_topi(const struct loop *l, char **out, struct err *err, ...)
{
	const char *argv[MAX_ARGS] = {l->o->topi};
	int n = 1;
	va_list args;
	va_start(args, err);
	while (n < MAX_ARGS - 1 && (argv[n] = va_arg(args, const char *)))
		n++;
	va_end(args);
	return child_run(l->log, argv, out, err);
}

enum status loop_sql(
	const struct loop *l, const char *data, const char *sql, char **out, struct err *err)
{
	char path[1100];
	snprintf(path, sizeof path, "%s/topi.db", data);
	const char *const argv[] = {
		"sqlite3", "-batch", "-bail", "-cmd", ".timeout 10000", path, sql, NULL};
	return child_run(l->log, argv, out, err);
}

enum status loop_table(struct loop *l, const char *data, struct table *out, struct err *err)
{
	char path[1100], json[1110];
	snprintf(path, sizeof path, "%s/labels.csv", l->o->dir);
	snprintf(json, sizeof json, "%s.json", path);
	unlink(path); /* an export replaces nothing */
	unlink(json);
	*out = (struct table){0};
	enum status st = loop_topi(
		l, NULL, err, "export", data, l->slug, "--format", "csv", "--out", path, NULL);
	return st == OK ? table_load(out, path, &l->truth, err) : st;
}

/* A port that is free now. */
static int free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0), port = 0;
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof a) &&
		!getsockname(fd, (struct sockaddr *)&a, &size))
		port = ntohs(a.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}

static int answers(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int ok = fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof a);
	if (fd >= 0)
		close(fd);
	return ok;
}

enum status loop_serve(struct loop *l, const char *data, struct err *err)
{
	char listen[40];
	int port = free_port();
	snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
	snprintf(l->url, sizeof l->url, "http://%s", listen);
	const char *const argv[] = {
		l->o->topi, "serve", data, "--listen", listen, "--worker", "cpu", NULL};
	enum status st = child_start(l->log, argv, &l->server, err);
	for (int i = 0; st == OK && !answers(port); i++) {
		if (i == SERVE_TRIES || !child_runs(&l->server))
			return err_set(err, FAULT, "the server does not answer at %s: see %s", listen, l->log);
		sleep_ms(100);
	}
	return st;
}

static bool has_work(const json_t *status)
{
	size_t i;
	json_t *job;
	json_array_foreach(json_object_get(status, "jobs"), i, job)
	{
		const char *state = json_string_value(json_object_get(job, "state"));
		if (state && (!strcmp(state, "queued") || !strcmp(state, "running")))
			return true;
	}
	return false;
}

enum status loop_settle(struct loop *l, struct err *err)
{
	struct client *c = client_new(l->url);
	json_t *last = NULL;
	enum status st = OK;
	for (int quiet = 0; st == OK && quiet < QUIET_POLLS;) { /* a sweep is due once a second */
		json_t *now = NULL;
		st = people_status(&l->people, c, &now, err);
		quiet = st == OK && !has_work(now) && last && json_equal(now, last) ? quiet + 1 : 0;
		json_decref(last);
		last = now;
		if (st == OK && quiet < QUIET_POLLS)
			sleep_ms(POLL_MS);
	}
	json_decref(last);
	client_free(c);
	return st;
}
