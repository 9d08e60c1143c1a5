/* The heartbeat: three in a lease, so that two may be lost. */
#include "worker_beat.h"

#include "worker_http.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct beat {
	const struct worker_options *options;
	struct client *client;
	int64_t job_id, batch_id;
	long pause_ms;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool stop, told;
	struct beat_progress progress;
	atomic_bool unwanted;
};

static json_t *body_of(struct beat *b)
{
	json_t *progress = NULL;
	if (b->told)
		progress = json_pack("{s:i, s:i, s:f, s:f, s:f}", "epoch", b->progress.epoch, "n_epochs",
			b->progress.n_epochs, "loss", b->progress.loss, "accuracy", b->progress.accuracy,
			"images_per_s", b->progress.images_per_s);
	return json_pack("{s:s, s:o, s:o}", "worker", b->options->name, "batch",
		b->batch_id ? json_integer(b->batch_id) : json_null(), "progress",
		progress ? progress : json_object());
}

static void send_one(struct beat *b, json_t *body)
{
	char path[100];
	struct err err = {0};
	json_t *reply = NULL;
	snprintf(path, sizeof path, "/api/worker/jobs/%lld/heartbeat", (long long)b->job_id);
	enum status st = client_post(b->client, path, body, &reply, &err);
	if (st == CONFLICT || st == NOT_FOUND || json_is_true(json_object_get(reply, "cancel")))
		atomic_store(&b->unwanted, true);
	json_decref(reply);
}

static void *beat_main(void *arg)
{
	struct beat *b = arg;
	pthread_mutex_lock(&b->mutex);
	while (!b->stop) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += b->pause_ms / 1000;
		until.tv_nsec += b->pause_ms % 1000 * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		while (!b->stop && pthread_cond_timedwait(&b->wake, &b->mutex, &until) == 0)
			continue;
		if (b->stop)
			break;
		json_t *body = body_of(b);
		pthread_mutex_unlock(&b->mutex);
		send_one(b, body);
		json_decref(body);
		pthread_mutex_lock(&b->mutex);
	}
	pthread_mutex_unlock(&b->mutex);
	return NULL;
}

enum status beat_start(const struct worker_options *options, int64_t job_id, int64_t batch_id,
	double lease_s, struct beat **out, struct err *err)
{
	pthread_condattr_t attr;
	struct beat *b = xcalloc(1, sizeof *b);
	b->options = options;
	b->job_id = job_id;
	b->batch_id = batch_id;
	b->pause_ms = lease_s * 1000 / 3 < 50 ? 50 : (long)(lease_s * 1000 / 3);
	pthread_mutex_init(&b->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->wake, &attr);
	pthread_condattr_destroy(&attr);
	enum status st = client_open(options, 0, &b->client, err);
	if (st == OK && pthread_create(&b->thread, NULL, beat_main, b) != 0)
		st = err_set(err, FAULT, "no thread for heartbeats");
	if (st != OK) {
		client_close(b->client);
		free(b);
		return st;
	}
	*out = b;
	return OK;
}

void beat_stop(struct beat *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->mutex);
	b->stop = true;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->mutex);
	pthread_join(b->thread, NULL);
	client_close(b->client);
	pthread_mutex_destroy(&b->mutex);
	pthread_cond_destroy(&b->wake);
	free(b);
}

void beat_tell(struct beat *b, const struct beat_progress *progress)
{
	pthread_mutex_lock(&b->mutex);
	b->progress = *progress;
	b->told = true;
	pthread_mutex_unlock(&b->mutex);
}

bool beat_unwanted(const struct beat *b)
{
	return atomic_load(&b->unwanted);
}
