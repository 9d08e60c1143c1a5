/*
 * Predictions: a model's output on a subject, stored once a (subject, model), and the decision that follows from it.
 */
#pragma once

#include "calibration.h"
#include "project.h"

enum { PREDICTION_TOP = 12 };

/*
 * Stores the softmax of `logits` (mean of the frames' logits, in the order of the model's classes) and decides the
 * subject where this model's opinion is evidence. A prediction that is there already is left as it is (*stored false).
 * Shapes: logits [n_classes].
 * Errors: NOT_FOUND model or subject; BAD_INPUT n_classes is not the model's, or a logit is not finite.
 */
enum status prediction_store(struct db *db, int64_t subject_id, int64_t model_id, int n_frames,
	const float *logits, int n_classes, int64_t now_ms, bool *stored, struct err *err) MUST_CHECK;

/*
 * After all predictions of a model are in (the predict job is done) or gold has come: fits the calibration, issues a
 * certificate where one can be had, for the project's promoted model. Cheap when nothing is to be done.
 */
enum status prediction_settle(
	struct db *db, int64_t project_id, int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * The opinion of the project's promoted model becomes the evidence of an open subject without a label: where the model is
 * calibrated and was not trained on it, and no other model's certificate is in force for the opinion that it has.
 */
enum status prediction_adopt(
	struct db *db, const struct project *project, int64_t subject_id, struct err *err) MUST_CHECK;

/*
 * An open subject without a label has other frames now: what models said of it is forgotten, and it is decided again on
 * what is left, as it would be had its model never been heard. What a label stands on, or stood on before it was taken
 * back, stays: a label_event names it. Whoever calls this queues the prediction that makes it again (job_add_current).
 */
enum status prediction_forget(struct db *db, const struct project *project, int64_t subject_id,
	int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * Takes up to n_max labels of a revoked certificate, or the model's of a protected taxon, back, or decides up to n_max open subjects again where a
 * calibration, a certificate or its end made that necessary (marked in the database, so that a crash loses nothing). *n_swept is 0 when nothing is left. The server calls it in small
 * pieces about once a second, so that answers are not kept waiting; a command calls it until it is done.
 */
enum status prediction_sweep(
	struct db *db, int n_max, int64_t now_ms, int *n_swept, struct err *err) MUST_CHECK;

/* A prediction's largest class with its calibrated probability. */
struct prediction_top {
	int64_t model_id;
	int64_t taxon_id;
	double p;        /* calibrated; as the model said where it has no calibration */
	bool calibrated; /* false: this model's opinion is no evidence */
};

/* Errors: NOT_FOUND no such prediction; FAULT what is stored makes no sense. */
enum status prediction_read_top(struct db *db, const struct project *project, int64_t prediction_id,
	struct prediction_top *out, struct err *err) MUST_CHECK;

/*
 * A prediction as evidence: calibrated log-odds against the model's own class prior; 0 for a class that the model does
 * not know. *has is false, and evidence_out all 0, where the model has no calibration: then it is not heard.
 * Shapes: evidence_out [project->k], nats.
 */
enum status prediction_evidence(struct db *db, const struct project *project, int64_t prediction_id,
	double *evidence_out, bool *has, struct err *err) MUST_CHECK;

struct prediction_truth {
	int64_t prediction_id, taxon_id; /* the truth */
};

/*
 * How far a model is to be believed about the classes that it did not put first (calibration_soften), by the log-score of
 * gold on a grid of twentieths; and whether the calibrated model says more about the truth than its class prior does: one
 * that does not is better not heard.
 * Shapes: gold [n].
 */
enum status prediction_fit_rest(struct db *db, const struct project *project,
	const struct prediction_truth *gold, int n, struct calibration calibration, double *rest,
	bool *informs, struct err *err) MUST_CHECK;
