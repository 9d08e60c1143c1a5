/* One row a class; an answer that is credited changes all of them, for silence about a species is an answer too. */
#include "set_skill.h"

#include "confusion.h"

#include <math.h>
#include <stdlib.h>

/* Rows of classes into their places; either array may be NULL. */
static enum status load(struct db *db, const struct project *p, struct set_rates *rates,
	struct set_counts *counts, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(db, Q_SET_RATES, "i", p->id);
	while ((st = db_step(row, err)) == OK) {
		int z = project_class(p, col_int(row, 0));
		if (z >= 0 && counts)
			counts[z] = (struct set_counts){
				col_real(row, 1), col_real(row, 2), col_real(row, 3), col_real(row, 4)};
		if (z >= 0 && rates)
			rates[z] = (struct set_rates){col_real(row, 5), col_real(row, 6)};
	}
	return st == NOT_FOUND ? OK : st;
}

enum status set_rates_load(
	struct db *db, const struct project *p, struct set_rates *out, struct err *err)
{
	for (int z = 0; z < p->k; z++)
		out[z] = set_rates_of((struct set_counts){0});
	return load(db, p, out, NULL, err);
}

static enum status load_skill(struct db *db, const struct project *p, int64_t volunteer_id,
	double *lambda, int64_t *n, struct err *err)
{
	struct stmt *row = NULL;
	*lambda = 0;
	*n = 0;
	enum status st = db_one(db, Q_SKILL_GET, &row, err, "ii", p->id, volunteer_id);
	if (st == OK) {
		*lambda = col_real(row, 0);
		*n = col_int(row, 2);
		db_done(row);
	}
	return st == NOT_FOUND ? OK : st;
}

enum status set_lambda(
	struct db *db, const struct project *p, int64_t volunteer_id, double *lambda, struct err *err)
{
	int64_t n = 0;
	return load_skill(db, p, volunteer_id, lambda, &n, err);
}

enum status set_teach(struct db *db, const struct project *p, int64_t volunteer_id,
	const bool *named, const double *t, struct err *err)
{
	double lambda = 0;
	int64_t n = 0;
	enum status st = load_skill(db, p, volunteer_id, &lambda, &n, err);
	double w = credit_weight((double)n + 1);
	for (int z = 0; st == OK && z < p->k; z++) {
		double there = w * t[z], not = w - there;
		if (p->taxa[z].kind != TAXON_BLANK)
			st = db_run(db, Q_SET_RATE_TEACH, err, "iidddd", p->id, p->taxa[z].id,
				named[z] ? there : 0.0, named[z] ? 0.0 : there, named[z] ? not : 0.0,
				named[z] ? 0.0 : not );
	}
	return st;
}

enum status set_remix(struct db *db, const struct project *p, const double *pool, struct err *err)
{
	const int k = p->k;
	double all = 0;
	struct set_counts *counts = xcalloc((size_t)k, sizeof *counts);
	enum status st = load(db, p, NULL, counts, err);
	for (int i = 0; i < k * k; i++)
		all += pool[i];
	for (int z = 0; st == OK && z < k; z++) {
		double row = 0, column = 0, both = pool[z * k + z];
		for (int i = 0; i < k; i++) {
			row += pool[z * k + i];
			column += pool[i * k + z];
		}
		struct set_counts *c = &counts[z];
		c->hit += both;
		c->miss += row - both;
		c->alarm += column - both;
		c->quiet += fmax(0, all - row - column + both); /* rounding must not make it negative */
		struct set_rates r = set_rates_of(*c);
		if (p->taxa[z].kind != TAXON_BLANK)
			st = db_run(db, Q_SET_RATE_PUT, err, "iidd", p->id, p->taxa[z].id, r.miss, r.alarm);
	}
	free(counts);
	return st;
}
