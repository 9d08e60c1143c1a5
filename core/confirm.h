/*
 * What an answer to a confirm card says: two numbers a project, P(yes | the guess is right) and P(yes | it is wrong), for a
 * volunteer who is shown a guess agrees more often than one who is not (docs/consensus.md, equations 28 and 29).
 */
#pragma once

#include "project.h"

struct confirm_rates {
	double right, wrong; /* P(yes | guess right), P(yes | guess wrong); both inside (0, 1) */
};

/* Cards on gold: how many had the right guess and a wrong one, and how many of each were confirmed. */
struct confirm_counts {
	int64_t n_right, n_yes_right, n_wrong, n_yes_wrong;
};

/* Means of Beta(95, 5) and Beta(30, 70) with the counts added; right is never below wrong: a yes is no evidence against. */
struct confirm_rates confirm_rates(struct confirm_counts counts);

/* As of the last remix; without one the priors. counts_out may be NULL. */
enum status confirm_load(struct db *db, int64_t project_id, struct confirm_rates *out,
	struct confirm_counts *counts_out, struct err *err) MUST_CHECK;

/* Counts the cards on gold anew. Called by skill_remix, so that both parts of the label model change at the same moment. */
enum status confirm_recount(struct db *db, int64_t project_id, struct err *err) MUST_CHECK;

/*
 * Adds log P(yes | truth), or log P(no | truth), to log_theta. After a no the class that was then answered adds its own.
 * Shapes: log_theta [k], nats.
 */
void confirm_add(struct confirm_rates rates, int guess, bool yes, int k, double *log_theta);

/*
 * What a card is expected to lower the entropy by, where a no is followed by a survey.
 * Shapes: q [k] a posterior; theta [k x k], row = truth (confusion_column). Nats.
 */
double confirm_gain(
	struct confirm_rates rates, int guess, const double *q, const double *theta, int k);
