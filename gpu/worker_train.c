/* Trainings: the data set is fetched whole, trained on, the model judged on the held-out items, and sent with its report. */
#include "train_target.h"
#include "worker_set.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHECKPOINT_S = 10 }; /* of work that a killed worker may lose */

/* Wilson's 95 % interval of a share (Wilson 1927). */
static void wilson(int k, int n, double *low, double *high)
{
	const double z = 1.959963984540054, nn = n ? n : 1, p = k / nn;
	double centre = (p + z * z / (2 * nn)) / (1 + z * z / nn);
	double half = z * sqrt(p * (1 - p) / nn + z * z / (4 * nn * nn)) / (1 + z * z / nn);
	*low = n && centre > half ? centre - half : 0;
	*high = n && centre + half < 1 ? centre + half : 1;
}

static int largest(const float *x, int n)
{
	int best = 0;
	for (int i = 1; i < n; i++)
		if (x[i] > x[best])
			best = i;
	return best;
}

/* The class of an eval item's label, or -1 where no class has it: the model cannot be right there. */
static int truth_of(const json_t *item)
{
	const json_t *pair = json_array_get(json_object_get(item, "target"), 0);
	return pair ? (int)json_integer_value(json_array_get(pair, 0)) : -1;
}

/* One head on the eval items that people said something of: right, and right or in a neighbouring class (of bins of a count). */
static json_t *head_report(const struct worker_set *set, const struct scores *s, int head, int at)
{
	const int k = set->heads[head].n_classes;
	float *target = xmalloc((size_t)k * sizeof *target);
	int n = 0, n_right = 0, n_near = 0;
	for (int i = 0; i < s->n; i++) {
		memset(target, 0, (size_t)k * sizeof *target);
		if (s->n_frames[i] == 0 ||
			worker_set_target(set, json_array_get(set->eval, (size_t)i), head, target, NULL) !=
				OK ||
			!train_target_is_known(target, k))
			continue;
		int truth = largest(target, k);
		int said = largest(s->logits + (size_t)i * (size_t)s->k + at, k);
		n++;
		n_right += said == truth;
		n_near += abs(said - truth) <= 1;
	}
	free(target);
	return json_pack("{s:s, s:i, s:i, s:i}", "name", set->heads[head].name, "n", n, "n_right",
		n_right, "n_near", n_near);
}

static json_t *heads_report(const struct worker_set *set, const struct scores *s)
{
	json_t *all = json_array();
	for (int h = 1, at = set->heads[0].n_classes; h < set->n_heads; at += set->heads[h++].n_classes)
		json_array_append_new(all, head_report(set, s, h, at));
	return all;
}

static json_t *report_of(const struct worker_set *set, const struct scores *s)
{
	int n = 0, n_right = 0;
	const int n_species = set->heads[0].n_classes;
	int *of = xcalloc((size_t)n_species * 3, sizeof *of); /* n, right, said */
	double low, high;
	for (int i = 0; i < s->n; i++) {
		int truth = truth_of(json_array_get(set->eval, (size_t)i));
		if (s->n_frames[i] == 0)
			continue;
		int said = largest(s->logits + (size_t)i * (size_t)s->k, n_species);
		n++;
		n_right += said == truth;
		of[said * 3 + 2]++;
		if (truth >= 0) {
			of[truth * 3]++;
			of[truth * 3 + 1] += said == truth;
		}
	}
	wilson(n_right, n, &low, &high);
	json_t *classes = json_array();
	for (int c = 0; c < n_species; c++)
		json_array_append_new(classes,
			json_pack("{s:s, s:i, s:i, s:i}", "code", set->names[c], "n", of[c * 3], "n_right",
				of[c * 3 + 1], "n_said", of[c * 3 + 2]));
	free(of);
	json_t *report = json_pack("{s:i, s:i, s:o, s:f, s:f, s:i, s:o}", "n", n, "n_right", n_right,
		"accuracy", n ? json_real((double)n_right / n) : json_null(), "low", low, "high", high,
		"n_train", set->n_items, "classes", classes);
	if (set->n_heads > 1)
		json_object_set_new(report, "heads", heads_report(set, s));
	return report;
}

/* Judges the trained file and writes it again with what the registry wants to know. */
static enum status evaluate(struct worker *w, const struct worker_set *set, const char *trained,
	const char *final, const struct beat *beat, struct err *err)
{
	struct model *model = NULL;
	struct engine *engine = NULL;
	struct scores scores = {0};
	enum status st = model_load(trained, &model, err);
	if (st != OK)
		return st;
	st = engine_open_model(model, w->options->device, BACKEND_FASTEST, &engine, err);
	if (st == OK) {
		st = scores_run(w, engine, set->eval, beat, &scores, err);
		engine_close(engine);
	}
	if (st == OK) {
		json_t *report = report_of(set, &scores);
		char *text = json_dumps(report, JSON_COMPACT | JSON_REAL_PRECISION(6));
		model_set(model, "backbone", model->backbone);
		model_set(model, "report", text);
		st = model_save(model, final, trained, err);
		free(text);
		json_decref(report);
	}
	scores_release(&scores);
	model_free(model);
	return st;
}

struct watch {
	const struct worker *worker;
	struct beat *beat;
};

static int tell(void *arg, const struct train_progress *p)
{
	const struct watch *watch = arg;
	struct beat_progress progress = {p->epoch, p->n_epochs, p->loss, p->accuracy, p->images_per_s};
	if (!watch->beat)
		return 0;
	if (!isfinite(progress.loss))
		progress.loss = 0;
	if (!isfinite(progress.accuracy))
		progress.accuracy = 0;
	if (!isfinite(progress.images_per_s))
		progress.images_per_s = 0;
	beat_tell(watch->beat, &progress);
	return beat_unwanted(watch->beat) || atomic_load(watch->worker->options->stop);
}

static int is_stopped(void *arg)
{
	const struct watch *watch = arg;
	return (watch->beat && beat_unwanted(watch->beat)) || atomic_load(watch->worker->options->stop);
}

/* What is fitted comes with the job, what with from a file: the parent's. from [WORKER_PATH]. */
static enum status read_spec(struct worker *w, const json_t *job, struct worker_set *set,
	char *from, struct train_spec *out, struct recipe *recipe, struct err *err)
{
	const json_t *spec = json_object_get(job, "spec"), *parent = json_object_get(spec, "parent");
	const json_t *wanted = json_object_get(spec, "recipe");
	const char *mode = json_string_value(json_object_get(spec, "mode"));
	const char *sha256 = json_string_value(json_object_get(parent, "sha256"));
	char *text = json_is_object(wanted) ? json_dumps(wanted, JSON_COMPACT) : NULL;
	*out = (struct train_spec){.mode = mode && strcmp(mode, "head") == 0 ? TRAIN_HEAD : TRAIN_FULL,
		.arch = json_string_value(json_object_get(spec, "arch")),
		.n_epochs = (int)json_integer_value(json_object_get(spec, "epochs")),
		.recipe = recipe,
		.fit = INPUT_SQUASH,
		.focus = true,
		.seed = (unsigned long long)json_integer_value(json_object_get(spec, "seed")),
		.device = w->options->device,
		.parent = json_string_value(json_object_get(parent, "name")),
		.checkpoint_s = CHECKPOINT_S,
		.ranks = w->options->ranks,
		.progress = tell,
		.stop = is_stopped};
	enum status st = recipe_read(text, sha256 ? &recipe_tuning : &recipe_default, recipe, err);
	free(text);
	if (st == OK && sha256) {
		struct model *model = NULL;
		st = worker_model(w, sha256, from, err);
		out->from = from;
		if (st == OK && out->mode == TRAIN_HEAD)
			st = model_load(from, &model, err);
		set->n_features = model ? model->net.n_features : 0;
		model_free(model);
	}
	return st;
}

/* Kept beside the cache's files while the training lasts, for when this worker gets it again. */
static void checkpoint_path(const struct worker *w, const json_t *job, char *out, size_t size)
{
	snprintf(out, size, "%.900s/train-%lld.checkpoint", w->options->cache,
		(long long)json_integer_value(json_object_get(job, "id")));
}

/* Trains on the set in set->dir, alone or as one of several ranks. */
static enum status train(struct worker *w, const json_t *job, struct worker_set *set,
	struct beat *beat, const char *trained, struct err *err)
{
	char from[WORKER_PATH], path[WORKER_PATH], checkpoint[WORKER_PATH];
	struct train_report report = {0};
	struct watch watch = {w, beat};
	struct train_spec spec;
	struct recipe recipe;
	enum status st = read_spec(w, job, set, from, &spec, &recipe, err);
	snprintf(path, sizeof path, "%s/set.jsonl", set->dir);
	checkpoint_path(w, job, checkpoint, sizeof checkpoint);
	if (st == OK)
		st = worker_set_read(w, set, path, beat, err);
	if (st != OK)
		return st;
	if (recipe.patience)
		worker_set_keep_out(set);
	spec.heads = set->heads;
	spec.n_heads = set->n_heads;
	spec.checkpoint = checkpoint;
	spec.arg = &watch;
	st = train_run(&spec, set->items, set->n_items, trained, &report, err);
	if (st == CONFLICT && beat && beat_unwanted(beat))
		unlink(checkpoint);
	return st;
}

static enum status upload(struct worker *w, long long id, const char *file, struct err *err)
{
	char path[600], name[300];
	size_t n = 0;
	for (const char *p = w->options->name; *p && n < sizeof name - 4; p++)
		n += (size_t)snprintf(name + n, sizeof name - n, "%%%02X", (unsigned char)*p);
	name[n] = 0;
	snprintf(path, sizeof path, "/api/worker/jobs/%lld/model?worker=%s", id, name);
	return client_put_file(w->client, path, file, NULL, err);
}

/* Hands the job and its set to the other ranks. */
static enum status lead(struct worker *w, const json_t *job, const char *path, struct err *err)
{
	void *text = json_dumps(job, JSON_COMPACT);
	uint8_t *bytes = NULL;
	size_t n = strlen(text), n_bytes = 0;
	enum status st = ranks_share(w->options->ranks, &text, &n, err);
	if (st == OK)
		st = input_read_file(path, &bytes, &n_bytes, err);
	void *set = bytes;
	if (st == OK)
		st = ranks_share(w->options->ranks, &set, &n_bytes, err);
	free(text);
	free(bytes);
	return st;
}

static enum status make_folder(
	struct worker *w, long long id, struct worker_set *set, struct err *err)
{
	snprintf(
		set->dir, sizeof set->dir, "%.900s/train-%lld-%ld", w->options->cache, id, (long)getpid());
	if (mkdir(set->dir, 0700) != 0 && errno != EEXIST)
		return err_set(err, FAULT, "%.120s: %s", set->dir, strerror(errno));
	return OK;
}

/* One job of rank 0's; *is_end: there are no more. */
static enum status follow_one(struct worker *w, bool *is_end, struct err *err)
{
	struct worker_set set = {0};
	char path[WORKER_PATH], trained[WORKER_PATH];
	void *text = NULL, *bytes = NULL;
	size_t n = 0, n_bytes = 0;
	json_t *job = NULL;
	enum status st = ranks_share(w->options->ranks, &text, &n, err);
	*is_end = st == OK && n == 0;
	if (st == OK && n)
		st = ranks_share(w->options->ranks, &bytes, &n_bytes, err);
	if (st == OK && n) {
		job = json_loads(text, 0, NULL);
		st = make_folder(w, json_integer_value(json_object_get(job, "id")), &set, err);
	}
	if (st == OK && n) {
		snprintf(path, sizeof path, "%s/set.jsonl", set.dir);
		snprintf(trained, sizeof trained, "%s/trained.safetensors", set.dir);
		FILE *out = fopen(path, "we");
		size_t n_written = out ? fwrite(bytes, 1, n_bytes, out) : 0;
		if (!out || fclose(out) || n_written != n_bytes)
			st = err_set(err, FULL, "%.120s: %s", path, strerror(errno));
		if (st == OK)
			st = train(w, job, &set, NULL, trained, err);
		worker_set_release(&set);
	}
	json_decref(job);
	free(text);
	free(bytes);
	return st;
}

enum status worker_follow(const struct worker_options *options, struct err *err)
{
	struct worker w = {.options = options};
	bool is_end = false;
	enum status st = OK;
	if (mkdir(options->cache, 0700) != 0 && errno != EEXIST)
		return err_set(err, BAD_INPUT, "%.120s: %s", options->cache, strerror(errno));
	while (!is_end && st == OK)
		st = follow_one(&w, &is_end, err);
	return st;
}

enum status worker_train(struct worker *w, struct lease *lease, struct err *err)
{
	const json_t *job = lease->job;
	long long id = json_integer_value(json_object_get(job, "id"));
	char trained[WORKER_PATH], final[WORKER_PATH], path[WORKER_PATH], data[100];
	struct worker_set set = {0};
	if (make_folder(w, id, &set, err) != OK)
		return FAULT;
	snprintf(trained, sizeof trained, "%s/trained.safetensors", set.dir);
	snprintf(final, sizeof final, "%s/final.safetensors", set.dir);
	snprintf(path, sizeof path, "%s/set.jsonl", set.dir);
	snprintf(data, sizeof data, "/api/worker/jobs/%lld/dataset", id);
	enum status st = client_get_file(w->client, data, path, err);
	if (st == OK && w->options->ranks)
		st = lead(w, job, path, err);
	if (st == OK)
		st = train(w, job, &set, lease->beat, trained, err);
	if (st == OK)
		st = evaluate(w, &set, trained, final, lease->beat, err);
	if (st == OK)
		st = upload(w, id, final, err);
	worker_set_release(&set);
	return st;
}
