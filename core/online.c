/*
 * The online label model over plain memory. It exists for recorded streams and as the check of what
 * the database code does with the same arithmetic; follows class Online of the reference.
 *
 * Invariants: scratch always holds at least 2 k doubles; a volunteer's rows are the sums of its
 * columns; a call that fails has changed nothing that a later call can see.
 */
#include "online.h"
#include "confusion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct answer {
	int volunteer, class;
};

struct online_subject {
	double *evidence_model; /* [k] zero without a model */
	double *evidence;       /* [k] the model's and every answer's */
	bool has_model;
	int n_answers, answers_size;
	struct answer *answers;
};

static double *doubles(size_t n)
{
	return calloc(n, sizeof(double));
}

static bool reserve_scratch(struct online *o, size_t n)
{
	if (n <= o->scratch_size)
		return true;
	double *grown = realloc(o->scratch, n * sizeof *grown);
	if (!grown)
		return false;
	o->scratch = grown;
	o->scratch_size = n;
	return true;
}

static bool all_probabilities(const double *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(p[i] > 0.0 && p[i] <= 1.0))
			return false;
	return true;
}

enum status online_init(struct online *o, int k, const double *m, const double *pi,
	struct correlation correlation, struct err *err)
{
	*o = (struct online){0};
	if (k < 2 || k > ONLINE_MAX_CLASSES)
		return err_set(err, BAD_INPUT, "%d classes: 2 to %d are possible", k, ONLINE_MAX_CLASSES);
	const size_t n = (size_t)k;
	if (!all_probabilities(m, n * n) || !all_probabilities(pi, n))
		return err_set(
			err, BAD_INPUT, "a class prior or a confusion matrix has an entry outside (0, 1]");
	o->k = k;
	o->correlation = correlation;
	o->m = doubles(n * n);
	o->counts = doubles(n * n);
	o->log_pi = doubles(n);
	if (!o->m || !o->counts || !o->log_pi || !reserve_scratch(o, 2 * n)) {
		online_release(o);
		return err_set(err, FAULT, "no memory for %d classes", k);
	}
	memcpy(o->m, m, n * n * sizeof *m);
	for (size_t z = 0; z < n; z++)
		o->log_pi[z] = log(pi[z]);
	return OK;
}

void online_release(struct online *o)
{
	for (int j = 0; j < o->n_volunteers; j++) {
		struct online_volunteer *v = &o->volunteers[j];
		for (int a = 0; v->columns && a < o->k; a++)
			free(v->columns[a]);
		free(v->columns);
		free(v->rows);
	}
	free(o->volunteers);
	free(o->m);
	free(o->counts);
	free(o->log_pi);
	free(o->scratch);
	*o = (struct online){0};
}

/* Makes room for the volunteer with this number; they may be first seen in any order. */
static enum status reserve_volunteer(struct online *o, int volunteer, struct err *err)
{
	if (volunteer < 0 || volunteer >= ONLINE_MAX_VOLUNTEERS)
		return err_set(err, BAD_INPUT, "volunteer %d: a number from 0 to %d is possible", volunteer,
			ONLINE_MAX_VOLUNTEERS - 1);
	if (volunteer < o->n_volunteers)
		return OK;
	const size_t n = (size_t)volunteer + 1 + (size_t)volunteer / 2;
	struct online_volunteer *grown = realloc(o->volunteers, n * sizeof *grown);
	if (!grown)
		return err_set(err, FAULT, "no memory for %zu volunteers", n);
	for (size_t j = (size_t)o->n_volunteers; j < n; j++)
		grown[j] = (struct online_volunteer){.precision = 1.0 / label_params.v0};
	o->volunteers = grown;
	o->n_volunteers = (int)n;
	return OK;
}

/* Makes room for this volunteer's counts of one answer. */
static bool reserve_column(struct online *o, struct answer answer)
{
	struct online_volunteer *v = &o->volunteers[answer.volunteer];
	const size_t k = (size_t)o->k;
	if (!v->rows)
		v->rows = doubles(k);
	if (!v->columns)
		v->columns = calloc(k, sizeof *v->columns);
	if (!v->rows || !v->columns)
		return false;
	if (!v->columns[answer.class])
		v->columns[answer.class] = doubles(k);
	return v->columns[answer.class] != NULL;
}

enum status online_open(struct online *o, const double *p_model, const double *p_model_prior,
	struct online_subject **subject_out, double *q_out, struct err *err)
{
	const size_t k = (size_t)o->k;
	struct online_subject *subject = calloc(1, sizeof *subject);
	double *evidence = doubles(2 * k);
	enum status status = OK;
	if (!subject || !evidence) {
		status = err_set(err, FAULT, "no memory for a subject of %zu classes", k);
		goto done;
	}
	subject->has_model = p_model != NULL;
	subject->evidence_model = evidence;
	subject->evidence = evidence + k;
	evidence = NULL;
	if (p_model) {
		status = consensus_model_evidence(
			p_model, p_model_prior, NULL, o->k, subject->evidence_model, err);
		if (status != OK)
			goto done;
	}
	memcpy(subject->evidence, subject->evidence_model, k * sizeof(double));
	status = online_posterior(o, subject, q_out, err);
	if (status != OK)
		goto done;
	*subject_out = subject;
	subject = NULL;
done:
	free(evidence);
	online_subject_free(subject);
	return status;
}

void online_subject_free(struct online_subject *subject)
{
	if (!subject)
		return;
	free(subject->evidence_model); /* evidence is its second half */
	free(subject->answers);
	free(subject);
}

static int n_sources(const struct online_subject *subject)
{
	return subject->n_answers + (subject->has_model ? 1 : 0);
}

enum status online_posterior(
	const struct online *o, const struct online_subject *subject, double *q_out, struct err *err)
{
	return consensus_decide(
		o->log_pi, subject->evidence, n_sources(subject), o->k, o->correlation, q_out, err);
}

/* log P(answer | truth) for every truth, under the volunteer's present skill. */
static void log_likelihood(const struct online *o, struct answer answer, double *out)
{
	const struct online_volunteer *v = &o->volunteers[answer.volunteer];
	const struct own_counts own = {
		.cells = v->columns ? v->columns[answer.class] : NULL,
		.rows = v->rows,
	};
	confusion_column(o->m, o->k, v->lambda, own, answer.class, out);
	for (int z = 0; z < o->k; z++)
		out[z] = log(out[z]);
}

enum status online_answer(struct online *o, struct online_subject *subject, int volunteer,
	int class, double *q_out, struct err *err)
{
	if (class < 0 || class >= o->k)
		return err_set(
			err, BAD_INPUT, "answer %d: a class from 0 to %d is possible", class, o->k - 1);
	enum status status = reserve_volunteer(o, volunteer, err);
	if (status != OK)
		return status;
	if (subject->n_answers == subject->answers_size) {
		const int size = subject->answers_size ? 2 * subject->answers_size : 4;
		struct answer *grown = realloc(subject->answers, (size_t)size * sizeof *grown);
		if (!grown)
			return err_set(err, FAULT, "no memory for %d answers", size);
		subject->answers = grown;
		subject->answers_size = size;
	}
	const struct answer answer = {volunteer, class};
	log_likelihood(o, answer, o->scratch);
	for (int z = 0; z < o->k; z++)
		subject->evidence[z] += o->scratch[z];
	subject->answers[subject->n_answers++] = answer;
	return online_posterior(o, subject, q_out, err);
}

/* The volunteer and the pool learn that an answer was given to a subject of truth t. */
static void learn(struct online *o, struct answer answer, const double *t)
{
	struct online_volunteer *v = &o->volunteers[answer.volunteer];
	const size_t k = (size_t)o->k, a = (size_t)answer.class;
	skill_credit(o->m, o->k, t, answer.class, &v->lambda, &v->precision);
	v->n_credited += 1.0;
	const double weight = credit_weight(v->n_credited);
	for (size_t z = 0; z < k; z++) {
		v->columns[a][z] += t[z];
		v->rows[z] += t[z];
		o->counts[z * k + a] += weight * t[z];
	}
}

enum status online_retire(struct online *o, struct online_subject *subject, int gold,
	int *label_out, double *risk_out, struct err *err)
{
	const size_t k = (size_t)o->k, n = (size_t)subject->n_answers;
	const bool has_gold = gold != ONLINE_NO_GOLD;
	if (has_gold && (gold < 0 || gold >= o->k))
		return err_set(err, BAD_INPUT, "gold %d: a class from 0 to %d is possible", gold, o->k - 1);
	if (!reserve_scratch(o, (n + 2) * k))
		return err_set(err, FAULT, "no memory to retire a subject of %zu answers", n);
	for (size_t i = 0; i < n; i++)
		if (!reserve_column(o, subject->answers[i]))
			return err_set(err, FAULT, "no memory for the counts of %zu answers", n);

	double *q = o->scratch, *all = q + k, *each = all + k;
	enum status status = online_posterior(o, subject, q, err);
	if (status != OK)
		return status;

	/* Every likelihood is read before anybody learns, so that the order of answers does not matter
	 * to what they are credited against. */
	memset(all, 0, k * sizeof *all);
	for (size_t i = 0; i < n; i++) {
		log_likelihood(o, subject->answers[i], each + i * k);
		for (size_t z = 0; z < k; z++)
			all[z] += each[i * k + z];
	}
	/* Each likelihood gives place to the opinion that its answer is credited against. */
	const int n_others = n_sources(subject) - 1;
	const bool teaches = has_gold || n_others > 0;
	for (size_t i = 0; i < n && teaches; i++) {
		double *opinion = each + i * k;
		for (size_t z = 0; z < k; z++)
			opinion[z] = has_gold ? 0.0 : subject->evidence_model[z] + all[z] - opinion[z];
		if (has_gold)
			opinion[gold] = 1.0;
		else
			status = consensus_credit(
				o->log_pi, opinion, n_others, o->k, o->correlation, opinion, err);
		if (status != OK)
			return status;
	}
	for (size_t i = 0; i < n && teaches; i++)
		learn(o, subject->answers[i], each + i * k);
	*label_out = has_gold ? gold : consensus_argmax(q, o->k);
	*risk_out = has_gold ? 0.0 : consensus_risk(q, o->k);
	online_subject_free(subject);
	return OK;
}

enum status online_remix(struct online *o, struct err *err)
{
	return confusion_pool(o->counts, o->k, o->m, err);
}
