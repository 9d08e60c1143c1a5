/*
 * Exports: a project's labels, its raw answers, or a Camtrap DP package, written from one read transaction.
 *
 * Everything streams: memory grows with taxa and deployments, not with subjects or answers. An export is written under
 * a temporary name beside its place, synced, and renamed there only when it is whole; what exists is never replaced.
 * Source: Camtrap DP 1.0.2, https://camtrap-dp.tdwg.org.
 */
#pragma once

#include "db.h"

enum export_format {
	EXPORT_CSV,             /* one row a subject, and PATH.json: rows, SHA-256, created, version */
	EXPORT_CLASSIFICATIONS, /* one row an answer, kept or taken back, and PATH.json; volunteers by id only */
	EXPORT_CAMTRAP_DP /* a folder: datapackage.json, deployments.csv, media.csv, observations.csv */
};

struct export_result {
	int64_t n_deployments, n_media; /* EXPORT_CAMTRAP_DP */
	int64_t n_rows;                 /* subjects, answers, or observations */
	char sha256[65];                /* of the CSV, or of observations.csv */
};

/* Errors: BAD_INPUT a format that is not known, with those that are. */
enum status export_format_parse(
	const char *name, enum export_format *out, struct err *err) MUST_CHECK;
const char *export_format_name(enum export_format format);

/*
 * Writes a project to path. No transaction may be open on db.
 * Errors: NOT_FOUND the project, or path's folder; CONFLICT path (or path.json) exists; BAD_INPUT with all that Camtrap
 *         DP requires and the project does not have, and how to give it; FULL; BUSY; FAULT. Nothing is left behind.
 */
enum status export_project(struct db *db, int64_t project_id, enum export_format format,
	const char *path, int64_t now_ms, struct export_result *out, struct err *err) MUST_CHECK;
