/*
 * Projects, their taxa and policies: from JSON files into the database, and as the one struct that every decision about
 * a subject starts from.
 */
#pragma once

#include "consensus.h"
#include "db.h"
#include "policy.h"

#include <jansson.h>

enum taxon_kind { TAXON_ANIMAL, TAXON_BLANK, TAXON_HUMAN, TAXON_VEHICLE };

enum { PROJECT_MAX_TAXA = 1000 };

struct taxon {
	int64_t id;
	char *code, *scientific_name, *common_name, *rank, *hotkey;
	enum taxon_kind kind;
	bool protected; /* never auto-labelled, its places rounded */
	bool retired;   /* no longer an answer */
};

/* Larger than a thumbnail and smaller than what the page shows: each size has a folder of its own. */
enum { PROJECT_MAX_GAP_S = 86400, PROJECT_MIN_MODEL_PX = 321, PROJECT_MAX_MODEL_PX = 1279 };

struct project {
	int64_t id;
	char *slug, *title, *description, *camtrap, *survey; /* camtrap, survey: JSON text */
	int gap_s;
	int model_px;     /* long side of the renditions that models see, of imports to come */
	int64_t model_id; /* the promoted model; 0: none */
	struct policy policy;
	int64_t refit_id;               /* whose skills are in force; 0: of no refit yet */
	int64_t refit_last_id;          /* that one has learnt from the answers up to here */
	struct correlation correlation; /* the policy's kappa, or the last refit's */
	double own_prior; /* own_counts.prior: the last refit's, label_params.s before it */
	int k; /* taxa, retired ones included, in the order of their ids: the label model's classes */
	struct taxon *taxa;            /* [k] */
	double *log_prior;             /* [k] log of the class prior as of the last remix, nats */
	double *cost;                  /* [k x k] what a wrong label costs (cost.h), or NULL: 1 */
	struct project_shared *shared; /* who else has it (project_shared.h) */
};

/*
 * Makes a project from a project file: {"slug", "title", "description"?, "gap_s"?, "model_px"?, "taxa": [{"code", "kind",
 * "common_name", "scientific_name"?, "rank"?, "hotkey"?, "protected"?}], "camtrap"?: {...}, "survey"?: {...} (survey.h),
 * "policy"?: {...}}, and what texts.h has of other languages and looks.
 * Errors: BAD_INPUT with the field that is wrong and what would be right; CONFLICT the slug is taken.
 */
enum status project_add(
	struct db *db, const json_t *file, int64_t now_ms, int64_t *id, struct err *err) MUST_CHECK;

/* Stores one more taxon from its JSON object. Its class prior and confusions come with the next skill_remix. */
enum status taxon_add(struct db *db, int64_t project_id, const json_t *object, int position,
	struct err *err) MUST_CHECK;

/* The id of a slug. Errors: NOT_FOUND. */
enum status project_find(struct db *db, const char *slug, int64_t *id, struct err *err) MUST_CHECK;

/*
 * Everything about a project that a decision needs. It is kept with the connection for as long as the rules have not changed
 * (db_rules_version), and then costs next to nothing; what its pointers point to is shared and must not be written.
 * Owns:   the caller releases *out with project_release, also after a failure. Errors: NOT_FOUND.
 */
enum status project_load(
	struct db *db, int64_t id, struct project *out, struct err *err) MUST_CHECK;
void project_release(struct project *project);

/* The class of a taxon id, or -1. */
int project_class(const struct project *project, int64_t taxon_id);

/* The class "nothing here" of the list, or -1. */
int project_blank(const struct project *project);

const char *taxon_kind_name(enum taxon_kind kind);

/* A project as the file that project_add takes; taxa that have left the list are not in it. The caller owns *out. */
enum status project_show(struct db *db, int64_t id, json_t **out, struct err *err) MUST_CHECK;

/*
 * Changes a project by a project file, of which any part may be missing: title, description, gap_s and model_px (for imports to come),
 * camtrap, survey and texts are replaced; a taxon whose code is known has the fields given replaced, a new one joins at the end. Ids
 * stay, and no taxon is ever removed: "retired": true takes it off the list, false brings it back. Auto-labels of a taxon
 * that becomes protected are taken back by the next sweep. Runs in the caller's transaction, to be rolled back unless OK.
 * Errors: BAD_INPUT with the field that is wrong; CONFLICT another slug, kind or policy than the project has.
 */
enum status project_set(
	struct db *db, int64_t id, const json_t *file, int64_t now_ms, struct err *err) MUST_CHECK;
