/*
 * The truth about a simulated project, which only the simulated people and the scorer read: the
 * JSON lines that scenes_write left (its header has the format).
 */
#pragma once

#include "status.h"

enum { TRUTH_MAX_FILES = 3 };

struct truth_row {
	char *event;                  /* deployment and first file: "D1/IMG_0001.JPG" */
	char *files[TRUTH_MAX_FILES]; /* relative to the photographs' folder */
	int n_files, deployment;      /* deployment from 1 */
	int taxon, lookalike;         /* TAXON_*; lookalike -1: none */
	double difficulty;
	int night;
};

struct truth {
	struct truth_row *rows;
	int n;
};

/* Owns: *out is the caller's, truth_release frees it, also after a failure. Errors: NOT_FOUND, or
 * BAD_INPUT with the line's number. */
enum status truth_load(struct truth *out, const char *path, struct err *err) MUST_CHECK;
void truth_release(struct truth *t);
