/* The share is kept by what is missing of it, not by turns: a turn could be guessed. */
#include "blank_feed.h"

#include "certificate.h"
#include "draw.h"

enum { SLOTS = 16, DAY_MS = 24 * 60 * 60 * 1000 };

static enum status take_id(struct stmt *row, enum status st, int64_t *id)
{
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	*id = col_int(row, 0);
	db_done(row);
	return OK;
}

/* 0: there is none, or the share is not kept. */
static int64_t blank_class(const struct project *p)
{
	const int blank = p->policy.blank_share > 0 ? project_blank(p) : -1;
	return blank < 0 ? 0 : p->taxa[blank].id;
}

enum status blank_feed_open(struct db *db, const struct project *p, int64_t volunteer_id,
	int64_t now_ms, struct blank_feed *out, struct err *err)
{
	const int64_t day = now_ms / DAY_MS;
	struct stmt *row = NULL;
	*out = (struct blank_feed){.project_id = p->id,
		.volunteer_id = volunteer_id,
		.share = p->policy.blank_share,
		.blank_id = blank_class(p),
		.answer = day << 32};
	if (!out->blank_id)
		return OK;
	enum status st = db_one(db, Q_TASK_RECENT, &row, err, "iii", volunteer_id, day, p->id);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	out->answer += col_int(row, 0);
	for (int64_t bits = col_int(row, 1); bits > 1; bits >>= 1) {
		out->n++;
		out->n_blank += bits & 1;
	}
	db_done(row);
	return OK;
}

enum status blank_feed_answered(struct db *db, const struct project *p, int64_t volunteer_id,
	int64_t subject_id, int64_t now_ms, struct err *err)
{
	const int64_t blank_id = blank_class(p);
	return blank_id ? db_run(db, Q_TASK_RECENT_ADD, err, "iiiii", volunteer_id, now_ms / DAY_MS,
						  p->id, subject_id, blank_id)
					: OK;
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
		db, "blank", feed->volunteer_id, feed->answer * SLOTS + slot, &u, err);
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
