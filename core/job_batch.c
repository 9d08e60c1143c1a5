/* A prediction's batches: handed out, described, stored. */
#include "job_batch.h"

#include "prediction.h"
#include "registry.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct batch {
	int64_t id, job_id, first_id, last_id;
	char worker[100];
	bool done;
};

static enum status batch_get(
	struct db *db, int64_t job_id, int64_t id, struct batch *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_BATCH_GET, &row, err, "i", id);
	if (st == OK) {
		*out = (struct batch){.id = id,
			.job_id = col_int(row, 0),
			.first_id = col_int(row, 1),
			.last_id = col_int(row, 2),
			.done = col_int(row, 4) != 0};
		snprintf(out->worker, sizeof out->worker, "%s", col_text(row, 3));
		db_done(row);
	}
	if (st == NOT_FOUND || (st == OK && out->job_id != job_id))
		return err_set(
			err, NOT_FOUND, "job %lld has no batch %lld", (long long)job_id, (long long)id);
	return st;
}

/* The job's subjects after `after` that its model has not seen, n_max at most. */
static enum status next_subjects(struct db *db, const struct job *job, int64_t after, int n_max,
	int64_t *ids, int *n, struct err *err)
{
	const char *scope = json_string_value(json_object_get(job->spec, "scope"));
	enum query query = scope && strcmp(scope, "gold") == 0 ? Q_JOB_NEXT_GOLD : Q_JOB_NEXT_ALL;
	struct stmt *rows = db_query(
		db, query, "iiii", job->project_id, after, job->model_id, (int64_t)n_max);
	enum status st = OK;
	*n = 0;
	while (*n < n_max && (st = db_step(rows, err)) == OK)
		ids[(*n)++] = col_int(rows, 0);
	db_done(rows);
	return st == NOT_FOUND ? OK : st;
}

/* What a batch still asks for. */
static enum status batch_subjects(struct db *db, const struct job *job, const struct batch *batch,
	int64_t *ids, int *n, struct err *err)
{
	enum status st = next_subjects(db, job, batch->first_id - 1, JOB_MAX_BATCH, ids, n, err);
	while (*n > 0 && ids[*n - 1] > batch->last_id)
		(*n)--;
	return st;
}

/* Ends the job when nothing is left to hand out and nobody holds any of it. */
static enum status end_if_done(
	struct db *db, const struct job *job, int64_t now_ms, bool *pending, struct err *err)
{
	struct stmt *row = NULL;
	int64_t id = 0;
	int n = 0;
	enum status st = next_subjects(db, job, job->cursor, 1, &id, &n, err);
	if (st != OK || n > 0)
		return st;
	st = db_one(db, Q_BATCH_WAITING, &row, err, "i", job->id);
	if (st != OK)
		return st;
	*pending = col_int(row, 0) > 0;
	db_done(row);
	if (*pending)
		return OK;
	st = job_end(db, job->id, JOB_DONE, NULL, now_ms, err);
	return st == OK ? prediction_settle(db, job->project_id, now_ms, err) : st;
}

enum status batch_take(struct db *db, const struct job *job, const char *worker, int n,
	int64_t now_ms, struct job_lease *out, struct err *err)
{
	struct stmt *row = NULL;
	int64_t ids[JOB_MAX_BATCH];
	int n_ids = 0;
	int64_t until = now_ms + out->lease_ms;
	enum status st = db_one(db, Q_BATCH_EXPIRED, &row, err, "ii", job->id, now_ms);
	if (st == OK) {
		int64_t id = col_int(row, 0), first = col_int(row, 1), last = col_int(row, 2);
		int64_t n_attempts = col_int(row, 3);
		char why[200];
		db_done(row);
		if (n_attempts >= JOB_MAX_ATTEMPTS) {
			snprintf(why, sizeof why,
				"%lld workers took the subjects %lld to %lld and none sent "
				"a result: one of their photographs may bring a worker down",
				(long long)n_attempts, (long long)first, (long long)last);
			return job_end(db, job->id, JOB_FAILED, why, now_ms, err);
		}
		out->job_id = job->id;
		out->batch_id = id;
		return db_run(db, Q_BATCH_TAKE, err, "isi", id, worker, until);
	}
	if (st != NOT_FOUND)
		return st;
	st = next_subjects(db, job, job->cursor, n, ids, &n_ids, err);
	if (st == OK && n_ids == 0)
		return end_if_done(db, job, now_ms, &out->pending, err);
	if (st == OK)
		st = db_run(db, Q_BATCH_ADD, err, "iiisi", job->id, ids[0], ids[n_ids - 1], worker, until);
	if (st == OK) {
		out->job_id = job->id;
		out->batch_id = db_last_id(db);
		st = db_run(db, Q_JOB_SET_CURSOR, err, "ii", job->id, ids[n_ids - 1]);
	}
	return st;
}

enum status batch_keep(struct db *db, int64_t job_id, int64_t batch_id, const char *worker,
	int64_t lease_ms, struct err *err)
{
	struct batch batch;
	enum status st = batch_get(db, job_id, batch_id, &batch, err);
	if (st == OK && batch.done)
		return err_set(err, CONFLICT, "batch %lld is done", (long long)batch_id);
	if (st == OK && strcmp(batch.worker, worker) != 0)
		return err_set(
			err, CONFLICT, "batch %lld is held by %.80s now", (long long)batch_id, batch.worker);
	return st == OK ? db_run(db, Q_BATCH_EXTEND, err, "ii", batch_id, lease_ms) : st;
}

/* One result into the tables. *stored: it was not there before. */
static enum status store_one(struct db *db, const struct job *job, const char *backbone,
	const struct job_result *r, int64_t now_ms, bool *stored, struct err *err)
{
	enum status st;
	if (r->reason) {
		char why[JOB_MAX_REASON];
		snprintf(why, sizeof why, "%s", r->reason);
		st = db_run(db, Q_PREDICTION_PROBLEM_ADD, err, "iis", r->subject_id, job->model_id, why);
		*stored = st == OK && db_changes(db) > 0;
		return st;
	}
	st = prediction_store(
		db, r->subject_id, job->model_id, r->n_frames, r->logits, r->n_logits, now_ms, stored, err);
	if (st == OK && *stored && r->heads)
		st = db_run(db, Q_PREDICTION_SET_HEADS, err, "iis", r->subject_id, job->model_id, r->heads);
	if (st == OK && r->embedding)
		st = db_run(db, Q_EMBEDDING_PUT, err, "siib", backbone, (int64_t)REGISTRY_RENDITION,
			r->subject_id, r->embedding, r->n_embedding_bytes);
	return st;
}

static int by_id(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* Results outside the batch are refused; those that are there already are passed over (a replay, or two workers). */
static enum status store_all(struct db *db, const struct job *job, const struct batch *batch,
	const struct job_result *results, int n_results, int64_t now_ms, int *n_stored, struct err *err)
{
	int64_t ids[JOB_MAX_BATCH];
	int n_ids = 0;
	struct registry_model model = {0};
	enum status st = batch_subjects(db, job, batch, ids, &n_ids, err);
	if (st == OK)
		st = registry_get(db, job->model_id, &model, err);
	for (int i = 0; st == OK && i < n_results; i++) {
		const struct job_result *r = &results[i];
		bool stored = false;
		if (r->subject_id < batch->first_id || r->subject_id > batch->last_id)
			st = err_set(err, BAD_INPUT, "subject %lld is not of batch %lld",
				(long long)r->subject_id, (long long)batch->id);
		else if (bsearch(&r->subject_id, ids, (size_t)n_ids, sizeof *ids, by_id))
			st = store_one(db, job, model.backbone, r, now_ms, &stored, err);
		*n_stored += stored;
	}
	registry_release(&model);
	if (st == OK)
		st = batch_subjects(db, job, batch, ids, &n_ids, err);
	if (st == OK && n_ids > 0)
		st = err_set(err, BAD_INPUT,
			"the results of batch %lld lack subject %lld: send all at once", (long long)batch->id,
			(long long)ids[0]);
	return st;
}

enum status job_store(struct db *db, int64_t id, int64_t batch_id, const struct job_result *results,
	int n_results, int64_t now_ms, int *n_stored, struct err *err)
{
	struct job job;
	struct batch batch = {0};
	bool pending = false;
	*n_stored = 0;
	enum status st = job_get(db, id, &job, err);
	if (st == OK)
		st = batch_get(db, id, batch_id, &batch, err);
	if (st == OK && (job.state == JOB_CANCELLED || job.state == JOB_FAILED))
		st = err_set(err, CONFLICT, "job %lld is %s: its results are not wanted", (long long)id,
			job_state_name(job.state));
	if (st == OK && !batch.done) {
		st = store_all(db, &job, &batch, results, n_results, now_ms, n_stored, err);
		if (st == OK)
			st = db_run(db, Q_BATCH_DONE, err, "i", batch_id);
		if (st == OK)
			st = db_run(db, Q_JOB_ADD_DONE, err, "ii", id, (int64_t)*n_stored);
		if (st == OK)
			st = end_if_done(db, &job, now_ms, &pending, err);
	}
	job_release(&job);
	return st;
}

/* The frames of a subject, in order of time. */
static enum status frames_json(struct db *db, int64_t subject_id, json_t *out, struct err *err)
{
	struct stmt *rows = db_query(db, Q_JOB_FRAMES, "i", subject_id);
	enum status st;
	while ((st = db_step(rows, err)) == OK) {
		char hex[65];
		size_t n = 0;
		const void *sha256 = col_blob(rows, 0, &n);
		sodium_bin2hex(hex, sizeof hex, sha256, n);
		json_t *frame = json_pack("{s:s, s:I, s:I}", "sha256", hex, "crop",
			(json_int_t)col_int(rows, 1), "px", (json_int_t)col_int(rows, 7));
		if (!col_null(rows, 2))
			json_object_set_new(frame, "focus",
				json_pack("[f, f, f, f, f]", col_real(rows, 2), col_real(rows, 3),
					col_real(rows, 4), col_real(rows, 5), col_real(rows, 6)));
		json_array_append_new(out, frame);
	}
	return st == NOT_FOUND ? OK : st;
}

enum status job_subject_json(
	struct db *db, int64_t subject_id, const char *backbone, json_t *out, struct err *err)
{
	json_t *frames = json_array();
	struct stmt *row = NULL;
	char *text = NULL;
	enum status st = frames_json(db, subject_id, frames, err);
	json_object_set_new(out, "frames", frames);
	if (st == OK && backbone) {
		st = db_one(db, Q_EMBEDDING_GET, &row, err, "sii", backbone, (int64_t)REGISTRY_RENDITION,
			subject_id);
		if (st == OK) {
			size_t n = 0;
			const unsigned char *vec = col_blob(row, 0, &n);
			size_t n_text = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL);
			text = xmalloc(n_text);
			sodium_bin2base64(text, n_text, vec, n, sodium_base64_VARIANT_ORIGINAL);
			db_done(row);
		}
		st = st == NOT_FOUND ? OK : st;
	}
	json_object_set_new(out, "embedding", text ? json_string(text) : json_null());
	free(text);
	return st;
}

static enum status describe_predict(
	struct db *db, const struct job *job, int64_t batch_id, json_t *out, struct err *err)
{
	struct batch batch = {0};
	struct registry_model model = {0};
	int64_t ids[JOB_MAX_BATCH];
	int n = 0;
	json_t *subjects = json_array();
	enum status st = batch_get(db, job->id, batch_id, &batch, err);
	if (st == OK)
		st = registry_get(db, job->model_id, &model, err);
	if (st == OK)
		st = batch_subjects(db, job, &batch, ids, &n, err);
	for (int i = 0; st == OK && i < n; i++) {
		json_t *subject = json_pack("{s:I}", "id", (json_int_t)ids[i]);
		st = job_subject_json(db, ids[i], model.backbone, subject, err);
		json_array_append_new(subjects, subject);
	}
	json_object_set_new(out, "batch", json_integer(batch_id));
	json_object_set_new(out, "model",
		json_pack("{s:I, s:s}", "id", (json_int_t)job->model_id, "sha256", model.sha256));
	json_object_set_new(out, "subjects", subjects);
	registry_release(&model);
	return st;
}

static enum status describe_train(
	struct db *db, const struct job *job, json_t *out, struct err *err)
{
	struct registry_model parent = {0};
	json_t *spec = json_deep_copy(job->spec);
	int64_t parent_id = json_integer_value(json_object_get(spec, "parent"));
	enum status st = parent_id ? registry_get(db, parent_id, &parent, err) : OK;
	if (st == OK && parent_id)
		json_object_set_new(spec, "parent",
			json_pack("{s:I, s:s, s:s}", "id", (json_int_t)parent_id, "sha256", parent.sha256,
				"name", parent.name));
	json_object_set_new(out, "spec", spec);
	registry_release(&parent);
	return st;
}

enum status job_describe(
	struct db *db, const struct job_lease *lease, json_t **out, struct err *err)
{
	struct job job;
	*out = json_object();
	enum status st = job_get(db, lease->job_id, &job, err);
	if (st == OK) {
		json_object_set_new(*out, "id", json_integer(job.id));
		json_object_set_new(*out, "kind", json_string(job_kind_name(job.kind)));
		json_object_set_new(*out, "lease_s", json_real((double)lease->lease_ms / 1000));
		st = job.kind == JOB_PREDICT ? describe_predict(db, &job, lease->batch_id, *out, err)
									 : describe_train(db, &job, *out, err);
	}
	if (st != OK) {
		json_decref(*out);
		*out = NULL;
	}
	job_release(&job);
	return st;
}
