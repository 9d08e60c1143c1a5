/* The project of coloured frames. */
#include "support_frames.h"

#include "image.h"
#include "model.h"
#include "project.h"
#include "registry.h"
#include "volunteer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>
#include <spawn.h>
#include <sqlite3.h>

#include <cmocka.h>

extern char **environ;

static void check_status(enum status st, const struct err *err)
{
	if (st != OK)
		fail_msg("%s", err->text);
}

int64_t frames_sql(const struct frames *f, const char *format, ...)
{
	char path[100], text[2000];
	sqlite3 *raw = NULL;
	sqlite3_stmt *stmt = NULL;
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(path, sizeof path, "%s/topi.db", f->dir);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	sqlite3_busy_timeout(raw, 10000);
	if (strncmp(text, "ATTACH", 6) == 0) {
		snprintf(path, sizeof path, "ATTACH '%s/embeddings.db' AS emb", f->dir);
		assert_int_equal(sqlite3_exec(raw, path, NULL, NULL, NULL), SQLITE_OK);
		memmove(text, text + 6, strlen(text + 6) + 1);
	}
	if (sqlite3_prepare_v2(raw, text, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(raw));
	int code = sqlite3_step(stmt);
	int64_t out = code == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		fail_msg("%s: %s", text, sqlite3_errmsg(raw));
	sqlite3_finalize(stmt);
	sqlite3_close(raw);
	return out;
}

static void write_file(const char *path, const void *bytes, size_t n)
{
	FILE *out = fopen(path, "wb");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, n, out), n);
	assert_int_equal(fclose(out), 0);
}

/* The 448 px rendition of a frame: its class' colour with noise, or no JPEG at all. */
static void make_frame(const struct frames *f, int subject, int frame)
{
	static const uint8_t colours[3][3] = {{128, 128, 128}, {220, 40, 40}, {40, 40, 220}};
	enum { PX = FRAMES_PX };
	struct err err = {0};
	struct image_rgb image = {.width_px = PX, .height_px = PX};
	char path[300];
	uint8_t *bytes = NULL;
	size_t n = 0;
	unsigned noise = (unsigned)(subject * 7919 + frame);
	snprintf(path, sizeof path, "%s/renditions/448/%02x", f->dir, subject);
	mkdir(path, 0750);
	snprintf(path, sizeof path, "%s/renditions/448/%02x/%02x%062d-0.jpg", f->dir, subject, subject,
		subject * 10 + frame);
	image.pixels = xmalloc(PX * PX * 3);
	for (int i = 0; i < PX * PX * 3; i++) {
		noise = noise * 1664525 + 1013904223;
		image.pixels[i] = (uint8_t)(colours[subject % 3][i % 3] + (int)(noise >> 27) - 16);
	}
	if (subject <= FRAMES_SUBJECTS - FRAMES_BROKEN) {
		check_status(image_encode_rgb(&image, 90, &bytes, &n, &err), &err);
		write_file(path, bytes, subject == FRAMES_CUT && frame == 1 ? n / 2 : n);
	} else {
		write_file(path, "no JPEG", 7);
	}
	free(bytes);
	image_rgb_release(&image);
}

/* An untrained net of the project's taxa, promoted. */
static void make_model(struct frames *f, struct db *db)
{
	static const char *const codes[] = {"blank", "zebra", "topi"};
	struct err err = {0};
	struct model *model = NULL;
	struct registry_file file = {0};
	char path[100];
	snprintf(path, sizeof path, "%s/start.safetensors", f->dir);
	check_status(model_new("resnet10s", codes, 3, FRAMES_PX, 1, &model, &err), &err);
	model_set(model, "backbone", model->backbone);
	check_status(model_save(model, path, NULL, &err), &err);
	model_free(model);
	check_status(registry_parse(path, &file, &err), &err);
	check_status(registry_keep_file(f->dir, path, file.sha256, &err), &err);
	check_status(registry_import(db, f->project, "start", &file, 1, &f->model, &err), &err);
	check_status(registry_promote(db, f->project, f->model, 1, &err), &err);
	registry_file_release(&file);
}

/* In one transaction: one each would be most of a test's time. */
static void make_rows(const struct frames *f)
{
	char path[100], *text = NULL, *why = NULL;
	size_t n = 0;
	sqlite3 *raw = NULL;
	FILE *out = open_memstream(&text, &n);
	fputs("BEGIN;", out);
	for (int i = 1; i <= 3; i++)
		fprintf(out,
			"INSERT INTO deployment (project_id, name, utc_offset_s, holdout, created_ms) "
			"VALUES (%lld, 'd%d', 0, 0, 0);",
			(long long)f->project, i);
	for (int i = 1; i <= FRAMES_SUBJECTS; i++)
		fprintf(out,
			"INSERT INTO subject (project_id, deployment_id, created_ms) VALUES (%lld, %d, 0);",
			(long long)f->project, 1 + (i / 3) % 3);
	for (int i = 0; i < FRAMES_SUBJECTS * FRAMES_EACH; i++) {
		int subject = 1 + i / FRAMES_EACH, frame = i % FRAMES_EACH;
		fprintf(out,
			"INSERT INTO media (project_id, deployment_id, subject_id, sha256, n_bytes, file_name, "
			"width_px, height_px, crop_bottom_px, created_ms) "
			"VALUES (%lld, %d, %d, x'%02x%062d', 1, 'f%d', 64, 64, 0, 0);",
			(long long)f->project, subject % 3 == 0 ? 3 : 1 + subject % 2, subject, subject,
			subject * 10 + frame, frame);
	}
	fputs("COMMIT", out);
	fclose(out);
	snprintf(path, sizeof path, "%s/topi.db", f->dir);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	if (sqlite3_exec(raw, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
	sqlite3_close(raw);
	free(text);
}

void frames_open(struct frames *f, int lease_ms)
{
	struct err err = {0};
	struct db *db = NULL;
	char text[SECRET_SIZE], path[100];
	snprintf(f->dir, sizeof f->dir, "/tmp/topi-frames-XXXXXX");
	assert_true(sodium_init() >= 0);
	assert_non_null(mkdtemp(f->dir));
	snprintf(path, sizeof path, "%s/cache", f->dir);
	setenv("XDG_CACHE_HOME", path, 1);
	check_status(db_open(f->dir, DB_CREATE, &db, &err), &err);
	secret_make(text);
	check_status(db_run(db, Q_SETTING_PUT, &err, "ss", "secret", text), &err);
	snprintf(text, sizeof text, "%d", lease_ms);
	check_status(db_run(db, Q_SETTING_PUT, &err, "ss", "lease_ms", text), &err);
	json_t *file = json_pack("{s:s, s:s, s:[{s:s,s:s,s:s},{s:s,s:s,s:s},{s:s,s:s,s:s}]}", "slug",
		"p", "title", "P", "taxa", "code", "blank", "kind", "blank", "common_name", "nothing",
		"code", "zebra", "common_name", "zebra", "scientific_name", "Equus quagga", "code", "topi",
		"common_name", "topi", "scientific_name", "Damaliscus lunatus");
	check_status(project_add(db, file, 1, &f->project, &err), &err);
	json_decref(file);
	make_rows(f);
	snprintf(path, sizeof path, "%s/renditions/448", f->dir);
	assert_int_equal(mkdir(path, 0750), 0);
	for (int i = 1; i <= FRAMES_SUBJECTS; i++)
		for (int j = 0; j < FRAMES_EACH; j++)
			make_frame(f, i, j);
	make_model(f, db);
	db_close(db);
}

void frames_close(struct frames *f)
{
	char command[100];
	snprintf(command, sizeof command, "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0); /* a test's own folder under /tmp */
}

void frames_label(const struct frames *f)
{
	frames_sql(f,
		"UPDATE subject SET state = 'retired', label_id = 1 + id %% 3, p_label = 1, decided_by = "
		"'expert', reason = 'expert'");
}

pid_t frames_start(const struct frames *f, const char *const *args)
{
	pid_t pid = 0;
	posix_spawn_file_actions_t actions;
	char out[100];
	snprintf(out, sizeof out, "%s/out", f->dir);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, out, 01101 /* O_WRONLY|O_CREAT|O_TRUNC */, 0600);
	assert_int_equal(posix_spawn(&pid, TOPI_BINARY_DIR "/topi", &actions, NULL,
						 (char *const *)(uintptr_t)args, environ),
		0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

int frames_wait(pid_t pid)
{
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

json_t *frames_json(const struct frames *f, const char *const *args)
{
	char out[100];
	assert_int_equal(frames_wait(frames_start(f, args)), 0);
	snprintf(out, sizeof out, "%s/out", f->dir);
	json_t *reply = json_load_file(out, 0, NULL);
	assert_non_null(reply);
	return reply;
}
