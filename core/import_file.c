/* One photograph: bytes to hash, original and renditions. Runs on several threads; touches no database. */
#include "import_part.h"

#include "exif.h"
#include "image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 64 << 20, MAX_NAME = 200, MAX_PATH = 4400 };

static int size_px(const struct taking *taking, int kind)
{
	static const int sizes[N_RENDITIONS] = {[RENDITION_WEB] = 1280, [RENDITION_THUMB] = 320};
	return kind == RENDITION_MODEL ? taking->model_px : sizes[kind];
}

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
	int fd = open(photo->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* it may be a pipe by now */
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

/*
 * Whether a file is there as it was written: a power cut may leave a name whose bytes never reached the disk. A JPEG of
 * ours ends with its end marker; n_bytes is 0 where only that is known.
 */
static bool is_whole(const char *path, size_t n_bytes)
{
	static const uint8_t last[2] = {0xff, 0xd9};
	uint8_t bytes[2];
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool whole = fd >= 0 && fstat(fd, &info) == 0 && info.st_size > 0;
	if (whole && n_bytes > 0)
		whole = (size_t)info.st_size == n_bytes;
	else if (whole)
		whole = pread(fd, bytes, 2, info.st_size - 2) == 2 && memcmp(bytes, last, 2) == 0;
	if (fd >= 0)
		close(fd);
	return whole;
}

void parts_sweep(const char *dir)
{
	char path[MAX_PATH];
	char *end;
	snprintf(path, sizeof path, "%s/parts", dir);
	DIR *folder = opendir(path);
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		long pid = strtol(entry->d_name, &end, 10);
		if (end == entry->d_name || *end != '-' || pid <= 0)
			continue;
		if (pid != getpid() && kill((pid_t)pid, 0) != 0 && errno == ESRCH)
			unlinkat(dirfd(folder), entry->d_name, 0);
	}
	if (folder)
		closedir(folder);
}

/* Under another name first: a file that has its name is whole. */
static enum status write_file(
	const char *dir, const char *below, const uint8_t *bytes, size_t n, struct err *err)
{
	char path[MAX_PATH];
	char part[MAX_PATH];
	char name[80];
	snprintf(name, sizeof name, "parts/%ld-%lx", (long)getpid(), (unsigned long)(uintptr_t)bytes);
	snprintf(part, sizeof part, "%s/%s", dir, name);
	snprintf(path, sizeof path, "%s/%s", dir, below);
	make_folders(dir, below);
	make_folders(dir, name);
	errno = 0;
	FILE *out = fopen(part, "wb");
	bool good = out && fwrite(bytes, 1, n, out) == n;
	int code = errno;
	if (out && fclose(out) != 0 && good) {
		good = false;
		code = errno;
	}
	if (good && rename(part, path) == 0)
		return OK;
	code = good ? errno : code;
	unlink(part);
	bool full = code == ENOSPC || code == EDQUOT || code == EROFS || code == EFBIG;
	return err_set(err, full ? FULL : FAULT, "%s (writing below %.60s)", strerror(code), dir);
}

static bool all_there(const struct photo *photo, const struct taking *taking)
{
	char below[MAX_NAME];
	char path[MAX_PATH];
	for (int i = 0; i < N_RENDITIONS; i++) {
		photo_rendition(
			photo->sha256, size_px(taking, i), taking->crop_bottom_px, below, sizeof below);
		snprintf(path, sizeof path, "%s/%s", taking->dir, below);
		if (!is_whole(path, 0))
			return false;
	}
	return true;
}

static enum status keep_original(
	const struct photo *photo, const char *dir, const uint8_t *bytes, size_t n, struct err *err)
{
	char below[MAX_NAME];
	char path[MAX_PATH];
	photo_original(photo->sha256, below, sizeof below);
	snprintf(path, sizeof path, "%s/%s", dir, below);
	return is_whole(path, n) ? OK : write_file(dir, below, bytes, n, err);
}

static enum status render(struct photo *photo, const struct taking *taking, const uint8_t *bytes,
	size_t n, struct image_info *info, struct err *err)
{
	struct image_rendition out[N_RENDITIONS] = {0};
	const struct image_options options = {
		.crop_bottom_px = (int)taking->crop_bottom_px, .model_px = taking->model_px};
	enum status st = image_renditions(bytes, n, &options, out, info, err);
	for (int i = 0; st == OK && i < N_RENDITIONS; i++) {
		char below[MAX_NAME];
		photo_rendition(
			photo->sha256, size_px(taking, i), taking->crop_bottom_px, below, sizeof below);
		st = write_file(taking->dir, below, out[i].bytes, out[i].n_bytes, err);
	}
	image_renditions_release(out);
	return st;
}

bool photo_hash(struct photo *photo)
{
	struct photo probe = {.path = photo->path};
	size_t n = 0;
	uint8_t *bytes = read_all(&probe, &n);
	if (!bytes)
		return false;
	crypto_hash_sha256(photo->sha256, bytes, n);
	free(bytes);
	return true;
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
	if (st == OK && !taking->link)
		st = keep_original(photo, taking->dir, bytes, n, &err);
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
