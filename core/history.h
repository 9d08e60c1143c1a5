/* What a volunteer did last in a project, for the page where an answer can be looked at and changed. */
#pragma once

#include "classification.h"

enum { HISTORY_MAX = 50 };

struct past_answer {
	uint8_t uuid[16];
	int64_t subject_id, at_ms;
	bool cant_tell, several;
	bool may_undo; /* classification_undo would take it back */
	int64_t
		thumb_id; /* the subject's first photograph; 0: there is none, or it is hidden from the volunteer */
	int n;
	struct {
		int64_t taxon_id, count; /* 0: not asked */
		char *details;           /* JSON object: the answers to the project's other questions */
	} named[ANSWER_MAX_TAXA];
};

struct history {
	int n;
	struct past_answer answers[HISTORY_MAX]; /* the newest first */
};

/*
 * The volunteer's last n_wanted answers in force.
 * Owns:   the caller frees *out with history_free; it is NULL unless the status is OK.
 * Errors: BAD_INPUT when n_wanted is outside 1..HISTORY_MAX; the database's.
 */
enum status history_load(struct db *db, int64_t project_id, int64_t volunteer_id, int n_wanted,
	struct history **out, struct err *err) MUST_CHECK;
void history_free(struct history *history);
