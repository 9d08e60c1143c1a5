/* What is one's own: the last answers, leases given back; and the route table of people. */
#include "handlers.h"

#include "history.h"
#include "own_data.h"
#include "personal.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As it was sent: {"taxon", "count"?, and what else the project asks}. */
static json_t *named_json(int64_t taxon_id, int64_t count, const char *details)
{
	json_t *named = json_loads(details, 0, NULL);
	if (!json_is_object(named)) {
		json_decref(named);
		named = json_object();
	}
	json_object_set_new(named, "taxon", json_integer((json_int_t)taxon_id));
	if (count)
		json_object_set_new(named, "count", json_integer((json_int_t)count));
	return named;
}

static json_t *answer_json(const struct past_answer *a)
{
	char uuid[37], at[32], thumb[60];
	json_t *taxa = json_array();
	for (int i = 0; i < a->n; i++)
		json_array_append_new(
			taxa, named_json(a->named[i].taxon_id, a->named[i].count, a->named[i].details));
	uuid_format(a->uuid, uuid);
	time_text(a->at_ms, at);
	json_t *out = json_pack("{s:s, s:I, s:s, s:s, s:o, s:b}", "uuid", uuid, "subject",
		(json_int_t)a->subject_id, "at", at, "answer", a->cant_tell ? "cant_tell" : "taxa", "taxa",
		taxa, "may_undo", a->may_undo);
	if (a->several)
		json_object_set_new(out, "several", json_true());
	snprintf(thumb, sizeof thumb, "/media/%lld/320.jpg", (long long)a->thumb_id);
	if (a->thumb_id)
		json_object_set_new(out, "thumb", json_string(thumb));
	return out;
}

static enum status handle_answers(struct request *r, struct reply *reply, struct err *err)
{
	char text[20] = "10";
	struct history *history = NULL;
	enum status st = query_get(r, "n", text, sizeof text, err);
	size_t n = strlen(text);
	if (st != OK && st != NOT_FOUND)
		return st;
	if (n == 0 || n > 4 || strspn(text, "0123456789") != n)
		return err_set(err, BAD_INPUT, "n must be a number from 1 to %d", HISTORY_MAX);
	st = db_read_begin(r->db, err); /* one moment */
	if (st == OK)
		st = history_load(
			r->db, r->project_id, r->volunteer.id, (int)strtol(text, NULL, 10), &history, err);
	db_rollback(r->db);
	if (st != OK)
		return st;
	json_t *answers = json_array();
	for (int i = 0; i < history->n; i++)
		json_array_append_new(answers, answer_json(&history->answers[i]));
	reply->json = json_pack("{s:o}", "answers", answers);
	history_free(history);
	return OK;
}

enum { MOST_FAVOURITES = 200 };
enum { RELEASE_MAX = 100 }; /* a page that is off line holds more than it is given at once */

struct release_work {
	int64_t project_id, volunteer_id, now_ms;
	int64_t subjects[RELEASE_MAX];
	size_t n;
};

static enum status do_release(struct db *db, void *arg, struct err *err)
{
	const struct release_work *w = arg;
	enum status st = OK;
	for (size_t i = 0; st == OK && i < w->n; i++)
		st = db_run(db, Q_TASK_RELEASE, err, "iiii", w->subjects[i], w->volunteer_id, w->project_id,
			w->now_ms);
	return st;
}

static enum status handle_release(struct request *r, struct reply *reply, struct err *err)
{
	const json_t *subjects = json_object_get(r->json, "subjects");
	struct release_work w = {.project_id = r->project_id,
		.volunteer_id = r->volunteer.id,
		.now_ms = r->now_ms,
		.n = json_array_size(subjects)};
	(void)reply;
	if (!json_is_array(subjects) || w.n > RELEASE_MAX)
		return err_set(
			err, BAD_INPUT, "\"subjects\" must hold up to %d subjects' ids", RELEASE_MAX);
	for (size_t i = 0; i < w.n; i++) {
		const json_t *id = json_array_get(subjects, i);
		if (!json_is_integer(id))
			return err_set(err, BAD_INPUT, "\"subjects\" must hold ids: whole numbers");
		w.subjects[i] = json_integer_value(id);
	}
	return writer_do(r->app->writer, do_release, &w, err);
}

struct personal_work {
	int64_t volunteer_id, now_ms;
	json_t *made;
};

static enum status do_put(struct db *db, void *arg, struct err *err)
{
	const struct personal_work *w = arg;
	return personal_put(db, w->volunteer_id, w->made, w->now_ms, err);
}

/* Computed here: the writer's thread only keeps it. */
static enum status refresh(struct request *r, struct err *err)
{
	struct personal_work w = {.volunteer_id = r->volunteer.id, .now_ms = r->now_ms};
	enum status st = db_read_begin(r->db, err); /* one moment */
	if (st == OK)
		st = personal_make(r->db, w.volunteer_id, w.now_ms, &w.made, err);
	db_rollback(r->db);
	if (st == OK)
		st = writer_do(r->app->writer, do_put, &w, err);
	json_decref(w.made);
	return st;
}

/* {"slug", "subject", "thumb"?}, the newest first. */
static enum status put_favourites(const struct request *r, json_t *out, struct err *err)
{
	enum status st;
	json_t *list = json_array();
	struct stmt *row = db_query(
		r->db, Q_FLAG_FAVOURITES, "ii", r->volunteer.id, (int64_t)MOST_FAVOURITES);
	json_object_set_new(out, "favourites", list);
	while ((st = db_step(row, err)) == OK)
		json_array_append_new(list,
			json_pack(
				"{s:s, s:I}", "slug", col_text(row, 0), "subject", (json_int_t)col_int(row, 1)));
	st = st == NOT_FOUND ? OK : st;
	for (size_t i = 0; st == OK && i < json_array_size(list); i++) {
		json_t *one = json_array_get(list, i);
		char thumb[60];
		st = db_one(r->db, Q_SUBJECT_THUMB, &row, err, "i",
			(int64_t)json_integer_value(json_object_get(one, "subject")));
		if (st == OK) {
			snprintf(thumb, sizeof thumb, "/media/%lld/320.jpg", (long long)col_int(row, 0));
			json_object_set_new(one, "thumb", json_string(thumb));
			db_done(row);
		}
		st = st == NOT_FOUND ? OK : st;
	}
	return st;
}

/* Days as dates. */
static void date_days(json_t *days)
{
	for (size_t i = 0; i < json_array_size(days); i++) {
		char date[32];
		json_t *day = json_array_get(days, i);
		time_text(json_integer_value(json_object_get(day, "day")) * 86400000, date);
		date[10] = 0;
		json_object_set_new(day, "date", json_string(date));
		json_object_del(day, "day");
	}
}

static enum status handle_me_page(struct request *r, struct reply *reply, struct err *err)
{
	bool stale = false;
	enum status st = personal_page(r->db, r->volunteer.id, r->now_ms, &reply->json, &stale, err);
	if (st == OK && stale) {
		json_decref(reply->json);
		reply->json = NULL;
		st = refresh(r, err);
		if (st == OK)
			st = personal_page(r->db, r->volunteer.id, r->now_ms, &reply->json, &stale, err);
	}
	if (st != OK)
		return st;
	date_days(json_object_get(reply->json, "days"));
	return put_favourites(r, reply->json, err);
}

/* Through a file without a name, so that a slow client holds neither memory nor the database. */
static enum status handle_export(struct request *r, struct reply *reply, struct err *err)
{
	char path[2100], who[24];
	snprintf(who, sizeof who, "%lld", (long long)r->volunteer.id);
	enum status st = http_limit(r, reply, LIMIT_EXPORT, who, err);
	if (st != OK)
		return st;
	snprintf(path, sizeof path, "%.2000s/models/.export-XXXXXX", r->app->dir);
	int fd = mkostemp(path, O_CLOEXEC);
	FILE *out = fd >= 0 ? fdopen(dup(fd), "w") : NULL;
	if (fd >= 0)
		unlink(path);
	if (!out) {
		if (fd >= 0)
			close(fd);
		return err_set(err, errno == ENOSPC ? FULL : FAULT,
			"the copy of your data cannot be made: %s", strerror(errno));
	}
	st = db_read_begin(r->db, err);
	if (st == OK)
		st = own_data_write(r->db, r->volunteer.id, r->now_ms, out, err);
	db_rollback(r->db);
	if (fclose(out) != 0 && st == OK)
		st = err_set(err, FULL, "the disk is full: the copy of your data cannot be made");
	reply->fd = fd;
	reply->has_file = true;
	lseek(fd, 0, SEEK_SET);
	reply->save_as = "topi-my-data.json";
	return st;
}

const struct route people_routes[] = {
	{"POST", "/api/me/password", WHO_SESSION, BODY_JSON, handle_password},
	{"POST", "/api/invite", WHO_ANYONE, BODY_JSON, handle_invite},
	{"GET", "/api/me/page", WHO_SESSION, BODY_NONE, handle_me_page},
	{"GET", "/api/me/export", WHO_SESSION, BODY_NONE, handle_export},
	{"POST", "/api/me/delete", WHO_SESSION, BODY_JSON, handle_delete},
	{"GET", PROJECT "/answers", WHO_SESSION, BODY_NONE, handle_answers},
	{"POST", PROJECT "/release", WHO_SESSION, BODY_JSON, handle_release},
	{"GET", PROJECT "/practice", WHO_SESSION, BODY_NONE, handle_practice},
	{"GET", PROJECT "/flags", WHO_SESSION, BODY_NONE, handle_flags},
	{"POST", PROJECT "/flags", WHO_SESSION, BODY_JSON, handle_flag},
	{"GET", PROJECT "/comments", WHO_SESSION, BODY_NONE, handle_comments},
	{"POST", PROJECT "/comments", WHO_SESSION, BODY_JSON, handle_comment},
	{"POST", PROJECT "/comments/{id}", WHO_SESSION, BODY_JSON, handle_comment_hide},
	{"GET", PROJECT "/moderation", WHO_SESSION, BODY_NONE, handle_moderation},
	{"POST", PROJECT "/moderation", WHO_SESSION, BODY_JSON, handle_flag_close},
	{0},
};
