/*
 * Projects, their taxa and policies, from and to JSON files.
 */
#pragma once

#include "db.h"

#include <jansson.h>

/*
 * Makes a project from a project file: {"slug", "title", "description"?, "gap_s"?, "taxa": [{"code", "kind",
 * "common_name", "scientific_name"?, "rank"?, "hotkey"?, "protected"?}], "camtrap"?: {...}, "policy"?: {...}}.
 * Errors: BAD_INPUT with the field that is wrong and what would be right; CONFLICT the slug is taken.
 */
enum status project_add(struct db *db, const json_t *file, int64_t now_ms, int64_t *id,
	struct err *err) MUST_CHECK;

/* The id of a slug. Errors: NOT_FOUND. */
enum status project_find(struct db *db, const char *slug, int64_t *id, struct err *err) MUST_CHECK;
