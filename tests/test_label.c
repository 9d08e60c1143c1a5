/* labels: unit sql; timeout: 240 */
/* Decisions on real tables: who retires what and when, and which subject is given to whom. */
#include "classification.h"
#include "confusion.h"
#include "consensus.h"
#include "gold.h"
#include "label.h"
#include "online.h"
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

static void people_alone_need_three_and_tau(void **state)
{
	(void)state;
	test_project_open(&t, 4, 1, 5, NULL);
	int64_t s = t.first_subject;
	test_must_answer(&t, s, 0, 1, 10);
	test_must_answer(&t, s, 1, 1, 20);
	assert_string_equal(test_text(&t, "state", s), "open");
	for (int v = 2; v < 25 && strcmp(test_text(&t, "state", s), "open") == 0; v++)
		test_must_answer(&t, s, v, 1, 30 + v);
	assert_string_equal(test_text(&t, "state", s), "retired");
	assert_string_equal(test_text(&t, "by", s), "people");
	assert_true(test_real(&t, "SELECT risk FROM subject WHERE id = %d", (int)s) <= 0.034);
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
	/* After 1 and 2 another 1 would do (risk .23); it is a 3. */
	test_project_open(&t, 4, 1, 5, "{\"cap\": 3, \"tau\": 0.3}");
	int64_t s = t.first_subject;
	for (int v = 0; v < 3; v++) {
		assert_string_equal(test_text(&t, "state", s), "open");
		test_must_answer(&t, s, v, 1 + v, 10);
	}
	assert_string_equal(test_text(&t, "state", s), "expert");
	assert_string_equal(test_text(&t, "reason", s), "cap");
	for (int v = 0; v < 3; v++)
		test_must_answer(&t, s + 1, v, -1, 20);
	assert_string_equal(test_text(&t, "state", s + 1), "expert");
	assert_string_equal(test_text(&t, "reason", s + 1), "cant_tell");
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(label_by_expert(t.db, &p, s, 2, 0, 0, 30, &err), OK);
	assert_int_equal(label_by_expert(t.db, &p, s + 1, -1, 0, 0, 30, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	project_release(&p);
	assert_string_equal(test_text(&t, "state", s), "retired");
	assert_string_equal(test_text(&t, "by", s), "expert");
	assert_string_equal(test_text(&t, "state", s + 1), "retired");
	assert_string_equal(test_text(&t, "by", s + 1), "");
	test_project_close(&t);
}

/* 1, 2 and three more of one mind: risk .0527 with what two taxa's answers are worth at the start (2.485 nats each). */
static void what_people_cannot_settle_goes_to_an_expert_at_once(void **state)
{
	(void)state;
	static const struct {
		const char *policy;
		const char *state;
	} rows[] = {
		{"{\"cap\": 5, \"tau\": 0.052}", "expert"},
		{"{\"cap\": 5, \"tau\": 0.053}", "open"},
		{"{\"cap\": 6, \"tau\": 0.052}", "open"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		test_project_open(&t, 4, 1, 1, rows[i].policy);
		int64_t s = t.first_subject;
		test_must_answer(&t, s, 0, 1, 10);
		assert_string_equal(test_text(&t, "state", s), "open");
		test_must_answer(&t, s, 1, 2, 20);
		assert_string_equal(test_text(&t, "state", s), rows[i].state);
		if (strcmp(rows[i].state, "expert") == 0)
			assert_string_equal(test_text(&t, "reason", s), "out_of_reach");
		test_project_close(&t);
	}
}

static void what_an_answer_may_not_be(void **state)
{
	(void)state;
	struct err err = {0};
	struct classification_result result;
	test_project_open(&t, 3, 1, 5, NULL);
	int64_t s = t.first_subject;
	test_must_answer(&t, s, 0, 1, 10);
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
	test_must_answer(&t, s, 0, 1, 10);
	assert_string_equal(test_text(&t, "state", s), "retired");
	test_must_answer(&t, s, 8, 2, 100);
	assert_int_equal(test_sql(&t, "SELECT counted FROM classification WHERE volunteer_id = 9"), 0);
	assert_int_equal(test_sql(&t, "SELECT label_id FROM subject WHERE id = %d", (int)s), t.taxa[1]);
	assert_int_equal(test_sql(&t, "SELECT n_answers FROM subject WHERE id = %d", (int)s), 1);
	test_project_close(&t);
}

static enum status take_back(int64_t nth, int v, int64_t now, struct err *err)
{
	uint8_t of[16];
	uint8_t uuid[16];
	struct classification_undone undone;
	test_uuid(nth, of);
	test_uuid(nth + 1000000, uuid);
	enum status st = db_begin(t.db, err);
	if (st == OK)
		st = classification_undo(t.db, uuid, of, t.volunteers[v], now, &undone, err);
	if (st == OK) {
		struct task_list list;
		st = task_again(t.db, t.volunteers[v], &undone, now, &list, err);
		task_list_release(&list);
	}
	if (st == OK)
		return db_commit(t.db, err);
	db_rollback(t.db);
	return st;
}

/* What is no evidence because of what its volunteer had heard is none for a refit either. */
static void a_refit_counts_late_answers_but_no_stained_ones(void **state)
{
	struct project p = {0};
	struct err err = {0};
	enum label_refitted what;
	(void)state;
	test_project_open(&t, 4, 2, 10, "{\"min_answers\": 9}");
	test_must_answer(&t, t.first_subject, 0, 1, 10);
	test_must_answer(&t, t.first_subject, 1, 1, 10);
	test_sql(&t, "UPDATE classification SET counted = 0, stained = volunteer_id = 2");
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	assert_int_equal(label_refit(t.db, &p, t.first_subject, 1000, 20, &what, &err), OK);
	project_release(&p);
	assert_int_equal(db_commit(t.db, &err), OK);
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM classification WHERE counted = 1 AND volunteer_id = 1"),
		1);
	assert_int_equal(
		test_sql(&t, "SELECT count(*) FROM classification WHERE counted = 1 AND volunteer_id = 2"),
		0);
	assert_int_equal(
		test_sql(&t, "SELECT n_answers FROM subject WHERE id = %d", (int)t.first_subject), 1);
	test_project_close(&t);
}

static void undo_reopens_what_people_decided(void **state)
{
	(void)state;
	struct err err = {0};
	test_project_open(&t, 3, 1, 20, "{\"min_answers\": 1, \"tau\": 0.4}");
	int64_t s = t.first_subject;
	test_must_answer(&t, s, 0, 1, 1000);
	int64_t nth = test_n_answers;
	assert_string_equal(test_text(&t, "state", s), "retired");
	assert_int_equal(take_back(nth, 1, 2000, &err), NOT_FOUND); /* another's */
	assert_int_equal(take_back(nth, 0, 2000, &err), OK);
	assert_int_equal(take_back(nth, 0, 2000, &err), OK); /* a replay */
	assert_string_equal(test_text(&t, "state", s), "open");
	assert_int_equal(
		test_sql(&t, "SELECT n FROM class_prior WHERE taxon_id = %d", (int)t.taxa[1]), 0);
	test_must_answer(&t, s, 0, 2, 3000); /* and the volunteer may answer again */
	assert_int_equal(test_sql(&t, "SELECT label_id FROM subject WHERE id = %d", (int)s), t.taxa[2]);
	nth = test_n_answers;
	for (int i = 1; i <= 10; i++)
		test_must_answer(&t, s + i, 0, 1, 3000 + i);
	assert_int_equal(take_back(nth, 0, 4000, &err), CONFLICT); /* eleven back */
	/* However long ago that was, no label rests on an answer that was taken back. */
	assert_int_equal(take_back(test_n_answers, 0, 3010 + 601000, &err), OK);
	assert_string_equal(test_text(&t, "state", s + 10), "open");
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
		for (int n = 0; n < 9 && strcmp(test_text(&t, "state", s), "open") == 0; n++) {
			int v = (first + n) % V;
			bool right = (int)(next_random(&seed) % 100) < 55 + 3 * v;
			int a = right ? truth : (int)(next_random(&seed) % K);
			assert_int_equal(online_answer(&online, subject, v, a, q, &err), OK);
			test_must_answer(&t, s, v, a, 10);
			assert_true(
				fabs(consensus_risk(q, K) -
					test_real(&t, "SELECT risk FROM subject WHERE id = %d", (int)s)) < 1e-9);
			if (strcmp(test_text(&t, "state", s), "open") == 0) {
				assert_int_equal(label_posterior(t.db, &p, s, stored, &err), OK);
				for (int z = 0; z < K; z++)
					assert_true(fabs(q[z] - stored[z]) < 1e-9);
			}
		}
		if (strcmp(test_text(&t, "state", s), "retired") != 0) {
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
		test_must_answer(&t, t.first_subject + i, 0, 1, 10);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(task_next(t.db, t.id, t.volunteers[0], false, 3, 1000, &list, &err), OK);
	assert_int_equal(list.n, 0);
	assert_int_equal(list.reason, TASK_SEEN);
	db_rollback(t.db);
	test_project_close(&t);
}

static void a_taxon_off_the_list_becomes_no_label(void **state)
{
	(void)state;
	test_project_open(&t, 3, 1, 5, "{\"min_answers\": 1, \"tau\": 0.4, \"cap\": 3}");
	int64_t s = t.first_subject;
	test_must_answer(&t, s, 0, -1, 10);
	test_model(&t, 3);
	test_sql(&t, "UPDATE model SET w0 = 0, w1 = 1");
	test_predict(&t, s, 2, 0.99999, 11);
	test_sql(&t, "UPDATE taxon SET retired_ms = 12 WHERE id = %d", (int)t.taxa[2]);
	test_must_answer(&t, s, 1, 1, 20); /* the model still outweighs this */
	assert_true(test_real(&t, "SELECT risk FROM subject WHERE id = %d", (int)s) < 0.4);
	assert_string_equal(test_text(&t, "state", s), "open");
	test_must_answer(&t, s, 2, 1, 21);
	test_must_answer(&t, s, 3, 1, 22);
	assert_string_not_equal(test_text(&t, "state", s), "open");
	assert_int_not_equal(
		test_sql(&t, "SELECT COALESCE(label_id, 0) FROM subject WHERE id = %d", (int)s), t.taxa[2]);
	test_project_close(&t);
}

static void a_held_subject_that_has_retired_is_not_given_again(void **state)
{
	(void)state;
	struct err err = {0};
	struct task_list list;
	test_project_open(&t, 3, 1, 3, "{\"min_answers\": 1, \"tau\": 0.4}");
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(task_next(t.db, t.id, t.volunteers[0], false, 3, 1000, &list, &err), OK);
	assert_int_equal(list.n, 3);
	task_list_release(&list);
	assert_int_equal(db_commit(t.db, &err), OK);
	test_must_answer(&t, t.first_subject, 1, 1, 1001);
	assert_string_equal(test_text(&t, "state", t.first_subject), "retired");
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(task_next(t.db, t.id, t.volunteers[0], false, 3, 1002, &list, &err), OK);
	assert_int_equal(list.n, 2);
	task_list_release(&list);
	db_rollback(t.db);
	test_project_close(&t);
}

static int n_held(int v, int64_t now)
{
	struct err err = {0};
	struct task_list list;
	int n = 0;
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(task_next(t.db, t.id, t.volunteers[v], false, 1, now, &list, &err), OK);
	for (int i = 0; i < list.n; i++)
		n += list.tasks[i].subject_id == t.first_subject;
	task_list_release(&list);
	db_rollback(t.db);
	return n;
}

/* As gold is: that it comes back, or not, would tell what became of it. */
static void what_an_undo_gave_again_stays_in_hand(void **state)
{
	(void)state;
	struct err err = {0};
	test_project_open(&t, 3, 1, 3, "{\"min_answers\": 1, \"tau\": 0.4}");
	const int64_t s = t.first_subject;
	test_must_answer(&t, s, 0, 1, 1000);
	assert_int_equal(take_back(test_n_answers, 0, 2000, &err), OK);
	test_must_answer(&t, s, 1, 1, 3000);
	assert_string_equal(test_text(&t, "state", s), "retired");
	assert_int_equal(n_held(0, 4000), 1);
	assert_int_equal(n_held(2, 4000), 0);
	test_sql(&t,
		"INSERT INTO flag (subject_id, volunteer_id, kind, project_id, created_ms) VALUES (%d, %d, "
		"'person', 1, 0)",
		(int)s, (int)t.volunteers[1]);
	assert_int_equal(n_held(0, 4000), 0); /* who may not see it */
	test_sql(&t, "DELETE FROM flag");
	test_must_answer(&t, s, 0, 2, 5000); /* and it is given no more once there is another answer */
	assert_int_equal(n_held(0, 6000), 0);
	test_project_close(&t);
}

static void chosen_gold_says_when(void **state)
{
	(void)state;
	struct err err = {0};
	struct project p = {0};
	test_project_open(&t, 3, 1, 3, NULL);
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(gold_label(t.db, &p, t.first_subject, "animal1", "probe", 77, &err), OK);
	assert_int_equal(
		gold_label(t.db, &p, t.first_subject + 1, "animal1", "certify", 77, &err), BAD_INPUT);
	assert_int_equal(db_commit(t.db, &err), OK);
	assert_int_equal(test_sql(&t, "SELECT drawn_ms FROM gold"), 77);
	project_release(&p);
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
	assert_string_equal(test_text(&t, "state", s), "retired");
	test_project_close(&t);
}

/* What people teach changes everybody's matrix at once in a small project, and by the hundredth in a large one. */
static void the_pool_is_remixed_at_every_two_hundredth_or_by_the_share(void **state)
{
	(void)state;
	static const struct {
		int n_taught;
		bool due;
	} rows[] = {{198, false}, {199, true}, {200, false}, {39799, true}, {40199, false},
		{40399, true}, {9999999, false}, {10035199, true}};
	test_project_open(&t, 3, 1, (int)(sizeof rows / sizeof *rows), NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const int64_t s = t.first_subject + (int64_t)i;
		test_sql(&t, "UPDATE project SET n_taught = %d", rows[i].n_taught);
		const double before = test_real(&t, "SELECT sum(p * p) FROM pool_cell");
		for (int v = 0; v < 6 && strcmp(test_text(&t, "state", s), "open") == 0; v++)
			test_must_answer(&t, s, v, 1, 10);
		assert_string_equal(test_text(&t, "state", s), "retired");
		assert_int_equal(test_sql(&t, "SELECT n_taught FROM project"), rows[i].n_taught + 1);
		assert_int_equal(
			fabs(test_real(&t, "SELECT sum(p * p) FROM pool_cell") - before) > 1e-12, rows[i].due);
	}
	test_project_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(people_alone_need_three_and_tau),
		cmocka_unit_test(disagreement_and_doubt_go_to_an_expert),
		cmocka_unit_test(what_people_cannot_settle_goes_to_an_expert_at_once),
		cmocka_unit_test(what_an_answer_may_not_be),
		cmocka_unit_test(late_answers_are_kept_and_not_counted),
		cmocka_unit_test(a_refit_counts_late_answers_but_no_stained_ones),
		cmocka_unit_test(undo_reopens_what_people_decided),
		cmocka_unit_test(the_tables_compute_the_reference),
		cmocka_unit_test(tasks_are_leased_and_never_given_twice),
		cmocka_unit_test(who_has_answered_everything_is_told_so),
		cmocka_unit_test(a_taxon_off_the_list_becomes_no_label),
		cmocka_unit_test(a_held_subject_that_has_retired_is_not_given_again),
		cmocka_unit_test(what_an_undo_gave_again_stays_in_hand),
		cmocka_unit_test(chosen_gold_says_when),
		cmocka_unit_test(the_pool_is_remixed_at_every_two_hundredth_or_by_the_share),
		cmocka_unit_test(a_fault_at_any_step_leaves_nothing_half_done),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
