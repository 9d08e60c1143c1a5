/* What certificate.c, certificate_renew.c and audit.c share. */
#pragma once

#include "certificate.h"

/*
 * The share drawn of n that would be auto-labelled: enough that a probation with n_errors so far can end, at this bound
 * (certificate_bound), but for bad luck of three standard deviations; on a closed set of photographs too few drawn would
 * leave it on probation for ever.
 */
double certificate_share(
	const struct policy *policy, double bound, double delta, int n_errors, double n);

/*
 * Ends a certificate that another takes the place of, or none. What it has labelled stands, with its audits; what was drawn
 * to see whether it may label at all is asked of nobody any more.
 */
enum status certificate_replace(struct db *db, const struct project *project,
	int64_t certificate_id, const char *why, int64_t now_ms, struct err *err) MUST_CHECK;
