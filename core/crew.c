/* A counter and some threads. */
#include "crew.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MAX_THREADS = 64 };

struct crew {
	size_t n;
	bool (*work)(void *arg, size_t i);
	void *arg;
	atomic_size_t next;
	atomic_bool stop;
};

static void *crew_main(void *arg)
{
	struct crew *c = arg;
	for (size_t i; !c->stop && (i = atomic_fetch_add(&c->next, 1)) < c->n;)
		if (!c->work(c->arg, i))
			c->stop = true;
	return NULL;
}

void crew_run(size_t n, int n_threads, bool (*work)(void *arg, size_t i), void *arg)
{
	struct crew c = {.n = n, .work = work, .arg = arg};
	pthread_t threads[MAX_THREADS];
	int n_started = 0;
	/* The caller is one of them. */
	while (n_started + 1 < n_threads && n_started + 1 < MAX_THREADS && (size_t)n_started + 1 < n &&
		pthread_create(&threads[n_started], NULL, crew_main, &c) == 0)
		n_started++;
	crew_main(&c);
	for (int i = 0; i < n_started; i++)
		pthread_join(threads[i], NULL);
}
