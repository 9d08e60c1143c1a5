/* What volunteers read: a project's texts in every language that it has, its pages, its pictures. */
#include "handlers.h"

#include "pages.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* {name in the folder, without its type: address} */
static enum status load_pictures(struct request *r, json_t **out, struct err *err)
{
	char url[200];
	struct stmt *row = db_query(r->db, Q_PAGE_PICTURE_LIST, "i", r->project_id);
	enum status st;
	*out = json_object();
	while ((st = db_step(row, err)) == OK) {
		snprintf(url, sizeof url, "/api/projects/%.60s/files/%s", r->args[0], col_text(row, 1));
		json_object_set_new(*out, col_text(row, 0), json_string(url));
	}
	return st == NOT_FOUND ? OK : st;
}

static void put_picture(json_t *to, const json_t *pictures, const char *name)
{
	json_t *url = json_object_get(pictures, name);
	if (url)
		json_object_set(to, "picture", url);
}

static void put_look_pictures(json_t *looks, const json_t *pictures)
{
	char name[200];
	size_t i, j;
	json_t *look, *value;
	json_array_foreach(looks, i, look) json_array_foreach(json_object_get(look, "values"), j, value)
	{
		snprintf(name, sizeof name, "looks/%s/%s", json_string_value(json_object_get(look, "id")),
			json_string_value(json_object_get(value, "id")));
		put_picture(value, pictures, name);
	}
}

/* The file's codes as ids. One whose taxon has left the list is left out. */
static json_t *confusions_by_id(const json_t *list, const json_t *ids)
{
	size_t i;
	json_t *one, *out = json_array();
	json_array_foreach((json_t *)list, i, one)
	{
		const json_t *taxa = json_object_get(one, "taxa");
		json_t *a = json_object_get(ids, json_string_value(json_array_get(taxa, 0)));
		json_t *b = json_object_get(ids, json_string_value(json_array_get(taxa, 1)));
		if (!a || !b)
			continue;
		json_t *copy = json_copy(one);
		json_object_set_new(copy, "taxa", json_pack("[O, O]", a, b));
		json_array_append_new(out, copy);
	}
	return out;
}

static enum status put_taxa(
	struct request *r, json_t *taxa, const json_t *pictures, json_t *ids, struct err *err)
{
	char name[100];
	size_t i;
	json_t *taxon, *by_id = json_object();
	json_array_foreach(taxa, i, taxon)
	{
		const char *code = json_string_value(json_object_get(taxon, "code"));
		json_object_set(ids, code, json_object_get(taxon, "id"));
		json_object_set(by_id, code, taxon);
		snprintf(name, sizeof name, "taxa/%s", code);
		put_picture(taxon, pictures, name);
	}
	struct stmt *row = db_query(r->db, Q_TAXON_TEXTS, "i", r->project_id);
	enum status st;
	while ((st = db_step(row, err)) == OK) {
		json_t *texts = json_loads(col_text(row, 2), 0, NULL);
		taxon = json_object_get(by_id, col_text(row, 1));
		if (taxon && texts)
			json_object_update(taxon, texts);
		json_decref(texts);
	}
	json_decref(by_id);
	return st == NOT_FOUND ? OK : st;
}

/* [{"name", "languages"}] */
static enum status put_pages(struct request *r, json_t *project, struct err *err)
{
	json_t *pages = json_array(), *last = NULL;
	struct stmt *row = db_query(r->db, Q_PAGE_LIST, "i", r->project_id);
	enum status st;
	while ((st = db_step(row, err)) == OK) {
		const char *name = json_string_value(json_object_get(last, "name"));
		if (!name || strcmp(name, col_text(row, 0)) != 0) {
			last = json_pack("{s:s, s:[]}", "name", col_text(row, 0), "languages");
			json_array_append_new(pages, last);
		}
		json_array_append_new(json_object_get(last, "languages"), json_string(col_text(row, 1)));
	}
	if (json_array_size(pages) > 0)
		json_object_set(project, "pages", pages);
	json_decref(pages);
	return st == NOT_FOUND ? OK : st;
}

enum status put_texts(struct request *r, json_t *project, json_t *taxa, struct err *err)
{
	struct stmt *row = NULL;
	json_t *pictures = NULL, *ids = json_object(), *texts = NULL;
	enum status st = load_pictures(r, &pictures, err);
	if (st == OK)
		st = db_one(r->db, Q_PROJECT_TEXTS, &row, err, "i", r->project_id);
	if (st == OK) {
		texts = json_loads(col_text(row, 0), 0, NULL);
		db_done(row);
		st = put_taxa(r, taxa, pictures, ids, err);
	}
	if (st == OK && texts) {
		json_t *confusions = json_object_get(texts, "confusions");
		put_look_pictures(json_object_get(texts, "looks"), pictures);
		if (confusions)
			json_object_set_new(texts, "confusions", confusions_by_id(confusions, ids));
		json_object_update(project, texts);
	}
	json_decref(texts);
	json_decref(ids);
	json_decref(pictures);
	return st == OK ? put_pages(r, project, err) : st;
}

enum status handle_page(struct request *r, struct reply *reply, struct err *err)
{
	char language[40] = "";
	struct stmt *row = NULL;
	enum status st = query_get(r, "lang", language, sizeof language, err);
	if (st == OK || st == NOT_FOUND)
		st = db_one(r->db, Q_PAGE_GET, &row, err, "iss", r->project_id, r->args[1], language);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "the project has no page '%.80s'", r->args[1]);
	if (st == OK) {
		reply->json = json_pack(
			"{s:s, s:s}", "markdown", col_text(row, 0), "lang", col_text(row, 1));
		db_done(row);
	}
	return st;
}

enum status handle_file(struct request *r, struct reply *reply, struct err *err)
{
	static const struct {
		const char *ending, *type;
	} types[] = {{".png", "image/png"}, {".jpg", "image/jpeg"}, {".webp", "image/webp"},
		{".svg", "image/svg+xml"}};
	char path[2400];
	struct stmt *row = NULL;
	const char *file = r->args[1], *dot = strrchr(file, '.');
	/* Only what the table names is opened: no path comes from outside. */
	enum status st = db_one(r->db, Q_PAGE_PICTURE_THERE, &row, err, "is", r->project_id, file);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "the project has no file '%.80s'", file);
	if (st != OK)
		return st;
	db_done(row);
	for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
		if (strcmp(dot, types[i].ending) == 0)
			reply->type = types[i].type;
	if (!reply->type || strlen(r->app->dir) > 2000)
		return err_set(err, FAULT, "the file '%.80s' has no type", file);
	pages_path(r->app->dir, file, path, sizeof path);
	reply->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (reply->fd < 0)
		return err_set(err, errno == ENOENT ? NOT_FOUND : FAULT,
			"the file '%.80s' cannot be read: %s", file, strerror(errno));
	reply->has_file = true;
	reply->sandbox = strcmp(dot, ".svg") == 0;
	reply->cache = CACHE_PRIVATE_IMMUTABLE;
	return OK;
}
