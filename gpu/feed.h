/*
 * JPEGs to batches of a net's input. Threads read ahead (ring.h), so that the net waits for neither a disk nor a server. Who
 * decodes depends on where the net runs:
 *   on a card, the same threads, a batch or two ahead: the CPU has nothing else to do;
 *   on a CPU, the net's own OpenMP team, between two batches: the net keeps every core busy, and what decodes beside it
 *   holds up a team that waits for its slowest member after each layer. That this is the faster way is not shown for small
 *   pictures (docs/benchmarks.md).
 */
#pragma once

#include "input.h"

#include <stdint.h>

struct feed;

/* What a read gives: a file's bytes, which become the feed's to free(), and the window of its picture (width 0: none). */
struct feed_file {
	uint8_t *bytes;
	size_t n_bytes;
	struct input_window window;
};

struct feed_spec {
	int64_t n_files;
	int batch;
	struct input_spec input;
	bool is_cpu; /* the net runs on the CPU (engine_is_cpu) */
	/* From any of FEED_MAX_THREADS + 1 threads, by number, several at a time; the last of them is the taker. */
	enum status (*read)(
		void *arg, int thread, int64_t index, struct feed_file *out, struct err *err);
	void *arg;
};

#define FEED_MAX_THREADS 16

/* How many threads prepare pictures for a card: as many as there are cores, FEED_MAX_THREADS at most. */
int feed_card_threads(void);

/* Owns: *out is the caller's, to feed_close. Errors: FAULT when no thread can be had. */
enum status feed_open(const struct feed_spec *spec, struct feed **out, struct err *err) MUST_CHECK;

/*
 * The next batch, from the thread that runs the net (it is its team that decodes). Returns how many pictures it has: as many
 * as spec.batch but for the last; 0: there are no more.
 * Shapes: *rgb [batch][px][px][3]; *whys [batch], status OK, or why a picture could not be had (its rgb is unspecified).
 * Owns: both are the feed's, good until the next call.
 */
int feed_next(struct feed *feed, const uint8_t **rgb, const struct err **whys);

/* Stops reading and frees what was not taken. NULL is fine. */
void feed_close(struct feed *feed);
