/* Runs every policy over one world and scores what came of it. */
#include "simulate.h"

#include "simulate_ours.h"
#include "simulate_rules.h"
#include "simulate_sure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FEW_ANSWERS = 20, MANY_VOLUNTEERS = 10000 };

static const struct policy {
	enum simulate_family family;
	const char *name, *setting;
	struct rule rule; /* of the families that are not ours */
	double tau;
} policies[] = {
	{FAMILY_PLURALITY, "one volunteer", "1", {RULE_PLURALITY, 1}, 0},
	{FAMILY_PLURALITY, "plurality of 3", "3", {RULE_PLURALITY, 3}, 0},
	{FAMILY_PLURALITY, "plurality of 5", "5", {RULE_PLURALITY, 5}, 0},
	{FAMILY_PLURALITY, "plurality of 10", "10", {RULE_PLURALITY, 10}, 0},
	{FAMILY_SERENGETI, "Serengeti rule", "", {RULE_SERENGETI, 0}, 0},
	{FAMILY_MODEL_SERENGETI, "model + Serengeti rule", "", {RULE_MODEL_SERENGETI, 0}, 0},
	{FAMILY_MODEL_ONE, "model + one who agrees", "", {RULE_MODEL_ONE, 0}, 0},
	{FAMILY_OURS, "ours", ".1", {0}, .1},
	{FAMILY_OURS, "ours", ".034", {0}, .034},
	{FAMILY_OURS, "ours", ".01", {0}, .01},
	{FAMILY_OURS, "ours", ".002", {0}, .002},
	{FAMILY_OURS_CROWD, "ours, people only", ".1", {0}, .1},
	{FAMILY_OURS_CROWD, "ours, people only", ".034", {0}, .034},
	{FAMILY_OURS_CROWD, "ours, people only", ".01", {0}, .01},
};
#define N_POLICIES ((int)(sizeof policies / sizeof *policies))
_Static_assert(N_POLICIES <= (int)SIMULATE_MAX_ROWS, "a row a policy");

const char *simulate_family_name(enum simulate_family family)
{
	switch (family) {
	case FAMILY_PLURALITY:
		return "plurality";
	case FAMILY_SERENGETI:
		return "Serengeti rule";
	case FAMILY_MODEL_SERENGETI:
		return "model + Serengeti rule";
	case FAMILY_MODEL_ONE:
		return "model + one who agrees";
	case FAMILY_OURS:
		return "ours";
	case FAMILY_OURS_CROWD:
		return "ours, people only";
	case N_SIMULATE_FAMILIES:
		break;
	}
	return "";
}

static void run_rule(const struct world *world, struct rule rule, struct outcome *outcomes)
{
	struct crowd crowd;
	crowd_open(&crowd, world);
	for (int i = 0; i < world->n; i++) {
		const struct world_subject *s = &world->subjects[i];
		const struct rule_guess guess = {s->guess, s->p_top};
		int asked[RULE_MAX_ANSWERS], answers[RULE_MAX_ANSWERS], n = 0;
		struct rule_verdict verdict = rule_look(rule, guess, answers, 0);
		for (; !verdict.done; verdict = rule_look(rule, guess, answers, n)) {
			asked[n] = crowd_next(&crowd, asked, n);
			answers[n] = world_answer(world, i, asked[n]);
			n++;
		}
		outcomes[i] = (struct outcome){
			.label = verdict.label, .n_answers = n, .automated = verdict.automated, .risk = NAN};
	}
}

static void score(
	const struct world *world, const struct outcome *outcomes, struct simulate_row *row)
{
	double n_class[WORLD_CLASSES] = {0}, right[WORLD_CLASSES] = {0};
	double n_right = 0, n_present = 0, n_automated_wrong = 0, n = world->n;
	for (int i = 0; i < world->n; i++) {
		const int truth = world->subjects[i].truth;
		n_class[truth]++;
		right[truth] += outcomes[i].label == truth;
		row->answers += (outcomes[i].n_answers + outcomes[i].n_experts) / n;
		row->expert_answers += outcomes[i].n_experts / n;
		row->promised_risk += outcomes[i].risk / n;
		row->automated += outcomes[i].automated / n;
		n_automated_wrong += outcomes[i].automated && outcomes[i].label != truth;
	}
	for (int z = 0; z < WORLD_CLASSES; z++) {
		n_right += right[z];
		n_present += n_class[z] > 0;
		row->accuracy_macro += n_class[z] > 0 ? right[z] / n_class[z] : 0;
	}
	row->accuracy_macro /= n_present;
	row->accuracy = n_right / n;
	row->automated_wrong = row->automated > 0 ? n_automated_wrong / (row->automated * n) : NAN;
	row->accuracy_animals = (n_right - right[WORLD_BLANK]) / (n - n_class[WORLD_BLANK]);
}

static struct simulate_figures figures_of(const struct world *world)
{
	struct simulate_figures f = {0};
	double n = world->n, n_animals = 0;
	for (int i = 0; i < world->n; i++) {
		const struct world_subject *s = &world->subjects[i];
		const bool animal = s->truth != WORLD_BLANK, right = s->guess == s->truth;
		n_animals += animal;
		f.model_accuracy += right / n;
		f.model_accuracy_animals += animal && right;
		f.model_confidence += s->p_top / n;
	}
	f.blank = 1 - n_animals / n;
	f.model_accuracy_animals /= n_animals;
	for (int v = 0; v < MANY_VOLUNTEERS; v++)
		f.few_answers += (world_activity(world, v) < FEW_ANSWERS) / (double)MANY_VOLUNTEERS;
	return f;
}

static enum status run_policy(const struct world *world, const struct policy *policy,
	struct outcome *outcomes, struct simulate_row *row, struct err *err)
{
	enum status status = OK;
	*row = (struct simulate_row){.family = policy->family};
	memset(outcomes, 0, (size_t)world->n * sizeof *outcomes);
	snprintf(row->name, sizeof row->name, "%s", policy->name);
	snprintf(row->setting, sizeof row->setting, "%s", policy->setting);
	if (policy->tau > 0)
		status = simulate_ours(world, policy->family == FAMILY_OURS, policy->tau, outcomes, err);
	else
		run_rule(world, policy->rule, outcomes);
	if (status == OK)
		score(world, outcomes, row);
	return status;
}

static enum status check(const struct simulate_options *o, struct err *err)
{
	if (o->n_subjects < SIMULATE_MIN_SUBJECTS || o->n_subjects > SIMULATE_MAX_SUBJECTS)
		return err_set(err, BAD_INPUT, "%d subjects: %d to %d can be simulated", o->n_subjects,
			SIMULATE_MIN_SUBJECTS, SIMULATE_MAX_SUBJECTS);
	if (o->n_repetitions < 1 || o->n_repetitions > SIMULATE_MAX_REPETITIONS)
		return err_set(err, BAD_INPUT, "%d repetitions: 1 to %d are possible", o->n_repetitions,
			SIMULATE_MAX_REPETITIONS);
	return OK;
}

enum status simulate_run(
	const struct simulate_options *options, struct simulate_report *out, struct err *err)
{
	struct world world = {0};
	struct outcome *outcomes = NULL;
	struct simulate_report report = {.options = *options};
	enum status status = check(options, err);
	if (status != OK)
		return status;
	status = world_init(&world, options, err);
	if (status != OK)
		return status;
	report.figures = figures_of(&world);
	report.n_gold = sure_n_gold(&world);
	outcomes = calloc((size_t)world.n, sizeof *outcomes);
	if (!outcomes)
		status = err_set(err, FAULT, "no memory for %d subjects", world.n);
	for (int i = 0; i < N_POLICIES && status == OK; i++)
		status = run_policy(&world, &policies[i], outcomes, &report.rows[report.n_rows++], err);
	if (status == OK)
		status = sure_coverage(&world, report.certificates, err);
	if (status == OK)
		*out = report;
	free(outcomes);
	world_release(&world);
	return status;
}
