/*
 * topi's own policy at work on the whole of a simulated project, from the first answer to the last label.
 *
 * Owns: outcomes [world->n] are the caller's, zeroed.
 */
#pragma once

#include "simulate_world.h"

/* What became of one subject. */
struct outcome {
	int label;
	int n_answers, n_experts; /* by volunteers; by the expert (gold, audits, hard cases) */
	double risk;              /* that the label is wrong, as the policy believes */
	bool automated;           /* labelled by the model alone */
};

/*
 * The label model of online.h: with the model, certification gold and audits, or by people alone
 * (then at least three answers a subject).
 * Errors: FAULT when memory is out.
 */
enum status simulate_ours(const struct world *world, bool use_model, double tau,
	struct outcome *outcomes, struct err *err) MUST_CHECK;
