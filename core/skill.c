/*
 * The pooled matrix is in memory, and so are the columns that were asked for lately, for as long as nobody's skill changes but by
 * what is taught here. Of a volunteer their skill, with the sums of their counts' rows, and the cells of the answer are read.
 * Invariant: row_sums is NULL, or what the cells add up to.
 */
#include "skill.h"

#include "confirm.h"
#include "confusion.h"
#include "project_shared.h"
#include "set_skill.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct own {
	double lambda, precision;
	int64_t n;
	double *cells; /* [k] this volunteer's (z, answer) */
	double *rows;  /* [k] this volunteer's (z, any) */
};

size_t skill_pack_rows(const struct project *p, const double *rows, uint8_t *out)
{
	size_t n_bytes = 0;
	for (int z = 0; z < p->k; z++) {
		const uint32_t id = (uint32_t)p->taxa[z].id;
		if (rows[z] <= 0)
			continue;
		memcpy(out + n_bytes, &id, sizeof id);
		memcpy(out + n_bytes + sizeof id, &rows[z], sizeof rows[z]);
		n_bytes += SKILL_SUM_BYTES;
	}
	return n_bytes;
}

static enum status unpack_rows(const struct project *p, int64_t volunteer_id, const uint8_t *sums,
	size_t n_bytes, double *rows_out, struct err *err)
{
	if (n_bytes % SKILL_SUM_BYTES)
		return err_set(err, FAULT, "the row sums of volunteer %lld are of %zu bytes",
			(long long)volunteer_id, n_bytes);
	for (const uint8_t *at = sums; at < sums + n_bytes; at += SKILL_SUM_BYTES) {
		uint32_t id;
		memcpy(&id, at, sizeof id);
		const int z = project_class(p, id);
		if (z >= 0)
			memcpy(&rows_out[z], at + sizeof id, sizeof *rows_out);
	}
	return OK;
}

static enum status add_up_rows(
	struct db *db, const struct project *p, int64_t volunteer_id, double *rows_out, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(db, Q_SKILL_ADD_UP_ROWS, "ii", p->id, volunteer_id);
	while ((st = db_step(row, err)) == OK) {
		const int z = project_class(p, col_int(row, 0));
		if (z >= 0)
			rows_out[z] = col_real(row, 1);
	}
	return st == NOT_FOUND ? OK : st;
}

/* What a row of skill says, its columns from the first on. */
static enum status take_skill(const struct project *p, int64_t volunteer_id, const struct stmt *row,
	struct own *own, bool *added_up, struct err *err)
{
	size_t n_bytes = 0;
	own->lambda = col_real(row, 0);
	own->precision = col_real(row, 1);
	own->n = col_int(row, 2);
	*added_up = !col_null(row, 3);
	const uint8_t *sums = col_blob(row, 3, &n_bytes);
	return unpack_rows(p, volunteer_id, sums, n_bytes, own->rows, err);
}

/* With the cells of an answer. */
static enum status load_column(struct db *db, const struct project *p, int64_t volunteer_id,
	int answer, struct own *own, struct err *err)
{
	enum status st;
	bool there = false, added_up = false;
	struct stmt *row = db_query(
		db, Q_SKILL_GET_COLUMN, "iiii", p->id, p->refit_id, volunteer_id, p->taxa[answer].id);
	while ((st = db_step(row, err)) == OK) {
		if (!there)
			st = take_skill(p, volunteer_id, row, own, &added_up, err);
		if (st != OK) {
			db_done(row);
			return st;
		}
		there = true;
		const int z = col_null(row, 4) ? -1 : project_class(p, col_int(row, 4));
		if (z >= 0)
			own->cells[z] = col_real(row, 5);
	}
	st = st == NOT_FOUND ? OK : st;
	return st == OK && there && !added_up ? add_up_rows(db, p, volunteer_id, own->rows, err) : st;
}

/* Without any cells. */
static enum status load_skill(
	struct db *db, const struct project *p, int64_t volunteer_id, struct own *own, struct err *err)
{
	struct stmt *row = NULL;
	bool added_up = false;
	enum status st = db_one(db, Q_SKILL_GET, &row, err, "ii", p->id, volunteer_id);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	st = take_skill(p, volunteer_id, row, own, &added_up, err);
	db_done(row);
	return st == OK && !added_up ? add_up_rows(db, p, volunteer_id, own->rows, err) : st;
}

/* Everybody's matrix, read once for as long as the rules stand. */
static enum status load_pool(struct db *db, const struct project *p, struct rules_version version,
	const double **m, struct err *err)
{
	struct project_shared *s = p->shared;
	const size_t k = (size_t)p->k;
	enum status st;
	*m = s->pool;
	if (s->pool && rules_same(s->pool_version, version))
		return OK;
	if (!s->pool)
		s->pool = calloc(k * k, sizeof *s->pool);
	if (!s->pool)
		return err_set(err, FAULT, "no memory for a matrix of %d taxa", p->k);
	struct stmt *row = db_query(db, Q_POOL_MATRIX, "i", p->id);
	while ((st = db_step(row, err)) == OK) {
		int z = project_class(p, col_int(row, 0));
		int a = project_class(p, col_int(row, 1));
		if (z >= 0 && a >= 0)
			s->pool[(size_t)z * k + (size_t)a] = col_real(row, 2);
	}
	if (st != NOT_FOUND)
		return st;
	s->pool_version = version;
	*m = s->pool;
	return OK;
}

/* Columns that were read lately: each volunteer and answer have one place, which the next that falls on it takes over. */
struct columns {
	size_t n; /* places; [n x k] log_theta follows them */
	struct place {
		int64_t volunteer_id;
		int answer;
		bool taken;
	} places[];
};

enum { COLUMNS_BYTES = 4 << 20 };

static size_t place_of(const struct columns *c, int64_t volunteer_id, int answer)
{
	uint64_t hash = ((uint64_t)volunteer_id * 1031 + (uint64_t)answer) * 0x9e3779b97f4a7c15u;
	return (size_t)(hash >> 32) % c->n;
}

static double *column_at(struct columns *c, size_t place, int k)
{
	return (double *)(c->places + c->n) + place * (size_t)k;
}

static bool is_at(const struct columns *c, size_t place, int64_t volunteer_id, int answer)
{
	const struct place *at = &c->places[place];
	return at->taken && at->volunteer_id == volunteer_id && at->answer == answer;
}

/* Without what is not so any more. */
static struct columns *columns_now(const struct project *p, struct rules_version version)
{
	struct project_shared *s = p->shared;
	if (!s->columns) {
		const size_t one = sizeof(struct place) + (size_t)p->k * sizeof(double);
		const size_t n = COLUMNS_BYTES / one;
		s->columns = xcalloc(1, sizeof *s->columns + n * one);
		s->columns->n = n;
	} else if (!skills_same(s->columns_version, version)) {
		for (size_t i = 0; i < s->columns->n; i++)
			s->columns->places[i].taken = false;
	}
	s->columns_version = version;
	return s->columns;
}

static void init(struct own *own, int k)
{
	*own = (struct own){.precision = 1 / label_params.v0};
	own->cells = xcalloc((size_t)k, sizeof *own->cells);
	own->rows = xcalloc((size_t)k, sizeof *own->rows);
}

static void release(struct own *own)
{
	free(own->cells);
	free(own->rows);
}

enum status skill_pool(struct db *db, const struct project *p, const double **out, struct err *err)
{
	struct rules_version version;
	enum status st = db_rules_version(db, &version, err);
	return st == OK ? load_pool(db, p, version, out, err) : st;
}

enum status skill_column(struct db *db, const struct project *p, int64_t volunteer_id, int answer,
	double *out, struct err *err)
{
	const double *m = NULL;
	struct own own;
	struct rules_version version;
	enum status st = db_rules_version(db, &version, err);
	if (st != OK)
		return st;
	struct columns *columns = columns_now(p, version);
	const size_t place = place_of(columns, volunteer_id, answer);
	double *column = column_at(columns, place, p->k);
	const size_t n_bytes = (size_t)p->k * sizeof *out;
	if (is_at(columns, place, volunteer_id, answer)) {
		memcpy(out, column, n_bytes);
		return OK;
	}
	init(&own, p->k);
	st = load_pool(db, p, version, &m, err);
	if (st == OK && volunteer_id != SKILL_AVERAGE)
		st = load_column(db, p, volunteer_id, answer, &own, err);
	if (st == OK) {
		struct own_counts counts = {own.cells, own.rows, p->own_prior};
		confusion_column(m, p->k, own.lambda, counts, answer, out);
		for (int z = 0; z < p->k; z++)
			out[z] = log(fmax(out[z], label_params.floor));
		memcpy(column, out, n_bytes);
		columns->places[place] = (struct place){volunteer_id, answer, true};
	}
	release(&own);
	return st;
}

static enum status add_cells(struct db *db, const struct project *p, int64_t volunteer_id,
	int answer, const double *t, double weight, struct err *err)
{
	const int64_t answer_id = p->taxa[answer].id;
	enum status st = OK;
	for (int z = 0; st == OK && z < p->k; z++) {
		if (t[z] <= 0)
			continue;
		st = db_run(db, Q_SKILL_CELL_ADD, err, "iiiid", p->id, volunteer_id, p->taxa[z].id,
			answer_id, t[z]);
		if (st == OK)
			st = db_run(
				db, Q_POOL_CELL_ADD, err, "iiid", p->id, p->taxa[z].id, answer_id, weight * t[z]);
	}
	return st;
}

enum status skill_teach(struct db *db, const struct project *p, int64_t volunteer_id, int answer,
	const double *t, struct err *err)
{
	const double *m = NULL;
	struct own own;
	struct rules_version before, after;
	enum status st = db_rules_version(db, &before, err);
	if (st != OK)
		return st;
	struct columns *columns = columns_now(p, before);
	for (int a = 0; a < p->k; a++) {
		const size_t place = place_of(columns, volunteer_id, a);
		if (is_at(columns, place, volunteer_id, a))
			columns->places[place].taken = false;
	}
	init(&own, p->k);
	uint8_t *sums = xcalloc((size_t)p->k, SKILL_SUM_BYTES);
	st = load_pool(db, p, before, &m, err);
	if (st == OK)
		st = load_skill(db, p, volunteer_id, &own, err);
	if (st == OK) {
		skill_credit(m, p->k, t, answer, &own.lambda, &own.precision);
		for (int z = 0; z < p->k; z++)
			own.rows[z] += fmax(t[z], 0);
		st = db_run(db, Q_SKILL_PUT, err, "iiddib", p->id, volunteer_id, own.lambda, own.precision,
			own.n + 1, sums, skill_pack_rows(p, own.rows, sums));
	}
	if (st == OK)
		st = add_cells(db, p, volunteer_id, answer, t, credit_weight((double)own.n + 1), err);
	if (st == OK)
		st = db_rules_version(db, &after, err);
	if (st == OK) /* what else has changed is known here */
		p->shared->columns_version.skills = after.skills;
	free(sums);
	release(&own);
	return st;
}

static enum status remix_pool(struct db *db, const struct project *p, struct err *err)
{
	size_t cells = (size_t)p->k * (size_t)p->k;
	double *counts = calloc(cells, sizeof *counts);
	double *m = calloc(cells, sizeof *m);
	enum status st = NOT_FOUND;
	if (!counts || !m) {
		free(counts);
		free(m);
		return err_set(err, FAULT, "no memory for a matrix of %d taxa", p->k);
	}
	struct stmt *row = db_query(db, Q_POOL_CELLS, "i", p->id);
	while ((st = db_step(row, err)) == OK) {
		int z = project_class(p, col_int(row, 0));
		int a = project_class(p, col_int(row, 1));
		if (z >= 0 && a >= 0)
			counts[z * p->k + a] = col_real(row, 2);
	}
	if (st == NOT_FOUND)
		st = confusion_pool(counts, p->k, m, err);
	for (int z = 0; st == OK && z < p->k; z++)
		for (int a = 0; st == OK && a < p->k; a++)
			st = db_run(db, Q_POOL_CELL_PUT, err, "iiid", p->id, p->taxa[z].id, p->taxa[a].id,
				m[z * p->k + a]);
	if (st == OK)
		st = set_remix(db, p, counts, err);
	free(counts);
	free(m);
	return st;
}

/* The class prior from the labels in force. */
static enum status remix_prior(struct db *db, const struct project *p, struct err *err)
{
	double *n_labelled = xcalloc((size_t)p->k, sizeof *n_labelled), n = 0;
	enum status st;
	struct stmt *row = db_query(db, Q_CLASS_PRIOR_COUNTS, "i", p->id);
	while ((st = db_step(row, err)) == OK) {
		int z = project_class(p, col_int(row, 0));
		if (z >= 0)
			n += n_labelled[z] = (double)col_int(row, 1);
	}
	st = st == NOT_FOUND ? OK : st;
	for (int z = 0; st == OK && z < p->k; z++)
		st = db_run(db, Q_CLASS_PRIOR_PUT, err, "iid", p->id, p->taxa[z].id,
			(n_labelled[z] + 1) / (n + p->k));
	free(n_labelled);
	return st;
}

enum status skill_remix(struct db *db, int64_t project_id, struct err *err)
{
	struct project p = {0};
	enum status st = project_load(db, project_id, &p, err);
	if (st == OK)
		st = remix_pool(db, &p, err);
	if (st == OK)
		st = remix_prior(db, &p, err);
	if (st == OK)
		st = confirm_recount(db, project_id, err);
	project_release(&p);
	return st;
}
