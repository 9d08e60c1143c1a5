/*
 * A project's labels, as `topi export --format csv` wrote them, beside the truth.
 */
#pragma once

#include "crowd.h"
#include "truth.h"

#include <stdbool.h>
#include <stdint.h>

struct table_row {
	int64_t id; /* the subject's */
	const struct truth_row *truth;
	int label; /* TAXON_*, or -1 where there is none */
	char state[12], decided_by[12];
	char gold[16];       /* purpose, or empty */
	bool audited;        /* an auto-label that was drawn blind */
	int64_t certificate; /* that the label stands on; 0: none */
	int n_answers;       /* counted, "can't tell" too */
};

struct table {
	struct table_row *rows;
	int n;
	int64_t max_id;
};

/*
 * Reads an export; a subject's truth is that of its first file.
 * Owns: *out is the caller's, table_release frees it, also after a failure; rows point into truth.
 * Errors: NOT_FOUND, or BAD_INPUT: a column is missing, a label or first file is unknown, or there
 *         are more rows than the truth has.
 */
enum status table_load(
	struct table *out, const char *path, const struct truth *truth, struct err *err) MUST_CHECK;
void table_release(struct table *t);
