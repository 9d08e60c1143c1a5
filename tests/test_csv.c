/* labels: unit */
/* CSV as rows: a text, and the rows it must read as, written `a|b;c|d`; an error is written as its
 * message in brackets. */
#include "csv.h"
#include "sheet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NOT_UTF8 "not UTF-8 text: save the file as UTF-8"

static const struct row {
	const char *name;
	const char *text; /* @ stands for a zero byte */
	const char *rows;
} rows[] = {
	{"nothing", "", ""},
	{"one field", "a", "1:a;"},
	{"rows", "a,b\nc,d\n", "1:a|b;2:c|d;"},
	{"CRLF", "a,b\r\nc,d\r\n", "1:a|b;2:c|d;"},
	{"CR", "a,b\rc,d\r", "1:a|b;2:c|d;"},
	{"empty fields", ",\n,x,\n", "1:|;2:|x|;"},
	{"blank lines are no rows", "\n\na\n\r\n\nb\n\n", "3:a;6:b;"},
	{"a quoted empty field is a row", "\"\"\n", "1:;"},
	{"quotes", "\"a,\"\"b\"\"\",c\n", "1:a,\"b\"|c;"},
	{"a quoted line end", "\"a\nb\",c\nd\n", "1:a\nb|c;3:d;"},
	{"a quoted CRLF is read as LF", "\"a\r\nb\"\r\nd", "1:a\nb;3:d;"},
	{"blanks stay", " a , b\n", "1: a | b;"},
	{"mark",
		"\xef\xbb\xbf"
		"a,b\n",
		"1:a|b;"},
	{"mark alone", "\xef\xbb\xbf", ""},
	{"no mark, but its first byte", "\xef\xbc\xa1,b\n", "1:\xef\xbc\xa1|b;"},
	{"no mark, but its first two bytes", "\xef\xbb\xa1,b\n", "1:\xef\xbb\xa1|b;"},
	{"a quoted field behind the mark", "\xef\xbb\xbf\"a,b\"\n", "1:a,b;"},
	{"UTF-8", "\xc3\xa4,\xe2\x82\xac,\xf0\x9f\xa6\x8c\n",
		"1:\xc3\xa4|\xe2\x82\xac|\xf0\x9f\xa6\x8c;"},
	{"Latin 1", "a\nB\xe4r,x\nc\n", "1:a;[t:2: " NOT_UTF8 "]3:c;"},
	{"overlong", "\xc0\xaf\n", "[t:1: " NOT_UTF8 "]"},
	{"surrogate", "\xed\xa0\x80\n", "[t:1: " NOT_UTF8 "]"},
	{"beyond Unicode", "\xf4\x90\x80\x80\n", "[t:1: " NOT_UTF8 "]"},
	{"a character cut at the line's end", "a\xe2\x82\nb\n", "[t:1: " NOT_UTF8 "]2:b;"},
	{"a character cut at the end", "a\xe2\x82", "[t:1: " NOT_UTF8 "]"},
	{"a zero byte", "a@b\nc\n", "[t:1: " NOT_UTF8 "]2:c;"},
	{"UTF-16",
		"\xff\xfe"
		"a@",
		"[t:1: " NOT_UTF8 "]"},
	{"a quote inside", "a\"b,c\nd\n",
		"[t:1: a quote inside an unquoted field: quote the field and write the quote twice]2:d;"},
	{"text behind a quote", "\"a\"b,c\nd\n",
		"[t:1: text after a closing quote: a quote inside a field is written twice]2:d;"},
	{"an open quote", "a\n\"b\nc", "1:a;[t:3: a quote is opened here or above and never closed]"},
};

static FILE *stream(const char *text, size_t n)
{
	FILE *f = tmpfile();
	assert_non_null(f);
	assert_true(fwrite(text, 1, n, f) == n);
	rewind(f);
	return f;
}

static void reads(void **state)
{
	const struct row *row = *state;
	char got[1000] = "";
	size_t n = strlen(row->text);
	char *text = strdup(row->text);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(text[i] == '@' ? 0 : text[i]);
	FILE *in = stream(text, n);
	free(text);
	struct csv_reader *r = csv_reader_new(in, "t");
	struct err err = {0};
	enum status status;
	while ((status = csv_next(r, &err)) != NOT_FOUND) {
		size_t used = strlen(got);
		if (status != OK)
			snprintf(got + used, sizeof got - used, "[%s]", err.text);
		else
			snprintf(got + used, sizeof got - used, "%d:", (int)csv_line(r));
		for (int i = 0; status == OK && i < csv_n_fields(r); i++) {
			used = strlen(got);
			snprintf(got + used, sizeof got - used, "%s%s", csv_field(r, i),
				i + 1 < csv_n_fields(r) ? "|" : ";");
		}
	}
	assert_string_equal(got, row->rows);
	assert_int_equal(csv_next(r, &err), NOT_FOUND);
	csv_reader_free(r);
	fclose(in);
}

/* Fields, rows and columns just inside a limit, and one more. */
static void bounds(void **state)
{
	(void)state;
	size_t room = 3 * CSV_MAX_ROW_BYTES;
	char *text = malloc(room);
	for (int over = 0; over < 2; over++) {
		struct err err = {0};
		size_t n = (size_t)CSV_MAX_FIELD_BYTES + (size_t)over;
		memset(text, 'a', n);
		memcpy(text + n, "\nb\n", 3);
		FILE *in = stream(text, n + 3);
		struct csv_reader *r = csv_reader_new(in, "t");
		assert_int_equal(csv_next(r, &err), over ? TOO_LARGE : OK);
		assert_int_equal(csv_next(r, &err), OK);
		assert_string_equal(csv_field(r, 0), "b");
		csv_reader_free(r);
		fclose(in);

		n = (size_t)CSV_MAX_FIELDS - 1 + (size_t)over;
		memset(text, ',', n);
		text[n] = '\n';
		in = stream(text, n + 1);
		r = csv_reader_new(in, "t");
		assert_int_equal(csv_next(r, &err), over ? TOO_LARGE : OK);
		if (!over)
			assert_int_equal(csv_n_fields(r), CSV_MAX_FIELDS);
		csv_reader_free(r);
		fclose(in);
	}
	/* A quote left open in a large file stops at the limit, not at the end of memory. */
	memset(text, 'a', room);
	for (size_t i = 1000; i < room; i += 1000)
		text[i] = ',';
	FILE *in = stream(text, room);
	struct csv_reader *r = csv_reader_new(in, "t");
	struct err err = {0};
	assert_int_equal(csv_next(r, &err), TOO_LARGE);
	assert_string_equal(err.text, "t:1: over 1024 fields in a row");
	csv_reader_free(r);
	for (size_t i = 2000; i < room; i += 2000)
		text[i] = 'a';
	for (size_t i = 1000; i < room; i += 2000)
		text[i] = 'a';
	for (size_t i = 60000; i < room; i += 60000)
		text[i] = ',';
	fclose(in);
	in = stream(text, room);
	r = csv_reader_new(in, "t");
	assert_int_equal(csv_next(r, &err), TOO_LARGE);
	assert_string_equal(err.text, "t:1: a row of over 1 MiB");
	assert_int_equal(csv_next(r, &err), NOT_FOUND);
	csv_reader_free(r);
	fclose(in);
	free(text);
}

/* What sheet.c writes comes back as it was. */
static void reads_what_a_sheet_writes(void **state)
{
	(void)state;
	static const char *const fields[] = {"a", "", "a b", " a", "a ", ",", "\"", "a\"b", "line\nend",
		"=1+1", "-3", "@x", "\xc3\xa4", "'", NULL};
	enum { N = sizeof fields / sizeof *fields - 1 };
	char dir[] = "/tmp/topi-csv-XXXXXX", path[60];
	struct err err = {0};
	struct sheet *sheet = NULL;
	struct sheet_sum sum;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/t.csv", dir);
	assert_int_equal(sheet_open(path, fields, &sheet, &err), OK); /* as a header too */
	for (int i = 0; i < N; i++)
		sheet_text(sheet, fields[i]);
	assert_int_equal(sheet_end_row(sheet, &err), OK);
	assert_int_equal(sheet_finish(sheet, &sum, &err), OK);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	struct csv_reader *r = csv_reader_new(f, "t");
	for (int row = 0; row < 2; row++) {
		assert_int_equal(csv_next(r, NULL), OK);
		assert_int_equal(csv_n_fields(r), N);
		for (int i = 0; i < N; i++)
			assert_string_equal(csv_field(r, i), fields[i]);
	}
	assert_int_equal(csv_next(r, NULL), NOT_FOUND);
	csv_reader_free(r);
	fclose(f);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	enum { N_ROWS = sizeof rows / sizeof *rows };
	struct CMUnitTest made[N_ROWS];
	for (size_t i = 0; i < N_ROWS; i++)
		made[i] = (struct CMUnitTest){
			.name = rows[i].name, .test_func = reads, .initial_state = (void *)(uintptr_t)&rows[i]};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds),
		cmocka_unit_test(reads_what_a_sheet_writes),
	};
	int failed = cmocka_run_group_tests_name("reading", made, NULL, NULL);
	return failed + cmocka_run_group_tests_name("the rest", tests, NULL, NULL);
}
