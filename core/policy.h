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
	double alpha;       /* promised error of auto-labels */
	double alpha_blank; /* of those where the model says blank */
	double delta;       /* probability that one of the promises is wrong */
	double tau;         /* people's label: retire at this risk */
	double audit_tau;   /* the same for a blind audit */
	double
		kappa; /* how much sources repeat each other; POLICY_AUTO: as the last refit has it from gold */
	int cap;         /* answers after which a subject goes to an expert */
	int cant_tell;   /* "can't tell" after which it does */
	int min_answers; /* where there is no model's evidence, and for a label of a protected taxon */
	bool
		protected_expert; /* true: an expert decides every subject that people take for a protected taxon */
	bool auto_label; /* false: certificates are issued, nothing is labelled by them */
	bool auto_blank; /* false: what the model takes for blank goes to people */
	int common_gold; /* certification gold that the model takes for a class, from which on it is common */
	double audit_rate; /* least share of auto-labelled subjects drawn blind */
	int audits;        /* least audits that end a probation, and are aimed at afterwards */
	double
		expert_share; /* of audits where people agree with the model, sent to an expert all the same */
	double drift_delta; /* probability of a false alarm of a model in a deployment (drift.h) */
	double drift_rate;  /* least share drawn blind where there was one */
	double auto_weight; /* weight of an auto-label in training, against 1 for people's */
	double plant_first; /* share of a volunteer's first answers that is gold (plant.h), */
	double plant_rate;  /* and what it falls to */
	double plant_blank; /* share of planted gold that is blank, */
	double plant_rare;  /* and that is of the class met least */
	double blank_share; /* of what a volunteer is given, aimed at (blank_feed.h) */
	double
		confirm_above; /* calibrated probability above which a guess is shown to be confirmed; 1: never */
	bool confirm_ends;    /* ... and only where a yes would be the last answer needed */
	double confirm_blind; /* share of such subjects asked blind all the same */
	double confirm_wrong; /* share of the guesses on gold to learn from that are wrong on purpose */
	bool reveal;          /* after an answer the volunteer hears what the model thinks */
	bool reveal_others;   /* ... and what others have said (others.h) */
	int lease_s;          /* how long a volunteer holds a subject */
	int refit_hour;       /* hour of the day (UTC) from which the nightly refit runs; -1: never */
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
