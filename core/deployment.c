/*
 * Correcting a deployment. Its capture events may never overlap, not even between two rows of one UPDATE, so they move
 * twice: first beyond everything that is there, then to their place.
 */
#include "deployment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t year_2_ms = -62104060800000, year_9999_ms = 253370764800000;
static const int64_t max_offset_s = 18 * 3600, max_shift_s = 4000000000; /* some 126 years */

enum status deployment_list(
	struct db *db, int64_t project_id, struct deployment_list *out, struct err *err)
{
	enum status st;
	int room = 0;
	*out = (struct deployment_list){0};
	struct stmt *row = db_query(db, Q_DEPLOYMENT_LIST, "i", project_id);
	while ((st = db_step(row, err)) == OK) {
		if (out->n == room) {
			room = room ? room * 2 : 64;
			out->items = xrealloc(out->items, (size_t)room * sizeof *out->items);
		}
		out->items[out->n++] = (struct deployment){
			.id = col_int(row, 0),
			.name = xstrdup(col_text(row, 1)),
			.placed = !col_null(row, 2) && !col_null(row, 3),
			.latitude_deg = col_real(row, 2),
			.longitude_deg = col_real(row, 3),
			.utc_offset_s = col_int(row, 4),
			.clock_shift_s = col_int(row, 5),
			.holdout = col_int(row, 6) != 0,
			.n_subjects = col_int(row, 7),
			.group = xstrdup(col_text(row, 8)),
			.n_compared = col_int(row, 9),
			.n_differ = col_int(row, 10),
			.n_expected = col_real(row, 11),
			.alarm_ms = col_int(row, 12),
		};
	}
	return st == NOT_FOUND ? OK : st;
}

void deployment_list_release(struct deployment_list *list)
{
	for (int i = 0; i < list->n; i++) {
		free(list->items[i].name);
		free(list->items[i].group);
	}
	free(list->items);
	*list = (struct deployment_list){0};
}

static enum status check(const struct deployment_change *c, struct err *err)
{
	if (c->latitude_deg && !(fabs(*c->latitude_deg) <= 90))
		return err_set(err, BAD_INPUT, "latitude %g: -90 to 90 is wanted", *c->latitude_deg);
	if (c->longitude_deg && !(fabs(*c->longitude_deg) <= 180))
		return err_set(err, BAD_INPUT, "longitude %g: -180 to 180 is wanted", *c->longitude_deg);
	if (c->utc_offset_s && (llabs(*c->utc_offset_s) > max_offset_s || *c->utc_offset_s % 60 != 0))
		return err_set(err, BAD_INPUT,
			"an offset of %lld s: whole minutes up to 18 hours are wanted",
			(long long)*c->utc_offset_s);
	if (c->clock_shift_s && llabs(*c->clock_shift_s) > max_shift_s)
		return err_set(err, BAD_INPUT, "a clock shift of %lld s: at most %lld either way is wanted",
			(long long)*c->clock_shift_s, (long long)max_shift_s);
	if (c->holdout && *c->holdout != 0 && *c->holdout != 1)
		return err_set(err, BAD_INPUT, "holdout must be on or off");
	if (c->group && strlen(c->group) > DEPLOYMENT_GROUP_MAX)
		return err_set(err, BAD_INPUT, "a group's name of %zu bytes: at most %d are possible",
			strlen(c->group), DEPLOYMENT_GROUP_MAX);
	for (const char *at = c->group; at && *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			return err_set(err, BAD_INPUT, "a group's name may hold no control characters");
	return OK;
}

/* by_camera_ms: the reading means another moment; by_ms: so much later it was taken. */
static enum status move(
	struct db *db, int64_t id, int64_t by_camera_ms, int64_t by_ms, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_DEPLOYMENT_SPAN, &row, err, "i", id);
	if (st != OK)
		return st;
	bool timed = !col_null(row, 0);
	int64_t first_ms = col_int(row, 0), last_ms = col_int(row, 1);
	db_done(row);
	if (timed && (first_ms + by_ms < year_2_ms || last_ms + by_ms >= year_9999_ms))
		return err_set(err, BAD_INPUT,
			"moved by %lld s the photographs would leave the years 2 to 9998",
			(long long)(by_ms / 1000));
	int64_t beyond_ms = last_ms - first_ms + llabs(by_ms) + 1;
	if (timed && by_ms != 0) {
		st = db_run(db, Q_DEPLOYMENT_MOVE_EVENTS, err, "ii", id, beyond_ms);
		if (st == OK)
			st = db_run(db, Q_DEPLOYMENT_MOVE_EVENTS, err, "ii", id, by_ms - beyond_ms);
	}
	if (st == OK)
		st = db_run(db, Q_DEPLOYMENT_MOVE_MEDIA, err, "iii", id, by_camera_ms, by_ms);
	return st;
}

enum status deployment_set(struct db *db, int64_t project_id, const char *name,
	const struct deployment_change *change, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = check(change, err);
	if (st == OK)
		st = db_one(db, Q_DEPLOYMENT_LOOKUP, &row, err, "is", project_id, name);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "the project has no deployment '%.80s'", name);
	if (st != OK)
		return st;
	int64_t id = col_int(row, 0);
	int64_t offset_s = col_int(row, 1), shift_s = col_int(row, 2);
	db_done(row);
	/* A clock that was further east showed the same hours earlier. */
	int64_t by_camera_s = change->utc_offset_s ? offset_s - *change->utc_offset_s : 0;
	int64_t by_s = by_camera_s + (change->clock_shift_s ? *change->clock_shift_s - shift_s : 0);
	if (by_camera_s != 0 || by_s != 0)
		st = move(db, id, by_camera_s * 1000, by_s * 1000, err);
	if (st == OK)
		st = db_run(db, Q_DEPLOYMENT_CHANGE, err, "iDDIIIs", id, change->latitude_deg,
			change->longitude_deg, change->utc_offset_s, change->clock_shift_s, change->holdout,
			change->group);
	return st;
}
