/* labels: unit; timeout: 60 */
/*
 * The label model's decisions and what they rest on, on values worked out by hand: confusion,
 * posterior, calibration and learning. Bounds and thresholds are in test_bounds.c, recorded
 * projects in test_stream.c.
 */
#include "calibration.h"
#include "confusion.h"
#include "consensus.h"
#include "online.h"
#include "status.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static void assert_near(const char *name, double got, double expected)
{
	if (!(fabs(got - expected) <= 1e-12 * fmax(1.0, fabs(expected))))
		fail_msg("%s: %.15g, expected %.15g", name, got, expected);
}

static void assert_all_near(const char *name, const double *got, const double *expected, int n)
{
	for (int i = 0; i < n; i++)
		assert_near(name, got[i], expected[i]);
}

/* ------------------------------------------------------------------------------ confusion */

static const double even_m[4] = {.8, .2, .2, .8}; /* the pool of nothing, two classes */

static void pools_by_hand(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int k;
		double counts[9], m[9];
	} rows[] = {
		{"nothing seen, two classes", 2, {0}, {.8, .2, .2, .8}},
		{"nothing seen, three", 3, {0}, {.8, .1, .1, .1, .8, .1, .1, .1, .8}},
		/* accuracy (200 + 80) / 300; each row half prior, half counts */
		{"200 right", 2, {100, 0, 0, 100}, {29 / 30., 1 / 30., 1 / 30., 29 / 30.}},
		/* accuracy 80 / 102; wrong answers go .2 .6 .2, so row 0 splits 22 / 102 as .75 and .25 */
		{"two wrong, always the same", 3, {0, 2},
			{8000 / 102. / 102, (2 + 1650 / 102.) / 102, 550 / 102. / 102, 11 / 102., 80 / 102.,
				11 / 102., 5.5 / 102, 16.5 / 102, 80 / 102.}},
	};
	for (size_t i = 0; i < LENGTH(rows); i++) {
		double m[9];
		struct err err;
		assert_int_equal(confusion_pool(rows[i].counts, rows[i].k, m, &err), OK);
		assert_all_near(rows[i].name, m, rows[i].m, rows[i].k * rows[i].k);
	}
}

static void refuses_bad_counts(void **state)
{
	(void)state;
	static const struct {
		int k;
		double counts[4];
	} rows[] = {{0, {0}}, {1, {5}}, {2, {1, NAN, 0, 1}}, {2, {1, 0, -1, 1}}, {2, {INFINITY}}};
	for (size_t i = 0; i < LENGTH(rows); i++) {
		double m[4] = {7, 7, 7, 7};
		struct err err;
		assert_int_equal(confusion_pool(rows[i].counts, rows[i].k, m, &err), BAD_INPUT);
		assert_all_near("untouched", m, (const double[]){7, 7, 7, 7}, 4);
	}
}

static void columns_by_hand(void **state)
{
	(void)state;
	static const double cells[2] = {30, 0}, sums[2] = {30, 0};
	const struct {
		const char *name;
		double lambda;
		struct own_counts own;
		int a;
		double theta[2];
	} rows[] = {
		{"as everybody", 0, {0}, 0, {.8, .2}},
		{"as everybody, other answer", 0, {0}, 1, {.2, .8}},
		{"error odds doubled", log(2), {0}, 0, {2 / 3., 1 / 3.}},
		{"error odds halved", -log(2), {0}, 0, {8 / 9., 1 / 9.}},
		{"thirty of their own, all right", 0, {cells, sums, 0}, 0, {.9, .2}},
		{"the answer never given", 0, {NULL, sums, 0}, 1, {.1, .8}},
		{"on ten prior answers: (8 + 30) / 40", 0, {cells, sums, 10}, 0, {.95, .2}},
	};
	for (size_t i = 0; i < LENGTH(rows); i++) {
		double theta[2];
		confusion_column(even_m, 2, rows[i].lambda, rows[i].own, rows[i].a, theta);
		assert_all_near(rows[i].name, theta, rows[i].theta, 2);
	}
	assert_near("error rate", confusion_error_rate(.8, log(2)), 1 / 3.);
	assert_near("error rate of everybody", confusion_error_rate(.8, 0), .2);
}

static void credits_skill_by_hand(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		double lambda, precision, t0;
		int a;
		double lambda_after, precision_after;
	} rows[] = {
		{"right", 0, 1, 1, 0, -.2 / 1.16, 1.16},
		{"wrong", 0, 1, 1, 1, .8 / 1.16, 1.16},
		{"undecided", 0, 1, .5, 0, .3 / 1.16, 1.16},
		{"a step is at most 1", 0, .1, 1, 1, 1, .26},
	};
	for (size_t i = 0; i < LENGTH(rows); i++) {
		const double t[2] = {rows[i].t0, 1 - rows[i].t0};
		double lambda = rows[i].lambda, precision = rows[i].precision;
		skill_credit(even_m, 2, t, rows[i].a, &lambda, &precision);
		assert_near(rows[i].name, lambda, rows[i].lambda_after);
		assert_near(rows[i].name, precision, rows[i].precision_after);
	}
	double lambda = 3.9, precision = .01;
	skill_credit(even_m, 2, (const double[]){1, 0}, 1, &lambda, &precision);
	assert_near("lambda stays within 4", lambda, 4);

	static const double weights[][2] = {{0, 1}, {1, 1}, {200, 1}, {400, .5}, {2000, .1}};
	for (size_t i = 0; i < LENGTH(weights); i++)
		assert_near("weight", credit_weight(weights[i][0]), weights[i][1]);
}

/* ------------------------------------------------------------------------------ consensus */

static void decides_by_hand(void **state)
{
	(void)state;
	const struct {
		const char *name;
		double prior0, evidence0; /* in favour of class 0, in nats */
		int n_sources;
		struct correlation correlation;
		double q0;
	} rows[] = {
		{"nothing known", 0, 0, 0, {.3, 0}, .5},
		{"the prior alone", log(3), 0, 0, {.3, 0}, .75},
		{"no source counts like one", 0, log(3), 0, {.3, 0}, .75},
		{"one source counts in full", 0, log(3), 1, {.3, 0}, .75},
		{"three of correlation .3 count 1 / 1.6", 0, 1.6 * log(4), 3, {.3, 0}, .8},
		{"independent", 0, log(4), 3, {0, 0}, .8},
		{"two that say the same", 0, 2 * log(3), 2, {1, 0}, .75},
		{"the prior keeps its weight", log(9), 0, 2, {1, 0}, .9},
		{"the prior is tempered too", log(9), 0, 2, {1, 1}, .75},
		{"extreme", 0, 1e300, 1, {.3, 0}, 1},
		{"extreme against", 0, -1e300, 1, {.3, 0}, 0},
		{"as extreme as a double", -DBL_MAX, -DBL_MAX, 1, {.3, 0}, 0},
		{"and the other way", DBL_MAX, DBL_MAX, 25, {3, 0}, 1},
	};
	for (size_t i = 0; i < LENGTH(rows); i++) {
		const double log_prior[2] = {rows[i].prior0, 0}, evidence[2] = {rows[i].evidence0, 0};
		double q[2];
		struct err err;
		assert_int_equal(consensus_decide(log_prior, evidence, rows[i].n_sources, 2,
							 rows[i].correlation, q, &err),
			OK);
		assert_all_near(rows[i].name, q, (const double[]){rows[i].q0, 1 - rows[i].q0}, 2);
	}
}

static void refuses_bad_evidence(void **state)
{
	(void)state;
	static const struct {
		double log_prior, evidence;
		int n_sources, k;
		struct correlation correlation;
	} rows[] = {
		{0, 0, 1, 1, {.3, 0}},
		{0, 0, 1, 0, {.3, 0}},
		{0, NAN, 1, 2, {.3, 0}},
		{NAN, 0, 1, 2, {.3, 0}},
		{-INFINITY, 0, 1, 2, {.3, 0}},
		{0, INFINITY, 1, 2, {.3, 0}},
		{0, 0, -1, 2, {.3, 0}},
		{0, 0, 1, 2, {-.1, 0}},
		{0, 0, 1, 2, {NAN, 0}},
		{0, 0, 1, 2, {.3, NAN}},
	};
	for (size_t i = 0; i < LENGTH(rows); i++) {
		const double log_prior[2] = {0, rows[i].log_prior}, evidence[2] = {0, rows[i].evidence};
		double q[2] = {7, 7};
		struct err err = {0};
		assert_int_equal(consensus_decide(log_prior, evidence, rows[i].n_sources, rows[i].k,
							 rows[i].correlation, q, &err),
			BAD_INPUT);
		assert_true(err.text[0] != 0);
		assert_all_near("untouched", q, (const double[]){7, 7}, 2);
	}
	double t[2];
	struct err err;
	assert_int_equal(consensus_credit((const double[]){0, 0}, (const double[]){0, 0}, 0, 2,
						 (struct correlation){.3, 0}, t, &err),
		BAD_INPUT);
}

static void sharpens_by_hand(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		double q[4];
		int n_answers;
		double t[4];
	} rows[] = {
		{"small mass goes", {.9, .06, .03, .01}, 2, {.9375, .0625, 0, 0}},
		{"not with one answer", {.9, .06, .03, .01}, 1, {.9, .06, .03, .01}},
		{"not with none", {.9, .06, .03, .01}, 0, {.9, .06, .03, .01}},
		{"exactly at the limit stays", {.95, .05, 0, 0}, 3, {.95, .05, 0, 0}},
		{"sure", {1, 0, 0, 0}, 5, {1, 0, 0, 0}},
	};
	for (size_t i = 0; i < LENGTH(rows); i++) {
		double t[4];
		consensus_sharpen(rows[i].q, rows[i].n_answers, 4, t);
		assert_all_near(rows[i].name, t, rows[i].t, 4);
	}
	double flat[25], t[25];
	for (int z = 0; z < 25; z++)
		flat[z] = .04;
	consensus_sharpen(flat, 2, 25, t);
	assert_all_near("all below the limit: the highest stay", t, flat, 25);
}

static void turns_predictions_into_evidence(void **state)
{
	(void)state;
	static const double p[3] = {.5, .5, 0}, prior[3] = {.25, .5, .25};
	static const bool third_unknown[3] = {false, false, true};
	double evidence[3];
	struct err err;
	assert_int_equal(consensus_model_evidence(p, prior, NULL, 3, evidence, &err), OK);
	assert_all_near(
		"log ratio, floored", evidence, (const double[]){log(2), 0, log(1e-12) - log(.25)}, 3);
	assert_int_equal(consensus_model_evidence(p, prior, third_unknown, 3, evidence, &err), OK);
	assert_all_near("flagged", evidence, (const double[]){log(2), 0, 0}, 3);
	assert_int_equal(
		consensus_model_evidence(p, (const double[]){.5, .5, 0}, NULL, 3, evidence, &err), OK);
	assert_all_near("no prior", evidence, (const double[]){0, 0, 0}, 3);
	assert_int_equal(consensus_model_evidence(
						 (const double[]){.5, .5, NAN}, prior, third_unknown, 3, evidence, &err),
		OK); /* what the model does not know is not looked at */

	static const struct {
		int k;
		double p, prior;
	} bad[] = {{1, .5, .5}, {3, NAN, .5}, {3, -.1, .5}, {3, 1.5, .5}, {3, .5, NAN}, {3, .5, 2}};
	for (size_t i = 0; i < LENGTH(bad); i++) {
		const double bad_p[3] = {.5, bad[i].p, 0}, bad_prior[3] = {.5, bad[i].prior, .1};
		assert_int_equal(
			consensus_model_evidence(bad_p, bad_prior, NULL, bad[i].k, evidence, &err), BAD_INPUT);
	}
}

/* A class that the model has never heard of keeps its odds against the prior's. */
static void an_unknown_class_gets_ratio_one(void **state)
{
	(void)state;
	static const double pi[3] = {.5, .3, .2}, p[3] = {.999, .001, 0}, prior[3] = {.6, .4, 0};
	const double log_pi[3] = {log(.5), log(.3), log(.2)};
	double evidence[3], q[3];
	struct err err;
	assert_int_equal(consensus_model_evidence(p, prior, NULL, 3, evidence, &err), OK);
	assert_int_equal(
		consensus_decide(log_pi, evidence, 1, 3, (struct correlation){.3, 0}, q, &err), OK);
	const double sum = pi[0] * .999 / .6 + pi[1] * .001 / .4 + pi[2];
	assert_near("unknown", q[2], pi[2] / sum);
	assert_near("known", q[0], pi[0] * .999 / .6 / sum);
}

static void the_lowest_of_equals_wins(void **state)
{
	(void)state;
	assert_int_equal(consensus_argmax((const double[]){.2, .4, .4}, 3), 1);
	assert_int_equal(consensus_argmax((const double[]){.25, .25, .25, .25}, 4), 0);
	assert_int_equal(consensus_argmax((const double[]){1}, 1), 0);
	assert_near("risk", consensus_risk((const double[]){.2, .4, .4}, 3), .6);
}

static void what_more_answers_can_reach_by_hand(void **state)
{
	(void)state;
	static const double even[4] = {0}, two[4] = {0, 2, 2, 0}, answer[4] = {0, 2, 0, 0};
	const struct correlation half = {.kappa = .5};
	double a = (exp(1) + 2) / exp(2), b = (exp(.8) + 2) / exp(2.4); /* d = 2; d = 2.5 */
	assert_near("none", consensus_reach(even, two, 2, answer, 1, 0, 0, 4, half), 1);
	assert_near("one", consensus_reach(even, two, 2, answer, 1, 1, 0, 4, half), a / (1 + a));
	assert_near("two", consensus_reach(even, two, 2, answer, 1, 2, 0, 4, half), b / (1 + b));
	assert_near(
		"enough", consensus_reach(even, two, 2, answer, 1, 2, a / (1 + a), 4, half), a / (1 + a));
	static const double strong[2] = {0, 8}, weak[2] = {0, .1}; /* diluted: the first is best */
	assert_near("diluted", consensus_reach(even, strong, 1, weak, 1, 5, 0, 2, half),
		1 / (1 + exp(8.1 / 1.5)));
}

/* ------------------------------------------------------------------------------ calibration */

static void fits_and_applies_calibration(void **state)
{
	(void)state;
	assert_near("even", top_logodds(.5), 0);
	assert_near("three to one", top_logodds(.75), log(3));
	assert_true(fabs(top_logodds(1) - log(999999)) < 1e-9); /* held below 1 */
	assert_near("held above 0", top_logodds(0), log(1e-9) - log1p(-1e-9));

	/* 100 subjects at even odds, 75 right: only w0 can move, to where .75 - logistic(w0) = .001 w0.
	 */
	double top[100] = {0};
	bool right[100];
	for (int i = 0; i < 100; i++)
		right[i] = i % 4 != 0;
	struct calibration w;
	struct err err;
	assert_int_equal(calibration_fit(top, right, 100, &w, &err), OK);
	assert_near("slope", w.w1, 1);
	assert_true(fabs(.75 - 1 / (1 + exp(-w.w0)) - .001 * w.w0) < 1e-9);

	/* A single gold subject, and gold that separates: the ridge keeps the weights finite. */
	assert_int_equal(calibration_fit((const double[]){13}, (const bool[]){false}, 1, &w, &err), OK);
	assert_true(isfinite(w.w0) && isfinite(w.w1));
	for (int i = 0; i < 100; i++) {
		right[i] = i >= 50;
		top[i] = right[i] ? 5 : -5;
	}
	assert_int_equal(calibration_fit(top, right, 100, &w, &err), OK);
	assert_true(isfinite(w.w0) && isfinite(w.w1) && w.w1 > 1 - 1e-9);

	w = (struct calibration){.w0 = 7};
	assert_int_equal(calibration_fit(top, right, 0, &w, &err), NOT_FOUND);
	top[3] = NAN;
	assert_int_equal(calibration_fit(top, right, 100, &w, &err), BAD_INPUT);
	assert_near("untouched", w.w0, 7);

	static const double p[3] = {.6, .3, .1}, pi[3] = {.2, .3, .5};
	double q[3];
	assert_int_equal(calibration_apply(p, pi, 3, (struct calibration){0, 1}, q, &err), OK);
	const double rest[2] = {.98 * .3 + .02 * .3, .98 * .1 + .02 * .5};
	assert_all_near("the top stays, the rest is mixed", q,
		(const double[]){
			.6, .4 * rest[0] / (rest[0] + rest[1]), .4 * rest[1] / (rest[0] + rest[1])},
		3);
	assert_int_equal(
		calibration_apply(p, pi, 3, (struct calibration){log(9) - log(1.5), 1}, q, &err), OK);
	assert_near("odds of 1.5 become 9", q[0], .9);

	static const struct {
		int k;
		double p[2], pi[2];
	} bad[] = {{1, {1}, {1}}, {2, {.5, NAN}, {.5, .5}}, {2, {1.5, 0}, {.5, .5}},
		{2, {.5, .5}, {-1, 1}}, {2, {1, 0}, {1, 0}}};
	for (size_t i = 0; i < LENGTH(bad); i++)
		assert_int_equal(
			calibration_apply(bad[i].p, bad[i].pi, bad[i].k, (struct calibration){0, 1}, q, &err),
			BAD_INPUT);
}

/* The fit ends where the penalised loss is flat, however the sums happen to round. */
static void the_fit_is_exact(void **state)
{
	(void)state;
	for (int n = 20; n <= 400; n++) {
		double top[400];
		bool right[400];
		for (int i = 0; i < n; i++) {
			top[i] = (i * 37 % 101 - 20) / 12.0;
			right[i] = i * 53 % 97 < 60 + 6 * top[i];
		}
		struct calibration w;
		struct err err;
		assert_int_equal(calibration_fit(top, right, n, &w, &err), OK);
		double slope0 = -1e-3 * n * w.w0, slope1 = -1e-3 * n * (w.w1 - 1);
		for (int i = 0; i < n; i++) {
			const double residual = right[i] - 1 / (1 + exp(-(w.w0 + w.w1 * top[i])));
			slope0 += residual;
			slope1 += residual * top[i];
		}
		if (!(fabs(slope0) + fabs(slope1) < 1e-12 * n))
			fail_msg("%d subjects: the slope is %g, %g", n, slope0, slope1);
	}
}

static const double three_m[9] = {.8, .15, .05, .1, .7, .2, .1, .1, .8};
static const double three_pi[3] = {.5, .3, .2};

static void start(struct online *o)
{
	struct err err;
	assert_int_equal(online_init(o, 3, three_m, three_pi, (struct correlation){.3, 0}, &err), OK);
}

static void the_order_of_answers_does_not_matter(void **state)
{
	(void)state;
	static const int answers[4][2] = {{0, 1}, {5, 2}, {2, 1}, {9, 0}};
	static const int orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}, {1, 3, 0, 2}};
	static const double p[3] = {.2, .7, .1};
	struct online o;
	struct err err;
	start(&o);
	double first[3] = {0};
	for (size_t i = 0; i < LENGTH(orders); i++) {
		struct online_subject *subject = NULL;
		double q[3];
		assert_int_equal(online_open(&o, p, three_pi, &subject, q, &err), OK);
		for (int n = 0; n < 4; n++) {
			const int *answer = answers[orders[i][n]];
			assert_int_equal(online_answer(&o, subject, answer[0], answer[1], q, &err), OK);
		}
		if (i == 0)
			memcpy(first, q, sizeof first);
		assert_all_near("any order", q, first, 3);
		online_subject_free(subject);
	}
	online_release(&o);
}

static void credits_against_the_others_only(void **state)
{
	(void)state;
	static const double p[3] = {.2, .7, .1};
	struct online o;
	struct err err;
	start(&o);
	struct online_subject *subject = NULL;
	double q[3], alone[3], t[3], risk;
	int label;
	assert_int_equal(online_open(&o, p, three_pi, &subject, alone, &err), OK);
	consensus_sharpen(alone, 2, 3, t); /* what the model says without the answer */
	assert_int_equal(online_answer(&o, subject, 4, 0, q, &err), OK);
	assert_int_equal(online_retire(&o, subject, ONLINE_NO_GOLD, &label, &risk, &err), OK);
	assert_int_equal(label, consensus_argmax(q, 3));
	assert_near("risk", risk, consensus_risk(q, 3));
	assert_all_near("cells", o.volunteers[4].columns[0], t, 3);
	assert_all_near("rows", o.volunteers[4].rows, t, 3);
	for (int z = 0; z < 3; z++)
		assert_near("pool", o.counts[3 * z], t[z]);
	assert_near("credited", o.volunteers[4].n_credited, 1);
	assert_true(o.volunteers[4].lambda > 0); /* they contradicted a model that leans to 1 */
	online_release(&o);
}

static void a_lone_answer_teaches_only_with_gold(void **state)
{
	(void)state;
	struct online o;
	struct err err;
	start(&o);
	for (int gold = ONLINE_NO_GOLD; gold <= 2; gold++) {
		struct online_subject *subject = NULL;
		double q[3], risk = -1;
		int label = -1;
		const int volunteer = 10 + gold;
		assert_int_equal(online_open(&o, NULL, NULL, &subject, q, &err), OK);
		assert_all_near("no source: the prior", q, three_pi, 3);
		assert_int_equal(online_answer(&o, subject, volunteer, 1, q, &err), OK);
		assert_int_equal(online_retire(&o, subject, gold, &label, &risk, &err), OK);
		const struct online_volunteer *v = &o.volunteers[volunteer];
		if (gold == ONLINE_NO_GOLD) {
			assert_near("not credited", v->n_credited, 0);
			assert_near("no skill", v->lambda, 0);
			continue;
		}
		assert_int_equal(label, gold);
		assert_near("gold has no risk", risk, 0);
		assert_near("credited", v->n_credited, 1);
		assert_near("one cell", v->columns[1][gold], 1);
		assert_true(gold == 1 ? v->lambda < 0 : v->lambda > 0);
	}
	assert_near("M waits for a remix", o.m[0], .8);
	assert_int_equal(online_remix(&o, &err), OK);
	/* one right of three: accuracy (1 + 80) / 103; row 1 holds that one */
	assert_near("M after it", o.m[4], (1 + 8100 / 103.) / 101);
	online_release(&o);
}

/* The 201st credited answer of one volunteer weighs less in the pool, not in their own cells. */
static void one_volunteer_does_not_flood_the_pool(void **state)
{
	(void)state;
	struct online o;
	struct err err;
	start(&o);
	double weight = 200;
	for (int i = 0; i < 300; i++) {
		struct online_subject *subject = NULL;
		double q[3], risk;
		int label;
		assert_int_equal(online_open(&o, NULL, NULL, &subject, q, &err), OK);
		assert_int_equal(online_answer(&o, subject, 0, 2, q, &err), OK);
		assert_int_equal(online_retire(&o, subject, 1, &label, &risk, &err), OK);
		weight += i >= 200 ? 200. / (i + 1) : 0;
	}
	assert_near("pool", o.counts[3 * 1 + 2], weight);
	assert_near("own", o.volunteers[0].columns[2][1], 300);
	online_release(&o);
}

static void a_refused_call_changes_nothing(void **state)
{
	(void)state;
	static const int bad[][2] = {{-1, 0}, {ONLINE_MAX_VOLUNTEERS, 0}, {0, 3}, {0, -1}};
	struct online o;
	struct err err;
	start(&o);
	struct online_subject *subject = NULL;
	double before[3], q[3], risk;
	int label;
	assert_int_equal(online_open(&o, NULL, NULL, &subject, q, &err), OK);
	assert_int_equal(online_answer(&o, subject, 0, 2, before, &err), OK);
	for (size_t i = 0; i < LENGTH(bad); i++)
		assert_int_equal(online_answer(&o, subject, bad[i][0], bad[i][1], q, &err), BAD_INPUT);
	assert_int_equal(online_retire(&o, subject, 3, &label, &risk, &err), BAD_INPUT);
	assert_int_equal(online_posterior(&o, subject, q, &err), OK);
	assert_all_near("as before", q, before, 3);
	online_subject_free(subject);

	subject = NULL;
	assert_int_equal(
		online_open(&o, (const double[]){NAN, 0, 0}, three_pi, &subject, q, &err), BAD_INPUT);
	assert_null(subject);
	online_release(&o);

	const struct correlation correlation = {.3, 0};
	assert_int_equal(online_init(&o, 1, three_m, three_pi, correlation, &err), BAD_INPUT);
	assert_int_equal(
		online_init(&o, ONLINE_MAX_CLASSES + 1, three_m, three_pi, correlation, &err), BAD_INPUT);
	assert_int_equal(
		online_init(&o, 3, three_m, (const double[]){1, 0, 0}, correlation, &err), BAD_INPUT);
	assert_int_equal(
		online_init(&o, 2, (const double[]){1, 0, NAN, 1}, three_pi, correlation, &err), BAD_INPUT);
	online_release(&o);
}

/* 300 volunteers who all answer alike, without end: numbers stay numbers. */
static void stays_finite_in_the_long_run(void **state)
{
	(void)state;
	struct online o;
	struct err err;
	start(&o);
	for (int i = 0; i < 3000; i++) {
		struct online_subject *subject = NULL;
		double q[3], risk;
		int label;
		assert_int_equal(online_open(&o, NULL, NULL, &subject, q, &err), OK);
		for (int j = 0; j < 5; j++)
			assert_int_equal(
				online_answer(&o, subject, (i + 60 * j) % 300, j < 4 ? i % 3 : 0, q, &err), OK);
		assert_near("sum", q[0] + q[1] + q[2], 1);
		assert_int_equal(online_retire(&o, subject, ONLINE_NO_GOLD, &label, &risk, &err), OK);
		assert_true(risk >= 0 && risk < 1);
		if (i % 200 == 199)
			assert_int_equal(online_remix(&o, &err), OK);
	}
	for (int j = 0; j < 300; j++)
		assert_true(fabs(o.volunteers[j].lambda) <= label_params.lmax);
	online_release(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pools_by_hand),
		cmocka_unit_test(refuses_bad_counts),
		cmocka_unit_test(columns_by_hand),
		cmocka_unit_test(credits_skill_by_hand),
		cmocka_unit_test(decides_by_hand),
		cmocka_unit_test(refuses_bad_evidence),
		cmocka_unit_test(sharpens_by_hand),
		cmocka_unit_test(turns_predictions_into_evidence),
		cmocka_unit_test(an_unknown_class_gets_ratio_one),
		cmocka_unit_test(the_lowest_of_equals_wins),
		cmocka_unit_test(what_more_answers_can_reach_by_hand),
		cmocka_unit_test(fits_and_applies_calibration),
		cmocka_unit_test(the_fit_is_exact),
		cmocka_unit_test(the_order_of_answers_does_not_matter),
		cmocka_unit_test(credits_against_the_others_only),
		cmocka_unit_test(a_lone_answer_teaches_only_with_gold),
		cmocka_unit_test(one_volunteer_does_not_flood_the_pool),
		cmocka_unit_test(a_refused_call_changes_nothing),
		cmocka_unit_test(stays_finite_in_the_long_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
