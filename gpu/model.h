/*
 * A model: a net, its parameters, and what one must know to use it. On disk it is a safetensors
 * file with torchvision's tensor names; `__metadata__` carries the rest, as texts:
 *
 *   arch       a name of net_archs
 *   classes    JSON array of texts: the first head's, ids as the caller gave them
 *   heads      JSON array of {"name", "classes", "prior"}: all heads, where there are several
 *   prior      JSON array: the class shares that the first head was trained on
 *   input_px   "224"
 *   mean, std  JSON arrays of 3, of pixels in [0, 1]
 *   fit        "crop" | "squash" (input.h)
 *   view       "frame" | "focus" (input_window)
 *   parent, mode, seed, snapshot, calibration, …: texts that the engine keeps and does not read
 *
 * A plain ResNet file of torchvision or timm has none of these, or others: arch and number of
 * classes are then read off the tensors' shapes, the rest is ImageNet's, the classes are "0", "1",
 * … and the prior is uniform. Tensors may be F32, F16 or BF16.
 */
#pragma once

#include "input.h"
#include "net.h"
#include "safetensors.h"

#include <stdint.h>

struct model {
	struct net net;
	float *params;              /* [net.n_floats] */
	char **classes;             /* [net.n_classes], one head after the other */
	double *prior;              /* [net.n_classes], each head's sums to 1 */
	char *heads[NET_MAX_HEADS]; /* [net.n_heads]: names; NULL where there is one head */
	struct input_spec input;
	char backbone[33]; /* hash of all that decides an embedding: arch, input, parameters but the
						  head's */
	int n_extra;       /* metadata that the engine does not read, kept in order */
	char **extra_keys, **extra_values;
};

/* A task of several that a net answers at once. */
struct model_head {
	const char *name;           /* "species" */
	const char *const *classes; /* [n_classes] */
	int n_classes;
};

/*
 * Owns:   *out is the caller's, to model_free.
 * Errors: NOT_FOUND; BAD_INPUT when the file is no model, its tensors do not fit its arch, or they
 * are another net's: the message names the first tensor that does not fit.
 */
enum status model_load(const char *path, struct model **out, struct err *err) MUST_CHECK;
/* The same from an open file, which path names in messages. */
enum status model_read(const struct safetensors *file, const char *path, struct model **out,
	struct err *err) MUST_CHECK;

/*
 * A net with fresh parameters (net_init_params), uniform prior, ImageNet's normalisation and fit
 * "squash".
 * Shapes: classes [n_classes], copied; NULL gives "0", "1", …
 */
enum status model_new(const char *arch, const char *const *classes, int n_classes, int input_px,
	unsigned long long seed, struct model **out, struct err *err) MUST_CHECK;
/* The same with several heads, the first of which is the species. Shapes: heads [n_heads], copied. */
enum status model_new_heads(const char *arch, const struct model_head *heads, int n_heads,
	int input_px, unsigned long long seed, struct model **out, struct err *err) MUST_CHECK;

/* The same net at another input size (0: the same), without the metadata that the engine does not
 * read. Errors: as net_init. */
enum status model_copy(
	const struct model *model, int input_px, struct model **out, struct err *err) MUST_CHECK;

/*
 * Replaces the head, as a model of other classes wants that starts from this one: fresh rows by the
 * seed, but those of classes that the model knew (in a head of that name, where it has several)
 * stay. The backbone is untouched; the prior becomes uniform.
 * Shapes: heads [n_heads], copied.
 * Errors: as net_init, net_set_heads; the model is then as it was.
 */
enum status model_replace_head(struct model *model, const struct model_head *heads, int n_heads,
	unsigned long long seed, struct err *err) MUST_CHECK;

void model_free(struct model *model);

/* The metadata text of a key, or NULL. model_set replaces it; value NULL removes it. */
const char *model_get(const struct model *model, const char *key);
void model_set(struct model *model, const char *key, const char *value);

/* Names the first head's classes: one a line of a text file, or the last column of a CSV with the
 * header `index,…,name`. Errors: NOT_FOUND; BAD_INPUT for another number of classes. */
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
