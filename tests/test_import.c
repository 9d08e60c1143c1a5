/* labels: unit sql; timeout: 300 */
/* Folders and manifests as people have them, imported: what goes in, how it is grouped, what is refused and why. */
#include "job.h"
#include "job_batch.h"
#include "support_import.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define T0 1714557600000LL /* 2024-05-01T10:00:00Z */

/* Asserts one number of the database. */
#define IS(value, ...) assert_int_equal(test_sql(&w->p, __VA_ARGS__), value)

static void folders_are_deployments(void **state)
{
	struct import_world *w = *state;
	import_photo(w, "north/a.jpg", 0);
	import_photo(w, "north/deep/er/b.JPEG", 3600);
	import_photo(w, "south/c.JPG", 0);
	import_photo(w, "loose.jpg", 0);
	text_write(w->photos, "south/notes.txt", "hello");
	text_write(w->photos, "south/._c.JPG", "what a Mac leaves");
	import_well(w);
	assert_int_equal(w->result.n_new, 4);
	assert_int_equal(w->result.n_passed, 2);
	assert_int_equal(w->result.n_problems, 0);
	IS(2,
		"SELECT count(*) FROM media m JOIN deployment d ON d.id = deployment_id WHERE d.name = "
		"'north'");
	IS(1, "SELECT count(*) FROM deployment WHERE name = '%s'", strrchr(w->photos, '/') + 1);
	IS(1, "SELECT count(*) FROM media WHERE file_name = 'north/deep/er/b.JPEG'");
	/* one file more, named alone: it belongs to its folder */
	char one[200];
	import_photo(w, "north/single.jpg", 7000);
	snprintf(one, sizeof one, "%s/north/single.jpg", w->photos);
	w->paths[0] = one;
	import_well(w);
	assert_int_equal(w->result.n_new, 1);
	IS(3, "SELECT count(*) FROM deployment");
	IS(1,
		"SELECT count(*) FROM media m JOIN deployment d ON d.id = deployment_id WHERE d.name = "
		"'north'"
		" AND file_name = 'single.jpg'");
}

static void times(void **state)
{
	struct import_world *w = *state;
	w->offset_s = 2 * 3600;
	import_photo(w, "D/exif.jpg", 0);
	import_photo(w, "D/local.jpg", 0);
	import_photo(w, "D/zoned.jpg", 0);
	photo_write(w->photos, "D/none.jpg", &(struct photo_spec){.seed = 5000});
	import_manifest(w,
		"file,timestamp\nD/exif.jpg,\nD/local.jpg,2024-05-02T12:00:00.250\n"
		"D/zoned.jpg,2024-05-03T12:00:00+05:00\nD/none.jpg,\n");
	import_well(w);
	const int64_t day = 86400000, hour = 3600000;
	IS(1, "SELECT count(*) FROM media WHERE file_name = 'D/exif.jpg' AND taken_ms = %lld",
		(T0 - 2 * hour));
	IS(1, "SELECT count(*) FROM media WHERE file_name = 'D/local.jpg' AND taken_ms = %lld",
		(T0 + day + 250));
	IS(1, "SELECT count(*) FROM media WHERE file_name = 'D/zoned.jpg' AND taken_ms = %lld",
		(T0 + 2 * day - 3 * hour));
	IS(1,
		"SELECT count(*) FROM media m JOIN subject s ON s.id = subject_id WHERE file_name = "
		"'D/none.jpg'"
		" AND taken_ms IS NULL AND s.start_ms IS NULL");
}

static void the_clock_needs_a_zone(void **state)
{
	struct import_world *w = *state;
	w->options.utc_offset_s = NULL;
	import_photo(w, "D/a.jpg", 0);
	int64_t before = import_fingerprint(w);
	assert_int_equal(import_again(w), BAD_INPUT);
	assert_non_null(strstr(w->err.text, "'D'"));
	assert_non_null(strstr(w->err.text, "--utc-offset"));
	assert_int_equal(import_fingerprint(w), before);
	/* a manifest whose times have an offset tells it */
	import_manifest(
		w, "file,timestamp,latitude,longitude\nD/a.jpg,2024-05-01T13:00:00+03:00,-2.5,34.5\n");
	import_well(w);
	IS(1,
		"SELECT count(*) FROM deployment WHERE utc_offset_s = 10800 AND latitude_deg = -2.5 AND "
		"longitude_deg = 34.5");
	/* and a known deployment is not asked again */
	w->options.manifest = NULL;
	import_photo(w, "D/b.jpg", 3 * 3600);
	import_well(w);
	IS(2, "SELECT count(*) FROM media WHERE taken_ms = %lld OR file_name = 'D/a.jpg'", T0);
	/* nor is one whose photographs are all known, but with a new one among them it is */
	char from[100], to[100];
	snprintf(from, sizeof from, "%s/D", w->photos);
	snprintf(to, sizeof to, "%s/E", w->photos);
	assert_int_equal(rename(from, to), 0);
	import_well(w);
	assert_int_equal(w->result.n_same, 2);
	IS(1, "SELECT count(*) FROM deployment");
	import_photo(w, "E/new.jpg", 4 * 3600);
	assert_int_equal(import_again(w), BAD_INPUT);
	assert_non_null(strstr(w->err.text, "'E'"));
}

static void gaps(void **state)
{
	struct import_world *w = *state;
	static const int at[] = {0, 60, 120, 181, 400, 460};
	for (int i = 0; i < 6; i++) {
		char name[20];
		snprintf(name, sizeof name, "D/%d.jpg", i);
		import_photo(w, name, at[i]);
	}
	import_well(w);
	assert_int_equal(w->result.n_subjects, 3);
	IS(1, "SELECT count(*) FROM subject WHERE start_ms = %lld AND end_ms = %lld", T0, T0 + 120000);
	IS(1, "SELECT count(*) FROM subject WHERE start_ms = %lld AND end_ms = %lld", T0 + 181000,
		T0 + 181000);
	IS(1, "SELECT count(*) FROM subject WHERE start_ms = %lld AND end_ms = %lld", T0 + 400000,
		T0 + 460000);
}

static void named_bursts_win(void **state)
{
	struct import_world *w = *state;
	static const char *const files[] = {"a", "b", "c", "d", "e", "f", "n"};
	static const int at[] = {0, 1000, 1010, 1020, 3000, 500, 0};
	for (int i = 0; i < 6; i++) {
		char name[20];
		snprintf(name, sizeof name, "D/%s.jpg", files[i]);
		import_photo(w, name, at[i]);
	}
	photo_write(w->photos, "D/n.jpg", &(struct photo_spec){.seed = 6000}); /* no time, but a name */
	/* c is alone though it is near; y lies within x; f is unnamed inside x */
	import_manifest(w,
		"file,event\nD/a.jpg,x\nD/b.jpg,x\nD/c.jpg,z\nD/d.jpg,\nD/e.jpg,\nD/f.jpg,\nD/n.jpg,x\n");
	import_well(w);
	assert_int_equal(w->result.n_problems, 0);
	IS(1,
		"SELECT count(*) FROM subject WHERE event_name = 'x' AND start_ms = %lld AND end_ms = %lld",
		T0, T0 + 1000000);
	IS(4,
		"SELECT count(*) FROM media m JOIN subject s ON s.id = subject_id WHERE event_name = 'x'");
	IS(1,
		"SELECT count(*) FROM media m JOIN subject s ON s.id = subject_id WHERE event_name = 'z'");
	assert_int_equal(w->result.n_subjects, 4);
}

static void named_bursts_that_overlap(void **state)
{
	struct import_world *w = *state;
	import_photo(w, "D/a.jpg", 0);
	import_photo(w, "D/b.jpg", 100);
	import_photo(w, "D/c.jpg", 50);
	import_photo(w, "D/d.jpg", 150);
	import_photo(w, "D/e.jpg", 1000);
	import_manifest(w, "file,event\nD/a.jpg,x\nD/b.jpg,x\nD/c.jpg,y\nD/d.jpg,y\nD/e.jpg,\n");
	import_well(w);
	assert_int_equal(w->result.n_new, 3);
	assert_int_equal(w->result.n_problems, 2);
	assert_true(import_has_problem(w, "D/c.jpg", "'y' overlaps"));
	assert_true(import_has_problem(w, "D/d.jpg", "'y' overlaps"));
	IS(2, "SELECT count(*) FROM import_problem");
	IS(2, "SELECT count(*) FROM subject");
}

static void again_changes_nothing(void **state)
{
	struct import_world *w = *state;
	import_photo(w, "D/a.jpg", 0);
	import_photo(w, "D/b.jpg", 10);
	import_photo(w, "E/c.jpg", 10);
	char command[300];
	snprintf(command, sizeof command,
		"cd %s && cp D/a.jpg D/twin.jpg && cp D/a.jpg E/twin.jpg && mkdir F && cp D/a.jpg F/",
		w->photos);
	assert_int_equal(system(command), 0);
	text_write(w->photos, "D/text.jpg", "no photograph");
	import_well(w);
	assert_int_equal(w->result.n_new, 3);
	assert_int_equal(w->result.n_same, 3);
	IS(2, "SELECT count(*) FROM deployment"); /* F has nothing of its own */
	int64_t before = import_fingerprint(w);
	w->options.now_ms = 2000;
	import_well(w);
	assert_int_equal(w->result.n_new, 0);
	assert_int_equal(w->result.n_same, 6);
	assert_int_equal(w->result.n_subjects, 0);
	assert_int_equal(import_fingerprint(w), before);
}

static void a_half_written_file_is_written_again(void **state)
{
	struct import_world *w = *state;
	char command[300];
	import_photo(w, "D/a.jpg", 0);
	import_well(w);
	int64_t bytes = import_fingerprint(w);
	/* a power cut before the commit: names are there, bytes are not */
	test_sql(&w->p, "DELETE FROM media; DELETE FROM subject; DELETE FROM deployment;");
	snprintf(command, sizeof command,
		"cd %s && mkdir -p parts && touch parts/999999999-1 parts/%ld-1 && find media renditions "
		"-name '*.jpg' -exec truncate -s 10 {} +",
		w->p.dir, (long)getpid());
	assert_int_equal(system(command), 0);
	import_well(w);
	snprintf(command, sizeof command,
		"cd %s && test $(ls parts) = %ld-1 && rm parts/* && ! find media renditions -name '*.jpg' "
		"-size -20c | grep -q .",
		w->p.dir, (long)getpid());
	assert_int_equal(system(command), 0);
	assert_true(import_fingerprint(w) != bytes); /* other inodes: the files were made anew */
}

static void photographs_that_come_later(void **state)
{
	struct import_world *w = *state;
	import_photo(w, "D/a.jpg", 0);
	import_photo(w, "D/b.jpg", 50);
	import_photo(w, "D/x.jpg", 1000);
	import_photo(w, "D/z.jpg", 1050);
	import_well(w);
	test_answer(&w->p, test_sql(&w->p, "SELECT max(id) FROM subject"), 0, 1, 5000, &w->err);
	import_photo(w, "D/c.jpg", 90);    /* joins a, b: nobody has looked at them */
	import_photo(w, "D/y.jpg", 1025);  /* inside the span of x, z */
	import_photo(w, "D/zz.jpg", 1060); /* near it only */
	import_photo(w, "D/w.jpg", 990);
	import_well(w);
	assert_int_equal(w->result.n_new, 4);
	assert_int_equal(w->result.n_subjects, 2);
	IS(3,
		"SELECT count(*) FROM media m JOIN subject s ON s.id = subject_id WHERE start_ms = %lld "
		"AND end_ms = %lld",
		T0, T0 + 90000);
	IS(3,
		"SELECT count(*) FROM media m JOIN subject s ON s.id = subject_id WHERE start_ms = %lld "
		"AND end_ms = %lld",
		T0 + 1000000, T0 + 1050000);
}

static void bad_files_are_listed(void **state)
{
	struct import_world *w = *state;
	size_t n;
	uint8_t *bytes = photo_bytes(
		&(struct photo_spec){.seed = 7000, .time = "2024:05:01 10:00:00"}, &n);
	file_write(w->photos, "D/cut.jpg", bytes, n / 2);
	free(bytes);
	text_write(w->photos, "D/text.jpg", "This is no photograph.\n");
	text_write(w->photos, "D/empty.jpg", "");
	header_write(w->photos, "D/huge.jpg", 60000, 60000);
	import_photo(w, "D/good.jpg", 0);
	char path[300];
	snprintf(path, sizeof path, "%s/D/pipe.jpg", w->photos);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof path, "%s/D/loop", w->photos);
	assert_int_equal(symlink("..", path), 0);
	snprintf(path, sizeof path, "%s/D/link.jpg", w->photos);
	assert_int_equal(symlink("good.jpg", path), 0);
	import_well(w);
	assert_int_equal(w->result.n_new, 1);
	assert_int_equal(w->result.n_passed, 1); /* the pipe */
	assert_true(import_has_problem(w, "D/cut.jpg", "cut short"));
	assert_true(import_has_problem(w, "D/text.jpg", "JPEG"));
	assert_true(import_has_problem(w, "D/empty.jpg", "is empty"));
	assert_true(import_has_problem(w, "D/huge.jpg", "60000"));
	assert_true(import_has_problem(w, "D/loop", "symbolic link"));
	assert_true(import_has_problem(w, "D/link.jpg", "symbolic link"));
	assert_int_equal(w->result.n_problems, 6);
	IS(6, "SELECT count(*) FROM import_problem");
}

static void manifests_with_mistakes(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"file,label\nD/a.jpg,unicorn\n", "manifest.csv:2: the project has no taxon 'unicorn'"},
		{"file,timestamp\nD/a.jpg,2024-13-01T00:00:00\n", "manifest.csv:2: timestamp"},
		{"file,timestamp\nD/a.jpg,yesterday\n", "manifest.csv:2: timestamp"},
		{"name,label\nD/a.jpg,blank\n", "manifest.csv:1: there is no column \"file\""},
		{"file,latitude,longitude\nD/a.jpg,91,0\n", "manifest.csv:2: latitude"},
		{"file\nD/a.jpg\nD/a.jpg\n", "manifest.csv:3: \"D/a.jpg\" is named twice"},
		{"file\n../a.jpg\n", "manifest.csv:2:"},
		{"", "manifest.csv:1:"},
	};
	struct import_world *w = *state;
	import_photo(w, "D/a.jpg", 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		import_manifest(w, rows[i].text);
		int64_t before = import_fingerprint(w);
		assert_int_equal(import_again(w), BAD_INPUT);
		assert_non_null(w->result.manifest_errors);
		if (!w->result.manifest_errors[0] || !strstr(w->result.manifest_errors[0], rows[i].says))
			fail_msg("%s: %s", rows[i].text, w->result.manifest_errors[0]);
		assert_int_equal(import_fingerprint(w), before);
	}
	/* a file that is not there is listed; the rest goes in */
	import_manifest(w, "file\nD/a.jpg\nD/gone.jpg\n");
	import_well(w);
	assert_int_equal(w->result.n_new, 1);
	assert_true(import_has_problem(w, "D/gone.jpg", "not there"));
	IS(1, "SELECT count(*) FROM import_problem");
	/* also when nothing else is to be done */
	import_manifest(w, "file\nD/elsewhere.jpg\n");
	import_well(w);
	IS(2, "SELECT count(*) FROM import_problem");
}

static void labels_are_gold(void **state)
{
	struct import_world *w = *state;
	import_photo(w, "D/a.jpg", 0);
	import_photo(w, "D/b.jpg", 10);
	import_photo(w, "D/c.jpg", 1000);
	import_photo(w, "D/d.jpg", 2000);
	import_photo(w, "D/e.jpg", 2010);
	import_manifest(w,
		"file,label,note\nD/a.jpg,animal1,\nD/b.jpg,,wet\nD/c.jpg,blank,\nD/d.jpg,animal1,\nD/"
		"e.jpg,animal2,\n");
	import_well(w);
	assert_int_equal(w->result.n_gold, 2);
	assert_int_equal(w->result.n_new, 5);
	assert_int_equal(w->result.n_problems, 1); /* two labels for one event: none is taken */
	assert_true(
		import_has_problem(w, "D/d.jpg", "two labels to one event, 'animal2' and 'animal1'"));
	IS(2, "SELECT count(*) FROM subject WHERE state = 'retired' AND decided_by = 'expert'");
	IS(1, "SELECT count(*) FROM subject WHERE state = 'open' AND label_id IS NULL");
	IS(2,
		"SELECT count(*) FROM gold WHERE purpose = 'train-people' AND p_draw IS NULL AND taxon_id "
		"IS NOT NULL");
	IS(1, "SELECT count(*) FROM media WHERE json_extract(metadata, '$.note') = 'wet'");
	/* what is here already keeps its label, and the user is told */
	import_manifest(w, "file,label\nD/a.jpg,animal2\nD/c.jpg,blank\n");
	int64_t before = test_sql(&w->p, "SELECT sum(taxon_id) FROM gold");
	import_well(w);
	assert_int_equal(w->result.n_problems, 1);
	assert_true(import_has_problem(w, "D/a.jpg", "gold for animal1"));
	IS(before, "SELECT sum(taxon_id) FROM gold");
}

static void linked_originals_stay(void **state)
{
	struct import_world *w = *state;
	char folder[200], command[300];
	import_photo(w, "D/a.jpg", 0);
	snprintf(folder, sizeof folder, "%s/D/../D", w->photos);
	w->paths[0] = folder;
	w->options.link = true;
	import_well(w);
	IS(1, "SELECT count(*) FROM media WHERE link_path = '%s/D/a.jpg'", w->photos);
	snprintf(command, sizeof command,
		"! find %s/media -name '*.jpg' | grep -q . && test $(find %s/renditions -name '*.jpg' | wc "
		"-l) = 3",
		w->p.dir, w->p.dir);
	assert_int_equal(system(command), 0);
}

static void the_strip_is_cut(void **state)
{
	struct import_world *w = *state;
	char command[400];
	photo_write(w->photos, "D/a.jpg",
		&(struct photo_spec){.seed = 8000, .width_px = 640, .height_px = 480, .strip_px = 48});
	w->options.crop_bottom_px = 48;
	import_well(w);
	IS(1, "SELECT count(*) FROM media WHERE crop_bottom_px = 48 AND height_px = 480");
	/* 640 x 432 is 40:27 in every size */
	snprintf(command, sizeof command,
		"cd %s/renditions && test $(find . -name '*-48.jpg' | wc -l) = 3 && test $(ls 320/*/ | wc "
		"-l) = 1",
		w->p.dir);
	assert_int_equal(system(command), 0);
	w->options.crop_bottom_px = 20;
	int64_t before = import_fingerprint(w);
	assert_int_equal(import_again(w), CONFLICT);
	assert_non_null(strstr(w->err.text, "48"));
	assert_int_equal(import_fingerprint(w), before);
	/* what the deployment has holds when nothing is said */
	photo_write(w->photos, "D/b.jpg",
		&(struct photo_spec){.seed = 8001, .width_px = 640, .height_px = 480, .strip_px = 48});
	w->options.crop_bottom_px = -1;
	import_well(w);
	IS(2, "SELECT count(*) FROM media WHERE crop_bottom_px = 48");
	photo_write(w->photos, "D/c.jpg", &(struct photo_spec){.seed = 8002, .height_px = 40});
	import_well(w);
	assert_int_equal(w->result.n_problems, 1); /* shorter than the strip */
}

/* Nothing that the camera wrote about itself or its place is in a rendition. */
/* What models see has the size that the project wanted when it was imported, and they are told which. */
static void models_see_the_projects_size(void **state)
{
	struct import_world *w = *state;
	char path[300], hash[65];
	import_photo(w, "a.jpg", 0);
	import_well(w);
	json_t *file = json_pack("{s:i}", "model_px", 640), *subject = json_object();
	assert_int_equal(project_set(w->p.db, w->p.id, file, 2, &w->err), OK);
	json_decref(file);
	import_photo(w, "b.jpg", 5000);
	import_well(w);
	assert_int_equal(test_sql(&w->p, "SELECT sum(model_px) FROM media"), 448 + 640);
	int64_t id = test_sql(&w->p, "SELECT subject_id FROM media WHERE model_px = 640");
	assert_int_equal(job_subject_json(w->p.db, id, NULL, subject, &w->err), OK);
	const json_t *frame = json_array_get(json_object_get(subject, "frames"), 0);
	assert_int_equal(json_integer_value(json_object_get(frame, "px")), 640);
	snprintf(hash, sizeof hash, "%s", json_string_value(json_object_get(frame, "sha256")));
	snprintf(path, sizeof path, "%s/renditions/640/%.2s/%s-0.jpg", w->p.dir, hash, hash);
	assert_int_equal(access(path, R_OK), 0);
	snprintf(path, sizeof path, "%s/renditions/448/%.2s/%s-0.jpg", w->p.dir, hash, hash);
	assert_int_not_equal(access(path, R_OK), 0);
	json_decref(subject);
}

static void renditions_tell_nothing(void **state)
{
	struct import_world *w = *state;
	char command[500];
	import_photo(w, "D/a.jpg", 0);
	import_well(w);
	snprintf(command, sizeof command,
		"cd %s && grep -rqa " PHOTO_MAKE
		" media && grep -rqa Exif media && test $(find renditions -name '*.jpg' | wc -l) = 3"
		" && ! grep -rqa -e " PHOTO_MAKE " -e Exif renditions",
		w->p.dir);
	assert_int_equal(system(command), 0);
}

static void odd_names(void **state)
{
	static const char *const names[] = {"D 1/with space.jpg", "D'q/it's \"quoted\".jpg",
		"D\xc3\xa9/\xe7\x8b\xae.jpg", "D/new\nline.jpg", "D/-rf.jpg", "D/a%20b;$(x).jpg",
		"St\xf6/a.jpg", "St\xfc/a.jpg", "D/.hidden.jpg"};
	struct import_world *w = *state;
	size_t n = sizeof names / sizeof *names;
	for (size_t i = 0; i < n; i++)
		import_photo(w, names[i], (int)i * 100);
	text_write(w->photos, "D/\x1b[31mbad.jpg", "no picture");
	import_well(w);
	assert_int_equal(w->result.n_new, n);
	IS(1, "SELECT count(*) FROM media WHERE file_name = 'D/new%%0Aline.jpg'");
	IS(1, "SELECT count(*) FROM deployment WHERE name = 'St%%F6'"); /* two cameras stay two */
	IS(1, "SELECT count(*) FROM deployment WHERE name = 'St%%FC'");
	IS(1, "SELECT count(*) FROM deployment WHERE name = 'D\xc3\xa9'");
	assert_true(import_has_problem(w, "D/%1B[31mbad.jpg", "JPEG"));
	int64_t before = import_fingerprint(w);
	import_well(w);
	assert_int_equal(w->result.n_same, n);
	assert_int_equal(import_fingerprint(w), before);
}

/* Somebody keeps the data directory among the photographs: its pictures are not photographs. */
static void the_data_directory_is_no_source(void **state)
{
	struct import_world *w = *state;
	char path[300];
	import_photo(w, "D/a.jpg", 0);
	import_well(w);
	snprintf(path, sizeof path, "%s/media", w->p.dir);
	w->paths[0] = path;
	assert_int_equal(import_again(w), BAD_INPUT);
	int64_t before = test_sql(&w->p, "SELECT count(*) FROM media");
	snprintf(path, sizeof path, "%s/in", w->photos);
	assert_int_equal(mkdir(path, 0700), 0);
	char command[300];
	snprintf(command, sizeof command, "mv %s %s/in/data", w->p.dir, w->photos);
	db_close(w->p.db);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof path, "%s/in/data", w->photos);
	assert_int_equal(db_open(path, DB_WRITE, &w->p.db, &w->err), OK);
	w->paths[0] = w->photos;
	import_well(w);
	assert_int_equal(w->result.n_files, 1);
	assert_int_equal(w->result.n_same, 1);
	db_close(w->p.db);
	snprintf(command, sizeof command, "mv %s/in/data %s", w->photos, w->p.dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(db_open(w->p.dir, DB_WRITE, &w->p.db, &w->err), OK);
	IS(before, "SELECT count(*) FROM media");
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, import_world_open, import_world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(folders_are_deployments),
		ROW(times),
		ROW(the_clock_needs_a_zone),
		ROW(gaps),
		ROW(named_bursts_win),
		ROW(named_bursts_that_overlap),
		ROW(again_changes_nothing),
		ROW(a_half_written_file_is_written_again),
		ROW(photographs_that_come_later),
		ROW(bad_files_are_listed),
		ROW(manifests_with_mistakes),
		ROW(labels_are_gold),
		ROW(linked_originals_stay),
		ROW(the_strip_is_cut),
		ROW(models_see_the_projects_size),
		ROW(renditions_tell_nothing),
		ROW(odd_names),
		ROW(the_data_directory_is_no_source),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
