/* labels: unit */
/* Manifests as rows: a text, and either the rows it gives or every complaint it earns. */
#include "manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct row {
	const char *name, *text, *result;
} rows[] = {
	{"file alone", "file\na.jpg\nb/c.jpg\n", "2 a.jpg [] [] [] []\n3 b/c.jpg [] [] [] []\n"},
	{"header alone", "file\n", ""},
	{"all columns, any order, any case",
		"Label,EVENT,file,longitude,latitude,timestamp,deployment\n"
		"kudu,e1,a.jpg,34.5,-1.25,2020-05-30T04:57:37+02:00,A\n",
		"2 a.jpg [A] [e1] [kudu] [] 1590814657+7200 -1.25,34.5\n"},
	{"no offset, a space", "file,timestamp\na.jpg,2020-05-30 04:57:37\n",
		"2 a.jpg [] [] [] [] 1590814657\n"},
	{"metadata", "file,camera,note\na.jpg,\"Bush \"\"nell\"\"\",\"x\ny\"\nb.jpg,,\nc.jpg,\\,\n",
		"2 a.jpg [] [] [] [{\"camera\":\"Bush \\\"nell\\\"\",\"note\":\"x\\u000ay\"}]\n"
		"4 b.jpg [] [] [] []\n5 c.jpg [] [] [] [{\"camera\":\"\\\\\"}]\n"},
	{"paths are tidied", "file\n./a.jpg\nb//c/./d.jpg\n..a/b..jpg\n",
		"2 a.jpg [] [] [] []\n3 b/c/d.jpg [] [] [] []\n4 ..a/b..jpg [] [] [] []\n"},
	{"repeated texts", "file,deployment\na,D\nb,D\nc,E\nd,D\n",
		"2 a [D] [] [] []\n3 b [D] [] [] []\n4 c [E] [] [] []\n5 d [D] [] [] []\n"},
	{"no file column", "path,label\na.jpg,x\n", "!m.csv:1: there is no column \"file\"\n"},
	{"a column twice", "file,label,Label,file\na,b,c,d\n",
		"!m.csv:1: column \"Label\" is there twice\nm.csv:1: column \"file\" is there twice\n"},
	{"a column twice that is not ours", "file,x,x\na,b,c\n",
		"!m.csv:1: column \"x\" is there twice\n"},
	{"a column without a name", "file,\na,b\n", "!m.csv:1: column 2 has no name\n"},
	{"nothing", "", "!m.csv:1: there is no header: the first line must name the columns\n"},
	{"every mistake is told",
		"file,timestamp,latitude,longitude\n"
		"a.jpg,30.05.2020,1,2\n"
		"b.jpg,2020-05-30,1,2\n"
		"c.jpg,,91,2\n"
		"d.jpg,,1,-180.5\n"
		"e.jpg,,1,\n"
		",,,\n"
		"f.jpg,,\n"
		"../g.jpg,,,\n"
		"x/../../g.jpg,,,\n"
		"/etc/passwd,,,\n"
		"C:\\DCIM\\1.jpg,,,\n"
		"DCIM\\1.jpg,,,\n"
		"./,,,\n"
		"h.jpg,,nan,1\n"
		"i.jpg,,0x10,1\n"
		"a.jpg,,,\n"
		"x//a.jpg,,,\n"
		"x/./a.jpg,,,\n"
		"j\xe4.jpg,,,\n"
		"k\"k.jpg,,,\n",
		"!m.csv:2: timestamp \"30.05.2020\" is not a date and time: write it as "
		"2020-05-30T04:57:37 or "
		"with +02:00\n"
		"m.csv:3: timestamp \"2020-05-30\" has no time of day: write it as 2020-05-30T04:57:37\n"
		"m.csv:4: latitude \"91\" is not between -90 and 90 degrees\n"
		"m.csv:5: longitude \"-180.5\" is not between -180 and 180 degrees\n"
		"m.csv:6: latitude without longitude: give both or neither\n"
		"m.csv:7: the file is not named\n"
		"m.csv:8: 3 fields, but the header has 4\n"
		"m.csv:9: \"../g.jpg\" leads out of the imported folder\n"
		"m.csv:10: \"x/../../g.jpg\" leads out of the imported folder\n"
		"m.csv:11: \"/etc/passwd\" is absolute: name it from the imported folder on\n"
		"m.csv:12: \"C:\\DCIM\\1.jpg\" is absolute: name it from the imported folder on\n"
		"m.csv:13: \"DCIM\\1.jpg\" has a backslash: write folders with /\n"
		"m.csv:14: \"./\" names no file\n"
		"m.csv:15: latitude \"nan\" is not between -90 and 90 degrees\n"
		"m.csv:16: latitude \"0x10\" is not between -90 and 90 degrees\n"
		"m.csv:17: \"a.jpg\" is named twice, first in line 2\n"
		"m.csv:19: \"x/a.jpg\" is named twice, first in line 18\n"
		"m.csv:20: not UTF-8 text: save the file as UTF-8\n"
		"m.csv:21: a quote inside an unquoted field: quote the field and write the quote twice\n"},
};

static FILE *stream(const char *text, size_t n)
{
	FILE *f = tmpfile();
	assert_non_null(f);
	assert_true(fwrite(text, 1, n, f) == n);
	rewind(f);
	return f;
}

static void print_row(FILE *out, const struct manifest_row *row)
{
	fprintf(out, "%d %s [%s] [%s] [%s] [%s]", (int)row->line, row->file, row->deployment,
		row->event, row->label, row->metadata);
	if (row->has_time)
		fprintf(out, " %lld", (long long)row->time.civil_s);
	if (row->time.has_offset)
		fprintf(out, "%+d", row->time.offset_s);
	if (row->has_place)
		fprintf(out, " %g,%g", row->latitude_deg, row->longitude_deg);
	putc('\n', out);
}

static void reads(void **state)
{
	const struct row *row = *state;
	FILE *in = stream(row->text, strlen(row->text));
	struct manifest *m;
	struct manifest_errors errors;
	struct err err = {0};
	char *got = NULL;
	size_t n_bytes = 0;
	enum status status = manifest_read(in, "m.csv", &m, &errors, &err);
	FILE *out = open_memstream(&got, &n_bytes);
	if (status != OK) {
		assert_int_equal(status, BAD_INPUT);
		assert_null(m);
		assert_memory_equal(err.text, errors.text[0], 30);
		putc('!', out);
		for (size_t i = 0; i < errors.n; i++)
			fprintf(out, "%s\n", errors.text[i]);
	}
	for (size_t i = 0; m && i < m->n_rows; i++) {
		print_row(out, &m->rows[i]);
		assert_ptr_equal(manifest_find(m, m->rows[i].file), &m->rows[i]);
	}
	if (m)
		assert_null(manifest_find(m, "no such file"));
	fclose(out);
	assert_string_equal(got, row->result);
	free(got);
	manifest_free(m);
	manifest_errors_release(&errors);
	fclose(in);
}

static void finds_among_many(void **state)
{
	(void)state;
	FILE *in = tmpfile();
	fprintf(in, "file,deployment\n");
	for (int i = 0; i < 20000; i++)
		fprintf(in, "folder/IMG_%05d.JPG,camera %d\n", i, i / 1000);
	rewind(in);
	struct manifest *m;
	struct manifest_errors errors;
	assert_int_equal(manifest_read(in, "m.csv", &m, &errors, NULL), OK);
	assert_int_equal(m->n_rows, 20000);
	for (int i = 0; i < 20000; i++) {
		char name[40];
		snprintf(name, sizeof name, "folder/IMG_%05d.JPG", i);
		assert_ptr_equal(manifest_find(m, name), &m->rows[i]);
	}
	assert_null(manifest_find(m, "folder/IMG_20000.JPG"));
	manifest_free(m);
	manifest_errors_release(&errors);
	fclose(in);
}

static void counts_what_it_does_not_keep(void **state)
{
	(void)state;
	FILE *in = tmpfile();
	fprintf(in, "file,latitude,longitude\n");
	for (int i = 0; i < 1000; i++)
		fprintf(in, "%d.jpg,100,0\n", i);
	rewind(in);
	struct manifest *m;
	struct manifest_errors errors;
	struct err err = {0};
	assert_int_equal(manifest_read(in, "m.csv", &m, &errors, &err), BAD_INPUT);
	assert_int_equal(errors.n, 1000);
	assert_int_equal(errors.n_kept, MANIFEST_MAX_ERRORS);
	assert_string_equal(
		err.text, "m.csv:2: latitude \"100\" is not between -90 and 90 degrees (and 999 more)");
	manifest_errors_release(&errors);
	fclose(in);
}

int main(void)
{
	enum { N_ROWS = sizeof rows / sizeof *rows };
	struct CMUnitTest made[N_ROWS];
	for (size_t i = 0; i < N_ROWS; i++)
		made[i] = (struct CMUnitTest){
			.name = rows[i].name, .test_func = reads, .initial_state = (void *)(uintptr_t)&rows[i]};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_among_many),
		cmocka_unit_test(counts_what_it_does_not_keep),
	};
	int failed = cmocka_run_group_tests_name("reading", made, NULL, NULL);
	return failed + cmocka_run_group_tests_name("the rest", tests, NULL, NULL);
}
