/*
 * Where to look in new photographs: those of one camera are gone through in order of time, by day and by night apart, in
 * stretches that share a background. Seasons pass and cameras are moved, so a background is of a few hundred neighbours
 * and not of all.
 */
#include "crew.h"
#include "image.h"
#include "import_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	STRETCH = 256,    /* photographs that are looked at with one background */
	NEIGHBOURS = 128, /* which is also made of so many that follow */
	POOL = STRETCH + NEIGHBOURS,
	CHUNK = 128, /* decoded at a time */
	MAX_RENDITION_BYTES = 4 << 20
};

/* A photograph of the camera, new or old. */
struct shot {
	struct photo *photo; /* NULL: it is in the project already, and lends its background only */
	uint8_t sha256[32];
	int64_t crop_px;
	bool has_time;
	int64_t taken_ms;
	bool near; /* to a new one: worth decoding */
};

/* A shot in small. */
struct small {
	struct photo *photo;
	uint8_t *rgb; /* [144][192][3]; NULL: it cannot be read */
	double aspect;
};

/* Those of one kind of light that wait for their background. */
struct pool {
	struct small items[POOL + CHUNK];
	int n;
};

struct look {
	const char *dir;
	const struct shot *shots; /* of the chunk */
	struct small *smalls;
	const struct focus_background *background;
};

static int by_time(const void *a, const void *b)
{
	const struct shot *x = a, *y = b;
	if (x->has_time != y->has_time)
		return y->has_time - x->has_time;
	if (x->taken_ms != y->taken_ms)
		return x->taken_ms < y->taken_ms ? -1 : 1;
	return memcmp(x->sha256, y->sha256, sizeof x->sha256);
}

static uint8_t *read_rendition(const char *dir, const struct shot *shot, size_t *n)
{
	char name[200], path[1400];
	uint8_t *bytes = NULL;
	photo_rendition(shot->sha256, 320, shot->crop_px, name, sizeof name);
	snprintf(path, sizeof path, "%.1100s/%s", dir, name);
	FILE *in = fopen(path, "rbe");
	if (!in)
		return NULL;
	bytes = xmalloc(MAX_RENDITION_BYTES);
	*n = fread(bytes, 1, MAX_RENDITION_BYTES, in);
	fclose(in);
	return bytes;
}

static bool decode_one(void *arg, size_t i)
{
	const struct look *look = arg;
	struct small *out = &look->smalls[i];
	struct image_rgb full = {0}, scaled = {0};
	struct err err;
	size_t n = 0;
	*out = (struct small){.photo = look->shots[i].photo};
	uint8_t *bytes = look->shots[i].near ? read_rendition(look->dir, &look->shots[i], &n) : NULL;
	if (bytes && image_decode_rgb(bytes, n, NULL, FOCUS_WIDTH, &full, NULL, &err) == OK &&
		image_resize_rgb(&full, FOCUS_WIDTH, FOCUS_HEIGHT, &scaled, &err) == OK) {
		out->aspect = (double)full.width_px / full.height_px;
		out->rgb = scaled.pixels;
	}
	image_rgb_release(&full);
	free(bytes);
	return true;
}

static bool find_one(void *arg, size_t i)
{
	const struct look *look = arg;
	const struct small *small = &look->smalls[i];
	if (small->photo) {
		small->photo->focus = focus_find(look->background, small->rgb, small->aspect);
		small->photo->has_focus = true;
	}
	return true;
}

/* Looks at the first n of the pool with the background of all, and lets them go. */
static void settle(struct pool *pool, int n, int n_threads)
{
	const uint8_t *frames[POOL + CHUNK];
	bool wanted = false;
	for (int i = 0; i < pool->n; i++)
		frames[i] = pool->items[i].rgb;
	for (int i = 0; i < n; i++)
		wanted = wanted || pool->items[i].photo;
	if (wanted && pool->n >= FOCUS_MIN_FRAMES) {
		struct focus_background *background = focus_background_new(frames, pool->n);
		struct look look = {.smalls = pool->items, .background = background};
		crew_run((size_t)n, n_threads, find_one, &look);
		focus_background_free(background);
	}
	for (int i = 0; i < n; i++)
		free(pool->items[i].rgb);
	pool->n -= n;
	memmove(pool->items, pool->items + n, (size_t)pool->n * sizeof *pool->items);
}

static void look_at(const struct shot *shots, size_t n, const char *dir, const char *deployment,
	const struct import_options *options)
{
	int n_threads = options->n_threads;
	struct pool *pools = xcalloc(2, sizeof *pools); /* by day, by night */
	struct small smalls[CHUNK];
	for (size_t from = 0; from < n; from += CHUNK) {
		size_t n_chunk = n - from < CHUNK ? n - from : CHUNK;
		struct look look = {.dir = dir, .shots = shots + from, .smalls = smalls};
		crew_run(n_chunk, n_threads, decode_one, &look);
		for (size_t i = 0; i < n_chunk; i++) {
			if (!smalls[i].rgb)
				continue;
			struct pool *pool = &pools[focus_is_grey(smalls[i].rgb)];
			pool->items[pool->n++] = smalls[i];
		}
		for (int k = 0; k < 2; k++)
			if (pools[k].n >= POOL)
				settle(&pools[k], STRETCH, n_threads);
		if (options->progress)
			options->progress(&(struct import_progress){.deployment = deployment,
								  .n_compared = (int64_t)(from + n_chunk),
								  .n_to_compare = (int64_t)n},
				options->arg);
	}
	for (int k = 0; k < 2; k++)
		settle(&pools[k], pools[k].n, n_threads);
	free(pools);
}

/* Marks what lies within a background's reach of a new photograph, on either side. */
static void mark_near(struct shot *shots, size_t n)
{
	size_t last = 0;
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		any = any || shots[i].photo;
		last = shots[i].photo ? i : last;
		shots[i].near = shots[i].near || (any && i - last < POOL);
	}
	any = false;
	for (size_t i = n; i-- > 0;) {
		any = any || shots[i].photo;
		last = shots[i].photo ? i : last;
		shots[i].near = shots[i].near || (any && last - i < POOL);
	}
}

static struct shot *add_shot(struct shot **shots, size_t *n, size_t *room)
{
	if (*n == *room) {
		*room = *room ? *room * 2 : 256;
		*shots = xrealloc(*shots, *room * sizeof **shots);
	}
	(*shots)[*n] = (struct shot){0};
	return &(*shots)[(*n)++];
}

static enum status add_old(struct db *db, const struct place *place, struct shot **shots, size_t *n,
	size_t *room, struct err *err)
{
	struct stmt *rows = db_query(db, Q_MEDIA_OF_DEPLOYMENT, "i", place->id);
	enum status st;
	while ((st = db_step(rows, err)) == OK) {
		struct shot *shot = add_shot(shots, n, room);
		size_t n_bytes = 0;
		const void *sha256 = col_blob(rows, 0, &n_bytes);
		memcpy(shot->sha256, sha256, n_bytes < 32 ? n_bytes : 32);
		shot->crop_px = col_int(rows, 1);
		shot->has_time = !col_null(rows, 2);
		shot->taken_ms = col_int(rows, 2);
	}
	db_done(rows);
	return st == NOT_FOUND ? OK : st;
}

enum status focus_photos(struct db *db, const struct project *project, const struct place *place,
	struct photo *photos, size_t n, const struct import_options *options, struct err *err)
{
	struct shot *shots = NULL;
	size_t n_shots = 0, room = 0;
	enum status st = OK;
	for (size_t i = 0; st == OK && i < n; i++) {
		if (photos[i].taken)
			st = photo_find(db, project, &photos[i], err);
		if (st != OK || !photos[i].taken || photos[i].known)
			continue;
		struct shot *shot = add_shot(&shots, &n_shots, &room);
		memcpy(shot->sha256, photos[i].sha256, sizeof shot->sha256);
		shot->photo = &photos[i];
		shot->crop_px = place->crop_bottom_px;
		shot->has_time = photos[i].has_time;
		shot->taken_ms = photos[i].has_time ? photos[i].taken_ms : 0;
	}
	if (st == OK && n_shots > 0 && place->id)
		st = add_old(db, place, &shots, &n_shots, &room, err);
	if (st == OK && n_shots > 0) {
		qsort(shots, n_shots, sizeof *shots, by_time);
		mark_near(shots, n_shots);
		look_at(shots, n_shots, db_dir(db), place->name, options);
	}
	free(shots);
	return st;
}
