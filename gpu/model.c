/* Model files: what a safetensors file must hold to be a net, and back. */
#include "model.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_free(struct model *model)
{
	if (!model)
		return;
	for (int i = 0; model->classes && i < model->net.n_classes; i++)
		free(model->classes[i]);
	for (int i = 0; i < model->n_extra; i++) {
		free(model->extra_keys[i]);
		free(model->extra_values[i]);
	}
	free(model->classes);
	free(model->extra_keys);
	free(model->extra_values);
	free(model->prior);
	free(model->params);
	free(model);
}

const char *model_get(const struct model *model, const char *key)
{
	for (int i = 0; i < model->n_extra; i++) {
		if (!strcmp(model->extra_keys[i], key))
			return model->extra_values[i];
	}
	return NULL;
}

void model_set(struct model *model, const char *key, const char *value)
{
	int i = 0;
	while (i < model->n_extra && strcmp(model->extra_keys[i], key))
		i++;
	if (i < model->n_extra) {
		free(model->extra_values[i]);
		model->extra_values[i] = value ? xstrdup(value) : NULL;
		if (value)
			return;
		free(model->extra_keys[i]);
		model->n_extra--;
		memmove(&model->extra_keys[i], &model->extra_keys[i + 1],
			(size_t)(model->n_extra - i) * sizeof *model->extra_keys);
		memmove(&model->extra_values[i], &model->extra_values[i + 1],
			(size_t)(model->n_extra - i) * sizeof *model->extra_values);
		return;
	}
	if (!value)
		return;
	size_t n_bytes = (size_t)(model->n_extra + 1) * sizeof(char *);
	model->extra_keys = xrealloc(model->extra_keys, n_bytes);
	model->extra_values = xrealloc(model->extra_values, n_bytes);
	model->extra_keys[model->n_extra] = xstrdup(key);
	model->extra_values[model->n_extra++] = xstrdup(value);
}

/* FNV-1a of 128 bits (Fowler, Noll, Vo), taken in words of 4 bytes. It tells backbones apart; it is
 * no seal. */
static void hash_words(unsigned __int128 *hash, const void *data, size_t n_words)
{
	static const unsigned __int128 prime = (unsigned __int128)1 << 88 | 0x13b;
	const uint8_t *at = data;
	for (size_t i = 0; i < n_words; i++) {
		uint32_t word;
		memcpy(&word, at + 4 * i, 4);
		*hash = (*hash ^ word) * prime;
	}
}

void model_hash(struct model *model)
{
	unsigned __int128 hash = (unsigned __int128)0x6c62272e07bb0142ull << 64 | 0x62b821756295c58dull;
	char what[64] = {0};
	snprintf(what, sizeof what, "%s %d %d%s", model->net.arch->name, model->input.px,
		(int)model->input.fit, model->input.focus ? " focus" : "");
	hash_words(&hash, what, sizeof what / 4);
	hash_words(&hash, model->input.mean, 3);
	hash_words(&hash, model->input.std, 3);
	for (int i = 0; i < model->net.n_params; i++) {
		const struct net_param *p = &model->net.params[i];
		if (p->kind != NET_FC_WEIGHT && p->kind != NET_FC_BIAS)
			hash_words(&hash, model->params + p->offset, p->n);
	}
	snprintf(model->backbone, sizeof model->backbone, "%016llx%016llx",
		(unsigned long long)(hash >> 64), (unsigned long long)hash);
}

/* A model with everything but its parameters' values. */
static enum status model_empty(const struct net_arch *arch, const char *const *classes,
	int n_classes, int input_px, struct model **out, struct err *err)
{
	struct model *model = xcalloc(1, sizeof *model);
	enum status status = net_init(&model->net, arch, n_classes, input_px, err);
	if (status) {
		free(model);
		return status;
	}
	model->input = (struct input_spec){.px = input_px,
		.fit = INPUT_SQUASH,
		.mean = INPUT_IMAGENET_MEAN,
		.std = INPUT_IMAGENET_STD};
	model->params = xcalloc(model->net.n_floats, sizeof *model->params);
	model->classes = xcalloc((size_t)n_classes, sizeof *model->classes);
	model->prior = xcalloc((size_t)n_classes, sizeof *model->prior);
	for (int i = 0; i < n_classes; i++) {
		char number[16];
		snprintf(number, sizeof number, "%d", i);
		model->classes[i] = xstrdup(classes ? classes[i] : number);
		model->prior[i] = 1.0 / n_classes;
	}
	*out = model;
	return OK;
}

enum status model_new(const char *arch, const char *const *classes, int n_classes, int input_px,
	unsigned long long seed, struct model **out, struct err *err)
{
	const struct net_arch *found = net_arch_find(arch);
	if (!found)
		return err_set(
			err, BAD_INPUT, "arch %.40s: wanted resnet10s, resnet18, resnet34 or resnet50", arch);
	enum status status = model_empty(
		found, classes, n_classes, input_px ? input_px : found->input_px, out, err);
	if (status)
		return status;
	net_init_params(&(*out)->net, seed, (*out)->params);
	model_hash(*out);
	return OK;
}

/* The arch whose tensors the file has, names and shapes; all of them, so that resnet18 is not taken
 * for resnet34. */
static const struct net_arch *recognise(const struct safetensors *file, int n_classes)
{
	for (int i = 0; i < net_n_archs; i++) {
		struct net net;
		int n_found = 0, n_file = 0, fits = 1;
		if (net_init(&net, &net_archs[i], n_classes, net_archs[i].input_px, NULL))
			continue;
		for (int j = 0; j < net.n_params; j++) {
			const struct safetensors_tensor *t = safetensors_find(file, net.params[j].name);
			fits = fits && t && t->n == (int64_t)net.params[j].n &&
				t->n_dims == net.params[j].n_dims;
			for (int k = 0; fits && k < t->n_dims; k++)
				fits = t->shape[k] == net.params[j].shape[k];
			n_found += t != NULL;
		}
		for (int j = 0; j < safetensors_count(file); j++)
			n_file += !strstr(safetensors_at(file, j)->name, "num_batches_tracked");
		if (fits && n_found == n_file)
			return &net_archs[i];
	}
	return NULL;
}

static enum status read_params(
	struct model *model, const struct safetensors *file, const char *path, struct err *err)
{
	for (int i = 0; i < model->net.n_params; i++) {
		const struct net_param *p = &model->net.params[i];
		const struct safetensors_tensor *t = safetensors_find(file, p->name);
		if (!t)
			return err_set(err, BAD_INPUT, "%s: a %s needs the tensor %s", path,
				model->net.arch->name, p->name);
		int fits = t->n_dims == p->n_dims;
		for (int j = 0; fits && j < p->n_dims; j++)
			fits = t->shape[j] == p->shape[j];
		if (!fits)
			return err_set(err, BAD_INPUT, "%s: tensor %s has another shape than a %s's", path,
				p->name, model->net.arch->name);
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
static int read_numbers(const char *text, int n, double *out)
{
	json_t *array = json_loads(text, 0, NULL);
	int fits = json_is_array(array) && json_array_size(array) == (size_t)n;
	for (int i = 0; fits && i < n; i++) {
		const json_t *value = json_array_get(array, (size_t)i);
		fits = json_is_number(value);
		out[i] = json_number_value(value);
	}
	json_decref(array);
	return fits;
}

static enum status read_input(
	struct model *model, const struct safetensors *file, const char *path, struct err *err)
{
	const char *mean = safetensors_metadata(file, "mean"), *std = safetensors_metadata(file, "std");
	const char *fit = safetensors_metadata(file, "fit"),
			   *prior = safetensors_metadata(file, "prior"),
			   *view = safetensors_metadata(file, "view");
	double v[3], total = 0;
	if (mean) {
		if (!read_numbers(mean, 3, v))
			return err_set(err, BAD_INPUT, "%s: mean is %.40s: wanted [r,g,b]", path, mean);
		for (int i = 0; i < 3; i++)
			model->input.mean[i] = (float)v[i];
	}
	if (std) {
		if (!read_numbers(std, 3, v) || !(v[0] > 0 && v[1] > 0 && v[2] > 0))
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
	if (prior) {
		if (!read_numbers(prior, model->net.n_classes, model->prior))
			return err_set(err, BAD_INPUT, "%s: prior is not an array of %d numbers", path,
				model->net.n_classes);
		for (int i = 0; i < model->net.n_classes; i++) {
			if (!(model->prior[i] >= 0))
				return err_set(
					err, BAD_INPUT, "%s: prior holds %g: wanted 0 or more", path, model->prior[i]);
			total += model->prior[i];
		}
		if (!(fabs(total - 1) < 1e-6))
			return err_set(err, BAD_INPUT, "%s: prior sums to %g: wanted 1", path, total);
	}
	return OK;
}

/* `classes` in the metadata as [n_classes] texts, in *json which owns them; NULL where it is
 * another thing (a plain file may say anything there). */
static const char **read_classes(const struct safetensors *file, int n_classes, json_t **json)
{
	const char *text = safetensors_metadata(file, "classes");
	*json = text ? json_loads(text, 0, NULL) : NULL;
	if (!json_is_array(*json) || json_array_size(*json) != (size_t)n_classes)
		return NULL;
	const char **classes = xcalloc((size_t)n_classes, sizeof *classes);
	for (int i = 0; i < n_classes; i++) {
		classes[i] = json_string_value(json_array_get(*json, (size_t)i));
		if (!classes[i]) {
			free(classes);
			return NULL;
		}
	}
	return classes;
}

static int is_own_key(const char *key)
{
	static const char *const keys[] = {
		"arch", "classes", "input_px", "mean", "std", "fit", "view", "prior", "format"};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (!strcmp(keys[i], key))
			return 1;
	}
	return 0;
}

enum status model_load(const char *path, struct model **out, struct err *err)
{
	struct safetensors *file = NULL;
	struct model *model = NULL;
	json_t *json = NULL;
	const char **classes = NULL;
	*out = NULL;
	enum status status = safetensors_open(path, &file, err);
	if (status)
		return status;
	const struct safetensors_tensor *head = safetensors_find(file, "fc.weight");
	const char *arch_name = safetensors_metadata(file, "arch");
	const char *input_px = safetensors_metadata(file, "input_px");
	if (!head || head->n_dims != 2 || head->shape[0] < 1 || head->shape[0] > NET_MAX_CLASSES) {
		status = err_set(err, BAD_INPUT, "%s: no model that topi knows: it has no fc.weight", path);
		goto done;
	}
	int n_classes = (int)head->shape[0];
	const struct net_arch *arch = arch_name ? net_arch_find(arch_name) : recognise(file, n_classes);
	if (!arch) {
		status = arch_name
			? err_set(err, BAD_INPUT, "%s: unknown arch %.40s", path, arch_name)
			: err_set(err, BAD_INPUT, "%s: its tensors are not those of resnet18, 34 or 50", path);
		goto done;
	}
	char *end = NULL;
	long px = input_px ? strtol(input_px, &end, 10) : arch->input_px;
	if (px < 32 || px > 1024 || (end && (end == input_px || *end))) {
		status = err_set(err, BAD_INPUT, "%s: input_px is %.20s", path, input_px);
		goto done;
	}
	classes = read_classes(file, n_classes, &json);
	status = model_empty(arch, classes, n_classes, (int)px, &model, err);
	if (!status)
		status = read_input(model, file, path, err);
	if (!status)
		status = read_params(model, file, path, err);
	if (status)
		goto done;
	for (int i = 0; i < safetensors_metadata_count(file); i++) {
		const char *key, *value;
		safetensors_metadata_at(file, i, &key, &value);
		if (!is_own_key(key))
			model_set(model, key, value);
	}
	model_hash(model);
	*out = model;
	model = NULL;
done:
	model_free(model);
	free(classes);
	json_decref(json);
	safetensors_close(file);
	return status;
}

enum status model_name_classes(struct model *model, const char *path, struct err *err)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	int n = 0, is_csv = 0;
	if (!file)
		return err_set(err, NOT_FOUND, "%s: cannot be read", path);
	for (int row = 0; (length = getline(&line, &room, file)) >= 0; row++) {
		line[strcspn(line, "\r\n")] = 0;
		if (row == 0 && !strncmp(line, "index,", 6)) {
			is_csv = 1;
			continue;
		}
		if (!*line)
			continue;
		const char *comma = is_csv ? strchr(line, ',') : NULL;
		comma = comma ? strchr(comma + 1, ',') : NULL;
		if (n < model->net.n_classes) {
			free(model->classes[n]);
			model->classes[n] = xstrdup(comma ? comma + 1 : line);
		}
		n++;
	}
	free(line);
	fclose(file);
	if (n != model->net.n_classes)
		return err_set(
			err, BAD_INPUT, "%s: %d classes; the model has %d", path, n, model->net.n_classes);
	return OK;
}

/* [1,2,3] with enough digits to read the same numbers. */
static char *numbers_text(const double *v, int n)
{
	json_t *array = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(array, json_real(v[i]));
	char *text = json_dumps(array, JSON_COMPACT | JSON_REAL_PRECISION(17));
	json_decref(array);
	return text;
}

static char *floats_text(const float *v)
{
	char text[64];
	snprintf(text, sizeof text, "[%.9g,%.9g,%.9g]", (double)v[0], (double)v[1], (double)v[2]);
	return xstrdup(text);
}

static enum status write_file(
	const struct model *model, const char *path, const struct safetensors *parent, struct err *err)
{
	struct safetensors_out tensors[NET_MAX_PARAMS];
	const struct net *net = &model->net;
	char px[16];
	json_t *classes = json_array();
	enum status status = OK;
	memset(tensors, 0, sizeof tensors);
	for (int i = 0; i < net->n_classes && !status; i++) {
		if (json_array_append_new(classes, json_string(model->classes[i])))
			status = err_set(err, BAD_INPUT, "class %d is not UTF-8 text", i);
	}
	for (int i = 0; i < net->n_params; i++) {
		const struct net_param *p = &net->params[i];
		tensors[i].name = p->name;
		tensors[i].type = SAFETENSORS_F32;
		tensors[i].n_dims = p->n_dims;
		for (int j = 0; j < p->n_dims; j++)
			tensors[i].shape[j] = p->shape[j];
		tensors[i].floats = model->params + p->offset;
		if (parent && p->kind != NET_FC_WEIGHT && p->kind != NET_FC_BIAS)
			tensors[i].raw = safetensors_find(parent, p->name);
	}
	char *class_text = json_dumps(classes, JSON_COMPACT);
	char *prior = numbers_text(model->prior, net->n_classes);
	char *mean = floats_text(model->input.mean), *std = floats_text(model->input.std);
	snprintf(px, sizeof px, "%d", model->input.px);
	int n_pairs = 8 + model->n_extra;
	struct safetensors_pair *pairs = xcalloc((size_t)n_pairs, sizeof *pairs);
	pairs[0] = (struct safetensors_pair){"arch", net->arch->name};
	pairs[1] = (struct safetensors_pair){"classes", class_text};
	pairs[2] = (struct safetensors_pair){"input_px", px};
	pairs[3] = (struct safetensors_pair){"mean", mean};
	pairs[4] = (struct safetensors_pair){"std", std};
	pairs[5] = (struct safetensors_pair){"fit", model->input.fit == INPUT_CROP ? "crop" : "squash"};
	pairs[6] = (struct safetensors_pair){"prior", prior};
	pairs[7] = (struct safetensors_pair){"view", model->input.focus ? "focus" : "frame"};
	for (int i = 0; i < model->n_extra; i++)
		pairs[8 + i] = (struct safetensors_pair){model->extra_keys[i], model->extra_values[i]};
	if (!status)
		status = safetensors_write(path, tensors, net->n_params, pairs, n_pairs, err);
	free(pairs);
	free(mean);
	free(std);
	free(prior);
	free(class_text);
	json_decref(classes);
	return status;
}

enum status model_save(
	const struct model *model, const char *path, const char *parent_path, struct err *err)
{
	struct safetensors *file = NULL;
	struct model *parent = NULL;
	enum status status = OK;
	if (parent_path) {
		status = model_load(parent_path, &parent, err);
		if (!status && strcmp(parent->backbone, model->backbone))
			status = err_set(err, CONFLICT, "%s has another backbone", parent_path);
		if (!status)
			status = safetensors_open(parent_path, &file, err);
	}
	if (!status)
		status = write_file(model, path, file, err);
	model_free(parent);
	safetensors_close(file);
	return status;
}
