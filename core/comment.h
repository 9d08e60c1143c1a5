/*
 * What volunteers say to each other about a subject. Nobody reads it before their own answer, so that it sways none; who has
 * read what others say, and then takes the answer back, gives a second one that is no evidence (as after policy.reveal). So is
 * every answer that a moderator or expert gives after having read of the subject among a project's comments.
 */
#pragma once

#include "db.h"

enum { COMMENT_MAX = 500 }; /* characters */

/* Errors: DENIED the volunteer has no answer to the subject in force; NOT_FOUND the project has no such subject. */
enum status comment_may(struct db *db, int64_t project_id, int64_t subject_id, int64_t volunteer_id,
	struct err *err) MUST_CHECK;

/* In the caller's transaction. Errors: those of comment_may; BAD_INPUT the text. */
struct comment {
	int64_t project_id, subject_id, volunteer_id;
	const char *text;
};
enum status comment_add(struct db *db, const struct comment *comment, int64_t now_ms, int64_t *id,
	struct err *err) MUST_CHECK;

/* Whether there is something of others' to read that this volunteer has not been marked for; and marks them. */
enum status comment_is_news(
	struct db *db, int64_t subject_id, int64_t volunteer_id, bool *out, struct err *err) MUST_CHECK;
enum status comment_read(
	struct db *db, int64_t subject_id, int64_t volunteer_id, struct err *err) MUST_CHECK;

/* Somebody who keeps the talk friendly has read what others say of a subject: an answer that they have given stays as it is, but
 * none from now on, a second one included, is evidence. */
enum status comment_overhear(struct db *db, int64_t project_id, int64_t subject_id,
	int64_t volunteer_id, int64_t now_ms, struct err *err) MUST_CHECK;

/* Hides a comment from all but moderators, with why, or shows it again (why NULL). Errors: NOT_FOUND. */
enum status comment_hide(struct db *db, int64_t project_id, int64_t id, int64_t moderator_id,
	const char *why, int64_t now_ms, struct err *err) MUST_CHECK;
