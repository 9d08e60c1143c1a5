/*
 * topi infer: what a model sees on JPEG files, one JSON line each, without a data directory. A bad
 * file gets a line with "error" and the rest goes on.
 */
#include "commands.h"
#include "engine.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 32

struct options {
	const char *model, *device, *classes;
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

static json_t *top_classes(const struct model *model, const float *logits, int n_top)
{
	int k = model->net.n_classes;
	float *probs = xmalloc((size_t)k * sizeof *probs);
	json_t *array = json_array();
	engine_softmax(logits, k, probs);
	for (int i = 0; i < n_top && i < k; i++) {
		int best = 0;
		for (int c = 1; c < k; c++)
			best = probs[c] > probs[best] ? c : best;
		json_array_append_new(array,
			json_pack("{s:s,s:i,s:f}", "class", model->classes[best], "index", best, "p",
				(double)probs[best]));
		probs[best] = -1;
	}
	free(probs);
	return array;
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
			json_object_set_new(line, "top", top_classes(model, row, o->n_top));
		print_line(line);
		*n_bad += place[i] < 0;
	}
	fflush(stdout);
	free(rgb);
	free(logits);
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
			strcmp(arg, "--precision"))
			return err_set(err, BAD_INPUT, "unknown option %.40s", arg);
		if (!value)
			return err_set(err, BAD_INPUT, "%s wants a value", arg);
		i++;
		if (!strcmp(arg, "--device"))
			o->device = value;
		else if (!strcmp(arg, "--classes"))
			o->classes = value;
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
	return o->device ? parse_device(o->device, err) : OK;
}

static enum status open_engine(
	const struct options *o, struct model **model, struct engine **engine, struct err *err)
{
	enum status status = model_load(o->model, model, err);
	if (!status && o->classes)
		status = model_name_classes(*model, o->classes, err);
	if (!status)
		status = engine_open_model(*model, o->device, o->precision, engine, err);
	return status;
}

int cmd_infer(int argc, char **argv)
{
	struct options o = {
		.files = xcalloc((size_t)argc, sizeof(char *)), .precision = BACKEND_FASTEST};
	struct model *model = NULL;
	struct engine *engine = NULL;
	struct err err = {0};
	int n_bad = 0, code = EXIT_DONE;
	if (read_options(argc, argv, &o, &err)) {
		code = cmd_usage("%s", err.text);
		goto done;
	}
	enum status status = open_engine(&o, &model, &engine, &err);
	for (int i = 0; i < o.n_files && !status; i += BATCH) {
		int n = o.n_files - i < BATCH ? o.n_files - i : BATCH;
		status = run_batch(engine, &o, o.files + i, n, &n_bad, &err);
	}
	if (status)
		code = cmd_fail(&err);
	else if (n_bad)
		code = EXIT_FAILED;
done:
	engine_close(engine);
	model_free(model);
	free(o.files);
	return code;
}
