/* Counts from the tables that triggers keep; intervals from the label model's own Gaussian and from Beta rows. */
#include "personal.h"

#include "confusion.h"
#include "skill.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST = 10 }; /* answers before anything is said of a skill, or of a taxon */

static const double Z90 = 1.6448536269514722;

/* The 5 % and 95 % points of Beta(a, b), on a grid of where its mass is. */
static void beta_interval(double a, double b, double *low, double *high)
{
	enum { N = 4000 };
	const double mean = a / (a + b), sd = sqrt(mean * (1 - mean) / (a + b + 1));
	const double from = fmax(0, mean - 8 * sd), step = (fmin(1, mean + 8 * sd) - from) / N;
	double most = -INFINITY, sum = 0, so_far = 0, log_p[N];
	for (int i = 0; i < N; i++) {
		const double x = from + (i + .5) * step;
		log_p[i] = (a - 1) * log(x) + (b - 1) * log1p(-x);
		most = fmax(most, log_p[i]);
	}
	for (int i = 0; i < N; i++)
		sum += exp(log_p[i] - most);
	*low = from;
	*high = from + N * step;
	for (int i = 0; i < N; i++) {
		const double before = so_far;
		so_far += exp(log_p[i] - most) / sum;
		if (before < .05 && so_far >= .05)
			*low = from + (i + .5) * step;
		if (before < .95 && so_far >= .95)
			*high = from + (i + .5) * step;
	}
}

/* P(right) of a volunteer with this lambda, over the classes as often as they are. */
static double p_right(const struct project *p, const double *m, double lambda)
{
	double sum = 0, right = 0;
	for (int z = 0; z < p->k; z++) {
		const double prior = exp(p->log_prior[z]);
		sum += prior;
		right += prior * (1 - confusion_error_rate(m[z * p->k + z], lambda));
	}
	return right / sum;
}

static json_t *interval_json(double p, double low, double high)
{
	return json_pack("{s:f, s:f, s:f}", "p", p, "low", low, "high", high);
}

struct own {
	double lambda, precision;
	int64_t n;
	double *cells, *rows; /* [k x k] the volunteer's counts, and the sums of their rows [k] */
};

static enum status load(
	struct db *db, const struct project *p, int64_t volunteer_id, struct own *own, struct err *err)
{
	struct stmt *row = NULL;
	own->cells = calloc((size_t)p->k * (size_t)p->k, sizeof *own->cells);
	own->rows = xcalloc((size_t)p->k, sizeof *own->rows);
	if (!own->cells)
		return err_set(err, FAULT, "no memory for a matrix of %d taxa", p->k);
	enum status st = db_one(db, Q_SKILL_GET, &row, err, "ii", p->id, volunteer_id);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	own->lambda = col_real(row, 0);
	own->precision = col_real(row, 1);
	own->n = col_int(row, 2);
	db_done(row);
	row = db_query(db, Q_PERSONAL_CELLS, "ii", p->id, volunteer_id);
	while ((st = db_step(row, err)) == OK) {
		const int z = project_class(p, col_int(row, 0)), a = project_class(p, col_int(row, 1));
		if (z >= 0 && a >= 0) {
			own->cells[z * p->k + a] = col_real(row, 2);
			own->rows[z] += col_real(row, 2);
		}
	}
	return st == NOT_FOUND ? OK : st;
}

/* Of several candidates those with the largest key, PERSONAL_MOST at most, the largest first. */
struct ranked {
	double key;
	json_t *what;
};

static void rank(struct ranked *list, int *n, double key, json_t *what)
{
	int at = *n;
	while (at > 0 && list[at - 1].key < key)
		at--;
	if (at == PERSONAL_MOST) {
		json_decref(what);
		return;
	}
	if (*n == PERSONAL_MOST)
		json_decref(list[--*n].what);
	memmove(&list[at + 1], &list[at], (size_t)(*n - at) * sizeof *list);
	list[at] = (struct ranked){key, what};
	++*n;
}

static json_t *ranked_json(const struct ranked *list, int n)
{
	json_t *out = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(out, list[i].what);
	return out;
}

static json_t *best_json(const struct project *p, const double *m, const struct own *own)
{
	struct ranked list[PERSONAL_MOST + 1];
	int n = 0;
	for (int z = 0; z < p->k; z++) {
		if (own->rows[z] < LEAST || p->taxa[z].retired)
			continue;
		const double wrong = confusion_error_rate(m[z * p->k + z], own->lambda);
		const double a = p->own_prior * (1 - wrong) + own->cells[z * p->k + z];
		const double b = p->own_prior * wrong + own->rows[z] - own->cells[z * p->k + z];
		double low, high;
		beta_interval(a, b, &low, &high);
		json_t *one = interval_json(a / (a + b), low, high);
		json_object_set_new(one, "taxon", json_integer((json_int_t)p->taxa[z].id));
		json_object_set_new(one, "name", json_string(p->taxa[z].common_name));
		json_object_set_new(one, "n", json_integer((json_int_t)llround(own->rows[z])));
		rank(list, &n, low, one);
	}
	return ranked_json(list, n);
}

static json_t *mixed_json(const struct project *p, const struct own *own)
{
	struct ranked list[PERSONAL_MOST + 1];
	int n = 0;
	for (int z = 0; z < p->k; z++)
		for (int a = 0; a < p->k; a++) {
			const double weight = own->cells[z * p->k + a];
			if (z != a && weight >= 1.5)
				rank(list, &n, weight,
					json_pack("{s:I, s:s, s:I, s:s, s:I}", "truth", (json_int_t)p->taxa[z].id,
						"truth_name", p->taxa[z].common_name, "said", (json_int_t)p->taxa[a].id,
						"said_name", p->taxa[a].common_name, "n", (json_int_t)llround(weight)));
		}
	return ranked_json(list, n);
}

static enum status make(
	struct db *db, int64_t project_id, int64_t volunteer_id, json_t *made, struct err *err)
{
	struct project p = {0};
	struct own own = {0};
	const double *m = NULL;
	json_t *out = json_object();
	enum status st = project_load(db, project_id, &p, err);
	if (st == OK)
		st = skill_pool(db, &p, &m, err);
	if (st == OK)
		st = load(db, &p, volunteer_id, &own, err);
	if (st == OK) {
		const double sd = own.n > 0 ? 1 / sqrt(own.precision) : 0;
		json_object_set_new(out, "skill",
			own.n < LEAST
				? json_null()
				: interval_json(p_right(&p, m, own.lambda), p_right(&p, m, own.lambda + Z90 * sd),
					  p_right(&p, m, own.lambda - Z90 * sd)));
		json_object_set_new(out, "best", best_json(&p, m, &own));
		json_object_set_new(out, "mixed", mixed_json(&p, &own));
		char *text = json_dumps(out, JSON_COMPACT);
		if (text)
			json_array_append_new(
				made, json_pack("{s:I, s:s}", "project", (json_int_t)project_id, "text", text));
		else
			st = err_set(err, FAULT, "a taxon's name is not UTF-8");
		free(text);
	}
	free(own.cells);
	free(own.rows);
	json_decref(out);
	project_release(&p);
	return st;
}

/* Goes through the projects with answers. list: their members; ids: those with nothing young enough, or NULL. */
static enum status read_projects(struct db *db, int64_t volunteer_id, int64_t now_ms, json_t *list,
	json_t *stale, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(
		db, Q_PERSONAL_PROJECTS, "ii", volunteer_id, now_ms - PERSONAL_EVERY_MS);
	while ((st = db_step(row, err)) == OK) {
		json_t *one = col_null(row, 4) ? NULL : json_loads(col_text(row, 4), 0, NULL);
		if (!one) {
			json_array_append_new(stale, json_integer((json_int_t)col_int(row, 0)));
			one = json_object();
		}
		json_object_set_new(one, "id", json_integer((json_int_t)col_int(row, 0)));
		json_object_set_new(one, "slug", json_string(col_text(row, 1)));
		json_object_set_new(one, "title", json_string(col_text(row, 2)));
		json_object_set_new(one, "n_answers", json_integer((json_int_t)col_int(row, 3)));
		json_array_append_new(list, one);
	}
	return st == NOT_FOUND ? OK : st;
}

static enum status read_species(
	struct db *db, int64_t volunteer_id, json_t *project, struct err *err)
{
	enum status st;
	json_t *species = json_array();
	struct stmt *row = db_query(db, Q_PERSONAL_SPECIES, "ii", volunteer_id,
		(int64_t)json_integer_value(json_object_get(project, "id")));
	while ((st = db_step(row, err)) == OK)
		json_array_append_new(species,
			json_pack("{s:I, s:s, s:I}", "taxon", (json_int_t)col_int(row, 0), "name",
				col_text(row, 1), "n", (json_int_t)col_int(row, 2)));
	json_object_set_new(project, "species", species);
	json_object_del(project, "id");
	return st == NOT_FOUND ? OK : st;
}

enum status personal_page(struct db *db, int64_t volunteer_id, int64_t now_ms, json_t **out,
	bool *is_stale, struct err *err)
{
	json_t *days = json_array(), *projects = json_array(), *stale = json_array();
	json_int_t n = 0;
	enum status st;
	struct stmt *row = db_query(db, Q_PERSONAL_DAYS, "ii", volunteer_id, (int64_t)PERSONAL_DAYS);
	while ((st = db_step(row, err)) == OK)
		json_array_append_new(days,
			json_pack("{s:I, s:I}", "day", (json_int_t)col_int(row, 0), "n",
				(json_int_t)col_int(row, 1)));
	if (st == NOT_FOUND)
		st = read_projects(db, volunteer_id, now_ms, projects, stale, err);
	for (size_t i = 0; st == OK && i < json_array_size(projects); i++) {
		n += json_integer_value(json_object_get(json_array_get(projects, i), "n_answers"));
		st = read_species(db, volunteer_id, json_array_get(projects, i), err);
	}
	*is_stale = json_array_size(stale) > 0;
	json_decref(stale);
	*out = json_pack("{s:I, s:o, s:o}", "n_answers", n, "days", days, "projects", projects);
	return st;
}

enum status personal_make(
	struct db *db, int64_t volunteer_id, int64_t now_ms, json_t **out, struct err *err)
{
	json_t *projects = json_array(), *stale = json_array();
	*out = json_array();
	enum status st = read_projects(db, volunteer_id, now_ms, projects, stale, err);
	for (size_t i = 0; st == OK && i < json_array_size(stale); i++)
		st = make(db, json_integer_value(json_array_get(stale, i)), volunteer_id, *out, err);
	json_decref(projects);
	json_decref(stale);
	return st;
}

enum status personal_put(
	struct db *db, int64_t volunteer_id, const json_t *made, int64_t now_ms, struct err *err)
{
	enum status st = OK;
	for (size_t i = 0; st == OK && i < json_array_size(made); i++) {
		const json_t *one = json_array_get(made, i);
		st = db_run(db, Q_PERSONAL_PUT, err, "iiis", volunteer_id,
			(int64_t)json_integer_value(json_object_get(one, "project")), now_ms,
			json_string_value(json_object_get(one, "text")));
	}
	return st;
}
