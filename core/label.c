/* What the evidence means for a subject, written down in one transaction with what caused it. */
#include "label.h"

#include "certificate.h"
#include "evidence.h"
#include "prediction.h"
#include "set_skill.h"
#include "skill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REMIX_FIRST = 200, REMIX_SHARE = 200 };

/* Every 200 subjects, and from 40,000 on when there are between a 200th and a 100th more: one costs as much as fifty answers. */
static bool is_remix_due(int64_t n_taught)
{
	int64_t every = REMIX_FIRST;
	while (n_taught / every >= REMIX_SHARE)
		every *= 2;
	return n_taught % every == 0;
}

enum status subject_load(struct db *db, int64_t id, struct subject *s, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_SUBJECT_GET, &row, err, "i", id);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "there is no subject %lld", (long long)id);
	if (st != OK)
		return st;
	const char *state = col_text(row, 2);
	*s = (struct subject){
		.id = id,
		.project_id = col_int(row, 0),
		.deployment_id = col_int(row, 1),
		.state = state[0] == 'o' ? SUBJECT_OPEN
			: state[0] == 'e'    ? SUBJECT_EXPERT
								 : SUBJECT_RETIRED,
		.blind = col_int(row, 3) != 0,
		.n_answers = (int)col_int(row, 4),
		.n_cant_tell = (int)col_int(row, 5),
		.risk = col_real(row, 6),
		.label_id = col_int(row, 7),
		.decided_ms = col_int(row, 10),
		.prediction_id = col_int(row, 11),
		.certificate_id = col_int(row, 12),
		.taught = col_int(row, 13) != 0,
		.p_label = col_real(row, 14),
	};
	snprintf(s->decided_by, sizeof s->decided_by, "%s", col_text(row, 8));
	snprintf(s->reason, sizeof s->reason, "%s", col_text(row, 9));
	db_done(row);
	return OK;
}

/* A label (or its end) as the subject's new state and as an event. */
struct change {
	const char *state;
	const char *what;
	const char *by; /* NULL: no label */
	const char *reason;
	int64_t taxon_id; /* 0: no label */
	int n_also;       /* and the label's other species, as classes */
	const int *also;
	double p;
	int64_t certificate_id;    /* 0: none */
	int64_t classification_id; /* 0: none */
	bool blind;
};

static const int64_t *or_null(const int64_t *id)
{
	return *id ? id : NULL;
}

static enum status event(struct db *db, const struct project *p, const struct subject *s,
	const struct change *c, int64_t now_ms, struct err *err)
{
	json_t *also = json_array();
	for (int i = 0; i < c->n_also; i++)
		json_array_append_new(also, json_integer((json_int_t)p->taxa[c->also[i]].id));
	char *text = json_dumps(also, JSON_COMPACT);
	json_decref(also);
	enum status st = db_run(db, Q_LABEL_EVENT_ADD, err, "iisIDdssiIIIisI", s->id, now_ms, c->what,
		or_null(&c->taxon_id), c->taxon_id ? &c->p : NULL, s->risk, c->by, c->reason,
		(int64_t)s->n_answers, or_null(&c->classification_id), or_null(&s->prediction_id),
		or_null(&c->certificate_id), p->policy.id, text, or_null(&p->refit_id));
	free(text);
	return st;
}

static enum status apply(struct db *db, const struct project *p, const struct subject *s,
	const struct change *c, int64_t now_ms, struct err *err)
{
	bool decided = c->by || strcmp(c->state, "open") != 0;
	enum status st = db_run(db, Q_SUBJECT_SET_LABEL, err, "isiIDssIiI", s->id, c->state,
		(int64_t)c->blind, or_null(&c->taxon_id), c->taxon_id ? &c->p : NULL, c->by,
		decided ? c->reason : NULL, decided ? &now_ms : NULL, p->policy.id,
		or_null(&c->certificate_id));
	if (st == OK)
		st = db_run(db, Q_LABEL_ALSO_CLEAR, err, "i", s->id);
	for (int i = 0; st == OK && i < c->n_also; i++)
		st = db_run(db, Q_LABEL_ALSO_ADD, err, "ii", s->id, p->taxa[c->also[i]].id);
	return st == OK ? event(db, p, s, c, now_ms, err) : st;
}

/* What an expert has said; n 0: nothing yet. */
struct truth {
	const int *classes;
	int n;
};

/* Of several species people's answers teach how often each is named; of one, whom it is mistaken for too. */
static enum status teach_vote(struct db *db, const struct project *p, const struct evidence *e,
	const struct vote *v, const double *t, struct err *err)
{
	if (!e->set_mode)
		return skill_teach(db, p, v->volunteer_id, v->answer, t, err);
	bool *named = xcalloc((size_t)p->k, sizeof *named);
	for (int j = 0; j < v->n_classes; j++)
		named[v->classes[j]] = true;
	enum status st = set_teach(db, p, v->volunteer_id, named, t, err);
	free(named);
	return st;
}

/* The only time anybody learns: each vote is credited against the other sources, or against the truth where it is known. */
static enum status teach(struct db *db, const struct project *p, const struct subject *s,
	const struct evidence *e, struct truth truth, struct err *err)
{
	double *t = xcalloc((size_t)p->k, sizeof *t);
	enum status st = OK;
	bool taught = false;
	for (int i = 0; st == OK && i < e->n_votes; i++) {
		const struct vote *v = &e->votes[i];
		bool any = truth.n > 0;
		if (v->credited || v->guess >= 0) /* an answer to a card is not what the skill is about */
			continue;
		for (int z = 0; z < p->k; z++)
			t[z] = 0;
		for (int j = 0; j < truth.n; j++)
			t[truth.classes[j]] = 1;
		if (truth.n == 0)
			st = evidence_others(e, p, i, t, &any, err);
		if (st == OK && any)
			st = teach_vote(db, p, e, v, t, err);
		if (st == OK && any)
			st = db_run(db, Q_VOTE_SET_CREDITED, err, "i", v->classification_id);
		taught = taught || any;
	}
	free(t);
	if (st != OK || !taught || s->taught)
		return st;
	struct stmt *row = NULL;
	st = db_run(db, Q_SUBJECT_SET_TAUGHT, err, "i", s->id);
	if (st == OK)
		st = db_one(db, Q_PROJECT_TAUGHT, &row, err, "i", p->id);
	if (st != OK)
		return st;
	int64_t n = col_int(row, 0);
	do
		st = db_step(row, err);
	while (st == OK);
	if (st != NOT_FOUND)
		return st;
	return is_remix_due(n) ? skill_remix(db, p->id, err) : OK;
}

/* An audited auto-label stands, with all that it was decided with, until the expert has spoken. */
static enum status to_expert(struct db *db, const struct project *p, const struct subject *s,
	const char *reason, int64_t classification_id, int64_t now_ms, struct err *err)
{
	struct change c = {
		.what = "to_expert",
		.by = s->label_id ? s->decided_by : NULL,
		.reason = reason,
		.taxon_id = s->label_id,
		.p = s->p_label,
		.certificate_id = s->certificate_id,
		.classification_id = classification_id,
	};
	/* subject.reason has no word for it yet; "expert" is free in this state (schema/queries/set.sql, expert_list). */
	bool protected = strcmp(reason, "protected") == 0 || strcmp(reason, "flag") == 0;
	enum status st = db_run(
		db, Q_SUBJECT_TO_EXPERT, err, "is", s->id, protected ? "expert" : reason);
	return st == OK ? event(db, p, s, &c, now_ms, err) : st;
}

enum status label_flagged(
	struct db *db, const struct project *p, int64_t subject_id, int64_t now_ms, struct err *err)
{
	struct subject s;
	enum status st = subject_load(db, subject_id, &s, err);
	return st == OK && s.state != SUBJECT_EXPERT ? to_expert(db, p, &s, "flag", 0, now_ms, err)
												 : st;
}

static enum status by_people(struct db *db, const struct project *p, const struct subject *s,
	const struct evidence *e, const char *reason, int64_t classification_id, int64_t now_ms,
	struct err *err)
{
	struct change c = {
		.state = "retired",
		.what = "retired",
		.by = "people",
		.reason = reason,
		.taxon_id = p->taxa[e->top].id,
		.n_also = e->n_also,
		.also = e->also,
		.p = e->p,
		.classification_id = classification_id,
	};
	enum status st = apply(db, p, s, &c, now_ms, err);
	return st == OK ? teach(db, p, s, e, (struct truth){0}, err) : st;
}

enum status label_by_model(struct db *db, const struct project *p, const struct subject *s,
	int64_t taxon_id, double prob, int64_t certificate_id, bool audited, int64_t now_ms,
	struct err *err)
{
	int class = project_class(p, taxon_id);
	if (class < 0 || p->taxa[class].protected)
		return err_set(
			err, FAULT, "taxon %lld is not one that a model may label with", (long long)taxon_id);
	struct change c = {
		.state = audited ? "open" : "retired",
		.what = "retired",
		.by = "model",
		.reason = "certificate",
		.taxon_id = taxon_id,
		.p = prob,
		.certificate_id = certificate_id,
		.blind = audited,
	};
	return apply(db, p, s, &c, now_ms, err);
}

/* Of the label that the evidence points to: whether a species of it is protected, or has left the list. */
static bool label_has_protected(const struct project *p, const struct evidence *e)
{
	bool has = p->taxa[e->top].protected;
	for (int i = 0; i < e->n_also; i++)
		has = has || p->taxa[e->also[i]].protected;
	return has;
}

static bool label_has_retired(const struct project *p, const struct evidence *e)
{
	bool has = p->taxa[e->top].retired;
	for (int i = 0; i < e->n_also; i++)
		has = has || p->taxa[e->also[i]].retired;
	return has;
}

/* A label that people may give: enough answers (of a protected taxon never fewer than the policy's), little risk, and on the list. */
static bool is_sure(const struct project *p, const struct evidence *e, int n_min, double tau)
{
	if (label_has_protected(p, e) && n_min < p->policy.min_answers)
		n_min = p->policy.min_answers;
	return e->n_votes >= n_min && e->risk <= tau && !label_has_retired(p, e);
}

/*
 * Whether all answers up to the cap could still make it sure, be they of one mind. Where two species look alike, sources
 * that go wrong together soon say all they ever will, and more of them are people's evenings wasted: an expert is asked.
 */
static enum status is_out_of_reach(struct db *db, const struct project *p, const struct evidence *e,
	double tau, bool *out, struct err *err)
{
	bool reached = true;
	enum status st = e->n_votes == 0
		? OK
		: evidence_reach(db, e, p, p->policy.cap - e->n_votes, tau, &reached, err);
	*out = st == OK && !reached;
	return st;
}

/* One person's word is no audit, however good they are. */
enum { AUDIT_MIN_ANSWERS = 2 };

/* People have answered an audited subject as far as they will. */
static enum status decide_blind(struct db *db, const struct project *p, const struct subject *s,
	const struct evidence *e, int64_t classification_id, int64_t now_ms, struct err *err)
{
	/* An audit counts errors, whatever each of them costs. */
	bool sure = is_sure(p, e, AUDIT_MIN_ANSWERS, p->policy.audit_tau) &&
		1 - e->p <= p->policy.audit_tau;
	bool stuck = e->n_votes >= p->policy.cap || s->n_cant_tell >= p->policy.cant_tell;
	bool wants_expert = false;
	enum status st = OK;
	if (!sure && !stuck)
		st = is_out_of_reach(db, p, e, p->policy.audit_tau, &stuck, err);
	if (st != OK || (!sure && !stuck))
		return st;
	/* Several species are never what the model said: an expert looks at them as where people cannot tell. */
	int64_t crowd = sure && e->n_also == 0 ? p->taxa[e->top].id : 0;
	st = audit_answered(db, p, s->id, crowd, now_ms, &wants_expert, err);
	if (st != OK)
		return st;
	if (wants_expert)
		return to_expert(db, p, s, "audit", classification_id, now_ms, err);
	st = by_people(db, p, s, e, "audit", classification_id, now_ms, err);
	return st == OK ? audit_settle(db, p, s->id, now_ms, err) : st;
}

/* *drawn: it is an audit now. */
static enum status decide_open(struct db *db, const struct project *p, const struct subject *s,
	const struct evidence *e, int64_t classification_id, int64_t now_ms, bool *drawn,
	struct err *err)
{
	bool out_of_reach = false;
	if (e->n_votes == 0 && s->n_cant_tell == 0)
		return certificate_apply(db, p, s, now_ms, drawn, err);
	bool sure = is_sure(p, e, e->has_model ? 1 : p->policy.min_answers, p->policy.tau);
	if (sure && p->policy.protected_expert && label_has_protected(p, e))
		return to_expert(db, p, s, "protected", classification_id, now_ms, err);
	if (sure)
		return by_people(db, p, s, e, "risk", classification_id, now_ms, err);
	if (e->n_votes >= p->policy.cap)
		return to_expert(db, p, s, "cap", classification_id, now_ms, err);
	if (s->n_cant_tell >= p->policy.cant_tell)
		return to_expert(db, p, s, "cant_tell", classification_id, now_ms, err);
	enum status st = is_out_of_reach(db, p, e, p->policy.tau, &out_of_reach, err);
	return st == OK && out_of_reach
		? to_expert(db, p, s, "out_of_reach", classification_id, now_ms, err)
		: st;
}

static double priority_of(const struct subject *s)
{
	/* An audit comes before all others until it is done: a certificate waits for it, or stands on it. */
	return s->risk / (1 + s->n_answers + s->n_cant_tell) + (s->blind ? 1 : 0);
}

enum status label_decide_loaded(struct db *db, const struct project *p,
	const struct subject *subject, int64_t classification_id, int64_t now_ms, struct err *err)
{
	struct subject s = *subject;
	struct evidence e = {0};
	bool drawn = false;
	if (s.state != SUBJECT_OPEN)
		return OK;
	enum status st = evidence_load(db, p, s.id, s.blind ? 0 : s.prediction_id, &e, err);
	s.n_answers = e.n_votes;
	s.n_cant_tell = e.n_cant_tell;
	s.risk = e.risk;
	if (st == OK)
		st = db_run(db, Q_SUBJECT_SET_EVIDENCE, err, "iiidd", s.id, (int64_t)s.n_answers,
			(int64_t)s.n_cant_tell, s.risk, priority_of(&s));
	if (st == OK)
		st = s.blind ? decide_blind(db, p, &s, &e, classification_id, now_ms, err)
					 : decide_open(db, p, &s, &e, classification_id, now_ms, &drawn, err);
	evidence_release(&e);
	/* Once drawn, the model is not heard: its risk and its place in the queue are those of a subject nobody has seen. */
	return st == OK && drawn ? label_decide(db, p, s.id, 0, now_ms, err) : st;
}

enum status label_decide(struct db *db, const struct project *p, int64_t subject_id,
	int64_t classification_id, int64_t now_ms, struct err *err)
{
	struct subject s;
	enum status st = subject_load(db, subject_id, &s, err);
	return st == OK ? label_decide_loaded(db, p, &s, classification_id, now_ms, err) : st;
}

/* The truth of the last certification gold that was waited for may bring a certificate. */
static enum status gold_came(
	struct db *db, const struct project *p, int64_t subject_id, int64_t now_ms, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_GOLD_COMPLETE, &row, err, "ii", p->id, subject_id);
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	db_done(row);
	return p->model_id ? certificate_renew(db, p, now_ms, err) : OK;
}

static enum status verdict(struct db *db, const struct project *p, int64_t subject_id,
	struct truth truth, int64_t expert_id, int64_t classification_id, int64_t now_ms,
	struct err *err)
{
	struct subject s = {0};
	struct evidence e = {0};
	int64_t *ids = xcalloc((size_t)truth.n + 1, sizeof *ids);
	for (int i = 0; i < truth.n; i++)
		ids[i] = p->taxa[truth.classes[i]].id;
	enum status st = subject_load(db, subject_id, &s, err);
	if (st == OK)
		st = evidence_load(db, p, subject_id, 0, &e, err);
	e.set_mode = e.set_mode || truth.n > 1;
	struct change c = {
		.state = "retired",
		.what = s.state == SUBJECT_RETIRED ? "relabelled" : "retired",
		.by = truth.n ? "expert" : NULL,
		.reason = truth.n ? "expert" : "cant_tell",
		.taxon_id = ids[0],
		.n_also = truth.n > 1 ? truth.n - 1 : 0,
		.also = truth.classes + (truth.n > 1),
		.p = 1,
		.classification_id = classification_id,
	};
	if (st == OK)
		st = apply(db, p, &s, &c, now_ms, err);
	if (st == OK && truth.n)
		st = teach(db, p, &s, &e, truth, err);
	if (st == OK)
		st = db_run(db, Q_GOLD_LABEL, err, "iIIi", subject_id, or_null(&ids[0]),
			or_null(&expert_id), now_ms);
	if (st == OK)
		st = audit_judged(db, subject_id, ids, truth.n, now_ms, err);
	if (st == OK)
		st = audit_settle(db, p, subject_id, now_ms, err);
	if (st == OK)
		st = gold_came(db, p, subject_id, now_ms, err);
	evidence_release(&e);
	free(ids);
	return st;
}

enum status label_by_expert(struct db *db, const struct project *p, int64_t subject_id, int truth,
	int64_t expert_id, int64_t classification_id, int64_t now_ms, struct err *err)
{
	return verdict(db, p, subject_id, (struct truth){&truth, truth >= 0}, expert_id,
		classification_id, now_ms, err);
}

enum status label_by_expert_set(struct db *db, const struct project *p, int64_t subject_id,
	const int *truths, int n, int64_t expert_id, int64_t classification_id, int64_t now_ms,
	struct err *err)
{
	return verdict(
		db, p, subject_id, (struct truth){truths, n}, expert_id, classification_id, now_ms, err);
}

enum status label_reopen(struct db *db, const struct project *p, int64_t subject_id,
	const char *why, int64_t now_ms, struct err *err)
{
	struct subject s;
	struct stmt *row = NULL;
	enum label_refitted what;
	enum status st = subject_load(db, subject_id, &s, err);
	struct change c = {.state = "open", .what = "reopened", .reason = why};
	if (st == OK)
		st = audit_reopened(db, subject_id, &c.blind, err);
	if (st == OK)
		st = apply(db, p, &s, &c, now_ms, err);
	if (st == OK)
		st = prediction_adopt(db, p, subject_id, err);
	if (st == OK)
		st = db_one(db, Q_FLAG_HIDES, &row, err, "i", subject_id);
	if (st == NOT_FOUND)
		return label_decide(db, p, subject_id, 0, now_ms, err);
	if (st != OK)
		return st;
	db_done(row); /* who may not see it cannot be asked */
	st = label_flagged(db, p, subject_id, now_ms, err);
	return st == OK ? label_refit(db, p, subject_id, 0, now_ms, &what, err) : st;
}

static bool was_audit(const struct subject *s)
{
	return s->blind || strcmp(s->reason, "audit") == 0;
}

static enum status refit_people(struct db *db, const struct project *p, const struct subject *s,
	const struct evidence *e, int64_t now_ms, enum label_refitted *out, struct err *err)
{
	double tau = was_audit(s) ? p->policy.audit_tau : p->policy.tau;
	bool other = p->taxa[e->top].id != s->label_id;
	/* Another verdict of an audit is a matter for the audit, which opening the subject opens too. */
	if (e->risk > 2 * tau || (other && (was_audit(s) || p->taxa[e->top].retired))) {
		*out = LABEL_REOPENED;
		return label_reopen(db, p, s->id, "refit", now_ms, err);
	}
	if (!other)
		return OK;
	struct change c = {
		.state = "retired",
		.what = "relabelled",
		.by = "people",
		.reason = "risk",
		.taxon_id = p->taxa[e->top].id,
		.p = e->p,
	};
	*out = LABEL_RELABELLED;
	return apply(db, p, s, &c, now_ms, err);
}

enum status label_refit(struct db *db, const struct project *p, int64_t subject_id, int64_t last_id,
	int64_t now_ms, enum label_refitted *out, struct err *err)
{
	struct subject s;
	struct evidence e = {0};
	*out = LABEL_KEPT;
	enum status st = db_run(db, Q_VOTE_COUNT_LATE, err, "ii", subject_id, last_id);
	if (st == OK)
		st = subject_load(db, subject_id, &s, err);
	if (st == OK && s.state == SUBJECT_OPEN) {
		st = label_decide(db, p, subject_id, 0, now_ms, err);
		if (st == OK)
			st = subject_load(db, subject_id, &s, err);
		if (st == OK && s.state == SUBJECT_RETIRED)
			*out = LABEL_RETIRED;
		return st;
	}
	if (st == OK)
		st = evidence_load(db, p, subject_id, was_audit(&s) ? 0 : s.prediction_id, &e, err);
	bool by_people = strcmp(s.decided_by, "people") == 0;
	s.n_answers = e.n_votes;
	s.n_cant_tell = e.n_cant_tell;
	if (by_people)
		s.risk = e.risk;
	if (st == OK)
		st = db_run(db, Q_SUBJECT_SET_EVIDENCE, err, "iiidd", s.id, (int64_t)s.n_answers,
			(int64_t)s.n_cant_tell, s.risk, priority_of(&s));
	/* Several species are several bits, which no refit learns: such a label stands. */
	if (st == OK && by_people && s.state == SUBJECT_RETIRED && !e.set_mode)
		st = refit_people(db, p, &s, &e, now_ms, out, err);
	evidence_release(&e);
	return st;
}

enum status label_posterior(
	struct db *db, const struct project *p, int64_t subject_id, double *q_out, struct err *err)
{
	struct subject s;
	struct evidence e = {0};
	enum status st = subject_load(db, subject_id, &s, err);
	int64_t heard = st == OK && !was_audit(&s) ? s.prediction_id : 0;
	if (st == OK)
		st = evidence_load(db, p, subject_id, heard, &e, err);
	double sum = 0;
	for (int z = 0; st == OK && z < p->k; z++)
		sum += q_out[z] = e.q[z];
	for (int z = 0; st == OK && e.set_mode && z < p->k; z++) /* bits: shared out */
		q_out[z] = sum > 0 ? q_out[z] / sum : z == e.top;
	evidence_release(&e);
	return st;
}
