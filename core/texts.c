/* One kind of check for all: what is wrong is said with the place, the field and the value. */
#include "texts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_LOOKS = 20,
	MAX_VALUES = 40,
	MAX_CONFUSIONS = 500,
	NAME = 200,
	LONG = 20000,
	NOTE = 4000
};

static const char *const of_project[] = {"titles", "descriptions", "looks", "confusions", NULL};
static const char *const of_taxon[] = {"names", "looks", NULL};

bool texts_is_language(const char *tag)
{
	size_t n = strspn(tag, "abcdefghijklmnopqrstuvwxyz");
	if (n < 2 || n > 3)
		return false;
	for (tag += n; *tag == '-'; tag += n + 1) {
		n = 0;
		while (isalnum((unsigned char)tag[1 + n]))
			n++;
		if (n < 1 || n > 8)
			return false;
	}
	return !*tag;
}

static bool is_text(const json_t *value, size_t n_max)
{
	const char *text = json_string_value(value);
	return text && *text && json_string_length(value) <= n_max &&
		strlen(text) == json_string_length(value);
}

static bool is_id(const json_t *value)
{
	const char *text = json_string_value(value);
	if (!is_text(value, 40))
		return false;
	for (; *text; text++)
		if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && *text != '-' &&
			*text != '_')
			return false;
	return true;
}

enum status texts_check_languages(
	const char *where, const char *field, const json_t *texts, size_t n_max, struct err *err)
{
	const char *tag;
	json_t *text;
	if (texts && !json_is_object(texts))
		return err_set(err, BAD_INPUT, "%.60s: \"%s\" must be an object, such as {\"fr\": \"...\"}",
			where, field);
	json_object_foreach((json_t *)texts, tag, text)
	{
		if (!texts_is_language(tag))
			return err_set(err, BAD_INPUT,
				"%.60s: \"%s\": '%.20s' is no language: such as fr, sw or pt-BR", where, field,
				tag);
		if (!is_text(text, n_max))
			return err_set(err, BAD_INPUT, "%.60s: \"%s\": '%s' must be a text of 1 to %zu bytes",
				where, field, tag, n_max);
	}
	return OK;
}

static enum status check_fields(
	const char *where, const json_t *object, const char *const *known, struct err *err)
{
	const char *name;
	json_t *value;
	if (!json_is_object(object))
		return err_set(err, BAD_INPUT, "%.60s: each must be an object", where);
	json_object_foreach((json_t *)object, name, value)
	{
		const char *const *k = known;
		while (*k && strcmp(*k, name) != 0)
			k++;
		if (!*k)
			return err_set(err, BAD_INPUT, "%.60s: there is no field '%.40s'", where, name);
	}
	return OK;
}

/* A look or one of its values: an id of its own, a name, names. */
static enum status check_named(const char *where, const json_t *list, size_t i, struct err *err)
{
	static const char *const known[] = {"id", "name", "names", "values", NULL};
	const json_t *one = json_array_get(list, i), *id = json_object_get(one, "id");
	enum status st = check_fields(where, one, known, err);
	if (st == OK && !is_id(id))
		st = err_set(err, BAD_INPUT,
			"%.60s: \"id\" must be 1 to 40 lower-case letters, digits, - and _", where);
	for (size_t j = 0; st == OK && j < i; j++)
		if (json_equal(json_object_get(json_array_get(list, j), "id"), id))
			st = err_set(err, BAD_INPUT, "%.60s: '%s' stands twice", where, json_string_value(id));
	if (st == OK && !is_text(json_object_get(one, "name"), NAME))
		st = err_set(err, BAD_INPUT, "%.60s: '%s' needs a \"name\" of 1 to %d bytes", where,
			json_string_value(id), NAME);
	return st == OK
		? texts_check_languages(where, "names", json_object_get(one, "names"), NAME, err)
		: st;
}

static enum status check_list(
	const char *where, const json_t *list, size_t n_min, size_t n_max, struct err *err)
{
	const size_t n = json_array_size(list);
	return json_is_array(list) && n >= n_min && n <= n_max
		? OK
		: err_set(err, BAD_INPUT, "%.60s must be a list of %zu to %zu", where, n_min, n_max);
}

static enum status check_looks(const json_t *looks, struct err *err)
{
	char where[80];
	enum status st = looks ? check_list("\"looks\"", looks, 0, MAX_LOOKS, err) : OK;
	for (size_t i = 0; st == OK && i < json_array_size(looks); i++) {
		const json_t *look = json_array_get(looks, i), *values = json_object_get(look, "values");
		st = check_named("looks", looks, i, err);
		if (st != OK)
			return st;
		snprintf(where, sizeof where, "look %s", json_string_value(json_object_get(look, "id")));
		if (!json_is_array(values) || !json_array_size(values) ||
			json_array_size(values) > MAX_VALUES)
			return err_set(
				err, BAD_INPUT, "%s: \"values\" must be a list of 1 to %d", where, MAX_VALUES);
		for (size_t j = 0; st == OK && j < json_array_size(values); j++) {
			st = check_named(where, values, j, err);
			if (st == OK && json_object_get(json_array_get(values, j), "values"))
				st = err_set(err, BAD_INPUT, "%s: a value has no values", where);
		}
	}
	return st;
}

static enum status check_confusions(const json_t *list, struct err *err)
{
	static const char *const known[] = {"taxa", "text", "texts", NULL};
	enum status st = list ? check_list("\"confusions\"", list, 0, MAX_CONFUSIONS, err) : OK;
	for (size_t i = 0; st == OK && i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i), *taxa = json_object_get(one, "taxa");
		st = check_fields("confusions", one, known, err);
		if (st == OK &&
			(json_array_size(taxa) != 2 || !is_text(json_array_get(taxa, 0), 60) ||
				!is_text(json_array_get(taxa, 1), 60) ||
				json_equal(json_array_get(taxa, 0), json_array_get(taxa, 1))))
			st = err_set(
				err, BAD_INPUT, "confusions: \"taxa\" must be the codes of two different taxa");
		if (st == OK && !is_text(json_object_get(one, "text"), NOTE))
			st = err_set(err, BAD_INPUT,
				"confusions: \"text\", what tells %.40s and %.40s apart, must have 1 to %d bytes",
				json_string_value(json_array_get(taxa, 0)),
				json_string_value(json_array_get(taxa, 1)), NOTE);
		if (st == OK)
			st = texts_check_languages(
				"confusions", "texts", json_object_get(one, "texts"), NOTE, err);
	}
	return st;
}

enum status texts_check(const json_t *file, struct err *err)
{
	enum status st = texts_check_languages(
		"project", "titles", json_object_get(file, "titles"), NAME, err);
	if (st == OK)
		st = texts_check_languages(
			"project", "descriptions", json_object_get(file, "descriptions"), LONG, err);
	if (st == OK)
		st = check_looks(json_object_get(file, "looks"), err);
	return st == OK ? check_confusions(json_object_get(file, "confusions"), err) : st;
}

enum status texts_check_taxon(const char *code, const json_t *object, struct err *err)
{
	static const char *const known[] = {"code", "kind", "common_name", "scientific_name", "rank",
		"hotkey", "protected", "retired", "names", "looks", NULL};
	char where[80];
	const char *look;
	json_t *values;
	const json_t *looks = json_object_get(object, "looks");
	snprintf(where, sizeof where, "taxon %.60s", code);
	enum status st = check_fields(where, object, known, err);
	if (st == OK)
		st = texts_check_languages(where, "names", json_object_get(object, "names"), NAME, err);
	if (st == OK && looks && !json_is_object(looks))
		st = err_set(err, BAD_INPUT,
			"%s: \"looks\" must be an object, such as {\"pattern\": [\"stripes\"]}", where);
	json_object_foreach((json_t *)looks, look, values)
	{
		bool good = st == OK && json_is_array(values) && json_array_size(values) <= MAX_VALUES;
		for (size_t i = 0; good && i < json_array_size(values); i++)
			good = is_id(json_array_get(values, i));
		if (st == OK && !good)
			st = err_set(err, BAD_INPUT,
				"%s: \"looks\": '%.40s' must be a list of ids of that look's values", where, look);
	}
	return st;
}

/* The stored texts with the object's fields in place of their own; NULL where the object has none. The caller frees it. */
static char *merged(const char *now, const json_t *object, const char *const *fields)
{
	json_t *texts = json_loads(now, 0, NULL);
	bool any = false;
	if (!texts)
		texts = json_object();
	for (const char *const *f = fields; *f; f++) {
		json_t *value = json_object_get(object, *f);
		if (!value)
			continue;
		any = true;
		if (json_object_size(value) + json_array_size(value) > 0)
			json_object_set(texts, *f, value);
		else
			json_object_del(texts, *f);
	}
	char *text = any ? json_dumps(texts, JSON_COMPACT) : NULL;
	json_decref(texts);
	return text;
}

static enum status load(struct db *db, int64_t project_id, char **texts, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_PROJECT_TEXTS, &row, err, "i", project_id);
	*texts = NULL;
	if (st == OK) {
		*texts = xstrdup(col_text(row, 0));
		db_done(row);
	}
	return st;
}

enum status texts_set(struct db *db, int64_t project_id, const json_t *file, struct err *err)
{
	char *now = NULL;
	enum status st = load(db, project_id, &now, err);
	char *text = st == OK ? merged(now, file, of_project) : NULL;
	if (text)
		st = db_run(db, Q_PROJECT_SET_TEXTS, err, "is", project_id, text);
	free(text);
	free(now);
	return st;
}

enum status texts_set_taxon(
	struct db *db, int64_t taxon_id, const char *now, const json_t *object, struct err *err)
{
	char *text = merged(now, object, of_taxon);
	enum status st = text ? db_run(db, Q_TAXON_SET_TEXTS, err, "is", taxon_id, text) : OK;
	free(text);
	return st;
}

const json_t *texts_by_id(const json_t *list, const char *id)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		if (strcmp(json_string_value(json_object_get(one, "id")), id) == 0)
			return one;
	}
	return NULL;
}

static enum status check_taxon_links(
	const char *code, const json_t *texts, const json_t *looks, struct err *err)
{
	const char *name;
	json_t *values;
	json_object_foreach(json_object_get(texts, "looks"), name, values)
	{
		const json_t *look = texts_by_id(looks, name);
		if (!look)
			return err_set(
				err, BAD_INPUT, "taxon %.60s: the project has no look '%.40s'", code, name);
		for (size_t i = 0; i < json_array_size(values); i++) {
			const char *value = json_string_value(json_array_get(values, i));
			if (!texts_by_id(json_object_get(look, "values"), value))
				return err_set(
					err, BAD_INPUT, "taxon %.60s: look %s has no value '%.40s'", code, name, value);
		}
	}
	return OK;
}

enum status texts_check_links(struct db *db, int64_t project_id, struct err *err)
{
	char *text = NULL;
	enum status st = load(db, project_id, &text, err);
	json_t *texts = st == OK ? json_loads(text, 0, NULL) : NULL, *codes = json_object();
	struct stmt *row = st == OK ? db_query(db, Q_TAXON_TEXTS, "i", project_id) : NULL;
	while (st == OK && (st = db_step(row, err)) == OK) {
		json_t *of = json_loads(col_text(row, 2), 0, NULL);
		if (col_int(row, 3) == 0)
			json_object_set_new(codes, col_text(row, 1), json_true());
		st = check_taxon_links(col_text(row, 1), of, json_object_get(texts, "looks"), err);
		json_decref(of);
		if (st != OK)
			db_done(row);
	}
	st = st == NOT_FOUND ? OK : st;
	const json_t *confusions = json_object_get(texts, "confusions");
	for (size_t i = 0; st == OK && i < json_array_size(confusions) * 2; i++) {
		const char *code = json_string_value(
			json_array_get(json_object_get(json_array_get(confusions, i / 2), "taxa"), i % 2));
		if (!json_object_get(codes, code))
			st = err_set(err, BAD_INPUT, "confusions: the project has no taxon '%.60s'", code);
	}
	json_decref(texts);
	json_decref(codes);
	free(text);
	return st;
}

static void add_texts(json_t *to, const char *text, const char *const *fields)
{
	json_t *texts = json_loads(text, 0, NULL);
	for (const char *const *f = fields; *f; f++)
		if (json_object_get(texts, *f))
			json_object_set(to, *f, json_object_get(texts, *f));
	json_decref(texts);
}

enum status texts_show(
	struct db *db, int64_t project_id, json_t *file, json_t *taxa, struct err *err)
{
	char *text = NULL;
	enum status st = load(db, project_id, &text, err);
	if (st != OK)
		return st;
	add_texts(file, text, of_project);
	free(text);
	struct stmt *row = db_query(db, Q_TAXON_TEXTS, "i", project_id);
	while ((st = db_step(row, err)) == OK)
		for (size_t i = 0; i < json_array_size(taxa); i++) {
			json_t *taxon = json_array_get(taxa, i);
			if (strcmp(json_string_value(json_object_get(taxon, "code")), col_text(row, 1)) == 0)
				add_texts(taxon, col_text(row, 2), of_taxon);
		}
	return st == NOT_FOUND ? OK : st;
}
