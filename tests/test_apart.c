/* labels: unit sql; timeout: 120 */
/* No two bursts of one camera in a row while others wait: of the queue, of planted gold, of blanks. */
#include "gold.h"
#include "project.h"
#include "support_project.h"
#include "task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 600, CAMERAS = 6, TASKS = 60 };

static struct test_project t;

/* As an import leaves them: a camera after the other, all of one priority. */
static void one_camera_after_another(int n, int n_cameras)
{
	test_sql(&t, "UPDATE subject SET deployment_id = 1 + (id - %d) / %d", (int)t.first_subject,
		n / n_cameras);
}

static int camera(int64_t subject)
{
	return (int)test_sql(&t, "SELECT deployment_id FROM subject WHERE id = %d", (int)subject);
}

/* Every hundredth subject from `first` on becomes gold of class `class`; each camera has one of them or more. */
static void make_gold(int first, int step, int class)
{
	struct err err = {0};
	struct project p = {0};
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	for (int i = first; i < N; i += step)
		assert_int_equal(
			gold_label(t.db, &p, t.first_subject + i, p.taxa[class].code, "probe", 1, &err), OK);
	project_release(&p);
	assert_int_equal(db_commit(t.db, &err), OK);
}

struct shown {
	int n, n_in_a_row; /* tasks, and those of the camera of the one before */
	int n_planted;
	long n_steps; /* of SQL, the most for one task of a call */
};

/* What volunteer 0 is shown when asking for n_wanted at a time and answering them in order. */
static struct shown show(int n_tasks, int n_wanted)
{
	struct err err = {0};
	struct shown shown = {0};
	int last = 0;
	for (int64_t now = 1; shown.n < n_tasks; now++) {
		struct task_list list;
		const long before = db_n_steps();
		assert_int_equal(db_begin(t.db, &err), OK);
		if (task_next(t.db, t.id, t.volunteers[0], false, n_wanted, now, &list, &err) != OK)
			fail_msg("%s", err.text);
		assert_int_equal(db_commit(t.db, &err), OK);
		const long n_steps = db_n_steps() - before;
		shown.n_steps = n_steps > shown.n_steps ? n_steps : shown.n_steps;
		for (int i = 0; i < list.n; i++) {
			const int64_t subject = list.tasks[i].subject_id;
			const int here = camera(subject);
			shown.n++;
			shown.n_in_a_row += here == last;
			shown.n_planted += test_sql(&t,
								   "SELECT planted FROM task WHERE subject_id = %d AND "
								   "volunteer_id = %d",
								   (int)subject, (int)t.volunteers[0]) == 1;
			last = here;
			test_must_answer(&t, subject, 0, (int)(subject % 3), now);
		}
		const int n = list.n;
		task_list_release(&list);
		if (n == 0)
			break;
	}
	return shown;
}

static void sixty_tasks_of_six_cameras(void **state)
{
	(void)state;
	static const struct {
		const char *what, *policy;
		int n_wanted;
		bool gold;
	} rows[] = {
		{"one by one", "{\"plant_first\": 0, \"plant_rate\": 0, \"blank_share\": 0}", 1, false},
		{"by three", "{\"plant_first\": 0, \"plant_rate\": 0, \"blank_share\": 0}", 3, false},
		{"by ten", "{\"plant_first\": 0, \"plant_rate\": 0, \"blank_share\": 0}", 10, false},
		{"with gold", "{\"plant_first\": 0.5, \"plant_rate\": 0.5, \"blank_share\": 0}", 1, true},
		{"with gold, by ten", "{\"plant_first\": 0.5, \"plant_rate\": 0.5, \"blank_share\": 0}", 10,
			true},
		{"with blanks", "{\"plant_first\": 0.3, \"plant_rate\": 0.3, \"blank_share\": 0.5}", 3,
			true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		test_project_open(&t, 4, CAMERAS, N, rows[i].policy);
		one_camera_after_another(N, CAMERAS);
		if (rows[i].gold)
			make_gold(7, 10, 1);
		test_model(&t, 4);
		test_sql(&t, "UPDATE subject SET guess_id = %d WHERE id %% 5 = 0 AND state = 'open'",
			(int)t.taxa[0]);
		struct shown shown = show(TASKS, rows[i].n_wanted);
		print_message("%s: %d shown, %d planted, %d in a row, at most %ld steps a call\n",
			rows[i].what, shown.n, shown.n_planted, shown.n_in_a_row, shown.n_steps);
		assert_int_equal(shown.n, TASKS);
		assert_int_equal(shown.n_in_a_row, 0);
		assert_true(rows[i].gold ? shown.n_planted > 5 : shown.n_planted == 0);
		test_project_close(&t);
	}
}

/* Also when all of a camera is before all of another in the queue, far more than a search reads. */
static void another_camera_is_found_however_deep(void **state)
{
	(void)state;
	enum { DEEP = 3000, ROWS_A_CALL = 450, REST = 100 };
	test_project_open(
		&t, 4, 2, DEEP, "{\"plant_first\": 0, \"plant_rate\": 0, \"blank_share\": 0}");
	one_camera_after_another(DEEP, 2);
	test_sql(&t, "UPDATE subject SET priority = 1 - id / 10000.0");
	struct shown shown = show(40, 1);
	assert_int_equal(shown.n_in_a_row, 0);
	assert_true(shown.n_steps <= 2 * ROWS_A_CALL + REST);
	test_project_close(&t);
}

/* Nothing is held back for it: where one camera is all there is, or all that is left, it is given. */
static void the_last_camera_is_given(void **state)
{
	(void)state;
	static const int cameras[] = {1, 2};
	for (int i = 0; i < 2; i++) {
		test_project_open(&t, 4, 2, 40, "{\"plant_first\": 0, \"plant_rate\": 0, \"cap\": 1}");
		test_sql(&t, "UPDATE subject SET deployment_id = CASE WHEN id < %d THEN 2 ELSE 1 END",
			(int)t.first_subject + (cameras[i] == 1 ? 0 : 5));
		struct shown shown = show(100, 3);
		assert_int_equal(shown.n, 40);
		if (cameras[i] == 2)
			assert_int_equal(shown.n_in_a_row, 40 - 10);
		test_project_close(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sixty_tasks_of_six_cameras),
		cmocka_unit_test(another_camera_is_found_however_deep),
		cmocka_unit_test(the_last_camera_is_given)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
