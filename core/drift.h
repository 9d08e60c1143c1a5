/*
 * Drift: whether people's routine answers in a deployment differ from the model more often than the model itself says they
 * will. A camera that has moved, a new season or a new species there makes calibration and certificates wrong in that place,
 * long before enough audits fall there; where it is noticed more is audited.
 *
 * The test. Of each subject the first counted answer is compared that was given with the whole survey in view, to no audit
 * and to no gold, where a calibrated model is heard. If calibration and skills are right, it names the model's class with
 * probability at least a = p (1 - e): p the calibrated probability of the model's class, e the volunteer's error rate on it
 * (docs/consensus.md, eq. 3). With x = 1 where it differs and lambda in (0, 1], the wealth
 *     W = product over answers of 1 + lambda (x - (1 - a))
 * is then a supermartingale, and so is the mean of three (lambda .25, .5, 1): by Ville's inequality (1939) it ever comes to
 * 1 / drift_delta with probability at most drift_delta. So it may be read after every answer.
 */
#pragma once

#include "label.h"

/* The wealth of the three bets, log; start at 0. Returns the log of their mean after one more answer. */
struct drift_bets {
	double log_w[3];
};
double drift_bet(struct drift_bets *bets, bool differs, double p_agree);

/*
 * The first routine answer to an open subject has been stored (class -1: "can't tell", which is passed over). One that was taken
 * back was the first too: a subject may not count twice. `subject` is as it was before. The first alarm marks the deployment and the project's sweep.
 */
enum status drift_observe(struct db *db, const struct project *project,
	const struct subject *subject, int64_t volunteer_id, int class, int64_t now_ms,
	struct err *err) MUST_CHECK;

/* The least share of a model's auto-labels in a deployment that is drawn for audits: 0 where nothing was noticed. */
enum status drift_rate(struct db *db, const struct project *project, int64_t model_id,
	int64_t deployment_id, double *rate, struct err *err) MUST_CHECK;

/*
 * Draws up to n_max auto-labels that were made before an alarm, at the rate of now. *n is how many; 0: all are drawn.
 * Part of the sweep.
 */
enum status drift_redraw(struct db *db, const struct project *project, int n_max, int64_t now_ms,
	int *n, struct err *err) MUST_CHECK;
