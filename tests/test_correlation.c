/* labels: unit; timeout: 60 */
/* kappa from gold that was not drawn evenly. */
#include "correlation.h"
#include "rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("%.12g, %.12g is wanted", got, want);
}

/*
 * One draw at .1, .1 and .5, another of one at .3: 1, 1 and .2 of each other, a sum of 2.2, so 3 / 2.2 of that; and 1.
 * Their sum is 4, that of their squares (9 / 4.84) 2.04 + 1 = 4.793388...
 */
static void weights_are_by_draw_and_by_effective_number(void **state)
{
	(void)state;
	static const double p[4] = {.1, .3, .1, .5};
	static const int64_t draw[4] = {7, 9, 7, 7};
	const double shared = 4 / (9 / 4.84 * 2.04 + 1);
	double w[5];
	struct err err;
	assert_int_equal(correlation_weights(p, draw, 4, w, &err), OK);
	assert_near(w[0], 3 / 2.2 * shared, 1e-12);
	assert_near(w[1], shared, 1e-12);
	assert_near(w[2], 3 / 2.2 * shared, 1e-12);
	assert_near(w[3], .6 / 2.2 * shared, 1e-12);
	/* A second draw from what is left has another probability, and no other subjects: they all count once. */
	static const double even[5] = {.3, .7, .3, .7, .3};
	static const int64_t two[5] = {1, 2, 1, 2, 1};
	assert_int_equal(correlation_weights(even, two, 5, w, &err), OK);
	for (int i = 0; i < 5; i++)
		assert_true(w[i] == 1);
	static const double bad[] = {0, -.1, 1.1, NAN};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(correlation_weights(&bad[i], two, 1, w, &err), BAD_INPUT);
}

enum { N = 20000, MAX_GOLD = 4000 };

static struct subject {
	double evidence[2], p_draw;
	int truth;
} all[N];

static struct gold {
	double evidence[2 * N], p_draw[N], weight[N];
	int n_sources[N], truth[N], n;
	int64_t draw[N];
} gold;

/* Three people of .8: of a rare kind, one in twenty, all three say the same; of the others each says their own. */
static void make_world(uint64_t seed)
{
	for (int i = 0; i < N; i++) {
		struct rng r = rng_at(seed, 1, (uint64_t)i);
		struct subject *s = &all[i];
		bool rare = i % 20 == 0, right = false;
		*s = (struct subject){.truth = rng_int(&r, 2), .p_draw = rare ? .4 : .02};
		for (int v = 0; v < 3; v++) {
			right = v > 0 && rare ? right : rng_unit(&r) < .8f;
			s->evidence[right ? s->truth : 1 - s->truth] += log(4);
		}
	}
}

static void take(bool everything, uint64_t seed)
{
	gold.n = 0;
	for (int i = 0; i < N; i++) {
		struct rng r = rng_at(seed, 2, (uint64_t)i);
		if (!everything && (double)rng_unit(&r) >= all[i].p_draw)
			continue;
		memcpy(gold.evidence + 2 * gold.n, all[i].evidence, sizeof all[i].evidence);
		gold.n_sources[gold.n] = 3;
		gold.truth[gold.n] = all[i].truth;
		gold.draw[gold.n] = 5;
		gold.p_draw[gold.n++] = all[i].p_draw;
	}
}

static struct correlation fit(const double *weight)
{
	static const double log_pi[2] = {-.6931471805599453, -.6931471805599453};
	struct correlation out;
	struct err err;
	assert_int_equal(correlation_fit(log_pi, gold.evidence, gold.n_sources, gold.truth, weight,
						 gold.n, 2, &out, &err),
		OK);
	return out;
}

/* Half of what is drawn is of the rare kind, where people are of one mind: kappa is read off as if that were the project. */
static void weighted_gold_says_of_kappa_what_all_of_it_says(void **state)
{
	(void)state;
	struct err err;
	double off_with = 0, off_without = 0;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		make_world(seed);
		take(true, seed);
		const double whole = fit(NULL).kappa;
		take(false, seed);
		assert_true(gold.n > 600 && gold.n < MAX_GOLD);
		assert_int_equal(
			correlation_weights(gold.p_draw, gold.draw, gold.n, gold.weight, &err), OK);
		off_without += fabs(fit(NULL).kappa - whole) / 10;
		off_with += fabs(fit(gold.weight).kappa - whole) / 10;
		/* Even weights are none, to the last bit. */
		for (int i = 0; i < gold.n; i++)
			gold.p_draw[i] = .3;
		assert_int_equal(
			correlation_weights(gold.p_draw, gold.draw, gold.n, gold.weight, &err), OK);
		for (int i = 0; i < gold.n; i++)
			assert_true(gold.weight[i] == 1);
	}
	print_message("kappa is off by %.3f with weights, %.3f without\n", off_with, off_without);
	assert_true(off_without > .2);
	assert_true(off_with < off_without / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_are_by_draw_and_by_effective_number),
		cmocka_unit_test(weighted_gold_says_of_kappa_what_all_of_it_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
