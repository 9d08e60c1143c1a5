/* One thread with a condition to sleep on, so that stopping does not wait for the second to pass. */
#include "upkeep.h"

#include "forget.h"
#include "prediction.h"
#include "project_refit.h"
#include "volunteer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	SWEEP_PIECE = 100,
	FORGET_PIECE = 20, /* each decides a subject again */
	PAUSE_S = 1,
	REFIT_SECOND = 3,    /* of every minute: whether a refit is due */
	REFIT_AGAIN_S = 3600 /* after one that failed */
};

struct upkeep {
	struct writer *writer;
	const char *dir;
	int64_t refit_from_s; /* no refit before this second of the server's life */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t stopping;
	bool stop;
};

static int64_t clock_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static enum status sweep_work(struct db *db, void *arg, struct err *err)
{
	return prediction_sweep(db, SWEEP_PIECE, clock_ms(), arg, err);
}

static enum status forget_work(struct db *db, void *arg, struct err *err)
{
	return forget_step(db, FORGET_PIECE, clock_ms(), arg, err);
}

static enum status clean_work(struct db *db, void *arg, struct err *err)
{
	(void)arg;
	return db_run(db, Q_TASK_CLEAN, err, "i", clock_ms() - SESSION_MS);
}

/* Sleeps until the pause is over or the server stops. Returns whether it stops. */
static bool pause_or_stop(struct upkeep *u)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PAUSE_S;
	pthread_mutex_lock(&u->mutex);
	if (!u->stop)
		pthread_cond_timedwait(&u->stopping, &u->mutex, &until);
	bool stop = u->stop;
	pthread_mutex_unlock(&u->mutex);
	return stop;
}

static bool stops(struct upkeep *u)
{
	pthread_mutex_lock(&u->mutex);
	bool stop = u->stop;
	pthread_mutex_unlock(&u->mutex);
	return stop;
}

static enum status write_piece(void *arg, writer_work *work, void *work_arg, struct err *err)
{
	struct upkeep *u = arg;
	return writer_do(u->writer, work, work_arg, err);
}

static bool refit_stops(void *arg)
{
	return stops(arg);
}

static int64_t refit_clock(void *arg)
{
	(void)arg;
	return clock_ms();
}

/*
 * On one core and on a connection of its own, so that pages go on being served. A project that cannot be refitted does not
 * keep the next one from it. False when one failed.
 */
static bool refit_due(struct upkeep *u)
{
	const struct refit_hands hands = {.write = write_piece,
		.stops = refit_stops,
		.now_ms = refit_clock,
		.arg = u,
		.n_threads = 1};
	struct refit_record record;
	struct err err = {0};
	struct db *db = NULL;
	int64_t project_id = 0;
	bool resumed = false, all_done = true;
	enum status st = db_open(u->dir, DB_READ, &db, &err);
	while (st == OK && !stops(u) &&
		(st = project_refit_due(db, clock_ms(), project_id, &project_id, &err)) == OK) {
		struct err why = {0};
		const enum status done = project_refit(db, project_id, &hands, &resumed, &record, &why);
		/* Nothing there teaches, or a command is at it, or the server stops: that is no failure. */
		if (done != OK && done != NOT_FOUND && done != CONFLICT && !stops(u))
			fprintf(stderr, "topi: project %lld is not refitted: %s\n", (long long)project_id,
				why.text);
		all_done = all_done && done == OK;
	}
	db_close(db);
	return all_done && (st == OK || st == NOT_FOUND);
}

static void *upkeep_main(void *arg)
{
	struct upkeep *u = arg;
	bool told = false;
	for (int64_t second = 0; !pause_or_stop(u); second++) {
		struct err err = {0};
		enum status st = OK;
		int n = 1;
		while (st == OK && n > 0 && !stops(u))
			st = writer_do(u->writer, sweep_work, &n, &err);
		for (n = 1; st == OK && n > 0 && !stops(u);)
			st = writer_do(u->writer, forget_work, &n, &err);
		if (st == OK && second % 60 == 0)
			st = writer_do(u->writer, clean_work, NULL, &err);
		if (st != OK && !told) /* a full disk, say: it is tried again every second and told once */
			fprintf(stderr, "topi: upkeep waits: %s\n", err.text);
		told = st != OK;
		if (second % 60 == REFIT_SECOND && second >= u->refit_from_s && !refit_due(u))
			u->refit_from_s = second + REFIT_AGAIN_S;
	}
	return NULL;
}

enum status upkeep_start(
	struct writer *writer, const char *dir, struct upkeep **out, struct err *err)
{
	struct upkeep *u = xcalloc(1, sizeof *u);
	u->writer = writer;
	u->dir = dir;
	pthread_mutex_init(&u->mutex, NULL);
	pthread_cond_init(&u->stopping, NULL);
	*out = NULL;
	if (pthread_create(&u->thread, NULL, upkeep_main, u) != 0) {
		free(u);
		return err_set(err, FAULT, "the upkeep thread cannot be started");
	}
	*out = u;
	return OK;
}

void upkeep_stop(struct upkeep *u)
{
	if (!u)
		return;
	pthread_mutex_lock(&u->mutex);
	u->stop = true;
	pthread_cond_signal(&u->stopping);
	pthread_mutex_unlock(&u->mutex);
	pthread_join(u->thread, NULL);
	pthread_cond_destroy(&u->stopping);
	pthread_mutex_destroy(&u->mutex);
	free(u);
}
