/*
 * Blanks in a volunteer's feed. A model takes the blanks away first, and feeds of animals alone shorten sessions and teach
 * people to see an animal in every photograph. So each volunteer's feed aims at policy.blank_share of blanks, over their last
 * 20 answers of the day (UTC) and the tasks that they hold. Where it falls short, the place of a task is filled by what is
 * taken for blank: audits and undecided subjects in the order of the queue, then one more audit of an auto-labelled blank.
 * Each is answered, counted and decided as any other. Where more than the share is blank by itself nothing is held back.
 */
#pragma once

#include "project.h"

struct blank_feed {
	int64_t project_id, volunteer_id, blank_id; /* blank_id 0: there is nothing to aim at */
	double share;
	int64_t
		answer; /* names the volunteer's last answer: it keys the draw, so that asking again does not change it */
	int n, n_blank; /* recent answers and tasks in hand, and those taken for blank */
};

/* Errors: the database's. */
enum status blank_feed_open(struct db *db, const struct project *p, int64_t volunteer_id,
	int64_t now_ms, struct blank_feed *out, struct err *err) MUST_CHECK;

/* Notes an answer that is stored already, by what its subject is taken for now. */
enum status blank_feed_answered(struct db *db, const struct project *p, int64_t volunteer_id,
	int64_t subject_id, int64_t now_ms, struct err *err) MUST_CHECK;

/* One more task in the volunteer's hands. */
enum status blank_feed_gave(
	struct db *db, struct blank_feed *feed, int64_t subject_id, struct err *err) MUST_CHECK;

/*
 * Whether the next task should be a blank: with probability of what is missing of the share, so that blanks come at no
 * fixed place. `slot` tells the tasks of one request apart.
 */
enum status blank_feed_wants(struct db *db, const struct blank_feed *feed, int slot, bool *wants,
	struct err *err) MUST_CHECK;

/*
 * Which: at most `together` people may look at it, and it is not of deployment `apart_from` (0: any will do). *subject_id
 * is 0 where there is none. An auto-labelled one is made an audit here.
 */
enum status blank_feed_pick(struct db *db, const struct blank_feed *feed, int together,
	int64_t apart_from, int64_t now_ms, int64_t *subject_id, struct err *err) MUST_CHECK;
