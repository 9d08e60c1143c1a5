/* The steps of a project's refit in their order, and the lock that lets one refit run at a time. */
#include "project_refit.h"

#include "confusion.h"
#include "project_refit_part.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { MAX_PASSES = 10 };

static const double tolerance = 1e-4; /* no posterior moves further: it is done */

static enum status lock(struct db *db, int *fd, struct err *err)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/refit.lock", db_dir(db));
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (*fd < 0)
		return err_set(err, FULL, "%.120s cannot be made: %s", path, strerror(errno));
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return OK;
	close(*fd);
	return err_set(err, CONFLICT, "a refit is running already: wait until it is done");
}

/* refit_run of refit.h, with a question after each pass. */
static enum status fit(struct project_refit *r, const struct refit_hands *hands, struct err *err)
{
	const struct refit_start start = {r->m, r->lambda, r->cells, r->n_cells, r->project.own_prior};
	const struct refit_input input = {.answers = &r->answers,
		.prior = r->prior.n_models > 0 ? &r->prior : NULL,
		.cards = r->cards.start ? &r->cards : NULL,
		.gold = r->gold,
		.labelled = r->labelled,
		.fits_own_prior = true,
		.start = hands->cold ? NULL : &start,
		.n_threads = hands->n_threads};
	struct refit_record *record = &r->record;
	enum status st = refit_new(&input, &r->refit, err);
	free(r->cells); /* the start has been made of them */
	r->cells = NULL;
	r->n_cells = 0;
	record->moved = 1;
	if (st == OK)
		st = refit_judge(r->refit, &record->moved, err);
	while (st == OK && record->n_passes < MAX_PASSES &&
		(record->n_passes == 0 || record->moved >= tolerance)) {
		if (hands->stops(hands->arg))
			return err_set(err, BUSY, "the refit was asked to stop");
		st = refit_learn(r->refit, err);
		if (st == OK)
			st = refit_judge(r->refit, &record->moved, err);
		record->n_passes++;
	}
	return st == OK ? project_refit_fit_kappa(r, err) : st;
}

struct unfinished {
	int64_t id, last_id; /* id 0: none */
	bool in_force;
};

static enum status find_unfinished(
	struct db *db, int64_t project_id, struct unfinished *out, struct err *err)
{
	struct stmt *row = NULL;
	*out = (struct unfinished){0};
	enum status st = db_one(db, Q_REFIT_UNFINISHED, &row, err, "i", project_id);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	*out = (struct unfinished){
		col_int(row, 0), col_int(row, 2), strcmp(col_text(row, 1), "applying") == 0};
	db_done(row);
	return OK;
}

/* Whether a step is to run: the ones before it are done. */
static bool begins(enum status st, const struct refit_hands *hands, const char *step)
{
	if (st == OK && hands->begins)
		hands->begins(hands->arg, step);
	return st == OK;
}

static enum status refit_locked(struct db *db, int64_t project_id, const struct refit_hands *hands,
	bool *resumed, struct err *err)
{
	struct unfinished old;
	struct project_refit r = {0};
	enum status st = find_unfinished(db, project_id, &old, err);
	*resumed = st == OK && old.id && old.in_force;
	if (st == OK && !*resumed) {
		if (begins(st, hands, "clearing away"))
			st = project_refit_clean(project_id, old.id, hands, err);
		if (begins(st, hands, "reading"))
			st = project_refit_read(db, project_id, hands, &r, err);
		if (begins(st, hands, "fitting"))
			st = fit(&r, hands, err);
		if (begins(st, hands, "writing"))
			st = project_refit_store(&r, hands, &old.id, err);
		old.last_id = r.last_id;
		project_refit_release(&r);
	}
	if (begins(st, hands, "deciding again"))
		st = project_refit_apply(project_id, old.id, old.last_id, hands, err);
	return begins(st, hands, "clearing away") ? project_refit_clean(project_id, 0, hands, err) : st;
}

enum status project_refit(struct db *db, int64_t project_id, const struct refit_hands *hands,
	bool *resumed, struct refit_record *out, struct err *err)
{
	int fd = -1;
	*resumed = false;
	enum status st = lock(db, &fd, err);
	if (st != OK)
		return st;
	st = refit_locked(db, project_id, hands, resumed, err);
	close(fd);
	return st == OK ? project_refit_last(db, project_id, out, err) : st;
}

enum status project_refit_last(
	struct db *db, int64_t project_id, struct refit_record *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_REFIT_LAST, &row, err, "i", project_id);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "the project was never refitted");
	if (st != OK)
		return st;
	*out = (struct refit_record){
		.id = col_int(row, 0),
		.is_done = strcmp(col_text(row, 1), "done") == 0,
		.n_answers = col_int(row, 2),
		.n_subjects = col_int(row, 3),
		.n_volunteers = col_int(row, 4),
		.n_passes = (int)col_int(row, 5),
		.moved = col_real(row, 6),
		.has_kappa = !col_null(row, 7),
		.has_losses = !col_null(row, 11),
		.correlation = {.kappa = col_real(row, 7), .gamma = col_real(row, 8)},
		.n_gold_fit = (int)col_int(row, 9),
		.n_gold_check = (int)col_int(row, 10),
		.loss = col_real(row, 11),
		.loss_default = col_real(row, 12),
		.n_reopened = col_int(row, 13),
		.n_relabelled = col_int(row, 14),
		.n_retired = col_int(row, 15),
		.started_ms = col_int(row, 16),
		.finished_ms = col_int(row, 17),
		.policy_version = (int)col_int(row, 18),
		.n_gold_sure = (int)col_int(row, 19),
		.n_gold_wrong = (int)col_int(row, 20),
		.p_gold_wrong = col_real(row, 21),
		.own_prior = col_real(row, 22),
	};
	db_done(row);
	return OK;
}

/* The last moment at or before now at which it was that hour. */
static int64_t last_time(int64_t now_ms, int hour)
{
	const int64_t hour_ms = 3600 * 1000, day_ms = 24 * hour_ms;
	const int64_t today = now_ms - now_ms % day_ms + hour * hour_ms;
	return today <= now_ms ? today : today - day_ms;
}

enum status project_refit_due(
	struct db *db, int64_t now_ms, int64_t after_id, int64_t *project_id, struct err *err)
{
	struct due {
		int64_t id, since_ms;
		bool is_broken_off;
	} *list = NULL;
	size_t n = 0;
	struct policy policy;
	enum status st;
	struct stmt *row = db_query(db, Q_REFIT_NEWS, "i", after_id);
	*project_id = 0;
	while ((st = db_step(row, err)) == OK) {
		list = xrealloc(list, (n + 1) * sizeof *list);
		list[n++] = (struct due){col_int(row, 0), col_int(row, 1), col_int(row, 2) != 0};
	}
	st = st == NOT_FOUND ? OK : st;
	for (size_t i = 0; st == OK && !*project_id && i < n; i++) {
		st = policy_get(db, list[i].id, &policy, err);
		const bool is_time = policy.refit_hour >= 0 &&
			list[i].since_ms < last_time(now_ms, policy.refit_hour);
		if (st == OK && (list[i].is_broken_off || is_time))
			*project_id = list[i].id;
	}
	free(list);
	return st == OK && !*project_id ? err_set(err, NOT_FOUND, "no refit is due") : st;
}
