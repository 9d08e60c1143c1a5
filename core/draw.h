/*
 * Draws that nobody can game or repeat until they like them: a keyed hash (BLAKE2b, keyed with the data directory's
 * secret) of what is drawn for and which row. The same question always has the same answer.
 */
#pragma once

#include "db.h"

/* Uniform in [0, 1) for (purpose, a, b). Errors: FAULT when the data directory has no secret. */
enum status draw_uniform(struct db *db, const char *purpose, int64_t a, int64_t b, double *out,
	struct err *err) MUST_CHECK;
