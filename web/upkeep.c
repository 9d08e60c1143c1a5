/* One thread with a condition to sleep on, so that stopping does not wait for the second to pass. */
#include "upkeep.h"

#include "prediction.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SWEEP_PIECE = 100, PAUSE_S = 1, DEAD_LEASE_MS = 24 * 3600 * 1000 };

struct upkeep {
	struct writer *writer;
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

static enum status clean_work(struct db *db, void *arg, struct err *err)
{
	(void)arg;
	return db_run(db, Q_TASK_CLEAN, err, "i", clock_ms() - DEAD_LEASE_MS);
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
		if (st == OK && second % 60 == 0)
			st = writer_do(u->writer, clean_work, NULL, &err);
		if (st != OK && !told) /* a full disk, say: it is tried again every second and told once */
			fprintf(stderr, "topi: upkeep waits: %s\n", err.text);
		told = st != OK;
	}
	return NULL;
}

enum status upkeep_start(struct writer *writer, struct upkeep **out, struct err *err)
{
	struct upkeep *u = xcalloc(1, sizeof *u);
	u->writer = writer;
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
