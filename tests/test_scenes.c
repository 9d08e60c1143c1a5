/* labels: unit; timeout: 120 */
/* The simulated camera traps: same seed, same bytes; EXIF, manifest and truth agree. */
#include "drawing.h"
#include "scenes.h"
#include "taxa.h"
#include "truth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

enum { N_SUBJECTS = 24 };

static char folder[] = "/tmp/topi-scenes-XXXXXX";
static int n_files; /* of rendering "a" */

static const char *path_of(const char *name)
{
	static char path[4][300];
	static int next;
	char *p = path[next++ % 4];
	snprintf(p, sizeof path[0], "%s/%s", folder, name);
	return p;
}

static char *bytes_of(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot read %s", path);
	char *bytes = xcalloc(1, 4 << 20);
	*n = fread(bytes, 1, (4 << 20) - 1, f);
	fclose(f);
	return bytes;
}

static int render(const char *name, uint64_t seed)
{
	char truth[300];
	snprintf(truth, sizeof truth, "%s/%s.jsonl", folder, name);
	struct scenes_options o = {.dir = path_of(name),
		.truth_path = truth,
		.n_subjects = N_SUBJECTS,
		.n_deployments = 3,
		.w = 320,
		.h = 240,
		.seed = seed};
	struct err err = {0};
	int n = 0;
	if (scenes_write(&o, &n, &err) != OK)
		fail_msg("%s", err.text);
	return n;
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	n_files = render("a", 5);
	return 0;
}

static void same_seed_same_bytes(void **state)
{
	(void)state;
	render("again", 5);
	render("other", 6);
	struct truth truth;
	struct err err = {0};
	assert_int_equal(truth_load(&truth, path_of("a.jsonl"), &err), OK);
	assert_int_equal(truth.n, N_SUBJECTS);
	int n_same_as_other = 0, n = 0;
	for (int i = 0; i < truth.n; i++)
		for (int f = 0; f < truth.rows[i].n_files; f++, n++) {
			char name[3][64];
			const char *const folders[3] = {"a", "again", "other"};
			size_t size[3];
			char *bytes[3] = {NULL};
			for (int k = 0; k < 3; k++) {
				snprintf(name[k], sizeof name[k], "%s/%s", folders[k], truth.rows[i].files[f]);
				if (k < 2 || access(path_of(name[k]), R_OK) == 0)
					bytes[k] = bytes_of(path_of(name[k]), &size[k]);
			}
			assert_int_equal(size[0], size[1]);
			assert_memory_equal(bytes[0], bytes[1], size[0]);
			n_same_as_other += bytes[2] && size[2] == size[0] &&
				!memcmp(bytes[0], bytes[2], size[0]);
			for (int k = 0; k < 3; k++)
				free(bytes[k]);
		}
	assert_int_equal(n_same_as_other, 0);
	assert_true(n > N_SUBJECTS);
	truth_release(&truth);
}

/* What an import must never let through is in the originals: else its absence would prove nothing.
 */
static void originals_carry_exif(void **state)
{
	(void)state;
	size_t n;
	char *b = bytes_of(path_of("a/D1/IMG_0001.JPG"), &n);
	static const unsigned char head[] = {0xFF, 0xD8, 0xFF, 0xE1};
	assert_memory_equal(b, head, 4);
	assert_memory_equal(b + 6, "Exif\0\0II*\0\x08\0\0\0", 14);
	const unsigned char *tiff = (unsigned char *)b + 12, *ifd = tiff + 8;
	int gps = 0, exif = 0, make = 0;
	for (int i = 0; i < ifd[0]; i++) {
		const unsigned char *e = ifd + 2 + 12 * i;
		unsigned tag = e[0] | (unsigned)e[1] << 8, at = e[8] | (unsigned)e[9] << 8;
		make |= tag == 0x010F && !memcmp(tiff + at, "TOPICAM", 7);
		exif |= tag == 0x8769 && tiff[at] == 1 && tiff[at + 2] == 0x03 && tiff[at + 3] == 0x90;
		gps |= tag == 0x8825 && tiff[at] == 4 && tiff[at + 2] == 1 && tiff[at + 10] == 'S';
	}
	assert_true(make && exif && gps);
	struct tm t;
	char date[20];
	memcpy(date, tiff + 220, 20);
	assert_non_null(strptime(date, "%Y:%m:%d %H:%M:%S", &t));
	free(b);
}

static time_t seconds_of(const char *iso)
{
	struct tm t = {0};
	const char *end = strptime(iso, "%Y-%m-%dT%H:%M:%S", &t);
	if (!end || strcmp(end, "+03:00"))
		fail_msg("not a time: %s", iso);
	return timegm(&t);
}

static void manifest_agrees_with_truth(void **state)
{
	(void)state;
	struct truth truth;
	struct err err = {0};
	assert_int_equal(truth_load(&truth, path_of("a.jsonl"), &err), OK);
	FILE *in = fopen(path_of("a/manifest.csv"), "r");
	assert_non_null(in);
	char line[400];
	assert_non_null(fgets(line, sizeof line, in));
	assert_string_equal(line, "file,deployment,timestamp,event,latitude,longitude\n");
	int rows = 0, named = 0;
	time_t last[4] = {0};
	for (int i = 0; i < truth.n; i++) {
		time_t first = 0;
		for (int f = 0; f < truth.rows[i].n_files; f++, rows++) {
			assert_non_null(fgets(line, sizeof line, in));
			char *rest = line, *file = strsep(&rest, ","), *deployment = strsep(&rest, ",");
			char *when = strsep(&rest, ","), *event = strsep(&rest, ",");
			char *latitude = strsep(&rest, ",");
			assert_string_equal(file, truth.rows[i].files[f]);
			assert_int_equal(atol(deployment + 1), truth.rows[i].deployment);
			time_t t = seconds_of(when);
			first = f ? first : t;
			assert_in_range(t - first, 0, 6);
			/* No time gap of a minute joins two events of a deployment. */
			assert_true(f || t > last[truth.rows[i].deployment] + 60);
			last[truth.rows[i].deployment] = t;
			named += *event != 0;
			assert_true(strtod(latitude, NULL) < -2.0 && strtod(rest, NULL) > 34.0);
		}
	}
	assert_null(fgets(line, sizeof line, in));
	assert_int_equal(rows, n_files);
	assert_true(named > 0 && named < rows);
	fclose(in);
	truth_release(&truth);
}

static void rows_of_truth_are_whole(void **state)
{
	(void)state;
	struct truth truth;
	struct err err = {0};
	assert_int_equal(truth_load(&truth, path_of("a.jsonl"), &err), OK);
	for (int i = 0; i < truth.n; i++) {
		const struct truth_row *row = &truth.rows[i];
		assert_true(row->difficulty >= 0.0 && row->difficulty <= 1.0);
		assert_string_equal(row->event, row->files[0]);
		assert_int_equal(row->lookalike, taxon_lookalike(row->taxon));
	}
	truth_release(&truth);
}

/* project.json lists the taxa of taxa.h in its order, each animal with a hotkey of its own. */
static void project_lists_the_taxa(void **state)
{
	(void)state;
	json_t *project = json_load_file(TOPI_SOURCE_DIR "/tools/demo/project.json", 0, NULL);
	json_t *taxa = json_object_get(project, "taxa");
	assert_int_equal(json_array_size(taxa), N_TAXA);
	int used[256] = {0};
	for (int t = 0; t < N_TAXA; t++) {
		json_t *taxon = json_array_get(taxa, (size_t)t);
		assert_string_equal(json_string_value(json_object_get(taxon, "code")), taxon_code(t));
		assert_string_equal(json_string_value(json_object_get(taxon, "kind")),
			t == TAXON_BLANK ? "blank" : "animal");
		const char *key = json_string_value(json_object_get(taxon, "hotkey"));
		if (t == TAXON_BLANK) { /* the space bar is its own everywhere */
			assert_null(key);
			continue;
		}
		assert_int_equal(strlen(key), 1);
		assert_int_equal(used[(unsigned char)*key]++, 0);
	}
	json_decref(project);
}

/* Every animal's drawing fills its paper and touches no edge; no two are alike. */
static void drawings_fill_their_paper(void **state)
{
	(void)state;
	struct canvas drawings[N_TAXA] = {{0}};
	for (int t = 0; t < N_TAXA; t++) {
		if (t == TAXON_BLANK)
			continue;
		struct canvas *c = &drawings[t];
		*c = drawing_new(t);
		int x0 = c->w, x1 = 0, y0 = c->h, y1 = 0, n = 0;
		for (int i = 0; i < c->w * c->h; i++) {
			if (!c->z[i])
				continue;
			const int x = i % c->w, y = i / c->w;
			n++;
			x0 = x < x0 ? x : x0;
			x1 = x > x1 ? x : x1;
			y0 = y < y0 ? y : y0;
			y1 = y > y1 ? y : y1;
		}
		assert_true(x0 > 8 && y0 > 8 && x1 < c->w - 9 && y1 < c->h - 9);
		assert_true(x1 - x0 > c->w * 3 / 4 || y1 - y0 > c->h * 3 / 4);
		assert_true(n > c->w * c->h / 20);
		for (int other = 0; other < t; other++)
			assert_memory_not_equal(c->rgb, drawings[other].rgb, (size_t)(c->w * c->h) * 3);
	}
	for (int t = 0; t < N_TAXA; t++)
		canvas_free(&drawings[t]);
}

/* The demo's texts are there for every taxon, in every language that it speaks. */
static void every_taxon_is_explained(void **state)
{
	(void)state;
	static const char *const languages[] = {"fr", "sw", "es"};
	json_t *project = json_load_file(TOPI_SOURCE_DIR "/tools/demo/project.json", 0, NULL);
	char path[300];
	for (int t = 0; t < N_TAXA; t++) {
		static const char *const files[] = {"taxa/%s.jpg", "guide/%s.md", "practice/%s.md"};
		const json_t *taxon = json_array_get(json_object_get(project, "taxa"), (size_t)t);
		for (int i = 0; i < 3; i++)
			assert_non_null(json_object_get(json_object_get(taxon, "names"), languages[i]));
		for (int i = t == TAXON_BLANK ? 2 : 0; i < 3; i++) {
			char name[100];
			snprintf(name, sizeof name, "%.*s%s%s", (int)strcspn(files[i], "%"), files[i],
				taxon_code(t), files[i] + strcspn(files[i], "%") + 2);
			snprintf(path, sizeof path, TOPI_SOURCE_DIR "/tools/demo/pages/%s", name);
			if (access(path, R_OK) != 0)
				fail_msg("%s is missing", path);
		}
	}
	json_decref(project);
}

static void bad_numbers_are_refused(void **state)
{
	(void)state;
	const struct scenes_options bad[] = {
		{.n_subjects = 0, .n_deployments = 6, .w = 960, .h = 720},
		{.n_subjects = 9, .n_deployments = 1, .w = 960, .h = 720},
		{.n_subjects = 9, .n_deployments = 6, .w = 60000, .h = 60000},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = {0};
		int n;
		assert_int_equal(scenes_write(&bad[i], &n, &err), BAD_INPUT);
	}
}

static int teardown(void **state)
{
	(void)state;
	static const char *const runs[] = {"a", "again", "other"};
	for (int k = 0; k < 3; k++) {
		char name[64];
		for (int d = 1; d <= 3; d++) {
			for (int i = 1; i <= 3 * N_SUBJECTS; i++) {
				snprintf(name, sizeof name, "%s/D%d/IMG_%04d.JPG", runs[k], d, i);
				unlink(path_of(name));
			}
			snprintf(name, sizeof name, "%s/D%d", runs[k], d);
			rmdir(path_of(name));
		}
		snprintf(name, sizeof name, "%s/manifest.csv", runs[k]);
		unlink(path_of(name));
		rmdir(path_of(runs[k]));
		snprintf(name, sizeof name, "%s.jsonl", runs[k]);
		unlink(path_of(name));
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_same_bytes),
		cmocka_unit_test(originals_carry_exif),
		cmocka_unit_test(manifest_agrees_with_truth),
		cmocka_unit_test(rows_of_truth_are_whole),
		cmocka_unit_test(project_lists_the_taxa),
		cmocka_unit_test(drawings_fill_their_paper),
		cmocka_unit_test(every_taxon_is_explained),
		cmocka_unit_test(bad_numbers_are_refused),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
