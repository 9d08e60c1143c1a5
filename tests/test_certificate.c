/* labels: unit sql; timeout: 240 */
/* Certificates and audits on real tables: what a model may label alone, when, and what takes that away. */
#include "certificate.h"
#include "classification.h"
#include "gold.h"
#include "label.h"
#include "prediction.h"
#include "support_project.h"
#include "task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_project t;

static void sweep(int64_t now)
{
	struct err err = {0};
	int n = 0;
	do {
		assert_int_equal(db_begin(t.db, &err), OK);
		if (prediction_sweep(t.db, 100, now, &n, &err) != OK)
			fail_msg("%s", err.text);
		assert_int_equal(db_commit(t.db, &err), OK);
	} while (n > 0);
}

static void settle(int64_t now)
{
	struct err err = {0};
	assert_int_equal(db_begin(t.db, &err), OK);
	if (prediction_settle(t.db, t.id, now, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(db_commit(t.db, &err), OK);
	sweep(now);
}

enum { N = 800 };

static bool is_gold(int64_t subject)
{
	struct err err = {0};
	struct stmt *row = NULL;
	enum status st = db_one(t.db, Q_GOLD_GET, &row, &err, "i", subject);
	db_done(st == OK ? row : NULL);
	return st == OK;
}

/* 800 subjects of 4 deployments, 300 of them drawn as certification gold; the truth of the ith is class i % 4. */
static void draw_gold(const char *policy)
{
	struct err err = {0};
	test_project_open(&t, 4, 4, N, policy);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(gold_draw(t.db, t.id, "certify", 300, true, 1, 1, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
}

static void label_gold(void)
{
	struct err err = {0};
	struct project p = {0};
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	for (int i = 0; i < N; i++)
		if (is_gold(t.first_subject + i))
			assert_int_equal(
				gold_label(t.db, &p, t.first_subject + i, p.taxa[i % 4].code, "certify", 2, &err),
				OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	project_release(&p);
}

/*
 * The model says the truth of all gold, or of all the rest: in a third of the cases something else when it is `poor`, and
 * with little confidence in all but `n_sure` of five.
 */
static void predict_some(bool gold, bool poor, int n_sure, int64_t now)
{
	struct err err = {0};
	assert_int_equal(db_begin(t.db, &err), OK);
	for (int i = 0; i < N; i++)
		if (is_gold(t.first_subject + i) == gold)
			test_predict(&t, t.first_subject + i, poor && i % 3 == 0 ? (i + 1) % 4 : i % 4,
				i % 5 < n_sure ? 0.97 : 0.6, now);
	assert_int_equal(db_commit(t.db, &err), OK);
}

static void predict(bool gold, bool poor, int64_t now)
{
	predict_some(gold, poor, 5, now);
}

static void with_certificate(const char *policy, bool poor)
{
	draw_gold(policy);
	label_gold();
	test_model(&t, 4);
	predict(true, poor, 3);
	predict(false, false, 3);
	/* Nothing is heard of a model without a calibration. */
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM subject WHERE prediction_id IS NOT NULL"), 0);
	settle(4);
}

/* As if probation had ended and every open subject had been looked at since. */
static void activate(void)
{
	test_sql(
		&t, "UPDATE certificate SET state = 'active', active_ms = 12 WHERE state = 'probation'");
	test_sql(&t, "UPDATE project SET sweep_id = 0");
	sweep(13);
}

static void set_policy(const char *rules)
{
	struct err err = {0};
	struct policy policy;
	json_t *object = json_loads(rules, 0, NULL);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(policy_get(t.db, t.id, &policy, &err), OK);
	assert_int_equal(policy_parse(object, policy, &policy, &err), OK);
	assert_int_equal(policy_put(t.db, t.id, &policy, 30, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	json_decref(object);
	settle(31);
}

/* Answers every shadow or audited subject: `right` by the truth i % 4, else always one off. */
static int answer_blind(bool right, int64_t now)
{
	int n = 0;
	int64_t s;
	while ((s = test_sql(&t,
				"SELECT id FROM subject WHERE blind = 1 AND state = 'open' ORDER BY id LIMIT 1")) >
		0) {
		int truth = (int)((s - t.first_subject + (right ? 0 : 1)) % 4);
		for (int v = 0; v < 12 && strcmp(test_text(&t, "state", s), "open") == 0 &&
			 test_sql(&t, "SELECT blind FROM subject WHERE id = %d", (int)s);
			 v++) {
			test_must_answer(&t, s, v, truth, now);
			n++;
		}
		if (strcmp(test_text(&t, "state", s), "expert") == 0) {
			struct err err = {0};
			struct project p = {0};
			assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
			assert_int_equal(db_begin(t.db, &err), OK);
			assert_int_equal(label_by_expert(t.db, &p, s, truth, 0, 0, now, &err), OK);
			assert_int_equal(db_commit(t.db, &err), OK);
			project_release(&p);
		}
	}
	return n;
}

static void a_certificate_begins_on_probation_and_labels_after_shadow_audits(void **state)
{
	(void)state;
	with_certificate(NULL, false);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate WHERE state = 'probation'"), 1);
	assert_int_equal(test_sql(&t, "SELECT n_wrong FROM certificate"), 0);
	assert_true(test_real(&t, "SELECT p_error_upper FROM certificate") <= 0.034);
	/* Low risk, no answers, no active certificate: nothing is labelled, whatever tau says. */
	assert_true(
		test_real(&t, "SELECT min(risk) FROM subject WHERE state = 'open' AND blind = 0") < 0.01);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model'"), 0);
	int64_t n_shadow = test_sql(&t, "SELECT count(*) FROM audit WHERE kind = 'shadow'");
	assert_true(n_shadow > 64 && n_shadow < 120); /* 88 of 375 expected, so that 64 are done */
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM subject WHERE blind = 1"), n_shadow);
	/* They come before everything else, as subjects of which nothing is known. */
	assert_true(test_real(&t, "SELECT min(priority) FROM subject WHERE blind = 1") >
		test_real(&t, "SELECT max(priority) FROM subject WHERE blind = 0 AND state = 'open'"));
	/* ... and still do when somebody has agreed. */
	int64_t half_done = test_sql(&t, "SELECT min(id) FROM subject WHERE blind = 1");
	test_must_answer(&t, half_done, 11, (int)((half_done - t.first_subject) % 4), 9);
	assert_string_equal(test_text(&t, "state", half_done), "open");
	assert_true(test_real(&t, "SELECT min(priority) FROM subject WHERE blind = 1") >
		test_real(&t, "SELECT max(priority) FROM subject WHERE blind = 0 AND state = 'open'"));
	answer_blind(true, 10);
	sweep(11);
	/* No model's evidence: at least two answers each. */
	assert_int_equal(test_sql(&t,
						 "SELECT min(n_answers) FROM subject s JOIN audit a ON a.subject_id = s.id "
						 "WHERE a.state = 'done'"),
		2);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate WHERE state = 'active'"), 1);
	assert_true(test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model'") > 180);
	/* Blank is for people to say. */
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM audit WHERE model_label_id = %d", (int)t.taxa[0]), 0);
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model' AND label_id = %d",
			(int)t.taxa[0]),
		0);
	/* The 64 that are wanted came on probation: from now on one in fifty is drawn. */
	assert_true(test_sql(&t, "SELECT count(*) FROM audit WHERE kind = 'audit'") < 25);
	assert_true(
		test_real(&t, "SELECT coalesce(max(p_draw), 0) FROM audit WHERE kind = 'audit'") <= 0.02);
	test_project_close(&t);
}

static void audits_go_on_and_a_broken_promise_takes_the_labels_back(void **state)
{
	(void)state;
	with_certificate("{\"audits\": 60}", false);
	answer_blind(true, 10);
	sweep(11);
	/* As if its probation were forgotten: then the 60 are drawn among what is labelled. */
	test_sql(&t, "DELETE FROM audit");
	test_sql(&t, "UPDATE certificate SET state = 'probation'");
	test_sql(&t,
		"UPDATE subject SET state = 'open', label_id = NULL, decided_by = NULL, certificate_id = "
		"NULL, "
		"blind = 0 WHERE decided_by = 'model'");
	activate();
	int64_t n_model = test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model'");
	int64_t n_audit = test_sql(
		&t, "SELECT count(*) FROM audit WHERE kind = 'audit' AND state = 'crowd'");
	assert_true(n_model > 200);
	assert_true(n_audit > 40 && n_audit < 130);
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model' AND state = 'open'"),
		n_audit);
	/* An audit's posterior hears no model. */
	assert_true(
		test_real(&t, "SELECT min(risk) FROM subject WHERE blind = 1 AND state = 'open'") > 0.5);
	/* People now find the model wrong. */
	answer_blind(false, 20);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate WHERE state = 'revoked'"), 1);
	sweep(21); /* in pieces: a server goes on taking answers meanwhile */
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model'"), 0);
	assert_true(
		test_sql(
			&t, "SELECT count(*) FROM label_event WHERE what = 'reopened' AND reason = 'revoked'") >
		180);
	/* Nobody is asked for it any more, but for the shadow audits of the one that follows it (test_revoked.c). */
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM subject WHERE blind = 1 AND state = 'open'"),
		test_sql(&t, "SELECT count(*) FROM audit WHERE certificate_id = 2 AND state = 'crowd'"));
	assert_int_equal(test_sql(&t, "SELECT w0 IS NULL FROM model"), 1);
	/* The model is no longer heard, and the same gold gives no third certificate. */
	assert_true(test_real(&t,
					"SELECT min(risk) FROM subject WHERE state = 'open' AND n_answers = 0") > 0.5);
	settle(22);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate"), 2);
	test_project_close(&t);
}

/* Between the end of a probation and the sweep's visit nobody is asked what the certificate labels. */
static void what_a_certificate_labels_is_asked_of_nobody(void **state)
{
	(void)state;
	struct err err = {0};
	struct task_list list;
	with_certificate("{\"audits\": 60}", false);
	answer_blind(true, 10);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate WHERE state = 'active'"), 1);
	assert_int_equal(test_sql(&t, "SELECT sweep_id IS NOT NULL FROM project"), 1);
	int64_t n_before = test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model'");
	/* the surest first, as if nothing else were left */
	test_sql(&t, "UPDATE subject SET priority = 5 - risk WHERE state = 'open'");
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(task_next(t.db, t.id, 1, false, 4, 12, &list, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	assert_true(test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model'") > n_before);
	assert_true(list.n > 0);
	for (int i = 0; i < list.n; i++)
		assert_int_equal(test_sql(&t,
							 "SELECT count(*) FROM subject WHERE id = %d AND state = 'open' AND "
							 "(decided_by IS NULL OR blind = 1)",
							 (int)list.tasks[i].subject_id),
			1);
	task_list_release(&list);
	test_project_close(&t);
}

static void a_poor_model_gets_no_certificate(void **state)
{
	(void)state;
	with_certificate(NULL, true);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate"), 0);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model'"), 0);
	test_project_close(&t);
}

static void protected_taxa_and_new_deployments_are_never_labelled_at_once(void **state)
{
	(void)state;
	with_certificate(NULL, false);
	test_sql(&t, "UPDATE taxon SET protected = 1 WHERE id = %d", (int)t.taxa[2]);
	test_sql(&t, "UPDATE subject SET blind = 0");
	test_sql(&t, "DELETE FROM audit");
	test_sql(&t,
		"INSERT INTO deployment (project_id, name, utc_offset_s, created_ms) VALUES (1, 'new', 0, "
		"0)");
	int64_t d = test_sql(&t, "SELECT max(id) FROM deployment");
	test_sql(&t,
		"UPDATE subject SET deployment_id = %d, start_ms = start_ms + 1 WHERE id IN"
		" (SELECT id FROM subject WHERE state = 'open' ORDER BY id LIMIT 100)",
		(int)d);
	test_sql(&t, "UPDATE certificate SET state = 'active', active_ms = 12, audit_rate = 0.1");
	test_sql(&t, "UPDATE project SET sweep_id = 0");
	sweep(13);
	assert_true(test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model'") > 100);
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model' AND label_id = %d",
			(int)t.taxa[2]),
		0);
	assert_int_equal(
		test_sql(&t,
			"SELECT count(*) FROM subject WHERE decided_by = 'model' AND deployment_id = %d",
			(int)d),
		0);
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM probation WHERE deployment_id = %d", (int)d), 1);
	assert_true(test_sql(&t,
					"SELECT count(*) FROM audit a JOIN subject s ON s.id = a.subject_id"
					" WHERE s.deployment_id = %d AND a.kind = 'shadow'",
					(int)d) > 4);
	/* The model is wrong in the new place: that keeps it out of there, and breaks no promise made elsewhere. */
	test_sql(&t, "UPDATE subject SET blind = deployment_id = %d WHERE state = 'open'", (int)d);
	answer_blind(false, 20);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate WHERE state = 'active'"), 1);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM probation WHERE ended_ms IS NULL"), 1);
	test_project_close(&t);
}

static void a_model_is_not_heard_on_what_it_was_trained_on(void **state)
{
	(void)state;
	with_certificate(NULL, false);
	int64_t old_model = t.model_id;
	int64_t s = test_sql(&t, "SELECT min(id) FROM subject WHERE state = 'open' AND blind = 0");
	int64_t old = test_sql(&t, "SELECT prediction_id FROM subject WHERE id = %d", (int)s);
	assert_true(old > 0);
	test_model(&t, 4);
	test_sql(&t, "INSERT INTO model_subject (model_id, subject_id) VALUES (%d, %d)",
		(int)t.model_id, (int)s);
	test_sql(&t, "UPDATE model SET w0 = 0, w1 = 1 WHERE id = %d", (int)t.model_id);
	test_predict(&t, s, 3, 0.99, 20);
	assert_int_equal(test_sql(&t, "SELECT prediction_id FROM subject WHERE id = %d", (int)s), old);
	/* What it was not trained on goes on with the old model too, until that one's certificate for it has ended. */
	int64_t s2 = test_sql(&t,
		"SELECT min(id) FROM subject WHERE state = 'open' AND blind = 0 AND id > %d AND guess_id "
		"<> "
		"%d",
		(int)s, (int)t.taxa[0]);
	test_predict(&t, s2, 3, 0.99, 20);
	const char *whose =
		"SELECT p.model_id FROM subject s JOIN prediction p ON p.id = s.prediction_id"
		" WHERE s.id = %d";
	assert_int_equal(test_sql(&t, whose, (int)s2), old_model);
	test_sql(&t, "UPDATE certificate SET state = 'revoked'");
	test_sql(&t, "UPDATE project SET sweep_id = 0");
	sweep(21);
	assert_int_equal(test_sql(&t, whose, (int)s2), t.model_id);
	assert_int_equal(test_sql(&t, whose, (int)s), old_model);
	test_must_answer(&t, s2, 1, 3, 22);
	assert_int_equal(test_sql(&t, "SELECT model_id FROM classification"), t.model_id);
	test_project_close(&t);
}

/* Gold is predicted before the rest: how much is audited must not depend on how far the job has come. */
static void gold_predicted_first_draws_no_more_audits(void **state)
{
	(void)state;
	draw_gold("{\"audits\": 150}");
	label_gold();
	test_model(&t, 4);
	predict(true, false, 3);
	settle(4);
	assert_true(test_real(&t, "SELECT audit_rate FROM certificate") < 0.5);
	predict(false, false, 5);
	assert_true(test_sql(&t, "SELECT count(*) FROM audit") < 220);
	test_project_close(&t);
}

/* What an older model's certificate wanted to know on probation is asked of nobody once a newer one has replaced it. */
static void a_replaced_certificate_asks_nothing(void **state)
{
	(void)state;
	with_certificate("{\"audits\": 150}", false);
	assert_true(test_sql(&t, "SELECT count(*) FROM audit WHERE state = 'crowd'") > 150);
	test_model(&t, 4);
	predict(true, false, 20);
	predict(false, false, 20);
	settle(21);
	sweep(22);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate WHERE state = 'replaced'"), 1);
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM audit WHERE certificate_id = 1 AND state <> 'void'"), 0);
	int64_t n = test_sql(
		&t, "SELECT count(*) FROM audit WHERE certificate_id = 2 AND state = 'crowd'");
	assert_true(n > 150);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM subject WHERE blind = 1"), n);
	test_project_close(&t);
}

/* Gold promised more sure predictions than came: the share that is drawn rises until the audits can be reached. */
static void fewer_sure_predictions_are_drawn_more_often(void **state)
{
	(void)state;
	draw_gold("{\"audits\": 150}");
	label_gold();
	test_model(&t, 4);
	predict(true, false, 3);
	settle(4);
	double before = test_real(&t, "SELECT audit_rate FROM certificate");
	predict_some(false, false, 3, 5);
	int64_t n_before = test_sql(&t, "SELECT count(*) FROM audit");
	settle(6);
	sweep(7);
	int64_t n_sure = test_sql(&t,
		"SELECT count(*) FROM prediction p JOIN subject s ON s.id = p.subject_id WHERE p_top > 0.9 "
		"AND s.state = 'open' AND top_id <> %d",
		(int)t.taxa[0]);
	double after = test_real(&t, "SELECT audit_rate FROM certificate");
	assert_true(n_sure > 205 && n_sure < 245);
	assert_true(
		after > before + 0.2 && after > 186.0 / (double)n_sure && after < 188.0 / (double)n_sure);
	assert_true(test_sql(&t, "SELECT count(*) FROM audit") > n_before + 40);
	settle(8);
	assert_true(test_real(&t, "SELECT audit_rate FROM certificate") == after);
	test_project_close(&t);
}

static void the_last_gold_brings_the_certificate(void **state)
{
	(void)state;
	draw_gold(NULL);
	test_model(&t, 4);
	predict(true, false, 3);
	predict(false, false, 3);
	settle(4);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate"), 0);
	label_gold(); /* as from the expert queue: nobody asks for a certificate */
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate WHERE state = 'probation'"), 1);
	test_project_close(&t);
}

static void what_is_never_labelled_does_not_dilute_the_promise(void **state)
{
	(void)state;
	draw_gold(NULL);
	label_gold();
	test_sql(&t, "UPDATE taxon SET protected = 1 WHERE id = %d", (int)t.taxa[2]);
	test_model(&t, 4);
	predict(true, false, 3);
	settle(4);
	int64_t n = test_sql(&t, "SELECT n_gold FROM certificate");
	assert_true(n > 125 && n < 175); /* half of 300: blank is never labelled, either */
	test_project_close(&t);
}

/* Agreements count at once; the disagreements that wait for an expert must not be forgotten meanwhile. */
static void disagreements_that_wait_keep_probation(void **state)
{
	(void)state;
	with_certificate("{\"expert_share\": 0, \"audits\": 150}", false);
	for (int i = 0; i < 15; i++) {
		int64_t s = test_sql(
			&t, "SELECT id FROM subject WHERE blind = 1 AND state = 'open' ORDER BY id LIMIT 1");
		for (int v = 0; v < 12 && strcmp(test_text(&t, "state", s), "open") == 0; v++)
			test_must_answer(&t, s, v, (int)((s - t.first_subject + 1) % 4), 10);
		assert_string_equal(test_text(&t, "state", s), "expert");
	}
	answer_blind(true, 11);
	assert_true(test_sql(&t, "SELECT count(*) FROM audit WHERE state = 'done'") >= 150);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate WHERE state = 'probation'"), 1);
	test_project_close(&t);
}

/* After an error 63 audits suffice no more: 99 do, and so many are drawn, or the probation would never end. */
static void an_error_on_probation_draws_more(void **state)
{
	(void)state;
	with_certificate("{\"expert_share\": 0}", false);
	int64_t n_before = test_sql(&t, "SELECT count(*) FROM audit");
	assert_true(n_before > 64 && n_before < 120);
	int64_t first = test_sql(&t, "SELECT min(id) FROM subject WHERE blind = 1");
	test_sql(&t, "UPDATE subject SET blind = 0 WHERE id > %d", (int)first); /* hidden from */
	answer_blind(false, 10);
	test_sql(&t,
		"UPDATE subject SET blind = 1 WHERE id IN (SELECT subject_id FROM audit WHERE state = "
		"'crowd')");
	sweep(11);
	int64_t n_after = test_sql(&t, "SELECT count(*) FROM audit");
	assert_true(n_after > n_before + 20 && n_after < 175); /* 129 of 375 expected */
	answer_blind(true, 12);
	assert_true(test_sql(&t, "SELECT count(*) FROM audit WHERE state = 'done'") >= 99);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate WHERE state = 'active'"), 1);
	test_project_close(&t);
}

static void a_label_keeps_what_it_was_decided_with(void **state)
{
	(void)state;
	with_certificate(NULL, false);
	activate();
	int64_t old_model = t.model_id;
	int64_t retired = test_sql(
		&t, "SELECT min(id) FROM subject WHERE state = 'retired' AND decided_by = 'model'");
	int64_t audited = test_sql(
		&t, "SELECT min(id) FROM subject WHERE state = 'open' AND decided_by = 'model'");
	assert_true(retired > 0 && audited > 0);
	test_model(&t, 4);
	test_sql(&t, "UPDATE model SET w0 = 0, w1 = 1 WHERE id = %d", (int)t.model_id);
	test_sql(&t, "UPDATE certificate SET state = 'replaced'");
	test_predict(&t, retired, 3, 0.99, 20);
	test_predict(&t, audited, 3, 0.99, 20);
	test_sql(&t, "UPDATE project SET sweep_id = 0");
	sweep(21);
	assert_int_equal(
		test_sql(&t,
			"SELECT count(*) FROM subject s JOIN prediction p ON p.id = s.prediction_id"
			" WHERE p.model_id = %d AND s.id IN (%d, %d)",
			(int)old_model, (int)retired, (int)audited),
		2);
	/* Nor does an audit's way to the expert change it. */
	double p_label = test_real(&t, "SELECT p_label FROM subject WHERE id = %d", (int)audited);
	for (int v = 0; v < 12 && strcmp(test_text(&t, "state", audited), "open") == 0; v++)
		test_must_answer(&t, audited, v, (int)((audited - t.first_subject + 1) % 4), 22);
	assert_string_equal(test_text(&t, "state", audited), "expert");
	assert_string_equal(test_text(&t, "by", audited), "model");
	assert_true(
		test_real(&t, "SELECT p_label FROM subject WHERE id = %d", (int)audited) == p_label);
	test_project_close(&t);
}

static void another_promise_needs_another_certificate(void **state)
{
	(void)state;
	with_certificate(NULL, false);
	activate(); /* its labels stand later on, with their audits */
	set_policy("{\"alpha\": 0.05}");
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate"), 2);
	assert_int_equal(test_sql(&t, "SELECT id FROM certificate WHERE state = 'probation'"), 2);
	/* The old one's audits find the model wrong: it is revoked, and the model stays heard under the newer one. */
	answer_blind(false, 32);
	sweep(33);
	assert_int_equal(test_sql(&t, "SELECT id FROM certificate WHERE state = 'revoked'"), 1);
	set_policy("{\"alpha\": 0.0001}"); /* no gold can show that */
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM certificate WHERE state IN ('probation', 'active')"), 0);
	test_project_close(&t);
}

static void a_model_that_comes_back_gets_a_certificate_again(void **state)
{
	(void)state;
	with_certificate(NULL, false);
	int64_t old_model = t.model_id;
	test_model(&t, 4);
	predict(true, false, 20);
	predict(false, false, 20);
	settle(21);
	const char *whose = "SELECT model_id FROM certificate WHERE state = 'probation'";
	assert_int_equal(test_sql(&t, "%s", whose), t.model_id);
	test_sql(&t, "UPDATE project SET model_id = %d", (int)old_model);
	settle(22);
	assert_int_equal(test_sql(&t, "%s", whose), old_model);
	assert_int_equal(
		test_sql(&t,
			"SELECT count(*) FROM subject s JOIN prediction p ON p.id = s.prediction_id"
			" WHERE s.state = 'open' AND s.blind = 0 AND p.model_id <> %d",
			(int)old_model),
		0);
	test_project_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_begins_on_probation_and_labels_after_shadow_audits),
		cmocka_unit_test(audits_go_on_and_a_broken_promise_takes_the_labels_back),
		cmocka_unit_test(gold_predicted_first_draws_no_more_audits),
		cmocka_unit_test(a_replaced_certificate_asks_nothing),
		cmocka_unit_test(fewer_sure_predictions_are_drawn_more_often),
		cmocka_unit_test(the_last_gold_brings_the_certificate),
		cmocka_unit_test(what_is_never_labelled_does_not_dilute_the_promise),
		cmocka_unit_test(disagreements_that_wait_keep_probation),
		cmocka_unit_test(an_error_on_probation_draws_more),
		cmocka_unit_test(a_label_keeps_what_it_was_decided_with),
		cmocka_unit_test(another_promise_needs_another_certificate),
		cmocka_unit_test(a_model_that_comes_back_gets_a_certificate_again),
		cmocka_unit_test(what_a_certificate_labels_is_asked_of_nobody),
		cmocka_unit_test(a_poor_model_gets_no_certificate),
		cmocka_unit_test(protected_taxa_and_new_deployments_are_never_labelled_at_once),
		cmocka_unit_test(a_model_is_not_heard_on_what_it_was_trained_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
