/*
 * A certificate worked out again from the tables it stands on: the gold and its truths, the policy of its day, the audits
 * and the labels. Nothing of what is compared is taken from the certificate itself.
 */
#pragma once

#include "project.h"

/*
 * Appends a sentence to `findings` (a JSON array of strings) for everything that differs: threshold and bounds, counts,
 * alpha and the split of delta, classes, gold that was trained on or whose truth was changed since, audits that the keyed
 * hash did not draw, a state that the audits do not bear, labels that it does not cover. *whole is false for a certificate
 * from before gold was kept with it: then only audits and state are compared.
 * Errors: NOT_FOUND no such certificate of the project.
 */
enum status certificate_check(struct db *db, const struct project *project, int64_t certificate_id,
	json_t *findings, bool *whole, struct err *err) MUST_CHECK;
