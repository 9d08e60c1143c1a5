/*
 * Gold: subjects whose truth an expert gives, each with its purpose. *certify* gold is a random draw, never shown and
 * never trained on: calibration, threshold and evaluation stand on it. *train-people* and *probe* gold may train models.
 */
#pragma once

#include "project.h"

/*
 * Draws n subjects at random among the open ones without answers and puts them into the expert queue.
 * `seed` makes another draw of the same size another draw; holdout: 1 also (or 0 never) from deployments that models are
 * not trained on. The probability of the draw is stored with each row.
 * Errors: BAD_INPUT an unknown purpose or n < 1; CONFLICT fewer subjects can be drawn (nothing is drawn then).
 */
enum status gold_draw(struct db *db, int64_t project_id, const char *purpose, int n, bool holdout,
	int64_t seed, int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * The same, but as many of each class that the model in use takes subjects for (and of those it says nothing of), as far as
 * there are so many: rare species for people to learn from. Each row's probability is that of its class.
 * Errors: as gold_draw, and BAD_INPUT for certify: calibration and certificates stand on gold of one probability and are not
 * weighted; CONFLICT no model is heard.
 */
enum status gold_draw_by_class(struct db *db, int64_t project_id, const char *purpose, int n,
	bool holdout, int64_t seed, int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * An expert's truth for a subject, from a file, of one species or several: fills in a drawn row, or makes a chosen one
 * (`purpose`, no draw probability, so not certify). The subject is retired by the expert.
 * Shapes: taxon_codes [n], n >= 1.
 * Errors: NOT_FOUND the project has no such subject; BAD_INPUT no such taxon, one that is named twice or "nothing here" beside
 *         others, or certify gold that was not drawn.
 */
enum status gold_label_set(struct db *db, const struct project *project, int64_t subject_id,
	const char *const *taxon_codes, int n, const char *purpose, int64_t now_ms,
	struct err *err) MUST_CHECK;

/* The same, of one. */
enum status gold_label(struct db *db, const struct project *project, int64_t subject_id,
	const char *taxon_code, const char *purpose, int64_t now_ms, struct err *err) MUST_CHECK;
