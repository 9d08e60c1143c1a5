/* The row `volunteer` stays, as answers and comments name it; take_ms says that its answers are on their way out. */
#include "forget.h"

#include "label.h"

#include <string.h>

enum status forget_begin(
	struct db *db, int64_t volunteer_id, bool take, int64_t now_ms, struct err *err)
{
	static const enum query drops[] = {Q_SESSION_DROP_ALL, Q_INVITE_DROP, Q_FORGET_ROLES,
		Q_FORGET_TASKS, Q_FORGET_CURSORS, Q_FORGET_FAVOURITES, Q_CLAIM_DROP_PRACTISED,
		Q_PERSONAL_DROP, Q_FORGET_OVERHEARD};
	enum status st = db_run(db, Q_FORGET_NAME, err, "iI", volunteer_id, take ? &now_ms : NULL);
	for (size_t i = 0; st == OK && i < sizeof drops / sizeof *drops; i++)
		st = db_run(db, drops[i], err, "i", volunteer_id);
	return st == OK && take ? db_run(db, Q_FORGET_COMMENTS, err, "i", volunteer_id) : st;
}

struct given {
	int64_t id, subject_id, project_id;
	bool counted;
};

/*
 * The subject as if the answer had never been: where people's label goes, the answers that it had made superfluous count. What
 * an expert or a model decided stands, on one answer less.
 */
static enum status decide_without(
	struct db *db, const struct given *g, int64_t now_ms, struct err *err)
{
	struct subject s;
	struct project p = {0};
	enum label_refitted what;
	enum status st = subject_load(db, g->subject_id, &s, err);
	bool by_people = st == OK && s.state == SUBJECT_RETIRED && strcmp(s.decided_by, "people") == 0;
	if (st == OK)
		st = project_load(db, g->project_id, &p, err);
	if (st == OK && by_people)
		st = db_run(db, Q_VOTE_COUNT_LATE, err, "ii", s.id, INT64_MAX);
	if (st == OK && s.state == SUBJECT_OPEN)
		st = label_decide(db, &p, s.id, 0, now_ms, err);
	else if (st == OK && by_people)
		st = label_reopen(db, &p, s.id, "undone", now_ms, err);
	else if (st == OK)
		st = label_refit(db, &p, s.id, 0, now_ms, &what, err);
	project_release(&p);
	return st;
}

static enum status take(struct db *db, const struct given *g, int64_t now_ms, struct err *err)
{
	enum status st = db_run(db, Q_FORGET_UNDO, err, "ii", g->id, now_ms);
	if (st == OK)
		st = db_run(db, Q_CLASSIFICATION_SUPERSEDE, err, "ii", g->id, db_last_id(db));
	return st == OK && g->counted ? decide_without(db, g, now_ms, err) : st;
}

/* Nothing of theirs is in force: what the label model made of it goes. */
static enum status end(struct db *db, int64_t volunteer_id, struct err *err)
{
	static const enum query drops[] = {Q_CLAIM_DROP_SKILL, Q_CLAIM_DROP_SKILL_CELLS,
		Q_TALLY_DROP_TAXA, Q_TALLY_DROP_DAYS, Q_FORGET_TAKEN};
	enum status st = OK;
	for (size_t i = 0; st == OK && i < sizeof drops / sizeof *drops; i++)
		st = db_run(db, drops[i], err, "i", volunteer_id);
	return st;
}

enum status forget_step(struct db *db, int n_most, int64_t now_ms, int *n, struct err *err)
{
	struct stmt *row = NULL;
	*n = 0;
	enum status st = db_one(db, Q_FORGET_NEXT, &row, err, "");
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	const int64_t volunteer_id = col_int(row, 0);
	db_done(row);
	while (st == OK && *n < n_most) {
		st = db_one(db, Q_FORGET_ANSWER, &row, err, "i", volunteer_id);
		if (st != OK)
			break;
		const struct given g = {
			col_int(row, 0), col_int(row, 1), col_int(row, 2), col_int(row, 3) != 0};
		db_done(row);
		st = take(db, &g, now_ms, err);
		++*n;
	}
	if (st != NOT_FOUND)
		return st;
	*n += *n == 0; /* to end is something, too: somebody else may wait */
	return end(db, volunteer_id, err);
}
