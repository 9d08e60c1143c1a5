/* By plain SQL, as support_project.c; a connection of its own makes it fast. */
#include "support_refit.h"

#include "rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The answers that a world has, by numbers from 0. */
struct answer refit_given[REFIT_MAX_GIVEN];
size_t refit_n_given;
int refit_truths[REFIT_SUBJECTS];

static enum status write_piece(void *arg, writer_work *work, void *work_arg, struct err *err)
{
	struct refit_hand *h = arg;
	enum status st = db_begin(h->db, err);
	if (st == OK)
		st = work(h->db, work_arg, err);
	const bool dies = ++h->n_pieces == h->die_at;
	if (dies && !h->after_commit)
		kill(getpid(), SIGKILL);
	if (st == OK)
		st = db_commit(h->db, err);
	if (dies)
		kill(getpid(), SIGKILL);
	if (st != OK)
		db_rollback(h->db);
	return st;
}

static bool stops(void *arg)
{
	return ((struct refit_hand *)arg)->stop;
}

static int64_t noon(void *arg)
{
	(void)arg;
	return 5000;
}

enum status refit_by_hand(
	struct refit_hand *h, int64_t project_id, bool cold, struct refit_record *out, struct err *err)
{
	const struct refit_hands hands = {.write = write_piece,
		.stops = stops,
		.now_ms = noon,
		.arg = h,
		.n_threads = 2,
		.cold = cold};
	bool resumed;
	return project_refit(h->db, project_id, &hands, &resumed, out, err);
}

void refit_must(struct test_project *t, bool cold, struct refit_record *out)
{
	struct err err = {0};
	struct refit_hand h = {.db = t->db};
	if (refit_by_hand(&h, t->id, cold, out, &err) != OK)
		fail_msg("%s", err.text);
}

static void exec(sqlite3 *raw, const char *format, ...)
{
	char sql[600], *why = NULL;
	va_list args;
	va_start(args, format);
	vsnprintf(sql, sizeof sql, format, args);
	va_end(args);
	if (sqlite3_exec(raw, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

void refit_world(struct test_project *t, const char *policy)
{
	struct rng rng = rng_at(7, 7, 7);
	sqlite3 *raw = NULL;
	char path[100];
	test_project_open(t, REFIT_K, 2, REFIT_SUBJECTS, policy);
	test_model(t, REFIT_MODEL_K);
	test_sql(t, "UPDATE model SET w0 = 0.2, w1 = 0.9, rest = 0.5");
	snprintf(path, sizeof path, "%s/topi.db", t->dir);
	refit_n_given = 0;
	for (int i = 0; i < REFIT_SUBJECTS; i++) {
		refit_truths[i] = (int)rng_int(&rng, REFIT_K);
		if (i % 3)
			test_predict(t, t->first_subject + i,
				(double)rng_unit(&rng) < .8 ? refit_truths[i] % REFIT_MODEL_K
											: (int)rng_int(&rng, REFIT_MODEL_K),
				.5 + .4 * (double)rng_unit(&rng), 10);
	}
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	exec(raw, "BEGIN");
	for (int i = 0; i < REFIT_ANSWERED; i++) {
		const int n = 1 + (int)rng_int(&rng, 6), first = (int)rng_int(&rng, REFIT_CROWD);
		for (int j = 0; j < n; j++) {
			const int v = (first + j) % REFIT_CROWD;
			const bool right = (double)rng_unit(&rng) < .45 + .08 * v;
			const int class = right ? refit_truths[i] : (int)rng_int(&rng, REFIT_K);
			refit_given[refit_n_given++] = (struct answer){
				(uint32_t)i, (uint32_t)v, (uint32_t) class};
			exec(raw,
				"INSERT INTO classification (id, uuid, project_id, subject_id, volunteer_id, "
				"answer, "
				"counted, expert, blind, policy_id, created_ms) VALUES (%d, randomblob(16), %d, "
				"%d, "
				"%d, "
				"'taxa', 1, 0, 0, (SELECT max(id) FROM policy), 20); INSERT INTO annotation "
				"(classification_id, taxon_id) VALUES (%d, %d)",
				(int)refit_n_given, (int)t->id, (int)t->first_subject + i, v + 1,
				(int)refit_n_given, (int)t->taxa[class]);
		}
		/* people's labels, right two times in three; experts'; the rest is open */
		const char *by = i % 9 == 0 ? "expert" : i % 5 ? "people" : NULL;
		const int label = i % 9 == 0 || i % 3 ? refit_truths[i] : (refit_truths[i] + 1) % REFIT_K;
		if (by)
			exec(raw,
				"UPDATE subject SET state = 'retired', decided_by = '%s', reason = '%s', label_id "
				"= "
				"%d, p_label = 0.97, n_answers = %d, risk = 0.03 WHERE id = %d",
				by, i % 9 ? "risk" : "expert", (int)t->taxa[label], n, (int)t->first_subject + i);
	}
	/* An auto-label that has no answers. */
	exec(raw,
		"UPDATE subject SET state = 'retired', decided_by = 'model', reason = 'certificate', "
		"label_id "
		"= %d, p_label = 0.99 WHERE id = %d",
		(int)t->taxa[2], (int)t->first_subject + REFIT_ANSWERED);
	exec(raw, "COMMIT");
	sqlite3_close(raw);
}

void refit_dump(const char *dir, char *out)
{
	static const char *const queries[] = {
		"SELECT * FROM skill ORDER BY 1, 2, 3",
		"SELECT * FROM skill_cell ORDER BY 1, 2, 3, 4, 5",
		"SELECT * FROM pool_cell ORDER BY 1, 2, 3, 4",
		"SELECT * FROM class_prior",
		"SELECT id, state, blind, n_answers, risk, priority, label_id, p_label, decided_by, reason "
		"FROM "
		"subject",
		"SELECT subject_id, what, label_id, p_label, risk, decided_by, reason, refit_id, policy_id "
		"FROM "
		"label_event ORDER BY id",
		"SELECT id, counted, credited FROM classification",
		"SELECT id, state, last_id, n_passes, moved, n_reopened, n_relabelled, n_retired FROM "
		"refit",
		"SELECT * FROM refit_subject",
		"SELECT refit_id, sweep_id, n_taught FROM project",
	};
	char path[120];
	sqlite3 *raw = NULL;
	const size_t size = REFIT_DUMP;
	size_t n = 0;
	snprintf(path, sizeof path, "%s/topi.db", dir);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
		sqlite3_stmt *row = NULL;
		if (sqlite3_prepare_v2(raw, queries[i], -1, &row, NULL) != SQLITE_OK)
			fail_msg("%s", sqlite3_errmsg(raw));
		while (sqlite3_step(row) == SQLITE_ROW)
			for (int c = 0; c < sqlite3_column_count(row); c++) {
				const bool real = sqlite3_column_type(row, c) == SQLITE_FLOAT;
				if (real)
					n += (size_t)snprintf(
						out + n, size - n, "%.17g ", sqlite3_column_double(row, c));
				else
					n += (size_t)snprintf(out + n, size - n, "%s ",
						sqlite3_column_text(row, c) ? (const char *)sqlite3_column_text(row, c)
													: "-");
				assert_true(n < size);
			}
		sqlite3_finalize(row);
	}
	sqlite3_close(raw);
}
