/*
 * What workers ask for (docs/api.md, Workers). Work is taken and results are stored through the writer; what goes along
 * with it (frames, embeddings, data sets) is read afterwards, off the writer's thread.
 */
#include "http.h"

#include "dataset.h"
#include "job.h"
#include "registry.h"
#include "server.h"
#include "survey.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIX_PIECE = 200, MAX_LOGITS = 20000, MAX_EMBEDDING = 16384, MAX_PATH = 4096 };

struct work {
	int64_t job, batch, now_ms;
	const char *worker, *text; /* text: progress or error */
	int n;
	bool flag;
	struct job_lease lease;
	const struct job_result *results;
	const struct registry_file *file;
	int64_t model;
	char why[200];
};

static enum status take(struct db *db, void *arg, struct err *err)
{
	struct work *w = arg;
	return job_take(db, w->worker, w->n, w->now_ms, &w->lease, err);
}

static enum status lease(struct request *r, struct reply *reply, struct err *err)
{
	struct work w = {.now_ms = r->now_ms};
	int64_t n = 0;
	json_t *job = NULL;
	enum status st = body_text(r, "worker", &w.worker, err);
	if (st == OK)
		st = body_int(r, "n", 1, JOB_MAX_BATCH, &n, err);
	w.n = (int)n;
	if (st == OK)
		st = writer_do(r->app->writer, take, &w, err);
	if (st == OK && w.lease.job_id)
		st = job_describe(r->db, &w.lease, &job, err);
	if (st == OK)
		reply->json = json_pack(
			"{s:o, s:b}", "job", job ? job : json_null(), "pending", (int)w.lease.pending);
	return st;
}

static enum status beat(struct db *db, void *arg, struct err *err)
{
	struct work *w = arg;
	return job_heartbeat(db, w->job, w->worker, w->batch, w->text, w->now_ms, &w->flag, err);
}

static enum status heartbeat(struct request *r, struct reply *reply, struct err *err)
{
	struct work w = {.now_ms = r->now_ms};
	const json_t *progress = json_object_get(r->json, "progress");
	char *text = json_is_object(progress) ? json_dumps(progress, JSON_COMPACT) : NULL;
	enum status st = arg_id(r, 0, &w.job, err);
	if (st == OK)
		st = body_text(r, "worker", &w.worker, err);
	w.batch = json_integer_value(json_object_get(r->json, "batch"));
	w.text = text;
	if (st == OK)
		st = writer_do(r->app->writer, beat, &w, err);
	free(text);
	if (st == OK)
		reply->json = json_pack("{s:b}", "cancel", (int)w.flag);
	return st;
}

/* {"count": ["2", p], ...} as text: what the model says beside the species. */
static enum status read_heads(const json_t *heads, struct job_result *out, struct err *err)
{
	const char *name;
	json_t *said;
	bool good = json_object_size(heads) <= SURVEY_MAX_HEADS;
	json_object_foreach((json_t *)heads, name, said)
	{
		double p = json_number_value(json_array_get(said, 1));
		good = good && strlen(name) < 60 && json_array_size(said) == 2 && p >= 0 && p <= 1 &&
			json_is_number(json_array_get(said, 1)) && json_is_string(json_array_get(said, 0)) &&
			json_string_length(json_array_get(said, 0)) < 60;
	}
	if (!good || !json_is_object(heads))
		return err_set(err, BAD_INPUT,
			"prediction of subject %lld: heads are {name: [class, probability]}, at most %d",
			(long long)out->subject_id, SURVEY_MAX_HEADS);
	out->heads = json_dumps(heads, JSON_COMPACT | JSON_REAL_PRECISION(4));
	return OK;
}

/* One entry of "predictions"; what it allocates is freed by results_release. */
static enum status read_prediction(const json_t *entry, struct job_result *out, struct err *err)
{
	const json_t *logits = json_object_get(entry, "logits");
	const json_t *embedding = json_object_get(entry, "embedding");
	const json_t *heads = json_object_get(entry, "heads");
	json_int_t n_frames = json_integer_value(json_object_get(entry, "n_frames"));
	size_t n = json_array_size(logits);
	out->subject_id = json_integer_value(json_object_get(entry, "subject"));
	if (!json_is_array(logits) || n < 1 || n > MAX_LOGITS || n_frames < 1 || n_frames > 1000000)
		return err_set(err, BAD_INPUT,
			"prediction of subject %lld: n_frames and logits (one a class) are wanted",
			(long long)out->subject_id);
	float *values = xmalloc(n * sizeof *values);
	for (size_t i = 0; i < n; i++)
		values[i] = (float)json_number_value(json_array_get(logits, i));
	out->n_frames = (int)n_frames;
	out->logits = values;
	out->n_logits = (int)n;
	if (heads && !json_is_null(heads) && read_heads(heads, out, err) != OK)
		return BAD_INPUT;
	if (!json_is_string(embedding))
		return OK;
	size_t n_text = json_string_length(embedding);
	unsigned char *bytes = xmalloc(MAX_EMBEDDING);
	out->embedding = bytes;
	if (sodium_base642bin(bytes, MAX_EMBEDDING, json_string_value(embedding), n_text, NULL,
			&out->n_embedding_bytes, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
		out->n_embedding_bytes % 2 != 0)
		return err_set(err, BAD_INPUT, "embedding of subject %lld: base64 of float16 is wanted",
			(long long)out->subject_id);
	return OK;
}

static enum status read_failed(const json_t *entry, struct job_result *out, struct err *err)
{
	out->subject_id = json_integer_value(json_object_get(entry, "subject"));
	out->reason = json_string_value(json_object_get(entry, "reason"));
	return out->reason ? OK
					   : err_set(err, BAD_INPUT, "failed subject %lld: a reason is wanted",
							 (long long)out->subject_id);
}

static void results_release(struct job_result *results, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free((void *)results[i].logits);
		free((void *)results[i].embedding);
		free((void *)results[i].heads);
	}
	free(results);
}

static enum status store(struct db *db, void *arg, struct err *err)
{
	struct work *w = arg;
	int n_stored = 0;
	enum status st = job_store(db, w->job, w->batch, w->results, w->n, w->now_ms, &n_stored, err);
	w->model = n_stored;
	return st;
}

static enum status predictions(struct request *r, struct reply *reply, struct err *err)
{
	struct work w = {.now_ms = r->now_ms};
	const json_t *good = json_object_get(r->json, "predictions");
	const json_t *bad = json_object_get(r->json, "failed");
	size_t n_good = json_array_size(good), n_bad = json_array_size(bad);
	struct job_result *results = NULL;
	enum status st = arg_id(r, 0, &w.job, err);
	if (st == OK)
		st = body_int(r, "batch", 1, INT64_MAX, &w.batch, err);
	if (st == OK && n_good + n_bad > JOB_MAX_BATCH)
		st = err_set(
			err, BAD_INPUT, "%zu results: a batch has at most %d", n_good + n_bad, JOB_MAX_BATCH);
	if (st != OK)
		return st;
	results = xcalloc(n_good + n_bad + 1, sizeof *results);
	for (size_t i = 0; st == OK && i < n_good; i++)
		st = read_prediction(json_array_get(good, i), &results[i], err);
	for (size_t i = 0; st == OK && i < n_bad; i++)
		st = read_failed(json_array_get(bad, i), &results[n_good + i], err);
	w.results = results;
	w.n = (int)(n_good + n_bad);
	if (st == OK)
		st = writer_do(r->app->writer, store, &w, err);
	results_release(results, n_good + n_bad);
	if (st == OK)
		reply->json = json_pack("{s:I}", "stored", (json_int_t)w.model);
	return st;
}

static enum status fix(struct db *db, void *arg, struct err *err)
{
	struct work *w = arg;
	return dataset_fix(db, w->job, FIX_PIECE, &w->flag, err);
}

/* A set that cannot be trained on ends the job with the reason; *flag then. */
static enum status check(struct db *db, void *arg, struct err *err)
{
	struct work *w = arg;
	enum status st = dataset_problem(db, w->job, w->why, err);
	w->flag = st == OK;
	if (st == OK)
		st = job_end(db, w->job, JOB_FAILED, w->why, w->now_ms, err);
	return st == NOT_FOUND ? OK : st;
}

static enum status put_line(void *arg, const char *line, size_t n_bytes, struct err *err)
{
	if (fwrite(line, 1, n_bytes, arg) == n_bytes)
		return OK;
	return err_set(err, errno == ENOSPC ? FULL : FAULT, "the data set: %s", strerror(errno));
}

/* The set goes through a nameless file, so that its size costs no memory and a slow worker no read transaction. */
static enum status dataset(struct request *r, struct reply *reply, struct err *err)
{
	struct work w = {.now_ms = r->now_ms, .flag = true};
	enum status st = arg_id(r, 0, &w.job, err);
	while (st == OK && w.flag)
		st = writer_do(r->app->writer, fix, &w, err);
	if (st == OK)
		st = writer_do(r->app->writer, check, &w, err);
	if (st == OK && w.flag)
		st = err_set(err, CONFLICT, "%s", w.why);
	if (st != OK)
		return st;
	int fd = open(r->app->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int copy = fd < 0 ? -1 : dup(fd);
	FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
	if (!out)
		st = err_set(err, FAULT, "the data set: %s", strerror(errno));
	if (st == OK)
		st = db_read_begin(r->db, err);
	if (st == OK) {
		struct err end = {0};
		st = dataset_write(r->db, w.job, put_line, out, err);
		if (db_commit(r->db, &end) != OK && st == OK)
			st = err_set(err, end.status, "%s", end.text);
	}
	if (out && fclose(out) != 0 && st == OK)
		st = err_set(err, errno == ENOSPC ? FULL : FAULT, "the data set: %s", strerror(errno));
	if (st == OK && lseek(fd, 0, SEEK_SET) != 0)
		st = err_set(err, FAULT, "the data set: %s", strerror(errno));
	if (st != OK) {
		if (!out && copy >= 0)
			close(copy);
		if (fd >= 0)
			close(fd);
		return st;
	}
	reply->type = "application/jsonl";
	reply->has_file = true;
	reply->fd = fd;
	return OK;
}

static enum status add_model(struct db *db, void *arg, struct err *err)
{
	struct work *w = arg;
	return registry_add_trained(db, w->job, w->worker, w->file, w->now_ms, &w->model, err);
}

static enum status put_model(struct request *r, struct reply *reply, struct err *err)
{
	struct work w = {.now_ms = r->now_ms};
	struct registry_file file = {0};
	struct registry_model model = {0};
	char worker[100];
	enum status st = arg_id(r, 0, &w.job, err);
	if (st == OK)
		st = query_get(r, "worker", worker, sizeof worker, err);
	if (st == NOT_FOUND)
		st = err_set(err, BAD_INPUT, "the address wants ?worker=NAME");
	if (st == OK) /* before the file is kept for ever; add_model looks again */
		st = registry_check_trained(r->db, w.job, worker, err);
	if (st == OK)
		st = registry_parse(r->file, &file, err);
	if (st == OK)
		st = registry_keep_file(r->app->dir, r->file, file.sha256, err);
	w.worker = worker;
	w.file = &file;
	if (st == OK)
		st = writer_do(r->app->writer, add_model, &w, err);
	if (st == OK)
		st = registry_get(r->db, w.model, &model, err);
	if (st == OK)
		reply->json = json_pack("{s:I, s:s}", "model", (json_int_t)w.model, "name", model.name);
	registry_release(&model);
	registry_file_release(&file);
	return st;
}

static enum status give_up(struct db *db, void *arg, struct err *err)
{
	struct work *w = arg;
	return job_give_up(db, w->job, w->worker, w->text, w->flag, w->now_ms, err);
}

static enum status fail(struct request *r, struct reply *reply, struct err *err)
{
	struct work w = {.now_ms = r->now_ms};
	char why[JOB_MAX_REASON];
	(void)reply;
	enum status st = arg_id(r, 0, &w.job, err);
	if (st == OK)
		st = body_text(r, "worker", &w.worker, err);
	if (st == OK)
		st = body_text(r, "error", &w.text, err);
	if (st == OK) {
		snprintf(why, sizeof why, "%s", w.text);
		w.text = why;
		w.flag = json_is_true(json_object_get(r->json, "final"));
		st = writer_do(r->app->writer, give_up, &w, err);
	}
	return st;
}

static bool is_hash(const char *text, size_t n)
{
	return n == 64 && strspn(text, "0123456789abcdef") >= 64;
}

static enum status send_file(
	const char *path, const char *type, struct reply *reply, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, NOT_FOUND, "there is no such file");
	reply->has_file = true;
	reply->fd = fd;
	reply->type = type;
	reply->cache = CACHE_PRIVATE_IMMUTABLE;
	return OK;
}

static enum status get_model(struct request *r, struct reply *reply, struct err *err)
{
	char path[MAX_PATH];
	if (!is_hash(r->args[0], strlen(r->args[0])))
		return err_set(err, NOT_FOUND, "a model is named by its SHA-256 in lower case");
	registry_path(r->app->dir, r->args[0], path);
	return send_file(path, "application/octet-stream", reply, err);
}

static enum status get_rendition(struct request *r, struct reply *reply, struct err *err)
{
	char path[MAX_PATH];
	const char *px = r->args[0], *name = r->args[1], *dash = strchr(name, '-');
	size_t n_crop = dash ? strlen(dash + 1) : 0;
	if (!dash || !is_hash(name, (size_t)(dash - name)) || n_crop < 1 || n_crop > 9 ||
		strspn(dash + 1, "0123456789") != n_crop || strlen(px) > 4 ||
		strspn(px, "0123456789") != strlen(px))
		return err_set(err, NOT_FOUND, "a rendition is named PX/SHA256-CROP");
	snprintf(
		path, sizeof path, "%.3900s/renditions/%.4s/%.2s/%.80s.jpg", r->app->dir, px, name, name);
	return send_file(path, "image/jpeg", reply, err);
}

const struct route worker_routes[] = {
	{"POST", "/api/worker/lease", WHO_WORKER, BODY_JSON, lease},
	{"POST", "/api/worker/jobs/{job}/heartbeat", WHO_WORKER, BODY_JSON, heartbeat},
	{"POST", "/api/worker/jobs/{job}/predictions", WHO_WORKER, BODY_JSON_BIG, predictions},
	{"GET", "/api/worker/jobs/{job}/dataset", WHO_WORKER, BODY_NONE, dataset},
	{"PUT", "/api/worker/jobs/{job}/model", WHO_WORKER, BODY_FILE, put_model},
	{"POST", "/api/worker/jobs/{job}/fail", WHO_WORKER, BODY_JSON, fail},
	{"GET", "/api/worker/models/{sha256}", WHO_WORKER, BODY_NONE, get_model},
	{"GET", "/api/worker/renditions/{px}/{name}", WHO_WORKER, BODY_NONE, get_rendition},
	{0},
};
