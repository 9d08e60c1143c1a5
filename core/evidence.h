/*
 * All evidence about one subject: the model's (unless the subject is answered blind) and one column a vote; and the
 * posterior that follows. docs/consensus.md, equations 6-10.
 */
#pragma once

#include "project.h"

struct vote {
	int64_t classification_id, volunteer_id;
	int answer; /* class */
	int guess;  /* the class on the card that was shown; -1: a blind survey */
	bool credited;
	double *log_theta; /* [k] nats */
};

struct evidence {
	int k;
	int n_votes;
	struct vote *votes;
	bool has_model;
	double *model; /* [k] nats; zero where there is no model's evidence */
	double *sum;   /* [k] model and votes */
	double *q;     /* [k] the posterior */
	int top;       /* its largest class */
	double risk;   /* 1 - q[top] */
};

/*
 * Shapes: prediction_id 0 means that no model is heard.
 * Owns:   the caller releases *out with evidence_release, also after a failure.
 */
enum status evidence_load(struct db *db, const struct project *project, int64_t subject_id,
	int64_t prediction_id, struct evidence *out, struct err *err) MUST_CHECK;
void evidence_release(struct evidence *evidence);

/* What vote i is credited against: every source but itself. *any false when there is none. t_out [k]. */
enum status evidence_others(const struct evidence *evidence, const struct project *project, int i,
	double *t_out, bool *any, struct err *err) MUST_CHECK;

/* The risk that one yes to a card with this guess (a class) would leave, where nobody has answered yet; 1 without a model's evidence. */
enum status evidence_after_yes(struct db *db, const struct project *project, int64_t prediction_id,
	int guess, double *risk_out, struct err *err) MUST_CHECK;

/*
 * The least risk that n_more further answers could leave, if people of average skill all gave the same one: about a class
 * that is still in question (label_params.trunc).
 */
enum status evidence_reach(struct db *db, const struct evidence *evidence,
	const struct project *project, int n_more, double *risk_out, struct err *err) MUST_CHECK;
