/* Plans every deployment's events in the order of time, then renders them on all cores. */
#include "scenes.h"

#include "camera.h"
#include "rng.h"
#include "scene.h"
#include "taxa.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

enum { MIN_SEEN_PX = 200, MIN_CONTRAST = 9, MAX_TRIES = 12, PERIOD_DAYS = 60, UTC_OFFSET_H = 3 };

struct plan {
	struct event event;
	int deployment, first_file, named, night;
	time_t local_time;
	double difficulty;
};

struct job {
	const struct scenes_options *o;
	struct land *lands;
	struct plan *plans;
	atomic_int next, failed;
	struct err err; /* written by whoever sets failed first */
};

static int by_time(const void *a, const void *b)
{
	time_t x = ((const struct plan *)a)->local_time, y = ((const struct plan *)b)->local_time;
	return (x > y) - (x < y);
}

static int draw_taxon(const float *weights, struct rng *r)
{
	float sum = 0.0f;
	for (int t = 0; t < N_TAXA; t++)
		sum += weights[t];
	float u = rng_unit(r) * sum;
	int t = 0;
	while (t < N_TAXA - 1 && u >= weights[t])
		u -= weights[t++];
	return t;
}

/* Hyenas come at night, ostriches by day, the rest rather by day. */
static int draw_second(int taxon, struct rng *r)
{
	float p_night = taxon == TAXON_HYENA ? 0.75f : taxon == TAXON_OSTRICH ? 0.0f : 0.33f;
	if (rng_unit(r) >= p_night)
		return 6 * 3600 + rng_int(r, 12 * 3600 + 1800);
	return (18 * 3600 + 1800 + rng_int(r, 11 * 3600 + 1800)) % 86400;
}

static void plan_deployment(struct plan *plans, int n, int index, uint64_t seed)
{
	static const float common[N_TAXA] = {[TAXON_THOMSONS] = 0.17f,
		[TAXON_ZEBRA] = 0.13f,
		[TAXON_GRANTS] = 0.10f,
		[TAXON_BUFFALO] = 0.075f,
		[TAXON_GIRAFFE] = 0.06f,
		[TAXON_ELEPHANT] = 0.05f,
		[TAXON_HYENA] = 0.04f,
		[TAXON_OSTRICH] = 0.03f,
		[TAXON_BLANK] = 0.35f};
	struct rng r = rng_at(seed, 0xDE9, (uint64_t)index);
	float weights[N_TAXA];
	for (int t = 0; t < N_TAXA; t++)
		weights[t] = common[t] * expf((t == TAXON_BLANK ? 0.15f : 0.6f) * rng_normal(&r));
	const time_t start = 1738368000 + (time_t)index * 45 * 86400; /* 2025-02-01 */
	for (int i = 0; i < n; i++) {
		struct plan *p = &plans[i];
		struct event *e = &p->event;
		e->taxon = draw_taxon(weights, &r);
		e->seed = rng_next(&r);
		float u = rng_unit(&r);
		e->n_frames = u < 0.3f ? 1 : u < 0.55f ? 2 : 3;
		e->gap_s[1] = 1 + rng_int(&r, 2);
		e->gap_s[2] = e->gap_s[1] + 1 + rng_int(&r, 2);
		p->local_time = start + (time_t)rng_int(&r, PERIOD_DAYS) * 86400 +
			draw_second(e->taxon, &r);
		p->named = rng_unit(&r) < 0.25f;
		p->deployment = index;
	}
	qsort(plans, (size_t)n, sizeof *plans, by_time);
	int file = 1;
	for (int i = 0; i < n; i++) { /* at least three minutes apart: no time gap joins two events */
		if (i && plans[i].local_time < plans[i - 1].local_time + 180)
			plans[i].local_time = plans[i - 1].local_time + 180;
		plans[i].event.second_of_day = (int)(plans[i].local_time % 86400);
		plans[i].first_file = file;
		file += plans[i].event.n_frames;
	}
}

static void frame_path(char *out, size_t size, const char *dir, const struct plan *p, int f)
{
	snprintf(out, size, "%s%sD%d/IMG_%04d.JPG", dir, *dir ? "/" : "", p->deployment + 1,
		p->first_file + f);
}

static enum status render(struct job *job, struct plan *p, struct canvas *frame, struct err *err)
{
	const struct land *land = &job->lands[p->deployment];
	const struct event *e = &p->event;
	struct scene scene;
	struct sight sight;
	float zoom = (float)job->o->w / 960.0f;
	for (int try = 0; try < MAX_TRIES; try++) { /* an animal that nobody could see is no subject */
		scene_plan(&scene, land, e, try);
		scene_frame(&scene, land, e, 0, frame, &sight);
		if (!scene.n_animals ||
			(sight.seen >= MIN_SEEN_PX * zoom * zoom &&
				sight.contrast >= MIN_CONTRAST * sight.seen))
			break;
	}
	struct rng r = rng_at(e->seed, 6, 0);
	p->night = scene.night;
	p->difficulty = scene.n_animals ? 1.0 : 0.02 + 0.2 * (double)rng_unit(&r);
	for (int f = 0; f < e->n_frames; f++) {
		if (f)
			scene_frame(&scene, land, e, f, frame, &sight);
		if (scene.n_animals)
			p->difficulty = fmin(p->difficulty, scene_difficulty(&sight, scene.night, job->o->w));
		struct shot shot = {.w = frame->w,
			.h = frame->h,
			.rgb = frame->rgb,
			.local_time = p->local_time + e->gap_s[f],
			.latitude_deg = land->latitude_deg,
			.longitude_deg = land->longitude_deg,
			.deployment = p->deployment + 1,
			.temperature_c = (scene.night ? 14 : 26) + (int)(e->seed % 7)};
		camera_strip(&shot);
		char path[4096];
		frame_path(path, sizeof path, job->o->dir, p, f);
		if (camera_write(&shot, path, err) != OK)
			return err->status;
	}
	return OK;
}

static void *work(void *arg)
{
	struct job *job = arg;
	struct canvas frame = canvas_new(job->o->w, job->o->h);
	for (;;) {
		int i = atomic_fetch_add(&job->next, 1);
		if (i >= job->o->n_subjects || atomic_load(&job->failed))
			break;
		struct err err = {0};
		int none = 0;
		if (render(job, &job->plans[i], &frame, &err) != OK &&
			atomic_compare_exchange_strong(&job->failed, &none, 1))
			job->err = err;
	}
	canvas_free(&frame);
	return NULL;
}

static void render_all(struct job *job)
{
	pthread_t threads[16];
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int n = cores < 1 ? 1 : cores > 16 ? 16 : (int)cores, started = 0;
	while (started < n - 1 && !pthread_create(&threads[started], NULL, work, job))
		started++;
	work(job);
	while (started)
		pthread_join(threads[--started], NULL);
}

static void write_manifest(FILE *out, const struct job *job)
{
	fputs("file,deployment,timestamp,event,latitude,longitude\n", out);
	for (int i = 0; i < job->o->n_subjects; i++) {
		const struct plan *p = &job->plans[i];
		const struct land *land = &job->lands[p->deployment];
		for (int f = 0; f < p->event.n_frames; f++) {
			char path[64], when[32], name[32] = "";
			frame_path(path, sizeof path, "", p, f);
			time_t t = p->local_time + p->event.gap_s[f];
			struct tm m;
			gmtime_r(&t, &m);
			strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &m);
			if (p->named)
				snprintf(name, sizeof name, "burst-%d-%04d", p->deployment + 1, p->first_file);
			fprintf(out, "%s,D%d,%s+%02d:00,%s,%.5f,%.5f\n", path, p->deployment + 1, when,
				UTC_OFFSET_H, name, land->latitude_deg, land->longitude_deg);
		}
	}
}

static void write_truth(FILE *out, const struct job *job)
{
	for (int i = 0; i < job->o->n_subjects; i++) {
		const struct plan *p = &job->plans[i];
		char path[64], deployment[16];
		json_t *files = json_array();
		for (int f = 0; f < p->event.n_frames; f++) {
			frame_path(path, sizeof path, "", p, f);
			json_array_append_new(files, json_string(path));
		}
		frame_path(path, sizeof path, "", p, 0);
		snprintf(deployment, sizeof deployment, "D%d", p->deployment + 1);
		int like = taxon_lookalike(p->event.taxon);
		json_t *line = json_pack("{s:s, s:s, s:o, s:s, s:s?, s:f, s:b}", "event", path,
			"deployment", deployment, "files", files, "taxon", taxon_code(p->event.taxon),
			"lookalike", like < 0 ? NULL : taxon_code(like), "difficulty", p->difficulty, "night",
			p->night);
		json_dumpf(line, out, JSON_COMPACT | JSON_REAL_PRECISION(6));
		fputc('\n', out);
		json_decref(line);
	}
}

static enum status write_text(const char *path, const struct job *job,
	void (*writer)(FILE *, const struct job *), struct err *err)
{
	FILE *out = fopen(path, "w");
	if (!out)
		return err_set(err, FAULT, "cannot write %s: %m", path);
	writer(out, job);
	int broken = ferror(out);
	if (fclose(out) || broken)
		return err_set(err, FULL, "cannot write %s: %m", path);
	return OK;
}

static enum status make_folders(const struct scenes_options *o, struct err *err)
{
	char path[4096];
	for (int i = -1; i < o->n_deployments; i++) {
		snprintf(path, sizeof path, i < 0 ? "%s" : "%s/D%d", o->dir, i + 1);
		if (mkdir(path, 0777) && errno != EEXIST)
			return err_set(err, FAULT, "cannot make the folder %s: %m", path);
	}
	return OK;
}

enum status scenes_write(const struct scenes_options *o, int *n_files_out, struct err *err)
{
	if (o->n_subjects < 1 || o->n_subjects > 100000)
		return err_set(err, BAD_INPUT, "%d subjects: it must be 1 to 100000", o->n_subjects);
	if (o->n_deployments < 2 || o->n_deployments > 20)
		return err_set(err, BAD_INPUT, "%d deployments: it must be 2 to 20", o->n_deployments);
	if (o->w < 160 || o->w > 4000 || o->h < 120 || o->h > 3000)
		return err_set(
			err, BAD_INPUT, "size %dx%d: it must lie in 160x120 .. 4000x3000", o->w, o->h);
	if (make_folders(o, err) != OK)
		return err->status;

	struct job job = {.o = o};
	int n = o->n_subjects, d = o->n_deployments, at = 0;
	job.lands = xcalloc((size_t)d, sizeof *job.lands);
	job.plans = xcalloc((size_t)n, sizeof *job.plans);
	for (int i = 0; i < d; i++) {
		int share = n * (i + 1) / d - n * i / d;
		job.lands[i] = land_new(i, d, o->w, o->h, o->seed);
		plan_deployment(job.plans + at, share, i, o->seed);
		at += share;
	}
	render_all(&job);
	*n_files_out = 0;
	for (int i = 0; i < n; i++)
		*n_files_out += job.plans[i].event.n_frames;
	enum status status = job.failed ? err_set(err, job.err.status, "%s", job.err.text) : OK;
	char manifest[4096];
	snprintf(manifest, sizeof manifest, "%s/manifest.csv", o->dir);
	if (status == OK)
		status = write_text(manifest, &job, write_manifest, err);
	if (status == OK)
		status = write_text(o->truth_path, &job, write_truth, err);
	for (int i = 0; i < d; i++)
		land_free(&job.lands[i]);
	free(job.lands);
	free(job.plans);
	return status;
}
