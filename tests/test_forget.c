/* labels: sql; timeout: 240 */
/* Somebody leaves: what of them goes, what stays, and that what is taken leaves no trace in any posterior. */
#include "support_refit.h"

#include "forget.h"
#include "label.h"
#include "own_data.h"
#include "volunteer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

enum { K = 4, SUBJECTS = 28, CROWD = 8, LEAVER = 2 };

static struct err err;

/* Subjects where some have seen two species. */
static bool of_several(int subject)
{
	return subject % 13 == 5;
}

/* A drawn number in [0, 1) of a subject and a volunteer. */
static double drawn(int subject, int v, int what)
{
	uint32_t x = (uint32_t)(subject * 7919 + v * 104729 + what * 1299709 + 12345);
	for (int i = 0; i < 4; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
	}
	return x / 4294967296.0;
}

/* Everybody answers most subjects, four times of five right; `without` does not. */
static void crowd(struct test_project *t, int without)
{
	for (int s = 0; s < SUBJECTS; s++)
		for (int v = 0; v < CROWD; v++) {
			const int truth = s % K;
			const int class = drawn(s, v, 1) < .8 ? truth
												  : (truth + 1 + (int)(drawn(s, v, 2) * 3)) % K;
			if (v == without || drawn(s, v, 3) < .25)
				continue;
			if (of_several(s) && v % 2)
				test_must_answer_set(t, t->first_subject + s, v, (const int[]){1, 2}, 2);
			else
				test_must_answer(
					t, t->first_subject + s, v, drawn(s, v, 4) < .05 ? -1 : class, 1000);
		}
}

/* Pieces of n, every third taken back as a server that dies in the middle would. */
static void take_all(struct test_project *t, int n_most)
{
	int n = 1;
	for (int piece = 0; n > 0; piece++) {
		assert_int_equal(db_begin(t->db, &err), OK);
		if (forget_step(t->db, n_most, 5000 + piece, &n, &err) != OK)
			fail_msg("%s", err.text);
		assert_in_range(n, 0, n_most);
		if (piece % 3 == 2)
			db_rollback(t->db);
		else
			assert_int_equal(db_commit(t->db, &err), OK);
		n += piece % 3 == 2;
		assert_in_range(piece, 0, 1000);
	}
}

static void leave(struct test_project *t, int v, bool take)
{
	assert_int_equal(db_begin(t->db, &err), OK);
	assert_int_equal(forget_begin(t->db, t->volunteers[v], take, 4000, &err), OK);
	assert_int_equal(db_commit(t->db, &err), OK);
}

static void compare(struct test_project *a, struct test_project *b, bool sets_too)
{
	struct project pa = {0}, pb = {0};
	double worst = 0;
	assert_int_equal(project_load(a->db, a->id, &pa, &err), OK);
	assert_int_equal(project_load(b->db, b->id, &pb, &err), OK);
	for (int s = 0; s < SUBJECTS; s++) {
		double qa[K], qb[K];
		if (of_several(s) && !sets_too)
			continue;
		assert_int_equal(label_posterior(a->db, &pa, a->first_subject + s, qa, &err), OK);
		assert_int_equal(label_posterior(b->db, &pb, b->first_subject + s, qb, &err), OK);
		for (int z = 0; z < K; z++)
			worst = fmax(worst, fabs(qa[z] - qb[z]));
	}
	project_release(&pa);
	project_release(&pb);
	if (worst > 1e-9)
		fail_msg("posteriors differ by %g", worst);
}

static int64_t subjects_that_differ(
	struct test_project *a, struct test_project *b, const char *column)
{
	return test_sql(a,
		"ATTACH '%s/topi.db' AS b; SELECT count(*) FROM subject x JOIN b.subject y ON y.id = x.id "
		"WHERE x.%s IS NOT y.%s",
		b->dir, column, column);
}

static void what_is_taken_leaves_posteriors_as_if_it_had_never_been(void **state)
{
	static const struct {
		const char *policy;
		int piece;
		bool refit; /* people's labels have taught: what they taught goes with the next refit */
	} rows[] = {
		{"{\"min_answers\": 20, \"cap\": 40, \"cant_tell\": 20}", 7, false},
		{"{\"cant_tell\": 20}", 7, true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct test_project a, b;
		struct refit_record record;
		test_project_open(&a, K, 2, SUBJECTS, rows[i].policy);
		test_project_open(&b, K, 2, SUBJECTS, rows[i].policy);
		crowd(&a, -1);
		crowd(&b, LEAVER);
		leave(&a, LEAVER, true);
		take_all(&a, rows[i].piece);
		assert_int_equal(test_sql(&a,
							 "SELECT count(*) FROM classification WHERE volunteer_id = %d AND "
							 "superseded_by IS NULL AND answer <> 'undone'",
							 (int)a.volunteers[LEAVER]),
			0);
		assert_int_equal(test_sql(&a, "SELECT count(*) FROM skill WHERE volunteer_id = %d",
							 (int)a.volunteers[LEAVER]),
			0);
		assert_int_equal(test_sql(&a, "SELECT count(*) FROM answer_day WHERE volunteer_id = %d",
							 (int)a.volunteers[LEAVER]),
			0);
		assert_int_equal(
			test_sql(&a, "SELECT count(*) FROM volunteer WHERE take_ms IS NOT NULL"), 0);
		if (rows[i].refit) {
			assert_true(test_sql(&a, "SELECT n_taught FROM project") > SUBJECTS / 4);
			refit_must(&a, true, &record);
			refit_must(&b, true, &record);
		} else {
			assert_int_equal(subjects_that_differ(&a, &b, "n_answers"), 0);
			assert_int_equal(subjects_that_differ(&a, &b, "priority"), 0);
		}
		compare(&a, &b, !rows[i].refit); /* how often a species is missed, a refit does not learn */
		test_project_close(&a);
		test_project_close(&b);
	}
}

/* A label that stood on the answers goes with them, an expert's stays. */
static void labels_are_decided_again(void **state)
{
	struct test_project t;
	(void)state;
	test_project_open(&t, K, 2, SUBJECTS, NULL);
	for (int v = 0; v < 3; v++)
		for (int s = 0; s < 2; s++)
			(void)!test_answer(&t, t.first_subject + s, v, 1, 1000, &err);
	const int64_t id = t.first_subject;
	assert_string_equal(test_text(&t, "state", id), "retired");
	const int64_t n = test_sql(&t, "SELECT n_answers FROM subject WHERE id = %d", (int)id);
	test_sql(&t, "UPDATE subject SET decided_by = 'expert', reason = 'expert' WHERE id = %d",
		(int)id + 1);
	leave(&t, 0, true);
	take_all(&t, 2);
	assert_string_equal(test_text(&t, "state", id), "open");
	assert_string_equal(test_text(&t, "state", id + 1), "retired");
	assert_string_equal(test_text(&t, "by", id + 1), "expert");
	for (int s = 0; s < 2; s++)
		assert_int_equal(
			test_sql(&t, "SELECT n_answers FROM subject WHERE id = %d", (int)id + s), n - 1);
	assert_int_equal(db_check(t.db, &err), OK);
	test_project_close(&t);
}

static int64_t rows_of(struct test_project *t, const char *table, int64_t id)
{
	return test_sql(t, "SELECT count(*) FROM %s WHERE volunteer_id = %d", table, (int)id);
}

static void keeping_leaves_answers_that_are_nobodys(void **state)
{
	char secret[SECRET_SIZE];
	(void)state;
	for (int take = 0; take < 2; take++) {
		struct test_project t;
		int64_t id = 0, found = 0;
		char hash[PASSWORD_HASH_SIZE];
		test_project_open(&t, K, 2, SUBJECTS, NULL);
		assert_int_equal(volunteer_add(t.db, "Zoe", "hash", true, 1, &id, &err), OK);
		t.volunteers[0] = id;
		test_must_answer(&t, t.first_subject, 0, 1, 1000);
		secret_make(secret);
		assert_int_equal(session_renew(t.db, id, NULL, secret, 1000, &err), OK);
		assert_int_equal(invite_put(t.db, id, secret, 1000, &err), OK);
		assert_int_equal(role_add(t.db, t.id, id, "expert", &err), OK);
		test_sql(&t,
			"INSERT INTO comment (project_id, subject_id, volunteer_id, text, created_ms) VALUES "
			"(%d, %d, %d, 'a', 1)",
			(int)t.id, (int)t.first_subject, (int)id);
		static const char *const kinds[] = {"favourite", "person"};
		for (int i = 0; i < 2; i++)
			test_sql(&t,
				"INSERT INTO flag (subject_id, volunteer_id, kind, project_id, created_ms) VALUES "
				"(%d, %d, '%s', %d, 1)",
				(int)t.first_subject, (int)id, kinds[i], (int)t.id);
		leave(&t, 0, take);
		static const char *const gone[] = {
			"session", "invite", "role", "task", "personal", "practised"};
		for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
			assert_int_equal(rows_of(&t, gone[i], id), 0);
		assert_int_equal(volunteer_find(t.db, "Zoe", &found, hash, &err), NOT_FOUND);
		assert_int_equal(test_sql(&t,
							 "SELECT count(*) FROM volunteer WHERE id = %d AND name IS NULL AND "
							 "password_hash IS NULL AND is_admin = 0",
							 (int)id),
			1);
		assert_int_equal(rows_of(&t, "flag", id), 1); /* what protects others stays */
		assert_int_equal(rows_of(&t, "comment", id), !take);
		assert_int_equal(rows_of(&t, "classification", id), 1);
		take_all(&t, 10);
		assert_int_equal(test_sql(&t,
							 "SELECT count(*) FROM classification WHERE volunteer_id = %d AND "
							 "superseded_by IS NULL AND answer <> 'undone'",
							 (int)id),
			!take);
		assert_int_equal(
			volunteer_add(t.db, "Zoe", "hash", false, 1, &found, &err), OK); /* the name is free */
		test_project_close(&t);
	}
}

/* Every answer once, with all of its species; nothing of gold. */
static void the_export_holds_every_answer_once(void **state)
{
	struct test_project t;
	char *text = NULL;
	size_t size = 0;
	(void)state;
	test_project_open(&t, K, 2, SUBJECTS, NULL);
	crowd(&t, -1);
	test_sql(&t, "UPDATE classification SET planted = 1 WHERE id %% 3 = 0");
	FILE *out = open_memstream(&text, &size);
	assert_int_equal(own_data_write(t.db, t.volunteers[LEAVER], 1, out, &err), OK);
	fclose(out);
	json_t *all = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(all);
	const json_t *answers = json_object_get(all, "answers");
	const int64_t n = test_sql(&t, "SELECT count(*) FROM classification WHERE volunteer_id = %d",
		(int)t.volunteers[LEAVER]);
	assert_true(n > SUBJECTS / 2);
	assert_int_equal(json_array_size(answers), n);
	bool seen[SUBJECTS] = {false};
	size_t n_taxa = 0;
	for (size_t i = 0; i < json_array_size(answers); i++) {
		const json_t *one = json_array_get(answers, i);
		const int64_t s = json_integer_value(json_object_get(one, "subject")) - t.first_subject;
		assert_in_range(s, 0, SUBJECTS - 1);
		assert_false(seen[s]);
		seen[s] = true;
		n_taxa += json_array_size(json_object_get(one, "taxa"));
	}
	assert_int_equal(n_taxa,
		test_sql(&t,
			"SELECT count(*) FROM annotation a JOIN classification c ON c.id = a.classification_id "
			"WHERE c.volunteer_id = %d",
			(int)t.volunteers[LEAVER]));
	assert_null(strstr(text, "planted"));
	assert_null(strstr(text, "blind"));
	assert_null(strstr(text, "counted"));
	json_decref(all);
	free(text);
	test_project_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken_leaves_posteriors_as_if_it_had_never_been),
		cmocka_unit_test(labels_are_decided_again),
		cmocka_unit_test(keeping_leaves_answers_that_are_nobodys),
		cmocka_unit_test(the_export_holds_every_answer_once),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
