/*
 * Leases. Held ones are given again first; then the queue, where a subject that somebody else looks at waits while others
 * are free; near the end up to three may look at one subject. No two bursts of one camera follow each other while others
 * wait: they tire people, and whoever has just seen an animal there sees it again.
 */
#include "task.h"

#include "blank_feed.h"
#include "card.h"
#include "label.h"
#include "plant.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

enum { RENDITION_PX = 1280, MAX_TOGETHER = 3, MAX_ROUNDS = 20 };
enum { FORGET_MS = 5 * 60 * 1000 };
/* Subjects to look at: at the queue's top, from where the last search came to, and at each of the places of a leap. */
enum { LOOK = 50, WALK = 100, PEEK = 10, PLACES = 14 };
/* Other cameras to look at where the queue's next are all of one. */
enum { OTHERS = 5 };

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

enum status task_frames(struct db *db, struct task *t, struct err *err)
{
	enum status st;
	t->frames = xcalloc(TASK_MAX_FRAMES, sizeof *t->frames);
	struct stmt *row = db_query(db, Q_TASK_FRAMES, "ii", t->subject_id, (int64_t)TASK_MAX_FRAMES);
	while ((st = db_step(row, err)) == OK)
		t->frames[t->n_frames++] = frame_of(
			col_int(row, 0), col_int(row, 1), col_int(row, 2) - col_int(row, 3));
	return st == NOT_FOUND ? OK : st;
}

/* What a volunteer is shown of a task. */
static enum status load_shown(struct db *db, int64_t project_id, struct task *t, struct err *err)
{
	enum status st = task_frames(db, t, err);
	if (st != OK)
		return st;
	struct stmt *row = db_query(
		db, Q_TASK_LIKELY, "iii", project_id, t->subject_id, (int64_t)TASK_MAX_LIKELY);
	while ((st = db_step(row, err)) == OK)
		t->likely[t->n_likely++] = col_int(row, 0);
	return st == NOT_FOUND ? OK : st;
}

/* Who asks for what, all through one call. */
struct ask {
	struct db *db;
	int64_t project_id, volunteer_id, now_ms;
	bool expert;
	int n_wanted;
	int64_t last_deployment; /* of the task before; 0: none, or it does not matter */
	struct project project;
	struct task_list *list;
	struct blank_feed blanks;
};

static enum status note_deployment(struct ask *a, int64_t subject_id, struct err *err)
{
	struct stmt *row = NULL;
	if (a->expert)
		return OK;
	enum status st = db_one(a->db, Q_TASK_DEPLOYMENT, &row, err, "i", subject_id);
	if (st == OK) {
		a->last_deployment = col_int(row, 0);
		db_done(row);
	}
	return st;
}

/* Adds a lease to the list, new or renewed. */
static enum status lease(
	struct ask *a, int64_t subject_id, bool planted, struct card card, struct err *err)
{
	struct stmt *row = NULL;
	struct task *t = &a->list->tasks[a->list->n];
	*t = (struct task){.subject_id = subject_id,
		.expires_ms = a->now_ms + (int64_t)a->project.policy.lease_s * 1000};
	enum status st = db_one(a->db, Q_TASK_PUT, &row, err, "iiiiiiiII", a->project.id, subject_id,
		a->volunteer_id, (int64_t)a->expert, a->now_ms, t->expires_ms, (int64_t)planted,
		card.guess_id ? &card.guess_id : NULL, card.guess_id ? &card.model_id : NULL);
	if (st != OK)
		return st;
	t->id = col_int(row, 0);
	t->guess_id = col_int(row, 1);
	do
		st = db_step(row, err);
	while (st == OK);
	a->list->n++;
	st = st == NOT_FOUND ? load_shown(a->db, a->project.id, t, err) : st;
	if (st == OK)
		st = note_deployment(a, subject_id, err);
	return st == OK ? blank_feed_gave(a->db, &a->blanks, subject_id, err) : st;
}

static enum status add_held(struct ask *a, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(a->db, Q_TASK_HELD, "iiiiis", a->volunteer_id, a->project.id,
		(int64_t)a->expert, a->now_ms, (int64_t)a->n_wanted, a->expert ? "expert" : "open");
	while ((st = db_step(row, err)) == OK)
		a->list->tasks[a->list->n++] = (struct task){.id = col_int(row, 0),
			.subject_id = col_int(row, 1),
			.expires_ms = col_int(row, 2),
			.guess_id = col_int(row, 3)};
	st = st == NOT_FOUND ? OK : st;
	for (int i = 0; st == OK && i < a->list->n; i++) {
		st = load_shown(a->db, a->project.id, &a->list->tasks[i], err);
		if (st == OK)
			st = blank_feed_gave(a->db, &a->blanks, a->list->tasks[i].subject_id, err);
	}
	if (st == OK && a->list->n > 0)
		return note_deployment(a, a->list->tasks[a->list->n - 1].subject_id, err);
	if (st != OK || a->expert)
		return st;
	st = db_one(a->db, Q_TASK_LAST_DEPLOYMENT, &row, err, "ii", a->volunteer_id, a->project_id);
	if (st == OK) {
		a->last_deployment = col_int(row, 0);
		db_done(row);
	}
	return st == NOT_FOUND ? OK : st;
}

/*
 * While open subjects are to be decided again (a certificate is in force since, say), one is decided before it is handed out:
 * people are not asked what is known already.
 */
static enum status is_sweeping(struct db *db, int64_t project_id, bool *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_TASK_SWEEPING, &row, err, "i", project_id);
	*out = st == OK;
	db_done(st == OK ? row : NULL);
	return st == NOT_FOUND ? OK : st;
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

/* A place in the queue: after this subject. */
struct place {
	double priority;
	int64_t subject_id;
};

/* A free subject. */
struct found {
	int64_t subject_id, deployment_id;
	bool tried;
};

struct search {
	int together;         /* this many may look at one subject */
	int n_wanted, n_most; /* subjects to find, and to look at */
	struct found found[LOOK];
	int n;
	bool deep;                 /* it went beyond the queue's top */
	int n_seen, n_passed;      /* looked at, and of those before the first that was free */
	struct place last, passed; /* the last of each */
};

/* The first that has not been tried and is not of that deployment (0: any); -1: none. */
static int next_apart(const struct search *s, const bool *taken, int64_t deployment_id)
{
	for (int i = 0; i < s->n; i++)
		if (!s->found[i].tried && !(taken && taken[i]) &&
			s->found[i].deployment_id != deployment_id)
			return i;
	return -1;
}

/* Whether what was found is enough for tasks of which no two in a row are of one camera. */
static bool is_enough(const struct ask *a, const struct search *s)
{
	bool taken[LOOK] = {false};
	int64_t last = a->last_deployment;
	for (int n = 0; n < s->n_wanted; n++) {
		const int i = next_apart(s, taken, last);
		if (i < 0)
			return false;
		taken[i] = true;
		last = a->expert ? 0 : s->found[i].deployment_id;
	}
	return true;
}

/* NOT_FOUND: it is not. */
static enum status is_free(const struct ask *a, int64_t subject_id, int together, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(a->db, Q_TASK_IS_FREE, &row, err, "iiiii", subject_id, a->volunteer_id,
		(int64_t)a->expert, a->now_ms, (int64_t)together);
	db_done(st == OK ? row : NULL);
	return st;
}

/* Goes through the queue from a place on until enough are found, or some have been and as many again were looked at. */
static enum status search(const struct ask *a, struct place from, struct search *s, struct err *err)
{
	enum status st = OK;
	const int n_before = s->n;
	int n_most = s->n_most;
	s->n_seen = s->n_passed = 0;
	s->last = s->passed = from;
	struct stmt *row = db_query(a->db, a->expert ? Q_TASK_QUEUE_EXPERT : Q_TASK_QUEUE, "idi",
		a->project.id, from.priority, from.subject_id);
	while (
		!is_enough(a, s) && s->n < LOOK && s->n_seen < n_most && (st = db_step(row, err)) == OK) {
		struct found one = {.subject_id = col_int(row, 0), .deployment_id = col_int(row, 2)};
		s->n_seen++;
		s->last = (struct place){col_real(row, 1), one.subject_id};
		enum status free = is_free(a, one.subject_id, s->together, err);
		if (free == OK) {
			if (s->n == n_before && n_most - s->n_seen > s->n_wanted + PEEK)
				n_most = s->n_seen + s->n_wanted + PEEK;
			s->found[s->n++] = one;
		} else if (free != NOT_FOUND) {
			db_done(row);
			return free;
		} else if (s->n == n_before) {
			s->n_passed++;
			s->passed = s->last;
		}
	}
	if (st == OK) /* else it is done */
		db_done(row);
	return st == NOT_FOUND ? OK : st;
}

/* Where a search from the top has come to in the last minutes, if that is below `from`: *at_ms says when, else it is now. */
static enum status go_on(const struct ask *a, struct place *from, int64_t *at_ms, struct err *err)
{
	struct stmt *row = NULL;
	*at_ms = a->now_ms;
	enum status st = db_one(a->db, Q_TASK_CURSOR_GET, &row, err, "iii", a->project.id,
		a->volunteer_id, (int64_t)a->expert);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	struct place kept = {col_real(row, 0), col_int(row, 1)};
	if (kept.priority < from->priority && a->now_ms - col_int(row, 2) < FORGET_MS) {
		*at_ms = col_int(row, 2);
		*from = kept;
	}
	db_done(row);
	return OK;
}

/*
 * Over a run of thousands that the volunteer has answered without reading them, from its top on: by bisection to what is free
 * closest below it. Nothing may be found: s->n is then 0.
 */
static enum status leap(const struct ask *a, struct place run, struct search *s, struct err *err)
{
	double above = run.priority, below = 0;
	int n_found = 0;
	enum status st = OK;
	s->n_most = PEEK;
	for (int i = 0; st == OK && i < PLACES; i++) {
		const double middle = (above + below) / 2;
		s->n = 0;
		st = search(a, (struct place){middle, 0}, s, err);
		const bool at_end = s->n == 0 && s->n_seen < PEEK;
		*(s->n > 0 || at_end ? &below : &above) = middle;
		n_found = s->n > 0 ? s->n
						   : n_found; /* which stay in s->found while nothing else is found */
	}
	s->n = n_found;
	return st;
}

/*
 * The next in the queue, n at most. Whoever has answered thousands that are still open would pass over them at the top again and
 * again. So after the first few the search goes on from where the last one came to, and no further than WALK; what it does not
 * reach by then it leaps over, and the next call walks on. What has risen above that place since is found among the first few, or
 * when the place is forgotten, or when nothing is found below it: only then, and for who has answered nearly everything, all is read.
 */
static enum status candidates(
	const struct ask *a, int together, int n_wanted, struct search *out, struct err *err)
{
	struct search s = {.together = together, .n_wanted = n_wanted, .n_most = LOOK};
	int64_t at_ms = a->now_ms;
	enum status st = search(a, (struct place){INFINITY, 0}, &s, err);
	if (st == OK && s.n == 0 && s.n_seen == LOOK) {
		struct place top = s.last, from = top;
		s.deep = true;
		s.n_most = together == 1 ? WALK : INT_MAX;
		if (together == 1)
			st = go_on(a, &from, &at_ms, err);
		if (st == OK)
			st = search(a, from, &s, err);
		struct search walked = s;
		bool all_seen = at_ms == a->now_ms && s.n_seen < s.n_most;
		if (st == OK && s.n == 0 && s.n_seen == WALK && together == 1)
			st = leap(a, s.last, &s, err);
		if (st == OK && s.n == 0 && !all_seen) {
			at_ms = a->now_ms;
			s.n_most = INT_MAX;
			st = search(a, top, &s, err);
			walked = s;
		}
		if (st == OK && together == 1 && walked.n_passed >= LOOK)
			st = db_run(a->db, Q_TASK_CURSOR_PUT, err, "iiidii", a->project.id, a->volunteer_id,
				(int64_t)a->expert, walked.passed.priority, walked.passed.subject_id, at_ms);
	}
	*out = s;
	return st;
}

/* The first free subject of another camera than the task before, however far down the queue; the cameras go in a ring. */
static enum status elsewhere(const struct ask *a, struct search *s, struct err *err)
{
	int64_t deployment = a->last_deployment;
	bool there = false;
	enum status st = OK;
	for (int i = 0; st == OK && !there && i < OTHERS; i++) {
		struct stmt *row = NULL;
		st = db_one(a->db, Q_TASK_NEXT_DEPLOYMENT, &row, err, "ii", a->project_id, deployment);
		if (st != OK)
			return st;
		deployment = col_int(row, 0);
		db_done(row);
		if (!deployment || deployment == a->last_deployment)
			return OK;
		row = db_query(
			a->db, Q_TASK_QUEUE_OF_DEPLOYMENT, "iii", a->project_id, deployment, (int64_t)PEEK);
		while (!there && (st = db_step(row, err)) == OK) {
			struct found one = {.subject_id = col_int(row, 0), .deployment_id = deployment};
			enum status free = is_free(a, one.subject_id, s->together, err);
			there = free == OK;
			if (there)
				s->found[s->n++] = one;
			if (free != NOT_FOUND)
				db_done(row);
			if (free != OK && free != NOT_FOUND)
				return free;
		}
		st = st == NOT_FOUND ? OK : st;
	}
	return st;
}

/* Which of the found is next, -1: none is left. Where all are of the camera of the task before, another one's is looked for. */
static enum status next_found(const struct ask *a, struct search *s, int *i, struct err *err)
{
	enum status st = OK;
	*i = next_apart(s, NULL, a->last_deployment);
	if (*i < 0 && next_apart(s, NULL, 0) >= 0) {
		if (!s->deep && s->n < LOOK) /* the reads of a deep one are spent */
			st = elsewhere(a, s, err);
		*i = next_apart(s, NULL, a->last_deployment);
		if (*i < 0)
			*i = next_apart(s, NULL, 0);
	}
	return st;
}

static bool is_given(const struct ask *a, int64_t subject_id)
{
	for (int i = 0; i < a->list->n; i++)
		if (a->list->tasks[i].subject_id == subject_id)
			return true;
	return false;
}

/* A blank in the subject's place, where the feed lacks some. decide: open subjects are to be decided again first. */
static enum status blank_instead(const struct ask *a, bool decide, int together, int64_t apart_from,
	int64_t *subject_id, struct err *err)
{
	bool wants = false, open = true;
	int64_t blank = 0;
	enum status st = blank_feed_wants(a->db, &a->blanks, a->list->n, &wants, err);
	if (st == OK && wants)
		st = blank_feed_pick(a->db, &a->blanks, together, apart_from, a->now_ms, &blank, err);
	if (st == OK && blank && decide)
		st = decide_first(a->db, &a->project, blank, a->now_ms, &open, err);
	if (st == OK && blank && open)
		*subject_id = blank;
	return st;
}

/* The subject, or gold or a blank in its place: then it waits for the next slot. */
static enum status give(struct ask *a, bool decide, int together, struct found one, struct err *err)
{
	int64_t gold = 0, subject_id = one.subject_id;
	/* Of the camera before only where the subject itself is: nothing else waits then. */
	const int64_t apart_from = one.deployment_id == a->last_deployment ? 0 : a->last_deployment;
	struct card card = {0};
	if (a->expert)
		return lease(a, subject_id, false, card, err);
	enum status st = plant_draw(a->db, &a->project.policy,
		(struct plant_slot){a->project.id, a->volunteer_id, a->now_ms, apart_from, a->list->n},
		&gold, err);
	if (st == OK && !gold)
		st = blank_instead(a, decide, together, apart_from, &subject_id, err);
	if (st == OK)
		st = card_draw(
			a->db, &a->project, gold ? gold : subject_id, a->volunteer_id, gold != 0, &card, err);
	return st == OK ? lease(a, gold ? gold : subject_id, gold != 0, card, err) : st;
}

/* Where up to `together` people may look at one subject; n at most altogether. */
static enum status add_new(struct ask *a, int together, int n_most, struct err *err)
{
	struct search s = {.n = 1};
	bool sweeping = false;
	enum status st = a->expert ? OK : is_sweeping(a->db, a->project.id, &sweeping, err);
	/* Decided ones leave the queue. After some rounds of nothing else the sweep is left to its own thread. */
	for (int round = 0; st == OK && s.n > 0 && a->list->n < n_most && round < MAX_ROUNDS; round++) {
		int i = 0;
		st = candidates(a, together, n_most - a->list->n, &s, err);
		for (int n = s.n_wanted; st == OK && n > 0 && a->list->n < n_most; n--) {
			st = next_found(a, &s, &i, err);
			if (st != OK || i < 0)
				break;
			struct found *one = &s.found[i];
			one->tried = true;
			bool open = !is_given(a, one->subject_id), decide = sweeping && round + 1 < MAX_ROUNDS;
			if (open && decide)
				st = decide_first(a->db, &a->project, one->subject_id, a->now_ms, &open, err);
			if (st == OK && open)
				st = give(a, decide, together, *one, err);
		}
	}
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
	enum status st = project_load(db, project_id, &a.project, err);
	if (st == OK && !expert)
		st = blank_feed_open(db, &a.project, volunteer_id, now_ms, &a.blanks, err);
	if (st == OK)
		st = add_held(&a, err);
	if (st == OK && out->n < n_wanted)
		st = add_new(&a, 1, n_wanted, err);
	if (st == OK && out->n == 0)
		st = add_new(&a, MAX_TOGETHER, 1, err);
	project_release(&a.project);
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
	int64_t project_id = col_int(row, 0);
	db_done(row);
	st = project_load(db, project_id, &a.project, err);
	if (st == OK)
		st = lease(&a, undone->subject_id, undone->planted,
			(struct card){undone->guess_id, undone->guess_model_id}, err);
	project_release(&a.project);
	return st;
}
