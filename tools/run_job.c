/* Jobs from a command: started, watched, their ends told. */
#include "run_job.h"

#include "command.h"
#include "local_worker.h"
#include "prediction.h"
#include "server.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 200, SWEEP_PIECE = 200 };

struct watch {
	bool terminal, quiet;
	int64_t first_ms, first_done, last_done; /* first: when progress began */
};

static void show(struct watch *w, const struct job *job)
{
	double s = (double)(now_ms() - w->first_ms) / 1000;
	double rate = s > 0 ? (double)(job->n_done - w->first_done) / s : 0;
	double loss = json_number_value(json_object_get(job->progress, "loss"));
	char left[40] = "", more[60] = "";
	if (w->quiet || job->n_done == w->last_done || job->n_total == 0)
		return;
	if (w->last_done < 0) {
		w->first_ms = now_ms();
		w->first_done = job->n_done;
	} else if (rate > 0 && job->n_total > job->n_done) {
		snprintf(left, sizeof left, ", %.0f s left", (double)(job->n_total - job->n_done) / rate);
	}
	if (job->kind == JOB_TRAIN)
		snprintf(more, sizeof more, ", loss %.4f", loss);
	w->last_done = job->n_done;
	fprintf(stderr, "%s%s job %lld: %lld of %lld %s%s, %.1f/s%s%s", w->terminal ? "\r" : "",
		job_kind_name(job->kind), (long long)job->id, (long long)job->n_done,
		(long long)job->n_total, job->kind == JOB_TRAIN ? "epochs" : "subjects", more, rate, left,
		w->terminal ? "   " : "\n");
}

static enum status wait_for(struct db *db, int64_t id, bool quiet, struct err *err)
{
	struct watch w = {.terminal = isatty(STDERR_FILENO), .quiet = quiet, .last_done = -1};
	for (;;) {
		struct job job;
		enum status st = job_get(db, id, &job, err);
		if (st == OK)
			show(&w, &job);
		if (st == OK && job.state == JOB_FAILED)
			st = err_set(err, FAULT, "job %lld failed: %.150s", (long long)id, job.error);
		else if (st == OK && job.state == JOB_CANCELLED)
			st = err_set(err, CONFLICT, "job %lld was cancelled", (long long)id);
		bool ended = st != OK || job.state == JOB_DONE;
		job_release(&job);
		if (ended) {
			if (w.terminal && !quiet && w.last_done >= 0)
				fputc('\n', stderr);
			return st;
		}
		nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
	}
}

static enum status sweep(struct db *db, struct err *err)
{
	int n_swept = 1;
	enum status st = OK;
	while (st == OK && n_swept > 0) {
		st = db_begin(db, err);
		if (st == OK)
			st = prediction_sweep(db, SWEEP_PIECE, now_ms(), &n_swept, err);
		if (st == OK)
			st = db_commit(db, err);
		if (st != OK)
			db_rollback(db);
	}
	return st;
}

enum status run_jobs(const struct run_options *options, const int64_t *ids, int n, struct err *err)
{
	struct server_options so = {.dir = options->dir, .listen = "127.0.0.1:0"};
	struct server *server = NULL;
	struct local_worker *worker = NULL;
	struct db *db = NULL;
	enum status st = server_start(&so, &server, err);
	if (st == OK) {
		struct local_worker_options wo = {.dir = options->dir,
			.url = server_url(server),
			.device = options->device,
			.quiet = true};
		st = local_worker_start(&wo, &worker, err);
	}
	if (st == OK)
		st = db_open(options->dir, DB_WRITE, &db, err);
	for (int i = 0; st == OK && i < n; i++)
		st = wait_for(db, ids[i], options->quiet, err);
	if (st == OK)
		st = sweep(db, err);
	db_close(db);
	local_worker_stop(worker);
	server_stop(server);
	return st;
}
