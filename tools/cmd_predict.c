/* topi predict: queues the prediction of what a model has not seen and, unless told otherwise, runs it. */
#include "commands.h"
#include "project.h"
#include "registry.h"
#include "run_job.h"

#include <stdio.h>
#include <string.h>

struct options {
	const char *dir, *project, *model, *device;
	bool queue, json;
};

static enum status read_options(int argc, char **argv, struct options *o, struct err *err)
{
	*o = (struct options){.device = "auto"};
	for (int i = 1; i < argc; i++) {
		const char **value = strcmp(argv[i], "--model") == 0 ? &o->model
			: strcmp(argv[i], "--device") == 0               ? &o->device
															 : NULL;
		if (value && i + 1 == argc)
			return err_set(err, BAD_INPUT, "%s wants a value", argv[i]);
		if (value)
			*value = argv[++i];
		else if (strcmp(argv[i], "--queue") == 0)
			o->queue = true;
		else if (strcmp(argv[i], "--json") == 0)
			o->json = true;
		else if (argv[i][0] == '-' || o->project)
			return err_set(err, BAD_INPUT, "predict does not know '%.60s' here", argv[i]);
		else
			*(o->dir ? &o->project : &o->dir) = argv[i];
	}
	return o->project ? OK
					  : err_set(err, BAD_INPUT, "predict takes a data directory and a project");
}

static enum status enqueue(struct db *db, const struct options *o, int64_t *id, struct err *err)
{
	struct project project = {0};
	int64_t project_id = 0, model_id = 0;
	enum status st = project_find(db, o->project, &project_id, err);
	if (st == OK)
		st = project_load(db, project_id, &project, err);
	if (st == OK && o->model)
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
