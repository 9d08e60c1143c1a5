/* The answers first, then what each names: a statement is not started again while it is stepped. */
#include "history.h"

#include <stdlib.h>
#include <string.h>

void history_free(struct history *h)
{
	if (!h)
		return;
	for (int i = 0; i < h->n; i++)
		for (int j = 0; j < h->answers[i].n; j++)
			free(h->answers[i].named[j].details);
	free(h);
}

static enum status load_named(struct db *db, int64_t id, struct past_answer *a, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(db, Q_HISTORY_NAMED, "i", id);
	while ((st = db_step(row, err)) == OK) {
		if (a->n == ANSWER_MAX_TAXA)
			continue;
		a->named[a->n].taxon_id = col_int(row, 0);
		a->named[a->n].count = col_int(row, 1);
		a->named[a->n++].details = xstrdup(col_text(row, 2));
	}
	return st == NOT_FOUND ? OK : st;
}

static enum status load_thumb(struct db *db, struct past_answer *a, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_SUBJECT_THUMB, &row, err, "i", a->subject_id);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	a->thumb_id = col_int(row, 0);
	db_done(row);
	return OK;
}

enum status history_load(struct db *db, int64_t project_id, int64_t volunteer_id, int n_wanted,
	struct history **out, struct err *err)
{
	int64_t ids[HISTORY_MAX];
	size_t n_bytes = 0;
	enum status st;
	*out = NULL;
	if (n_wanted < 1 || n_wanted > HISTORY_MAX)
		return err_set(
			err, BAD_INPUT, "n is %d: 1 to %d answers can be asked for", n_wanted, HISTORY_MAX);
	struct history *h = xcalloc(1, sizeof *h);
	struct stmt *row = db_query(
		db, Q_HISTORY_LAST, "iii", volunteer_id, project_id, (int64_t)n_wanted);
	while ((st = db_step(row, err)) == OK) {
		struct past_answer *a = &h->answers[h->n];
		const void *uuid = col_blob(row, 1, &n_bytes); /* the schema says 16 bytes */
		memcpy(a->uuid, uuid, sizeof a->uuid);
		ids[h->n++] = col_int(row, 0);
		a->subject_id = col_int(row, 2);
		a->at_ms = col_int(row, 3);
		a->cant_tell = strcmp(col_text(row, 4), "cant_tell") == 0;
		a->several = col_int(row, 5) != 0;
	}
	st = st == NOT_FOUND ? OK : st;
	for (int i = 0; st == OK && i < h->n; i++) {
		struct past_answer *a = &h->answers[i];
		st = load_named(db, ids[i], a, err);
		if (st == OK)
			st = load_thumb(db, a, err);
		if (st == OK)
			st = classification_may_undo(db, a->uuid, &a->may_undo, err);
	}
	if (st == OK)
		*out = h;
	else
		history_free(h);
	return st;
}
