/* The table is what docs/consensus.md shows; JSON has the same figures unrounded, null where there is none. */
#include "simulate_report.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

/* A dash where there is nothing to count. */
static void print_share(double x, int width)
{
	if (isnan(x))
		printf(" %*s", width, "-");
	else
		printf(" %*.4f", width, x);
}

static void print_policies(const struct simulate_report *r)
{
	printf("%-24s %5s %8s %7s %6s %7s %6s %8s %6s %5s %6s\n", "policy", "tau", "answers", "experts",
		"all", "animals", "macro", "promised", "actual", "auto", "wrong");
	for (int i = 0; i < r->n_rows; i++) {
		const struct simulate_row *row = &r->rows[i];
		const bool ours = row->family == FAMILY_OURS || row->family == FAMILY_OURS_CROWD;
		printf("%-24s %5s %8.3f %7.3f %6.4f %7.4f %6.4f", row->name, ours ? row->setting : "",
			row->answers, row->expert_answers, row->accuracy, row->accuracy_animals,
			row->accuracy_macro);
		print_share(row->promised_risk, 8);
		printf(" %6.4f %5.3f", 1 - row->accuracy, row->automated);
		print_share(row->automated_wrong, 6);
		putchar('\n');
	}
}

void simulate_print_table(const struct simulate_report *r)
{
	const struct simulate_options *o = &r->options;
	printf("%d subjects, seed %llu%s%s%s: %.1f %% blank; the model is right on %.1f %%, on animals "
		   "%.1f %%, and says %.1f %%;\n%.0f %% of the volunteers give fewer than 20 answers\n\n",
		o->n_subjects, (unsigned long long)o->seed, o->new_site ? ", new site" : "",
		o->clickers ? ", random clickers" : "", o->bot ? ", a bot" : "", 100 * r->figures.blank,
		100 * r->figures.model_accuracy, 100 * r->figures.model_accuracy_animals,
		100 * r->figures.model_confidence, 100 * r->figures.few_answers);
	print_policies(r);
	printf("\ncertificates over %d draws of %d gold\n", o->n_repetitions, r->n_gold);
	printf("%-24s %5s %6s %7s %6s %6s   %s\n", "stratum", "alpha", "delta", "broken", "none",
		"auto", "the lowest threshold that looks good: broken, auto");
	for (int i = 0; i < SIMULATE_N_CERTIFICATES; i++) {
		const struct simulate_certificate *c = &r->certificates[i];
		char alpha[16] = "";
		if (!isnan(c->alpha))
			snprintf(alpha, sizeof alpha, "%g", c->alpha);
		printf("%-24s %5s %6.3f %7.3f %6.3f %6.3f   %.3f, %.3f\n", c->stratum, alpha, c->delta,
			c->broken, c->none, c->automated, c->naive_broken, c->naive_automated);
	}
}

static json_t *number(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

static json_t *policy_json(const struct simulate_row *row)
{
	return json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:o, s:f, s:f, s:o}", "policy",
		row->name, "family", simulate_family_name(row->family), "setting", row->setting, "answers",
		row->answers, "expert_answers", row->expert_answers, "accuracy", row->accuracy,
		"accuracy_animals", row->accuracy_animals, "accuracy_macro", row->accuracy_macro,
		"promised_risk", number(row->promised_risk), "actual_risk", 1 - row->accuracy, "automated",
		row->automated, "automated_wrong", number(row->automated_wrong));
}

static json_t *certificate_json(const struct simulate_certificate *c)
{
	return json_pack("{s:s, s:o, s:f, s:f, s:f, s:f, s:f, s:f}", "stratum", c->stratum, "alpha",
		number(c->alpha), "delta", c->delta, "broken", c->broken, "none", c->none, "automated",
		c->automated, "naive_broken", c->naive_broken, "naive_automated", c->naive_automated);
}

void simulate_print_json(const struct simulate_report *r)
{
	const struct simulate_options *o = &r->options;
	const struct simulate_figures *f = &r->figures;
	json_t *policies = json_array(), *certificates = json_array();
	for (int i = 0; i < r->n_rows; i++)
		json_array_append_new(policies, policy_json(&r->rows[i]));
	for (int i = 0; i < SIMULATE_N_CERTIFICATES; i++)
		json_array_append_new(certificates, certificate_json(&r->certificates[i]));
	json_t *all = json_pack(
		"{s:I, s:i, s:i, s:i, s:b, s:b, s:b, s:{s:f, s:f, s:f, s:f, s:f}, s:o, s:o}", "seed",
		(json_int_t)o->seed, "subjects", o->n_subjects, "repetitions", o->n_repetitions, "gold",
		r->n_gold, "new_site", o->new_site, "clickers", o->clickers, "bot", o->bot, "world",
		"blank", f->blank, "model_accuracy", f->model_accuracy, "model_accuracy_animals",
		f->model_accuracy_animals, "model_confidence", f->model_confidence, "few_answers",
		f->few_answers, "policies", policies, "certificates", certificates);
	json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(all);
}
