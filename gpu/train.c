/* What the training of a head and of a whole net share. */
#include "train_part.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double train_now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void train_shift_bias(const struct model *model, float *params, double tau)
{
	const struct net *net = &model->net;
	float *bias = params + net->params[net->n_params - 1].offset;
	for (int c = 0; c < net->n_classes && tau != 0; c++)
		bias[c] += (float)(tau * log(model->prior[c]));
}

static enum status check_items(
	const struct train_spec *spec, const struct train_item *items, int n_items, struct err *err)
{
	if (n_items < 2 || spec->n_classes < 2)
		return err_set(err, BAD_INPUT, "%d items of %d classes: training wants 2 or more of both",
			n_items, spec->n_classes);
	for (int i = 0; i < n_items; i++) {
		double sum = 0;
		for (int c = 0; c < spec->n_classes; c++) {
			if (!(items[i].target[c] >= 0))
				return err_set(
					err, BAD_INPUT, "item %d has a target of %g", i, (double)items[i].target[c]);
			sum += (double)items[i].target[c];
		}
		if (!(fabs(sum - 1) < 1e-3))
			return err_set(err, BAD_INPUT, "item %d: its target sums to %g, not 1", i, sum);
		if (!(items[i].weight > 0 && isfinite(items[i].weight)))
			return err_set(err, BAD_INPUT, "item %d has weight %g", i, (double)items[i].weight);
	}
	return OK;
}

/* The class shares that the model was trained on; half an item is added to each class, so that none is 0. */
void train_set_prior(struct model *model, const struct train_item *items, const int *which, int n)
{
	int k = model->net.n_classes;
	double total = 0;
	for (int c = 0; c < k; c++) {
		model->prior[c] = 0.5;
		for (int i = 0; i < n; i++)
			model->prior[c] += (double)items[which[i]].weight * (double)items[which[i]].target[c];
		total += model->prior[c];
	}
	for (int c = 0; c < k; c++)
		model->prior[c] /= total;
}

void train_set_history(struct model *model, const struct train_spec *spec, int n_items)
{
	char text[32];
	const char *slash = spec->from ? strrchr(spec->from, '/') : NULL;
	const char *parent = spec->parent ? spec->parent : slash ? slash + 1 : spec->from;
	model_set(model, "mode", spec->mode == TRAIN_HEAD ? "head" : "full");
	snprintf(text, sizeof text, "%llu", spec->seed);
	model_set(model, "seed", text);
	snprintf(text, sizeof text, "%d", n_items);
	model_set(model, "items", text);
	model_set(model, "parent", parent);
	model_set(model, "snapshot", spec->snapshot);
	char *recipe = recipe_write(train_recipe(spec));
	model_set(model, "recipe", recipe);
	free(recipe);
}

const struct recipe *train_recipe(const struct train_spec *spec)
{
	return spec->recipe ? spec->recipe : &recipe_default;
}

/* A model with the spec's classes on the parent's backbone; head rows of classes that the parent knows come along. */
enum status train_adopt(const struct model *parent, const struct train_spec *spec, int px,
	struct model **out, struct err *err)
{
	enum status status = model_new(
		parent->net.arch->name, spec->classes, spec->n_classes, px, spec->seed, out, err);
	if (status)
		return status;
	struct model *model = *out;
	const struct net *net = &model->net;
	const struct net_param *fc = &net->params[net->n_params - 2];
	const struct net_param *from = &parent->net.params[net->n_params - 2];
	size_t d = (size_t)net->n_features;
	model->input = parent->input;
	model->input.px = px;
	memcpy(model->params, parent->params, fc->offset * sizeof(float));
	for (int c = 0; c < net->n_classes; c++) {
		for (int p = 0; p < parent->net.n_classes; p++) {
			if (strcmp(model->classes[c], parent->classes[p]))
				continue;
			memcpy(model->params + fc[0].offset + (size_t)c * d,
				parent->params + from[0].offset + (size_t)p * d, d * sizeof(float));
			model->params[fc[1].offset + (size_t)c] = parent->params[from[1].offset + (size_t)p];
		}
	}
	model_hash(model);
	return OK;
}

enum status train_run(const struct train_spec *spec, const struct train_item *items, int n_items,
	const char *path, struct train_report *report, struct err *err)
{
	double start = train_now_s();
	*report = (struct train_report){0};
	enum status status = check_items(spec, items, n_items, err);
	if (status)
		return status;
	if (spec->n_epochs < 0)
		return err_set(err, BAD_INPUT, "%d epochs: wanted 0 or more", spec->n_epochs);
	if (!spec->from && (spec->mode == TRAIN_HEAD || !spec->arch))
		return err_set(err, BAD_INPUT, "%s",
			spec->mode == TRAIN_HEAD ? "a head is trained on a model's backbone: name a model"
									 : "neither an arch nor a model to start from");
	status = spec->mode == TRAIN_HEAD ? train_head(spec, items, n_items, path, report, err)
									  : train_full(spec, items, n_items, path, report, err);
	report->wall_s = train_now_s() - start;
	return status;
}
