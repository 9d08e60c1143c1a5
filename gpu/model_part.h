/* What the files of model.h share. */
#pragma once

#include "model.h"

/* A model with everything but its parameters' values. Errors: as model_new_heads. */
enum status model_empty(const struct net_arch *arch, const struct model_head *heads, int n_heads,
	int input_px, struct model **out, struct err *err) MUST_CHECK;

/*
 * What the engine reads again. `classes` and `prior` are the first head's, for readers that know of
 * no others. Owns: the caller releases *out, also after a failure; there is room for two pairs more.
 * Errors: BAD_INPUT for a name that is not UTF-8.
 */
enum { MODEL_METADATA_PAIRS = 9 };
struct model_metadata {
	struct safetensors_pair pairs[MODEL_METADATA_PAIRS + 2];
	int n;
	char *texts[MODEL_METADATA_PAIRS]; /* that pairs borrow */
	int n_texts;
};
enum status model_metadata_init(
	struct model_metadata *out, const struct model *model, struct err *err) MUST_CHECK;
void model_metadata_release(struct model_metadata *metadata);

/* A hash of n bytes (a multiple of 4), as backbones have. Shapes: out [33]. */
void model_hash_bytes(const void *data, size_t n, char *out);
