/*
 * A project's answers, gold, predictions and skills, from its tables into the arrays that refit.h takes. Answers are read in
 * the order of their ids, which is that of the file; ids become numbers through a bit set, 1.5 bits an id, so that an answer
 * never takes more than its 12 bytes.
 */
#include "project_refit_part.h"

#include "confirm.h"
#include "confusion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_UP_EVERY = 65536 }; /* rows between questions whether to stop */

int64_t id_number(const struct id_set *set, int64_t id)
{
	const size_t word = (size_t)id / 64;
	const uint64_t bit = UINT64_C(1) << ((uint64_t)id % 64);
	if (id < 0 || word >= set->n_words || !(set->bits[word] & bit))
		return ID_NONE;
	return (int64_t)set->before[word] + __builtin_popcountll(set->bits[word] & (bit - 1));
}

static bool id_set_reach(struct id_set *set, uint32_t id)
{
	const size_t wanted = (size_t)id / 64 + 1;
	if (wanted <= set->n_words)
		return true;
	const size_t n_words = wanted + wanted / 2;
	uint64_t *bits = realloc(set->bits, n_words * sizeof *bits);
	if (!bits)
		return false;
	memset(bits + set->n_words, 0, (n_words - set->n_words) * sizeof *bits);
	set->bits = bits;
	set->n_words = n_words;
	return true;
}

/* Numbers the ids whose bits are set. */
static bool id_set_number(struct id_set *set)
{
	set->before = answers_alloc(set->n_words, sizeof *set->before);
	if (!set->before)
		return false;
	for (size_t i = 0; i < set->n_words; i++) {
		set->before[i] = (uint32_t)set->n;
		set->n += (size_t)__builtin_popcountll(set->bits[i]);
	}
	set->ids = answers_alloc(set->n, sizeof *set->ids);
	if (!set->ids)
		return false;
	size_t n = 0;
	for (size_t i = 0; i < set->n_words; i++)
		for (uint64_t bits = set->bits[i]; bits; bits &= bits - 1)
			set->ids[n++] = (uint32_t)(i * 64 + (size_t)__builtin_ctzll(bits));
	return true;
}

static void id_set_release(struct id_set *set)
{
	free(set->bits);
	free(set->before);
	free(set->ids);
}

/* Room for one more in a growing array; false when memory is out. */
static bool make_room(void **array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return true;
	const size_t wanted = *room + *room / 2 + 1024;
	void *more = realloc(*array, wanted * size);
	if (!more)
		return false;
	*array = more;
	*room = wanted;
	return true;
}

static enum status out_of_memory(struct err *err)
{
	return err_set(err, FAULT, "the project's answers do not fit in memory");
}

/* An answer to a confirm card. */
struct card_answer {
	uint32_t subject;
	struct refit_card card;
};

struct reading {
	struct project_refit *r;
	struct answer *list;
	size_t n, room;
	struct card_answer *cards;
	size_t n_cards, card_room;
	int64_t several_id; /* an answer of several taxa: it is the label of no one class */
};

/* Planted ones have taught the two rates (confirm.h) and say nothing else. */
static enum status take_card(struct reading *reading, struct stmt *row, int class, struct err *err)
{
	const int guess = project_class(&reading->r->project, col_int(row, 8));
	if (guess < 0)
		return err_set(err, FAULT, "answer %lld was to a guess that the project does not have",
			(long long)col_int(row, 0));
	if (!make_room((void **)&reading->cards, reading->n_cards, &reading->card_room,
			sizeof *reading->cards))
		return out_of_memory(err);
	reading->cards[reading->n_cards++] = (struct card_answer){(uint32_t)col_int(row, 1),
		{.volunteer = (uint32_t)col_int(row, 2),
			.guess = (uint16_t)guess,
			.answer = (uint16_t) class}};
	return OK;
}

static enum status take_answer(struct reading *reading, struct stmt *row, struct err *err)
{
	struct project_refit *r = reading->r;
	const int64_t id = col_int(row, 0), subject_id = col_int(row, 1),
				  volunteer_id = col_int(row, 2);
	const bool cant_tell = col_null(row, 3), planted = col_int(row, 4) != 0;
	const int class = cant_tell ? -1 : project_class(&r->project, col_int(row, 3));
	if (subject_id < 0 || subject_id >= UINT32_MAX || volunteer_id < 0 ||
		volunteer_id >= UINT32_MAX)
		return err_set(err, TOO_LARGE,
			"subject %lld or volunteer %lld: ids up to %u can be refitted", (long long)subject_id,
			(long long)volunteer_id, UINT32_MAX);
	if (!planted && !col_int(row, 5)) {
		if (!make_room((void **)&r->late, r->n_late, &r->late_room, sizeof *r->late))
			return out_of_memory(err);
		r->late[r->n_late++] = (uint32_t)subject_id;
	}
	if (cant_tell)
		return OK;
	if (class < 0)
		return err_set(err, FAULT, "answer %lld names taxon %lld, which the project does not have",
			(long long)id, (long long)col_int(row, 3));
	if (!col_null(row, 8))
		return planted ? OK : take_card(reading, row, class, err);
	if (planted && strcmp(col_text(row, 6), "certify") == 0) {
		if (!make_room((void **)&r->planted, r->n_planted, &r->planted_room, sizeof *r->planted))
			return out_of_memory(err);
		r->planted[r->n_planted++] = (struct refit_planted){subject_id, volunteer_id, class};
		return OK;
	}
	if (planted && col_null(row, 7)) /* the truth has been taken back since */
		return OK;
	if (!make_room((void **)&reading->list, reading->n, &reading->room, sizeof *reading->list))
		return out_of_memory(err);
	reading->list[reading->n++] = (struct answer){.subject = (uint32_t)subject_id,
		.volunteer = (uint32_t)volunteer_id,
		.class = (uint32_t) class};
	return OK;
}

static enum status read_answers(
	struct db *db, struct reading *reading, const struct refit_hands *hands, struct err *err)
{
	struct project_refit *r = reading->r;
	struct stmt *row = NULL;
	int64_t id = 0, last = -1;
	size_t n_rows = 0;
	enum status st = db_one(db, Q_REFIT_LAST_ANSWER, &row, err, "");
	if (st != OK)
		return st;
	r->last_id = col_int(row, 0);
	db_done(row);
	row = db_query(db, Q_REFIT_ANSWERS, "i", r->project.id);
	while ((st = db_step(row, err)) == OK) {
		id = col_int(row, 0);
		if (id == last) { /* one row a taxon: what came with its first is taken out again */
			if (reading->several_id != id && reading->n > 0)
				reading->n--;
			reading->several_id = id;
			continue;
		}
		last = id;
		st = take_answer(reading, row, err);
		if (st == OK && ++n_rows % LOOK_UP_EVERY == 0 && hands->stops(hands->arg))
			st = err_set(err, BUSY, "the refit was asked to stop");
		if (st != OK) {
			db_done(row);
			return st;
		}
	}
	return st == NOT_FOUND ? OK : st;
}

static bool set_bits(struct project_refit *r, uint32_t subject, uint32_t volunteer)
{
	if (!id_set_reach(&r->subjects, subject) || !id_set_reach(&r->volunteers, volunteer))
		return false;
	r->subjects.bits[subject / 64] |= UINT64_C(1) << (subject % 64);
	r->volunteers.bits[volunteer / 64] |= UINT64_C(1) << (volunteer % 64);
	return true;
}

/* By subject, those of one in the order of their ids. */
static enum status sort_cards(struct db *db, struct reading *reading, struct err *err)
{
	struct project_refit *r = reading->r;
	struct confirm_rates rates;
	if (reading->n_cards == 0)
		return OK;
	uint32_t *start = answers_alloc(r->subjects.n + 2, sizeof *start);
	struct refit_card *card = answers_alloc(reading->n_cards, sizeof *card);
	r->cards.start = start;
	r->cards.card = card;
	if (!start || !card)
		return out_of_memory(err);
	for (size_t i = 0; i < reading->n_cards; i++)
		start[id_number(&r->subjects, reading->cards[i].subject) + 2]++;
	for (size_t i = 0; i < r->subjects.n; i++)
		start[i + 2] += start[i + 1];
	for (size_t i = 0; i < reading->n_cards; i++) {
		struct card_answer *c = &reading->cards[i];
		c->card.volunteer = (uint32_t)id_number(&r->volunteers, c->card.volunteer);
		card[start[id_number(&r->subjects, c->subject) + 1]++] = c->card;
	}
	enum status st = confirm_load(db, r->project.id, &rates, NULL, err);
	r->cards.yes_right = rates.right;
	r->cards.yes_wrong = rates.wrong;
	return st;
}

/* From ids to numbers, and into columns. */
static enum status sort_answers(struct db *db, struct reading *reading, struct err *err)
{
	struct project_refit *r = reading->r;
	for (size_t i = 0; i < reading->n; i++)
		if (!set_bits(r, reading->list[i].subject, reading->list[i].volunteer))
			return out_of_memory(err);
	for (size_t i = 0; i < reading->n_cards; i++)
		if (!set_bits(r, reading->cards[i].subject, reading->cards[i].card.volunteer))
			return out_of_memory(err);
	if (!id_set_number(&r->subjects) || !id_set_number(&r->volunteers))
		return out_of_memory(err);
	for (size_t i = 0; i < reading->n; i++) {
		struct answer *a = &reading->list[i];
		a->subject = (uint32_t)id_number(&r->subjects, a->subject);
		a->volunteer = (uint32_t)id_number(&r->volunteers, a->volunteer);
	}
	enum status st = sort_cards(db, reading, err);
	return st == OK ? answers_sort(reading->list, reading->n, r->subjects.n, r->volunteers.n,
						  r->project.k, &r->answers, err)
					: st;
}

struct prior_room {
	size_t n, class_room, p_room;
};

static enum status take_prediction(struct db *db, struct project_refit *r,
	struct prediction_reader *reader, struct stmt *row, size_t subject, struct prior_room *room,
	struct err *err)
{
	struct prediction_short s;
	bool heard = false;
	size_t n_bytes = 0;
	const int64_t model_id = col_int(row, 7);
	unsigned char top[256];
	const void *blob = col_blob(row, 8, &n_bytes);
	if (n_bytes > sizeof top)
		return err_set(err, FAULT, "subject %u has a prediction of %zu bytes",
			r->subjects.ids[subject], n_bytes);
	memcpy(top, blob, n_bytes);
	enum status st = prediction_shorten(reader, db, model_id, top, n_bytes, &s, &heard, err);
	if (st != OK || !heard)
		return st;
	for (int i = 0; i < s.n; i++) {
		if (!make_room(
				(void **)&r->prior.class, room->n, &room->class_room, sizeof *r->prior.class) ||
			!make_room((void **)&r->prior.p, room->n, &room->p_room, sizeof *r->prior.p))
			return out_of_memory(err);
		((uint16_t *)r->prior.class)[room->n] = s.class[i];
		((double *)r->prior.p)[room->n++] = s.p[i];
	}
	((double *)r->prior.rest)[subject] = s.rest;
	((uint8_t *)r->prior.model)[subject] = (uint8_t)s.model;
	return OK;
}

static void take_subject(struct project_refit *r, size_t i, struct stmt *row)
{
	const char *state = col_text(row, 0), *by = col_text(row, 2);
	r->was[i] = (struct refit_subject){
		.risk = (float)col_real(row, 5),
		.label = (int16_t)(col_null(row, 4) ? -1 : project_class(&r->project, col_int(row, 4))),
		.state = state[0] == 'o' ? SUBJECT_OPEN
			: state[0] == 'e'    ? SUBJECT_EXPERT
								 : SUBJECT_RETIRED,
		.by_people = by[0] == 'p',
		.blind = col_int(row, 1) != 0 || strcmp(col_text(row, 3), "audit") == 0,
	};
	r->gold[i] = REFIT_NO_GOLD;
	if (!col_null(row, 6))
		r->gold[i] = (int16_t)project_class(&r->project, col_int(row, 6));
	if (r->was[i].label >= 0)
		r->labelled[r->was[i].label] -= 1;
}

/* How many labels each class carries. */
static enum status read_labelled(struct db *db, struct project_refit *r, struct err *err)
{
	enum status st;
	struct stmt *row = db_query(db, Q_CLASS_PRIOR_COUNTS, "i", r->project.id);
	while ((st = db_step(row, err)) == OK) {
		const int z = project_class(&r->project, col_int(row, 0));
		if (z >= 0)
			r->labelled[z] = (double)col_int(row, 1);
	}
	return st == NOT_FOUND ? OK : st;
}

/* What the subjects were, their truths and predictions; and how many labels the others carry. */
static enum status read_subjects(struct db *db, struct project_refit *r, struct err *err)
{
	const size_t n = r->subjects.n, k = (size_t)r->project.k;
	uint32_t *start = answers_alloc(n + 1, sizeof *start);
	struct prediction_reader *reader = prediction_reader_new(&r->project);
	struct prior_room room = {0};
	enum status st = OK;
	r->prior.start = start;
	r->prior.rest = answers_alloc(n, sizeof *r->prior.rest);
	r->prior.model = answers_alloc(n, sizeof *r->prior.model);
	r->was = answers_alloc(n, sizeof *r->was);
	r->gold = answers_alloc(n, sizeof *r->gold);
	r->labelled = answers_alloc(k, sizeof *r->labelled);
	if (!start || !r->prior.rest || !r->prior.model || !r->was || !r->gold || !r->labelled)
		st = out_of_memory(err);
	if (st == OK)
		st = read_labelled(db, r, err);
	for (size_t i = 0; st == OK && i < n; i++) {
		struct stmt *row = NULL;
		st = db_one(db, Q_REFIT_SUBJECT, &row, err, "i", (int64_t)r->subjects.ids[i]);
		if (st == NOT_FOUND)
			st = err_set(err, FAULT, "subject %u has answers and is not there", r->subjects.ids[i]);
		if (st != OK)
			break;
		take_subject(r, i, row);
		if (!col_null(row, 7))
			st = take_prediction(db, r, reader, row, i, &room, err);
		db_done(row);
		start[i + 1] = (uint32_t)room.n;
	}
	for (size_t z = 0; st == OK && z < k; z++)
		r->labelled[z] = fmax(r->labelled[z], 0);
	r->prior.n_models = prediction_reader_n(reader);
	double *share = answers_alloc((size_t)r->prior.n_models * k + 1, sizeof *share);
	r->prior.share = share;
	for (int i = 0; share && i < r->prior.n_models; i++)
		prediction_reader_share(reader, i, share + (size_t)i * k);
	prediction_reader_free(reader);
	return st == OK && !share ? out_of_memory(err) : st;
}

static enum status read_pool(struct db *db, struct project_refit *r, struct err *err)
{
	const struct project *p = &r->project;
	const size_t k = (size_t)p->k;
	struct stmt *row = NULL;
	enum status st;
	r->m = answers_alloc(k * k, sizeof *r->m);
	if (!r->m)
		return out_of_memory(err);
	row = db_query(db, Q_POOL_CELLS, "i", p->id);
	while ((st = db_step(row, err)) == OK) {
		const int z = project_class(p, col_int(row, 0)), a = project_class(p, col_int(row, 1));
		if (z >= 0 && a >= 0)
			r->m[(size_t)z * k + (size_t)a] = col_real(row, 3);
	}
	if (st != NOT_FOUND)
		return st;
	for (size_t i = 0; i < k * k; i++)
		if (!(r->m[i] > 0 && r->m[i] < 1))
			return err_set(err, BAD_INPUT,
				"the stored P(%.40s answered | %.40s) is %g: it must lie between 0 and 1; a cold "
				"refit "
				"does without it",
				p->taxa[i % k].code, p->taxa[i / k].code, r->m[i]);
	for (size_t z = 0; z < k; z++)
		if (!isfinite(p->log_prior[z]) || p->log_prior[z] > 1e-9)
			return err_set(err, BAD_INPUT,
				"the stored class prior of %.40s is %g: it must lie in 0..1; a cold refit does "
				"without "
				"it",
				p->taxa[z].code, exp(p->log_prior[z]));
	return OK;
}

static enum status read_skills(struct db *db, struct project_refit *r, struct err *err)
{
	struct stmt *row = NULL;
	size_t room = 0;
	enum status st;
	r->lambda = answers_alloc(r->volunteers.n, sizeof *r->lambda);
	if (!r->lambda)
		return out_of_memory(err);
	row = db_query(db, Q_REFIT_SKILLS, "i", r->project.id);
	while ((st = db_step(row, err)) == OK) {
		const int64_t v = id_number(&r->volunteers, col_int(row, 0));
		const double lambda = col_real(row, 1), precision = col_real(row, 2);
		if (!(fabs(lambda) <= label_params.lmax) || !(precision > 0 && isfinite(precision))) {
			st = err_set(err, BAD_INPUT,
				"volunteer %lld has a stored lambda of %g and precision of %g: -%g to %g, and "
				"above 0, "
				"are possible; a cold refit does without them",
				(long long)col_int(row, 0), lambda, precision, label_params.lmax,
				label_params.lmax);
			db_done(row);
			return st;
		}
		if (v != ID_NONE)
			r->lambda[v] = lambda;
	}
	if (st != NOT_FOUND)
		return st;
	row = db_query(db, Q_REFIT_SKILL_CELLS, "i", r->project.id);
	while ((st = db_step(row, err)) == OK) {
		const int64_t v = id_number(&r->volunteers, col_int(row, 0));
		const double mass = col_real(row, 3);
		if (!(mass >= 0 && isfinite(mass)))
			st = err_set(err, BAD_INPUT,
				"volunteer %lld has a stored count of %g: 0 or more is possible; a cold refit does "
				"without it",
				(long long)col_int(row, 0), mass);
		else if (v != ID_NONE &&
			!make_room((void **)&r->cells, r->n_cells, &room, sizeof *r->cells))
			st = out_of_memory(err);
		if (st != OK) {
			db_done(row);
			return st;
		}
		if (v != ID_NONE)
			r->cells[r->n_cells++] = (struct refit_cell){.volunteer = (uint32_t)v,
				.truth = project_class(&r->project, col_int(row, 1)),
				.answer = project_class(&r->project, col_int(row, 2)),
				.mass = mass};
	}
	return st == NOT_FOUND ? OK : st;
}

static enum status read_all(struct db *db, int64_t project_id, const struct refit_hands *hands,
	struct project_refit *r, struct err *err)
{
	struct reading reading = {.r = r};
	enum status st = project_load(db, project_id, &r->project, err);
	if (st == OK && r->project.k < 2)
		st = err_set(err, BAD_INPUT,
			"the project has %d taxon: nothing can be told from it with less than 2", r->project.k);
	if (st == OK)
		st = read_answers(db, &reading, hands, err);
	if (st == OK && reading.n == 0)
		st = err_set(
			err, NOT_FOUND, "project '%.60s' has no answers to learn from", r->project.slug);
	if (st == OK)
		st = sort_answers(db, &reading, err);
	free(reading.list);
	free(reading.cards);
	if (st == OK)
		st = read_subjects(db, r, err);
	if (st == OK && !hands->cold)
		st = read_pool(db, r, err);
	if (st == OK && !hands->cold)
		st = read_skills(db, r, err);
	return st == OK ? project_refit_read_gold(db, r, err) : st;
}

enum status project_refit_read(struct db *db, int64_t project_id, const struct refit_hands *hands,
	struct project_refit *r, struct err *err)
{
	struct err end = {0};
	*r = (struct project_refit){0};
	enum status st = db_read_begin(db, err);
	if (st != OK)
		return st;
	st = read_all(db, project_id, hands, r, err);
	if (db_commit(db, &end) != OK)
		db_rollback(db);
	db_shrink(db);
	return st;
}

void project_refit_release(struct project_refit *r)
{
	refit_free(r->refit);
	answers_release(&r->answers);
	id_set_release(&r->subjects);
	id_set_release(&r->volunteers);
	free(r->was);
	free(r->late);
	free(r->gold);
	free(r->labelled);
	free((void *)r->cards.start);
	free((void *)r->cards.card);
	free((void *)r->prior.start);
	free((void *)r->prior.class);
	free((void *)r->prior.p);
	free((void *)r->prior.share);
	free((void *)r->prior.rest);
	free((void *)r->prior.model);
	free(r->m);
	free(r->lambda);
	free(r->cells);
	free(r->planted);
	for (size_t i = 0; i < r->n_certify; i++)
		free(r->certify[i].evidence);
	free(r->certify);
	project_release(&r->project);
	*r = (struct project_refit){0};
}
