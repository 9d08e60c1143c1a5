/*
 * Leases. Held ones are given again first; then the queue, where a subject that somebody else looks at waits while others
 * are free; near the end up to three may look at one subject.
 */
#include "task.h"

#include "blank_feed.h"
#include "label.h"
#include "plant.h"

#include <stdlib.h>

enum { RENDITION_PX = 1280, MAX_TOGETHER = 3, MAX_ROUNDS = 20 };

void task_list_release(struct task_list *list)
{
	for (int i = 0; i < list->n; i++)
		free(list->tasks[i].frames);
	*list = (struct task_list){0};
}

/* The size of the largest web rendition, as the import makes it: never larger than the photograph. */
static struct frame frame_of(int64_t id, int64_t width, int64_t height)
{
	int64_t longer = width > height ? width : height;
	if (longer > RENDITION_PX) {
		width = (width * RENDITION_PX + longer / 2) / longer;
		height = (height * RENDITION_PX + longer / 2) / longer;
	}
	return (struct frame){id, (int)(width < 1 ? 1 : width), (int)(height < 1 ? 1 : height)};
}

static enum status load_frames(struct db *db, struct task *t, struct err *err)
{
	enum status st;
	t->frames = xcalloc(TASK_MAX_FRAMES, sizeof *t->frames);
	struct stmt *row = db_query(db, Q_TASK_FRAMES, "ii", t->subject_id, (int64_t)TASK_MAX_FRAMES);
	while ((st = db_step(row, err)) == OK)
		t->frames[t->n_frames++] = frame_of(
			col_int(row, 0), col_int(row, 1), col_int(row, 2) - col_int(row, 3));
	return st == NOT_FOUND ? OK : st;
}

/* Who asks for what, all through one call. */
struct ask {
	struct db *db;
	int64_t project_id, volunteer_id, now_ms;
	bool expert;
	int n_wanted;
	struct policy policy;
	struct task_list *list;
	struct blank_feed blanks;
};

/* Adds a lease to the list, new or renewed. */
static enum status lease(struct ask *a, int64_t subject_id, bool planted, struct err *err)
{
	struct stmt *row = NULL;
	struct task *t = &a->list->tasks[a->list->n];
	*t = (struct task){
		.subject_id = subject_id, .expires_ms = a->now_ms + (int64_t)a->policy.lease_s * 1000};
	enum status st = db_one(a->db, Q_TASK_PUT, &row, err, "iiiiiii", a->project_id, subject_id,
		a->volunteer_id, (int64_t)a->expert, a->now_ms, t->expires_ms, (int64_t)planted);
	if (st != OK)
		return st;
	t->id = col_int(row, 0);
	do
		st = db_step(row, err);
	while (st == OK);
	a->list->n++;
	st = st == NOT_FOUND ? load_frames(a->db, t, err) : st;
	return st == OK ? blank_feed_gave(a->db, &a->blanks, subject_id, err) : st;
}

static enum status add_held(struct ask *a, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(a->db, Q_TASK_HELD, "iiiiis", a->volunteer_id, a->project_id,
		(int64_t)a->expert, a->now_ms, (int64_t)a->n_wanted, a->expert ? "expert" : "open");
	while ((st = db_step(row, err)) == OK)
		a->list->tasks[a->list->n++] = (struct task){
			.id = col_int(row, 0), .subject_id = col_int(row, 1), .expires_ms = col_int(row, 2)};
	st = st == NOT_FOUND ? OK : st;
	for (int i = 0; st == OK && i < a->list->n; i++) {
		st = load_frames(a->db, &a->list->tasks[i], err);
		if (st == OK)
			st = blank_feed_gave(a->db, &a->blanks, a->list->tasks[i].subject_id, err);
	}
	return st;
}

/*
 * While open subjects are to be decided again (a certificate is in force since, say), one is decided before it is handed out:
 * people are not asked what is known already. NOT_FOUND: there is no sweep, and out is empty.
 */
static enum status load_if_sweeping(
	struct db *db, int64_t project_id, struct project *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_TASK_SWEEPING, &row, err, "i", project_id);
	if (st != OK)
		return st;
	db_done(row);
	return project_load(db, project_id, out, err);
}

static enum status decide_first(struct db *db, const struct project *p, int64_t subject_id,
	int64_t now_ms, bool *open, struct err *err)
{
	struct subject s = {0};
	enum status st = label_decide(db, p, subject_id, 0, now_ms, err);
	if (st == OK)
		st = subject_load(db, subject_id, &s, err);
	*open = s.state == SUBJECT_OPEN;
	return st;
}

/* The next in the queue, n at most. Shapes: ids [TASK_MAX]. */
static enum status candidates(
	const struct ask *a, int together, int n_wanted, int64_t *ids, int *n, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(a->db, Q_TASK_CANDIDATE, "isiiiii", a->project_id,
		a->expert ? "expert" : "open", a->volunteer_id, (int64_t)a->expert, a->now_ms,
		(int64_t)together, (int64_t)n_wanted);
	*n = 0;
	while ((st = db_step(row, err)) == OK)
		ids[(*n)++] = col_int(row, 0);
	return st == NOT_FOUND ? OK : st;
}

static bool is_given(const struct ask *a, int64_t subject_id)
{
	for (int i = 0; i < a->list->n; i++)
		if (a->list->tasks[i].subject_id == subject_id)
			return true;
	return false;
}

/* A blank in the subject's place, where the feed lacks some. p: not NULL while open subjects are to be decided again. */
static enum status blank_instead(const struct ask *a, const struct project *p, int together,
	int64_t *subject_id, struct err *err)
{
	bool wants = false, open = true;
	int64_t blank = 0;
	enum status st = blank_feed_wants(a->db, &a->blanks, a->list->n, &wants, err);
	if (st == OK && wants)
		st = blank_feed_pick(a->db, &a->blanks, together, a->now_ms, &blank, err);
	if (st == OK && blank && p)
		st = decide_first(a->db, p, blank, a->now_ms, &open, err);
	if (st == OK && blank && open)
		*subject_id = blank;
	return st;
}

/* The subject, or gold or a blank in its place: then it waits for the next slot. */
static enum status give(
	struct ask *a, const struct project *p, int together, int64_t subject_id, struct err *err)
{
	int64_t gold = 0;
	if (a->expert)
		return lease(a, subject_id, false, err);
	enum status st = plant_draw(
		a->db, a->project_id, &a->policy, a->volunteer_id, a->list->n, a->now_ms, &gold, err);
	if (st == OK && !gold)
		st = blank_instead(a, p, together, &subject_id, err);
	return st == OK ? lease(a, gold ? gold : subject_id, gold != 0, err) : st;
}

/* Where up to `together` people may look at one subject; n at most altogether. */
static enum status add_new(struct ask *a, int together, int n_most, struct err *err)
{
	int64_t ids[TASK_MAX];
	int n = 1;
	struct project p = {0};
	enum status st = a->expert ? NOT_FOUND : load_if_sweeping(a->db, a->project_id, &p, err);
	bool sweeping = st == OK;
	st = st == NOT_FOUND ? OK : st;
	/* Decided ones leave the queue. After some rounds of nothing else the sweep is left to its own thread. */
	for (int round = 0; st == OK && n > 0 && a->list->n < n_most && round < MAX_ROUNDS; round++) {
		st = candidates(a, together, n_most - a->list->n, ids, &n, err);
		for (int i = 0; st == OK && i < n; i++) {
			bool open = !is_given(a, ids[i]), decide = sweeping && round + 1 < MAX_ROUNDS;
			if (open && decide)
				st = decide_first(a->db, &p, ids[i], a->now_ms, &open, err);
			if (st == OK && open)
				st = give(a, decide ? &p : NULL, together, ids[i], err);
		}
	}
	project_release(&p);
	return st;
}

enum status task_next(struct db *db, int64_t project_id, int64_t volunteer_id, bool expert,
	int n_wanted, int64_t now_ms, struct task_list *out, struct err *err)
{
	struct ask a = {.db = db,
		.project_id = project_id,
		.volunteer_id = volunteer_id,
		.now_ms = now_ms,
		.expert = expert,
		.n_wanted = n_wanted,
		.list = out};
	struct stmt *row = NULL;
	*out = (struct task_list){0};
	if (n_wanted < 1 || n_wanted > TASK_MAX)
		return err_set(
			err, BAD_INPUT, "n is %d: 1 to %d tasks can be asked for", n_wanted, TASK_MAX);
	enum status st = policy_get(db, project_id, &a.policy, err);
	if (st == OK && !expert)
		st = blank_feed_open(db, project_id, volunteer_id, &a.policy, &a.blanks, err);
	if (st == OK)
		st = add_held(&a, err);
	if (st == OK && out->n < n_wanted)
		st = add_new(&a, 1, n_wanted, err);
	if (st == OK && out->n == 0)
		st = add_new(&a, MAX_TOGETHER, 1, err);
	if (st != OK || out->n > 0)
		return st;
	st = db_one(db, Q_TASK_ANY_OPEN, &row, err, "is", project_id, expert ? "expert" : "open");
	db_done(st == OK ? row : NULL);
	out->reason = st == OK ? TASK_SEEN : TASK_DONE;
	return st == NOT_FOUND ? OK : st;
}

enum status task_again(struct db *db, int64_t volunteer_id,
	const struct classification_undone *undone, int64_t now_ms, struct task_list *out,
	struct err *err)
{
	struct ask a = {.db = db,
		.volunteer_id = volunteer_id,
		.now_ms = now_ms,
		.expert = undone->expert,
		.list = out};
	struct stmt *row = NULL;
	*out = (struct task_list){0};
	enum status st = db_one(db, Q_SUBJECT_GET, &row, err, "i", undone->subject_id);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "there is no subject %lld", (long long)undone->subject_id);
	if (st != OK)
		return st;
	a.project_id = col_int(row, 0);
	db_done(row);
	st = policy_get(db, a.project_id, &a.policy, err);
	return st == OK ? lease(&a, undone->subject_id, undone->planted, err) : st;
}
