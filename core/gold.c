/* A draw is the n smallest keyed hashes, of all or of a class: nobody twice, repeatable, not to be gamed. */
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
	double u, p_draw;
	int64_t id;
	int64_t guess; /* what the model takes it for; 0: nothing is known */
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
		(*out)[(*n)++] = (struct ticket){.id = col_int(row, 0), .guess = col_int(row, 1)};
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

/* Everything that can be drawn, or why not n of it. */
static enum status begin(struct db *db, int64_t project_id, const char *purpose, int n,
	bool holdout, int64_t seed, struct ticket **all, int *n_all, struct err *err)
{
	if (!is_purpose(purpose))
		return err_set(err, BAD_INPUT,
			"purpose is '%.40s': certify, train-people or probe is wanted", purpose);
	if (n < 1)
		return err_set(err, BAD_INPUT, "%d subjects: at least 1 is wanted", n);
	enum status st = tickets(db, project_id, holdout, seed, all, n_all, err);
	if (st == OK && *n_all < n)
		st = err_set(
			err, CONFLICT, "%d subjects are open without answers: %d cannot be drawn", *n_all, n);
	return st;
}

static enum status put(struct db *db, const struct ticket *t, int64_t project_id,
	const char *purpose, int64_t now_ms, struct err *err)
{
	enum status st = add(db, t->id, project_id, purpose, &t->p_draw, now_ms, err);
	return st == OK ? db_run(db, Q_SUBJECT_TO_EXPERT, err, "in", t->id) : st;
}

enum status gold_draw(struct db *db, int64_t project_id, const char *purpose, int n, bool holdout,
	int64_t seed, int64_t now_ms, struct err *err)
{
	struct ticket *all = NULL;
	int n_all = 0;
	enum status st = begin(db, project_id, purpose, n, holdout, seed, &all, &n_all, err);
	if (st == OK)
		qsort(all, (size_t)n_all, sizeof *all, by_u);
	for (int i = 0; st == OK && i < n; i++) {
		all[i].p_draw = (double)n / n_all;
		st = put(db, &all[i], project_id, purpose, now_ms, err);
	}
	free(all);
	return st;
}

static int by_guess(const void *a, const void *b)
{
	const struct ticket *x = a, *y = b;
	return x->guess != y->guess ? (x->guess > y->guess) - (x->guess < y->guess) : by_u(a, b);
}

/* What the model takes for one class: `size` tickets from `first` on. */
struct pile {
	int first, size;
};

static int by_size(const void *a, const void *b)
{
	const struct pile *x = a, *y = b;
	return x->size != y->size ? (x->size > y->size) - (x->size < y->size)
							  : (x->first > y->first) - (x->first < y->first);
}

/* The smallest pile gives first: what it lacks of its share is shared among the others. */
static enum status draw_piles(struct db *db, int64_t project_id, const char *purpose, int n,
	struct ticket *all, struct pile *piles, int n_piles, int64_t now_ms, struct err *err)
{
	enum status st = OK;
	for (int i = 0; st == OK && i < n_piles; i++) {
		int share = (n + n_piles - i - 1) / (n_piles - i);
		int take = piles[i].size < share ? piles[i].size : share;
		for (int j = 0; st == OK && j < take; j++) {
			struct ticket *t = &all[piles[i].first + j];
			t->p_draw = (double)take / piles[i].size;
			st = put(db, t, project_id, purpose, now_ms, err);
		}
		n -= take;
	}
	return st;
}

enum status gold_draw_by_class(struct db *db, int64_t project_id, const char *purpose, int n,
	bool holdout, int64_t seed, int64_t now_ms, struct err *err)
{
	struct ticket *all = NULL;
	int n_all = 0, n_piles = 0;
	if (strcmp(purpose, "certify") == 0)
		return err_set(err, BAD_INPUT,
			"gold that certifies is drawn with one probability for all: a draw by class is for "
			"train-people and probe");
	enum status st = begin(db, project_id, purpose, n, holdout, seed, &all, &n_all, err);
	if (st == OK)
		qsort(all, (size_t)n_all, sizeof *all, by_guess);
	if (st == OK && all[n_all - 1].guess == 0)
		st = err_set(
			err, CONFLICT, "no model is heard about any subject: there are no classes to draw by");
	struct pile *piles = xcalloc((size_t)n_all + 1, sizeof *piles);
	for (int i = 0; st == OK && i < n_all; i++) {
		if (i == 0 || all[i].guess != all[i - 1].guess)
			piles[n_piles++] = (struct pile){i, 0};
		piles[n_piles - 1].size++;
	}
	if (st == OK) {
		qsort(piles, (size_t)n_piles, sizeof *piles, by_size);
		st = draw_piles(db, project_id, purpose, n, all, piles, n_piles, now_ms, err);
	}
	free(piles);
	free(all);
	return st;
}

/* Shapes: classes [n]. */
static enum status find_classes(
	const struct project *p, const char *const *codes, int n, int *classes, struct err *err)
{
	for (int i = 0; i < n; i++) {
		classes[i] = -1;
		for (int z = 0; z < p->k; z++)
			if (strcmp(p->taxa[z].code, codes[i]) == 0 && !p->taxa[z].retired)
				classes[i] = z;
		if (classes[i] < 0)
			return err_set(err, BAD_INPUT, "the project has no taxon '%.60s'", codes[i]);
		for (int j = 0; j < i; j++)
			if (classes[j] == classes[i])
				return err_set(err, BAD_INPUT, "%.60s is named twice", codes[i]);
		if (n > 1 && p->taxa[classes[i]].kind == TAXON_BLANK)
			return err_set(err, BAD_INPUT, "\"nothing here\" goes with no other species");
	}
	return OK;
}

static enum status label(struct db *db, const struct project *p, int64_t subject_id,
	const int *classes, int n, const char *purpose, int64_t now_ms, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_GOLD_GET, &row, err, "i", subject_id);
	if (st == OK)
		db_done(row);
	if (st == NOT_FOUND && (!is_purpose(purpose) || strcmp(purpose, "certify") == 0))
		return err_set(err, BAD_INPUT,
			"subject %lld was not drawn: gold that certifies comes from `topi gold draw`",
			(long long)subject_id);
	if (st == NOT_FOUND)
		st = add(db, subject_id, p->id, purpose, NULL, now_ms, err);
	return st == OK ? label_by_expert_set(db, p, subject_id, classes, n, 0, 0, now_ms, err) : st;
}

enum status gold_label_set(struct db *db, const struct project *p, int64_t subject_id,
	const char *const *taxon_codes, int n, const char *purpose, int64_t now_ms, struct err *err)
{
	struct subject s;
	int *classes = xcalloc((size_t)n + 1, sizeof *classes);
	enum status st = subject_load(db, subject_id, &s, err);
	if (st == OK && s.project_id != p->id)
		st = err_set(err, NOT_FOUND, "the project has no subject %lld", (long long)subject_id);
	if (st == OK)
		st = find_classes(p, taxon_codes, n, classes, err);
	if (st == OK)
		st = label(db, p, subject_id, classes, n, purpose, now_ms, err);
	free(classes);
	return st;
}

enum status gold_label(struct db *db, const struct project *p, int64_t subject_id,
	const char *taxon_code, const char *purpose, int64_t now_ms, struct err *err)
{
	return gold_label_set(db, p, subject_id, &taxon_code, 1, purpose, now_ms, err);
}
