/* What was practised is listed first; then one of another species at a time is chosen and put down. */
#include "practice.h"

enum status practice_list(struct db *db, int64_t project_id, int64_t volunteer_id, int64_t now_ms,
	int64_t *ids, int *n, struct err *err)
{
	enum status st;
	*n = 0;
	struct stmt *row = db_query(
		db, Q_PRACTICE_HELD, "iii", project_id, volunteer_id, (int64_t)PRACTICE_MAX);
	while ((st = db_step(row, err)) == OK)
		ids[(*n)++] = col_int(row, 0);
	while (st == NOT_FOUND && *n < PRACTICE_MAX) {
		st = db_one(db, Q_PRACTICE_NEXT, &row, err, "ii", project_id, volunteer_id);
		if (st != OK)
			break;
		ids[*n] = col_int(row, 0);
		db_done(row);
		st = db_run(db, Q_PRACTICE_PUT, err, "iiii", volunteer_id, ids[(*n)++], project_id, now_ms);
		st = st == OK ? NOT_FOUND : st;
	}
	return st == NOT_FOUND ? OK : st;
}
