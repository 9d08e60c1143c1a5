/* Places are counted, never listed: [given_back, taken) the taker's, [taken, begun) made or being made. */
#include "ring.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct ring {
	struct ring_spec spec;
	pthread_mutex_t mutex;
	pthread_cond_t free_place, made_one; /* what makers and the taker wait for */
	pthread_t *threads;
	int n_started, n_named;
	bool *is_made; /* [room], of index % room */
	int64_t given_back, taken, begun;
	bool is_closing;
};

static bool can_begin(const struct ring *r)
{
	return !r->is_closing && r->begun < r->spec.n_things && r->begun < r->given_back + r->spec.room;
}

/* With the mutex held, which it lets go meanwhile. */
static void make_one(struct ring *r, int thread)
{
	int64_t index = r->begun++;
	pthread_mutex_unlock(&r->mutex);
	r->spec.make(r->spec.arg, thread, index);
	pthread_mutex_lock(&r->mutex);
	r->is_made[index % r->spec.room] = true;
	pthread_cond_signal(&r->made_one);
}

static void *maker_main(void *arg)
{
	struct ring *r = arg;
	pthread_mutex_lock(&r->mutex);
	int thread = r->n_named++;
	while (!r->is_closing && r->begun < r->spec.n_things) {
		if (can_begin(r))
			make_one(r, thread);
		else
			pthread_cond_wait(&r->free_place, &r->mutex);
	}
	pthread_mutex_unlock(&r->mutex);
	return NULL;
}

enum status ring_open(const struct ring_spec *spec, struct ring **out, struct err *err)
{
	struct ring *r = xcalloc(1, sizeof *r);
	r->spec = *spec;
	r->is_made = xcalloc((size_t)spec->room, sizeof *r->is_made);
	r->threads = xcalloc((size_t)spec->n_threads + 1, sizeof *r->threads);
	pthread_mutex_init(&r->mutex, NULL);
	pthread_cond_init(&r->free_place, NULL);
	pthread_cond_init(&r->made_one, NULL);
	while (r->n_started < spec->n_threads &&
		pthread_create(&r->threads[r->n_started], NULL, maker_main, r) == 0)
		r->n_started++;
	if (r->n_started < spec->n_threads) {
		ring_close(r);
		return err_set(err, FAULT, "no thread to decode with");
	}
	*out = r;
	return OK;
}

int ring_take(struct ring *r, int n)
{
	pthread_mutex_lock(&r->mutex);
	int64_t left = r->spec.n_things - r->taken;
	n = left < n ? (int)left : n;
	for (int i = 0; i < n; i++) {
		int64_t index = r->taken + i;
		while (!r->is_made[index % r->spec.room]) {
			if (r->begun < r->taken + n && can_begin(r))
				make_one(r, r->spec.n_threads);
			else
				pthread_cond_wait(&r->made_one, &r->mutex);
		}
	}
	for (int i = 0; i < n; i++)
		r->is_made[(r->taken + i) % r->spec.room] = false;
	r->taken += n;
	pthread_mutex_unlock(&r->mutex);
	return n;
}

void ring_give_back(struct ring *r, int n)
{
	pthread_mutex_lock(&r->mutex);
	r->given_back += n;
	pthread_cond_broadcast(&r->free_place);
	pthread_mutex_unlock(&r->mutex);
}

void ring_close(struct ring *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->mutex);
	r->is_closing = true;
	pthread_cond_broadcast(&r->free_place);
	pthread_mutex_unlock(&r->mutex);
	for (int i = 0; i < r->n_started; i++)
		pthread_join(r->threads[i], NULL);
	pthread_mutex_destroy(&r->mutex);
	pthread_cond_destroy(&r->free_place);
	pthread_cond_destroy(&r->made_one);
	free(r->threads);
	free(r->is_made);
	free(r);
}
