/* The world of strata: big enough that blanks can be certified, small enough to be quick. */
#include "support_strata.h"

#include "gold.h"
#include "label.h"
#include "prediction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct test_project strata_world;
static struct test_project *const t = &strata_world;

void strata_sweep(int64_t now_ms)
{
	struct err err = {0};
	int n = 1;
	while (n > 0) {
		assert_int_equal(db_begin(t->db, &err), OK);
		if (prediction_sweep(t->db, 200, now_ms, &n, &err) != OK)
			fail_msg("%s", err.text);
		assert_int_equal(db_commit(t->db, &err), OK);
	}
}

void strata_settle(int64_t now_ms)
{
	struct err err = {0};
	assert_int_equal(db_begin(t->db, &err), OK);
	if (prediction_settle(t->db, t->id, now_ms, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(db_commit(t->db, &err), OK);
	strata_sweep(now_ms);
}

static bool is_gold(int i)
{
	struct err err = {0};
	struct stmt *row = NULL;
	enum status st = db_one(t->db, Q_GOLD_GET, &row, &err, "i", t->first_subject + i);
	db_done(st == OK ? row : NULL);
	return st == OK;
}

static void label_gold(const struct project *p)
{
	struct err err = {0};
	for (int i = 0; i < STRATA_N; i++)
		if (is_gold(i))
			assert_int_equal(
				gold_label(t->db, p, t->first_subject + i, p->taxa[i % 2].code, "certify", 2, &err),
				OK);
}

void strata_open(const char *policy, const char *before)
{
	struct err err = {0};
	struct project p = {0};
	test_project_open(t, 2, 4, STRATA_N, policy);
	assert_int_equal(db_begin(t->db, &err), OK);
	assert_int_equal(gold_draw(t->db, t->id, "certify", STRATA_GOLD, true, 1, 1, &err), OK);
	assert_int_equal(project_load(t->db, t->id, &p, &err), OK);
	label_gold(&p);
	assert_int_equal(db_commit(t->db, &err), OK);
	project_release(&p);
	test_model(t, 2);
	assert_int_equal(db_begin(t->db, &err), OK);
	for (int i = 0; i < STRATA_N; i++)
		if (i % 10 != 1 || is_gold(i))
			test_predict(t, t->first_subject + i, i % 2, i % 10 == 1 ? 0.6 : 0.97, 3);
	assert_int_equal(db_commit(t->db, &err), OK);
	if (before)
		test_sql(t, "%s", before);
	strata_settle(4);
}

static void judge(int64_t subject, int truth, int64_t now_ms)
{
	struct err err = {0};
	struct project p = {0};
	assert_int_equal(project_load(t->db, t->id, &p, &err), OK);
	assert_int_equal(db_begin(t->db, &err), OK);
	assert_int_equal(label_by_expert(t->db, &p, subject, truth, 0, 0, now_ms, &err), OK);
	assert_int_equal(db_commit(t->db, &err), OK);
	project_release(&p);
}

void strata_answer_blind(bool wrong, int64_t now_ms)
{
	int64_t s;
	while ((s = test_sql(t,
				"SELECT id FROM subject WHERE blind = 1 AND state = 'open' ORDER BY id LIMIT 1")) >
		0) {
		int truth = (int)((s - t->first_subject + wrong) % 2);
		for (int v = 0; v < 12 && strcmp(test_text(t, "state", s), "open") == 0 &&
			 test_sql(t, "SELECT blind FROM subject WHERE id = %d", (int)s);
			 v++)
			test_must_answer(t, s, v, truth, now_ms);
		if (strcmp(test_text(t, "state", s), "expert") == 0)
			judge(s, truth, now_ms);
	}
}

void strata_activate(int64_t now_ms)
{
	strata_settle(now_ms); /* fewer are sure than gold had promised: more are drawn */
	strata_answer_blind(false, now_ms);
	strata_sweep(now_ms + 1);
}
