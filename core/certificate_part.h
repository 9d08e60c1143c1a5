/* What certificate.c and certificate_renew.c share. */
#pragma once

#include "certificate.h"

/*
 * The share drawn of n that would be auto-labelled: enough that a probation with n_errors so far can end, at this bound
 * (certificate_bound), but for bad luck of three standard deviations; on a closed set of photographs too few drawn would
 * leave it on probation for ever.
 */
double certificate_share(
	const struct policy *policy, double bound, double delta, int n_errors, double n);
