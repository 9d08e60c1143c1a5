/* labels: unit sql; timeout: 240 */
/* Drift: a test that may be read after every answer, what feeds it, and what an alarm does. */
#include "drift.h"
#include "rng.h"
#include "support_strata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

/* p_agree .8: a difference is worth 1 + lambda .8, an agreement 1 - lambda .2, for lambda .25, .5 and 1. */
static void what_an_answer_is_worth(void **state)
{
	(void)state;
	struct drift_bets bets = {{0}};
	assert_true(fabs(drift_bet(&bets, true, .8) - log((1.2 + 1.4 + 1.8) / 3)) < 1e-12);
	assert_true(
		fabs(drift_bet(&bets, false, .8) - log((1.2 * .95 + 1.4 * .9 + 1.8 * .8) / 3)) < 1e-12);
	/* What could not differ and does is worth at most twice; what had to differ costs all of the boldest bet at most. */
	bets = (struct drift_bets){{0}};
	assert_true(fabs(drift_bet(&bets, true, 1) - log((1.25 + 1.5 + 2) / 3)) < 1e-12);
	bets = (struct drift_bets){{0}};
	assert_true(fabs(drift_bet(&bets, false, 0) - log((.75 + .5) / 3)) < 1e-12);
}

/* Answers until the alarm in one deployment, 0: none in n. people agree with probability p_agree - less. */
static int run(struct rng *r, double less, int n, double delta)
{
	struct drift_bets bets = {{0}};
	for (int i = 1; i <= n; i++) {
		double agree = .87 * (.5 + .48 * (double)rng_unit(r));
		if (drift_bet(&bets, (double)rng_unit(r) >= agree - less, agree) >= -log(delta))
			return i;
	}
	return 0;
}

/* 3,000 deployments of 2,000 answers where all is as promised, and where a fifth more differ. */
static void false_alarms_are_as_rare_as_promised(void **state)
{
	(void)state;
	enum { PLACES = 3000 };
	int n_false = 0, n_true = 0, n_answers = 0;
	for (int i = 0; i < PLACES; i++) {
		struct rng r = rng_at(5, 2, (uint64_t)i);
		n_false += run(&r, 0, 2000, .01) > 0;
		int n = run(&r, .2, 300, .01);
		n_true += n > 0;
		n_answers += n;
	}
	print_message("false alarms %d of %d; found %d, after %.0f answers\n", n_false, PLACES, n_true,
		n_answers / (double)n_true);
	assert_true(n_false <= 47); /* 30 and three standard deviations */
	assert_true(n_false > 2);   /* a test that never rings is none */
	assert_true(n_true > PLACES * .9);
	assert_true(n_answers < 120 * n_true);
}

static struct test_project *const t = &strata_world;

static void the_first_routine_answer_is_compared(void **state)
{
	(void)state;
	test_project_open(t, 4, 2, 40, "{\"cap\": 2}");
	test_model(t, 4);
	test_sql(t, "UPDATE model SET w0 = 0, w1 = 1");
	for (int i = 0; i < 40; i++)
		test_predict(t, t->first_subject + i, 1, 0.9, 1);
	int64_t s = t->first_subject; /* even: deployment 1 */
	test_must_answer(t, s, 0, 1, 10);
	test_must_answer(t, s + 2, 2, 2, 10);
	test_must_answer(t, s + 2, 1, 2, 10);  /* the second answer */
	test_must_answer(t, s + 4, 0, -1, 10); /* can't tell */
	test_must_answer(t, s + 4, 1, 2, 10);
	test_sql(t, "UPDATE subject SET blind = 1 WHERE id = %d", (int)s + 6);
	test_must_answer(t, s + 6, 0, 2, 10); /* an audit */
	assert_int_equal(test_sql(t, "SELECT n FROM drift WHERE deployment_id = 1"), 2);
	assert_int_equal(test_sql(t, "SELECT n_differ FROM drift WHERE deployment_id = 1"), 1);
	/* p .9 times the accuracy of .8 that everybody has before anything is known. */
	assert_true(fabs(test_real(t, "SELECT n_expected FROM drift") - 2 * (1 - .9 * .8)) < 1e-6);
	/* Where all say 2, W after n is the mean of 1.18^n, 1.36^n and 1.72^n: 84 after ten, 142 after eleven; 100 rings. */
	for (int i = 1; i < 40; i += 2)
		test_must_answer(t, s + i, 3 + i, 2, 20 + i); /* people of whom nothing is known */
	int64_t at = test_sql(t, "SELECT alarm_ms FROM drift WHERE deployment_id = 2");
	assert_int_equal(at, 20 + 21);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM drift WHERE alarm_ms IS NULL"), 1);
	test_project_close(t);
}

/* What was labelled there before is drawn at the higher rate, what comes after too; elsewhere nothing changes. */
static void an_alarm_audits_more_there(void **state)
{
	(void)state;
	const char *drawn =
		"SELECT count(*) FROM audit a JOIN subject s ON s.id = a.subject_id JOIN deployment d ON "
		"d.id = s.deployment_id WHERE a.kind = 'audit' AND d.name %s 'D2'";
	strata_open("{\"auto_blank\": false}", NULL);
	strata_activate(10);
	int64_t n_there = test_sql(t,
		"SELECT count(*) FROM subject s JOIN deployment d ON d.id = "
		"s.deployment_id WHERE s.decided_by = 'model' AND d.name = 'D2'");
	int64_t n_before = test_sql(t, drawn, "="), n_else = test_sql(t, drawn, "<>");
	assert_true(n_there > 60 && n_before < 8);
	test_sql(t,
		"INSERT INTO drift (model_id, deployment_id, n, n_differ, n_expected, log_w1, log_w2, "
		"log_w3, "
		"alarm_ms) SELECT 1, id, 9, 9, 1, 1, 1, 9, 11 FROM deployment WHERE name = 'D2'");
	test_sql(t, "UPDATE project SET sweep_id = 0");
	strata_sweep(12);
	int64_t n_after = test_sql(t, drawn, "=");
	assert_true((double)n_after > .1 * (double)n_there && (double)n_after < .35 * (double)n_there);
	assert_int_equal(test_sql(t, drawn, "<>"), n_else);
	assert_int_equal(test_sql(t,
						 "SELECT count(*) FROM audit a JOIN subject s ON s.id = a.subject_id "
						 "WHERE a.kind = 'audit' AND s.audit_u >= a.p_draw"),
		0);
	strata_sweep(13);
	assert_int_equal(test_sql(t, drawn, "="), n_after);
	test_project_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_answer_is_worth),
		cmocka_unit_test(false_alarms_are_as_rare_as_promised),
		cmocka_unit_test(the_first_routine_answer_is_compared),
		cmocka_unit_test(an_alarm_audits_more_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
