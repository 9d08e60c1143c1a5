/* labels: unit */
/* Civil dates as tables: known seconds, every day of 9,999 years there and back, what is refused.
 */
#include "civil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *text;
	int64_t civil_s;
	int millisecond;
	bool has_offset;
	int offset_s;
	const char *again; /* civil_format of the instant */
} good[] = {
	{"1970-01-01T00:00:00", 0, 0, false, 0, "1970-01-01T00:00:00Z"},
	{"2020-05-30T04:57:37+02:00", 1590814657, 0, true, 7200, "2020-05-30T04:57:37+02:00"},
	{"2020-05-30T04:57:37Z", 1590814657, 0, true, 0, "2020-05-30T04:57:37Z"},
	{"2020-05-30 04:57:37", 1590814657, 0, false, 0, "2020-05-30T04:57:37Z"},
	{"2020-05-30T04:57", 1590814620, 0, false, 0, "2020-05-30T04:57:00Z"},
	{"2020-05-30T04:57:37.5", 1590814657, 500, false, 0, "2020-05-30T04:57:37.500Z"},
	{"2020-05-30T04:57:37,0019-0330", 1590814657, 1, true, -12600, "2020-05-30T04:57:37.001-03:30"},
	{"2020-05-30T04:57:37-11", 1590814657, 0, true, -39600, "2020-05-30T04:57:37-11:00"},
	{"2000-02-29T23:59:59+05:45", 951868799, 0, true, 20700, "2000-02-29T23:59:59+05:45"},
	{"1969-12-31T23:59:59Z", -1, 0, true, 0, "1969-12-31T23:59:59Z"},
	{"0002-01-01T00:00:00Z", -62104060800, 0, true, 0, "0002-01-01T00:00:00Z"},
	{"9998-12-31T23:59:59Z", 253370764799, 0, true, 0, "9998-12-31T23:59:59Z"},
};

static const char *const bad[] = {"", "2020-05-30", "2020-05-30T", "2020-05-30T04",
	"20-05-30T04:57:37", "2020-5-30T04:57:37", "2020-13-01T00:00:00", "2020-00-01T00:00:00",
	"2020-06-31T00:00:00", "2021-02-29T00:00:00", "1900-02-29T00:00:00", "2020-05-30T24:00:00",
	"2020-05-30T04:60:00", "2020-05-30T04:57:60", "2020-05-30T04:57:37x", "2020-05-30T04:57:37 ",
	"2020-05-30T04:57:37+", "2020-05-30T04:57:37+2:00", "2020-05-30T04:57:37+19:00",
	"2020-05-30T04:57:37+02:60", "2020-05-30T04:57:37.", "2020-05-30T04:57:37ZZ",
	"0000-01-01T00:00:00", "0001-12-31T00:00:00", "9999-01-01T00:00:00", "30/05/2020 04:57:37",
	"2020:05:30 04:57:37", " 2020-05-30T04:57:37", "2020-05-30T-4:57:37"};

static void reads_and_writes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct civil_time t;
		struct err err = {0};
		char out[CIVIL_TEXT];
		print_message("%s\n", good[i].text);
		assert_int_equal(civil_parse(good[i].text, &t, &err), OK);
		assert_true(t.civil_s == good[i].civil_s);
		assert_int_equal(t.millisecond, good[i].millisecond);
		assert_int_equal(t.has_offset, good[i].has_offset);
		assert_int_equal(t.offset_s, good[i].offset_s);
		civil_format(t.civil_s - t.offset_s, t.millisecond, t.offset_s, out);
		assert_string_equal(out, good[i].again);
		civil_format_local(t.civil_s, out);
		assert_memory_equal(out, good[i].again, 19);
		assert_int_equal(out[19], 0);
	}
}

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct civil_time t = {.civil_s = 42};
		struct err err = {0};
		print_message("\"%s\"\n", bad[i]);
		assert_int_equal(civil_parse(bad[i], &t, &err), BAD_INPUT);
		assert_int_equal(err.status, BAD_INPUT);
		assert_true(t.civil_s == 42);
	}
	struct err err;
	struct civil_time t;
	assert_int_equal(civil_parse("2020-05-30", &t, &err), BAD_INPUT);
	assert_string_equal(
		err.text, "\"2020-05-30\" has no time of day: write it as 2020-05-30T04:57:37");
}

static void every_day_goes_there_and_back(void **state)
{
	(void)state;
	int64_t expected = -62135596800;
	for (int year = 1; year <= 9999; year++) {
		for (int month = 1; month <= 12; month++) {
			for (int day = 1; day <= 31; day++) {
				struct civil_date d = {year, month, day, 0, 0, 0};
				if (!civil_date_valid(&d))
					continue;
				assert_true(civil_seconds(&d) == expected);
				struct civil_date last = civil_date_of(expected + 86399);
				assert_true(last.year == year && last.month == month && last.day == day);
				assert_true(last.hour == 23 && last.minute == 59 && last.second == 59);
				expected += 86400;
			}
		}
	}
	assert_true(expected == 253402300800);
}

static void reads_offsets(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int offset_s;
	} rows[] = {{"+00:00", 0}, {"Z", 0}, {"+02:00", 7200}, {"-08", -28800}, {"+0545", 20700},
		{"-00:30", -1800}, {"+14:00", 50400}};
	static const char *const wrong[] = {
		"", "2", "+2", "02:00", "+02:00:00", "+02:61", "+18:01", "+99", "UTC", "+-2:00", "+02:"};
	int value;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(civil_parse_offset(rows[i].text, &value, NULL), OK);
		assert_int_equal(value, rows[i].offset_s);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		value = 42;
		print_message("\"%s\"\n", wrong[i]);
		assert_int_equal(civil_parse_offset(wrong[i], &value, NULL), BAD_INPUT);
		assert_int_equal(value, 42);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(refuses),
		cmocka_unit_test(every_day_goes_there_and_back),
		cmocka_unit_test(reads_offsets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
