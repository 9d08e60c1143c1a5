/* The change itself is three statements; the preview does it to a copy and compares every subject. */
#include "policy_change.h"

#include "prediction.h"

#include <stdlib.h>
#include <string.h>

enum { SWEEP = 1000 }; /* subjects a transaction */

enum status policy_change(
	struct db *db, int64_t project_id, struct policy *policy, int64_t now_ms, struct err *err)
{
	enum status st = policy_put(db, project_id, policy, now_ms, err);
	if (st == OK)
		st = db_run(db, Q_PROJECT_MARK_SWEEP, err, "i", project_id);
	return st == OK ? prediction_settle(db, project_id, now_ms, err) : st;
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
	struct fates before = {0}, after = {0};
	*out = (struct policy_preview){0};
	/* What waits to be decided already is not this policy's doing. */
	enum status st = sweep_all(copy, now_ms, err);
	if (st == OK)
		st = fates_read(copy, project_id, &before, err);
	if (st == OK)
		st = db_begin(copy, err);
	if (st == OK)
		st = policy_change(copy, project_id, policy, now_ms, err);
	if (st == OK)
		st = db_commit(copy, err);
	if (st == OK)
		st = sweep_all(copy, now_ms, err);
	if (st == OK)
		st = fates_read(copy, project_id, &after, err);
	for (size_t i = 0; st == OK && i < before.n; i++) {
		const struct fate *was = &before.list[i], *is = &after.list[i];
		out->n[was->outcome][is->outcome]++;
		out->n_audits += is->blind && !was->blind;
		out->n_relabelled += was->label_id && is->label_id && was->label_id != is->label_id;
	}
	fates_release(&before);
	fates_release(&after);
	if (st != OK && db_in_transaction(copy))
		db_rollback(copy);
	return st;
}
