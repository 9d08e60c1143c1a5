/*
 * Predictions by the million, for a refit: calibrated as prediction_evidence does it, but as the few classes that are stored
 * and one sum for the rest; models are read once.
 */
#pragma once

#include "prediction.h"

struct prediction_reader;

/* Owns: borrows project until prediction_reader_free. */
struct prediction_reader *prediction_reader_new(const struct project *project);
void prediction_reader_free(struct prediction_reader *reader); /* NULL is fine */

struct prediction_short {
	int model; /* which of the reader's */
	int n;
	uint16_t class[PREDICTION_TOP];
	double p[PREDICTION_TOP]; /* calibrated */
	double rest; /* of 1, shared by the model's other classes in proportion to its class prior */
};

/*
 * A stored prediction (the columns model_id and top of the table). *heard is false where the model has no calibration.
 * Errors: FAULT what is stored makes no sense; TOO_LARGE over 255 models.
 */
enum status prediction_shorten(struct prediction_reader *reader, struct db *db, int64_t model_id,
	const void *top, size_t n_bytes, struct prediction_short *out, bool *heard,
	struct err *err) MUST_CHECK;

/* The reader's models. Shapes: share_out [k] a model's class prior, negative for a class that it does not know. */
int prediction_reader_n(const struct prediction_reader *reader);
void prediction_reader_share(const struct prediction_reader *reader, int model, double *share_out);
