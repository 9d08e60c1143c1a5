/* labels: unit */
#include "status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void sets_status_and_text(void **state)
{
	(void)state;
	struct err err = {0};
	assert_int_equal(err_set(&err, BAD_INPUT, "tau is %g: it must lie in (0, 1)", 2.0), BAD_INPUT);
	assert_int_equal(err.status, BAD_INPUT);
	assert_string_equal(err.text, "tau is 2: it must lie in (0, 1)");
}

static void cuts_a_long_text(void **state)
{
	(void)state;
	struct err err = {0};
	char long_text[1000];
	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = 0;
	assert_int_equal(err_set(&err, FAULT, "%s", long_text), FAULT);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	assert_int_equal(err_set(NULL, FULL, "nobody listens"), FULL);
}

static void every_status_has_a_name(void **state)
{
	(void)state;
	for (int s = OK; s <= FAULT; s++)
		assert_string_not_equal(status_name((enum status)s), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_status_and_text),
		cmocka_unit_test(cuts_a_long_text),
		cmocka_unit_test(every_status_has_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
