/* labels: unit; timeout: 60 */
/* Recorded projects: small ones worked out by hand, and every way in which a file can be wrong. */
#include "status.h"
#include "stream.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static enum status run_bytes(const char *bytes, size_t n, double tau, bool use_model,
	struct stream_result *out, struct err *err)
{
	char path[] = "/tmp/topi-stream-XXXXXX";
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	assert_int_equal(close(fd), 0);
	const enum status status = stream_run(path, tau, use_model, out, err);
	assert_int_equal(unlink(path), 0);
	return status;
}

static enum status run_text(
	const char *text, double tau, bool use_model, struct stream_result *out, struct err *err)
{
	return run_bytes(text, strlen(text), tau, use_model, out, err);
}

static void small_projects_by_hand(void **state)
{
	(void)state;
	/* Two classes: everybody is right with .8, so an answer is worth log 4; two are worth / 1.3. */
	const double two = 1 / (1 + pow(4, 2 / 1.3));
	const struct {
		const char *name, *text;
		double tau;
		bool use_model;
		int label, n_answers;
		double risk;
	} rows[] = {
		{"two agree", "pi,.5,.5\n1||0:1 1:1\n", .1, false, 1, 2, two},
		{"one is enough", "pi,.5,.5\n1||0:1 1:1\n", .25, false, 1, 1, .2},
		{"even odds are at most .5", "pi,.5,.5\n1||0:1 1:1\n", .5, false, 0, 0, .5},
		{"a sure model needs nobody", "pi,.5,.5\n0|0:.99 1:.01|0:1\n", .05, true, 0, 0, .01},
		{"unless it is ignored", "pi,.5,.5\n0|0:.99 1:.01|0:1\n", .25, false, 1, 1, .2},
		{"mass not listed goes by pi", "pi,.5,.5\n0|0:.9|\n", .01, true, 0, 0, .05},
		{"no recorded answer", "pi,.75,.25\n1||\n", .1, true, 0, 0, .25},
		{"no line end", "pi,.5,.5\n1||0:1", .25, false, 1, 1, .2},
		{"CRLF and empty lines", "pi,.5,.5\r\n\r\n1||0:1\r\n\r\n", .25, false, 1, 1, .2},
		{"tau of 0 asks everybody", "pi,.5,.5\n1||0:1 1:1\n", 0, false, 1, 2, two},
		{"25 are the most asked",
			"pi,.5,.5\n0||0:0 1:1 2:0 3:1 4:0 5:1 6:0 7:1 8:0 9:1 10:0 11:1 12:0 13:1 14:0 15:1 "
			"16:0 17:1 18:0 19:1 20:0 21:1 22:0 23:1 24:0 25:1 26:1\n",
			.01, false, 0, 25, 1 / (1 + pow(4, 1 / 8.2))},
	};
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct stream_result result;
		struct err err;
		if (run_text(rows[i].text, rows[i].tau, rows[i].use_model, &result, &err) != OK)
			fail_msg("%s: %s", rows[i].name, err.text);
		assert_int_equal(result.n_subjects, 1);
		const struct stream_subject *row = &result.subjects[0];
		if (row->label != rows[i].label || row->n_answers != rows[i].n_answers ||
			!(fabs(row->risk - rows[i].risk) < 1e-12))
			fail_msg("%s: label %d after %d answers, risk %.15g", rows[i].name, row->label,
				row->n_answers, row->risk);
		stream_result_release(&result);
	}
}

static void a_risk_of_exactly_tau_retires(void **state)
{
	(void)state;
	static const char text[] = "pi,.5,.5\n1||0:1 1:1 2:1\n";
	struct stream_result first, again;
	struct err err;
	assert_int_equal(run_text(text, .15, false, &first, &err), OK);
	assert_int_equal(first.subjects[0].n_answers, 2);
	assert_int_equal(run_text(text, first.subjects[0].risk, false, &again, &err), OK);
	assert_int_equal(again.subjects[0].n_answers, 2);
	stream_result_release(&first);
	stream_result_release(&again);
}

static void scores_by_hand(void **state)
{
	(void)state;
	struct stream_subject subjects[] = {{0, 0, 1, .1}, {0, 1, 2, .2}, {1, 1, 3, .3}, {2, 0, 0, .4}};
	const struct stream_result result = {3, 4, subjects};
	const struct stream_score score = stream_score(&result);
	assert_int_equal(score.n_answers, 6);
	assert_int_equal(score.n_animals, 2);
	assert_true(fabs(score.answers_per_subject - 1.5) < 1e-12);
	assert_true(fabs(score.accuracy - .5) < 1e-12);
	assert_true(fabs(score.accuracy_animals - .5) < 1e-12);
	assert_true(fabs(score.mean_risk - .25) < 1e-12);
	const struct stream_result blanks = {3, 2, subjects};
	assert_true(isnan(stream_score(&blanks).accuracy_animals));
}

static void a_bad_file_is_named_with_its_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *complaint;
	} rows[] = {
		{"", ":1: the file is empty"},
		{"\n0||0:0\n", ":1: starts with \"\""},
		{"prior,.5,.5\n", ":1: starts with \"prior,.5,.5\""},
		{"pi,.5,.5\n", "no subjects"},
		{"pi,.5,.5\n\n\n", "no subjects"},
		{"pi,1\n0||0:0\n", ":1: 1 class: at least 2"},
		{"pi,.5,x\n0||0:0\n", ":1: prior of class 1 is \"x\""},
		{"pi,.5,nan\n0||0:0\n", ":1: prior of class 1 is \"nan\""},
		{"pi,1,0\n0||0:0\n", ":1: prior of class 1 is \"0\""},
		{"pi,.5,.5,\n0||0:0\n", ":1: prior of class 2 is \"\""},
		{"pi,.5,.4\n0||0:0\n", ":1: the class prior sums to 0.9"},
		{"pi,.5,.5\n0||0:0\n|0:.9|0:0\n", ":3: truth is \"\""},
		{"pi,.5,.5\n2|0:.9|0:0\n", ":2: truth is \"2\": a class from 0 to 1"},
		{"pi,.5,.5\n-1|0:.9|0:0\n", ":2: truth is \"-1\""},
		{"pi,.5,.5\n99999999999999999999||0:0\n", ":2: truth is \"9999"},
		{"pi,.5,.5\nlion|0:.9|0:0\n", ":2: truth is \"lion\""},
		{"pi,.5,.5\n0|0:.9\n", ":2: \"0|0:.9\": three fields"},
		{"pi,.5,.5\n0|0:.9|0:0|1\n", "three fields"},
		{"pi,.5,.5\n0|0:.9 1:.2|0:0\n", ":2: the prediction sums to 1.1"},
		{"pi,.5,.5\n0|0:nan|0:0\n", ":2: prediction \"0:nan\""},
		{"pi,.5,.5\n0|0:inf|0:0\n", ":2: prediction \"0:inf\""},
		{"pi,.5,.5\n0|0:-.1|0:0\n", ":2: prediction \"0:-.1\""},
		{"pi,.5,.5\n0|0:.1 2:.1|0:0\n",
			":2: prediction \"2:.1\": class:probability is needed, class 0 to 1"},
		{"pi,.5,.5\n0|0|0:0\n", ":2: prediction \"0\""},
		{"pi,.5,.5\n0|0:|0:0\n", ":2: prediction \"0:\""},
		{"pi,.5,.5\n0|0:.1,1:.2|0:0\n", ":2: prediction \"0:.1,1:.2\""},
		{"pi,.5,.5\n0|0:.1 0:.2|0:0\n", ":2: the prediction lists class 0 twice"},
		{"pi,.5,.5\n0||0:2\n", ":2: answer \"0:2\""},
		{"pi,.5,.5\n0||0\n", ":2: answer \"0\""},
		{"pi,.5,.5\n0||0:0 1:\n", ":2: answer \"1:\""},
		{"pi,.5,.5\n0||anna:0\n", ":2: answer \"anna:0\""},
		{"pi,.5,.5\n0||100000:0\n", ":2: answer \"100000:0\""},
		{"pi,.5,.5\n0||0:0x\n", ":2: answer \"0:0x\""},
		/* past the cap too */
		{"pi,.5,.5\n0||0:0 0:0 0:0 0:0 0:0 0:0 0:0 0:0 0:0 0:0 0:0 0:0 0:0 0:0 0:0 0:0 0:0 0:0 0:0 "
		 "0:0 0:0 0:0 0:0 0:0 0:0 0:7\n",
			":2: answer \"0:7\""},
	};
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct stream_result result;
		struct err err = {0};
		assert_int_equal(run_text(rows[i].text, .1, true, &result, &err), BAD_INPUT);
		if (!strstr(err.text, rows[i].complaint))
			fail_msg(
				"\"%s\" gave \"%s\", without \"%s\"", rows[i].text, err.text, rows[i].complaint);
		assert_null(result.subjects);
	}
}

static void limits_are_kept(void **state)
{
	(void)state;
	struct stream_result result;
	struct err err;
	static const char zero_byte[] = "pi,.5,.5\n0|\0|0:0\n0||0:0\n";
	assert_int_equal(
		run_bytes(zero_byte, sizeof zero_byte - 1, .1, true, &result, &err), BAD_INPUT);
	assert_non_null(strstr(err.text, ":2: a zero byte"));

	char *text = xmalloc(2 * STREAM_MAX_LINE);
	memset(text, '5', 2 * STREAM_MAX_LINE);
	memcpy(text, "pi,.", 4);
	assert_int_equal(run_bytes(text, 2 * STREAM_MAX_LINE, .1, true, &result, &err), TOO_LARGE);
	char *end = stpcpy(text, "pi");
	for (int z = 0; z < 1001; z++)
		end = stpcpy(end, ",.001");
	assert_int_equal(run_text(text, .1, true, &result, &err), TOO_LARGE);
	assert_non_null(strstr(err.text, "over 1000 classes"));
	free(text);

	static const double bad_tau[] = {-.1, 1, NAN, INFINITY};
	for (size_t i = 0; i < LENGTH(bad_tau); i++)
		assert_int_equal(
			run_text("pi,.5,.5\n0||0:0\n", bad_tau[i], true, &result, &err), BAD_INPUT);
	assert_int_equal(stream_run("/nonexistent/stream.csv", .1, true, &result, &err), NOT_FOUND);
	assert_int_equal(stream_run("/", .1, true, &result, &err), FAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_projects_by_hand),
		cmocka_unit_test(a_risk_of_exactly_tau_retires),
		cmocka_unit_test(scores_by_hand),
		cmocka_unit_test(a_bad_file_is_named_with_its_line),
		cmocka_unit_test(limits_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
