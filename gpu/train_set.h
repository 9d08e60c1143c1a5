/*
 * The pictures of a training run: every frame decoded once to a size a little above the net's input and kept, as long as
 * they fit in memory (else decoded anew for each use), and the augmented batches drawn from them.
 */
#pragma once

#include "augment.h"
#include "train.h"

struct train_set {
	const struct train_item *items; /* borrowed */
	int n_items;                    /* that have a frame */
	int *item;                      /* [n_items]: which of items */
	int *first;                     /* [n_items + 1]: their frames below */
	struct train_set_frame {
		const struct train_frame *source;
		struct image_rgb picture; /* pixels NULL: decode from source */
	} * frames;
	struct input_spec input; /* of the net */
	int stored_px;
};

/*
 * Decodes every frame, in parallel; tells spec->skipped about the damaged and counts them in report.
 * Owns:   *out is the caller's, to train_set_free; items are borrowed as long.
 * Errors: BAD_INPUT when fewer than 2 items are left.
 */
enum status train_set_new(const struct train_spec *spec, const struct train_item *items,
	int n_items, const struct input_spec *input, struct train_set **out,
	struct train_report *report, struct err *err) MUST_CHECK;
void train_set_free(struct train_set *set);

/*
 * The batches of a run, made ahead by threads while a card trains on the one before, or by the team of a CPU's net between
 * two steps (feed.h says why): one picture for each of a batch's items, a frame by chance, changed by chance (augment.h). What chance gives depends on the batch's seed and the place in
 * the batch only, not on threads.
 */
struct train_plan {
	int64_t n_batches;
	int batch; /* pictures in each */
	/* Fills which [batch] with indices into the set, returns the batch's seed. Called once for each number 0, 1, 2, … in
	 * this order, from train_feed_open and train_feed_next. */
	unsigned long long (*draw)(void *arg, int64_t number, int *which);
	void *arg;
};

struct train_feed;
/*
 * Owns: borrows set and what the plan points to until train_feed_close. n_threads 0: all is done in train_feed_next, by its thread's OpenMP team.
 * Errors: FAULT when no thread can be had.
 */
enum status train_feed_open(const struct train_set *set, const struct train_plan *plan,
	int n_threads, struct train_feed **out, struct err *err) MUST_CHECK;
/*
 * The next batch; not to be called after the last.
 * Shapes: *rgb [batch][px][px][3], *which [batch].
 * Owns: both are the feed's and good until the next call; rgb may be written to.
 * Errors: as input_picture, when a frame that was decoded again has been damaged meanwhile.
 */
enum status train_feed_next(
	struct train_feed *feed, uint8_t **rgb, const int **which, struct err *err) MUST_CHECK;
/* NULL is fine. */
void train_feed_close(struct train_feed *feed);

/* A frame to the net's input. Shapes: rgb [px][px][3]. */
enum status train_frame_decode(const struct train_frame *frame, const struct input_spec *input,
	uint8_t *rgb, struct err *err) MUST_CHECK;
