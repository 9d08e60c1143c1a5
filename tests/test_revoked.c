/* labels: unit sql slow; timeout: 300 */
/* A stratum whose certificate was revoked: on probation at once, unheard, and once only. */
#include "bounds.h"
#include "certificate.h"
#include "certificate_check.h"
#include "flag.h"
#include "gold.h"
#include "prediction.h"
#include "replay.h"
#include "support_command.h"
#include "support_strata.h"
#include "task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

static struct test_project *const t = &strata_world;

/* n more of what the model has labelled are audited, and people find it wrong. */
static void break_promise(int n, int64_t now_ms)
{
	struct err err = {0};
	struct project p = {0};
	assert_int_equal(project_load(t->db, t->id, &p, &err), OK);
	for (int i = 0; i < n; i++) {
		int64_t s = test_sql(t,
			"SELECT id FROM subject WHERE state = 'retired' AND decided_by = 'model' ORDER BY "
			"audit_u LIMIT 1");
		assert_true(s > 0);
		assert_int_equal(db_begin(t->db, &err), OK);
		assert_int_equal(certificate_audit_more(t->db, &p, s, 0, now_ms, &err), OK);
		assert_int_equal(db_commit(t->db, &err), OK);
	}
	project_release(&p);
	strata_answer_blind(true, now_ms);
}

static void with_revoked_after(const char *policy, const char *before)
{
	strata_open(policy ? policy : "{\"auto_blank\": false, \"expert_share\": 0}", before);
	strata_activate(10);
	assert_int_equal(test_sql(t, "SELECT id FROM certificate WHERE state = 'active'"), 1);
	break_promise(16, 20);
	assert_int_equal(test_sql(t, "SELECT id FROM certificate WHERE state = 'revoked'"), 1);
}

/* Only animals are certified: some 400 of gold, and 320 that may be labelled. Their certificate, 1, is active, then revoked. */
static void with_revoked(void)
{
	with_revoked_after(NULL, NULL);
}

static bool is_heard(int64_t model_id)
{
	struct err err = {0};
	struct project p = {0};
	struct prediction_top top = {0};
	assert_int_equal(project_load(t->db, t->id, &p, &err), OK);
	int64_t id = test_sql(t, "SELECT max(id) FROM prediction WHERE top_id = %d AND model_id = %d",
		(int)t->taxa[1], (int)model_id);
	assert_int_equal(prediction_read_top(t->db, &p, id, &top, &err), OK);
	project_release(&p);
	return top.calibrated;
}

static int n_labels(void)
{
	return (int)test_sql(t, "SELECT count(*) FROM subject WHERE decided_by = 'model'");
}

static int n_in_force(void)
{
	return (int)test_sql(
		t, "SELECT count(*) FROM certificate WHERE state IN ('probation', 'active')");
}

static void must_check(int64_t id)
{
	struct err err = {0};
	struct project p = {0};
	bool whole = false;
	json_t *findings = json_array();
	assert_int_equal(project_load(t->db, t->id, &p, &err), OK);
	assert_int_equal(certificate_check(t->db, &p, id, findings, &whole, &err), OK);
	if (json_array_size(findings))
		fail_msg("%s", json_string_value(json_array_get(findings, 0)));
	json_decref(findings);
	project_release(&p);
}

/* Two people answer one blind subject rightly. */
static void answer_one(int64_t now_ms)
{
	int64_t s = test_sql(
		t, "SELECT id FROM subject WHERE blind = 1 AND state = 'open' ORDER BY id LIMIT 1");
	assert_true(s > 0);
	for (int v = 0; strcmp(test_text(t, "state", s), "open") == 0; v++)
		test_must_answer(t, s, v, (int)((s - t->first_subject) % 2), now_ms);
}

static void shadow_audits_alone_may_bear_the_promise_again(void **state)
{
	(void)state;
	with_revoked();
	/* Before the sweep: 149 without an error and three standard deviations, of all that it will have to do with. */
	assert_int_equal(test_sql(t, "SELECT after_id FROM certificate WHERE state = 'probation'"), 1);
	int n_left = (int)test_sql(t,
		"SELECT count(*) FROM subject s JOIN prediction p ON p.subject_id = s.id WHERE p.p_top > "
		".9 AND p.top_id = %d AND s.n_answers = 0 AND (s.state = 'open' OR s.decided_by = 'model')",
		(int)t->taxa[1]);
	int n_enough = cs_enough(0, .034, .05);
	assert_int_equal(n_enough, 149);
	assert_true(n_left > 190 && n_left < 260);
	assert_true(fabs(test_real(t, "SELECT audit_rate FROM certificate WHERE id = 2") -
					(n_enough + 3 * sqrt(n_enough)) / n_left) < 1e-12);
	assert_false(is_heard(t->model_id));
	strata_sweep(21);
	assert_int_equal(n_labels(), 0);
	assert_false(is_heard(t->model_id));
	assert_true(test_real(t,
					"SELECT min(risk) FROM subject WHERE state = 'open' AND n_answers = 0 AND "
					"guess_id = %d",
					(int)t->taxa[1]) > .3);
	int64_t n_drawn = test_sql(
		t, "SELECT count(*) FROM audit WHERE certificate_id = 2 AND kind = 'shadow'");
	assert_true(n_drawn > n_enough && n_drawn <= n_left);
	assert_int_equal(
		test_sql(t, "SELECT count(*) FROM subject WHERE blind = 1 AND state = 'open'"), n_drawn);
	must_check(1);
	must_check(2);
	assert_int_equal(command(TOPI " certificate list %s test", t->dir), 0);
	assert_non_null(strstr(command_out, "follows: certificate 1, revoked; the model is not heard"));
	strata_settle(22);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate"), 2);
	/* 63 would have been enough for the first one. */
	for (int i = 0; i < n_enough - 1; i++)
		answer_one(30);
	assert_int_equal(test_sql(t, "SELECT id FROM certificate WHERE state = 'probation'"), 2);
	assert_false(is_heard(t->model_id));
	answer_one(31);
	assert_int_equal(test_sql(t, "SELECT id FROM certificate WHERE state = 'active'"), 2);
	assert_true(is_heard(t->model_id));
	assert_true(
		test_sql(t,
			"SELECT m.w0 = c.w0 AND m.w1 = c.w1 FROM model m, certificate c WHERE c.id = 2") == 1);
	strata_sweep(32);
	assert_true(n_labels() > 20);
	strata_answer_blind(false, 33); /* later audits, right too */
	struct err err = {0};
	struct project p = {0};
	struct replay replay;
	assert_int_equal(project_load(t->db, t->id, &p, &err), OK);
	assert_int_equal(replay_check(t->db, &p, &replay, &err), OK);
	/* The helper's expert has spoken without an answer that is stored; nothing else differs. */
	assert_int_equal(replay.n_differ,
		test_sql(t,
			"SELECT count(*) FROM subject WHERE decided_by = 'expert' AND id NOT IN (SELECT "
			"subject_id FROM gold)"));
	assert_int_equal(replay.n_by_model, n_labels());
	project_release(&p);
	must_check(2);
	/* The check knows what a second probation takes: as if the first 70 had ended it. */
	test_sql(t, "UPDATE certificate SET active_ms = 29 WHERE id = 2");
	test_sql(t,
		"UPDATE audit SET done_ms = 28 WHERE certificate_id = 2 AND subject_id IN (SELECT "
		"subject_id FROM audit WHERE certificate_id = 2 AND state = 'done' ORDER BY subject_id "
		"LIMIT 70)");
	assert_int_equal(command(TOPI " certificate check %s test 2", t->dir), 1);
	assert_non_null(strstr(command_out, "0 errors in 70 shadow audits do not end its probation"));
	test_sql(t, "UPDATE certificate SET active_ms = 31 WHERE id = 2");
	/* A promise that is broken again has no third. */
	break_promise((int)fmin(n_labels(), 20), 40);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate WHERE state = 'revoked'"), 2);
	assert_int_equal(n_in_force(), 0);
	test_project_close(t);
}

static void a_model_that_is_wrong_again_asks_no_more(void **state)
{
	(void)state;
	with_revoked();
	strata_sweep(21);
	strata_answer_blind(true, 30);
	strata_sweep(31);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate WHERE state = 'revoked'"), 2);
	int64_t n = test_sql(
		t, "SELECT count(*) FROM audit WHERE certificate_id = 2 AND state = 'done'");
	assert_true(n >= 3 && n <= 16); /* cs_lower: so few errors in a row are above .034 */
	assert_int_equal(n_labels(), 0);
	assert_int_equal(n_in_force(), 0);
	assert_int_equal(
		test_sql(t, "SELECT count(*) FROM subject WHERE blind = 1 AND state = 'open'"), 0);
	strata_settle(32);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate"), 2);
	assert_false(is_heard(t->model_id));
	must_check(2);
	/* Another promise is a certificate of its own; the old one is not made again by way of it. */
	test_sql(t, "UPDATE policy SET rules = json_set(rules, '$.alpha', 0.05)");
	strata_settle(33);
	assert_int_equal(
		test_sql(t, "SELECT id FROM certificate WHERE state = 'probation' AND after_id IS NULL"),
		3);
	assert_true(is_heard(t->model_id));
	test_sql(t, "UPDATE policy SET rules = json_set(rules, '$.alpha', 0.034)");
	strata_settle(34);
	assert_int_equal(n_in_force(), 0);
	test_project_close(t);
}

static void another_model_in_between_makes_no_new_certificate(void **state)
{
	(void)state;
	struct err err = {0};
	with_revoked();
	strata_sweep(21);
	int64_t old_model = t->model_id;
	test_model(t, 2);
	assert_int_equal(db_begin(t->db, &err), OK);
	for (int i = 0; i < STRATA_N; i++)
		test_predict(t, t->first_subject + i, i % 2, .97, 40);
	assert_int_equal(db_commit(t->db, &err), OK);
	strata_settle(41);
	assert_int_equal(
		test_sql(t, "SELECT model_id FROM certificate WHERE state = 'probation'"), t->model_id);
	assert_int_equal(test_sql(t, "SELECT id FROM certificate WHERE state = 'replaced'"), 2);
	/* Nobody keeps the opinion of a model that is not heard. */
	assert_int_equal(
		test_sql(t,
			"SELECT count(*) FROM subject s JOIN prediction p ON p.id = s.prediction_id WHERE "
			"s.state = 'open' AND s.label_id IS NULL AND p.model_id = %d",
			(int)old_model),
		0);
	test_sql(t, "UPDATE project SET model_id = %d", (int)old_model);
	strata_settle(42);
	assert_int_equal(test_sql(t,
						 "SELECT count(*) FROM certificate WHERE model_id = %d AND state "
						 "IN ('probation', 'active')",
						 (int)old_model),
		0);
	assert_false(is_heard(old_model));
	test_project_close(t);
}

/* Up to n more animals, drawn and labelled now, as the model says; those that are not asked of people. */
static int add_gold(int n, int64_t now_ms)
{
	struct err err = {0};
	struct project p = {0};
	int added = 0;
	assert_int_equal(project_load(t->db, t->id, &p, &err), OK);
	for (int64_t s; added < n; added++) {
		s = test_sql(t,
			"SELECT s.id FROM subject s JOIN prediction p ON p.subject_id = s.id WHERE s.state = "
			"'open' AND s.blind = 0 AND s.n_answers = 0 AND p.p_top > .9 AND p.top_id = %d ORDER "
			"BY "
			"s.id LIMIT 1",
			(int)t->taxa[1]);
		if (s <= 0)
			break;
		test_sql(t,
			"INSERT INTO gold (subject_id, project_id, purpose, p_draw, drawn_ms, plant_u) VALUES "
			"(%d, %d, 'certify', .5, %d, .5)",
			(int)s, (int)t->id, (int)now_ms);
		assert_int_equal(db_begin(t->db, &err), OK);
		assert_int_equal(gold_label(t->db, &p, s, p.taxa[1].code, "certify", now_ms, &err), OK);
		assert_int_equal(db_commit(t->db, &err), OK);
	}
	project_release(&p);
	strata_settle(now_ms);
	return added;
}

static void gold_does_not_bring_back_what_audits_have_refuted(void **state)
{
	(void)state;
	with_revoked();
	strata_sweep(21);
	/* What is asked already goes on, and is counted on. */
	answer_one(22);
	assert_int_equal(add_gold(1, 23), 1);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate"), 2);
	assert_int_equal(test_sql(t, "SELECT id FROM certificate WHERE state = 'probation'"), 2);
	assert_int_equal(
		test_sql(t, "SELECT count(*) FROM audit WHERE certificate_id = 2 AND state = 'done'"), 1);
	assert_false(is_heard(t->model_id));
	/* The second round shows the same. Gold drawn before its end, or a little, gives no third. */
	strata_answer_blind(true, 30);
	strata_sweep(31);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate WHERE state = 'revoked'"), 2);
	assert_int_equal(add_gold(2, 30), 2);
	assert_int_equal(add_gold(60, 32), 60);
	assert_int_equal(n_in_force(), 0);
	assert_false(is_heard(t->model_id));
	/* A little more alpha, or another delta, is no other promise: the audits are against it too. */
	test_sql(t, "UPDATE policy SET rules = json_set(rules, '$.alpha', 0.0341, '$.delta', 0.06)");
	strata_settle(33);
	assert_int_equal(n_in_force(), 0);
	test_sql(t, "UPDATE policy SET rules = json_set(rules, '$.alpha', 0.034, '$.delta', 0.05)");
	/* As much as a test takes is a reason to ask once more; and still it is audits that must bear it. */
	assert_int_equal(add_gold(26, 34), 26);
	assert_int_equal(n_in_force(), 0);
	assert_int_equal(add_gold(1, 34), 1);
	assert_int_equal(test_sql(t, "SELECT after_id FROM certificate WHERE state = 'probation'"), 2);
	assert_false(is_heard(t->model_id));
	assert_int_equal(n_labels(), 0);
	must_check(3);
	test_project_close(t);
}

/* The follower bore .0341: that says nothing of .034, which audits have refuted. */
static void a_laxer_promise_makes_no_stricter_one_good(void **state)
{
	(void)state;
	with_revoked();
	strata_sweep(21);
	test_sql(t, "UPDATE policy SET rules = json_set(rules, '$.alpha', 0.0341, '$.delta', 0.2)");
	strata_settle(22);
	assert_int_equal(n_in_force(), 0);
	assert_int_equal(
		test_sql(t, "SELECT why LIKE 'audits have refuted%%' FROM certificate WHERE id = 2"), 1);
	assert_int_equal(add_gold(48, 23), 48);
	assert_int_equal(test_sql(t, "SELECT after_id FROM certificate WHERE state = 'probation'"), 1);
	strata_answer_blind(false, 24);
	strata_sweep(25);
	assert_int_equal(test_sql(t, "SELECT id FROM certificate WHERE state = 'active'"), 3);
	test_sql(t, "UPDATE policy SET rules = json_set(rules, '$.alpha', 0.034)");
	strata_settle(26);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate"), 3);
	assert_int_equal(n_in_force(), 0);
	/* It has made good for itself, and for what is laxer. */
	test_sql(t, "UPDATE policy SET rules = json_set(rules, '$.alpha', 0.0342)");
	strata_settle(27);
	assert_int_equal(
		test_sql(t, "SELECT id FROM certificate WHERE state = 'probation' AND after_id IS NULL"),
		4);
	test_project_close(t);
}

/* Audits of labels that stand refute their certificate after another has taken its place. */
static void late_audits_bind_the_successor_too(void **state)
{
	(void)state;
	strata_open("{\"auto_blank\": false, \"expert_share\": 0}", NULL);
	strata_activate(10);
	test_sql(t, "UPDATE policy SET rules = json_set(rules, '$.delta', 0.06)");
	strata_settle(12);
	assert_int_equal(test_sql(t, "SELECT id FROM certificate WHERE state = 'replaced'"), 1);
	assert_int_equal(test_sql(t, "SELECT id FROM certificate WHERE state = 'probation'"), 2);
	assert_true(is_heard(t->model_id));
	break_promise(16, 20);
	strata_sweep(21);
	assert_int_equal(test_sql(t, "SELECT id FROM certificate WHERE state = 'revoked'"), 1);
	assert_int_equal(
		test_sql(t, "SELECT why LIKE 'audits of the one before%%' FROM certificate WHERE id = 2"),
		1);
	assert_int_equal(n_in_force(), 1);
	assert_int_equal(test_sql(t,
						 "SELECT f.after_id FROM certificate f JOIN certificate n ON n.delta = "
						 "f.delta AND n.n_gold = f.n_gold WHERE f.id = 3 AND n.id = 2 AND f.state "
						 "= 'probation'"),
		1);
	assert_false(is_heard(t->model_id));
	assert_int_equal(n_labels(), 0);
	must_check(3);
	assert_int_equal(add_gold(1, 23), 1); /* it goes on */
	assert_int_equal(test_sql(t, "SELECT id FROM certificate WHERE state = 'probation'"), 3);
	test_project_close(t);

	/* What they do not contradict stays. */
	strata_open("{\"auto_blank\": false, \"expert_share\": 0}", NULL);
	strata_activate(10);
	test_sql(t, "UPDATE policy SET rules = json_set(rules, '$.alpha', 0.2)");
	strata_settle(12);
	break_promise(16, 20);
	assert_int_equal(test_sql(t, "SELECT id FROM certificate WHERE state = 'revoked'"), 1);
	assert_int_equal(
		test_sql(t, "SELECT id FROM certificate WHERE state IN ('probation', 'active')"), 2);
	assert_true(is_heard(t->model_id));
	test_project_close(t);
}

/* 100 animals are enough alone, and too few for half of delta, which blanks take when they may be labelled too. */
static void what_is_asked_goes_on_when_delta_is_split_anew(void **state)
{
	(void)state;
	with_revoked_after(NULL,
		"DELETE FROM gold WHERE subject_id IN (SELECT g.subject_id FROM gold g JOIN "
		"taxon t ON t.id = g.taxon_id WHERE t.kind <> 'blank' ORDER BY g.subject_id "
		"LIMIT -1 OFFSET 100)");
	assert_int_equal(test_sql(t, "SELECT n_gold FROM certificate WHERE id = 2"), 100);
	strata_sweep(21);
	answer_one(22);
	test_sql(t, "UPDATE policy SET rules = json_set(rules, '$.auto_blank', json('true'))");
	strata_settle(23);
	assert_int_equal(test_sql(t,
						 "SELECT n_strata FROM certificate WHERE stratum = 'blank' AND state = "
						 "'probation'"),
		1);
	assert_int_equal(
		test_sql(t, "SELECT after_id FROM certificate WHERE id = 2 AND state = 'probation'"), 1);
	test_project_close(t);
}

/* One more of gold would make a common class of it. */
static void a_refuted_class_stays_in_its_stratum(void **state)
{
	(void)state;
	with_revoked_after(
		"{\"auto_blank\": false, \"expert_share\": 0, \"common_gold\": 10000}", NULL);
	strata_sweep(21);
	test_sql(t, "UPDATE policy SET rules = json_set(rules, '$.common_gold', %d)",
		(int)test_sql(t, "SELECT n_gold + 1 FROM certificate WHERE id = 2"));
	assert_int_equal(add_gold(2, 22), 2);
	assert_int_equal(test_sql(t, "SELECT count(*) FROM certificate"), 2);
	assert_int_equal(
		test_sql(t, "SELECT id FROM certificate WHERE state = 'probation' AND stratum = 'other'"),
		2);
	assert_false(is_heard(t->model_id));
	strata_answer_blind(true, 30);
	strata_sweep(31);
	assert_int_equal(add_gold(86, 32), 86);
	assert_int_equal(n_in_force(), 0);
	assert_false(is_heard(t->model_id));
	assert_int_equal(add_gold(1, 33), 1);
	assert_int_equal(test_sql(t,
						 "SELECT after_id FROM certificate WHERE stratum = 'other' AND "
						 "state = 'probation'"),
		2);
	assert_int_equal(n_in_force(), 1);
	must_check(3);
	test_project_close(t);
}

/* Flagged by somebody who has it before them. */
static void put_flag(int64_t subject, enum flag_kind kind, int64_t now_ms)
{
	struct err err = {0};
	const struct flag flag = {.project_id = t->id,
		.subject_id = subject,
		.volunteer_id = t->volunteers[63],
		.kind = kind};
	test_sql(t,
		"INSERT INTO task (project_id, subject_id, volunteer_id, issued_ms, expires_ms) VALUES "
		"(%d, %d, %d, 0, 9999999)",
		(int)t->id, (int)subject, (int)t->volunteers[63]);
	assert_int_equal(db_begin(t->db, &err), OK);
	if (flag_set(t->db, &flag, true, now_ms, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(db_commit(t->db, &err), OK);
}

/* What a revocation takes back: its label, whatever its flags; whoever may not see it is not asked about it. */
static void what_is_flagged_goes_from_the_model_to_an_expert(void **state)
{
	(void)state;
	static const enum flag_kind kinds[] = {
		FLAG_PERSON, FLAG_OFFENSIVE, FLAG_DAMAGED, FLAG_WRONG_BURST, FLAG_FAVOURITE};
	enum { N = sizeof kinds / sizeof *kinds };
	int64_t s[N + 1];
	struct err err = {0};
	struct project p = {0};
	struct replay replay;
	struct task_list list;
	strata_open("{\"auto_blank\": false, \"expert_share\": 0}", NULL);
	strata_activate(10);
	for (int i = 0; i < N; i++) { /* those that break_promise comes to last */
		s[i] = test_sql(t,
			"SELECT id FROM subject WHERE state = 'retired' AND decided_by = 'model' AND id NOT IN "
			"(SELECT subject_id FROM flag) ORDER BY audit_u DESC LIMIT 1");
		put_flag(s[i], kinds[i], 15);
		assert_string_equal(
			test_text(t, "state", s[i]), flag_hides(kinds[i]) ? "expert" : "retired");
		assert_string_equal(test_text(t, "by", s[i]), "model");
	}
	/* One that is flagged while it is audited. */
	s[N] = test_sql(t,
		"SELECT id FROM subject WHERE state = 'retired' AND decided_by = 'model' ORDER BY audit_u "
		"DESC LIMIT 1 OFFSET 3");
	assert_int_equal(project_load(t->db, t->id, &p, &err), OK);
	assert_int_equal(db_begin(t->db, &err), OK);
	assert_int_equal(certificate_audit_more(t->db, &p, s[N], 0, 16, &err), OK);
	assert_int_equal(db_commit(t->db, &err), OK);
	put_flag(s[N], FLAG_OFFENSIVE, 17);
	break_promise(16, 20);
	strata_sweep(21);
	assert_int_equal(test_sql(t, "SELECT id FROM certificate WHERE state = 'revoked'"), 1);
	for (int i = 0; i <= N; i++) {
		const bool hides = i == N || flag_hides(kinds[i]);
		assert_string_equal(test_text(t, "state", s[i]), hides ? "expert" : "open");
		assert_int_equal(test_sql(t,
							 "SELECT label_id IS NULL AND decided_by IS NULL AND certificate_id IS "
							 "NULL FROM subject WHERE id = %d",
							 (int)s[i]),
			1);
		assert_int_equal(test_sql(t,
							 "SELECT count(*) FROM label_event WHERE subject_id = %d AND what = "
							 "'reopened' AND reason = 'revoked'",
							 (int)s[i]),
			1);
		if (hides)
			assert_int_equal(test_sql(t,
								 "SELECT count(*) FROM label_event WHERE subject_id = %d AND what "
								 "= 'to_expert' AND reason = 'flag' AND decided_by IS NULL",
								 (int)s[i]),
				1);
		assert_int_equal(test_sql(t,
							 "SELECT count(*) FROM audit WHERE subject_id = %d AND state IN "
							 "('crowd', 'expert') AND %d",
							 (int)s[i], hides),
			0);
	}
	assert_int_equal(test_sql(t,
						 "SELECT count(*) FROM hidden h JOIN subject s ON s.id = h.subject_id "
						 "WHERE s.state = 'open'"),
		0);
	assert_int_equal(replay_check(t->db, &p, &replay, &err), OK);
	assert_int_equal(replay.n_differ,
		test_sql(t,
			"SELECT count(*) FROM subject WHERE decided_by = 'expert' AND id NOT IN (SELECT "
			"subject_id FROM gold)"));
	/* Nobody is given one, and an expert ends it. */
	test_sql(t, "UPDATE subject SET priority = 9 WHERE id IN (SELECT subject_id FROM hidden)");
	assert_int_equal(db_begin(t->db, &err), OK);
	assert_int_equal(task_next(t->db, t->id, t->volunteers[50], false, 10, 22, &list, &err), OK);
	assert_int_equal(list.n, 10);
	for (int i = 0; i < list.n; i++)
		for (int j = 0; j <= N; j++)
			assert_true(list.tasks[i].subject_id != s[j] || (j < N && !flag_hides(kinds[j])));
	task_list_release(&list);
	assert_int_equal(label_by_expert(t->db, &p, s[0], 1, 0, 0, 23, &err), OK);
	assert_int_equal(db_commit(t->db, &err), OK);
	assert_string_equal(test_text(t, "by", s[0]), "expert");
	project_release(&p);
	test_project_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shadow_audits_alone_may_bear_the_promise_again),
		cmocka_unit_test(a_model_that_is_wrong_again_asks_no_more),
		cmocka_unit_test(gold_does_not_bring_back_what_audits_have_refuted),
		cmocka_unit_test(a_laxer_promise_makes_no_stricter_one_good),
		cmocka_unit_test(late_audits_bind_the_successor_too),
		cmocka_unit_test(what_is_asked_goes_on_when_delta_is_split_anew),
		cmocka_unit_test(a_refuted_class_stays_in_its_stratum),
		cmocka_unit_test(what_is_flagged_goes_from_the_model_to_an_expert),
		cmocka_unit_test(another_model_in_between_makes_no_new_certificate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
