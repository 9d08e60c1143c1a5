/*
 * Practice on subjects whose truth is told: train-people gold of different species, the commonest first. Nothing that is
 * answered there is stored. What was shown is remembered: it is shown again next time, and never planted for that volunteer.
 */
#pragma once

#include "db.h"

enum { PRACTICE_MAX = 6 };

/*
 * The volunteer's subjects, chosen now or before; those that are hidden since are left out. Runs in the caller's transaction.
 * Shapes: subject_ids [PRACTICE_MAX].
 */
enum status practice_list(struct db *db, int64_t project_id, int64_t volunteer_id, int64_t now_ms,
	int64_t *subject_ids, int *n, struct err *err) MUST_CHECK;
