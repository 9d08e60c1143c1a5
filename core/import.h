/*
 * The import: folders of photographs (and a manifest that says what the files do not) become media, capture events and,
 * where the manifest has an expert's label, gold.
 *
 * Promises: the same photograph is stored once a project, by its SHA-256, and a second import of the same folder changes
 * nothing; every original is decoded once; a file that cannot be taken is listed with its reason and the rest goes in;
 * an import that is killed loses at most the deployment in hand and can be repeated. Photographs are written and synced
 * before the transaction that names them; the same transaction queues their prediction by the current model, and forgets
 * what models have said of an open subject that gains frames.
 */
#pragma once

#include "project.h"

struct import_progress {
	const char *deployment;  /* in hand */
	int64_t n_done, n_total; /* files of the whole import */
	/* Of this deployment's, after its last was read: compared with their background so far, and all to be. Else 0. */
	int64_t n_compared, n_to_compare;
};

struct import_problem {
	char *file;
	char reason[200];
};

struct import_options {
	const char *const *paths; /* folders (read with all below them) or single JPEG files */
	int n_paths;
	const char *manifest;   /* CSV file, or NULL; with it only the files that it names are taken */
	int64_t gap_s;          /* -1: the project's */
	int64_t crop_bottom_px; /* -1: what the deployment has, 0 for a new one */
	const int64_t *
		utc_offset_s; /* the cameras' clock; NULL: the manifest or EXIF says it, or the deployment is known */
	bool link; /* originals stay where they are */
	int n_threads;
	int64_t now_ms;
	void (*progress)(const struct import_progress *progress,
		void *arg); /* called from one thread; may be NULL */
	void *arg;
};

/* Owns: the caller releases it with import_result_release, also after a failure. */
struct import_result {
	int64_t n_files;    /* photographs looked at */
	int64_t n_new;      /* stored */
	int64_t n_same;     /* in the project already, or twice in this import */
	int64_t n_passed;   /* other files, and files that the manifest does not name */
	int64_t n_subjects; /* new capture events */
	int64_t n_gold;     /* subjects labelled by the manifest */
	int n_problems;
	struct import_problem *problems; /* also kept in the table import_problem */
	char **manifest_errors;          /* ends with NULL; set when the manifest is refused */
};

/*
 * Writes in short transactions of its own, one a deployment.
 * Errors: NOT_FOUND a path; BAD_INPUT a manifest with mistakes (nothing is stored then; result lists them all), a new
 *         deployment whose clock's zone nobody has told; FULL the disk; FAULT.
 */
enum status import_run(struct db *db, int64_t project_id, const struct import_options *options,
	struct import_result *result, struct err *err) MUST_CHECK;
void import_result_release(struct import_result *result);
