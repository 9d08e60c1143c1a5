/* labels: unit sql; timeout: 240 */
/* Decisions on real tables: who retires what, when, and what a certificate may and may not do. */
#include "bounds.h"
#include "classification.h"
#include "confusion.h"
#include "consensus.h"
#include "gold.h"
#include "label.h"
#include "online.h"
#include "prediction.h"
#include "support_project.h"
#include "task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

static struct test_project t;

static const char *text_of(const char *column, int64_t subject)
{
	static char out[40];
	struct err err = {0};
	struct stmt *row = NULL;
	assert_int_equal(db_one(t.db, Q_SUBJECT_GET, &row, &err, "i", subject), OK);
	int i = strcmp(column, "state") == 0 ? 2 : strcmp(column, "by") == 0 ? 8 : 9;
	snprintf(out, sizeof out, "%s", col_text(row, i));
	db_done(row);
	return out;
}

static void answer(int64_t subject, int v, int class, int64_t now)
{
	struct err err = {0};
	if (test_answer(&t, subject, v, class, now, &err) != OK)
		fail_msg("%s", err.text);
}

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

static void people_alone_need_three_and_tau(void **state)
{
	(void)state;
	test_project_open(&t, 4, 1, 5, NULL);
	int64_t s = t.first_subject;
	answer(s, 0, 1, 10);
	answer(s, 1, 1, 20);
	assert_string_equal(text_of("state", s), "open");
	for (int v = 2; v < 25 && strcmp(text_of("state", s), "open") == 0; v++)
		answer(s, v, 1, 30 + v);
	assert_string_equal(text_of("state", s), "retired");
	assert_string_equal(text_of("by", s), "people");
	assert_true(test_real(&t, "SELECT risk FROM subject WHERE id = %d", (int)s) <= 0.01);
	assert_int_equal(test_sql(&t, "SELECT label_id FROM subject WHERE id = %d", (int)s), t.taxa[1]);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM label_event WHERE what = 'retired'"), 1);
	/* Its voters have learnt, and the prior's count has moved with the label. */
	assert_true(test_sql(&t, "SELECT count(*) FROM skill") >= 3);
	assert_int_equal(
		test_sql(&t, "SELECT n FROM class_prior WHERE taxon_id = %d", (int)t.taxa[1]), 1);
	test_project_close(&t);
}

static void disagreement_and_doubt_go_to_an_expert(void **state)
{
	(void)state;
	struct err err = {0};
	struct project p = {0};
	test_project_open(&t, 4, 1, 5, "{\"cap\": 6}");
	int64_t s = t.first_subject;
	for (int v = 0; v < 6; v++)
		answer(s, v, 1 + v % 3, 10);
	assert_string_equal(text_of("state", s), "expert");
	assert_string_equal(text_of("reason", s), "cap");
	for (int v = 0; v < 3; v++)
		answer(s + 1, v, -1, 20);
	assert_string_equal(text_of("state", s + 1), "expert");
	assert_string_equal(text_of("reason", s + 1), "cant_tell");
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(label_by_expert(t.db, &p, s, 2, 0, 0, 30, &err), OK);
	assert_int_equal(label_by_expert(t.db, &p, s + 1, -1, 0, 0, 30, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	project_release(&p);
	assert_string_equal(text_of("state", s), "retired");
	assert_string_equal(text_of("by", s), "expert");
	assert_string_equal(text_of("state", s + 1), "retired");
	assert_string_equal(text_of("by", s + 1), "");
	test_project_close(&t);
}

static void what_an_answer_may_not_be(void **state)
{
	(void)state;
	struct err err = {0};
	struct classification_result result;
	test_project_open(&t, 3, 1, 5, NULL);
	int64_t s = t.first_subject;
	answer(s, 0, 1, 10);
	assert_int_equal(test_answer(&t, s, 0, 2, 20, &err), CONFLICT); /* twice */
	struct classification c = {.project_id = t.id,
		.subject_id = s,
		.volunteer_id = 1,
		.answer = ANSWER_TAXA,
		.taxon_id = t.taxa[1]};
	test_uuid(test_n_answers - 1, c.uuid); /* the stored one: a replay */
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(classification_add(t.db, &c, 30, &result, &err), OK);
	assert_true(result.replay && result.counted);
	c.volunteer_id = 2;
	assert_int_equal(
		classification_add(t.db, &c, 30, &result, &err), DENIED); /* somebody else's UUID */
	test_uuid(++test_n_answers, c.uuid);
	assert_int_equal(classification_add(t.db, &c, 30, &result, &err), DENIED); /* never given */
	c.taxon_id = 9999;
	assert_int_equal(classification_add(t.db, &c, 30, &result, &err), BAD_INPUT);
	c.subject_id = 9999;
	assert_int_equal(classification_add(t.db, &c, 30, &result, &err), NOT_FOUND);
	db_rollback(t.db);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM classification"), 1);
	test_project_close(&t);
}

static void late_answers_are_kept_and_not_counted(void **state)
{
	(void)state;
	test_project_open(&t, 3, 1, 5, "{\"min_answers\": 1, \"tau\": 0.4}");
	int64_t s = t.first_subject;
	test_sql(&t,
		"INSERT INTO task (project_id, subject_id, volunteer_id, issued_ms, expires_ms) VALUES (1, "
		"%d, 9, 0, 5)",
		(int)s);
	answer(s, 0, 1, 10);
	assert_string_equal(text_of("state", s), "retired");
	answer(s, 8, 2, 100);
	assert_int_equal(test_sql(&t, "SELECT counted FROM classification WHERE volunteer_id = 9"), 0);
	assert_int_equal(test_sql(&t, "SELECT label_id FROM subject WHERE id = %d", (int)s), t.taxa[1]);
	assert_int_equal(test_sql(&t, "SELECT n_answers FROM subject WHERE id = %d", (int)s), 1);
	test_project_close(&t);
}

static enum status take_back(int64_t nth, int v, int64_t now, struct err *err)
{
	uint8_t of[16];
	uint8_t uuid[16];
	int64_t subject = 0;
	bool expert = false;
	test_uuid(nth, of);
	test_uuid(nth + 1000000, uuid);
	enum status st = db_begin(t.db, err);
	if (st == OK)
		st = classification_undo(t.db, uuid, of, t.volunteers[v], now, &subject, &expert, err);
	if (st == OK)
		return db_commit(t.db, err);
	db_rollback(t.db);
	return st;
}

static void undo_reopens_for_ten_minutes(void **state)
{
	(void)state;
	struct err err = {0};
	test_project_open(&t, 3, 1, 20, "{\"min_answers\": 1, \"tau\": 0.4}");
	int64_t s = t.first_subject;
	answer(s, 0, 1, 1000);
	int64_t nth = test_n_answers;
	assert_string_equal(text_of("state", s), "retired");
	assert_int_equal(take_back(nth, 1, 2000, &err), NOT_FOUND); /* another's */
	assert_int_equal(take_back(nth, 0, 1000 + 601000, &err), CONFLICT);
	assert_int_equal(take_back(nth, 0, 2000, &err), OK);
	assert_int_equal(take_back(nth, 0, 2000, &err), OK); /* a replay */
	assert_string_equal(text_of("state", s), "open");
	assert_int_equal(
		test_sql(&t, "SELECT n FROM class_prior WHERE taxon_id = %d", (int)t.taxa[1]), 0);
	answer(s, 0, 2, 3000); /* and the volunteer may answer again */
	assert_int_equal(test_sql(&t, "SELECT label_id FROM subject WHERE id = %d", (int)s), t.taxa[2]);
	nth = test_n_answers;
	for (int i = 1; i <= 10; i++)
		answer(s + i, 0, 1, 3000 + i);
	assert_int_equal(take_back(nth, 0, 4000, &err), CONFLICT); /* eleven back */
	test_project_close(&t);
}

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* The tables compute what the in-memory model of the reference computes, answer by answer and volunteer by volunteer. */
static void the_tables_compute_the_reference(void **state)
{
	(void)state;
	enum { K = 5, N = 120, V = 12 };
	struct err err = {0};
	struct online online;
	struct project p = {0};
	double m[K * K];
	double pi[K];
	double zero[K * K] = {0};
	unsigned seed = 7;
	int n_retired = 0;
	test_project_open(&t, K, 1, N, "{\"min_answers\": 1, \"tau\": 0.05, \"cap\": 9}");
	for (int z = 0; z < K; z++)
		pi[z] = 1.0 / K;
	assert_int_equal(confusion_pool(zero, K, m, &err), OK);
	assert_int_equal(online_init(&online, K, m, pi, (struct correlation){0.3, 0}, &err), OK);
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	for (int i = 0; i < N; i++) {
		struct online_subject *subject = NULL;
		double q[K];
		double stored[K];
		double risk;
		int label;
		int truth = (int)(next_random(&seed) % K);
		int first = (int)(next_random(&seed) % V);
		int64_t s = t.first_subject + i;
		assert_int_equal(online_open(&online, NULL, NULL, &subject, q, &err), OK);
		for (int n = 0; n < 9 && strcmp(text_of("state", s), "open") == 0; n++) {
			int v = (first + n) % V;
			bool right = (int)(next_random(&seed) % 100) < 55 + 3 * v;
			int a = right ? truth : (int)(next_random(&seed) % K);
			assert_int_equal(online_answer(&online, subject, v, a, q, &err), OK);
			answer(s, v, a, 10);
			assert_true(
				fabs(consensus_risk(q, K) -
					test_real(&t, "SELECT risk FROM subject WHERE id = %d", (int)s)) < 1e-9);
			if (strcmp(text_of("state", s), "open") == 0) {
				assert_int_equal(label_posterior(t.db, &p, s, stored, &err), OK);
				for (int z = 0; z < K; z++)
					assert_true(fabs(q[z] - stored[z]) < 1e-9);
			}
		}
		if (strcmp(text_of("state", s), "retired") != 0) {
			online_subject_free(subject);
			continue; /* nine answers and no decision: the expert's, nobody learns yet */
		}
		assert_int_equal(online_retire(&online, subject, ONLINE_NO_GOLD, &label, &risk, &err), OK);
		assert_int_equal(
			test_sql(&t, "SELECT label_id FROM subject WHERE id = %d", (int)s), t.taxa[label]);
		n_retired++;
	}
	assert_true(n_retired > 60 && n_retired < 200); /* enough taught, and before the first remix */
	for (int v = 0; v < V; v++) {
		double lambda = test_real(&t, "SELECT lambda FROM skill WHERE volunteer_id = %d", v + 1);
		assert_true(fabs(lambda - online.volunteers[v].lambda) < 1e-9);
	}
	double pool = test_real(&t, "SELECT sum(weight) FROM pool_cell");
	double mine = 0;
	for (int i = 0; i < K * K; i++)
		mine += online.counts[i];
	assert_true(fabs(pool - mine) < 1e-6);
	online_release(&online);
	project_release(&p);
	test_project_close(&t);
}

/* 400 subjects, 300 of them certification gold, a model that is right on all of it. */
static void with_certificate(const char *policy, int n_wrong)
{
	struct err err = {0};
	struct project p = {0};
	test_project_open(&t, 4, 4, 800, policy);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(gold_draw(t.db, t.id, "certify", 300, true, 1, 1, &err), OK);
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	for (int i = 0; i < 800; i++) {
		int64_t s = t.first_subject + i;
		if (test_sql(&t, "SELECT count(*) FROM gold") < 0)
			break;
		struct stmt *row = NULL;
		char code[24];
		snprintf(code, sizeof code, i % 4 ? "animal%d" : "blank", i % 4);
		enum status st = db_one(t.db, Q_GOLD_GET, &row, &err, "i", s);
		db_done(st == OK ? row : NULL);
		if (st == OK && gold_label(t.db, &p, s, code, "certify", 2, &err) != OK)
			fail_msg("%s", err.text);
	}
	assert_int_equal(db_commit(t.db, &err), OK);
	project_release(&p);
	test_model(&t, 4);
	for (int i = 0; i < 800; i++) {
		int64_t s = t.first_subject + i;
		bool gold = test_sql(&t, "SELECT count(*) FROM gold WHERE subject_id = %d", (int)s) == 1;
		test_predict(&t, s, gold && n_wrong > 0 && i % 3 == 0 ? (i + 1) % 4 : i % 4, 0.97, 3);
	}
	/* Nothing is heard of a model without a calibration. */
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM subject WHERE prediction_id IS NOT NULL"), 0);
	settle(4);
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
		for (int v = 0; v < 12 && strcmp(text_of("state", s), "open") == 0 &&
			 test_sql(&t, "SELECT blind FROM subject WHERE id = %d", (int)s);
			 v++) {
			answer(s, v, truth, now);
			n++;
		}
		if (strcmp(text_of("state", s), "expert") == 0) {
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
	with_certificate(NULL, 0);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate WHERE state = 'probation'"), 1);
	assert_int_equal(test_sql(&t, "SELECT n_wrong FROM certificate"), 0);
	assert_true(test_real(&t, "SELECT p_error_upper FROM certificate") <= 0.034);
	/* Low risk, no answers, no active certificate: nothing is labelled, whatever tau says. */
	assert_true(
		test_real(&t, "SELECT min(risk) FROM subject WHERE state = 'open' AND blind = 0") < 0.01);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model'"), 0);
	int64_t n_shadow = test_sql(&t, "SELECT count(*) FROM audit WHERE kind = 'shadow'");
	assert_true(n_shadow > 110 && n_shadow < 190); /* 150 of 500 expected */
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM subject WHERE blind = 1"), n_shadow);
	/* Shadow audits alone do not reach 150 when fewer were drawn: the certificate waits then. */
	answer_blind(true, 10);
	sweep(11);
	int64_t done = test_sql(&t, "SELECT count(*) FROM audit WHERE state = 'done'");
	bool active = test_sql(&t, "SELECT count(*) FROM certificate WHERE state = 'active'") == 1;
	assert_int_equal(active, done >= 150);
	test_project_close(&t);
}

static void audits_go_on_and_a_broken_promise_takes_the_labels_back(void **state)
{
	(void)state;
	with_certificate("{\"audits\": 60}", 0);
	answer_blind(true, 10);
	sweep(11);
	/* 60 wanted of 500: drawn at .12. Whatever the draw brought, the certificate is activated as if it had passed. */
	test_sql(
		&t, "UPDATE certificate SET state = 'active', active_ms = 12 WHERE state = 'probation'");
	test_sql(&t, "UPDATE project SET sweep_id = 0");
	sweep(13);
	int64_t n_model = test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model'");
	int64_t n_audit = test_sql(
		&t, "SELECT count(*) FROM audit WHERE kind = 'audit' AND state = 'crowd'");
	assert_true(n_model > 350);
	assert_true(n_audit > 20 && n_audit < 100);
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model' AND state = 'open'"),
		n_audit);
	/* An audit's posterior hears no model. */
	assert_true(
		test_real(&t, "SELECT min(risk) FROM subject WHERE blind = 1 AND state = 'open'") > 0.5);
	/* People now find the model wrong. */
	answer_blind(false, 20);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate WHERE state = 'revoked'"), 1);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model'"), 0);
	assert_true(
		test_sql(
			&t, "SELECT count(*) FROM label_event WHERE what = 'reopened' AND reason = 'revoked'") >
		300);
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM subject WHERE blind = 1 AND state = 'open'"), 0);
	assert_int_equal(test_sql(&t, "SELECT w0 IS NULL FROM model"), 1);
	sweep(21);
	/* The model is no longer heard, and the same gold gives no new certificate. */
	assert_true(test_real(&t,
					"SELECT min(risk) FROM subject WHERE state = 'open' AND n_answers = 0") > 0.5);
	settle(22);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate"), 1);
	test_project_close(&t);
}

static void a_poor_model_gets_no_certificate(void **state)
{
	(void)state;
	with_certificate(NULL, 1);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM certificate"), 0);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model'"), 0);
	test_project_close(&t);
}

static void protected_taxa_and_new_deployments_are_never_labelled_at_once(void **state)
{
	(void)state;
	with_certificate(NULL, 0);
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
	assert_true(test_sql(&t, "SELECT count(*) FROM subject WHERE decided_by = 'model'") > 250);
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
					(int)d) > 0);
	test_project_close(&t);
}

static void a_model_is_not_heard_on_what_it_was_trained_on(void **state)
{
	(void)state;
	with_certificate(NULL, 0);
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
	int64_t s2 = test_sql(
		&t, "SELECT min(id) FROM subject WHERE state = 'open' AND blind = 0 AND id > %d", (int)s);
	test_predict(&t, s2, 3, 0.99, 20);
	assert_int_not_equal(test_sql(&t,
							 "SELECT p.model_id FROM subject s JOIN prediction p ON p.id = "
							 "s.prediction_id WHERE s.id = %d",
							 (int)s2),
		old_model);
	test_project_close(&t);
}

static void tasks_are_leased_and_never_given_twice(void **state)
{
	(void)state;
	struct err err = {0};
	struct task_list list;
	bool seen[40] = {0};
	test_project_open(&t, 3, 1, 12, NULL);
	assert_int_equal(db_begin(t.db, &err), OK);
	for (int v = 0; v < 4; v++) { /* 4 x 3 leases over 12 subjects: nobody is given another's */
		assert_int_equal(task_next(t.db, t.id, t.volunteers[v], false, 3, 1000, &list, &err), OK);
		assert_int_equal(list.n, 3);
		for (int i = 0; i < 3; i++) {
			int64_t at = list.tasks[i].subject_id - t.first_subject;
			assert_false(seen[at]);
			seen[at] = true;
			assert_int_equal(list.tasks[i].n_frames, 1);
			assert_int_equal(list.tasks[i].frames[0].width_px, 640);
		}
		task_list_release(&list);
	}
	assert_int_equal(task_next(t.db, t.id, t.volunteers[0], false, 3, 1001, &list, &err), OK);
	assert_int_equal(list.n, 3); /* its own again */
	task_list_release(&list);
	assert_int_equal(task_next(t.db, t.id, t.volunteers[5], false, 10, 1002, &list, &err), OK);
	assert_int_equal(list.n, 1); /* all are looked at: one, together with somebody */
	task_list_release(&list);
	assert_int_equal(
		task_next(t.db, t.id, t.volunteers[6], false, 10, 1000 + 901000, &list, &err), OK);
	assert_int_equal(list.n, 10); /* dead leases hold nobody up */
	task_list_release(&list);
	assert_int_equal(
		task_next(t.db, t.id, t.volunteers[6], false, 11, 1000, &list, &err), BAD_INPUT);
	assert_int_equal(task_next(t.db, t.id, t.volunteers[6], true, 1, 1000, &list, &err), OK);
	assert_int_equal(list.n, 0);
	assert_int_equal(list.reason, TASK_DONE);
	assert_int_equal(db_commit(t.db, &err), OK);
	test_project_close(&t);
}

static void who_has_answered_everything_is_told_so(void **state)
{
	(void)state;
	struct err err = {0};
	struct task_list list;
	test_project_open(&t, 3, 1, 3, NULL);
	for (int i = 0; i < 3; i++)
		answer(t.first_subject + i, 0, 1, 10);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(task_next(t.db, t.id, t.volunteers[0], false, 3, 1000, &list, &err), OK);
	assert_int_equal(list.n, 0);
	assert_int_equal(list.reason, TASK_SEEN);
	db_rollback(t.db);
	test_project_close(&t);
}

/* The Nth step fails, for every N: the answer is not there, nothing is half decided, and the next try works. */
static void a_fault_at_any_step_leaves_nothing_half_done(void **state)
{
	(void)state;
	struct err err = {0};
	test_project_open(&t, 3, 1, 5, "{\"min_answers\": 1, \"tau\": 0.3}");
	int64_t s = t.first_subject;
	int n_failed = 0;
	for (long nth = 1;; nth++) {
		test_sql(&t,
			"INSERT INTO task (project_id, subject_id, volunteer_id, issued_ms, expires_ms)"
			" VALUES (1, %d, 1, 0, 2000) ON CONFLICT DO NOTHING",
			(int)s);
		db_fail_step(nth, FULL);
		enum status st = test_answer(&t, s, 0, 1, 10, &err);
		db_fail_step(0, OK);
		if (st == OK)
			break;
		db_rollback(t.db);
		n_failed++;
		assert_int_equal(st, FULL);
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM classification"), 0);
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM annotation"), 0);
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM label_event"), 0);
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM subject WHERE state <> 'open'"), 0);
		assert_int_equal(test_sql(&t, "SELECT count(*) FROM task"), 1);
	}
	assert_true(n_failed > 20);
	assert_string_equal(text_of("state", s), "retired");
	test_project_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(people_alone_need_three_and_tau),
		cmocka_unit_test(disagreement_and_doubt_go_to_an_expert),
		cmocka_unit_test(what_an_answer_may_not_be),
		cmocka_unit_test(late_answers_are_kept_and_not_counted),
		cmocka_unit_test(undo_reopens_for_ten_minutes),
		cmocka_unit_test(the_tables_compute_the_reference),
		cmocka_unit_test(a_certificate_begins_on_probation_and_labels_after_shadow_audits),
		cmocka_unit_test(audits_go_on_and_a_broken_promise_takes_the_labels_back),
		cmocka_unit_test(a_poor_model_gets_no_certificate),
		cmocka_unit_test(protected_taxa_and_new_deployments_are_never_labelled_at_once),
		cmocka_unit_test(a_model_is_not_heard_on_what_it_was_trained_on),
		cmocka_unit_test(tasks_are_leased_and_never_given_twice),
		cmocka_unit_test(who_has_answered_everything_is_told_so),
		cmocka_unit_test(a_fault_at_any_step_leaves_nothing_half_done),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
