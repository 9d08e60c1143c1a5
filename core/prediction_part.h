/* What prediction.c and prediction_short.c share: a model's head, and a stored prediction in its classes. */
#pragma once

#include "prediction.h"

/* As stored: blobs of these, p falling. */
struct entry {
	uint32_t taxon_id;
	float p;
};

/* What a model's head means, in the project's classes. */
struct head {
	int k;         /* the head's classes */
	int *class_of; /* [k] the project's class, or -1 */
	int64_t *taxon_id;
	double *prior; /* [k] pi_m, sums to 1 */
	bool calibrated;
	struct calibration calibration;
	double rest; /* calibration_soften's */
	int64_t model_id;
	bool kept;         /* with the project (project_shared.h): not this one's to free */
	struct head *next; /* of the kept ones */
};

/*
 * Owns: prediction_head_release ends *out, also after a failure; and a change of the rules does: none is held over one.
 * Errors: NOT_FOUND, BAD_INPUT, FAULT.
 */
enum status prediction_head_load(struct db *db, const struct project *project, int64_t model_id,
	struct head *out, struct err *err) MUST_CHECK;
void prediction_head_release(struct head *head);

/* Entries as the head's full distribution: what is not listed is shared in proportion to pi_m. Shapes: out [head->k]. */
void prediction_spread(const struct head *head, const struct entry *top, int n, double *out);

/* In place. Shapes: probs [head->k]. */
enum status prediction_calibrate(
	const struct head *head, double *probs, struct err *err) MUST_CHECK;
