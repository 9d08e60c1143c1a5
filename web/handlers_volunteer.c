/* Labelling: the next subjects, an answer, an answer taken back; and the volunteers' route table. */
#include "handlers.h"

#include "classification.h"
#include "server.h"
#include "task.h"

#include <stdio.h>
#include <string.h>

json_t *task_frames_json(const struct task *t)
{
	json_t *frames = json_array();
	for (int i = 0; i < t->n_frames; i++) {
		const struct frame *f = &t->frames[i];
		char url[60];
		char thumb[60];
		snprintf(url, sizeof url, "/media/%lld/1280.jpg", (long long)f->media_id);
		snprintf(thumb, sizeof thumb, "/media/%lld/320.jpg", (long long)f->media_id);
		json_array_append_new(frames,
			json_pack("{s:I, s:s, s:s, s:i, s:i}", "id", (json_int_t)f->media_id, "url", url,
				"thumb", thumb, "width", f->width_px, "height", f->height_px));
	}
	return frames;
}

static json_t *task_json(const struct task *t)
{
	char expires[32];
	json_t *likely = json_array();
	for (int i = 0; i < t->n_likely; i++)
		json_array_append_new(likely, json_integer((json_int_t)t->likely[i]));
	time_text(t->expires_ms, expires);
	return json_pack("{s:I, s:I, s:s, s:o, s:o, s:o}", "task", (json_int_t)t->id, "subject",
		(json_int_t)t->subject_id, "expires", expires, "guess",
		t->guess_id ? json_integer((json_int_t)t->guess_id) : json_null(), "likely", likely,
		"frames", task_frames_json(t));
}

/* Whether the body asks for the expert queue, and that it may. */
static enum status read_queue(const struct request *r, bool *expert, struct err *err)
{
	const json_t *queue = json_object_get(r->json, "queue");
	bool may = false;
	*expert = false;
	if (!queue || json_is_null(queue))
		return OK;
	if (!json_is_string(queue) || strcmp(json_string_value(queue), "expert") != 0)
		return err_set(err, BAD_INPUT, "\"queue\" can only be \"expert\", or left out");
	enum status st = role_has(r->db, r->project_id, &r->volunteer, "expert", &may, err);
	if (st == OK && !may)
		return err_set(err, DENIED, "the expert queue is for experts of the project");
	*expert = true;
	return st;
}

struct next_work {
	int64_t project_id, volunteer_id, now_ms;
	bool expert;
	int n;
	struct task_list list;
};

static enum status do_next(struct db *db, void *arg, struct err *err)
{
	struct next_work *w = arg;
	return task_next(db, w->project_id, w->volunteer_id, w->expert, w->n, w->now_ms, &w->list, err);
}

enum status handle_next(struct request *r, struct reply *reply, struct err *err)
{
	int64_t n = 0;
	struct next_work w = {
		.project_id = r->project_id, .volunteer_id = r->volunteer.id, .now_ms = r->now_ms};
	enum status st = body_int(r, "n", 1, TASK_MAX, &n, err);
	if (st == OK)
		st = read_queue(r, &w.expert, err);
	w.n = (int)n;
	if (st == OK)
		st = writer_do(r->app->writer, do_next, &w, err);
	if (st == OK) {
		static const char *const reasons[] = {NULL, "done", "seen"};
		json_t *tasks = json_array();
		for (int i = 0; i < w.list.n; i++)
			json_array_append_new(tasks, task_json(&w.list.tasks[i]));
		reply->json = json_pack(
			"{s:o, s:s?}", "tasks", tasks, "reason", w.list.n ? NULL : reasons[w.list.reason]);
	}
	task_list_release(&w.list);
	return st;
}

/* A whole number that may be left out or null; *there points to the value where it is given. */
static enum status read_optional(const json_t *object, const char *name, int64_t low,
	int64_t *value, const int64_t **there, struct err *err)
{
	const json_t *member = json_object_get(object, name);
	*there = NULL;
	if (!member || json_is_null(member))
		return OK;
	*value = json_integer_value(member);
	if (!json_is_integer(member) || *value < low)
		return err_set(err, BAD_INPUT, "\"%s\" must be null or a whole number from %lld", name,
			(long long)low);
	*there = value;
	return OK;
}

struct answer_work {
	struct classification c;
	int64_t counts[ANSWER_MAX_TAXA], duration_ms, now_ms;
	struct named named[ANSWER_MAX_TAXA];
	struct classification_result result;
};

static enum status read_species(
	const json_t *entry, struct answer_work *w, size_t i, struct err *err)
{
	const json_t *taxon = json_object_get(entry, "taxon");
	if (!json_is_integer(taxon))
		return err_set(err, BAD_INPUT, "an entry of \"taxa\" needs \"taxon\", a taxon's id");
	w->named[i] = (struct named){.taxon_id = json_integer_value(taxon), .details = entry};
	return read_optional(entry, "count", 1, &w->counts[i], &w->named[i].count, err);
}

static enum status read_taxa(const struct request *r, struct answer_work *w, struct err *err)
{
	const json_t *taxa = json_object_get(r->json, "taxa");
	const json_t *several = json_object_get(r->json, "several");
	size_t n = json_array_size(taxa);
	const char *answer = NULL;
	enum status st = body_text(r, "answer", &answer, err);
	if (st != OK)
		return st;
	if (several && !json_is_boolean(several))
		return err_set(err, BAD_INPUT, "\"several\" must be true or false");
	w->c.several = json_is_true(several);
	if (strcmp(answer, "cant_tell") == 0) {
		w->c.answer = ANSWER_CANT_TELL;
		return n == 0 ? OK : err_set(err, BAD_INPUT, "\"cant_tell\" goes with no \"taxa\"");
	}
	if (strcmp(answer, "taxa") != 0)
		return err_set(err, BAD_INPUT, "\"answer\" must be \"taxa\" or \"cant_tell\"");
	if (!json_is_array(taxa) || n < 1 || n > ANSWER_MAX_TAXA)
		return err_set(err, BAD_INPUT, "\"taxa\" must hold 1 to %d entries", ANSWER_MAX_TAXA);
	for (size_t i = 0; st == OK && i < n; i++)
		st = read_species(json_array_get(taxa, i), w, i, err);
	w->c.taxon_id = w->named[0].taxon_id;
	w->c.count = w->named[0].count;
	w->c.details = w->named[0].details;
	w->c.more = w->named + 1;
	w->c.n_more = (int)n - 1;
	return st;
}

static enum status read_uuid(
	const struct request *r, const char *name, uint8_t out[16], struct err *err)
{
	const char *text = NULL;
	enum status st = body_text(r, name, &text, err);
	return st == OK ? uuid_parse(text, out, err) : st;
}

static enum status do_classify(struct db *db, void *arg, struct err *err)
{
	struct answer_work *w = arg;
	return classification_add(db, &w->c, w->now_ms, &w->result, err);
}

/* {"n", "shares": [[taxon, share]]}, the largest first; null where too few have answered. */
static json_t *others_json(const struct others *others)
{
	if (others->n == 0)
		return json_null();
	json_t *shares = json_array();
	for (int i = 0; i < others->n_taxa; i++)
		json_array_append_new(shares,
			json_pack("[I, f]", (json_int_t)others->taxa[i], (double)others->votes[i] / others->n));
	return json_pack("{s:i, s:o}", "n", others->n, "shares", shares);
}

enum status handle_classify(struct request *r, struct reply *reply, struct err *err)
{
	char uuid[37], who[24];
	struct answer_work w = {.now_ms = r->now_ms};
	w.c.project_id = r->project_id;
	w.c.volunteer_id = r->volunteer.id;
	snprintf(who, sizeof who, "%lld", (long long)r->volunteer.id);
	enum status st = http_limit(r, reply, LIMIT_ANSWER, who, err);
	if (st == OK)
		st = read_uuid(r, "uuid", w.c.uuid, err);
	if (st == OK)
		st = body_int(r, "subject", 1, INT64_MAX, &w.c.subject_id, err);
	if (st == OK)
		st = read_taxa(r, &w, err);
	if (st == OK)
		st = read_optional(r->json, "duration_ms", 0, &w.duration_ms, &w.c.duration_ms, err);
	if (st == OK)
		st = read_queue(r, &w.c.expert, err);
	if (st == OK)
		st = writer_do(r->app->writer, do_classify, &w, err);
	if (st != OK)
		return st;
	uuid_format(w.c.uuid, uuid);
	reply->json = json_pack(
		"{s:s, s:b, s:b}", "uuid", uuid, "counted", w.result.counted, "replay", w.result.replay);
	const struct planted_truth *truth = &w.result.truth;
	json_t *also = json_array();
	for (int i = 1; i < truth->n; i++)
		json_array_append_new(also, json_integer((json_int_t)truth->taxa[i]));
	if (truth->n)
		json_object_set_new(reply->json, "truth", json_integer((json_int_t)truth->taxa[0]));
	if (truth->n > 1)
		json_object_set(reply->json, "truth_also", also);
	json_decref(also);
	if (w.result.reveals)
		json_object_set_new(reply->json, "model",
			w.result.opinion_id ? json_integer((json_int_t)w.result.opinion_id) : json_null());
	if (w.result.reveals_others)
		json_object_set_new(reply->json, "others", others_json(&w.result.others));
	return OK;
}

struct undo_work {
	uint8_t uuid[16], of[16];
	int64_t project_id, volunteer_id, now_ms;
	struct task_list list;
};

static enum status do_undo(struct db *db, void *arg, struct err *err)
{
	struct undo_work *w = arg;
	struct classification_undone undone;
	enum status st = classification_undo(
		db, w->uuid, w->of, w->volunteer_id, w->now_ms, &undone, err);
	return st == OK ? task_again(db, w->volunteer_id, &undone, w->now_ms, &w->list, err) : st;
}

enum status handle_undo(struct request *r, struct reply *reply, struct err *err)
{
	char uuid[37];
	struct undo_work w = {.volunteer_id = r->volunteer.id, .now_ms = r->now_ms};
	enum status st = read_uuid(r, "uuid", w.uuid, err);
	if (st == OK)
		st = read_uuid(r, "of", w.of, err);
	if (st == OK)
		st = writer_do(r->app->writer, do_undo, &w, err);
	if (st == OK) {
		uuid_format(w.uuid, uuid);
		reply->json = json_pack("{s:s, s:o}", "uuid", uuid, "task", task_json(&w.list.tasks[0]));
	}
	task_list_release(&w.list);
	return st;
}

const struct route volunteer_routes[] = {
	{"GET", "/api/me", WHO_ANYONE, BODY_NONE, handle_me},
	{"POST", "/api/signup", WHO_ANYONE, BODY_JSON, handle_signup},
	{"POST", "/api/login", WHO_ANYONE, BODY_JSON, handle_login},
	{"POST", "/api/logout", WHO_ANYONE, BODY_JSON, handle_logout},
	{"GET", "/api/projects", WHO_ANYONE, BODY_NONE, handle_projects},
	{"GET", PROJECT, WHO_ANYONE, BODY_NONE, handle_project},
	{"GET", PROJECT "/pages/*", WHO_ANYONE, BODY_NONE, handle_page},
	{"GET", PROJECT "/files/{file}", WHO_ANYONE, BODY_NONE, handle_file},
	{"POST", PROJECT "/next", WHO_SESSION, BODY_JSON, handle_next},
	{"POST", PROJECT "/classifications", WHO_SESSION, BODY_JSON, handle_classify},
	{"POST", PROJECT "/undo", WHO_SESSION, BODY_JSON, handle_undo},
	{"GET", PROJECT "/status", WHO_RESEARCHER, BODY_NONE, handle_status},
	{0},
};
