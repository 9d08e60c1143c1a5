/* A training's data set: its lines, and the frames that they name. */
#include "worker_set.h"

#include "ring.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FETCHERS = 4 };

void worker_set_release(struct worker_set *set)
{
	for (int i = 0; i < set->n_items; i++) {
		for (int j = 0; j < set->items[i].n_frames; j++)
			free((void *)set->items[i].frames[j].path);
		free((void *)set->items[i].frames);
		free((void *)set->items[i].target);
		free((void *)set->items[i].embedding);
	}
	free(set->items);
	free(set->deployments);
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

/* Where a frame is read: the data directory, or this job's folder, to which fetch_frames brings it. */
static void frame_path(
	struct worker *w, struct worker_set *set, const struct worker_frame *frame, char *path)
{
	if (worker_rendition(w->options, frame, path))
		return;
	snprintf(path, WORKER_PATH, "%s/%lld-%s-%lld.jpg", set->dir, (long long)frame->px,
		frame->sha256, (long long)frame->crop);
	if (w->client && access(path, R_OK) != 0)
		set->n_absent++;
}

static enum status add_frames(struct worker *w, struct worker_set *set, const json_t *list,
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
			frame_path(w, set, &frame, path);
		frames[i].path = xstrdup(path);
		frames[i].window = frame.window;
		item->n_frames = (int)i + 1;
	}
	return st;
}

enum status worker_set_target(
	const struct worker_set *set, const json_t *item, int head, float *target, struct err *err)
{
	const json_t *pairs = head == 0
		? json_object_get(item, "target")
		: json_array_get(json_object_get(item, "heads"), (size_t)head - 1);
	json_t *pair;
	double sum = 0;
	size_t i;
	json_array_foreach(pairs, i, pair)
	{
		json_int_t c = json_integer_value(json_array_get(pair, 0));
		double p = json_number_value(json_array_get(pair, 1));
		if (c < 0 || c >= set->heads[head].n_classes || !(p >= 0 && p <= 1))
			return err_set(err, BAD_INPUT, "the data set has a target [%lld, %g]", (long long)c, p);
		target[c] += (float)p;
		sum += p;
	}
	if (fabs(sum - 1) > 1e-3 && (head == 0 || sum != 0))
		return err_set(err, BAD_INPUT, "a target of the data set sums to %g", sum);
	return OK;
}

static enum status add_item(
	struct worker *w, struct worker_set *set, const json_t *line, struct err *err)
{
	if (set->n_items == set->n_room) {
		set->n_room = set->n_room ? set->n_room * 2 : 256;
		set->items = xrealloc(set->items, (size_t)set->n_room * sizeof *set->items);
		set->deployments = xrealloc(
			set->deployments, (size_t)set->n_room * sizeof *set->deployments);
	}
	set->deployments[set->n_items] = json_integer_value(json_object_get(line, "deployment"));
	struct train_item *item = &set->items[set->n_items++];
	float *target = xcalloc((size_t)set->n_classes, sizeof *target);
	*item = (struct train_item){
		.target = target, .weight = (float)json_number_value(json_object_get(line, "weight"))};
	for (int h = 0, at = 0; h < set->n_heads; at += set->heads[h++].n_classes) {
		enum status st = worker_set_target(set, line, h, target + at, err);
		if (st != OK)
			return st;
	}
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

/* The frames that are not here yet, fetched by several threads: a server is asked for the next while it sends one. */
struct fetch {
	struct worker *w;
	const char **paths; /* [n]: where to; the name says what */
	struct err *whys;   /* [n] */
	struct client *clients[FETCHERS + 1];
};

static void fetch_one(void *arg, int thread, int64_t index)
{
	struct fetch *f = arg;
	struct err *why = &f->whys[index];
	const char *path = f->paths[index], *name = strrchr(path, '/') + 1;
	char from[200];
	int n_px = (int)strcspn(name, "-"); /* PX-SHA256-CROP.jpg */
	snprintf(from, sizeof from, "/api/worker/renditions/%.*s/%.*s", n_px, name,
		(int)strcspn(name + n_px + 1, "."), name + n_px + 1);
	if (!f->clients[thread])
		why->status = client_open(
			f->w->options, f->w->options->once ? 5 : 600, &f->clients[thread], why);
	if (why->status == OK && access(path, R_OK) != 0)
		why->status = client_get_file(f->clients[thread], from, path, why);
	if (why->status == NOT_FOUND)
		why->status = OK; /* the trainer's to skip and count */
}

static enum status fetch_frames(
	struct worker *w, struct worker_set *set, const struct beat *beat, struct err *err)
{
	struct fetch f = {.w = w};
	struct ring *ring = NULL;
	size_t in_dir = strlen(set->dir);
	int n = 0, done = 0, got;
	f.paths = xcalloc((size_t)set->n_absent + 1, sizeof *f.paths);
	f.whys = xcalloc((size_t)set->n_absent + 1, sizeof *f.whys);
	for (int i = 0; i < set->n_items; i++)
		for (int j = 0; j < set->items[i].n_frames && n < set->n_absent; j++) {
			const char *path = set->items[i].frames[j].path;
			if (strncmp(path, set->dir, in_dir) == 0 && access(path, R_OK) != 0)
				f.paths[n++] = path;
		}
	struct ring_spec spec = {n, 4 * FETCHERS, FETCHERS, fetch_one, &f};
	enum status st = ring_open(&spec, &ring, err);
	for (; st == OK && (got = ring_take(ring, FETCHERS)) > 0; done += got) {
		for (int i = done; st == OK && i < done + got; i++)
			if (f.whys[i].status != OK)
				st = err_set(err, f.whys[i].status, "%s", f.whys[i].text);
		if (st == OK && beat && beat_unwanted(beat))
			st = err_set(err, CONFLICT, "nobody wants the model any more");
		ring_give_back(ring, got);
	}
	ring_close(ring);
	for (int i = 0; i <= FETCHERS; i++)
		client_close(f.clients[i]);
	free(f.paths);
	free(f.whys);
	return st;
}

/* The classes of one head, after those of the heads before it. */
static enum status add_head(
	struct worker_set *set, const char *name, const json_t *names, struct err *err)
{
	int n = (int)json_array_size(names);
	if (!name || n < 2 || set->n_heads == NET_MAX_HEADS || n > NET_MAX_CLASSES - set->n_classes)
		return err_set(err, BAD_INPUT, "the data set has %d classes of %.60s", n,
			name ? name : "a head without a name");
	set->heads[set->n_heads++] = (struct model_head){.name = name, .n_classes = n};
	set->names = xrealloc(set->names, (size_t)(set->n_classes + n) * sizeof *set->names);
	for (int i = 0; i < n; i++) {
		set->names[set->n_classes] = json_string_value(json_array_get(names, (size_t)i));
		if (!set->names[set->n_classes++])
			return err_set(err, BAD_INPUT, "a class of the data set has no name");
	}
	return OK;
}

static enum status take_header(struct worker_set *set, json_t *line, struct err *err)
{
	size_t i;
	json_t *head;
	set->header = json_incref(line);
	enum status st = add_head(set, "species", json_object_get(line, "names"), err);
	json_array_foreach(json_object_get(line, "heads"), i, head) if (st == OK) st = add_head(set,
		json_string_value(json_object_get(head, "name")), json_object_get(head, "classes"), err);
	for (int h = 0, at = 0; h < set->n_heads; at += set->heads[h++].n_classes)
		set->heads[h].classes = set->names + at; /* which stays where it is now */
	return st;
}

enum status worker_set_read(struct worker *w, struct worker_set *set, const char *path,
	const struct beat *beat, struct err *err)
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
		if (st == OK && beat && beat_unwanted(beat))
			st = err_set(err, CONFLICT, "nobody wants the model any more");
	}
	if (st == OK && !set->header)
		st = err_set(err, FAULT, "the data set came empty");
	if (st == OK &&
		(json_int_t)json_array_size(set->eval) + set->n_items !=
			json_integer_value(json_object_get(set->header, "n_items")))
		st = err_set(err, BUSY, "the data set came in part");
	if (st == OK && set->n_absent > 0)
		st = fetch_frames(w, set, beat, err);
	free(text);
	if (in)
		fclose(in);
	return st;
}

static uint64_t mixed(int64_t id)
{
	uint64_t z = (uint64_t)id + 0x9e3779b97f4a7c15u; /* splitmix64's end */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void worker_set_keep_out(struct worker_set *set)
{
	int n_out = 0, n = set->n_items;
	while (n_out * 10 < n) {
		int next = -1, n_more = 0;
		for (int i = 0; i < n; i++)
			if (!set->items[i].is_kept_out &&
				(next < 0 || mixed(set->deployments[i]) < mixed(set->deployments[next])))
				next = i;
		for (int i = 0; i < n; i++)
			n_more += next >= 0 && set->deployments[i] == set->deployments[next];
		if (n_more == 0 || (n_out + n_more) * 2 > n)
			break;
		int64_t deployment = set->deployments[next];
		for (int i = 0; i < n; i++)
			if (set->deployments[i] == deployment)
				set->items[i].is_kept_out = true;
		n_out += n_more;
	}
}
