/* labels: unit sql; timeout: 120 */
/* What is counted beside the subjects: how many there are in each state, and what is likely at a task's camera. */
#include "gold.h"
#include "project.h"
#include "rng.h"
#include "support_project.h"
#include "task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_project t;

static const char no_plants[] = "{\"plant_first\": 0, \"plant_rate\": 0, \"blank_share\": 0}";

/* Subject i is retired with a class; -1: it is open. */
static void label(int i, int class)
{
	if (class < 0)
		test_sql(&t,
			"UPDATE subject SET state = 'open', label_id = NULL, decided_by = NULL, reason = NULL "
			"WHERE id = %d",
			(int)t.first_subject + i);
	else
		test_sql(&t,
			"UPDATE subject SET state = 'retired', label_id = %d, decided_by = 'people', reason = "
			"'risk' WHERE id = %d",
			(int)t.taxa[class], (int)t.first_subject + i);
}

/* The counts as they would be if somebody counted. */
static void check_counts(void)
{
	assert_int_equal(
		test_sql(&t,
			"WITH truth AS (SELECT project_id, state, count(*) AS n FROM subject GROUP BY 1, 2)"
			"SELECT (SELECT count(*) FROM truth JOIN subject_count USING (project_id, state, n)) = "
			"(SELECT count(*) FROM truth) AND (SELECT sum(n) FROM subject_count) = "
			"(SELECT count(*) FROM subject)"),
		1);
	assert_int_equal(
		test_sql(&t,
			"WITH label AS (SELECT id AS subject_id, label_id AS taxon_id FROM subject WHERE "
			"label_id IS NOT NULL UNION ALL SELECT subject_id, taxon_id FROM label_also),"
			"shown AS (SELECT s.project_id, s.deployment_id, l.taxon_id FROM subject s JOIN label "
			"l "
			"ON l.subject_id = s.id WHERE s.state = 'retired' AND s.id NOT IN (SELECT subject_id "
			"FROM gold)),"
			"truth AS (SELECT project_id, deployment_id, taxon_id, count(*) AS n FROM shown GROUP "
			"BY 1, 2, 3 UNION ALL SELECT project_id, 0, taxon_id, count(*) FROM shown GROUP BY 1, "
			"3)"
			"SELECT (SELECT count(*) FROM truth) = (SELECT count(*) FROM likely_count WHERE n <> "
			"0) "
			"AND (SELECT count(*) FROM truth) = (SELECT count(*) FROM truth JOIN likely_count "
			"USING "
			"(project_id, deployment_id, taxon_id, n))"),
		1);
}

static void step(struct rng *rng)
{
	const int i = rng_int(rng, t.n_subjects), id = (int)t.first_subject + i;
	const int class = rng_int(rng, 4), other = (int)t.taxa[(class + 1) % 4];
	switch (rng_int(rng, 7)) {
	case 0:
		label(i, -1); /* and, as a reopening does, its other species go afterwards */
		test_sql(&t, "DELETE FROM label_also WHERE subject_id = %d", id);
		break;
	case 1:
		test_sql(&t, "UPDATE subject SET state = 'expert', reason = 'cap' WHERE id = %d", id);
		break;
	case 2:
		test_sql(&t,
			"INSERT INTO label_also SELECT id, %d FROM subject WHERE id = %d AND label_id IS NOT "
			"NULL ON CONFLICT DO NOTHING",
			other, id);
		break;
	case 3:
		test_sql(&t,
			"INSERT INTO gold (subject_id, project_id, purpose, drawn_ms, plant_u) VALUES (%d, 1, "
			"'probe', 0, 0) ON CONFLICT DO NOTHING",
			id);
		break;
	case 4:
		test_sql(&t, "DELETE FROM gold WHERE subject_id = %d", id);
		break;
	default:
		label(i, class);
		test_sql(&t, "DELETE FROM label_also WHERE subject_id = %d", id);
	}
}

static void counts_are_right_after_a_thousand_transitions(void **state)
{
	(void)state;
	struct rng rng = rng_at(7, 0, 0);
	test_project_open(&t, 4, 3, 40, no_plants);
	check_counts();
	for (int i = 0; i < 1000; i++) {
		step(&rng);
		if (i % 10 == 9)
			check_counts();
	}
	/* New ones, and ones that an import joins to others and deletes. */
	test_sql(&t,
		"INSERT INTO subject (project_id, deployment_id, created_ms) SELECT 1, 1, 0 FROM taxon");
	check_counts();
	test_sql(&t, "DELETE FROM subject WHERE id >= %d AND id NOT IN (SELECT subject_id FROM media)",
		(int)t.first_subject);
	check_counts();
	assert_true(test_sql(&t, "SELECT sum(n) FROM likely_count WHERE deployment_id = 0") > 0);
	test_project_close(&t);
}

/* People's and the expert's answers, as they come. */
static void counts_follow_answers(void **state)
{
	(void)state;
	struct err err = {0};
	test_project_open(&t, 4, 3, 30, "{\"plant_first\": 0, \"plant_rate\": 0, \"min_answers\": 2}");
	for (int i = 0; i < 30; i++)
		for (int v = 0; v < 5; v++) {
			const enum status st = test_answer(
				&t, t.first_subject + i, v, i % 5 == 4 ? (v % 4) - 1 : i % 4, 100, &err);
			assert_true(st == OK);
		}
	assert_true(test_sql(&t, "SELECT n FROM subject_count WHERE state = 'retired'") > 10);
	check_counts();
	const int set[] = {1, 2};
	for (int v = 0; v < 8; v++)
		test_must_answer_set(&t, t.first_subject + 29, 20 + v, set, 2);
	check_counts();
	test_project_close(&t);
}

struct list {
	int n;
	int64_t taxa[TASK_MAX_LIKELY];
	int64_t subject;
};

/* What volunteer v is told to be likely at the task that it is given; the task is taken back. */
static struct list told(int v)
{
	struct err err = {0};
	struct task_list tasks;
	struct list list = {0};
	assert_int_equal(db_begin(t.db, &err), OK);
	if (task_next(t.db, t.id, t.volunteers[v], false, 1, 10, &tasks, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(tasks.n, 1);
	list.n = tasks.tasks[0].n_likely;
	memcpy(list.taxa, tasks.tasks[0].likely, sizeof list.taxa);
	list.subject = tasks.tasks[0].subject_id;
	task_list_release(&tasks);
	db_rollback(t.db);
	return list;
}

/* The same for whoever is given that subject first. */
static struct list told_of(int64_t subject)
{
	for (int v = 0; v < 64; v++) {
		struct list list = told(v);
		if (list.subject == subject)
			return list;
	}
	fail_msg("subject %d is given to nobody", (int)subject);
	return (struct list){0};
}

static void check_same(struct list a, struct list b)
{
	assert_int_equal(a.n, b.n);
	assert_memory_equal(a.taxa, b.taxa, sizeof a.taxa);
}

/* Camera 1 has zebras (class 1), camera 2 the others; ten labels of the project weigh as ten at a camera. */
static void a_cameras_own_come_first(void **state)
{
	(void)state;
	test_project_open(&t, 5, 2, 60, no_plants);
	assert_int_equal(told(0).n, 0); /* nothing is known yet */
	for (int i = 2; i < 42; i += 2)
		label(i, i % 20 == 2 ? 0 : 1); /* camera 1, blanks among them */
	for (int i = 3; i < 43; i += 2)
		label(i, i < 33 ? 2 : 3); /* camera 2 */
	test_sql(&t, "UPDATE subject SET priority = 9 WHERE id = %d", (int)t.first_subject);
	struct list first = told(0);
	assert_int_equal(first.subject, t.first_subject);
	assert_int_equal(first.n, 3); /* not the blank, nor what was never seen */
	assert_int_equal(first.taxa[0], t.taxa[1]);
	assert_int_equal(first.taxa[1], t.taxa[2]);
	assert_int_equal(first.taxa[2], t.taxa[3]);
	test_sql(&t, "UPDATE subject SET priority = 10 WHERE id = %d", (int)t.first_subject + 1);
	struct list second = told(0);
	assert_int_equal(second.subject, t.first_subject + 1);
	assert_int_equal(second.taxa[0], t.taxa[2]);
	test_sql(&t, "UPDATE taxon SET retired_ms = 1 WHERE id = %d", (int)t.taxa[2]);
	assert_int_equal(told(0).n, 2);
	test_project_close(&t);
}

/* Planted gold is told what any subject of its camera is, whatever its truth is and whatever the model says. */
static void ones_own_label_never_moves_it(void **state)
{
	(void)state;
	struct err err = {0};
	struct project p = {0};
	test_project_open(
		&t, 4, 1, 40, "{\"plant_first\": 0.5, \"plant_rate\": 0.5, \"blank_share\": 0}");
	test_model(&t, 4);
	for (int i = 10; i < 14; i++)
		label(i, 1 + i % 3);
	test_sql(&t, "UPDATE subject SET priority = 9 WHERE id = %d", (int)t.first_subject);
	const struct list plain = told_of(t.first_subject);
	assert_int_equal(plain.n, 3);
	for (int class = 1; class < 4; class ++) {
		const int64_t gold = t.first_subject + 20;
		assert_int_equal(db_begin(t.db, &err), OK);
		assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
		assert_int_equal(gold_label(t.db, &p, gold, p.taxa[class].code, "probe", 1, &err), OK);
		assert_int_equal(db_commit(t.db, &err), OK);
		project_release(&p);
		assert_int_equal(
			test_sql(&t, "SELECT label_id FROM subject WHERE id = %d", (int)gold), t.taxa[class]);
		check_same(told_of(gold), plain);
	}
	/* Nor does a prediction of it; nor an auto-label that is audited, while it is. */
	test_sql(&t, "DELETE FROM gold");
	label(20, -1);
	check_same(told_of(t.first_subject), plain);
	test_predict(&t, t.first_subject, 3, 0.9, 5);
	test_sql(&t, "UPDATE subject SET priority = 9 WHERE id = %d", (int)t.first_subject);
	check_same(told_of(t.first_subject), plain);
	test_sql(&t, "UPDATE subject SET label_id = %d, decided_by = 'model', blind = 1 WHERE id = %d",
		(int)t.taxa[3], (int)t.first_subject);
	check_same(told_of(t.first_subject), plain);
	test_project_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_right_after_a_thousand_transitions),
		cmocka_unit_test(counts_follow_answers), cmocka_unit_test(a_cameras_own_come_first),
		cmocka_unit_test(ones_own_label_never_moves_it)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
