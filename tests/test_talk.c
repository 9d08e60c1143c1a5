/* labels: http; timeout: 240 */
/* Flags, practice and what others said, against a real server: who sees what, and when. */
#include "support_talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEST "/api/projects/test"

static struct test_project *const t = &talk_server.project;

static int set_up(void **state)
{
	(void)state;
	return talk_set_up_with("{\"plant_first\": 0, \"plant_rate\": 0}");
}

static int set_up_revealing(void **state)
{
	(void)state;
	return talk_set_up_with(
		"{\"plant_first\": 0, \"plant_rate\": 0, \"reveal_others\": true, \"min_answers\": 9}");
}

/* The subject's photograph: the n-th subject has the n-th. */
static int photo(struct client *c, int64_t subject)
{
	char path[60];
	snprintf(path, sizeof path, "/media/%lld/320.jpg", (long long)subject);
	return client_send(c, "GET", path, NULL);
}

static int flag(struct client *c, int64_t subject, const char *kind, bool on)
{
	return client_post(c, TEST "/flags", "{\"subject\": %lld, \"kind\": \"%s\", \"on\": %s}",
		(long long)subject, kind, on ? "true" : "false");
}

static int close_flags(struct client *c, int64_t subject, const char *kind)
{
	return client_post(
		c, TEST "/moderation", "{\"subject\": %lld, \"kind\": \"%s\"}", (long long)subject, kind);
}

static size_t n_flags(const struct client *c)
{
	return json_array_size(json_object_get(c->json, "flags"));
}

/* Emil's, who has the subject; class -1: cannot tell. */
static void verdict(int64_t subject, int class)
{
	char taxa[60] = "";
	if (class >= 0)
		snprintf(taxa, sizeof taxa, "{\"taxon\": %lld}", (long long)t->taxa[class]);
	assert_int_equal(
		client_post(&talk_emil, TEST "/classifications",
			"{\"uuid\": \"00000000-0000-4000-8000-%012d\", \"subject\": %lld, "
			"\"answer\": \"%s\", \"taxa\": [%s], \"queue\": \"expert\"}",
			++talk_n_answers, (long long)subject, class < 0 ? "cant_tell" : "taxa", taxa),
		200);
	assert_string_equal(test_text(t, "state", subject), "retired");
}

static void a_person_or_an_offence_is_seen_by_experts_alone_at_once(void **state)
{
	static const char *const kinds[] = {"person", "offensive"};
	(void)state;
	test_sql(t, "UPDATE taxon SET kind = 'human' WHERE id = %d", (int)t->taxa[3]);
	for (int i = 0; i < 2; i++) {
		const int64_t s = t->first_subject + i;
		talk_answer(&talk_ann, s, 1);
		talk_give(&talk_ben, s);
		assert_int_equal(photo(&talk_ann, s), 200);
		assert_int_equal(photo(&talk_ben, s), 200);
		assert_int_equal(flag(&talk_ben, s, kinds[i], true), 200);
		assert_int_equal(photo(&talk_ann, s), 403);
		assert_int_equal(photo(&talk_ben, s), 403); /* who flagged it, too */
		assert_int_equal(photo(&talk_mona, s), 403);
		assert_int_equal(photo(&talk_emil, s), 200);
		assert_int_equal(photo(&talk_ada, s), 200);
		assert_string_equal(test_text(t, "state", s), "expert");
		/* It is given to nobody, by no list; and the answer that somebody was at still comes in. */
		assert_int_equal(client_post(&talk_ben, TEST "/next", "{\"n\": 10}"), 200);
		const json_t *tasks = json_object_get(talk_ben.json, "tasks");
		assert_true(json_array_size(tasks) > 0);
		for (size_t k = 0; k < json_array_size(tasks); k++)
			assert_int_not_equal(
				json_integer_value(json_object_get(json_array_get(tasks, k), "subject")), s);
		assert_int_equal(client_send(&talk_ann, "GET", TEST "/answers", NULL), 200);
		assert_null(
			json_object_get(json_array_get(json_object_get(talk_ann.json, "answers"), 0), "thumb"));
		talk_answer(&talk_ben, s, 2);
		/* Moderators see that it is flagged, without its picture; experts with it. */
		assert_int_equal(client_send(&talk_mona, "GET", TEST "/moderation", NULL), 200);
		const json_t *one = json_array_get(json_object_get(talk_mona.json, "flags"), 0);
		assert_string_equal(json_string_value(json_object_get(one, "kind")), kinds[i]);
		assert_null(json_object_get(one, "thumb"));
		assert_int_equal(client_send(&talk_emil, "GET", TEST "/moderation", NULL), 200);
		one = json_array_get(json_object_get(talk_emil.json, "flags"), 0);
		assert_non_null(json_object_get(one, "thumb"));
		/* The expert gets it in their queue. A verdict says that there is no person; of offence it says nothing. */
		assert_int_equal(
			client_post(&talk_emil, TEST "/next", "{\"n\": 1, \"queue\": \"expert\"}"), 200);
		const json_t *task = json_array_get(json_object_get(talk_emil.json, "tasks"), 0);
		assert_int_equal(json_integer_value(json_object_get(task, "subject")), s);
		verdict(s, 1);
		assert_int_equal(photo(&talk_ann, s), i == 0 ? 200 : 403);
		assert_int_equal(close_flags(&talk_mona, s, kinds[i]), 403);
		assert_int_equal(close_flags(&talk_emil, s, kinds[i]), 200);
		assert_int_equal(photo(&talk_ann, s), 200);
		/* The same person's word does not hide it again; another's does. */
		assert_int_equal(flag(&talk_ben, s, kinds[i], true), 200);
		assert_int_equal(photo(&talk_ann, s), 200);
		assert_int_equal(flag(&talk_ann, s, kinds[i], true), 200);
		assert_int_equal(photo(&talk_ann, s), 403);
		assert_string_equal(test_text(t, "state", s), "expert");
		assert_string_equal(test_text(t, "by", s), "expert");       /* its label stands meanwhile */
		assert_int_equal(flag(&talk_ann, s, kinds[i], false), 200); /* a slip */
		assert_int_equal(photo(&talk_ann, s), 200);
	}
}

/* By a verdict that cannot name a person, one that names nothing, and when an answer is taken back, which opens others. */
static void what_is_flagged_stays_with_experts(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		const int64_t s = t->first_subject + i;
		if (i == 1)
			test_sql(t, "UPDATE taxon SET kind = 'human' WHERE id = %d", (int)t->taxa[3]);
		talk_answer(&talk_ann, s, 1);
		talk_give(&talk_ben, s);
		assert_int_equal(flag(&talk_ben, s, "person", true), 200);
		talk_give(&talk_emil, s);
		if (i < 2) {
			verdict(s, i == 0 ? 1 : -1);
		} else { /* whose photographs are hidden is not given again */
			assert_int_equal(talk_try_undo(&talk_ann, talk_n_answers), 409);
			assert_non_null(
				strstr(client_text(&talk_ann, "error"), "are hidden by now: your answer stays"));
			assert_int_equal(client_send(&talk_ann, "GET", TEST "/answers?n=1", NULL), 200);
			assert_true(json_is_false(json_object_get(
				json_array_get(json_object_get(talk_ann.json, "answers"), 0), "may_undo")));
		}
		assert_int_equal(photo(&talk_ann, s), 403);
		assert_int_equal(photo(&talk_emil, s), 200);
		assert_string_equal(test_text(t, "state", s), i < 2 ? "retired" : "expert");
		assert_int_equal(test_sql(t, "SELECT n_answers FROM subject WHERE id = %d", (int)s), 1);
		assert_int_equal(
			test_sql(t, "SELECT count(*) FROM task WHERE subject_id = %d AND volunteer_id = %d",
				(int)s, (int)talk_id_of(&talk_ann)),
			0);
		if (i ==
			2) { /* and once an expert has seen that nothing is to hide, it may be taken back */
			assert_int_equal(close_flags(&talk_emil, s, "person"), 200);
			assert_int_equal(talk_try_undo(&talk_ann, talk_n_answers), 200);
			assert_string_equal(test_text(t, "state", s), "open");
			assert_int_equal(photo(&talk_ann, s), 200);
		}
	}
}

/* Decided by people, by an expert beside an animal, or flagged: the public never sees it, in no list of theirs. */
static void people_are_kept_from_the_public(void **state)
{
	const int64_t s = t->first_subject;
	(void)state;
	test_sql(t, "UPDATE taxon SET kind = 'human' WHERE id = %d", (int)t->taxa[3]);
	for (int i = 0; i < 3; i++)
		talk_answer(&talk_ann, s + i, 1);
	assert_int_equal(flag(&talk_ann, s, "favourite", true), 200);
	assert_int_equal(client_send(&talk_ann, "GET", "/api/me/page", NULL), 200);
	assert_non_null(
		json_object_get(json_array_get(json_object_get(talk_ann.json, "favourites"), 0), "thumb"));
	test_sql(t,
		"UPDATE subject SET state = 'retired', label_id = %d, decided_by = 'people', reason = "
		"'risk', decided_ms = 1 WHERE id = %d",
		(int)t->taxa[3], (int)s);
	test_sql(t,
		"UPDATE subject SET state = 'retired', label_id = %d, decided_by = 'expert', reason = "
		"'expert', decided_ms = 1 WHERE id = %d",
		(int)t->taxa[1], (int)s + 1);
	test_sql(t, "INSERT INTO label_also (subject_id, taxon_id) VALUES (%d, %d)", (int)s + 1,
		(int)t->taxa[3]);
	assert_int_equal(flag(&talk_ann, s + 2, "person", true), 200);
	assert_int_equal(client_send(&talk_ann, "GET", TEST "/answers?n=10", NULL), 200);
	const json_t *answers = json_object_get(talk_ann.json, "answers");
	assert_int_equal(json_array_size(answers), 3);
	for (size_t i = 0; i < 3; i++)
		assert_null(json_object_get(json_array_get(answers, i), "thumb"));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(photo(&talk_ann, s + i), 403);
		assert_int_equal(photo(&talk_emil, s + i), 200);
	}
	assert_int_equal(client_send(&talk_ann, "GET", "/api/me/page", NULL), 200);
	const json_t *favourite = json_array_get(json_object_get(talk_ann.json, "favourites"), 0);
	assert_int_equal(json_integer_value(json_object_get(favourite, "subject")), s);
	assert_null(json_object_get(favourite, "thumb"));
	/* As gold to learn from it would be planted and practised, but for that. */
	for (int i = 0; i < 3; i++)
		test_sql(t,
			"INSERT INTO gold (subject_id, project_id, purpose, taxon_id, drawn_ms, labelled_ms, "
			"plant_u) VALUES (%d, "
			"%d, 'train-people', %d, 0, 1, .%d)",
			(int)s + i, (int)t->id, (int)t->taxa[i == 0 ? 3 : 1], i + 1);
	assert_int_equal(client_send(&talk_ben, "GET", TEST "/practice", NULL), 200);
	assert_int_equal(json_array_size(json_object_get(talk_ben.json, "items")), 0);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM practised"), 0);
}

static void flags_are_ones_own_and_few(void **state)
{
	const int64_t s = t->first_subject;
	char path[100];
	(void)state;
	assert_int_equal(flag(&talk_ann, s, "person", true), 403); /* never given */
	assert_int_equal(flag(&talk_ann, 99999, "person", true), 404);
	talk_give(&talk_ann, s);
	assert_int_equal(flag(&talk_ann, s, "ugly", true), 400);
	assert_int_equal(client_post(&talk_ann, TEST "/flags",
						 "{\"subject\": %lld, \"kind\": \"person\"}", (long long)s),
		400);
	assert_int_equal(flag(&talk_ann, s, "damaged", true), 200);
	assert_int_equal(flag(&talk_ann, s, "damaged", true), 200);
	assert_int_equal(flag(&talk_ann, s, "favourite", true), 200);
	assert_int_equal(n_flags(&talk_ann), 2);
	assert_int_equal(photo(&talk_ann, s), 200); /* these hide nothing */
	assert_string_equal(test_text(t, "state", s), "open");
	snprintf(path, sizeof path, TEST "/flags?subject=%lld", (long long)s);
	talk_give(&talk_ben, s);
	assert_int_equal(client_send(&talk_ben, "GET", path, NULL), 200);
	assert_int_equal(n_flags(&talk_ben), 0);
	assert_int_equal(client_send(&talk_ann, "GET", path, NULL), 200);
	assert_int_equal(n_flags(&talk_ann), 2);
	assert_int_equal(client_send(&talk_mona, "GET", TEST "/moderation", NULL), 200);
	assert_int_equal(n_flags(&talk_mona), 1); /* a favourite is nobody else's */
	assert_null(strstr(talk_mona.body, "favourite"));
	assert_int_equal(client_send(&talk_ben, "GET", "/api/me/page", NULL), 200);
	assert_int_equal(json_array_size(json_object_get(talk_ben.json, "favourites")), 0);
	assert_int_equal(close_flags(&talk_mona, s, "favourite"), 400);
	assert_int_equal(close_flags(&talk_ann, s, "damaged"), 403);
	assert_int_equal(client_send(&talk_ann, "GET", TEST "/moderation", NULL), 403);
	assert_int_equal(close_flags(&talk_mona, s, "damaged"), 200);
	assert_int_equal(flag(&talk_ann, s, "favourite", false), 200);
	assert_int_equal(n_flags(&talk_ann), 0);
	assert_int_equal(client_send(&talk_ann, "GET", TEST "/flags?subject=x", NULL), 400);
	assert_int_equal(client_send(&talk_ann, "GET", TEST "/flags", NULL), 400);

	/* Nobody hides a project alone: so many a day. */
	test_sql(t,
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30) INSERT INTO "
		"subject (project_id, "
		"deployment_id, start_ms, end_ms, created_ms) SELECT %d, 1, 90000000 + i * 100000, "
		"90000000 + i * 100000, 0 "
		"FROM n",
		(int)t->id);
	const int64_t last = test_sql(t, "SELECT max(id) FROM subject");
	int n = 0;
	for (int i = 0; i < 25; i++) {
		talk_give(&talk_ben, last - i);
		const int http = flag(&talk_ben, last - i, "person", true);
		assert_true(http == 200 || http == 409);
		n += http == 200;
	}
	assert_int_equal(n, 20);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM subject WHERE state = 'expert'"), 20);
	assert_int_equal(flag(&talk_ben, last, "person", true), 200); /* what is flagged already */
	assert_int_equal(flag(&talk_ben, last - 24, "wrong_burst", true), 200);
	test_sql(t, "UPDATE flag SET created_ms = created_ms - 86400000");
	assert_int_equal(flag(&talk_ben, last - 24, "person", true), 200);
}

static int comment(struct client *c, int64_t subject, const char *text)
{
	return client_post(
		c, TEST "/comments", "{\"subject\": %lld, \"text\": \"%s\"}", (long long)subject, text);
}

static void make_gold(int64_t subject, int class, const char *purpose)
{
	test_sql(t,
		"UPDATE subject SET state = 'retired', label_id = %d, decided_by = 'expert', reason = "
		"'expert', decided_ms = 1 WHERE id = %d",
		(int)t->taxa[class], (int)subject);
	test_sql(t,
		"INSERT INTO gold (subject_id, project_id, purpose, taxon_id, drawn_ms, labelled_ms, "
		"plant_u) VALUES (%d, %d, "
		"'%s', %d, 0, 1, .5)",
		(int)subject, (int)t->id, purpose, (int)t->taxa[class]);
}

static void practice_shows_its_own_gold_and_stores_nothing(void **state)
{
	const int64_t s = t->first_subject;
	(void)state;
	make_gold(s, 1, "train-people");
	make_gold(s + 1, 1, "train-people");
	make_gold(s + 2, 2, "train-people");
	make_gold(s + 3, 3, "probe");
	make_gold(s + 4, 0, "train-people");
	assert_int_equal(photo(&talk_ann, s), 403);
	for (int i = 0; i < 2; i++)
		test_sql(t,
			"INSERT INTO page (project_id, name, language, markdown) VALUES (%d, "
			"'practice/animal1', '%s', 'why %s')",
			(int)t->id, i ? "sw" : "", i ? "kwa" : "plain");
	assert_int_equal(client_send(&talk_ann, "GET", TEST "/practice?lang=sw", NULL), 200);
	assert_non_null(strstr(talk_ann.body, "why kwa"));
	assert_null(strstr(talk_ann.body, "why plain"));
	for (int round = 0; round < 2; round++) { /* the same again */
		assert_int_equal(client_send(&talk_ann, "GET", TEST "/practice", NULL), 200);
		const json_t *items = json_object_get(talk_ann.json, "items");
		assert_int_equal(json_array_size(items),
			3); /* one of each species; never what measures skill or certifies */
		bool seen[4] = {false};
		for (size_t i = 0; i < 3; i++) {
			const json_t *item = json_array_get(items, i);
			const json_t *taxa = json_object_get(item, "taxa");
			assert_int_equal(json_array_size(taxa), 1);
			for (int k = 0; k < 4; k++)
				seen[k] = seen[k] || json_integer_value(json_array_get(taxa, 0)) == t->taxa[k];
			assert_int_equal(json_array_size(json_object_get(item, "frames")), 1);
		}
		assert_true(seen[0] && seen[1] && seen[2] && !seen[3]);
	}
	/* Media lets exactly these through, to exactly this volunteer. */
	for (int i = 0; i < 6; i++) {
		const bool shown = test_sql(t, "SELECT count(*) FROM practised WHERE subject_id = %d",
							   (int)s + i) == 1;
		assert_int_equal(shown, i == 0 || i == 2 || i == 4);
		assert_int_equal(photo(&talk_ann, s + i), shown ? 200 : 403);
		assert_int_equal(photo(&talk_ben, s + i), 403);
	}
	/* An answer to one is refused as to any subject that was not given, and nothing was learnt. */
	assert_int_equal(client_post(&talk_ann, TEST "/classifications",
						 "{\"uuid\": \"00000000-0000-4000-8000-%012d\", \"subject\": %lld, "
						 "\"answer\": \"cant_tell\"}",
						 ++talk_n_answers, (long long)s),
		403);
	assert_int_equal(
		test_sql(t,
			"SELECT (SELECT count(*) FROM classification) + (SELECT count(*) FROM skill) + (SELECT "
			"count(*) FROM skill_cell)"),
		0);
	/* Of the gold that is left only what was not practised is planted for them, for others all. */
	struct err err = {0};
	test_sql(t, "UPDATE project SET policy_id = policy_id");
	int64_t planted = 0, n_ann = 0, n_ben = 0;
	for (int i = 0; i < 6; i++) {
		for (int who = 0; who < 2; who++) {
			struct stmt *row = NULL;
			const int64_t id = talk_id_of(who ? &talk_ben : &talk_ann);
			if (db_one(t->db, Q_GOLD_OF_CLASS_TO_PLANT, &row, &err, "iiiii", t->id, id, (int64_t)1,
					(int64_t)0, t->taxa[i % 4]) == OK) {
				planted = col_int(row, 0);
				db_done(row);
				if (who == 0)
					assert_true(planted == s + 1 || planted == s + 3);
				*(who ? &n_ben : &n_ann) += i < 4;
			}
		}
	}
	assert_int_equal(n_ann, 2);
	assert_int_equal(n_ben, 4);
	struct stmt *row = NULL;
	assert_int_equal(db_one(t->db, Q_GOLD_TO_PLANT, &row, &err, "iiii", t->id,
						 talk_id_of(&talk_ann), (int64_t)1, (int64_t)0),
		OK);
	assert_true(col_int(row, 0) == s + 1 || col_int(row, 0) == s + 3);
	db_done(row);
}

static void others_are_told_afterwards_of_every_kind_of_subject(void **state)
{
	const int64_t s = t->first_subject;
	(void)state;
	make_gold(s + 1, 1, "probe");
	test_sql(t, "UPDATE subject SET blind = 1 WHERE id = %d", (int)s + 2);
	for (int i = 0; i < 3; i++)
		for (int v = 0; v < 7; v++)
			test_must_answer(t, s + i, v, v < 4 ? 1 : 2, 1000);
	test_must_answer(t, s + 3, 0, 1, 1000);
	for (int i = 0; i < 5; i++) {
		talk_answer(&talk_ann, s + i, 3);
		const json_t *others = json_object_get(talk_ann.json, "others");
		assert_non_null(others);
		if (i >= 3) { /* one answer, and none: nobody's opinion */
			assert_true(json_is_null(others));
			continue;
		}
		assert_int_equal(
			json_integer_value(json_object_get(others, "n")), 5); /* the first five, however many */
		json_t *first = json_incref((json_t *)others); /* the same again where the reply was lost */
		test_must_answer(t, s + i, 20, 3, 1000);
		talk_n_answers--;
		talk_answer(&talk_ann, s + i, 3);
		assert_true(client_true(&talk_ann, "replay"));
		others = json_object_get(talk_ann.json, "others");
		assert_true(json_equal(first, others));
		json_decref(first);
		const json_t *shares = json_object_get(others, "shares");
		assert_int_equal(json_array_size(shares), 2);
		assert_int_equal(
			json_integer_value(json_array_get(json_array_get(shares, 0), 0)), t->taxa[1]);
		assert_true(json_real_value(json_array_get(json_array_get(shares, 0), 1)) == .8);
		assert_int_equal(
			json_integer_value(json_array_get(json_array_get(shares, 1), 0)), t->taxa[2]);
	}
	/* Who has heard and answers again is no evidence; who has heard nothing is. */
	talk_undo_last(&talk_ann);
	talk_answer(&talk_ann, s + 4, 2);
	assert_int_equal(test_sql(t, "SELECT stained FROM classification ORDER BY id DESC LIMIT 1"), 0);
	talk_answer(&talk_ben, s, 3);
	talk_undo_last(&talk_ben);
	talk_answer(&talk_ben, s, 1);
	assert_int_equal(test_sql(t, "SELECT stained FROM classification ORDER BY id DESC LIMIT 1"), 1);
	assert_true(client_true(&talk_ben, "counted"));
	/* What came after the first reply is not in its repetition. */
	for (int v = 0; v < 3; v++)
		test_must_answer(t, s + 5, v, 1, 1000);
	talk_answer(&talk_ann, s + 5, 1);
	test_must_answer(t, s + 5, 3, 2, 1000);
	talk_n_answers--;
	talk_answer(&talk_ann, s + 5, 1);
	assert_true(client_true(&talk_ann, "replay"));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(talk_ann.json, "others"), "n")), 3);
}

static void a_log_in_takes_flags_comments_and_practice_along(void **state)
{
	const int64_t s = t->first_subject;
	(void)state;
	make_gold(s + 5, 2, "train-people");
	talk_answer(&talk_ann, s, 1);
	assert_int_equal(flag(&talk_ann, s, "favourite", true), 200);
	assert_int_equal(comment(&talk_ann, s, "a word"), 200);
	assert_int_equal(client_send(&talk_ann, "GET", TEST "/practice", NULL), 200);
	client_log_in(&talk_ann, "rosa");
	const int64_t rosa = talk_id_of(&talk_ann);
	assert_int_equal(
		test_sql(t, "SELECT count(*) FROM flag WHERE volunteer_id = %d", (int)rosa), 1);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM flag"), 1);
	assert_int_equal(
		test_sql(t, "SELECT count(*) FROM comment WHERE volunteer_id = %d", (int)rosa), 1);
	assert_int_equal(
		test_sql(t, "SELECT count(*) FROM practised WHERE volunteer_id = %d", (int)rosa), 1);
	assert_int_equal(
		test_sql(t, "SELECT sum(n) FROM answer_day WHERE volunteer_id = %d", (int)rosa), 1);
	assert_int_equal(photo(&talk_ann, s + 5), 200);
}

#define TEST_ROW(name, begin) cmocka_unit_test_setup_teardown(name, begin, talk_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_ROW(a_person_or_an_offence_is_seen_by_experts_alone_at_once, set_up),
		TEST_ROW(what_is_flagged_stays_with_experts, set_up),
		TEST_ROW(people_are_kept_from_the_public, set_up),
		TEST_ROW(flags_are_ones_own_and_few, set_up),
		TEST_ROW(practice_shows_its_own_gold_and_stores_nothing, set_up),
		TEST_ROW(others_are_told_afterwards_of_every_kind_of_subject, set_up_revealing),
		TEST_ROW(a_log_in_takes_flags_comments_and_practice_along, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
