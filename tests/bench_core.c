/*
 * CPU time of what a volunteer waits for, without the commit: bench_core [SUBJECTS]. A project of that many subjects
 * (200,000) with five stored answers each, half of the subjects open; prints microseconds a call.
 */
#include "classification.h"
#include "support_project.h"
#include "task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { K = 12, ANSWERS_EACH = 5, CALLS = 2000, CROWD = 1000 };

static int n_subjects = 200000;

static double cpu_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Everybody has answered 1,000 of the subjects; skills with a few cells for every answer they give. */
static void fill(struct test_project *t)
{
	test_sql(t,
		"WITH RECURSIVE n(i) AS (SELECT 65 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
		"INSERT INTO volunteer (created_ms) SELECT 0 FROM n",
		CROWD);
	test_sql(t,
		"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d - 1) "
		"INSERT INTO classification (uuid, project_id, subject_id, volunteer_id, answer, counted, "
		"expert, blind,"
		" credited, policy_id, created_ms) SELECT CAST(printf('b%%015d', i) AS BLOB), 1, %lld + i "
		"/ %d,"
		" 1 + (i / %d + i %% %d * 197) %% %d, 'taxa', 1, 0, 0, 0, 1, i FROM n",
		n_subjects * ANSWERS_EACH, (long long)t->first_subject, ANSWERS_EACH, ANSWERS_EACH,
		ANSWERS_EACH, CROWD);
	test_sql(t,
		"INSERT INTO annotation (classification_id, taxon_id) SELECT id, 1 + id %% %d FROM "
		"classification",
		K);
	test_sql(t,
		"INSERT INTO skill (project_id, volunteer_id, lambda, prec, n_credited) SELECT 1, id, 0.1, "
		"5, 1000 FROM volunteer");
	test_sql(t,
		"INSERT INTO skill_cell (project_id, volunteer_id, truth_id, answer_id, weight) SELECT 1, "
		"v.id, z.id, a.id, 2.5 FROM volunteer v, taxon z, taxon a "
		"WHERE abs(z.id - a.id) < 4");
	test_sql(t,
		"UPDATE subject SET n_answers = %d, priority = (id * 7919 %% 100003) / 100003.0, "
		"state = CASE WHEN id %% 2 THEN 'open' ELSE 'retired' END, "
		"label_id = CASE WHEN id %% 2 THEN NULL ELSE 1 END, decided_by = CASE WHEN id %% 2 THEN "
		"NULL ELSE 'people' END",
		ANSWERS_EACH);
}

static void ask_and_answer(struct test_project *t)
{
	struct err err = {0};
	double task_us = 0, answer_us = 0, worst = 0;
	if (db_begin(t->db, &err) != OK)
		fail_msg("%s", err.text);
	for (int i = 0; i < CALLS; i++) {
		struct task_list list;
		struct classification_result result;
		struct classification c = {.project_id = t->id,
			.volunteer_id = 1 + i * 37 % CROWD,
			.answer = ANSWER_TAXA,
			.taxon_id = t->taxa[i % K]};
		test_uuid(i + 1, c.uuid);
		double start = cpu_us();
		if (task_next(t->db, t->id, c.volunteer_id, false, 3, 1000, &list, &err) != OK ||
			list.n == 0)
			fail_msg("%d: %s", list.n, err.text);
		double asked = cpu_us();
		c.subject_id = list.tasks[0].subject_id;
		if (classification_add(t->db, &c, 1001, &result, &err) != OK)
			fail_msg("%s", err.text);
		double answered = cpu_us();
		task_us += asked - start;
		answer_us += answered - asked;
		worst = answered - asked > worst ? answered - asked : worst;
		task_list_release(&list);
	}
	db_rollback(t->db);
	printf("%d subjects, %d answers, %d taxa: task_next %.0f us, classification_add %.0f us (worst "
		   "%.0f)\n",
		n_subjects, n_subjects * ANSWERS_EACH, K, task_us / CALLS, answer_us / CALLS, worst);
}

int main(int argc, char **argv)
{
	struct test_project t;
	if (argc > 1)
		n_subjects = (int)strtol(argv[1], NULL, 10);
	test_project_open(&t, K, 10, n_subjects, NULL);
	fill(&t);
	ask_and_answer(&t);
	test_project_close(&t);
	return 0;
}
