/* A project's file, out of the database and back over it. Adding one is project.c's. */
#include "project.h"

#include "project_shared.h"
#include "skill.h"
#include "survey.h"
#include "texts.h"

#include <stdlib.h>
#include <string.h>

static json_t *show_taxon(const struct taxon *t)
{
	json_t *object = json_pack("{s:s, s:s, s:s}", "code", t->code, "kind", taxon_kind_name(t->kind),
		"common_name", t->common_name);
	if (t->scientific_name[0])
		json_object_set_new(object, "scientific_name", json_string(t->scientific_name));
	if (t->rank[0])
		json_object_set_new(object, "rank", json_string(t->rank));
	if (t->hotkey[0])
		json_object_set_new(object, "hotkey", json_string(t->hotkey));
	if (t->protected)
		json_object_set_new(object, "protected", json_true());
	return object;
}

enum status project_show(struct db *db, int64_t id, json_t **out, struct err *err)
{
	struct project p;
	enum status st = project_load(db, id, &p, err);
	if (st == OK) {
		json_t *taxa = json_array();
		for (int i = 0; i < p.k; i++)
			if (!p.taxa[i].retired)
				json_array_append_new(taxa, show_taxon(&p.taxa[i]));
		*out = json_pack("{s:s, s:s, s:s, s:i, s:i, s:o, s:o, s:o, s:o}", "slug", p.slug, "title",
			p.title, "description", p.description, "gap_s", p.gap_s, "model_px", p.model_px, "taxa",
			taxa, "camtrap", json_loads(p.camtrap, 0, NULL), "survey",
			json_loads(p.survey, 0, NULL), "policy", policy_json(&p.policy));
		st = texts_show(db, id, *out, taxa, err);
	}
	project_release(&p);
	return st;
}

/* Member `name` of a file, or the value in force where the file does not speak of it. */
static enum status text_of(const json_t *object, const char *name, size_t n_min, size_t n_max,
	const char *now, const char **out, struct err *err)
{
	const json_t *value = json_object_get(object, name);
	*out = value ? json_string_value(value) : now;
	if (!*out || (value && strlen(*out) != json_string_length(value)) || strlen(*out) < n_min ||
		strlen(*out) > n_max)
		return err_set(err, BAD_INPUT, "project: \"%s\" must be a text of %zu to %zu bytes", name,
			n_min, n_max);
	return OK;
}

static enum status bool_of(
	const json_t *object, const char *name, bool now, bool *out, struct err *err)
{
	const json_t *value = json_object_get(object, name);
	*out = value ? json_is_true(value) : now;
	if (value && !json_is_boolean(value))
		return err_set(err, BAD_INPUT, "taxon: \"%s\" must be true or false", name);
	return OK;
}

static enum status set_taxon_texts(struct db *db, int64_t id, const json_t *object, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_TAXON_TEXTS_GET, &row, err, "i", id);
	if (st != OK)
		return st;
	char *now = xstrdup(col_text(row, 0));
	db_done(row);
	st = texts_set_taxon(db, id, now, object, err);
	free(now);
	return st;
}

static enum status set_taxon(struct db *db, int64_t project_id, const struct taxon *t,
	const json_t *object, int64_t now_ms, struct err *err)
{
	const char *kind = NULL, *scientific = NULL, *common = NULL, *rank = NULL, *hotkey = NULL;
	bool protected = false, retired = false;
	if (text_of(object, "kind", 1, 10, taxon_kind_name(t->kind), &kind, err) != OK ||
		text_of(object, "common_name", 1, 200, t->common_name, &common, err) != OK ||
		text_of(object, "scientific_name", t->kind == TAXON_ANIMAL, 200, t->scientific_name,
			&scientific, err) != OK ||
		text_of(object, "rank", 0, 30, t->rank, &rank, err) != OK ||
		text_of(object, "hotkey", 0, 4, t->hotkey, &hotkey, err) != OK ||
		bool_of(object, "protected", t->protected, &protected, err) != OK ||
		bool_of(object, "retired", t->retired, &retired, err) != OK)
		return BAD_INPUT;
	/* A key of before it was reserved stays until another is given. */
	if (strcmp(hotkey, t->hotkey) != 0 && project_check_hotkey(t->code, hotkey, err) != OK)
		return BAD_INPUT;
	if (texts_check_taxon(t->code, object, err) != OK)
		return BAD_INPUT;
	if (strcmp(kind, taxon_kind_name(t->kind)) != 0)
		return err_set(err, CONFLICT, "taxon %s is of kind %s for ever, add another for '%s'",
			t->code, taxon_kind_name(t->kind), kind);
	enum status st = db_run(db, Q_TAXON_SET, err, "issssiii", t->id, scientific, common, rank,
		hotkey, (int64_t) protected, (int64_t)retired, now_ms);
	if (st == CONFLICT)
		return err_set(err, CONFLICT, "taxon %s: the project has another blank taxon", t->code);
	if (st == OK)
		st = set_taxon_texts(db, t->id, object, err);
	if (st == OK && protected &&
		!t->protected) /* what the model has labelled with it is taken back */
		st = db_run(db, Q_PROJECT_MARK_SWEEP, err, "i", project_id);
	return st;
}

static const struct taxon *find_taxon(const struct project *p, const json_t *object)
{
	const char *code = json_string_value(json_object_get(object, "code"));
	for (int i = 0; code && i < p->k; i++)
		if (strcmp(p->taxa[i].code, code) == 0)
			return &p->taxa[i];
	return NULL;
}

/* Known taxa first, so that one may leave its key, or its being the blank, to a new one. */
static enum status set_taxa(
	struct db *db, const struct project *p, const json_t *taxa, int64_t now_ms, struct err *err)
{
	enum status st = OK;
	size_t n = json_array_size(taxa);
	int position = p->k;
	if (taxa && (!json_is_array(taxa) || n + (size_t)p->k > PROJECT_MAX_TAXA))
		return err_set(err, BAD_INPUT,
			"project: \"taxa\" must be a list, of at most %d taxa with those there",
			PROJECT_MAX_TAXA);
	for (int new = 0; new < 2; new ++)
		for (size_t i = 0; st == OK && i < n; i++) {
			const json_t *object = json_array_get(taxa, i);
			const struct taxon *t = find_taxon(p, object);
			if (t && !new)
				st = set_taxon(db, p->id, t, object, now_ms, err);
			else if (!t && new)
				st = taxon_add(db, p->id, object, position++, err);
		}
	return st;
}

/* What project_add promises of a list holds of the one in force too. */
static enum status check_list(struct db *db, int64_t id, struct err *err)
{
	struct project p;
	int n_blank = 0, n = 0;
	enum status st = project_load(db, id, &p, err);
	for (int i = 0; st == OK && i < p.k; i++) {
		const struct taxon *t = &p.taxa[i];
		n += !t->retired;
		n_blank += !t->retired && t->kind == TAXON_BLANK;
		for (int j = 0; st == OK && j < i && !t->retired && t->hotkey[0]; j++)
			if (!p.taxa[j].retired && strcmp(p.taxa[j].hotkey, t->hotkey) == 0)
				st = err_set(err, BAD_INPUT, "project: %.60s and %.60s have the hotkey '%s'",
					p.taxa[j].code, t->code, t->hotkey);
	}
	if (st == OK && (n < 2 || n_blank != 1))
		st = err_set(err, BAD_INPUT,
			"project: %d taxa would be left, %d of kind blank: at least 2, and one blank, are "
			"wanted",
			n, n_blank);
	project_release(&p);
	return st;
}

static enum status check_same(const struct project *p, const json_t *file, struct err *err)
{
	if (project_check_fields(file, err) != OK)
		return BAD_INPUT;
	const json_t *slug = json_object_get(file, "slug");
	if (slug && (!json_is_string(slug) || strcmp(json_string_value(slug), p->slug) != 0))
		return err_set(err, CONFLICT,
			"the file's \"slug\" is another project's: %.60s keeps its own", p->slug);
	const json_t *rules = json_object_get(file, "policy");
	struct policy policy;
	if (rules && policy_parse(rules, p->policy, &policy, err) != OK)
		return BAD_INPUT;
	if (rules) {
		json_t *now = policy_json(&p->policy), *wanted = policy_json(&policy);
		bool same = json_equal(now, wanted);
		json_decref(now);
		json_decref(wanted);
		if (!same)
			return err_set(
				err, CONFLICT, "the file's \"policy\" is not the one in force: leave it out here");
	}
	return OK;
}

static enum status set_row(
	struct db *db, const struct project *p, const json_t *file, struct err *err)
{
	const char *title = NULL, *description = NULL;
	int64_t gap_s = 0, model_px = 0;
	const json_t *camtrap = json_object_get(file, "camtrap");
	if (text_of(file, "title", 1, 200, p->title, &title, err) != OK ||
		text_of(file, "description", 0, 20000, p->description, &description, err) != OK)
		return BAD_INPUT;
	if (project_number(file, "gap_s", 0, PROJECT_MAX_GAP_S, p->gap_s, &gap_s, err) != OK ||
		project_number(file, "model_px", PROJECT_MIN_MODEL_PX, PROJECT_MAX_MODEL_PX, p->model_px,
			&model_px, err) != OK)
		return BAD_INPUT;
	if (camtrap && !json_is_object(camtrap))
		return err_set(err, BAD_INPUT, "project: \"camtrap\" must be an object");
	const json_t *survey = json_object_get(file, "survey");
	if (survey && survey_check(survey, err) != OK)
		return BAD_INPUT;
	char *text = camtrap ? json_dumps(camtrap, JSON_COMPACT) : xstrdup(p->camtrap);
	char *questions = survey ? json_dumps(survey, JSON_COMPACT) : xstrdup(p->survey);
	enum status st = db_run(db, Q_PROJECT_SET, err, "ississi", p->id, title, description, gap_s,
		text, questions, model_px);
	free(text);
	free(questions);
	return st;
}

enum status project_set(
	struct db *db, int64_t id, const json_t *file, int64_t now_ms, struct err *err)
{
	struct project p;
	if (!json_is_object(file))
		return err_set(err, BAD_INPUT, "project: a JSON object is wanted");
	enum status st = project_load(db, id, &p, err);
	if (st == OK)
		st = check_same(&p, file, err);
	if (st == OK)
		st = texts_check(file, err);
	if (st == OK)
		st = set_row(db, &p, file, err);
	if (st == OK)
		st = texts_set(db, id, file, err);
	if (st == OK)
		st = set_taxa(db, &p, json_object_get(file, "taxa"), now_ms, err);
	if (st == OK)
		st = check_list(db, id, err);
	if (st == OK)
		st = texts_check_links(db, id, err);
	if (st == OK && json_array_size(json_object_get(file, "taxa")))
		st = skill_remix(db, id, err);
	project_release(&p);
	return st;
}
