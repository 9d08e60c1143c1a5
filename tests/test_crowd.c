/* labels: unit; timeout: 60 */
/* The simulated crowd: its rates are those its header promises, and nothing in it is left to
 * chance. */
#include "crowd.h"
#include "rng.h"
#include "taxa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 6000 };

/* The reference population of crowd.h: two thirds animals, a third of them with a look-alike. */
static struct crowd_subject *reference_population(void)
{
	static struct crowd_subject s[N];
	for (int i = 0; i < N; i++) {
		struct rng r = rng_at(2015, (uint64_t)i, 26);
		int taxon = i % 3 == 0 ? TAXON_BLANK
			: i % 9 == 1       ? TAXON_THOMSONS
			: i % 9 == 4       ? TAXON_GRANTS
							   : TAXON_BUFFALO + i % 5;
		s[i] = (struct crowd_subject){.id = rng_next(&r),
			.truth = taxon,
			.lookalike = taxon_lookalike(taxon),
			.blank = TAXON_BLANK,
			.n_taxa = N_TAXA,
			.difficulty = 1.0 - pow(1.0 - (double)rng_unit(&r), 1.0 / 2.4)};
	}
	return s;
}

static void rates_are_the_published_ones(void **state)
{
	(void)state;
	struct rule {
		struct crowd_result (*rule)(uint64_t, const struct crowd_subject *);
		double answers_low, answers_high, animals_low, animals_high, all_low, all_high;
	};
	static const struct rule rules[] = {
		{crowd_single, 1, 1, 0.87, 0.91, 0.90, 0.94},
		{crowd_plurality10, 10, 10, 0.955, 0.975, 0.965, 0.985},
		{crowd_serengeti, 7, 14, 0.955, 0.98, 0.965, 0.99},
	};
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		struct crowd_score s = crowd_score(7, reference_population(), N, rules[i].rule);
		assert_true(s.answers >= rules[i].answers_low && s.answers <= rules[i].answers_high);
		assert_true(s.accuracy_animals > rules[i].animals_low);
		assert_true(s.accuracy_animals < rules[i].animals_high);
		assert_true(s.accuracy > rules[i].all_low && s.accuracy < rules[i].all_high);
	}
}

static double right_of(int v, int blanks)
{
	const struct crowd_subject *s = reference_population();
	double n = 0, right = 0;
	for (int i = 0; i < N; i++)
		if ((s[i].truth == s[i].blank) == blanks) {
			n++;
			right += crowd_answer(7, v, &s[i]) == s[i].truth;
		}
	return right / n;
}

static void volunteers_are_unequal(void **state)
{
	(void)state;
	double good = 0, poor = 0, blank = 0;
	for (int v = 0; v < 34; v++)
		good += right_of(v, 0) / 34;
	for (int v = 34; v < 39; v++)
		poor += right_of(v, 0) / 5;
	for (int v = 0; v < CROWD_N; v++)
		blank += right_of(v, 1) / CROWD_N;
	assert_true(good > 0.9 && good < 0.96);
	assert_true(poor > 0.7 && poor < 0.86);
	assert_true(blank > 0.97);
	assert_true(right_of(39, 0) < 0.15 && right_of(39, 1) < 0.15);
}

/* Pairs of good volunteers who both err on an animal: most give the same wrong answer. */
static void errors_go_the_same_way(void **state)
{
	(void)state;
	const struct crowd_subject *s = reference_population();
	int both = 0, same = 0, like = 0, gazelles = 0;
	for (int i = 0; i < N; i++) {
		int a = crowd_answer(7, 3, &s[i]), b = crowd_answer(7, 8, &s[i]);
		if (s[i].truth == s[i].blank || a == s[i].truth || b == s[i].truth)
			continue;
		both++;
		same += a == b;
		gazelles += s[i].lookalike >= 0;
		like += s[i].lookalike >= 0 && a == s[i].lookalike;
	}
	assert_true(both > 60); /* independent errors of 6 % would meet on about 14 of 4000 */
	assert_true(same > 0.5 * both);
	assert_true(like > 0.45 * gazelles);
}

static void harder_is_harder(void **state)
{
	(void)state;
	const struct crowd_subject *s = reference_population();
	double n[2] = {0}, right[2] = {0};
	for (int i = 0; i < N; i++)
		if (s[i].truth != s[i].blank)
			for (int v = 0; v < 10; v++) {
				int hard = s[i].difficulty > 0.5;
				n[hard]++;
				right[hard] += crowd_answer(7, v, &s[i]) == s[i].truth;
			}
	assert_true(right[0] / n[0] > right[1] / n[1] + 0.1);
}

static void the_same_seed_says_the_same(void **state)
{
	(void)state;
	const struct crowd_subject *s = reference_population();
	int differ = 0;
	for (int i = 0; i < 500; i++)
		for (int v = 0; v < CROWD_N; v++) {
			int a = crowd_answer(7, v, &s[i]);
			assert_int_equal(a, crowd_answer(7, v, &s[i]));
			assert_in_range(a + 1, 0, N_TAXA);
			differ += a != crowd_answer(8, v, &s[i]);
		}
	assert_true(differ > 200);
}

static void orders_are_permutations(void **state)
{
	(void)state;
	int first[CROWD_N] = {0};
	for (uint64_t id = 0; id < 2000; id++) {
		int order[CROWD_N], seen[CROWD_N] = {0};
		crowd_order(5, id, order);
		for (int i = 0; i < CROWD_N; i++)
			seen[order[i]]++;
		for (int i = 0; i < CROWD_N; i++)
			assert_int_equal(seen[i], 1);
		first[order[0]]++;
	}
	for (int i = 0; i < CROWD_N; i++)
		assert_in_range(first[i], 20, 90); /* 50 expected */
}

/* Where everybody agrees, the rule's stops are known: 5 for an empty scene, 10 for an animal. */
static void serengeti_stops_where_it_says(void **state)
{
	(void)state;
	struct crowd_subject s = {
		.truth = TAXON_BLANK, .lookalike = -1, .blank = TAXON_BLANK, .n_taxa = N_TAXA};
	int five = 0, ten = 0;
	for (s.id = 1; s.id <= 200; s.id++) {
		struct crowd_result r = crowd_serengeti(3, &s);
		assert_in_range(r.n_answers, 5, 25);
		five += r.n_answers == 5;
	}
	s.truth = TAXON_ZEBRA;
	for (s.id = 1; s.id <= 200; s.id++) {
		struct crowd_result r = crowd_serengeti(3, &s);
		assert_in_range(r.n_answers, 10, 25);
		ten += r.n_answers == 10;
	}
	assert_true(five > 150);
	assert_true(ten > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_the_published_ones),
		cmocka_unit_test(volunteers_are_unequal),
		cmocka_unit_test(errors_go_the_same_way),
		cmocka_unit_test(harder_is_harder),
		cmocka_unit_test(the_same_seed_says_the_same),
		cmocka_unit_test(orders_are_permutations),
		cmocka_unit_test(serengeti_stops_where_it_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
