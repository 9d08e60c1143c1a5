/* The flag is a row; that its subject is hidden is the view `hidden` of the schema. */
#include "flag.h"

#include "label.h"

#include <string.h>

static const char *const names[N_FLAG_KINDS] = {
	"person", "offensive", "damaged", "wrong_burst", "favourite"};

#define DAY_MS (24LL * 3600 * 1000)

enum status flag_parse(const char *text, enum flag_kind *out, struct err *err)
{
	for (int i = 0; i < N_FLAG_KINDS; i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (enum flag_kind)i;
			return OK;
		}
	return err_set(err, BAD_INPUT,
		"'%.40s' is no kind of flag: person, offensive, damaged, wrong_burst or favourite is "
		"wanted",
		text);
}

bool flag_hides(enum flag_kind kind)
{
	return kind == FLAG_PERSON || kind == FLAG_OFFENSIVE;
}

static enum status check_day(struct db *db, int64_t volunteer_id, int64_t now_ms, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_FLAG_N_HIDING, &row, err, "ii", volunteer_id, now_ms - DAY_MS);
	if (st != OK)
		return st;
	bool many = col_int(row, 0) > FLAG_DAY_MAX;
	db_done(row);
	return many
		? err_set(err, CONFLICT,
			  "%d subjects a day can be hidden by one person: tell the project of the others",
			  FLAG_DAY_MAX)
		: OK;
}

static enum status hide(struct db *db, const struct flag *f, int64_t now_ms, struct err *err)
{
	struct project p = {0};
	enum status st = db_run(db, Q_FLAG_END_LEASES, err, "ii", f->subject_id, now_ms);
	if (st == OK)
		st = project_load(db, f->project_id, &p, err);
	if (st == OK)
		st = label_flagged(db, &p, f->subject_id, now_ms, err);
	project_release(&p);
	return st;
}

enum status flag_set(struct db *db, const struct flag *f, bool on, int64_t now_ms, struct err *err)
{
	struct subject s = {0};
	struct stmt *row = NULL;
	enum status st = subject_load(db, f->subject_id, &s, err);
	if (st == OK && s.project_id != f->project_id)
		return err_set(err, NOT_FOUND, "the project has no subject %lld", (long long)f->subject_id);
	if (st == OK)
		st = db_one(db, Q_SUBJECT_WAS_GIVEN, &row, err, "ii", f->subject_id, f->volunteer_id);
	if (st == NOT_FOUND && s.id)
		return err_set(err, DENIED, "subject %lld was not given to you", (long long)f->subject_id);
	if (st != OK)
		return st;
	db_done(row);
	if (!on)
		return db_run(db, Q_FLAG_DROP, err, "iis", f->subject_id, f->volunteer_id, names[f->kind]);
	st = db_run(db, Q_FLAG_PUT, err, "iisii", f->subject_id, f->volunteer_id, names[f->kind],
		f->project_id, now_ms);
	if (st != OK || !flag_hides(f->kind) || db_changes(db) == 0)
		return st;
	st = check_day(db, f->volunteer_id, now_ms, err);
	return st == OK ? hide(db, f, now_ms, err) : st;
}

enum status flag_close(
	struct db *db, int64_t subject_id, enum flag_kind kind, int64_t now_ms, struct err *err)
{
	return db_run(db, Q_FLAG_CLOSE, err, "isi", subject_id, names[kind], now_ms);
}
