/* labels: unit; timeout: 60 */
/* Confirm cards in the full refit: evidence as in the tables (equation 29), a source each, and nobody's skill learns from them. */
#include "confusion.h"
#include "refit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { K = 3, N = 4 };

/* Volunteer 0 says 0, 1, 0, 1; volunteer 1 says 0 and 2. */
static void make_answers(struct answers *out)
{
	static const struct answer given[] = {
		{0, 0, 0}, {1, 0, 1}, {2, 0, 0}, {3, 0, 1}, {0, 1, 0}, {1, 1, 2}};
	static struct answer list[sizeof given / sizeof *given];
	struct err err;
	for (size_t i = 0; i < sizeof given / sizeof *given; i++)
		list[i] = given[i];
	assert_int_equal(answers_sort(list, sizeof given / sizeof *given, N, 2, K, out, &err), OK);
}

static struct refit *open_refit(
	const struct answers *answers, const struct refit_cards *cards, const int16_t *gold)
{
	struct err err = {0};
	struct refit *r = NULL;
	double moved;
	const struct refit_input input = {
		.answers = answers, .cards = cards, .gold = gold, .n_threads = 1};
	if (refit_new(&input, &r, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(refit_judge(r, &moved, &err), OK);
	return r;
}

static void a_card_adds_what_it_says(void **state)
{
	(void)state;
	/* Subject 1: a yes to class 2. Subject 2: a no to class 2, then 0, which volunteer 1 has said blind as well; and one then
	 * 1, which they have not. */
	static const uint32_t start[] = {0, 0, 1, 3, 3};
	static const struct refit_card list[] = {{0, 2, 2}, {1, 2, 0}, {1, 2, 1}};
	const struct refit_cards cards = {start, list, 0.9, 0.2};
	struct answers answers;
	double without[K], with[K], theta[2][K];
	make_answers(&answers);
	struct refit *plain = open_refit(&answers, NULL, NULL),
				 *carded = open_refit(&answers, &cards, NULL);
	for (int i = 0; i < N; i++) {
		int n = refit_evidence(plain, (size_t)i, without);
		assert_int_equal(
			refit_evidence(carded, (size_t)i, with), n + (int)(start[i + 1] - start[i]));
		double expected[K] = {0};
		if (i == 1)
			expected[2] = log(0.9 / 0.2);
		if (i == 2) {
			for (int a = 0; a < 2; a++) /* nobody has learnt anything yet: no cells, lambda 0 */
				confusion_column(refit_m(plain), K, 0, (struct own_counts){0}, a, theta[a]);
			for (int z = 0; z < K; z++)
				expected[z] = log(theta[0][z]) + log(theta[1][z]);
			expected[2] += 2 * log(0.1 / 0.8);
		}
		for (int z = 0; z < K; z++)
			assert_true(fabs(with[z] - without[z] - expected[z]) < 1e-12);
	}
	refit_free(plain);
	refit_free(carded);
	answers_release(&answers);
}

static void nobody_learns_from_one(void **state)
{
	(void)state;
	static const uint32_t start[] = {0, 2, 2, 2, 2};
	static const struct refit_card list[] = {{0, 2, 2}, {1, 2, 1}};
	static const int16_t gold[] = {0, 1, 0, 1}; /* posteriors are the same with and without cards */
	const struct refit_cards cards = {start, list, 0.9, 0.2};
	struct answers answers;
	struct refit_report report;
	struct err err;
	make_answers(&answers);
	struct refit *plain = open_refit(&answers, NULL, gold),
				 *carded = open_refit(&answers, &cards, gold);
	assert_int_equal(refit_run(plain, 3, 0, &report, &err), OK);
	assert_int_equal(refit_run(carded, 3, 0, &report, &err), OK);
	for (int v = 0; v < 2; v++)
		assert_true(refit_lambda(plain)[v] == refit_lambda(carded)[v]);
	for (int i = 0; i < K * K; i++)
		assert_true(refit_m(plain)[i] == refit_m(carded)[i]);
	refit_free(plain);
	refit_free(carded);
	answers_release(&answers);
}

static void what_is_no_card_is_refused(void **state)
{
	(void)state;
	static const uint32_t start[] = {0, 1, 1, 1, 1};
	static const struct refit_card good = {0, 2, 2}, bad[] = {{2, 2, 2}, {0, 3, 2}, {0, 2, 3}};
	struct answers answers;
	make_answers(&answers);
	for (int i = 0; i < 5; i++) {
		struct err err;
		struct refit *r = NULL;
		const struct refit_cards cards = {
			start, i < 3 ? &bad[i] : &good, i == 3 ? 1 : 0.9, i == 4 ? 0 : 0.2};
		const struct refit_input input = {.answers = &answers, .cards = &cards, .n_threads = 1};
		assert_int_equal(refit_new(&input, &r, &err), BAD_INPUT);
		assert_null(r);
	}
	answers_release(&answers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_card_adds_what_it_says),
		cmocka_unit_test(nobody_learns_from_one),
		cmocka_unit_test(what_is_no_card_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
