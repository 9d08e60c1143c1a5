/* labels: unit sql; timeout: 60 */
/* What a new policy would do is told by a copy, comes true when it is set, and touches nothing before. */
#include "policy_change.h"
#include "prediction.h"
#include "support_project.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct test_project t;

static struct policy policy_with(const char *rules)
{
	struct err err = {0};
	struct policy policy;
	json_t *object = json_loads(rules, 0, NULL);
	assert_int_equal(policy_get(t.db, t.id, &policy, &err), OK);
	assert_int_equal(policy_parse(object, policy, &policy, &err), OK);
	json_decref(object);
	return policy;
}

static void preview(const char *rules, struct policy_preview *out)
{
	struct err err = {0};
	struct db *copy = NULL;
	char dir[] = "/tmp/topi-test-preview.XXXXXX", command[100], file[100];
	struct policy policy = policy_with(rules);
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/topi.db", dir);
	assert_int_equal(db_backup(t.db, file, &err), OK);
	assert_int_equal(db_open(dir, DB_WRITE, &copy, &err), OK);
	assert_int_equal(policy_preview(copy, t.id, &policy, 100, out, &err), OK);
	db_close(copy);
	snprintf(command, sizeof command, "rm -r %s", dir);
	FILE *rm = popen(command, "r");
	assert_int_equal(pclose(rm), 0);
}

/* Four subjects: nobody's, three that agree, two that agree, three of three minds. */
static void begin(const char *rules)
{
	test_project_open(&t, 4, 1, 4, rules);
	for (int v = 0; v < 3; v++) {
		test_must_answer(&t, t.first_subject + 1, v, 1, 10);
		test_must_answer(&t, t.first_subject + 3, v, 1 + v, 10);
	}
	for (int v = 0; v < 2; v++)
		test_must_answer(&t, t.first_subject + 2, v, 2, 10);
}

static void each_row_is_what_comes_of_it(void **state)
{
	(void)state;
	static const struct {
		const char *rules;
		int n_open, n_expert, n_people;
	} rows[] = {
		{"{}", 4, 0, 0},
		{"{\"tau\": 0.034}", 3, 0, 1},
		{"{\"tau\": 0.1, \"min_answers\": 2}", 2, 0, 2},
		{"{\"cap\": 3}", 1, 3, 0},
		{"{\"tau\": 0.1, \"min_answers\": 2, \"cap\": 3}", 1, 1, 2},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct policy_preview result;
		struct err err = {0};
		struct policy policy;
		int n = 1;
		begin("{\"tau\": 0.001, \"cap\": 1000}");
		int64_t n_events = test_sql(&t, "SELECT count(*) FROM label_event");
		preview(rows[i].rules, &result);
		assert_int_equal(result.n[OUTCOME_OPEN][OUTCOME_OPEN], rows[i].n_open);
		assert_int_equal(result.n[OUTCOME_OPEN][OUTCOME_IN_EXPERT_QUEUE], rows[i].n_expert);
		assert_int_equal(result.n[OUTCOME_OPEN][OUTCOME_BY_PEOPLE], rows[i].n_people);
		assert_int_equal(result.n_relabelled, 0);
		/* Nothing has happened here, */
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM subject WHERE state = 'open'"), 4);
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM label_event"), n_events);
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM policy"), 1);
		/* and what was told comes true. */
		policy = policy_with(rows[i].rules);
		assert_int_equal(db_begin(t.db, &err), OK);
		assert_int_equal(policy_change(t.db, t.id, &policy, 100, &err), OK);
		while (n > 0)
			assert_int_equal(prediction_sweep(t.db, 100, 100, &n, &err), OK);
		assert_int_equal(db_commit(t.db, &err), OK);
		assert_int_equal(policy.version, 2);
		assert_int_equal(
			test_sql(&t, "SELECT count(*) FROM subject WHERE state = 'open'"), rows[i].n_open);
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'people'"),
			rows[i].n_people);
		test_project_close(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_what_comes_of_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
