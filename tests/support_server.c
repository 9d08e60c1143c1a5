/* Server and client of the HTTP tests. */
#include "support_server.h"

#include "volunteer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <sodium.h>

/* Any bytes will do: the server looks at none of them. */
static void put_rendition(const struct test_server *s, const char *size, int64_t id)
{
	char path[300];
	char hash[33];
	char hex[65];
	snprintf(hash, sizeof hash, "%032lld", (long long)id);
	sodium_bin2hex(hex, sizeof hex, (const unsigned char *)hash, 32);
	snprintf(path, sizeof path, "%s/renditions/%s", s->project.dir, size);
	mkdir(path, 0750);
	snprintf(path, sizeof path, "%s/renditions/%s/%.2s", s->project.dir, size, hex);
	mkdir(path, 0750);
	snprintf(path, sizeof path, "%s/renditions/%s/%.2s/%s-0.jpg", s->project.dir, size, hex, hex);
	FILE *out = fopen(path, "wb");
	assert_non_null(out);
	fprintf(out, "rendition %s of %lld", size, (long long)id);
	fclose(out);
}

static void add_account(struct test_server *s, const char *name, const char *role, bool admin)
{
	static char hash[PASSWORD_HASH_SIZE];
	struct err err = {0};
	int64_t id = 0;
	if (!hash[0]) /* a tenth of a second each */
		assert_int_equal(password_hash(TEST_PASSWORD, hash, &err), OK);
	assert_int_equal(volunteer_add(s->project.db, name, hash, admin, 1, &id, &err), OK);
	if (role)
		assert_int_equal(role_add(s->project.db, s->project.id, id, role, &err), OK);
}

static void start(struct test_server *s)
{
	struct err err = {0};
	const struct server_options options = {
		.dir = s->project.dir, .listen = "127.0.0.1:0", .behind_proxy = s->behind_proxy};
	if (server_start(&options, &s->server, &err) != OK)
		fail_msg("%s", err.text);
}

void test_server_open(struct test_server *s, int k, int n_subjects, const char *policy)
{
	struct err err = {0};
	memset(s, 0, sizeof *s);
	assert_true(sodium_init() >= 0);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	test_project_open(&s->project, k, 2, n_subjects, policy);
	add_account(s, "vera", NULL, false);
	add_account(s, "emil", "expert", false);
	add_account(s, "rosa", "researcher", false);
	add_account(s, "ada", NULL, true);
	secret_make(s->token);
	assert_int_equal(token_add(s->project.db, "w1", s->token, 1, &err), OK);
	for (int64_t i = 0; i < n_subjects; i++) {
		put_rendition(s, "1280", s->project.first_subject + i);
		put_rendition(s, "320", s->project.first_subject + i);
	}
	start(s);
}

void test_server_restart(struct test_server *s)
{
	server_stop(s->server);
	start(s);
}

void test_server_close(struct test_server *s)
{
	server_stop(s->server);
	test_project_close(&s->project);
}

void client_open(struct client *c, const struct test_server *s)
{
	*c = (struct client){.curl = curl_easy_init(), .server = s};
	assert_non_null(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_COOKIEFILE, "");
}

static void forget(struct client *c)
{
	json_decref(c->json);
	free(c->body);
	free(c->headers);
	c->json = NULL;
	c->body = c->headers = NULL;
	c->n_body = 0;
}

void client_close(struct client *c)
{
	forget(c);
	curl_easy_cleanup(c->curl);
}

int client_send(struct client *c, const char *method, const char *path, const char *body)
{
	char url[1300];
	char authorization[120];
	long code = 0;
	size_t n_headers = 0;
	struct curl_slist *headers = NULL;
	forget(c);
	FILE *in = open_memstream(&c->body, &c->n_body);
	FILE *head = open_memstream(&c->headers, &n_headers);
	snprintf(url, sizeof url, "%s%s", server_url(c->server->server), path);
	headers = curl_slist_append(headers, "Expect:");
	if (!c->no_x_topi)
		headers = curl_slist_append(headers, "X-Topi: 1");
	if (c->from) {
		snprintf(authorization, sizeof authorization, "X-Forwarded-For: %s", c->from);
		headers = curl_slist_append(headers, authorization);
	}
	if (c->token) {
		snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", c->token);
		headers = curl_slist_append(headers, authorization);
	}
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 20L);
	curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(c->curl, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
	if (body) {
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
	}
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, in);
	curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, head);
	CURLcode result = curl_easy_perform(c->curl);
	fclose(in);
	fclose(head);
	curl_slist_free_all(headers);
	if (result != CURLE_OK)
		fail_msg("%s %s: %s", method, path, curl_easy_strerror(result));
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &code);
	c->json = json_loadb(c->body, c->n_body, 0, NULL);
	return (int)code;
}

int client_post(struct client *c, const char *path, const char *format, ...)
{
	char body[4000];
	va_list args;
	va_start(args, format);
	vsnprintf(body, sizeof body, format, args);
	va_end(args);
	return client_send(c, "POST", path, body);
}

void client_log_in(struct client *c, const char *name)
{
	assert_int_equal(client_send(c, "GET", "/api/me", NULL), 200);
	if (name &&
		client_post(c, "/api/login", "{\"name\": \"%s\", \"password\": \"" TEST_PASSWORD "\"}",
			name) != 200)
		fail_msg("%s cannot log in: %s", name, c->body);
}

const char *client_text(const struct client *c, const char *member)
{
	const char *text = json_string_value(json_object_get(c->json, member));
	return text ? text : "";
}

int64_t client_int(const struct client *c, const char *member)
{
	return json_integer_value(json_object_get(c->json, member));
}

bool client_true(const struct client *c, const char *member)
{
	return json_is_true(json_object_get(c->json, member));
}
