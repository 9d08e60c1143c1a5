/* labels: unit sql http; timeout: 120 */
/*
 * What an answer, a policy, a prior or a project may not be, in the functions and over HTTP: each is named, nothing of it is
 * kept, and posteriors stay finite.
 */
#include "label.h"
#include "prediction.h"
#include "survey.h"
#include "support_server.h"
#include "task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

static struct test_project t;

static void refuse(enum status got, enum status wanted, const struct err *err, const char *says)
{
	if (got != wanted || !strstr(err->text, says))
		fail_msg("%d %s: %d and '%s' are wanted", got, err->text, wanted, says);
}

/* The posterior of every subject is finite and sums to 1. */
static void posteriors_are_sound(void)
{
	struct err err = {0};
	struct project p = {0};
	double q[16];
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	for (int i = 0; i < t.n_subjects; i++) {
		double sum = 0;
		assert_int_equal(label_posterior(t.db, &p, t.first_subject + i, q, &err), OK);
		for (int z = 0; z < p.k; z++) {
			assert_true(isfinite(q[z]) && q[z] >= 0);
			sum += q[z];
		}
		assert_true(fabs(sum - 1) < 1e-9);
	}
	project_release(&p);
}

static void an_answer_that_makes_no_sense(void **state)
{
	(void)state;
	test_project_open(&t, 4, 1, 3, NULL);
	test_sql(&t,
		"UPDATE project SET survey = '{\"young\":true,\"sex\":true,\"behaviours\":[\"resting\"]}'");
	test_sql(&t, "UPDATE taxon SET retired_ms = 1 WHERE id = %d", (int)t.taxa[3]);
	const int64_t zero = 0;
	const struct {
		const char *says;
		int first, second; /* classes; -1: none, 99: no class */
		bool several;
		const int64_t *count;
		const char *details;
	} rows[] = {
		{"no taxon 9999", 99, -1, false, NULL, NULL},
		{"no taxon", 3, -1, false, NULL, NULL}, /* left the list */
		{"no taxon 9999", 1, 99, false, NULL, NULL},
		{"animal1 is named twice", 1, 1, false, NULL, NULL},
		{"\"nothing here\" goes with no other species", 1, 0, false, NULL, NULL},
		{"\"nothing here\" goes with no other species", 0, 1, false, NULL, NULL},
		{"\"nothing here\" goes with no other species", 0, -1, true, NULL, NULL},
		{"a count of 0", 1, -1, false, &zero, NULL},
		{"\"young\" must be true or false", 1, -1, false, NULL, "{\"young\": 2}"},
		{"\"sex\" must be female, male", 1, -1, false, NULL, "{\"sex\": \"both\"}"},
		{"does not ask for \"life_stage\"", 1, -1, false, NULL, "{\"life_stage\": \"adult\"}"},
		{"no behaviour 'flying'", 1, -1, false, NULL, "{\"behaviours\": [\"flying\"]}"},
		{"no behaviour 'that is no text'", 1, -1, false, NULL, "{\"behaviours\": [7]}"},
		{"\"behaviours\" must be a list", 1, -1, false, NULL, "{\"behaviours\": \"resting\"}"},
		{"'resting' is named twice", 1, -1, false, NULL,
			"{\"behaviours\": [\"resting\", \"resting\"]}"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {0};
		json_t *details = rows[i].details ? json_loads(rows[i].details, 0, NULL) : NULL;
		struct named more = {.taxon_id = rows[i].second == 99 ? 9999
				: rows[i].second >= 0                         ? t.taxa[rows[i].second]
															  : 0};
		struct classification c = {
			.taxon_id = rows[i].first == 99 ? 9999 : t.taxa[rows[i].first],
			.count = rows[i].count,
			.details = details,
			.several = rows[i].several,
			.n_more = rows[i].second >= 0,
			.more = &more,
		};
		refuse(
			test_answer_with(&t, t.first_subject, 0, c, 10, &err), BAD_INPUT, &err, rows[i].says);
		json_decref(details);
	}
	struct err err = {0};
	struct classification c = {.answer = ANSWER_CANT_TELL, .several = true};
	refuse(test_answer_with(&t, t.first_subject, 0, c, 10, &err), BAD_INPUT, &err, "no species");
	c = (struct classification){.taxon_id = t.taxa[1], .n_more = ANSWER_MAX_TAXA};
	refuse(test_answer_with(&t, t.first_subject, 0, c, 10, &err), BAD_INPUT, &err, "1 to 20");
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM classification"), 0);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM annotation"), 0);
	posteriors_are_sound();
	test_project_close(&t);
}

/* Only an undo makes room for another answer; both stay, one in force. */
static void a_second_answer_of_the_same_person(void **state)
{
	(void)state;
	struct err err = {0};
	struct classification_undone undone;
	uint8_t of[16], uuid[16];
	test_project_open(&t, 4, 1, 1, NULL);
	int64_t s = t.first_subject;
	test_must_answer(&t, s, 0, 1, 10);
	test_uuid(test_n_answers, of);
	refuse(test_answer(&t, s, 0, 2, 20, &err), CONFLICT, &err, "undo that one first");
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM classification"), 1);
	test_uuid(5000, uuid);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(classification_undo(t.db, uuid, of, t.volunteers[0], 30, &undone, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	test_must_answer(&t, s, 0, 2, 40);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM classification WHERE answer = 'taxa'"), 2);
	assert_int_equal(test_sql(&t, "SELECT n_answers FROM subject"), 1);
	posteriors_are_sound();
	test_project_close(&t);
}

/* Several late answers, a set among them: kept, not counted, the label as it was. */
static void an_answer_to_a_subject_that_has_retired(void **state)
{
	(void)state;
	test_project_open(&t, 4, 1, 1, "{\"min_answers\": 1, \"tau\": 0.4}");
	int64_t s = t.first_subject;
	test_must_answer(&t, s, 0, 1, 10);
	assert_string_equal(test_text(&t, "state", s), "retired");
	test_must_answer(&t, s, 1, 2, 20);
	test_must_answer(&t, s, 2, -1, 20);
	test_must_answer_set(&t, s, 3, (int[]){1, 2}, 2);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM classification"), 4);
	assert_int_equal(test_sql(&t, "SELECT sum(counted) FROM classification"), 1);
	assert_int_equal(test_sql(&t, "SELECT label_id FROM subject"), t.taxa[1]);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM label_also"), 0);
	posteriors_are_sound();
	test_project_close(&t);
}

/* A prior is scaled by the posterior's own sum; a zero, which would forbid a class for ever, is refused by name. */
static void a_prior_that_is_none(void **state)
{
	(void)state;
	struct err err = {0};
	for (int several = 0; several < 2; several++) {
		test_project_open(&t, 4, 1, 1, NULL);
		test_sql(&t, "UPDATE class_prior SET p = 0.9");
		if (several)
			test_must_answer_set(&t, t.first_subject, 0, (int[]){1, 2}, 2);
		else
			test_must_answer(&t, t.first_subject, 0, 1, 10);
		posteriors_are_sound();
		test_sql(&t, "UPDATE class_prior SET p = 0 WHERE taxon_id = %d", (int)t.taxa[2]);
		refuse(test_answer(&t, t.first_subject, 1, 1, 10, &err), BAD_INPUT, &err, "2");
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM classification"), 1);
		test_project_close(&t);
	}
}

static void a_prediction_that_is_none(void **state)
{
	(void)state;
	struct err err = {0};
	bool stored = false;
	static const float bad[] = {NAN, INFINITY, -INFINITY};
	test_project_open(&t, 3, 1, 1, NULL);
	test_model(&t, 3);
	for (size_t i = 0; i < 3; i++) {
		const float logits[3] = {0, bad[i], 0};
		assert_int_equal(db_begin(t.db, &err), OK);
		refuse(prediction_store(t.db, t.first_subject, t.model_id, 1, logits, 3, 10, &stored, &err),
			BAD_INPUT, &err, "logit 1 is not a finite number");
		db_rollback(t.db);
	}
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM prediction"), 0);
	posteriors_are_sound();
	test_project_close(&t);
}

/* A policy in which any field is wrong is not stored, and the one in force stays. */
static void a_policy_that_is_none(void **state)
{
	(void)state;
	static const struct {
		const char *rules, *says;
	} rows[] = {
		{"{\"alpha\": 0}", "alpha must be a number from 0.0001 to 0.5"},
		{"{\"alpha\": \"NaN\"}", "alpha must be a number"},
		{"{\"tau\": 0}", "tau must be"},
		{"{\"kappa\": -0.1}", "kappa must be"},
		{"{\"cap\": 2.5}", "cap must be a whole number"},
		{"{\"protected_expert\": 1}", "protected_expert must be true or false"},
		{"{\"cost\": []}", "no field 'cost'"},
		{"{\"costs\": {\"blank\": 5}}", "costs must be a list"},
		{"{\"costs\": [[\"blank\", \"animal1\"]]}", "each of costs must be [truth, decided, cost"},
		{"{\"costs\": [[\"blank\", \"animal1\", -1]]}", "cost from 0 to 100"},
		{"{\"costs\": [[\"blank\", \"animal1\", \"5\"]]}", "cost from 0 to 100"},
		{"{\"costs\": [[\"blank\", 7, 5]]}", "each of costs must be"},
		{"{\"costs\": [[\"animal1\", \"animal1\", 5]]}", "'animal1' where it is right"},
		{"{\"costs\": [[\"lyon\", \"blank\", 5]]}", "costs name 'lyon'"},
		{"{\"costs\": [[\"blank\", \"kind:bird\", 5]]}", "costs name 'kind:bird'"},
		{"{\"costs\": [[\"kind:human\", \"blank\", 5]]}", "costs name 'kind:human'"},
	};
	test_project_open(&t, 3, 1, 1, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {0};
		struct policy policy;
		json_t *rules = json_loads(rows[i].rules, 0, NULL);
		assert_int_equal(db_begin(t.db, &err), OK);
		enum status st = policy_parse(rules, policy_default(), &policy, &err);
		if (st == OK)
			st = policy_put(t.db, t.id, &policy, 10, &err);
		db_rollback(t.db);
		refuse(st, BAD_INPUT, &err, rows[i].says);
		json_decref(rules);
	}
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM policy"), 1);
	test_project_close(&t);
}

/* Costs survive being stored, the last entry of a pair holds, and kinds are spread over the taxa. */
static void costs_come_back_as_they_were(void **state)
{
	(void)state;
	struct err err = {0};
	struct project p = {0};
	test_project_open(&t, 3, 1, 1,
		"{\"costs\": [[\"kind:animal\", \"blank\", 5], [\"animal2\", \"blank\", 20], "
		"[\"kind:animal\", \"kind:animal\", 0.5]]}");
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	static const double wanted[9] = {0, 1, 1, 5, 0, 0.5, 20, 0.5, 0};
	for (int i = 0; i < 9; i++)
		assert_true(p.cost[i] == wanted[i]);
	project_release(&p);
	test_project_close(&t);
}

static void a_survey_that_is_none(void **state)
{
	(void)state;
	static const struct {
		const char *survey, *says;
	} rows[] = {
		{"[]", "an object is wanted"},
		{"{\"colour\": true}", "no question 'colour'"},
		{"{\"count\": 1}", "\"count\" must be true or false"},
		{"{\"behaviours\": true}", "\"behaviours\" must be a list"},
		{"{\"behaviours\": [\"a\", \"a\"]}", "different words"},
		{"{\"behaviours\": [\"a|b\"]}", "without |"},
		{"{\"behaviours\": [\"\"]}", "1 to 40 bytes"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {0};
		json_t *survey = json_loads(rows[i].survey, 0, NULL);
		refuse(survey_check(survey, &err), BAD_INPUT, &err, rows[i].says);
		json_decref(survey);
	}
}

static void counts_have_bins(void **state)
{
	(void)state;
	static const struct {
		long long count;
		const char *text;
	} rows[] = {{1, "1"}, {10, "10"}, {11, "11-50"}, {50, "11-50"}, {51, "51+"}, {1000000, "51+"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[24];
		count_text(rows[i].count, text);
		assert_string_equal(text, rows[i].text);
	}
}

/* No subjects: nothing to do, and that is no error. One taxon: no project. */
static void projects_of_nothing_and_of_one_class(void **state)
{
	(void)state;
	struct err err = {0};
	struct task_list list;
	int64_t id = 0;
	test_project_open(&t, 3, 1, 1, NULL);
	test_sql(&t, "DELETE FROM media; DELETE FROM subject");
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(task_next(t.db, t.id, 1, false, 5, 10, &list, &err), OK);
	assert_int_equal(list.n, 0);
	assert_int_equal(list.reason, TASK_DONE);
	task_list_release(&list);
	static const char *const files[] = {
		"{\"slug\": \"a\", \"title\": \"A\", \"taxa\": []}",
		"{\"slug\": \"a\", \"title\": \"A\", \"taxa\": [{\"code\": \"blank\", \"kind\": \"blank\", "
		"\"common_name\": \"Nothing here\"}]}",
	};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		json_t *file = json_loads(files[i], 0, NULL);
		refuse(project_add(t.db, file, 10, &id, &err), BAD_INPUT, &err,
			"\"taxa\" must be a list of 2 to 1000 taxa");
		json_decref(file);
	}
	db_rollback(t.db);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM project"), 1);
	test_project_close(&t);
}

#define TEST "/api/projects/test"

/* The same by HTTP: %A and %B are two animals' ids, %0 the blank's. */
static void over_http(void **state)
{
	(void)state;
	static const struct {
		const char *answer;
		int http;
		const char *says;
	} rows[] = {
		{"\"taxa\", \"taxa\": [{\"taxon\": 9999}]", 400, "the project has no taxon 9999"},
		{"\"taxa\", \"taxa\": [{\"taxon\": %A}, {\"taxon\": %A}]", 400, "animal1 is named twice"},
		{"\"taxa\", \"taxa\": [{\"taxon\": %A}, {\"taxon\": %0}]", 400,
			"goes with no other species"},
		{"\"taxa\", \"taxa\": [{\"taxon\": %0}], \"several\": true", 400,
			"goes with no other species"},
		{"\"taxa\", \"taxa\": []", 400, "1 to 20 entries"},
		{"\"taxa\", \"taxa\": [{\"taxon\": 1.5}]", 400, "needs \\\"taxon\\\""},
		{"\"taxa\", \"taxa\": [7]", 400, "needs \\\"taxon\\\""},
		{"\"taxa\", \"taxa\": [{\"taxon\": %A, \"count\": 0}]", 400, "whole number from 1"},
		{"\"taxa\", \"taxa\": [{\"taxon\": %A, \"young\": \"yes\"}]", 400, "must be true or false"},
		{"\"taxa\", \"taxa\": [{\"taxon\": %A, \"sex\": \"male\"}]", 400, "does not ask for"},
		{"\"taxa\", \"taxa\": [{\"taxon\": %A}], \"several\": 1", 400, "must be true or false"},
		{"\"cant_tell\", \"taxa\": [{\"taxon\": %A}]", 400, "goes with no"},
		{"\"cant_tell\", \"several\": true", 400, "goes with no species"},
		{"\"taxa\", \"taxa\": [{\"taxon\": %A, \"count\": 11, \"young\": true}, {\"taxon\": %B}]",
			200, ""},
		{"\"taxa\", \"taxa\": [{\"taxon\": %A}]", 409, "undo that one first"},
	};
	struct test_server server;
	struct client c;
	test_server_open(&server, 4, 3, NULL);
	test_sql(&server.project, "UPDATE project SET survey = '{\"count\":true,\"young\":true}'");
	client_open(&c, &server);
	client_log_in(&c, NULL);
	assert_int_equal(client_send(&c, "GET", TEST, NULL), 200);
	assert_true(json_is_true(json_object_get(json_object_get(c.json, "survey"), "young")));
	assert_int_equal(client_post(&c, TEST "/next", "{\"n\": 1}"), 200);
	long long subject = json_integer_value(
		json_object_get(json_array_get(json_object_get(c.json, "tasks"), 0), "subject"));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char answer[300] = "";
		size_t n = 0;
		for (const char *p = rows[i].answer; *p && n < sizeof answer - 24; p++)
			if (*p == '%') {
				int class = *++p == '0' ? 0 : *p - 'A' + 1;
				n += (size_t)snprintf(
					answer + n, sizeof answer - n, "%lld", (long long)server.project.taxa[class]);
			} else {
				answer[n++] = *p;
				answer[n] = 0;
			}
		int http = client_post(&c, TEST "/classifications",
			"{\"uuid\": \"00000000-0000-4000-8000-0000000000%02d\", \"subject\": %lld, \"answer\": "
			"%s}",
			(int)i, subject, answer);
		if (http != rows[i].http || !strstr(c.body, rows[i].says))
			fail_msg("%s: %d %s", answer, http, c.body);
		assert_int_equal(
			test_sql(&server.project, "SELECT count(*) FROM classification"), http != 400);
	}
	assert_int_equal(test_sql(&server.project, "SELECT count(*) FROM annotation"), 2);
	assert_int_equal(test_sql(&server.project, "SELECT several FROM classification"), 1);
	assert_int_equal(
		test_sql(&server.project,
			"SELECT count(*) FROM annotation WHERE count = 11 AND details = '{\"young\":true}'"),
		1);
	client_close(&c);
	test_server_close(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_that_makes_no_sense),
		cmocka_unit_test(a_second_answer_of_the_same_person),
		cmocka_unit_test(an_answer_to_a_subject_that_has_retired),
		cmocka_unit_test(a_prior_that_is_none),
		cmocka_unit_test(a_prediction_that_is_none),
		cmocka_unit_test(a_policy_that_is_none),
		cmocka_unit_test(costs_come_back_as_they_were),
		cmocka_unit_test(a_survey_that_is_none),
		cmocka_unit_test(counts_have_bins),
		cmocka_unit_test(projects_of_nothing_and_of_one_class),
		cmocka_unit_test(over_http),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
