/* labels: unit */
/* A volunteer's own page: counts that are kept against counts that are made, intervals against Beta and logit by hand. */
#include "support_project.h"

#include "forget.h"
#include "personal.h"
#include "volunteer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_project t;
static struct err err;

#define DAY 86400000LL

static int set_up(void **state)
{
	(void)state;
	test_project_open(&t, 4, 2, 200, "{\"min_answers\": 9, \"cap\": 40}");
	test_sql(&t,
		"INSERT INTO session (token_hash, volunteer_id, created_ms, expires_ms) SELECT "
		"randomblob(32), id, 0, 9e12 FROM volunteer");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_project_close(&t);
	return 0;
}

static json_t *page_at(int v, int64_t now_ms)
{
	json_t *page = NULL;
	bool stale = false;
	for (int i = 0; i < 2; i++) {
		json_decref(page);
		assert_int_equal(db_begin(t.db, &err), OK);
		if (personal_page(t.db, t.volunteers[v], now_ms, &page, &stale, &err) != OK)
			fail_msg("%s", err.text);
		json_t *made = NULL;
		if (stale &&
			(personal_make(t.db, t.volunteers[v], now_ms, &made, &err) != OK ||
				personal_put(t.db, t.volunteers[v], made, now_ms, &err) != OK))
			fail_msg("%s", err.text);
		json_decref(made);
		assert_int_equal(db_commit(t.db, &err), OK);
	}
	assert_false(stale);
	return page;
}

static const json_t *project_of(const json_t *page)
{
	return json_array_get(json_object_get(page, "projects"), 0);
}

static double real(const json_t *object, const char *name)
{
	return json_real_value(json_object_get(object, name));
}

/* Answers and undos in a drawn order, then a log-in: the counts are those of the answers in force. */
static void counts_are_those_of_the_answers(void **state)
{
	uint32_t seed = 7;
	(void)state;
	for (int i = 0; i < 400; i++) {
		seed = seed * 1664525 + 1013904223;
		const int v = (int)(seed >> 8) % 5, subject = (int)(seed >> 12) % 40;
		const int class = (int)(seed >> 20) % 5 - 1;
		const int64_t at = 1000 + (int64_t)(seed >> 16) % 5 * DAY;
		uint8_t of[16], uuid[16];
		struct classification_undone undone;
		test_uuid(test_n_answers, of);
		if (i % 7 == 6) {
			test_uuid(1000000 + i, uuid);
			const int64_t who = test_sql(
				&t, "SELECT volunteer_id FROM classification ORDER BY id DESC LIMIT 1");
			assert_int_equal(db_begin(t.db, &err), OK);
			if (classification_undo(t.db, uuid, of, who, at, &undone, &err) == OK)
				assert_int_equal(db_commit(t.db, &err), OK);
			else
				db_rollback(t.db);
		} else if (i % 11 == 10) {
			test_must_answer_set(&t, t.first_subject + 50 + i % 100, v, (const int[]){1, 2}, 2);
		} else {
			(void)!test_answer(
				&t, t.first_subject + subject, v, class, at, &err); /* a second one is refused */
		}
	}
	assert_true(test_sql(&t, "SELECT count(*) FROM classification WHERE answer = 'undone'") > 5);
	assert_int_equal(
		db_begin(t.db, &err), OK); /* 0 becomes 1: they have answered the same subjects */
	assert_int_equal(
		volunteer_login(t.db, t.volunteers[1], t.volunteers[0], NULL, "x", 1000, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	assert_int_equal(test_sql(&t,
						 "SELECT count(*) FROM (SELECT volunteer_id, created_ms / 86400000, "
						 "project_id, count(*) FROM classification WHERE "
						 "superseded_by IS NULL AND answer <> 'undone' GROUP BY 1, 2, 3 EXCEPT "
						 "SELECT volunteer_id, day, project_id, n "
						 "FROM answer_day)"),
		0);
	assert_int_equal(test_sql(&t,
						 "SELECT count(*) FROM (SELECT c.volunteer_id, a.taxon_id, count(*) FROM "
						 "classification c JOIN annotation a ON "
						 "a.classification_id = c.id WHERE superseded_by IS NULL AND answer <> "
						 "'undone' GROUP BY 1, 2 EXCEPT SELECT "
						 "volunteer_id, taxon_id, n FROM answer_taxon)"),
		0);
	const int64_t n = test_sql(&t,
		"SELECT count(*) FROM classification WHERE superseded_by IS NULL AND answer <> 'undone'");
	assert_int_equal(test_sql(&t, "SELECT sum(n) FROM answer_day"), n);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM answer_day WHERE volunteer_id = 1"), 0);
	json_t *page = page_at(1, 10 * DAY);
	int64_t own = 0;
	assert_int_equal(volunteer_n_answers(t.db, t.volunteers[1], &own, &err), OK);
	assert_int_equal(json_integer_value(json_object_get(page, "n_answers")), own);
	assert_int_equal(own,
		test_sql(&t,
			"SELECT count(*) FROM classification WHERE volunteer_id = 2 AND superseded_by IS NULL "
			"AND "
			"answer <> 'undone'"));
	int64_t sum = 0, last = 100;
	const json_t *days = json_object_get(page, "days");
	for (size_t i = 0; i < json_array_size(days); i++) {
		const int64_t day = json_integer_value(json_object_get(json_array_get(days, i), "day"));
		assert_true(day < last); /* newest first */
		last = day;
		sum += json_integer_value(json_object_get(json_array_get(days, i), "n"));
	}
	assert_int_equal(sum, own);
	json_decref(page);
}

/* .9 on the diagonal, an even prior; the volunteer's own row and cells. */
static void put_skill(double lambda, double prec, int n, int n_right, int n_wrong)
{
	test_sql(&t, "DELETE FROM skill; DELETE FROM skill_cell; DELETE FROM personal");
	test_sql(
		&t, "UPDATE pool_cell SET p = CASE WHEN truth_id = answer_id THEN 0.9 ELSE 0.1 / 3 END");
	test_sql(&t, "UPDATE class_prior SET p = 0.25");
	test_sql(&t,
		"INSERT INTO skill (project_id, refit_id, volunteer_id, lambda, prec, n_credited) VALUES "
		"(%d, 0, 1, %.17g, %.17g, %d)",
		(int)t.id, lambda, prec, n);
	test_sql(&t,
		"INSERT INTO skill_cell (project_id, refit_id, volunteer_id, answer_id, truth_id, weight) "
		"VALUES (%d, 0, 1, %d, %d, %d), (%d, 0, 1, %d, %d, %d)",
		(int)t.id, (int)t.taxa[1], (int)t.taxa[1], n_right, (int)t.id, (int)t.taxa[2],
		(int)t.taxa[1], n_wrong);
}

static void intervals_are_those_of_lambda_and_of_the_own_row(void **state)
{
	static const struct {
		double lambda, prec, p, low, high;
		int n_right, n_wrong;
		double best, best_low, best_high; /* 0: said nothing */
	} rows[] = {
		{0, 4, .9, .7981542, .9534541, 10, 0, 37 / 40., .8472349, .9787058},
		{0, 25, .9, .8662561, .9259579, 0, 12, 27 / 42., .5186949, .7591910},
		{1, 1e8, 9 / (9 + M_E), 9 / (9 + M_E), 9 / (9 + M_E), 9, 0, 0, 0, 0},
	};
	(void)state;
	test_must_answer(&t, t.first_subject, 0, 1, 1000);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		put_skill(rows[i].lambda, rows[i].prec, 20, rows[i].n_right, rows[i].n_wrong);
		json_t *page = page_at(0, DAY);
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM personal"), 1);
		const json_t *skill = json_object_get(project_of(page), "skill");
		assert_true(fabs(real(skill, "p") - rows[i].p) < 1e-9);
		assert_true(fabs(real(skill, "low") - rows[i].low) < 1e-3);
		assert_true(fabs(real(skill, "high") - rows[i].high) < 1e-3);
		const json_t *best = json_object_get(project_of(page), "best");
		assert_int_equal(json_array_size(best), rows[i].best > 0);
		if (rows[i].best > 0) {
			assert_true(fabs(real(json_array_get(best, 0), "p") - rows[i].best) < 1e-9);
			assert_true(fabs(real(json_array_get(best, 0), "low") - rows[i].best_low) < 1e-3);
			assert_true(fabs(real(json_array_get(best, 0), "high") - rows[i].best_high) < 1e-3);
		}
		const json_t *mixed = json_object_get(project_of(page), "mixed");
		assert_int_equal(json_array_size(mixed), rows[i].n_wrong > 0);
		if (rows[i].n_wrong) {
			const json_t *one = json_array_get(mixed, 0);
			assert_int_equal(json_integer_value(json_object_get(one, "truth")), t.taxa[1]);
			assert_int_equal(json_integer_value(json_object_get(one, "said")), t.taxa[2]);
			assert_int_equal(json_integer_value(json_object_get(one, "n")), rows[i].n_wrong);
		}
		json_decref(page);
	}
	put_skill(0, 4, 9, 4, 0);
	json_t *page = page_at(0, DAY);
	assert_true(json_is_null(
		json_object_get(project_of(page), "skill"))); /* nine answers say nothing yet */
	json_decref(page);
}

/* Who reads the page after every answer learns from it what was gold: so it says yesterday's. */
static void the_skill_moves_once_a_day(void **state)
{
	(void)state;
	test_must_answer(&t, t.first_subject, 0, 1, 1000);
	put_skill(0, 4, 20, 10, 0);
	json_t *before = page_at(0, DAY);
	test_sql(&t, "UPDATE skill SET lambda = 1");
	test_sql(&t, "UPDATE skill_cell SET weight = weight + 5");
	json_t *soon = page_at(0, DAY + DAY - 1);
	assert_true(json_equal(before, soon));
	json_t *later = page_at(0, 2 * DAY + 1);
	assert_false(json_equal(before, later));
	json_decref(before);
	json_decref(soon);
	json_decref(later);
}

/* A hundred times the answers on the same days, as many steps. */
static void what_is_read_does_not_grow_with_the_answers(void **state)
{
	long n_steps[2];
	(void)state;
	for (int i = 0; i < 2; i++) {
		test_sql(&t,
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT "
			"INTO subject (project_id, "
			"deployment_id, created_ms) SELECT %d, 1, 0 FROM n",
			i ? 20000 : 200, (int)t.id);
		test_sql(&t,
			"INSERT INTO classification (uuid, project_id, subject_id, volunteer_id, answer, "
			"counted, expert, blind, "
			"policy_id, created_ms) SELECT randomblob(16), project_id, id, 1, 'taxa', 1, 0, 0, 1, "
			"id %% 30 * 86400000 FROM "
			"subject s WHERE NOT EXISTS (SELECT 1 FROM classification c WHERE c.subject_id = "
			"s.id)");
		test_sql(&t,
			"INSERT INTO annotation (classification_id, taxon_id) SELECT id, %d + id %% 4 FROM "
			"classification c WHERE NOT "
			"EXISTS (SELECT 1 FROM annotation a WHERE a.classification_id = c.id)",
			(int)t.taxa[0]);
		json_t *page = page_at(0, 100 * DAY);
		json_decref(page);
		const long before = db_n_steps();
		page = page_at(0, 100 * DAY);
		n_steps[i] = db_n_steps() - before;
		assert_int_equal(json_integer_value(json_object_get(page, "n_answers")), i ? 20400 : 400);
		json_decref(page);
	}
	assert_int_equal(n_steps[0], n_steps[1]);
	assert_in_range(n_steps[0], 1, 300);
}

/* The page is made outside of the writer: somebody may leave in between. */
static void nothing_of_who_has_left_comes_back(void **state)
{
	json_t *made = NULL;
	(void)state;
	test_must_answer(&t, t.first_subject, 0, 1, 1000);
	assert_int_equal(personal_make(t.db, t.volunteers[0], DAY, &made, &err), OK);
	assert_int_equal(json_array_size(made), 1);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(personal_put(t.db, t.volunteers[0], made, DAY, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM personal"), 1);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(forget_begin(t.db, t.volunteers[0], false, DAY, &err), OK);
	assert_int_equal(personal_put(t.db, t.volunteers[0], made, DAY, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM personal"), 0);
	json_decref(made);
}

#define TEST_ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_ROW(counts_are_those_of_the_answers),
		TEST_ROW(intervals_are_those_of_lambda_and_of_the_own_row),
		TEST_ROW(the_skill_moves_once_a_day),
		TEST_ROW(nothing_of_who_has_left_comes_back),
		TEST_ROW(what_is_read_does_not_grow_with_the_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
