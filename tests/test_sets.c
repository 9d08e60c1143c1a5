/* labels: unit sql; timeout: 120 */
/* Several species in one subject, costs and protected taxa, on a project's own tables. */
#include "certificate.h"
#include "cost.h"
#include "label.h"
#include "prediction.h"
#include "project.h"
#include "set_skill.h"
#include "skill.h"
#include "support_command.h"
#include "support_project.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

static struct test_project t;

static void assert_near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("%.12g, %.12g is wanted", got, want);
}

static double risk_of(int64_t s)
{
	return test_real(&t, "SELECT risk FROM subject WHERE id = %d", (int)s);
}

/*
 * Four taxa, nobody known: every bit's prior is a quarter. Everybody says {1, 2}: 1 and 2 are at log(1 / 3) + n log 80 / d,
 * 3 at log(1 / 3) + n log(.2 / .99) / d. One answer: .963855, .963855, .063091; risk 1 - .963855^2 * .936909 = .129596.
 * Three (d 1.6): .999190, .999190, .016343; risk .017936. tau is .034 and three answers are wanted where no model is heard.
 */
static void two_species_come_to_a_label(void **state)
{
	(void)state;
	test_project_open(&t, 4, 1, 3, NULL);
	int64_t s = t.first_subject;
	test_must_answer_set(&t, s, 0, (int[]){1, 2}, 2);
	assert_near(risk_of(s), 0.129595803304, 1e-9);
	test_must_answer_set(&t, s, 1, (int[]){2, 1}, 2);
	assert_near(risk_of(s), 0.034525904421, 1e-9);
	assert_string_equal(test_text(&t, "state", s), "open");
	test_must_answer_set(&t, s, 2, (int[]){1, 2}, 2);
	assert_near(risk_of(s), 0.017936062659, 1e-9);
	assert_string_equal(test_text(&t, "state", s), "retired");
	assert_string_equal(test_text(&t, "by", s), "people");
	assert_near(test_real(&t, "SELECT p_label FROM subject WHERE id = %d", (int)s),
		1 - 0.017936062659, 1e-9);
	assert_int_equal(test_sql(&t, "SELECT label_id FROM subject WHERE id = %d", (int)s), t.taxa[1]);
	assert_int_equal(
		test_sql(&t, "SELECT taxon_id FROM label_also WHERE subject_id = %d", (int)s), t.taxa[2]);
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM label_event WHERE what = 'retired' AND also = '[%d]'",
			(int)t.taxa[2]),
		1);
	/* The prior has counted both; everybody has learnt, of sets only. */
	for (int i = 1; i < 4; i++)
		assert_int_equal(
			test_sql(&t, "SELECT n FROM class_prior WHERE taxon_id = %d", (int)t.taxa[i]), i < 3);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM classification WHERE credited = 1"), 3);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM skill"), 0);
	/* The two others are sure of 1 and 2 and that 3 is not there (.0277 < .05): whole hits, whole silences. */
	assert_near(
		test_real(&t, "SELECT hit FROM set_rate WHERE taxon_id = %d", (int)t.taxa[1]), 3, 1e-12);
	assert_near(
		test_real(&t, "SELECT quiet FROM set_rate WHERE taxon_id = %d", (int)t.taxa[3]), 3, 1e-12);
	test_project_close(&t);
}

/* Single answers are sets of one: the first came before anybody saw a second species. {1}, {1, 2}, {1}, {1}: 2 is put down. */
static void single_answers_become_sets_of_one(void **state)
{
	(void)state;
	test_project_open(&t, 4, 1, 2, NULL);
	int64_t s = t.first_subject;
	test_must_answer(&t, s, 0, 1, 10);
	double alone = risk_of(s);
	test_must_answer_set(&t, s, 1, (int[]){1, 2}, 2);
	assert_true(risk_of(s) != alone);
	/* 2 after {1} and {1, 2}, d 1.3: log(1 / 3) + (log 80 + log(.2 / .99)) / 1.3 = 1.041961, p .739236 */
	double p1 = 1 / (1 + exp(-(log(1.0 / 3) + 2 * log(80) / 1.3)));
	double p2 = 1 / (1 + exp(-(log(1.0 / 3) + (log(80) + log(0.2 / 0.99)) / 1.3)));
	double p3 = 1 / (1 + exp(-(log(1.0 / 3) + 2 * log(0.2 / 0.99) / 1.3)));
	assert_near(p2, 0.739, 0.001);
	assert_near(risk_of(s), 1 - p1 * p2 * (1 - p3), 1e-9);
	for (int v = 2; v < 12 && strcmp(test_text(&t, "state", s), "open") == 0; v++)
		test_must_answer(&t, s, v, 1, 20 + v);
	assert_string_equal(test_text(&t, "state", s), "retired");
	assert_int_equal(test_sql(&t, "SELECT label_id FROM subject WHERE id = %d", (int)s), t.taxa[1]);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM label_also"), 0);
	test_project_close(&t);
}

/* "Several" without the other's name moves the subject too; "nothing here" is the empty set. */
static void a_flag_alone_and_nothing_here(void **state)
{
	(void)state;
	struct err err = {0};
	test_project_open(&t, 3, 1, 2, NULL);
	int64_t s = t.first_subject;
	struct classification c = {.taxon_id = t.taxa[1], .several = true};
	assert_int_equal(test_answer_with(&t, s, 0, c, 10, &err), OK);
	double p1 = 1 / (1 + exp(-(log(0.5) + log(80))));
	double p2 = 1 / (1 + exp(-(log(0.5) + log(0.2 / 0.99))));
	assert_near(risk_of(s), 1 - p1 * (1 - p2), 1e-9);
	for (int v = 1; v < 12 && strcmp(test_text(&t, "state", s), "open") == 0; v++)
		test_must_answer(&t, s, v, 0, 20 + v);
	assert_string_equal(test_text(&t, "state", s), "retired");
	assert_int_equal(test_sql(&t, "SELECT label_id FROM subject WHERE id = %d", (int)s), t.taxa[0]);
	test_project_close(&t);
}

/* Undone, the set is gone from the label, the prior and the mode. */
static void undone_it_is_single_again(void **state)
{
	(void)state;
	struct err err = {0};
	struct classification_undone undone;
	uint8_t of[16], uuid[16];
	test_project_open(&t, 4, 1, 1, NULL);
	int64_t s = t.first_subject;
	for (int v = 0; v < 3; v++)
		test_must_answer_set(&t, s, v, (int[]){1, 3}, 2);
	assert_string_equal(test_text(&t, "state", s), "retired");
	for (int v = 0; v < 3; v++) {
		test_uuid(test_n_answers - 2 + v, of);
		test_uuid(1000 + v, uuid);
		assert_int_equal(db_begin(t.db, &err), OK);
		assert_int_equal(
			classification_undo(t.db, uuid, of, t.volunteers[v], 200, &undone, &err), OK);
		assert_int_equal(db_commit(t.db, &err), OK);
	}
	assert_string_equal(test_text(&t, "state", s), "open");
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM label_also"), 0);
	assert_int_equal(test_sql(&t, "SELECT sum(n) FROM class_prior"), 0);
	assert_near(risk_of(s), 0.75, 1e-9); /* four classes, nothing said */
	test_project_close(&t);
}

static void verdict(int64_t s, const int *classes, int n)
{
	struct err err = {0};
	struct project p = {0};
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(label_by_expert_set(t.db, &p, s, classes, n, 0, 0, 300, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	project_release(&p);
}

/* An expert's set teaches from the truth: {1} misses 2; and after a remix the rates are (20 + 1) / 101 and so on. */
static void an_expert_names_several(void **state)
{
	(void)state;
	struct err err = {0};
	struct project p = {0};
	struct set_rates rates[4];
	test_project_open(&t, 4, 1, 2, "{\"cap\": 2, \"tau\": 0.3}");
	int64_t s = t.first_subject;
	test_must_answer(&t, s, 0, 1, 10);
	test_must_answer(&t, s, 1, 2, 10);
	assert_string_equal(test_text(&t, "state", s), "expert");
	verdict(s, (int[]){1, 2}, 2);
	assert_string_equal(test_text(&t, "by", s), "expert");
	assert_int_equal(test_sql(&t, "SELECT taxon_id FROM label_also"), t.taxa[2]);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(skill_remix(t.db, t.id, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	assert_int_equal(set_rates_load(t.db, &p, rates, &err), OK);
	for (int z = 1; z < 3; z++) {
		assert_near(rates[z].miss, 21.0 / 102, 1e-12); /* one hit, one miss */
		assert_near(rates[z].alarm, 1.0 / 100, 1e-12);
	}
	assert_near(rates[3].miss, 0.2, 1e-12);
	assert_near(rates[3].alarm, 1.0 / 102, 1e-12); /* two silences */
	project_release(&p);
	/* A single label again: nothing of the set is left. */
	verdict(s, (int[]){3}, 1);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM label_also"), 0);
	assert_int_equal(test_sql(&t, "SELECT label_id FROM subject WHERE id = %d", (int)s), t.taxa[3]);
	test_project_close(&t);
}

static int add_gold(const char *rows)
{
	char path[100];
	snprintf(path, sizeof path, "%s/gold.csv", t.dir);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out, "label,subject\n%s", rows);
	fclose(out);
	return command(TOPI " gold add %s test %s 2>&1", t.dir, path);
}

/* Rows of one subject are the species in it, wherever they stand; a model that names either of them alone is wrong. */
static void a_gold_file_names_several(void **state)
{
	(void)state;
	static const struct {
		const char *rows, *says;
	} wrong[] = {
		{"animal1,2\nanimal3,1\nanimal1,2\n", "gold.csv:2: animal1 is named twice"},
		{"animal1,2\nblank,2\n", "gold.csv:2: \"nothing here\" goes with no other species"},
		{"animal1,1\nanimal1,2\nlyon,2\n", "gold.csv:3: the project has no taxon 'lyon'"},
		{"animal1,1\nanimal2,0\n", "gold.csv:3: subject is '0'"},
	};
	struct err err = {0};
	struct stmt *row = NULL;
	test_project_open(&t, 4, 1, 3, NULL);
	assert_int_equal(t.first_subject, 1);
	test_model(&t, 4);
	for (int i = 0; i < 3; i++)
		test_predict(&t, 1 + i, 1 + i, .9, 5);
	assert_int_equal(command(TOPI " gold draw %s test --n 3 --purpose certify", t.dir), 0);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_int_equal(add_gold(wrong[i].rows), 1);
		if (!strstr(command_out, wrong[i].says))
			fail_msg("%s", command_out);
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM gold WHERE taxon_id IS NOT NULL"), 0);
	}
	assert_int_equal(add_gold("animal2,1\nblank,3\nanimal1,1\nanimal2,2\nanimal3,2\n"), 0);
	assert_non_null(strstr(command_out, "3 subjects have"));
	assert_int_equal(test_sql(&t, "SELECT label_id FROM subject WHERE id = 1"), t.taxa[2]);
	assert_int_equal(
		test_sql(&t, "SELECT taxon_id FROM label_also WHERE subject_id = 1"), t.taxa[1]);
	assert_int_equal(
		test_sql(&t, "SELECT taxon_id FROM label_also WHERE subject_id = 2"), t.taxa[3]);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM label_also"), 2);
	/* What a certificate is tested on: the model said 1 of {2, 1}, 2 of {2, 3}, 3 of nothing. */
	static const int truth[3] = {2, 3, 0};
	row = db_query(t.db, Q_PREDICTION_GOLD, "ii", t.id, t.model_id);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(db_step(row, &err), OK);
		assert_int_equal(col_int(row, 1), t.taxa[truth[i]]);
		assert_true(col_int(row, 1) != col_int(row, 3));
	}
	db_done(row);
	assert_int_equal(command(TOPI " gold list %s test", t.dir), 0);
	assert_non_null(strstr(command_out, "animal2 + animal1"));
	assert_int_equal(command(TOPI " gold list %s test --json", t.dir), 0);
	assert_non_null(strstr(command_out, "\"label\":\"animal2\",\"also\":[\"animal3\"]"));
	assert_non_null(strstr(command_out, "\"label\":\"blank\",\"also\":[]"));
	/* One species after all. */
	assert_int_equal(add_gold("animal1,1\n"), 0);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM label_also"), 1);
	assert_int_equal(command(TOPI " replay %s test", t.dir), 0);
	test_project_close(&t);
}

/* What single-label subjects have taught counts too: C[1, 1] 40, C[1, 2] 10, C[0, 2] 5 give hit 40, miss 10 for 1 ... */
static void the_pool_of_single_answers_counts(void **state)
{
	(void)state;
	struct err err = {0};
	struct project p = {0};
	struct set_rates rates[3];
	const double pool[9] = {20, 0, 5, 0, 40, 10, 0, 0, 0};
	test_project_open(&t, 3, 1, 1, NULL);
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(set_remix(t.db, &p, pool, &err), OK);
	assert_int_equal(set_rates_load(t.db, &p, rates, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	assert_near(rates[1].miss, 30.0 / 150, 1e-12);
	assert_near(rates[1].alarm, 1.0 / 125, 1e-12); /* 25 answers where it was not */
	assert_near(rates[2].miss, 20.0 / 100, 1e-12);
	assert_near(rates[2].alarm, 16.0 / 175, 1e-12); /* 15 alarms in 75 */
	project_release(&p);
	test_project_close(&t);
}

/*
 * Three taxa, nobody known: one "nothing here" leaves .8 for it and .1 for each animal. Where an animal called blank costs 5,
 * the blank costs 5 * .2 = 1 and an animal .8 + .1 = .9: the label leans to the animal, and more people are asked.
 */
static void costs_are_in_the_decision(void **state)
{
	(void)state;
	int n_asked[2];
	for (int dear = 0; dear < 2; dear++) {
		test_project_open(
			&t, 3, 1, 1, dear ? "{\"costs\": [[\"kind:animal\", \"blank\", 5]]}" : NULL);
		int64_t s = t.first_subject;
		test_must_answer(&t, s, 0, 0, 10);
		assert_near(risk_of(s), dear ? 0.9 : 0.2, 1e-9);
		for (n_asked[dear] = 1;
			 n_asked[dear] < 12 && strcmp(test_text(&t, "state", s), "open") == 0; n_asked[dear]++)
			test_must_answer(&t, s, n_asked[dear], 0, 20 + n_asked[dear]);
		assert_string_equal(test_text(&t, "state", s), "retired");
		assert_int_equal(test_sql(&t, "SELECT label_id FROM subject"), t.taxa[0]);
		/* What is published is how sure the label is, not what its error would cost. */
		double risk = test_real(&t, "SELECT risk FROM subject");
		assert_near(test_real(&t, "SELECT p_label FROM subject"), 1 - risk / (dear ? 5 : 1), 1e-9);
		test_project_close(&t);
	}
	assert_true(n_asked[1] > n_asked[0]);
}

/*
 * {1, 2}, then three times nothing: each animal's logit is log(1/3 / (2/3)) + (log 80 + 3 log(.2 / .99)) / 1.9, p = 0.286556774836. Nothing
 * is the likeliest set; where an animal called blank costs 5, one animal is cheaper: (1-p)^2 + p (1-p) + p^2.
 */
static void costs_are_in_the_decision_of_sets(void **state)
{
	(void)state;
	for (int dear = 0; dear < 2; dear++) {
		test_project_open(
			&t, 3, 1, 1, dear ? "{\"costs\": [[\"kind:animal\", \"blank\", 5]]}" : NULL);
		int64_t s = t.first_subject;
		test_must_answer_set(&t, s, 0, (int[]){1, 2}, 2);
		for (int v = 1; v <= 3; v++)
			test_must_answer(&t, s, v, 0, 10 + v);
		assert_near(risk_of(s), dear ? 0.795558010369 : 0.490998764467, 1e-9);
		test_project_close(&t);
	}
}

static void protect(int class)
{
	test_sql(&t, "UPDATE taxon SET protected = 1 WHERE id = %d", (int)t.taxa[class]);
}

/* With a model one answer would do; for a protected taxon min_answers people are needed, or an expert. */
static void protected_taxa_need_people_or_an_expert(void **state)
{
	(void)state;
	static const struct {
		const char *policy;
		int n_people;
		const char *state, *by, *event;
	} rows[] = {
		{"{\"tau\": 0.3, \"min_answers\": 3}", 3, "retired", "people", "risk"},
		{"{\"tau\": 0.3, \"min_answers\": 2}", 2, "retired", "people", "risk"},
		{"{\"tau\": 0.3, \"min_answers\": 2, \"protected_expert\": true}", 2, "expert", "",
			"protected"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		test_project_open(&t, 3, 1, 2, rows[i].policy);
		test_model(&t, 3);
		test_sql(&t, "UPDATE model SET w0 = 0, w1 = 1, n_calibration = 20");
		protect(1);
		int64_t s = t.first_subject;
		test_predict(&t, s, 1, 0.9, 5);
		test_predict(&t, s + 1, 2, 0.9, 5);
		test_must_answer(&t, s + 1, 0, 2, 10); /* not protected: one is enough */
		assert_string_equal(test_text(&t, "state", s + 1), "retired");
		for (int v = 0; v < rows[i].n_people; v++) {
			assert_string_equal(test_text(&t, "state", s), "open");
			test_must_answer(&t, s, v, 1, 10);
		}
		assert_string_equal(test_text(&t, "state", s), rows[i].state);
		assert_string_equal(test_text(&t, "by", s), rows[i].by);
		assert_int_equal(
			test_sql(&t, "SELECT count(*) FROM label_event WHERE subject_id = %d AND reason = '%s'",
				(int)s, rows[i].event),
			1);
		test_project_close(&t);
	}
}

/* Named in a set, a protected taxon is protected all the same. */
static void protected_in_a_set(void **state)
{
	(void)state;
	test_project_open(
		&t, 4, 1, 2, "{\"tau\": 0.3, \"min_answers\": 2, \"protected_expert\": true}");
	protect(2);
	int64_t s = t.first_subject;
	for (int v = 0; v < 2; v++)
		test_must_answer_set(&t, s, v, (int[]){1, 2}, 2);
	assert_string_equal(test_text(&t, "state", s), "expert");
	test_project_close(&t);
}

/* Never by a model: neither through the door that certificates use nor when it is protected after the fact. */
static void a_model_never_labels_a_protected_taxon(void **state)
{
	(void)state;
	struct err err = {0};
	struct project p = {0};
	struct subject s;
	int n_swept = 0;
	test_project_open(&t, 3, 1, 3, NULL);
	int64_t id = t.first_subject;
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	assert_int_equal(db_begin(t.db, &err), OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(subject_load(t.db, id + i, &s, &err), OK);
		assert_int_equal(label_by_model(t.db, &p, &s, t.taxa[1 + i], 0.99, 0, false, 10, &err), OK);
	}
	assert_int_equal(db_commit(t.db, &err), OK);
	project_release(&p);
	json_t *file = json_pack("{s:[{s:s, s:b}]}", "taxa", "code", "animal1", "protected", 1);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(project_set(t.db, t.id, file, 20, &err), OK);
	do
		assert_int_equal(prediction_sweep(t.db, 100, 30, &n_swept, &err), OK);
	while (n_swept > 0);
	assert_int_equal(db_commit(t.db, &err), OK);
	json_decref(file);
	assert_string_equal(test_text(&t, "state", id), "open");
	assert_string_equal(test_text(&t, "state", id + 1), "retired"); /* the other taxon's stands */
	assert_int_equal(
		test_sql(&t,
			"SELECT count(*) FROM label_event WHERE what = 'reopened' AND reason = 'protected'"),
		1);
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	assert_int_equal(subject_load(t.db, id + 2, &s, &err), OK);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(label_by_model(t.db, &p, &s, t.taxa[1], 0.999, 0, false, 40, &err), FAULT);
	db_rollback(t.db);
	project_release(&p);
	test_project_close(&t);
}

/* Every step of a set's answer may fail: then nothing of it is there. */
static void a_fault_leaves_no_half_set(void **state)
{
	(void)state;
	struct err err = {0};
	struct named more = {0};
	test_project_open(&t, 4, 1, 1, "{\"min_answers\": 1, \"tau\": 0.3}");
	int64_t s = t.first_subject;
	more.taxon_id = t.taxa[2];
	struct classification c = {.taxon_id = t.taxa[1], .n_more = 1, .more = &more};
	enum status st = FAULT;
	for (int nth = 1; st != OK && nth < 200; nth++) {
		db_fail_step(nth, FAULT);
		st = test_answer_with(&t, s, 0, c, 10, &err);
		db_fail_step(0, OK);
		int64_t n = st == OK;
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM classification"), n);
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM annotation"), 2 * n);
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM label_also"), n);
		assert_int_equal(test_sql(&t, "SELECT sum(n) FROM class_prior"), 2 * n);
	}
	assert_int_equal(st, OK);
	test_project_close(&t);
}

/* A blind audit of "1": people see 1 and 2, so an expert is asked; when that is the truth the model was wrong. */
static void an_audit_of_two_species_is_an_error(void **state)
{
	(void)state;
	test_project_open(&t, 4, 1, 2, NULL);
	test_model(&t, 4);
	int64_t s = t.first_subject;
	test_sql(&t,
		"UPDATE model SET w0 = 0, w1 = 1;"
		"INSERT INTO certificate (id, project_id, model_id, policy_id, alpha, delta, threshold, "
		"n_gold, n_above, n_wrong, p_error_upper, audit_rate, state, issued_ms) VALUES (1, %d, %d, "
		"1, .034, .05, .9, 100, 90, 0, .03, .02, 'probation', 0);"
		"INSERT INTO audit (subject_id, certificate_id, kind, p_draw, model_label_id, drawn_ms) "
		"VALUES (%d, 1, 'shadow', 1, %d, 0); UPDATE subject SET blind = 1 WHERE id = %d",
		(int)t.id, (int)t.model_id, (int)s, (int)t.taxa[1], (int)s);
	for (int v = 0; v < 12 && strcmp(test_text(&t, "state", s), "open") == 0; v++)
		test_must_answer_set(&t, s, v, (int[]){1, 2}, 2);
	assert_string_equal(test_text(&t, "state", s), "expert");
	assert_string_equal(test_text(&t, "reason", s), "audit");
	verdict(s, (int[]){1, 2}, 2);
	assert_int_equal(test_sql(&t, "SELECT truth_id FROM audit WHERE state = 'done'"), t.taxa[2]);
	test_project_close(&t);
}

/* What the command prints of a queue in which every reason stands once. */
static void the_expert_queue_says_why(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"cap", "cant_tell", "out_of_reach", "audit", "protected", "gold"};
	char line[60];
	test_project_open(&t, 4, 1, 8, NULL);
	for (int i = 0; i < 6; i++) {
		const char *stored = strcmp(rows[i], "protected") == 0 ? "expert" : rows[i];
		test_sql(&t,
			"UPDATE subject SET state = 'expert', n_answers = %d, reason = NULLIF('%s', 'gold') "
			"WHERE id = %d",
			i, stored, (int)t.first_subject + i);
	}
	assert_int_equal(command(TOPI " expert list %s test 2>&1", t.dir), 0);
	for (int i = 0; i < 6; i++) {
		snprintf(line, sizeof line, "     1 %-12s  ", rows[i]);
		if (!strstr(command_out, line))
			fail_msg("'%s' is missing from\n%s", line, command_out);
		snprintf(line, sizeof line, ": %s, %d answers, 0 cannot tell", rows[i], i);
		if (!strstr(command_out, line))
			fail_msg("'%s' is missing from\n%s", line, command_out);
	}
	test_project_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_species_come_to_a_label),
		cmocka_unit_test(single_answers_become_sets_of_one),
		cmocka_unit_test(a_flag_alone_and_nothing_here),
		cmocka_unit_test(undone_it_is_single_again),
		cmocka_unit_test(an_expert_names_several),
		cmocka_unit_test(a_gold_file_names_several),
		cmocka_unit_test(the_pool_of_single_answers_counts),
		cmocka_unit_test(costs_are_in_the_decision),
		cmocka_unit_test(costs_are_in_the_decision_of_sets),
		cmocka_unit_test(protected_taxa_need_people_or_an_expert),
		cmocka_unit_test(protected_in_a_set),
		cmocka_unit_test(a_model_never_labels_a_protected_taxon),
		cmocka_unit_test(a_fault_leaves_no_half_set),
		cmocka_unit_test(an_audit_of_two_species_is_an_error),
		cmocka_unit_test(the_expert_queue_says_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
