/* labels: unit; timeout: 20 */
/* The arithmetic of sets and of costs, against values worked out by hand. */
#include "cost.h"
#include "set_mode.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { K = 4 }; /* the first is "nothing here" */

static const double NEAR = 1e-9;

static void assert_near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("%.12g, %.12g is wanted", got, want);
}

static void rates_start_at_their_priors_and_follow_counts(void **state)
{
	(void)state;
	struct set_rates none = set_rates_of((struct set_counts){0});
	assert_near(none.miss, 0.2, NEAR);   /* 20 of 80 + 20 */
	assert_near(none.alarm, 0.01, NEAR); /* 1 of 1 + 99 */
	/* 7 hits, 3 misses: 23 of 110. One alarm, 49 silences: 2 of 150. */
	struct set_rates some = set_rates_of((struct set_counts){7, 3, 1, 49});
	assert_near(some.miss, 23.0 / 110, NEAR);
	assert_near(some.alarm, 2.0 / 150, NEAR);
}

/* rho 2 doubles the odds: .2 is 1 to 4, so 1 to 2, a third; .01 is 1 to 99, so 2 to 99, 2 of 101. */
static void a_careless_volunteer_misses_and_alarms_more(void **state)
{
	(void)state;
	struct set_rates pool = set_rates_of((struct set_counts){0});
	struct set_rates r = set_rates_bend(pool, log(2));
	assert_near(r.miss, 1.0 / 3, NEAR);
	assert_near(r.alarm, 2.0 / 101, NEAR);
	r = set_rates_bend(pool, 0);
	assert_near(r.miss, 0.2, NEAR);
	/* named: log(.8 / .01) = log 80; not named: log(.2 / .99) */
	assert_near(set_evidence(r, true), 4.382026634673881, NEAR);
	assert_near(set_evidence(r, false), -1.5993875765805987, NEAR);
}

/*
 * Three people: {1, 2}, {1, 2}, {1}; priors .2, .2, .1; kappa .3, so d = 1 + 2 * .3 = 1.6.
 *   1: log(.2 / .8) + 3 * 4.382026634673881 / 1.6                        =  6.830005577894  p .998920314892
 *   2: log(.2 / .8) + (2 * 4.382026634673881 - 1.599387576580599) / 1.6  =  3.091621697...  p .956545822283
 *   3: log(.1 / .9) - 3 * 1.599387576580599 / 1.6                        = -5.196076...     p .005507749072
 * risk 1 - .998920314892 * .956545822283 * (1 - .005507749072) = .049749672133
 */
static void three_people_two_species(void **state)
{
	(void)state;
	const double named = log(80), not = log(0.2 / 0.99), prior[K] = {0, 0.2, 0.2, 0.1};
	const double evidence[K] = {0, 3 * named, 2 * named + not, 3 * not };
	double p[K], risk = 0;
	struct err err;
	assert_int_equal(set_decide(prior, evidence, 3, K, 0.3, p, &risk, &err), OK);
	assert_near(p[0], 0, 0);
	assert_near(p[1], 0.998920314892, 1e-11);
	assert_near(p[2], 0.956545822283, 1e-11);
	assert_near(p[3], 0.005507749072, 1e-11);
	assert_near(risk, 0.049749672133, 1e-11);
}

/* A model that is .97 sure of class 1 leaves .01 to class 2, which the project sees in a fifth of its subjects: .2 it stays. */
static void the_model_is_a_prior_that_denies_nothing(void **state)
{
	(void)state;
	const double q[K] = {0.02, 0.97, 0.01, 0}, pi[K] = {0.5, 0.2, 0.2, 0.00001};
	const bool is_species[K] = {false, true, true, true};
	double prior[K];
	set_prior(q, pi, is_species, K, prior);
	assert_near(prior[0], 0, 0);
	assert_near(prior[1], 0.97, NEAR);
	assert_near(prior[2], 0.2, NEAR);
	assert_near(prior[3], 1e-4, NEAR);
	const double sure[K] = {0, 1, 0, 0};
	set_prior(sure, pi, is_species, K, prior);
	assert_near(prior[1], 0.99, NEAR);
}

static void what_makes_no_sense_is_named(void **state)
{
	(void)state;
	static const struct {
		double prior, evidence, kappa;
		int n, k;
		const char *says;
	} rows[] = {
		{NAN, 0, 0.3, 1, K, "class 1: prior nan"},
		{1, 0, 0.3, 1, K, "class 1: prior 1"},
		{-0.1, 0, 0.3, 1, K, "class 1: prior -0.1"},
		{0.2, INFINITY, 0.3, 1, K, "evidence inf"},
		{0.2, 0, -1, 1, K, "kappa is -1"},
		{0.2, 0, NAN, 1, K, "kappa is nan"},
		{0.2, 0, 0.3, -1, K, "-1 answers"},
		{0.2, 0, 0.3, 1, 1, "1 classes"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		double p[K] = {7, 7, 7, 7}, risk = 7;
		double prior[K] = {0, rows[i].prior, 0.1, 0.1}, evidence[K] = {0, rows[i].evidence, 0, 0};
		struct err err;
		assert_int_equal(
			set_decide(prior, evidence, rows[i].n, rows[i].k, rows[i].kappa, p, &risk, &err),
			BAD_INPUT);
		assert_non_null(strstr(err.text, rows[i].says));
		assert_true(p[1] == 7 && risk == 7);
	}
}

/* Evidence as large as a double takes it: still a probability. */
static void whatever_is_finite_stays_finite(void **state)
{
	(void)state;
	const double prior[K] = {0, 1e-4, 0.99, 0.5}, evidence[K] = {0, 1e300, -1e300, 0};
	double p[K], risk = 0;
	struct err err;
	assert_int_equal(set_decide(prior, evidence, 2, K, 0, p, &risk, &err), OK);
	assert_near(p[1], 1, 0);
	assert_near(p[2], 0, 0);
	assert_near(risk, 0.5, 0);
}

/*
 * Truth in rows, decision in columns; q = .30 blank, .45 zebra, .25 topi.
 * All 1: zebra, risk .55. An animal called blank costs 5: blank .45 * 5 + .25 * 5 = 3.5, zebra .30 + .25 = .55, topi .75.
 * A blank called animal costs .1 and zebra for topi .2: blank .70, zebra .03 + .05 = .08, topi .03 + .45 = .48.
 */
static void the_cheapest_label_wins(void **state)
{
	(void)state;
	const double q[3] = {0.30, 0.45, 0.25};
	const double five[9] = {0, 1, 1, 5, 0, 1, 5, 1, 0};
	const double cheap[9] = {0, 0.1, 0.1, 1, 0, 1, 1, 0.2, 0};
	int decided = -1;
	double risk = 0;
	cost_decide(NULL, q, 3, &decided, &risk);
	assert_int_equal(decided, 1);
	assert_near(risk, 0.55, NEAR);
	cost_decide(five, q, 3, &decided, &risk);
	assert_int_equal(decided, 1);
	assert_near(risk, 0.55, NEAR);
	cost_decide(cheap, q, 3, &decided, &risk);
	assert_int_equal(decided, 1);
	assert_near(risk, 0.08, NEAR);
	/* .80 blank, .15 zebra, .05 topi: blank costs 1.00 with five, zebra .80 + .05 = .85; without costs blank at .20. */
	const double mostly_blank[3] = {0.80, 0.15, 0.05};
	cost_decide(five, mostly_blank, 3, &decided, &risk);
	assert_int_equal(decided, 1);
	assert_near(risk, 0.85, NEAR);
	cost_decide(NULL, mostly_blank, 3, &decided, &risk);
	assert_int_equal(decided, 0);
	assert_near(risk, 0.20, NEAR);
	/* Nothing is worse than one sure ordinary mistake. */
	const double all_five[4] = {0, 5, 5, 0}, even[2] = {0.5, 0.5};
	cost_decide(all_five, even, 2, &decided, &risk);
	assert_int_equal(decided, 0);
	assert_near(risk, 1, 0);
}

/*
 * p = .3 and .1: nothing .63, 1 alone .27, 2 alone .07, both .03. All 1: nothing, .37. An animal called blank at 5: nothing costs
 * 5 * .37, 1 costs .63 + .07 + .03, 2 costs .63 + .27 + .03. At 2 and 20 nothing costs 20 * .1 + 2 * .9 * .3. 2 taken for 1 at
 * 10: 1 costs .63 + 10 * .07 + .03. Nothing taken for 1 at .1: 1 costs .063 + .07 + .03.
 * p = .9 and .8: .02, .18, .08, .72. Nothing taken for 2 at 10: both cost .02 * 10 + .18 + .08, 1 costs .02 + .08 + .72; at 100
 * 2 + .26, .82. A sure species beside .2: {1} costs .2, whatever an animal called blank would; .2 alone: as cost_decide.
 */
static void sets_have_costs_too(void **state)
{
	(void)state;
	static const struct {
		double p1, p2;
		double l1b, l2b, lb1, lb2, l21;
		bool in1, in2;
		double risk;
	} rows[] = {
		{.3, .1, 1, 1, 1, 1, 1, false, false, .37},
		{.3, .1, 5, 5, 1, 1, 1, true, false, .73},
		{.3, .1, 2, 20, 1, 1, 1, true, false, .73},
		{.3, .1, 2, 20, 5, 5, 1, false, false, 1},
		{.3, .1, 1, 1, 1, 1, 10, false, false, .37},
		{.3, .1, 2.5, 2.5, 1, 1, 10, false, false, .925},
		{.3, .1, 1, 1, .1, 1, 1, true, false, .163},
		{.9, .8, 1, 1, 1, 1, 1, true, true, .28},
		{.9, .8, 5, 5, 1, 10, 1, true, true, .46},
		{.9, .8, 5, 5, 1, 100, 1, true, false, .82},
		{1, .2, 5, 5, .1, .1, 1, true, false, .2},
		{.2, 0, 5, 5, 1, 1, 1, true, false, .8},
		{.2, 0, 3, 3, 1, 1, 1, false, false, .6},
		{1, 1, 5, 5, 1, 1, 1, true, true, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const double p[3] = {0, rows[i].p1, rows[i].p2};
		const double cost[9] = {
			0, rows[i].lb1, rows[i].lb2, rows[i].l1b, 0, 1, rows[i].l2b, rows[i].l21, 0};
		bool in[3] = {true, false, false};
		double risk = -1;
		cost_decide_set(cost, p, 0, 3, in, &risk);
		if (in[0] || in[1] != rows[i].in1 || in[2] != rows[i].in2)
			fail_msg("row %zu: %d %d %d", i, in[0], in[1], in[2]);
		assert_near(risk, rows[i].risk, 1e-9);
		if (p[2] > 0)
			continue;
		/* Only one species is possible: the same as among classes. */
		const double q[3] = {1 - p[1], p[1], 0};
		int decided = -1;
		double want = -1;
		cost_decide(cost, q, 3, &decided, &want);
		assert_int_equal(decided == 1, in[1]);
		assert_near(risk, want, 1e-9);
	}
}

/* Costs of 1 are no costs; and without a class for it, neither is nothing. */
static void equal_costs_are_none_in_sets(void **state)
{
	(void)state;
	const double ones[9] = {0, 1, 1, 1, 0, 1, 1, 1, 0}, fives[9] = {0, 5, 5, 5, 0, 1, 5, 1, 0};
	for (int i = 0; i <= 20; i++)
		for (int j = 0; j <= 20; j++) {
			const double p[3] = {0, i / 20.0, j / 20.0};
			bool in[3], with[3], without[3];
			double risk, risk_with, risk_without;
			cost_decide_set(NULL, p, 0, 3, in, &risk);
			assert_near(risk, 1 - fmax(p[1], 1 - p[1]) * fmax(p[2], 1 - p[2]), 1e-12);
			cost_decide_set(ones, p, 0, 3, with, &risk_with);
			cost_decide_set(fives, p, -1, 3, without, &risk_without);
			assert_near(risk_with, risk, 1e-11);
			assert_near(risk_without, risk, 1e-11);
			if (i != 10 && j != 10) { /* at even odds either is as good */
				assert_memory_equal(with, in, sizeof in);
				assert_memory_equal(without, in, sizeof in);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_start_at_their_priors_and_follow_counts),
		cmocka_unit_test(a_careless_volunteer_misses_and_alarms_more),
		cmocka_unit_test(three_people_two_species),
		cmocka_unit_test(the_model_is_a_prior_that_denies_nothing),
		cmocka_unit_test(what_makes_no_sense_is_named),
		cmocka_unit_test(whatever_is_finite_stays_finite),
		cmocka_unit_test(the_cheapest_label_wins),
		cmocka_unit_test(sets_have_costs_too),
		cmocka_unit_test(equal_costs_are_none_in_sets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
