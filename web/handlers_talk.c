/* Flags, comments, what moderators see of them, and practice. */
#include "handlers.h"

#include "comment.h"
#include "flag.h"
#include "practice.h"
#include "server.h"
#include "task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_COMMENTS = 200, RECENT_COMMENTS = 100, MOST_FLAGS = 200 };

/* ?subject=ID */
static enum status query_subject(const struct request *r, int64_t *id, struct err *err)
{
	char text[24];
	enum status st = query_get(r, "subject", text, sizeof text, err);
	size_t n = st == OK ? strlen(text) : 0;
	if (st != OK && st != NOT_FOUND)
		return st;
	if (n == 0 || n > 18 || strspn(text, "0123456789") != n)
		return err_set(err, BAD_INPUT, "the address wants ?subject=, a subject's id");
	*id = strtoll(text, NULL, 10);
	return OK;
}

static enum status put_own_flags(
	const struct request *r, int64_t subject_id, struct reply *reply, struct err *err)
{
	enum status st;
	json_t *flags = json_array();
	struct stmt *row = db_query(r->db, Q_FLAG_OWN, "ii", subject_id, r->volunteer.id);
	while ((st = db_step(row, err)) == OK)
		json_array_append_new(flags, json_string(col_text(row, 0)));
	reply->json = json_pack("{s:o}", "flags", flags);
	return st == NOT_FOUND ? OK : st;
}

enum status handle_flags(struct request *r, struct reply *reply, struct err *err)
{
	int64_t subject_id = 0;
	enum status st = query_subject(r, &subject_id, err);
	return st == OK ? put_own_flags(r, subject_id, reply, err) : st;
}

struct flag_work {
	struct flag flag;
	bool on;
	int64_t now_ms;
};

static enum status do_flag(struct db *db, void *arg, struct err *err)
{
	const struct flag_work *w = arg;
	return flag_set(db, &w->flag, w->on, w->now_ms, err);
}

static enum status read_flag(const struct request *r, struct flag *flag, struct err *err)
{
	const char *kind = NULL;
	flag->project_id = r->project_id;
	flag->volunteer_id = r->volunteer.id;
	enum status st = body_int(r, "subject", 1, INT64_MAX, &flag->subject_id, err);
	if (st == OK)
		st = body_text(r, "kind", &kind, err);
	return st == OK ? flag_parse(kind, &flag->kind, err) : st;
}

enum status handle_flag(struct request *r, struct reply *reply, struct err *err)
{
	struct flag_work w = {.now_ms = r->now_ms};
	const json_t *on = json_object_get(r->json, "on");
	enum status st = read_flag(r, &w.flag, err);
	if (st == OK && !json_is_boolean(on))
		return err_set(err, BAD_INPUT, "\"on\" must be true or false");
	w.on = json_is_true(on);
	if (st == OK && w.on && flag_hides(w.flag.kind))
		st = http_limit(r, reply, LIMIT_FLAG, NULL, err);
	if (st == OK)
		st = writer_do(r->app->writer, do_flag, &w, err);
	return st == OK ? put_own_flags(r, w.flag.subject_id, reply, err) : st;
}

/* Whether who asks has the role, or is an expert or an admin where `or_expert`. */
static enum status may(
	const struct request *r, const char *role, bool or_expert, bool *out, struct err *err)
{
	enum status st = role_has(r->db, r->project_id, &r->volunteer, role, out, err);
	return st == OK && !*out && or_expert
		? role_has(r->db, r->project_id, &r->volunteer, "expert", out, err)
		: st;
}

static enum status check_moderator(const struct request *r, bool or_expert, struct err *err)
{
	bool has = false;
	enum status st = may(r, "moderator", or_expert, &has, err);
	return st == OK && !has
		? err_set(err, DENIED, "this is for moderators%s and admins of the project",
			  or_expert ? ", experts" : "")
		: st;
}

static enum status do_close(struct db *db, void *arg, struct err *err)
{
	const struct flag_work *w = arg;
	return flag_close(db, w->flag.subject_id, w->flag.kind, w->now_ms, err);
}

/* Only who may see the photographs can say that there is nothing to hide. */
enum status handle_flag_close(struct request *r, struct reply *reply, struct err *err)
{
	struct flag_work w = {.now_ms = r->now_ms};
	struct stmt *row = NULL;
	bool has = false;
	(void)reply;
	enum status st = read_flag(r, &w.flag, err);
	if (st == OK)
		st = may(r, flag_hides(w.flag.kind) ? "expert" : "moderator", true, &has, err);
	if (st == OK && !has)
		return err_set(err, DENIED, "this is for experts and admins of the project");
	if (st == OK)
		st = db_one(r->db, Q_SUBJECT_GET, &row, err, "i", w.flag.subject_id);
	bool here = st == OK && col_int(row, 0) == r->project_id;
	db_done(st == OK ? row : NULL);
	if ((st == OK && !here) || st == NOT_FOUND)
		return err_set(
			err, NOT_FOUND, "the project has no subject %lld", (long long)w.flag.subject_id);
	if (w.flag.kind == FLAG_FAVOURITE)
		return err_set(err, BAD_INPUT, "a favourite is its volunteer's own");
	return st == OK ? writer_do(r->app->writer, do_close, &w, err) : st;
}

/* Columns as comment_list has them. A hidden text is for moderators. */
static json_t *comment_json(const struct stmt *row, bool moderates)
{
	char at[32];
	bool hidden = col_int(row, 5) != 0;
	time_text(col_int(row, 2), at);
	return json_pack("{s:I, s:s?, s:s, s:s, s:b, s:b}", "id", (json_int_t)col_int(row, 0), "name",
		col_null(row, 1) ? NULL : col_text(row, 1), "at", at, "text",
		hidden && !moderates ? "" : col_text(row, 3), "mine", (int)col_int(row, 4), "hidden",
		hidden);
}

struct read_work {
	int64_t subject_id, volunteer_id;
};

static enum status do_read(struct db *db, void *arg, struct err *err)
{
	const struct read_work *w = arg;
	return comment_read(db, w->subject_id, w->volunteer_id, err);
}

enum status handle_comments(struct request *r, struct reply *reply, struct err *err)
{
	struct read_work w = {.volunteer_id = r->volunteer.id};
	bool moderates = false, news = false;
	enum status st = query_subject(r, &w.subject_id, err);
	if (st == OK)
		st = comment_may(r->db, r->project_id, w.subject_id, r->volunteer.id, err);
	if (st == OK)
		st = may(r, "moderator", false, &moderates, err);
	if (st == OK)
		st = comment_is_news(r->db, w.subject_id, r->volunteer.id, &news, err);
	if (st == OK && news) /* before it is told */
		st = writer_do(r->app->writer, do_read, &w, err);
	if (st != OK)
		return st;
	json_t *list = json_array();
	struct stmt *row = db_query(
		r->db, Q_COMMENT_LIST, "iii", w.subject_id, r->volunteer.id, (int64_t)MOST_COMMENTS);
	while ((st = db_step(row, err)) == OK)
		json_array_append_new(list, comment_json(row, moderates));
	reply->json = json_pack("{s:o}", "comments", list);
	return st == NOT_FOUND ? OK : st;
}

struct comment_work {
	struct comment comment;
	int64_t id, now_ms;
	const char *why;
};

static enum status do_comment(struct db *db, void *arg, struct err *err)
{
	struct comment_work *w = arg;
	return comment_add(db, &w->comment, w->now_ms, &w->id, err);
}

enum status handle_comment(struct request *r, struct reply *reply, struct err *err)
{
	char who[24];
	struct comment_work w = {.now_ms = r->now_ms,
		.comment = {.project_id = r->project_id, .volunteer_id = r->volunteer.id}};
	enum status st = body_int(r, "subject", 1, INT64_MAX, &w.comment.subject_id, err);
	if (st == OK)
		st = body_text(r, "text", &w.comment.text, err);
	snprintf(who, sizeof who, "%lld", (long long)r->volunteer.id);
	if (st == OK)
		st = http_limit(r, reply, LIMIT_COMMENT, who, err);
	if (st != OK)
		return st;
	st = writer_do(r->app->writer, do_comment, &w, err);
	if (st == OK)
		reply->json = json_pack("{s:I}", "id", (json_int_t)w.id);
	else /* one that is refused is none */
		limit_give(r->app->limits, LIMIT_COMMENT, who);
	return st;
}

static enum status do_hide(struct db *db, void *arg, struct err *err)
{
	const struct comment_work *w = arg;
	return comment_hide(
		db, w->comment.project_id, w->id, w->comment.volunteer_id, w->why, w->now_ms, err);
}

enum status handle_comment_hide(struct request *r, struct reply *reply, struct err *err)
{
	struct comment_work w = {.now_ms = r->now_ms,
		.comment = {.project_id = r->project_id, .volunteer_id = r->volunteer.id}};
	const json_t *hidden = json_object_get(r->json, "hidden");
	(void)reply;
	enum status st = check_moderator(r, false, err);
	if (st == OK)
		st = arg_id(r, 1, &w.id, err);
	if (st == OK && !json_is_boolean(hidden))
		return err_set(err, BAD_INPUT, "\"hidden\" must be true or false");
	if (st == OK && json_is_true(hidden))
		st = body_text(r, "reason", &w.why, err);
	return st == OK ? writer_do(r->app->writer, do_hide, &w, err) : st;
}

/* Subjects that they have read of, answered by them or not: a next answer is no evidence. */
struct overheard_work {
	int64_t project_id, volunteer_id, now_ms;
	int64_t subjects[RECENT_COMMENTS];
	int n;
};

static enum status do_overhear(struct db *db, void *arg, struct err *err)
{
	const struct overheard_work *w = arg;
	enum status st = OK;
	for (int i = 0; st == OK && i < w->n; i++)
		st = comment_overhear(db, w->project_id, w->subjects[i], w->volunteer_id, w->now_ms, err);
	return st;
}

static enum status put_recent(struct request *r, bool moderates, json_t *out, struct err *err)
{
	struct overheard_work w = {
		.project_id = r->project_id, .volunteer_id = r->volunteer.id, .now_ms = r->now_ms};
	enum status st;
	json_t *list = json_array();
	struct stmt *row = db_query(
		r->db, Q_COMMENT_RECENT, "iii", r->project_id, r->volunteer.id, (int64_t)RECENT_COMMENTS);
	json_object_set_new(out, "comments", list);
	while ((st = db_step(row, err)) == OK) {
		json_t *one = comment_json(row, moderates);
		json_object_set_new(one, "subject", json_integer((json_int_t)col_int(row, 6)));
		if (!col_null(row, 7) && moderates)
			json_object_set_new(one, "reason", json_string(col_text(row, 7)));
		if (col_int(row, 8) && (moderates || !col_int(row, 5)))
			w.subjects[w.n++] = col_int(row, 6);
		json_array_append_new(list, one);
	}
	st = st == NOT_FOUND ? OK : st;
	return st == OK && w.n ? writer_do(r->app->writer, do_overhear, &w, err) : st;
}

/* Thumbnails that a moderator may see: an expert all, others those of subjects that are not hidden. */
static enum status put_thumbs(struct request *r, bool expert, json_t *flags, struct err *err)
{
	enum status st = OK;
	for (size_t i = 0; st == OK && i < json_array_size(flags); i++) {
		json_t *one = json_array_get(flags, i);
		struct stmt *row = NULL;
		char thumb[60];
		st = db_one(r->db, expert ? Q_TASK_FRAMES : Q_SUBJECT_THUMB, &row, err, expert ? "ii" : "i",
			(int64_t)json_integer_value(json_object_get(one, "subject")), (int64_t)1);
		if (st == OK) {
			snprintf(thumb, sizeof thumb, "/media/%lld/320.jpg", (long long)col_int(row, 0));
			json_object_set_new(one, "thumb", json_string(thumb));
			db_done(row);
		}
		st = st == NOT_FOUND ? OK : st;
	}
	return st;
}

static enum status put_flags(struct request *r, json_t *out, struct err *err)
{
	bool expert = false;
	json_t *flags = json_array();
	json_object_set_new(out, "flags", flags);
	enum status st = may(r, "expert", false, &expert, err);
	if (st != OK)
		return st;
	struct stmt *row = db_query(r->db, Q_FLAG_LIST, "ii", r->project_id, (int64_t)MOST_FLAGS);
	while ((st = db_step(row, err)) == OK)
		json_array_append_new(flags,
			json_pack("{s:I, s:s, s:I}", "subject", (json_int_t)col_int(row, 0), "kind",
				col_text(row, 1), "n", (json_int_t)col_int(row, 2)));
	return st == NOT_FOUND ? put_thumbs(r, expert, flags, err) : st;
}

enum status handle_moderation(struct request *r, struct reply *reply, struct err *err)
{
	bool moderates = false;
	enum status st = check_moderator(r, true, err);
	if (st == OK)
		st = may(r, "moderator", false, &moderates, err);
	if (st != OK)
		return st;
	reply->json = json_object();
	st = put_recent(r, moderates, reply->json, err);
	return st == OK ? put_flags(r, reply->json, err) : st;
}

struct practice_work {
	int64_t project_id, volunteer_id, now_ms;
	int64_t ids[PRACTICE_MAX];
	int n;
};

static enum status do_practice(struct db *db, void *arg, struct err *err)
{
	struct practice_work *w = arg;
	return practice_list(db, w->project_id, w->volunteer_id, w->now_ms, w->ids, &w->n, err);
}

/* The project's words on why a taxon is what it is; null where it has none. */
static enum status put_why(
	const struct request *r, int64_t taxon_id, const char *lang, json_t *item, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(r->db, Q_PRACTICE_WHY, &row, err, "is", taxon_id, lang);
	json_object_set_new(item, "why", st == OK ? json_string(col_text(row, 0)) : json_null());
	db_done(st == OK ? row : NULL);
	return st == NOT_FOUND ? OK : st;
}

/* An item of the list: frames, the truth, why. */
static enum status practice_json(
	const struct request *r, int64_t subject_id, const char *lang, json_t **out, struct err *err)
{
	struct task frames = {.subject_id = subject_id};
	struct stmt *row = NULL;
	json_t *taxa = json_array();
	enum status st = db_one(r->db, Q_GOLD_GET, &row, err, "i", subject_id);
	if (st == OK) {
		json_array_append_new(taxa, json_integer((json_int_t)col_int(row, 2)));
		db_done(row);
		row = db_query(r->db, Q_LABEL_ALSO_LIST, "i", subject_id);
		while ((st = db_step(row, err)) == OK)
			json_array_append_new(taxa, json_integer((json_int_t)col_int(row, 0)));
		st = st == NOT_FOUND ? task_frames(r->db, &frames, err) : st;
	}
	*out = json_pack("{s:o, s:o}", "frames", task_frames_json(&frames), "taxa", taxa);
	free(frames.frames);
	return st == OK ? put_why(r, json_integer_value(json_array_get(taxa, 0)), lang, *out, err) : st;
}

enum status handle_practice(struct request *r, struct reply *reply, struct err *err)
{
	struct practice_work w = {
		.project_id = r->project_id, .volunteer_id = r->volunteer.id, .now_ms = r->now_ms};
	char lang[40] = "";
	json_t *items = json_array();
	reply->json = json_pack("{s:o}", "items", items);
	enum status st = query_get(r, "lang", lang, sizeof lang, err);
	if (st != OK && st != NOT_FOUND)
		return st;
	st = writer_do(r->app->writer, do_practice, &w, err);
	for (int i = 0; st == OK && i < w.n; i++) {
		json_t *item = NULL;
		st = practice_json(r, w.ids[i], lang, &item, err);
		json_array_append_new(items, item);
	}
	return st;
}
