/*
 * A volunteer's own page: what they have done, and what the label model knows of their skill. Nobody else is shown it.
 *
 * All that is read is bounded by days and taxa, not by answers: counts are kept by triggers, skill by the label model. The
 * part about skill is a day old at most and never younger than it was: who saw it move with each answer would know which
 * subjects were gold, and what the truth of those is.
 */
#pragma once

#include "project.h"

enum { PERSONAL_DAYS = 60, PERSONAL_MOST = 5 };
#define PERSONAL_EVERY_MS (24LL * 3600 * 1000)

/*
 * {"n_answers", "days": [{"day", "n"}], "projects": [{"slug", "title", "n_answers", "species": [{"taxon", "name", "n"}], and
 * the members that personal_make makes}]}; days since 1970-01-01 UTC, newest first.
 * *stale: of some project what is said of the skill is too old, or missing: personal_make and personal_put first.
 * Owns: the caller releases *out, also when it is stale.
 */
enum status personal_page(struct db *db, int64_t volunteer_id, int64_t now_ms, json_t **out,
	bool *stale, struct err *err) MUST_CHECK;

/*
 * Makes what is too old anew: "skill": {"p", "low", "high"}, the probability that a single answer is right, over the classes
 * as often as they are, with a 90 % interval from lambda and its precision through the pooled matrix (null below 10 answers
 * credited); "best": the taxa where it is surest, of those that came up 10 times, by the volunteer's own row with the pooled
 * one as prior; "mixed": what is most often taken for what, from their own counts. Only reads, for some milliseconds with many taxa;
 * personal_put keeps what was made, in the caller's transaction, unless the volunteer has no session any more: who
 * leaves meanwhile leaves nothing.
 * Owns: the caller releases *out, also when it fails: [{"project": id, "text": the members as text}].
 */
enum status personal_make(
	struct db *db, int64_t volunteer_id, int64_t now_ms, json_t **out, struct err *err) MUST_CHECK;
enum status personal_put(struct db *db, int64_t volunteer_id, const json_t *made, int64_t now_ms,
	struct err *err) MUST_CHECK;
