/*
 * Several models that answer together: the logits are the mean of theirs (Norouzzadeh et al., PNAS
 * 2018, whose best result is such a mean).
 *
 * All see one picture (the same size, fit and view) and know the same classes by name, in any
 * order. A file of an ensemble holds its members whole: tensors "0.conv1.weight", "1.conv1.weight",
 * … as they were, and in `members` of its metadata what they are called, the hashes of the files
 * that they came from and their own metadata. So it is one file with one hash like any other model,
 * and no member can go missing.
 */
#pragma once

#include "model.h"

#define ENSEMBLE_MAX 16

struct ensemble {
	/* What the members are together: classes, heads, input, the prior that goes with a mean of
	 * logits (the geometric mean of theirs). Its net has no layers and no features, params is NULL;
	 * arch is "ensemble". */
	struct model *face;
	int n;
	struct model *members[ENSEMBLE_MAX];
	int *place[ENSEMBLE_MAX]; /* [face->net.n_classes]: which of a member's logits is that class */
};

/*
 * Owns:   takes the members on OK.
 * Errors: BAD_INPUT unless there are 2 to ENSEMBLE_MAX that know the same classes in the same heads
 * and see the same picture.
 */
enum status ensemble_new(
	struct model *const *members, int n, struct ensemble **out, struct err *err) MUST_CHECK;
void ensemble_free(struct ensemble *ensemble);

/* Whether a model file says that it is one. */
int ensemble_is(const struct safetensors *file);
/* Errors: BAD_INPUT; as ensemble_new and model_read. */
enum status ensemble_read(const struct safetensors *file, const char *path, struct ensemble **out,
	struct err *err) MUST_CHECK;

/*
 * Loads a model file of either kind: one of *model and *ensemble is set, the other NULL.
 * Errors: as model_load and ensemble_read.
 */
enum status ensemble_or_model(
	const char *path, struct ensemble **ensemble, struct model **model, struct err *err) MUST_CHECK;

struct ensemble_file {
	const char *path, *name, *sha256; /* name and hash are kept in the file */
};

/*
 * Writes the ensemble of some model files.
 * Errors: BAD_INPUT for a member that is an ensemble, and as ensemble_new; others as model_load and
 * safetensors_write.
 */
enum status ensemble_save(
	const struct ensemble_file *files, int n, const char *path, struct err *err) MUST_CHECK;
