/* Any bytes as a model file: a tensor that is listed lies inside the file and has the bytes that its shape says. */
#include "fuzz.h"
#include "safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const int fuzz_with_jpegs = 0;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int fd = -1;
	char path[40];
	struct safetensors *file = NULL;
	struct err err = {0};
	uint64_t sum = 0;
	if (fd < 0)
		fd = memfd_create("model", 0);
	if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, n, 0) != (ssize_t)n)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	enum status st = safetensors_open(path, &file, &err);
	if ((st == OK) != (file != NULL) || (st == OK) == (err.text[0] != 0))
		abort();
	for (int i = 0; file && i < safetensors_count(file); i++) {
		const struct safetensors_tensor *t = safetensors_at(file, i);
		for (size_t at = 0; at < t->n_bytes; at++)
			sum += ((const uint8_t *)t->data)[at];
		if (safetensors_find(file, t->name) == NULL || t->n_bytes > n)
			abort();
		float *floats = t->n <= 1 << 16 ? malloc((size_t)t->n * sizeof *floats + 1) : NULL;
		if (floats && safetensors_floats(t, floats, &err) != OK && t->type != SAFETENSORS_OTHER)
			abort();
		free(floats);
	}
	for (int i = 0; file && i < safetensors_metadata_count(file); i++) {
		const char *key, *value;
		safetensors_metadata_at(file, i, &key, &value);
		sum += strlen(key) + strlen(value);
	}
	safetensors_close(file);
	return sum == UINT64_MAX; /* so that the reads are not optimised away */
}

size_t fuzz_seed(int i, uint8_t *out, size_t room)
{
	static const char *const headers[] = {
		"{\"__metadata__\":{\"arch\":\"resnet18\",\"classes\":\"[]\"},"
		"\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
		"\"b\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[24,32]}}",
		"{\"x\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
		"\"y\":{\"dtype\":\"BF16\",\"shape\":[1,1,0,2],\"data_offsets\":[8,8]}}  ",
	};
	if (i > 1)
		return 0;
	size_t n = strlen(headers[i]);
	if (8 + n + 32 > room)
		return 0;
	memset(out, 0, 8 + n + 32);
	out[0] = (uint8_t)n;
	memcpy(out + 8, headers[i], n);
	return 8 + n + (i ? 8 : 32);
}
