/*
 * The model registry: which model files a project has, where they came from, how they did, and which one is current. A
 * file lies at models/<sha256>.safetensors of the data directory and is written whole before its row is.
 */
#pragma once

#include "db.h"

#include <jansson.h>

enum { REGISTRY_RENDITION = 1 }; /* version of the 448 px renditions, half of an embedding's key */

struct registry_model {
	int64_t id, project_id, parent_id; /* parent_id 0: none */
	char name[64], sha256[65], arch[32], backbone[65];
	char state[12];        /* candidate, promoted, former */
	json_t *classes;       /* [{"taxon": id, "prior": p}] in the head's order; empty: a backbone */
	json_t *spec, *report; /* spec.ensemble: the members' ids, where arch is "ensemble" */
	bool calibrated;
	double w0, w1;
	int n_calibration;
	int64_t created_ms, promoted_ms; /* promoted_ms 0: never */
	int64_t n_trained_on, n_predictions;
};

/* Owns: the caller releases *out with registry_release, also after a failure. Errors: NOT_FOUND. */
enum status registry_get(
	struct db *db, int64_t id, struct registry_model *out, struct err *err) MUST_CHECK;
void registry_release(struct registry_model *model);

/* A model by its name or id in digits. Errors: NOT_FOUND. */
enum status registry_find(
	struct db *db, int64_t project_id, const char *name, int64_t *id, struct err *err) MUST_CHECK;

/* Up to n_max ids, in order. */
enum status registry_list(
	struct db *db, int64_t project_id, int64_t *ids, int n_max, int *n, struct err *err) MUST_CHECK;

/* The path of a model file. path [4096]. */
void registry_path(const char *dir, const char *sha256, char *path);

/*
 * Copies a file into the data directory under its hash (a name of its own, synced, renamed).
 * Shapes: sha256 [65], out.
 * Errors: NOT_FOUND there is no such file; FULL, FAULT.
 */
enum status registry_keep_file(
	const char *dir, const char *from, char *sha256, struct err *err) MUST_CHECK;

/* What a model file says of itself. */
struct registry_file {
	char sha256[65];
	char *arch, *backbone; /* as the engine reads and hashes them */
	json_t *classes;       /* texts, in the head's order; NULL: a backbone without classes */
	json_t *prior;         /* numbers, as many; NULL: even */
	json_t *report;        /* NULL: none */
};

/*
 * Reads arch, backbone, classes, prior and report from the `__metadata__` of a safetensors file, as a worker writes them
 * (the hash is registry_keep_file's). Owns: the caller releases *out with registry_file_release, also after a failure.
 * Errors: BAD_INPUT.
 */
enum status registry_parse(const char *path, struct registry_file *out, struct err *err) MUST_CHECK;
void registry_file_release(struct registry_file *file);

/* Whether registry_add_trained would take this worker's file, but for what is in it. Errors: CONFLICT and BAD_INPUT as there. */
enum status registry_check_trained(
	struct db *db, int64_t job_id, const char *worker, struct err *err) MUST_CHECK;

/*
 * Registers what a training made and ends its job; the file is in place. The same file again is answered the same.
 * Errors: CONFLICT the lease is another's, or the job was cancelled; BAD_INPUT the file's classes are not the job's.
 */
enum status registry_add_trained(struct db *db, int64_t job_id, const char *worker,
	const struct registry_file *file, int64_t now_ms, int64_t *id, struct err *err) MUST_CHECK;

/*
 * Registers a file from elsewhere. Its classes must be codes of the project's taxa; without classes it is a backbone.
 * Errors: BAD_INPUT a class that the project does not know, a name like m3 (those are topi's own); CONFLICT the name is
 * taken.
 */
enum status registry_import(struct db *db, int64_t project_id, const char *name,
	const struct registry_file *file, int64_t now_ms, int64_t *id, struct err *err) MUST_CHECK;

/*
 * Registers several models of the project that answer together, in a file that holds them. A subject that one of them was
 * trained on counts as one that it was trained on.
 * Shapes: members [n].
 * Errors: BAD_INPUT a member of another project, a backbone, an ensemble, or named twice; else as registry_import.
 */
enum status registry_add_ensemble(struct db *db, int64_t project_id, const char *name,
	const struct registry_file *file, const int64_t *members, int n, int64_t now_ms, int64_t *id,
	struct err *err) MUST_CHECK;

/*
 * Makes a model the project's current one and queues its predictions (certification gold first). What was current
 * becomes 'former'. Errors: BAD_INPUT a backbone, or another project's; CONFLICT it is current already.
 */
enum status registry_promote(
	struct db *db, int64_t project_id, int64_t id, int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * Makes the model that was current before the current one again; the one that was becomes a candidate.
 * Errors: CONFLICT there was none before.
 */
enum status registry_rollback(
	struct db *db, int64_t project_id, int64_t now_ms, int64_t *id, struct err *err) MUST_CHECK;
