/*
 * A bounded queue under one mutex. Whoever waits owns its queue entry on its own stack; the thread
 * takes all that wait, runs them in one transaction, commits, and wakes them.
 */
#include "writer.h"

#include <pthread.h>
#include <stdlib.h>

enum { MAX_WAITING = 4096, MAX_GROUP = 256 };

struct entry {
	writer_work *work;
	void *arg;
	struct err err;
	enum status status;
	bool done;
	struct entry *next;
};

struct writer {
	struct db *db;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t work_waits;
	pthread_cond_t work_done;
	struct entry *first;
	struct entry **last;
	int n_waiting;
	bool stop;
};

static void run_one(struct db *db, struct entry *e)
{
	struct err undo = {0};
	e->status = db_savepoint(db, &e->err);
	if (e->status != OK)
		return;
	e->status = e->work(db, e->arg, &e->err);
	if (e->status == OK)
		e->status = db_release(db, &e->err);
	if (e->status != OK && db_in_transaction(db) && db_undo(db, &undo) != OK)
		e->err = undo, e->status = undo.status;
}

/* One group: begin, every piece in its savepoint, commit. */
static void run_group(struct db *db, struct entry *group)
{
	struct err err = {0};
	enum status st = db_begin(db, &err);
	for (struct entry *e = group; e && st == OK; e = e->next) {
		run_one(db, e);
		if (db_in_transaction(db))
			continue;
		/* A full disk can make SQLite give up the whole transaction: what ran before is gone too. */
		st = e->status != OK ? e->status : err_set(&e->err, FAULT, "the transaction is gone");
		err = e->err;
	}
	if (st == OK)
		st = db_commit(db, &err);
	if (st == OK)
		return;
	db_rollback(db);
	for (struct entry *e = group; e; e = e->next) {
		e->status = st;
		e->err = err;
	}
}

static struct entry *take_group(struct writer *w)
{
	struct entry *group = w->first;
	struct entry **end = &group;
	int n = 0;
	while (*end && n < MAX_GROUP) {
		end = &(*end)->next;
		n++;
	}
	w->first = *end;
	if (!w->first)
		w->last = &w->first;
	*end = NULL;
	w->n_waiting -= n;
	return group;
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	pthread_mutex_lock(&w->mutex);
	for (;;) {
		while (!w->first && !w->stop)
			pthread_cond_wait(&w->work_waits, &w->mutex);
		if (!w->first)
			break;
		struct entry *group = take_group(w);
		pthread_mutex_unlock(&w->mutex);
		run_group(w->db, group);
		pthread_mutex_lock(&w->mutex);
		while (group) { /* the entry is gone once its owner sees `done` and the lock is free */
			struct entry *next = group->next;
			group->done = true;
			group = next;
		}
		pthread_cond_broadcast(&w->work_done);
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

enum status writer_start(const char *dir, struct writer **out, struct err *err)
{
	struct writer *w = xcalloc(1, sizeof *w);
	*out = NULL;
	enum status st = db_open(dir, DB_WRITE, &w->db, err);
	if (st != OK) {
		free(w);
		return st;
	}
	w->last = &w->first;
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->work_waits, NULL);
	pthread_cond_init(&w->work_done, NULL);
	if (pthread_create(&w->thread, NULL, writer_main, w) != 0) {
		db_close(w->db);
		free(w);
		return err_set(err, FAULT, "the writer thread cannot be started");
	}
	*out = w;
	return OK;
}

void writer_stop(struct writer *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->mutex);
	w->stop = true;
	pthread_cond_signal(&w->work_waits);
	pthread_mutex_unlock(&w->mutex);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->work_waits);
	pthread_cond_destroy(&w->work_done);
	pthread_mutex_destroy(&w->mutex);
	db_close(w->db);
	free(w);
}

enum status writer_do(struct writer *w, writer_work *work, void *arg, struct err *err)
{
	struct entry e = {.work = work, .arg = arg};
	pthread_mutex_lock(&w->mutex);
	if (w->stop || w->n_waiting >= MAX_WAITING) {
		pthread_mutex_unlock(&w->mutex);
		return err_set(err, BUSY, "too many answers wait to be written: try again in a second");
	}
	*w->last = &e;
	w->last = &e.next;
	w->n_waiting++;
	pthread_cond_signal(&w->work_waits);
	while (!e.done)
		pthread_cond_wait(&w->work_done, &w->mutex);
	pthread_mutex_unlock(&w->mutex);
	if (e.status != OK && err)
		*err = e.err;
	return e.status;
}
