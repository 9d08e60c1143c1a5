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

static enum status make_project(struct loop *l, struct err *err)
{
	char crop[16], manifest[1100];
	snprintf(crop, sizeof crop, "%d", STRIP_PX);
	snprintf(manifest, sizeof manifest, "%s/manifest.csv", l->photos);
	enum status st = loop_topi(l, NULL, err, "init", l->data, NULL);
	if (st == OK)
		st = loop_topi(l, NULL, err, "project", "add", l->data, l->o->project, NULL);
	if (st == OK)
		st = loop_topi(l, NULL, err, "import", l->data, l->slug, l->photos, "--manifest", manifest,
			"--crop-bottom", crop, "--utc-offset", "+03:00", NULL);
	if (st == OK)
		st = loop_topi(
			l, NULL, err, "deployment", "set", l->data, l->slug, "D6", "--holdout", "on", NULL);
	if (st == OK)
		st = add_users(l, err);
	if (st == OK)
		loop_say(l, "imported, three accounts");
	return st;
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

static enum status draw_gold(struct loop *l, struct err *err)
{
	char n_certify[16], n_train[16], seed[32];
	snprintf(n_certify, sizeof n_certify, "%d", l->o->n_certify);
	snprintf(n_train, sizeof n_train, "%d", l->o->n_train);
	snprintf(seed, sizeof seed, "%llu", (unsigned long long)l->o->seed);
	enum status st = loop_topi(l, NULL, err, "gold", "draw", l->data, l->slug, "--n", n_certify,
		"--purpose", "certify", "--seed", seed, NULL);
	if (st == OK)
		st = loop_topi(l, NULL, err, "gold", "draw", l->data, l->slug, "--n", n_train, "--purpose",
			"train-people", "--not-holdout", "--seed", seed, NULL);
	if (st == OK)
		st = label_gold(l, err);
	if (st == OK)
		loop_say(l, "%d subjects drawn and labelled by the expert", l->result.n_expert_gold);
	return st;
}

/* What the people know: the truth by subject id. */
static enum status learn_subjects(struct loop *l, struct err *err)
{
	struct table table;
	enum status st = loop_table(l, l->data, &table, err);
	if (st == OK) {
		l->people.n_subjects = table.max_id + 1;
		l->subjects = xcalloc((size_t)l->people.n_subjects, sizeof *l->subjects);
		l->people.answers = xcalloc((size_t)l->people.n_subjects, sizeof *l->people.answers);
		for (int i = 0; i < table.n; i++)
			l->subjects[table.rows[i].id] = crowd_subject_of(table.rows[i].truth);
		l->people.subjects = l->subjects;
	}
	table_release(&table);
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
		st = draw_gold(l, err);
	if (st == OK)
		st = learn_subjects(l, err);
	FILE *mark = st == OK ? fopen(ready, "w") : NULL;
	if (mark)
		fclose(mark);
	return st;
}
