/*
 * Things made ahead by threads and taken in order by one taker: decoded pictures, mostly. The ring numbers them 0, 1, 2, …
 * and gives each number to one thread; where a thing lies and whether it is any good is the maker's affair (the place of
 * `index` is usually index % room).
 *
 * A taker who finds the next thing not begun makes it itself rather than wait, so on a machine with few cores nothing is
 * idle while the net waits for pictures; with no threads at all the ring is a plain loop.
 *
 * Invariants: index + room is not begun before index was given back; a thing is made once.
 */
#pragma once

#include "status.h"

#include <stdint.h>

struct ring;

struct ring_spec {
	int64_t n_things;
	int room;      /* that are made, being made or in the taker's hands at most */
	int n_threads; /* 0: the taker makes all */
	/* From any thread, several at a time; `thread` is 0 … n_threads, of which the last is the taker. */
	void (*make)(void *arg, int thread, int64_t index);
	void *arg;
};

/* Owns: *out is the caller's, to ring_close. Errors: FAULT when no thread can be had. */
enum status ring_open(const struct ring_spec *spec, struct ring **out, struct err *err) MUST_CHECK;

/*
 * Waits until the next n things (n <= room) are made, or those that are left.
 * Returns how many are; 0: there are no more. They are the taker's until ring_give_back.
 */
int ring_take(struct ring *ring, int n);

/* The oldest n that were taken: their places may be used again. */
void ring_give_back(struct ring *ring, int n);

/* Begins nothing more, waits for what is being made. NULL is fine. */
void ring_close(struct ring *ring);
