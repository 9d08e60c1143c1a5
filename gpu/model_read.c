/* Model files in: what a safetensors file must hold to be a net. */
#include "model_part.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "[64,3,7,7]". text [96]. */
static const char *shape_text(const int64_t *shape, int n_dims, char *text)
{
	int n = 1;
	text[0] = '[';
	for (int i = 0; i < n_dims && n < 80; i++)
		n += snprintf(text + n, (size_t)(96 - n), i ? ",%lld" : "%lld", (long long)shape[i]);
	snprintf(text + n, (size_t)(96 - n), "]");
	return text;
}

/* Optimisers' counters, of which inference has no use. */
static int is_counter(const char *name)
{
	size_t n = strlen(name), n_end = strlen("num_batches_tracked");
	return n >= n_end && !strcmp(name + n - n_end, "num_batches_tracked");
}

/* The first tensor of the file that the net has no parameter for, or NULL. */
static const char *stranger(const struct net *net, const struct safetensors *file)
{
	for (int i = 0; i < safetensors_count(file); i++) {
		const char *name = safetensors_at(file, i)->name;
		if (!is_counter(name) && net_param_find(net, name) < 0)
			return name;
	}
	return NULL;
}

/*
 * How many of the net's parameters the file has, in their shapes. Where not every tensor fits, why
 * says what first does not; else it is empty. Shapes: why [200].
 */
static int count_fits(const struct net *net, const struct safetensors *file, char *why)
{
	const char *other = stranger(net, file), *arch = net->arch->name;
	int n_fits = 0;
	*why = 0;
	for (int i = 0; i < net->n_params; i++) {
		const struct net_param *p = &net->params[i];
		const struct safetensors_tensor *t = safetensors_find(file, p->name);
		int fits = t && t->n_dims == p->n_dims;
		int64_t wanted[4] = {p->shape[0], p->shape[1], p->shape[2], p->shape[3]};
		for (int j = 0; fits && j < p->n_dims; j++)
			fits = t->shape[j] == wanted[j];
		n_fits += fits;
		if (fits || *why)
			continue;
		char a[96], b[96];
		if (t)
			snprintf(why, 200, "%.50s is %s, a %s's %s", p->name,
				shape_text(t->shape, t->n_dims, a), arch, shape_text(wanted, p->n_dims, b));
		else if (other)
			snprintf(why, 200, "it has %.50s, which a %s has not, and no %s", other, arch, p->name);
		else
			snprintf(why, 200, "it has no %s, which a %s has", p->name, arch);
	}
	if (!*why && other)
		snprintf(why, 200, "it has %.50s, which a %s has not", other, arch);
	return n_fits;
}

/*
 * The arch whose tensors the file has, names and shapes, and all of them: so resnet18 is not taken
 * for resnet34, nor a squeeze-and-excitation net for what it is built on. With a name, that arch.
 * Errors: BAD_INPUT with what does not fit the nearest.
 */
static enum status find_arch(const struct safetensors *file, const char *name, int n_classes,
	const char *path, const struct net_arch **out, struct err *err)
{
	struct net *net = xmalloc(sizeof *net);
	char why[200] = "", nearest[200] = "";
	int best = -1;
	*out = NULL;
	for (int i = 0; i < net_n_archs && !*out; i++) {
		if ((name && strcmp(name, net_archs[i].name)) ||
			net_init(net, &net_archs[i], n_classes, net_archs[i].input_px, NULL))
			continue;
		int n = count_fits(net, file, why);
		if (!*why) {
			*out = &net_archs[i];
		} else if (n > best) {
			best = n;
			memcpy(nearest, why, sizeof nearest);
		}
	}
	free(net);
	if (*out)
		return OK;
	const char *slash = strrchr(path, '/'), *file_name = slash ? slash + 1 : path;
	if (name && best < 0)
		return err_set(err, BAD_INPUT, "%.60s: unknown arch %.40s", file_name, name);
	return err_set(err, BAD_INPUT, "%.50s: no net that topi runs: %.130s", file_name, nearest);
}

static enum status read_params(
	struct model *model, const struct safetensors *file, const char *path, struct err *err)
{
	for (int i = 0; i < model->net.n_params; i++) {
		const struct net_param *p = &model->net.params[i];
		const struct safetensors_tensor *t = safetensors_find(file, p->name);
		enum status status = safetensors_floats(t, model->params + p->offset, err);
		if (status)
			return status;
		for (size_t j = 0; j < p->n; j++) {
			float v = model->params[p->offset + j];
			if (!isfinite(v) || (p->kind == NET_BN_VAR && v < 0))
				return err_set(err, BAD_INPUT, "%s: tensor %s holds %g", path, p->name, (double)v);
		}
	}
	return OK;
}

/* A JSON array of n numbers. */
static int read_numbers(const json_t *array, int n, double *out)
{
	int fits = json_is_array(array) && json_array_size(array) == (size_t)n;
	for (int i = 0; fits && i < n; i++) {
		const json_t *value = json_array_get(array, (size_t)i);
		fits = json_is_number(value);
		out[i] = json_number_value(value);
	}
	return fits;
}

static int read_numbers_text(const char *text, int n, double *out)
{
	json_t *array = json_loads(text, 0, NULL);
	int fits = read_numbers(array, n, out);
	json_decref(array);
	return fits;
}

static enum status read_input(
	struct model *model, const struct safetensors *file, const char *path, struct err *err)
{
	const char *mean = safetensors_metadata(file, "mean"), *std = safetensors_metadata(file, "std");
	const char *fit = safetensors_metadata(file, "fit"), *view = safetensors_metadata(file, "view");
	double v[3];
	if (mean) {
		if (!read_numbers_text(mean, 3, v))
			return err_set(err, BAD_INPUT, "%s: mean is %.40s: wanted [r,g,b]", path, mean);
		for (int i = 0; i < 3; i++)
			model->input.mean[i] = (float)v[i];
	}
	if (std) {
		if (!read_numbers_text(std, 3, v) || !(v[0] > 0 && v[1] > 0 && v[2] > 0))
			return err_set(err, BAD_INPUT, "%s: std is %.40s: wanted [r,g,b] above 0", path, std);
		for (int i = 0; i < 3; i++)
			model->input.std[i] = (float)v[i];
	}
	model->input.fit = INPUT_CROP;
	if (fit && !strcmp(fit, "squash"))
		model->input.fit = INPUT_SQUASH;
	else if (fit && strcmp(fit, "crop"))
		return err_set(err, BAD_INPUT, "%s: fit is %.40s: wanted crop or squash", path, fit);
	model->input.focus = view && !strcmp(view, "focus");
	if (view && !model->input.focus && strcmp(view, "frame"))
		return err_set(err, BAD_INPUT, "%s: view is %.40s: wanted frame or focus", path, view);
	return OK;
}

/* What the file says of its heads. */
struct heads {
	json_t *json, *classes; /* own every text below; classes: of a file with one head */
	struct model_head head[NET_MAX_HEADS];
	const json_t *prior[NET_MAX_HEADS]; /* NULL: even */
	int n;
};

static void heads_release(struct heads *heads)
{
	for (int h = 0; h < heads->n; h++)
		free((void *)heads->head[h].classes);
	json_decref(heads->json);
	json_decref(heads->classes);
}

/* A JSON array of texts as an array; NULL where it is another thing. */
static const char **texts_of(const json_t *array)
{
	size_t n = json_array_size(array);
	const char **texts = n ? xcalloc(n, sizeof *texts) : NULL;
	for (size_t i = 0; i < n; i++) {
		texts[i] = json_string_value(json_array_get(array, i));
		if (!texts[i]) {
			free(texts);
			return NULL;
		}
	}
	return texts;
}

/* One head, named by `classes` unless that is another thing (a plain file may say anything there). */
static void read_head(struct heads *heads, const struct safetensors *file, int n_classes)
{
	const char *text = safetensors_metadata(file, "classes");
	heads->classes = text ? json_loads(text, 0, NULL) : NULL;
	heads->n = 1;
	heads->head[0] = (struct model_head){.name = "species", .n_classes = n_classes};
	if (json_array_size(heads->classes) == (size_t)n_classes)
		heads->head[0].classes = texts_of(heads->classes);
}

static enum status read_heads(struct heads *heads, const struct safetensors *file, int n_classes,
	const char *path, struct err *err)
{
	const char *text = safetensors_metadata(file, "heads");
	int n = 0;
	if (!text) {
		read_head(heads, file, n_classes);
		return OK;
	}
	heads->json = json_loads(text, 0, NULL);
	size_t n_heads = json_array_size(heads->json);
	if (n_heads < 1 || n_heads > NET_MAX_HEADS)
		return err_set(err, BAD_INPUT, "%.80s: heads is %.40s: wanted an array of 1 to %d", path,
			text, NET_MAX_HEADS);
	for (size_t h = 0; h < n_heads; h++) {
		const json_t *one = json_array_get(heads->json, h), *list = json_object_get(one, "classes");
		struct model_head *head = &heads->head[heads->n++];
		head->name = json_string_value(json_object_get(one, "name"));
		head->classes = texts_of(list);
		head->n_classes = (int)json_array_size(list);
		heads->prior[h] = json_object_get(one, "prior");
		if (!head->name || !head->classes)
			return err_set(err, BAD_INPUT, "%.80s: head %zu lacks a name or classes", path, h);
		n += head->n_classes;
	}
	if (n != n_classes)
		return err_set(err, BAD_INPUT, "%.80s: its heads name %d classes, fc.weight has %d", path,
			n, n_classes);
	return OK;
}

static enum status read_prior(
	double *out, const json_t *prior, int n, const char *path, struct err *err)
{
	double total = 0;
	if (!read_numbers(prior, n, out))
		return err_set(err, BAD_INPUT, "%.80s: a prior is not an array of %d numbers", path, n);
	for (int i = 0; i < n; i++) {
		if (!(out[i] >= 0))
			return err_set(err, BAD_INPUT, "%.80s: prior holds %g: wanted 0 or more", path, out[i]);
		total += out[i];
	}
	if (!(fabs(total - 1) < 1e-6))
		return err_set(err, BAD_INPUT, "%.80s: prior sums to %g: wanted 1", path, total);
	return OK;
}

static enum status read_priors(struct model *model, const struct heads *heads,
	const struct safetensors *file, const char *path, struct err *err)
{
	const char *text = safetensors_metadata(file, "prior");
	enum status status = OK;
	if (text) {
		json_t *json = json_loads(text, 0, NULL);
		status = read_prior(model->prior, json, heads->head[0].n_classes, path, err);
		json_decref(json);
	}
	for (int h = 0, at = 0; h < heads->n && !status; at += heads->head[h++].n_classes) {
		if (heads->prior[h])
			status = read_prior(
				model->prior + at, heads->prior[h], heads->head[h].n_classes, path, err);
	}
	return status;
}

static int is_own_key(const char *key)
{
	static const char *const keys[] = {
		"arch", "classes", "heads", "input_px", "mean", "std", "fit", "view", "prior", "format"};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (!strcmp(keys[i], key))
			return 1;
	}
	return 0;
}

enum status model_read(
	const struct safetensors *file, const char *path, struct model **out, struct err *err)
{
	struct model *model = NULL;
	struct heads heads = {0};
	const struct net_arch *arch = NULL;
	const struct safetensors_tensor *fc = safetensors_find(file, "fc.weight");
	const char *input_px = safetensors_metadata(file, "input_px");
	const char *arch_name = safetensors_metadata(file, "arch");
	*out = NULL;
	if (arch_name && !strcmp(arch_name, "ensemble"))
		return err_set(err, BAD_INPUT,
			"%.80s: an ensemble, which is to predict with: name one of its members", path);
	if (!fc || fc->n_dims != 2 || fc->shape[0] < 1 || fc->shape[0] > NET_MAX_CLASSES)
		return err_set(err, BAD_INPUT,
			"%.80s: no net that topi runs: it has no fc.weight of [1 to %d classes][features]",
			path, NET_MAX_CLASSES);
	enum status status = find_arch(file, arch_name, (int)fc->shape[0], path, &arch, err);
	if (status)
		return status;
	char *end = NULL;
	long px = input_px ? strtol(input_px, &end, 10) : arch->input_px;
	if (px < 32 || px > 1024 || (end && (end == input_px || *end)))
		return err_set(err, BAD_INPUT, "%.80s: input_px is %.20s", path, input_px);
	status = read_heads(&heads, file, (int)fc->shape[0], path, err);
	if (!status)
		status = model_empty(arch, heads.head, heads.n, (int)px, &model, err);
	if (!status)
		status = read_priors(model, &heads, file, path, err);
	if (!status)
		status = read_input(model, file, path, err);
	if (!status)
		status = read_params(model, file, path, err);
	heads_release(&heads);
	if (status) {
		model_free(model);
		return status;
	}
	for (int i = 0; i < safetensors_metadata_count(file); i++) {
		const char *key, *value;
		safetensors_metadata_at(file, i, &key, &value);
		if (!is_own_key(key))
			model_set(model, key, value);
	}
	model_hash(model);
	*out = model;
	return OK;
}

enum status model_load(const char *path, struct model **out, struct err *err)
{
	struct safetensors *file = NULL;
	*out = NULL;
	enum status status = safetensors_open(path, &file, err);
	if (!status)
		status = model_read(file, path, out, err);
	safetensors_close(file);
	return status;
}
