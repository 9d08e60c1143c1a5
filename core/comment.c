/* Rows of `comment`; what may be read is asked of the classifications. */
#include "comment.h"

#include "label.h"
#include "text.h"

static enum status exists(struct stmt *row, enum status st, bool *out)
{
	*out = st == OK;
	db_done(st == OK ? row : NULL);
	return st == NOT_FOUND ? OK : st;
}

enum status comment_may(
	struct db *db, int64_t project_id, int64_t subject_id, int64_t volunteer_id, struct err *err)
{
	struct subject s;
	struct stmt *row = NULL;
	bool answered = false;
	enum status st = subject_load(db, subject_id, &s, err);
	if (st == OK && s.project_id != project_id)
		return err_set(err, NOT_FOUND, "the project has no subject %lld", (long long)subject_id);
	if (st != OK)
		return st;
	st = db_one(db, Q_COMMENT_MAY, &row, err, "ii", subject_id, volunteer_id);
	st = exists(row, st, &answered);
	return st == OK && !answered
		? err_set(err, DENIED, "answer subject %lld first: what others say comes afterwards",
			  (long long)subject_id)
		: st;
}

enum status comment_add(
	struct db *db, const struct comment *c, int64_t now_ms, int64_t *id, struct err *err)
{
	enum status st = text_check("the comment", c->text, COMMENT_MAX, true, err);
	if (st == OK)
		st = comment_may(db, c->project_id, c->subject_id, c->volunteer_id, err);
	if (st == OK)
		st = db_run(db, Q_COMMENT_ADD, err, "iiisi", c->project_id, c->subject_id, c->volunteer_id,
			c->text, now_ms);
	*id = db_last_id(db);
	return st;
}

enum status comment_is_news(
	struct db *db, int64_t subject_id, int64_t volunteer_id, bool *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_COMMENT_IS_NEWS, &row, err, "ii", subject_id, volunteer_id);
	return exists(row, st, out);
}

enum status comment_read(struct db *db, int64_t subject_id, int64_t volunteer_id, struct err *err)
{
	return db_run(db, Q_COMMENT_READ, err, "ii", subject_id, volunteer_id);
}

enum status comment_overhear(struct db *db, int64_t project_id, int64_t subject_id,
	int64_t volunteer_id, int64_t now_ms, struct err *err)
{
	return db_run(
		db, Q_COMMENT_OVERHEAR, err, "iiii", volunteer_id, subject_id, project_id, now_ms);
}

enum status comment_hide(struct db *db, int64_t project_id, int64_t id, int64_t moderator_id,
	const char *why, int64_t now_ms, struct err *err)
{
	enum status st = why ? text_check("the reason", why, COMMENT_MAX, true, err) : OK;
	if (st == OK)
		st = db_run(db, Q_COMMENT_HIDE, err, "iiIIs", id, project_id, why ? &now_ms : NULL,
			why ? &moderator_id : NULL, why);
	if (st == OK && db_changes(db) == 0)
		return err_set(err, NOT_FOUND, "the project has no comment %lld", (long long)id);
	return st;
}
