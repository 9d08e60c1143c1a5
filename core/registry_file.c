/* Model files in the data directory, and what their `__metadata__` says. */
#include "registry.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PATH = 4096, MAX_HEADER = 16 << 20, CHUNK = 1 << 16 };

void registry_path(const char *dir, const char *sha256, char *path)
{
	snprintf(path, MAX_PATH, "%.3900s/models/%.64s.safetensors", dir, sha256);
}

static enum status file_fault(const char *path, struct err *err)
{
	enum status st = errno == ENOSPC || errno == EDQUOT ? FULL
		: errno == ENOENT                               ? NOT_FOUND
														: FAULT;
	return err_set(err, st, "%.120s: %s", path, strerror(errno));
}

static bool write_all(int fd, const unsigned char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t written = write(fd, bytes, n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		bytes += written;
		n -= (size_t)written;
	}
	return true;
}

/* Copies in to out while hashing; both are read and written from where they stand. */
static enum status copy_hashed(int in, int out, const char *path, char *sha256, struct err *err)
{
	crypto_hash_sha256_state state;
	unsigned char hash[crypto_hash_sha256_BYTES];
	unsigned char *chunk = xmalloc(CHUNK);
	ssize_t n;
	bool ok = true;
	crypto_hash_sha256_init(&state);
	while (ok && (n = read(in, chunk, CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		ok = n > 0 && write_all(out, chunk, (size_t)n);
		if (ok)
			crypto_hash_sha256_update(&state, chunk, (size_t)n);
	}
	free(chunk);
	ok = ok && fsync(out) == 0;
	crypto_hash_sha256_final(&state, hash);
	sodium_bin2hex(sha256, 65, hash, sizeof hash);
	return ok ? OK : file_fault(path, err);
}

static enum status sync_folder(const char *dir, struct err *err)
{
	char path[MAX_PATH];
	snprintf(path, sizeof path, "%.4000s/models", dir);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return ok ? OK : file_fault(path, err);
}

enum status registry_keep_file(const char *dir, const char *from, char *sha256, struct err *err)
{
	char path[MAX_PATH], part[MAX_PATH];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return file_fault(from, err);
	snprintf(part, sizeof part, "%.3900s/models/part-XXXXXX", dir);
	int out = mkostemp(part, O_CLOEXEC);
	enum status st = out < 0 ? file_fault(part, err) : copy_hashed(in, out, part, sha256, err);
	close(in);
	if (out >= 0 && close(out) != 0 && st == OK)
		st = file_fault(part, err);
	if (st == OK) {
		registry_path(dir, sha256, path);
		if (rename(part, path) != 0)
			st = file_fault(path, err);
	}
	if (st != OK && out >= 0)
		unlink(part);
	return st == OK ? sync_folder(dir, err) : st;
}

/* A JSON text inside the metadata; NULL when it is missing or no array or object. */
static json_t *inner(const json_t *metadata, const char *key)
{
	const char *text = json_string_value(json_object_get(metadata, key));
	return text ? json_loads(text, 0, NULL) : NULL;
}

/* The header of a safetensors file: eight bytes of length, then JSON. NULL when it is none. */
static json_t *read_header(const char *path)
{
	unsigned char p[8];
	uint64_t n = 0;
	json_t *header = NULL;
	FILE *in = fopen(path, "rbe");
	if (!in)
		return NULL;
	if (fread(p, 1, 8, in) == 8) {
		for (int i = 7; i >= 0; i--)
			n = n << 8 | p[i];
		char *text = n <= MAX_HEADER ? malloc((size_t)n + 1) : NULL;
		if (text && fread(text, 1, (size_t)n, in) == (size_t)n)
			header = json_loadb(text, (size_t)n, 0, NULL);
		free(text);
	}
	fclose(in);
	return header;
}

enum status registry_parse(const char *path, struct registry_file *out, struct err *err)
{
	*out = (struct registry_file){0};
	json_t *header = read_header(path);
	json_t *metadata = json_object_get(header, "__metadata__");
	const char *arch = json_string_value(json_object_get(metadata, "arch"));
	const char *backbone = json_string_value(json_object_get(metadata, "backbone"));
	enum status st = OK;
	if (!header)
		st = err_set(err, BAD_INPUT, "the file is no safetensors file");
	else if (!arch || strlen(arch) > 30 || !backbone || strlen(backbone) > 64)
		st = err_set(err, BAD_INPUT, "the model file names no arch and backbone");
	if (st == OK) {
		out->arch = xstrdup(arch);
		out->backbone = xstrdup(backbone);
		out->classes = inner(metadata, "classes");
		out->prior = inner(metadata, "prior");
		out->report = inner(metadata, "report");
		if (json_array_size(out->classes) == 0)
			st = err_set(err, BAD_INPUT, "the model file names no classes");
	}
	json_decref(header);
	return st;
}

void registry_file_release(struct registry_file *file)
{
	free(file->arch);
	free(file->backbone);
	json_decref(file->classes);
	json_decref(file->prior);
	json_decref(file->report);
	*file = (struct registry_file){0};
}
