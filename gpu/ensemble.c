/* Several models as one: how their classes meet, and their file. */
#include "ensemble.h"

#include "model_part.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_SHARE 1e-6 /* of a class in a prior, as where predictions become evidence */

static const struct net_arch ensemble_arch = {.name = "ensemble"};

void ensemble_free(struct ensemble *ensemble)
{
	if (!ensemble)
		return;
	for (int i = 0; i < ensemble->n; i++) {
		model_free(ensemble->members[i]);
		free(ensemble->place[i]);
	}
	model_free(ensemble->face);
	free(ensemble);
}

/* The member's head of the face's head h: its first logit, or -1 where it has no such head. */
static int head_at(const struct model *face, int h, const struct model *member)
{
	for (int i = 0, at = 0; i < member->net.n_heads; at += member->net.head_size[i++]) {
		if (member->net.n_heads == face->net.n_heads &&
			member->net.head_size[i] == face->net.head_size[h] &&
			(!face->heads[h] || !strcmp(face->heads[h], member->heads[i])))
			return at;
	}
	return -1;
}

/* Finds every class of the face in a member. Shapes: place [n_classes]. */
static enum status meet(
	const struct model *face, const struct model *member, int i, int *place, struct err *err)
{
	for (int h = 0, c = 0; h < face->net.n_heads; h++) {
		int at = head_at(face, h, member), n = face->net.head_size[h];
		if (at < 0)
			return err_set(err, BAD_INPUT,
				"model %d of the ensemble has %d classes in %d heads, the first %d in %d: all must "
				"know the same",
				i + 1, member->net.n_classes, member->net.n_heads, face->net.n_classes,
				face->net.n_heads);
		for (int j = 0; j < n; j++, c++) {
			int k = 0;
			while (k < n && strcmp(face->classes[c], member->classes[at + k]))
				k++;
			if (k == n)
				return err_set(err, BAD_INPUT,
					"model %d of the ensemble does not know class '%.60s' of the first", i + 1,
					face->classes[c]);
			place[c] = at + k;
		}
	}
	return OK;
}

static int sees_as(const struct input_spec *a, const struct input_spec *b)
{
	return a->px == b->px && a->fit == b->fit && a->focus == b->focus;
}

static enum status check_input(
	const struct input_spec *first, const struct input_spec *other, int i, struct err *err)
{
	if (sees_as(first, other))
		return OK;
	return err_set(err, BAD_INPUT,
		"model %d of the ensemble sees pictures of %d px (%s, %s), the first of %d px (%s, %s): "
		"all must see the same",
		i + 1, other->px, other->fit == INPUT_CROP ? "crop" : "squash",
		other->focus ? "focus" : "frame", first->px, first->fit == INPUT_CROP ? "crop" : "squash",
		first->focus ? "focus" : "frame");
}

/* The first member without what makes it a net. */
static struct model *face_of(const struct model *first)
{
	struct model *face = xcalloc(1, sizeof *face);
	int k = first->net.n_classes;
	face->net = (struct net){.arch = &ensemble_arch,
		.n_classes = k,
		.input_px = first->net.input_px,
		.n_heads = first->net.n_heads};
	memcpy(face->net.head_size, first->net.head_size, sizeof face->net.head_size);
	face->input = first->input;
	face->classes = xcalloc((size_t)k, sizeof *face->classes);
	face->prior = xcalloc((size_t)k, sizeof *face->prior);
	for (int i = 0; i < k; i++)
		face->classes[i] = xstrdup(first->classes[i]);
	for (int h = 0; h < first->net.n_heads; h++)
		face->heads[h] = first->heads[h] ? xstrdup(first->heads[h]) : NULL;
	return face;
}

/* A model's logit is its evidence and its log prior, so a mean of logits holds the mean of the log priors. */
static void set_prior(struct ensemble *e)
{
	const struct net *net = &e->face->net;
	for (int h = 0, at = 0; h < net->n_heads; at += net->head_size[h++]) {
		double *prior = e->face->prior + at, sum = 0;
		for (int c = 0; c < net->head_size[h]; c++) {
			for (int i = 0; i < e->n; i++)
				prior[c] += log(fmax(e->members[i]->prior[e->place[i][at + c]], LEAST_SHARE)) /
					e->n;
			sum += prior[c] = exp(prior[c]);
		}
		for (int c = 0; c < net->head_size[h]; c++)
			prior[c] /= sum;
	}
}

static void set_backbone(struct ensemble *e)
{
	char all[ENSEMBLE_MAX * sizeof e->face->backbone] = {0};
	for (int i = 0; i < e->n; i++)
		memcpy(all + (size_t)i * sizeof e->face->backbone, e->members[i]->backbone,
			sizeof e->face->backbone);
	model_hash_bytes(all, sizeof all, e->face->backbone);
}

enum status ensemble_new(
	struct model *const *members, int n, struct ensemble **out, struct err *err)
{
	enum status status = OK;
	*out = NULL;
	if (n < 2 || n > ENSEMBLE_MAX)
		return err_set(err, BAD_INPUT, "an ensemble has 2 to %d models, not %d", ENSEMBLE_MAX, n);
	struct ensemble *e = xcalloc(1, sizeof *e);
	e->face = face_of(members[0]);
	for (int i = 0; i < n && !status; i++) {
		e->place[i] = xcalloc((size_t)e->face->net.n_classes, sizeof *e->place[i]);
		e->n = i + 1;
		status = check_input(&e->face->input, &members[i]->input, i, err);
		if (!status)
			status = meet(e->face, members[i], i, e->place[i], err);
	}
	if (status) {
		ensemble_free(e); /* its members are the caller's still: none is in it */
		return status;
	}
	memcpy(e->members, members, (size_t)n * sizeof(struct model *));
	set_prior(e);
	set_backbone(e);
	*out = e;
	return OK;
}

/* --- the file --- */

int ensemble_is(const struct safetensors *file)
{
	const char *arch = safetensors_metadata(file, "arch");
	return arch && !strcmp(arch, ensemble_arch.name);
}

static enum status read_member(const struct safetensors *file, const char *path,
	const json_t *member, int i, struct model **out, struct err *err)
{
	struct safetensors *part = NULL;
	char prefix[16];
	char *metadata = json_dumps(json_object_get(member, "metadata"), JSON_COMPACT);
	snprintf(prefix, sizeof prefix, "%d.", i);
	enum status status = metadata
		? safetensors_part(file, prefix, metadata, &part, err)
		: err_set(err, BAD_INPUT, "%.80s: member %d has no metadata", path, i + 1);
	if (!status)
		status = model_read(part, path, out, err);
	safetensors_close(part);
	free(metadata);
	return status;
}

enum status ensemble_read(
	const struct safetensors *file, const char *path, struct ensemble **out, struct err *err)
{
	const char *text = safetensors_metadata(file, "members");
	json_t *list = text ? json_loads(text, 0, NULL) : NULL;
	struct model *members[ENSEMBLE_MAX] = {0};
	int n = (int)json_array_size(list);
	enum status status = OK;
	*out = NULL;
	if (n < 2 || n > ENSEMBLE_MAX)
		status = err_set(
			err, BAD_INPUT, "%.80s: it names no members: wanted 2 to %d", path, ENSEMBLE_MAX);
	for (int i = 0; i < n && !status; i++)
		status = read_member(file, path, json_array_get(list, (size_t)i), i, &members[i], err);
	if (!status)
		status = ensemble_new(members, n, out, err);
	for (int i = 0; i < ENSEMBLE_MAX && status; i++)
		model_free(members[i]);
	json_decref(list);
	return status;
}

enum status ensemble_or_model(
	const char *path, struct ensemble **ensemble, struct model **model, struct err *err)
{
	struct safetensors *file = NULL;
	*ensemble = NULL;
	*model = NULL;
	enum status status = safetensors_open(path, &file, err);
	if (!status && ensemble_is(file))
		status = ensemble_read(file, path, ensemble, err);
	else if (!status)
		status = model_read(file, path, model, err);
	safetensors_close(file);
	return status;
}

struct writing {
	struct safetensors *files[ENSEMBLE_MAX];
	struct model *members[ENSEMBLE_MAX];
	struct ensemble *ensemble; /* owns the members when it is there */
	struct safetensors_out *tensors;
	char **names; /* of tensors */
	int n_tensors, n;
};

static void writing_release(struct writing *w)
{
	for (int i = 0; i < w->n; i++) {
		safetensors_close(w->files[i]);
		if (!w->ensemble)
			model_free(w->members[i]);
	}
	ensemble_free(w->ensemble);
	for (int i = 0; i < w->n_tensors; i++)
		free(w->names[i]);
	free(w->names);
	free(w->tensors);
}

/* A member's tensors under its number. */
static void add_tensors(struct writing *w, int i)
{
	int n = safetensors_count(w->files[i]);
	size_t room = (size_t)(w->n_tensors + n);
	w->tensors = xrealloc(w->tensors, room * sizeof *w->tensors);
	w->names = xrealloc(w->names, room * sizeof *w->names);
	for (int j = 0; j < n; j++) {
		const struct safetensors_tensor *t = safetensors_at(w->files[i], j);
		size_t size = strlen(t->name) + 8;
		char *name = xmalloc(size);
		snprintf(name, size, "%d.%s", i, t->name);
		w->names[w->n_tensors] = name;
		w->tensors[w->n_tensors++] = (struct safetensors_out){.name = name, .raw = t};
	}
}

static enum status open_members(
	struct writing *w, const struct ensemble_file *files, int n, struct err *err)
{
	enum status status = OK;
	for (int i = 0; i < n && !status; i++) {
		status = safetensors_open(files[i].path, &w->files[i], err);
		w->n = i + 1;
		if (!status && ensemble_is(w->files[i]))
			status = err_set(
				err, BAD_INPUT, "%.80s is an ensemble itself: name its members", files[i].name);
		if (!status)
			status = model_read(w->files[i], files[i].path, &w->members[i], err);
		if (!status)
			add_tensors(w, i);
	}
	return status ? status : ensemble_new(w->members, n, &w->ensemble, err);
}

static json_t *members_json(const struct writing *w, const struct ensemble_file *files)
{
	json_t *list = json_array();
	for (int i = 0; i < w->n; i++) {
		json_t *metadata = json_object();
		for (int j = 0; j < safetensors_metadata_count(w->files[i]); j++) {
			const char *key, *value;
			safetensors_metadata_at(w->files[i], j, &key, &value);
			json_object_set_new(metadata, key, json_string(value));
		}
		json_array_append_new(list,
			json_pack("{s:s,s:s,s:o}", "name", files[i].name, "sha256", files[i].sha256, "metadata",
				metadata));
	}
	return list;
}

enum status ensemble_save(
	const struct ensemble_file *files, int n, const char *path, struct err *err)
{
	struct writing w = {0};
	struct model_metadata own = {0};
	char *members = NULL;
	enum status status = OK;
	if (n < 2 || n > ENSEMBLE_MAX)
		return err_set(err, BAD_INPUT, "an ensemble has 2 to %d models, not %d", ENSEMBLE_MAX, n);
	status = open_members(&w, files, n, err);
	if (!status)
		status = model_metadata_init(&own, w.ensemble->face, err);
	if (!status) {
		json_t *list = members_json(&w, files);
		members = json_dumps(list, JSON_COMPACT);
		json_decref(list);
		own.pairs[own.n++] = (struct safetensors_pair){"backbone", w.ensemble->face->backbone};
		own.pairs[own.n++] = (struct safetensors_pair){"members", members};
		status = safetensors_write(path, w.tensors, w.n_tensors, own.pairs, own.n, err);
	}
	free(members);
	model_metadata_release(&own);
	writing_release(&w);
	return status;
}
