/* labels: http; timeout: 240 */
/* Comments and those who keep them friendly, against a real server: who reads what, and whose answers still count. */
#include "support_talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEST "/api/projects/test"

static struct test_project *const t = &talk_server.project;

static int set_up(void **state)
{
	(void)state;
	return talk_set_up_with("{\"plant_first\": 0, \"plant_rate\": 0}");
}

static size_t n_comments(const struct client *c)
{
	return json_array_size(json_object_get(c->json, "comments"));
}

static const char *text_of(const struct client *c, size_t i)
{
	return json_string_value(
		json_object_get(json_array_get(json_object_get(c->json, "comments"), i), "text"));
}

static int comment(struct client *c, int64_t subject, const char *text)
{
	return client_post(
		c, TEST "/comments", "{\"subject\": %lld, \"text\": \"%s\"}", (long long)subject, text);
}

static void comments_come_after_ones_own_answer(void **state)
{
	const int64_t s = t->first_subject;
	char path[100], hide[100], text[2100] = "";
	(void)state;
	snprintf(path, sizeof path, TEST "/comments?subject=%lld", (long long)s);
	talk_give(&talk_ann, s);
	assert_int_equal(comment(&talk_ann, s, "early"), 403);
	assert_int_equal(client_send(&talk_ann, "GET", path, NULL), 403);
	talk_answer(&talk_ann, s, 1);
	assert_int_equal(client_send(&talk_ann, "GET", path, NULL), 200);
	assert_int_equal(n_comments(&talk_ann), 0);
	for (int i = 0; i < 501; i++)
		strcat(text, "\u00e9");
	assert_int_equal(comment(&talk_ann, s, text), 400);
	text[1000] = 0;
	assert_int_equal(comment(&talk_ann, s, text), 200);
	assert_int_equal(comment(&talk_ann, s, ""), 400);
	assert_int_equal(comment(&talk_ann, s, "a\\u202eb"), 400);
	assert_int_equal(comment(&talk_ann, s, "<b>two</b>\\nlines"), 200); /* text is text */
	assert_int_equal(comment(&talk_ann, 99999, "x"), 404);
	snprintf(hide, sizeof hide, TEST "/comments/%lld",
		(long long)test_sql(t, "SELECT max(id) FROM comment"));

	assert_int_equal(client_send(&talk_ben, "GET", path, NULL), 403);
	talk_give(&talk_ben, s);
	assert_int_equal(client_send(&talk_ben, "GET", path, NULL), 403);
	assert_int_equal(client_send(&talk_emil, "GET", path, NULL),
		403); /* an expert's verdict is not to be swayed either */
	talk_answer(&talk_ben, s, 2);
	assert_int_equal(client_send(&talk_ben, "GET", path, NULL), 200);
	assert_int_equal(n_comments(&talk_ben), 2);
	assert_string_equal(text_of(&talk_ben, 1), "<b>two</b>\nlines");
	const json_t *one = json_array_get(json_object_get(talk_ben.json, "comments"), 0);
	assert_true(json_is_null(json_object_get(one, "name")));
	assert_true(json_is_false(json_object_get(one, "mine")));
	assert_int_equal(client_send(&talk_ann, "GET", path, NULL), 200);
	assert_true(json_is_true(
		json_object_get(json_array_get(json_object_get(talk_ann.json, "comments"), 0), "mine")));

	/* Who has read and answers again is not heard; who wrote alone is. */
	const int64_t n = test_sql(t, "SELECT n_answers FROM subject WHERE id = %d", (int)s);
	assert_int_equal(n, 2);
	talk_undo_last(&talk_ben);
	assert_int_equal(client_send(&talk_ben, "GET", path, NULL), 403);
	talk_answer(&talk_ben, s, 1);
	assert_true(client_true(&talk_ben, "counted")); /* looks as if */
	assert_int_equal(test_sql(t, "SELECT n_answers FROM subject WHERE id = %d", (int)s), 1);
	assert_int_equal(test_sql(t, "SELECT stained FROM classification ORDER BY id DESC LIMIT 1"), 1);

	/* A moderator hides with a reason, and shows again. */
	assert_int_equal(client_post(&talk_ann, hide, "{\"hidden\": true, \"reason\": \"x\"}"), 403);
	assert_int_equal(client_post(&talk_mona, hide, "{\"hidden\": true}"), 400);
	assert_int_equal(
		client_post(&talk_mona, TEST "/comments/99", "{\"hidden\": true, \"reason\": \"x\"}"), 404);
	assert_int_equal(
		client_post(&talk_mona, hide, "{\"hidden\": true, \"reason\": \"rude\"}"), 200);
	assert_int_equal(client_send(&talk_ben, "GET", path, NULL), 200);
	assert_string_equal(text_of(&talk_ben, 1), "");
	assert_null(strstr(talk_ben.body, "rude"));
	assert_int_equal(client_send(&talk_mona, "GET", TEST "/moderation", NULL), 200);
	assert_int_equal(n_comments(&talk_mona), 2);
	assert_string_equal(text_of(&talk_mona, 0), "<b>two</b>\nlines"); /* newest first */
	assert_non_null(strstr(talk_mona.body, "rude"));
	assert_int_equal(client_send(&talk_emil, "GET", TEST "/moderation", NULL), 200);
	assert_string_equal(text_of(&talk_emil, 0), ""); /* no moderator */
	assert_int_equal(
		client_post(&talk_ada, hide, "{\"hidden\": false}"), 200); /* an admin may everything */
	assert_int_equal(client_send(&talk_ben, "GET", path, NULL), 200);
	assert_string_equal(text_of(&talk_ben, 1), "<b>two</b>\nlines");
}

/* Who reads the project's talk learns of subjects that they have not answered. */
static void what_a_moderator_has_read_before_answering_is_no_evidence(void **state)
{
	const int64_t s = t->first_subject;
	(void)state;
	talk_answer(&talk_ann, s, 1);
	assert_int_equal(comment(&talk_ann, s, "a zebra"), 200);
	talk_answer(&talk_mona, s + 1, 1);
	assert_int_equal(comment(&talk_mona, s + 1, "my own"), 200);
	/* An answer before the reading is as good as any, and so is one to a subject that only they have spoken of. */
	talk_answer(&talk_ben, s, 1);
	assert_int_equal(client_send(&talk_mona, "GET", TEST "/moderation", NULL), 200);
	assert_int_equal(n_comments(&talk_mona), 2);
	assert_int_equal(client_send(&talk_mona, "GET", TEST "/moderation", NULL), 200);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM overheard"), 1);
	talk_answer(&talk_mona, s, 1);
	assert_true(client_true(&talk_mona, "counted")); /* looks as if */
	assert_int_equal(test_sql(t, "SELECT n_answers FROM subject WHERE id = %d", (int)s), 2);
	assert_int_equal(
		test_sql(t, "SELECT stained AND NOT counted FROM classification ORDER BY id DESC LIMIT 1"),
		1);
	assert_int_equal(test_sql(t, "SELECT sum(stained) FROM classification"), 1);
	talk_answer(&talk_mona, s + 2, 1);
	assert_int_equal(test_sql(t, "SELECT n_answers FROM subject WHERE id = %d", (int)s + 2), 1);
	/* A hidden text tells an expert who is no moderator nothing. */
	char hide[100];
	snprintf(hide, sizeof hide, TEST "/comments/%lld",
		(long long)test_sql(t, "SELECT min(id) FROM comment"));
	assert_int_equal(client_post(&talk_mona, hide, "{\"hidden\": true, \"reason\": \"x\"}"), 200);
	assert_int_equal(client_send(&talk_emil, "GET", TEST "/moderation", NULL), 200);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM overheard WHERE volunteer_id = %d",
						 (int)talk_id_of(&talk_emil)),
		1);
	assert_int_equal(
		test_sql(t, "SELECT count(*) FROM overheard WHERE subject_id = %d", (int)s), 1);
	/* An answer from before stays, but a second one is none. */
	const int of = talk_n_answers;
	talk_answer(&talk_ann, s + 2, 1);
	assert_int_equal(comment(&talk_ann, s + 2, "another"), 200);
	assert_int_equal(client_send(&talk_mona, "GET", TEST "/moderation", NULL), 200);
	assert_int_equal(test_sql(t, "SELECT n_answers FROM subject WHERE id = %d", (int)s + 2), 2);
	assert_int_equal(talk_try_undo(&talk_mona, of), 200);
	talk_answer(&talk_mona, s + 2, 1);
	assert_int_equal(test_sql(t, "SELECT n_answers FROM subject WHERE id = %d", (int)s + 2), 1);
	/* Who leaves takes it along. */
	assert_int_equal(client_post(&talk_mona, "/api/me/delete",
						 "{\"answers\": \"keep\", \"password\": \"" TEST_PASSWORD "\"}"),
		200);
	assert_int_equal(
		test_sql(t, "SELECT count(*) FROM overheard WHERE subject_id = %d", (int)s), 0);
}

/* A burst of ten comments, whatever was refused before. */
static void refused_comments_cost_nothing(void **state)
{
	const int64_t s = t->first_subject;
	(void)state;
	talk_answer(&talk_ann, s, 1);
	talk_server.behind_proxy = true; /* this machine itself has no limit */
	test_server_restart(&talk_server);
	talk_server.behind_proxy = false;
	talk_ann.from = "192.0.2.1";
	for (int i = 0; i < 15; i++)
		assert_int_equal(comment(&talk_ann, s, ""), 400);
	for (int i = 0; i < 10; i++)
		assert_int_equal(comment(&talk_ann, s, "x"), 200);
	assert_int_equal(comment(&talk_ann, s, "x"), 429);
	assert_int_equal(comment(&talk_ann, s, ""), 429);
	talk_ann.from = NULL;
}

#define TEST_ROW(name) cmocka_unit_test_setup_teardown(name, set_up, talk_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_ROW(comments_come_after_ones_own_answer),
		TEST_ROW(what_a_moderator_has_read_before_answering_is_no_evidence),
		TEST_ROW(refused_comments_cost_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
