/*
 * What a training is given: every retired subject with a label, but never certification gold and never a subject of a
 * deployment that models are judged on. An expert's label is the whole target; people's is the posterior; a model's own
 * weighs the policy's auto_weight, at most a fifth. Judged on (split "eval") are the labels of experts, certification gold
 * included, and of people who decided without a model's evidence, in the held-out deployments: those flagged so, or, where none is, about one in five, chosen by a hash of their ids.
 *
 * The set is fixed in training_item when a worker first asks for it, so that whoever takes the job over gets the same.
 */
#pragma once

#include "db.h"

/*
 * Fixes the next n_max subjects of a train job; *more false: all are fixed. Call it in pieces, each in a transaction of
 * its own, so that answers are not kept waiting. Errors: NOT_FOUND; CONFLICT the job has ended.
 */
enum status dataset_fix(
	struct db *db, int64_t job_id, int n_max, bool *more, struct err *err) MUST_CHECK;

/* Why the fixed set cannot be trained on (fewer than 2 items or 2 classes); NOT_FOUND: it can be. why [200], out. */
enum status dataset_problem(struct db *db, int64_t job_id, char *why, struct err *err) MUST_CHECK;

/* Takes one line with its newline; anything but OK ends the writing. */
typedef enum status dataset_put(void *arg, const char *line, size_t n_bytes, struct err *err);

/* The fixed set as JSON lines (docs/api.md: header, then one ITEM a line), in constant memory. */
enum status dataset_write(
	struct db *db, int64_t job_id, dataset_put *put, void *arg, struct err *err) MUST_CHECK;
