/* labels: http; timeout: 120 */
/* The HTTP contract (docs/api.md) against a real server: every route, every refusal. */
#include "support_server.h"

#include "volunteer.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum who { NOBODY, FOREIGN, ANON, VERA, EMIL, ROSA, ADA, WORKER, LIAR, N_WHO };

static struct test_server server;
static struct client clients[N_WHO];

static int set_up(void **state)
{
	static const char *const names[] = {
		[VERA] = "vera", [EMIL] = "emil", [ROSA] = "rosa", [ADA] = "ada"};
	(void)state;
	test_server_open(&server, 4, 12, NULL);
	for (int i = 0; i < N_WHO; i++) {
		client_open(&clients[i], &server);
		if (i >= FOREIGN && i <= ADA)
			client_log_in(&clients[i], i >= VERA ? names[i] : NULL);
	}
	clients[FOREIGN].no_x_topi = true;
	clients[WORKER].token = server.token;
	clients[LIAR].token = "0000";
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < N_WHO; i++)
		client_close(&clients[i]);
	test_server_close(&server);
	return 0;
}

#define TEST "/api/projects/test"
#define UUID "\"uuid\": \"00000000-0000-4000-8000-00000000000a\""

static const struct row {
	enum who who;
	const char *method, *path, *body;
	int http;
	const char *error; /* in the error's text, or NULL */
} rows[] = {
	{NOBODY, "GET", "/healthz", NULL, 200, NULL},
	{NOBODY, "HEAD", "/healthz", NULL, 200, NULL},
	{NOBODY, "GET", "/", NULL, 200, NULL},
	{NOBODY, "GET", "/api/projects", NULL, 200, NULL},
	{NOBODY, "GET", TEST, NULL, 200, NULL},
	{VERA, "GET", "/api/me", NULL, 200, NULL},
	/* addresses */
	{NOBODY, "GET", "/api/nothing", NULL, 404, "/api/nothing"},
	{NOBODY, "GET", "/api/projects/", NULL, 404, NULL},
	{NOBODY, "GET", "/api/projects/nothing", NULL, 404, "nothing"},
	{ANON, "POST", "/api/projects/nothing/next", "{\"n\": 1}", 404, "nothing"},
	{NOBODY, "DELETE", "/api/projects", NULL, 404, "DELETE"},
	{NOBODY, "POST", "/healthz", "{}", 404, "POST"},
	{NOBODY, "GET", "/static/../core/db.c", NULL, 404, NULL},
	{NOBODY, "GET", "/static/%2e%2e/%2e%2e/etc/passwd", NULL, 404, NULL},
	{NOBODY, "GET", "/../../../../etc/passwd", NULL, 404, NULL},
	{NOBODY, "GET", "/static/", NULL, 404, NULL},
	{NOBODY, "GET", "/%zz", NULL, 400, "escape"},
	{NOBODY, "GET", "/%f", NULL, 400, "escape"},
	{NOBODY, "GET", "/%00", NULL, 400, "control"},
	{NOBODY, "GET", "/%2568ealthz", NULL, 404, "/%68ealthz"}, /* decoded once */
	{NOBODY, "GET", "/%68ealthz?x=%00", NULL, 200, NULL},
	{NOBODY, "GET", "/static/index.html", NULL, 200, NULL},
	{NOBODY, "GET", "/%ff%fe", NULL, 400, "UTF-8"},
	/* who may */
	{NOBODY, "POST", TEST "/next", "{\"n\": 1}", 401, "/api/me"},
	{NOBODY, "POST", TEST "/classifications", "{}", 401, NULL},
	{NOBODY, "POST", TEST "/undo", "{}", 401, NULL},
	{NOBODY, "GET", TEST "/status", NULL, 401, "log in"},
	{ANON, "GET", TEST "/status", NULL, 401, "log in"},
	{VERA, "GET", TEST "/status", NULL, 403, "researchers"},
	{EMIL, "GET", TEST "/status", NULL, 403, "researchers"},
	{ROSA, "GET", TEST "/status", NULL, 200, NULL},
	{ADA, "GET", TEST "/status", NULL, 200, NULL},
	{ANON, "POST", TEST "/next", "{\"n\": 1, \"queue\": \"expert\"}", 403, "expert"},
	{EMIL, "POST", TEST "/next", "{\"n\": 1, \"queue\": \"expert\"}", 200, NULL},
	{FOREIGN, "POST", TEST "/next", "{\"n\": 1}", 403, "X-Topi"},
	{FOREIGN, "POST", TEST "/classifications", "{}", 403, "X-Topi"},
	{FOREIGN, "POST", TEST "/undo", "{}", 403, "X-Topi"},
	{FOREIGN, "POST", "/api/signup", "{}", 403, "X-Topi"},
	{FOREIGN, "POST", "/api/login", "{}", 403, "X-Topi"},
	{FOREIGN, "POST", "/api/logout", "{}", 403, "X-Topi"},
	{NOBODY, "POST", "/api/worker/lease", "{}", 401, "token"},
	{LIAR, "POST", "/api/worker/lease", "{}", 401, "token"},
	{ADA, "POST", "/api/worker/lease", "{}", 401, "token"},
	{ADA, "POST", "/api/worker/jobs/1/heartbeat", "{}", 401, "token"},
	{ADA, "POST", "/api/worker/jobs/1/predictions", "{}", 401, "token"},
	{ADA, "GET", "/api/worker/jobs/1/dataset", NULL, 401, "token"},
	{ADA, "PUT", "/api/worker/jobs/1/model?worker=w", "x", 401, "token"},
	{ADA, "POST", "/api/worker/jobs/1/fail", "{}", 401, "token"},
	{ADA, "GET", "/api/worker/models/00", NULL, 401, "token"},
	{ADA, "GET", "/api/worker/renditions/448/00-0", NULL, 401, "token"},
	{WORKER, "GET", "/api/worker/models/../../topi.db", NULL, 404, NULL},
	{WORKER, "GET", "/api/worker/models/%2e%2e%2ftopi.db", NULL, 404, NULL},
	{WORKER, "POST", TEST "/next", "{\"n\": 1}", 401, NULL},
	{WORKER, "PUT", "/api/worker/jobs/1/model?worker=w", "no model", 404, "no job 1"},
	/* bodies */
	{ANON, "POST", TEST "/next", "", 400, "JSON"},
	{ANON, "POST", TEST "/next", "{\"n\": 1", 400, "JSON"},
	{ANON, "POST", TEST "/next", "[1]", 400, "object"},
	{ANON, "POST", TEST "/next", "{\"n\": 1, \"n\": 2}", 400, "JSON"},
	{ANON, "POST", TEST "/next", "{\"n\": \"\xff\"}", 400, "JSON"},
	{ANON, "POST", TEST "/next", "{\"n\": \"\xed\xa0\x80\"}", 400, "JSON"},
	{ANON, "POST", TEST "/next", "{}", 400, "\"n\""},
	{ANON, "POST", TEST "/next", "{\"n\": 0}", 400, "1 to 10"},
	{ANON, "POST", TEST "/next", "{\"n\": 11}", 400, "1 to 10"},
	{ANON, "POST", TEST "/next", "{\"n\": 1.5}", 400, "whole"},
	{ANON, "POST", TEST "/next", "{\"n\": 1, \"queue\": \"vip\"}", 400, "queue"},
	{ANON, "POST", TEST "/classifications", "{}", 400, "uuid"},
	{ANON, "POST", TEST "/classifications", "{\"uuid\": \"x\"}", 400, "UUID"},
	{ANON, "POST", TEST "/classifications", "{" UUID "}", 400, "subject"},
	{ANON, "POST", TEST "/classifications", "{" UUID ", \"subject\": 1}", 400, "answer"},
	{ANON, "POST", TEST "/classifications", "{" UUID ", \"subject\": 1, \"answer\": \"x\"}", 400,
		"answer"},
	{ANON, "POST", TEST "/classifications", "{" UUID ", \"subject\": 1, \"answer\": \"taxa\"}", 400,
		"1 to 20 entries"},
	{ANON, "POST", TEST "/classifications",
		"{" UUID ", \"subject\": 1, \"answer\": \"taxa\", \"taxa\": [{}]}", 400, "taxon"},
	{ANON, "POST", TEST "/classifications",
		"{" UUID ", \"subject\": 1, \"answer\": \"taxa\", \"taxa\": [{\"taxon\": 1}, {\"taxon\": "
		"2}]}",
		400, "goes with no other species"},
	{ANON, "POST", TEST "/classifications",
		"{" UUID ", \"subject\": 1, \"answer\": \"cant_tell\", \"taxa\": [{\"taxon\": 1}]}", 400,
		"cant_tell"},
	{ANON, "POST", TEST "/classifications",
		"{" UUID ", \"subject\": 1, \"answer\": \"taxa\", \"taxa\": [{\"taxon\": 1, \"count\": "
		"0}]}",
		400, "count"},
	{ANON, "POST", TEST "/classifications",
		"{" UUID ", \"subject\": 1, \"answer\": \"cant_tell\", \"duration_ms\": -1}", 400,
		"duration_ms"},
	{ANON, "POST", TEST "/classifications",
		"{" UUID ", \"subject\": 99999, \"answer\": \"cant_tell\"}", 404, "99999"},
	{ANON, "POST", TEST "/classifications", "{" UUID ", \"subject\": 1, \"answer\": \"cant_tell\"}",
		403, "not given"},
	{ANON, "POST", TEST "/undo", "{" UUID "}", 400, "of"},
	{ANON, "POST", TEST "/undo", "{" UUID ", \"of\": \"00000000-0000-4000-8000-0000000000ff\"}",
		404, "no answer"},
	/* photographs */
	{NOBODY, "GET", "/media/1/1280.jpg", NULL, 401, NULL},
	{ANON, "GET", "/media/1/1280.jpg", NULL, 403, "not given"},
	{VERA, "GET", "/media/1/320.jpg", NULL, 403, "not given"},
	{EMIL, "GET", "/media/1/320.jpg", NULL, 200, NULL},
	{ADA, "GET", "/media/1/1280.jpg", NULL, 200, NULL},
	{ADA, "GET", "/media/1/448.jpg", NULL, 404, "size"},
	{ADA, "GET", "/media/99/320.jpg", NULL, 404, "99"},
	{ADA, "GET", "/media/01/320.jpg", NULL, 404, NULL},
	{ADA, "GET", "/media/-1/320.jpg", NULL, 404, NULL},
	{ADA, "GET", "/media/1/..%2f..%2f320.jpg", NULL, 404, NULL},
	{ADA, "GET", "/media/../topi.db", NULL, 404, NULL},
	/* accounts */
	{ANON, "POST", "/api/signup", "{\"name\": \"x\"}", 400, "password"},
	{ANON, "POST", "/api/signup", "{\"name\": \"\", \"password\": \"12345678\"}", 400, "empty"},
	{ANON, "POST", "/api/signup", "{\"name\": \"a\\u0007b\", \"password\": \"12345678\"}", 400,
		"control"},
	{ANON, "POST", "/api/signup", "{\"name\": \"a\\u0000b\", \"password\": \"12345678\"}", 400,
		"JSON"},
	{ANON, "POST", "/api/signup", "{\"name\": \"new\", \"password\": \"1234567\"}", 400,
		"8 to 200"},
	{ANON, "POST", "/api/signup", "{\"name\": \"vera\", \"password\": \"12345678\"}", 409, "taken"},
	{VERA, "POST", "/api/signup", "{\"name\": \"two\", \"password\": \"12345678\"}", 409,
		"log out"},
	{ANON, "POST", "/api/login", "{\"name\": \"vera\", \"password\": \"wrong\"}", 403,
		"name or password is wrong"},
	{ANON, "POST", "/api/login", "{\"name\": \"nobody\", \"password\": \"wrong\"}", 403,
		"name or password is wrong"},
	{NOBODY, "POST", "/api/login", "{\"name\": \"vera\", \"password\": \"wrong\"}", 403,
		"name or password is wrong"},
};

static const char *const always[] = {"X-Content-Type-Options: nosniff",
	"Referrer-Policy: no-referrer",
	"Content-Security-Policy: default-src 'self'; img-src 'self' blob:", "frame-ancestors 'none'",
	"Cache-Control: "};

static void every_row(void **state)
{
	(void)state;
	int n_wrong = 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		struct client *c = &clients[r->who];
		int http = client_send(c, r->method, r->path, r->body);
		const char *error = client_text(c, "error");
		bool ok = http == r->http && (!r->error || strstr(error, r->error));
		ok = ok && (http < 400 || client_text(c, "status")[0]);
		for (size_t k = 0; k < sizeof always / sizeof *always; k++)
			ok = ok && strstr(c->headers, always[k]);
		ok = ok && !strstr(c->headers, "unsafe");
		if (!ok) {
			print_error("%s %s %s as %d: %d %s, wanted %d %s\n", r->method, r->path,
				r->body ? r->body : "", r->who, http, c->body, r->http, r->error ? r->error : "");
			n_wrong++;
		}
	}
	assert_int_equal(n_wrong, 0);
}

/* Just under the limit is read (and refused for what it is), over it is 413, told or chunked. */
static void a_body_too_large(void **state)
{
	(void)state;
	struct client c;
	size_t n = (1 << 20) + 1;
	char *body = malloc(n + 1);
	memset(body, ' ', n);
	body[n] = 0;
	client_open(&c, &server);
	client_log_in(&c, NULL);
	assert_int_equal(client_send(&c, "POST", TEST "/next", body), 413);
	assert_string_equal(client_text(&c, "status"), "too large");
	body[n - 1] = 0;
	assert_int_equal(client_send(&c, "POST", TEST "/next", body), 400);
	assert_int_equal(client_send(&c, "GET", "/healthz", NULL), 200);
	free(body);
	client_close(&c);
}

/* Bytes to the server and what comes back; `half` closes our side first. */
static void talk(const char *text, bool half, char *out, size_t size)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	size_t n = 0;
	address.sin_port = htons(
		(uint16_t)strtol(strrchr(server_url(server.server), ':') + 1, NULL, 10));
	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	if (half)
		shutdown(fd, SHUT_WR);
	ssize_t got;
	while (n < size - 1 && (got = read(fd, out + n, size - 1 - n)) > 0)
		n += (size_t)got;
	out[n] = 0;
	close(fd);
}

static void what_is_no_http(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool half;
		const char *reply;
	} talks[] = {
		{"complete nonsense\r\n\r\n", false, "HTTP/1.1 400"},
		{"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", false, "HTTP/1.1 4"},
		{"POST /api/login HTTP/1.1\r\nHost: x\r\nX-Topi: 1\r\nContent-Length: 99\r\n\r\n{\"na",
			true, "HTTP/1.1 400"},
		{"POST /api/login HTTP/1.1\r\nHost: x\r\nX-Topi: 1\r\nTransfer-Encoding: chunked\r\n"
		 "Connection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			false, "\"name\\\" is missing"},
		{"POST /api/login HTTP/1.1\r\nHost: x\r\nX-Topi: 1\r\nExpect: 100-continue\r\n"
		 "Connection: close\r\nContent-Length: 2\r\n\r\n{}",
			false, "HTTP/1.1 100 Continue"},
	};
	char reply[8000];
	for (size_t i = 0; i < sizeof talks / sizeof *talks; i++) {
		talk(talks[i].text, talks[i].half, reply, sizeof reply);
		if (!strstr(reply, talks[i].reply))
			fail_msg("%s\n-> %s", talks[i].text, reply);
		assert_non_null(strstr(reply, "X-Content-Type-Options: nosniff"));
	}
}

static void accounts_from_sign_up_to_log_out(void **state)
{
	(void)state;
	struct client a;
	struct client b;
	client_open(&a, &server);
	client_open(&b, &server);
	assert_int_equal(client_send(&a, "GET", "/api/me", NULL), 200);
	assert_true(client_true(&a, "anonymous"));
	int64_t id = client_int(&a, "id");
	assert_non_null(strstr(a.headers, "HttpOnly; SameSite=Lax"));
	assert_int_equal(client_send(&a, "GET", "/api/me", NULL), 200);
	assert_int_equal(client_int(&a, "id"), id); /* the cookie is known again */
	assert_null(strstr(a.headers, "Set-Cookie"));
	assert_int_equal(
		client_post(&a, "/api/signup", "{\"name\": \"Zo\u00eb\", \"password\": \"12345678\"}"),
		200);
	assert_int_equal(client_int(&a, "id"), id);
	assert_false(client_true(&a, "anonymous"));
	assert_string_equal(client_text(&a, "name"), "Zo\u00eb");
	assert_non_null(strstr(a.headers, "Set-Cookie: topi=")); /* another session */
	test_server_restart(&server);
	assert_int_equal(client_send(&a, "GET", "/api/me", NULL), 200);
	assert_int_equal(client_int(&a, "id"), id); /* it survives a restart */
	assert_int_equal(
		client_post(&b, "/api/login", "{\"name\": \"Zo\u00eb\", \"password\": \"12345679\"}"), 403);
	assert_int_equal(
		client_post(&b, "/api/login", "{\"name\": \"Zo\u00eb\", \"password\": \"12345678\"}"), 200);
	assert_int_equal(client_int(&b, "id"), id);
	assert_int_equal(client_post(&a, "/api/logout", "{}"), 200);
	assert_int_equal(client_send(&a, "GET", "/api/me", NULL), 200);
	assert_true(client_true(&a, "anonymous"));
	assert_int_equal(client_send(&b, "GET", "/api/me", NULL), 200);
	assert_int_equal(client_int(&b, "id"), id); /* only this browser was logged out */
	assert_int_equal(client_send(&clients[ROSA], "GET", "/api/me", NULL), 200);
	const json_t *roles = json_object_get(json_object_get(clients[ROSA].json, "roles"), "test");
	assert_string_equal(json_string_value(json_array_get(roles, 0)), "researcher");
	client_close(&a);
	client_close(&b);
}

static int answer(struct client *c, const char *uuid, int64_t subject, int class)
{
	return client_post(c, TEST "/classifications",
		"{\"uuid\": \"00000000-0000-4000-8000-%s\", \"subject\": %lld, \"answer\": \"taxa\", "
		"\"taxa\": [{\"taxon\": %lld, \"count\": null}], \"duration_ms\": 900}",
		uuid, (long long)subject, (long long)server.project.taxa[class]);
}

static int64_t subject_of(const json_t *task)
{
	return json_integer_value(json_object_get(task, "subject"));
}

static void a_volunteer_labels(void **state)
{
	(void)state;
	struct client c;
	client_open(&c, &server);
	client_log_in(&c, NULL);
	assert_int_equal(client_post(&c, TEST "/next", "{\"n\": 2}"), 200);
	const json_t *tasks = json_object_get(c.json, "tasks");
	assert_int_equal(json_array_size(tasks), 2);
	assert_true(json_is_null(json_object_get(c.json, "reason")));
	int64_t first = subject_of(json_array_get(tasks, 0));
	int64_t second = subject_of(json_array_get(tasks, 1));
	const json_t *frame = json_array_get(json_object_get(json_array_get(tasks, 0), "frames"), 0);
	char url[100];
	snprintf(url, sizeof url, "%s", json_string_value(json_object_get(frame, "url")));
	assert_int_equal(client_send(&c, "GET", url, NULL), 200); /* given: may be seen */
	assert_non_null(strstr(c.headers, "Content-Type: image/jpeg"));
	assert_non_null(strstr(c.headers, "Cache-Control: private, max-age=31536000, immutable"));
	assert_memory_equal(c.body, "rendition 1280 of ", 18);

	assert_int_equal(client_post(&c, TEST "/next", "{\"n\": 2}"), 200); /* the same are held */
	assert_int_equal(subject_of(json_array_get(json_object_get(c.json, "tasks"), 0)), first);

	assert_int_equal(answer(&c, "000000000001", first, 1), 200);
	assert_true(client_true(&c, "counted"));
	assert_false(client_true(&c, "replay"));
	assert_int_equal(answer(&c, "000000000001", first, 1), 200);
	assert_true(client_true(&c, "replay"));
	assert_int_equal(answer(&c, "000000000002", first, 2), 409);
	assert_int_equal(client_send(&c, "GET", url, NULL), 200); /* had: may still be seen */
	assert_int_equal(client_send(&c, "GET", "/api/me", NULL), 200);
	assert_int_equal(client_int(&c, "n_answers"), 1);

	static const char undo[] = "{\"uuid\": \"00000000-0000-4000-8000-000000000003\", \"of\": "
							   "\"00000000-0000-4000-8000-000000000001\"}";
	for (int i = 0; i < 2; i++) { /* once, and once more because the reply was lost */
		assert_int_equal(client_send(&c, "POST", TEST "/undo", undo), 200);
		assert_int_equal(subject_of(json_object_get(c.json, "task")), first);
	}
	assert_int_equal(client_send(&c, "GET", "/api/me", NULL), 200);
	assert_int_equal(client_int(&c, "n_answers"), 0);
	assert_int_equal(answer(&c, "000000000004", first, 2), 200);
	assert_int_equal(answer(&c, "000000000005", second, 0), 200);
	assert_int_equal(answer(&clients[VERA], "000000000005", second, 0), 403); /* another's UUID */
	client_close(&c);
}

static void a_volunteer_never_sees_a_subject_twice_and_is_told_why_it_ends(void **state)
{
	(void)state;
	struct client c;
	bool seen[64] = {false};
	int n = 0;
	client_open(&c, &server);
	client_log_in(&c, NULL);
	for (;;) {
		assert_int_equal(client_post(&c, TEST "/next", "{\"n\": 5}"), 200);
		json_t *tasks = json_incref(json_object_get(c.json, "tasks"));
		size_t n_tasks = json_array_size(tasks);
		for (size_t i = 0; i < n_tasks; i++) {
			char uuid[16];
			int64_t subject = subject_of(json_array_get(tasks, i));
			assert_in_range(subject, 1, 63);
			assert_false(seen[subject]);
			seen[subject] = true;
			snprintf(uuid, sizeof uuid, "%012d", 100 + n++);
			assert_int_equal(answer(&c, uuid, subject, 1), 200);
		}
		json_decref(tasks);
		if (!n_tasks)
			break;
		assert_in_range(n, 1, 12);
	}
	assert_int_equal(n, 12);
	assert_string_equal(client_text(&c, "reason"), "seen");
	client_close(&c);
}

static void a_log_in_claims_what_was_answered_before(void **state)
{
	(void)state;
	struct client c;
	client_open(&c, &server);
	client_log_in(&c, NULL);
	int64_t before = test_sql(&server.project,
		"SELECT count(*) FROM classification WHERE volunteer_id = (SELECT id FROM volunteer WHERE "
		"name = 'vera') AND superseded_by IS NULL");
	assert_int_equal(client_post(&c, TEST "/next", "{\"n\": 1}"), 200);
	int64_t subject = subject_of(json_array_get(json_object_get(c.json, "tasks"), 0));
	assert_int_equal(answer(&c, "000000000020", subject, 1), 200);
	client_log_in(&c, "vera");
	assert_int_equal(client_int(&c, "n_answers"), before + 1);
	assert_int_equal(answer(&c, "000000000021", subject, 1), 409);
	client_close(&c);
}

static void a_photograph_of_a_person_is_hidden_from_volunteers(void **state)
{
	(void)state;
	struct test_project *p = &server.project;
	char path[60];
	int64_t subject = test_sql(p,
		"SELECT subject_id FROM classification WHERE superseded_by IS NULL AND volunteer_id = "
		"(SELECT id FROM volunteer WHERE name = 'vera')");
	snprintf(path, sizeof path, "/media/%d/320.jpg",
		(int)test_sql(p, "SELECT id FROM media WHERE subject_id = %d", (int)subject));
	assert_int_not_equal(client_send(&clients[VERA], "GET", path, NULL), 403);
	test_sql(p,
		"UPDATE taxon SET kind = 'human' WHERE id = %d; UPDATE subject SET label_id = %d, "
		"decided_by = 'people' WHERE id = %d",
		(int)p->taxa[1], (int)p->taxa[1], (int)subject);
	/* While people are asked about it, as of an audit, it is a photograph like any other. */
	assert_int_not_equal(client_send(&clients[VERA], "GET", path, NULL), 403);
	test_sql(
		p, "UPDATE subject SET state = 'retired', reason = 'risk' WHERE id = %d", (int)subject);
	assert_int_equal(client_send(&clients[VERA], "GET", path, NULL), 403);
	assert_int_not_equal(client_send(&clients[EMIL], "GET", path, NULL), 403);
	test_sql(p, /* one species of several is enough */
		"UPDATE subject SET label_id = %d WHERE id = %d; INSERT INTO label_also VALUES (%d, %d)",
		(int)p->taxa[2], (int)subject, (int)subject, (int)p->taxa[1]);
	assert_int_equal(client_send(&clients[VERA], "GET", path, NULL), 403);
	test_sql(p,
		"DELETE FROM label_also; "
		"UPDATE subject SET state = 'open', reason = NULL, label_id = NULL, decided_by = NULL "
		"WHERE id = %d; UPDATE taxon SET "
		"kind = "
		"'animal' WHERE id = %d",
		(int)subject, (int)p->taxa[1]);
}

enum { N_CROWD = 8 };

struct labeller {
	struct client client;
	int number, n_answers;
};

static void *label_everything(void *arg)
{
	struct labeller *one = arg;
	for (;;) {
		if (client_post(&one->client, TEST "/next", "{\"n\": 3}") != 200)
			return NULL;
		json_t *tasks = json_incref(json_object_get(one->client.json, "tasks"));
		size_t n = json_array_size(tasks);
		for (size_t i = 0; i < n; i++) {
			char uuid[24];
			snprintf(uuid, sizeof uuid, "%06d%06d", 100 + one->number, one->n_answers);
			one->n_answers += answer(&one->client, uuid, subject_of(json_array_get(tasks, i)), 1) ==
				200;
		}
		json_decref(tasks);
		if (n == 0)
			return NULL;
	}
}

static void many_at_once(void **state)
{
	(void)state;
	static struct labeller crowd[N_CROWD];
	pthread_t threads[N_CROWD];
	int64_t n = 0;
	static const char in_force[] = "SELECT count(*) FROM classification WHERE superseded_by IS "
								   "NULL AND answer <> 'undone'";
	/* What earlier tests retired is open again. */
	test_sql(
		&server.project, "UPDATE subject SET state = 'open', label_id = NULL, decided_by = NULL");
	int64_t before = test_sql(&server.project, in_force);
	for (int i = 0; i < N_CROWD; i++) {
		crowd[i].number = i;
		client_open(&crowd[i].client, &server);
		client_log_in(&crowd[i].client, NULL);
		assert_int_equal(pthread_create(&threads[i], NULL, label_everything, &crowd[i]), 0);
	}
	for (int i = 0; i < N_CROWD; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(client_post(&crowd[i].client, TEST "/next", "{\"n\": 1}"), 200);
		assert_int_equal(json_array_size(json_object_get(crowd[i].client.json, "tasks")), 0);
		n += crowd[i].n_answers;
		client_close(&crowd[i].client);
	}
	assert_true(n >= 12);
	assert_int_equal(test_sql(&server.project, in_force) - before, n);
}

static void an_etag_saves_the_bytes(void **state)
{
	(void)state;
	char request[300];
	char reply[8000];
	struct client *c = &clients[NOBODY];
	assert_int_equal(client_send(c, "GET", "/", NULL), 200);
	const char *etag = strstr(c->headers, "ETag: ");
	assert_non_null(etag);
	snprintf(request, sizeof request,
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nIf-None-Match: %.18s\r\n\r\n", etag + 6);
	talk(request, false, reply, sizeof reply);
	assert_non_null(strstr(reply, "HTTP/1.1 304 "));
	assert_string_equal(strstr(reply, "\r\n\r\n"), "\r\n\r\n");
}

static void a_taken_port_is_said(void **state)
{
	(void)state;
	struct err err = {0};
	struct server *other = NULL;
	struct server_options o = {
		.dir = server.project.dir, .listen = strstr(server_url(server.server), "127")};
	assert_int_equal(server_start(&o, &other, &err), CONFLICT);
	assert_non_null(strstr(err.text, "is taken"));
	static const char *const bad[] = {"8080", ":8080", "127.0.0.1:", "127.0.0.1:99999",
		"127.0.0.1:80s", "host.example:80", "[::1]:8080", ""};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		o.listen = bad[i];
		assert_int_equal(server_start(&o, &other, &err), BAD_INPUT);
	}
	o.listen = "127.0.0.1:0";
	o.dir = "/nonexistent";
	assert_int_equal(server_start(&o, &other, &err), NOT_FOUND);
}

static void stopping_does_not_wait_for_idle_clients(void **state)
{
	(void)state;
	struct timespec a;
	struct timespec b;
	assert_int_equal(client_send(&clients[NOBODY], "GET", "/healthz", NULL), 200);
	clock_gettime(CLOCK_MONOTONIC, &a);
	test_server_restart(&server);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_in_range(b.tv_sec - a.tv_sec, 0, 5);
	assert_int_equal(client_send(&clients[NOBODY], "GET", "/healthz", NULL), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(a_body_too_large),
		cmocka_unit_test(what_is_no_http),
		cmocka_unit_test(accounts_from_sign_up_to_log_out),
		cmocka_unit_test(a_volunteer_labels),
		cmocka_unit_test(a_volunteer_never_sees_a_subject_twice_and_is_told_why_it_ends),
		cmocka_unit_test(a_log_in_claims_what_was_answered_before),
		cmocka_unit_test(a_photograph_of_a_person_is_hidden_from_volunteers),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(an_etag_saves_the_bytes),
		cmocka_unit_test(a_taken_port_is_said),
		cmocka_unit_test(stopping_does_not_wait_for_idle_clients),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
