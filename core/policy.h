/*
 * A project's rules as data: one JSON object a version, every field checked, none left out. docs/consensus.md says what
 * each is for.
 */
#pragma once

#include "db.h"

#include <jansson.h>

#define POLICY_AUTO (-1.0) /* "auto" in JSON */

enum { POLICY_MAX_COSTS = 32, POLICY_COST_NAME = 68 };

/* What it costs to decide `decided` where `truth` is the truth; an ordinary mistake costs 1. */
struct policy_cost {
	char truth[POLICY_COST_NAME],
		decided[POLICY_COST_NAME]; /* a taxon's code, or "kind:animal", ... */
	double cost;
};

struct policy {
	int64_t id;
	int version;
	double alpha;     /* promised error of auto-labels */
	double delta;     /* probability that the promise is wrong */
	double tau;       /* people's label: retire at this risk */
	double audit_tau; /* the same for a blind audit */
	double
		kappa; /* how much sources repeat each other; POLICY_AUTO: as the last refit has it from gold */
	int cap;         /* answers after which a subject goes to an expert */
	int cant_tell;   /* "can't tell" after which it does */
	int min_answers; /* where there is no model's evidence, and for a label of a protected taxon */
	bool
		protected_expert; /* true: an expert decides every subject that people take for a protected taxon */
	bool auto_label;   /* false: certificates are issued, nothing is labelled by them */
	double audit_rate; /* least share of auto-labelled subjects drawn blind */
	int audits;        /* least audits that end a probation, and are aimed at afterwards */
	double
		expert_share; /* of audits where people agree with the model, sent to an expert all the same */
	double auto_weight; /* weight of an auto-label in training, against 1 for people's */
	double plant_first; /* share of a volunteer's first answers that is gold (plant.h), */
	double plant_rate;  /* and what it falls to */
	int lease_s;        /* how long a volunteer holds a subject */
	int refit_hour;     /* hour of the day (UTC) from which the nightly refit runs; -1: never */
	int n_costs;
	struct policy_cost costs[POLICY_MAX_COSTS]; /* cost.h */
};

/* The defaults, and an object's fields over `base`. Errors: BAD_INPUT names the field and its range. */
struct policy policy_default(void);
enum status policy_parse(
	const json_t *object, struct policy base, struct policy *out, struct err *err) MUST_CHECK;

/* All fields as a new reference the caller owns. */
json_t *policy_json(const struct policy *policy);

/* The policy in force. Errors: NOT_FOUND. */
enum status policy_get(
	struct db *db, int64_t project_id, struct policy *out, struct err *err) MUST_CHECK;

/*
 * Stores a new version and puts it in force; policy->id and ->version are set.
 * Errors: BAD_INPUT its costs name a taxon that the project does not have.
 */
enum status policy_put(struct db *db, int64_t project_id, struct policy *policy, int64_t now_ms,
	struct err *err) MUST_CHECK;
