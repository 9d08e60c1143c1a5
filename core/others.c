/* Counted in the order of the answers; among equals the smaller id comes first. */
#include "others.h"

static void count(struct others *o, int64_t taxon_id)
{
	int i = 0;
	while (i < o->n_taxa && o->taxa[i] != taxon_id)
		i++;
	if (i == OTHERS_MAX_TAXA)
		return;
	if (i == o->n_taxa) {
		o->taxa[o->n_taxa++] = taxon_id;
		o->votes[i] = 0;
	}
	o->votes[i]++;
	for (; i > 0; i--) {
		const int v = o->votes[i], w = o->votes[i - 1];
		if (v < w || (v == w && o->taxa[i] > o->taxa[i - 1]))
			break;
		const int64_t id = o->taxa[i];
		o->taxa[i] = o->taxa[i - 1];
		o->votes[i] = w;
		o->taxa[i - 1] = id;
		o->votes[i - 1] = v;
	}
}

enum status others_load(struct db *db, int64_t subject_id, int64_t volunteer_id, int64_t before_id,
	struct others *out, struct err *err)
{
	int64_t last = 0;
	enum status st;
	*out = (struct others){0};
	struct stmt *row = db_query(
		db, Q_OTHERS_FIRST, "iiii", subject_id, volunteer_id, (int64_t)OTHERS_MOST, before_id);
	while ((st = db_step(row, err)) == OK) {
		out->n += col_int(row, 0) != last;
		last = col_int(row, 0);
		count(out, col_int(row, 1));
	}
	if (out->n < OTHERS_LEAST)
		*out = (struct others){0};
	return st == NOT_FOUND ? OK : st;
}
