/* One pass over a project's subjects. */
#include "fate.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[N_OUTCOMES] = {
	"open", "in the expert queue", "by people", "by the model", "by an expert", "without a label"};

const char *outcome_name(enum outcome outcome)
{
	return names[outcome];
}

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

enum status fates_read(struct db *db, int64_t project_id, struct fates *out, struct err *err)
{
	size_t room = 0;
	enum status st;
	struct stmt *row = db_query(db, Q_SUBJECT_FATES, "i", project_id);
	while ((st = db_step(row, err)) == OK) {
		if (out->n == room) {
			room = room ? room * 2 : 4096;
			struct fate *more = realloc(out->list, room * sizeof *more);
			if (!more) {
				db_done(row);
				return err_set(err, FAULT, "no memory for %zu subjects", room);
			}
			out->list = more;
		}
		out->list[out->n++] = fate_of(row);
	}
	return st == NOT_FOUND ? OK : st;
}

void fates_release(struct fates *fates)
{
	free(fates->list);
	*fates = (struct fates){0};
}
