/* What others have answered to a subject, for a volunteer who has just answered it (policy.reveal_others). */
#pragma once

#include "db.h"

/* Fewer are nobody's opinion; more would tell gold, which is asked again and again, from what is asked a few times. */
enum { OTHERS_LEAST = 3, OTHERS_MOST = 5, OTHERS_MAX_TAXA = OTHERS_MOST * 20 };

struct others {
	int n; /* answers that name a taxon, the first OTHERS_MOST; 0: fewer than OTHERS_LEAST, and nothing is told */
	int n_taxa;
	int64_t taxa[OTHERS_MAX_TAXA]; /* as often as they are named, falling */
	int votes[OTHERS_MAX_TAXA];    /* answers that name it */
};

/* before_id: of answers before that one. */
enum status others_load(struct db *db, int64_t subject_id, int64_t volunteer_id, int64_t before_id,
	struct others *out, struct err *err) MUST_CHECK;
