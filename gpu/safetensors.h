/*
 * The safetensors file format: eight bytes of header length, a JSON header that names every
 * tensor's type, shape and byte range, then the bytes (https://github.com/huggingface/safetensors).
 *
 * A file comes from anywhere, so everything in the header is checked before it is used: length,
 * JSON, types, shapes against byte counts, ranges against the file, overlaps and holes.
 */
#pragma once

#include "status.h"

#include <stdint.h>

#define SAFETENSORS_MAX_DIMS 8
#define SAFETENSORS_MAX_HEADER_BYTES (16u << 20)

enum safetensors_type {
	SAFETENSORS_F32,
	SAFETENSORS_F16,
	SAFETENSORS_BF16,
	SAFETENSORS_OTHER /* stored and copied, never converted (I64, U8, …) */
};

struct safetensors_tensor {
	const char *name;
	const char *type_name; /* as the header spells it */
	enum safetensors_type type;
	int n_dims;
	int64_t shape[SAFETENSORS_MAX_DIMS];
	int64_t n;        /* elements */
	const void *data; /* inside the mapping; not aligned */
	size_t n_bytes;
};

struct safetensors;

/*
 * Maps a file and checks its header.
 * Owns:   *out is the caller's, to safetensors_close; the mapping lives as long.
 * Errors: NOT_FOUND when there is no such file; BAD_INPUT or TOO_LARGE with what is wrong in it.
 */
enum status safetensors_open(
	const char *path, struct safetensors **out, struct err *err) MUST_CHECK;
void safetensors_close(struct safetensors *file);

/*
 * A file inside a file: the tensors whose names begin with prefix, which they lose, under metadata
 * of their own, a JSON object of texts.
 * Owns:   *out is the caller's, to safetensors_close before `file`, whose mapping it uses.
 * Errors: BAD_INPUT when metadata is another thing.
 */
enum status safetensors_part(const struct safetensors *file, const char *prefix,
	const char *metadata, struct safetensors **out, struct err *err) MUST_CHECK;

int safetensors_count(const struct safetensors *file);
/* Tensor i of safetensors_count, in the order of their bytes. */
const struct safetensors_tensor *safetensors_at(const struct safetensors *file, int i);
/* NULL when the file has no tensor of that name. */
const struct safetensors_tensor *safetensors_find(const struct safetensors *file, const char *name);

int safetensors_metadata_count(const struct safetensors *file);
void safetensors_metadata_at(
	const struct safetensors *file, int i, const char **key, const char **value);
/* The value of a key of `__metadata__`, or NULL. */
const char *safetensors_metadata(const struct safetensors *file, const char *key);

/*
 * A tensor as floats.
 * Shapes: out [tensor->n].
 * Errors: BAD_INPUT when its type is not F32, F16 or BF16.
 */
enum status safetensors_floats(
	const struct safetensors_tensor *tensor, float *out, struct err *err) MUST_CHECK;

/* What a writer puts in a file: floats in type F32 or F16, or, with `raw` set, bytes as they are.
 */
struct safetensors_out {
	const char *name;
	enum safetensors_type type;
	int n_dims;
	int64_t shape[SAFETENSORS_MAX_DIMS];
	const float *floats;                  /* [product of shape], or */
	const struct safetensors_tensor *raw; /* copied with its own type and shape */
};

struct safetensors_pair {
	const char *key, *value;
};

/*
 * Writes the tensors in the order given to a temporary name beside path, syncs it, renames it: the
 * file is there whole or not at all. The same arguments give the same bytes.
 * Errors: FULL when the
 * disk is; BAD_INPUT for a metadata text that is not UTF-8; FAULT with the system's words
 * otherwise.
 */
enum status safetensors_write(const char *path, const struct safetensors_out *tensors,
	int n_tensors, const struct safetensors_pair *metadata, int n_metadata,
	struct err *err) MUST_CHECK;
