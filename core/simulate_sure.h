/*
 * Which of a simulated project's subjects the model may label alone: draws of certification gold,
 * the threshold they certify in each stratum, and how often its promise holds over many draws.
 *
 * Two strata: what the model takes for blank (at most 1 % wrong), and what it takes for an animal (at
 * most 3.4 %, the volunteers' own error); delta is shared by the strata that have enough gold for a
 * test. Confidence is the model's own p_top: a calibration that rises with it picks the same
 * subjects.
 */
#pragma once

#include "simulate_world.h"

enum { STRATUM_BLANK, STRATUM_ANIMALS, N_STRATA };

extern const double stratum_alpha[N_STRATA];
extern const double sure_delta; /* of all strata together */

static inline int stratum_of(const struct world_subject *s)
{
	return s->guess == WORLD_BLANK ? STRATUM_BLANK : STRATUM_ANIMALS;
}

/* How many subjects an expert labels for a certificate: 1,000, or a tenth of a smaller project. */
int sure_n_gold(const struct world *world);

/* Draws gold without replacement; each repetition is another draw. Shapes: gold_out [sure_n_gold]. Errors: FAULT. */
enum status sure_draw_gold(
	const struct world *world, int repetition, int *gold_out, struct err *err) MUST_CHECK;

/* Where a stratum may be labelled: from this confidence on, or, above 1, nowhere. */
struct sure_thresholds {
	double at[N_STRATA];
	double delta[N_STRATA]; /* its share */
};

/* As certified (choose_threshold). Shapes: gold [n_gold]. */
enum status sure_certify(const struct world *world, const int *gold, int n_gold,
	struct sure_thresholds *out, struct err *err) MUST_CHECK;

/* The lowest confidence above which no more than alpha of the gold is wrong: what one should not do. */
void sure_looks_good(
	const struct world *world, const int *gold, int n_gold, struct sure_thresholds *out);

/* Shapes: out [SIMULATE_N_CERTIFICATES]: each stratum, then all together. */
enum status sure_coverage(
	const struct world *world, struct simulate_certificate *out, struct err *err) MUST_CHECK;
