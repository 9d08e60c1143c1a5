/*
 * Safetensors in and out. The reader trusts nothing: after safetensors_open every tensor's bytes
 * lie inside the mapping, as many as its shape and type want, none shared with another tensor.
 */
#include "safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are copied as they lie");

struct safetensors {
	uint8_t *map;
	size_t map_bytes;
	json_t *header; /* owns every text below */
	struct safetensors_tensor *tensors;
	int n_tensors;
	struct safetensors_pair *metadata;
	int n_metadata;
};

static const struct {
	const char *name;
	enum safetensors_type type;
	int bytes;
} types[] = {
	{"F32", SAFETENSORS_F32, 4},
	{"F16", SAFETENSORS_F16, 2},
	{"BF16", SAFETENSORS_BF16, 2},
	{"F64", SAFETENSORS_OTHER, 8},
	{"I64", SAFETENSORS_OTHER, 8},
	{"U64", SAFETENSORS_OTHER, 8},
	{"I32", SAFETENSORS_OTHER, 4},
	{"U32", SAFETENSORS_OTHER, 4},
	{"I16", SAFETENSORS_OTHER, 2},
	{"U16", SAFETENSORS_OTHER, 2},
	{"I8", SAFETENSORS_OTHER, 1},
	{"U8", SAFETENSORS_OTHER, 1},
	{"BOOL", SAFETENSORS_OTHER, 1},
	{"F8_E4M3", SAFETENSORS_OTHER, 1},
	{"F8_E5M2", SAFETENSORS_OTHER, 1},
};

static float half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h >> 15) << 31, exponent = h >> 10 & 31, mantissa = h & 1023u, bits;
	if (exponent == 31) {
		bits = sign | 0x7f800000u | mantissa << 13;
	} else if (exponent) {
		bits = sign | (exponent + 112) << 23 | mantissa << 13;
	} else { /* subnormal or zero: exact in a float */
		float f = (float)mantissa * 0x1p-24f;
		return sign ? -f : f;
	}
	float f;
	memcpy(&f, &bits, 4);
	return f;
}

/* Round to nearest, ties to even, as IEEE 754 says. */
static uint16_t float_to_half(float f)
{
	uint32_t bits;
	memcpy(&bits, &f, 4);
	uint32_t sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu;
	if (rest > 0x7f800000u)
		return (uint16_t)(sign | 0x7e00u);
	if (rest >= 0x477ff000u)
		return (uint16_t)(sign | 0x7c00u);
	if (rest < 0x38800000u) { /* subnormal half: let the float unit round at 2^-24 */
		float magnitude;
		memcpy(&magnitude, &rest, 4);
		magnitude += 0.5f;
		uint32_t rounded;
		memcpy(&rounded, &magnitude, 4);
		return (uint16_t)(sign | (rounded - 0x3f000000u));
	}
	rest += 0xfffu + (rest >> 13 & 1u);
	return (uint16_t)(sign | (rest - 0x38000000u) >> 13);
}

static enum status read_metadata(
	struct safetensors *file, json_t *object, const char *path, struct err *err)
{
	const char *key;
	json_t *value;
	if (!json_is_object(object))
		return err_set(err, BAD_INPUT, "%s: __metadata__ is not an object of texts", path);
	file->metadata = xcalloc(json_object_size(object), sizeof *file->metadata);
	json_object_foreach(object, key, value)
	{
		const char *text = json_string_value(value);
		if (!text)
			return err_set(err, BAD_INPUT, "%s: metadata %.40s is not a text", path, key);
		file->metadata[file->n_metadata++] = (struct safetensors_pair){key, text};
	}
	return OK;
}

static enum status read_tensor(struct safetensors *file, const char *name, const json_t *entry,
	const uint8_t *data, size_t data_bytes, const char *path, struct err *err)
{
	struct safetensors_tensor *t = &file->tensors[file->n_tensors];
	const char *type = json_string_value(json_object_get(entry, "dtype"));
	const json_t *shape = json_object_get(entry, "shape");
	const json_t *range = json_object_get(entry, "data_offsets");
	int element_bytes = 0;
	if (!type || !json_is_array(shape) || !json_is_array(range) || json_array_size(range) != 2)
		return err_set(
			err, BAD_INPUT, "%s: tensor %.40s lacks dtype, shape or data_offsets", path, name);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (!strcmp(types[i].name, type)) {
			t->type = types[i].type;
			element_bytes = types[i].bytes;
		}
	}
	if (!element_bytes)
		return err_set(err, BAD_INPUT, "%s: tensor %.40s has unknown type %.20s", path, name, type);
	if (json_array_size(shape) > SAFETENSORS_MAX_DIMS)
		return err_set(err, BAD_INPUT, "%s: tensor %.40s has %zu dimensions, at most %d are read",
			path, name, json_array_size(shape), SAFETENSORS_MAX_DIMS);
	t->name = name;
	t->type_name = type;
	t->n_dims = (int)json_array_size(shape);
	t->n = 1;
	for (int i = 0; i < t->n_dims; i++) {
		const json_t *side = json_array_get(shape, (size_t)i);
		t->shape[i] = json_is_integer(side) ? (int64_t)json_integer_value(side) : -1;
		if (t->shape[i] < 0 || __builtin_mul_overflow(t->n, t->shape[i], &t->n))
			return err_set(err, BAD_INPUT, "%s: tensor %.40s has an impossible shape", path, name);
	}
	const json_t *first = json_array_get(range, 0), *last = json_array_get(range, 1);
	json_int_t begin = json_is_integer(first) ? json_integer_value(first) : -1;
	json_int_t end = json_is_integer(last) ? json_integer_value(last) : -1;
	if (begin < 0 || end < begin || (uint64_t)end > data_bytes)
		return err_set(err, BAD_INPUT, "%s: tensor %.40s lies outside the file's %zu data bytes",
			path, name, data_bytes);
	int64_t n_bytes;
	if (__builtin_mul_overflow(t->n, (int64_t)element_bytes, &n_bytes) || n_bytes != end - begin)
		return err_set(err, BAD_INPUT, "%s: tensor %.40s: its shape does not fit its %lld bytes",
			path, name, (long long)(end - begin));
	t->data = data + begin;
	t->n_bytes = (size_t)n_bytes;
	file->n_tensors++;
	return OK;
}

static int by_place(const void *a, const void *b)
{
	const struct safetensors_tensor *s = a, *t = b;
	if (s->data != t->data)
		return (const uint8_t *)s->data < (const uint8_t *)t->data ? -1 : 1;
	return s->n_bytes != t->n_bytes ? (s->n_bytes < t->n_bytes ? -1 : 1) : strcmp(s->name, t->name);
}

/* Without gaps and overlaps, as the format demands: so no byte of a file means two things or
 * nothing. */
static enum status check_ranges(const struct safetensors *file, const uint8_t *data, size_t n_bytes,
	const char *path, struct err *err)
{
	const uint8_t *at = data;
	for (int i = 0; i < file->n_tensors; i++) {
		const struct safetensors_tensor *t = &file->tensors[i];
		if ((const uint8_t *)t->data != at)
			return err_set(err, BAD_INPUT, "%s: tensor %.40s %s", path, t->name,
				(const uint8_t *)t->data < at ? "overlaps another" : "leaves a hole before it");
		at += t->n_bytes;
	}
	if (at != data + n_bytes)
		return err_set(err, BAD_INPUT, "%s: %zu bytes at its end belong to no tensor", path,
			(size_t)(data + n_bytes - at));
	return OK;
}

static enum status read_header(struct safetensors *file, const char *path, struct err *err)
{
	if (file->map_bytes < 8)
		return err_set(
			err, BAD_INPUT, "%s: no safetensors file: only %zu bytes", path, file->map_bytes);
	uint64_t header_bytes = 0;
	for (int i = 0; i < 8; i++)
		header_bytes |= (uint64_t)file->map[i] << 8 * i;
	if (header_bytes > file->map_bytes - 8)
		return err_set(err, BAD_INPUT,
			"%s: no safetensors file, or cut: the header would take %llu bytes of %zu", path,
			(unsigned long long)header_bytes, file->map_bytes);
	if (header_bytes > SAFETENSORS_MAX_HEADER_BYTES)
		return err_set(err, TOO_LARGE, "%s: a header of %llu bytes; at most %u are read", path,
			(unsigned long long)header_bytes, SAFETENSORS_MAX_HEADER_BYTES);
	json_error_t why;
	file->header = json_loadb(
		(const char *)file->map + 8, (size_t)header_bytes, JSON_REJECT_DUPLICATES, &why);
	if (!file->header || !json_is_object(file->header))
		return err_set(err, BAD_INPUT, "%s: the header is no JSON object: %.80s", path,
			file->header ? "another value" : why.text);
	const uint8_t *data = file->map + 8 + header_bytes;
	size_t data_bytes = file->map_bytes - 8 - (size_t)header_bytes;
	file->tensors = xcalloc(json_object_size(file->header), sizeof *file->tensors);
	const char *name;
	json_t *entry;
	json_object_foreach(file->header, name, entry)
	{
		enum status status = strcmp(name, "__metadata__")
			? read_tensor(file, name, entry, data, data_bytes, path, err)
			: read_metadata(file, entry, path, err);
		if (status)
			return status;
	}
	qsort(file->tensors, (size_t)file->n_tensors, sizeof *file->tensors, by_place);
	return check_ranges(file, data, data_bytes, path, err);
}

enum status safetensors_open(const char *path, struct safetensors **out, struct err *err)
{
	enum status status = OK;
	struct safetensors *file = xcalloc(1, sizeof *file);
	struct stat stat;
	*out = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat)) {
		status = err_set(err, errno == ENOENT ? NOT_FOUND : FAULT, "%s: %s", path, strerror(errno));
		goto done;
	}
	if (!S_ISREG(stat.st_mode) || !stat.st_size) {
		status = err_set(err, BAD_INPUT, "%s: not a model file, or empty", path);
		goto done;
	}
	file->map_bytes = (size_t)stat.st_size;
	file->map = mmap(NULL, file->map_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file->map == MAP_FAILED) {
		file->map = NULL;
		status = err_set(err, FAULT, "%s: %s", path, strerror(errno));
		goto done;
	}
	status = read_header(file, path, err);
	if (status)
		goto done;
	*out = file;
	file = NULL;
done:
	if (fd >= 0)
		close(fd);
	safetensors_close(file);
	return status;
}

void safetensors_close(struct safetensors *file)
{
	if (!file)
		return;
	if (file->map)
		munmap(file->map, file->map_bytes);
	json_decref(file->header);
	free(file->tensors);
	free(file->metadata);
	free(file);
}

enum status safetensors_part(const struct safetensors *file, const char *prefix,
	const char *metadata, struct safetensors **out, struct err *err)
{
	struct safetensors *part = xcalloc(1, sizeof *part);
	size_t n_prefix = strlen(prefix);
	part->header = json_loads(metadata, JSON_REJECT_DUPLICATES, NULL);
	enum status status = read_metadata(part, part->header, prefix, err);
	*out = NULL;
	if (status) {
		safetensors_close(part);
		return status;
	}
	part->tensors = xcalloc((size_t)file->n_tensors, sizeof *part->tensors);
	for (int i = 0; i < file->n_tensors; i++) {
		if (strncmp(file->tensors[i].name, prefix, n_prefix))
			continue;
		part->tensors[part->n_tensors] = file->tensors[i];
		part->tensors[part->n_tensors++].name += n_prefix;
	}
	*out = part;
	return OK;
}

int safetensors_count(const struct safetensors *file)
{
	return file->n_tensors;
}

const struct safetensors_tensor *safetensors_at(const struct safetensors *file, int i)
{
	return &file->tensors[i];
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *file, const char *name)
{
	for (int i = 0; i < file->n_tensors; i++) {
		if (!strcmp(file->tensors[i].name, name))
			return &file->tensors[i];
	}
	return NULL;
}

int safetensors_metadata_count(const struct safetensors *file)
{
	return file->n_metadata;
}

void safetensors_metadata_at(
	const struct safetensors *file, int i, const char **key, const char **value)
{
	*key = file->metadata[i].key;
	*value = file->metadata[i].value;
}

const char *safetensors_metadata(const struct safetensors *file, const char *key)
{
	for (int i = 0; i < file->n_metadata; i++) {
		if (!strcmp(file->metadata[i].key, key))
			return file->metadata[i].value;
	}
	return NULL;
}

enum status safetensors_floats(const struct safetensors_tensor *t, float *out, struct err *err)
{
	const uint8_t *bytes = t->data;
	switch (t->type) {
	case SAFETENSORS_F32:
		memcpy(out, bytes, t->n_bytes);
		return OK;
	case SAFETENSORS_F16:
		for (int64_t i = 0; i < t->n; i++)
			out[i] = half_to_float((uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8));
		return OK;
	case SAFETENSORS_BF16:
		for (int64_t i = 0; i < t->n; i++) {
			uint32_t bits = (uint32_t)bytes[2 * i] << 16 | (uint32_t)bytes[2 * i + 1] << 24;
			memcpy(&out[i], &bits, 4);
		}
		return OK;
	case SAFETENSORS_OTHER:
		break;
	}
	return err_set(err, BAD_INPUT, "tensor %.60s is of type %.20s: wanted F32, F16 or BF16",
		t->name, t->type_name);
}

/* --- writing --- */

static json_t *header_entry(const struct safetensors_out *t, size_t *offset)
{
	const int64_t *shape = t->raw ? t->raw->shape : t->shape;
	int n_dims = t->raw ? t->raw->n_dims : t->n_dims;
	json_t *sides = json_array();
	size_t n = 1;
	for (int i = 0; i < n_dims; i++) {
		json_array_append_new(sides, json_integer(shape[i]));
		n *= (size_t)shape[i];
	}
	size_t n_bytes = t->raw ? t->raw->n_bytes : n * (t->type == SAFETENSORS_F32 ? 4 : 2);
	const char *type = t->raw ? t->raw->type_name : t->type == SAFETENSORS_F32 ? "F32" : "F16";
	json_t *entry = json_pack("{s:s,s:o,s:[I,I]}", "dtype", type, "shape", sides, "data_offsets",
		(json_int_t)*offset, (json_int_t)(*offset + n_bytes));
	*offset += n_bytes;
	return entry;
}

static enum status write_tensor(FILE *out, const struct safetensors_out *t)
{
	if (t->raw)
		return fwrite(t->raw->data, 1, t->raw->n_bytes, out) == t->raw->n_bytes ? OK : FAULT;
	size_t n = 1;
	for (int i = 0; i < t->n_dims; i++)
		n *= (size_t)t->shape[i];
	if (t->type == SAFETENSORS_F32)
		return fwrite(t->floats, 4, n, out) == n ? OK : FAULT;
	for (size_t i = 0; i < n; i++) {
		uint16_t half = float_to_half(t->floats[i]);
		if (fwrite(&half, 2, 1, out) != 1)
			return FAULT;
	}
	return OK;
}

/* The folder's entry, so that the name survives a power cut as well as the bytes. Best effort: some
 * file systems cannot. */
static void sync_folder(const char *path)
{
	char *folder = xstrdup(path), *slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = 0;
	int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(folder);
}

enum status safetensors_write(const char *path, const struct safetensors_out *tensors,
	int n_tensors, const struct safetensors_pair *metadata, int n_metadata, struct err *err)
{
	enum status status = OK;
	json_t *header = json_object(), *texts = json_object();
	char *text = NULL, *temporary = NULL;
	size_t offset = 0;
	for (int i = 0; i < n_metadata; i++) {
		if (json_object_set_new(texts, metadata[i].key, json_string(metadata[i].value))) {
			status = err_set(err, BAD_INPUT, "metadata %.40s is not UTF-8 text", metadata[i].key);
			goto done;
		}
	}
	json_object_set(header, "__metadata__", texts);
	for (int i = 0; i < n_tensors; i++)
		json_object_set_new(header, tensors[i].name, header_entry(&tensors[i], &offset));
	text = json_dumps(header, JSON_COMPACT);
	/* Spaces after the JSON bring the data to a multiple of 8 bytes, as the format's own writer
	 * does. */
	size_t text_bytes = strlen(text), header_bytes = (text_bytes + 7) / 8 * 8;
	temporary = xmalloc(strlen(path) + 8);
	snprintf(temporary, strlen(path) + 8, "%s.XXXXXX", path);
	int fd = mkstemp(temporary);
	if (fd < 0) {
		status = err_set(err, errno == ENOSPC ? FULL : FAULT, "%s: %s", temporary, strerror(errno));
		free(temporary);
		temporary = NULL;
		goto done;
	}
	FILE *out = fdopen(fd, "wb");
	uint8_t length[8];
	for (int i = 0; i < 8; i++)
		length[i] = (uint8_t)((uint64_t)header_bytes >> 8 * i);
	int failed = fwrite(length, 1, 8, out) != 8 ||
		fprintf(out, "%s%*s", text, (int)(header_bytes - text_bytes), "") < 0;
	for (int i = 0; i < n_tensors && !failed; i++)
		failed = write_tensor(out, &tensors[i]) != OK;
	failed = failed || fflush(out) || fchmod(fd, 0644) || fsync(fd);
	int reason = errno;
	if (fclose(out) && !failed) {
		failed = 1;
		reason = errno;
	}
	if (!failed && rename(temporary, path)) {
		failed = 1;
		reason = errno;
	}
	if (failed) {
		status = err_set(err,
			reason == ENOSPC || reason == EDQUOT || reason == EFBIG ? FULL : FAULT, "%s: %s", path,
			strerror(reason));
		goto done;
	}
	free(temporary);
	temporary = NULL;
	sync_folder(path);
done:
	if (temporary)
		unlink(temporary);
	free(temporary);
	free(text);
	json_decref(texts);
	json_decref(header);
	return status;
}
