/*
 * Labels derived again from what is kept for ever: answers, experts' verdicts, predictions, certificates and the policies of
 * their day. What stands in the tables should follow from these; a database that was changed by hand, or a mistake of ours,
 * shows here.
 *
 * Of each subject: its counts are those of its answers; its label is what its last event says; an expert's label is the
 * last verdict (or the truth from a file); the model's label is covered by a certificate that stands; people's label had
 * the answers and the risk that its policy asks for. Skills and class priors move on, so the posterior of then is not
 * computed again: p_label is what was stored with the event. (`topi consensus` does that with the skills of today.)
 */
#pragma once

#include "project.h"

enum { REPLAY_MAX_TOLD = 20 };

struct replay {
	int64_t n_subjects, n_by_people, n_by_model, n_by_expert, n_differ;
	int n_told;
	char told[REPLAY_MAX_TOLD][200]; /* a sentence each, of the first subjects that differ */
};

/* Reads only. Errors: the database's. */
enum status replay_check(
	struct db *db, const struct project *project, struct replay *out, struct err *err) MUST_CHECK;
