/* Checked whole, then the pictures, then the rows: a folder that is half right changes nothing that anybody sees. */
#include "pages_part.h"
#include "project.h"
#include "texts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PATH = 4400 };

/* "guide/zebra.sw.md": page "guide/zebra" in "sw". */
struct page_name {
	char name[80], language[40];
};

void pages_path(const char *dir, const char *file, char *path, size_t n)
{
	snprintf(path, n, "%s/pages/%.2s/%s", dir, file, file);
}

static bool has_taxon(const struct project *p, const char *code)
{
	for (int i = 0; i < p->k; i++)
		if (!p->taxa[i].retired && strcmp(p->taxa[i].code, code) == 0)
			return true;
	return false;
}

static enum status name_of(
	const struct project *p, const char *path, struct page_name *out, struct err *err)
{
	const size_t n = strlen(path) - 3; /* without ".md" */
	const char *dot = memchr(path, '.', n);
	const size_t n_name = dot ? (size_t)(dot - path) : n;
	const size_t n_language = dot ? n - n_name - 1 : 0;
	if (n_name >= sizeof out->name || n_language >= sizeof out->language)
		return err_set(err, BAD_INPUT, "%.100s: the name is too long", path);
	memcpy(out->name, path, n_name);
	out->name[n_name] = 0;
	memcpy(out->language, dot ? dot + 1 : "", n_language);
	out->language[n_language] = 0;
	if (dot && !texts_is_language(out->language))
		return err_set(err, BAD_INPUT, "%.100s: '%s' is no language: such as fr, sw or pt-BR", path,
			out->language);
	if (strcmp(out->name, "guide") == 0 || strcmp(out->name, "tutorial") == 0)
		return OK;
	const char *code = strncmp(out->name, "guide/", 6) == 0 ? out->name + 6
		: strncmp(out->name, "practice/", 9) == 0           ? out->name + 9
															: NULL;
	if (!code)
		return err_set(err, BAD_INPUT,
			"%.100s is no page: guide.md, tutorial.md, guide/CODE.md and practice/CODE.md are",
			path);
	return has_taxon(p, code)
		? OK
		: err_set(err, BAD_INPUT, "%.100s: the project has no taxon '%.60s'", path, code);
}

/* A page that others translate must be there: it is what is shown in all other languages. */
static enum status check_own(
	const struct page_folder *f, const char *path, const char *name, struct err *err)
{
	char own[100];
	snprintf(own, sizeof own, "%s.md", name);
	for (int i = 0; i < f->n; i++)
		if (strcmp(f->items[i].path, own) == 0)
			return OK;
	return err_set(err, BAD_INPUT, "%.80s: %s in the project's own language is missing", path, own);
}

static enum status add_page(struct db *db, const struct project *p, const struct page_folder *f,
	const struct page_item *item, struct err *err)
{
	struct page_name name;
	char *text = NULL;
	enum status st = name_of(p, item->path, &name, err);
	if (st == OK)
		st = check_own(f, item->path, name.name, err);
	if (st == OK)
		st = page_link_pictures(f, item, p->slug, &text, err);
	if (st == OK)
		st = db_run(db, Q_PAGE_ADD, err, "isss", p->id, name.name, name.language, text);
	free(text);
	return st;
}

/* "looks/pattern/stripes": the project's file says that there is such a look. */
static enum status check_look(
	struct db *db, const struct project *p, const char *path, const char *name, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_PROJECT_TEXTS, &row, err, "i", p->id);
	if (st != OK)
		return st;
	json_t *texts = json_loads(col_text(row, 0), 0, NULL);
	db_done(row);
	char *id = xstrdup(name + 6), *value = strchr(id, '/');
	if (value)
		*value++ = '\0';
	const json_t *look = texts_by_id(json_object_get(texts, "looks"), id);
	if (!value || strchr(value, '/'))
		st = err_set(err, BAD_INPUT, "%.100s: a look's picture is looks/LOOK/VALUE.png", path);
	else if (!look)
		st = err_set(err, BAD_INPUT, "%.100s: the project's \"looks\" have no '%.60s'", path, id);
	else if (!texts_by_id(json_object_get(look, "values"), value))
		st = err_set(
			err, BAD_INPUT, "%.100s: the look '%.60s' has no value '%.60s'", path, id, value);
	free(id);
	json_decref(texts);
	return st;
}

static enum status add_picture(
	struct db *db, const struct project *p, const struct page_item *item, struct err *err)
{
	char *name = xstrdup(item->path);
	char *dot = strrchr(name, '.'), *slash = strrchr(name, '/');
	if (dot && dot > (slash ? slash + 1 : name))
		*dot = 0;
	enum status st = db_run(db, Q_PAGE_PICTURE_ADD, err, "iss", p->id, name, item->file);
	if (st == CONFLICT)
		st = err_set(err, BAD_INPUT, "two pictures are called %.100s", name);
	else if (st == OK && strncmp(name, "taxa/", 5) == 0 && !has_taxon(p, name + 5))
		st = err_set(
			err, BAD_INPUT, "%.100s: the project has no taxon '%.60s'", item->path, name + 5);
	else if (st == OK && strncmp(name, "looks/", 6) == 0)
		st = check_look(db, p, item->path, name, err);
	free(name);
	return st;
}

static enum status disk(const char *path, int error, struct err *err)
{
	return err_set(err, error == ENOSPC || error == EDQUOT ? FULL : FAULT,
		"%.120s cannot be written: %s", path, strerror(error));
}

/* Whole under its name, or not there. */
static enum status keep(const char *dir, const struct page_item *item, struct err *err)
{
	char path[MAX_PATH], part[MAX_PATH];
	struct stat info;
	if (strlen(dir) > 4000)
		return err_set(err, BAD_INPUT, "the data directory's path is too long");
	snprintf(path, sizeof path, "%s/pages", dir);
	mkdir(path, 0750);
	snprintf(path, sizeof path, "%s/pages/%.2s", dir, item->file);
	mkdir(path, 0750);
	pages_path(dir, item->file, path, sizeof path);
	if (stat(path, &info) == 0 && (size_t)info.st_size == item->n)
		return OK;
	snprintf(part, sizeof part, "%s/pages/%.2s/.%s.part", dir, item->file, item->file);
	int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return disk(part, errno, err);
	errno = ENOSPC; /* what a short write is */
	bool good = write(fd, item->bytes, item->n) == (ssize_t)item->n && fsync(fd) == 0;
	int error = errno;
	good = close(fd) == 0 && good;
	if (good && rename(part, path) == 0)
		return OK;
	error = good ? errno : error;
	unlink(part);
	return disk(path, error, err);
}

static enum status store(struct db *db, const char *dir, const struct project *p,
	const struct page_folder *f, struct pages_taken *out, struct err *err)
{
	enum status st = db_run(db, Q_PAGE_CLEAR, err, "i", p->id);
	if (st == OK)
		st = db_run(db, Q_PAGE_PICTURE_CLEAR, err, "i", p->id);
	for (int i = 0; st == OK && i < f->n; i++) {
		const struct page_item *item = &f->items[i];
		out->n_pages += item->is_page;
		out->n_pictures += !item->is_page;
		st = item->is_page ? add_page(db, p, f, item, err) : add_picture(db, p, item, err);
	}
	for (int i = 0; st == OK && i < f->n; i++)
		if (!f->items[i].is_page)
			st = keep(dir, &f->items[i], err);
	return st;
}

enum status pages_take(struct db *db, const char *dir, int64_t project_id, const char *folder,
	struct pages_taken *out, struct err *err)
{
	struct project p = {0};
	struct page_folder f = {0};
	*out = (struct pages_taken){0};
	enum status st = page_folder_read(folder, &f, err);
	if (st == OK)
		st = project_load(db, project_id, &p, err);
	if (st == OK)
		st = store(db, dir, &p, &f, out, err);
	project_release(&p);
	page_folder_release(&f);
	return st;
}

/* One folder of pictures. Nothing else is there but what an import has begun (keep). */
static enum status clean_folder(struct db *db, const char *path, int *n, struct err *err)
{
	char file[MAX_PATH + 300];
	enum status st = OK;
	DIR *folder = opendir(path);
	if (!folder)
		return OK;
	for (const struct dirent *e; st == OK && (e = readdir(folder)) != NULL;) {
		struct stmt *row = NULL;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		st = db_one(db, Q_PAGE_PICTURE_USED, &row, err, "s", e->d_name);
		db_done(st == OK ? row : NULL);
		if (st != NOT_FOUND)
			continue;
		st = OK;
		snprintf(file, sizeof file, "%s/%s", path, e->d_name);
		*n += unlink(file) == 0;
	}
	closedir(folder);
	return st;
}

enum status pages_clean(struct db *db, const char *dir, int *n, struct err *err)
{
	char path[MAX_PATH];
	enum status st = OK;
	*n = 0;
	for (int i = 0; st == OK && i < 256 && strlen(dir) <= 4000; i++) {
		snprintf(path, sizeof path, "%s/pages/%02x", dir, (unsigned)i);
		st = clean_folder(db, path, n, err);
	}
	return st;
}
