/* Cheap refusals first: most tasks carry no card. */
#include "card.h"

#include "draw.h"
#include "evidence.h"
#include "prediction.h"

#include <string.h>

/* The promoted model's prediction of a subject. NOT_FOUND. */
static enum status promoted_prediction(struct db *db, const struct project *p, int64_t subject_id,
	int64_t *prediction_id, struct err *err)
{
	struct stmt *row = NULL;
	if (!p->model_id)
		return NOT_FOUND;
	enum status st = db_one(db, Q_CARD_PREDICTION, &row, err, "ii", subject_id, p->model_id);
	if (st == OK) {
		*prediction_id = col_int(row, 0);
		db_done(row);
	}
	return st;
}

enum status card_opinion(
	struct db *db, const struct project *p, int64_t subject_id, int64_t *taxon_id, struct err *err)
{
	int64_t prediction_id = 0;
	struct prediction_top top = {0};
	*taxon_id = 0;
	enum status st = promoted_prediction(db, p, subject_id, &prediction_id, err);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	st = prediction_read_top(db, p, prediction_id, &top, err);
	if (st == OK && top.calibrated)
		*taxon_id = top.taxon_id;
	return st;
}

/* Whether it is sure enough for a card, of a class that is still on the list. */
static bool is_sure(const struct project *p, const struct prediction_top *top)
{
	int class = project_class(p, top->taxon_id);
	return top->calibrated && top->p > p->policy.confirm_above && class >= 0 &&
		!p->taxa[class].retired;
}

/* What the model will label alone, or does already but for an audit, is asked blind where it is asked at all. */
static enum status labels_alone(struct db *db, const struct project *p, int64_t subject_id,
	const struct prediction_top *top, bool *out, struct err *err)
{
	struct stmt *row = NULL;
	const struct taxon *t = &p->taxa[project_class(p, top->taxon_id)];
	*out = false;
	if (!p->policy.auto_label || t->protected || (t->kind == TAXON_BLANK && !p->policy.auto_blank))
		return OK;
	enum status st = db_one(db, Q_CERTIFICATE_FOR, &row, err, "i", subject_id);
	if (st == OK) {
		*out = true;
		db_done(row);
	}
	return st == NOT_FOUND ? OK : st;
}

/* Whether a yes would be the last answer that is needed. Where it would not, a survey must follow, and would have been enough. */
static enum status would_end(struct db *db, const struct project *p, int64_t prediction_id,
	const struct prediction_top *top, bool *out, struct err *err)
{
	double risk = 0;
	*out = true;
	if (!p->policy.confirm_ends)
		return OK;
	enum status st = evidence_after_yes(
		db, p, prediction_id, project_class(p, top->taxon_id), &risk, err);
	*out = st == OK && risk <= p->policy.tau;
	return st;
}

static enum status live(struct db *db, const struct project *p, int64_t subject_id,
	struct prediction_top *top, bool *eligible, struct err *err)
{
	struct subject s;
	bool alone = false;
	*eligible = false;
	enum status st = subject_load(db, subject_id, &s, err);
	if (st != OK || s.state != SUBJECT_OPEN || s.blind || !s.prediction_id || s.n_answers > 0 ||
		s.n_cant_tell > 0)
		return st;
	st = prediction_read_top(db, p, s.prediction_id, top, err);
	if (st != OK || !is_sure(p, top))
		return st;
	st = labels_alone(db, p, subject_id, top, &alone, err);
	return st == OK && !alone ? would_end(db, p, s.prediction_id, top, eligible, err) : st;
}

/* Gold to learn from. Where the model is right about it, *confuser_id is what it would have said else. */
static enum status gold(struct db *db, const struct project *p, int64_t subject_id,
	struct prediction_top *top, int64_t *confuser_id, bool *eligible, struct err *err)
{
	struct stmt *row = NULL;
	int64_t prediction_id = 0;
	*eligible = false;
	enum status st = db_one(db, Q_GOLD_GET, &row, err, "i", subject_id);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	bool tells = strcmp(col_text(row, 0), "train-people") == 0;
	int64_t truth_id = col_int(row, 2);
	db_done(row);
	if (!tells)
		return OK;
	st = promoted_prediction(db, p, subject_id, &prediction_id, err);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	st = prediction_read_top(db, p, prediction_id, top, err);
	if (st == OK && is_sure(p, top)) /* as if it were live: gold must not be what has cards */
		st = would_end(db, p, prediction_id, top, eligible, err);
	if (st == OK && *eligible && top->taxon_id == truth_id)
		st = prediction_second(db, prediction_id, confuser_id, err);
	return st;
}

enum status card_draw(struct db *db, const struct project *p, int64_t subject_id,
	int64_t volunteer_id, bool planted, struct card *out, struct err *err)
{
	struct prediction_top top = {0};
	bool eligible = false;
	int64_t confuser_id = 0;
	double u = 0;
	*out = (struct card){0};
	if (p->policy.confirm_above >= 1 || !p->model_id)
		return OK;
	enum status st = planted ? gold(db, p, subject_id, &top, &confuser_id, &eligible, err)
							 : live(db, p, subject_id, &top, &eligible, err);
	if (st != OK || !eligible)
		return st;
	st = draw_uniform(db, "card", subject_id, volunteer_id, &u, err);
	if (st != OK || u < p->policy.confirm_blind)
		return st;
	*out = (struct card){top.taxon_id, top.model_id};
	int confuser = project_class(p, confuser_id);
	if (confuser < 0 || p->taxa[confuser].retired)
		return OK;
	st = draw_uniform(db, "confuser", subject_id, volunteer_id, &u, err);
	if (st == OK && u < p->policy.confirm_wrong)
		out->guess_id = confuser_id;
	return st;
}
