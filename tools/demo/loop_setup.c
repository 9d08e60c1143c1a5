/* From nothing to a project that waits for its first model. */
#include "loop.h"

#include "scenes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STRIP_PX = 29, WIDTH = 960, HEIGHT = 720 };

static enum status make_scenes(struct loop *l, struct err *err)
{
	struct scenes_options scenes = {.dir = l->photos,
		.truth_path = l->truth_path,
		.n_subjects = l->o->n_subjects,
		.n_deployments = 6,
		.w = WIDTH,
		.h = HEIGHT,
		.seed = l->o->seed};
	enum status st = scenes_write(&scenes, &l->result.n_images, err);
	if (st == OK)
		loop_say(l, "scenes: %d subjects, %d photographs", l->o->n_subjects, l->result.n_images);
	return st;
}

static enum status add_user(
	struct loop *l, const char *name, const char *file, const char *role, struct err *err)
{
	if (!strcmp(role, "admin"))
		return loop_topi(
			l, NULL, err, "user", "add", l->data, name, "--admin", "--password-file", file, NULL);
	if (!*role)
		return loop_topi(l, NULL, err, "user", "add", l->data, name, "--password-file", file, NULL);
	return loop_topi(l, NULL, err, "user", "add", l->data, name, "--role", role, "--project",
		l->slug, "--password-file", file, NULL);
}

static enum status add_users(struct loop *l, struct err *err)
{
	char path[1100];
	snprintf(path, sizeof path, "%s/password.txt", l->o->dir);
	FILE *out = fopen(path, "w");
	if (!out)
		return err_set(err, FAULT, "cannot write %s: %m", path);
	fputs(LOOP_PASSWORD "\n", out);
	fclose(out);
	enum status st = add_user(l, "admin", path, "admin", err);
	if (st == OK)
		st = add_user(l, "expert", path, "expert", err);
	return st == OK ? add_user(l, "volunteer", path, "", err) : st;
}

/* Events of a deployment before the n-th that come with the first wave. */
static int n_first(const struct loop *l, int n_events)
{
	return (int)(l->o->first_wave * n_events + 0.5);
}

/* The manifest's rows of one wave: the truth has a deployment's events in order of time, and the manifest its files. */
static enum status write_wave(struct loop *l, int wave, char path[1100], struct err *err)
{
	char line[400], whole[1100];
	int n_events[32] = {0}, at[32] = {0};
	snprintf(whole, sizeof whole, "%s/manifest.csv", l->photos);
	snprintf(path, 1100, "%s/wave-%d.csv", l->photos, wave + 1);
	FILE *in = fopen(whole, "r"), *out = fopen(path, "w");
	bool ok = in && out && fgets(line, sizeof line, in) && fputs(line, out) >= 0;
	for (int i = 0; i < l->truth.n; i++)
		n_events[l->truth.rows[i].deployment % 32]++;
	for (int i = 0; ok && i < l->truth.n; i++) {
		const struct truth_row *row = &l->truth.rows[i];
		int d = row->deployment % 32, is_second = at[d]++ >= n_first(l, n_events[d]);
		for (int f = 0; ok && f < row->n_files; f++) {
			ok = fgets(line, sizeof line, in) &&
				!strncmp(line, row->files[f], strlen(row->files[f]));
			if (ok && is_second == wave)
				fputs(line, out);
		}
	}
	if (in)
		fclose(in);
	if (out && fclose(out))
		ok = false;
	return ok ? OK : err_set(err, FAULT, "cannot write %.150s", path);
}

static enum status import_wave(struct loop *l, int wave, struct err *err)
{
	char crop[16], manifest[1100];
	snprintf(crop, sizeof crop, "%d", STRIP_PX);
	enum status st = write_wave(l, wave, manifest, err);
	if (st == OK)
		st = loop_topi(l, NULL, err, "import", l->data, l->slug, l->photos, "--manifest", manifest,
			"--crop-bottom", crop, "--utc-offset", "+03:00", NULL);
	if (st == OK)
		loop_say(l, "imported");
	return st;
}

/* What volunteers read lies beside the project's file. */
static enum status take_pages(struct loop *l, struct err *err)
{
	char path[1100];
	const char *slash = strrchr(l->o->project, '/');
	snprintf(path, sizeof path, "%.*s/pages", slash ? (int)(slash - l->o->project) : 1,
		slash ? l->o->project : ".");
	return loop_topi(l, NULL, err, "project", "pages", l->data, l->slug, path, NULL);
}

static enum status make_project(struct loop *l, struct err *err)
{
	enum status st = loop_topi(l, NULL, err, "init", l->data, NULL);
	if (st == OK)
		st = loop_topi(l, NULL, err, "project", "add", l->data, l->o->project, NULL);
	if (st == OK)
		st = take_pages(l, err);
	if (st == OK)
		st = import_wave(l, 0, err);
	if (st == OK)
		st = loop_topi(
			l, NULL, err, "deployment", "set", l->data, l->slug, "D6", "--holdout", "on", NULL);
	return st == OK ? add_users(l, err) : st;
}

/* The expert's label of every subject that a draw picked and nobody has labelled. */
static enum status label_gold(struct loop *l, struct err *err)
{
	struct table table;
	char path[1100];
	snprintf(path, sizeof path, "%s/gold.csv", l->o->dir);
	enum status st = loop_table(l, l->data, &table, err);
	FILE *out = st == OK ? fopen(path, "w") : NULL;
	if (st == OK && !out)
		st = err_set(err, FAULT, "cannot write %s: %m", path);
	if (out) {
		fputs("subject,label\n", out);
		for (int i = 0; i < table.n; i++)
			if (*table.rows[i].gold && table.rows[i].label < 0) {
				fprintf(out, "%lld,%s\n", (long long)table.rows[i].id,
					taxon_code(table.rows[i].truth->taxon));
				l->result.n_expert_gold++;
			}
		fclose(out);
	}
	table_release(&table);
	return st == OK ? loop_topi(l, NULL, err, "gold", "add", l->data, l->slug, path, NULL) : st;
}

static enum status draw(
	struct loop *l, int n, const char *purpose, const char *where, struct err *err)
{
	char count[16], seed[32];
	snprintf(count, sizeof count, "%d", n);
	snprintf(seed, sizeof seed, "%llu", (unsigned long long)l->o->seed);
	return loop_topi(l, NULL, err, "gold", "draw", l->data, l->slug, "--n", count, "--purpose",
		purpose, "--seed", seed, where, NULL);
}

/* What the people know: the truth by subject id. */
static enum status learn_subjects(struct loop *l, struct err *err)
{
	struct table table;
	enum status st = loop_table(l, l->data, &table, err);
	if (st == OK) {
		int64_t before = l->people.n_subjects, now = table.max_id + 1;
		l->subjects = xrealloc(l->subjects, (size_t)now * sizeof *l->subjects);
		l->people.answers = xrealloc(l->people.answers, (size_t)now * sizeof *l->people.answers);
		for (int64_t i = before; i < now; i++) {
			l->subjects[i] = (struct crowd_subject){0};
			atomic_init(&l->people.answers[i], 0);
		}
		for (int i = 0; i < table.n; i++)
			l->subjects[table.rows[i].id] = crowd_subject_of(table.rows[i].truth);
		l->people.subjects = l->subjects;
		l->people.n_subjects = now;
		l->n_known = table.n;
	}
	table_release(&table);
	return st;
}

static enum status first_gold(struct loop *l, struct err *err)
{
	enum status st = draw(l, n_first(l, l->o->n_certify), "certify", NULL, err);
	if (st == OK)
		st = draw(l, l->o->n_train, "train-people", "--not-holdout", err);
	if (st == OK)
		st = label_gold(l, err);
	if (st == OK)
		loop_say(l, "%d subjects drawn and labelled by the expert", l->result.n_expert_gold);
	return st;
}

enum status loop_next_wave(struct loop *l, struct err *err)
{
	int n = l->o->n_certify - n_first(l, l->o->n_certify);
	enum status st = import_wave(l, 1, err);
	if (st == OK)
		st = draw(l, n, "certify", NULL, err);
	if (st == OK)
		st = label_gold(l, err);
	if (st == OK)
		st = learn_subjects(l, err);
	if (st == OK && l->n_known != l->truth.n)
		st = err_set(err, FAULT, "%d subjects were imported, %d are true", l->n_known, l->truth.n);
	if (st == OK)
		loop_say(l, "the rest is in: %d subjects, %d gold", l->n_known, l->result.n_expert_gold);
	return st;
}

static enum status read_slug(struct loop *l, struct err *err)
{
	json_t *project = json_load_file(l->o->project, 0, NULL);
	const char *slug = json_string_value(json_object_get(project, "slug"));
	snprintf(l->slug, sizeof l->slug, "%s", slug ? slug : "");
	json_decref(project);
	return *l->slug ? OK : err_set(err, BAD_INPUT, "%s is no project file", l->o->project);
}

enum status loop_setup(struct loop *l, const struct loop_options *o, struct err *err)
{
	char ready[1100];
	l->o = o;
	l->start_s = loop_seconds();
	snprintf(l->photos, sizeof l->photos, "%s/photos", o->dir);
	snprintf(l->truth_path, sizeof l->truth_path, "%s/truth.jsonl", o->dir);
	snprintf(l->data, sizeof l->data, "%s/data", o->dir);
	snprintf(l->log, sizeof l->log, "%s/log.txt", o->dir);
	snprintf(ready, sizeof ready, "%s/ready", o->dir);
	mkdir(o->dir, 0777); /* where it cannot be made, the photographs' folder tells why */
	enum status st = read_slug(l, err);
	l->people.slug = l->slug;
	l->people.seed = o->seed;
	if (st == OK && access(ready, F_OK) == 0)
		return OK; /* set up before */
	if (st == OK)
		st = make_scenes(l, err);
	if (st == OK)
		st = truth_load(&l->truth, l->truth_path, err);
	if (st == OK)
		st = make_project(l, err);
	if (st == OK)
		st = first_gold(l, err);
	if (st == OK)
		st = learn_subjects(l, err);
	FILE *mark = st == OK ? fopen(ready, "w") : NULL;
	if (mark)
		fclose(mark);
	return st;
}
