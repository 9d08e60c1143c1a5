/* topi train: queues a training and, unless a running server's workers are to do it, runs it. */
#include "commands.h"
#include "net.h"
#include "model_file.h"
#include "project.h"
#include "run_job.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct options {
	const char *dir, *project, *arch, *from, *mode, *epochs, *seed, *device;
	bool queue, json;
};

static enum status read_options(int argc, char **argv, struct options *o, struct err *err)
{
	*o = (struct options){.device = "auto"};
	for (int i = 1; i < argc; i++) {
		const char **value = strcmp(argv[i], "--arch") == 0 ? &o->arch
			: strcmp(argv[i], "--from") == 0                ? &o->from
			: strcmp(argv[i], "--mode") == 0                ? &o->mode
			: strcmp(argv[i], "--epochs") == 0              ? &o->epochs
			: strcmp(argv[i], "--seed") == 0                ? &o->seed
			: strcmp(argv[i], "--device") == 0              ? &o->device
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
			return err_set(err, BAD_INPUT, "train does not know '%.60s' here", argv[i]);
		else
			*(o->dir ? &o->project : &o->dir) = argv[i];
	}
	if (!o->project)
		return err_set(err, BAD_INPUT, "train takes a data directory and a project");
	if (!o->mode)
		o->mode = o->from ? "head" : "full";
	if (strcmp(o->mode, "head") != 0 && strcmp(o->mode, "full") != 0)
		return err_set(err, BAD_INPUT, "--mode is '%.40s': head or full is wanted", o->mode);
	if (o->arch && !net_arch_find(o->arch))
		return err_set(err, BAD_INPUT, "--arch is '%.40s': no such net is known", o->arch);
	if (!o->from && !o->arch)
		o->arch = "resnet18";
	return OK;
}

static enum status enqueue(struct db *db, const struct options *o, struct train_request *request,
	int64_t *id, struct err *err)
{
	int64_t project = 0;
	enum status st = project_find(db, o->project, &project, err);
	if (st == OK && o->from && access(o->from, F_OK) == 0)
		st = model_file_import(db, project, o->from, NULL, true, &request->parent_id, err);
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

int cmd_train(int argc, char **argv)
{
	struct err err = {0};
	struct options o;
	struct db *db = NULL;
	int64_t id = 0;
	enum status st = read_options(argc, argv, &o, &err);
	struct train_request request = {.arch = o.arch, .head = o.mode && strcmp(o.mode, "head") == 0};
	if (st == OK && o.epochs)
		st = parse_int("--epochs", o.epochs, 1, 10000, &request.n_epochs, &err);
	if (st == OK && o.seed)
		st = parse_int("--seed", o.seed, 0, INT64_MAX, &request.seed, &err);
	if (st != OK)
		return cmd_usage("%s", err.text);
	st = db_open(o.dir, DB_WRITE, &db, &err);
	if (st == OK)
		st = enqueue(db, &o, &request, &id, &err);
	if (st == OK && !o.queue)
		st = run_jobs(
			&(struct run_options){.dir = o.dir, .device = o.device, .quiet = o.json}, &id, 1, &err);
	if (st == OK)
		st = print_result(db, id, o.json, &err);
	db_close(db);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}
