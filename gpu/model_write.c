/* Model files out. */
#include "model_part.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *numbers(const double *v, int n)
{
	json_t *array = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(array, json_real(v[i]));
	return array;
}

/* NULL when a text is not UTF-8. */
static json_t *texts(char *const *v, int n)
{
	json_t *array = json_array();
	for (int i = 0; i < n; i++) {
		if (json_array_append_new(array, json_string(v[i]))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* With enough digits to read the same numbers; NULL for NULL. */
static char *text_of(json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
	json_decref(json);
	return text;
}

static char *floats_text(const float *v)
{
	char text[64];
	snprintf(text, sizeof text, "[%.9g,%.9g,%.9g]", (double)v[0], (double)v[1], (double)v[2]);
	return xstrdup(text);
}

static json_t *heads_json(const struct model *model)
{
	json_t *array = json_array();
	for (int h = 0, at = 0; h < model->net.n_heads; at += model->net.head_size[h++]) {
		int n = model->net.head_size[h];
		json_t *names = texts(model->classes + at, n);
		json_t *head = names ? json_pack("{s:s,s:o,s:o}", "name", model->heads[h], "classes", names,
								   "prior", numbers(model->prior + at, n))
							 : NULL;
		if (json_array_append_new(array, head)) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* Takes the text. */
static int add(struct model_metadata *own, const char *key, char *text)
{
	own->texts[own->n_texts++] = text;
	own->pairs[own->n++] = (struct safetensors_pair){key, text};
	return text != NULL;
}

enum status model_metadata_init(
	struct model_metadata *own, const struct model *model, struct err *err)
{
	char px[16];
	int n = model->net.head_size[0];
	snprintf(px, sizeof px, "%d", model->input.px);
	*own = (struct model_metadata){0};
	int fits = add(own, "arch", xstrdup(model->net.arch->name)) &&
		add(own, "classes", text_of(texts(model->classes, n))) &&
		add(own, "input_px", xstrdup(px)) && add(own, "mean", floats_text(model->input.mean)) &&
		add(own, "std", floats_text(model->input.std)) &&
		add(own, "fit", xstrdup(model->input.fit == INPUT_CROP ? "crop" : "squash")) &&
		add(own, "prior", text_of(numbers(model->prior, n))) &&
		add(own, "view", xstrdup(model->input.focus ? "focus" : "frame")) &&
		(model->net.n_heads == 1 || add(own, "heads", text_of(heads_json(model))));
	return fits ? OK : err_set(err, BAD_INPUT, "a class or head has a name that is not UTF-8");
}

void model_metadata_release(struct model_metadata *own)
{
	for (int i = 0; i < own->n_texts; i++)
		free(own->texts[i]);
}

static enum status write_file(
	const struct model *model, const char *path, const struct safetensors *parent, struct err *err)
{
	const struct net *net = &model->net;
	struct safetensors_out *tensors = xcalloc((size_t)net->n_params, sizeof *tensors);
	struct model_metadata own;
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
	enum status status = model_metadata_init(&own, model, err);
	struct safetensors_pair *pairs = xcalloc((size_t)(own.n + model->n_extra), sizeof *pairs);
	memcpy(pairs, own.pairs, (size_t)own.n * sizeof *pairs);
	for (int i = 0; i < model->n_extra; i++)
		pairs[own.n + i] = (struct safetensors_pair){model->extra_keys[i], model->extra_values[i]};
	if (!status)
		status = safetensors_write(
			path, tensors, net->n_params, pairs, own.n + model->n_extra, err);
	free(pairs);
	free(tensors);
	model_metadata_release(&own);
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
