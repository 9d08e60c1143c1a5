/* labels: unit sql slow; timeout: 300 */
/* Blanks in the feed: what a dozen simulated volunteers are given, and where it comes from. */
#include "support_strata.h"
#include "task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_project *const t = &strata_world;

enum { VOLUNTEERS = 12 };

struct fed {
	int n, n_blank;
	int n_held; /* given twice in one list */
};

/* Everybody asks for n tasks and answers them by the truth, `rounds` times or until nothing is left. */
static struct fed feed(int rounds, int n_wanted)
{
	struct err err = {0};
	struct fed fed = {0};
	for (int round = 0; round < rounds; round++)
		for (int v = 0; v < VOLUNTEERS; v++) {
			struct task_list list;
			int64_t now = 100 + round;
			assert_int_equal(db_begin(t->db, &err), OK);
			if (task_next(t->db, t->id, t->volunteers[v], false, n_wanted, now, &list, &err) != OK)
				fail_msg("%s", err.text);
			assert_int_equal(db_commit(t->db, &err), OK);
			for (int i = 0; i < list.n; i++) {
				int truth = (int)((list.tasks[i].subject_id - t->first_subject) % 2);
				for (int j = 0; j < i; j++)
					fed.n_held += list.tasks[i].subject_id == list.tasks[j].subject_id;
				fed.n++;
				fed.n_blank += truth == 0;
				test_must_answer(t, list.tasks[i].subject_id, v, truth, now);
			}
			task_list_release(&list);
		}
	return fed;
}

/*
 * Blanks are all labelled by the model, open are animals that it is not sure of: every blank that is given is an audit
 * more. People ask one by one, or for ten at a time.
 */
static void the_share_is_kept_by_audits_of_what_the_model_labelled(void **state)
{
	(void)state;
	static const struct {
		double share;
		int n_wanted;
		double low, high;
	} rows[] = {{.2, 1, .16, .26}, {.2, 10, .16, .26}, {.4, 1, .34, .47}, {0, 1, 0, 0}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char policy[200];
		snprintf(policy, sizeof policy,
			"{\"alpha_blank\": 0.03, \"plant_first\": 0, \"plant_rate\": 0, \"blank_share\": %g, "
			"\"expert_share\": 0, \"kappa\": 0, \"cap\": 12, \"min_answers\": 12}",
			rows[i].share);
		strata_open(policy, NULL);
		strata_activate(10);
		strata_answer_blind(false, 12);
		assert_int_equal(
			test_sql(t, "SELECT count(*) FROM subject WHERE state = 'open' AND guess_id = %d",
				(int)t->taxa[0]),
			0);
		/* The shadow audits were half blank: what people had before must pass out of sight first. */
		feed(rows[i].n_wanted == 1 ? 20 : 2, rows[i].n_wanted);
		int64_t n_audits = test_sql(t, "SELECT count(*) FROM audit");
		int64_t n_before = test_sql(t, "SELECT count(*) FROM classification");
		struct fed fed = feed(rows[i].n_wanted == 1 ? 20 : 2, rows[i].n_wanted);
		double share = fed.n_blank / (double)fed.n;
		print_message("share %g by %d: %.3f of %d, %d audits more\n", rows[i].share,
			rows[i].n_wanted, share, fed.n,
			(int)(test_sql(t, "SELECT count(*) FROM audit") - n_audits));
		assert_int_equal(fed.n, 240);
		assert_int_equal(fed.n_held, 0);
		assert_true(share >= rows[i].low && share <= rows[i].high);
		/* Each is an answer like any other. */
		assert_int_equal(
			test_sql(t, "SELECT count(*) FROM classification WHERE counted = 1"), n_before + fed.n);
		/* All came from the hash's order: no auto-labelled blank has a lower place than one that was drawn. */
		assert_int_equal(
			test_sql(t,
				"SELECT count(*) FROM subject WHERE decided_by = 'model' AND state = 'retired' AND "
				"label_id = %d AND audit_u < (SELECT max(s.audit_u) FROM subject s JOIN audit a ON "
				"a.subject_id = s.id WHERE a.kind = 'audit' AND a.drawn_ms >= 100 AND "
				"a.model_label_id = %d)",
				(int)t->taxa[0], (int)t->taxa[0]),
			0);
		test_project_close(t);
	}
}

/* Without certificates for blanks the undecided ones fill the share, though the queue has them last. */
static void undecided_blanks_come_first(void **state)
{
	(void)state;
	strata_open(
		"{\"auto_blank\": false, \"auto_label\": false, \"plant_first\": 0, \"plant_rate\": "
		"0, \"tau\": 0.001}",
		NULL);
	test_sql(t, "UPDATE subject SET priority = 0 WHERE state = 'open' AND guess_id = %d",
		(int)t->taxa[0]);
	struct fed fed = feed(12, 1);
	double share = fed.n_blank / (double)fed.n;
	print_message("undecided: %.3f of %d\n", share, fed.n);
	assert_true(share > .15 && share < .35);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM audit"), 0);
	test_project_close(t);
}

/* Only in the place of a task that there is: a project ends, with audits that are done. */
static void a_project_ends(void **state)
{
	(void)state;
	strata_open(
		"{\"alpha_blank\": 0.03, \"plant_first\": 0, \"plant_rate\": 0, \"expert_share\": 0}",
		NULL);
	strata_activate(10);
	struct fed fed = feed(60, 4);
	assert_true(fed.n > 0 && feed(1, 4).n == 0);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM subject WHERE state = 'open'"), 0);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM audit WHERE state = 'crowd'"), 0);
	test_project_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_share_is_kept_by_audits_of_what_the_model_labelled),
		cmocka_unit_test(undecided_blanks_come_first),
		cmocka_unit_test(a_project_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
