/*
 * A refit's results in the database. Everything but the one transaction that puts a new set of skills in force comes in pieces
 * of a fixed number of rows, each a transaction of its own that leaves the tables in order: rows of a set that is not in force
 * mean nothing to anybody, and a subject leaves the list in the transaction that decides it again.
 */
#include "project_refit_part.h"

#include "cost.h"
#include "skill.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROWS_A_PIECE = 1000,
	/* Subjects of a piece: as many as take about so long, waiting and committing included. */
	LEAST_SUBJECTS = 2,
	MOST_SUBJECTS = 32,
	PIECE_MS = 8
};

static enum status write_piece(
	const struct refit_hands *hands, writer_work *work, void *arg, struct err *err)
{
	if (hands->stops(hands->arg))
		return err_set(err, BUSY, "the refit was asked to stop");
	return hands->write(hands->arg, work, arg, err);
}

struct staging {
	const struct project_refit *r;
	int64_t refit_id, now_ms;
	/* Where the next piece begins. */
	size_t volunteer, column, column_volunteer, answer, subject;
	size_t *subjects; /* numbers of those that may be decided otherwise, */
	size_t n_subjects;
	size_t late; /* and where in r->late it is */
	bool done;
};

static enum status begin_work(struct db *db, void *arg, struct err *err)
{
	struct staging *s = arg;
	const struct refit_record *c = &s->r->record;
	const struct answers *answers = &s->r->answers;
	enum status st = db_run(db, Q_REFIT_ADD, err, "iiiiiiidDDiiDDiidid", s->r->project.id,
		s->r->project.policy.id, s->r->last_id, (int64_t)answers->n_answers,
		(int64_t)answers->n_subjects, (int64_t)answers->n_volunteers, (int64_t)c->n_passes,
		c->moved, c->has_kappa ? &c->correlation.kappa : NULL,
		c->has_kappa ? &c->correlation.gamma : NULL, (int64_t)c->n_gold_fit,
		(int64_t)c->n_gold_check, c->has_losses ? &c->loss : NULL,
		c->has_losses ? &c->loss_default : NULL, (int64_t)c->n_gold_sure, (int64_t)c->n_gold_wrong,
		c->p_gold_wrong, s->now_ms, refit_own_prior(s->r->refit));
	s->refit_id = db_last_id(db);
	return st;
}

static enum status skill_work(struct db *db, void *arg, struct err *err)
{
	struct staging *s = arg;
	const struct project_refit *r = s->r;
	double rows[ANSWERS_MAX_CLASSES], cells[ANSWERS_MAX_CLASSES];
	uint8_t sums[SKILL_SUM_BYTES * ANSWERS_MAX_CLASSES];
	enum status st = OK;
	for (int n = 0; st == OK && n < ROWS_A_PIECE && s->volunteer < r->volunteers.n; n++) {
		const size_t v = s->volunteer++;
		memset(rows, 0, sizeof rows);
		for (size_t c = r->answers.volunteer_start[v]; c < r->answers.volunteer_start[v + 1]; c++) {
			refit_cells(r->refit, c, cells);
			for (int z = 0; z < r->project.k; z++)
				rows[z] += cells[z];
		}
		st = db_run(db, Q_REFIT_ADD_SKILL, err, "iiiddib", r->project.id, s->refit_id,
			(int64_t)r->volunteers.ids[v], refit_lambda(r->refit)[v], refit_precision(r->refit, v),
			(int64_t)answers_of_volunteer(&r->answers, v), sums,
			skill_pack_rows(&r->project, rows, sums));
	}
	s->done = s->volunteer == r->volunteers.n;
	return st;
}

static enum status cell_work(struct db *db, void *arg, struct err *err)
{
	struct staging *s = arg;
	const struct project_refit *r = s->r;
	const struct project *p = &r->project;
	double cells[ANSWERS_MAX_CLASSES];
	enum status st = OK;
	for (int n = 0; st == OK && n < ROWS_A_PIECE && s->column < r->answers.n_columns;) {
		const size_t c = s->column++;
		while (c >= r->answers.volunteer_start[s->column_volunteer + 1])
			s->column_volunteer++;
		refit_cells(r->refit, c, cells);
		for (int z = 0; st == OK && z < p->k; z++) {
			if (cells[z] <= 0)
				continue;
			n++;
			st = db_run(db, Q_REFIT_ADD_SKILL_CELL, err, "iiiiid", p->id, s->refit_id,
				(int64_t)r->volunteers.ids[s->column_volunteer], p->taxa[z].id,
				p->taxa[r->answers.column_class[c]].id, cells[z]);
		}
	}
	s->done = s->column == r->answers.n_columns;
	return st;
}

static enum status pool_work(struct db *db, void *arg, struct err *err)
{
	struct staging *s = arg;
	const struct project *p = &s->r->project;
	const size_t k = (size_t)p->k;
	enum status st = OK;
	for (int n = 0; st == OK && n < ROWS_A_PIECE && s->answer < k; s->answer++)
		for (size_t z = 0; st == OK && z < k; z++, n++)
			st = db_run(db, Q_REFIT_ADD_POOL_CELL, err, "iiiidd", p->id, s->refit_id, p->taxa[z].id,
				p->taxa[s->answer].id, refit_counts(s->r->refit)[z * k + s->answer],
				refit_m(s->r->refit)[z * k + s->answer]);
	s->done = s->answer == k;
	return st;
}

/* The changed subjects and those with late answers, both in order of their ids, as one list. */
static enum status subject_work(struct db *db, void *arg, struct err *err)
{
	struct staging *s = arg;
	const struct project_refit *r = s->r;
	enum status st = OK;
	for (int n = 0;
		 st == OK && n < ROWS_A_PIECE && (s->subject < s->n_subjects || s->late < r->n_late); n++) {
		const uint32_t changed = s->subject < s->n_subjects
			? r->subjects.ids[s->subjects[s->subject]]
			: UINT32_MAX;
		const uint32_t late = s->late < r->n_late ? r->late[s->late] : UINT32_MAX;
		const uint32_t id = changed < late ? changed : late;
		if (changed == id)
			s->subject++;
		while (s->late < r->n_late && r->late[s->late] == id)
			s->late++;
		st = db_run(db, Q_REFIT_ADD_SUBJECT, err, "ii", s->refit_id, (int64_t)id);
	}
	s->done = s->subject == s->n_subjects && s->late == r->n_late;
	return st;
}

static enum status put_in_force(struct db *db, void *arg, struct err *err)
{
	struct staging *s = arg;
	const struct project *p = &s->r->project;
	enum status st = db_run(db, Q_REFIT_FORGET_CREDIT, err, "ii", p->id, s->r->last_id);
	for (int z = 0; st == OK && z < p->k; z++)
		st = db_run(
			db, Q_CLASS_PRIOR_PUT, err, "iid", p->id, p->taxa[z].id, refit_pi(s->r->refit)[z]);
	if (st == OK)
		st = db_run(db, Q_REFIT_PUT_IN_FORCE, err, "ii", p->id, s->refit_id);
	return st == OK ? db_run(db, Q_REFIT_SET_STATE, err, "isn", s->refit_id, "applying") : st;
}

/* Whether the new posterior of a subject may mean another decision, or another place in the queue. */
static bool is_changed(const struct project_refit *r, size_t i, const double *q)
{
	const struct refit_subject *was = &r->was[i];
	const struct policy *policy = &r->project.policy;
	int decided = 0;
	double risk = 1;
	cost_decide(r->project.cost, q, r->project.k, &decided, &risk);
	if (was->state == SUBJECT_OPEN)
		return fabs(risk - (double)was->risk) > 1e-6;
	return was->state == SUBJECT_RETIRED && was->by_people &&
		(decided != was->label || risk > 2 * (was->blind ? policy->audit_tau : policy->tau));
}

static enum status find_changed(struct staging *s, struct err *err)
{
	const struct project_refit *r = s->r;
	double q[ANSWERS_MAX_CLASSES];
	enum status st = OK;
	s->subjects = answers_alloc(r->subjects.n, sizeof *s->subjects);
	if (!s->subjects)
		return err_set(err, FAULT, "%zu subjects do not fit in memory", r->subjects.n);
	for (size_t i = 0; st == OK && i < r->subjects.n; i++) {
		if (r->gold[i] != REFIT_NO_GOLD || (r->was[i].state == SUBJECT_EXPERT))
			continue;
		st = refit_decide(r->refit, i, r->correlation, q, err);
		if (st == OK && is_changed(r, i, q))
			s->subjects[s->n_subjects++] = i;
	}
	return st;
}

static int by_id(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

enum status project_refit_store(const struct project_refit *r, const struct refit_hands *hands,
	int64_t *refit_id, struct err *err)
{
	static writer_work *const works[] = {skill_work, cell_work, pool_work, subject_work};
	struct staging s = {.r = r, .now_ms = hands->now_ms(hands->arg)};
	if (r->n_late)
		qsort(r->late, r->n_late, sizeof *r->late, by_id);
	enum status st = find_changed(&s, err);
	refit_end_judging(r->refit);
	if (st == OK)
		st = write_piece(hands, begin_work, &s, err);
	for (size_t i = 0; st == OK && i < sizeof works / sizeof *works; i++)
		for (s.done = false; st == OK && !s.done;)
			st = write_piece(hands, works[i], &s, err);
	if (st == OK)
		st = write_piece(hands, put_in_force, &s, err);
	free(s.subjects);
	*refit_id = s.refit_id;
	return st;
}

struct applying {
	int64_t project_id, refit_id, last_id, now_ms;
	int n_subjects;
	bool done;
};

static enum status apply_work(struct db *db, void *arg, struct err *err)
{
	struct applying *a = arg;
	struct project p = {0};
	int64_t ids[MOST_SUBJECTS], n[LABEL_RETIRED + 1] = {0};
	int n_ids = 0;
	enum status st = project_load(db, a->project_id, &p, err);
	if (st == OK) {
		struct stmt *row = db_query(db, Q_REFIT_WAITING, "ii", a->refit_id, (int64_t)a->n_subjects);
		while ((st = db_step(row, err)) == OK)
			ids[n_ids++] = col_int(row, 0);
		st = st == NOT_FOUND ? OK : st;
	}
	for (int i = 0; st == OK && i < n_ids; i++) {
		enum label_refitted what = LABEL_KEPT;
		st = label_refit(db, &p, ids[i], a->last_id, a->now_ms, &what, err);
		if (st == OK)
			st = db_run(db, Q_REFIT_SEEN, err, "ii", a->refit_id, ids[i]);
		n[what]++;
	}
	if (st == OK && n_ids > n[LABEL_KEPT])
		st = db_run(db, Q_REFIT_COUNT, err, "iiii", a->refit_id, n[LABEL_REOPENED],
			n[LABEL_RELABELLED], n[LABEL_RETIRED]);
	a->done = st == OK && n_ids == 0;
	if (a->done)
		st = db_run(db, Q_REFIT_SET_STATE, err, "isi", a->refit_id, "done", a->now_ms);
	project_release(&p);
	return st;
}

enum status project_refit_apply(int64_t project_id, int64_t refit_id, int64_t last_id,
	const struct refit_hands *hands, struct err *err)
{
	struct applying a = {.project_id = project_id,
		.refit_id = refit_id,
		.last_id = last_id,
		.n_subjects = LEAST_SUBJECTS};
	enum status st = OK;
	while (st == OK && !a.done) {
		a.now_ms = hands->now_ms(hands->arg);
		st = write_piece(hands, apply_work, &a, err);
		const int64_t took = hands->now_ms(hands->arg) - a.now_ms;
		if (took < PIECE_MS && a.n_subjects < MOST_SUBJECTS)
			a.n_subjects *= 2;
		else if (took > 2 * PIECE_MS && a.n_subjects > LEAST_SUBJECTS)
			a.n_subjects /= 2;
	}
	return st;
}

struct cleaning {
	int64_t project_id, dead_id; /* dead: a refit that never came into force, or 0 */
	bool done;
};

/* Up to n rows of ids that a statement found, each dropped by another. Returns how many in *n. */
static enum status drop_some(struct db *db, int64_t project_id, enum query find, enum query drop,
	int n_max, int *n, struct err *err)
{
	struct {
		int64_t refit_id, a, b;
	} rows[ROWS_A_PIECE];
	const bool pair = drop == Q_REFIT_DROP_CELLS;
	struct stmt *row = db_query(db, find, "ii", project_id, (int64_t)n_max);
	enum status st;
	for (*n = 0; (st = db_step(row, err)) == OK; ++*n) {
		rows[*n].refit_id = col_int(row, 0);
		rows[*n].a = col_int(row, 1);
		rows[*n].b = pair ? col_int(row, 2) : 0;
	}
	st = st == NOT_FOUND ? OK : st;
	for (int i = 0; st == OK && i < *n; i++)
		st = pair
			? db_run(db, drop, err, "iiii", project_id, rows[i].refit_id, rows[i].a, rows[i].b)
			: db_run(db, drop, err, "iii", project_id, rows[i].refit_id, rows[i].a);
	return st;
}

static enum status clean_work(struct db *db, void *arg, struct err *err)
{
	struct cleaning *c = arg;
	int64_t ids[ROWS_A_PIECE];
	int n = 0;
	enum status st = drop_some(
		db, c->project_id, Q_REFIT_OLD_CELLS, Q_REFIT_DROP_CELLS, ROWS_A_PIECE / 20, &n, err);
	if (st == OK && n == 0)
		st = drop_some(
			db, c->project_id, Q_REFIT_OLD_SKILL, Q_REFIT_DROP_SKILL, ROWS_A_PIECE, &n, err);
	if (st == OK && n == 0)
		st = drop_some(db, c->project_id, Q_REFIT_OLD_POOL, Q_REFIT_DROP_POOL, 16, &n, err);
	if (st != OK || n > 0)
		return st;
	struct stmt *row = db_query(db, Q_REFIT_WAITING, "ii", c->dead_id, (int64_t)ROWS_A_PIECE);
	while ((st = db_step(row, err)) == OK)
		ids[n++] = col_int(row, 0);
	st = st == NOT_FOUND ? OK : st;
	for (int i = 0; st == OK && i < n; i++)
		st = db_run(db, Q_REFIT_SEEN, err, "ii", c->dead_id, ids[i]);
	c->done = n == 0;
	return st == OK && c->done ? db_run(db, Q_REFIT_DROP, err, "i", c->dead_id) : st;
}

enum status project_refit_clean(
	int64_t project_id, int64_t dead_id, const struct refit_hands *hands, struct err *err)
{
	struct cleaning c = {project_id, dead_id, false};
	enum status st = OK;
	while (st == OK && !c.done)
		st = write_piece(hands, clean_work, &c, err);
	return st;
}
