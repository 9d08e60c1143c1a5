/* labels: real; timeout: 600 */
/* Real photographs and real malformed files through the import, where ../shared is beside the sources. */
#include "civil.h"
#include "csv.h"
#include "support_command.h"
#include "support_import.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define DATA TOPI_SOURCE_DIR "/../shared/data"

static int64_t subject_of(struct import_world *w, const char *file)
{
	const char *name = strrchr(file, '/');
	return test_sql(&w->p, "SELECT subject_id FROM media WHERE file_name = '%s'", name + 1);
}

/* What labels.csv calls a sequence are our capture events: the same pairs of photographs are together. */
static void bursts_are_those_of_the_labels(void **state)
{
	struct import_world *w = *state;
	struct err err = {0};
	struct {
		int64_t subject;
		char sequence[40];
	} seen[100];
	int n = 0;
	w->paths[0] = DATA "/camera-traps/borneo";
	w->offset_s = 8 * 3600;
	/* one folder for three stations: the manifest tells them apart */
	FILE *in = fopen(DATA "/camera-traps/labels.csv", "r");
	assert_non_null(in);
	char path[200];
	snprintf(path, sizeof path, "%s/manifest.csv", w->photos);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out, "file,deployment\n");
	struct csv_reader *r = csv_reader_new(in, "labels.csv");
	while (csv_next(r, &err) == OK)
		if (strncmp(csv_field(r, 0), "borneo/", 7) == 0)
			fprintf(out, "%s,%s\n", csv_field(r, 0) + 7, csv_field(r, 4));
	csv_reader_free(r);
	fclose(out);
	w->options.manifest = path;
	import_well(w);
	assert_int_equal(w->result.n_new, 68);
	assert_int_equal(w->result.n_problems, 0);
	rewind(in);
	r = csv_reader_new(in, "labels.csv");
	while (csv_next(r, &err) == OK) {
		const char *file = csv_field(r, 0);
		if (strncmp(file, "borneo/", 7) != 0)
			continue;
		seen[n].subject = subject_of(w, file);
		snprintf(seen[n].sequence, sizeof seen[n].sequence, "%s", csv_field(r, 2));
		/* EXIF says what the table says, on the camera's clock */
		struct civil_time t;
		assert_int_equal(civil_parse(csv_field(r, 3), &t, &err), OK);
		assert_int_equal(
			test_sql(&w->p, "SELECT taken_ms FROM media WHERE file_name = '%s'", file + 7),
			(t.civil_s - 8 * 3600) * 1000);
		n++;
	}
	csv_reader_free(r);
	fclose(in);
	assert_int_equal(n, 68);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
			if ((seen[i].subject == seen[j].subject) !=
				(strcmp(seen[i].sequence, seen[j].sequence) == 0))
				fail_msg("%s and %s", seen[i].sequence, seen[j].sequence);
}

static void everything_there_is(void **state)
{
	struct import_world *w = *state;
	w->paths[0] = DATA "/camera-traps";
	import_well(w);
	int64_t files = w->result.n_files;
	assert_int_equal(files, 376);
	assert_int_equal(w->result.n_new + w->result.n_same + w->result.n_problems, files);
	assert_int_equal(w->result.n_problems, 1); /* a PNG called .jpg */
	assert_true(import_has_problem(w, "gorongosa-guide/vulture-trailcam-1.jpg", "Not a JPEG"));
	int64_t before = import_fingerprint(w);
	import_well(w);
	assert_int_equal(w->result.n_new, 0);
	assert_int_equal(import_fingerprint(w), before);
}

static void malformed_files(void **state)
{
	struct import_world *w = *state;
	char dir[60];
	snprintf(dir, sizeof dir, "%.50s/data", w->p.dir);
	command_init(dir);
	assert_int_equal(
		command(TOPI " import %s p " DATA "/jpeg-robustness --utc-offset Z >%s/out 2>%s/err", dir,
			w->p.dir, w->p.dir),
		1);
	assert_int_equal(command("cat %s/out", w->p.dir), 0);
	struct test_project p = {0};
	snprintf(p.dir, sizeof p.dir, "%s", dir);
	int64_t n_bad = test_sql(&p, "SELECT count(*) FROM import_problem");
	int64_t n_good = test_sql(&p, "SELECT count(*) FROM media");
	print_message("%s", command_out);
	assert_true(n_bad >= 200 && n_good >= 3);
	assert_true(n_bad + n_good <= 227);
	assert_int_equal(command("test $(grep -c '^topi: ' %s/err) = %d", w->p.dir, (int)n_bad), 0);
	struct rusage use;
	getrusage(RUSAGE_CHILDREN, &use);
	print_message("peak memory %ld MiB\n", use.ru_maxrss / 1024);
#ifndef __SANITIZE_ADDRESS__
	assert_true(use.ru_maxrss < 800 * 1024);
#endif
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, import_world_open, import_world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(bursts_are_those_of_the_labels),
		ROW(everything_there_is),
		ROW(malformed_files),
	};
	if (access(DATA "/camera-traps/labels.csv", R_OK) != 0) {
		puts("skipped: ../shared/data is not there");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
