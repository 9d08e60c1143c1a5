/*
 * Gold is as common or rare as what it was drawn from, and skill is learnt class by class: so a share of what is planted is
 * blank, and a share is of the animal that the volunteer has met least. Three answers to one gold subject say more about how people agree than one to each of three, so the next in line is one
 * that has one or two; among equals a keyed hash decides (gold.plant_order).
 */
#include "plant.h"

#include "draw.h"
#include "set_skill.h"
#include "skill.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 20, SLOTS = 16 };

static const double DECAY = 50; /* answers in which what is above plant_rate falls to 1 / e */

static double share(const struct policy *policy, int64_t n_answers)
{
	double above = fmax(0, policy->plant_first - policy->plant_rate);
	if (n_answers >= FIRST)
		above *= exp((double)(FIRST - n_answers) / DECAY);
	return policy->plant_rate + above;
}

static enum status take_id(struct stmt *row, enum status st, int64_t *id)
{
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	*id = col_int(row, 0);
	db_done(row);
	return OK;
}

/* The next gold of the class that a query names; 0 where there is none left for the volunteer. */
static enum status of_class(struct db *db, const struct plant_slot *w, enum query which,
	int64_t *subject_id, struct err *err)
{
	struct stmt *row = NULL;
	int64_t taxon_id = 0;
	enum status st = which == Q_GOLD_BLANK_CLASS
		? db_one(db, which, &row, err, "i", w->project_id)
		: db_one(db, which, &row, err, "iii", w->project_id, w->volunteer_id, w->now_ms);
	st = take_id(row, st, &taxon_id);
	if (st != OK || !taxon_id)
		return st;
	st = db_one(db, Q_GOLD_OF_CLASS_TO_PLANT, &row, err, "iiiii", w->project_id, w->volunteer_id,
		w->now_ms, w->apart_from, taxon_id);
	return take_id(row, st, subject_id);
}

enum status plant_draw(struct db *db, const struct policy *policy, struct plant_slot w,
	int64_t *subject_id, struct err *err)
{
	struct stmt *row = NULL;
	int64_t n_answers = 0, last_id = 0;
	double u = 0;
	*subject_id = 0;
	enum status st = db_one(db, Q_SKILL_GET, &row, err, "ii", w.project_id, w.volunteer_id);
	if (st == OK) {
		n_answers = col_int(row, 2);
		db_done(row);
	}
	if (st == OK || st == NOT_FOUND)
		st = db_one(db, Q_CLASSIFICATION_LAST, &row, err, "ii", w.volunteer_id, w.project_id);
	if (st == OK) {
		last_id = col_int(row, 0);
		db_done(row);
	}
	if (st == OK || st == NOT_FOUND)
		st = draw_uniform(db, "plant", w.volunteer_id, last_id * SLOTS + w.slot, &u, err);
	if (st != OK || u >= share(policy, n_answers))
		return st;
	st = draw_uniform(db, "plant-kind", w.volunteer_id, last_id * SLOTS + w.slot, &u, err);
	if (st == OK && u < policy->plant_blank)
		st = of_class(db, &w, Q_GOLD_BLANK_CLASS, subject_id, err);
	else if (st == OK && u < policy->plant_blank + policy->plant_rare)
		st = of_class(db, &w, Q_GOLD_CLASS_MET_LEAST, subject_id, err);
	if (st != OK || *subject_id)
		return st;
	st = db_one(db, Q_GOLD_TO_PLANT, &row, err, "iiii", w.project_id, w.volunteer_id, w.now_ms,
		w.apart_from);
	return take_id(row, st, subject_id);
}

static enum status teach(struct db *db, const struct project *p, struct planted_answer a,
	const struct planted_truth *truth, struct err *err)
{
	double *t = xcalloc((size_t)p->k, sizeof *t);
	bool *named = xcalloc((size_t)p->k, sizeof *named);
	for (int i = 0; i < truth->n; i++)
		t[project_class(p, truth->taxa[i])] = 1;
	for (int i = 0; i < a.n; i++)
		named[a.classes[i]] = true;
	enum status st = a.n == 1 && truth->n == 1
		? skill_teach(db, p, a.volunteer_id, a.classes[0], t, err)
		: set_teach(db, p, a.volunteer_id, named, t, err);
	free(t);
	free(named);
	return st == OK ? db_run(db, Q_VOTE_SET_CREDITED, err, "i", a.classification_id) : st;
}

/* All species of the truth; n is 0 where the expert has taken it back meanwhile. */
static enum status load_truth(struct db *db, const struct project *p, int64_t subject_id,
	int64_t taxon_id, struct planted_truth *out, struct err *err)
{
	enum status st;
	*out = (struct planted_truth){.n = project_class(p, taxon_id) >= 0, .taxa = {taxon_id}};
	struct stmt *row = db_query(db, Q_LABEL_ALSO_LIST, "i", subject_id);
	while ((st = db_step(row, err)) == OK)
		if (out->n > 0 && out->n < PLANT_MAX_TAXA)
			out->taxa[out->n++] = col_int(row, 0);
	return st == NOT_FOUND ? OK : st;
}

/* The gold's purpose and truth; truth->n is 0 where there is none. */
static enum status load_gold(struct db *db, const struct project *p, int64_t subject_id,
	bool *certify, bool *tell, struct planted_truth *truth, struct err *err)
{
	struct stmt *row = NULL;
	*truth = (struct planted_truth){0};
	*certify = *tell = false;
	enum status st = db_one(db, Q_GOLD_GET, &row, err, "i", subject_id);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	const char *purpose = col_text(row, 0);
	*certify = strcmp(purpose, "certify") == 0;
	*tell = strcmp(purpose, "train-people") == 0;
	int64_t truth_id = col_int(row, 2);
	db_done(row);
	return load_truth(db, p, subject_id, truth_id, truth, err);
}

enum status plant_told(struct db *db, const struct project *p, int64_t subject_id,
	struct planted_truth *told, struct err *err)
{
	bool certify = false, tell = false;
	enum status st = load_gold(db, p, subject_id, &certify, &tell, told, err);
	if (!tell)
		*told = (struct planted_truth){0};
	return st;
}

enum status plant_answered(struct db *db, const struct project *p, int64_t subject_id,
	struct planted_answer a, struct planted_truth *told, struct err *err)
{
	struct stmt *row = NULL;
	struct planted_truth truth;
	bool certify = false, tell = false;
	*told = (struct planted_truth){0};
	enum status st = load_gold(db, p, subject_id, &certify, &tell, &truth, err);
	if (st != OK || truth.n == 0)
		return st;
	/* Who took an answer back and gives another may know the truth by now. */
	st = db_one(db, Q_CLASSIFICATION_TAKEN_BACK, &row, err, "ii", subject_id, a.volunteer_id);
	bool again = st == OK;
	db_done(again ? row : NULL);
	st = st == NOT_FOUND ? OK : st;
	if (st == OK && !again)
		st = db_run(db, Q_GOLD_PLANTED, err, "i", subject_id);
	if (st == OK && a.n > 0 && !certify && !again && !a.guessed)
		st = teach(db, p, a, &truth, err);
	if (st == OK && tell)
		*told = truth;
	return st;
}
