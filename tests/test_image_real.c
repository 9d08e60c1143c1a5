/* labels: real; timeout: 600 */
/* Real photographs and real malformed files, where ../shared is beside the sources: nothing crashes,
 * takes long or eats memory; photographs decode; their EXIF times are the known ones. */
#include "csv.h"
#include "exif.h"
#include "image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DATA TOPI_SOURCE_DIR "/../shared/data"

static uint8_t *read_file(const char *folder, const char *file, size_t *n)
{
	char path[1000];
	snprintf(path, sizeof path, "%s/%s", folder, file);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("%s cannot be opened", path);
	fseek(f, 0, SEEK_END);
	*n = (size_t)ftell(f);
	rewind(f);
	uint8_t *p = malloc(*n ? *n : 1); /* exactly: ASan sees a read past the end */
	assert_true(fread(p, 1, *n, f) == *n);
	fclose(f);
	return p;
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* of this process: others' load is not ours */
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Calls visit with every row of a table whose first column is `file`. */
static int for_each(const char *folder, const char *table,
	void (*visit)(const char *folder, const struct csv_reader *row))
{
	char path[1000];
	snprintf(path, sizeof path, "%s/%s", folder, table);
	FILE *in = fopen(path, "r");
	assert_non_null(in);
	struct csv_reader *r = csv_reader_new(in, table);
	struct err err = {0};
	int n = 0;
	assert_int_equal(csv_next(r, &err), OK);
	assert_string_equal(csv_field(r, 0), "file");
	enum status status;
	while ((status = csv_next(r, &err)) == OK) {
		visit(folder, r);
		n++;
	}
	assert_int_equal(status, NOT_FOUND);
	csv_reader_free(r);
	fclose(in);
	return n;
}

static int n_taken;

static void try_odd_file(const char *folder, const struct csv_reader *row)
{
	size_t n;
	uint8_t *p = read_file(folder, csv_field(row, 0), &n);
	struct image_rendition out[N_RENDITIONS];
	struct image_info info;
	struct err err = {0};
	double start_s = now_s();
	enum status status = image_renditions(p, n, NULL, out, &info, &err);
	double took_s = now_s() - start_s;
	if (took_s >= 2)
		fail_msg("%s took %.1f s", csv_field(row, 0), took_s);
	if (status == OK) {
		n_taken++;
		for (int i = 0; i < N_RENDITIONS; i++)
			assert_true(out[i].n_bytes > 100 && out[i].width_px >= 1 && out[i].height_px >= 1);
	} else {
		assert_true(status == BAD_INPUT || status == TOO_LARGE);
		assert_true(strlen(err.text) > 10);
		assert_null(out[0].bytes);
	}
	/* The fuzzed ones may go either way; these are known: three kinds of good pictures, one cut. */
	if (strncmp(csv_field(row, 0), "odd/", 4) == 0)
		assert_int_equal(status, strcmp(csv_field(row, 2), "truncated") == 0 ? BAD_INPUT : OK);
	image_renditions_release(out);
	free(p);
}

static void odd_files(void **state)
{
	(void)state;
	assert_int_equal(for_each(DATA "/jpeg-robustness", "index.csv", try_odd_file), 227);
	print_message("%d of 227 odd files taken\n", n_taken);
	struct rusage use;
	getrusage(RUSAGE_SELF, &use);
	print_message("peak memory %ld MiB\n", use.ru_maxrss / 1024);
#ifndef __SANITIZE_ADDRESS__
	assert_true(use.ru_maxrss < 512 * 1024);
#endif
}

static int n_times, n_pngs;

static void try_photograph(const char *folder, const struct csv_reader *row)
{
	size_t n;
	const char *file = csv_field(row, 0);
	uint8_t *p = read_file(folder, file, &n);
	struct image_rendition out[N_RENDITIONS];
	struct image_info info;
	struct err err = {0};
	enum status status = image_renditions(p, n, NULL, out, &info, &err);
	if (n > 4 && memcmp(p, "\x89PNG", 4) == 0) { /* one of them is, under a .jpg name */
		assert_int_equal(status, BAD_INPUT);
		assert_string_equal(err.text, "not a usable JPEG: Not a JPEG file: starts with 0x89 0x50");
		n_pngs++;
		free(p);
		return;
	}
	if (status != OK)
		fail_msg("%s: %s", file, err.text);
	assert_true(info.width_px >= out[RENDITION_WEB].width_px);
	image_renditions_release(out);
	if (strncmp(file, "borneo/", 7) == 0) {
		struct exif exif;
		char time[CIVIL_TEXT];
		exif_read(p, n, &exif);
		assert_true(exif.has_time);
		civil_format_local(exif.time.civil_s, time);
		assert_string_equal(time, csv_field(row, 3));
		n_times++;
	}
	free(p);
}

static void photographs(void **state)
{
	(void)state;
	assert_int_equal(for_each(DATA "/camera-traps", "labels.csv", try_photograph), 376);
	assert_int_equal(n_times, 68);
	assert_int_equal(n_pngs, 1);
}

int main(void)
{
	if (access(DATA "/camera-traps/labels.csv", R_OK) != 0) {
		puts("skipped: ../shared is not there");
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(odd_files),
		cmocka_unit_test(photographs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
