/*
 * The worker's loop: ask for work, do it, ask again. What goes wrong with a job is told to the server, which hands it to
 * somebody else; the worker goes on.
 */
#include "worker_job.h"

#include <curl/curl.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLL_MS = 1000, MAX_POLL_MS = 8000 };

static bool file_has_hash(const char *path, const char *sha256)
{
	crypto_hash_sha256_state state;
	unsigned char hash[crypto_hash_sha256_BYTES], chunk[8192];
	char hex[65];
	size_t n;
	FILE *in = fopen(path, "rbe");
	if (!in)
		return false;
	crypto_hash_sha256_init(&state);
	while ((n = fread(chunk, 1, sizeof chunk, in)) > 0)
		crypto_hash_sha256_update(&state, chunk, n);
	bool ok = !ferror(in);
	fclose(in);
	crypto_hash_sha256_final(&state, hash);
	sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
	return ok && strcmp(hex, sha256) == 0;
}

enum status worker_model(struct worker *w, const char *sha256, char *path, struct err *err)
{
	char from[200];
	if (strlen(sha256) != 64 || strspn(sha256, "0123456789abcdef") != 64)
		return err_set(err, BAD_INPUT, "'%.70s' is no hash of a model", sha256);
	if (w->options->media) {
		snprintf(path, WORKER_PATH, "%.900s/models/%s.safetensors", w->options->media, sha256);
		if (access(path, R_OK) == 0)
			return OK;
	}
	if (!w->client)
		return err_set(err, NOT_FOUND, "model %.12s is not in %.120s", sha256,
			w->options->media ? w->options->media : "a data directory");
	snprintf(path, WORKER_PATH, "%.900s/%s.safetensors", w->options->cache, sha256);
	if (file_has_hash(path, sha256))
		return OK;
	snprintf(from, sizeof from, "/api/worker/models/%s", sha256);
	enum status st = client_get_file(w->client, from, path, err);
	if (st == OK && !file_has_hash(path, sha256)) {
		unlink(path);
		st = err_set(err, BUSY, "model %.12s came broken", sha256);
	}
	return st;
}

static bool is_prediction(const struct lease *lease)
{
	const char *kind = json_string_value(json_object_get(lease->job, "kind"));
	return kind && strcmp(kind, "predict") == 0;
}

static enum status work(struct worker *w, struct lease *lease, struct err *err)
{
	const char *kind = json_string_value(json_object_get(lease->job, "kind"));
	if (is_prediction(lease))
		return worker_predict(w, lease, err);
	if (kind && strcmp(kind, "train") == 0)
		return worker_train(w, lease, err);
	return err_set(err, BAD_INPUT, "this worker knows no job '%.20s'", kind ? kind : "");
}

/* Longer after each failure, and short again after what went well. */
static void pause_after(struct worker *w, enum status st)
{
	if (st == OK)
		w->pause_ms = POLL_MS;
	else
		w->pause_ms = w->pause_ms * 2 < MAX_POLL_MS ? w->pause_ms * 2 : MAX_POLL_MS;
	worker_sleep(w->options, w->pause_ms);
}

/* Works on a lease and on those that errands bring meanwhile, until one brings none. Errors: DENIED ends the worker; all else is
 * told to the server. */
static enum status work_on(struct worker *w, struct lease *now, struct err *err)
{
	const struct worker_options *o = w->options;
	struct lease last = {0}, next = {0};
	enum status st = OK;
	while (now->job && st != DENIED) {
		struct errand *errand = NULL;
		/* A training is long: others may take what comes after it. */
		st = is_prediction(now) ? errand_start(o, &last, &next, &errand, err)
								: lease_finish(o, w->client, &last, OK, err);
		if (st == OK)
			st = work(w, now, err);
		if (st != OK)
			st = lease_finish(o, w->client, now, st, err);
		struct err ended = {0};
		if (errand_end(errand, &ended) == DENIED)
			st = err_set(err, DENIED, "%s", ended.text);
		last = *now;
		*now = next;
		next = (struct lease){0};
		if (st != OK && st != DENIED && now->job)
			pause_after(w, st);
	}
	enum status end = lease_finish(o, w->client, &last, st == DENIED ? DENIED : OK, err);
	if (st == DENIED)
		return lease_finish(o, w->client, now, DENIED, err);
	return end == OK ? lease_finish(o, w->client, now, OK, err) : end;
}

static enum status loop(struct worker *w, struct err *err)
{
	const struct worker_options *o = w->options;
	bool is_lost = false;
	while (!atomic_load(o->stop)) {
		struct lease now = {0};
		enum status st = lease_take(o, w->client, &now, err);
		bool is_asked = st == OK, has_work = now.job, is_pending = now.is_pending;
		if (is_asked)
			st = work_on(w, &now, err);
		if (st == DENIED || (o->once && !is_asked && st == BUSY))
			return st;
		if (o->once && is_asked && !has_work && !is_pending)
			return OK;
		if (!is_asked && !is_lost && !o->quiet)
			fprintf(stderr, "topi worker: %s; trying again\n", err->text);
		is_lost = !is_asked;
		if (st != OK || !has_work)
			pause_after(w, st);
	}
	return OK;
}

enum status worker_run(const struct worker_options *options, struct err *err)
{
	struct worker w = {.options = options, .pause_ms = POLL_MS};
	if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return err_set(err, FAULT, "libsodium or libcurl does not start");
	if (mkdir(options->cache, 0700) != 0 && errno != EEXIST)
		return err_set(err, BAD_INPUT, "%.120s: %s", options->cache, strerror(errno));
	enum status st = client_open(options, worker_patience_s(options), &w.client, err);
	if (st == OK)
		st = loop(&w, err);
	if (options->ranks) { /* no more: the others go home */
		void *nothing = NULL;
		size_t n = 0;
		struct err ignored;
		if (ranks_share(options->ranks, &nothing, &n, &ignored) != OK && st == OK)
			st = err_set(err, FAULT, "%s", ignored.text);
	}
	engine_close(w.engine);
	client_close(w.client);
	curl_global_cleanup();
	return st;
}
