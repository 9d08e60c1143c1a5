/*
 * Tasks: leases on subjects. Which subject a volunteer is given, and what the lease promises: never one that they have
 * answered, the subject with the highest priority first, and nobody else's lease in the way where that can be helped.
 */
#pragma once

#include "classification.h"

enum { TASK_MAX = 10, TASK_MAX_FRAMES = 100, TASK_MAX_LIKELY = 8 };

struct frame {
	int64_t media_id;
	int width_px, height_px; /* of the largest web rendition (long side at most 1280) */
};

struct task {
	int64_t id, subject_id;
	int64_t expires_ms;
	int64_t guess_id; /* the taxon on a confirm card; 0: a blind survey */
	int n_frames;     /* the first TASK_MAX_FRAMES in order of time */
	struct frame *frames;
	/* Taxa that others' labels say are there most, the first first: the same for every subject of a deployment. */
	int n_likely;
	int64_t likely[TASK_MAX_LIKELY];
};

enum task_reason { TASK_SOME, TASK_DONE, TASK_SEEN };

struct task_list {
	int n;
	struct task tasks[TASK_MAX];
	enum task_reason reason; /* why n is 0 */
};

/*
 * Leases up to n_wanted subjects to a volunteer, those already held first. `expert`: from the expert queue (the caller
 * has checked the role). Runs inside the caller's transaction.
 * Owns:   the caller releases *out with task_list_release, also after a failure.
 * Errors: BAD_INPUT when n_wanted is outside 1..TASK_MAX; the database's.
 */
enum status task_next(struct db *db, int64_t project_id, int64_t volunteer_id, bool expert,
	int n_wanted, int64_t now_ms, struct task_list *out, struct err *err) MUST_CHECK;

/* The lease of one given subject again (after an undo). Errors as task_next, NOT_FOUND for an unknown subject. */
enum status task_again(struct db *db, int64_t volunteer_id,
	const struct classification_undone *undone, int64_t now_ms, struct task_list *out,
	struct err *err) MUST_CHECK;

/* Fills in the frames of t->subject_id. Owns: the caller frees t->frames. */
enum status task_frames(struct db *db, struct task *t, struct err *err) MUST_CHECK;

void task_list_release(struct task_list *list);
