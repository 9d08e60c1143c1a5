/*
 * A new policy on a project that is under way: open subjects are decided again by it, and who wants to know first what
 * that would do can look at a copy.
 */
#pragma once

#include "fate.h"
#include "project.h"

/*
 * Puts a new version in force, in the caller's transaction; the sweep decides open subjects again by it, and another
 * promise wants another certificate. policy->id and ->version are set.
 */
enum status policy_change(struct db *db, int64_t project_id, struct policy *policy, int64_t now_ms,
	struct err *err) MUST_CHECK;

struct policy_preview {
	int64_t n[N_OUTCOMES][N_OUTCOMES]; /* subjects by what they are and what they would be */
	int64_t n_audits;                  /* drawn for audits that were not */
	int64_t n_relabelled;              /* that have a label and would have another */
};

/*
 * Changes the policy and sweeps to the end. The database is a copy that nobody else uses: it is left changed.
 * Errors: as policy_change; FAULT when memory is out.
 */
enum status policy_preview(struct db *copy, int64_t project_id, struct policy *policy,
	int64_t now_ms, struct policy_preview *out, struct err *err) MUST_CHECK;
