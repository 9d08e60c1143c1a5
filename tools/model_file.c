/* The engine reads the file (arch, backbone, classes), the registry keeps it. */
#include "model_file.h"

#include "command.h"
#include "ensemble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "0", "1", ...: the engine's names for the classes of a file that names none. */
static bool has_names(const struct model *model)
{
	for (int i = 0; i < model->net.head_size[0]; i++) {
		char number[16];
		snprintf(number, sizeof number, "%d", i);
		if (strcmp(model->classes[i], number) != 0)
			return true;
	}
	return false;
}

/* The first head's classes are the project's taxa. */
static void describe(const struct model *model, bool backbone, struct registry_file *out)
{
	out->arch = xstrdup(model->net.arch->name);
	out->backbone = xstrdup(model->backbone);
	if (backbone || !has_names(model))
		return;
	out->classes = json_array();
	out->prior = json_array();
	for (int i = 0; i < model->net.head_size[0]; i++) {
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

/* The file is in place; the row, unless the same is there under that name. members NULL: it is from elsewhere. */
static enum status add_row(struct db *db, int64_t project_id, const char *name,
	const struct registry_file *file, const int64_t *members, int n, int64_t *id, struct err *err)
{
	if (is_same(db, project_id, name, file->sha256, id) == OK)
		return OK;
	enum status st = db_begin(db, err);
	if (st == OK && members)
		st = registry_add_ensemble(db, project_id, name, file, members, n, now_ms(), id, err);
	else if (st == OK)
		st = registry_import(db, project_id, name, file, now_ms(), id, err);
	if (st == OK)
		st = db_commit(db, err);
	if (st != OK)
		db_rollback(db);
	return st;
}

enum status model_file_import(struct db *db, int64_t project_id, const char *path, const char *name,
	bool backbone, bool focus, int64_t *id, struct err *err)
{
	struct model *model = NULL;
	struct ensemble *ensemble = NULL;
	struct registry_file file = {0};
	char own[64], copy[4096] = "";
	stem(path, own, sizeof own);
	enum status st = ensemble_or_model(path, &ensemble, &model, err);
	if (st == OK && ensemble && (backbone || focus))
		st = err_set(err, BAD_INPUT, "%.120s: an ensemble is imported as it is, without %s", path,
			focus ? "--focus" : "--backbone");
	if (st == OK && model && focus && !model->input.focus) {
		model->input.focus = true;
		model_hash(model);
		snprintf(copy, sizeof copy, "%.3900s/models/focus-%ld.part", db_dir(db), (long)getpid());
		st = model_save(model, copy, NULL, err);
	}
	if (st == OK)
		describe(ensemble ? ensemble->face : model, backbone, &file);
	model_free(model);
	ensemble_free(ensemble);
	if (st == OK)
		st = registry_keep_file(db_dir(db), *copy ? copy : path, file.sha256, err);
	if (*copy)
		unlink(copy);
	if (st == OK)
		st = add_row(db, project_id, name ? name : own, &file, NULL, 0, id, err);
	registry_file_release(&file);
	return st;
}

struct members {
	int n;
	int64_t ids[ENSEMBLE_MAX];
	struct registry_model models[ENSEMBLE_MAX];
	char paths[ENSEMBLE_MAX][4096];
	struct ensemble_file files[ENSEMBLE_MAX];
};

static enum status find_members(
	struct db *db, int64_t project_id, const char *list, struct members *m, struct err *err)
{
	char *names = xstrdup(list), *rest = names;
	enum status st = OK;
	for (char *name; st == OK && (name = strsep(&rest, ","));) {
		if (m->n == ENSEMBLE_MAX) {
			st = err_set(err, BAD_INPUT, "an ensemble has at most %d models", ENSEMBLE_MAX);
			break;
		}
		int i = m->n++;
		st = registry_find(db, project_id, name, &m->ids[i], err);
		if (st == OK)
			st = registry_get(db, m->ids[i], &m->models[i], err);
		registry_path(db_dir(db), m->models[i].sha256, m->paths[i]);
		m->files[i] = (struct ensemble_file){m->paths[i], m->models[i].name, m->models[i].sha256};
	}
	free(names);
	return st;
}

/* "a+b+c"; one that is too long is the registry's to refuse. name [256]. */
static void join_names(const struct members *m, char *name)
{
	int n = 0;
	for (int i = 0; i < m->n && n < 200; i++)
		n += snprintf(name + n, (size_t)(256 - n), i ? "+%s" : "%s", m->models[i].name);
}

enum status model_file_ensemble(struct db *db, int64_t project_id, const char *list,
	const char *name, int64_t *id, struct err *err)
{
	struct members *m = xcalloc(1, sizeof *m);
	struct registry_file file = {0};
	char own[256] = "", part[4096];
	snprintf(part, sizeof part, "%.3900s/models/ensemble-%ld.part", db_dir(db), (long)getpid());
	enum status st = find_members(db, project_id, list, m, err);
	if (st == OK)
		st = ensemble_save(m->files, m->n, part, err);
	if (st == OK) {
		join_names(m, own);
		st = registry_parse(part, &file, err);
		if (st == OK)
			st = registry_keep_file(db_dir(db), part, file.sha256, err);
		unlink(part);
	}
	if (st == OK)
		st = add_row(db, project_id, name ? name : own, &file, m->ids, m->n, id, err);
	for (int i = 0; i < m->n; i++)
		registry_release(&m->models[i]);
	registry_file_release(&file);
	free(m);
	return st;
}
