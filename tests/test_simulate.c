/* labels: unit; timeout: 120 */
/* The simulated project: the figures its world was fitted to, each rule on answers written by hand,
 * what topi's own policy may never do, and certificates that keep their promise. */
#include "simulate.h"
#include "simulate_ours.h"
#include "simulate_rules.h"
#include "simulate_sure.h"
#include "status.h"
#include "support_command.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static struct world make_world(struct simulate_options options)
{
	struct world world;
	struct err err;
	if (world_init(&world, &options, &err) != OK)
		fail_msg("%s", err.text);
	return world;
}

static void rules_by_hand(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct rule rule;
		struct rule_guess guess;
		const char *answers; /* a letter a class: a is blank */
		int done_after;
		char label;
		bool automated;
	} rows[] = {
		{"one", {RULE_PLURALITY, 1}, {0, .99}, "c", 1, 'c', false},
		{"two of three", {RULE_PLURALITY, 3}, {0, .99}, "bcc", 3, 'c', false},
		{"the first to have as many", {RULE_PLURALITY, 4}, {0, 0}, "bccb", 4, 'c', false},
		{"five blanks at once", {RULE_SERENGETI, 0}, {1, 1}, "aaaaa", 5, 'a', false},
		{"ten blanks in all", {RULE_SERENGETI, 0}, {0, 0}, "aaaabaaaaaa", 11, 'a', false},
		{"five of a species are few", {RULE_SERENGETI, 0}, {0, 0}, "bbbbbbbbbb", 10, 'b', false},
		{"ten that match", {RULE_SERENGETI, 0}, {0, 0}, "bcbcbcbcbcbcbcbcbcbc", 19, 'b', false},
		{"25 are the most", {RULE_SERENGETI, 0}, {0, 0}, "bcdbcdbcdbcdbcdbcdbcdbcdb", 25, 'b',
			false},
		{"a sure model", {RULE_MODEL_SERENGETI, 0}, {2, .95}, "", 0, 'c', true},
		{"not quite sure", {RULE_MODEL_SERENGETI, 0}, {0, .9499}, "aaaaa", 5, 'a', false},
		{"a sure model again", {RULE_MODEL_ONE, 0}, {2, .96}, "", 0, 'c', true},
		{"one who agrees", {RULE_MODEL_ONE, 0}, {2, .5}, "c", 1, 'c', false},
		{"one who does not", {RULE_MODEL_ONE, 0}, {2, .5}, "aaaaa", 5, 'a', false},
		{"the second is too late", {RULE_MODEL_ONE, 0}, {2, .5}, "bcbbbbbbbbb", 11, 'b', false},
	};
	for (size_t i = 0; i < LENGTH(rows); i++) {
		int answers[RULE_MAX_ANSWERS] = {0}, n = 0;
		struct rule_verdict v = rule_look(rows[i].rule, rows[i].guess, answers, 0);
		for (; !v.done && rows[i].answers[n];
			 v = rule_look(rows[i].rule, rows[i].guess, answers, n)) {
			answers[n] = rows[i].answers[n] - 'a';
			n++;
		}
		if (!v.done || n != rows[i].done_after || v.label != rows[i].label - 'a' ||
			v.automated != rows[i].automated)
			fail_msg("%s: done %d after %d answers, label %c, automated %d", rows[i].name, v.done,
				n, 'a' + v.label, v.automated);
	}
}

/* What the crowd and the model make of worlds 1 to N_SEEDS, all together. */
enum { N_SEEDS = 6, N_BINS = 10 };
struct measured {
	double n, animals, commonest, model, model_animals, confidence, calibration_error;
	double one_animals, ten_animals, errors, to_confuser, model_errors, model_to_confuser;
	double xy, few;
};

static void measure_crowd(const struct world *w, struct measured *m)
{
	struct crowd crowd;
	crowd_open(&crowd, w);
	for (int i = 0; i < w->n; i++) {
		const struct world_subject *s = &w->subjects[i];
		int asked[10], answers[10];
		for (int j = 0; j < 10; j++) {
			asked[j] = crowd_next(&crowd, asked, j);
			answers[j] = world_answer(w, i, asked[j]);
			m->errors += answers[j] != s->truth;
			m->to_confuser += answers[j] != s->truth && answers[j] == s->confuser;
			m->one_animals += s->truth != WORLD_BLANK && answers[j] == s->truth ? .1 : 0;
		}
		const struct rule_verdict v = rule_look(
			(struct rule){RULE_PLURALITY, 10}, (struct rule_guess){0, 0}, answers, 10);
		m->ten_animals += s->truth != WORLD_BLANK && v.label == s->truth;
	}
}

static struct measured measure(struct simulate_options options, int n_seeds)
{
	struct measured m = {0};
	double n_bin[N_BINS] = {0}, gap_bin[N_BINS] = {0};
	for (int seed = 1; seed <= n_seeds; seed++) {
		options.seed = (uint64_t)seed;
		struct world w = make_world(options);
		for (int i = 0; i < w.n; i++) {
			const struct world_subject *s = &w.subjects[i];
			const bool right = s->guess == s->truth, animal = s->truth != WORLD_BLANK;
			const int bin = (int)fmin(N_BINS - 1, -log2(1 - fmin(s->p_top, 1 - 1e-9)));
			assert_int_not_equal(s->truth, s->confuser);
			m.n++;
			m.animals += animal;
			m.commonest += s->truth == 1;
			m.model += right;
			m.model_animals += right && animal;
			m.confidence += s->p_top;
			m.model_errors += !right;
			m.model_to_confuser += !right && s->guess == s->confuser;
			m.xy += (double)s->hard_for_people * (double)s->hard_for_model;
			n_bin[bin]++;
			gap_bin[bin] += s->p_top - right;
		}
		measure_crowd(&w, &m);
		for (int v = 0; v < 2000; v++)
			m.few += (world_activity(&w, v) < 20) / (2000.0 * n_seeds);
		world_release(&w);
	}
	for (int b = 0; b < N_BINS; b++)
		m.calibration_error += n_bin[b] > 0 ? fabs(gap_bin[b]) / m.n : 0;
	return m;
}

static void the_world_has_the_published_figures(void **state)
{
	(void)state;
	const struct measured m = measure((struct simulate_options){.n_subjects = 10000}, N_SEEDS);
	const struct {
		const char *name;
		double got, expected, tolerance;
	} rows[] = {
		{"blank", 1 - m.animals / m.n, .75, .01},
		{"commonest species among animals", m.commonest / m.animals, .38, .03},
		{"model", m.model / m.n, .95, .01},
		{"model on animals", m.model_animals / m.animals, .925, .01},
		{"model's confidence", m.confidence / m.n, .95, .01},
		{"calibration error", m.calibration_error, 0, .015},
		{"one volunteer on animals", m.one_animals / m.animals, .87, .015},
		{"plurality of 10 on animals", m.ten_animals / m.animals, .966, .006},
		{"people's errors to the confuser", m.to_confuser / m.errors, .7, .01},
		{"model's errors to the confuser", m.model_to_confuser / m.model_errors, .7, .1},
		{"correlation of difficulties", m.xy / m.n, .6, .03},
		{"volunteers under 20 answers", m.few, .5, .03},
	};
	for (size_t i = 0; i < LENGTH(rows); i++)
		if (!(fabs(rows[i].got - rows[i].expected) <= rows[i].tolerance))
			fail_msg("%s: %.4f, published %.4f", rows[i].name, rows[i].got, rows[i].expected);
}

static void options_change_what_they_say(void **state)
{
	(void)state;
	const struct measured usual = measure((struct simulate_options){.n_subjects = 5000}, 3);
	const struct measured away = measure(
		(struct simulate_options){.n_subjects = 5000, .new_site = true}, 3);
	assert_true(away.model / away.n < .9);
	assert_true(away.confidence / away.n - away.model / away.n > .03);
	assert_true(fabs(away.one_animals - usual.one_animals) / usual.animals < .02);

	struct world w = make_world(
		(struct simulate_options){.seed = 3, .n_subjects = 2000, .clickers = true, .bot = true});
	int n_clickers = 0, n_bot = 0;
	for (int v = 1; v <= 400; v++) {
		int n_right = 0;
		for (int i = 0; i < 60; i++)
			n_right += world_answer(&w, i, v) == w.subjects[i].truth;
		n_clickers += n_right < 15;
	}
	assert_true(n_clickers > 40 && n_clickers < 80);
	struct crowd crowd;
	crowd_open(&crowd, &w);
	for (int i = 0; i < w.n; i++) {
		n_bot += crowd_next(&crowd, NULL, 0) == 0;
		assert_int_equal(world_answer(&w, i, 0), WORLD_BLANK);
	}
	assert_true(n_bot > 160 && n_bot < 240);
	world_release(&w);
}

static void nobody_is_asked_twice(void **state)
{
	(void)state;
	struct world w = make_world(
		(struct simulate_options){.seed = 4, .n_subjects = 1000, .bot = true});
	struct crowd crowd;
	crowd_open(&crowd, &w);
	for (int i = 0; i < 200; i++) {
		int asked[WORLD_MAX_ASKED];
		for (int j = 0; j < WORLD_MAX_ASKED; j++) {
			asked[j] = crowd_next(&crowd, asked, j);
			for (int before = 0; before < j; before++)
				assert_int_not_equal(asked[before], asked[j]);
			assert_int_equal(world_answer(&w, i, asked[j]), world_answer(&w, i, asked[j]));
		}
	}
	world_release(&w);
}

/* What holds for every subject, whatever the numbers come to. */
static void ours_keeps_its_rules(void **state)
{
	(void)state;
	static const struct {
		bool use_model, new_site, bot;
		double tau;
	} rows[] = {
		{true, false, false, .034},
		{true, true, true, .01},
		{false, false, true, .034},
		{true, false, false, .002},
	};
	for (size_t r = 0; r < LENGTH(rows); r++) {
		struct world w = make_world((struct simulate_options){
			.seed = 5, .n_subjects = 20000, .new_site = rows[r].new_site, .bot = rows[r].bot});
		struct outcome *out = xcalloc((size_t)w.n, sizeof *out);
		struct err err;
		int n_gold = 0, n_wrong = 0;
		double promised = 0;
		if (simulate_ours(&w, rows[r].use_model, rows[r].tau, out, &err) != OK)
			fail_msg("row %zu: %s", r, err.text);
		for (int i = 0; i < w.n; i++) {
			const struct outcome *o = &out[i];
			const int least = rows[r].use_model ? 1 : 3;
			n_gold += o->n_experts == 1 && o->n_answers == 0;
			n_wrong += o->label != w.subjects[i].truth;
			promised += o->risk;
			assert_true(o->risk >= 0 && o->risk < 1);
			assert_true(o->n_answers <= 12 && o->n_experts <= 1);
			if (o->automated)
				assert_true(o->n_answers == 0 && o->n_experts == 0 &&
					o->label == w.subjects[i].guess && rows[r].use_model);
			else if (o->n_experts == 0)
				assert_true(o->n_answers >= least && o->risk <= fmax(rows[r].tau, .02));
			else
				assert_true(o->label == w.subjects[i].truth && o->risk <= 0);
		}
		assert_int_equal(n_gold, rows[r].use_model ? sure_n_gold(&w) : 0);
		if (fabs(promised - n_wrong) / w.n > .01)
			fail_msg(
				"row %zu: promised %.4f, actual %.4f", r, promised / w.n, n_wrong / (double)w.n);
		free(out);
		world_release(&w);
	}
}

/* delta, and three standard errors of a share of n draws. */
static double at_most(double delta, int n)
{
	return delta + 3 * sqrt(delta * (1 - delta) / n);
}

static void certificates_keep_their_promise(void **state)
{
	(void)state;
	for (int away = 0; away < 2; away++) {
		struct simulate_certificate c[SIMULATE_N_CERTIFICATES];
		struct err err;
		struct world w = make_world((struct simulate_options){
			.seed = 6, .n_subjects = 20000, .n_repetitions = 1000, .new_site = away});
		assert_int_equal(sure_coverage(&w, c, &err), OK);
		for (int s = 0; s < SIMULATE_N_CERTIFICATES; s++) {
			if (c[s].broken > at_most(c[s].delta, 1000))
				fail_msg("%s: broken in %.3f of the draws", c[s].stratum, c[s].broken);
			assert_true(c[s].naive_broken > .3);
			assert_true(c[s].naive_automated > c[s].automated);
		}
		assert_true(c[N_STRATA].automated > (away ? .01 : .3));
		world_release(&w);
	}
}

/* Every animal is wrong a little more often than promised, however sure the model: each label breaks the promise. */
static void the_worst_model_is_caught(void **state)
{
	(void)state;
	enum { N = 20000, DRAWS = 2000 };
	struct world_subject *subjects = xcalloc(N, sizeof *subjects);
	struct world w = {.options = {.seed = 7, .n_subjects = N, .n_repetitions = DRAWS},
		.n = N,
		.subjects = subjects};
	struct rng r = rng_at(8, 0, 0);
	for (int i = 0; i < N; i++)
		subjects[i] = (struct world_subject){.guess = 1,
			.truth = (double)rng_unit(&r) < .04 ? 2 : 1,
			.p_top = .9 + .1 * (double)rng_unit(&r)};
	struct simulate_certificate c[SIMULATE_N_CERTIFICATES];
	struct err err;
	assert_int_equal(sure_coverage(&w, c, &err), OK);
	/* One stratum alone is tested, so it has all of delta. */
	assert_true(c[STRATUM_ANIMALS].delta > .049);
	assert_true(c[STRATUM_ANIMALS].broken > 0);
	assert_true(c[STRATUM_ANIMALS].broken <= at_most(sure_delta, DRAWS));
	assert_true(c[STRATUM_ANIMALS].naive_broken > .5);
	assert_true(c[STRATUM_BLANK].none >= 1);
	free(subjects);
}

static void a_report_compares_policies(void **state)
{
	(void)state;
	static struct simulate_report r;
	struct err err;
	const struct simulate_options options = {.seed = 9, .n_subjects = 20000, .n_repetitions = 20};
	assert_int_equal(simulate_run(&options, &r, &err), OK);
	const struct simulate_row *last = NULL;
	for (int i = 0; i < r.n_rows; i++) {
		const struct simulate_row *row = &r.rows[i];
		assert_true(row->accuracy > .9 && row->accuracy <= 1);
		assert_true(row->accuracy_animals > .85 && row->accuracy_macro > .8);
		assert_true(row->expert_answers <= row->answers);
		const bool ours = row->family == FAMILY_OURS || row->family == FAMILY_OURS_CROWD;
		assert_int_equal(isnan(row->promised_risk), !ours);
		assert_int_equal(isnan(row->automated_wrong), row->automated <= 0);
		if (row->family == FAMILY_PLURALITY)
			assert_true(fabs(row->answers - atoi(row->setting)) < 1e-9);
		if (row->family == FAMILY_OURS && last && last->family == FAMILY_OURS)
			assert_true(row->answers > last->answers); /* a smaller tau asks more */
		last = row;
	}
	static const struct simulate_options bad[] = {
		{.n_subjects = 999, .n_repetitions = 1},
		{.n_subjects = 200001, .n_repetitions = 1},
		{.n_subjects = 1000, .n_repetitions = 0},
		{.n_subjects = 1000, .n_repetitions = 100001},
	};
	for (size_t i = 0; i < LENGTH(bad); i++)
		assert_int_equal(simulate_run(&bad[i], &r, &err), BAD_INPUT);
}

static void the_command_prints_json(void **state)
{
	(void)state;
	static const char *const numbers[] = {"answers", "expert_answers", "accuracy",
		"accuracy_animals", "accuracy_macro", "actual_risk", "automated"};
	static const char *const or_null[] = {"promised_risk", "automated_wrong"};
	static const char *const shares[] = {
		"delta", "broken", "none", "automated", "naive_broken", "naive_automated"};
	static char first[sizeof command_out];
	const char *run = TOPI " simulate --subjects 1500 --repetitions 10 --seed %d --json";
	assert_int_equal(command(run, 3), 0);
	strcpy(first, command_out);
	json_t *all = json_loads(first, 0, NULL);
	assert_non_null(all);
	assert_int_equal(json_integer_value(json_object_get(all, "subjects")), 1500);
	assert_int_equal(json_integer_value(json_object_get(all, "seed")), 3);
	assert_true(json_is_number(json_object_get(json_object_get(all, "world"), "model_accuracy")));
	size_t i = 0;
	json_t *row = NULL;
	assert_int_equal(json_array_size(json_object_get(all, "policies")), 14);
	json_array_foreach(json_object_get(all, "policies"), i, row)
	{
		for (size_t n = 0; n < LENGTH(numbers); n++)
			assert_true(json_is_number(json_object_get(row, numbers[n])));
		for (size_t n = 0; n < LENGTH(or_null); n++) {
			const json_t *value = json_object_get(row, or_null[n]);
			assert_true(json_is_number(value) || json_is_null(value));
		}
	}
	assert_int_equal(json_array_size(json_object_get(all, "certificates")), 3);
	json_array_foreach(json_object_get(all, "certificates"), i, row) for (size_t n = 0;
																		  n < LENGTH(shares); n++)
		assert_true(json_is_number(json_object_get(row, shares[n])));
	json_decref(all);

	assert_int_equal(command(run, 3), 0);
	assert_string_equal(command_out, first);
	assert_int_equal(command(run, 4), 0);
	assert_string_not_equal(command_out, first);
}

static void the_plot_is_whole(void **state)
{
	(void)state;
	char path[] = "/tmp/topi-plot-XXXXXX";
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(
		command(TOPI " simulate --subjects 1500 --repetitions 10 --clickers --svg %s", path), 0);
	assert_non_null(strstr(command_out, "random clickers"));
	assert_non_null(strstr(command_out, "Serengeti rule"));
	assert_int_equal(command("cat %s", path), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(strncmp(command_out, "<svg ", 5), 0);
	assert_non_null(strstr(command_out, "</svg>\n"));
	assert_null(strstr(command_out, "nan"));
	assert_null(strstr(command_out, "inf"));
	int n_points = 0;
	for (const char *at = command_out; (at = strstr(at, "<title>")); at++)
		n_points++;
	assert_int_equal(n_points, 1 + 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_by_hand),
		cmocka_unit_test(the_world_has_the_published_figures),
		cmocka_unit_test(options_change_what_they_say),
		cmocka_unit_test(nobody_is_asked_twice),
		cmocka_unit_test(ours_keeps_its_rules),
		cmocka_unit_test(certificates_keep_their_promise),
		cmocka_unit_test(the_worst_model_is_caught),
		cmocka_unit_test(a_report_compares_policies),
		cmocka_unit_test(the_command_prints_json),
		cmocka_unit_test(the_plot_is_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
