/* topi train: queues a training and, unless a running server's workers are to do it, runs it. */
#include "commands.h"
#include "net.h"
#include "model_file.h"
#include "project.h"
#include "recipe.h"
#include "run_job.h"
#include "worker.h"
#include "worker_here.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	const char *dir, *project, *arch, *from, *mode, *device, *recipe_file;
	char *recipe; /* the file's text */
	bool queue, json;
};

enum {
	OPTION_ARCH = 1,
	OPTION_FROM,
	OPTION_MODE,
	OPTION_EPOCHS,
	OPTION_SEED,
	OPTION_DEVICE,
	OPTION_RECIPE,
	OPTION_QUEUE,
	OPTION_JSON,
};

static const struct option options[] = {
	{"arch", required_argument, NULL, OPTION_ARCH},
	{"from", required_argument, NULL, OPTION_FROM},
	{"mode", required_argument, NULL, OPTION_MODE},
	{"epochs", required_argument, NULL, OPTION_EPOCHS},
	{"seed", required_argument, NULL, OPTION_SEED},
	{"device", required_argument, NULL, OPTION_DEVICE},
	{"recipe", required_argument, NULL, OPTION_RECIPE},
	{"queue", no_argument, NULL, OPTION_QUEUE},
	{"json", no_argument, NULL, OPTION_JSON},
	{0},
};

/* The words as they stand; *request gets the numbers. */
static enum status read_words(
	int argc, char **argv, struct options *o, struct train_request *request, struct err *err)
{
	enum status st = OK;
	opterr = 0;
	optind = 0; /* glibc: start afresh, whatever was parsed before */
	for (int option; st == OK && (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
		switch (option) {
		case OPTION_ARCH:
			o->arch = optarg;
			break;
		case OPTION_FROM:
			o->from = optarg;
			break;
		case OPTION_MODE:
			o->mode = optarg;
			break;
		case OPTION_EPOCHS:
			st = parse_int("--epochs", optarg, 1, 10000, &request->n_epochs, err);
			break;
		case OPTION_SEED:
			st = parse_int("--seed", optarg, 0, INT64_MAX, &request->seed, err);
			break;
		case OPTION_DEVICE:
			o->device = optarg;
			break;
		case OPTION_RECIPE:
			o->recipe_file = optarg;
			break;
		case OPTION_QUEUE:
			o->queue = true;
			break;
		case OPTION_JSON:
			o->json = true;
			break;
		case ':':
			return err_set(err, BAD_INPUT, "%.60s needs a value", argv[optind - 1]);
		default:
			return err_set(err, BAD_INPUT, "train does not know %.60s", argv[optind - 1]);
		}
	}
	return st;
}

/* A recipe's file, checked here so that what is wrong in it is told before a job is queued. */
static enum status read_recipe(const char *path, char **out, struct err *err)
{
	enum { MAX_BYTES = 65536 };
	struct recipe recipe;
	struct err why = {0};
	FILE *in = fopen(path, "re");
	if (!in)
		return err_set(err, NOT_FOUND, "%.120s: %s", path, strerror(errno));
	*out = xcalloc(1, MAX_BYTES + 1);
	size_t n = fread(*out, 1, MAX_BYTES, in);
	enum status st = OK;
	if (ferror(in))
		st = err_set(err, BAD_INPUT, "%.120s: %s", path, strerror(errno));
	else if (n == MAX_BYTES)
		st = err_set(err, TOO_LARGE, "%.120s: a recipe of 64 KiB or more", path);
	else if (recipe_read(*out, &recipe_default, &recipe, &why) != OK)
		st = err_set(err, why.status, "%.80s: %.110s", path, why.text);
	fclose(in);
	return st;
}

static enum status read_options(
	int argc, char **argv, struct options *o, struct train_request *request, struct err *err)
{
	*o = (struct options){.device = "auto"};
	*request = (struct train_request){0};
	enum status st = read_words(argc, argv, o, request, err);
	if (st != OK)
		return st;
	if (argc - optind != 2)
		return err_set(err, BAD_INPUT, "train takes a data directory and a project");
	o->dir = argv[optind];
	o->project = argv[optind + 1];
	if (!o->mode)
		o->mode = o->from ? "head" : "full";
	if (strcmp(o->mode, "head") != 0 && strcmp(o->mode, "full") != 0)
		return err_set(err, BAD_INPUT, "--mode is '%.40s': head or full is wanted", o->mode);
	if (o->arch && !net_arch_find(o->arch))
		return err_set(err, BAD_INPUT, "--arch is '%.40s': no such net is known", o->arch);
	if (!o->from && !o->arch)
		o->arch = "resnet18";
	request->arch = o->arch;
	request->head = strcmp(o->mode, "head") == 0;
	return parse_device(o->device, err);
}

static enum status enqueue(struct db *db, const struct options *o, struct train_request *request,
	int64_t *id, struct err *err)
{
	int64_t project = 0;
	enum status st = project_find(db, o->project, &project, err);
	if (st == OK && o->from && access(o->from, F_OK) == 0)
		st = model_file_import(db, project, o->from, NULL, true, false, &request->parent_id, err);
	else if (st == OK && o->from)
		st = registry_find(db, project, o->from, &request->parent_id, err);
	if (st == OK)
		st = db_begin(db, err);
	if (st == OK)
		st = job_add_train(db, project, request, now_ms(), id, err);
	if (st == OK)
		st = db_commit(db, err);
	if (st != OK)
		db_rollback(db);
	return st;
}

static enum status print_result(struct db *db, int64_t id, bool json, struct err *err)
{
	struct job job;
	struct registry_model model = {0};
	enum status st = job_get(db, id, &job, err);
	if (st == OK && job.model_id)
		st = registry_get(db, job.model_id, &model, err);
	if (st == OK && json) {
		json_t *out = json_pack(
			"{s:I, s:s}", "job", (json_int_t)id, "state", job_state_name(job.state));
		if (job.model_id)
			json_object_set_new(out, "model",
				json_pack("{s:I, s:s, s:O, s:I}", "id", (json_int_t)model.id, "name", model.name,
					"report", model.report, "n_trained_on", (json_int_t)model.n_trained_on));
		json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
		putchar('\n');
		json_decref(out);
	} else if (st == OK && job.model_id) {
		printf("model %s, trained on %lld subjects: accuracy %.3f (95 %% %.3f to %.3f) on %lld "
			   "held-out "
			   "subjects\npromote it with `topi model promote`\n",
			model.name, (long long)model.n_trained_on,
			json_number_value(json_object_get(model.report, "accuracy")),
			json_number_value(json_object_get(model.report, "low")),
			json_number_value(json_object_get(model.report, "high")),
			(long long)json_integer_value(json_object_get(model.report, "n")));
	} else if (st == OK) {
		printf("job %lld is queued\n", (long long)id);
	}
	registry_release(&model);
	job_release(&job);
	return st;
}

/* A rank other than 0: the same command, which trains along and queues nothing. */
static enum status follow(const struct options *o, const struct ranks_place *place, struct err *err)
{
	char cache[900], device[20];
	struct ranks *ranks = NULL;
	enum status st = worker_cache_dir(cache, sizeof cache, err);
	if (st == OK)
		st = ranks_meet(place, o->json, &ranks, err);
	struct worker_options w = {.device = o->device,
		.media = o->dir,
		.cache = cache,
		.ranks = ranks,
		.stop = worker_stop_on_signal()};
	ranks_device(place, &w.device, device, sizeof device);
	if (st == OK)
		st = worker_follow(&w, err);
	ranks_close(ranks);
	return st;
}

int cmd_train(int argc, char **argv)
{
	struct err err = {0};
	struct options o;
	struct db *db = NULL;
	int64_t id = 0;
	struct train_request request;
	if (read_options(argc, argv, &o, &request, &err) != OK)
		return cmd_usage("%s", err.text);
	struct ranks_place place;
	enum status st = ranks_place(&place, &err);
	if (st == OK && o.recipe_file)
		st = read_recipe(o.recipe_file, &o.recipe, &err);
	request.recipe = o.recipe;
	if (st == OK && !o.queue && place.rank > 0) {
		st = follow(&o, &place, &err);
		free(o.recipe);
		return st == OK ? EXIT_DONE : cmd_fail(&err);
	}
	if (st == OK)
		st = db_open(o.dir, DB_WRITE, &db, &err);
	if (st == OK)
		st = enqueue(db, &o, &request, &id, &err);
	if (st == OK && !o.queue)
		st = run_jobs(
			&(struct run_options){.dir = o.dir, .device = o.device, .quiet = o.json}, &id, 1, &err);
	if (st == OK)
		st = print_result(db, id, o.json, &err);
	db_close(db);
	free(o.recipe);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}
