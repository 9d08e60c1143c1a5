/* The change itself is three statements; the preview does it to a copy and compares every subject. */
#include "policy_change.h"

#include "prediction.h"

#include <stdlib.h>
#include <string.h>

enum { SWEEP = 1000 }; /* subjects a transaction */

static const char *const names[N_OUTCOMES] = {
	"open", "in the expert queue", "by people", "by the model", "by an expert", "without a label"};

const char *outcome_name(enum outcome outcome)
{
	return names[outcome];
}

enum status policy_change(
	struct db *db, int64_t project_id, struct policy *policy, int64_t now_ms, struct err *err)
{
	enum status st = policy_put(db, project_id, policy, now_ms, err);
	if (st == OK)
		st = db_run(db, Q_PROJECT_MARK_SWEEP, err, "i", project_id);
	return st == OK ? prediction_settle(db, project_id, now_ms, err) : st;
}

struct fate {
	int64_t label_id;
	enum outcome outcome;
	bool blind;
};

static struct fate fate_of(struct stmt *row)
{
	const char *state = col_text(row, 0), *by = col_text(row, 1);
	struct fate f = {.label_id = col_int(row, 2), .blind = col_int(row, 3) != 0};
	if (state[0] == 'e')
		f.outcome = OUTCOME_IN_EXPERT_QUEUE;
	else if (strcmp(by, "people") == 0)
		f.outcome = OUTCOME_BY_PEOPLE;
	else if (strcmp(by, "model") == 0) /* also while its audit is open */
		f.outcome = OUTCOME_BY_MODEL;
	else if (strcmp(by, "expert") == 0)
		f.outcome = OUTCOME_BY_EXPERT;
	else
		f.outcome = state[0] == 'o' ? OUTCOME_OPEN : OUTCOME_NO_LABEL;
	return f;
}

static enum status read_fates(
	struct db *db, int64_t project_id, struct fate **out, size_t *n, struct err *err)
{
	size_t room = 0;
	enum status st;
	struct stmt *row = db_query(db, Q_SUBJECT_FATES, "i", project_id);
	*n = 0;
	while ((st = db_step(row, err)) == OK) {
		if (*n == room) {
			room = room ? room * 2 : 4096;
			struct fate *more = realloc(*out, room * sizeof **out);
			if (!more) {
				db_done(row);
				return err_set(err, FAULT, "no memory for %zu subjects", room);
			}
			*out = more;
		}
		(*out)[(*n)++] = fate_of(row);
	}
	return st == NOT_FOUND ? OK : st;
}

static enum status sweep_all(struct db *db, int64_t now_ms, struct err *err)
{
	int n = 1;
	enum status st = OK;
	while (st == OK && n > 0) {
		st = db_begin(db, err);
		if (st == OK)
			st = prediction_sweep(db, SWEEP, now_ms, &n, err);
		if (st == OK)
			st = db_commit(db, err);
	}
	if (st != OK)
		db_rollback(db);
	return st;
}

enum status policy_preview(struct db *copy, int64_t project_id, struct policy *policy,
	int64_t now_ms, struct policy_preview *out, struct err *err)
{
	struct fate *before = NULL, *after = NULL;
	size_t n = 0, n_after = 0;
	*out = (struct policy_preview){0};
	/* What waits to be decided already is not this policy's doing. */
	enum status st = sweep_all(copy, now_ms, err);
	if (st == OK)
		st = read_fates(copy, project_id, &before, &n, err);
	if (st == OK)
		st = db_begin(copy, err);
	if (st == OK)
		st = policy_change(copy, project_id, policy, now_ms, err);
	if (st == OK)
		st = db_commit(copy, err);
	if (st == OK)
		st = sweep_all(copy, now_ms, err);
	if (st == OK)
		st = read_fates(copy, project_id, &after, &n_after, err);
	for (size_t i = 0; st == OK && i < n; i++) {
		out->n[before[i].outcome][after[i].outcome]++;
		out->n_audits += after[i].blind && !before[i].blind;
		out->n_relabelled += before[i].label_id && after[i].label_id &&
			before[i].label_id != after[i].label_id;
	}
	free(before);
	free(after);
	if (st != OK && db_in_transaction(copy))
		db_rollback(copy);
	return st;
}
