/* Starting and stopping: the pool of readers, the writer, the sockets, in this order and back. */
#include "server.h"

#include "civet.h"
#include "limit.h"
#include "upkeep.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIN_READERS = 4, MAX_READERS = 32 };

struct pool {
	pthread_mutex_t mutex;
	pthread_cond_t given;
	int n_free;
	struct db *free[MAX_READERS];
};

struct server {
	struct app app;
	struct civet *civet;
	struct upkeep *upkeep;
	char *dir;
	char url[100];
};

static void pool_close(struct pool *pool)
{
	if (!pool)
		return;
	while (pool->n_free > 0)
		db_close(pool->free[--pool->n_free]);
	pthread_cond_destroy(&pool->given);
	pthread_mutex_destroy(&pool->mutex);
	free(pool);
}

static enum status pool_open(const char *dir, struct pool **out, struct err *err)
{
	long wanted = 2 * sysconf(_SC_NPROCESSORS_ONLN);
	enum status st = OK;
	wanted = wanted < MIN_READERS ? MIN_READERS : wanted > MAX_READERS ? MAX_READERS : wanted;
	struct pool *pool = xcalloc(1, sizeof *pool);
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->given, NULL);
	while (st == OK && pool->n_free < wanted) {
		st = db_open(dir, DB_READ, &pool->free[pool->n_free], err);
		if (st == OK)
			pool->n_free++;
	}
	if (st != OK) {
		pool_close(pool);
		pool = NULL;
	}
	*out = pool;
	return st;
}

struct db *pool_take(struct pool *pool)
{
	pthread_mutex_lock(&pool->mutex);
	while (pool->n_free == 0)
		pthread_cond_wait(&pool->given, &pool->mutex);
	struct db *db = pool->free[--pool->n_free];
	pthread_mutex_unlock(&pool->mutex);
	return db;
}

void pool_give(struct pool *pool, struct db *db)
{
	pthread_mutex_lock(&pool->mutex);
	pool->free[pool->n_free++] = db;
	pthread_cond_signal(&pool->given);
	pthread_mutex_unlock(&pool->mutex);
}

enum status server_start(const struct server_options *options, struct server **out, struct err *err)
{
	int port = 0;
	*out = NULL;
	if (sodium_init() < 0)
		return err_set(err, FAULT, "libsodium does not start");
	struct server *s = xcalloc(1, sizeof *s);
	s->dir = xstrdup(options->dir);
	s->app.dir = s->dir;
	s->app.verbose = options->verbose;
	s->app.behind_proxy = options->behind_proxy;
	s->app.limits = limits_new(options->people ? options->people : PEOPLE_PER_ADDRESS);
	enum status st = writer_start(s->dir, &s->app.writer, err); /* first: it migrates */
	if (st == OK)
		st = pool_open(s->dir, &s->app.readers, err);
	if (st == OK)
		st = upkeep_start(s->app.writer, s->dir, &s->upkeep, err);
	if (st == OK)
		st = civet_open(&s->app, options->listen, &s->civet, &port, err);
	if (st != OK) {
		server_stop(s);
		return st;
	}
	int host = (int)(strrchr(options->listen, ':') - options->listen);
	snprintf(s->url, sizeof s->url, "http://%.*s:%d", host, options->listen, port);
	*out = s;
	return OK;
}

const char *server_url(const struct server *server)
{
	return server->url;
}

void server_stop(struct server *s)
{
	if (!s)
		return;
	civet_close(s->civet);
	upkeep_stop(s->upkeep);
	pool_close(s->app.readers);
	writer_stop(s->app.writer);
	limits_free(s->app.limits);
	free(s->dir);
	free(s);
}
