/*
 * A real server over a small project (support_project.h) in this process, on a free port, and a
 * client with a cookie jar of its own.
 */
#pragma once

#include "server.h"
#include "support_project.h"

#include <curl/curl.h>
#include <jansson.h>

#define TEST_PASSWORD "correct horse"

struct test_server {
	struct test_project project; /* slug "test" */
	struct server *server;
	char token[65];    /* a worker's */
	bool behind_proxy; /* from the next test_server_restart on */
};

/*
 * A project of n_subjects with its web renditions as files, four accounts (vera, a volunteer; emil,
 * an expert; rosa, a researcher; ada, an admin; all with TEST_PASSWORD), and a server over it.
 */
void test_server_open(struct test_server *s, int k, int n_subjects, const char *policy);
void test_server_restart(struct test_server *s);
void test_server_close(struct test_server *s);

struct client {
	CURL *curl;
	const struct test_server *server;
	bool no_x_topi;    /* leaves the header X-Topi out */
	const char *token; /* sent as Authorization: Bearer, or NULL */
	const char *from;  /* sent as X-Forwarded-For, or NULL */
	/* The last reply. */
	json_t *json; /* NULL when it was none */
	char *body;
	size_t n_body;
	char *headers;
};

void client_open(struct client *c, const struct test_server *s);
void client_close(struct client *c);
/* Sends and waits: the HTTP status. The body is text or NULL. */
int client_send(struct client *c, const char *method, const char *path, const char *body);
/* POST of a body in printf's words. */
int client_post(struct client *c, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Logs in as one of the accounts, or only shows up (NULL: anonymous). */
void client_log_in(struct client *c, const char *name);
/* A member of the last reply, "" or 0 or false where it is none of that kind. */
const char *client_text(const struct client *c, const char *member);
int64_t client_int(const struct client *c, const char *member);
bool client_true(const struct client *c, const char *member);
