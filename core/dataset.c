/* A training's set: chosen by rules, fixed in rows, written as lines. */
#include "dataset.h"

#include "job.h"
#include "job_batch.h"
#include "label.h"
#include "registry.h"
#include "survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPLOYMENTS = 100000, EVAL_SHARE = 5 };
static const double min_target = 1e-4; /* shares below this are left out of a target */

/* The deployments that models are judged on, in order of their ids. */
struct eval {
	int64_t *ids;
	int n;
};

/* Spreads ids evenly (the finaliser of splitmix64, Steele et al. 2014). */
static uint64_t hash(int64_t id)
{
	uint64_t z = (uint64_t)id + 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* About one in five by hash, so that a new deployment moves no other; at least one of two, and never all. */
static void draw(struct eval *all)
{
	int n = 0, least = 0;
	for (int i = 1; i < all->n; i++)
		if (hash(all->ids[i]) < hash(all->ids[least]))
			least = i;
	for (int i = 0; i < all->n; i++)
		n += hash(all->ids[i]) % EVAL_SHARE == 0;
	if (all->n < 2) {
		all->n = 0;
	} else if (n == 0 || n == all->n) {
		all->ids[0] = all->ids[least];
		all->n = 1;
	} else {
		int kept = 0;
		for (int i = 0; i < all->n; i++)
			if (hash(all->ids[i]) % EVAL_SHARE == 0)
				all->ids[kept++] = all->ids[i];
		all->n = kept;
	}
}

static enum status eval_load(struct db *db, int64_t project_id, struct eval *out, struct err *err)
{
	struct stmt *rows = db_query(db, Q_ITEM_DEPLOYMENTS, "i", project_id);
	enum status st;
	int n_flagged = 0;
	bool *flagged = NULL;
	*out = (struct eval){0};
	while ((st = db_step(rows, err)) == OK) {
		if (out->n == MAX_DEPLOYMENTS) {
			db_done(rows);
			free(flagged);
			return err_set(err, TOO_LARGE, "over %d deployments", MAX_DEPLOYMENTS);
		}
		out->ids = xrealloc(out->ids, (size_t)(out->n + 1) * sizeof *out->ids);
		flagged = xrealloc(flagged, (size_t)(out->n + 1) * sizeof *flagged);
		out->ids[out->n] = col_int(rows, 0);
		flagged[out->n++] = col_int(rows, 1) != 0;
		n_flagged += col_int(rows, 1) != 0;
	}
	if (st == NOT_FOUND && n_flagged == 0) {
		draw(out);
	} else if (st == NOT_FOUND) {
		int kept = 0;
		for (int i = 0; i < out->n; i++)
			if (flagged[i])
				out->ids[kept++] = out->ids[i];
		out->n = kept;
	}
	free(flagged);
	return st == NOT_FOUND ? OK : st;
}

static bool in_eval(const struct eval *eval, int64_t deployment_id)
{
	for (int i = 0; i < eval->n; i++)
		if (eval->ids[i] == deployment_id)
			return true;
	return false;
}

struct candidate {
	int64_t subject_id, deployment_id, taxon_id;
	bool expert, model, certify;
	bool heard; /* a model's opinion is in the label */
};

/* The posterior as [[taxon id, p], ...]; the shares that are left out are spread over the rest. */
static enum status target_text(struct db *db, const struct project *project,
	const struct candidate *c, char **out, struct err *err)
{
	double *q = xcalloc((size_t)project->k, sizeof *q);
	double kept = 0;
	enum status st = label_posterior(db, project, c->subject_id, q, err);
	if (st == OK) {
		json_t *target = json_array();
		for (int i = 0; i < project->k; i++)
			kept += q[i] >= min_target ? q[i] : 0;
		for (int i = 0; i < project->k; i++)
			if (q[i] >= min_target)
				json_array_append_new(
					target, json_pack("[I, f]", (json_int_t)project->taxa[i].id, q[i] / kept));
		*out = json_dumps(target, JSON_COMPACT | JSON_REAL_PRECISION(6));
		json_decref(target);
	}
	free(q);
	return st;
}

/* What answers about the label's species tell beside it, as shares; *out NULL: nothing. */
static enum status heads_text(struct db *db, const struct project *project,
	const struct candidate *c, char **out, struct err *err)
{
	if (strcmp(project->survey, "{}") == 0)
		return OK; /* nothing was ever asked */
	struct stmt *rows = db_query(db, Q_EXPORT_SPECIES, "ii", c->subject_id, c->taxon_id);
	json_t *said = json_object(), *of, *n;
	const char *head, *class;
	enum status st;
	while ((st = db_step(rows, err)) == OK)
		survey_tally(
			project->survey, col_null(rows, 0) ? 0 : col_int(rows, 0), col_text(rows, 1), said);
	json_object_foreach(said, head, of)
	{
		json_int_t sum = 0;
		json_object_foreach(of, class, n) sum += json_integer_value(n);
		json_object_foreach(of, class, n)
			json_object_set_new(of, class, json_real((double)json_integer_value(n) / (double)sum));
	}
	if (st == NOT_FOUND && json_object_size(said) > 0)
		*out = json_dumps(said, JSON_COMPACT | JSON_REAL_PRECISION(6));
	json_decref(said);
	return st == NOT_FOUND ? OK : st;
}

static enum status fix_one(struct db *db, const struct project *project, int64_t job_id,
	const struct eval *eval, const struct candidate *c, struct err *err)
{
	bool judged = in_eval(eval, c->deployment_id);
	char *target = NULL, *heads = NULL;
	enum status st = OK;
	double weight = c->model ? project->policy.auto_weight : 1;
	/* No model is judged by what a model has said, alone or together with people. */
	if (judged ? c->model || (c->heard && !c->expert) : c->certify || weight <= 0)
		return OK;
	if (!judged && !c->expert)
		st = target_text(db, project, c, &target, err);
	if (st == OK)
		st = heads_text(db, project, c, &heads, err);
	if (st == OK)
		st = db_run(db, Q_ITEM_ADD, err, "iisisds", job_id, c->subject_id,
			judged ? "eval" : "train", c->taxon_id, target, weight, heads);
	free(target);
	free(heads);
	return st;
}

static enum status candidates(
	struct db *db, const struct job *job, int n_max, struct candidate *out, int *n, struct err *err)
{
	struct stmt *rows = db_query(
		db, Q_ITEM_CANDIDATES, "iii", job->project_id, job->cursor, (int64_t)n_max);
	enum status st = OK;
	*n = 0;
	while (*n < n_max && (st = db_step(rows, err)) == OK)
		out[(*n)++] = (struct candidate){.subject_id = col_int(rows, 0),
			.deployment_id = col_int(rows, 1),
			.taxon_id = col_int(rows, 2),
			.expert = strcmp(col_text(rows, 3), "expert") == 0,
			.model = strcmp(col_text(rows, 3), "model") == 0,
			.certify = col_int(rows, 4) != 0,
			.heard = col_int(rows, 5) != 0};
	db_done(rows);
	return st == NOT_FOUND ? OK : st;
}

enum status dataset_fix(struct db *db, int64_t job_id, int n_max, bool *more, struct err *err)
{
	struct job job = {0};
	struct project project = {0};
	struct eval eval = {0};
	struct candidate *list = xcalloc((size_t)n_max, sizeof *list);
	int n = 0;
	enum status st = job_get(db, job_id, &job, err);
	if (st == OK && job.kind != JOB_TRAIN)
		st = err_set(err, BAD_INPUT, "job %lld is no training", (long long)job_id);
	if (st == OK && job.state != JOB_RUNNING)
		st = err_set(err, CONFLICT, "job %lld is %s", (long long)job_id, job_state_name(job.state));
	if (st == OK)
		st = project_load(db, job.project_id, &project, err);
	if (st == OK)
		st = eval_load(db, job.project_id, &eval, err);
	if (st == OK)
		st = candidates(db, &job, n_max, list, &n, err);
	for (int i = 0; st == OK && i < n; i++)
		st = fix_one(db, &project, job_id, &eval, &list[i], err);
	if (st == OK && n > 0)
		st = db_run(db, Q_JOB_SET_CURSOR, err, "ii", job_id, list[n - 1].subject_id);
	*more = n == n_max;
	free(list);
	free(eval.ids);
	project_release(&project);
	job_release(&job);
	return st;
}

/* The training's classes: taxa that at least one training item carries. */
struct classes {
	int64_t *ids;
	json_t *names;
	int n;
};

static enum status classes_load(struct db *db, int64_t job_id, struct classes *out, struct err *err)
{
	struct stmt *rows = db_query(db, Q_ITEM_CLASSES, "i", job_id);
	enum status st;
	*out = (struct classes){.names = json_array()};
	while ((st = db_step(rows, err)) == OK) {
		out->ids = xrealloc(out->ids, (size_t)(out->n + 1) * sizeof *out->ids);
		out->ids[out->n++] = col_int(rows, 0);
		json_array_append_new(out->names, json_string(col_text(rows, 1)));
	}
	return st == NOT_FOUND ? OK : st;
}

static void classes_release(struct classes *classes)
{
	json_decref(classes->names);
	free(classes->ids);
}

static enum status count(
	struct db *db, int64_t job_id, int64_t *n_all, int64_t *n_train, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_ITEM_COUNT, &row, err, "i", job_id);
	if (st == OK) {
		*n_all = col_int(row, 0);
		*n_train = col_int(row, 1);
		db_done(row);
	}
	return st;
}

enum status dataset_problem(struct db *db, int64_t job_id, char *why, struct err *err)
{
	struct classes classes;
	int64_t n_all = 0, n_train = 0;
	enum status st = count(db, job_id, &n_all, &n_train, err);
	if (st != OK)
		return st;
	st = classes_load(db, job_id, &classes, err);
	if (st == OK && n_train >= 2 && classes.n >= 2)
		st = NOT_FOUND;
	if (st == OK)
		snprintf(why, 200,
			"%lld labelled subjects of %d taxa can be trained on, at least 2 of 2 are needed "
			"(certification gold and held-out deployments are not trained on)",
			(long long)n_train, classes.n);
	classes_release(&classes);
	return st;
}

struct writing {
	dataset_put *put;
	void *arg;
	const struct classes *classes;
	const char *backbone; /* whose embeddings go along; NULL: none */
	const json_t *heads;  /* of the survey, those of which a training item tells something */
};

static enum status put_json(const struct writing *w, json_t *object, struct err *err)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
	enum status st = err_set(err, FAULT, "an item of the training is no text");
	json_decref(object);
	if (text) {
		size_t n = strlen(text);
		text[n] = '\n'; /* in the place of its end: the line is handed on with its length */
		st = w->put(w->arg, text, n + 1, err);
	}
	free(text);
	return st;
}

static int class_of(const struct classes *classes, int64_t taxon_id)
{
	for (int i = 0; i < classes->n; i++)
		if (classes->ids[i] == taxon_id)
			return i;
	return -1;
}

/* [[taxon id, p], ...] as [[class, p], ...], scaled to 1 again where a taxon is no class. */
static json_t *class_target(const struct classes *classes, int64_t taxon_id, const char *text)
{
	json_t *target = json_array();
	json_t *stored = text[0] ? json_loads(text, 0, NULL) : NULL;
	double sum = 0;
	size_t i;
	json_t *pair;
	json_array_foreach(
		stored, i, pair) if (class_of(classes, json_integer_value(json_array_get(pair, 0))) >= 0)
		sum += json_number_value(json_array_get(pair, 1));
	json_array_foreach(stored, i, pair)
	{
		int c = class_of(classes, json_integer_value(json_array_get(pair, 0)));
		if (c >= 0 && sum > 0)
			json_array_append_new(
				target, json_pack("[i, f]", c, json_number_value(json_array_get(pair, 1)) / sum));
	}
	if (!stored && class_of(classes, taxon_id) >= 0)
		json_array_append_new(target, json_pack("[i, f]", class_of(classes, taxon_id), 1.0));
	json_decref(stored);
	return target;
}

/* The survey's heads as of today that the fixed set tells of. Owns: a new reference. */
static enum status heads_load(struct db *db, const struct job *job, json_t **out, struct err *err)
{
	struct project project = {0};
	json_t *known = json_object(), *head;
	enum status st = project_load(db, job->project_id, &project, err);
	json_t *all = st == OK ? survey_heads(project.survey) : NULL;
	struct stmt *rows = db_query(db, Q_ITEM_HEADS, "i", job->id);
	size_t i;
	while (st == OK && (st = db_step(rows, err)) == OK)
		json_object_set_new(known, col_text(rows, 0), json_true());
	db_done(rows);
	*out = json_array();
	json_array_foreach(
		all, i, head) if (json_object_get(known, json_string_value(json_object_get(head, "name"))))
		json_array_append(*out, head);
	json_decref(all);
	json_decref(known);
	project_release(&project);
	return st == NOT_FOUND ? OK : st;
}

/* {"count": {"2": share}} as [[[class, share], ...], ...], a list a head, empty where nothing is known. */
static json_t *head_targets(const json_t *heads, const char *text)
{
	json_t *said = text[0] ? json_loads(text, 0, NULL) : NULL, *all = json_array(), *head, *name;
	size_t h, c;
	json_array_foreach((json_t *)heads, h, head)
	{
		const json_t *of = json_object_get(said, json_string_value(json_object_get(head, "name")));
		json_t *one = json_array();
		json_array_foreach(json_object_get(head, "classes"), c, name)
		{
			const json_t *share = json_object_get(of, json_string_value(name));
			if (share)
				json_array_append_new(one, json_pack("[i, f]", (int)c, json_number_value(share)));
		}
		json_array_append_new(all, one);
	}
	json_decref(said);
	return all;
}

/* Subjects are read one by one while the list is being stepped: their statements are others. */
static enum status write_items(
	struct db *db, int64_t job_id, const struct writing *w, struct err *err)
{
	struct stmt *rows = db_query(db, Q_ITEM_LIST, "i", job_id);
	enum status st;
	while ((st = db_step(rows, err)) == OK) {
		json_t *item = json_pack("{s:I, s:I, s:s, s:f}", "subject", (json_int_t)col_int(rows, 0),
			"deployment", (json_int_t)col_int(rows, 5), "split", col_text(rows, 1), "weight",
			col_real(rows, 4));
		json_object_set_new(
			item, "target", class_target(w->classes, col_int(rows, 2), col_text(rows, 3)));
		if (json_array_size(w->heads) > 0)
			json_object_set_new(item, "heads", head_targets(w->heads, col_text(rows, 6)));
		st = job_subject_json(db, col_int(rows, 0), w->backbone, item, err);
		if (st == OK)
			st = put_json(w, item, err);
		else
			json_decref(item);
		if (st != OK) {
			db_done(rows);
			return st;
		}
	}
	return st == NOT_FOUND ? OK : st;
}

enum status dataset_write(
	struct db *db, int64_t job_id, dataset_put *put, void *arg, struct err *err)
{
	struct job job = {0};
	struct classes classes = {0};
	struct registry_model parent = {0};
	json_t *heads = NULL;
	int64_t n_all = 0, n_train = 0;
	enum status st = job_get(db, job_id, &job, err);
	int64_t parent_id = json_integer_value(json_object_get(job.spec, "parent"));
	const char *mode = json_string_value(json_object_get(job.spec, "mode"));
	if (st == OK && parent_id)
		st = registry_get(db, parent_id, &parent, err);
	if (st == OK)
		st = count(db, job_id, &n_all, &n_train, err);
	if (st == OK)
		st = classes_load(db, job_id, &classes, err);
	if (st == OK)
		st = heads_load(db, &job, &heads, err);
	if (st == OK) {
		struct writing w = {.put = put, .arg = arg, .classes = &classes, .heads = heads};
		json_t *ids = json_array();
		if (parent_id && mode && strcmp(mode, "head") == 0)
			w.backbone = parent.backbone;
		for (int i = 0; i < classes.n; i++)
			json_array_append_new(ids, json_integer(classes.ids[i]));
		json_t *header = json_pack("{s:o, s:O, s:I}", "classes", ids, "names", classes.names,
			"n_items", (json_int_t)n_all);
		if (json_array_size(heads) > 0)
			json_object_set(header, "heads", heads);
		st = put_json(&w, header, err);
		if (st == OK)
			st = write_items(db, job_id, &w, err);
	}
	json_decref(heads);
	classes_release(&classes);
	registry_release(&parent);
	job_release(&job);
	return st;
}
