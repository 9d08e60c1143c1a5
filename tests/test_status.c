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

/* Whatever the values in it hold, a message is one line of UTF-8, also where a width cuts a character. */
static void one_line_of_utf8(void **state)
{
	static const struct {
		const char *value, *text;
	} rows[] = {
		{"St\xc3\xb6r", "St\xc3\xb6r"},
		{"a\nb\x1b[31m", "a?b?[31m"},
		{"St\xf6r", "St?r"},
		{"1234567\xe7\x8b\xae", "1234567?"},
		{"\xc0\xaf\xed\xa0\x80", "?????"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {0};
		assert_int_equal(err_set(&err, BAD_INPUT, "%.8s", rows[i].value), BAD_INPUT);
		assert_string_equal(err.text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_of_utf8),
		cmocka_unit_test(sets_status_and_text),
		cmocka_unit_test(cuts_a_long_text),
		cmocka_unit_test(every_status_has_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
