/* Jobs: made, taken, kept alive, given up. What a prediction's batches carry is in job_batch.c. */
#include "job.h"

#include "job_batch.h"
#include "registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"predict", "train"};
static const char *const states[] = {"queued", "running", "done", "failed", "cancelled"};

const char *job_kind_name(enum job_kind kind)
{
	return kinds[kind];
}

const char *job_state_name(enum job_state state)
{
	return states[state];
}

static int index_of(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return 0; /* the schema allows no other */
}

enum status job_get(struct db *db, int64_t id, struct job *out, struct err *err)
{
	struct stmt *row = NULL;
	*out = (struct job){0};
	enum status st = db_one(db, Q_JOB_GET, &row, err, "i", id);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "there is no job %lld", (long long)id);
	if (st != OK)
		return st;
	out->id = col_int(row, 0);
	out->project_id = col_int(row, 1);
	out->kind = (enum job_kind)index_of(kinds, 2, col_text(row, 2));
	out->model_id = col_int(row, 3);
	out->spec = json_loads(col_text(row, 4), 0, NULL);
	out->state = (enum job_state)index_of(states, 5, col_text(row, 5));
	out->cursor = col_int(row, 6);
	out->n_total = col_int(row, 7);
	out->n_done = col_int(row, 8);
	out->progress = json_loads(col_text(row, 9), 0, NULL);
	snprintf(out->error, sizeof out->error, "%s", col_text(row, 10));
	snprintf(out->worker, sizeof out->worker, "%s", col_text(row, 11));
	out->lease_ms = col_int(row, 12);
	out->n_attempts = (int)col_int(row, 13);
	db_done(row);
	return OK;
}

void job_release(struct job *job)
{
	json_decref(job->spec);
	json_decref(job->progress);
	*job = (struct job){0};
}

static enum status add(struct db *db, int64_t project_id, enum job_kind kind, int64_t model_id,
	const char *spec, int64_t n_total, int64_t now_ms, int64_t *id, struct err *err)
{
	const int64_t *model = model_id ? &model_id : NULL;
	enum status st = db_run(
		db, Q_JOB_ADD, err, "isIsii", project_id, kinds[kind], model, spec, n_total, now_ms);
	*id = db_last_id(db);
	return st;
}

enum status job_add_predict(
	struct db *db, int64_t model_id, bool gold_only, int64_t now_ms, int64_t *id, struct err *err)
{
	struct stmt *row = NULL;
	struct registry_model model = {0};
	const char *spec = gold_only ? "{\"scope\":\"gold\"}" : "{\"scope\":\"all\"}";
	int64_t n_done = 0, n_left = 0;
	bool there = false;
	enum status st = registry_get(db, model_id, &model, err);
	if (st == OK && json_array_size(model.classes) == 0)
		st = err_set(err, BAD_INPUT,
			"model %.60s is a backbone without classes: train a head on it first", model.name);
	if (st != OK)
		goto done;
	/* A running job reaches every subject it has not reached; but gold may also be drawn of those that it has passed. */
	st = db_one(db, Q_JOB_LIKE, &row, err, "isi", model_id, spec, (int64_t)!gold_only);
	if (st == OK) {
		there = true;
		*id = col_int(row, 0);
		n_done = col_int(row, 1);
		db_done(row);
	}
	if (st == OK || st == NOT_FOUND)
		st = db_one(db, gold_only ? Q_JOB_COUNT_GOLD : Q_JOB_COUNT_ALL, &row, err, "ii",
			model.project_id, model_id);
	if (st != OK)
		goto done;
	n_left = col_int(row, 0);
	db_done(row);
	st = there ? db_run(db, Q_JOB_SET_TOTAL, err, "ii", *id, n_done + n_left)
			   : add(db, model.project_id, JOB_PREDICT, model_id, spec, n_left, now_ms, id, err);
done:
	registry_release(&model);
	return st;
}

enum status job_add_current(struct db *db, int64_t project_id, int64_t now_ms, struct err *err)
{
	struct stmt *row = NULL;
	int64_t id = 0;
	enum status st = db_one(db, Q_REGISTRY_CURRENT, &row, err, "i", project_id);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	int64_t model_id = col_int(row, 0);
	db_done(row);
	return job_add_predict(db, model_id, false, now_ms, &id, err);
}

enum status job_frames_changed(
	struct db *db, int64_t project_id, int64_t subject_id, struct err *err)
{
	enum status st = db_run(db, Q_JOB_REWIND, err, "ii", project_id, subject_id);
	return st == OK ? db_run(db, Q_BATCH_VOID, err, "ii", project_id, subject_id) : st;
}

enum status job_add_train(struct db *db, int64_t project_id, const struct train_request *r,
	int64_t now_ms, int64_t *id, struct err *err)
{
	struct registry_model parent = {0};
	json_t *recipe = r->recipe ? json_loads(r->recipe, 0, NULL) : NULL;
	enum status st = OK;
	if (r->recipe && !json_is_object(recipe))
		st = err_set(err, BAD_INPUT, "the recipe is no JSON object");
	else if (r->head && !r->parent_id)
		st = err_set(err, BAD_INPUT, "a head is trained on a model: name one with --from");
	else if (!r->arch && !r->parent_id)
		st = err_set(err, BAD_INPUT, "a training from scratch needs an arch");
	if (st == OK && r->parent_id)
		st = registry_get(db, r->parent_id, &parent, err);
	if (st == OK && r->parent_id && r->arch && strcmp(parent.arch, r->arch) != 0)
		st = err_set(err, BAD_INPUT, "model %.60s is a %s, not a %.30s: leave --arch out",
			parent.name, parent.arch, r->arch);
	if (st == OK && r->parent_id && strcmp(parent.arch, "ensemble") == 0)
		st = err_set(err, BAD_INPUT, "model %.60s is an ensemble: train from one of its members",
			parent.name);
	if (st == OK && r->parent_id && parent.project_id != project_id)
		st = err_set(
			err, BAD_INPUT, "model %lld belongs to another project", (long long)r->parent_id);
	if (st == OK) {
		json_t *spec = json_pack("{s:s, s:s, s:I, s:o, s:o}", "arch",
			r->parent_id ? parent.arch : r->arch, "mode", r->head ? "head" : "full", "seed",
			(json_int_t)r->seed, "epochs", r->n_epochs ? json_integer(r->n_epochs) : json_null(),
			"parent", r->parent_id ? json_integer(r->parent_id) : json_null());
		if (recipe)
			json_object_set(spec, "recipe", recipe);
		char *text = json_dumps(spec, JSON_COMPACT);
		st = text ? add(db, project_id, JOB_TRAIN, 0, text, r->n_epochs, now_ms, id, err)
				  : err_set(err, BAD_INPUT, "the arch is not UTF-8");
		free(text);
		json_decref(spec);
	}
	json_decref(recipe);
	registry_release(&parent);
	return st;
}

enum status job_end(struct db *db, int64_t id, enum job_state state, const char *why,
	int64_t now_ms, struct err *err)
{
	enum status st = db_run(db, Q_JOB_END, err, "issi", id, states[state], why, now_ms);
	if (st == OK)
		st = db_run(db, Q_ITEM_REMOVE, err, "i", id);
	return st;
}

enum status job_cancel(struct db *db, int64_t id, int64_t now_ms, struct err *err)
{
	struct job job;
	enum status st = job_get(db, id, &job, err);
	if (st == OK && job.state > JOB_RUNNING)
		st = err_set(
			err, CONFLICT, "job %lld has ended: it is %s", (long long)id, states[job.state]);
	if (st == OK)
		st = job_end(db, id, JOB_CANCELLED, NULL, now_ms, err);
	job_release(&job);
	return st;
}

static enum status lease_length(struct db *db, int64_t *ms, struct err *err)
{
	struct stmt *row = NULL;
	*ms = JOB_LEASE_MS;
	enum status st = db_one(db, Q_SETTING_GET, &row, err, "s", "lease_ms");
	if (st == OK) {
		long long value = strtoll(col_text(row, 0), NULL, 10);
		if (value > 0)
			*ms = value;
		db_done(row);
	}
	return st == NOT_FOUND ? OK : st;
}

static enum status worn_out(struct db *db, const struct job *job, int64_t now_ms, struct err *err)
{
	char why[300];
	snprintf(why, sizeof why, "%d attempts ended without a result; the last said: %s",
		job->n_attempts, job->error[0] ? job->error : "nothing, its lease ran out");
	return job_end(db, job->id, JOB_FAILED, why, now_ms, err);
}

static enum status take_train(struct db *db, const struct job *job, const char *worker,
	int64_t now_ms, struct job_lease *out, struct err *err)
{
	if (job->state == JOB_RUNNING && job->lease_ms > now_ms) {
		out->pending = true;
		return OK;
	}
	if (job->n_attempts >= JOB_MAX_ATTEMPTS)
		return worn_out(db, job, now_ms, err);
	out->job_id = job->id;
	return db_run(db, Q_JOB_SET_LEASE, err, "isi", job->id, worker, now_ms + out->lease_ms);
}

/* The open jobs' ids, so that no statement is being stepped while they are looked at. */
static enum status open_jobs(struct db *db, int64_t *ids, int n_max, int *n, struct err *err)
{
	struct stmt *rows = db_query(db, Q_JOB_OPEN, "");
	enum status st = OK;
	*n = 0;
	while (*n < n_max && (st = db_step(rows, err)) == OK)
		ids[(*n)++] = col_int(rows, 0);
	db_done(rows);
	return st == NOT_FOUND ? OK : st;
}

static enum status check_worker(const char *worker, struct err *err)
{
	size_t n = worker ? strlen(worker) : 0;
	if (n == 0 || n >= sizeof((struct job *)0)->worker)
		return err_set(err, BAD_INPUT, "a worker's name has 1 to 99 bytes, this one has %zu", n);
	return OK;
}

enum status job_take(struct db *db, const char *worker, int n, int64_t now_ms,
	struct job_lease *out, struct err *err)
{
	int64_t ids[64];
	int n_ids = 0;
	*out = (struct job_lease){0};
	enum status st = check_worker(worker, err);
	if (st == OK && (n < 1 || n > JOB_MAX_BATCH))
		st = err_set(err, BAD_INPUT, "n is %d: 1 to %d subjects are handed out", n, JOB_MAX_BATCH);
	if (st == OK)
		st = lease_length(db, &out->lease_ms, err);
	if (st == OK)
		st = open_jobs(db, ids, 64, &n_ids, err);
	for (int i = 0; st == OK && i < n_ids && !out->job_id; i++) {
		struct job job;
		st = job_get(db, ids[i], &job, err);
		if (st == OK && job.kind == JOB_PREDICT && job.n_attempts >= JOB_MAX_ATTEMPTS)
			st = worn_out(db, &job, now_ms, err);
		else if (st == OK && job.kind == JOB_PREDICT)
			st = batch_take(db, &job, worker, n, now_ms, out, err);
		else if (st == OK)
			st = take_train(db, &job, worker, now_ms, out, err);
		job_release(&job);
	}
	return st;
}

static enum status keep_train(struct db *db, const struct job *job, const char *worker,
	const char *progress, int64_t lease_ms, struct err *err)
{
	int64_t epoch = 0, n_epochs = 0;
	if (strcmp(job->worker, worker) != 0)
		return err_set(
			err, CONFLICT, "job %lld is held by %.80s now", (long long)job->id, job->worker);
	json_t *p = progress ? json_loads(progress, 0, NULL) : NULL;
	bool counted = json_is_integer(json_object_get(p, "epoch")) &&
		json_is_integer(json_object_get(p, "n_epochs"));
	if (counted) {
		epoch = json_integer_value(json_object_get(p, "epoch"));
		n_epochs = json_integer_value(json_object_get(p, "n_epochs"));
	}
	char *kept = json_dumps(json_is_object(p) ? p : job->progress, JSON_COMPACT);
	enum status st = db_run(db, Q_JOB_SET_PROGRESS, err, "iIsII", job->id, &lease_ms,
		kept ? kept : "{}", counted ? &epoch : NULL, counted ? &n_epochs : NULL);
	free(kept);
	json_decref(p);
	return st;
}

enum status job_heartbeat(struct db *db, int64_t id, const char *worker, int64_t batch_id,
	const char *progress, int64_t now_ms, bool *cancel, struct err *err)
{
	struct job job = {0};
	int64_t ms = 0;
	*cancel = false;
	enum status st = check_worker(worker, err);
	if (st == OK)
		st = job_get(db, id, &job, err);
	if (st == OK)
		st = lease_length(db, &ms, err);
	if (st == OK && (job.state == JOB_CANCELLED || job.state == JOB_FAILED))
		*cancel = true;
	else if (st == OK && job.state == JOB_DONE)
		st = err_set(err, CONFLICT, "job %lld is done", (long long)id);
	else if (st == OK && job.kind == JOB_PREDICT)
		st = batch_keep(db, id, batch_id, worker, now_ms + ms, err);
	else if (st == OK)
		st = keep_train(db, &job, worker, progress, now_ms + ms, err);
	job_release(&job);
	return st;
}

enum status job_give_up(struct db *db, int64_t id, const char *worker, const char *why, bool final,
	int64_t now_ms, struct err *err)
{
	struct job job = {0};
	int n_dropped = 0;
	enum status st = check_worker(worker, err);
	if (st == OK)
		st = job_get(db, id, &job, err);
	if (st == OK && job.state == JOB_RUNNING) {
		if (job.kind == JOB_PREDICT) {
			st = db_run(db, Q_BATCH_DROP, err, "isi", id, worker, now_ms);
			n_dropped = db_changes(db);
		} else {
			n_dropped = strcmp(job.worker, worker) == 0 && job.lease_ms > now_ms;
		}
		if (st == OK && n_dropped > 0 && final)
			st = job_end(db, id, JOB_FAILED, why, now_ms, err);
		else if (st == OK && n_dropped > 0) /* a training's attempt was counted when it was taken */
			st = db_run(db, Q_JOB_SET_ERROR, err, "isii", id, why, now_ms,
				(int64_t)(job.kind == JOB_PREDICT));
	}
	job_release(&job);
	return st;
}
