/* labels: unit; timeout: 60 */
/* What error counts prove, against published anchors and values worked out by hand. */
#include "bounds.h"
#include "calibration.h"
#include "status.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static void assert_within(const char *name, double got, double expected, double tolerance)
{
	if (!(fabs(got - expected) <= tolerance))
		fail_msg("%s: %.15g, expected %.15g", name, got, expected);
}

static void binomial_tails(void **state)
{
	(void)state;
	static const struct {
		int k, n;
		double p, expected;
	} rows[] = {
		{1, 100, .034, .142173693663},
		{0, 1, .3, .7},
		{1, 2, .5, .75},
		{0, 0, .5, 1},
		{3, 10, 0, 1},
		{3, 10, 1, 0},
		{10, 10, 1, 1},
		{10, 10, .5, 1},
		{999, 1000, .5, 1},
	};
	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_within(
			"binom_cdf", binom_cdf(rows[i].k, rows[i].n, rows[i].p), rows[i].expected, 1e-11);
}

static void bounds_meet_their_anchors(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		double (*bound)(int, int, double);
		int k, n;
		double expected, tolerance;
	} rows[] = {
		{"cp 0 in 100", cp_upper, 0, 100, .029513049607, 1e-11},
		{"cp 1 in 100", cp_upper, 1, 100, .046559811454, 1e-11},
		{"cp 0 in 1", cp_upper, 0, 1, .95, 1e-12},
		{"cp 0 in 0", cp_upper, 0, 0, 1, 0},
		{"cp all wrong", cp_upper, 7, 7, 1, 0},
		{"cs 0 in 100", cs_upper, 0, 100, .046746985040, 1e-11},
		{"cs 0 in 150", cs_upper, 0, 150, .034, .0005},
		{"cs 2 in 150", cs_upper, 2, 150, .059, .0005},
		{"cs 0 in 0", cs_upper, 0, 0, 1, 0},
		{"cs all wrong", cs_upper, 7, 7, 1, 1e-12},
		{"cs lower 0 in 0", cs_lower, 0, 0, 0, 0},
		{"cs lower 0 in 100", cs_lower, 0, 100, 0, 0},
	};
	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_within(rows[i].name, rows[i].bound(rows[i].k, rows[i].n, .05), rows[i].expected,
			rows[i].tolerance);
	assert_within("cp is 1 - delta^(1/n) without errors", cp_upper(0, 299, .05),
		1 - pow(.05, 1 / 299.), 1e-12);
}

/* How many errors end a certificate of alpha .034. */
static void errors_that_revoke(void **state)
{
	(void)state;
	static const struct {
		int k, n;
		bool revokes;
	} rows[] = {
		{5, 16, true},
		{5, 23, true},
		{10, 95, true},
		{4, 23, false},
		{9, 95, false},
		{5, 95, false},
		{0, 16, false},
	};
	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_int_equal(cs_lower(rows[i].k, rows[i].n, .05) > .034, rows[i].revokes);
}

static void as_many_trials_as_suffice(void **state)
{
	(void)state;
	static const struct {
		int k;
		double p, delta;
		int n;
	} rows[] = {{0, .068, .05, 63}, {1, .068, .05, 99}, {2, .068, .05, 129}, {4, .068, .05, 183},
		{0, .02, .05, 283}, {3, .5, .01, 21}, {0, 0, .05, 1000000}};
	for (size_t i = 0; i < LENGTH(rows); i++) {
		int n = cs_enough(rows[i].k, rows[i].p, rows[i].delta);
		assert_int_equal(n, rows[i].n);
		if (rows[i].p > 0) {
			assert_true(cs_upper(rows[i].k, n, rows[i].delta) < rows[i].p);
			assert_true(cs_upper(rows[i].k, n - 1, rows[i].delta) >= rows[i].p);
		}
	}
}

static void a_meaningless_delta_promises_nothing(void **state)
{
	(void)state;
	static const double deltas[] = {0, 1, -1, 2, NAN, INFINITY};
	for (size_t i = 0; i < LENGTH(deltas); i++) {
		assert_within("cp_upper", cp_upper(1, 100, deltas[i]), 1, 0);
		assert_within("cs_upper", cs_upper(1, 100, deltas[i]), 1, 0);
		assert_within("cs_lower", cs_lower(50, 100, deltas[i]), 0, 0);
	}
}

/* The rate seen lies between the ends, and what may be read at any time promises less. */
static void the_ends_are_in_order(void **state)
{
	(void)state;
	static const int sizes[] = {1, 2, 10, 150, 3000, 100000};
	for (size_t i = 0; i < LENGTH(sizes); i++) {
		const int n = sizes[i];
		const int counts[] = {0, 1, n / 10, n / 2, n - 1, n};
		for (size_t j = 0; j < LENGTH(counts); j++) {
			const int k = counts[j];
			const double rate = (double)k / n;
			const double lower = cs_lower(k, n, .05), upper = cs_upper(k, n, .05);
			assert_true(lower >= 0 && lower <= rate && rate <= upper + 1e-12 && upper <= 1);
			assert_true(k == 0 || lower > 0);
		}
	}
	for (int n = 50; n <= 800; n *= 2)
		for (int k = 0; k <= n / 20; k++)
			assert_true(cs_upper(k, n, .05) > cp_upper(k, n, .05));
}

enum { NOT_WRONG = -1, MAX_GOLD = 400 };

/*
 * Gold in a row: the first n_high subjects at confidence .9, each one step 1e-6 apart when
 * distinct; n_low more at .5; all right but those from first_wrong to last_wrong.
 */
struct gold_row {
	const char *name;
	int n_high, n_low;
	bool distinct;
	int first_wrong, last_wrong;
	double alpha, delta;
	enum status status;
	int at; /* the subject whose confidence is the threshold */
};

static void check_gold_row(const struct gold_row *row, bool reversed)
{
	double confidence[MAX_GOLD];
	bool wrong[MAX_GOLD];
	const int n = row->n_high + row->n_low;
	for (int i = 0; i < n; i++) {
		const int at = reversed ? n - 1 - i : i;
		const double high = .9 - (row->distinct ? 1e-6 * i : 0);
		confidence[at] = i < row->n_high ? high : .5;
		wrong[at] = i >= row->first_wrong && i <= row->last_wrong;
	}
	double threshold = 7;
	struct err err;
	const enum status status = choose_threshold(
		confidence, wrong, n, row->alpha, row->delta, &threshold, &err);
	if (status != row->status)
		fail_msg("%s: %s", row->name, status_name(status));
	const double expected = status == OK ? confidence[reversed ? n - 1 - row->at : row->at] : 7;
	assert_within(row->name, threshold, expected, 0);
}

static void thresholds_by_hand(void **state)
{
	(void)state;
	static const struct gold_row rows[] = {
		{"87 prove .034", 87, 0, false, NOT_WRONG, NOT_WRONG, .034, .05, OK, 86},
		{"86 do not", 86, 0, false, NOT_WRONG, NOT_WRONG, .034, .05, NOT_FOUND, 0},
		{"299 prove .01", 299, 0, false, NOT_WRONG, NOT_WRONG, .01, .05, OK, 298},
		{"298 do not", 298, 0, false, NOT_WRONG, NOT_WRONG, .01, .05, NOT_FOUND, 0},
		{"one wrong in 87", 87, 0, true, 40, 40, .034, .05, NOT_FOUND, 0},
		{"the test after 87 is at 92", 92, 0, true, NOT_WRONG, NOT_WRONG, .034, .05, OK, 91},
		{"91 are not enough for it", 91, 0, true, NOT_WRONG, NOT_WRONG, .034, .05, OK, 86},
		{"wrong ones further down", 87, 13, true, 87, 99, .034, .05, OK, 86},
		{"equals share one threshold", 187, 0, false, 87, 186, .034, .05, NOT_FOUND, 0},
		{"equals pass together", 120, 0, false, NOT_WRONG, NOT_WRONG, .034, .05, OK, 119},
		{"no gold", 0, 0, false, NOT_WRONG, NOT_WRONG, .034, .05, NOT_FOUND, 0},
		{"no error allowed", 300, 0, false, NOT_WRONG, NOT_WRONG, 0, .05, NOT_FOUND, 0},
		{"hardly any error allowed", 300, 0, false, NOT_WRONG, NOT_WRONG, 1e-300, .05, NOT_FOUND,
			0},
		{"any error allowed", 87, 0, false, NOT_WRONG, NOT_WRONG, 1, .05, BAD_INPUT, 0},
		{"a negative rate", 87, 0, false, NOT_WRONG, NOT_WRONG, -.1, .05, BAD_INPUT, 0},
		{"no rate", 87, 0, false, NOT_WRONG, NOT_WRONG, NAN, .05, BAD_INPUT, 0},
		{"certainty asked", 87, 0, false, NOT_WRONG, NOT_WRONG, .034, 0, BAD_INPUT, 0},
		{"nothing asked", 87, 0, false, NOT_WRONG, NOT_WRONG, .034, 1, BAD_INPUT, 0},
		{"no delta", 87, 0, false, NOT_WRONG, NOT_WRONG, .034, NAN, BAD_INPUT, 0},
	};
	for (size_t i = 0; i < LENGTH(rows); i++) {
		check_gold_row(&rows[i], false);
		check_gold_row(&rows[i], true);
	}
	double threshold;
	struct err err;
	assert_int_equal(choose_threshold((const double[]){NAN}, (const bool[]){false}, 1, .034, .05,
						 &threshold, &err),
		BAD_INPUT);
}

/*
 * Calibrated and tested on the same 300 gold, a promise of at most 10 % is broken in at most delta of all draws. The model
 * is wrong with probability (1 - p) / 2 at its confidence p, uniform on .5 .. 1: above a confidence c, (1 - c) / 4.
 */
static void one_gold_calibrates_and_certifies(void **state)
{
	(void)state;
	enum { N_GOLD = 300, N_DRAWS = 2000 };
	const double alpha = .1, delta = .05;
	uint64_t seed = 1;
	int n_issued = 0, n_broken = 0;
	for (int draw = 0; draw < N_DRAWS; draw++) {
		double p[N_GOLD], top[N_GOLD], confidence[N_GOLD], threshold, lowest = 1;
		bool right[N_GOLD], wrong[N_GOLD];
		struct calibration c;
		struct err err;
		for (int i = 0; i < N_GOLD; i++) {
			double u[2];
			for (int k = 0; k < 2; k++) {
				seed = seed * 6364136223846793005u + 1442695040888963407u;
				u[k] = (double)(seed >> 11) * 0x1p-53;
			}
			p[i] = .5 + u[0] / 2;
			wrong[i] = u[1] < (1 - p[i]) / 2;
			right[i] = !wrong[i];
			top[i] = top_logodds(p[i]);
		}
		assert_int_equal(calibration_fit(top, right, N_GOLD, &c, &err), OK);
		if (c.w1 <= 0)
			continue;
		for (int i = 0; i < N_GOLD; i++)
			confidence[i] = 1 / (1 + exp(-(c.w0 + c.w1 * top[i])));
		if (choose_threshold(confidence, wrong, N_GOLD, alpha, delta, &threshold, &err) != OK)
			continue;
		for (int i = 0; i < N_GOLD; i++)
			if (confidence[i] >= threshold)
				lowest = fmin(lowest, p[i]);
		n_issued++;
		n_broken += (1 - lowest) / 4 > alpha;
	}
	/* often issued, and three standard deviations of 5 % of 2,000 at the very most */
	if (n_issued < N_DRAWS / 2 || n_broken > 130)
		fail_msg("%d certificates, %d of them broken", n_issued, n_broken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binomial_tails),
		cmocka_unit_test(bounds_meet_their_anchors),
		cmocka_unit_test(errors_that_revoke),
		cmocka_unit_test(as_many_trials_as_suffice),
		cmocka_unit_test(a_meaningless_delta_promises_nothing),
		cmocka_unit_test(the_ends_are_in_order),
		cmocka_unit_test(thresholds_by_hand),
		cmocka_unit_test(one_gold_calibrates_and_certifies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
