/*
 * All evidence about one subject: the model's (unless the subject is answered blind) and one column a vote; and the
 * posterior that follows. docs/consensus.md, equations 6-10; where an answer says that there are several species, 24-27.
 */
#pragma once

#include "project.h"

struct vote {
	int64_t classification_id, volunteer_id;
	int answer;              /* class; of several the first */
	int n_classes, *classes; /* all that it names */
	int guess;               /* the class on the card that was shown; -1: a blind survey */
	bool credited;           /* one by one, or by the refit in force */
	double *log_theta; /* [k] nats; set mode: log-odds that the species is there (set_evidence) */
};

struct evidence {
	int k;
	int n_votes, n_cant_tell;
	struct vote *votes;
	bool has_model;
	bool set_mode; /* an answer in force names several species, or says that there are several */
	double *model; /* [k] nats; zero where there is no model's evidence */
	double *prior; /* [k] set mode: the prior of each bit (set_prior); else NULL */
	double *sum;   /* [k] model and votes; set mode: votes */
	double *q;     /* [k] the posterior; set mode: P(species z is there), each by itself */
	int top;       /* the label; set mode: its surest species, or "nothing here" */
	int n_also;    /* set mode: the label's other species, */
	int *also;     /* [k] the surest first */
	double p;      /* P(the label is right), the whole set of it */
	double risk;   /* expected cost of the label (cost.h), 1 - p where the policy has no costs */
};

/*
 * Shapes: prediction_id 0 means that no model is heard.
 * Owns:   the caller releases *out with evidence_release, also after a failure.
 */
enum status evidence_load(struct db *db, const struct project *project, int64_t subject_id,
	int64_t prediction_id, struct evidence *out, struct err *err) MUST_CHECK;
void evidence_release(struct evidence *evidence);

/*
 * What vote i is credited against: every source but itself. *any false when there is none. t_out [k]; set mode: the
 * probability of each bit, sharpened (below label_params.trunc is 0, above 1 - trunc is 1).
 */
enum status evidence_others(const struct evidence *evidence, const struct project *project, int i,
	double *t_out, bool *any, struct err *err) MUST_CHECK;

/* The risk that one yes to a card with this guess (a class) would leave, where nobody has answered yet; 1 without a model's evidence. */
enum status evidence_after_yes(struct db *db, const struct project *project, int64_t prediction_id,
	int guess, double *risk_out, struct err *err) MUST_CHECK;

/*
 * Whether up to n_more further answers could leave a risk of tau or less, if people of average skill all gave the same one:
 * about a class that is still in question (label_params.trunc). Set mode: the same set, whichever would settle most.
 */
enum status evidence_reach(struct db *db, const struct evidence *evidence,
	const struct project *project, int n_more, double tau, bool *out, struct err *err) MUST_CHECK;

/* Set mode's half of the above (evidence_set.c); evidence.c calls them. */
enum status evidence_set_load(
	struct db *db, const struct project *project, struct evidence *e, struct err *err) MUST_CHECK;
enum status evidence_set_others(const struct evidence *e, const struct project *project, int i,
	double *t_out, bool *any, struct err *err) MUST_CHECK;
enum status evidence_set_reach(struct db *db, const struct evidence *e,
	const struct project *project, int n_more, double *risk_out, struct err *err) MUST_CHECK;
