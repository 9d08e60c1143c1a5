/*
 * A model: a net, its parameters, and what one must know to use it. On disk it is a safetensors
 * file with torchvision's tensor names; `__metadata__` carries the rest, as texts:
 *
 *   arch         a name of net_archs          classes   JSON array of texts: ids as the caller gave
 * them input_px     "224"                        mean, std JSON arrays of 3, of pixels in [0, 1]
 *   fit          "crop" | "squash" (input.h)  view      "frame" | "focus" (input_window)  prior     JSON array: the class shares it was trained
 * on parent, mode, seed, snapshot, calibration, …        texts that the engine keeps and does not
 * read
 *
 * A plain torchvision ResNet file has none of these: arch and number of classes are then read off
 * the tensors' shapes, the rest is ImageNet's, the classes are "0", "1", … and the prior is
 * uniform.
 */
#pragma once

#include "input.h"
#include "net.h"
#include "safetensors.h"

#include <stdint.h>

struct model {
	struct net net;
	float *params;  /* [net.n_floats] */
	char **classes; /* [net.n_classes] */
	double *prior;  /* [net.n_classes], sums to 1 */
	struct input_spec input;
	char backbone[33]; /* hash of all that decides an embedding: arch, input, parameters but the
						  head's */
	int n_extra;       /* metadata that the engine does not read, kept in order */
	char **extra_keys, **extra_values;
};

/*
 * Owns:   *out is the caller's, to model_free.
 * Errors: NOT_FOUND; BAD_INPUT when the file is no model or its tensors do not fit its arch.
 */
enum status model_load(const char *path, struct model **out, struct err *err) MUST_CHECK;

/*
 * A net with fresh parameters (net_init_params), uniform prior, ImageNet's normalisation and fit
 * "squash".
 * Shapes: classes [n_classes], copied; NULL gives "0", "1", …
 */
enum status model_new(const char *arch, const char *const *classes, int n_classes, int input_px,
	unsigned long long seed, struct model **out, struct err *err) MUST_CHECK;

void model_free(struct model *model);

/* The metadata text of a key, or NULL. model_set replaces it; value NULL removes it. */
const char *model_get(const struct model *model, const char *key);
void model_set(struct model *model, const char *key, const char *value);

/* Names the classes: one a line of a text file, or the last column of a CSV with the header
 * `index,…,name`. */
enum status model_name_classes(struct model *model, const char *path, struct err *err) MUST_CHECK;

/* Computes model->backbone again after the parameters changed. */
void model_hash(struct model *model);

/*
 * Writes the model file in F32. With parent_path, every tensor but the head's (fc.*) is copied from
 * that file byte for byte instead (its types kept): a retrained head on an untouched backbone.
 * Errors: as safetensors_write; CONFLICT when the parent's backbone is another.
 */
enum status model_save(const struct model *model, const char *path, const char *parent_path,
	struct err *err) MUST_CHECK;
