/* labels: http slow; timeout: 240 */
/*
 * The demo's loop in small: every step of it works on the real program, every subject is decided in the end, and every
 * answer that was given is kept. How well it does is the business of tools/demo.sh --check.
 */
#include "loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"

#define TOPI TOPI_BINARY_DIR "/topi"

enum { N_SUBJECTS = 90, N_CERTIFY = 24, N_TRAIN = 20 };

static char folder[] = "/tmp/topi-loop-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	struct err err = {0};
	const char *const argv[] = {"rm", "-rf", folder, NULL};
	return child_run("/dev/null", argv, NULL, &err) == OK ? 0 : -1;
}

static void the_loop_closes(void **state)
{
	(void)state;
	char dir[100];
	snprintf(dir, sizeof dir, "%s/run", folder);
	const struct loop_options o = {.topi = TOPI,
		.dir = dir,
		.project = TOPI_SOURCE_DIR "/tools/demo/project.json",
		.n_subjects = N_SUBJECTS,
		.n_certify = N_CERTIFY,
		.n_train = N_TRAIN,
		.n_epochs = 1,
		.seed = 11,
		.first_wave = 0.45};
	struct loop loop = {.server = 0};
	struct err err = {0};
	if (loop_run(&loop, &o, &err) != OK)
		fail_msg("%s", err.text);
	const struct loop_result *r = &loop.result;
	/* That all are retired, and that every answer is exported once, loop_run has checked. */
	assert_int_equal(r->n_subjects, N_SUBJECTS);
	assert_int_equal(r->n_expert_gold, N_CERTIFY + N_TRAIN);
	assert_int_equal(r->n_scored, N_SUBJECTS - N_CERTIFY - N_TRAIN);
	assert_true(r->ours.answers >= 1 && r->ours.accuracy > 0.6);
	assert_true(r->plurality10.answers == 10);
	assert_true(r->model_before.n > 0 && r->model_after.n == r->model_before.n);
	/* 24 gold certify nothing: nothing is labelled by a model, and there is nothing to sabotage. */
	assert_true(r->auto_share == 0);
	assert_int_equal(r->sabotage, SABOTAGE_NONE);
	assert_string_equal(r->certificate, "");
	loop_release(&loop);
}

static void wilson_by_hand(void **state)
{
	(void)state;
	const struct {
		int n_right, n;
		double low, high;
	} rows[] = {{0, 0, 0, 1}, {0, 10, 0, 0.27753}, {8, 10, 0.49016, 0.94332}, {50, 50, 0.92865, 1}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct share s = loop_share(rows[i].n_right, rows[i].n);
		assert_float_equal(s.low, rows[i].low, 1e-4);
		assert_float_equal(s.high, rows[i].high, 1e-4);
	}
}

int main(void)
{
	if (access(TOPI, X_OK)) {
		printf("skipped: there is no %s\n", TOPI);
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wilson_by_hand),
		cmocka_unit_test_setup_teardown(the_loop_closes, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
