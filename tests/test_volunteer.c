/* labels: unit */
/* Accounts in the database: names, passwords, sessions, roles, tokens, and what a log-in claims. */
#include "support_project.h"

#include "classification.h"
#include "confusion.h"
#include "volunteer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

static struct test_project t;
static struct err err;

static int set_up(void **state)
{
	(void)state;
	test_project_open(&t, 4, 2, 10, NULL);
	return sodium_init() < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_project_close(&t);
	return 0;
}

#define TEN "1234567890"

static void names(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum status status;
	} rows[] = {
		{"a", OK},
		{"Zo\u00eb M\u00fcller", OK},
		{"\u8d75\u94b1", OK},
		{"\U0001f98c", OK},
		{TEN TEN TEN TEN TEN TEN, OK},
		{TEN TEN TEN TEN TEN TEN "1", BAD_INPUT},
		{"", BAD_INPUT},
		{" a", BAD_INPUT},
		{"a ", BAD_INPUT},
		{"a\nb", BAD_INPUT},
		{"a\x7f", BAD_INPUT},
		{"a\xc2\x85", BAD_INPUT}, /* a control character of two bytes */
		{"a\u200bb", BAD_INPUT},  /* zero width */
		{"a\u202eb", BAD_INPUT},  /* turns the text around */
		{"\xff", BAD_INPUT},
		{"\xc3", BAD_INPUT},     /* cut short */
		{"\xc0\x80", BAD_INPUT}, /* overlong */
		{"\xe0\x80\xaf", BAD_INPUT},
		{"\xed\xa0\x80", BAD_INPUT}, /* a surrogate */
		{"\xf4\x90\x80\x80", BAD_INPUT},
		{"\x80", BAD_INPUT},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (volunteer_name_check(rows[i].name, &err) != rows[i].status)
			fail_msg("row %zu: '%s'", i, rows[i].name);
}

static void passwords(void **state)
{
	(void)state;
	char hash[PASSWORD_HASH_SIZE];
	char other[PASSWORD_HASH_SIZE];
	char text[202];
	memset(text, 'x', sizeof text);
	text[201] = 0;
	assert_int_equal(password_hash(text, hash, &err), BAD_INPUT);
	assert_false(password_fits(text, ""));
	text[200] = 0;
	assert_int_equal(password_hash(text, hash, &err), OK);
	assert_int_equal(password_hash("1234567", other, &err), BAD_INPUT);
	assert_int_equal(password_hash(text, other, &err), OK);
	assert_string_not_equal(hash, other); /* salted */
	assert_memory_equal(hash, "$argon2id$", 10);
	assert_true(password_fits(text, hash));
	text[199] = 'y';
	assert_false(password_fits(text, hash));
	assert_false(password_fits("", hash));
	assert_false(password_fits(text, ""));
}

static void sessions_end(void **state)
{
	(void)state;
	char secret[SECRET_SIZE];
	char other[SECRET_SIZE];
	int64_t id = 0;
	struct volunteer v;
	secret_make(secret);
	secret_make(other);
	assert_int_equal(strlen(secret), 64);
	assert_string_not_equal(secret, other);
	assert_int_equal(volunteer_anonymous(t.db, secret, 5000, &id, &err), OK);
	assert_int_equal(session_find(t.db, secret, 5000 + SESSION_MS - 1, &v, &err), OK);
	assert_int_equal(v.id, id);
	assert_true(v.anonymous);
	assert_int_equal(session_find(t.db, secret, 5000 + SESSION_MS, &v, &err), NOT_FOUND);
	assert_int_equal(session_find(t.db, other, 5000, &v, &err), NOT_FOUND);
	assert_int_equal(/* what is stored is not what opens */
		test_sql(&t, "SELECT count(*) FROM session WHERE lower(hex(token_hash)) = '%s'", secret),
		0);
	assert_int_equal(session_renew(t.db, id, secret, other, 6000, &err), OK);
	assert_int_equal(session_find(t.db, secret, 6000, &v, &err), NOT_FOUND);
	assert_int_equal(session_find(t.db, other, 6000, &v, &err), OK);
	assert_int_equal(session_drop(t.db, other, &err), OK);
	assert_int_equal(session_find(t.db, other, 6000, &v, &err), NOT_FOUND);
}

static void signing_up(void **state)
{
	(void)state;
	int64_t id = 0;
	int64_t other = 0;
	struct volunteer v;
	char hash[PASSWORD_HASH_SIZE];
	assert_int_equal(volunteer_anonymous(t.db, "s1", 0, &id, &err), OK);
	assert_int_equal(volunteer_anonymous(t.db, "s2", 0, &other, &err), OK);
	assert_int_equal(volunteer_sign_up(t.db, id, "sue", "$argon", "s1", "s3", 10, &err), OK);
	assert_int_equal(session_find(t.db, "s3", 20, &v, &err), OK);
	assert_int_equal(v.id, id);
	assert_string_equal(v.name, "sue");
	assert_false(v.anonymous);
	assert_int_equal(session_find(t.db, "s1", 20, &v, &err), NOT_FOUND);
	assert_int_equal(
		volunteer_sign_up(t.db, other, "sue", "$argon", "s2", "s4", 10, &err), CONFLICT);
	assert_int_equal(volunteer_sign_up(t.db, id, "sue2", "$argon", "s3", "s4", 10, &err), CONFLICT);
	assert_int_equal(volunteer_find(t.db, "sue", &other, hash, &err), OK);
	assert_int_equal(other, id);
	assert_string_equal(hash, "$argon");
	assert_int_equal(volunteer_find(t.db, "SUE", &other, hash, &err), NOT_FOUND);
	assert_int_equal(volunteer_set_password(t.db, id, "$new", &err), OK);
	assert_int_equal(session_find(t.db, "s3", 20, &v, &err), NOT_FOUND); /* it ends sessions */
}

static void roles(void **state)
{
	(void)state;
	int64_t id = 0;
	bool has = true;
	assert_int_equal(volunteer_add(t.db, "rolf", "$x", false, 0, &id, &err), OK);
	struct volunteer v = {.id = id};
	assert_int_equal(role_has(t.db, t.id, &v, "expert", &has, &err), OK);
	assert_false(has);
	assert_int_equal(role_add(t.db, t.id, id, "king", &err), BAD_INPUT);
	for (int i = 0; i < 2; i++)
		assert_int_equal(role_add(t.db, t.id, id, "expert", &err), OK);
	assert_int_equal(role_has(t.db, t.id, &v, "expert", &has, &err), OK);
	assert_true(has);
	assert_int_equal(role_has(t.db, t.id, &v, "researcher", &has, &err), OK);
	assert_false(has);
	assert_int_equal(role_drop(t.db, t.id, id, "expert", &err), OK);
	assert_int_equal(role_has(t.db, t.id, &v, "expert", &has, &err), OK);
	assert_false(has);
	assert_int_equal(role_add(t.db, t.id, id, "admin", &err), OK); /* has every role here ... */
	assert_int_equal(role_has(t.db, t.id, &v, "researcher", &has, &err), OK);
	assert_true(has);
	assert_int_equal(role_has(t.db, t.id + 1, &v, "researcher", &has, &err), OK);
	assert_false(has); /* ... and none elsewhere */
	v = (struct volunteer){.id = t.volunteers[0], .admin = true};
	assert_int_equal(role_has(t.db, t.id, &v, "expert", &has, &err), OK);
	assert_true(has);
}

static void tokens(void **state)
{
	(void)state;
	assert_int_equal(token_check(t.db, "secret", 1, &err), NOT_FOUND);
	assert_int_equal(token_add(t.db, "w1", "secret", 0, &err), OK);
	assert_int_equal(token_add(t.db, "w1", "other", 0, &err), CONFLICT);
	assert_int_equal(token_check(t.db, "secret", 1, &err), OK);
	assert_int_equal(token_check(t.db, "", 1, &err), NOT_FOUND);
	assert_int_equal(token_revoke(t.db, "w2", 10, &err), NOT_FOUND);
	assert_int_equal(token_revoke(t.db, "w1", 10, &err), OK);
	assert_int_equal(token_check(t.db, "secret", 1, &err), NOT_FOUND);
	assert_int_equal(token_revoke(t.db, "w1", 10, &err), NOT_FOUND);
}

static void a_token_that_is_lent_again_outlives_a_killed_program_s(void **state)
{
	(void)state;
	assert_int_equal(token_lend(t.db, "killed", "k", 0, &err), OK);
	assert_int_equal(token_lend(t.db, "server", "s", 0, &err), OK);
	assert_int_equal(token_lend(t.db, "server", "s", TOKEN_LEND_MS, &err), OK);
	assert_int_equal(token_check(t.db, "k", TOKEN_LEND_MS - 1, &err), OK);    /* not yet */
	assert_int_equal(token_check(t.db, "k", TOKEN_LEND_MS, &err), NOT_FOUND); /* deleted or not */
	assert_int_equal(token_lend(t.db, "train", "t", TOKEN_LEND_MS + 1, &err), OK);
	assert_int_equal(token_check(t.db, "k", TOKEN_LEND_MS + 1, &err), NOT_FOUND);
	assert_int_equal(token_check(t.db, "s", TOKEN_LEND_MS + 1, &err), OK);
	assert_int_equal(token_drop(t.db, "train", &err), OK);
	assert_int_equal(token_check(t.db, "t", TOKEN_LEND_MS + 1, &err), NOT_FOUND);
	assert_int_equal(token_lend(t.db, "late", "l", 2 * TOKEN_LEND_MS + 1, &err), OK);
	assert_int_equal(token_check(t.db, "s", TOKEN_LEND_MS + 1, &err),
		NOT_FOUND); /* two times as long, once again */
}

/*
 * Volunteer 1 is the account, 2 the anonymous one. Subject 0: the account answered first; 1: the
 * anonymous one did; 2 and 3: only the anonymous one, who took 3 back. Leases: 4 both, 5 the
 * anonymous one, 1 (again) the account.
 */
static void a_claim(void **state)
{
	(void)state;
	const int64_t s = t.first_subject;
	const long long a = t.volunteers[1];
	const long long b = t.volunteers[2];
	uint8_t uuid[16];
	uint8_t of[16];
	struct classification_undone undone;
	assert_int_equal(test_answer(&t, s, 1, 1, 1000, &err), OK);
	assert_int_equal(test_answer(&t, s, 2, 2, 2000, &err), OK);
	assert_int_equal(test_answer(&t, s + 1, 2, 1, 3000, &err), OK);
	assert_int_equal(test_answer(&t, s + 1, 1, 2, 4000, &err), OK);
	assert_int_equal(test_answer(&t, s + 2, 2, 3, 5000, &err), OK);
	assert_int_equal(test_answer(&t, s + 3, 2, 3, 6000, &err), OK);
	test_uuid(test_n_answers, of);
	test_uuid(1 << 20, uuid);
	assert_int_equal(db_begin(t.db, &err), OK);
	assert_int_equal(classification_undo(t.db, uuid, of, b, 6500, &undone, &err), OK);
	assert_int_equal(db_commit(t.db, &err), OK);
	test_sql(&t,
		"INSERT INTO task (project_id, subject_id, volunteer_id, issued_ms, expires_ms) VALUES "
		"(%d, %d, %lld, 0, 9), (%d, %d, %lld, 0, 9), (%d, %d, %lld, 0, 9), (%d, %d, %lld, 0, 9)",
		(int)t.id, (int)s + 4, a, (int)t.id, (int)s + 4, b, (int)t.id, (int)s + 5, b, (int)t.id,
		(int)s + 2, a);
	test_sql(&t, "DELETE FROM skill");
	test_sql(&t, "DELETE FROM skill_cell");
	test_sql(&t,
		"INSERT INTO skill (project_id, volunteer_id, lambda, prec, n_credited) VALUES (%d, %lld, "
		"0.5, 4, 10), (%d, %lld, -1, 3, 5)",
		(int)t.id, a, (int)t.id, b);
	test_sql(&t,
		"INSERT INTO skill_cell (project_id, volunteer_id, truth_id, answer_id, weight) VALUES "
		"(%d, %lld, %d, %d, 2.5), (%d, %lld, %d, %d, 1.5)",
		(int)t.id, a, (int)t.taxa[1], (int)t.taxa[1], (int)t.id, b, (int)t.taxa[1], (int)t.taxa[1]);
	assert_int_equal(test_sql(&t, "SELECT n_answers FROM subject WHERE id = %d", (int)s), 2);

	assert_int_equal(db_begin(t.db, &err), OK);
	if (volunteer_login(t.db, a, b, NULL, "new", 7000, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(db_commit(t.db, &err), OK);

	static const struct {
		const char *what, *sql; /* %1$lld: the account, %2$lld: the anonymous, %3$d: subject 0 */
		int64_t wanted;
	} rows[] = {
		{"no answer is the anonymous one's any more",
			"SELECT count(*) FROM classification WHERE volunteer_id = %2$lld", 0},
		{"none is lost", "SELECT count(*) FROM classification WHERE volunteer_id = %1$lld", 7},
		{"subject 0 keeps the account's",
			"SELECT created_ms FROM classification WHERE subject_id = %3$d AND superseded_by IS "
			"NULL",
			1000},
		{"subject 1 keeps the anonymous one's",
			"SELECT created_ms FROM classification WHERE subject_id = %3$d + 1 AND superseded_by "
			"IS "
			"NULL",
			3000},
		{"the later names the earlier",
			"SELECT b.created_ms FROM classification a JOIN classification b ON b.id = "
			"a.superseded_by WHERE a.created_ms = 4000",
			3000},
		{"subject 0 is decided again", "SELECT n_answers FROM subject WHERE id = %3$d", 1},
		{"subject 1 is decided again", "SELECT n_answers FROM subject WHERE id = %3$d + 1", 1},
		{"leases: 4 and 5 are held", "SELECT count(*) FROM task WHERE volunteer_id = %1$lld", 2},
		{"but not what is answered",
			"SELECT count(*) FROM task WHERE volunteer_id = %1$lld AND subject_id = %3$d + 2", 0},
		{"no lease is left behind", "SELECT count(*) FROM task WHERE volunteer_id = %2$lld", 0},
		{"one skill", "SELECT n_credited FROM skill WHERE volunteer_id = %1$lld", 15},
		{"no skill is left behind", "SELECT count(*) FROM skill WHERE volunteer_id = %2$lld", 0},
		{"cells add up", "SELECT weight FROM skill_cell WHERE volunteer_id = %1$lld", 4},
		{"it is said where it went", "SELECT merged_into = %1$lld FROM volunteer WHERE id = %2$lld",
			1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char sql[400];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(sql, sizeof sql, rows[i].sql, a, b, (int)s);
#pragma GCC diagnostic pop
		int64_t got = test_sql(&t, "%s", sql);
		if (got != rows[i].wanted)
			fail_msg(
				"%s: %lld, wanted %lld", rows[i].what, (long long)got, (long long)rows[i].wanted);
	}
	double v0 = label_params.v0;
	double precision = 4 + 3 - 1 / v0; /* the prior stands once behind both */
	assert_true(fabs(test_real(&t, "SELECT prec FROM skill WHERE volunteer_id = %lld", a) -
					precision) < 1e-12);
	assert_true(fabs(test_real(&t, "SELECT lambda FROM skill WHERE volunteer_id = %lld", a) -
					(0.5 * 4 - 1.0 * 3) / precision) < 1e-12);
}

/* Whatever step fails, the log-in reports it and changes nothing. */
static void a_claim_is_whole_or_not_at_all(void **state)
{
	(void)state;
	const int64_t s = t.first_subject + 7;
	assert_int_equal(test_answer(&t, s, 3, 1, 1000, &err), OK);
	assert_int_equal(test_answer(&t, s, 4, 2, 2000, &err), OK);
	for (long nth = 1;; nth++) {
		assert_int_equal(db_begin(t.db, &err), OK);
		db_fail_step(nth, FULL);
		enum status st = volunteer_login(
			t.db, t.volunteers[3], t.volunteers[4], NULL, "whole", 3000, &err);
		db_fail_step(0, OK);
		db_rollback(t.db);
		if (st == OK) {
			assert_in_range(nth, 10, 200);
			break;
		}
		assert_int_equal(st, FULL);
		assert_int_equal(test_sql(&t,
							 "SELECT count(*) FROM classification WHERE volunteer_id = %lld AND "
							 "superseded_by IS NULL",
							 (long long)t.volunteers[4]),
			1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(passwords),
		cmocka_unit_test(sessions_end),
		cmocka_unit_test(signing_up),
		cmocka_unit_test(roles),
		cmocka_unit_test(tokens),
		cmocka_unit_test(a_token_that_is_lent_again_outlives_a_killed_program_s),
		cmocka_unit_test(a_claim),
		cmocka_unit_test(a_claim_is_whole_or_not_at_all),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
