/* labels: unit sql slow; timeout: 300 */
/* Strata: which are tested at which share of delta, and that each certificate stands and falls alone. */
#include "bounds.h"
#include "certificate.h"
#include "certificate_check.h"
#include "deployment.h"
#include "prediction.h"
#include "rng.h"
#include "support_command.h"
#include "support_strata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

static struct test_project *const t = &strata_world;

/* ceil(ln delta / ln(1 - alpha)): 2.9957 / .034591 = 86.6, / .010050 = 298.07; ln .025 = -3.6889. */
static void how_much_gold_a_stratum_takes(void **state)
{
	(void)state;
	static const struct {
		double alpha, delta;
		int want;
	} rows[] = {{.034, .05, 87}, {.01, .05, 299}, {.034, .025, 107}, {.01, .025, 368},
		{.034, .05 / 3, 119}, {.5, .5, 1}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(stratum_needed(rows[i].alpha, rows[i].delta), rows[i].want);
		/* So many without an error pass, one fewer do not. */
		assert_true(binom_cdf(0, rows[i].want, rows[i].alpha) <= rows[i].delta);
		assert_true(binom_cdf(0, rows[i].want - 1, rows[i].alpha) > rows[i].delta);
	}
	assert_int_equal(stratum_part_of(true, 1000, 10), PART_BLANK);
	assert_int_equal(stratum_part_of(false, 10, 10), PART_COMMON);
	assert_int_equal(stratum_part_of(false, 9, 10), PART_OTHER);
}

static void delta_is_split_over_what_can_pass(void **state)
{
	(void)state;
	static const struct {
		int n_gold[3]; /* blank at .01, common and other at .034 */
		bool tested[3];
	} rows[] = {
		{{298, 300, 86}, {false, true, false}},
		{{299, 0, 0}, {true, false, false}},
		{{367, 300, 0}, {false, true, false}}, /* 299 alone, 368 at half of delta */
		{{368, 300, 0}, {true, true, false}},
		{{400, 106, 0}, {true, false, false}}, /* what lacks more goes: 106 of 107 */
		{{360, 106, 0}, {false, true, false}}, /* .978 of 368 is less than .991 of 107 */
		{{410, 119, 119}, {true, true, true}}, /* a third: 408 and 119 */
		{{410, 119, 118}, {true, true, false}},
		{{0, 0, 0}, {false, false, false}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stratum s[3] = {{.01, rows[i].n_gold[0], false}, {.034, rows[i].n_gold[1], false},
			{.034, rows[i].n_gold[2], false}};
		int n = strata_choose(s, 3, .05), n_want = 0;
		for (int j = 0; j < 3; j++) {
			if (s[j].tested != rows[i].tested[j])
				fail_msg("row %zu: stratum %d", i, j);
			n_want += rows[i].tested[j];
		}
		assert_int_equal(n, n_want);
	}
}

/*
 * The promise is one for all strata together. Where every stratum's error is a little above its alpha, any certificate
 * breaks it: over 2,000 draws of gold that may happen in 5 % (and 1.5 % for chance).
 */
static void together_they_break_their_promise_as_seldom_as_delta_says(void **state)
{
	(void)state;
	enum { DRAWS = 2000, GOLD = 900 };
	static const double alphas[3] = {.02, .034, .034};
	int n_broken = 0, n_unsplit = 0;
	for (int draw = 0; draw < DRAWS; draw++) {
		struct rng r = rng_at(77, 1, (uint64_t)draw);
		static double conf[3][GOLD];
		static bool wrong[3][GOLD];
		struct stratum s[3] = {{.02, 0, false}, {.034, 0, false}, {.034, 0, false}};
		struct err err;
		bool broken = false, unsplit = false;
		for (int i = 0; i < GOLD; i++) {
			int z = rng_int(&r, 3), at = s[z].n_gold++;
			conf[z][at] = (double)rng_unit(&r);
			wrong[z][at] = (double)rng_unit(&r) < alphas[z] * 1.02;
		}
		int n = strata_choose(s, 3, .05);
		assert_true(n > 0);
		for (int z = 0; z < 3; z++) {
			double threshold;
			broken |= s[z].tested &&
				choose_threshold(
					conf[z], wrong[z], s[z].n_gold, alphas[z], .05 / n, &threshold, &err) == OK;
			unsplit |= choose_threshold(
						   conf[z], wrong[z], s[z].n_gold, alphas[z], .05, &threshold, &err) == OK;
		}
		n_broken += broken;
		n_unsplit += unsplit;
	}
	print_message(
		"broken in %d of %d draws, %d with all of delta for each\n", n_broken, DRAWS, n_unsplit);
	assert_true(n_broken <= 130);
	assert_true(n_unsplit > n_broken + 50);
}

static int64_t of(const char *what, const char *stratum)
{
	return test_sql(t, "SELECT %s FROM certificate WHERE stratum = '%s' ORDER BY id DESC LIMIT 1",
		what, stratum);
}

/* 400 blanks and 400 animals in gold: delta is halved, and 400 without an error bound the error by 1 - .025^(1/400). */
static void each_stratum_has_its_own_promise(void **state)
{
	(void)state;
	strata_open(NULL, NULL);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate WHERE state = 'probation'"), 2);
	int64_t n_blank = of("n_gold", "blank"), n_common = of("n_gold", "common");
	assert_int_equal(n_blank + n_common, STRATA_GOLD);
	assert_true(n_blank > 368);
	assert_int_equal(of("n_strata", "blank"), 2);
	assert_true(test_real(t, "SELECT min(delta_share) FROM certificate WHERE delta = .05") == .025);
	assert_true(test_real(t, "SELECT alpha FROM certificate WHERE stratum = 'blank'") == .01);
	assert_true(test_real(t, "SELECT alpha FROM certificate WHERE stratum = 'common'") == .034);
	assert_true(fabs(test_real(t, "SELECT p_error_upper FROM certificate WHERE stratum = 'blank'") -
					(1 - pow(.025, 1.0 / (double)n_blank))) < 1e-9);
	assert_int_equal(test_sql(t, "SELECT taxon_id FROM certificate_taxon WHERE certificate_id = %d",
						 (int)of("id", "blank")),
		t->taxa[0]);
	test_project_close(t);
}

static void blanks_are_for_people_where_the_policy_says_so(void **state)
{
	(void)state;
	strata_open("{\"auto_blank\": false}", NULL);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate"), 1);
	assert_int_equal(of("n_strata", "common"), 1);
	strata_activate(10);
	assert_true(test_sql(t, "SELECT count(*) FROM subject WHERE decided_by = 'model'") > 100);
	assert_int_equal(test_sql(t,
						 "SELECT count(*) FROM subject WHERE decided_by = 'model' AND "
						 "label_id = %d",
						 (int)t->taxa[0]),
		0);
	test_project_close(t);
}

static int model_labels(const char *stratum)
{
	return (int)test_sql(t,
		"SELECT count(*) FROM subject s JOIN certificate c ON c.id = s.certificate_id WHERE "
		"s.decided_by = 'model' AND c.stratum = '%s'",
		stratum);
}

static void audit_blanks(int n)
{
	struct err err = {0};
	struct project p = {0};
	assert_int_equal(project_load(t->db, t->id, &p, &err), OK);
	for (int i = 0; i < n; i++) {
		int64_t s = test_sql(t,
			"SELECT id FROM subject WHERE state = 'retired' AND decided_by = 'model' AND label_id "
			"= "
			"%d ORDER BY audit_u LIMIT 1",
			(int)t->taxa[0]);
		double u = test_real(t, "SELECT audit_u FROM subject WHERE id = %d", (int)s);
		assert_int_equal(db_begin(t->db, &err), OK);
		assert_int_equal(certificate_audit_more(t->db, &p, s, 0, 20, &err), OK);
		assert_int_equal(db_commit(t->db, &err), OK);
		double p_draw = test_real(t, "SELECT p_draw FROM audit WHERE subject_id = %d", (int)s);
		assert_true(p_draw > u && p_draw < u + 1e-12);
		assert_string_equal(test_text(t, "state", s), "open");
		assert_string_equal(test_text(t, "by", s), "model"); /* it stands meanwhile */
		assert_int_equal(test_sql(t, "SELECT blind FROM subject WHERE id = %d", (int)s), 1);
	}
	project_release(&p);
}

/* Whether what the model says of class z is evidence. */
static bool is_heard(int z)
{
	struct err err = {0};
	struct project p = {0};
	struct prediction_top top = {0};
	assert_int_equal(project_load(t->db, t->id, &p, &err), OK);
	int64_t id = test_sql(t, "SELECT max(id) FROM prediction WHERE top_id = %d", (int)t->taxa[z]);
	assert_int_equal(prediction_read_top(t->db, &p, id, &top, &err), OK);
	project_release(&p);
	return top.calibrated;
}

static void a_broken_promise_about_blanks_leaves_the_animals_alone(void **state)
{
	(void)state;
	strata_open("{\"alpha_blank\": 0.02}", NULL);
	strata_activate(10);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate WHERE state = 'active'"), 2);
	int n_animals = model_labels("common"), n_blanks = model_labels("blank");
	assert_true(n_animals > 100 && n_blanks > 100);
	strata_answer_blind(false, 11);
	audit_blanks(30);
	strata_answer_blind(true, 20);
	assert_int_equal(
		test_sql(t, "SELECT id FROM certificate WHERE stratum = 'blank' AND state = 'revoked'"), 1);
	assert_int_equal(of("state = 'active'", "common"), 1);
	strata_sweep(21);
	assert_int_equal(model_labels("blank"), 0);
	assert_true(
		model_labels("common") > n_animals - 10); /* less the few that an audit has decided since */
	/* The model goes on being heard about animals, and no more about blanks. */
	assert_int_equal(test_sql(t, "SELECT w0 IS NULL FROM model"), 0);
	assert_true(test_real(t, "SELECT min(risk) FROM subject WHERE state = 'open' AND guess_id = %d",
					(int)t->taxa[0]) > 0.3);
	assert_true(is_heard(1) && !is_heard(0));
	/* The same gold brings no more than the one that follows it, unheard, and the animals' is not touched. */
	strata_settle(22);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate"), 3);
	assert_int_equal(of("after_id", "blank"), 1);
	/* Another promise brings one of its own, on probation. */
	test_sql(t, "UPDATE policy SET rules = json_set(rules, '$.alpha_blank', 0.05)");
	strata_settle(23);
	assert_int_equal(of("state = 'probation' AND after_id IS NULL", "blank"), 1);
	assert_int_equal(of("state = 'active'", "common"), 1);
	assert_int_equal(model_labels("blank"), 0);
	assert_true(
		test_sql(t, "SELECT count(*) FROM audit WHERE kind = 'shadow' AND state = 'crowd'") > 40);
	test_project_close(t);
}

static void groups_of_deployments_are_certified_apart(void **state)
{
	(void)state;
	struct err err = {0};
	strata_open("{\"auto_blank\": false}",
		"UPDATE deployment SET group_name = 'north' WHERE name IN ('D2', 'D4')");
	/* D2 and D4 hold the odd subjects: all animals are in the north, and no stratum is left elsewhere. */
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate"), 1);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate WHERE group_name = 'north'"), 1);
	/* One of the two moves to a group of its own: what was one certificate are two. */
	const struct deployment_change change = {.group = "south"};
	assert_int_equal(db_begin(t->db, &err), OK);
	assert_int_equal(deployment_set(t->db, t->id, "D4", &change, &err), OK);
	assert_int_equal(db_commit(t->db, &err), OK);
	strata_settle(5);
	assert_int_equal(test_sql(t,
						 "SELECT count(*) FROM certificate WHERE state = 'probation' AND "
						 "group_name IN ('north', 'south') AND n_strata = 2"),
		2);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate WHERE state = 'replaced'"), 1);
	strata_activate(10);
	assert_int_equal(test_sql(t,
						 "SELECT count(*) FROM subject s JOIN certificate c ON c.id = "
						 "s.certificate_id JOIN deployment d ON d.id = s.deployment_id WHERE "
						 "s.decided_by = 'model' AND c.group_name <> d.group_name"),
		0);
	assert_true(test_sql(t,
					"SELECT count(DISTINCT certificate_id) FROM subject WHERE decided_by = "
					"'model'") == 2);
	char long_name[80];
	memset(long_name, 'x', sizeof long_name);
	long_name[61] = 0;
	const struct deployment_change too_long = {.group = long_name}, control = {.group = "a\nb"};
	assert_int_equal(deployment_set(t->db, t->id, "D4", &too_long, &err), BAD_INPUT);
	assert_int_equal(deployment_set(t->db, t->id, "D4", &control, &err), BAD_INPUT);
	test_project_close(t);
}

/* A class of which there is little gold is not certified by what was found of the others. */
static void a_rare_class_is_not_labelled_on_the_common_ones_gold(void **state)
{
	(void)state;
	/* 380 animals and more in gold, and a bar above that: the animal is "other" then, alone in its stratum. */
	strata_open("{\"auto_blank\": false, \"common_gold\": 10000}", NULL);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate WHERE stratum = 'other'"), 1);
	test_project_close(t);
	/* Where it has too little gold nothing is labelled, though blanks have 400. */
	strata_open("{\"common_gold\": 10000}",
		"UPDATE gold SET taxon_id = NULL WHERE subject_id IN (SELECT subject_id FROM gold WHERE "
		"taxon_id = (SELECT id FROM taxon WHERE kind = 'animal') ORDER BY subject_id LIMIT 340)");
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate"), 1);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate WHERE stratum = 'blank'"), 1);
	test_project_close(t);
}

static size_t findings_of(int64_t id, char text[300])
{
	struct err err = {0};
	struct project p = {0};
	bool whole = false;
	json_t *findings = json_array();
	assert_int_equal(project_load(t->db, t->id, &p, &err), OK);
	if (certificate_check(t->db, &p, id, findings, &whole, &err) != OK)
		fail_msg("%s", err.text);
	assert_true(whole);
	size_t n = json_array_size(findings);
	text[0] = 0;
	if (n)
		snprintf(text, 300, "%s", json_string_value(json_array_get(findings, 0)));
	json_decref(findings);
	project_release(&p);
	return n;
}

static void a_check_works_every_number_out_again(void **state)
{
	(void)state;
	static const struct {
		const char *change, *back, *want; /* to certificate 2, the animals' */
	} rows[] = {
		{"UPDATE certificate SET n_wrong = 1 WHERE id = 2",
			"UPDATE certificate SET n_wrong = 0 WHERE id = 2", "1 errors of"},
		{"UPDATE certificate SET n_gold = n_gold + 1 WHERE id = 2",
			"UPDATE certificate SET n_gold = n_gold - 1 WHERE id = 2", "n_gold is"},
		{"UPDATE certificate SET p_top_min = p_top_min - .01 WHERE id = 2",
			"UPDATE certificate SET p_top_min = p_top_min + .01 WHERE id = 2", "p_top_min is"},
		{"UPDATE certificate SET threshold = threshold - .01 WHERE id = 2",
			"UPDATE certificate SET threshold = threshold + .01 WHERE id = 2", "threshold is"},
		{"UPDATE certificate SET p_error_upper = p_error_upper / 2 WHERE id = 2",
			"UPDATE certificate SET p_error_upper = p_error_upper * 2 WHERE id = 2",
			"p_error_upper is"},
		{"UPDATE certificate SET alpha = .04 WHERE id = 2",
			"UPDATE certificate SET alpha = .034 WHERE id = 2", "alpha is 0.04"},
		{"UPDATE certificate SET n_strata = 1 WHERE id = 2",
			"UPDATE certificate SET n_strata = 2 WHERE id = 2", "delta 0.05 over 1"},
		{"UPDATE certificate SET state = 'revoked' WHERE id = 2",
			"UPDATE certificate SET state = 'active' WHERE id = 2", "and it is revoked"},
		{"UPDATE audit SET truth_id = 1 WHERE certificate_id = 2 AND state = 'done'",
			"UPDATE audit SET truth_id = 2 WHERE certificate_id = 2 AND state = 'done'",
			"put the error above"},
		{"UPDATE audit SET p_draw = 1e-9 WHERE certificate_id = 2 AND subject_id = (SELECT "
		 "min(subject_id) FROM audit WHERE certificate_id = 2)",
			"UPDATE audit SET p_draw = 1 WHERE p_draw = 1e-9", "the hash does not draw it"},
		{"UPDATE gold SET taxon_id = 1 WHERE subject_id = (SELECT min(subject_id) FROM "
		 "certificate_gold WHERE certificate_id = 2)",
			"UPDATE gold SET taxon_id = 2 WHERE subject_id = (SELECT min(subject_id) FROM "
			"certificate_gold WHERE certificate_id = 2)",
			"the truth of 1 of its gold"},
		{"UPDATE certificate_gold SET truth_id = 1 WHERE certificate_id = 2 AND subject_id = "
		 "(SELECT max(subject_id) FROM certificate_gold WHERE certificate_id = 2)",
			"UPDATE certificate_gold SET truth_id = 2 WHERE certificate_id = 2", "the truth of 1"},
		{"INSERT INTO certificate_taxon VALUES (2, 1)",
			"DELETE FROM certificate_taxon WHERE certificate_id = 2 AND taxon_id = 1",
			"is not of its stratum"},
		{"INSERT INTO model_subject SELECT 1, min(subject_id) FROM certificate_gold WHERE "
		 "certificate_id = 2",
			"DELETE FROM model_subject", "was trained on"},
		{"UPDATE subject SET label_id = 1 WHERE id = (SELECT max(id) FROM subject WHERE "
		 "certificate_id = 2 AND decided_by = 'model')",
			"UPDATE subject SET label_id = 2 WHERE certificate_id = 2 AND decided_by = 'model'",
			"are not covered by it"},
	};
	char text[300];
	strata_open("{\"alpha_blank\": 0.02}", NULL);
	strata_activate(10);
	assert_int_equal(of("id", "common"), 2);
	for (int64_t id = 1; id <= 2; id++)
		if (findings_of(id, text) != 0)
			fail_msg("certificate %d: %s", (int)id, text);
	assert_int_equal(command(TOPI " certificate check %s test", t->dir), 0);
	assert_string_equal(command_out, "certificate 1: ok\ncertificate 2: ok\n");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		test_sql(t, "%s", rows[i].change);
		if (findings_of(2, text) == 0 || !strstr(text, rows[i].want))
			fail_msg("row %zu: '%s'", i, text);
		test_sql(t, "%s", rows[i].back);
		if (findings_of(2, text) != 0)
			fail_msg("row %zu, taken back: %s", i, text);
	}
	test_sql(t, "%s", rows[0].change);
	assert_int_equal(command(TOPI " certificate check %s test 2 --json", t->dir), 1);
	assert_non_null(strstr(command_out, "\"ok\":false"));
	assert_int_equal(command(TOPI " certificate check %s test 1", t->dir), 0);
	assert_int_equal(command(TOPI " certificate list %s test", t->dir), 0);
	assert_non_null(strstr(command_out, "certificate 1, model m0, blank: active"));
	assert_non_null(strstr(command_out, "gold now, other: 0, not tested; it would take 119"));
	assert_int_equal(command(TOPI " certificate show %s test 2", t->dir), 0);
	assert_non_null(strstr(command_out, "classes: animal1 ("));
	test_project_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_much_gold_a_stratum_takes),
		cmocka_unit_test(delta_is_split_over_what_can_pass),
		cmocka_unit_test(together_they_break_their_promise_as_seldom_as_delta_says),
		cmocka_unit_test(each_stratum_has_its_own_promise),
		cmocka_unit_test(blanks_are_for_people_where_the_policy_says_so),
		cmocka_unit_test(a_broken_promise_about_blanks_leaves_the_animals_alone),
		cmocka_unit_test(groups_of_deployments_are_certified_apart),
		cmocka_unit_test(a_rare_class_is_not_labelled_on_the_common_ones_gold),
		cmocka_unit_test(a_check_works_every_number_out_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
