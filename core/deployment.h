/*
 * Deployments as people correct them: where a camera stood, what its clock was worth, whether models are judged there.
 */
#pragma once

#include "db.h"

enum { DEPLOYMENT_GROUP_MAX = 60 };

struct deployment {
	int64_t id;
	char *name;
	bool placed; /* it has coordinates */
	double latitude_deg, longitude_deg;
	int64_t utc_offset_s, clock_shift_s;
	bool holdout;
	int64_t n_subjects;
	char *group; /* certificates are by group; '' unless set */
	/* First answers of people compared with the promoted model (drift.h): how many, that differ, that would; 0: no alarm. */
	int64_t n_compared, n_differ;
	double n_expected;
	int64_t alarm_ms;
};

struct deployment_list {
	int n;
	struct deployment *items; /* by name */
};

/* Owns: the caller releases *out with deployment_list_release, also after a failure. */
enum status deployment_list(
	struct db *db, int64_t project_id, struct deployment_list *out, struct err *err) MUST_CHECK;
void deployment_list_release(struct deployment_list *list);

/* What is to be set; NULL is left as it is. */
struct deployment_change {
	const double *latitude_deg, *longitude_deg;
	const int64_t *utc_offset_s; /* whole minutes, at most 18 h */
	const int64_t
		*clock_shift_s;     /* added to what the camera said, in place of the shift in force */
	const int64_t *holdout; /* 0 or 1 */
	const char *
		group; /* printable, DEPLOYMENT_GROUP_MAX bytes at most; "" is the group of all that have none */
};

/*
 * Changes one deployment, in the caller's transaction. Another offset or shift moves every photograph and every capture
 * event by the same amount, so that order and gaps stay; the camera's own reading is kept. After another group the caller
 * calls prediction_settle: certificates are by group.
 * Errors: NOT_FOUND; BAD_INPUT a value out of range, or a time that would leave the years 2 to 9998.
 */
enum status deployment_set(struct db *db, int64_t project_id, const char *name,
	const struct deployment_change *change, struct err *err) MUST_CHECK;
