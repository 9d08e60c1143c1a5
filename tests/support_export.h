/*
 * A project made by hand for the tests of exports: two time zones, every state and decider, a protected taxon, a person,
 * names with commas, quotes, newlines, pipes and letters beyond ASCII. Its project has id 1.
 */
#pragma once

#include "db.h"

static const int64_t export_world_ms = 1700000000000; /* 2023-11-14T22:13:20Z */

/* Makes the data directory, opens it. Returns 0, or -1 with the reason printed. */
int export_world_make(const char *data, struct db **out);

/* Runs SQL on it. Returns 0, or -1 with the reason printed. */
int export_world_sql(const char *data, const char *sql);
