/*
 * Confirm cards: which tasks show a volunteer the model's guess, and which guess. Everything else is asked blind: audits,
 * certification gold and probes always, live subjects below policy.confirm_above or that somebody has answered, and a share
 * (policy.confirm_blind) of those that could carry a card, drawn by a keyed hash of subject and volunteer. That share is what
 * audits hide among, and it asks both kinds of question about the same kind of subject.
 */
#pragma once

#include "label.h"

struct card {
	int64_t guess_id; /* a taxon; 0: no card, the question is a blind survey */
	int64_t model_id; /* whose guess */
};

/*
 * The card for a subject that a volunteer is about to be given. A live subject's guess is the model's; train-people gold
 * (`planted`) has a wrong one on purpose in a share policy.confirm_wrong of its cards: the model's second choice.
 * *out is zero where there is none. Errors: the database's.
 */
enum status card_draw(struct db *db, const struct project *project, int64_t subject_id,
	int64_t volunteer_id, bool planted, struct card *out, struct err *err) MUST_CHECK;

/* What the promoted model says of a subject, where it is calibrated and has said anything: a taxon, else 0. */
enum status card_opinion(struct db *db, const struct project *project, int64_t subject_id,
	int64_t *taxon_id, struct err *err) MUST_CHECK;
