/*
 * An import as a whole: which files, which deployments, and then one deployment after another: take its photographs on
 * several threads, sync, and store them in one transaction.
 */
#include "import.h"

#include "crew.h"
#include "import_part.h"
#include "job.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
	struct db *db;
	struct project project;
	const struct import_options *options;
	struct import_result *result;
	struct manifest *manifest;
	struct photo_list list;
	struct place *places; /* one a deployment, in the order of their photographs */
	size_t n_places;
	int64_t n_done;
	int n_noted; /* problems that are in the table */
};

/* ---- which files */

static int by_deployment_then_name(const void *a, const void *b)
{
	const struct photo *x = a;
	const struct photo *y = b;
	int order = strcmp(x->deployment, y->deployment);
	return order ? order : strcmp(x->name, y->name);
}

/* ---- the manifest */

static void keep_manifest_errors(struct import_result *result, const struct manifest_errors *errors)
{
	result->manifest_errors = xcalloc(errors->n_kept + 1, sizeof *result->manifest_errors);
	for (size_t i = 0; i < errors->n_kept; i++)
		result->manifest_errors[i] = xstrdup(errors->text[i]);
}

static void add_manifest_error(struct run *r, struct manifest_errors *errors, int64_t line,
	const char *words, const char *value)
{
	char text[400];
	snprintf(text, sizeof text, "%s:%lld: %s '%.80s'", r->options->manifest, (long long)line, words,
		value);
	errors->n++;
	if (errors->n_kept < MANIFEST_MAX_ERRORS)
		errors->text[errors->n_kept++] = xstrdup(text);
}

static bool known_code(const struct project *p, const char *code)
{
	for (int z = 0; z < p->k; z++)
		if (strcmp(p->taxa[z].code, code) == 0 && !p->taxa[z].retired)
			return true;
	return false;
}

static enum status read_manifest(struct run *r, struct err *err)
{
	struct manifest_errors errors = {0};
	FILE *in = fopen(r->options->manifest, "r");
	if (!in)
		return err_set(
			err, NOT_FOUND, "%.120s cannot be read: %s", r->options->manifest, strerror(errno));
	enum status st = manifest_read(in, r->options->manifest, &r->manifest, &errors, err);
	fclose(in);
	for (size_t i = 0; st == OK && i < r->manifest->n_rows; i++) {
		const struct manifest_row *row = &r->manifest->rows[i];
		if (row->label[0] && !known_code(&r->project, row->label))
			add_manifest_error(r, &errors, row->line, "the project has no taxon", row->label);
	}
	if (st == OK && errors.n > 0)
		st = err_set(err, BAD_INPUT, "%.150s: %zu mistakes: nothing was stored",
			r->options->manifest, errors.n);
	if (st == BAD_INPUT)
		keep_manifest_errors(r->result, &errors);
	manifest_errors_release(&errors);
	return st;
}

static int by_row(const void *a, const void *b)
{
	const struct manifest_row *x = *(const struct manifest_row *const *)a;
	const struct manifest_row *y = *(const struct manifest_row *const *)b;
	return (x > y) - (x < y);
}

/* ---- what went wrong with single files */

/* Photographs that the manifest names and nobody has. */
static void list_missing(struct run *r)
{
	if (!r->manifest)
		return;
	const struct manifest_row **found = xcalloc(r->list.n, sizeof *found);
	for (size_t i = 0; i < r->list.n; i++)
		found[i] = r->list.items[i].row;
	qsort(found, r->list.n, sizeof *found, by_row);
	size_t at = 0;
	for (size_t i = 0; i < r->manifest->n_rows; i++) {
		const struct manifest_row *row = &r->manifest->rows[i];
		while (at < r->list.n && found[at] < row)
			at++;
		if (at == r->list.n || found[at] != row)
			import_add_problem(r->result, row->file, "the manifest names it, but it is not there");
	}
	free(found);
}

/* ---- deployments */

static enum status find_place(struct run *r, struct place *place, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(r->db, Q_DEPLOYMENT_FIND, &row, err, "is", r->project.id, place->name);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	place->id = col_int(row, 0);
	place->placed = !col_null(row, 1);
	place->latitude_deg = col_real(row, 1);
	place->longitude_deg = col_real(row, 2);
	place->zoned = true;
	place->utc_offset_s = col_int(row, 3);
	place->clock_shift_s = col_int(row, 4);
	place->crop_bottom_px = col_int(row, 5);
	db_done(row);
	int64_t crop = r->options->crop_bottom_px;
	if (crop >= 0 && crop != place->crop_bottom_px)
		return err_set(err, CONFLICT,
			"deployment '%.60s' has its lowest %lld pixels cut, not %lld: leave --crop-bottom out",
			place->name, (long long)place->crop_bottom_px, (long long)crop);
	return OK;
}

/* What the manifest says of a new deployment: its place and, where its times have one, its offset. */
static void learn_place(struct place *place, const struct photo *photo)
{
	const struct manifest_row *row = photo->row;
	if (row && row->has_place && !place->placed) {
		place->placed = true;
		place->latitude_deg = row->latitude_deg;
		place->longitude_deg = row->longitude_deg;
	}
	if (row && row->has_time && row->time.has_offset && !place->zoned) {
		place->zoned = true;
		place->utc_offset_s = row->time.offset_s;
	}
}

static enum status plan_places(struct run *r, struct err *err)
{
	enum status st = OK;
	for (size_t i = 0; st == OK && i < r->list.n; i++) {
		bool first = i == 0 ||
			strcmp(r->list.items[i].deployment, r->list.items[i - 1].deployment) != 0;
		if (first) {
			r->places = xrealloc(r->places, (r->n_places + 1) * sizeof *r->places);
			struct place *place = &r->places[r->n_places++];
			*place = (struct place){.name = xstrdup(r->list.items[i].deployment)};
			if (r->options->crop_bottom_px > 0)
				place->crop_bottom_px = r->options->crop_bottom_px;
			if (r->options->utc_offset_s) {
				place->zoned = true;
				place->utc_offset_s = *r->options->utc_offset_s;
			}
			st = find_place(r, place, err);
		}
		if (st == OK && !r->places[r->n_places - 1].id)
			learn_place(&r->places[r->n_places - 1], &r->list.items[i]);
	}
	return st;
}

static enum status no_zone(const struct place *place, struct err *err)
{
	return err_set(err, BAD_INPUT,
		"deployment '%.60s' is new and nobody has said which zone its camera's clock shows: add "
		"--utc-offset +03:00, say",
		place->name);
}

/* The zone matters to new photographs: a folder that holds only known ones may come again without it. */
static enum status check_zones(struct run *r, struct err *err)
{
	enum status st = OK;
	for (size_t i = 0, at = 0; st == OK && i < r->list.n; i++) {
		struct photo *photo = &r->list.items[i];
		at += i > 0 && strcmp(photo->deployment, r->list.items[i - 1].deployment) != 0;
		if (r->places[at].zoned || !photo_hash(photo))
			continue;
		st = photo_find(r->db, &r->project, photo, err);
		if (st == OK && !photo->known)
			st = no_zone(&r->places[at], err);
	}
	return st;
}

static enum status store_place(struct run *r, struct place *place, struct err *err)
{
	struct place now = {.name = place->name};
	if (place->id)
		return OK;
	if (!place->zoned)
		return no_zone(place, err);
	enum status st = find_place(r, &now, err);
	if (st == OK && now.id &&
		(now.utc_offset_s != place->utc_offset_s || now.clock_shift_s ||
			now.crop_bottom_px != place->crop_bottom_px))
		return err_set(err, CONFLICT,
			"another import has just made deployment '%.60s' otherwise: import again", place->name);
	place->id = now.id;
	if (st != OK || now.id)
		return st;
	st = db_run(r->db, Q_DEPLOYMENT_ADD, err, "isDDiii", r->project.id, place->name,
		place->placed ? &place->latitude_deg : NULL, place->placed ? &place->longitude_deg : NULL,
		place->utc_offset_s, place->crop_bottom_px, r->options->now_ms);
	place->id = db_last_id(r->db);
	return st;
}

/* ---- one deployment's photographs */

struct take {
	struct run *run;
	struct taking taking;
	struct photo *photos;
	pthread_mutex_t mutex; /* progress */
	const char *deployment;
};

static bool take_one(void *arg, size_t i)
{
	struct take *t = arg;
	photo_take(&t->photos[i], &t->taking);
	pthread_mutex_lock(&t->mutex);
	t->run->n_done++;
	if (t->run->options->progress)
		t->run->options->progress(&(struct import_progress){.deployment = t->deployment,
									  .n_done = t->run->n_done,
									  .n_total = (int64_t)t->run->list.n},
			t->run->options->arg);
	pthread_mutex_unlock(&t->mutex);
	return !t->photos[i].fatal;
}

static enum status take_all(
	struct run *r, struct photo *photos, size_t n, const struct place *place, struct err *err)
{
	struct take t = {.run = r,
		.taking = {db_dir(r->db), r->options->link, place->crop_bottom_px, r->project.model_px},
		.photos = photos,
		.deployment = place->name};
	pthread_mutex_init(&t.mutex, NULL);
	crew_run(n, r->options->n_threads, take_one, &t);
	pthread_mutex_destroy(&t.mutex);
	for (size_t i = 0; i < n; i++)
		if (photos[i].fatal)
			return err_set(
				err, photos[i].status, "%.90s: %.100s", photos[i].name, photos[i].reason);
	return OK;
}

/* UTC of the camera's clock, and of the photograph after the deployment's correction. */
static void set_times(struct photo *photo, const struct place *place)
{
	const struct civil_time *time = &photo->time;
	if (photo->row && photo->row->has_time) {
		time = &photo->row->time;
		photo->has_time = true;
	}
	if (!photo->has_time)
		return;
	int64_t offset_s = time->has_offset ? time->offset_s : place->utc_offset_s;
	photo->camera_ms = (time->civil_s - offset_s) * 1000 + time->millisecond;
	photo->taken_ms = photo->camera_ms + place->clock_shift_s * 1000;
}

static int by_hash(const void *a, const void *b)
{
	const struct photo *x = *(struct photo *const *)a;
	const struct photo *y = *(struct photo *const *)b;
	int order = memcmp(x->sha256, y->sha256, sizeof x->sha256);
	return order ? order : strcmp(x->name, y->name);
}

enum status photo_find(
	struct db *db, const struct project *project, struct photo *photo, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(
		db, Q_MEDIA_KNOWN, &row, err, "ib", project->id, photo->sha256, sizeof photo->sha256);
	photo->known = st == OK;
	if (st == OK) {
		photo->subject_id = col_int(row, 0);
		db_done(row);
	}
	return st == NOT_FOUND ? OK : st;
}

/* The photographs that are new to the project; the rest are counted. Shapes: out has room for n. */
static enum status pick_new(struct run *r, struct photo *photos, size_t n, struct photo **out,
	size_t *n_out, struct err *err)
{
	size_t n_taken = 0;
	for (size_t i = 0; i < n; i++) {
		if (photos[i].taken)
			out[n_taken++] = &photos[i];
		else
			import_add_problem(r->result, photos[i].name, photos[i].reason);
	}
	qsort(out, n_taken, sizeof *out, by_hash);
	*n_out = 0;
	const struct photo *last = NULL;
	for (size_t i = 0; i < n_taken; i++) {
		struct photo *photo = out[i];
		bool twice = last && memcmp(last->sha256, photo->sha256, sizeof photo->sha256) == 0;
		enum status st = photo_find(r->db, &r->project, photo, err);
		if (st != OK)
			return st;
		last = photo;
		if (photo->known) {
			st = group_check_label(r->db, photo, r->result, err);
			if (st != OK)
				return st;
		}
		if (photo->known || twice)
			r->result->n_same++;
		else
			out[(*n_out)++] = photo;
	}
	return OK;
}

static enum status store_problems(struct run *r, struct err *err)
{
	enum status st = OK;
	for (int i = r->n_noted; st == OK && i < r->result->n_problems; i++)
		st = db_run(r->db, Q_IMPORT_PROBLEM_ADD, err, "iiss", r->project.id, r->options->now_ms,
			r->result->problems[i].file, r->result->problems[i].reason);
	return st;
}

/* The project as it is in this transaction: an import takes hours, and policies and taxa change meanwhile. */
static enum status load_project_again(struct run *r, struct err *err)
{
	struct project now = {0};
	enum status st = project_load(r->db, r->project.id, &now, err);
	if (st != OK) {
		project_release(&now);
		return st;
	}
	project_release(&r->project);
	r->project = now;
	return OK;
}

static enum status import_place(
	struct run *r, struct photo *photos, size_t n, struct place *place, struct err *err)
{
	struct photo **new = xcalloc(n, sizeof *new);
	size_t n_new = 0;
	bool stored = place->id != 0;
	struct import_result before = *r->result;
	enum status st = take_all(r, photos, n, place, err);
	for (size_t i = 0; i < n; i++)
		set_times(&photos[i], place);
	if (st == OK)
		st = focus_photos(r->db, &r->project, place, photos, n, r->options, err);
	if (st == OK)
		st = photo_sync(db_dir(r->db), err);
	if (st == OK)
		st = db_begin(r->db, err);
	if (st == OK)
		st = load_project_again(r, err);
	if (st == OK)
		st = pick_new(r, photos, n, new, &n_new, err);
	if (st == OK && n_new > 0)
		st = store_place(r, place, err);
	if (st == OK && n_new > 0)
		st = group_store(r->db, &r->project, place, new, n_new, r->options, r->result, err);
	for (size_t i = 0; st == OK && i < n_new; i++)
		if (!new[i]->taken)
			import_add_problem(r->result, new[i]->name, new[i]->reason);
	if (st == OK && r->result->n_new > before.n_new)
		st = job_add_current(r->db, r->project.id, r->options->now_ms, err);
	if (st == OK)
		st = store_problems(r, err);
	if (st == OK)
		st = db_commit(r->db, err);
	if (st == OK)
		r->n_noted = r->result->n_problems;
	if (st != OK) { /* what is counted is what is stored */
		db_rollback(r->db);
		r->result->n_new = before.n_new;
		r->result->n_same = before.n_same;
		r->result->n_subjects = before.n_subjects;
		r->result->n_gold = before.n_gold;
		if (!stored)
			place->id = 0;
	}
	free(new);
	return st;
}

static void run_release(struct run *r)
{
	for (size_t i = 0; i < r->list.n; i++) {
		free(r->list.items[i].path);
		free(r->list.items[i].name);
		free(r->list.items[i].deployment);
	}
	for (size_t i = 0; i < r->n_places; i++)
		free(r->places[i].name);
	free(r->list.items);
	free(r->places);
	manifest_free(r->manifest);
	project_release(&r->project);
}

enum status import_run(struct db *db, int64_t project_id, const struct import_options *options,
	struct import_result *result, struct err *err)
{
	struct run r = {.db = db, .options = options, .result = result};
	*result = (struct import_result){0};
	if (sodium_init() < 0)
		return err_set(err, FAULT, "libsodium does not start");
	parts_sweep(db_dir(db));
	enum status st = project_load(db, project_id, &r.project, err);
	if (st == OK && options->manifest)
		st = read_manifest(&r, err);
	for (int i = 0; st == OK && i < options->n_paths; i++)
		st = walk_photos(options->paths[i], db_dir(db), r.manifest, &r.list, result, err);
	if (st == OK && r.list.n > 0)
		qsort(r.list.items, r.list.n, sizeof *r.list.items, by_deployment_then_name);
	result->n_files = (int64_t)r.list.n;
	if (st == OK)
		st = plan_places(&r, err);
	if (st == OK)
		st = check_zones(&r, err);
	if (st == OK)
		list_missing(&r);
	size_t from = 0;
	for (size_t i = 0; st == OK && i < r.n_places; i++) {
		size_t to = from;
		while (to < r.list.n && strcmp(r.list.items[to].deployment, r.places[i].name) == 0)
			to++;
		st = import_place(&r, r.list.items + from, to - from, &r.places[i], err);
		from = to;
	}
	if (st == OK && r.n_noted < result->n_problems) { /* of an import that takes nothing */
		st = db_begin(db, err);
		if (st == OK)
			st = store_problems(&r, err);
		if (st == OK)
			st = db_commit(db, err);
		if (st != OK)
			db_rollback(db);
	}
	run_release(&r);
	return st;
}

void import_result_release(struct import_result *result)
{
	for (int i = 0; i < result->n_problems; i++)
		free(result->problems[i].file);
	free(result->problems);
	for (char **text = result->manifest_errors; text && *text; text++)
		free(*text);
	free(result->manifest_errors);
	*result = (struct import_result){0};
}
