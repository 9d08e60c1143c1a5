/*
 * The rules that topi is compared with: count votes, perhaps after a look at the model. Each looks at
 * the answers of one subject so far, in order, and says whether it wants no more.
 */
#pragma once

#include <stdbool.h>

enum { RULE_MAX_ANSWERS = 25 };

enum rule_kind {
	RULE_PLURALITY, /* k answers, the most frequent */
	RULE_SERENGETI, /* blank if the first 5 say so; 10 blanks or 10 that match; else 25 (Swanson et al. 2015) */
	RULE_MODEL_SERENGETI, /* the model where it is sure, else RULE_SERENGETI (Norouzzadeh et al. 2018) */
	RULE_MODEL_ONE, /* the same, but where the first volunteer agrees with the model, that is enough */
};

struct rule {
	enum rule_kind kind;
	int k; /* of RULE_PLURALITY: 1 .. RULE_MAX_ANSWERS */
};

/* The model's most probable class, and what it gives it, uncalibrated. */
struct rule_guess {
	int class;
	double p;
};

extern const double rule_model_sure; /* .95 */

struct rule_verdict {
	bool done, automated; /* no more answers wanted; labelled by the model alone */
	int label;            /* when done; among equals, the class that had as many votes first */
};

struct rule_verdict rule_look(
	struct rule rule, struct rule_guess guess, const int *answers, int n_answers);
