/* labels: unit sql; timeout: 120 */
/* The refit of a project's own tables: what it learns, what it decides again, and when. */
#include "confusion.h"
#include "label.h"
#include "prediction.h"
#include "refit.h"
#include "server.h"
#include "support_refit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct test_project t;

/* The first answers to every third subject were to a card: in the tables, and here out of the list into *cards. */
static size_t deal_cards(struct answer *list, struct refit_cards *cards)
{
	static uint32_t start[REFIT_ANSWERED + 1];
	static struct refit_card card[REFIT_ANSWERED];
	size_t n = 0;
	uint32_t n_cards = 0;
	for (size_t i = 0; i < refit_n_given; i++) {
		const struct answer a = refit_given[i];
		if (a.subject % 3 != 0 || (i > 0 && refit_given[i - 1].subject == a.subject)) {
			list[n++] = a;
			continue;
		}
		const uint32_t guess = n_cards % 2 ? (a.class + 1) % REFIT_K : a.class;
		card[n_cards++] = (struct refit_card){a.volunteer, (uint16_t)guess, (uint16_t)a.class};
		for (uint32_t s = a.subject; s < REFIT_ANSWERED; s++)
			start[s + 1] = n_cards;
		test_sql(&t, "UPDATE classification SET guess_id = %d WHERE id = %zu", (int)t.taxa[guess],
			i + 1);
	}
	/* What nobody has taught: the two rates are their prior's. */
	*cards = (struct refit_cards){start, card, .yes_right = .95, .yes_wrong = .3};
	return n;
}

/* The same answers in memory, without the tables. Owns: the caller frees with refit_free and answers_release. */
static struct refit *fit_in_memory(struct answers *answers, bool with_cards)
{
	static struct refit_cards cards;
	static uint32_t start[REFIT_ANSWERED + 1];
	static uint16_t class[REFIT_ANSWERED * REFIT_MODEL_K];
	static double p[REFIT_ANSWERED * REFIT_MODEL_K];
	static int16_t gold[REFIT_ANSWERED];
	static const double share[REFIT_K] = {.25, .25, .25, .25, REFIT_UNKNOWN};
	static const double labelled[REFIT_K] = {0, 0, 1, 0, 0}; /* the auto-label */
	static struct answer list[REFIT_MAX_GIVEN];
	static struct refit_prior prior;
	struct err err = {0};
	struct project project;
	struct refit *out = NULL;
	struct refit_report report;
	uint32_t n = 0;
	size_t n_given = refit_n_given;
	if (with_cards)
		n_given = deal_cards(list, &cards);
	else
		memcpy(list, refit_given, sizeof list);
	assert_int_equal(
		answers_sort(list, n_given, REFIT_ANSWERED, REFIT_CROWD, REFIT_K, answers, &err), OK);
	assert_int_equal(project_load(t.db, t.id, &project, &err), OK);
	for (int i = 0; i < REFIT_ANSWERED; i++) {
		const int64_t prediction = test_sql(&t,
			"SELECT COALESCE(prediction_id, 0) FROM subject WHERE id = %d",
			(int)t.first_subject + i);
		double ev[REFIT_K];
		bool has = false;
		if (prediction)
			assert_int_equal(prediction_evidence(t.db, &project, prediction, ev, &has, &err), OK);
		for (uint16_t z = 0; has && z < REFIT_MODEL_K; z++) {
			class[n] = z;
			p[n++] = exp(ev[z]) * .25;
		}
		start[i + 1] = n;
		gold[i] = i % 9 == 0 ? (int16_t)refit_truths[i] : REFIT_NO_GOLD;
	}
	assert_true(n > 0);
	project_release(&project);
	prior = (struct refit_prior){.start = start, .class = class, .p = p, .share = share};
	const struct refit_input input = {.answers = answers,
		.prior = &prior,
		.cards = with_cards ? &cards : NULL,
		.gold = gold,
		.labelled = labelled,
		.fits_own_prior = true,
		.n_threads = 1};
	assert_int_equal(refit_new(&input, &out, &err), OK);
	assert_int_equal(refit_run(out, 10, 1e-4, &report, &err), OK);
	return out;
}

static void near(const char *what, size_t i, double got, double wanted)
{
	if (!(fabs(got - wanted) <= 1e-9))
		fail_msg("%s %zu is %.17g, wanted %.17g", what, i, got, wanted);
}

/* Every decision from now on is the refit's. */
static void posteriors_are(const struct refit *memory)
{
	struct err err = {0};
	struct project project;
	assert_int_equal(project_load(t.db, t.id, &project, &err), OK);
	for (size_t z = 0; z < REFIT_K; z++)
		near("prior", z, exp(project.log_prior[z]), refit_pi(memory)[z]);
	for (size_t i = 0; i < REFIT_ANSWERED; i++) {
		double q[REFIT_K], wanted[REFIT_K];
		if (i % 9 == 0)
			continue; /* gold is certain in memory */
		assert_int_equal(
			label_posterior(t.db, &project, t.first_subject + (int64_t)i, q, &err), OK);
		assert_int_equal(
			refit_decide(memory, i, (struct correlation){.kappa = label_params.kd}, wanted, &err),
			OK);
		for (size_t z = 0; z < REFIT_K; z++)
			near("posterior", i * REFIT_K + z, q[z], wanted[z]);
	}
	project_release(&project);
}

static void the_tables_hold_what_memory_holds(void **state)
{
	(void)state;
	struct answers answers;
	struct refit_record record;
	refit_world(&t, NULL);
	struct refit *memory = fit_in_memory(&answers, false);
	refit_must(&t, true, &record);
	assert_int_equal(record.n_answers, refit_n_given);
	assert_int_equal(record.n_subjects, REFIT_ANSWERED);
	assert_true(record.is_done);
	const int set = (int)test_sql(&t, "SELECT refit_id FROM project");
	assert_int_equal(set, record.id);
	for (size_t v = 0; v < REFIT_CROWD; v++) {
		near("lambda", v,
			test_real(&t, "SELECT lambda FROM skill WHERE volunteer_id = %zu AND refit_id = %d",
				v + 1, set),
			refit_lambda(memory)[v]);
		near("precision", v,
			test_real(&t, "SELECT prec FROM skill WHERE volunteer_id = %zu", v + 1),
			refit_precision(memory, v));
		assert_int_equal(
			test_sql(&t, "SELECT n_credited FROM skill WHERE volunteer_id = %zu", v + 1),
			answers_of_volunteer(&answers, v));
		for (uint32_t c = answers.volunteer_start[v]; c < answers.volunteer_start[v + 1]; c++) {
			double cells[REFIT_K];
			refit_cells(memory, c, cells);
			for (size_t z = 0; z < REFIT_K; z++)
				near("cell", z,
					test_real(&t,
						"SELECT COALESCE(sum(weight), 0) FROM skill_cell WHERE volunteer_id = %zu "
						"AND "
						"truth_id = %d AND answer_id = %d",
						v + 1, (int)t.taxa[z], (int)t.taxa[answers.column_class[c]]),
					cells[z]);
		}
	}
	for (size_t i = 0; i < REFIT_K * REFIT_K; i++)
		near("matrix", i,
			test_real(&t, "SELECT p FROM pool_cell WHERE truth_id = %d AND answer_id = %d",
				(int)t.taxa[i / REFIT_K], (int)t.taxa[i % REFIT_K]),
			refit_m(memory)[i]);
	assert_int_equal(test_sql(&t, "SELECT count(DISTINCT refit_id) FROM pool_cell"), 1);
	posteriors_are(memory);
	refit_free(memory);
	answers_release(&answers);
	test_project_close(&t);
}

/* Answers to cards are sources as anywhere, and teach nobody's skill. */
static void cards_are_heard(void **state)
{
	(void)state;
	struct answers answers;
	struct refit_record record;
	refit_world(&t, NULL);
	struct refit *memory = fit_in_memory(&answers, true);
	refit_must(&t, true, &record);
	const size_t n_cards = (size_t)test_sql(
		&t, "SELECT sum(guess_id IS NOT NULL) FROM classification");
	assert_true(n_cards > 10);
	assert_int_equal(record.n_answers, refit_n_given - n_cards);
	assert_int_equal(record.n_subjects, REFIT_ANSWERED);
	for (size_t v = 0; v < REFIT_CROWD; v++)
		near("lambda", v, test_real(&t, "SELECT lambda FROM skill WHERE volunteer_id = %zu", v + 1),
			refit_lambda(memory)[v]);
	posteriors_are(memory);
	refit_free(memory);
	answers_release(&answers);
	test_project_close(&t);
}

/* Whatever was so before, the rule is the same: by the posterior afterwards. */
static void labels_follow_the_rule(void **state)
{
	(void)state;
	struct err err = {0};
	struct refit_record record;
	struct project project;
	int64_t before[REFIT_SUBJECTS];
	int n[LABEL_RETIRED + 1] = {0};
	/* Never out of reach nor at the cap, so that open is open. */
	refit_world(&t, "{\"tau\": 0.1, \"cap\": 1000, \"min_answers\": 1, \"kappa\": 0.3}");
	for (int i = 0; i < REFIT_SUBJECTS; i++)
		before[i] = test_sql(&t, "SELECT COALESCE(label_id, 0) FROM subject WHERE id = %d",
			(int)t.first_subject + i);
	refit_must(&t, true, &record);
	assert_int_equal(project_load(t.db, t.id, &project, &err), OK);
	for (int i = 0; i < REFIT_ANSWERED; i++) {
		const int64_t id = t.first_subject + i;
		double q[REFIT_K];
		assert_int_equal(label_posterior(t.db, &project, id, q, &err), OK);
		const int top = consensus_argmax(q, REFIT_K);
		const double risk = consensus_risk(q, REFIT_K);
		const int64_t label = test_sql(
			&t, "SELECT COALESCE(label_id, 0) FROM subject WHERE id = %d", (int)id);
		const int64_t events = test_sql(&t,
			"SELECT count(*) FROM label_event e JOIN policy p ON p.id = e.policy_id WHERE "
			"subject_id "
			"= %d AND e.refit_id = %d",
			(int)id, (int)record.id);
		enum label_refitted wanted = LABEL_KEPT;
		if (i % 9 == 0) {
			assert_string_equal(test_text(&t, "by", id), "expert");
			assert_int_equal(label, before[i]);
		} else if (i % 5 && risk > .2) {
			wanted = LABEL_REOPENED;
			assert_string_equal(test_text(&t, "state", id), "open");
			assert_int_equal(label, 0);
			assert_int_equal(
				test_sql(&t,
					"SELECT count(*) FROM label_event WHERE subject_id = %d AND what = "
					"'reopened' AND reason = 'refit'",
					(int)id),
				1);
		} else if (i % 5) {
			wanted = before[i] == t.taxa[top] ? LABEL_KEPT : LABEL_RELABELLED;
			assert_string_equal(test_text(&t, "by", id), "people");
			assert_int_equal(label, t.taxa[top]);
			assert_int_equal(
				test_sql(&t,
					"SELECT count(*) FROM label_event WHERE subject_id = %d AND what = "
					"'relabelled' AND label_id = %d",
					(int)id, (int)label),
				wanted == LABEL_RELABELLED);
		} else if (risk <= .1) {
			wanted = LABEL_RETIRED;
			assert_string_equal(test_text(&t, "by", id), "people");
			assert_int_equal(label, t.taxa[top]);
		} else {
			assert_string_equal(test_text(&t, "state", id), "open");
		}
		assert_int_equal(events, wanted != LABEL_KEPT);
		n[wanted]++;
	}
	/* The world holds each case, */
	for (int i = LABEL_KEPT; i <= LABEL_RETIRED; i++)
		assert_true(n[i] > 0);
	assert_int_equal(record.n_reopened, n[LABEL_REOPENED]);
	assert_int_equal(record.n_relabelled, n[LABEL_RELABELLED]);
	assert_int_equal(record.n_retired, n[LABEL_RETIRED]);
	/* and an auto-label stands. */
	assert_string_equal(test_text(&t, "by", t.first_subject + REFIT_ANSWERED), "model");
	project_release(&project);
	test_project_close(&t);
}

/*
 * Two classes, M = [.9 .1; .2 .8], an even prior, one answer "1" of somebody unknown: q[1] = .8 / (.8 + .1) = .889, risk .111.
 */
static void a_label_is_taken_back_above_twice_tau(void **state)
{
	(void)state;
	static const struct {
		double tau;
		int label; /* class before */
		const char *state, *what;
	} rows[] = {
		{.06, 1, "retired", ""},           /* .111 <= .12 */
		{.05, 1, "open", "reopened"},      /* .111 > .1 */
		{.06, 0, "retired", "relabelled"}, /* and the other class is likelier */
		{.05, 0, "open", "reopened"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {0};
		struct project project;
		enum label_refitted what;
		char policy[100];
		snprintf(policy, sizeof policy, "{\"tau\": %g, \"kappa\": 0, \"cap\": 1000}", rows[i].tau);
		test_project_open(&t, 2, 1, 1, policy);
		const int64_t id = t.first_subject;
		test_must_answer(&t, id, 0, 1, 10);
		test_sql(&t,
			"UPDATE pool_cell SET p = CASE WHEN truth_id = %d THEN CASE WHEN answer_id = truth_id "
			"THEN "
			"0.9 ELSE 0.1 END ELSE CASE WHEN answer_id = truth_id THEN 0.8 ELSE 0.2 END END; "
			"UPDATE "
			"class_prior SET p = 0.5; DELETE FROM label_event; UPDATE subject SET state = "
			"'retired', "
			"decided_by = 'people', reason = 'risk', label_id = %d, p_label = 1",
			(int)t.taxa[0], (int)t.taxa[rows[i].label]);
		assert_int_equal(project_load(t.db, t.id, &project, &err), OK);
		assert_int_equal(db_begin(t.db, &err), OK);
		assert_int_equal(label_refit(t.db, &project, id, 1000, 20, &what, &err), OK);
		assert_int_equal(db_commit(t.db, &err), OK);
		assert_string_equal(test_text(&t, "state", id), rows[i].state);
		near("risk", i, test_real(&t, "SELECT risk FROM subject"), 1.0 / 9);
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM label_event"), rows[i].what[0] != 0);
		if (rows[i].what[0])
			assert_int_equal(
				test_sql(&t, "SELECT count(*) FROM label_event WHERE what = '%s'", rows[i].what),
				1);
		if (what == LABEL_RELABELLED)
			near("p", i, test_real(&t, "SELECT p_label FROM subject"), 8.0 / 9);
		project_release(&project);
		test_project_close(&t);
	}
}

static void an_answer_that_came_too_late_counts_now(void **state)
{
	(void)state;
	struct refit_record record;
	refit_world(&t, NULL);
	const int64_t id = t.first_subject + 1; /* people's */
	assert_string_equal(test_text(&t, "state", id), "retired");
	const int64_t before = test_sql(
		&t, "SELECT count(*) FROM classification WHERE subject_id = %d", (int)id);
	test_must_answer(&t, id, 20, refit_truths[1], 100);
	test_must_answer(&t, id, 21, -1, 100);
	test_must_answer(&t, t.first_subject + REFIT_ANSWERED, 20, 3, 100); /* the auto-label */
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM classification WHERE counted = 0"), 3);
	refit_must(&t, false, &record);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM classification WHERE counted = 0"), 0);
	assert_int_equal(
		test_sql(&t, "SELECT n_answers FROM subject WHERE id = %d", (int)id), before + 1);
	assert_int_equal(test_sql(&t, "SELECT n_cant_tell FROM subject WHERE id = %d", (int)id), 1);
	assert_int_equal(test_sql(&t, "SELECT n_credited FROM skill WHERE volunteer_id = 21"), 2);
	assert_string_equal(test_text(&t, "by", t.first_subject + REFIT_ANSWERED), "model");
	/* What the refit has learnt from is credited: retiring teaches only what came since. */
	test_sql(&t,
		"UPDATE subject SET state = 'open', label_id = NULL, decided_by = NULL WHERE id = %d",
		(int)id);
	test_must_answer(&t, id, 22, refit_truths[1], 200);
	test_must_answer(&t, id, 23, refit_truths[1], 200);
	assert_int_equal(test_sql(&t, "SELECT n_credited FROM skill WHERE volunteer_id = 21"), 2);
	test_project_close(&t);
}

/* n certification gold of class 1 that three people and the model have seen; two of the three always say class 2. */
static void plant(int n)
{
	test_sql(&t,
		"INSERT INTO gold (subject_id, project_id, purpose, p_draw, taxon_id, drawn_ms, "
		"labelled_ms, "
		"plant_u) SELECT id, project_id, 'certify', 0.5, %d, 0, 1, (id * 7 %% 101) / 101.0 FROM "
		"subject "
		"WHERE id < %d; UPDATE subject SET state = 'retired', decided_by = 'expert', reason = "
		"'expert', "
		"label_id = %d, p_label = 1 WHERE id < %d",
		(int)t.taxa[1], (int)t.first_subject + n, (int)t.taxa[1], (int)t.first_subject + n);
	test_sql(&t,
		"INSERT INTO classification (uuid, project_id, subject_id, volunteer_id, answer, counted, "
		"expert, "
		"blind, planted, policy_id, created_ms) SELECT randomblob(16), s.project_id, s.id, v.id, "
		"'taxa', "
		"0, 0, 0, 1, (SELECT max(id) FROM policy), 0 FROM gold g JOIN subject s ON s.id = "
		"g.subject_id, "
		"volunteer v WHERE v.id <= 3; INSERT INTO annotation (classification_id, taxon_id) SELECT "
		"id, "
		"CASE WHEN subject_id %% 4 = 0 AND volunteer_id < 3 THEN %d ELSE %d END FROM "
		"classification "
		"WHERE planted = 1",
		(int)t.taxa[2], (int)t.taxa[1]);
}

static void gold_tells_how_far_people_go_wrong_together(void **state)
{
	(void)state;
	static const struct {
		const char *policy;
		int n_gold;
		bool fitted, heeded;
	} rows[] = {
		{NULL, 39, false, false},
		{NULL, 40, true, true},
		{NULL, 90, true, true},
		{"{\"kappa\": 0.5}", 90, true, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {0};
		struct refit_record record;
		struct project project;
		test_project_open(&t, 4, 1, 120, rows[i].policy);
		plant(rows[i].n_gold);
		for (int s = 100; s < 120; s++)
			for (int v = 0; v < 3; v++)
				test_must_answer(&t, t.first_subject + s, v, 1 + s % 3, 10);
		refit_must(&t, false, &record);
		/* They have taught nobody. */
		assert_int_equal(record.n_answers, 60);
		assert_int_equal(record.n_gold_fit + record.n_gold_check, rows[i].n_gold);
		assert_int_equal(record.has_losses, rows[i].fitted);
		assert_int_equal(project_load(t.db, t.id, &project, &err), OK);
		if (rows[i].fitted) {
			/* A quarter of them is answered wrong by two of three at once. */
			assert_true(record.correlation.kappa > label_params.kd);
			assert_true(record.loss < record.loss_default);
			assert_true(record.has_kappa);
		}
		near("kappa", i, project.correlation.kappa,
			rows[i].heeded       ? record.correlation.kappa
				: rows[i].policy ? .5
								 : label_params.kd);
		assert_true(record.n_gold_sure <= rows[i].n_gold);
		/* More gold than the half that was fitted on is not looked at: a policy of "auto" goes on. */
		project_release(&project);
		test_project_close(&t);
	}
}

/* What people get wrong at once is a quarter of the gold; where it was drawn forty times as often it is less of the project. */
static void gold_counts_by_how_likely_it_was_drawn(void **state)
{
	(void)state;
	static const char *const draws[] = {
		"SELECT 0",
		"UPDATE gold SET drawn_ms = subject_id % 2, p_draw = CASE subject_id % 2 WHEN 1 THEN 0.1 "
		"ELSE "
		"0.5 END", /* two even draws */
		"UPDATE gold SET p_draw = CASE subject_id % 4 WHEN 0 THEN 0.8 ELSE 0.02 END",
	};
	struct refit_record records[3];
	for (size_t i = 0; i < 3; i++) {
		test_project_open(&t, 4, 1, 120, NULL);
		plant(90);
		test_sql(&t, "%s", draws[i]);
		for (int s = 100; s < 120; s++)
			for (int v = 0; v < 3; v++)
				test_must_answer(&t, t.first_subject + s, v, 1 + s % 3, 10);
		refit_must(&t, false, &records[i]);
		test_project_close(&t);
	}
	assert_true(records[0].loss == records[1].loss);
	assert_true(records[0].correlation.kappa == records[1].correlation.kappa);
	assert_true(records[2].correlation.kappa < records[0].correlation.kappa);
	assert_true(records[2].loss < records[0].loss / 2);
}

static void nightly_at_the_policys_hour(void **state)
{
	(void)state;
	const int64_t hour = 3600 * 1000, day = 24 * hour;
	static const struct {
		int hour;
		double last,
			now; /* hours since day 100 began; last: of the last refit, or of the project's making */
		int n_new; /* answers since */
		bool due;
	} rows[] = {
		{2, -1, 1.9, 5, false},
		{2, -1, 2, 5, true},
		{2, -1, 2, 0, false},
		{2, 2.5, 23, 5, false},
		{2, 2.5, 26, 5, true},
		{2, 2.5, 25.9, 5, false},
		{-1, -40, 30, 5, false},
		{23, 1, 22.9, 5, false},
		{23, 1, 23.1, 5, true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int ever = 0; ever < 2; ever++) {
			struct err err = {0};
			struct refit_record record;
			int64_t id = 0;
			char policy[60];
			snprintf(policy, sizeof policy, "{\"refit_hour\": %d}", rows[i].hour);
			test_project_open(&t, 3, 1, 20, policy);
			test_must_answer(&t, t.first_subject, 0, 1, 10);
			if (ever)
				refit_must(&t, false, &record);
			else if (rows[i].n_new == 0)
				test_sql(&t, "DELETE FROM annotation; DELETE FROM classification");
			for (int j = 0; j < rows[i].n_new; j++)
				test_must_answer(&t, t.first_subject + 1 + j, 0, 1, 10);
			const int64_t last = 100 * day + (int64_t)(rows[i].last * (double)hour);
			test_sql(&t, "UPDATE project SET created_ms = %lld; UPDATE refit SET started_ms = %lld",
				(long long)last, (long long)last);
			const int64_t now = 100 * day + (int64_t)(rows[i].now * (double)hour);
			const enum status st = project_refit_due(t.db, now, 0, &id, &err);
			if (st != (rows[i].due ? OK : NOT_FOUND))
				fail_msg("row %zu, %d: %s", i, ever, status_name(st));
			assert_int_equal(id, rows[i].due ? t.id : 0);
			test_project_close(&t);
		}
}

static void the_server_does_it_by_itself(void **state)
{
	(void)state;
	struct err err = {0};
	struct server *server = NULL;
	refit_world(&t, "{\"tau\": 0.1, \"cap\": 1000, \"min_answers\": 1}");
	test_sql(&t, "UPDATE project SET created_ms = 0"); /* a night has passed since */
	const struct server_options options = {.dir = t.dir, .listen = "127.0.0.1:0"};
	if (server_start(&options, &server, &err) != OK)
		fail_msg("%s", err.text);
	bool done = false;
	for (int i = 0; i < 600 && !done; i++) {
		usleep(100000);
		done = test_sql(&t, "SELECT count(*) FROM refit WHERE state = 'done'") == 1;
	}
	server_stop(server);
	assert_true(done);
	assert_true(test_sql(&t, "SELECT n_reopened FROM refit") > 0);
	/* Nobody has answered since: the next night has nothing to do. */
	int64_t id = 0;
	assert_int_equal(project_refit_due(t.db, INT64_C(9000000000000), 0, &id, &err), NOT_FOUND);
	test_project_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tables_hold_what_memory_holds),
		cmocka_unit_test(cards_are_heard),
		cmocka_unit_test(labels_follow_the_rule),
		cmocka_unit_test(a_label_is_taken_back_above_twice_tau),
		cmocka_unit_test(an_answer_that_came_too_late_counts_now),
		cmocka_unit_test(gold_tells_how_far_people_go_wrong_together),
		cmocka_unit_test(gold_counts_by_how_likely_it_was_drawn),
		cmocka_unit_test(nightly_at_the_policys_hour),
		cmocka_unit_test(the_server_does_it_by_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
