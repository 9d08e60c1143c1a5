/*
 * Training: labelled subjects in, a model file out.
 *
 * full: every parameter, as the recipe says, on augmented pictures; the file holds the moving
 * average of the parameters. One frame of each item, drawn anew, is seen in an epoch. From a model
 * the new head comes first, to its optimum.
 * head: the last layer only, as L2-regularised softmax regression on embeddings (the mean of an
 * item's frames), to its optimum; the backbone's tensors in the file are the parent's, byte for
 * byte.
 *
 * The same spec, items, backend and number of threads give the same bytes, also when a run was stopped,
 * or killed, and went on from its checkpoint.
 */
#pragma once

#include "model.h"
#include "ranks.h"
#include "recipe.h"

enum train_mode { TRAIN_FULL, TRAIN_HEAD };

struct train_frame {
	const char *path; /* a JPEG file, or */
	const void *jpeg; /* its bytes in memory */
	size_t n_bytes;
	struct input_window window; /* for models with focus */
};

struct train_item {
	const struct train_frame *frames;
	int n_frames;
	const float *target; /* [n_classes] of all heads; each's sum to 1, or 0 of several: not known */
	float weight;        /* > 0; 1 is usual */
	const float
		*embedding;   /* NULL, or [n_features] of the parent: TRAIN_HEAD then reads no frame */
	bool is_kept_out; /* TRAIN_FULL does not train on it: the recipe's patience looks at it */
};

struct train_progress {
	int epoch, n_epochs;   /* epoch counts from 1; for TRAIN_HEAD: iterations */
	double loss, accuracy; /* of this epoch, on augmented training pictures */
	double images_per_s;
	double kept_out_loss, kept_out_accuracy; /* of the average; NAN: not looked at */
};

struct train_spec {
	enum train_mode mode;
	const char *from;           /* model file to start from; NULL: from scratch (TRAIN_FULL only) */
	const char *arch;           /* from scratch; ignored with from */
	const char *const *classes; /* [n_classes] */
	int n_classes;
	/* Several tasks instead of classes; n_classes is then not read. NULL: one. */
	const struct model_head *heads; /* [n_heads] */
	int n_heads;
	int input_px;                /* 0: the arch's own, or the parent's */
	enum input_fit fit;          /* from scratch; else the parent's */
	bool focus;                  /* from scratch; else the parent's */
	int n_epochs;                /* 0: chosen from the number of items */
	const struct recipe *recipe; /* NULL: recipe_default, or with from recipe_tuning */
	unsigned long long seed;
	const char *device;   /* backend_open; NULL: auto */
	const char *snapshot; /* kept in the file; NULL: nothing */
	const char *parent;   /* name kept in the file; NULL: from */
	/* TRAIN_FULL: kept after every epoch (but no sooner than checkpoint_s after the last) and at a
	 * stop; a run that finds one of its own there goes on from it, one of another run is
	 * overwritten. Removed when the model is written. NULL: none. */
	const char *checkpoint;
	double checkpoint_s;
	/* NULL: alone. Every rank makes the same call; rank 0 writes the model, each its own checkpoint
	 * (".rank1"). */
	struct ranks *ranks;
	/* Looked at before each step (with ranks: after each epoch), and while a whole net from a model gets its head first;
	 * nonzero stops. NULL: never. */
	int (*stop)(void *arg);
	/* After each epoch (TRAIN_HEAD: each iteration) and, with epoch 0, while embeddings are made;
	 * nonzero stops. */
	int (*progress)(void *arg, const struct train_progress *progress);
	/* Once a frame that could not be read, with why; NULL: nobody listens. */
	void (*skipped)(void *arg, int item, int frame, const struct err *why);
	void *arg;
};

struct train_report {
	int n_items, n_frames;                 /* used */
	int n_skipped_frames, n_skipped_items; /* damaged; items with no frame left */
	int n_epochs;
	int best_epoch,
		first_epoch;       /* whose average was kept, by patience; where a checkpoint went on */
	double loss, accuracy; /* as the last progress */
	double gradient_norm;  /* TRAIN_HEAD: largest component at the end */
	double wall_s;
};

/*
 * Trains and writes the model to path (whole or not at all).
 * Shapes: items [n_items].
 * Errors: BAD_INPUT when fewer than 2 items can be read, a target does not sum to 1, or the spec
 * contradicts itself; CONFLICT when progress or stop ended it (no model is written); others as
 * model_load, backend_open, model_save.
 */
enum status train_run(const struct train_spec *spec, const struct train_item *items, int n_items,
	const char *path, struct train_report *report, struct err *err) MUST_CHECK;
