/* labels: reference real; timeout: 120 */
/*
 * The label model against the reference's check files: every cases_*.csv in the folder TOPI_CASES,
 * or in the shared folder beside the source, to 1e-9; and a whole recorded project, labels and
 * counts exact. Exits 77 where the shared folder is absent.
 */
#include "bounds.h"
#include "calibration.h"
#include "confusion.h"
#include "consensus.h"
#include "online.h"
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
		confusion_column(m, k, lambda, (struct own_counts){column, row_sums}, (int)a, theta_a);
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
};
enum { N_KNOWN_CASES = sizeof known_cases / sizeof *known_cases };

static bool is_known(const char *name)
{
	for (int i = 0; i < N_KNOWN_CASES; i++)
		if (strcmp(known_cases[i].name, name) == 0)
			return true;
	return false;
}

/* How many cases of the file belong to parts of the label model that are not here yet. */
static int count_unknown(const struct cases *cases)
{
	int n_unknown = 0;
	for (int i = 0; i < cases->n_arrays; i++) {
		const char *name = cases->arrays[i].name;
		const bool first = i == 0 || strcmp(cases->arrays[i - 1].name, name) != 0;
		n_unknown += first && !is_known(name);
	}
	return n_unknown;
}

static void every_case_file_agrees(void **state)
{
	(void)state;
	char pattern[600];
	snprintf(pattern, sizeof pattern, "%s/cases_*.csv", folder);
	glob_t files;
	if (glob(pattern, 0, NULL, &files) != 0)
		fail_msg("%s matches no file", pattern);
	int n_unknown = 0;
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
		n_unknown += count_unknown(&cases);
		cases_release(&cases);
	}
	print_message("%zu files agree, largest difference %.3g; %d cases not checked here\n",
		files.gl_pathc, largest_difference, n_unknown);
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
