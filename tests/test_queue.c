/* labels: unit sql; timeout: 120 */
/* The queue for somebody who has answered what stands at its head: where a search goes on, and what it does not miss. */
#include "support_project.h"
#include "task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 400, ANSWERED = 300, MINUTE = 60000 };

static struct test_project t;

/* The place in the queue (0: its head) of the task that volunteer 0 is given; -1: none. It is given up at once. */
static int next(int64_t now)
{
	struct err err = {0};
	struct task_list list;
	assert_int_equal(db_begin(t.db, &err), OK);
	if (task_next(t.db, t.id, t.volunteers[0], false, 1, now, &list, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(db_commit(t.db, &err), OK);
	int place = list.n ? (int)(list.tasks[0].subject_id - t.first_subject) : -1;
	task_list_release(&list);
	test_sql(&t, "DELETE FROM task");
	return place;
}

static void answer(int from, int to)
{
	test_sql(&t,
		"INSERT INTO classification (uuid, project_id, subject_id, volunteer_id, answer, counted, "
		"expert, blind, policy_id, "
		"created_ms) SELECT CAST(printf('%%016d', id) AS BLOB), 1, id, %d, 'taxa', 1, 0, 0, 1, 0 "
		"FROM subject WHERE id >= %d "
		"AND id < %d",
		(int)t.volunteers[0], (int)t.first_subject + from, (int)t.first_subject + to);
}

static void take_back(int place)
{
	test_sql(&t, "DELETE FROM classification WHERE subject_id = %d", (int)t.first_subject + place);
}

static int cursor(void)
{
	return (int)test_sql(&t, "SELECT subject_id FROM task_cursor") - (int)t.first_subject;
}

static void it_goes_on_from_where_it_came_to(void **state)
{
	(void)state;
	test_project_open(&t, 4, 1, N, "{\"plant_first\": 0, \"plant_rate\": 0}");
	test_sql(&t, "UPDATE subject SET priority = 1 - id / 1000.0");
	assert_int_equal(next(MINUTE), 0);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM task_cursor"), 0);
	answer(0, ANSWERED);
	assert_int_equal(next(MINUTE), ANSWERED); /* by a leap, */
	assert_int_equal(cursor(), 149);
	assert_int_equal(next(MINUTE), ANSWERED);
	assert_int_equal(cursor(), 249);
	assert_int_equal(next(MINUTE), ANSWERED); /* and by walking there */
	assert_int_equal(cursor(), ANSWERED - 1);
	/* What is free again at the head is found at once; what lies deep, once the place is forgotten. */
	take_back(10);
	assert_int_equal(next(2 * MINUTE), 10);
	answer(10, 11);
	take_back(120);
	assert_int_equal(next(3 * MINUTE), ANSWERED);
	assert_int_equal(next(7 * MINUTE), 120);
	answer(120, 121);
	/* Or once nothing is left below. */
	assert_int_equal(next(8 * MINUTE), ANSWERED);
	answer(ANSWERED, N);
	take_back(250);
	assert_int_equal(next(9 * MINUTE), 250);
	answer(250, 251);
	assert_int_equal(next(9 * MINUTE), -1);
	test_project_close(&t);
}

/* However many the volunteer has answered, and however they lie: a bounded number of rows, and in the end the highest one. */
static void a_search_is_bounded(void **state)
{
	(void)state;
	enum { LONG = 4000, RUN = 3000, FREE = 2000, ROWS_A_CALL = 50 + 100 + 14 * 10, REST = 100 };
	static const struct {
		const char *what, *priority;
		int last; /* subjects from here on are answered too */
	} rows[] = {
		{"even", "1 - id / 10000.0", LONG},
		{"all but one answered below", "1 - id / 10000.0", RUN + 1},
		{"many of one priority", "1 - id / 500 / 100.0", LONG},
		{"over magnitudes", "1.0 / id", LONG},
		{"close together", "0.5 - id / 1e7", LONG},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool found = false;
		test_project_open(&t, 4, 1, LONG, "{\"plant_first\": 0, \"plant_rate\": 0}");
		test_sql(&t, "UPDATE subject SET priority = %s", rows[i].priority);
		answer(0, RUN);
		answer(rows[i].last, LONG);
		take_back(FREE);
		for (int call = 0; call < 2 * RUN / 100 && !found; call++) {
			const long before = db_n_steps();
			const int place = next(MINUTE + call);
			const long n = db_n_steps() - before;
			found = place == FREE;
			if (place != FREE && (place < RUN || place >= rows[i].last))
				fail_msg("%s: call %d gives what was answered, %d", rows[i].what, call, place);
			/* a row is two steps: where it stands, and whether it is free */
			if (rows[i].last == LONG && n > 2 * ROWS_A_CALL + REST)
				fail_msg("%s: call %d took %ld steps", rows[i].what, call, n);
		}
		if (!found)
			fail_msg("%s: the one at %d was never found", rows[i].what, FREE);
		test_project_close(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_goes_on_from_where_it_came_to), cmocka_unit_test(a_search_is_bounded)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
