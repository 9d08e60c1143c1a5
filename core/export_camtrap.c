/*
 * The three tables of a Camtrap DP 1.0.2 package. Observations are capture events and carry the consensus only; they
 * are written first, because they tell which places must be rounded.
 *
 * What is left empty is not known (never 0). A person's probability is left empty, as readers take 1 for "validated";
 * a volunteer's name is in no file; EXIF, and the coordinates in it, never leave the data directory.
 */
#include "export_part.h"

#include "survey.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4200 };

/* Rounding to 0.1 degrees moves a place by at most half the diagonal of a cell: 0.05 * sqrt(2) * 111.32 km at the
 * equator, 7.87 km. */
static const int rounded_uncertainty_m = 7900;
/* Deployments nearer than this to one that is rounded are the same place, and would give it away. */
static const double same_place_deg = 0.01;

static struct camtrap_deployment *find_deployment(const struct camtrap *c, int64_t id)
{
	size_t low = 0, high = c->n_deployments;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (c->deployments[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return &c->deployments[low];
}

/* A deploymentID; readers take "NA" and its like for a missing value. */
static char *deployment_name(const struct stmt *row)
{
	static const char *const missing[] = {"", "NA", "NaN", "nan"};
	const char *name = col_text(row, 1);
	for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
		if (strcmp(name, missing[i]) == 0) {
			char text[40];
			snprintf(text, sizeof text, "d%lld:%s", (long long)col_int(row, 0), name);
			return xstrdup(text);
		}
	return xstrdup(name);
}

static enum status load_deployments(struct camtrap *c, struct err *err)
{
	enum status st;
	size_t room = 0;
	struct stmt *row = db_query(c->job->db, Q_EXPORT_DEPLOYMENTS, "i", c->job->project->id);
	while ((st = db_step(row, err)) == OK) {
		if (c->n_deployments == room) {
			room = room ? room * 2 : 64;
			c->deployments = xrealloc(c->deployments, room * sizeof *c->deployments);
		}
		c->deployments[c->n_deployments++] = (struct camtrap_deployment){
			.id = col_int(row, 0),
			.name = deployment_name(row),
			.latitude_deg = col_real(row, 2),
			.longitude_deg = col_real(row, 3),
			.placed = !col_null(row, 2) && !col_null(row, 3),
			.utc_offset_s = col_int(row, 4),
			.clock_shift_s = col_int(row, 5),
			.start_ms = col_int(row, 6),
			.end_ms = col_int(row, 7),
		};
	}
	return st == NOT_FOUND ? OK : st;
}

/* One line with everything that is missing: asking for one thing at a time wastes a user's evening. */
static enum status check_complete(const struct camtrap *c, struct err *err)
{
	char fields[100], wants[200] = "";
	struct stmt *row = NULL;
	size_t n_unplaced = 0, n = 0;
	enum status st = db_one(c->job->db, Q_EXPORT_UNTIMED, &row, err, "i", c->job->project->id);
	if (st != OK)
		return st;
	long long n_untimed = col_int(row, 0);
	db_done(row);
	if (c->n_deployments == 0)
		return err_set(
			err, BAD_INPUT, "project %.60s has no photographs to export", c->job->project->slug);
	for (size_t i = 0; i < c->n_deployments; i++)
		n_unplaced += !c->deployments[i].placed;
	package_missing(c->job->camtrap, fields, sizeof fields);
	if (fields[0])
		n += (size_t)snprintf(wants, sizeof wants, "; %s (topi project set)", fields);
	if (n_unplaced && n < sizeof wants)
		n += (size_t)snprintf(wants + n, sizeof wants - n,
			"; coordinates of %zu deployment%s (topi deployment set)", n_unplaced,
			n_unplaced == 1 ? "" : "s");
	if (n_untimed && n < sizeof wants)
		snprintf(wants + n, sizeof wants - n,
			"; times of %lld photograph%s (topi import --manifest)", n_untimed,
			n_untimed == 1 ? "" : "s");
	return wants[0] ? err_set(err, BAD_INPUT, "missing: %s", wants + 2) : OK;
}

static enum status open_table(const struct camtrap *c, const char *name, const char *const *header,
	struct sheet **out, struct err *err)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", c->folder, name);
	return sheet_open(path, header, out, err);
}

/* The walk that wrote s ended with st; NOT_FOUND is its good end. */
static enum status close_table(
	struct sheet *s, enum status st, struct sheet_sum *sum, struct err *err)
{
	if (st == NOT_FOUND)
		return sheet_finish(s, sum, err);
	sheet_free(s);
	return st;
}

/* observationType of an event with and without a label. */
static const char *event_type(const struct camtrap *c, int class, bool retired)
{
	if (class >= 0)
		return taxon_kind_name(c->job->project->taxa[class].kind);
	return retired ? "unknown" : "unclassified";
}

/* count to behavior. A count of a bin is its least number; a word stands where more than half of the voters said it. */
static void put_species(struct sheet *s, const struct export_species *e)
{
	if (e->n_counts)
		sheet_int(s, e->count);
	else
		sheet_empty(s, 1);
	sheet_text(s, e->life_stage.most);
	sheet_text(s, e->sex.most);
	sheet_text(s, e->behaviours.most);
}

/* " | young:0.67 | behaviour:resting=0.67": what voters saw, as shares of them. */
static size_t put_shares(char *tags, size_t n, size_t size, const char *name, const char *shares)
{
	while (*shares && n < size) {
		size_t word = strcspn(shares, "|");
		const char *mark = memchr(shares, ':', word);
		int before = mark ? (int)(mark - shares) : 0;
		n += (size_t)snprintf(tags + n, size - n, "%s%s:%.*s%s%.*s", n ? " | " : "", name, before,
			shares, mark ? "=" : "", (int)word - before - (mark != NULL),
			shares + before + (mark != NULL));
		shares += word + (shares[word] == '|');
	}
	return n;
}

static void put_comment(struct sheet *s, const struct export_species *e)
{
	char median[24], low[24], high[24], text[160];
	if (!e->n_counts || e->count_min == e->count_max) {
		sheet_text(s,
			e->n_counts && e->count >= COUNT_ELEVEN
				? e->count >= COUNT_MANY ? "Count: 51+." : "Count: 11-50."
				: NULL);
		return;
	}
	count_text(e->count, median);
	count_text(e->count_min, low);
	count_text(e->count_max, high);
	snprintf(text, sizeof text, "Count: median %s of %d answers, from %s to %s.", median,
		e->n_counts, low, high);
	sheet_text(s, text);
}

/* classificationMethod, classifiedBy, classificationTimestamp, classificationProbability. */
static void put_classification(
	const struct camtrap *c, struct sheet *s, const struct stmt *row, int64_t offset_s)
{
	char by[300];
	const char *decided_by = col_text(row, 8);
	bool machine = strcmp(decided_by, "model") == 0;
	if (machine)
		snprintf(by, sizeof by, "%.200s (sha256 %.12s)", col_text(row, 12), col_text(row, 13));
	else if (strcmp(decided_by, "expert") == 0 && !col_null(row, 14))
		snprintf(by, sizeof by, "expert %lld", (long long)col_int(row, 14));
	else
		snprintf(by, sizeof by, "%s",
			strcmp(decided_by, "expert") == 0 ? "expert" : c->job->project->title);
	sheet_text(s, machine ? "machine" : "human");
	sheet_text(s, by);
	if (col_null(row, 9))
		sheet_empty(s, 1);
	else
		sheet_time(s, col_int(row, 9), offset_s);
	if (machine && !col_null(row, 10))
		sheet_real(s, col_real(row, 10));
	else
		sheet_empty(s, 1);
}

/* "taxon:zebra | event:name of the manifest | certificate:3 | young:0.67" */
static void put_tags(const struct camtrap *c, struct sheet *s, const struct stmt *row, int class,
	const struct export_species *e)
{
	char tags[4000];
	size_t n = 0;
	tags[0] = '\0';
	if (class >= 0)
		n += (size_t)snprintf(tags, 100, "taxon:%.80s", c->job->project->taxa[class].code);
	if (!col_null(row, 2)) {
		size_t from = n;
		n += (size_t)snprintf(tags + n, 500, "%sevent:%.400s", n ? " | " : "", col_text(row, 2));
		for (char *p = tags + from + (from ? 3 : 0); *p; p++)
			*p = *p == '|' ? '/' : *p;
	}
	if (!col_null(row, 11))
		n += (size_t)snprintf(
			tags + n, 60, "%scertificate:%lld", n ? " | " : "", (long long)col_int(row, 11));
	n = put_shares(tags, n, sizeof tags, "young", e->young);
	n = put_shares(tags, n, sizeof tags, "behaviour", e->behaviours.text);
	n = put_shares(tags, n, sizeof tags, "sex", e->sex.text);
	put_shares(tags, n, sizeof tags, "lifeStage", e->life_stage.text);
	sheet_text(s, tags);
}

/* One species of an event's label, or the event without one (class -1); nth 0 is the label's first. */
static enum status observation_row(const struct camtrap *c, struct sheet *s, const struct stmt *row,
	int class, int nth, struct err *err)
{
	char id[64], event[32];
	enum status st = OK;
	struct export_species e = {0};
	int64_t subject_id = col_int(row, 0);
	struct camtrap_deployment *d = find_deployment(c, col_int(row, 1));
	const struct taxon *taxon = class >= 0 ? &c->job->project->taxa[class] : NULL;
	bool retired = strcmp(col_text(row, 5), "retired") == 0;
	if (taxon)
		c->observed[class] = true;
	if (taxon && taxon->protected)
		d->rounded = true;
	if (taxon && taxon->kind != TAXON_BLANK)
		st = export_species_load(c->job, subject_id, taxon->id, &e, err);
	if (st != OK)
		return st;
	int n = snprintf(id, sizeof id, "o%lld", (long long)subject_id);
	if (nth > 0)
		snprintf(id + n, sizeof id - (size_t)n, ".%lld", (long long)taxon->id);
	snprintf(event, sizeof event, "e%lld", (long long)subject_id);
	sheet_text(s, id);
	sheet_text(s, d->name);
	sheet_empty(s, 1); /* mediaID: the observation is the event's */
	sheet_text(s, event);
	sheet_time(s, col_int(row, 3), d->utc_offset_s);
	sheet_time(s, col_int(row, 4), d->utc_offset_s);
	sheet_text(s, "event");
	sheet_text(s, event_type(c, class, retired));
	sheet_empty(s, 1); /* cameraSetupType */
	sheet_text(s, taxon && taxon->kind == TAXON_ANIMAL ? taxon->scientific_name : NULL);
	put_species(s, &e);
	sheet_empty(s, 8); /* individualID to bboxHeight */
	if (taxon || retired)
		put_classification(c, s, row, d->utc_offset_s);
	else
		sheet_empty(s, 4);
	put_tags(c, s, row, class, &e);
	put_comment(s, &e);
	return sheet_end_row(s, err);
}

static enum status event_rows(
	const struct camtrap *c, struct sheet *s, const struct stmt *row, int *also, struct err *err)
{
	int n_also = 0;
	int class = col_null(row, 7) ? -1 : project_class(c->job->project, col_int(row, 7));
	enum status st = export_also(c->job, col_int(row, 0), also, &n_also, err);
	if (st == OK)
		st = observation_row(c, s, row, class, 0, err);
	for (int i = 0; st == OK && i < n_also; i++)
		st = observation_row(c, s, row, also[i], 1 + i, err);
	return st;
}

static enum status write_observations(struct camtrap *c, struct err *err)
{
	static const char *const header[] = {"observationID", "deploymentID", "mediaID", "eventID",
		"eventStart", "eventEnd", "observationLevel", "observationType", "cameraSetupType",
		"scientificName", "count", "lifeStage", "sex", "behavior", "individualID",
		"individualPositionRadius", "individualPositionAngle", "individualSpeed", "bboxX", "bboxY",
		"bboxWidth", "bboxHeight", "classificationMethod", "classifiedBy",
		"classificationTimestamp", "classificationProbability", "observationTags",
		"observationComments", NULL};
	struct sheet *s = NULL;
	enum status st = open_table(c, "observations.csv", header, &s, err);
	if (st != OK)
		return st;
	int *also = xcalloc((size_t)c->job->project->k, sizeof *also);
	struct stmt *row = db_query(c->job->db, Q_EXPORT_EVENTS, "i", c->job->project->id);
	while ((st = db_step(row, err)) == OK)
		if ((st = event_rows(c, s, row, also, err)) != OK)
			break;
	db_done(row);
	free(also);
	return close_table(s, st, &c->observations_sum, err);
}

/* The one way that every photograph was taken, where the project names one only. */
static const char *capture_method(const struct camtrap *c)
{
	const json_t *methods = json_object_get(c->job->camtrap, "captureMethod");
	return json_array_size(methods) == 1 ? json_string_value(json_array_get(methods, 0)) : NULL;
}

static enum status media_row(
	const struct camtrap *c, struct sheet *s, const struct stmt *row, struct err *err)
{
	char id[32], path[100];
	const struct camtrap_deployment *d = find_deployment(c, col_int(row, 1));
	const char *hash = col_text(row, 3);
	int class = col_null(row, 5) ? -1 : project_class(c->job->project, col_int(row, 5));
	/* Whether a person is in it is known only where it has a label; and people may have flagged it since. */
	bool public = class >= 0 && c->job->project->taxa[class].kind != TAXON_HUMAN &&
		!col_int(row, 6);
	snprintf(id, sizeof id, "m%lld", (long long)col_int(row, 0));
	snprintf(path, sizeof path, "media/%.2s/%s.jpg", hash, hash);
	sheet_text(s, id);
	sheet_text(s, d->name);
	sheet_text(s, capture_method(c));
	sheet_time(s, col_int(row, 2), d->utc_offset_s);
	sheet_text(s, path);
	sheet_text(s, public ? "true" : "false");
	sheet_text(s, col_text(row, 4));
	sheet_text(s, "image/jpeg");
	sheet_empty(s, 3); /* exifData, favorite, mediaComments */
	return sheet_end_row(s, err);
}

static enum status write_media(struct camtrap *c, struct err *err)
{
	static const char *const header[] = {"mediaID", "deploymentID", "captureMethod", "timestamp",
		"filePath", "filePublic", "fileName", "fileMediatype", "exifData", "favorite",
		"mediaComments", NULL};
	struct sheet *s = NULL;
	enum status st = open_table(c, "media.csv", header, &s, err);
	if (st != OK)
		return st;
	struct stmt *row = db_query(c->job->db, Q_EXPORT_MEDIA, "i", c->job->project->id);
	while ((st = db_step(row, err)) == OK)
		if ((st = media_row(c, s, row, err)) != OK)
			break;
	db_done(row);
	return close_table(s, st, &c->media_sum, err);
}

/* Rounds where a protected taxon was seen, and every other deployment at such a place. */
static void protect_places(struct camtrap *c)
{
	size_t n = c->n_deployments;
	bool *seen = xcalloc(n, sizeof *seen);
	for (size_t i = 0; i < n; i++)
		seen[i] = c->deployments[i].rounded;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; seen[i] && j < n; j++) {
			const struct camtrap_deployment *a = &c->deployments[i];
			struct camtrap_deployment *b = &c->deployments[j];
			if (fabs(a->latitude_deg - b->latitude_deg) < same_place_deg &&
				fabs(a->longitude_deg - b->longitude_deg) < same_place_deg)
				b->rounded = true;
		}
	for (size_t i = 0; i < n; i++) {
		struct camtrap_deployment *d = &c->deployments[i];
		if (d->rounded) {
			d->latitude_deg = round(d->latitude_deg * 10) / 10;
			d->longitude_deg = round(d->longitude_deg * 10) / 10;
		}
	}
	free(seen);
}

static enum status deployment_row(
	struct sheet *s, const struct camtrap_deployment *d, struct err *err)
{
	char comment[300];
	int n = snprintf(
		comment, sizeof comment, "Start and end are those of the first and last photograph.");
	if (d->rounded)
		n += snprintf(comment + n, sizeof comment - (size_t)n,
			" Coordinates are rounded to 0.1 degrees to protect a taxon seen at this place.");
	if (d->clock_shift_s)
		snprintf(comment + n, sizeof comment - (size_t)n,
			" Times are the camera's clock corrected by %lld s.", (long long)d->clock_shift_s);
	sheet_text(s, d->name);
	sheet_empty(s, 1); /* locationID */
	sheet_text(s, d->name);
	sheet_real(s, d->latitude_deg);
	sheet_real(s, d->longitude_deg);
	if (d->rounded)
		sheet_int(s, rounded_uncertainty_m);
	else
		sheet_empty(s, 1);
	sheet_time(s, d->start_ms, d->utc_offset_s);
	sheet_time(s, d->end_ms, d->utc_offset_s);
	sheet_empty(s, 15); /* setupBy to deploymentTags */
	sheet_text(s, comment);
	return sheet_end_row(s, err);
}

static enum status write_deployments(struct camtrap *c, struct err *err)
{
	static const char *const header[] = {"deploymentID", "locationID", "locationName", "latitude",
		"longitude", "coordinateUncertainty", "deploymentStart", "deploymentEnd", "setupBy",
		"cameraID", "cameraModel", "cameraDelay", "cameraHeight", "cameraDepth", "cameraTilt",
		"cameraHeading", "detectionDistance", "timestampIssues", "baitUse", "featureType",
		"habitat", "deploymentGroups", "deploymentTags", "deploymentComments", NULL};
	struct sheet *s = NULL;
	enum status st = open_table(c, "deployments.csv", header, &s, err);
	if (st != OK)
		return st;
	for (size_t i = 0; st == OK && i < c->n_deployments; i++)
		st = deployment_row(s, &c->deployments[i], err);
	return close_table(s, st == OK ? NOT_FOUND : st, &c->deployments_sum, err);
}

static enum status write_package(const struct camtrap *c, struct err *err)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/datapackage.json", c->folder);
	json_t *package = package_describe(c);
	enum status st = export_write_json(path, package, err);
	json_decref(package);
	return st;
}

enum status export_camtrap(const struct export_job *job, const char *folder, struct err *err)
{
	struct camtrap c = {.job = job, .folder = folder};
	c.observed = xcalloc((size_t)job->project->k, sizeof *c.observed);
	enum status st = load_deployments(&c, err);
	if (st == OK)
		st = check_complete(&c, err);
	if (st == OK)
		st = write_observations(&c, err);
	if (st == OK)
		st = write_media(&c, err);
	if (st == OK) {
		protect_places(&c);
		st = write_deployments(&c, err);
	}
	if (st == OK)
		st = write_package(&c, err);
	if (st == OK) {
		job->out->n_deployments = c.deployments_sum.n_rows;
		job->out->n_media = c.media_sum.n_rows;
		job->out->n_rows = c.observations_sum.n_rows;
		memcpy(job->out->sha256, c.observations_sum.sha256, sizeof job->out->sha256);
	}
	for (size_t i = 0; i < c.n_deployments; i++)
		free(c.deployments[i].name);
	free(c.deployments);
	free(c.observed);
	return st;
}
