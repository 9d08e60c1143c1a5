/* Labels against the truth, on subjects that are not gold; the two rules on the same subjects. */
#include "loop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct share loop_share(int n_right, int n)
{
	const double z = 1.959964;
	if (n <= 0)
		return (struct share){.high = 1};
	double p = (double)n_right / n, d = 1 + z * z / n, middle = (p + z * z / (2 * n)) / d;
	double half = z * sqrt(p * (1 - p) / n + z * z / (4.0 * n * n)) / d;
	return (struct share){
		.n = n, .accuracy = p, .low = fmax(0, middle - half), .high = fmin(1, middle + half)};
}

static struct rule_score rule(const struct loop *l, const struct crowd_subject *subjects, int n,
	struct crowd_result (*of)(uint64_t, const struct crowd_subject *))
{
	struct crowd_score s = crowd_score(l->people.seed, subjects, n, of);
	return (struct rule_score){s.answers, s.accuracy, s.accuracy_animals};
}

static void score_rows(struct loop *l, const struct table *table)
{
	struct loop_result *r = &l->result;
	struct crowd_subject *subjects = xcalloc((size_t)table->n, sizeof *subjects);
	double n_answers = 0, right = 0, animals = 0, animals_right = 0, automatic = 0;
	int n = 0;
	for (int i = 0; i < table->n; i++) {
		const struct table_row *row = &table->rows[i];
		if (*row->gold) {
			r->n_planted += atomic_load(&l->people.answers[row->id]);
			continue;
		}
		int truth = row->truth->taxon, ok = row->label == truth, animal = truth != TAXON_BLANK;
		subjects[n++] = l->subjects[row->id];
		n_answers += atomic_load(&l->people.answers[row->id]);
		right += ok;
		animals += animal;
		animals_right += ok && animal;
		automatic += row->audited || !strcmp(row->decided_by, "model");
	}
	r->n_scored = n;
	r->auto_share = n ? automatic / n : 0;
	r->ours = (struct rule_score){
		n ? n_answers / n : 0, n ? right / n : 0, animals > 0 ? animals_right / animals : 0};
	r->plurality10 = rule(l, subjects, n, crowd_plurality10);
	r->serengeti = rule(l, subjects, n, crowd_serengeti);
	free(subjects);
}

/* Every answer that the server took is in the export, once. */
static enum status check_answers(struct loop *l, struct err *err)
{
	char path[1100], *text = NULL;
	snprintf(path, sizeof path, "%s/answers.csv", l->o->dir);
	int given = atomic_load(&l->people.n_answers) + atomic_load(&l->people.n_expert);
	enum status st = loop_topi(l, &text, err, "export", l->data, l->slug, "--format",
		"classifications", "--out", path, "--json", NULL);
	json_t *json = st == OK ? json_loads(text, 0, NULL) : NULL;
	long long kept = json_integer_value(json_object_get(json, "rows"));
	if (st == OK && kept != given)
		st = err_set(err, FAULT, "%d answers were given, %lld are exported", given, kept);
	json_decref(json);
	free(text);
	return st;
}

enum status loop_score(struct loop *l, struct err *err)
{
	struct table table;
	char package[1100];
	enum status st = loop_table(l, l->data, &table, err);
	for (int i = 0; st == OK && i < table.n; i++)
		if (strcmp(table.rows[i].state, "retired"))
			st = err_set(err, FAULT, "subject %lld is %s at the end", (long long)table.rows[i].id,
				table.rows[i].state);
	if (st == OK)
		score_rows(l, &table);
	table_release(&table);
	l->result.n_subjects = l->truth.n;
	l->result.n_expert_answers = atomic_load(&l->people.n_expert);
	if (st == OK)
		st = check_answers(l, err);
	snprintf(package, sizeof package, "%s/camtrap-dp", l->o->dir);
	if (st == OK)
		st = loop_topi(l, NULL, err, "export", l->data, l->slug, "--format", "camtrap-dp", "--out",
			package, NULL);
	if (st == OK)
		loop_say(l, "exported and scored");
	return st;
}
