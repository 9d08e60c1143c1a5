/*
 * topi's own policy on a simulated project, in the order in which a project meets it: gold, the
 * calibration and the thresholds that it certifies, audits until they suffice, auto-labels, and
 * people for the rest, the subject with the largest risk / (1 + answers) first.
 *
 * Invariants: every subject is labelled once; every answer, gold and audits too, is counted where it
 * was given; the truth is read by people, the expert and nobody else.
 */
#include "simulate_ours.h"

#include "bounds.h"
#include "calibration.h"
#include "confusion.h"
#include "online.h"
#include "simulate_sure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	K = WORLD_CLASSES,
	CAP = 12, /* answers, after which an expert is asked */
	MIN_ANSWERS_CROWD = 3,
	MIN_ANSWERS_AUDIT = 2,
	REMIX_EVERY = 200,
	AUDITS = 64, /* at least, before a stratum is labelled */
	MOST_AUDITS = 1000,
	PATH_AUDIT = 14,
};
static const double audit_tau = .02, audit_rate = .02, expert_share = .1;

struct open_subject {
	struct online_subject *state; /* NULL: not open */
	int asked[CAP];
	double key; /* risk / (1 + answers) */
};

struct run {
	const struct world *world;
	bool use_model;
	double tau;
	struct online online;
	struct calibration calibration;
	bool heard[N_STRATA]; /* whether the model is a source for what it takes for this */
	struct crowd crowd;
	struct rng rng;            /* of audits */
	struct open_subject *open; /* [n] */
	int *heap, n_heap;         /* open subjects, the largest key on top */
	struct outcome *outcomes;
	bool *labelled; /* [n] */
	long n_retired, n_labels[K];
};

static bool goes_before(const struct run *run, int a, int b)
{
	const double x = run->open[a].key, y = run->open[b].key;
	return x > y || (x == y && a < b);
}

static void heap_push(struct run *run, int subject)
{
	int at = run->n_heap++;
	for (; at > 0 && goes_before(run, subject, run->heap[(at - 1) / 2]); at = (at - 1) / 2)
		run->heap[at] = run->heap[(at - 1) / 2];
	run->heap[at] = subject;
}

static int heap_pop(struct run *run)
{
	const int top = run->heap[0], last = run->heap[--run->n_heap];
	int at = 0;
	for (int child = 1; child < run->n_heap; child = 2 * at + 1) {
		if (child + 1 < run->n_heap && goes_before(run, run->heap[child + 1], run->heap[child]))
			child++;
		if (!goes_before(run, run->heap[child], last))
			break;
		run->heap[at] = run->heap[child];
		at = child;
	}
	run->heap[at] = last;
	return top;
}

static void set_label(struct run *run, int subject, int label, double risk)
{
	run->outcomes[subject].label = label;
	run->outcomes[subject].risk = risk;
	run->labelled[subject] = true;
	run->n_labels[label]++;
}

/* The model's prediction, calibrated. */
static enum status calibrated(const struct run *run, int subject, double *p, struct err *err)
{
	for (int z = 0; z < K; z++)
		p[z] = (double)run->world->p_model[(size_t)subject * K + (size_t)z];
	return calibration_apply(p, run->world->pi, K, run->calibration, p, err);
}

static enum status open_subject(struct run *run, int subject, bool with_model, struct err *err)
{
	double p[K], q[K];
	struct open_subject *s = &run->open[subject];
	enum status status = with_model ? calibrated(run, subject, p, err) : OK;
	if (status == OK)
		status = online_open(&run->online, with_model ? p : NULL,
			with_model ? run->world->pi : NULL, &s->state, q, err);
	if (status == OK)
		s->key = consensus_risk(q, K);
	return status;
}

static enum status ask(struct run *run, int subject, int *label, double *risk, struct err *err)
{
	double q[K];
	struct open_subject *s = &run->open[subject];
	struct outcome *out = &run->outcomes[subject];
	const int volunteer = crowd_next(&run->crowd, s->asked, out->n_answers);
	s->asked[out->n_answers++] = volunteer;
	enum status status = online_answer(
		&run->online, s->state, volunteer, world_answer(run->world, subject, volunteer), q, err);
	if (status != OK)
		return status;
	*label = consensus_argmax(q, K);
	*risk = consensus_risk(q, K);
	s->key = *risk / (1 + out->n_answers);
	return OK;
}

/* Without a model, how common a class is has to be learnt from the labels, as a live project does at each remix. */
static void learn_prior(struct run *run)
{
	for (int z = 0; z < K; z++)
		run->online.log_pi[z] = log(((double)run->n_labels[z] + 1) / ((double)run->n_retired + K));
}

/* gold: the expert's word, or ONLINE_NO_GOLD. */
static enum status retire(struct run *run, int subject, int gold, struct err *err)
{
	int label = 0;
	double risk = 0.0;
	struct open_subject *s = &run->open[subject];
	enum status status = online_retire(&run->online, s->state, gold, &label, &risk, err);
	if (status != OK)
		return status;
	s->state = NULL;
	run->outcomes[subject].n_experts += gold != ONLINE_NO_GOLD;
	set_label(run, subject, label, risk);
	if (++run->n_retired % REMIX_EVERY != 0)
		return OK;
	if (!run->use_model)
		learn_prior(run);
	return online_remix(&run->online, err);
}

/* What an expert or people without the model say of an auto-label: *wrong. */
static enum status audit(struct run *run, int subject, bool *wrong, struct err *err)
{
	const struct world_subject *s = &run->world->subjects[subject];
	int label = 0;
	double risk = 1.0;
	enum status status = open_subject(run, subject, false, err);
	const struct outcome *out = &run->outcomes[subject];
	while (status == OK && out->n_answers < CAP &&
		(risk > audit_tau || out->n_answers < MIN_ANSWERS_AUDIT))
		status = ask(run, subject, &label, &risk, err);
	if (status != OK)
		return status;
	const bool expert = risk > audit_tau || label != s->guess ||
		(double)rng_unit(&run->rng) < expert_share;
	*wrong = expert && s->truth != s->guess;
	return retire(run, subject, expert ? s->truth : ONLINE_NO_GOLD, err);
}

/* Everything in the stratum above its threshold that gold has not labelled, in a random order. */
static int candidates(struct run *run, int stratum, double threshold, int *out)
{
	int n = 0;
	for (int i = 0; i < run->world->n; i++) {
		const struct world_subject *s = &run->world->subjects[i];
		if (run->labelled[i] || stratum_of(s) != stratum || s->p_top < threshold)
			continue;
		const int place = rng_int(&run->rng, ++n);
		out[n - 1] = out[place];
		out[place] = i;
	}
	return n;
}

/*
 * Audits first, as on probation: until there are enough and the confidence sequence is below 2 alpha
 * the stratum is not labelled; from then on a share of it is audited all the same. Above alpha it is
 * revoked, with whatever it would have labelled.
 */
static enum status label_stratum(
	struct run *run, int stratum, const struct sure_thresholds *at, int *scratch, struct err *err)
{
	const int n = candidates(run, stratum, at->at[stratum], scratch);
	const double alpha = stratum_alpha[stratum], delta = sure_delta;
	int n_audits = 0, n_wrong = 0;
	bool enough = false, revoked = false;
	enum status status = OK;
	while (status == OK && !revoked && n_audits < n &&
		n_audits < (enough ? audit_rate * n : MOST_AUDITS)) {
		bool wrong = false;
		status = audit(run, scratch[n_audits], &wrong, err);
		n_audits++;
		n_wrong += wrong;
		revoked = cs_lower(n_wrong, n_audits, delta) > alpha;
		enough |= n_audits >= AUDITS && cs_upper(n_wrong, n_audits, delta) < 2 * alpha;
	}
	run->heard[stratum] = !revoked;
	for (int i = n_audits; status == OK && enough && !revoked && i < n; i++) {
		double p[K];
		const int subject = scratch[i];
		status = calibrated(run, subject, p, err);
		if (status != OK)
			break;
		set_label(run, subject, run->world->subjects[subject].guess, consensus_risk(p, K));
		run->outcomes[subject].automated = true;
	}
	return status;
}

static enum status fit(struct run *run, const int *gold, int n_gold, struct err *err)
{
	double *top = xcalloc((size_t)n_gold, sizeof *top);
	bool *right = xcalloc((size_t)n_gold, sizeof *right);
	for (int i = 0; i < n_gold; i++) {
		const struct world_subject *s = &run->world->subjects[gold[i]];
		top[i] = top_logodds(s->p_top);
		right[i] = s->guess == s->truth;
	}
	const enum status status = calibration_fit(top, right, n_gold, &run->calibration, err);
	free(top);
	free(right);
	return status;
}

/* Gold, calibration, certificates and what is labelled under them. */
static enum status certify(struct run *run, struct err *err)
{
	const int n_gold = sure_n_gold(run->world);
	struct sure_thresholds at;
	int *gold = xcalloc((size_t)n_gold, sizeof *gold);
	int *scratch = calloc((size_t)run->world->n, sizeof *scratch);
	enum status status = scratch ? sure_draw_gold(run->world, 0, gold, err)
								 : err_set(err, FAULT, "no memory for %d subjects", run->world->n);
	for (int i = 0; status == OK && i < n_gold; i++) {
		run->outcomes[gold[i]].n_experts = 1;
		set_label(run, gold[i], run->world->subjects[gold[i]].truth, 0.0);
	}
	if (status == OK)
		status = fit(run, gold, n_gold, err);
	if (status == OK)
		status = sure_certify(run->world, gold, n_gold, &at, err);
	/* A model whose confidence does not rise with its accuracy is not heard at all. */
	const bool of_use = status == OK && run->calibration.w1 > 0;
	for (int s = 0; s < N_STRATA; s++)
		run->heard[s] = of_use;
	for (int s = 0; s < N_STRATA && of_use && status == OK; s++)
		status = label_stratum(run, s, &at, scratch, err);
	free(gold);
	free(scratch);
	return status;
}

static enum status by_people(struct run *run, struct err *err)
{
	enum status status = OK;
	for (int i = 0; i < run->world->n && status == OK; i++) {
		if (run->labelled[i])
			continue;
		status = open_subject(run, i, run->heard[stratum_of(&run->world->subjects[i])], err);
		if (status == OK)
			heap_push(run, i);
	}
	while (status == OK && run->n_heap > 0) {
		int label = 0;
		double risk = 1.0;
		const int subject = heap_pop(run);
		status = ask(run, subject, &label, &risk, err);
		if (status != OK)
			break;
		const int n = run->outcomes[subject].n_answers;
		const bool heard = run->heard[stratum_of(&run->world->subjects[subject])];
		if (risk <= run->tau && (heard || n >= MIN_ANSWERS_CROWD))
			status = retire(run, subject, ONLINE_NO_GOLD, err);
		else if (n >= CAP)
			status = retire(run, subject, run->world->subjects[subject].truth, err);
		else
			heap_push(run, subject);
	}
	return status;
}

static enum status run_init(struct run *run, struct err *err)
{
	const size_t n = (size_t)run->world->n;
	double zero[K * K] = {0}, m[K * K], pi[K];
	for (int z = 0; z < K; z++)
		pi[z] = run->use_model ? run->world->pi[z] : 1.0 / K;
	run->open = calloc(n, sizeof *run->open);
	run->heap = calloc(n, sizeof *run->heap);
	run->labelled = calloc(n, sizeof *run->labelled);
	if (!run->open || !run->heap || !run->labelled)
		return err_set(err, FAULT, "no memory for %zu subjects", n);
	enum status status = confusion_pool(zero, K, m, err);
	return status == OK
		? online_init(&run->online, K, m, pi, (struct correlation){.kappa = label_params.kd}, err)
		: status;
}

enum status simulate_ours(const struct world *world, bool use_model, double tau,
	struct outcome *outcomes, struct err *err)
{
	struct run run = {.world = world,
		.use_model = use_model,
		.tau = tau,
		.outcomes = outcomes,
		.rng = rng_at(world->options.seed, PATH_AUDIT, 0)};
	crowd_open(&run.crowd, world);
	enum status status = run_init(&run, err);
	if (status == OK && use_model)
		status = certify(&run, err);
	if (status == OK)
		status = by_people(&run, err);
	for (int i = 0; run.open && i < world->n; i++)
		online_subject_free(run.open[i].state);
	online_release(&run.online);
	free(run.open);
	free(run.heap);
	free(run.labelled);
	return status;
}
