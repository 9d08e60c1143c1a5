/* Eight connections, five volunteers on each, and one for the expert. */
#include "people.h"

#include "rng.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TASKS = 2, EXPERT_TASKS = 10, POLL_NS = 50000000, IDLE_NS = 50000000, STALL_S = 120 };
enum { CARD_MS = 1000, SURVEY_MS = 1500 }; /* what people take, or say they do */

/* One round of work, shared by its threads. */
struct shift {
	struct people *people;
	const char *url;
	atomic_int stop;
	pthread_mutex_t lock; /* of err */
	struct err err;
};

struct seat {
	struct shift *shift;
	struct client *client;
	int index; /* PEOPLE_THREADS: the expert's */
};

static enum status log_in(
	struct client *c, struct session *who, const char *name, const char *password, struct err *err)
{
	enum status st = client_call(c, who, "/api/me", NULL, NULL, err);
	if (st != OK)
		return st;
	json_t *body = json_pack("{s:s, s:s}", "name", name, "password", password);
	return client_call(c, who, "/api/login", body, NULL, err);
}

static enum status find_taxa(struct people *p, struct client *c, struct err *err)
{
	char path[200];
	json_t *project = NULL, *taxon;
	size_t i;
	snprintf(path, sizeof path, "/api/projects/%s", p->slug);
	enum status st = client_call(c, &p->admin, path, NULL, &project, err);
	json_array_foreach(json_object_get(project, "taxa"), i, taxon)
	{
		const char *code = json_string_value(json_object_get(taxon, "code"));
		int t = code ? taxon_of(code) : -1;
		if (t >= 0)
			p->taxon_id[t] = json_integer_value(json_object_get(taxon, "id"));
	}
	json_decref(project);
	for (int t = 0; st == OK && t < N_TAXA; t++)
		if (!p->taxon_id[t])
			st = err_set(err, FAULT, "the project has no taxon %s", taxon_code(t));
	return st;
}

enum status people_enter(struct people *p, const char *url, const char *password, struct err *err)
{
	struct client *c = client_new(url);
	enum status st = log_in(c, &p->admin, "admin", password, err);
	if (st == OK)
		st = log_in(c, &p->expert, "expert", password, err);
	for (int v = 0; st == OK && v < CROWD_N; v++) {
		st = client_call(c, &p->volunteers[v], "/api/me", NULL, NULL, err);
		if (st == OK && !*p->volunteers[v].cookie)
			st = err_set(err, FAULT, "/api/me set no cookie");
	}
	if (st == OK)
		st = find_taxa(p, c, err);
	client_free(c);
	return st;
}

enum status people_status(struct people *p, struct client *c, json_t **out, struct err *err)
{
	char path[200];
	snprintf(path, sizeof path, "/api/projects/%s/status", p->slug);
	return client_call(c, &p->admin, path, NULL, out, err);
}

static void make_uuid(uint64_t seed, uint64_t subject, uint64_t who, char out[37])
{
	struct rng r = rng_at(seed, subject, who);
	unsigned long long a = rng_next(&r), b = rng_next(&r);
	snprintf(out, 37, "%08llx-%04llx-4%03llx-a%03llx-%012llx", a >> 32, a >> 16 & 0xffff, a & 0xfff,
		b >> 48 & 0xfff, b & 0xffffffffffff);
}

/* The taxon of an id; -1: none. */
static int taxon_with(const struct people *p, int64_t id)
{
	int t = N_TAXA - 1;
	while (t >= 0 && p->taxon_id[t] != id)
		t--;
	return t;
}

/* Looks at the first photograph, then says what it is: -1 can't tell. */
static enum status answer(
	struct seat *s, struct session *who, int v, const json_t *task, struct err *err)
{
	struct people *p = s->shift->people;
	bool expert = v == CROWD_N;
	int64_t id = json_integer_value(json_object_get(task, "subject"));
	json_t *frame = json_array_get(json_object_get(task, "frames"), 0), *reply = NULL;
	const char *photo = json_string_value(json_object_get(frame, "url"));
	size_t n_bytes = 0;
	char path[200], uuid[37];
	if (id <= 0 || id >= p->n_subjects || !p->subjects[id].n_taxa || !photo)
		return err_set(err, FAULT, "a task names subject %lld, or no photograph", (long long)id);
	enum status st = client_fetch(s->client, who, photo, &n_bytes, err);
	if (st != OK)
		return st;
	if (n_bytes < 1000)
		return err_set(err, FAULT, "%s is no photograph: %zu bytes", photo, n_bytes);
	const struct crowd_subject *subject = &p->subjects[id];
	const json_t *shown = json_object_get(task, "guess");
	int guess = json_is_integer(shown) ? taxon_with(p, json_integer_value(shown)) : -1;
	int said = expert ? subject->truth
		: guess < 0   ? crowd_answer(p->seed, v, subject)
					  : crowd_confirm(p->seed, v, subject, guess);
	make_uuid(p->seed, (uint64_t)id, (uint64_t)v, uuid);
	json_t *body = json_pack("{s:s, s:I, s:s, s:[], s:i}", "uuid", uuid, "subject", (json_int_t)id,
		"answer", said < 0 ? "cant_tell" : "taxa", "taxa", "duration_ms",
		(guess >= 0 ? CARD_MS : 0) +
			(guess < 0 || said != guess ? SURVEY_MS + (int)(id % 4000) : 0));
	if (said >= 0)
		json_array_append_new(json_object_get(body, "taxa"),
			json_pack("{s:I, s:n}", "taxon", (json_int_t)p->taxon_id[said], "count"));
	if (expert)
		json_object_set_new(body, "queue", json_string("expert"));
	snprintf(path, sizeof path, "/api/projects/%s/classifications", p->slug);
	st = client_call(s->client, who, path, body, &reply, err);
	json_decref(reply);
	if (st == OK && !expert) {
		atomic_fetch_add(&p->answers[id], 1);
		atomic_fetch_add(&p->n_answers, 1);
	} else if (st == OK) {
		atomic_fetch_add(&p->n_expert, 1);
	}
	return st;
}

/* One person's turn. *n_done: tasks answered. */
static enum status turn(struct seat *s, struct session *who, int v, int *n_done, struct err *err)
{
	char path[200];
	json_t *reply = NULL, *task;
	size_t i;
	bool expert = v == CROWD_N;
	json_t *body = json_pack("{s:i}", "n", expert ? EXPERT_TASKS : TASKS);
	if (expert)
		json_object_set_new(body, "queue", json_string("expert"));
	snprintf(path, sizeof path, "/api/projects/%s/next", s->shift->people->slug);
	enum status st = client_call(s->client, who, path, body, &reply, err);
	json_array_foreach(json_object_get(reply, "tasks"), i, task)
	{
		if (st == OK)
			st = answer(s, who, v, task, err);
		*n_done += st == OK;
	}
	json_decref(reply);
	return st;
}

static void *sit(void *arg)
{
	static const struct timespec pause = {0, IDLE_NS};
	struct seat *s = arg;
	struct people *p = s->shift->people;
	struct err err = {0};
	enum status st = OK;
	while (st == OK && !atomic_load(&s->shift->stop)) {
		int n_done = 0;
		if (s->index == PEOPLE_THREADS)
			st = turn(s, &p->expert, CROWD_N, &n_done, &err);
		else
			for (int v = s->index; st == OK && v < CROWD_N && !atomic_load(&s->shift->stop);
				 v += PEOPLE_THREADS)
				st = turn(s, &p->volunteers[v], v, &n_done, &err);
		if (!n_done)
			nanosleep(&pause, NULL);
	}
	if (st != OK) {
		pthread_mutex_lock(&s->shift->lock);
		if (s->shift->err.status == OK)
			s->shift->err = err;
		pthread_mutex_unlock(&s->shift->lock);
		atomic_store(&s->shift->stop, 1);
	}
	return NULL;
}

static int64_t member(const json_t *status, const char *name)
{
	return json_integer_value(json_object_get(status, name));
}

/* Asks how it stands until that is enough. */
static enum status watch(struct shift *shift, bool (*done)(const void *, const json_t *),
	const void *arg, struct err *err)
{
	static const struct timespec pause = {0, POLL_NS};
	struct client *c = client_new(shift->url);
	enum status st = OK;
	time_t changed = time(NULL);
	int64_t last = -1;
	while (st == OK && !atomic_load(&shift->stop)) {
		json_t *now = NULL;
		st = people_status(shift->people, c, &now, err);
		if (st == OK && done(arg, now)) {
			json_decref(now);
			break;
		}
		int64_t sum = member(now, "open") * 1000003 + member(now, "expert") * 1009 +
			atomic_load(&shift->people->n_answers) + atomic_load(&shift->people->n_expert);
		if (sum != last)
			changed = time(NULL);
		last = sum;
		if (st == OK && time(NULL) - changed > STALL_S)
			st = err_set(err, FAULT, "nothing moves: %lld open, %lld for an expert, %d answers",
				(long long)member(now, "open"), (long long)member(now, "expert"),
				atomic_load(&shift->people->n_answers));
		json_decref(now);
		if (st == OK)
			nanosleep(&pause, NULL);
	}
	client_free(c);
	return st;
}

enum status people_work(struct people *p, const char *url,
	bool (*done)(const void *arg, const json_t *status), const void *arg, struct err *err)
{
	struct shift shift = {.people = p, .url = url, .lock = PTHREAD_MUTEX_INITIALIZER};
	struct seat seats[PEOPLE_THREADS + 1];
	pthread_t threads[PEOPLE_THREADS + 1];
	int n = 0;
	for (; n <= PEOPLE_THREADS; n++) {
		seats[n] = (struct seat){.shift = &shift, .client = client_new(url), .index = n};
		if (pthread_create(&threads[n], NULL, sit, &seats[n]))
			break;
	}
	enum status st = n > PEOPLE_THREADS ? watch(&shift, done, arg, err)
										: err_set(err, FAULT, "cannot start threads");
	atomic_store(&shift.stop, 1);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i <= n && i <= PEOPLE_THREADS; i++)
		client_free(seats[i].client);
	if (st == OK && shift.err.status != OK) {
		*err = shift.err;
		st = shift.err.status;
	}
	return st;
}
