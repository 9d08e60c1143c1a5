/* What the files of a training share. */
#pragma once

#include "train.h"

double train_now_s(void);
const struct recipe *train_recipe(const struct train_spec *spec);

/* A model with the spec's classes on the parent's backbone; head rows of classes that the parent knows come along. */
enum status train_adopt(const struct model *parent, const struct train_spec *spec, int px,
	struct model **out, struct err *err) MUST_CHECK;
void train_set_history(struct model *model, const struct train_spec *spec, int n_items);

/*
 * Adds tau log prior to the head's bias in params. Logit-adjusted softmax cross entropy is cross entropy of W x + b + tau
 * log prior, so a head that is trained from b + tau log prior has the same logits, gradients and steps (biases have no
 * weight decay), and taking the same away at the end gives b: exact but for rounding, and no backend knows of it. The
 * average of the weights is shifted by as much.
 */
void train_shift_bias(const struct model *model, float *params, double tau);

/*
 * The head of model, which has the spec's classes, to its optimum on what its backbone says of the items.
 * Errors: as train_run.
 */
enum status train_head_fit(struct model *model, const struct train_spec *spec,
	const struct train_item *items, int n_items, struct train_report *report,
	struct err *err) MUST_CHECK;

/* Errors: as train_run. */
enum status train_head(const struct train_spec *spec, const struct train_item *items, int n_items,
	const char *path, struct train_report *report, struct err *err) MUST_CHECK;
enum status train_full(const struct train_spec *spec, const struct train_item *items, int n_items,
	const char *path, struct train_report *report, struct err *err) MUST_CHECK;

/*
 * The loss and accuracy of a model on some items, each by its frames' mean logits; those that cannot be read are left
 * out. Shapes: which [n].
 */
enum status train_judge(const struct train_spec *spec, const struct model *model,
	const struct train_item *items, const int *which, int n, double *loss, double *accuracy,
	struct err *err) MUST_CHECK;
