/*
 * A run on its way, as one safetensors file that is there whole or not at all: the backend's four states, the best
 * average so far, and in the metadata how far it is and a hash of all that decides the run. The order in which items are
 * seen and all chance in it follow from the seed and the number of the step, so that they need no state of their own.
 */
#pragma once

#include "train.h"

struct checkpoint {
	char run[33];             /* checkpoint_hash: whose it is */
	int64_t step;             /* taken */
	double loss_sum, n_right; /* of this epoch's steps so far */
	double best_loss;         /* on the kept-out items; INFINITY: none yet */
	int best_epoch;           /* 0: none */
	float *states[4];         /* [n_floats] by enum backend_state */
	float *best;              /* [n_floats], of best_epoch */
	size_t n_floats;
};

/* Owns: the caller frees with checkpoint_release. */
void checkpoint_init(struct checkpoint *checkpoint, size_t n_floats);
void checkpoint_release(struct checkpoint *checkpoint);

/* Of the spec, the net, its first parameters, the items and the place among the ranks. out [33]. */
void checkpoint_hash(const struct train_spec *spec, const struct model *model, int n_epochs,
	const struct train_item *items, int n_items, char *out);

/* Errors: as safetensors_write. */
enum status checkpoint_write(
	const struct checkpoint *checkpoint, const char *path, struct err *err) MUST_CHECK;

/*
 * Fills what checkpoint_init made, where the file is of that run.
 * Errors: NOT_FOUND: no file, or another run's, or another version's; BAD_INPUT: a broken one.
 */
enum status checkpoint_read(
	struct checkpoint *checkpoint, const char *path, struct err *err) MUST_CHECK;
