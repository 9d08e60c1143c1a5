/*
 * From evidence to a decision about one subject (docs/consensus.md, equations 6-10). Evidence is a
 * sum over sources: the model's log-odds and one log-likelihood an answer (log of
 * confusion_column). Sources are correlated, so s of them are worth s / (1 + (s - 1) kappa).
 *
 * Shapes: every vector is [k], one entry a class; class 0 is "nothing here".
 * Owns:   every pointer is borrowed for the call; nothing here allocates.
 */
#pragma once

#include "status.h"

#include <stdbool.h>

/* How much sources repeat each other. kappa = label_params.kd, gamma = 0 unless gold says
 * otherwise; gamma = 1 tempers the prior together with the evidence. */
struct correlation {
	double kappa; /* >= 0 */
	double gamma; /* 0 or 1 */
};

/*
 * The posterior: softmax(log_prior / d^gamma + evidence / d), d = 1 + max(n_sources - 1, 0) kappa.
 * Units:  log_prior and evidence in nats; q_out is a probability, finite and sums to 1.
 * Owns:   writes q_out only on OK; q_out may be evidence.
 * Errors: BAD_INPUT when k < 2, n_sources < 0, kappa or gamma is negative, or an input is not
 * finite.
 */
enum status consensus_decide(const double *log_prior, const double *evidence, int n_sources, int k,
	struct correlation correlation, double *q_out, struct err *err) MUST_CHECK;

/*
 * The posterior as a teacher: mass below label_params.trunc is dropped and the rest scaled to sum
 * to 1, except for a subject with fewer than two answers. t_out may be q.
 */
void consensus_sharpen(const double *q, int n_answers, int k, double *t_out);

/*
 * What one answer is credited against: the sharpened posterior of every other source. The caller
 * leaves the credited answer out of both evidence and n_other_sources, and credits nobody when that
 * leaves no source at all (n_other_sources = 0 is BAD_INPUT here). t_out may be evidence.
 * Errors: as consensus_decide.
 */
enum status consensus_credit(const double *log_prior, const double *evidence, int n_other_sources,
	int k, struct correlation correlation, double *t_out, struct err *err) MUST_CHECK;

/*
 * A calibrated prediction as evidence: log max(p, floor) - log p_model_prior. A class that the
 * model does not know (unknown[z], or p_model_prior[z] <= 0) gets 0: ratio 1, never probability
 * zero. Shapes: p, p_model_prior, evidence_out [k]; unknown [k] or NULL when the model knows them
 * all. Errors: BAD_INPUT when k < 2, or a known class has p outside 0..1 or a prior over 1 or NaN;
 *         evidence_out is then untouched.
 */
enum status consensus_model_evidence(const double *p, const double *p_model_prior,
	const bool *unknown, int k, double *evidence_out, struct err *err) MUST_CHECK;

/*
 * The least probability, over 1 to n_more further answers that all say class a, that a is wrong: what people can reach at
 * best. The first that is `enough` or less ends the count. log_theta is one such answer, a column of a confusion matrix in nats.
 * 1 where n_more < 1.
 * Shapes: log_theta [k]. The caller has had consensus_decide accept the rest.
 */
double consensus_reach(const double *log_prior, const double *evidence, int n_sources,
	const double *log_theta, int a, int n_more, double enough, int k,
	struct correlation correlation);

/* The class with the highest probability, the lowest index among equals. */
int consensus_argmax(const double *q, int k);

/* The probability that the label (consensus_argmax) is wrong: 1 - max q. */
double consensus_risk(const double *q, int k);
