/*
 * `topi-demo scenes`: a project's photographs, its manifest, and, elsewhere, the truth.
 *
 * dir/<deployment>/IMG_0001.JPG ...; dir/manifest.csv with columns file, deployment, timestamp,
 * event (a quarter of the bursts are named), latitude, longitude. truth_path: JSON lines, one a
 * capture event: {"event": "D1/IMG_0001.JPG" (its first file), "deployment", "files": [...],
 * "taxon", "lookalike": code or null, "difficulty": 0..1, "night": bool}.
 * The same seed and size give the same bytes, however many threads work.
 */
#pragma once

#include "status.h"

#include <stdint.h>

struct scenes_options {
	const char *dir, *truth_path;
	int n_subjects, n_deployments, w, h;
	uint64_t seed;
};

/* Errors: BAD_INPUT when a number is out of range (subjects 1..100000, deployments 2..20, width
 * 160..4000, height 120..3000), FAULT when a file cannot be written. */
enum status scenes_write(
	const struct scenes_options *o, int *n_files_out, struct err *err) MUST_CHECK;

/*
 * `topi-demo probe`: multinomial logistic regression on the mean colour of each photograph, fitted
 * on all deployments but the last, tested on the last. Outputs are shares of its photographs.
 */
enum status probe_run(const char *dir, const char *truth_path, double *accuracy_out,
	double *commonest_out, struct err *err) MUST_CHECK;
