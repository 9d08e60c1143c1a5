/* Projects and taxa in and out of the database; a project file is checked whole before anything is stored. */
#include "project.h"

#include "confusion.h"
#include "cost.h"
#include "image.h"
#include "project_shared.h"
#include "skill.h"
#include "survey.h"
#include "texts.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"animal", "blank", "human", "vehicle"};

const char *taxon_kind_name(enum taxon_kind kind)
{
	return kinds[kind];
}

static int kind_of(const char *name)
{
	for (int i = 0; i < 4; i++)
		if (strcmp(kinds[i], name) == 0)
			return i;
	return -1;
}

/* A text member: `fallback` NULL means that it must be there. */
static enum status member(const json_t *object, const char *what, const char *name, size_t n_max,
	const char *fallback, const char **out, struct err *err)
{
	const json_t *value = json_object_get(object, name);
	if (!value && fallback) {
		*out = fallback;
		return OK;
	}
	if (!json_is_string(value) || json_string_length(value) > n_max ||
		strlen(json_string_value(value)) != json_string_length(value) ||
		(!fallback && json_string_length(value) == 0))
		return err_set(err, BAD_INPUT, "%s: \"%s\" must be a text of %s%zu bytes", what, name,
			fallback ? "at most " : "1 to ", n_max);
	*out = json_string_value(value);
	return OK;
}

/* Slugs and codes stand in addresses, file names and manifests. */
static bool is_word(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '-' && *p != '_')
			return false;
	return *text != 0;
}

enum status taxon_add(
	struct db *db, int64_t project_id, const json_t *object, int position, struct err *err)
{
	const char *code = NULL, *kind = NULL, *common = NULL, *scientific = NULL, *rank = NULL;
	const char *hotkey = NULL;
	if (member(object, "taxon", "code", 60, NULL, &code, err) != OK ||
		member(object, code, "kind", 10, "animal", &kind, err) != OK ||
		member(object, code, "common_name", 200, NULL, &common, err) != OK ||
		member(object, code, "scientific_name", 200, "", &scientific, err) != OK ||
		member(object, code, "rank", 30, "", &rank, err) != OK ||
		member(object, code, "hotkey", 4, "", &hotkey, err) != OK)
		return BAD_INPUT;
	const json_t *protected = json_object_get(object, "protected");
	if (project_check_hotkey(code, hotkey, err) != OK || texts_check_taxon(code, object, err) != OK)
		return BAD_INPUT;
	if (!is_word(code))
		return err_set(err, BAD_INPUT,
			"taxon code '%s': lower-case letters, digits, - and _ are wanted", code);
	if (kind_of(kind) < 0)
		return err_set(err, BAD_INPUT,
			"taxon %s: kind is '%s', animal, blank, human or vehicle is wanted", code, kind);
	if (protected && !json_is_boolean(protected))
		return err_set(err, BAD_INPUT, "taxon %s: \"protected\" must be true or false", code);
	if (kind_of(kind) == TAXON_ANIMAL && !scientific[0])
		return err_set(err, BAD_INPUT, "taxon %s: an animal needs a scientific_name", code);
	enum status st = db_run(db, Q_TAXON_ADD, err, "issssssii", project_id, code, kind, scientific,
		common, rank, hotkey, (int64_t)position, (int64_t)json_is_true(protected));
	if (st == CONFLICT)
		return err_set(err, CONFLICT,
			"taxon %s: the project has this code already, or has a blank taxon already", code);
	return st == OK ? texts_set_taxon(db, db_last_id(db), "{}", object, err) : st;
}

enum status project_check_hotkey(const char *code, const char *key, struct err *err)
{
	const unsigned char c = (unsigned char)key[0];
	if (c == 0 ||
		(text_char(key) == strlen(key) && (c >= 0x80 || isalpha(c) || (c > '0' && c <= '9'))))
		return OK;
	return err_set(err, BAD_INPUT,
		"taxon %.60s: the hotkey '%.10s' is none: one letter, or a digit from 1 to 9; 0, the space "
		"bar "
		"and signs are the page's own",
		code, key);
}

/* Keys on the labelling page must not clash. */
static enum status check_taxa(const json_t *taxa, struct err *err)
{
	size_t n = json_array_size(taxa);
	int n_blank = 0;
	if (!json_is_array(taxa) || n < 2 || n > PROJECT_MAX_TAXA)
		return err_set(
			err, BAD_INPUT, "project: \"taxa\" must be a list of 2 to %d taxa", PROJECT_MAX_TAXA);
	for (size_t i = 0; i < n; i++) {
		const char *key = json_string_value(json_object_get(json_array_get(taxa, i), "hotkey"));
		const char *kind = json_string_value(json_object_get(json_array_get(taxa, i), "kind"));
		n_blank += kind && strcmp(kind, "blank") == 0;
		for (size_t j = 0; key && key[0] && j < i; j++) {
			const char *other = json_string_value(
				json_object_get(json_array_get(taxa, j), "hotkey"));
			if (other && strcmp(key, other) == 0)
				return err_set(err, BAD_INPUT, "project: two taxa have the hotkey '%s'", key);
		}
	}
	if (n_blank != 1)
		return err_set(err, BAD_INPUT,
			"project: exactly one taxon of kind blank is wanted (\"nothing here\"), there are %d",
			n_blank);
	return OK;
}

enum status project_number(const json_t *file, const char *name, int64_t low, int64_t high,
	int64_t now, int64_t *out, struct err *err)
{
	const json_t *value = json_object_get(file, name);
	*out = value ? json_integer_value(value) : now;
	if (value && (!json_is_integer(value) || *out < low || *out > high))
		return err_set(err, BAD_INPUT, "project: \"%s\" must be a whole number from %lld to %lld",
			name, (long long)low, (long long)high);
	return OK;
}

static enum status add_row(
	struct db *db, const json_t *file, int64_t now_ms, int64_t *id, struct err *err)
{
	const char *slug = NULL, *title = NULL, *description = NULL;
	int64_t gap_s = 0, model_px = 0;
	const json_t *camtrap = json_object_get(file, "camtrap");
	const json_t *survey = json_object_get(file, "survey");
	if (member(file, "project", "slug", 60, NULL, &slug, err) != OK ||
		member(file, "project", "title", 200, NULL, &title, err) != OK ||
		member(file, "project", "description", 20000, "", &description, err) != OK)
		return BAD_INPUT;
	if (!is_word(slug))
		return err_set(err, BAD_INPUT,
			"project slug '%s': lower-case letters, digits, - and _ are wanted", slug);
	if (project_number(file, "gap_s", 0, PROJECT_MAX_GAP_S, 60, &gap_s, err) != OK ||
		project_number(file, "model_px", PROJECT_MIN_MODEL_PX, PROJECT_MAX_MODEL_PX, IMAGE_MODEL_PX,
			&model_px, err) != OK)
		return BAD_INPUT;
	if (camtrap && !json_is_object(camtrap))
		return err_set(err, BAD_INPUT, "project: \"camtrap\" must be an object");
	if (survey && survey_check(survey, err) != OK)
		return BAD_INPUT;
	char *text = camtrap ? json_dumps(camtrap, JSON_COMPACT) : NULL;
	char *questions = survey ? json_dumps(survey, JSON_COMPACT) : NULL;
	enum status st = db_run(db, Q_PROJECT_ADD, err, "sssisisi", slug, title, description, gap_s,
		text ? text : "{}", now_ms, questions ? questions : "{}", model_px);
	free(text);
	free(questions);
	if (st == CONFLICT)
		return err_set(err, CONFLICT, "there is a project '%s' already", slug);
	*id = db_last_id(db);
	return st;
}

enum status project_check_fields(const json_t *file, struct err *err)
{
	static const char *const known[] = {"slug", "title", "titles", "description", "descriptions",
		"gap_s", "model_px", "taxa", "looks", "confusions", "camtrap", "survey", "policy"};
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)file, name, value)
	{
		size_t i = 0;
		while (i < sizeof known / sizeof *known && strcmp(known[i], name) != 0)
			i++;
		if (i == sizeof known / sizeof *known)
			return err_set(err, BAD_INPUT, "project: there is no field '%.40s'", name);
	}
	return OK;
}

enum status project_add(
	struct db *db, const json_t *file, int64_t now_ms, int64_t *id, struct err *err)
{
	struct policy policy = policy_default();
	if (!json_is_object(file))
		return err_set(err, BAD_INPUT, "project: a JSON object is wanted");
	if (project_check_fields(file, err) != OK || texts_check(file, err) != OK)
		return BAD_INPUT;
	const json_t *taxa = json_object_get(file, "taxa");
	const json_t *rules = json_object_get(file, "policy");
	enum status st = check_taxa(taxa, err);
	if (st == OK && rules)
		st = policy_parse(rules, policy, &policy, err);
	if (st == OK)
		st = add_row(db, file, now_ms, id, err);
	for (size_t i = 0; st == OK && i < json_array_size(taxa); i++)
		st = taxon_add(db, *id, json_array_get(taxa, i), (int)i, err);
	if (st == OK)
		st = texts_set(db, *id, file, err);
	if (st == OK)
		st = texts_check_links(db, *id, err);
	if (st == OK)
		st = policy_put(db, *id, &policy, now_ms, err);
	if (st == OK)
		st = skill_remix(db, *id, err);
	return st;
}

enum status project_find(struct db *db, const char *slug, int64_t *id, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_PROJECT_FIND, &row, err, "s", slug);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "there is no project '%.60s'", slug);
	if (st == OK) {
		*id = col_int(row, 0);
		db_done(row);
	}
	return st;
}

static enum status load_taxa(struct db *db, struct project *p, struct err *err)
{
	enum status st;
	int room = 0;
	struct stmt *row = db_query(db, Q_TAXON_LIST, "i", p->id);
	while ((st = db_step(row, err)) == OK) {
		if (p->k == room) {
			room = room ? room * 2 : 64;
			p->taxa = xrealloc(p->taxa, (size_t)room * sizeof *p->taxa);
			p->log_prior = xrealloc(p->log_prior, (size_t)room * sizeof *p->log_prior);
		}
		p->taxa[p->k] = (struct taxon){
			.id = col_int(row, 0),
			.code = xstrdup(col_text(row, 1)),
			.kind = (enum taxon_kind)kind_of(col_text(row, 2)),
			.scientific_name = xstrdup(col_text(row, 3)),
			.common_name = xstrdup(col_text(row, 4)),
			.rank = xstrdup(col_text(row, 5)),
			.hotkey = xstrdup(col_text(row, 6)),
			.protected = col_int(row, 7) != 0,
			.retired = col_int(row, 8) != 0,
		};
		p->log_prior[p->k++] = col_null(row, 9) ? 0 : log(col_real(row, 9));
	}
	return st == NOT_FOUND ? OK : st;
}

static enum status load(struct db *db, int64_t id, struct project *out, struct err *err)
{
	struct stmt *row = NULL;
	out->id = id;
	enum status st = db_one(db, Q_PROJECT_GET, &row, err, "i", id);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "there is no project %lld", (long long)id);
	if (st != OK)
		return st;
	out->slug = xstrdup(col_text(row, 0));
	out->title = xstrdup(col_text(row, 1));
	out->description = xstrdup(col_text(row, 2));
	out->gap_s = (int)col_int(row, 3);
	out->camtrap = xstrdup(col_text(row, 4));
	out->model_id = col_int(row, 5);
	out->survey = xstrdup(col_text(row, 7));
	out->refit_id = col_int(row, 8);
	out->correlation = (struct correlation){.kappa = label_params.kd};
	if (!col_null(row, 9))
		out->correlation = (struct correlation){
			.kappa = col_real(row, 9), .gamma = col_real(row, 10)};
	out->own_prior = col_null(row, 12) ? label_params.s : col_real(row, 12);
	out->model_px = (int)col_int(row, 11);
	out->refit_last_id = col_int(row, 13);
	db_done(row);
	st = policy_get(db, id, &out->policy, err);
	if (st == OK && out->policy.kappa != POLICY_AUTO)
		out->correlation = (struct correlation){.kappa = out->policy.kappa};
	if (st == OK)
		st = load_taxa(db, out, err);
	return st == OK ? cost_matrix(out, &out->cost, err) : st;
}

/* One user less; the last one takes it away. */
static void leave(struct project_shared *s)
{
	struct project *p = &s->project;
	if (--s->n_users > 0)
		return;
	for (int i = 0; i < p->k; i++) {
		struct taxon *t = &p->taxa[i];
		free(t->code);
		free(t->scientific_name);
		free(t->common_name);
		free(t->rank);
		free(t->hotkey);
	}
	free(p->taxa);
	free(p->log_prior);
	free(p->slug);
	free(p->title);
	free(p->description);
	free(p->camtrap);
	free(p->survey);
	free(p->cost);
	free(s->pool);
	free(s->columns);
	if (s->heads)
		s->heads_release(s->heads);
	free(s);
}

static void leave_all(void *slot)
{
	for (struct project_shared *s = slot, *next; s; s = next) {
		next = s->next;
		leave(s);
	}
}

/* The project as the connection has it; one of other rules is given up. NULL: there is none. */
static struct project_shared *find_shared(struct db *db, int64_t id, struct rules_version version)
{
	struct project_shared **at = (struct project_shared **)db_slot(db, leave_all);
	while (*at && (*at)->project.id != id)
		at = &(*at)->next;
	struct project_shared *s = *at;
	if (!s || rules_same(s->version, version))
		return s;
	*at = s->next;
	leave(s);
	return NULL;
}

enum status project_load(struct db *db, int64_t id, struct project *out, struct err *err)
{
	struct rules_version version;
	*out = (struct project){.id = id};
	enum status st = db_rules_version(db, &version, err);
	if (st != OK)
		return st;
	struct project_shared *s = find_shared(db, id, version);
	if (!s) {
		s = xcalloc(1, sizeof *s);
		s->n_users = 1;
		s->version = version;
		st = load(db, id, &s->project, err);
		if (st != OK) {
			leave(s);
			return st;
		}
		void **slot = db_slot(db, leave_all);
		s->next = *slot;
		*slot = s;
	}
	s->n_users++;
	*out = s->project;
	out->shared = s;
	return OK;
}

void project_release(struct project *p)
{
	if (p->shared)
		leave(p->shared);
	*p = (struct project){0};
}

int project_class(const struct project *p, int64_t taxon_id)
{
	for (int low = 0, high = p->k - 1; low <= high;) {
		int mid = (low + high) / 2;
		if (p->taxa[mid].id == taxon_id)
			return mid;
		if (p->taxa[mid].id < taxon_id)
			low = mid + 1;
		else
			high = mid - 1;
	}
	return -1;
}

int project_blank(const struct project *p)
{
	for (int z = 0; z < p->k; z++)
		if (p->taxa[z].kind == TAXON_BLANK && !p->taxa[z].retired)
			return z;
	return -1;
}
