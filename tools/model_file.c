/* The engine reads the file (arch, backbone, classes), the registry keeps it. */
#include "model_file.h"

#include "command.h"
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "0", "1", ...: the engine's names for the classes of a file that names none. */
static bool has_names(const struct model *model)
{
	for (int i = 0; i < model->net.n_classes; i++) {
		char number[16];
		snprintf(number, sizeof number, "%d", i);
		if (strcmp(model->classes[i], number) != 0)
			return true;
	}
	return false;
}

static void describe(const struct model *model, bool backbone, struct registry_file *out)
{
	out->arch = xstrdup(model->net.arch->name);
	out->backbone = xstrdup(model->backbone);
	if (backbone || !has_names(model))
		return;
	out->classes = json_array();
	out->prior = json_array();
	for (int i = 0; i < model->net.n_classes; i++) {
		json_array_append_new(out->classes, json_string(model->classes[i]));
		json_array_append_new(out->prior, json_real(model->prior[i]));
	}
}

/* The file's name without folder and ending. */
static void stem(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/');
	snprintf(out, size, "%.60s", slash ? slash + 1 : path);
	out[strcspn(out, ".")] = 0;
}

static enum status is_same(
	struct db *db, int64_t project_id, const char *name, const char *sha256, int64_t *id)
{
	struct err err = {0};
	struct registry_model model = {0};
	enum status st = registry_find(db, project_id, name, id, &err);
	if (st == OK)
		st = registry_get(db, *id, &model, &err);
	if (st == OK && strcmp(model.sha256, sha256) != 0)
		st = NOT_FOUND;
	registry_release(&model);
	return st;
}

enum status model_file_import(struct db *db, int64_t project_id, const char *path, const char *name,
	bool backbone, bool focus, int64_t *id, struct err *err)
{
	struct model *model = NULL;
	struct registry_file file = {0};
	char own[64], copy[4096] = "";
	stem(path, own, sizeof own);
	name = name ? name : own;
	enum status st = model_load(path, &model, err);
	if (st != OK)
		return st;
	if (focus && !model->input.focus) {
		model->input.focus = true;
		model_hash(model);
		snprintf(copy, sizeof copy, "%.3900s/models/focus-%ld.part", db_dir(db), (long)getpid());
		st = model_save(model, copy, NULL, err);
	}
	describe(model, backbone, &file);
	model_free(model);
	if (st == OK)
		st = registry_keep_file(db_dir(db), *copy ? copy : path, file.sha256, err);
	if (*copy)
		unlink(copy);
	if (st == OK && is_same(db, project_id, name, file.sha256, id) != OK) {
		st = db_begin(db, err);
		if (st == OK)
			st = registry_import(db, project_id, name, &file, now_ms(), id, err);
		if (st == OK)
			st = db_commit(db, err);
		if (st != OK)
			db_rollback(db);
	}
	registry_file_release(&file);
	return st;
}
