/* labels: unit sql; timeout: 120 */
/* Confirm cards: which tasks carry one, what an answer to one says, and what may not be learnt from it. */
#include "card.h"
#include "card_report.h"
#include "classification.h"
#include "correlation.h"
#include "gold.h"
#include "skill.h"
#include "support_project.h"
#include "task.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_project t;

static void near(double a, double b, double most)
{
	if (!(fabs(a - b) <= most))
		fail_msg("%.15g is not %.15g", a, b);
}

static void rates_by_hand(void **state)
{
	(void)state;
	static const struct {
		struct confirm_counts counts;
		double right, wrong;
	} rows[] = {
		{{0, 0, 0, 0}, 0.95, 0.30}, {{20, 19, 10, 2}, 114.0 / 120, 32.0 / 110},
		{{1000, 990, 900, 20}, 1085.0 / 1100, 50.0 / 1000},
		{{900, 0, 900, 870}, 0.095,
			0.095}, /* people who say no to what is right: a yes is no evidence, never evidence against */
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct confirm_rates r = confirm_rates(rows[i].counts);
		near(r.right, rows[i].right, 1e-12);
		near(r.wrong, rows[i].wrong, 1e-12);
	}
}

static void likelihood_and_gain_by_hand(void **state)
{
	(void)state;
	const struct confirm_rates prior = {0.95, 0.30}, sharp = {0.9, 0.1};
	const double even[] = {0.5, 0.5}, blind[] = {0.5, 0.5, 0.5, 0.5}, seeing[] = {1, 0, 0, 1};
	double yes[3] = {0}, no[3] = {1, 1, 1};
	confirm_add(prior, 1, true, 3, yes);
	confirm_add(prior, 1, false, 3, no);
	for (int z = 0; z < 3; z++) {
		near(yes[z], log(z == 1 ? 0.95 : 0.30), 1e-12);
		near(no[z], 1 + log(z == 1 ? 0.05 : 0.70), 1e-12);
	}
	/* A survey that tells nothing: log 2 less the entropy of .9. One that tells all: what a yes leaves, .5 of the time. */
	double h = -0.9 * log(0.9) - 0.1 * log(0.1);
	near(confirm_gain(sharp, 0, even, blind, 2), log(2) - h, 1e-12);
	near(confirm_gain(sharp, 0, even, seeing, 2), log(2) - h / 2, 1e-12);
}

static void set_policy(const char *rules)
{
	test_sql(&t, "UPDATE policy SET rules = json_patch(rules, '%s')", rules);
}

static const char cards_only[] = "{\"confirm_ends\": false, \"confirm_blind\": 0, \"plant_first\": "
								 "0, \"plant_rate\": 0, \"tau\": 0.01, \"cap\": 1000}";

/* A model that says what it means: calibrated by nothing. */
static void open_with_model(int n_subjects, const char *policy)
{
	test_project_open(&t, 4, 1, n_subjects, policy);
	test_model(&t, 4);
	test_sql(&t, "UPDATE model SET w0 = 0, w1 = 1, n_calibration = 20");
}

/* The next task of volunteer v; 0 tasks: subject_id is 0. The guess's class, -1: none. */
static struct task next(int v, int64_t now, int *guess)
{
	struct err err = {0};
	struct task_list list;
	assert_int_equal(db_begin(t.db, &err), OK);
	if (task_next(t.db, t.id, t.volunteers[v], false, 1, now, &list, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(db_commit(t.db, &err), OK);
	struct task task = {.subject_id = list.n ? list.tasks[0].subject_id : 0,
		.guess_id = list.n ? list.tasks[0].guess_id : 0};
	task_list_release(&list);
	*guess = -1;
	for (int i = 0; i < t.k; i++)
		if (t.taxa[i] == task.guess_id)
			*guess = i;
	return task;
}

static struct classification_result answer(int64_t subject, int v, int class, int64_t nth)
{
	struct err err = {0};
	struct classification_result result;
	int64_t ms = class < 0 ? 4000 : 1000 + 100 * (nth % 3);
	struct classification c = {.project_id = t.id,
		.subject_id = subject,
		.volunteer_id = t.volunteers[v],
		.answer = class < 0 ? ANSWER_CANT_TELL : ANSWER_TAXA,
		.taxon_id = class < 0 ? 0 : t.taxa[class],
		.duration_ms = &ms};
	test_uuid(nth, c.uuid);
	assert_int_equal(db_begin(t.db, &err), OK);
	if (classification_add(t.db, &c, 50, &result, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(db_commit(t.db, &err), OK);
	return result;
}

static void certify(const char *state, double threshold)
{
	test_sql(&t,
		"INSERT INTO certificate (project_id, model_id, policy_id, alpha, delta, threshold, "
		"n_gold, n_above, n_wrong, "
		"p_error_upper, audit_rate, state, issued_ms) VALUES (%d, %d, 1, 0.034, 0.05, %g, 100, "
		"100, 0, 0.03, 0.01, "
		"'%s', 1)",
		(int)t.id, (int)t.model_id, threshold, state);
	test_sql(&t,
		"UPDATE certificate SET p_top_min = threshold; INSERT INTO certificate_taxon SELECT 1, id "
		"FROM taxon "
		"WHERE kind <> 'blank'");
}

static void a_sure_and_untouched_subject_carries_a_card(void **state)
{
	(void)state;
	static const struct {
		int top;
		double p, threshold;      /* 0: no certificate */
		const char *policy, *sql; /* what else is so */
		int guess;                /* -1: blind */
	} rows[] = {
		{2, 0.81, 0, NULL, NULL, 2},
		{2, 0.79, 0, NULL, NULL, -1},
		{2, 0.99, 0, NULL, NULL, 2},
		{0, 0.90, 0, NULL, NULL, 0}, /* "nothing here?" */
		{2, 0.85, 0.9, NULL, NULL, 2},
		{2, 0.95, 0.9, NULL, NULL,
			-1}, /* it will be labelled without people, or is a shadow audit's like */
		{0, 0.95, 0.9, NULL, NULL, 0}, /* blank never is */
		{2, 0.95, 0.9, "{\"auto_label\": false}", NULL, 2},
		{2, 0.95, 0, "{\"confirm_above\": 1}", NULL, -1},
		{2, 0.95, 0, "{\"confirm_above\": 0.96}", NULL, -1},
		{2, 0.95, 0, "{\"confirm_blind\": 1}", NULL, -1},
		{2, 0.95, 0, NULL, "UPDATE subject SET blind = 1", -1},
		/* A yes would leave (.01 * .3)^(1/1.3) of each other class: .0354 in all, and .0307 from .975. */
		{2, 0.970, 0, "{\"confirm_ends\": true, \"tau\": 0.034}", NULL, -1},
		{2, 0.975, 0, "{\"confirm_ends\": true, \"tau\": 0.034}", NULL, 2},
		{2, 0.95, 0, NULL, "UPDATE model SET w0 = NULL", -1},
		{2, 0.95, 0, NULL, "UPDATE taxon SET retired_ms = 1 WHERE code = 'animal2'", -1},
		{2, 0.95, 0, NULL, "UPDATE subject SET n_cant_tell = 1", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int guess;
		open_with_model(1, cards_only);
		if (rows[i].threshold > 0) {
			certify("probation", rows[i].threshold);
		}
		if (rows[i].policy)
			set_policy(rows[i].policy);
		test_predict(&t, t.first_subject, rows[i].top, rows[i].p, 5);
		if (rows[i].sql)
			test_sql(&t, "%s", rows[i].sql);
		struct task task = next(0, 10, &guess);
		assert_int_equal(task.subject_id, t.first_subject);
		if (guess != rows[i].guess)
			fail_msg("row %zu: the guess is %d", i, guess);
		/* Held, it is the same card. */
		next(0, 11, &guess);
		assert_int_equal(guess, rows[i].guess);
		test_project_close(&t);
	}
}

static void posterior(double *q)
{
	struct err err = {0};
	struct project p = {0};
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	assert_int_equal(label_posterior(t.db, &p, t.first_subject, q, &err), OK);
	project_release(&p);
}

static void an_answer_weighs_what_it_says(void **state)
{
	(void)state;
	/* The pooled matrix of a new project: .8 right, the rest shared. */
	static const struct {
		int answer;
		double likelihood[4];
	} rows[] = {
		{2, {0.30, 0.30, 0.95, 0.30}},
		{1, {0.70 * 0.2 / 3, 0.70 * 0.8, 0.05 * 0.2 / 3, 0.70 * 0.2 / 3}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		double before[4], after[4], expected[4], sum = 0;
		int guess;
		open_with_model(2, cards_only);
		test_predict(&t, t.first_subject, 2, 0.9, 5);
		test_sql(&t, "UPDATE subject SET priority = 5 WHERE id = %d", (int)t.first_subject);
		posterior(before);
		assert_int_equal(next(0, 10, &guess).subject_id, t.first_subject);
		assert_int_equal(guess, 2);
		answer(t.first_subject, 0, rows[i].answer, 1);
		posterior(after);
		/* The model is in it once, as the prior: two sources, kappa .3. The class prior of a new project is even. */
		for (int z = 0; z < 4; z++)
			sum += expected[z] = pow(before[z] * rows[i].likelihood[z], 1 / 1.3);
		for (int z = 0; z < 4; z++)
			near(after[z], expected[z] / sum, 1e-9);
		assert_int_equal(test_sql(&t,
							 "SELECT count(*) FROM classification WHERE guess_id = %d AND "
							 "guess_model_id = %d AND counted = 1",
							 (int)t.taxa[2], (int)t.model_id),
			1);
		/* Whoever comes next is asked blind. */
		test_sql(&t, "UPDATE subject SET priority = 5 WHERE id = %d", (int)t.first_subject);
		assert_int_equal(next(1, 11, &guess).subject_id, t.first_subject);
		assert_int_equal(guess, -1);
		test_project_close(&t);
	}
}

static void a_card_teaches_no_skill(void **state)
{
	(void)state;
	int guess;
	open_with_model(1,
		"{\"confirm_ends\": false, \"confirm_blind\": 0, \"plant_first\": 0, \"plant_rate\": 0, "
		"\"tau\": 0.2}");
	test_predict(&t, t.first_subject, 2, 0.95, 5);
	next(0, 10, &guess);
	assert_int_equal(guess, 2);
	answer(t.first_subject, 0, 2, 1);
	assert_string_equal(test_text(&t, "by", t.first_subject), "people");
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM skill"), 0);
	assert_int_equal(test_sql(&t, "SELECT sum(credited) FROM classification"), 0);
	test_project_close(&t);
}

static void a_guess_on_what_became_an_audit_is_no_evidence(void **state)
{
	(void)state;
	int guess;
	open_with_model(1, cards_only);
	test_predict(&t, t.first_subject, 2, 0.95, 5);
	next(0, 10, &guess);
	assert_int_equal(guess, 2);
	test_sql(&t, "UPDATE subject SET blind = 1");
	struct classification_result r = answer(t.first_subject, 0, 2, 1);
	assert_true(r.counted && !r.replay);
	r = answer(t.first_subject, 0, 2, 1);
	assert_true(r.counted && r.replay);
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM classification WHERE counted = 0 AND stained = 1"), 1);
	assert_int_equal(test_sql(&t, "SELECT n_answers FROM subject"), 0);
	test_project_close(&t);
}

static void undone_it_is_the_same_card(void **state)
{
	(void)state;
	struct err err = {0};
	uint8_t uuid[16], of[16];
	struct classification_undone undone;
	struct task_list list;
	int guess;
	open_with_model(1, cards_only);
	test_predict(&t, t.first_subject, 2, 0.95, 5);
	next(0, 10, &guess);
	answer(t.first_subject, 0, 2, 1);
	test_uuid(1, of);
	test_uuid(2, uuid);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(classification_undo(t.db, uuid, of, t.volunteers[0], 60, &undone, &err), OK);
	assert_int_equal(undone.guess_id, t.taxa[2]);
	assert_int_equal(undone.guess_model_id, t.model_id);
	assert_int_equal(task_again(t.db, t.volunteers[0], &undone, 61, &list, &err), OK);
	assert_int_equal(list.tasks[0].guess_id, t.taxa[2]);
	task_list_release(&list);
	assert_int_equal(db_commit(t.db, &err), OK);
	test_project_close(&t);
}

/* Subjects 0 .. n-1 become gold of a purpose, class 1, and the model is right about them, with animal2 second. */
static void make_gold(int n, const char *purpose)
{
	struct err err = {0};
	struct project p = {0};
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	for (int i = 0; i < n; i++) {
		test_predict(&t, t.first_subject + i, 1, 0.9, 5);
		assert_int_equal(db_begin(t.db, &err), OK);
		assert_int_equal(
			gold_label(t.db, &p, t.first_subject + i, p.taxa[1].code, "probe", 1, &err), OK);
		assert_int_equal(db_commit(t.db, &err), OK);
	}
	/* Its entries are of 8 bytes: the third class comes second. */
	test_sql(&t,
		"UPDATE prediction SET top = CAST(substr(top, 1, 8) || CAST(char(%d) AS BLOB) || x'000000' "
		"|| x'cdcccc3d' AS BLOB)",
		(int)t.taxa[2]);
	test_sql(&t, "UPDATE gold SET p_draw = 1, purpose = '%s'", purpose);
	project_release(&p);
}

static void some_guesses_on_gold_are_wrong_on_purpose(void **state)
{
	(void)state;
	static const struct {
		const char *purpose;
		bool cards;
	} rows[] = {{"train-people", true}, {"certify", false}, {"probe", false}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int n[4] = {0}, n_blind = 0, yes_wrong = 0, yes_right = 0;
		int64_t nth = 0;
		open_with_model(120,
			"{\"confirm_ends\": false, \"confirm_blind\": 0.2, \"plant_first\": 0.5, "
			"\"plant_rate\": 0.5, \"tau\": 0.0001, "
			"\"kappa\": 0, \"cap\": 1000, \"cant_tell\": 1000}");
		make_gold(40, rows[i].purpose);
		for (int v = 0; v < 20; v++)
			for (int j = 0; j < 20; j++) {
				int guess;
				struct task task = next(v, 10 + j, &guess);
				bool gold = task.subject_id < t.first_subject + 40;
				if (gold) {
					n_blind += guess < 0;
					n[guess < 0 ? 0 : guess]++;
				}
				/* Says yes to what is right, and to every other wrong guess. */
				bool yes = gold && guess >= 0 && (guess == 1 || nth % 2);
				yes_right += yes && guess == 1;
				yes_wrong += yes && guess == 2;
				answer(task.subject_id, v, yes ? guess : j % 2 ? -1 : 3, ++nth);
			}
		assert_true(n[1] + n[2] + n_blind > 100);
		assert_int_equal(n[3], 0);
		assert_true((n[1] + n[2] > 0) == rows[i].cards);
		if (rows[i]
				.cards) { /* .2 blind and .3 of the rest wrong, give or take six standard deviations */
			double cards = n[1] + n[2], all = cards + n_blind;
			assert_true(fabs(n_blind - 0.2 * all) < 6 * sqrt(all * 0.16));
			assert_true(fabs(n[2] - 0.3 * cards) < 6 * sqrt(cards * 0.21));
			assert_int_equal(test_sql(&t,
								 "SELECT count(*) FROM classification WHERE guess_id IS NOT NULL "
								 "AND credited = 1"),
				0);
			assert_true(test_sql(&t, "SELECT count(*) FROM skill") > 0); /* blind ones teach */
		}
		struct err err = {0};
		struct confirm_counts counts;
		struct confirm_rates rates;
		assert_int_equal(db_begin(t.db, &err), OK);
		assert_int_equal(skill_remix(t.db, t.id, &err), OK);
		assert_int_equal(db_commit(t.db, &err), OK);
		assert_int_equal(confirm_load(t.db, t.id, &rates, &counts, &err), OK);
		assert_int_equal(counts.n_right, n[1]);
		assert_int_equal(counts.n_wrong, n[2]);
		assert_int_equal(counts.n_yes_right, yes_right);
		assert_int_equal(counts.n_yes_wrong, yes_wrong);
		near(rates.wrong, (30.0 + yes_wrong) / (100 + n[2]), 1e-12);
		test_project_close(&t);
	}
}

static void what_is_told_is_told_of_all_and_believed_once(void **state)
{
	(void)state;
	struct err err = {0};
	uint8_t uuid[16], of[16];
	struct classification_undone undone;
	struct task_list list;
	int guess;
	open_with_model(
		3, "{\"confirm_above\": 1, \"plant_first\": 0, \"plant_rate\": 0, \"tau\": 0.0001}");
	set_policy("{\"reveal\": true}");
	test_predict(&t, t.first_subject, 2, 0.95, 5);
	test_sql(&t, "UPDATE subject SET priority = 9 - id");
	assert_int_equal(next(0, 10, &guess).subject_id, t.first_subject);
	struct classification_result r = answer(t.first_subject, 0, 1, 1);
	assert_true(r.reveals && r.opinion_id == t.taxa[2]);
	r = answer(t.first_subject, 0, 1, 1); /* the reply was lost: told again */
	assert_true(r.replay && r.reveals && r.opinion_id == t.taxa[2]);
	test_uuid(1, of);
	test_uuid(2, uuid);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(classification_undo(t.db, uuid, of, t.volunteers[0], 60, &undone, &err), OK);
	assert_int_equal(task_again(t.db, t.volunteers[0], &undone, 61, &list, &err), OK);
	task_list_release(&list);
	assert_int_equal(db_commit(t.db, &err), OK);
	r = answer(t.first_subject, 0, 2, 3);
	assert_true(r.counted && r.reveals);
	assert_int_equal(
		test_sql(&t, "SELECT n_answers FROM subject WHERE id = %d", (int)t.first_subject), 0);
	assert_int_equal(test_sql(&t, "SELECT sum(stained) FROM classification"), 1);
	/* Of the next one the model has said nothing: that is told too, and taking it back stains nothing. */
	int64_t second = next(0, 70, &guess).subject_id;
	assert_int_equal(second, t.first_subject + 1);
	r = answer(second, 0, 1, 4);
	assert_true(r.reveals && r.opinion_id == 0);
	test_predict(&t, second, 2, 0.95, 80); /* what was not told then is not told when asked again */
	r = answer(second, 0, 1, 4);
	assert_true(r.replay && r.reveals && r.opinion_id == 0);
	assert_int_equal(
		test_sql(&t, "SELECT sum(told) FROM classification WHERE subject_id = %d", (int)second), 0);
	test_project_close(&t);
}

static void both_questions_are_compared(void **state)
{
	(void)state;
	struct err err = {0};
	struct project p = {0};
	struct card_report r;
	int64_t nth = 0;
	int guess;
	open_with_model(40,
		"{\"confirm_ends\": false, \"confirm_blind\": 0.5, \"plant_first\": 0, \"plant_rate\": 0, "
		"\"tau\": 0.0001}");
	for (int i = 0; i < 40; i++)
		test_predict(&t, t.first_subject + i, 2, 0.9, 5);
	int n_cards = 0;
	for (int i = 0; i < 40; i++) {
		int64_t id = next(0, 10 + i, &guess).subject_id;
		n_cards += guess >= 0;
		answer(id, 0, 2, nth += 3); /* a second each */
	}
	assert_true(n_cards > 4 && n_cards < 36);
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	assert_int_equal(card_report_make(t.db, &p, &r, &err), OK);
	assert_int_equal(r.card.n, n_cards);
	assert_int_equal(r.n_yes, n_cards);
	assert_int_equal(r.survey.n, 40 - n_cards);
	near(r.card.seconds, 1, 1e-12);
	near(r.survey.seconds, 1, 1e-12);
	/* One posterior and one matrix: what each of them is expected to tell. */
	double q[] = {0.1 / 3, 0.1 / 3, 0.9, 0.1 / 3}, theta[16];
	for (int z = 0; z < 4; z++)
		for (int a = 0; a < 4; a++)
			theta[z * 4 + a] = z == a ? 0.8 : 0.2 / 3;
	near(r.card.bits, confirm_gain((struct confirm_rates){0.95, 0.3}, 2, q, theta, 4) / log(2),
		1e-6);
	near(r.survey.bits, answer_gain(q, theta, 4).entropy / log(2), 1e-6);
	near(r.card.bits_per_s, r.card.bits, 1e-12);
	project_release(&p);
	test_project_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_by_hand),
		cmocka_unit_test(likelihood_and_gain_by_hand),
		cmocka_unit_test(a_sure_and_untouched_subject_carries_a_card),
		cmocka_unit_test(an_answer_weighs_what_it_says),
		cmocka_unit_test(a_card_teaches_no_skill),
		cmocka_unit_test(a_guess_on_what_became_an_audit_is_no_evidence),
		cmocka_unit_test(undone_it_is_the_same_card),
		cmocka_unit_test(some_guesses_on_gold_are_wrong_on_purpose),
		cmocka_unit_test(what_is_told_is_told_of_all_and_believed_once),
		cmocka_unit_test(both_questions_are_compared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
