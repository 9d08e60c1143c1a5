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

enum { BATCH = 64, POLL_MS = 1000, MAX_POLL_MS = 8000, PATIENCE_S = 600, ONCE_PATIENCE_S = 3 };

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

static enum status lease(struct worker *w, json_t **reply, struct err *err)
{
	json_t *body = json_pack("{s:s, s:i}", "worker", w->options->name, "n", BATCH);
	enum status st = body ? client_post(w->client, "/api/worker/lease", body, reply, err)
						  : err_set(err, BAD_INPUT, "the worker's name is not UTF-8");
	json_decref(body);
	return st;
}

static void give_up(struct worker *w, const json_t *job, enum status why, const char *words)
{
	char path[100];
	struct err err = {0};
	json_t *body = json_pack("{s:s, s:s%, s:b}", "worker", w->options->name, "error", words,
		strlen(words), "final", why == BAD_INPUT);
	if (!body)
		body = json_pack(
			"{s:s, s:s}", "worker", w->options->name, "error", "words that are not UTF-8");
	snprintf(path, sizeof path, "/api/worker/jobs/%lld/fail",
		(long long)json_integer_value(json_object_get(job, "id")));
	if (client_post(w->client, path, body, NULL, &err) != OK && !w->options->quiet)
		fprintf(stderr, "topi worker: %s\n", err.text);
	json_decref(body);
}

/* One job. DENIED ends the worker; all else is told to the server, except that nobody wants the result any more. */
static enum status work(struct worker *w, const json_t *job, struct err *err)
{
	const char *kind = json_string_value(json_object_get(job, "kind"));
	long long id = json_integer_value(json_object_get(job, "id"));
	enum status st;
	if (kind && strcmp(kind, "predict") == 0)
		st = worker_predict(w, job, err);
	else if (kind && strcmp(kind, "train") == 0)
		st = worker_train(w, job, err);
	else
		st = err_set(err, BAD_INPUT, "this worker knows no job '%.20s'", kind ? kind : "");
	if (!w->options->quiet)
		fprintf(stderr, "topi worker: job %lld (%s): %s\n", id, kind ? kind : "",
			st == OK ? "done" : err->text);
	if (st != OK && st != CONFLICT && st != DENIED && !atomic_load(w->options->stop))
		give_up(w, job, st, err->text);
	return st;
}

static enum status loop(struct worker *w, struct err *err)
{
	const struct worker_options *o = w->options;
	long pause = POLL_MS;
	bool lost = false;
	while (!atomic_load(o->stop)) {
		json_t *reply = NULL;
		enum status st = lease(w, &reply, err);
		bool asked = st == OK, job = json_is_object(json_object_get(reply, "job"));
		bool pending = json_is_true(json_object_get(reply, "pending"));
		if (job)
			st = work(w, json_object_get(reply, "job"), err);
		json_decref(reply);
		if (st == DENIED || (o->once && !asked && st == BUSY))
			return st;
		if (o->once && asked && !job && !pending)
			return OK;
		if (!asked && !lost && !o->quiet)
			fprintf(stderr, "topi worker: %s; trying again\n", err->text);
		lost = !asked;
		if (st != OK)
			pause = pause * 2 < MAX_POLL_MS ? pause * 2 : MAX_POLL_MS;
		else
			pause = POLL_MS;
		if (st != OK || !job)
			worker_sleep(o, pause);
	}
	return OK;
}

enum status worker_run(const struct worker_options *options, struct err *err)
{
	struct worker w = {.options = options};
	if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return err_set(err, FAULT, "libsodium or libcurl does not start");
	if (mkdir(options->cache, 0700) != 0 && errno != EEXIST)
		return err_set(err, BAD_INPUT, "%.120s: %s", options->cache, strerror(errno));
	enum status st = client_open(
		options, options->once ? ONCE_PATIENCE_S : PATIENCE_S, &w.client, err);
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
