/*
 * Logging in, and what it claims: an account takes over what its person answered anonymously in the
 * same browser. Nothing is deleted but leases and derived rows; of two answers to one subject the
 * earlier stays in force and the later is superseded by it.
 */
#include "confusion.h"
#include "label.h"
#include "volunteer.h"

/* The label model has counted two answers of one person: an open subject is decided again. */
static enum status decide_again(struct db *db, int64_t subject_id, int64_t now_ms, struct err *err)
{
	struct project project = {0};
	struct subject subject;
	enum status st = subject_load(db, subject_id, &subject, err);
	if (st != OK || subject.state != SUBJECT_OPEN)
		return st;
	st = project_load(db, subject.project_id, &project, err);
	if (st == OK)
		st = label_decide(db, &project, subject_id, 0, now_ms, err);
	project_release(&project);
	return st;
}

static enum status supersede_later(
	struct db *db, int64_t account, int64_t from, int64_t now_ms, struct err *err)
{
	for (;;) { /* each round ends one pair */
		struct stmt *row = NULL;
		enum status st = db_one(db, Q_CLAIM_PAIRS, &row, err, "ii", from, account);
		if (st != OK)
			return st == NOT_FOUND ? OK : st;
		int64_t a = col_int(row, 0);
		int64_t b = col_int(row, 1);
		int64_t subject_id = col_int(row, 2);
		db_done(row);
		int64_t earlier = a < b ? a : b; /* ids grow with time */
		int64_t later = a < b ? b : a;
		st = db_run(db, Q_CLASSIFICATION_SUPERSEDE, err, "ii", later, earlier);
		if (st == OK)
			st = decide_again(db, subject_id, now_ms, err);
		if (st != OK)
			return st;
	}
}

static enum status claim(
	struct db *db, int64_t account, int64_t from, int64_t now_ms, struct err *err)
{
	static const enum query moves[] = {Q_CLAIM_ANSWERS, Q_TALLY_CLAIM_DAYS, Q_TALLY_CLAIM_TAXA,
		Q_CLAIM_FLAGS, Q_CLAIM_COMMENTS, Q_CLAIM_PRACTISED, Q_CLAIM_DROP_TASKS, Q_CLAIM_TASKS};
	static const enum query drops[] = {Q_TALLY_DROP_DAYS, Q_TALLY_DROP_TAXA, Q_CLAIM_DROP_FLAGS,
		Q_CLAIM_DROP_PRACTISED, Q_PERSONAL_DROP, Q_CLAIM_DROP_SKILL, Q_CLAIM_DROP_SKILL_CELLS,
		Q_SESSION_DROP_ALL};
	enum status st = supersede_later(db, account, from, now_ms, err);
	for (size_t i = 0; st == OK && i < sizeof moves / sizeof *moves; i++)
		st = db_run(db, moves[i], err, "ii", from, account);
	if (st == OK)
		st = db_run(db, Q_CLAIM_DROP_ANSWERED, err, "i", account);
	if (st == OK)
		st = db_run(db, Q_CLAIM_SKILL, err, "iid", from, account, 1 / label_params.v0);
	if (st == OK)
		st = db_run(db, Q_CLAIM_SKILL_CELLS, err, "ii", from, account);
	for (size_t i = 0; st == OK && i < sizeof drops / sizeof *drops; i++)
		st = db_run(db, drops[i], err, "i", from);
	return st == OK ? db_run(db, Q_CLAIM_MERGE, err, "ii", from, account) : st;
}

enum status volunteer_login(struct db *db, int64_t account, int64_t from, const char *old_secret,
	const char *new_secret, int64_t now_ms, struct err *err)
{
	enum status st = from ? claim(db, account, from, now_ms, err) : OK;
	return st == OK ? session_renew(db, account, old_secret, new_secret, now_ms, err) : st;
}
