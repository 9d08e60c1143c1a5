/* topi predict: queues the prediction of what a model has not seen and, unless told otherwise, runs it. */
#include "commands.h"
#include "model_file.h"
#include "project.h"
#include "registry.h"
#include "run_job.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

struct options {
	const char *dir, *project, *model, *device;
	bool queue, json;
};

enum { OPTION_MODEL = 1, OPTION_DEVICE, OPTION_QUEUE, OPTION_JSON };

static const struct option options[] = {
	{"model", required_argument, NULL, OPTION_MODEL},
	{"device", required_argument, NULL, OPTION_DEVICE},
	{"queue", no_argument, NULL, OPTION_QUEUE},
	{"json", no_argument, NULL, OPTION_JSON},
	{0},
};

static enum status read_options(int argc, char **argv, struct options *o, struct err *err)
{
	*o = (struct options){.device = "auto"};
	opterr = 0;
	optind = 0; /* glibc: start afresh, whatever was parsed before */
	for (int option; (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
		switch (option) {
		case OPTION_MODEL:
			o->model = optarg;
			break;
		case OPTION_DEVICE:
			o->device = optarg;
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
			return err_set(err, BAD_INPUT, "predict does not know %.60s", argv[optind - 1]);
		}
	}
	if (argc - optind != 2)
		return err_set(err, BAD_INPUT, "predict takes a data directory and a project");
	o->dir = argv[optind];
	o->project = argv[optind + 1];
	return parse_device(o->device, err);
}

static enum status enqueue(struct db *db, const struct options *o, int64_t *id, struct err *err)
{
	struct project project = {0};
	int64_t project_id = 0, model_id = 0;
	enum status st = project_find(db, o->project, &project_id, err);
	if (st == OK)
		st = project_load(db, project_id, &project, err);
	if (st == OK && o->model && strchr(o->model, ','))
		st = model_file_ensemble(db, project_id, o->model, NULL, &model_id, err);
	else if (st == OK && o->model)
		st = registry_find(db, project_id, o->model, &model_id, err);
	else if (st == OK && !(model_id = project.model_id))
		st = err_set(err, CONFLICT,
			"the project has no current model: name one with --model or promote one");
	if (st == OK)
		st = db_begin(db, err);
	if (st == OK)
		st = job_add_predict(db, model_id, false, now_ms(), id, err);
	if (st == OK)
		st = db_commit(db, err);
	if (st != OK)
		db_rollback(db);
	project_release(&project);
	return st;
}

int cmd_predict(int argc, char **argv)
{
	struct err err = {0};
	struct options o;
	struct db *db = NULL;
	struct job job = {0};
	int64_t id = 0;
	if (read_options(argc, argv, &o, &err) != OK)
		return cmd_usage("%s", err.text);
	enum status st = db_open(o.dir, DB_WRITE, &db, &err);
	if (st == OK)
		st = enqueue(db, &o, &id, &err);
	if (st == OK && !o.queue)
		st = run_jobs(
			&(struct run_options){.dir = o.dir, .device = o.device, .quiet = o.json}, &id, 1, &err);
	if (st == OK)
		st = job_get(db, id, &job, &err);
	if (st == OK)
		printf(o.json ? "{\"job\":%lld,\"state\":\"%s\",\"n_done\":%lld}\n"
					  : "job %lld is %s: %lld subjects\n",
			(long long)id, job_state_name(job.state), (long long)job.n_done);
	job_release(&job);
	db_close(db);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}
