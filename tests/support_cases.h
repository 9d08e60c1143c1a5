/*
 * Reader of the label model's check files: one array a line,
 * `case,in|out,name,rows,cols,values...`, row-major.
 *
 * Owns: cases_load gives everything to the caller, who ends with cases_release.
 */
#pragma once

#include "status.h"

#include <stdbool.h>
#include <stddef.h>

struct case_array {
	char name[32]; /* of the case: "pooled" */
	char side[4];  /* "in" or "out" */
	char key[32];  /* of the array: "M" */
	int n_rows, n_cols;
	double *values; /* [n_rows x n_cols] */
};

struct cases {
	struct case_array *arrays;
	int n_arrays;
};

/* Errors: NOT_FOUND when the file cannot be opened, BAD_INPUT (file:line) when a line is malformed.
 */
enum status cases_load(const char *path, struct cases *out, struct err *err) MUST_CHECK;
void cases_release(struct cases *cases);

/* The array, or NULL. */
const struct case_array *cases_find(
	const struct cases *cases, const char *name, const char *side, const char *key);
bool cases_has(const struct cases *cases, const char *name);
