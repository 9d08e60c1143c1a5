/* labels: unit sql; timeout: 120 */
/* Gold among a volunteer's tasks: how often, which, and what its answers do and do not do. */
#include "classification.h"
#include "gold.h"
#include "plant.h"
#include "support_project.h"
#include "task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_project t;

/* The first n subjects become gold of this purpose, class 1. */
static void make_gold(int n, const char *purpose)
{
	struct err err = {0};
	struct project p = {0};
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	assert_int_equal(db_begin(t.db, &err), OK);
	for (int i = 0; i < n; i++)
		assert_int_equal(
			gold_label(t.db, &p, t.first_subject + i, p.taxa[1].code, "probe", 1, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	project_release(&p);
	test_sql(&t, "UPDATE gold SET p_draw = 1, purpose = '%s'", purpose);
}

/* One task for volunteer v; 0 when there is none. */
static int64_t next(int v, int64_t now)
{
	struct err err = {0};
	struct task_list list;
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(task_next(t.db, t.id, t.volunteers[v], false, 1, now, &list, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	int64_t subject = list.n ? list.tasks[0].subject_id : 0;
	task_list_release(&list);
	return subject;
}

static struct classification_result answer(int64_t subject, int v, int class, int64_t nth)
{
	struct err err = {0};
	struct classification_result result;
	struct classification c = {.project_id = t.id,
		.subject_id = subject,
		.volunteer_id = t.volunteers[v],
		.answer = class < 0 ? ANSWER_CANT_TELL : ANSWER_TAXA,
		.taxon_id = class < 0 ? 0 : t.taxa[class]};
	test_uuid(nth, c.uuid);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(classification_add(t.db, &c, 50, &result, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	return result;
}

static bool is_gold(int64_t subject)
{
	return test_sql(&t, "SELECT count(*) FROM gold WHERE subject_id = %d", (int)subject) == 1;
}

static void a_fifth_of_the_first_twenty_and_less_later(void **state)
{
	(void)state;
	static const struct {
		const char *policy;
		int n_credited;
		int low,
			high; /* of 40 people's 10 tasks, 400 draws: six standard deviations around the share */
	} rows[] = {
		{"{\"tau\": 0.0001, \"kappa\": 0, \"cap\": 1000}", 0, 32, 128},
		{"{\"tau\": 0.0001, \"kappa\": 0, \"cap\": 1000}", 1000, 1, 40},
		{"{\"tau\": 0.0001, \"kappa\": 0, \"cap\": 1000, \"plant_first\": 0, \"plant_rate\": 0}", 0,
			0, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int n_planted = 0;
		test_project_open(&t, 4, 1, 460, rows[i].policy);
		make_gold(60, "certify"); /* teaches nobody: the share stays */
		for (int v = 0; v < 40; v++) {
			test_sql(&t,
				"INSERT INTO skill (project_id, volunteer_id, lambda, prec, n_credited) VALUES "
				"(%d, "
				"%d, 0, 1, %d)",
				(int)t.id, (int)t.volunteers[v], rows[i].n_credited);
			for (int n = 0; n < 10; n++) {
				int64_t subject = next(v, 10 + n);
				assert_true(subject > 0);
				n_planted += is_gold(subject);
				answer(subject, v, 1 + (v + n) % 3, (int64_t)v * 100 + n + 1);
			}
		}
		if (n_planted < rows[i].low || n_planted > rows[i].high)
			fail_msg("row %zu: %d of 400 were planted", i, n_planted);
		assert_int_equal(
			test_sql(&t, "SELECT count(*) FROM classification WHERE planted = 1"), n_planted);
		assert_int_equal(test_sql(&t, "SELECT sum(n_planted) FROM gold"), n_planted);
		test_project_close(&t);
	}
}

static const char always[] = "{\"plant_first\": 0.5, \"plant_rate\": 0.5}";

/* The next planted subject for volunteer v; answers class 2 to whatever else comes. */
static int64_t planted_for(int v, int64_t *nth)
{
	for (int64_t subject; (subject = next(v, 10)) > 0;) {
		if (is_gold(subject))
			return subject;
		answer(subject, v, 2, ++*nth);
	}
	fail_msg("nothing was planted");
	return 0;
}

static void an_answer_teaches_and_never_counts(void **state)
{
	(void)state;
	static const struct {
		const char *purpose;
		int class;
		int n_credited; /* answers to gold that have taught */
		bool told;
	} rows[] = {
		{"certify", 2, 0, false},
		{"probe", 2, 1, false},
		{"probe", 1, 1, false},
		{"probe", -1, 0, false},
		{"train-people", 2, 1, true},
		{"train-people", 1, 1, true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t nth = 0;
		test_project_open(&t, 4, 1, 100, always);
		make_gold(5, rows[i].purpose);
		int64_t gold = planted_for(0, &nth);
		assert_int_equal(next(0, 11), gold); /* held: the same again */
		struct classification_result result = answer(gold, 0, rows[i].class, ++nth);
		/* It looks as any other answer, */
		assert_true(result.counted && !result.replay);
		assert_int_equal(result.truth.taxa[0], rows[i].told ? t.taxa[1] : 0);
		result = answer(gold, 0, rows[i].class, nth);
		assert_true(result.counted && result.replay);
		assert_int_equal(result.truth.taxa[0], rows[i].told ? t.taxa[1] : 0); /* told again */
		/* the expert's label stands as it was, */
		assert_int_equal(
			test_sql(&t, "SELECT label_id FROM subject WHERE id = %d", (int)gold), t.taxa[1]);
		assert_string_equal(test_text(&t, "by", gold), "expert");
		assert_int_equal(test_sql(&t, "SELECT n_answers FROM subject WHERE id = %d", (int)gold), 0);
		/* and skill has learnt from the truth, where the purpose is to teach. */
		assert_int_equal(test_sql(&t,
							 "SELECT count(*) FROM classification WHERE subject_id = %d AND "
							 "credited = 1 AND planted = 1 AND counted = 0",
							 (int)gold),
			rows[i].n_credited);
		if (rows[i].n_credited)
			assert_true((test_real(&t, "SELECT lambda FROM skill WHERE volunteer_id = %d",
							 (int)t.volunteers[0]) > 0) == (rows[i].class == 2));
		test_project_close(&t);
	}
}

static void nobody_meets_the_same_twice_nor_people(void **state)
{
	(void)state;
	int64_t nth = 0, seen[3];
	test_project_open(&t, 4, 1, 400, always);
	make_gold(4, "probe");
	test_sql(&t, "UPDATE taxon SET kind = 'human' WHERE id = %d", (int)t.taxa[3]);
	test_sql(&t, "UPDATE gold SET taxon_id = %d WHERE subject_id = %d", (int)t.taxa[3],
		(int)t.first_subject + 3);
	/* Nor a blank or a species that nobody has met, where a person is on the photograph too. */
	test_sql(&t,
		"INSERT INTO gold (subject_id, project_id, purpose, taxon_id, drawn_ms, labelled_ms, "
		"plant_u) "
		"VALUES (%d, 1, 'probe', %d, 1, 1, 0), (%d, 1, 'probe', %d, 1, 1, 0); INSERT INTO "
		"label_also "
		"VALUES (%d, %d), (%d, %d)",
		(int)t.first_subject + 4, (int)t.taxa[2], (int)t.first_subject + 5, (int)t.taxa[0],
		(int)t.first_subject + 4, (int)t.taxa[3], (int)t.first_subject + 5, (int)t.taxa[3]);
	test_sql(&t, "UPDATE subject SET state = 'retired', reason = 'expert' WHERE id IN (%d, %d)",
		(int)t.first_subject + 4, (int)t.first_subject + 5);
	for (int i = 0; i < 3; i++) {
		seen[i] = planted_for(0, &nth);
		assert_true(seen[i] < t.first_subject + 3);
		for (int j = 0; j < i; j++)
			assert_true(seen[i] != seen[j]);
		answer(seen[i], 0, 1, ++nth);
	}
	for (int i = 0; i < 40; i++) {
		int64_t subject = next(0, 20);
		assert_false(is_gold(subject));
		answer(subject, 0, 2, ++nth);
	}
	test_project_close(&t);
}

static void three_answers_before_the_next(void **state)
{
	(void)state;
	int64_t nth = 0;
	test_project_open(&t, 4, 1, 400, always);
	make_gold(5, "probe");
	int64_t first = planted_for(0, &nth);
	answer(first, 0, 1, ++nth);
	for (int v = 1; v < 3; v++) {
		assert_int_equal(planted_for(v, &nth), first);
		answer(first, v, 1, ++nth);
	}
	assert_true(planted_for(3, &nth) != first);
	test_project_close(&t);
}

static void taken_back_it_teaches_once(void **state)
{
	(void)state;
	struct err err = {0};
	uint8_t uuid[16], of[16];
	struct classification_undone undone;
	struct task_list list;
	int64_t nth = 0;
	test_project_open(&t, 4, 1, 100, always);
	make_gold(5, "train-people");
	int64_t gold = planted_for(0, &nth);
	answer(gold, 0, 2, ++nth);
	double lambda = test_real(
		&t, "SELECT lambda FROM skill WHERE volunteer_id = %d", (int)t.volunteers[0]);
	test_uuid(nth, of);
	test_uuid(1 << 20, uuid);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(
		classification_undo(t.db, uuid, of, t.volunteers[0], 1000000000, &undone, &err), OK);
	assert_true(undone.planted && undone.subject_id == gold);
	assert_int_equal(task_again(t.db, t.volunteers[0], &undone, 1000000001, &list, &err), OK);
	assert_int_equal(list.n, 1);
	task_list_release(&list);
	assert_int_equal(db_commit(t.db, &err), OK);
	assert_string_equal(test_text(&t, "state", gold), "retired");
	answer(gold, 0, 1, ++nth);
	assert_true(test_real(&t, "SELECT lambda FROM skill WHERE volunteer_id = %d",
					(int)t.volunteers[0]) == lambda);
	assert_int_equal(
		test_sql(&t, "SELECT n_planted FROM gold WHERE subject_id = %d", (int)gold), 1);
	test_project_close(&t);
}

/* 60 gold blanks, 60 of class 1 and 4 of each rare one, met by 24 people; what is wanted holds for nine in ten draws by far. */
static void blanks_and_rare_classes_come_more_often_than_they_are(void **state)
{
	(void)state;
	static const struct {
		const char *policy;
		int low[3], high[3]; /* per cent that are blank, of class 1, of the two rare ones */
	} rows[] = {
		/* As drawn: the order alone decides. */
		{"{\"plant_first\": 0.5, \"plant_rate\": 0.5, \"plant_blank\": 0, \"plant_rare\": 0}",
			{20, 20, 0}, {75, 75, 20}},
		{"{\"plant_first\": 0.5, \"plant_rate\": 0.5, \"plant_blank\": 0.5, \"plant_rare\": 0.5}",
			{30, 5, 20}, {70, 40, 45}},
		{"{\"plant_first\": 0.5, \"plant_rate\": 0.5, \"plant_blank\": 0, \"plant_rare\": 0.5}",
			{5, 15, 22}, {55, 70, 55}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int n[3] = {0}, n_all = 0;
		int64_t nth = 0;
		test_project_open(&t, 4, 1, 500, rows[i].policy);
		make_gold(128, "certify");
		for (int z = 0; z < 4; z++)
			test_sql(&t, "UPDATE gold SET taxon_id = %d WHERE subject_id BETWEEN %d AND %d",
				(int)t.taxa[z],
				(int)t.first_subject +
					(z == 0          ? 0
							: z == 1 ? 60
							: z == 2 ? 120
									 : 124),
				(int)t.first_subject +
					(z == 0          ? 59
							: z == 1 ? 119
							: z == 2 ? 123
									 : 127));
		for (int v = 0; v < 24; v++)
			for (int k = 0; k < 12; k++) {
				int64_t subject = next(v, 10);
				if (is_gold(subject)) {
					int64_t at = subject - t.first_subject;
					n[at < 60 ? 0 : at < 120 ? 1 : 2]++;
					n_all++;
				}
				answer(subject, v, 1 + (v + k) % 3, ++nth);
			}
		print_message("blank %d, common %d, rare %d of %d\n", n[0], n[1], n[2], n_all);
		assert_true(n_all > 90);
		for (int j = 0; j < 3; j++)
			if (100 * n[j] < rows[i].low[j] * n_all || 100 * n[j] > rows[i].high[j] * n_all)
				fail_msg("row %zu: %d, %d, %d of %d", i, n[0], n[1], n[2], n_all);
		test_project_close(&t);
	}
}

/* What the model takes for 0, 1, 2 and 3 is 40, 30, 6 and 2 of 78 subjects; 22 more nobody has looked at. */
static void a_draw_by_class_takes_rare_ones_first(void **state)
{
	(void)state;
	struct err err = {0};
	static const int n_of[4] = {40, 30, 6, 2};
	test_project_open(&t, 4, 1, 100, NULL);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(gold_draw_by_class(t.db, t.id, "probe", 30, true, 1, 5, &err), CONFLICT);
	assert_int_equal(gold_draw_by_class(t.db, t.id, "certify", 30, true, 1, 5, &err), BAD_INPUT);
	assert_int_equal(gold_draw_by_class(t.db, t.id, "probe", 101, true, 1, 5, &err), CONFLICT);
	db_rollback(t.db);
	test_model(&t, 4);
	test_sql(&t, "UPDATE model SET w0 = 0, w1 = 1");
	for (int z = 0, at = 0; z < 4; z++)
		for (int i = 0; i < n_of[z]; i++)
			test_predict(&t, t.first_subject + at++, z, 0.9, 1);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(gold_draw_by_class(t.db, t.id, "probe", 32, true, 1, 5, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	/* 2 and 6 are all there are; the other three piles share 24: 8 of 22, of 30 and of 40. */
	static const struct {
		int from, to, n;
		double p;
	} rows[] = {
		{0, 39, 8, .2}, {40, 69, 8, 8 / 30.}, {70, 75, 6, 1}, {76, 77, 2, 1}, {78, 99, 8, 8 / 22.}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int from = (int)t.first_subject + rows[i].from, to = (int)t.first_subject + rows[i].to;
		assert_int_equal(
			test_sql(&t, "SELECT count(*) FROM gold WHERE subject_id BETWEEN %d AND %d", from, to),
			rows[i].n);
		assert_true(
			test_real(&t,
				"SELECT max(abs(p_draw - %.12f)) FROM gold WHERE subject_id BETWEEN %d AND %d",
				rows[i].p, from, to) < 1e-9);
	}
	test_project_close(&t);
}

/* Gold comes only in the place of a task that there is. */
static void a_project_ends(void **state)
{
	(void)state;
	int64_t nth = 0, subject;
	int n = 0;
	test_project_open(&t, 4, 1, 10, always);
	make_gold(5, "probe");
	while ((subject = next(0, 10)) > 0) {
		answer(subject, 0, 1, ++nth);
		n++;
	}
	assert_true(n >= 5 && n <= 10);
	test_project_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fifth_of_the_first_twenty_and_less_later),
		cmocka_unit_test(an_answer_teaches_and_never_counts),
		cmocka_unit_test(nobody_meets_the_same_twice_nor_people),
		cmocka_unit_test(three_answers_before_the_next),
		cmocka_unit_test(taken_back_it_teaches_once),
		cmocka_unit_test(blanks_and_rare_classes_come_more_often_than_they_are),
		cmocka_unit_test(a_draw_by_class_takes_rare_ones_first),
		cmocka_unit_test(a_project_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
