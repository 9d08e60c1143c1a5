/*
 * The batches of a prediction: a range of subject ids handed to one worker. What a batch asks for is, at any moment, its
 * range's subjects that the model has not seen yet. Used by job.c; results come through job.h.
 */
#pragma once

#include "job.h"

/*
 * Takes a batch of the job for a worker: one whose lease ran out, else the next n subjects. Where neither is there,
 * out->job_id stays 0, and the job is done unless others hold batches (out->pending).
 */
enum status batch_take(struct db *db, const struct job *job, const char *worker, int n,
	int64_t now_ms, struct job_lease *out, struct err *err) MUST_CHECK;

/* Extends a batch's lease. Errors: NOT_FOUND; CONFLICT it is another's now, or done. */
enum status batch_keep(struct db *db, int64_t job_id, int64_t batch_id, const char *worker,
	int64_t lease_ms, struct err *err) MUST_CHECK;

/*
 * Adds "frames" and "embedding" (of that backbone, base64, or null; backbone NULL: not looked for) to a subject's object.
 */
enum status job_subject_json(struct db *db, int64_t subject_id, const char *backbone, json_t *out,
	struct err *err) MUST_CHECK;
