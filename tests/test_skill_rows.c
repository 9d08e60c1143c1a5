/* labels: unit sql; timeout: 120 */
/* skill.row_sums is what a volunteer's cells add up to, whatever wrote them; and where there is none, they are added up. */
#include "skill.h"
#include "support_refit.h"
#include "volunteer.h"

#include <math.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_project t;
static struct err err;

/* What the cells of a volunteer add up to for a truth. */
static double sum_of(int set, int64_t volunteer, int64_t truth)
{
	return test_real(&t,
		"SELECT COALESCE(sum(weight), 0) FROM skill_cell WHERE refit_id = %d AND volunteer_id = "
		"%lld AND truth_id = %lld",
		set, (long long)volunteer, (long long)truth);
}

/* Every stored sum is that of the cells, and none is missing where there are any. Returns the skills that have sums. */
static int check_sums(const char *when)
{
	char path[120];
	sqlite3 *raw = NULL;
	sqlite3_stmt *row = NULL;
	int n = 0;
	snprintf(path, sizeof path, "%s/topi.db", t.dir);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(raw,
						 "SELECT volunteer_id, row_sums, refit_id FROM skill WHERE row_sums IS NOT "
						 "NULL",
						 -1, &row, NULL),
		SQLITE_OK);
	for (; sqlite3_step(row) == SQLITE_ROW; n++) {
		const int64_t volunteer = sqlite3_column_int64(row, 0);
		const uint8_t *sums = sqlite3_column_blob(row, 1);
		const int n_bytes = sqlite3_column_bytes(row, 1), set = sqlite3_column_int(row, 2);
		double stored = 0;
		assert_int_equal(n_bytes % SKILL_SUM_BYTES, 0);
		for (int i = 0; i < n_bytes; i += SKILL_SUM_BYTES) {
			uint32_t truth;
			double sum;
			memcpy(&truth, sums + i, sizeof truth);
			memcpy(&sum, sums + i + sizeof truth, sizeof sum);
			if (!(fabs(sum - sum_of(set, volunteer, truth)) < 1e-9))
				fail_msg("%s: volunteer %lld, truth %u: %.12g, the cells add up to %.12g", when,
					(long long)volunteer, truth, sum, sum_of(set, volunteer, truth));
			stored += sum;
		}
		const double all = test_real(&t,
			"SELECT COALESCE(sum(weight), 0) FROM skill_cell WHERE refit_id = %d AND volunteer_id "
			"= %lld",
			set, (long long)volunteer);
		if (!(fabs(stored - all) < 1e-9))
			fail_msg(
				"%s: volunteer %lld has %.12g of %.12g", when, (long long)volunteer, stored, all);
	}
	sqlite3_finalize(row);
	sqlite3_close(raw);
	return n;
}

/* What everybody's answers say, with the sums and without them. Leaves the skills without. */
static void check_columns(const char *when)
{
	struct project p;
	double with[REFIT_CROWD][REFIT_K][REFIT_K], without[REFIT_K];
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	for (int v = 0; v < REFIT_CROWD; v++)
		for (int a = 0; a < REFIT_K; a++)
			assert_int_equal(skill_column(t.db, &p, t.volunteers[v], a, with[v][a], &err), OK);
	test_sql(&t, "UPDATE skill SET row_sums = NULL");
	for (int v = 0; v < REFIT_CROWD; v++)
		for (int a = 0; a < REFIT_K; a++) {
			assert_int_equal(skill_column(t.db, &p, t.volunteers[v], a, without, &err), OK);
			for (int z = 0; z < REFIT_K; z++)
				if (!(fabs(with[v][a][z] - without[z]) < 1e-9))
					fail_msg("%s: volunteer %d, answer %d, truth %d: %.12g with sums, %.12g by "
							 "cells",
						when, v, a, z, with[v][a][z], without[z]);
		}
	project_release(&p);
}

/* Three people agree on each of some subjects that nobody has answered: they retire, and teach. */
static void teach(int from, int n)
{
	for (int i = from; i < from + n; i++)
		for (int v = 0; v < 3; v++)
			if (test_answer(&t, t.first_subject + i, v, (i + (v == i % 4)) % REFIT_K, 10, &err) !=
				OK)
				fail_msg("%s", err.text);
}

static void sums_are_what_cells_add_up_to(void **state)
{
	(void)state;
	struct refit_record record;
	const int first = REFIT_ANSWERED + 1;
	uint8_t uuid[16], of[16];
	struct classification_undone undone;
	refit_world(&t, "{\"plant_first\": 0, \"plant_rate\": 0, \"tau\": 0.3}");
	teach(first, 2);
	assert_true(check_sums("answers") >= 2);
	test_uuid(test_n_answers, of);
	test_uuid(1 << 20, uuid);
	assert_int_equal(db_begin(t.db, &err), OK);
	if (classification_undo(t.db, uuid, of, t.volunteers[2], 11, &undone, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(db_commit(t.db, &err), OK);
	check_sums("an answer taken back");
	refit_must(&t, true, &record);
	assert_int_equal(check_sums("a refit"), REFIT_CROWD);
	teach(first + 2, 3);
	check_sums("answers after a refit");
	check_columns("after a refit");
	teach(first + 5, 2);
	assert_true(check_sums("answers to skills without sums") >= 2);
	assert_int_equal(db_begin(t.db, &err), OK);
	if (volunteer_login(t.db, t.volunteers[0], t.volunteers[1], NULL, "new", 20, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(db_commit(t.db, &err), OK);
	check_sums("a claim");
	assert_int_equal(test_sql(&t, "SELECT row_sums IS NULL FROM skill WHERE volunteer_id = %lld",
						 (long long)t.volunteers[0]),
		1);
	refit_must(&t, false, &record);
	check_sums("a warm refit");
	check_columns("after a warm refit");
	test_project_close(&t);
}

/* Sums that no statement of ours writes are refused, not read. */
static void broken_sums_are_told(void **state)
{
	(void)state;
	struct project p;
	double out[REFIT_K];
	test_project_open(&t, REFIT_K, 1, 4, NULL);
	test_sql(&t,
		"INSERT INTO skill (project_id, volunteer_id, lambda, prec, n_credited, row_sums) VALUES "
		"(%d, %d, 0, 1, 1, x'0102030405')",
		(int)t.id, (int)t.volunteers[0]);
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	assert_int_equal(skill_column(t.db, &p, t.volunteers[0], 1, out, &err), FAULT);
	assert_non_null(strstr(err.text, "are of 5 bytes"));
	project_release(&p);
	test_project_close(&t);
}

static void read_columns(struct db *db, double out[REFIT_CROWD][REFIT_K][REFIT_K])
{
	struct project p;
	assert_int_equal(project_load(db, t.id, &p, &err), OK);
	for (int v = 0; v < REFIT_CROWD; v++)
		for (int a = 0; a < REFIT_K; a++)
			assert_int_equal(skill_column(db, &p, t.volunteers[v], a, out[v][a], &err), OK);
	project_release(&p);
}

/* Our connection, which may have kept what it read, says what one says that has read nothing before. */
static void check_fresh(const char *when)
{
	static double kept[REFIT_CROWD][REFIT_K][REFIT_K], read[REFIT_CROWD][REFIT_K][REFIT_K];
	struct db *fresh = NULL;
	assert_int_equal(db_open(t.dir, DB_READ, &fresh, &err), OK);
	read_columns(t.db, kept);
	read_columns(fresh, read);
	db_close(fresh);
	for (int v = 0; v < REFIT_CROWD; v++)
		for (int a = 0; a < REFIT_K; a++)
			for (int z = 0; z < REFIT_K; z++)
				if (kept[v][a][z] != read[v][a][z])
					fail_msg("%s: volunteer %d, answer %d, truth %d: %.12g is kept, %.12g is so",
						when, v, a, z, kept[v][a][z], read[v][a][z]);
}

static void teach_one(int v, int answer)
{
	struct project p;
	double truth[REFIT_K] = {[0] = 1};
	assert_int_equal(project_load(t.db, t.id, &p, &err), OK);
	if (skill_teach(t.db, &p, t.volunteers[v], answer, truth, &err) != OK)
		fail_msg("%s", err.text);
	project_release(&p);
}

/* Columns are kept in memory: whatever changes a skill, or takes a change back, is seen. Each case begins with all columns kept. */
static void what_is_kept_is_so(void **state)
{
	(void)state;
	enum {
		TEACH,
		TEACH_AND_READ,
		ROLLED_BACK,
		UNDONE,
		BY_STATEMENT,
		BY_ANOTHER,
		REMIXED,
		REFITTED,
		CLAIMED,
		N_CASES
	};
	static const char *const cases[] = {"taught", "taught, and read before the commit",
		"taught and rolled back", "taught and undone", "another statement of ours",
		"another connection", "a remix", "a refit", "a claim"};
	static double within[REFIT_CROWD][REFIT_K][REFIT_K];
	struct refit_record record;
	refit_world(&t, "{\"plant_first\": 0, \"plant_rate\": 0, \"tau\": 0.3}");
	teach(REFIT_ANSWERED + 1, 2);
	for (int i = 0; i < N_CASES; i++) {
		const double before = test_real(&t,
			"SELECT total(lambda) + total(weight) FROM skill "
			"LEFT JOIN skill_cell USING (volunteer_id)");
		check_fresh(cases[i]);
		if (i == REFITTED)
			refit_must(&t, true, &record);
		if (i == BY_ANOTHER)
			test_sql(&t, "UPDATE skill SET lambda = lambda + 0.5");
		if (i != REFITTED && i != BY_ANOTHER) {
			assert_int_equal(db_begin(t.db, &err), OK);
			assert_int_equal(db_savepoint(t.db, &err), OK);
			if (i <= UNDONE)
				teach_one(1, 2);
			if (i == TEACH_AND_READ || i == ROLLED_BACK || i == UNDONE)
				read_columns(t.db, within);
			if (i == BY_STATEMENT)
				assert_int_equal(db_run(t.db, Q_SKILL_CELL_ADD, &err, "iiiid", t.id,
									 t.volunteers[0], (int64_t)1, (int64_t)2, 7.0),
					OK);
			if (i == REMIXED) {
				teach_one(2, 1);
				assert_int_equal(skill_remix(t.db, t.id, &err), OK);
			}
			if (i == CLAIMED &&
				volunteer_login(t.db, t.volunteers[0], t.volunteers[1], NULL, "new", 20, &err) !=
					OK)
				fail_msg("%s", err.text);
			assert_int_equal(i == UNDONE ? db_undo(t.db, &err) : db_release(t.db, &err), OK);
			if (i == ROLLED_BACK)
				db_rollback(t.db);
			else
				assert_int_equal(db_commit(t.db, &err), OK);
		}
		check_fresh(cases[i]);
		const double after = test_real(&t,
			"SELECT total(lambda) + total(weight) FROM skill "
			"LEFT JOIN skill_cell USING (volunteer_id)");
		if ((before == after) != (i == ROLLED_BACK || i == UNDONE))
			fail_msg("%s: skills add up to %.12g, and to %.12g before", cases[i], after, before);
	}
	test_project_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sums_are_what_cells_add_up_to),
		cmocka_unit_test(broken_sums_are_told), cmocka_unit_test(what_is_kept_is_so)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
