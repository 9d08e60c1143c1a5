/* Answers: checked, stored once, and followed by the decision in the same transaction. */
#include "classification.h"

#include "blank_feed.h"
#include "card.h"
#include "drift.h"
#include "flag.h"
#include "label.h"
#include "survey.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNDO_LAST = 10 };

enum status uuid_parse(const char *text, uint8_t out[16], struct err *err)
{
	int digits = 0;
	size_t n = strlen(text);
	for (size_t i = 0; n == 36 && i < n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		int c = tolower((unsigned char)text[i]);
		if (dash && c == '-')
			continue;
		if (dash || !isxdigit(c))
			break;
		int value = c <= '9' ? c - '0' : c - 'a' + 10;
		out[digits / 2] = (uint8_t)(digits % 2 ? out[digits / 2] | value : value << 4);
		digits++;
	}
	return digits == 32
		? OK
		: err_set(err, BAD_INPUT, "'%.60s' is no UUID: 8-4-4-4-12 hex digits are wanted", text);
}

void uuid_format(const uint8_t u[16], char out[37])
{
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
		u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
		u[15]);
}

struct stored {
	int64_t id, volunteer_id, subject_id, created_ms;
	bool counted, superseded, undone, expert, planted, stained, told;
	int64_t guess_id, guess_model_id;
};

static enum status find_stored(
	struct db *db, const uint8_t uuid[16], struct stored *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_CLASSIFICATION_BY_UUID, &row, err, "b", uuid, (size_t)16);
	if (st != OK)
		return st;
	*out = (struct stored){
		.id = col_int(row, 0),
		.volunteer_id = col_int(row, 1),
		.subject_id = col_int(row, 2),
		.counted = col_int(row, 3) != 0,
		.undone = strcmp(col_text(row, 4), "undone") == 0,
		.superseded = col_int(row, 5) != 0,
		.created_ms = col_int(row, 6),
		.expert = col_int(row, 7) != 0,
		.planted = col_int(row, 8) != 0,
		.guess_id = col_int(row, 9),
		.guess_model_id = col_int(row, 10),
		.stained = col_int(row, 11) != 0,
		.told = col_int(row, 12) != 0,
	};
	db_done(row);
	return OK;
}

/* The species that an answer names, in order. */
static struct named named_at(const struct classification *c, int i)
{
	return i == 0 ? (struct named){c->taxon_id, c->count, c->details} : c->more[i - 1];
}

/* What an answer means in the project's classes. */
struct answer_classes {
	int n; /* 0: "can't tell" */
	int classes[ANSWER_MAX_TAXA];
	bool several;
};

static enum status check_named(const struct project *p, const struct classification *c, int i,
	struct answer_classes *a, struct err *err)
{
	struct named one = named_at(c, i);
	int class = project_class(p, one.taxon_id);
	if (class < 0 || p->taxa[class].retired)
		return err_set(err, BAD_INPUT, "the project has no taxon %lld", (long long)one.taxon_id);
	if (one.count && (*one.count < 1 || *one.count > 1000000))
		return err_set(
			err, BAD_INPUT, "a count of %lld: 1 to 1000000 is wanted", (long long)*one.count);
	for (int j = 0; j < i; j++)
		if (a->classes[j] == class)
			return err_set(err, BAD_INPUT, "%.60s is named twice", p->taxa[class].code);
	if (p->taxa[class].kind == TAXON_BLANK && (c->n_more > 0 || c->several))
		return err_set(err, BAD_INPUT, "\"nothing here\" goes with no other species");
	a->classes[i] = class;
	return OK;
}

static enum status check_answer(const struct project *p, const struct classification *c,
	struct answer_classes *a, struct err *err)
{
	enum status st = OK;
	*a = (struct answer_classes){.several = c->several || c->n_more > 0};
	if (c->duration_ms && *c->duration_ms < 0)
		return err_set(err, BAD_INPUT, "a duration of %lld ms: 0 or more is wanted",
			(long long)*c->duration_ms);
	if (c->answer == ANSWER_CANT_TELL && a->several)
		return err_set(err, BAD_INPUT, "\"can't tell\" goes with no species");
	if (c->answer == ANSWER_CANT_TELL)
		return OK;
	if (c->n_more < 0 || c->n_more >= ANSWER_MAX_TAXA)
		return err_set(
			err, BAD_INPUT, "%d species: 1 to %d can be named", c->n_more + 1, ANSWER_MAX_TAXA);
	for (a->n = 0; st == OK && a->n <= c->n_more; a->n++)
		st = check_named(p, c, a->n, a, err);
	return st;
}

/* What the server makes of an answer besides what it says. */
struct circumstances {
	bool planted;
	int64_t guess_id, guess_model_id; /* of the card; 0: a blind survey */
	bool stained; /* the volunteer knew what the model thinks, and should not have */
	bool first;   /* nobody else's has come before it */
	bool counted;
	bool told;
};

static enum status check_given(struct db *db, const struct subject *s,
	const struct classification *c, struct circumstances *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_CLASSIFICATION_BEFORE, &row, err, "iii", c->subject_id,
		c->volunteer_id, (int64_t)c->expert);
	if (st != OK)
		return st;
	const bool there = col_int(row, 0) != 0, told = col_int(row, 1) != 0;
	const bool first = col_int(row, 2) == 0;
	db_done(row);
	if (there)
		return err_set(err, CONFLICT,
			"subject %lld has an answer of yours already: undo that one first",
			(long long)c->subject_id);
	st = db_one(db, Q_TASK_GIVEN, &row, err, "ii", c->subject_id, c->volunteer_id);
	if (st == NOT_FOUND)
		return err_set(err, DENIED, "subject %lld was not given to you: ask for the next one",
			(long long)c->subject_id);
	if (st != OK)
		return st;
	if (!c->expert)
		*out = (struct circumstances){
			.planted = col_int(row, 0) != 0,
			.guess_id = col_int(row, 1),
			.guess_model_id = col_int(row, 2),
			/* A guess on what has become an audit since, or an opinion heard after an answer that was then taken back. */
			.stained = (s->blind && col_int(row, 1)) || told,
		};
	out->first = first;
	db_done(row);
	return OK;
}

static enum status add_annotation(
	struct db *db, const struct project *p, int64_t id, struct named one, struct err *err)
{
	char *details = NULL;
	enum status st = survey_details(p->survey, one.details, &details, err);
	if (st == OK)
		st = db_run(db, Q_ANNOTATION_ADD, err, "iiIs", id, one.taxon_id, one.count, details);
	free(details);
	return st;
}

static enum status insert(struct db *db, const struct project *p, const struct subject *s,
	const struct classification *c, const struct circumstances *how, int64_t now_ms, int64_t *id,
	struct err *err)
{
	const int64_t *heard = s->prediction_id && !s->blind ? &s->prediction_id : NULL;
	enum status st = db_run(db, Q_CLASSIFICATION_ADD, err, "biiisiiiiIIiiIIii", c->uuid, (size_t)16,
		p->id, s->id, c->volunteer_id, c->answer == ANSWER_TAXA ? "taxa" : "cant_tell",
		(int64_t)how->counted, (int64_t)c->expert, (int64_t)s->blind, p->policy.id, heard,
		c->duration_ms, now_ms, (int64_t)how->planted, how->guess_id ? &how->guess_id : NULL,
		how->guess_id ? &how->guess_model_id : NULL, (int64_t)how->told, (int64_t)how->stained);
	*id = db_last_id(db);
	for (int i = 0; st == OK && c->answer == ANSWER_TAXA && i <= c->n_more; i++)
		st = add_annotation(db, p, *id, named_at(c, i), err);
	if (st == OK && (c->several || c->n_more > 0))
		st = db_run(db, Q_CLASSIFICATION_SEVERAL, err, "i", *id);
	if (st == OK)
		st = db_run(db, Q_TASK_END, err, "ii", s->id, c->volunteer_id);
	return st;
}

/* The same for every kind of subject, so that what is told, and what is not, says nothing of the kind. */
static enum status reveal(struct db *db, const struct project *p, const struct classification *c,
	struct classification_result *out, struct err *err)
{
	enum status st = OK;
	out->reveals = p->policy.reveal && !c->expert;
	out->reveals_others = p->policy.reveal_others && !c->expert;
	if (out->reveals)
		st = card_opinion(db, p, c->subject_id, &out->opinion_id, err);
	return st == OK && out->reveals_others
		? others_load(db, c->subject_id, c->volunteer_id, INT64_MAX, &out->others, err)
		: st;
}

static bool can_name_people(const struct project *p)
{
	for (int z = 0; z < p->k; z++)
		if (p->taxa[z].kind == TAXON_HUMAN && !p->taxa[z].retired)
			return true;
	return false;
}

static enum status store(struct db *db, const struct project *p, const struct classification *c,
	int64_t now_ms, struct classification_result *out, struct err *err)
{
	struct subject s;
	struct circumstances how = {0};
	struct answer_classes a;
	int64_t id = 0;
	enum status st = subject_load(db, c->subject_id, &s, err);
	if (st == OK && s.project_id != p->id)
		return err_set(err, NOT_FOUND, "the project has no subject %lld", (long long)c->subject_id);
	if (st == OK)
		st = check_answer(p, c, &a, err);
	if (st == OK)
		st = check_given(db, &s, c, &how, err);
	if (st == OK)
		st = reveal(db, p, c, out, err);
	if (st != OK)
		return st;
	how.told = out->opinion_id != 0 || out->others.n > 0;
	how.counted = c->expert ? s.state == SUBJECT_EXPERT
							: s.state == SUBJECT_OPEN && !how.planted && !how.stained;
	out->counted = how.counted || how.planted || how.stained;
	st = insert(db, p, &s, c, &how, now_ms, &id, err);
	if (st == OK && how.planted)
		return plant_answered(db, p, s.id,
			(struct planted_answer){c->volunteer_id, id, how.guess_id != 0, a.n, a.classes},
			&out->truth, err);
	/* One species, named without a guess in view, can be told from the model's. */
	if (st == OK && how.counted && how.first && !c->expert)
		st = drift_observe(db, p, &s, c->volunteer_id,
			a.n == 1 && !a.several && !how.guess_id ? a.classes[0] : -1, now_ms, err);
	if (st != OK || !how.counted)
		return st;
	if (!c->expert)
		return label_decide_loaded(db, p, &s, id, now_ms, err);
	st = a.n > 1
		? label_by_expert_set(db, p, s.id, a.classes, a.n, c->volunteer_id, id, now_ms, err)
		: label_by_expert(db, p, s.id, a.n ? a.classes[0] : -1, c->volunteer_id, id, now_ms, err);
	/* They have said whether there is a person: where there is, the label hides it from now on. */
	return st == OK && a.n > 0 && can_name_people(p)
		? flag_close(db, s.id, FLAG_PERSON, now_ms, err)
		: st;
}

static enum status add(struct db *db, const struct project *p, const struct classification *c,
	int64_t now_ms, struct classification_result *out, struct err *err)
{
	enum status st = store(db, p, c, now_ms, out, err);
	return st == OK && !c->expert
		? blank_feed_answered(db, p, c->volunteer_id, c->subject_id, now_ms, err)
		: st;
}

/* The first reply may have been lost: what it told is told again, and nothing that it did not tell. */
static enum status replay(struct db *db, const struct project *p, const struct stored *stored,
	struct classification_result *out, struct err *err)
{
	*out = (struct classification_result){
		.counted = stored->counted || stored->planted || stored->stained,
		.replay = true,
		.reveals = p->policy.reveal && !stored->expert,
		.reveals_others = p->policy.reveal_others && !stored->expert,
	};
	enum status st = stored->planted ? plant_told(db, p, stored->subject_id, &out->truth, err) : OK;
	if (st == OK && out->reveals_others && stored->told)
		st = others_load(
			db, stored->subject_id, stored->volunteer_id, stored->id, &out->others, err);
	return st == OK && out->reveals && stored->told
		? card_opinion(db, p, stored->subject_id, &out->opinion_id, err)
		: st;
}

enum status classification_add(struct db *db, const struct classification *c, int64_t now_ms,
	struct classification_result *out, struct err *err)
{
	struct stored stored;
	struct project p = {0};
	*out = (struct classification_result){0};
	enum status st = find_stored(db, c->uuid, &stored, err);
	const bool again = st == OK;
	if (again &&
		(stored.volunteer_id != c->volunteer_id || stored.subject_id != c->subject_id ||
			stored.undone))
		return err_set(err, DENIED, "this UUID names another answer: make a new one");
	if (again || st == NOT_FOUND)
		st = project_load(db, c->project_id, &p, err);
	if (st == OK)
		st = again ? replay(db, &p, &stored, out, err) : add(db, &p, c, now_ms, out, err);
	project_release(&p);
	return st;
}

/* People's label rests on answers in force: it is decided again. An expert's, or the model's, stands without. */
static bool undo_reopens(const struct subject *s, const struct stored *old)
{
	return old->counted && (s->state != SUBJECT_RETIRED || strcmp(s->decided_by, "people") == 0);
}

/*
 * The same for every kind of subject and whatever has become of it, so that what may be taken back tells nothing; but nobody
 * is given photographs again that they may not see.
 */
static enum status check_undo(
	struct db *db, const struct subject *s, const struct stored *old, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(
		db, Q_CLASSIFICATION_N_SINCE, &row, err, "iii", old->volunteer_id, s->project_id, old->id);
	if (st != OK)
		return st;
	bool far_back = col_int(row, 0) >= UNDO_LAST;
	db_done(row);
	if (far_back)
		return err_set(err, CONFLICT, "only the last %d answers can be undone", UNDO_LAST);
	if (old->expert)
		return err_set(err, CONFLICT, "an expert's verdict cannot be undone");
	st = db_one(db, undo_reopens(s, old) ? Q_FLAG_HIDES : Q_SUBJECT_HIDDEN, &row, err, "i", s->id);
	db_done(st == OK ? row : NULL);
	if (st == OK)
		return err_set(err, CONFLICT,
			"the photographs of subject %lld are hidden by now: your answer stays as it is",
			(long long)s->id);
	return st == NOT_FOUND ? OK : st;
}

enum status classification_may_undo(struct db *db, const uint8_t of[16], bool *out, struct err *err)
{
	struct stored old;
	struct subject s;
	enum status st = find_stored(db, of, &old, err);
	if (st == OK)
		st = subject_load(db, old.subject_id, &s, err);
	*out = false;
	if (st != OK)
		return st;
	st = old.undone || old.superseded ? CONFLICT : check_undo(db, &s, &old, err);
	*out = st == OK;
	return st == CONFLICT ? OK : st;
}

static enum status undo(struct db *db, const struct project *p, const struct subject *s,
	const struct stored *old, const uint8_t uuid[16], int64_t now_ms, struct err *err)
{
	enum status st = db_run(db, Q_CLASSIFICATION_ADD, err, "biiisiiiinniinnii", uuid, (size_t)16,
		p->id, s->id, old->volunteer_id, "undone", (int64_t)0, (int64_t)old->expert,
		(int64_t)s->blind, p->policy.id, now_ms, (int64_t)old->planted, (int64_t)0, (int64_t)0);
	if (st == OK)
		st = db_run(db, Q_CLASSIFICATION_SUPERSEDE, err, "ii", old->id, db_last_id(db));
	if (st != OK || !undo_reopens(s, old))
		return st;
	if (s->state == SUBJECT_OPEN)
		return label_decide(db, p, s->id, 0, now_ms, err);
	return label_reopen(db, p, s->id, "undone", now_ms, err);
}

enum status classification_undo(struct db *db, const uint8_t uuid[16], const uint8_t of[16],
	int64_t volunteer_id, int64_t now_ms, struct classification_undone *out, struct err *err)
{
	struct stored old;
	struct stored again;
	struct subject s;
	struct project p = {0};
	enum status st = find_stored(db, of, &old, err);
	if (st == NOT_FOUND || (st == OK && (old.volunteer_id != volunteer_id || old.undone)))
		return err_set(err, NOT_FOUND, "there is no answer of yours under this UUID");
	if (st != OK)
		return st;
	*out = (struct classification_undone){
		old.subject_id, old.expert, old.planted, old.guess_id, old.guess_model_id};
	st = find_stored(db, uuid, &again, err);
	if (st == OK)
		return again.undone && again.volunteer_id == volunteer_id &&
				again.subject_id == old.subject_id
			? OK
			: err_set(err, DENIED, "this UUID names another answer: make a new one");
	if (st == NOT_FOUND && old.superseded)
		return err_set(err, CONFLICT, "this answer was undone already");
	if (st == NOT_FOUND)
		st = subject_load(db, old.subject_id, &s, err);
	if (st == OK)
		st = check_undo(db, &s, &old, err);
	if (st == OK)
		st = project_load(db, s.project_id, &p, err);
	if (st == OK)
		st = undo(db, &p, &s, &old, uuid, now_ms, err);
	project_release(&p);
	return st;
}
