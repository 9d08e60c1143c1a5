/* labels: http; timeout: 240 */
/* What people may ask about themselves, against a real server: their answers, their account, how often. */
#include "support_server.h"

#include "volunteer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define TEST "/api/projects/test"

static struct test_server server;
static struct test_project *t = &server.project;
static struct client a, b;

static int set_up(void **state)
{
	(void)state;
	test_server_open(&server, 4, 30, NULL);
	client_open(&a, &server);
	client_open(&b, &server);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	client_close(&a);
	client_close(&b);
	test_server_close(&server);
	return 0;
}

/* Who is nobody, and a page of another site, get nowhere. */
static void every_route_asks_who(void **state)
{
	static const struct {
		const char *method, *path;
	} rows[] = {
		{"GET", "/api/me/page"},
		{"GET", "/api/me/export"},
		{"POST", "/api/me/password"},
		{"POST", "/api/me/delete"},
		{"GET", TEST "/answers"},
		{"POST", TEST "/release"},
		{"GET", TEST "/practice"},
		{"GET", TEST "/flags?subject=1"},
		{"POST", TEST "/flags"},
		{"GET", TEST "/comments?subject=1"},
		{"POST", TEST "/comments"},
		{"POST", TEST "/comments/1"},
		{"GET", TEST "/moderation"},
		{"POST", TEST "/moderation"},
	};
	(void)state;
	client_log_in(&b, "ada");
	b.no_x_topi = true;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const bool post = rows[i].method[0] == 'P';
		if (client_send(&a, rows[i].method, rows[i].path, post ? "{}" : NULL) != 401)
			fail_msg("%s %s: %s", rows[i].method, rows[i].path, a.body);
		if (post && client_send(&b, rows[i].method, rows[i].path, "{}") != 403)
			fail_msg("%s %s: %s", rows[i].method, rows[i].path, b.body);
	}
	assert_int_equal(client_post(&b, "/api/invite", "{}"), 403);
	assert_int_equal(client_post(&a, "/api/invite", "{}"), 400);
	assert_int_equal(
		client_post(&a, "/api/invite", "{\"token\": \"x\", \"password\": \"12345678\"}"), 404);
}

static int n_uuid;

/* Takes the next subject and answers it; its id. */
static int64_t answer_next(struct client *c, const char *taxa)
{
	assert_int_equal(client_post(c, TEST "/next", "{\"n\": 1}"), 200);
	const json_t *task = json_array_get(json_object_get(c->json, "tasks"), 0);
	int64_t subject = json_integer_value(json_object_get(task, "subject"));
	if (client_post(c, TEST "/classifications",
			"{\"uuid\": \"00000000-0000-4000-8000-%012d\", \"subject\": %lld, %s}", ++n_uuid,
			(long long)subject, taxa) != 200)
		fail_msg("%s", c->body);
	return subject;
}

static const json_t *past(const struct client *c, size_t i)
{
	return json_array_get(json_object_get(c->json, "answers"), i);
}

static bool may_undo(const json_t *answer)
{
	return json_is_true(json_object_get(answer, "may_undo"));
}

static void the_last_answers_are_ones_own_and_say_what_may_be_undone(void **state)
{
	char taxa[200], undo[200];
	(void)state;
	client_log_in(&a, NULL);
	client_log_in(&b, NULL);
	assert_int_equal(client_send(&a, "GET", TEST "/answers", NULL), 200);
	assert_int_equal(json_array_size(json_object_get(a.json, "answers")), 0);
	snprintf(taxa, sizeof taxa,
		"\"answer\": \"taxa\", \"several\": true, \"taxa\": [{\"taxon\": %lld, \"count\": 3}]",
		(long long)t->taxa[2]);
	int64_t first = answer_next(&a, taxa);
	for (int i = 0; i < 10; i++)
		answer_next(&a, "\"answer\": \"cant_tell\"");
	int64_t other = answer_next(&b, taxa);
	assert_true(other > 0);
	assert_int_equal(client_send(&a, "GET", TEST "/answers?n=20", NULL), 200);
	assert_int_equal(json_array_size(json_object_get(a.json, "answers")), 11);
	for (size_t i = 0; i < 11; i++)
		assert_int_equal(may_undo(past(&a, i)), i < 10);
	const json_t *oldest = past(&a, 10);
	assert_int_equal(json_integer_value(json_object_get(oldest, "subject")), first);
	assert_true(json_is_true(json_object_get(oldest, "several")));
	const json_t *named = json_array_get(json_object_get(oldest, "taxa"), 0);
	assert_int_equal(json_integer_value(json_object_get(named, "taxon")), t->taxa[2]);
	assert_int_equal(json_integer_value(json_object_get(named, "count")), 3);
	assert_string_equal(json_string_value(json_object_get(past(&a, 0), "answer")), "cant_tell");
	const char *thumb = json_string_value(json_object_get(oldest, "thumb"));
	assert_non_null(thumb);
	snprintf(undo, sizeof undo, "%s", thumb);
	assert_int_equal(client_send(&a, "GET", undo, NULL), 200);

	/* What it says holds, both ways; an answer taken back is none. */
	for (int i = 1; i <= 11; i++) {
		int http = client_post(&a, TEST "/undo",
			"{\"uuid\": \"00000000-0000-4000-8000-00000000f%03d\", \"of\": "
			"\"00000000-0000-4000-8000-%012d\"}",
			i, i);
		assert_int_equal(http, i == 1 ? 409 : 200);
		if (i == 2)
			break;
	}
	assert_int_equal(client_send(&a, "GET", TEST "/answers?n=20", NULL), 200);
	assert_int_equal(json_array_size(json_object_get(a.json, "answers")), 10);
	assert_true(may_undo(past(&a, 9))); /* the first is among the last ten now */
	assert_int_equal(client_send(&a, "GET", "/api/me", NULL), 200);
	assert_int_equal(client_int(&a, "n_answers"), 10);

	/* However long ago a subject was retired, that the answer may be taken back says nothing of it. */
	test_sql(t,
		"UPDATE subject SET state = 'retired', label_id = %d, decided_by = 'people', reason = "
		"'risk', "
		"decided_ms = %lld WHERE id = %d",
		(int)t->taxa[2], (long long)time(NULL) * 1000 - 11 * 60 * 1000, (int)first);
	assert_int_equal(client_send(&a, "GET", TEST "/answers?n=20", NULL), 200);
	assert_true(may_undo(past(&a, 9)));
	/* An expert has seen a person on it by now: no thumbnail, and it is not given again. */
	test_sql(t, "UPDATE subject SET decided_by = 'expert' WHERE id = %d", (int)first);
	test_sql(t, "UPDATE taxon SET kind = 'human' WHERE id = %d", (int)t->taxa[2]);
	assert_int_equal(client_send(&a, "GET", TEST "/answers?n=20", NULL), 200);
	assert_null(json_object_get(past(&a, 9), "thumb"));
	assert_false(may_undo(past(&a, 9)));
	assert_int_equal(client_send(&a, "GET", undo, NULL), 403);
	static const char late[] = "{\"uuid\": \"00000000-0000-4000-8000-00000000f900\", \"of\": "
							   "\"00000000-0000-4000-8000-000000000001\"}";
	assert_int_equal(client_post(&a, TEST "/undo", late), 409);
	test_sql(t, "UPDATE taxon SET kind = 'animal' WHERE id = %d", (int)t->taxa[2]);
	assert_int_equal(client_post(&a, TEST "/undo", late), 200);
	assert_string_equal(test_text(t, "state", first), "retired");
	assert_int_equal(client_post(&a, TEST "/classifications",
						 "{\"uuid\": \"00000000-0000-4000-8000-00000000f901\", \"subject\": %lld, "
						 "\"answer\": \"cant_tell\"}",
						 (long long)first),
		200);
	assert_int_equal(test_sql(t,
						 "SELECT count(*) FROM classification WHERE subject_id = %d AND "
						 "counted = 1 AND superseded_by IS NULL",
						 (int)first),
		0);
	static const char *const bad[] = {"0", "51", "x", "", "-1", "99999"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char path[100];
		snprintf(path, sizeof path, TEST "/answers?n=%s", bad[i]);
		if (client_send(&a, "GET", path, NULL) != 400)
			fail_msg("n=%s: %s", bad[i], a.body);
	}
}

static void what_is_released_is_free_for_others_and_its_answer_still_comes(void **state)
{
	(void)state;
	client_log_in(&a, NULL);
	client_log_in(&b, NULL);
	assert_int_equal(client_post(&a, TEST "/next", "{\"n\": 3}"), 200);
	int64_t ids[3];
	for (size_t i = 0; i < 3; i++)
		ids[i] = json_integer_value(
			json_object_get(json_array_get(json_object_get(a.json, "tasks"), i), "subject"));
	assert_int_equal(client_post(&b, TEST "/next", "{\"n\": 1}"), 200);
	int64_t given = json_integer_value(
		json_object_get(json_array_get(json_object_get(b.json, "tasks"), 0), "subject"));
	assert_true(given != ids[0] && given != ids[1] && given != ids[2]);
	/* Somebody else's word releases nothing. */
	assert_int_equal(client_post(&b, TEST "/release", "{\"subjects\": [%lld, %lld]}",
						 (long long)given, (long long)ids[0]),
		200);
	assert_int_equal(client_post(&b, TEST "/next", "{\"n\": 1}"), 200);
	assert_int_equal(json_integer_value(json_object_get(
						 json_array_get(json_object_get(b.json, "tasks"), 0), "subject")),
		given);
	assert_int_equal(client_post(&a, TEST "/release", "{\"subjects\": [%lld, %lld, %lld]}",
						 (long long)ids[0], (long long)ids[1], (long long)ids[2]),
		200);
	assert_int_equal(client_post(&b, TEST "/next", "{\"n\": 2}"), 200);
	int64_t second = json_integer_value(
		json_object_get(json_array_get(json_object_get(b.json, "tasks"), 1), "subject"));
	assert_int_equal(second, ids[0]);
	assert_int_equal(client_post(&a, TEST "/classifications",
						 "{\"uuid\": \"00000000-0000-4000-8000-00000000aaaa\", \"subject\": %lld, "
						 "\"answer\": \"cant_tell\"}",
						 (long long)ids[1]),
		200);
	assert_true(client_true(&a, "counted"));
	assert_int_equal(client_post(&a, TEST "/release", "{\"subjects\": 1}"), 400);
	assert_int_equal(client_post(&a, TEST "/release", "{\"subjects\": [\"1\"]}"), 400);
	assert_int_equal(client_post(&a, TEST "/release", "{}"), 400);
}

/* Who a browser is now. */
static bool is_vera(struct client *c)
{
	assert_int_equal(client_send(c, "GET", "/api/me", NULL), 200);
	return strcmp(client_text(c, "name"), "vera") == 0;
}

static void logging_out_everywhere_ends_every_browser(void **state)
{
	(void)state;
	client_log_in(&a, "vera");
	client_log_in(&b, "vera");
	assert_int_equal(client_post(&a, "/api/logout", "{\"everywhere\": 1}"), 400);
	assert_int_equal(client_post(&a, "/api/logout", "{\"everywhere\": false}"), 200);
	assert_false(is_vera(&a));
	assert_true(is_vera(&b));
	client_log_in(&a, "vera");
	assert_int_equal(client_post(&a, "/api/logout", "{\"everywhere\": true}"), 200);
	assert_false(is_vera(&a));
	assert_false(is_vera(&b));
}

static void a_new_password_wants_the_old_one_and_ends_other_sessions(void **state)
{
	(void)state;
	client_log_in(&a, "vera");
	client_log_in(&b, "vera");
	assert_int_equal(
		client_post(&a, "/api/me/password", "{\"old\": \"x\", \"new\": \"12345678\"}"), 403);
	assert_string_equal(client_text(&a, "error"), "the old password is wrong");
	assert_int_equal(
		client_post(&a, "/api/me/password", "{\"old\": \"" TEST_PASSWORD "\", \"new\": \"1\"}"),
		400);
	assert_true(is_vera(&b));
	assert_int_equal(client_post(&a, "/api/me/password",
						 "{\"old\": \"" TEST_PASSWORD "\", \"new\": \"12345678\"}"),
		200);
	assert_true(is_vera(&a));
	assert_false(is_vera(&b));
	assert_int_equal(
		client_post(&b, "/api/login", "{\"name\": \"vera\", \"password\": \"" TEST_PASSWORD "\"}"),
		403);
	assert_int_equal(
		client_post(&b, "/api/me/password", "{\"old\": \"\", \"new\": \"12345678\"}"), 409);
	assert_int_equal(
		client_post(&b, "/api/login", "{\"name\": \"vera\", \"password\": \"12345678\"}"), 200);
}

static void an_invitation_lets_in_once(void **state)
{
	char secret[SECRET_SIZE], other[SECRET_SIZE];
	struct err err = {0};
	int64_t now = (int64_t)time(NULL) * 1000;
	int64_t vera = test_sql(t, "SELECT id FROM volunteer WHERE name = 'vera'");
	(void)state;
	client_log_in(&a, "vera");
	client_log_in(&b, NULL);
	int64_t subject = answer_next(&b, "\"answer\": \"cant_tell\"");
	secret_make(secret);
	assert_int_equal(invite_put(t->db, vera, secret, now - INVITE_MS - 60000, &err), OK);
	assert_int_equal(
		client_post(&b, "/api/invite", "{\"token\": \"%s\", \"password\": \"12345678\"}", secret),
		404);
	assert_int_equal(invite_put(t->db, vera, secret, now, &err), OK);
	secret_make(other);
	assert_int_equal(invite_put(t->db, vera, other, now, &err), OK); /* the first is void */
	assert_int_equal(
		client_post(&b, "/api/invite", "{\"token\": \"%s\", \"password\": \"12345678\"}", secret),
		404);
	assert_int_equal(
		test_sql(t, "SELECT count(*) FROM invite WHERE lower(hex(token_hash)) = '%s'", other), 0);
	assert_int_equal(
		client_post(&b, "/api/invite", "{\"token\": \"%s\", \"password\": \"1\"}", other), 400);
	assert_true(is_vera(&a));
	assert_int_equal(
		client_post(&b, "/api/invite", "{\"token\": \"%s\", \"password\": \"12345678\"}", other),
		200);
	assert_string_equal(client_text(&b, "name"), "vera");
	assert_true(is_vera(&b));
	assert_false(is_vera(&a)); /* who had the old password is out */
	assert_int_equal(client_send(&b, "GET", TEST "/answers", NULL), 200);
	assert_int_equal(
		json_integer_value(json_object_get(past(&b, 0), "subject")), subject); /* claimed */
	assert_int_equal(
		client_post(&a, "/api/invite", "{\"token\": \"%s\", \"password\": \"12345678\"}", other),
		404);
	/* A password set another way voids the link. */
	assert_int_equal(invite_put(t->db, vera, secret, now, &err), OK);
	assert_int_equal(
		client_post(&b, "/api/me/password", "{\"old\": \"12345678\", \"new\": \"12345679\"}"), 200);
	assert_int_equal(
		client_post(&a, "/api/invite", "{\"token\": \"%s\", \"password\": \"12345678\"}", secret),
		404);
}

static void leaving_logs_out_at_once_and_takes_the_answers_soon(void **state)
{
	(void)state;
	client_log_in(&a, "vera");
	client_log_in(&b, NULL);
	for (int i = 0; i < 3; i++)
		answer_next(&a, "\"answer\": \"cant_tell\"");
	assert_int_equal(client_send(&a, "GET", "/api/me/export", NULL), 200);
	assert_non_null(strstr(a.headers, "Content-Disposition: attachment"));
	assert_int_equal(json_array_size(json_object_get(a.json, "answers")), 3);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(a.json, "account"), "name")), "vera");
	assert_int_equal(client_send(&b, "GET", "/api/me/export", NULL), 200); /* one's own alone */
	assert_int_equal(json_array_size(json_object_get(b.json, "answers")), 0);
	assert_int_equal(
		client_post(&a, "/api/me/delete", "{\"password\": \"x\", \"answers\": \"take\"}"), 403);
	assert_int_equal(client_post(&a, "/api/me/delete", "{\"answers\": \"take\"}"), 400);
	assert_int_equal(client_post(&a, "/api/me/delete",
						 "{\"password\": \"" TEST_PASSWORD "\", \"answers\": \"all\"}"),
		400);
	assert_int_equal(client_post(&a, "/api/me/delete",
						 "{\"password\": \"" TEST_PASSWORD "\", \"answers\": \"take\"}"),
		200);
	assert_int_equal(client_send(&a, "GET", "/api/me/export", NULL), 401);
	assert_int_equal(
		client_post(&a, "/api/login", "{\"name\": \"vera\", \"password\": \"" TEST_PASSWORD "\"}"),
		403);
	for (int i = 0;
		 i < 600 && test_sql(t, "SELECT count(*) FROM volunteer WHERE take_ms IS NOT NULL") > 0;
		 i++)
		usleep(100000); /* the upkeep does it within its second */
	assert_int_equal(test_sql(t,
						 "SELECT count(*) FROM classification WHERE superseded_by IS NULL AND "
						 "answer <> 'undone'"),
		0);
	/* Who has no account needs no password. */
	answer_next(&b, "\"answer\": \"cant_tell\"");
	assert_int_equal(
		client_post(&b, "/api/me/delete", "{\"password\": null, \"answers\": \"keep\"}"), 200);
	assert_int_equal(client_send(&b, "GET", "/api/me/export", NULL), 401);
	assert_int_equal(test_sql(t,
						 "SELECT count(*) FROM classification WHERE superseded_by IS NULL AND "
						 "answer <> 'undone'"),
		1);
}

static void too_often_is_429_and_says_how_long(void **state)
{
	(void)state;
	/* A name is guarded from everywhere, this machine too; other names go on. */
	for (int i = 0; i < 10; i++)
		assert_int_equal(
			client_post(&a, "/api/login", "{\"name\": \"vera\", \"password\": \"no\"}"), 403);
	assert_int_equal(
		client_post(&a, "/api/login", "{\"name\": \"vera\", \"password\": \"" TEST_PASSWORD "\"}"),
		429);
	assert_non_null(strstr(a.headers, "HTTP/1.1 429 Too Many Requests"));
	const char *retry = strstr(a.headers, "Retry-After: ");
	assert_non_null(retry);
	assert_in_range(strtol(retry + 13, NULL, 10), 1, 60);
	assert_string_equal(client_text(&a, "status"), "busy");
	client_log_in(&a, "emil"); /* and right ones cost nothing: */
	for (int i = 0; i < 12; i++)
		client_log_in(&b, "emil");

	/* Behind a proxy people are told apart by what it says; without one nobody believes that header. */
	struct client c;
	client_open(&c, &server);
	c.from = "192.0.2.1";
	int n = 0;
	while (n < 200 && client_send(&c, "GET", "/api/me", NULL) == 200) {
		curl_easy_setopt(c.curl, CURLOPT_COOKIELIST, "ALL"); /* forgets who it is */
		n++;
	}
	assert_int_equal(n, 200);
	server.behind_proxy = true;
	test_server_restart(&server);
	for (n = 0; n < 200 && client_send(&c, "GET", "/api/me", NULL) == 200; n++)
		curl_easy_setopt(c.curl, CURLOPT_COOKIELIST, "ALL");
	assert_int_equal(n, 4 * PEOPLE_PER_ADDRESS);
	assert_non_null(strstr(c.headers, "Retry-After: "));
	c.from = "192.0.2.1, 192.0.2.2";
	assert_int_equal(client_send(&c, "GET", "/api/me", NULL), 200);
	assert_int_equal(
		client_send(&c, "GET", "/api/me", NULL), 200); /* who is known is not counted */
	c.from = NULL;
	assert_int_equal(client_send(&c, "GET", "/api/me", NULL), 200);
	client_close(&c);
}

static void answers_faster_than_anybody_are_429(void **state)
{
	(void)state;
	int n = 0;
	server.behind_proxy = true;
	test_server_restart(&server);
	a.from = "192.0.2.3";
	client_log_in(&a, NULL);
	while (n < 1100 && client_post(&a, TEST "/classifications", "{}") == 400)
		n++;
	assert_in_range(n, 1000, 1099);
	assert_non_null(strstr(a.headers, "HTTP/1.1 429"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_route_asks_who, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_last_answers_are_ones_own_and_say_what_may_be_undone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_released_is_free_for_others_and_its_answer_still_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			logging_out_everywhere_ends_every_browser, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_new_password_wants_the_old_one_and_ends_other_sessions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_invitation_lets_in_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			leaving_logs_out_at_once_and_takes_the_answers_soon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_often_is_429_and_says_how_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(answers_faster_than_anybody_are_429, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
