/* What the files of an export share; nobody else includes this. */
#pragma once

#include "export.h"
#include "project.h"
#include "sheet.h"

#include <jansson.h>

struct export_job {
	struct db *db;
	const struct project *project;
	int64_t now_ms;
	const json_t *camtrap; /* the project file's "camtrap" */
	struct export_result *out;
};

/* Shares of voters: "resting:0.67|moving:0.33", the largest first; and those that most voters said, "resting". */
struct export_shares {
	char text[1500], most[1000];
};

/* What people said about one species of a subject. Texts are empty where nobody said anything. */
struct export_species {
	int n_counts;
	int64_t count, count_min,
		count_max;  /* least numbers of their bins (survey.h): lower median, ends */
	char young[24]; /* share of voters who saw young */
	struct export_shares behaviours, sex, life_stage;
};

enum status export_species_load(const struct export_job *job, int64_t subject_id, int64_t taxon_id,
	struct export_species *out, struct err *err) MUST_CHECK;

/* The classes of a label's species besides its first, in the order of their ids. Shapes: classes [project->k]. */
enum status export_also(const struct export_job *job, int64_t subject_id, int *classes, int *n,
	struct err *err) MUST_CHECK;

/* Each writes into `path`, a new file, inside the job's read transaction. */
enum status export_subjects(
	const struct export_job *job, const char *path, struct err *err) MUST_CHECK;
enum status export_answers(
	const struct export_job *job, const char *path, struct err *err) MUST_CHECK;

/* Writes the package's files into `folder`, which is there and empty. */
enum status export_camtrap(
	const struct export_job *job, const char *folder, struct err *err) MUST_CHECK;

struct camtrap_deployment {
	int64_t id;
	char *name; /* as deploymentID: unique, and none of the words that mean "missing" */
	double latitude_deg, longitude_deg; /* as published: rounded where a protected taxon was seen */
	bool placed;                        /* it has coordinates */
	bool rounded;
	int64_t utc_offset_s, clock_shift_s;
	int64_t start_ms, end_ms; /* first and last photograph */
};

struct camtrap {
	const struct export_job *job;
	const char *folder;
	bool *observed; /* [project->k] a label in force names the taxon */
	size_t n_deployments;
	struct camtrap_deployment *deployments; /* in order of id */
	struct sheet_sum deployments_sum, media_sum, observations_sum;
};

/* The names of what the project's "camtrap" object lacks or has wrong, as "a, b"; empty: nothing. */
void package_missing(const json_t *camtrap, char *out, size_t size);
/* datapackage.json, as a new object. */
json_t *package_describe(const struct camtrap *c);

/* JSON to a new file, synced. */
enum status export_write_json(const char *path, const json_t *json, struct err *err) MUST_CHECK;
