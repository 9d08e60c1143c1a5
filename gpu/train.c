/* What the training of a head and of a whole net share. */
#include "train_part.h"

#include "train_target.h"

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
	if (spec->n_heads < 0 || spec->n_heads > NET_MAX_HEADS)
		return err_set(
			err, BAD_INPUT, "%d heads: 1 to %d are trained", spec->n_heads, NET_MAX_HEADS);
	if (n_items < 2 || (!spec->n_heads && spec->n_classes < 2))
		return err_set(err, BAD_INPUT, "%d items of %d classes: training wants 2 or more of both",
			n_items, spec->n_classes);
	struct model_head heads[NET_MAX_HEADS];
	int n_heads = train_heads(spec, heads);
	for (int i = 0; i < n_items; i++) {
		enum status status = train_target_check(heads, n_heads, items[i].target, i, err);
		if (status)
			return status;
		if (!(items[i].weight > 0 && isfinite(items[i].weight)))
			return err_set(err, BAD_INPUT, "item %d has weight %g", i, (double)items[i].weight);
	}
	return OK;
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
	return spec->recipe ? spec->recipe : spec->from ? &recipe_tuning : &recipe_default;
}

enum status train_adopt(const struct model *parent, const struct train_spec *spec, int px,
	struct model **out, struct err *err)
{
	struct model_head heads[NET_MAX_HEADS];
	int n_heads = train_heads(spec, heads);
	enum status status = model_copy(parent, px, out, err);
	if (!status)
		status = model_replace_head(*out, heads, n_heads, spec->seed, err);
	return status;
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
