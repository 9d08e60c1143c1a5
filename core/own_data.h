/* Everything that is kept about a volunteer, as JSON, for themselves. */
#pragma once

#include "db.h"

#include <stdio.h>

/*
 * Writes one JSON object: "account", "sessions", "answers" (all, those taken back too), "leases", "flags", "comments",
 * "practice", "overheard", "skill" (as their page last said; the label model's own numbers would tell which subjects were
 * gold). In constant memory; times are Unix milliseconds. Errors: FULL when `out` does not take it; the database's.
 */
enum status own_data_write(
	struct db *db, int64_t volunteer_id, int64_t now_ms, FILE *out, struct err *err) MUST_CHECK;
