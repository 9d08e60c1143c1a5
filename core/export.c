/* The frame of every export: one read transaction, a temporary name, a rename that replaces nothing. */
#include "export_part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A place, with .partN behind it, with a file's name behind that. */
enum { PLACE_BYTES = 2001, PART_BYTES = 2040, FILE_BYTES = 2080, MAX_LEFT_OVER = 100 };

static const char *const format_names[] = {"csv", "classifications", "camtrap-dp"};
static const char *const package_files[] = {
	"datapackage.json", "deployments.csv", "media.csv", "observations.csv"};

enum status export_format_parse(const char *name, enum export_format *out, struct err *err)
{
	for (size_t i = 0; i < sizeof format_names / sizeof *format_names; i++)
		if (strcmp(name, format_names[i]) == 0) {
			*out = (enum export_format)i;
			return OK;
		}
	return err_set(err, BAD_INPUT,
		"there is no format '%.40s': csv, classifications or camtrap-dp is wanted", name);
}

const char *export_format_name(enum export_format format)
{
	return format_names[format];
}

enum status export_write_json(const char *path, const json_t *json, struct err *err)
{
	int code = 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return file_error(errno, path, err);
	errno = 0;
	if (json_dumpfd(json, fd, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) != 0 ||
		write(fd, "\n", 1) != 1 || fsync(fd) != 0)
		code = errno ? errno : EIO;
	if (close(fd) != 0 && !code)
		code = errno;
	return code ? file_error(code, path, err) : OK;
}

/* Makes what is at `from` durable under `to`, which must not exist. */
static enum status publish(const char *from, const char *to, struct err *err)
{
	struct stat there;
	int code = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0 ? 0 : errno;
	if (code == EINVAL || code == ENOSYS) { /* a file system without RENAME_NOREPLACE */
		code = lstat(to, &there) == 0 ? EEXIST : 0;
		if (!code && rename(from, to) != 0)
			code = errno;
	}
	return code ? file_error(code, to, err) : OK;
}

/* The folder that holds path: a rename is on the disk when this is. */
static enum status sync_folder(const char *path, bool of, struct err *err)
{
	char folder[PART_BYTES];
	snprintf(folder, sizeof folder, "%s", path);
	char *slash = strrchr(folder, '/');
	if (of && slash)
		slash[slash == folder] = '\0';
	else if (of)
		snprintf(folder, sizeof folder, ".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return file_error(errno, folder, err);
	int code = fsync(fd) == 0 || errno == EINVAL ? 0 : errno; /* EINVAL: it cannot be synced */
	close(fd);
	return code ? file_error(code, folder, err) : OK;
}

static json_t *manifest(const struct export_job *job, enum export_format format)
{
	char created[CIVIL_TEXT];
	iso_time(job->now_ms, 0, created);
	return json_pack("{s:s, s:s, s:I, s:s, s:s, s:s}", "format", format_names[format], "project",
		job->project->slug, "rows", (json_int_t)job->out->n_rows, "sha256", job->out->sha256,
		"created", created, "topi", TOPI_VERSION);
}

/* A name beside path that nothing has; what a killed export left under one is not touched. */
static enum status temporary_name(const char *path, char *out, struct err *err)
{
	struct stat there;
	for (int i = 0; i < MAX_LEFT_OVER; i++) {
		snprintf(out, PART_BYTES, "%s.part%d", path, i);
		if (lstat(out, &there) != 0)
			return OK;
	}
	return err_set(err, CONFLICT,
		"%.100s.part0 and so on were left by exports that were ended: remove them", path);
}

static enum status write_sheet(
	const struct export_job *job, enum export_format format, const char *part, struct err *err)
{
	char json[FILE_BYTES];
	snprintf(json, sizeof json, "%s.json", part);
	enum status st = format == EXPORT_CSV ? export_subjects(job, part, err)
										  : export_answers(job, part, err);
	if (st == OK) {
		json_t *about = manifest(job, format);
		st = export_write_json(json, about, err);
		json_decref(about);
	}
	return st;
}

/* The manifest comes last: where it is, the sheet is whole. */
static enum status publish_sheet(const char *part, const char *path, struct err *err)
{
	char part_json[FILE_BYTES], path_json[FILE_BYTES];
	snprintf(part_json, sizeof part_json, "%s.json", part);
	snprintf(path_json, sizeof path_json, "%s.json", path);
	enum status st = publish(part, path, err);
	if (st != OK)
		return st;
	st = publish(part_json, path_json, err);
	if (st == OK && (st = sync_folder(path, true, err)) != OK)
		unlink(path_json);
	if (st != OK)
		unlink(path);
	return st;
}

static void remove_part(enum export_format format, const char *part)
{
	char name[FILE_BYTES];
	if (format != EXPORT_CAMTRAP_DP) {
		unlink(part);
		snprintf(name, sizeof name, "%s.json", part);
		unlink(name);
		return;
	}
	for (size_t i = 0; i < sizeof package_files / sizeof *package_files; i++) {
		snprintf(name, sizeof name, "%s/%s", part, package_files[i]);
		unlink(name);
	}
	rmdir(part);
}

static enum status write_part(struct export_job *job, int64_t project_id, enum export_format format,
	const char *part, struct err *err)
{
	struct project project;
	json_t *camtrap = NULL;
	enum status st = project_load(job->db, project_id, &project, err);
	if (st != OK)
		goto done;
	camtrap = json_loads(project.camtrap, 0, NULL);
	job->project = &project;
	job->camtrap = camtrap;
	if (format != EXPORT_CAMTRAP_DP)
		st = write_sheet(job, format, part, err);
	else if (mkdir(part, 0777) != 0)
		st = file_error(errno, part, err);
	else
		st = export_camtrap(job, part, err);
done:
	json_decref(camtrap);
	project_release(&project);
	return st;
}

static enum status check_free(enum export_format format, const char *path, struct err *err)
{
	struct stat there;
	char json[FILE_BYTES];
	snprintf(json, sizeof json, "%s.json", path);
	if (lstat(path, &there) == 0)
		return file_error(EEXIST, path, err);
	if (format != EXPORT_CAMTRAP_DP && lstat(json, &there) == 0)
		return file_error(EEXIST, json, err);
	return OK;
}

enum status export_project(struct db *db, int64_t project_id, enum export_format format,
	const char *path, int64_t now_ms, struct export_result *out, struct err *err)
{
	char place[PLACE_BYTES], part[PART_BYTES];
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n == 0 || n >= PLACE_BYTES)
		return err_set(err, BAD_INPUT, "the name to write to is empty or over 2,000 bytes");
	snprintf(place, sizeof place, "%.*s", (int)n, path);
	*out = (struct export_result){0};
	struct export_job job = {.db = db, .now_ms = now_ms, .out = out};
	enum status st = check_free(format, place, err);
	if (st == OK)
		st = temporary_name(place, part, err);
	if (st == OK)
		st = db_read_begin(db, err);
	if (st != OK)
		return st;
	st = write_part(&job, project_id, format, part, err);
	if (st == OK)
		st = db_commit(db, err);
	db_rollback(db);
	if (st == OK && format != EXPORT_CAMTRAP_DP)
		st = publish_sheet(part, place, err);
	if (st == OK && format == EXPORT_CAMTRAP_DP) {
		st = sync_folder(part, false, err);
		if (st == OK)
			st = publish(part, place, err);
		if (st == OK && sync_folder(place, true, err) != OK)
			st = publish(place, part, err) == OK ? err->status : FAULT;
	}
	if (st != OK)
		remove_part(format, part);
	return st;
}
