/* The loop itself, step by step. */
#include "loop.h"

#include "child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t count_of(const json_t *status, const char *name)
{
	return json_integer_value(json_object_get(status, name));
}

static int64_t by(const json_t *status, const char *who)
{
	return count_of(json_object_get(status, "by"), who);
}

static bool nothing_open(const void *arg, const json_t *status)
{
	(void)arg;
	return count_of(status, "open") == 0 && count_of(status, "expert") == 0;
}

static enum status get_status(struct loop *l, json_t **out, struct err *err)
{
	struct client *c = client_new(l->url);
	enum status st = people_status(&l->people, c, out, err);
	client_free(c);
	return st;
}

/* Right of the certification gold on the deployment that no model was trained on. */
static enum status judge(struct loop *l, const char *model, struct share *out, struct err *err)
{
	char sql[600], *text = NULL;
	snprintf(sql, sizeof sql,
		"SELECT count(*) || ' ' || COALESCE(sum(p.top_id = g.taxon_id), 0) FROM gold g "
		"JOIN subject s ON s.id = g.subject_id JOIN deployment d ON d.id = s.deployment_id "
		"JOIN prediction p ON p.subject_id = s.id JOIN model m ON m.id = p.model_id "
		"WHERE d.holdout = 1 AND g.purpose = 'certify' AND m.name = '%s'",
		model);
	enum status st = loop_sql(l, l->data, sql, &text, err);
	int n = 0, n_right = 0;
	if (st == OK) {
		char *rest;
		n = (int)strtol(text, &rest, 10);
		n_right = (int)strtol(rest, NULL, 10);
		*out = loop_share(n_right, n);
		loop_say(l, "%s: %.3f of %d gold on the kept-out deployment (%.3f to %.3f)", model,
			out->accuracy, n, out->low, out->high);
	}
	free(text);
	return st == OK && n == 0
		? err_set(err, FAULT, "%s has no prediction of gold on the kept-out deployment", model)
		: st;
}

static enum status promote(struct loop *l, const char *model, struct err *err)
{
	enum status st = loop_topi(l, NULL, err, "model", "promote", l->data, l->slug, model, NULL);
	if (st == OK)
		st = loop_settle(l, err);
	if (st == OK)
		loop_say(l, "%s promoted, predicted and settled", model);
	return st;
}

static enum status train(struct loop *l, const char *model, const char *parent, struct err *err)
{
	char epochs[16];
	snprintf(epochs, sizeof epochs, "%d", l->o->n_epochs);
	const char *how = parent ? "--from" : "--arch", *what = parent ? parent : "resnet10s";
	enum status st = l->o->n_epochs
		? loop_topi(l, NULL, err, "train", l->data, l->slug, "--mode", "full", how, what,
			  "--epochs", epochs, NULL)
		: loop_topi(l, NULL, err, "train", l->data, l->slug, "--mode", "full", how, what, NULL);
	if (st == OK)
		loop_say(l, "%s trained", model);
	return st;
}

static enum status report(struct loop *l, const char *when, struct err *err)
{
	json_t *s = NULL;
	enum status st = get_status(l, &s, err);
	json_t *c = json_object_get(s, "certificate");
	const char *state = json_string_value(json_object_get(c, "state"));
	if (st == OK) {
		snprintf(l->result.certificate, sizeof l->result.certificate, "%s", state ? state : "");
		l->result.n_audits = (int)count_of(c, "n_audits");
		l->result.n_audit_errors = (int)count_of(c, "n_errors");
		loop_say(l,
			"%s: %lld open, %lld for the expert; labels by people %lld, model %lld, expert %lld; "
			"%d answers; certificate: %s, %d audits, %d errors",
			when, (long long)count_of(s, "open"), (long long)count_of(s, "expert"),
			(long long)by(s, "people"), (long long)by(s, "model"), (long long)by(s, "expert"),
			atomic_load(&l->people.n_answers), state ? state : "none", l->result.n_audits,
			l->result.n_audit_errors);
	}
	json_decref(s);
	return st;
}

/* People may have done all there is while a revocation or a sweep opens more: it ends when it stays so. */
static enum status work(struct loop *l, struct err *err)
{
	for (;;) {
		json_t *s = NULL;
		enum status st = people_work(&l->people, l->url, nothing_open, NULL, err);
		if (st == OK)
			st = loop_settle(l, err);
		if (st == OK)
			st = get_status(l, &s, err);
		bool ended = st == OK && nothing_open(NULL, s);
		json_decref(s);
		if (st != OK)
			return st;
		if (ended)
			return report(l, "nothing open", err);
	}
}

/* A model from the expert's labels, and people's answers to the first photographs. */
static enum status first_round(struct loop *l, struct err *err)
{
	enum status st = train(l, "m1", NULL, err);
	if (st == OK)
		st = promote(l, "m1", err);
	if (st == OK)
		st = report(l, "first model", err);
	return st == OK ? work(l, err) : st;
}

/* A model from the consensus meets the rest; both are judged on the same gold. */
static enum status second_round(struct loop *l, struct err *err)
{
	enum status st = train(l, "m2", NULL, err);
	if (st == OK)
		st = loop_next_wave(l, err);
	if (st == OK)
		st = loop_topi(l, NULL, err, "predict", l->data, l->slug, NULL);
	if (st == OK)
		st = judge(l, "m1", &l->result.model_before, err);
	if (st == OK)
		st = promote(l, "m2", err);
	if (st == OK)
		st = judge(l, "m2", &l->result.model_after, err);
	if (st == OK)
		st = report(l, "second model", err);
	if (st == OK)
		st = loop_sabotage_copy(l, err);
	return st == OK ? work(l, err) : st;
}

enum status loop_run(struct loop *l, const struct loop_options *o, struct err *err)
{
	enum status st = loop_setup(l, o, err);
	if (st == OK && !l->subjects)
		st = err_set(err, CONFLICT, "%s was used before: the loop wants a new folder", o->dir);
	if (st == OK)
		st = loop_serve(l, l->data, err);
	if (st == OK)
		st = people_enter(&l->people, l->url, LOOP_PASSWORD, err);
	if (st == OK)
		st = first_round(l, err);
	if (st == OK)
		st = second_round(l, err);
	child_stop(&l->server);
	if (st == OK)
		st = loop_score(l, err);
	if (st == OK)
		st = loop_sabotage_run(l, err);
	l->result.wall_s = loop_seconds() - l->start_s;
	return st;
}

void loop_release(struct loop *l)
{
	child_stop(&l->server);
	truth_release(&l->truth);
	free(l->subjects);
	free(l->people.answers);
}
