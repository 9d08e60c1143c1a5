/* What the loop found, for people and for programs. */
#include "loop.h"

static json_t *rule_json(struct rule_score r)
{
	return json_pack("{s:f, s:f, s:f}", "answers", r.answers, "accuracy", r.accuracy,
		"accuracy_animals", r.accuracy_animals);
}

static json_t *share_json(struct share s)
{
	return json_pack(
		"{s:f, s:i, s:f, s:f}", "accuracy", s.accuracy, "n", s.n, "low", s.low, "high", s.high);
}

void loop_print_json(const struct loop_result *r)
{
	json_t *o = json_pack("{s:i, s:f, s:o, s:o, s:o, s:i, s:i, s:o, s:o, s:o, s:f}", "subjects",
		r->n_subjects, "auto_share", r->auto_share, "ours", rule_json(r->ours), "plurality10",
		rule_json(r->plurality10), "serengeti", rule_json(r->serengeti), "planted_answers",
		r->n_planted, "expert_answers", r->n_expert_answers, "model_before",
		share_json(r->model_before), "model_after", share_json(r->model_after), "sabotage_revoked",
		r->sabotage == SABOTAGE_NONE ? json_null() : json_boolean(r->sabotage == SABOTAGE_REVOKED),
		"wall_s", r->wall_s);
	json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(o);
}

static void print_rule(FILE *out, const char *name, struct rule_score r)
{
	fprintf(out, "  %-34s %9.3f %10.4f %10.4f\n", name, r.answers, r.accuracy, r.accuracy_animals);
}

static void print_model(FILE *out, const char *name, struct share s)
{
	fprintf(
		out, "  %-34s %.3f of %d (95 %%: %.3f to %.3f)\n", name, s.accuracy, s.n, s.low, s.high);
}

static int expect(FILE *out, const char *what, bool met)
{
	fprintf(out, "  %-62s %s\n", what, met ? "met" : "NOT MET");
	return !met;
}

int loop_print_table(const struct loop_result *r, FILE *out)
{
	const struct rule_score *ours = &r->ours, *ten = &r->plurality10;
	fprintf(out, "%d subjects, %d photographs; %d are not gold and count below\n\n", r->n_subjects,
		r->n_images, r->n_scored);
	fprintf(out, "  %-34s %9s %10s %10s\n", "", "answers", "right", "animals");
	print_rule(out, "topi, audits counted", *ours);
	print_rule(out, "plurality of 10", *ten);
	print_rule(out, "Snapshot Serengeti's rule", r->serengeti);
	fprintf(out, "\n  auto-labelled under a certificate  %.1f %%\n", 100 * r->auto_share);
	fprintf(out, "  last certificate                   %s, %d audits, %d errors\n",
		*r->certificate ? r->certificate : "none", r->n_audits, r->n_audit_errors);
	fprintf(out, "  answers to gold planted among them %d (%.3f a subject, not counted above)\n",
		r->n_planted, r->n_scored ? r->n_planted / (double)r->n_scored : 0);
	fprintf(out, "  answers of experts                 %d, and %d gold\n", r->n_expert_answers,
		r->n_expert_gold);
	fprintf(out, "  models, on the kept-out deployment's gold:\n");
	print_model(out, "  by the expert's labels", r->model_before);
	print_model(out, "  trained again on consensus", r->model_after);
	static const char *const said[] = {[SABOTAGE_NONE] = "no certificate to break",
		[SABOTAGE_MISSED] = "its certificate still stands",
		[SABOTAGE_REVOKED] = "its certificate was revoked"};
	fprintf(out, "  a model with shuffled classes      %s", said[r->sabotage]);
	if (r->sabotage != SABOTAGE_NONE)
		fprintf(out, "; promised %.3f, %d labels made, %d left", r->sabotage_alpha,
			r->n_sabotage_labels, r->n_sabotage_left);
	putc('\n', out);
	fprintf(out, "  wall time                          %.0f s\n\nexpected of an honest run:\n",
		r->wall_s);
	return expect(out, "animals at least as right as plurality of 10",
			   ours->accuracy_animals >= ten->accuracy_animals) +
		expect(out, "all at least as right as plurality of 10, less .003",
			ours->accuracy >= ten->accuracy - 0.003) +
		expect(out, "at most a fifth of its answers", ours->answers <= ten->answers / 5) +
		expect(out, "some subjects auto-labelled under a certificate", r->auto_share > 0) +
		expect(out, "training again on consensus helps",
			r->model_after.accuracy > r->model_before.accuracy) +
		expect(out, "the shuffled model's certificate revoked, its labels taken back",
			r->sabotage == SABOTAGE_REVOKED && r->n_sabotage_left == 0);
}
