/*
 * What a volunteer says of a subject's photographs besides what is on them. A person, or what nobody should have to see,
 * hides them at once from all but experts and admins, and sends the subject to the expert queue; a favourite is a private note.
 */
#pragma once

#include "db.h"

enum flag_kind {
	FLAG_PERSON,
	FLAG_OFFENSIVE,
	FLAG_DAMAGED,
	FLAG_WRONG_BURST,
	FLAG_FAVOURITE,
	N_FLAG_KINDS
};

/* Flags that hide a subject, of one volunteer in a day. */
enum { FLAG_DAY_MAX = 20 };

/* Errors: BAD_INPUT. */
enum status flag_parse(const char *text, enum flag_kind *out, struct err *err) MUST_CHECK;
/* Whether it hides the subject. */
bool flag_hides(enum flag_kind kind);

struct flag {
	int64_t project_id, subject_id, volunteer_id;
	enum flag_kind kind;
};

/*
 * Sets a flag or takes it back; either is idempotent. One that an expert has closed stays closed. In the caller's transaction.
 * Errors: NOT_FOUND the project has no such subject; DENIED it was never given to the volunteer; CONFLICT too many in a day.
 */
enum status flag_set(
	struct db *db, const struct flag *flag, bool on, int64_t now_ms, struct err *err) MUST_CHECK;

/* An expert has looked at what a subject's flags of this kind say. */
enum status flag_close(struct db *db, int64_t subject_id, enum flag_kind kind, int64_t now_ms,
	struct err *err) MUST_CHECK;
