/*
 * Strata of auto-labels: what a model takes for blank, for a common class, for another one, each in every group of
 * deployments. Each has a promise of its own, so that many easy subjects cannot hide the errors among few hard ones.
 *
 * Which stratum a subject is in follows from what the model says and from where it was taken, never from its truth: the
 * tests of docs/consensus.md (16) hold within each.
 *
 * Units:  alpha and delta are probabilities; n counts certification gold.
 * Owns:   nothing is kept or allocated.
 */
#pragma once

#include <stdbool.h>

enum stratum_part { PART_BLANK, PART_COMMON, PART_OTHER, N_PARTS };

/* As it stands in certificate.stratum. */
const char *stratum_name(enum stratum_part part);

/*
 * n_said: certification gold of the group that the model takes for the class. From common_gold on it is common: had it all
 * of those wrong, no stratum of a usual size could pass with it.
 */
enum stratum_part stratum_part_of(bool is_blank, int n_said, int common_gold);

/* The fewest gold without an error that show an error below alpha: 87 at .034 and 299 at .01, for delta .05. */
int stratum_needed(double alpha, double delta);

struct stratum {
	double alpha;
	int n_gold;
	bool tested; /* out */
};

/*
 * Which strata are tested, and how delta is split over them: evenly, over as many as can pass with their share of it. A
 * stratum that could not would cost the others theirs; the one that lacks most goes first. Looks at counts alone.
 * Shapes: strata [n]. Returns how many are tested; each is at delta over that.
 */
int strata_choose(struct stratum *strata, int n, double delta);
