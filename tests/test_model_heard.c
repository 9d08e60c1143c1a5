/* labels: unit sql */
/* How far a model is believed: the classes that it did not put first, and whether it is heard at all. */
#include "calibration.h"
#include "prediction.h"
#include "support_project.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

enum { K = 4, N_GOLD = 40 };

static struct test_project t;

static void soften_rows(void **state)
{
	(void)state;
	static const struct {
		double p[3], pi[3], rest, want[3];
	} rows[] = {
		{{.6, .3, .1}, {.2, .4, .4}, 1, {.6, .3, .1}}, /* the reference: nothing changes */
		{{.6, .3, .1}, {.2, .4, .4}, 0, {.6, .2, .2}}, /* only the prior */
		{{.6, .39, .01}, {.2, .6, .2}, 0, {.6, .3, .1}},
		{{.1, .1, .8}, {.98, .01, .01}, 1, {.1, .1, .8}},
		{{.5, .4, .1}, {.2, .4, .4}, .5, {.5, 1 / 3., 1 / 6.}}, /* sqrt(.4 : .1) = 2 : 1 */
		{{1, 0, 0}, {.2, .4, .4}, 0, {1, 0, 0}},                /* nothing left to share */
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		double p[3];
		memcpy(p, rows[i].p, sizeof p);
		calibration_soften(p, rows[i].pi, 3, rows[i].rest);
		for (int z = 0; z < 3; z++)
			assert_true(fabs(p[z] - rows[i].want[z]) < 1e-9);
	}
}

/* Predictions with `p` by rank below the top class 0, for gold whose truths are given in turn. */
static void predict_gold(
	const double p[K], const int *truths, int n_truths, struct prediction_truth gold[N_GOLD])
{
	struct err err = {0};
	bool stored;
	test_project_open(&t, K, 1, N_GOLD, NULL);
	test_model(&t, K);
	assert_int_equal(db_begin(t.db, &err), OK);
	for (int i = 0; i < N_GOLD; i++) {
		float logits[K];
		for (int z = 0; z < K; z++)
			logits[z] = (float)log(p[z]);
		assert_int_equal(
			prediction_store(t.db, t.first_subject + i, t.model_id, 1, logits, K, 1, &stored, &err),
			OK);
		gold[i].taxon_id = t.taxa[truths[i % n_truths]];
	}
	assert_int_equal(db_commit(t.db, &err), OK);
	for (int i = 0; i < N_GOLD; i++)
		gold[i].prediction_id = test_sql(
			&t, "SELECT id FROM prediction WHERE subject_id = %d", (int)(t.first_subject + i));
}

static void the_rest_is_believed_as_far_as_gold_says(void **state)
{
	(void)state;
	static const struct {
		double p[K];
		int truths[8], n_truths;
		double w0; /* with w1 = 0: P(top is right) is the logistic of it, whatever the model says */
		double low, high;
		bool informs;
	} rows[] = {
		/* Its second choice is right whenever the first is not: all of it is believed. */
		{{.5, .45, .03, .02}, {0, 1}, 2, 0, 1, 1, true},
		/* It all but rules out what is as often the truth: nothing of it is. */
		{{.5, .49, .005, .005}, {0, 0, 0, 1, 2, 3}, 6, 0, 0, 0.2, true},
		/* The truth has nothing to do with what it says: no more than the class prior (1/4 each). */
		{{.7, .1, .1, .1}, {0, 1, 2, 3}, 4, 3, 0, 1, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {0};
		struct project p = {0};
		struct prediction_truth gold[N_GOLD];
		double rest = -1;
		bool informs = false;
		predict_gold(rows[i].p, rows[i].truths, rows[i].n_truths, gold);
		assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
		assert_int_equal(prediction_fit_rest(t.db, &p, gold, N_GOLD,
							 (struct calibration){rows[i].w0, 0}, &rest, &informs, &err),
			OK);
		if (rest < rows[i].low || rest > rows[i].high)
			fail_msg("row %zu: rest is %g", i, rest);
		assert_int_equal(informs, rows[i].informs);
		project_release(&p);
		test_project_close(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(soften_rows),
		cmocka_unit_test(the_rest_is_believed_as_far_as_gold_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
