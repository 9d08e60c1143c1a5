/*
 * topi infer: what a model sees on JPEG files, one JSON line each, without a data directory. A bad
 * file gets a line with "error" and the rest goes on.
 */
#include "commands.h"
#include "engine.h"
#include "heat.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 32

struct options {
	const char *model, *device, *classes, *cam, *class;
	int n_top, is_raw;
	enum backend_precision precision;
	char **files;
	int n_files;
};

static void print_line(json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
	puts(text ? text : "{\"error\":\"the file's name is not UTF-8\"}");
	free(text);
	json_decref(line);
}

static json_t *file_line(const char *file)
{
	json_t *name = json_string(file); /* NULL for a name that is not UTF-8 */
	return json_pack("{s:o}", "file", name ? name : json_null());
}

/* The n_top likeliest of k classes. Shapes: probs [k], of which those are marked. */
static json_t *top_classes(char *const *classes, float *probs, int k, int n_top)
{
	json_t *array = json_array();
	for (int i = 0; i < n_top && i < k; i++) {
		int best = 0;
		for (int c = 1; c < k; c++)
			best = probs[c] > probs[best] ? c : best;
		json_array_append_new(array,
			json_pack(
				"{s:s,s:i,s:f}", "class", classes[best], "index", best, "p", (double)probs[best]));
		probs[best] = -1;
	}
	return array;
}

/* The first head's classes as `top`, the others' by their names. */
static void add_classes(json_t *line, const struct model *model, const float *logits, int n_top)
{
	const struct net *net = &model->net;
	float *probs = xmalloc((size_t)net->n_classes * sizeof *probs);
	json_t *heads = json_object();
	engine_probs(model, logits, probs);
	for (int h = 0, at = 0; h < net->n_heads; at += net->head_size[h++]) {
		json_t *top = top_classes(model->classes + at, probs + at, net->head_size[h], n_top);
		if (h == 0)
			json_object_set_new(line, "top", top);
		else
			json_object_set_new(heads, model->heads[h], top);
	}
	if (net->n_heads > 1)
		json_object_set(line, "heads", heads);
	json_decref(heads);
	free(probs);
}

static json_t *all_logits(const struct model *model, const float *logits)
{
	json_t *array = json_array();
	for (int c = 0; c < model->net.n_classes; c++)
		json_array_append_new(array, json_real((double)logits[c]));
	return array;
}

/* Decodes, runs and prints up to BATCH files. Returns how many could not be read. */
static enum status run_batch(struct engine *engine, const struct options *o, char **files, int n,
	int *n_bad, struct err *err)
{
	const struct model *model = engine_model(engine);
	size_t image = (size_t)model->input.px * (size_t)model->input.px * 3;
	int k = model->net.n_classes, n_good = 0;
	struct err why[BATCH];
	int place[BATCH];
	uint8_t *rgb = xmalloc((size_t)n * image);
	float *logits = xmalloc((size_t)n * (size_t)k * sizeof *logits);
	for (int i = 0; i < n; i++) {
		place[i] = -1;
		if (!input_load(files[i], &model->input, NULL, rgb + (size_t)n_good * image, &why[i]))
			place[i] = n_good++;
	}
	enum status status = n_good ? engine_run(engine, rgb, n_good, logits, NULL, err) : OK;
	for (int i = 0; i < n && !status; i++) {
		json_t *line = file_line(files[i]);
		const float *row = logits + (place[i] < 0 ? 0 : place[i]) * k;
		if (place[i] < 0)
			json_object_set_new(line, "error", json_string(why[i].text));
		else if (o->is_raw)
			json_object_set_new(line, "logits", all_logits(model, row));
		else
			add_classes(line, model, row, o->n_top);
		print_line(line);
		*n_bad += place[i] < 0;
	}
	fflush(stdout);
	free(rgb);
	free(logits);
	return status;
}

/* Which logit --class names; without it the first head's likeliest. */
static enum status class_of(const struct options *o, const struct model *model, const float *logits,
	int *out, struct err *err)
{
	*out = 0;
	for (int c = 1; c < model->net.head_size[0] && !o->class; c++)
		*out = logits[c] > logits[*out] ? c : *out;
	if (!o->class)
		return OK;
	while (*out < model->net.n_classes && strcmp(o->class, model->classes[*out]))
		++*out;
	return *out < model->net.n_classes
		? OK
		: err_set(err, BAD_INPUT, "the model knows no class '%.60s'", o->class);
}

static enum status write_bytes(const char *path, const void *bytes, size_t n, struct err *err)
{
	FILE *out = fopen(path, "wb");
	int ok = out && fwrite(bytes, 1, n, out) == n;
	if (out)
		ok = fclose(out) == 0 && ok;
	return ok ? OK
			  : err_set(err, errno == ENOSPC ? FULL : FAULT, "%.120s cannot be written: %s", path,
					strerror(errno));
}

/* The map of one file as a JPEG, and a line that says of which class. */
static enum status run_cam(struct engine *engine, const struct options *o, struct err *err)
{
	const struct model *model = engine_model(engine);
	const struct input_spec *input = &model->input;
	if (!model->net.n_features)
		return err_set(
			err, BAD_INPUT, "an ensemble has no map of its own: name one of its members");
	const struct net_act *plane = net_plane(&model->net);
	size_t n_bytes = 0, n_out = 0;
	uint8_t *rgb = xmalloc((size_t)input->px * (size_t)input->px * 3), *bytes = NULL, *out = NULL;
	float *logits = xmalloc((size_t)model->net.n_classes * sizeof *logits);
	float *map = xmalloc((size_t)plane->h * (size_t)plane->w * sizeof *map);
	int class = 0;
	enum status status = input_read_file(o->files[0], &bytes, &n_bytes, err);
	if (!status)
		status = input_decode(bytes, n_bytes, input, NULL, rgb, err);
	if (!status)
		status = engine_run(engine, rgb, 1, logits, NULL, err);
	if (!status)
		status = class_of(o, model, logits, &class, err);
	if (!status)
		status = engine_map(engine, rgb, class, map, err);
	if (!status)
		status = heat_draw(bytes, n_bytes, input, map, plane->h, plane->w, &out, &n_out, err);
	if (!status)
		status = write_bytes(o->cam, out, n_out, err);
	if (!status) {
		json_t *line = file_line(o->files[0]);
		json_object_set_new(line, "class", json_string(model->classes[class]));
		json_object_set_new(line, "logit", json_real((double)logits[class]));
		print_line(line);
	}
	free(rgb);
	free(bytes);
	free(out);
	free(logits);
	free(map);
	return status;
}

static enum status read_options(int argc, char **argv, struct options *o, struct err *err)
{
	int64_t n_top = 5;
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (!strcmp(arg, "--raw")) {
			o->is_raw = 1;
			continue;
		}
		if (strncmp(arg, "--", 2)) {
			if (!o->model)
				o->model = arg;
			else
				o->files[o->n_files++] = argv[i];
			continue;
		}
		if (strcmp(arg, "--device") && strcmp(arg, "--top") && strcmp(arg, "--classes") &&
			strcmp(arg, "--cam") && strcmp(arg, "--class") && strcmp(arg, "--precision"))
			return err_set(err, BAD_INPUT, "unknown option %.40s", arg);
		if (!value)
			return err_set(err, BAD_INPUT, "%s wants a value", arg);
		i++;
		if (!strcmp(arg, "--device"))
			o->device = value;
		else if (!strcmp(arg, "--classes"))
			o->classes = value;
		else if (!strcmp(arg, "--cam"))
			o->cam = value;
		else if (!strcmp(arg, "--class"))
			o->class = value;
		else if (!strcmp(arg, "--precision") && !strcmp(value, "single"))
			o->precision = BACKEND_SINGLE;
		else if (!strcmp(arg, "--precision") && !strcmp(value, "half"))
			o->precision = BACKEND_HALF;
		else if (!strcmp(arg, "--precision"))
			return err_set(err, BAD_INPUT, "--precision %.40s: wanted single or half", value);
		else if (parse_int("--top", value, 1, NET_MAX_CLASSES, &n_top, err))
			return BAD_INPUT;
	}
	o->n_top = (int)n_top;
	if (!o->model || !o->n_files)
		return err_set(err, BAD_INPUT, "infer takes a model file and at least one JPEG file");
	if (o->class && !o->cam)
		return err_set(err, BAD_INPUT, "--class is the class of --cam's map");
	if (o->cam && (o->n_files != 1 || o->is_raw))
		return err_set(err, BAD_INPUT, "--cam takes one JPEG file, and no --raw");
	return o->device ? parse_device(o->device, err) : OK;
}

/* What answers: a model, or several. */
struct loaded {
	struct model *model;
	struct ensemble *ensemble;
};

/* Of the names in a list of files, each a model's. */
static enum status load_list(const char *list, struct ensemble **out, struct err *err)
{
	struct model *members[ENSEMBLE_MAX] = {0};
	char *names = xstrdup(list), *rest = names;
	int n = 0;
	enum status status = OK;
	for (char *name; !status && (name = strsep(&rest, ","));) {
		if (n == ENSEMBLE_MAX)
			status = err_set(err, BAD_INPUT, "an ensemble has at most %d models", ENSEMBLE_MAX);
		else
			status = model_load(name, &members[n++], err);
	}
	if (!status)
		status = ensemble_new(members, n, out, err);
	for (int i = 0; i < n && status; i++)
		model_free(members[i]);
	free(names);
	return status;
}

static enum status open_engine(
	const struct options *o, struct loaded *loaded, struct engine **engine, struct err *err)
{
	bool is_list = strchr(o->model, ',') && access(o->model, F_OK) != 0;
	enum status status = is_list
		? load_list(o->model, &loaded->ensemble, err)
		: ensemble_or_model(o->model, &loaded->ensemble, &loaded->model, err);
	if (status)
		return status;
	if (o->classes)
		status = model_name_classes(
			loaded->ensemble ? loaded->ensemble->face : loaded->model, o->classes, err);
	if (status)
		return status;
	return loaded->ensemble
		? engine_open_ensemble(loaded->ensemble, o->device, o->precision, engine, err)
		: engine_open_model(loaded->model, o->device, o->precision, engine, err);
}

int cmd_infer(int argc, char **argv)
{
	struct options o = {
		.files = xcalloc((size_t)argc, sizeof(char *)), .precision = BACKEND_FASTEST};
	struct loaded loaded = {0};
	struct engine *engine = NULL;
	struct err err = {0};
	int n_bad = 0, code = EXIT_DONE;
	if (read_options(argc, argv, &o, &err)) {
		code = cmd_usage("%s", err.text);
		goto done;
	}
	enum status status = open_engine(&o, &loaded, &engine, &err);
	if (!status && o.cam)
		status = run_cam(engine, &o, &err);
	for (int i = 0; i < o.n_files && !status && !o.cam; i += BATCH) {
		int n = o.n_files - i < BATCH ? o.n_files - i : BATCH;
		status = run_batch(engine, &o, o.files + i, n, &n_bad, &err);
	}
	if (status)
		code = cmd_fail(&err);
	else if (n_bad)
		code = EXIT_FAILED;
done:
	engine_close(engine);
	ensemble_free(loaded.ensemble);
	model_free(loaded.model);
	free(o.files);
	return code;
}
