/* labels: unit; timeout: 60 */
/* Things made ahead: in order and once each, never more than there is room for, and an end at any time. */
#include "ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { MAX_THINGS = 500, MAX_ROOM = 64 };

struct maker {
	int room, slow_every; /* a thing that takes a few milliseconds; 0: none */
	int64_t places[MAX_ROOM];
	atomic_int made[MAX_THINGS], given_back, most_ahead;
};

static void make(void *arg, int thread, int64_t index)
{
	struct maker *m = arg;
	(void)thread;
	int ahead = (int)index + 1 - atomic_load(&m->given_back), most = atomic_load(&m->most_ahead);
	while (ahead > most && !atomic_compare_exchange_weak(&m->most_ahead, &most, ahead))
		;
	if (m->slow_every && index % m->slow_every == 0)
		nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
	m->places[index % m->room] = index * index;
	atomic_fetch_add(&m->made[index], 1);
}

static void all_come_once_and_in_order(void **state)
{
	(void)state;
	static const struct {
		int n_things, room, n_threads, take, slow_every;
	} rows[] = {
		{500, 8, 0, 3, 0},
		{500, 8, 1, 8, 0},
		{500, 64, 4, 16, 0},
		{500, 1, 3, 1, 0},
		{100, 7, 3, 5, 7},
		{50, 4, 1, 4, 1},
		{0, 4, 2, 4, 0},
		{3, 16, 8, 16, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct maker m = {.room = rows[i].room, .slow_every = rows[i].slow_every};
		struct ring_spec spec = {rows[i].n_things, rows[i].room, rows[i].n_threads, make, &m};
		struct ring *ring;
		int n, taken = 0;
		assert_int_equal(ring_open(&spec, &ring, NULL), OK);
		while ((n = ring_take(ring, rows[i].take)) > 0) {
			for (int j = 0; j < n; j++, taken++)
				assert_int_equal(m.places[taken % rows[i].room], (int64_t)taken * taken);
			atomic_fetch_add(&m.given_back, n);
			ring_give_back(ring, n);
			assert_true(n == rows[i].take || taken == rows[i].n_things);
		}
		ring_close(ring);
		assert_int_equal(taken, rows[i].n_things);
		for (int j = 0; j < rows[i].n_things; j++)
			assert_int_equal(m.made[j], 1);
		assert_true(m.most_ahead <= rows[i].room);
	}
}

static void it_ends_when_the_taker_has_enough(void **state)
{
	(void)state;
	for (int enough = 0; enough < 12; enough++) {
		struct maker m = {.room = 8, .slow_every = 3};
		struct ring_spec spec = {MAX_THINGS, 8, 3, make, &m};
		struct ring *ring;
		int n_made = 0;
		assert_int_equal(ring_open(&spec, &ring, NULL), OK);
		for (int i = 0; i < enough; i++) {
			assert_int_equal(ring_take(ring, 1), 1);
			if (i % 2) /* some are still in the taker's hands */
				ring_give_back(ring, 2);
		}
		ring_close(ring);
		for (int i = 0; i < MAX_THINGS; i++)
			n_made += m.made[i];
		assert_true(n_made >= enough && n_made <= enough + 8);
	}
	ring_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_come_once_and_in_order),
		cmocka_unit_test(it_ends_when_the_taker_has_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
