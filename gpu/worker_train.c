/* Trainings: the data set is fetched whole, trained on, the model judged on the held-out items, and sent with its report. */
#include "train.h"
#include "worker_beat.h"
#include "worker_job.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct set {
	char dir[WORKER_PATH -
		100]; /* this job's files: the set, fetched renditions, the models; removed at the end */
	const char **names;
	int n_classes, n_features;
	struct train_item *items;
	int n_items, n_room;
	json_t *header, *eval; /* eval: ITEMs of split eval */
};

static void set_release(struct set *set)
{
	for (int i = 0; i < set->n_items; i++) {
		for (int j = 0; j < set->items[i].n_frames; j++)
			free((void *)set->items[i].frames[j].path);
		free((void *)set->items[i].frames);
		free((void *)set->items[i].target);
		free((void *)set->items[i].embedding);
	}
	free(set->items);
	free(set->names);
	json_decref(set->header);
	json_decref(set->eval);
	DIR *dir = opendir(set->dir);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		char path[WORKER_PATH + 300];
		snprintf(path, sizeof path, "%s/%s", set->dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (dir)
		closedir(dir);
	rmdir(set->dir);
}

/* Where a frame can be read: the data directory, or fetched to this job's folder. */
static enum status frame_path(struct worker *w, const struct set *set,
	const struct worker_frame *frame, char *path, struct err *err)
{
	char from[200];
	if (worker_rendition(w->options, frame, path))
		return OK;
	snprintf(path, WORKER_PATH, "%s/%s-%lld.jpg", set->dir, frame->sha256, (long long)frame->crop);
	snprintf(
		from, sizeof from, "/api/worker/renditions/%s-%lld", frame->sha256, (long long)frame->crop);
	if (access(path, R_OK) == 0)
		return OK;
	enum status st = client_get_file(w->client, from, path, err);
	/* A frame that the server does not have is the trainer's to skip and count. */
	return st == NOT_FOUND ? OK : st;
}

static enum status add_frames(struct worker *w, const struct set *set, const json_t *list,
	struct train_item *item, struct err *err)
{
	size_t n = json_array_size(list);
	struct train_frame *frames = xcalloc(n + 1, sizeof *frames);
	enum status st = OK;
	item->frames = frames;
	for (size_t i = 0; st == OK && i < n; i++) {
		char path[WORKER_PATH] = "";
		struct worker_frame frame;
		st = worker_frame(json_array_get(list, i), &frame, err);
		if (st == OK)
			st = frame_path(w, set, &frame, path, err);
		frames[i].path = xstrdup(path);
		frames[i].window = frame.window;
		item->n_frames = (int)i + 1;
	}
	return st;
}

static enum status add_item(struct worker *w, struct set *set, const json_t *line, struct err *err)
{
	size_t i;
	json_t *pair;
	double sum = 0;
	if (set->n_items == set->n_room) {
		set->n_room = set->n_room ? set->n_room * 2 : 256;
		set->items = xrealloc(set->items, (size_t)set->n_room * sizeof *set->items);
	}
	struct train_item *item = &set->items[set->n_items++];
	float *target = xcalloc((size_t)set->n_classes, sizeof *target);
	*item = (struct train_item){
		.target = target, .weight = (float)json_number_value(json_object_get(line, "weight"))};
	json_array_foreach(json_object_get(line, "target"), i, pair)
	{
		json_int_t c = json_integer_value(json_array_get(pair, 0));
		double p = json_number_value(json_array_get(pair, 1));
		if (c < 0 || c >= set->n_classes || !(p >= 0 && p <= 1))
			return err_set(err, BAD_INPUT, "the data set has a target [%lld, %g]", (long long)c, p);
		target[c] += (float)p;
		sum += p;
	}
	if (fabs(sum - 1) > 1e-3)
		return err_set(err, BAD_INPUT, "a target of the data set sums to %g", sum);
	if (set->n_features > 0 && json_is_string(json_object_get(line, "embedding"))) {
		float *embedding = xcalloc((size_t)set->n_features, sizeof *embedding);
		item->embedding = embedding;
		if (worker_embedding(json_object_get(line, "embedding"), embedding, set->n_features))
			return OK;
		free(embedding);
		item->embedding = NULL;
	}
	return add_frames(w, set, json_object_get(line, "frames"), item, err);
}

static enum status take_header(struct set *set, json_t *line, struct err *err)
{
	const json_t *names = json_object_get(line, "names");
	set->header = json_incref(line);
	set->n_classes = (int)json_array_size(names);
	if (set->n_classes < 2)
		return err_set(err, BAD_INPUT, "the data set has %d classes", set->n_classes);
	set->names = xcalloc((size_t)set->n_classes, sizeof *set->names);
	for (int i = 0; i < set->n_classes; i++) {
		set->names[i] = json_string_value(json_array_get(names, (size_t)i));
		if (!set->names[i])
			return err_set(err, BAD_INPUT, "a class of the data set has no name");
	}
	return OK;
}

static enum status set_read(
	struct worker *w, struct set *set, const char *path, const struct beat *beat, struct err *err)
{
	FILE *in = fopen(path, "re");
	char *text = NULL;
	size_t room = 0;
	ssize_t n;
	enum status st = in ? OK : err_set(err, FAULT, "%.120s: %s", path, strerror(errno));
	set->eval = json_array();
	while (st == OK && (n = getline(&text, &room, in)) > 0) {
		json_t *line = json_loadb(text, (size_t)n, 0, NULL);
		const char *split = json_string_value(json_object_get(line, "split"));
		if (!line)
			st = err_set(err, FAULT, "the data set came broken");
		else if (!set->header)
			st = take_header(set, line, err);
		else if (split && strcmp(split, "eval") == 0)
			json_array_append(set->eval, line);
		else
			st = add_item(w, set, line, err);
		json_decref(line);
		if (st == OK && beat_unwanted(beat))
			st = err_set(err, CONFLICT, "nobody wants the model any more");
	}
	if (st == OK && !set->header)
		st = err_set(err, FAULT, "the data set came empty");
	if (st == OK &&
		(json_int_t)json_array_size(set->eval) + set->n_items !=
			json_integer_value(json_object_get(set->header, "n_items")))
		st = err_set(err, BUSY, "the data set came in part");
	free(text);
	if (in)
		fclose(in);
	return st;
}

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

static json_t *report_of(const struct set *set, const struct scores *s)
{
	int n = 0, n_right = 0;
	int *of = xcalloc((size_t)set->n_classes * 3, sizeof *of); /* n, right, said */
	double low, high;
	for (int i = 0; i < s->n; i++) {
		int truth = truth_of(json_array_get(set->eval, (size_t)i));
		if (s->n_frames[i] == 0)
			continue;
		int said = largest(s->logits + (size_t)i * (size_t)s->k, s->k);
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
	for (int c = 0; c < set->n_classes; c++)
		json_array_append_new(classes,
			json_pack("{s:s, s:i, s:i, s:i}", "code", set->names[c], "n", of[c * 3], "n_right",
				of[c * 3 + 1], "n_said", of[c * 3 + 2]));
	free(of);
	return json_pack("{s:i, s:i, s:o, s:f, s:f, s:i, s:o}", "n", n, "n_right", n_right, "accuracy",
		n ? json_real((double)n_right / n) : json_null(), "low", low, "high", high, "n_train",
		set->n_items, "classes", classes);
}

/* Judges the trained file and writes it again with what the registry wants to know. */
static enum status evaluate(struct worker *w, const struct set *set, const char *trained,
	const char *final, const struct beat *beat, struct err *err)
{
	struct model *model = NULL;
	struct engine *engine = NULL;
	struct scores scores = {0};
	enum status st = model_load(trained, &model, err);
	if (st != OK)
		return st;
	st = engine_open_model(model, w->options->device, &engine, err);
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
	if (!isfinite(progress.loss))
		progress.loss = 0;
	if (!isfinite(progress.accuracy))
		progress.accuracy = 0;
	if (!isfinite(progress.images_per_s))
		progress.images_per_s = 0;
	beat_tell(watch->beat, &progress);
	return beat_unwanted(watch->beat) || atomic_load(watch->worker->options->stop);
}

static enum status train(struct worker *w, const json_t *job, struct set *set, struct beat *beat,
	const char *trained, struct err *err)
{
	const json_t *spec = json_object_get(job, "spec"), *parent = json_object_get(spec, "parent");
	const char *mode = json_string_value(json_object_get(spec, "mode"));
	const char *sha256 = json_string_value(json_object_get(parent, "sha256"));
	char from[WORKER_PATH], path[WORKER_PATH], data[100];
	struct train_report report = {0};
	struct watch watch = {w, beat};
	struct train_spec ts = {.mode = mode && strcmp(mode, "head") == 0 ? TRAIN_HEAD : TRAIN_FULL,
		.arch = json_string_value(json_object_get(spec, "arch")),
		.n_epochs = (int)json_integer_value(json_object_get(spec, "epochs")),
		.fit = INPUT_SQUASH,
		.focus = true,
		.seed = (unsigned long long)json_integer_value(json_object_get(spec, "seed")),
		.device = w->options->device,
		.parent = json_string_value(json_object_get(parent, "name")),
		.progress = tell,
		.arg = &watch};
	enum status st = OK;
	if (sha256) {
		struct model *model = NULL;
		st = worker_model(w, sha256, from, err);
		ts.from = from;
		if (st == OK && ts.mode == TRAIN_HEAD)
			st = model_load(from, &model, err);
		set->n_features = model ? model->net.n_features : 0;
		model_free(model);
	}
	snprintf(path, sizeof path, "%s/set.jsonl", set->dir);
	snprintf(data, sizeof data, "/api/worker/jobs/%lld/dataset",
		(long long)json_integer_value(json_object_get(job, "id")));
	if (st == OK)
		st = client_get_file(w->client, data, path, err);
	if (st == OK)
		st = set_read(w, set, path, beat, err);
	if (st != OK)
		return st;
	ts.classes = set->names;
	ts.n_classes = set->n_classes;
	return train_run(&ts, set->items, set->n_items, trained, &report, err);
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

enum status worker_train(struct worker *w, const json_t *job, struct err *err)
{
	long long id = json_integer_value(json_object_get(job, "id"));
	char trained[WORKER_PATH], final[WORKER_PATH];
	struct set set = {0};
	struct beat *beat = NULL;
	snprintf(
		set.dir, sizeof set.dir, "%.900s/train-%lld-%ld", w->options->cache, id, (long)getpid());
	if (mkdir(set.dir, 0700) != 0 && errno != EEXIST)
		return err_set(err, FAULT, "%.120s: %s", set.dir, strerror(errno));
	snprintf(trained, sizeof trained, "%s/trained.safetensors", set.dir);
	snprintf(final, sizeof final, "%s/final.safetensors", set.dir);
	enum status st = beat_start(
		w->options, id, 0, json_number_value(json_object_get(job, "lease_s")), &beat, err);
	if (st == OK)
		st = train(w, job, &set, beat, trained, err);
	if (st == OK)
		st = evaluate(w, &set, trained, final, beat, err);
	if (st == OK)
		st = upload(w, id, final, err);
	beat_stop(beat);
	set_release(&set);
	return st;
}
