/*
 * datapackage.json: what a project says of itself ("camtrap" in its file) and what follows from the tables. The bounds
 * of place come from the coordinates as published, so that rounding is not undone here.
 */
#include "export_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMAS "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2/"

static const char *const sampling_designs[] = {"simpleRandom", "systematicRandom",
	"clusteredRandom", "experimental", "targeted", "opportunistic", NULL};
static const char *const capture_methods[] = {"activityDetection", "timeLapse", NULL};
static const char *const roles[] = {
	"contact", "principalInvestigator", "rightsHolder", "publisher", "contributor", NULL};
static const char *const scopes[] = {"data", "media", NULL};
static const char *const ranks[] = {
	"kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies", NULL};

static bool is_one_of(const char *const *words, const json_t *value)
{
	const char *text = json_string_value(value);
	for (; text && *words; words++)
		if (strcmp(*words, text) == 0)
			return true;
	return false;
}

static bool contributors_hold(const json_t *list)
{
	size_t n = json_array_size(list);
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_array_get(list, i);
		const json_t *role = json_object_get(one, "role");
		if (!json_is_string(json_object_get(one, "title")) || (role && !is_one_of(roles, role)))
			return false;
	}
	return n > 0;
}

static bool methods_hold(const json_t *list)
{
	size_t n = json_array_size(list);
	for (size_t i = 0; i < n; i++)
		if (!is_one_of(capture_methods, json_array_get(list, i)))
			return false;
	return n > 0 &&
		(n == 1 || (n == 2 && !json_equal(json_array_get(list, 0), json_array_get(list, 1))));
}

/* Licences may be left out; where they are given there is one for the data and one for the media. */
static bool licenses_hold(const json_t *list)
{
	bool has[2] = {false, false};
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const json_t *scope = json_object_get(one, "scope");
		bool named = json_is_string(json_object_get(one, "name")) ||
			json_is_string(json_object_get(one, "path"));
		if (!named || !is_one_of(scopes, scope))
			return false;
		has[strcmp(json_string_value(scope), "media") == 0] = true;
	}
	return !list || (has[0] && has[1]);
}

void package_missing(const json_t *camtrap, char *out, size_t size)
{
	const json_t *individuals = json_object_get(camtrap, "individualAnimals");
	const struct {
		const char *name;
		bool holds;
	} wants[] = {
		{"contributors", contributors_hold(json_object_get(camtrap, "contributors"))},
		{"samplingDesign", is_one_of(sampling_designs, json_object_get(camtrap, "samplingDesign"))},
		{"captureMethod", methods_hold(json_object_get(camtrap, "captureMethod"))},
		{"individualAnimals", !individuals || json_is_boolean(individuals)},
		{"licenses", licenses_hold(json_object_get(camtrap, "licenses"))},
	};
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
		if (!wants[i].holds && n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "," : "", wants[i].name);
}

/* Members that a project may give and that stand in the package as they are. */
static void copy_members(json_t *to, const json_t *from, const char *const *names)
{
	for (; *names; names++)
		json_object_set(to, *names, json_object_get(from, *names));
}

static json_t *describe_project(const struct camtrap *c)
{
	static const char *const optional[] = {"acronym", "path", NULL};
	const struct project *p = c->job->project;
	const json_t *camtrap = c->job->camtrap;
	json_t *project = json_pack("{s:s, s:O, s:O, s:b, s:[s]}", "title", p->title, "samplingDesign",
		json_object_get(camtrap, "samplingDesign"), "captureMethod",
		json_object_get(camtrap, "captureMethod"), "individualAnimals",
		json_is_true(json_object_get(camtrap, "individualAnimals")), "observationLevel", "event");
	json_object_set_new(project, "id", json_string(p->slug));
	if (p->description[0])
		json_object_set_new(project, "description", json_string(p->description));
	copy_members(project, camtrap, optional);
	return project;
}

static json_t *describe_place(const struct camtrap *c)
{
	double west = 180, east = -180, south = 90, north = -90;
	for (size_t i = 0; i < c->n_deployments; i++) {
		const struct camtrap_deployment *d = &c->deployments[i];
		west = d->longitude_deg < west ? d->longitude_deg : west;
		east = d->longitude_deg > east ? d->longitude_deg : east;
		south = d->latitude_deg < south ? d->latitude_deg : south;
		north = d->latitude_deg > north ? d->latitude_deg : north;
	}
	if (west == east && south == north)
		return json_pack("{s:s, s:[f, f]}", "type", "Point", "coordinates", west, south);
	if (west == east || south == north)
		return json_pack("{s:s, s:[[f, f], [f, f]]}", "type", "LineString", "coordinates", west,
			south, east, north);
	return json_pack("{s:s, s:[[[f, f], [f, f], [f, f], [f, f], [f, f]]]}", "type", "Polygon",
		"coordinates", west, south, east, south, east, north, west, north, west, south);
}

static json_t *describe_time(const struct camtrap *c)
{
	char first[CIVIL_TEXT] = "", last[CIVIL_TEXT] = "", at[CIVIL_TEXT];
	for (size_t i = 0; i < c->n_deployments; i++) {
		const struct camtrap_deployment *d = &c->deployments[i];
		iso_time(d->start_ms, d->utc_offset_s, at);
		if (i == 0 || strncmp(at, first, 10) < 0)
			memcpy(first, at, sizeof first);
		iso_time(d->end_ms, d->utc_offset_s, at);
		if (i == 0 || strncmp(at, last, 10) > 0)
			memcpy(last, at, sizeof last);
	}
	return json_pack("{s:s#, s:s#}", "start", first, 10, "end", last, 10);
}

/* The scientific names that observations carry, each once. */
static json_t *describe_taxa(const struct camtrap *c)
{
	const struct project *p = c->job->project;
	json_t *list = json_array();
	for (int i = 0; i < p->k; i++) {
		const struct taxon *t = &p->taxa[i];
		bool listed = !c->observed[i] || t->kind != TAXON_ANIMAL || !t->scientific_name[0];
		for (int j = 0; j < i && !listed; j++)
			listed = c->observed[j] && strcmp(p->taxa[j].scientific_name, t->scientific_name) == 0;
		if (listed)
			continue;
		json_t *rank = json_string(t->rank);
		json_t *taxon = json_pack("{s:s, s:{s:s}}", "scientificName", t->scientific_name,
			"vernacularNames", "eng", t->common_name);
		if (is_one_of(ranks, rank))
			json_object_set(taxon, "taxonRank", rank);
		json_decref(rank);
		json_array_append_new(list, taxon);
	}
	return list;
}

static json_t *describe_table(const char *name, const struct sheet_sum *sum)
{
	char path[40], schema[120], hash[80];
	snprintf(path, sizeof path, "%s.csv", name);
	snprintf(schema, sizeof schema, SCHEMAS "%s-table-schema.json", name);
	snprintf(hash, sizeof hash, "sha256:%s", sum->sha256);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "name", name, "path", path,
		"profile", "tabular-data-resource", "format", "csv", "mediatype", "text/csv", "encoding",
		"utf-8", "schema", schema, "bytes", (json_int_t)sum->n_bytes, "hash", hash);
}

json_t *package_describe(const struct camtrap *c)
{
	static const char *const optional[] = {"id", "contributors", "licenses", "version", "keywords",
		"image", "homepage", "bibliographicCitation", "relatedIdentifiers", "references", NULL};
	const struct project *p = c->job->project;
	char created[CIVIL_TEXT];
	bool rounded = false;
	iso_time(c->job->now_ms, 0, created);
	json_t *package = json_pack("{s:s, s:s, s:s, s:s, s:[{s:s, s:s}]}", "profile",
		SCHEMAS "camtrap-dp-profile.json", "name", p->slug, "title", p->title, "created", created,
		"sources", "title", "topi", "version", TOPI_VERSION);
	if (p->description[0])
		json_object_set_new(package, "description", json_string(p->description));
	copy_members(package, c->job->camtrap, optional);
	json_object_set_new(package, "project", describe_project(c));
	json_object_set_new(package, "spatial", describe_place(c));
	json_object_set_new(package, "temporal", describe_time(c));
	json_object_set_new(package, "taxonomic", describe_taxa(c));
	for (size_t i = 0; i < c->n_deployments; i++)
		rounded = rounded || c->deployments[i].rounded;
	if (rounded)
		json_object_set_new(package, "coordinatePrecision", json_real(0.1));
	json_t *media = describe_table("media", &c->media_sum);
	json_object_set_new(media, "description",
		json_string("filePath is relative to the data directory that the package was made from."));
	json_object_set_new(package, "resources",
		json_pack("[o, o, o]", describe_table("deployments", &c->deployments_sum), media,
			describe_table("observations", &c->observations_sum)));
	return package;
}
