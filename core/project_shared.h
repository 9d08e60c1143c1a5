/* What project.c keeps of a project in memory, and what skill.c and prediction.c keep beside it: read once, then looked up. */
#pragma once

#include "project.h"

/* A whole number of a project's file, or `now` where the file does not speak of it. Errors: BAD_INPUT. */
enum status project_number(const json_t *file, const char *name, int64_t low, int64_t high,
	int64_t now, int64_t *out, struct err *err) MUST_CHECK;

/* A taxon's hotkey, "" for none. Errors: BAD_INPUT where the page could not, or must not, give it to a taxon. */
enum status project_check_hotkey(const char *code, const char *key, struct err *err) MUST_CHECK;

/* Whether a project's file has only fields that one may have. Errors: BAD_INPUT. */
enum status project_check_fields(const json_t *file, struct err *err) MUST_CHECK;

struct project_shared {
	int n_users; /* loaded projects that point here, and the connection while it is current */
	struct rules_version version;
	struct project project;
	/* Each is of rules of its own: whoever holds a project goes on while a remix or a calibration changes them. */
	double *pool; /* [k x k] P(answer | truth) as of the last remix; NULL: not read yet */
	struct rules_version pool_version;
	struct columns *columns; /* skill.c's, in one piece; NULL: none yet */
	struct rules_version columns_version;
	void *heads; /* prediction.c's, or NULL */
	struct rules_version heads_version;
	void (*heads_release)(void *heads);
	struct project_shared *next;
};
