/*
 * The manifest: a CSV that names photographs and says what their files do not, read as a whole and
 * judged as a whole before anything is imported from it.
 *
 * The header names the columns, in any order and letter case: file (required; the path below the
 * imported folder), deployment, timestamp (ISO 8601, with an offset or on the deployment's clock),
 * event, latitude and longitude (degrees, WGS 84), label (an expert's truth). Every other column is
 * kept as metadata. The tables are CSV as csv.h reads it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "civil.h"
#include "status.h"

#define MANIFEST_MAX_ERRORS 100

/* Texts are "" where the column is absent or the field empty. Owns: the manifest owns the texts. */
struct manifest_row {
	int64_t line;
	const char *file; /* without "./" and doubled slashes */
	const char *deployment, *event, *label;
	const char *metadata; /* a JSON object of the other columns' fields that are not empty, or "" */
	bool has_time, has_place;
	struct civil_time time;
	double latitude_deg, longitude_deg;
};

/* Rows in the order of the file. */
struct manifest {
	struct manifest_row *rows;
	size_t n_rows;
	struct manifest_store *store; /* texts and the index by file */
};

/* Every mistake as "manifest.csv:7: what is wrong"; the first MANIFEST_MAX_ERRORS are kept. */
struct manifest_errors {
	size_t n, n_kept;
	char *text[MANIFEST_MAX_ERRORS];
};

/*
 * Reads the manifest from a stream; name opens every message.
 * Owns:   borrows in and name; *out is the caller's on OK (manifest_free) and NULL otherwise;
 *         errors is filled on BAD_INPUT and released by the caller in any case.
 * Errors: BAD_INPUT when the header or any row is wrong, err then has the first of errors and how
 *         many more there are; FAULT when reading fails or memory is out.
 */
enum status manifest_read(FILE *in, const char *name, struct manifest **out,
	struct manifest_errors *errors, struct err *err) MUST_CHECK;
void manifest_free(struct manifest *manifest);
void manifest_errors_release(struct manifest_errors *errors);

/* The row of a file, by its path below the imported folder; NULL when the manifest has none. */
const struct manifest_row *manifest_find(const struct manifest *manifest, const char *file);
