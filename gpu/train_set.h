/*
 * The pictures of a training run: every frame decoded once to a size a little above the net's input and kept, as long as
 * they fit in memory (else decoded anew for each use), and the augmented batches drawn from them.
 */
#pragma once

#include "train.h"

struct train_set {
	const struct train_item *items; /* borrowed */
	int n_items;                    /* that have a frame */
	int *item;                      /* [n_items]: which of items */
	int *first;                     /* [n_items + 1]: their frames below */
	struct train_set_frame {
		const struct train_frame *source;
		struct picture picture; /* rgb NULL: decode from source */
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
 * One picture for each of n indices into the set: a frame by chance, cropped, flipped, its light and colour changed by
 * chance. What chance gives depends on seed and the place in the batch only.
 * Shapes: which [n]; rgb [n][px][px][3].
 * Errors: as input_picture, when a frame has to be decoded again.
 */
enum status train_set_batch(const struct train_set *set, const int *which, int n,
	unsigned long long seed, uint8_t *rgb, struct err *err) MUST_CHECK;

/* A frame to the net's input. Shapes: rgb [px][px][3]. */
enum status train_frame_decode(const struct train_frame *frame, const struct input_spec *input,
	uint8_t *rgb, struct err *err) MUST_CHECK;

/* splitmix64 (Steele, Lea, Flood 2014), in [0, 1). */
double train_uniform(unsigned long long *state);
