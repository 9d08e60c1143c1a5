/*
 * Jobs: work that workers take over HTTP. A training is one lease; a prediction is handed out in batches of subjects. A
 * lease ends by the server's clock (now_ms) unless a heartbeat extends it, and then the next one who asks gets the work;
 * results are stored once, whoever sends them and however often. After JOB_MAX_ATTEMPTS a job fails with the reason.
 *
 * Rule: functions that change something run inside the caller's transaction.
 */
#pragma once

#include "db.h"

#include <jansson.h>

enum {
	JOB_MAX_ATTEMPTS = 5,
	JOB_MAX_BATCH = 256,   /* subjects */
	JOB_LEASE_MS = 60000,  /* unless the setting 'lease_ms' says otherwise */
	JOB_MAX_REASON = 1000, /* bytes of a worker's words that are kept */
};

enum job_kind { JOB_PREDICT, JOB_TRAIN };
enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED };

struct job {
	int64_t id, project_id, model_id; /* model_id 0: a training that has not ended */
	enum job_kind kind;
	enum job_state state;
	int64_t cursor, n_total, n_done, lease_ms;
	int n_attempts;
	json_t *spec, *progress; /* objects */
	char error[200];         /* why it failed, or the last attempt did; else empty */
	char worker[100];
};

/* Owns: the caller releases *out with job_release, also after a failure. Errors: NOT_FOUND. */
enum status job_get(struct db *db, int64_t id, struct job *out, struct err *err) MUST_CHECK;
void job_release(struct job *job);
const char *job_kind_name(enum job_kind kind);
const char *job_state_name(enum job_state state);

/*
 * Queues the prediction of every subject that the model has not seen; gold_only: of the certification gold, which comes
 * first so that a certificate need not wait for the rest. One that would do the same, as it waits already or is under
 * way to all subjects, is returned instead. Errors: NOT_FOUND model; BAD_INPUT when the model has no classes.
 */
enum status job_add_predict(struct db *db, int64_t model_id, bool gold_only, int64_t now_ms,
	int64_t *id, struct err *err) MUST_CHECK;

/* The same for the model that is current in a project now; without one there is nothing to do. */
enum status job_add_current(
	struct db *db, int64_t project_id, int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * A subject's frames are others now: what a worker is just finding out about it (and about its batch) will not be stored,
 * and predictions under way come to it again. Its stored predictions are prediction_forget's.
 */
enum status job_frames_changed(
	struct db *db, int64_t project_id, int64_t subject_id, struct err *err) MUST_CHECK;

struct train_request {
	const char *arch; /* from scratch; NULL: the parent's */
	bool head;        /* the last layer only; wants a parent */
	int64_t n_epochs; /* 0: chosen by the worker */
	int64_t seed;
	int64_t parent_id; /* 0: from scratch */
	const char
		*recipe; /* a JSON object, the worker's to understand (docs/model.md); NULL: its own */
};

/* Queues a training. Errors: BAD_INPUT head without a parent, arch with one, a recipe that is no object; NOT_FOUND the parent. */
enum status job_add_train(struct db *db, int64_t project_id, const struct train_request *request,
	int64_t now_ms, int64_t *id, struct err *err) MUST_CHECK;

struct job_lease {
	int64_t job_id;   /* 0: there is nothing to take */
	int64_t batch_id; /* of a prediction */
	int64_t lease_ms; /* length of the lease */
	bool pending;     /* nothing to take, but others hold work that may come back */
};

/* Takes work for a worker: at most n subjects of a prediction, or a training. Errors: BAD_INPUT name or n. */
enum status job_take(struct db *db, const char *worker, int n, int64_t now_ms,
	struct job_lease *out, struct err *err) MUST_CHECK;

/* JOB as docs/api.md has it. Owns: the caller json_decrefs *out. */
enum status job_describe(
	struct db *db, const struct job_lease *lease, json_t **out, struct err *err) MUST_CHECK;

/*
 * Extends a lease. progress: JSON text, kept (for a training its "epoch" and "n_epochs" are counted); NULL: nothing new.
 * *cancel: stop, nobody wants the result. Errors: CONFLICT the lease is another's now; NOT_FOUND.
 */
enum status job_heartbeat(struct db *db, int64_t id, const char *worker, int64_t batch_id,
	const char *progress, int64_t now_ms, bool *cancel, struct err *err) MUST_CHECK;

struct job_result {
	int64_t subject_id;
	const char *reason; /* why there is no prediction; NULL: there is one, as follows */
	int n_frames;
	const float *logits; /* [n_logits] mean of the frames' */
	int n_logits;
	const void *embedding; /* float16, little endian; NULL: none */
	size_t n_embedding_bytes;
	const char *heads; /* prediction.heads; NULL: species only */
};

/*
 * Stores a batch's results, all or none. *n_stored: those that were not there before.
 * Errors: BAD_INPUT a subject is not of the batch or one of the batch's is missing; CONFLICT the job was cancelled or
 * failed; NOT_FOUND; those of prediction_store.
 */
enum status job_store(struct db *db, int64_t id, int64_t batch_id, const struct job_result *results,
	int n_results, int64_t now_ms, int *n_stored, struct err *err) MUST_CHECK;

/*
 * An attempt ended badly; the work goes to whoever asks next. final: it would end so everywhere, the job fails now.
 * A worker that does not hold the work any more changes nothing.
 */
enum status job_give_up(struct db *db, int64_t id, const char *worker, const char *why, bool final,
	int64_t now_ms, struct err *err) MUST_CHECK;

/* Errors: CONFLICT when it has ended already. */
enum status job_cancel(struct db *db, int64_t id, int64_t now_ms, struct err *err) MUST_CHECK;

/* Ends a job: done, failed or cancelled (why: NULL where there is nothing to say). Ended jobs stay as they are. */
enum status job_end(struct db *db, int64_t id, enum job_state state, const char *why,
	int64_t now_ms, struct err *err) MUST_CHECK;
