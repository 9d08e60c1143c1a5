/* The share is kept by what is missing of it, not by turns: a turn could be guessed. */
#include "blank_feed.h"

#include "certificate.h"
#include "draw.h"

enum { RECENT = 20, SLOTS = 16 };

static enum status take_id(struct stmt *row, enum status st, int64_t *id)
{
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	*id = col_int(row, 0);
	db_done(row);
	return OK;
}

enum status blank_feed_open(struct db *db, int64_t project_id, int64_t volunteer_id,
	const struct policy *policy, struct blank_feed *out, struct err *err)
{
	struct stmt *row = NULL;
	*out = (struct blank_feed){
		.project_id = project_id, .volunteer_id = volunteer_id, .share = policy->blank_share};
	if (policy->blank_share <= 0)
		return OK;
	enum status st = db_one(db, Q_GOLD_BLANK_CLASS, &row, err, "i", project_id);
	st = take_id(row, st, &out->blank_id);
	if (st != OK || !out->blank_id)
		return st;
	st = db_one(db, Q_TASK_RECENT_OF_CLASS, &row, err, "iiii", volunteer_id, project_id,
		out->blank_id, (int64_t)RECENT);
	if (st != OK)
		return st;
	out->n = (int)col_int(row, 0);
	out->n_blank = (int)col_int(row, 1);
	out->last_id = col_int(row, 2);
	db_done(row);
	return OK;
}

enum status blank_feed_gave(
	struct db *db, struct blank_feed *feed, int64_t subject_id, struct err *err)
{
	struct stmt *row = NULL;
	int64_t blank = 0;
	if (!feed->blank_id)
		return OK;
	enum status st = db_one(db, Q_TASK_IS_OF_CLASS, &row, err, "ii", subject_id, feed->blank_id);
	st = take_id(row, st, &blank);
	feed->n++;
	feed->n_blank += blank != 0;
	return st;
}

enum status blank_feed_wants(
	struct db *db, const struct blank_feed *feed, int slot, bool *wants, struct err *err)
{
	double u = 0, missing = feed->share * (feed->n + 1) - feed->n_blank;
	*wants = false;
	if (!feed->blank_id || missing <= 0)
		return OK;
	enum status st = draw_uniform(
		db, "blank", feed->volunteer_id, feed->last_id * SLOTS + slot, &u, err);
	*wants = u < missing;
	return st;
}

enum status blank_feed_pick(struct db *db, const struct blank_feed *feed, int together,
	int64_t apart_from, int64_t now_ms, int64_t *subject_id, struct err *err)
{
	struct stmt *row = NULL;
	struct project p = {0};
	*subject_id = 0;
	enum status st = db_one(db, Q_TASK_CANDIDATE_OF_CLASS, &row, err, "iiiiii", feed->project_id,
		feed->volunteer_id, now_ms, (int64_t)together, feed->blank_id, apart_from);
	st = take_id(row, st, subject_id);
	if (st != OK || *subject_id)
		return st;
	st = db_one(
		db, Q_TASK_EXTRA_AUDIT, &row, err, "iii", feed->project_id, feed->blank_id, apart_from);
	st = take_id(row, st, subject_id);
	if (st != OK || !*subject_id)
		return st;
	st = project_load(db, feed->project_id, &p, err);
	if (st == OK)
		st = certificate_audit_more(db, &p, *subject_id, 0, now_ms, err);
	project_release(&p);
	return st;
}
