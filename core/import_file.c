/* One photograph: bytes to hash, original and renditions. Runs on several threads; touches no database. */
#include "import_part.h"

#include "exif.h"
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 64 << 20, MAX_NAME = 200, MAX_PATH = 4400 };

static const int sizes[N_RENDITIONS] = {1280, 320, 448};

static void hex(const uint8_t sha256[32], char out[65])
{
	sodium_bin2hex(out, 65, sha256, 32);
}

void photo_original(const uint8_t sha256[32], char *out, size_t n_out)
{
	char name[65];
	hex(sha256, name);
	snprintf(out, n_out, "media/%.2s/%s.jpg", name, name);
}

void photo_rendition(
	const uint8_t sha256[32], int size_px, int64_t crop_px, char *out, size_t n_out)
{
	char name[65];
	hex(sha256, name);
	snprintf(out, n_out, "renditions/%d/%.2s/%s-%lld.jpg", size_px, name, name, (long long)crop_px);
}

static void refuse(struct photo *photo, enum status status, const char *reason)
{
	photo->status = status;
	photo->fatal = status == FULL || status == FAULT;
	snprintf(photo->reason, sizeof photo->reason, "%s", reason);
}

static uint8_t *read_all(struct photo *photo, size_t *n)
{
	char text[160];
	struct stat info;
	int fd = open(photo->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &info) != 0) {
		snprintf(text, sizeof text, "cannot be read: %s", strerror(errno));
		refuse(photo, BAD_INPUT, text);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	uint8_t *bytes = NULL;
	if (!S_ISREG(info.st_mode))
		refuse(photo, BAD_INPUT, "is no plain file");
	else if (info.st_size == 0)
		refuse(photo, BAD_INPUT, "is empty");
	else if (info.st_size > MAX_FILE_BYTES)
		refuse(photo, TOO_LARGE, "is over 64 MiB");
	else
		bytes = malloc((size_t)info.st_size);
	*n = 0;
	while (bytes && *n < (size_t)info.st_size) {
		ssize_t got = read(fd, bytes + *n, (size_t)info.st_size - *n);
		if (got <= 0) {
			refuse(
				photo, BAD_INPUT, got < 0 ? strerror(errno) : "became shorter while it was read");
			free(bytes);
			bytes = NULL;
		} else {
			*n += (size_t)got;
		}
	}
	close(fd);
	return bytes;
}

/* Makes the folders of a file below dir: they are few, so trying costs little. */
static void make_folders(const char *dir, const char *below)
{
	char path[MAX_PATH];
	for (const char *slash = strchr(below, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(path, sizeof path, "%s/%.*s", dir, (int)(slash - below), below);
		mkdir(path, 0750);
	}
}

/* Under another name first: a file that has its name is whole. */
static enum status write_file(
	const char *dir, const char *below, const uint8_t *bytes, size_t n, struct err *err)
{
	char path[MAX_PATH];
	char part[MAX_PATH + 64];
	snprintf(path, sizeof path, "%s/%s", dir, below);
	if (access(path, F_OK) == 0)
		return OK;
	make_folders(dir, below);
	snprintf(part, sizeof part, "%s.%ld.%lx.part", path, (long)getpid(),
		(unsigned long)(uintptr_t)bytes);
	FILE *out = fopen(part, "wb");
	bool good = out && fwrite(bytes, 1, n, out) == n;
	int code = errno;
	if (out && fclose(out) != 0) {
		good = false;
		code = errno;
	}
	if (good && rename(part, path) == 0)
		return OK;
	code = good ? errno : code;
	unlink(part);
	return err_set(err, code == ENOSPC || code == EDQUOT || code == EROFS ? FULL : FAULT,
		"%.100s cannot be written: %s", path, strerror(code));
}

static bool all_there(const struct photo *photo, const struct taking *taking)
{
	char below[MAX_NAME];
	char path[MAX_PATH];
	for (int i = 0; i < N_RENDITIONS; i++) {
		photo_rendition(photo->sha256, sizes[i], taking->crop_bottom_px, below, sizeof below);
		snprintf(path, sizeof path, "%s/%s", taking->dir, below);
		if (access(path, R_OK) != 0)
			return false;
	}
	return true;
}

static enum status render(struct photo *photo, const struct taking *taking, const uint8_t *bytes,
	size_t n, struct image_info *info, struct err *err)
{
	struct image_rendition out[N_RENDITIONS] = {0};
	const struct image_options options = {.crop_bottom_px = (int)taking->crop_bottom_px};
	enum status st = image_renditions(bytes, n, &options, out, info, err);
	for (int i = 0; st == OK && i < N_RENDITIONS; i++) {
		char below[MAX_NAME];
		photo_rendition(photo->sha256, sizes[i], taking->crop_bottom_px, below, sizeof below);
		st = write_file(taking->dir, below, out[i].bytes, out[i].n_bytes, err);
	}
	image_renditions_release(out);
	return st;
}

void photo_take(struct photo *photo, const struct taking *taking)
{
	size_t n = 0;
	struct err err = {0};
	struct image_info info = {0};
	struct exif exif;
	uint8_t *bytes = read_all(photo, &n);
	if (!bytes) {
		if (!photo->reason[0])
			refuse(photo, FAULT, "no memory to read it");
		return;
	}
	crypto_hash_sha256(photo->sha256, bytes, n);
	photo->n_bytes = (int64_t)n;
	enum status st = all_there(photo, taking) ? image_probe(bytes, n, &info, &err)
											  : render(photo, taking, bytes, n, &info, &err);
	if (st == OK && !taking->link) {
		char below[MAX_NAME];
		photo_original(photo->sha256, below, sizeof below);
		st = write_file(taking->dir, below, bytes, n, &err);
	}
	if (st == OK) {
		exif_read(bytes, n, &exif);
		photo->has_time = exif.has_time;
		photo->time = exif.time;
		photo->width_px = info.width_px;
		photo->height_px = info.height_px;
		photo->taken = true;
	} else {
		refuse(photo, st, err.text);
	}
	free(bytes);
}

enum status photo_sync(const char *dir, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) != 0) {
		int code = errno;
		if (fd >= 0)
			close(fd);
		return err_set(
			err, code == ENOSPC ? FULL : FAULT, "%.120s cannot be synced: %s", dir, strerror(code));
	}
	close(fd);
	return OK;
}
