/* labels: unit sql; timeout: 240 */
/* Labels derived again: a project under way agrees with itself, and every kind of change by hand is found. */
#include "replay.h"
#include "support_strata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct test_project *const t = &strata_world;

static struct replay replay(void)
{
	struct err err = {0};
	struct project p = {0};
	static struct replay r;
	assert_int_equal(project_load(t->db, t->id, &p, &err), OK);
	if (replay_check(t->db, &p, &r, &err) != OK)
		fail_msg("%s", err.text);
	project_release(&p);
	return r;
}

static void what_does_not_follow_is_found(void **state)
{
	(void)state;
	static const struct {
		const char *by;     /* whose label the subject has */
		const char *change; /* to the subject whose number is put in twice at most */
		const char *want;
	} rows[] = {
		{"people", "UPDATE subject SET label_id = 3 - label_id WHERE id = %d", "its last event"},
		{"people", "UPDATE subject SET n_answers = 9 WHERE id = %d", "its counts"},
		{"people", "UPDATE subject SET n_answers = 0 WHERE id = %d", "its counts"},
		{"people", "UPDATE subject SET reason = 'certificate' WHERE id = %d", "none of theirs"},
		{"people", "UPDATE label_event SET risk = .2 WHERE subject_id = %d", "higher risk"},
		{"people",
			"UPDATE label_event SET n_answers = 1 WHERE subject_id = %d; UPDATE classification SET "
			"counted = 0 WHERE subject_id = %d; UPDATE subject SET n_answers = 1 WHERE n_answers > "
			"1 "
			"AND id IN (SELECT subject_id FROM label_event WHERE n_answers = 1 AND decided_by = "
			"'people')",
			"fewer answers"},
		{"model",
			"UPDATE certificate SET p_top_min = .99 WHERE id = (SELECT certificate_id FROM subject "
			"WHERE id = %d)",
			"below its certificate's threshold"},
		{"model",
			"UPDATE certificate SET state = 'revoked' WHERE id = (SELECT certificate_id FROM "
			"subject WHERE id = %d)",
			"was revoked"},
		{"model", "UPDATE prediction SET top_id = 3 - top_id WHERE subject_id = %d",
			"not what the certificate's model says"},
		{"expert", "UPDATE gold SET taxon_id = 3 - taxon_id WHERE subject_id = %d", "last verdict"},
		{"expert", "DELETE FROM label_event WHERE subject_id = %d", "no event"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (i == 0 || strcmp(rows[i].by, rows[i - 1].by) != 0 || i > 6) {
			if (i)
				test_project_close(t);
			strata_open("{\"auto_blank\": false, \"expert_share\": 0}", NULL);
			strata_activate(10);
			/* The verdicts on audits came from a file, where there were any. */
			test_sql(t,
				"INSERT INTO gold (subject_id, project_id, purpose, taxon_id, drawn_ms, "
				"labelled_ms, "
				"plant_u) SELECT id, project_id, 'probe', label_id, 1, 1, .5 FROM subject s WHERE "
				"decided_by = 'expert' AND NOT EXISTS (SELECT 1 FROM gold g WHERE g.subject_id = "
				"s.id)");
			struct replay before = replay();
			if (before.n_differ)
				fail_msg("%d differ: %s", (int)before.n_differ, before.told[0]);
			assert_int_equal(before.n_subjects, STRATA_N);
			assert_true(before.n_by_people > 50 && before.n_by_model > 100 &&
				before.n_by_expert >= STRATA_GOLD);
		}
		int64_t n_before = replay().n_differ;
		/* Subjects of their own: the changes add up. */
		int64_t s = test_sql(t,
			"SELECT id FROM subject WHERE decided_by = '%s' AND state = 'retired' ORDER BY id "
			"LIMIT "
			"1 OFFSET %d",
			rows[i].by, (int)i);
		char sql[400];
		snprintf(sql, sizeof sql, rows[i].change, (int)s, (int)s);
		test_sql(t, "%s", sql);
		struct replay r = replay();
		assert_true(r.n_differ > n_before);
		bool found = false;
		for (int j = 0; j < r.n_told; j++)
			found = found || strstr(r.told[j], rows[i].want);
		if (!found)
			fail_msg("row %zu: %s", i, r.told[0]);
	}
	test_project_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_does_not_follow_is_found)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
