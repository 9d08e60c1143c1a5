/*
 * What a project's file says in other languages, and of what its taxa look like:
 *
 *   "titles", "descriptions": {"fr": text, ...}
 *   "looks": [{"id": "pattern", "name": "Pattern", "names": {"fr": text}?, "values": [{"id": "stripes", "name": "Stripes",
 *             "names": {...}?}]}]
 *   "confusions": [{"taxa": [CODE, CODE], "text": Markdown, "texts": {"fr": Markdown}?}]
 *   of a taxon: "names": {"fr": text}, "looks": {"pattern": ["stripes"]}
 *
 * Languages are BCP 47 tags ("fr", "sw", "pt-BR"); the plain field beside is the project's own. Fields are kept as they
 * were given, in their order.
 */
#pragma once

#include "db.h"

#include <jansson.h>

/*
 * Errors: BAD_INPUT with what is wrong, for the fields of a project's and of a taxon's object that are texts; a field that
 * no taxon has is wrong, too.
 */
enum status texts_check(const json_t *file, struct err *err) MUST_CHECK;
enum status texts_check_taxon(const char *code, const json_t *object, struct err *err) MUST_CHECK;

/* {language: text} of 1 to n_max bytes each, or NULL. Errors: BAD_INPUT that names `where` and the field. */
enum status texts_check_languages(const char *where, const char *field, const json_t *texts,
	size_t n_max, struct err *err) MUST_CHECK;
bool texts_is_language(const char *tag);

/* Replaces the stored texts by those that the object has; an empty one takes its field away. The object has been checked. */
enum status texts_set(
	struct db *db, int64_t project_id, const json_t *file, struct err *err) MUST_CHECK;
enum status texts_set_taxon(struct db *db, int64_t taxon_id, const char *now, const json_t *object,
	struct err *err) MUST_CHECK;

/* Of stored looks, or of a look's values, the one of that id; NULL: there is none. */
const json_t *texts_by_id(const json_t *list, const char *id);

/* Whether what refers to taxa, looks and values has what it refers to. Errors: BAD_INPUT. */
enum status texts_check_links(struct db *db, int64_t project_id, struct err *err) MUST_CHECK;

/* Adds the stored texts to a project's file and to the taxa of its list, by code. */
enum status texts_show(
	struct db *db, int64_t project_id, json_t *file, json_t *taxa, struct err *err) MUST_CHECK;
