/*
 * Photographs of one deployment into capture events. Events never overlap: named ones (from the manifest) and those that
 * are there already stand as they are; what lies between them is grouped by the time gap. A photograph inside the span of
 * an event joins it; an event that somebody has looked at does not grow.
 */
#include "import_part.h"

#include "gold.h"
#include "job.h"
#include "prediction.h"

#include <stdlib.h>
#include <string.h>

struct span {
	int64_t id;
	int64_t start_ms, end_ms;
	bool grows;
};

struct spans {
	struct span *items; /* by start_ms, disjoint */
	size_t n, room;
};

static void insert_span(struct spans *s, struct span span)
{
	if (s->n == s->room) {
		s->room = s->room ? s->room * 2 : 256;
		s->items = xrealloc(s->items, s->room * sizeof *s->items);
	}
	size_t at = s->n;
	while (at > 0 && s->items[at - 1].start_ms > span.start_ms)
		at--;
	memmove(s->items + at + 1, s->items + at, (s->n - at) * sizeof *s->items);
	s->items[at] = span;
	s->n++;
}

/* The last span that starts at or before t, or -1. */
static ptrdiff_t span_before(const struct spans *s, int64_t t)
{
	size_t low = 0;
	size_t high = s->n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (s->items[mid].start_ms <= t)
			low = mid + 1;
		else
			high = mid;
	}
	return (ptrdiff_t)low - 1;
}

static enum status load_spans(
	struct db *db, int64_t deployment_id, struct spans *s, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(db, Q_SUBJECT_SPANS, "i", deployment_id);
	while ((st = db_step(row, err)) == OK)
		insert_span(s,
			(struct span){col_int(row, 0), col_int(row, 1), col_int(row, 2), col_int(row, 3) != 0});
	return st == NOT_FOUND ? OK : st;
}

static enum status add_subject(struct db *db, const struct project *p, const struct place *place,
	const char *name, const int64_t *start, const int64_t *end, const struct import_options *o,
	struct import_result *result, int64_t *id, struct err *err)
{
	enum status st = db_run(
		db, Q_SUBJECT_ADD, err, "iisIIi", p->id, place->id, name, start, end, o->now_ms);
	*id = db_last_id(db);
	result->n_subjects += st == OK;
	return st;
}

static enum status set_span(
	struct db *db, struct span *span, int64_t start, int64_t end, struct err *err)
{
	enum status st = db_run(db, Q_SUBJECT_SET_SPAN, err, "iii", span->id, start, end);
	if (st == OK) {
		span->start_ms = start;
		span->end_ms = end;
	}
	return st;
}

/* Joins an event, or begins one, for a photograph with a time. */
static enum status place_by_time(struct db *db, const struct project *p, const struct place *place,
	struct photo *photo, struct spans *spans, int64_t gap_ms, const struct import_options *o,
	struct import_result *result, struct err *err)
{
	int64_t t = photo->taken_ms;
	ptrdiff_t at = span_before(spans, t);
	struct span *before = at >= 0 ? &spans->items[at] : NULL;
	struct span *after = at + 1 < (ptrdiff_t)spans->n ? &spans->items[at + 1] : NULL;
	if (before && t <= before->end_ms) {
		photo->subject_id = before->id;
		return OK;
	}
	if (before && before->grows && t - before->end_ms <= gap_ms) {
		photo->subject_id = before->id;
		return set_span(db, before, before->start_ms, t, err);
	}
	if (after && after->grows && after->start_ms - t <= gap_ms) {
		photo->subject_id = after->id;
		return set_span(db, after, t, after->end_ms, err);
	}
	enum status st = add_subject(db, p, place, NULL, &t, &t, o, result, &photo->subject_id, err);
	if (st == OK)
		insert_span(spans, (struct span){photo->subject_id, t, t, true});
	return st;
}

/* A named event: all photographs from `first` on with this name, whose span is theirs. */
static enum status place_named(struct db *db, const struct project *p, const struct place *place,
	struct photo **photos, size_t first, size_t n, const struct import_options *o,
	struct import_result *result, struct err *err)
{
	const char *name = photos[first]->row->event;
	struct stmt *row = NULL;
	int64_t id = 0;
	int64_t start = INT64_MAX;
	int64_t end = INT64_MIN;
	bool timed = false;
	for (size_t i = first; i < n && strcmp(photos[i]->row->event, name) == 0; i++) {
		if (!photos[i]->has_time)
			continue;
		timed = true;
		start = photos[i]->taken_ms < start ? photos[i]->taken_ms : start;
		end = photos[i]->taken_ms > end ? photos[i]->taken_ms : end;
	}
	enum status st = db_one(db, Q_SUBJECT_BY_NAME, &row, err, "is", place->id, name);
	if (st == OK) {
		id = col_int(row, 0);
		if (timed && !col_null(row, 1)) {
			start = col_int(row, 1) < start ? col_int(row, 1) : start;
			end = col_int(row, 2) > end ? col_int(row, 2) : end;
		}
		db_done(row);
		if (timed)
			st = db_run(db, Q_SUBJECT_SET_SPAN, err, "iii", id, start, end);
	} else if (st == NOT_FOUND) {
		st = add_subject(
			db, p, place, name, timed ? &start : NULL, timed ? &end : NULL, o, result, &id, err);
	}
	for (size_t i = first; i < n && strcmp(photos[i]->row->event, name) == 0; i++) {
		photos[i]->subject_id = id;
		if (st == CONFLICT) {
			photos[i]->taken = false;
			photos[i]->status = BAD_INPUT;
			snprintf(photos[i]->reason, sizeof photos[i]->reason,
				"event '%.60s' overlaps another event of deployment '%.60s' in time", name,
				place->name);
		}
	}
	return st == CONFLICT ? OK : st;
}

static bool is_named(const struct photo *photo)
{
	return photo->row && photo->row->event[0];
}

static int by_name_then_time(const void *a, const void *b)
{
	const struct photo *x = *(struct photo *const *)a;
	const struct photo *y = *(struct photo *const *)b;
	if (is_named(x) != is_named(y))
		return is_named(x) ? -1 : 1;
	int order = is_named(x) ? strcmp(x->row->event, y->row->event) : 0;
	if (order == 0 && x->taken_ms != y->taken_ms)
		order = x->taken_ms < y->taken_ms ? -1 : 1;
	return order ? order : strcmp(x->name, y->name);
}

static enum status add_media(struct db *db, const struct project *p, const struct place *place,
	const struct photo *photo, const struct import_options *o, struct err *err)
{
	const char *metadata = photo->row && photo->row->metadata[0] ? photo->row->metadata : "{}";
	const int64_t *camera = photo->has_time ? &photo->camera_ms : NULL;
	const int64_t *taken = photo->has_time ? &photo->taken_ms : NULL;
	char *link = o->link ? realpath(photo->path, NULL) : NULL;
	const struct focus_window *focus = photo->has_focus ? &photo->focus : NULL;
	enum status st = db_run(db, Q_MEDIA_ADD, err, "iiibissiiiIIsiDDDDDi", p->id, place->id,
		photo->subject_id, photo->sha256, sizeof photo->sha256, photo->n_bytes, photo->name, link,
		(int64_t)photo->width_px, (int64_t)photo->height_px, place->crop_bottom_px, camera, taken,
		metadata, o->now_ms, focus ? &focus->x : NULL, focus ? &focus->y : NULL,
		focus ? &focus->width : NULL, focus ? &focus->height : NULL,
		focus ? &focus->strength : NULL, (int64_t)p->model_px);
	free(link);
	return st;
}

static const char *label_of(const struct photo *photo)
{
	return photo->row ? photo->row->label : "";
}

static int by_subject_then_label(const void *a, const void *b)
{
	const struct photo *x = *(struct photo *const *)a;
	const struct photo *y = *(struct photo *const *)b;
	if (x->subject_id != y->subject_id)
		return x->subject_id < y->subject_id ? -1 : 1;
	int order = strcmp(label_of(y), label_of(x)); /* those without a label come last */
	return order ? order : strcmp(x->name, y->name);
}

/* The code of the truth that a subject has; NOT_FOUND: no gold, "": an expert is asked. */
static enum status gold_code(struct db *db, int64_t subject_id, char out[100], struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_GOLD_CODE, &row, err, "i", subject_id);
	if (st != OK)
		return st;
	snprintf(out, 100, "%s", col_text(row, 0));
	db_done(row);
	return OK;
}

enum status group_check_label(
	struct db *db, const struct photo *photo, struct import_result *result, struct err *err)
{
	char code[100] = "";
	char reason[200];
	if (!label_of(photo)[0])
		return OK;
	enum status st = gold_code(db, photo->subject_id, code, err);
	if (st != OK && st != NOT_FOUND)
		return st;
	if (strcmp(code, label_of(photo)) == 0)
		return OK;
	snprintf(reason, sizeof reason,
		"is here already, its label '%.40s' is not taken: subject %lld is %s%.40s "
		"(`topi gold add` gives a label)",
		label_of(photo), (long long)photo->subject_id, code[0] ? "gold for " : "without gold",
		code);
	import_add_problem(result, photo->name, reason);
	return OK;
}

/*
 * The manifest's labels are an expert's truth: gold that was chosen, not drawn. One label an event: where the manifest
 * gives two, nobody knows which is meant, and none is taken. Shapes: photos [n], of one subject, labels first.
 */
static enum status add_gold(struct db *db, const struct project *p, struct photo *const *photos,
	size_t n, const struct import_options *o, struct import_result *result, struct err *err)
{
	char code[100] = "";
	char reason[200];
	const char *label = label_of(photos[0]);
	if (!label[0])
		return OK;
	for (size_t i = 1; i < n; i++) {
		const char *other = label_of(photos[i]);
		if (!other[0] || strcmp(other, label) == 0)
			continue;
		snprintf(reason, sizeof reason,
			"the manifest gives two labels to one event, '%.60s' and '%.60s': none is taken", label,
			other);
		import_add_problem(result, photos[i]->name, reason);
		return OK;
	}
	enum status st = gold_code(db, photos[0]->subject_id, code, err);
	if (st == OK && code[0])
		return group_check_label(db, photos[0], result, err);
	if (st != OK && st != NOT_FOUND)
		return st;
	st = gold_label(db, p, photos[0]->subject_id, label, "train-people", o->now_ms, err);
	result->n_gold += st == OK;
	return st;
}

/* Each subject that has got photographs: what was known of fewer is forgotten, and the manifest's label is taken. */
static enum status finish_subjects(struct db *db, const struct project *p, struct photo **photos,
	size_t n, const struct import_options *o, struct import_result *result, struct err *err)
{
	enum status st = OK;
	struct photo **stored = xcalloc(n, sizeof *stored);
	size_t n_stored = 0;
	for (size_t i = 0; i < n; i++)
		if (photos[i]->taken)
			stored[n_stored++] = photos[i];
	qsort(stored, n_stored, sizeof *stored, by_subject_then_label);
	for (size_t i = 0, to; st == OK && i < n_stored; i = to) {
		for (to = i + 1; to < n_stored && stored[to]->subject_id == stored[i]->subject_id;)
			to++;
		st = job_frames_changed(db, p->id, stored[i]->subject_id, err);
		if (st == OK)
			st = prediction_forget(db, p, stored[i]->subject_id, o->now_ms, err);
		if (st == OK)
			st = add_gold(db, p, stored + i, to - i, o, result, err);
	}
	free(stored);
	return st;
}

enum status group_store(struct db *db, const struct project *p, struct place *place,
	struct photo **photos, size_t n, const struct import_options *o, struct import_result *result,
	struct err *err)
{
	struct spans spans = {0};
	enum status st = OK;
	int64_t gap_ms = (o->gap_s >= 0 ? o->gap_s : p->gap_s) * 1000;
	qsort(photos, n, sizeof *photos, by_name_then_time);
	size_t named = 0;
	while (named < n && is_named(photos[named]))
		named++;
	for (size_t i = 0; st == OK && i < named; i++)
		if (i == 0 || strcmp(photos[i]->row->event, photos[i - 1]->row->event) != 0)
			st = place_named(db, p, place, photos, i, named, o, result, err);
	if (st == OK)
		st = load_spans(db, place->id, &spans, err);
	for (size_t i = named; st == OK && i < n; i++) {
		if (photos[i]->has_time)
			st = place_by_time(db, p, place, photos[i], &spans, gap_ms, o, result, err);
		else
			st = add_subject(
				db, p, place, NULL, NULL, NULL, o, result, &photos[i]->subject_id, err);
	}
	for (size_t i = 0; st == OK && i < n; i++)
		if (photos[i]->taken)
			st = add_media(db, p, place, photos[i], o, err);
	if (st == OK)
		st = finish_subjects(db, p, photos, n, o, result, err);
	for (size_t i = 0; st == OK && i < n; i++)
		result->n_new += photos[i]->taken;
	free(spans.items);
	return st;
}
