/* Leases and errands (worker_lease.h). */
#include "worker_lease.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64 }; /* subjects: two runs of a CPU's engine, and little is lost with a worker */

static void release(struct lease *lease)
{
	beat_stop(lease->beat);
	json_decref(lease->results);
	json_decref(lease->reply);
	*lease = (struct lease){0};
}

enum status lease_take(
	const struct worker_options *options, struct client *client, struct lease *out, struct err *err)
{
	json_t *body = json_pack("{s:s, s:i}", "worker", options->name, "n", BATCH);
	enum status st = body ? client_post(client, "/api/worker/lease", body, &out->reply, err)
						  : err_set(err, BAD_INPUT, "the worker's name is not UTF-8");
	json_t *job = json_object_get(out->reply, "job");
	json_decref(body);
	if (st == OK && json_is_object(job))
		st = beat_start(options, json_integer_value(json_object_get(job, "id")),
			json_integer_value(json_object_get(job, "batch")),
			json_number_value(json_object_get(job, "lease_s")), &out->beat, err);
	if (st != OK) {
		release(out);
		return st;
	}
	out->job = json_is_object(job) ? job : NULL;
	out->is_pending = json_is_true(json_object_get(out->reply, "pending"));
	return OK;
}

static void give_up(const struct worker_options *options, struct client *client, const json_t *job,
	enum status why, const char *words)
{
	char path[100];
	struct err err = {0};
	json_t *body = json_pack("{s:s, s:s%, s:b}", "worker", options->name, "error", words,
		strlen(words), "final", why == BAD_INPUT);
	if (!body)
		body = json_pack(
			"{s:s, s:s}", "worker", options->name, "error", "words that are not UTF-8");
	snprintf(path, sizeof path, "/api/worker/jobs/%lld/fail",
		(long long)json_integer_value(json_object_get(job, "id")));
	if (client_post(client, path, body, NULL, &err) != OK && !options->quiet)
		fprintf(stderr, "topi worker: %s\n", err.text);
	json_decref(body);
}

enum status lease_finish(const struct worker_options *options, struct client *client,
	struct lease *lease, enum status status, struct err *err)
{
	const char *kind = json_string_value(json_object_get(lease->job, "kind"));
	long long id = json_integer_value(json_object_get(lease->job, "id"));
	char path[100];
	snprintf(path, sizeof path, "/api/worker/jobs/%lld/predictions", id);
	if (status == OK && lease->results)
		status = client_post(client, path, lease->results, NULL, err);
	if (lease->job && !options->quiet)
		fprintf(stderr, "topi worker: job %lld (%s): %s\n", id, kind ? kind : "",
			status == OK ? "done" : err->text);
	if (status != OK && status != CONFLICT && status != DENIED && !atomic_load(options->stop))
		give_up(options, client, lease->job, status, err->text);
	release(lease);
	return status;
}

struct errand {
	const struct worker_options *options;
	struct client *client;
	struct lease *last, *next;
	pthread_t thread;
	enum status status;
	struct err err;
};

static void *errand_main(void *arg)
{
	struct errand *e = arg;
	e->status = lease_finish(e->options, e->client, e->last, OK, &e->err);
	if (e->status != DENIED && !atomic_load(e->options->stop))
		e->status = lease_take(e->options, e->client, e->next, &e->err);
	return NULL;
}

enum status errand_start(const struct worker_options *options, struct lease *last,
	struct lease *next, struct errand **out, struct err *err)
{
	struct errand *e = xcalloc(1, sizeof *e);
	*e = (struct errand){.options = options, .last = last, .next = next};
	enum status st = client_open(options, worker_patience_s(options), &e->client, err);
	if (st == OK && pthread_create(&e->thread, NULL, errand_main, e) != 0)
		st = err_set(err, FAULT, "no thread to ask the server from");
	if (st != OK) {
		client_close(e->client);
		free(e);
		return st;
	}
	*out = e;
	return OK;
}

enum status errand_end(struct errand *e, struct err *err)
{
	if (!e)
		return OK;
	pthread_join(e->thread, NULL);
	enum status st = e->status == DENIED ? err_set(err, DENIED, "%s", e->err.text) : OK;
	client_close(e->client);
	free(e);
	return st;
}
