/* labels: reference real; timeout: 120 */
/*
 * The label model against the reference's check files: every cases_*.csv in the folder TOPI_CASES,
 * or in the shared folder beside the source, to 1e-9; and a whole recorded project, labels and
 * counts exact. Exits 77 where the shared folder is absent.
 */
#include "answers.h"
#include "bounds.h"
#include "calibration.h"
#include "confusion.h"
#include "consensus.h"
#include "correlation.h"
#include "online.h"
#include "refit.h"
#include "status.h"
#include "stream.h"
#include "support_cases.h"

#include <glob.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SHARED_CASES TOPI_SOURCE_DIR "/../shared/consensus/reference"

static const double tolerance = 1e-9;
static char folder[512];       /* of the case files */
static char current_file[512]; /* for messages */
static double largest_difference;

static const double *array(
	const struct cases *cases, const char *name, const char *side, const char *key, size_t n)
{
	const struct case_array *found = cases_find(cases, name, side, key);
	if (!found)
		fail_msg("%s: case %s has no %s array %s", current_file, name, side, key);
	const size_t n_found = (size_t)found->n_rows * (size_t)found->n_cols;
	if (n && n_found != n)
		fail_msg(
			"%s: %s,%s,%s has %zu values, expected %zu", current_file, name, side, key, n_found, n);
	return found->values;
}

static void assert_close(const char *what, const double *got, const double *expected, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const double difference = fabs(got[i] - expected[i]);
		if (!(difference <= tolerance))
			fail_msg("%s: %s[%zu] is %.15g, the reference has %.15g", current_file, what, i, got[i],
				expected[i]);
		largest_difference = fmax(largest_difference, difference);
	}
}

/* The number of columns of an array: of classes, mostly. */
static int columns(const struct cases *cases, const char *name, const char *side, const char *key)
{
	array(cases, name, side, key, 0);
	return cases_find(cases, name, side, key)->n_cols;
}

static int rows(const struct cases *cases, const char *name, const char *side, const char *key)
{
	array(cases, name, side, key, 0);
	return cases_find(cases, name, side, key)->n_rows;
}

static void check_pooled(const struct cases *cases)
{
	const int k = columns(cases, "pooled", "in", "C");
	const size_t n = (size_t)k * (size_t)k;
	double *m = xcalloc(n, sizeof *m);
	struct err err;
	assert_int_equal(confusion_pool(array(cases, "pooled", "in", "C", n), k, m, &err), OK);
	assert_close("pooled M", m, array(cases, "pooled", "out", "M", n), n);
	free(m);
}

static void check_theta(const struct cases *cases)
{
	const int k = columns(cases, "theta", "in", "M");
	const size_t n = (size_t)k;
	const double *m = array(cases, "theta", "in", "M", n * n);
	const double *cells = array(cases, "theta", "in", "cells", n * n);
	const double lambda = array(cases, "theta", "in", "lam", 1)[0];
	double *row_sums = xcalloc(n, sizeof *row_sums), *column = xcalloc(n, sizeof *column);
	double *theta = xcalloc(n * n, sizeof *theta), *theta_a = xcalloc(n, sizeof *theta_a);
	double *error_rate = xcalloc(n, sizeof *error_rate);
	for (size_t z = 0; z < n; z++) {
		error_rate[z] = confusion_error_rate(m[z * n + z], lambda);
		for (size_t a = 0; a < n; a++)
			row_sums[z] += cells[z * n + a];
	}
	for (size_t a = 0; a < n; a++) {
		for (size_t z = 0; z < n; z++)
			column[z] = cells[z * n + a];
		confusion_column(m, k, lambda, (struct own_counts){column, row_sums, 0}, (int)a, theta_a);
		for (size_t z = 0; z < n; z++)
			theta[z * n + a] = theta_a[z];
	}
	assert_close("theta", theta, array(cases, "theta", "out", "theta", n * n), n * n);
	assert_close("error_rate", error_rate, array(cases, "theta", "out", "error_rate", n), n);
	free(row_sums);
	free(column);
	free(theta);
	free(theta_a);
	free(error_rate);
}

/* The state that the online case ends with, against the reference's. */
static void check_learned(const struct cases *cases, const struct online *o, int n_volunteers)
{
	const size_t k = (size_t)o->k, v = (size_t)n_volunteers;
	const double *lambda = array(cases, "online", "out", "lam", v);
	const double *precision = array(cases, "online", "out", "prec", v);
	const double *cells = array(cases, "online", "out", "cells", v * k * k);
	for (size_t j = 0; j < v; j++) {
		const struct online_volunteer never = {.precision = 1.0 / label_params.v0};
		const struct online_volunteer *volunteer = (int)j < o->n_volunteers ? &o->volunteers[j]
																			: &never;
		assert_close("lam", &volunteer->lambda, &lambda[j], 1);
		assert_close("prec", &volunteer->precision, &precision[j], 1);
		for (size_t z = 0; z < k; z++)
			for (size_t a = 0; a < k; a++) {
				const double *column = volunteer->columns ? volunteer->columns[a] : NULL;
				const double cell = column ? column[z] : 0.0;
				assert_close("cells", &cell, &cells[(j * k + z) * k + a], 1);
			}
	}
	assert_close("C", o->counts, array(cases, "online", "out", "C", k * k), k * k);
	assert_close("online M", o->m, array(cases, "online", "out", "M", k * k), k * k);
}

static void check_online(const struct cases *cases)
{
	const int k = columns(cases, "online", "in", "M");
	const int n_subjects = columns(cases, "online", "in", "has_model");
	const int n_volunteers = columns(cases, "online", "out", "lam");
	const int n_events = rows(cases, "online", "in", "events");
	const size_t n = (size_t)k, subjects = (size_t)n_subjects;
	const double *pi_model = array(cases, "online", "in", "pimodel", n);
	const double *prior = array(cases, "online", "in", "prior", subjects * n);
	const double *has_model = array(cases, "online", "in", "has_model", subjects);
	const double *events = array(cases, "online", "in", "events", (size_t)n_events * 4);
	const double *posterior = array(
		cases, "online", "out", "posterior", (subjects + (size_t)n_events) * n);
	const double *retired = array(cases, "online", "out", "retired", subjects * 3);
	const int gold_subject = (int)array(cases, "online", "in", "gold_image", 1)[0];
	const int gold_class = (int)array(cases, "online", "in", "gold_class", 1)[0];
	struct online o;
	struct err err;
	assert_int_equal(online_init(&o, k, array(cases, "online", "in", "M", n * n),
						 array(cases, "online", "in", "pi", n),
						 (struct correlation){.kappa = label_params.kd}, &err),
		OK);
	struct online_subject **open = xcalloc(subjects, sizeof(struct online_subject *));
	double *q = xcalloc(n, sizeof *q);
	for (size_t i = 0; i < subjects; i++) {
		const bool with_model = has_model[i] > 0;
		assert_int_equal(online_open(&o, with_model ? prior + i * n : NULL,
							 with_model ? pi_model : NULL, &open[i], q, &err),
			OK);
		assert_close("posterior at open", q, posterior + i * n, n);
	}
	int n_retired = 0;
	for (int e = 0; e < n_events; e++) {
		const double *event = events + 4 * (size_t)e;
		const int i = (int)event[0];
		assert_int_equal(online_answer(&o, open[i], (int)event[1], (int)event[2], q, &err), OK);
		assert_close("posterior", q, posterior + (subjects + (size_t)e) * n, n);
		if (event[3] <= 0)
			continue;
		const double *expected = retired + 3 * (size_t)n_retired;
		int label = -1;
		double risk = -1.0;
		const int gold = i == gold_subject ? gold_class : ONLINE_NO_GOLD;
		assert_int_equal(online_retire(&o, open[i], gold, &label, &risk, &err), OK);
		open[i] = NULL;
		assert_int_equal(i, (int)expected[0]);
		assert_int_equal(label, (int)expected[1]);
		assert_close("risk", &risk, &expected[2], 1);
		if (++n_retired == 6)
			assert_int_equal(online_remix(&o, &err), OK);
	}
	assert_int_equal(n_retired, n_subjects);
	check_learned(cases, &o, n_volunteers);
	for (size_t i = 0; i < subjects; i++)
		online_subject_free(open[i]);
	free(open);
	free(q);
	online_release(&o);
}

static void check_bounds(const struct cases *cases)
{
	const int n = rows(cases, "bounds", "in", "kn");
	const double *kn = array(cases, "bounds", "in", "kn", 2 * (size_t)n);
	const double delta = array(cases, "bounds", "in", "delta", 1)[0];
	for (int i = 0; i < n; i++) {
		const int k = (int)kn[2 * i], trials = (int)kn[2 * i + 1];
		const double cp = cp_upper(k, trials, delta), cdf = binom_cdf(k, trials, .034);
		const double upper = cs_upper(k, trials, delta), lower = cs_lower(k, trials, delta);
		assert_close("cp", &cp, array(cases, "bounds", "out", "cp", (size_t)n) + i, 1);
		assert_close("cs", &upper, array(cases, "bounds", "out", "cs", (size_t)n) + i, 1);
		assert_close("cs_low", &lower, array(cases, "bounds", "out", "cs_low", (size_t)n) + i, 1);
		assert_close("cdf", &cdf, array(cases, "bounds", "out", "cdf", (size_t)n) + i, 1);
	}
}

static void check_threshold(const struct cases *cases)
{
	const int n = columns(cases, "threshold", "in", "conf");
	const int n_alphas = columns(cases, "threshold", "in", "alpha");
	const double *confidence = array(cases, "threshold", "in", "conf", (size_t)n);
	const double *wrong_number = array(cases, "threshold", "in", "wrong", (size_t)n);
	const double *alpha = array(cases, "threshold", "in", "alpha", (size_t)n_alphas);
	const double delta = array(cases, "threshold", "in", "delta", 1)[0];
	const double *expected = array(cases, "threshold", "out", "threshold", (size_t)n_alphas);
	bool *wrong = xcalloc((size_t)n, sizeof *wrong);
	for (int i = 0; i < n; i++)
		wrong[i] = wrong_number[i] > 0;
	for (int i = 0; i < n_alphas; i++) {
		struct err err;
		double threshold = -1.0; /* the reference's word for none */
		const enum status status = choose_threshold(
			confidence, wrong, n, alpha[i], delta, &threshold, &err);
		assert_int_equal(status, expected[i] < 0 ? NOT_FOUND : OK);
		assert_close("threshold", &threshold, &expected[i], 1);
	}
	free(wrong);
}

static void check_calibration(const struct cases *cases)
{
	const int k = columns(cases, "calibration", "in", "p");
	const int n = rows(cases, "calibration", "in", "p");
	const size_t classes = (size_t)k;
	const double *p = array(cases, "calibration", "in", "p", (size_t)n * classes);
	const double *truth = array(cases, "calibration", "in", "truth", (size_t)n);
	const double *pi = array(cases, "calibration", "in", "pi", classes);
	const double *expected = array(cases, "calibration", "out", "calibrated", 0);
	const int n_expected = rows(cases, "calibration", "out", "calibrated");
	double *top = xcalloc((size_t)n, sizeof *top), *q = xcalloc(classes, sizeof *q);
	bool *right = xcalloc((size_t)n, sizeof *right);
	for (size_t i = 0; i < (size_t)n; i++) {
		const int best = consensus_argmax(p + i * classes, k);
		top[i] = top_logodds(p[i * classes + (size_t)best]);
		right[i] = best == (int)truth[i];
	}
	struct calibration calibration;
	struct err err;
	assert_int_equal(calibration_fit(top, right, n, &calibration, &err), OK);
	const double w[2] = {calibration.w0, calibration.w1};
	assert_close("calibration w", w, array(cases, "calibration", "out", "w", 2), 2);
	for (size_t i = 0; i < (size_t)n_expected; i++) {
		assert_int_equal(calibration_apply(p + i * classes, pi, k, calibration, q, &err), OK);
		assert_close("calibrated", q, expected + i * classes, classes);
	}
	free(top);
	free(q);
	free(right);
}

static struct answer *answer_list(const struct cases *cases, const char *name, size_t n)
{
	const double *i = array(cases, name, "in", "I", n), *j = array(cases, name, "in", "J", n);
	const double *a = array(cases, name, "in", "A", n);
	struct answer *list = xcalloc(n, sizeof *list);
	for (size_t x = 0; x < n; x++)
		list[x] = (struct answer){(uint32_t)i[x], (uint32_t)j[x], (uint32_t)a[x]};
	return list;
}

/* The cases' dense predictions, every class listed. */
static struct refit_prior full_prior(
	const struct cases *cases, const char *name, size_t n, size_t k)
{
	uint32_t *start = xcalloc(n + 1, sizeof *start);
	uint16_t *class = xcalloc(n * k, sizeof *class);
	for (size_t i = 0; i < n * k; i++)
		class[i] = (uint16_t)(i % k);
	for (size_t i = 0; i <= n; i++)
		start[i] = (uint32_t)(i * k);
	return (struct refit_prior){.start = start,
		.class = class,
		.p = array(cases, name, "in", "prior", n * k),
		.share = array(cases, name, "in", "pimodel", k)};
}

static void check_refit_results(
	const struct cases *cases, const char *name, const struct answers *answers, struct refit *refit)
{
	const size_t k = (size_t)answers->k, n = answers->n_subjects,
				 n_volunteers = answers->n_volunteers;
	const double *q = array(cases, name, "out", "q", n * k);
	const double *evidence = array(cases, name, "out", "evidence", n * k);
	double *got = xcalloc(k * k, sizeof *got);
	struct err err;
	assert_close("pi", refit_pi(refit), array(cases, name, "out", "pi", k), k);
	assert_close("M", refit_m(refit), array(cases, name, "out", "M", k * k), k * k);
	assert_close(
		"lam", refit_lambda(refit), array(cases, name, "out", "lam", n_volunteers), n_volunteers);
	for (size_t i = 0; i < n; i++) {
		refit_evidence(refit, i, got);
		assert_close("evidence", got, evidence + i * k, k);
		assert_int_equal(
			refit_decide(refit, i, (struct correlation){.kappa = label_params.kd}, got, &err), OK);
		assert_close("q", got, q + i * k, k);
	}
	if (!cases_find(cases, name, "out", "cells")) {
		free(got);
		return;
	}
	const double *cells = array(cases, name, "out", "cells", n_volunteers * k * k);
	double *column = xcalloc(k, sizeof *column);
	for (size_t v = 0; v < n_volunteers; v++) {
		memset(got, 0, k * k * sizeof *got);
		for (uint32_t c = answers->volunteer_start[v]; c < answers->volunteer_start[v + 1]; c++) {
			refit_cells(refit, c, column);
			for (size_t z = 0; z < k; z++)
				got[z * k + answers->column_class[c]] = column[z];
		}
		assert_close("cells", got, cells + v * k * k, k * k);
	}
	free(column);
	free(got);
}

static void check_refit(const struct cases *cases, const char *name, int n_threads)
{
	const size_t n = (size_t)array(cases, name, "in", "N", 1)[0];
	const size_t n_volunteers = (size_t)array(cases, name, "in", "V", 1)[0];
	const size_t k = (size_t)array(cases, name, "in", "K", 1)[0];
	const int n_answers = columns(cases, name, "in", "I");
	struct answer *list = answer_list(cases, name, (size_t)n_answers);
	int16_t *gold = xcalloc(n, sizeof *gold);
	struct answers answers;
	struct err err;
	assert_int_equal(
		answers_sort(list, (size_t)n_answers, n, n_volunteers, (int)k, &answers, &err), OK);
	assert_int_equal(answers.n_answers, n_answers);
	for (size_t i = 0; i < n; i++)
		gold[i] = REFIT_NO_GOLD;
	if (cases_find(cases, name, "in", "gold_image")) {
		const int n_gold = columns(cases, name, "in", "gold_image");
		for (int g = 0; g < n_gold; g++)
			gold[(int)array(cases, name, "in", "gold_image", 0)[g]] = (int16_t)array(
				cases, name, "in", "gold_class", 0)[g];
	}
	const bool has_prior = cases_find(cases, name, "in", "prior") != NULL;
	const struct refit_prior prior = has_prior ? full_prior(cases, name, n, k)
											   : (struct refit_prior){0};
	const struct refit_input input = {.answers = &answers,
		.prior = has_prior ? &prior : NULL,
		.gold = gold,
		.n_threads = n_threads};
	struct refit *refit = NULL;
	struct refit_report report;
	assert_int_equal(refit_new(&input, &refit, &err), OK);
	assert_int_equal(refit_run(refit, label_params.iter, 0.0, &report, &err), OK);
	assert_int_equal(report.n_passes, label_params.iter);
	check_refit_results(cases, name, &answers, refit);
	refit_free(refit);
	answers_release(&answers);
	free((void *)prior.start);
	free((void *)prior.class);
	free(gold);
	free(list);
}

static void check_refits(const struct cases *cases)
{
	static const char *const names[] = {"refit_crowd", "refit_model_gold", "refit_54", "refit_two"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!cases_has(cases, names[i]))
			fail_msg("%s has no case %s", current_file, names[i]);
		check_refit(cases, names[i], 1 + (int)i % 2);
	}
}

static void check_kappa(const struct cases *cases)
{
	const int n = columns(cases, "kappa", "in", "sources"),
			  k = columns(cases, "kappa", "in", "logpi");
	const double *sources = array(cases, "kappa", "in", "sources", (size_t)n);
	const double *truth = array(cases, "kappa", "in", "truth", (size_t)n);
	int *n_sources = xcalloc((size_t)n, sizeof *n_sources), *z = xcalloc((size_t)n, sizeof *z);
	for (int i = 0; i < n; i++) {
		n_sources[i] = (int)sources[i];
		z[i] = (int)truth[i];
	}
	struct correlation fit;
	struct err err;
	assert_int_equal(correlation_fit(array(cases, "kappa", "in", "logpi", (size_t)k),
						 array(cases, "kappa", "in", "evidence", (size_t)n * (size_t)k), n_sources,
						 z, NULL, n, k, &fit, &err),
		OK);
	const double got[2] = {fit.kappa, fit.gamma};
	assert_close("kappa, gamma", got, array(cases, "kappa", "out", "kappa_gamma", 2), 2);
	free(n_sources);
	free(z);
}

static void check_gain(const struct cases *cases)
{
	const int n = rows(cases, "gain", "in", "q"), k = columns(cases, "gain", "in", "q");
	const double *q = array(cases, "gain", "in", "q", 0),
				 *t = array(cases, "gain", "in", "T", (size_t)k * (size_t)k);
	for (int i = 0; i < n; i++) {
		const struct gain gain = answer_gain(q + i * k, t, k);
		const double got[2] = {gain.risk, gain.entropy};
		assert_close("gain", got, array(cases, "gain", "out", "gain", 2 * (size_t)n) + 2 * i, 2);
	}
}

static const struct {
	const char *name;
	void (*check)(const struct cases *);
} known_cases[] = {
	{"pooled", check_pooled},
	{"theta", check_theta},
	{"online", check_online},
	{"bounds", check_bounds},
	{"threshold", check_threshold},
	{"calibration", check_calibration},
	{"kappa", check_kappa},
	{"gain", check_gain},
	{"refit_crowd", check_refits},
};
enum { N_KNOWN_CASES = sizeof known_cases / sizeof *known_cases };

static void every_case_file_agrees(void **state)
{
	(void)state;
	char pattern[600];
	snprintf(pattern, sizeof pattern, "%s/cases_*.csv", folder);
	glob_t files;
	if (glob(pattern, 0, NULL, &files) != 0)
		fail_msg("%s matches no file", pattern);
	for (size_t f = 0; f < files.gl_pathc; f++) {
		struct cases cases;
		struct err err;
		snprintf(current_file, sizeof current_file, "%s", files.gl_pathv[f]);
		if (cases_load(current_file, &cases, &err) != OK)
			fail_msg("%s", err.text);
		for (int i = 0; i < N_KNOWN_CASES; i++) {
			if (!cases_has(&cases, known_cases[i].name))
				fail_msg("%s has no case %s", current_file, known_cases[i].name);
			known_cases[i].check(&cases);
		}
		cases_release(&cases);
	}
	print_message("%zu files agree, largest difference %.3g\n", files.gl_pathc, largest_difference);
	globfree(&files);
}

/* Where the recorded project lies: with the case files, or in the shared folder. */
static const char *stream_path(const char *name)
{
	static char path[600];
	const char *folders[] = {folder, SHARED_CASES};
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", folders[i], name);
		FILE *file = fopen(path, "r");
		if (!file)
			continue;
		fclose(file);
		return path;
	}
	print_message("skipped: no %s beside the case files\n", name);
	skip();
	return NULL;
}

static void run_recorded(double tau, bool use_model, struct stream_result *out)
{
	struct err err;
	if (stream_run(stream_path("stream_11.csv"), tau, use_model, out, &err) != OK)
		fail_msg("%s", err.text);
}

static void recorded_project_gives_the_same_numbers(void **state)
{
	(void)state;
	FILE *expected = fopen(stream_path("stream_11_expected.csv"), "r");
	assert_non_null(expected);
	char line[256];
	int n_rows = 0;
	assert_non_null(fgets(line, sizeof line, expected)); /* the header */
	for (; fgets(line, sizeof line, expected); n_rows++) {
		int use_model;
		double tau, accuracy, accuracy_animals, total_risk;
		long total_answers;
		assert_int_equal(sscanf(line, "%d,%lf,%lf,%lf,%ld,%lf", &use_model, &tau, &accuracy,
							 &accuracy_animals, &total_answers, &total_risk),
			6);
		struct stream_result result;
		run_recorded(tau, use_model != 0, &result);
		const struct stream_score score = stream_score(&result);
		assert_int_equal(score.n_answers, total_answers);
		/* The file has nine places; one label of 3,000 would move the fourth. */
		assert_true(fabs(score.accuracy - accuracy) < 1e-8);
		assert_true(fabs(score.accuracy_animals - accuracy_animals) < 1e-8);
		assert_true(fabs(score.mean_risk * result.n_subjects - total_risk) < 1e-6);
		stream_result_release(&result);
	}
	fclose(expected);
	assert_int_equal(n_rows, 8);
}

static void recorded_project_gives_the_same_labels(void **state)
{
	(void)state;
	FILE *expected = fopen(stream_path("stream_11_labels.csv"), "r");
	assert_non_null(expected);
	struct stream_result result;
	run_recorded(0.01, true, &result);
	char line[256];
	int n_rows = 0;
	assert_non_null(fgets(line, sizeof line, expected)); /* the header */
	for (; fgets(line, sizeof line, expected); n_rows++) {
		int label, n_answers;
		double risk;
		assert_int_equal(sscanf(line, "%d,%d,%lf", &label, &n_answers, &risk), 3);
		assert_true(n_rows < result.n_subjects);
		assert_int_equal(result.subjects[n_rows].label, label);
		assert_int_equal(result.subjects[n_rows].n_answers, n_answers);
		assert_true(fabs(result.subjects[n_rows].risk - risk) < 1e-9);
	}
	assert_int_equal(n_rows, result.n_subjects);
	stream_result_release(&result);
	fclose(expected);
}

int main(void)
{
	/* A folder that was asked for must be there; only the shared one may be absent. */
	const char *asked = getenv("TOPI_CASES");
	snprintf(folder, sizeof folder, "%s", asked && *asked ? asked : SHARED_CASES);
	glob_t found;
	const bool absent = glob(folder, 0, NULL, &found) != 0;
	if (!absent)
		globfree(&found);
	if (absent && !(asked && *asked)) {
		printf("skipped: %s is absent\n", folder);
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_file_agrees),
		cmocka_unit_test(recorded_project_gives_the_same_numbers),
		cmocka_unit_test(recorded_project_gives_the_same_labels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
