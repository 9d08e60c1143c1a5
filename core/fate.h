/* What has become of a project's subjects, so that before and after can be compared. */
#pragma once

#include "db.h"

enum outcome {
	OUTCOME_OPEN,
	OUTCOME_IN_EXPERT_QUEUE,
	OUTCOME_BY_PEOPLE,
	OUTCOME_BY_MODEL,
	OUTCOME_BY_EXPERT,
	OUTCOME_NO_LABEL, /* retired: nobody could tell */
	N_OUTCOMES
};
const char *outcome_name(enum outcome outcome);

struct fate {
	int64_t label_id; /* 0: none */
	enum outcome outcome;
	bool blind;
};

struct fates {
	struct fate *list; /* in the order of the subjects' ids */
	size_t n;
};

/* Owns: fates_release ends *out, also after a failure. Errors: FAULT when memory is out. */
enum status fates_read(
	struct db *db, int64_t project_id, struct fates *out, struct err *err) MUST_CHECK;
void fates_release(struct fates *fates);
