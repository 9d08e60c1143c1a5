/*
 * How a net is trained: all that a user may decide beyond what is trained on and for how long. A recipe is a JSON object
 * whose fields are the struct's, each with a default that docs/model.md gives the evidence for; it travels in the job
 * and is kept in the model file.
 *
 * A head is fitted to its optimum (head.h): of the fields it minds l2 and logit_adjust only.
 */
#pragma once

#include "backend.h"

#include <stdbool.h>

enum recipe_schedule { RECIPE_COSINE, RECIPE_STEP };

struct recipe {
	int batch;              /* pictures a step, of each rank */
	enum backend_rule rule; /* "sgd" | "adamw" */
	double rate; /* peak; 0: for each 64 pictures of a batch, .1 (AdamW: .001; relative: .01) */
	double momentum, beta2, weight_decay;
	enum recipe_schedule schedule;  /* "cosine" | "step" */
	double warm_up;                 /* share of the run in which the rate rises, linearly */
	double step_every, step_factor; /* "step": after each such share of the run, times the factor */
	double label_smoothing;         /* share of the target that is spread evenly */
	double logit_adjust; /* tau: tau log prior is added to the logits while training (Menon et al.,
							ICLR 2021); 0: not */
	double mixup;   /* alpha of Beta(alpha, alpha) (Zhang et al., ICLR 2018), at most 1; 0: none */
	double clip;    /* the gradient's largest L2 norm; 0: none */
	double average; /* share of the run that the average of the weights looks back over; 0: the
						   weights themselves are kept */
	int patience;   /* epochs without a lower loss on the kept-out items, then it stops and the
						   best average is kept; 0: neither */
	bool norm_frozen;   /* batch norm keeps the statistics that it came with */
	double layer_decay; /* rate of a stage, as a share of the one above; the head has the whole */
	int frozen_stages;  /* 1: the stem stays as it is, … 5: all but the head */
	bool relative;      /* a tensor's rate is times the root mean square of its numbers at the start
						   (Shazeer and Stern, ICML 2018) */
	double blend;       /* from a model: its share in the parameters of what comes out */
	enum backend_precision precision; /* "single" | "half" | "fastest" */
	double l2;                        /* TRAIN_HEAD: head.h */
};

extern const struct recipe recipe_default; /* from scratch */
extern const struct recipe recipe_tuning;  /* from a model */

/*
 * Reads a JSON object; what it does not name is as in base. NULL gives that.
 * Errors: BAD_INPUT with the field and what would be right; out is then undefined.
 */
enum status recipe_read(
	const char *json, const struct recipe *base, struct recipe *out, struct err *err) MUST_CHECK;

/* All fields as compact JSON, always in the same order. Owns: the caller frees it. */
char *recipe_write(const struct recipe *recipe);

/* The peak rate, chosen where the recipe leaves it. n_ranks train together. */
double recipe_rate(const struct recipe *recipe, int n_ranks);
