/* A draw is the n smallest keyed hashes: everybody equally likely, nobody twice, repeatable, not to be gamed. */
#include "gold.h"

#include "draw.h"
#include "label.h"

#include <stdlib.h>
#include <string.h>

static const char *const purposes[] = {"certify", "train-people", "probe"};

static bool is_purpose(const char *text)
{
	for (size_t i = 0; i < sizeof purposes / sizeof *purposes; i++)
		if (strcmp(text, purposes[i]) == 0)
			return true;
	return false;
}

struct ticket {
	double u;
	int64_t id;
};

static int by_u(const void *a, const void *b)
{
	const struct ticket *x = a;
	const struct ticket *y = b;
	return (x->u > y->u) - (x->u < y->u);
}

static enum status tickets(struct db *db, int64_t project_id, bool holdout, int64_t seed,
	struct ticket **out, int *n, struct err *err)
{
	int room = 0;
	enum status st;
	struct stmt *row = db_query(db, Q_GOLD_DRAWABLE, "ii", project_id, (int64_t)holdout);
	while ((st = db_step(row, err)) == OK) {
		if (*n == room) {
			room = room ? room * 2 : 1024;
			*out = xrealloc(*out, (size_t)room * sizeof **out);
		}
		(*out)[(*n)++].id = col_int(row, 0);
	}
	st = st == NOT_FOUND ? OK : st;
	for (int i = 0; st == OK && i < *n; i++)
		st = draw_uniform(db, "gold", seed, (*out)[i].id, &(*out)[i].u, err);
	return st;
}

/* p_draw NULL: chosen. */
static enum status add(struct db *db, int64_t subject_id, int64_t project_id, const char *purpose,
	const double *p_draw, int64_t now_ms, struct err *err)
{
	double u = 0;
	enum status st = draw_uniform(db, "plant-order", project_id, subject_id, &u, err);
	return st == OK
		? db_run(db, Q_GOLD_ADD, err, "iisDid", subject_id, project_id, purpose, p_draw, now_ms, u)
		: st;
}

enum status gold_draw(struct db *db, int64_t project_id, const char *purpose, int n, bool holdout,
	int64_t seed, int64_t now_ms, struct err *err)
{
	struct ticket *all = NULL;
	int n_all = 0;
	if (!is_purpose(purpose))
		return err_set(err, BAD_INPUT,
			"purpose is '%.40s': certify, train-people or probe is wanted", purpose);
	if (n < 1)
		return err_set(err, BAD_INPUT, "%d subjects: at least 1 is wanted", n);
	enum status st = tickets(db, project_id, holdout, seed, &all, &n_all, err);
	if (st == OK && n_all < n)
		st = err_set(
			err, CONFLICT, "%d subjects are open without answers: %d cannot be drawn", n_all, n);
	if (st == OK)
		qsort(all, (size_t)n_all, sizeof *all, by_u);
	for (int i = 0; st == OK && i < n; i++) {
		double p_draw = (double)n / n_all;
		st = add(db, all[i].id, project_id, purpose, &p_draw, now_ms, err);
		if (st == OK)
			st = db_run(db, Q_SUBJECT_TO_EXPERT, err, "in", all[i].id);
	}
	free(all);
	return st;
}

enum status gold_label(struct db *db, const struct project *p, int64_t subject_id,
	const char *taxon_code, const char *purpose, int64_t now_ms, struct err *err)
{
	struct subject s;
	struct stmt *row = NULL;
	int class = -1;
	enum status st = subject_load(db, subject_id, &s, err);
	if (st == OK && s.project_id != p->id)
		st = err_set(err, NOT_FOUND, "the project has no subject %lld", (long long)subject_id);
	for (int z = 0; z < p->k; z++)
		if (strcmp(p->taxa[z].code, taxon_code) == 0 && !p->taxa[z].retired)
			class = z;
	if (st == OK && class < 0)
		st = err_set(err, BAD_INPUT, "the project has no taxon '%.60s'", taxon_code);
	if (st != OK)
		return st;
	st = db_one(db, Q_GOLD_GET, &row, err, "i", subject_id);
	if (st == OK)
		db_done(row);
	if (st == NOT_FOUND && (!is_purpose(purpose) || strcmp(purpose, "certify") == 0))
		return err_set(err, BAD_INPUT,
			"subject %lld was not drawn: gold that certifies comes from `topi gold draw`",
			(long long)subject_id);
	if (st == NOT_FOUND)
		st = add(db, subject_id, p->id, purpose, NULL, now_ms, err);
	return st == OK ? label_by_expert(db, p, subject_id, class, 0, 0, now_ms, err) : st;
}
