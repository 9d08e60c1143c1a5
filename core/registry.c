/* The registry's rows: read, added, promoted. Its files are in registry_file.c. */
#include "registry.h"

#include "job.h"

#include <ctype.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status registry_get(struct db *db, int64_t id, struct registry_model *out, struct err *err)
{
	struct stmt *row = NULL;
	size_t n = 0;
	*out = (struct registry_model){0};
	enum status st = db_one(db, Q_REGISTRY_GET, &row, err, "i", id);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "there is no model %lld", (long long)id);
	if (st != OK)
		return st;
	out->id = col_int(row, 0);
	out->project_id = col_int(row, 1);
	snprintf(out->name, sizeof out->name, "%s", col_text(row, 2));
	const void *sha256 = col_blob(row, 3, &n);
	sodium_bin2hex(out->sha256, sizeof out->sha256, sha256, n);
	snprintf(out->arch, sizeof out->arch, "%s", col_text(row, 4));
	snprintf(out->backbone, sizeof out->backbone, "%s", col_text(row, 5));
	out->classes = json_loads(col_text(row, 6), 0, NULL);
	out->parent_id = col_int(row, 7);
	snprintf(out->state, sizeof out->state, "%s", col_text(row, 8));
	out->spec = json_loads(col_text(row, 9), 0, NULL);
	out->report = json_loads(col_text(row, 10), 0, NULL);
	out->calibrated = !col_null(row, 11);
	out->w0 = col_real(row, 11);
	out->w1 = col_real(row, 12);
	out->n_calibration = (int)col_int(row, 13);
	out->created_ms = col_int(row, 14);
	out->promoted_ms = col_int(row, 15);
	out->n_trained_on = col_int(row, 16);
	out->n_predictions = col_int(row, 17);
	db_done(row);
	return OK;
}

void registry_release(struct registry_model *model)
{
	json_decref(model->classes);
	json_decref(model->spec);
	json_decref(model->report);
	*model = (struct registry_model){0};
}

enum status registry_find(
	struct db *db, int64_t project_id, const char *name, int64_t *id, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_REGISTRY_BY_NAME, &row, err, "is", project_id, name);
	if (st == OK) {
		*id = col_int(row, 0);
		db_done(row);
	} else if (st == NOT_FOUND && isdigit((unsigned char)name[0])) {
		struct registry_model model;
		*id = strtoll(name, NULL, 10);
		st = registry_get(db, *id, &model, err);
		if (st == OK && model.project_id != project_id)
			st = NOT_FOUND;
		registry_release(&model);
	}
	return st == NOT_FOUND ? err_set(err, st, "the project has no model '%.60s'", name) : st;
}

enum status registry_list(
	struct db *db, int64_t project_id, int64_t *ids, int n_max, int *n, struct err *err)
{
	struct stmt *rows = db_query(db, Q_REGISTRY_LIST, "i", project_id);
	enum status st = OK;
	*n = 0;
	while (*n < n_max && (st = db_step(rows, err)) == OK)
		ids[(*n)++] = col_int(rows, 0);
	db_done(rows);
	return st == NOT_FOUND ? OK : st;
}

/* The file's class texts as [{"taxon": id, "prior": p}]. */
static enum status map_classes(struct db *db, int64_t project_id, const struct registry_file *file,
	json_t *out, struct err *err)
{
	size_t n = json_array_size(file->classes);
	if (file->prior && json_array_size(file->prior) != n)
		return err_set(err, BAD_INPUT, "the model has %zu classes and %zu class shares", n,
			json_array_size(file->prior));
	for (size_t i = 0; i < n; i++) {
		const char *code = json_string_value(json_array_get(file->classes, i));
		double prior = file->prior ? json_number_value(json_array_get(file->prior, i))
								   : 1.0 / (double)n;
		struct stmt *row = NULL;
		enum status st = db_one(db, Q_TAXON_BY_CODE, &row, err, "is", project_id, code);
		if (st == NOT_FOUND)
			return err_set(err, BAD_INPUT, "the model's class '%.60s' is no taxon of the project",
				code ? code : "");
		if (st != OK)
			return st;
		int64_t taxon = col_int(row, 0);
		db_done(row);
		if (!isfinite(prior) || prior < 0 || prior > 1)
			return err_set(err, BAD_INPUT, "the share of class '%.60s' is %g", code, prior);
		for (size_t j = 0; j < i; j++)
			if (json_integer_value(json_object_get(json_array_get(out, j), "taxon")) == taxon)
				return err_set(err, BAD_INPUT, "the model has class '%.60s' twice", code);
		json_array_append_new(
			out, json_pack("{s:I, s:f}", "taxon", (json_int_t)taxon, "prior", prior));
	}
	return OK;
}

struct new_model {
	int64_t project_id, parent_id;
	const char *name; /* NULL: the next m<number> */
	const json_t *spec;
	int64_t now_ms;
};

static enum status add(struct db *db, const struct new_model *new, const struct registry_file *file,
	json_t *classes, int64_t *id, struct err *err)
{
	unsigned char sha256[32];
	size_t n = 0;
	struct stmt *row = NULL;
	if (sodium_hex2bin(sha256, sizeof sha256, file->sha256, 64, NULL, &n, NULL) != 0 || n != 32)
		return err_set(err, FAULT, "'%.70s' is no hash of a model file", file->sha256);
	char *classes_text = json_dumps(classes, JSON_COMPACT | JSON_REAL_PRECISION(17));
	char *spec = new->spec ? json_dumps(new->spec, JSON_COMPACT) : NULL;
	char *report = file->report ? json_dumps(file->report, JSON_COMPACT) : NULL;
	enum status st = db_one(db, Q_REGISTRY_ADD, &row, err, "isbsssIssi", new->project_id, new->name,
		sha256, sizeof sha256, file->arch, file->backbone, classes_text,
		new->parent_id ? &new->parent_id : NULL, spec ? spec : "{}", report ? report : "{}",
		new->now_ms);
	if (st == OK) {
		*id = col_int(row, 0);
		/* RETURNING's row is only stored once the statement has ended. */
		st = db_step(row, err) == NOT_FOUND ? OK : err_set(err, FAULT, "one model was two rows");
	}
	free(classes_text);
	free(spec);
	free(report);
	return st;
}

/* A second PUT of the file that the job became is a replay. */
static enum status replay(struct db *db, const struct job *job, const struct registry_file *file,
	int64_t *id, struct err *err)
{
	struct registry_model model;
	enum status st = registry_get(db, job->model_id, &model, err);
	if (st == OK && strcmp(model.sha256, file->sha256) != 0)
		st = err_set(
			err, CONFLICT, "job %lld is done: its model is %s", (long long)job->id, model.name);
	*id = job->model_id;
	registry_release(&model);
	return st;
}

/* The dataset's classes, in order, are the file's. */
static enum status check_classes(
	struct db *db, int64_t job_id, const json_t *codes, struct err *err)
{
	struct stmt *rows = db_query(db, Q_ITEM_CLASSES, "i", job_id);
	enum status st;
	size_t n = 0;
	while ((st = db_step(rows, err)) == OK) {
		const char *code = json_string_value(json_array_get(codes, n++));
		if (!code || strcmp(code, col_text(rows, 1)) != 0) {
			db_done(rows);
			return err_set(err, BAD_INPUT, "the model's class %zu is not the training's", n);
		}
	}
	if (st == NOT_FOUND && n != json_array_size(codes))
		return err_set(err, BAD_INPUT, "the model has %zu classes, the training %zu",
			json_array_size(codes), n);
	return st == NOT_FOUND ? OK : st;
}

/* A training that this worker holds, or one that has its model: then only the same comes again. */
static enum status check_held(const struct job *job, const char *worker, struct err *err)
{
	if (job->kind != JOB_TRAIN)
		return err_set(err, BAD_INPUT, "job %lld is no training", (long long)job->id);
	if (job->state == JOB_DONE)
		return OK;
	if (job->state != JOB_RUNNING)
		return err_set(err, CONFLICT, "job %lld is %s: its model is not wanted", (long long)job->id,
			job_state_name(job->state));
	return strcmp(job->worker, worker) == 0
		? OK
		: err_set(err, CONFLICT, "job %lld is held by %.80s now", (long long)job->id, job->worker);
}

enum status registry_check_trained(
	struct db *db, int64_t job_id, const char *worker, struct err *err)
{
	struct job job;
	enum status st = job_get(db, job_id, &job, err);
	if (st == OK)
		st = check_held(&job, worker, err);
	job_release(&job);
	return st;
}

enum status registry_add_trained(struct db *db, int64_t job_id, const char *worker,
	const struct registry_file *file, int64_t now_ms, int64_t *id, struct err *err)
{
	struct job job;
	json_t *classes = json_array();
	enum status st = job_get(db, job_id, &job, err);
	if (st == OK)
		st = check_held(&job, worker, err);
	if (st == OK && job.state == JOB_DONE) {
		st = replay(db, &job, file, id, err);
		goto done;
	}
	if (st == OK)
		st = check_classes(db, job_id, file->classes, err);
	if (st == OK)
		st = map_classes(db, job.project_id, file, classes, err);
	if (st != OK)
		goto done;
	struct new_model new = {.project_id = job.project_id,
		.parent_id = json_integer_value(json_object_get(job.spec, "parent")),
		.spec = job.spec,
		.now_ms = now_ms};
	st = add(db, &new, file, classes, id, err);
	if (st == OK)
		st = db_run(db, Q_REGISTRY_KEEP_SUBJECTS, err, "ii", *id, job_id);
	/* What the parent was trained on is in this model too. */
	if (st == OK && new.parent_id)
		st = db_run(db, Q_REGISTRY_INHERIT_SUBJECTS, err, "ii", *id, new.parent_id);
	if (st == OK)
		st = db_run(db, Q_JOB_SET_MODEL, err, "ii", job_id, *id);
	if (st == OK)
		st = job_end(db, job_id, JOB_DONE, NULL, now_ms, err);
done:
	json_decref(classes);
	job_release(&job);
	return st;
}

static bool is_own_name(const char *name)
{
	return name[0] == 'm' && name[1] && name[1 + strspn(name + 1, "0123456789")] == 0;
}

/* A file of a name that is the caller's. */
static enum status add_named(struct db *db, const struct new_model *new,
	const struct registry_file *file, int64_t *id, struct err *err)
{
	const char *name = new->name;
	if (!name[0] || strlen(name) > 60 || isdigit((unsigned char)name[0]) || is_own_name(name))
		return err_set(err, BAD_INPUT,
			"a model's name has 1 to 60 bytes, starts with no digit and is not like m3: "
			"'%.60s'",
			name);
	json_t *classes = json_array();
	enum status st = map_classes(db, new->project_id, file, classes, err);
	if (st == OK)
		st = add(db, new, file, classes, id, err);
	if (st == CONFLICT)
		st = err_set(err, CONFLICT, "the project has a model '%.60s' already", name);
	json_decref(classes);
	return st;
}

enum status registry_import(struct db *db, int64_t project_id, const char *name,
	const struct registry_file *file, int64_t now_ms, int64_t *id, struct err *err)
{
	json_t *spec = json_pack("{s:b}", "imported", 1);
	struct new_model new = {.project_id = project_id, .name = name, .spec = spec, .now_ms = now_ms};
	enum status st = add_named(db, &new, file, id, err);
	json_decref(spec);
	return st;
}

static enum status check_member(
	struct db *db, int64_t project_id, const int64_t *members, int i, struct err *err)
{
	struct registry_model model = {0};
	enum status st = registry_get(db, members[i], &model, err);
	if (st == OK && model.project_id != project_id)
		st = err_set(err, BAD_INPUT, "model %lld belongs to another project", (long long)model.id);
	else if (st == OK && json_array_size(model.classes) == 0)
		st = err_set(err, BAD_INPUT, "model %s is a backbone: it has no classes", model.name);
	else if (st == OK && strcmp(model.arch, "ensemble") == 0)
		st = err_set(err, BAD_INPUT, "model %s is an ensemble: name its members", model.name);
	for (int j = 0; st == OK && j < i; j++)
		if (members[j] == members[i])
			st = err_set(err, BAD_INPUT, "model %s is named twice", model.name);
	registry_release(&model);
	return st;
}

enum status registry_add_ensemble(struct db *db, int64_t project_id, const char *name,
	const struct registry_file *file, const int64_t *members, int n, int64_t now_ms, int64_t *id,
	struct err *err)
{
	json_t *list = json_array(), *spec = json_pack("{s:o}", "ensemble", list);
	struct new_model new = {.project_id = project_id, .name = name, .spec = spec, .now_ms = now_ms};
	enum status st = OK;
	for (int i = 0; st == OK && i < n; i++) {
		st = check_member(db, project_id, members, i, err);
		json_array_append_new(list, json_integer(members[i]));
	}
	if (st == OK)
		st = add_named(db, &new, file, id, err);
	for (int i = 0; st == OK && i < n; i++)
		st = db_run(db, Q_REGISTRY_INHERIT_SUBJECTS, err, "ii", *id, members[i]);
	json_decref(spec);
	return st;
}

static enum status current(struct db *db, int64_t project_id, int64_t *id, struct err *err)
{
	struct stmt *row = NULL;
	*id = 0;
	enum status st = db_one(db, Q_REGISTRY_CURRENT, &row, err, "i", project_id);
	if (st == OK) {
		*id = col_int(row, 0);
		db_done(row);
	}
	return st == NOT_FOUND ? OK : st;
}

/* The model becomes the current one; its predictions are queued, certification gold first. */
static enum status make_current(struct db *db, int64_t project_id, int64_t id, int64_t promoted_ms,
	int64_t now_ms, struct err *err)
{
	int64_t job = 0;
	struct stmt *row = NULL;
	enum status st = db_run(db, Q_REGISTRY_SET_STATE, err, "isI", id, "promoted", &promoted_ms);
	if (st == OK)
		st = db_run(db, Q_REGISTRY_SET_CURRENT, err, "ii", project_id, id);
	if (st == OK)
		st = db_one(db, Q_JOB_COUNT_GOLD, &row, err, "ii", project_id, id);
	if (st != OK)
		return st;
	bool gold = col_int(row, 0) > 0;
	db_done(row);
	if (gold)
		st = job_add_predict(db, id, true, now_ms, &job, err);
	return st == OK ? job_add_predict(db, id, false, now_ms, &job, err) : st;
}

enum status registry_promote(
	struct db *db, int64_t project_id, int64_t id, int64_t now_ms, struct err *err)
{
	struct registry_model model = {0}, before = {0};
	int64_t before_id = 0;
	enum status st = registry_get(db, id, &model, err);
	if (st == OK && model.project_id != project_id)
		st = err_set(err, BAD_INPUT, "model %lld belongs to another project", (long long)id);
	if (st == OK)
		st = current(db, project_id, &before_id, err);
	if (st == OK && before_id == id)
		st = err_set(err, CONFLICT, "model %s is the current one already", model.name);
	if (st == OK && before_id)
		st = registry_get(db, before_id, &before, err);
	if (st == OK && before_id)
		st = db_run(db, Q_REGISTRY_SET_STATE, err, "isI", before_id, "former", &before.promoted_ms);
	if (st == OK)
		st = make_current(db, project_id, id, now_ms, now_ms, err);
	registry_release(&model);
	registry_release(&before);
	return st;
}

enum status registry_rollback(
	struct db *db, int64_t project_id, int64_t now_ms, int64_t *id, struct err *err)
{
	struct stmt *row = NULL;
	int64_t now_id = 0, promoted_ms = 0;
	enum status st = current(db, project_id, &now_id, err);
	if (st == OK)
		st = db_one(db, Q_REGISTRY_BEFORE, &row, err, "i", project_id);
	if (st == NOT_FOUND)
		return err_set(err, CONFLICT, "no model was current before this one");
	if (st != OK)
		return st;
	*id = col_int(row, 0);
	promoted_ms = col_int(row, 1);
	db_done(row);
	if (now_id)
		st = db_run(db, Q_REGISTRY_SET_STATE, err, "isn", now_id, "candidate");
	return st == OK ? make_current(db, project_id, *id, promoted_ms, now_ms, err) : st;
}
