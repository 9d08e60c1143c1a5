/* labels: unit sql; timeout: 120 */
/* A refit that dies, fails, is only asked about, or meets what makes no sense. */
#include "support_command.h"
#include "support_refit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct test_project t;

/* A copy of the world's database in a folder of its own. */
static void copy_to(const char *dir)
{
	struct err err = {0};
	char path[120];
	char shell[200];
	snprintf(shell, sizeof shell, "rm -rf %s && mkdir %s", dir, dir);
	assert_int_equal(system(shell), 0);
	snprintf(path, sizeof path, "%s/topi.db", dir);
	if (db_backup(t.db, path, &err) != OK)
		fail_msg("%s", err.text);
}

static void whoever_is_killed_loses_nothing(void **state)
{
	(void)state;
	struct err err = {0};
	struct refit_record record;
	char dir[100], path[120];
	char *undisturbed = malloc(REFIT_DUMP), *got = malloc(REFIT_DUMP), *before = malloc(REFIT_DUMP);
	refit_world(&t, "{\"tau\": 0.1, \"cap\": 1000, \"min_answers\": 1}");
	test_must_answer(&t, t.first_subject + 1, 20, refit_truths[1], 100); /* too late */
	snprintf(dir, sizeof dir, "%s/copy", t.dir);
	snprintf(path, sizeof path, "%s/topi.db", dir);
	copy_to(dir);
	struct refit_hand whole = {0};
	assert_int_equal(db_open(dir, DB_WRITE, &whole.db, &err), OK);
	refit_dump(dir, before);
	assert_int_equal(refit_by_hand(&whole, t.id, false, &record, &err), OK);
	db_close(whole.db);
	refit_dump(dir, undisturbed);
	assert_string_not_equal(undisturbed, before);
	assert_true(whole.n_pieces > 12);
	for (int i = 0; i < 2 * whole.n_pieces; i++) {
		int status = 0;
		copy_to(dir);
		const pid_t child = fork();
		if (child == 0) {
			struct refit_hand dying = {.die_at = 1 + i / 2, .after_commit = i % 2};
			if (db_open(dir, DB_WRITE, &dying.db, &err) == OK)
				(void)!refit_by_hand(&dying, t.id, false, &record, &err);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		struct refit_hand again = {0};
		assert_int_equal(db_open(dir, DB_WRITE, &again.db, &err), OK);
		if (db_check(again.db, &err) != OK)
			fail_msg("killed at piece %d: %s", 1 + i / 2, err.text);
		/* All of it was done when the last piece was. */
		const bool done = test_sql(&t,
							  "ATTACH '%s' AS c; SELECT count(*) FROM c.refit WHERE state = "
							  "'done'",
							  path) == 1;
		if (!done && refit_by_hand(&again, t.id, false, &record, &err) != OK)
			fail_msg("killed at piece %d: %s", 1 + i / 2, err.text);
		db_close(again.db);
		refit_dump(dir, got);
		if (!done)
			assert_string_equal(got, undisturbed);
	}
	free(undisturbed);
	free(got);
	free(before);
	test_project_close(&t);
}

/* Steps that fail: the refit says so, and the next one ends where an undisturbed one would. */
static void a_failing_step_is_no_loss(void **state)
{
	(void)state;
	struct err err = {0};
	struct refit_record record;
	char dir[100];
	char *undisturbed = malloc(REFIT_DUMP), *got = malloc(REFIT_DUMP);
	refit_world(&t, "{\"tau\": 0.1, \"cap\": 1000, \"min_answers\": 1}");
	snprintf(dir, sizeof dir, "%s/copy", t.dir);
	copy_to(dir);
	struct refit_hand whole = {0};
	assert_int_equal(db_open(dir, DB_WRITE, &whole.db, &err), OK);
	const long first = db_n_steps();
	assert_int_equal(refit_by_hand(&whole, t.id, false, &record, &err), OK);
	const long n_steps = db_n_steps() - first;
	db_close(whole.db);
	refit_dump(dir, undisturbed);
	for (long nth = 1; nth < n_steps; nth += 1 + n_steps / 60) {
		struct refit_hand h = {0};
		copy_to(dir);
		assert_int_equal(db_open(dir, DB_WRITE, &h.db, &err), OK);
		db_fail_step(nth, FULL);
		const enum status st = refit_by_hand(&h, t.id, false, &record, &err);
		db_fail_step(0, OK);
		if (st != FULL)
			fail_msg("step %ld of %ld: %s", nth, n_steps, status_name(st));
		const bool done = project_refit_last(h.db, t.id, &record, &err) == OK && record.is_done;
		if (!done)
			assert_int_equal(refit_by_hand(&h, t.id, false, &record, &err), OK);
		db_close(h.db);
		refit_dump(dir, got);
		if (!done)
			assert_string_equal(got, undisturbed);
	}
	free(undisturbed);
	free(got);
	test_project_close(&t);
}

static void a_dry_run_writes_nothing_and_tells_all(void **state)
{
	(void)state;
	char *before = malloc(REFIT_DUMP), *after = malloc(REFIT_DUMP);
	refit_world(&t, "{\"tau\": 0.1, \"cap\": 1000, \"min_answers\": 1}");
	refit_dump(t.dir, before);
	assert_int_equal(
		command("mkdir %s/tmp && TMPDIR=%s/tmp " TOPI " consensus %s test --refit --dry-run --json",
			t.dir, t.dir, t.dir),
		0);
	refit_dump(t.dir, after);
	assert_string_equal(after, before);
	json_t *told = json_loads(command_out, 0, NULL);
	assert_non_null(told);
	assert_int_equal(command("ls %s/tmp | wc -l", t.dir), 0);
	assert_string_equal(command_out, "0\n");
	/* The refit itself does just that. */
	assert_int_equal(command(TOPI " consensus %s test --refit --json", t.dir), 0);
	json_t *done = json_loads(command_out, 0, NULL);
	static const char *const counts[] = {"reopened", "relabelled", "retired", "passes", "answers"};
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		assert_int_equal(json_integer_value(json_object_get(told, counts[i])),
			json_integer_value(json_object_get(done, counts[i])));
	size_t i;
	json_t *change;
	json_int_t n_other = 0, n_gone = 0, n_new = 0;
	json_array_foreach(json_object_get(told, "labels"), i, change)
	{
		const json_int_t n = json_integer_value(json_object_get(change, "n"));
		const char *from = json_string_value(json_object_get(change, "from"));
		const char *to = json_string_value(json_object_get(change, "to"));
		*(strcmp(from, "no label") == 0       ? &n_new
				: strcmp(to, "no label") == 0 ? &n_gone
											  : &n_other) += n;
	}
	assert_true(n_other > 0 && n_gone > 0 && n_new > 0);
	assert_int_equal(n_other, json_integer_value(json_object_get(done, "relabelled")));
	assert_int_equal(n_new, json_integer_value(json_object_get(done, "retired")));
	/* A label that was taken back may be given again at once. */
	assert_true(n_gone <= json_integer_value(json_object_get(done, "reopened")));
	/* And the state names the refit. */
	assert_int_equal(command(TOPI " consensus %s test", t.dir), 0);
	assert_non_null(strstr(command_out, "refit 1,"));
	assert_non_null(strstr(command_out, "by default"));
	assert_int_equal(command(TOPI " consensus %s test --dry-run 2>&1", t.dir), 2);
	json_decref(told);
	json_decref(done);
	free(before);
	free(after);
	test_project_close(&t);
}

static void what_makes_no_sense_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *sql;
		enum status status;
		const char *words;
		bool cold_helps;
	} rows[] = {
		{"UPDATE class_prior SET p = 9e999 WHERE taxon_id = (SELECT min(taxon_id) FROM "
		 "class_prior)",
			BAD_INPUT, "class prior of blank is inf", true},
		{"UPDATE class_prior SET p = -1", BAD_INPUT, "class prior of blank is", true},
		{"UPDATE pool_cell SET p = 0 WHERE truth_id <> answer_id", BAD_INPUT,
			"P(animal1 answered | blank) is 0", true},
		{"INSERT INTO skill (project_id, volunteer_id, lambda, prec, n_credited) VALUES (1, 3, "
		 "9e999, 1, "
		 "1)",
			BAD_INPUT, "volunteer 3 has a stored lambda of inf", true},
		{"INSERT INTO skill_cell (project_id, volunteer_id, truth_id, answer_id, weight) SELECT 1, "
		 "3, "
		 "min(id), min(id), -2 FROM taxon",
			BAD_INPUT, "volunteer 3 has a stored count of -2", true},
		{"UPDATE prediction SET top = CAST(x'010000000000c07f' AS BLOB)", FAULT, "probability nan",
			false},
		{"UPDATE prediction SET top = x'00'", FAULT, "is of 1 bytes", false},
		{"DELETE FROM annotation; DELETE FROM classification", NOT_FOUND,
			"no answers to learn from", false},
	};
	char *before = malloc(REFIT_DUMP), *after = malloc(REFIT_DUMP);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {0};
		struct refit_hand h = {0};
		struct refit_record record;
		refit_world(&t, NULL);
		h.db = t.db;
		test_sql(&t, "%s", rows[i].sql);
		refit_dump(t.dir, before);
		if (refit_by_hand(&h, t.id, false, &record, &err) != rows[i].status ||
			!strstr(err.text, rows[i].words))
			fail_msg("row %zu: %s", i, err.text);
		refit_dump(t.dir, after);
		assert_string_equal(after, before);
		assert_int_equal(
			refit_by_hand(&h, t.id, true, &record, &err), rows[i].cold_helps ? OK : rows[i].status);
		test_project_close(&t);
	}
	free(before);
	free(after);
}

static void one_class_and_one_busy_person_are_no_trouble(void **state)
{
	(void)state;
	struct refit_record record;
	enum { N = 20000 };
	test_project_open(&t, 3, 1, N, NULL);
	test_sql(&t,
		"INSERT INTO classification (uuid, project_id, subject_id, volunteer_id, answer, counted, "
		"expert, "
		"blind, policy_id, created_ms) SELECT randomblob(16), project_id, id, 1, 'taxa', 1, 0, 0, "
		"1, 0 "
		"FROM subject; INSERT INTO annotation (classification_id, taxon_id) SELECT id, %d FROM "
		"classification",
		(int)t.taxa[1]);
	refit_must(&t, false, &record);
	assert_int_equal(record.n_answers, N);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM pool_cell WHERE NOT (p > 0 AND p < 1)"), 0);
	/* No more than 200 answers of one person weigh in the pool. */
	assert_true(test_real(&t, "SELECT sum(weight) FROM pool_cell") < 200.001);
	assert_int_equal(test_sql(&t, "SELECT n_credited FROM skill"), N);
	test_project_close(&t);
}

static void one_at_a_time_and_stopped_when_asked(void **state)
{
	(void)state;
	struct err err = {0};
	struct refit_record record;
	char path[120];
	refit_world(&t, NULL);
	struct refit_hand h = {.db = t.db, .stop = true};
	assert_int_equal(refit_by_hand(&h, t.id, false, &record, &err), BUSY);
	assert_int_equal(test_sql(&t, "SELECT count(*) FROM refit"), 0);
	snprintf(path, sizeof path, "%s/refit.lock", t.dir);
	const int fd = open(path, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	h.stop = false;
	assert_int_equal(refit_by_hand(&h, t.id, false, &record, &err), CONFLICT);
	close(fd);
	assert_int_equal(refit_by_hand(&h, t.id, false, &record, &err), OK);
	test_project_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_is_killed_loses_nothing),
		cmocka_unit_test(a_failing_step_is_no_loss),
		cmocka_unit_test(a_dry_run_writes_nothing_and_tells_all),
		cmocka_unit_test(what_makes_no_sense_is_named),
		cmocka_unit_test(one_class_and_one_busy_person_are_no_trouble),
		cmocka_unit_test(one_at_a_time_and_stopped_when_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
