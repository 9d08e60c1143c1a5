/*
 * How often people name a species that is there and one that is not, in the database: learnt from subjects of several
 * species and from gold when they retire, and from the pooled matrix's counts, in which every other retired subject is.
 */
#pragma once

#include "project.h"
#include "set_mode.h"

/* The pooled rates as of the last remix. Shapes: rates_out [project->k]; a class without a row has the prior's rates. */
enum status set_rates_load(struct db *db, const struct project *project,
	struct set_rates *rates_out, struct err *err) MUST_CHECK;

/* log rho of a volunteer: what single answers have taught (skill.h); 0 where nothing has. */
enum status set_lambda(struct db *db, const struct project *project, int64_t volunteer_id,
	double *lambda_out, struct err *err) MUST_CHECK;

/*
 * One answer credited against t, the probability that each species is there as the others say (or the truth, 0 and 1).
 * A volunteer's weight in the pool is credit_weight's. Shapes: named and t [project->k].
 */
enum status set_teach(struct db *db, const struct project *project, int64_t volunteer_id,
	const bool *named, const double *t, struct err *err) MUST_CHECK;

/*
 * The rates anew, from what set_teach has counted and the pooled matrix's counts C[truth, answer] (skill_remix calls this).
 * Shapes: counts [k x k], row-major.
 */
enum status set_remix(
	struct db *db, const struct project *project, const double *counts, struct err *err) MUST_CHECK;
