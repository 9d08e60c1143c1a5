/* labels: fault; timeout: 300 */
/* Imports that are stopped: by the Nth statement, by a full disk, by kill -9. Whatever stops one, a deployment is in or
 * out as a whole, and another import finishes the work as if nothing had been. */
#include "support_command.h"
#include "support_import.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNTS                                                                                     \
	"SELECT (SELECT count(*) FROM media) * 1000000000 + (SELECT count(*) FROM subject) * 10000 + " \
	"(SELECT count(*) FROM deployment) * 1000 + (SELECT count(*) FROM gold) * 100 + "              \
	"(SELECT count(*) FROM import_problem)"

static void wipe(struct import_world *w)
{
	test_sql(&w->p,
		"DELETE FROM job; DELETE FROM label_event; DELETE FROM gold; DELETE FROM media; DELETE "
		"FROM subject;"
		"DELETE FROM deployment; DELETE FROM import_problem;");
}

/* Deployment D has 3 photographs in 2 events, E has 1, and a damaged file. */
static void assert_whole_deployments(struct import_world *w)
{
	int64_t d = test_sql(&w->p,
		"SELECT count(*) FROM media m JOIN deployment d ON d.id = deployment_id WHERE name = 'D'");
	int64_t e = test_sql(&w->p,
		"SELECT count(*) FROM media m JOIN deployment d ON d.id = deployment_id WHERE name = 'E'");
	assert_true(d == 0 || d == 3);
	assert_true(e == 0 || e == 1);
	assert_int_equal(test_sql(&w->p, "SELECT count(*) FROM deployment"), (d > 0) + (e > 0));
	assert_int_equal(test_sql(&w->p, "SELECT count(*) FROM subject"), 2 * (d > 0) + (e > 0));
	assert_int_equal(test_sql(&w->p, "SELECT count(*) FROM gold"), d > 0);
	/* what is stored will be predicted */
	assert_int_equal(test_sql(&w->p, "SELECT count(*) FROM job"), d > 0 || e > 0);
	assert_int_equal(w->result.n_new, d + e);
}

static void every_statement_fails_once(void **state)
{
	struct import_world *w = *state;
	static const enum status as[] = {FULL, FAULT, BUSY};
	import_photo(w, "D/a.jpg", 0);
	import_photo(w, "D/b.jpg", 10);
	import_photo(w, "D/c.jpg", 1000);
	import_photo(w, "E/a.jpg", 0);
	text_write(w->photos, "E/bad.jpg", "no photograph");
	import_manifest(
		w, "file,label,event\nD/a.jpg,animal1,\nD/b.jpg,,\nD/c.jpg,,x\nE/a.jpg,,\nE/bad.jpg,,\n");
	test_model(&w->p, 3);
	long before = db_n_steps();
	import_well(w);
	long n_steps = db_n_steps() - before;
	int64_t whole = test_sql(&w->p, COUNTS);
	assert_true(n_steps > 20 && whole > 4000000000);
	for (long nth = 1; nth <= n_steps; nth++) {
		enum status want = as[nth % 3];
		wipe(w);
		db_fail_step(nth, want);
		enum status st = import_again(w);
		db_fail_step(0, OK);
		if (st != want)
			fail_msg(
				"step %ld of %ld: %s, not %s", nth, n_steps, status_name(st), status_name(want));
		assert_true(strlen(w->err.text) > 5);
		assert_whole_deployments(w);
		import_well(w);
		assert_int_equal(test_sql(&w->p, COUNTS), whole);
	}
}

/* Photographs of some weight, so that files fill a disk before the database does. */
static void many_photographs(struct import_world *w, int n)
{
	for (int i = 0; i < n; i++) {
		char name[40], time[64];
		snprintf(name, sizeof name, "D%d/%d.jpg", i % 6, i);
		snprintf(time, sizeof time, "2024:05:01 %02d:%02d:00", 10 + i / 60, i % 60);
		photo_write(w->photos, name,
			&(struct photo_spec){
				.time = time, .seed = 9000 + i, .width_px = 640, .height_px = 480});
	}
}

static int import_by_command(const struct import_world *w, const char *dir)
{
	return command(TOPI " import %s p %s --utc-offset Z --json 2>&1", dir, w->photos);
}

/* What is in the database, as numbers that do not depend on the order of its making. */
struct rows {
	int64_t counts, media, subjects;
};

static struct rows rows_of(const char *dir)
{
	struct test_project p = {0};
	snprintf(p.dir, sizeof p.dir, "%s", dir);
	assert_int_equal(
		test_sql(&p, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
		0);
	assert_int_equal(test_sql(&p, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	return (struct rows){test_sql(&p, COUNTS),
		test_sql(&p,
			"SELECT total((taken_ms / 1000 + n_bytes * 31 + length(file_name)) %% 100003 * "
			"instr('0123456789ABCDEF', substr(hex(sha256), 1, 1))) FROM media"),
		test_sql(&p,
			"SELECT total((start_ms / 1000 * 7 + end_ms / 1000) %% 100003 * n) FROM (SELECT "
			"s.start_ms, s.end_ms, "
			"count(*) n FROM subject s JOIN media m ON m.subject_id = s.id GROUP BY s.id)")};
}

static void assert_same_rows(const char *dir, struct rows want)
{
	struct rows got = rows_of(dir);
	assert_int_equal(got.counts, want.counts);
	assert_int_equal(got.media, want.media);
	assert_int_equal(got.subjects, want.subjects);
}

/* Every row has its files, whole, and nothing half written is left. */
static void assert_files(const char *dir, int n)
{
	assert_int_equal(command("cd %s && test $(find media -name '*.jpg' | wc -l) = %d && test "
							 "$(find renditions -name '*.jpg' "
							 "| wc -l) = %d && test -z \"$(ls parts)\" && ! find media renditions "
							 "-type f ! -name '*.jpg' | grep -q .",
						 dir, n, 3 * n),
		0);
}

static void killed_at_any_point(void **state)
{
	enum { N = 120, KILLS = 10 };
	struct import_world *w = *state;
	char calm[100], killed[100];
	many_photographs(w, N);
	snprintf(calm, sizeof calm, "%s/calm", w->p.dir);
	snprintf(killed, sizeof killed, "%s/kill", w->p.dir);
	command_init(calm);
	command_init(killed);
	struct timespec begun, ended;
	clock_gettime(CLOCK_MONOTONIC, &begun);
	assert_int_equal(import_by_command(w, calm), 0);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	double whole_s = (double)(ended.tv_sec - begun.tv_sec) +
		1e-9 * (double)(ended.tv_nsec - begun.tv_nsec);
	struct rows want = rows_of(calm);
	int n_killed = 0;
	for (int i = 0; i < KILLS; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			freopen("/dev/null", "w", stdout);
			freopen("/dev/null", "w", stderr);
			execl(TOPI, "topi", "import", killed, "p", w->photos, "--utc-offset", "Z", NULL);
			_exit(127);
		}
		/* spread over the whole run, at uneven points */
		double after_s = whole_s * (0.05 + 0.9 * (double)(i * 37 % KILLS) / KILLS) / (i + 1);
		nanosleep(
			&(struct timespec){(time_t)after_s, (long)((after_s - (double)(time_t)after_s) * 1e9)},
			NULL);
		kill(pid, SIGKILL);
		int code = 0;
		waitpid(pid, &code, 0);
		n_killed += WIFSIGNALED(code);
	}
	assert_true(n_killed >= KILLS / 2);
	assert_int_equal(import_by_command(w, killed), 0);
	assert_same_rows(killed, want);
	assert_files(killed, N);
	assert_int_equal(import_by_command(w, killed), 0);
	assert_non_null(strstr(command_out, "\"new\":0"));
	assert_same_rows(killed, want);
}

static void two_at_once(void **state)
{
	struct import_world *w = *state;
	char one[100], two[100];
	many_photographs(w, 60);
	snprintf(one, sizeof one, "%s/one", w->p.dir);
	snprintf(two, sizeof two, "%s/two", w->p.dir);
	command_init(one);
	command_init(two);
	assert_int_equal(import_by_command(w, one), 0);
	assert_int_equal(command(TOPI " import %s p %s --utc-offset Z >/dev/null 2>&1 & " TOPI
								  " import %s p %s --utc-offset Z 2>&1; c=$?; wait $! && exit $c",
						 two, w->photos, two, w->photos),
		0);
	assert_same_rows(two, rows_of(one));
	assert_files(two, 60);
}

static void a_limit_on_files(void **state)
{
	struct import_world *w = *state;
	char dir[100];
	many_photographs(w, 6);
	size_t n_noise = 3 << 20;
	char *noise = calloc(1, n_noise);
	size_t n = 0;
	uint8_t *bytes = photo_bytes(
		&(struct photo_spec){.seed = 1, .time = "2024:05:01 09:00:00"}, &n);
	memcpy(noise, bytes, n); /* what comes behind a picture's end is no harm */
	file_write(w->photos, "D3/large.jpg", noise, n_noise);
	free(bytes);
	free(noise);
	snprintf(dir, sizeof dir, "%s/data", w->p.dir);
	command_init(dir);
	assert_int_equal(
		command("ulimit -f 2048; " TOPI " import %s p %s --utc-offset Z 2>&1", dir, w->photos), 1);
	assert_non_null(strstr(command_out, "topi: "));
	if (!strstr(command_out, "File too large (writing below"))
		fail_msg("%s", command_out);
	assert_true(rows_of(dir).counts / 1000000000 == 3); /* D0 to D2 are in, D3 is not */
	assert_int_equal(import_by_command(w, dir), 0);
	assert_int_equal(rows_of(dir).counts / 1000000000, 7);
	assert_files(dir, 7);
}

/* A disk of 6 MiB of our own, where the machine lets us have one. */
static void a_full_disk(void **state)
{
	struct import_world *w = *state;
	if (command("unshare -m mount -t tmpfs none /mnt 2>&1") != 0) {
		print_message("skipped: no file system may be mounted here\n");
		skip();
	}
	char inside[100], calm[100];
	many_photographs(w, 150);
	snprintf(calm, sizeof calm, "%s/calm", w->p.dir);
	snprintf(inside, sizeof inside, "%s/data", w->p.dir);
	command_init(calm);
	command_init(inside);
	assert_int_equal(import_by_command(w, calm), 0);
	/* The data directory goes onto the small disk, is filled, gets room, is finished, and comes back. */
	int code = command("unshare -m sh -c 'set -e; mkdir %s/small; mount -t tmpfs -o size=6m none "
					   "%s/small; cp -r %s/. %s/small; "
					   "if " TOPI " import %s/small p %s --utc-offset Z; then exit 9; fi; rm -rf "
					   "%s/seen; cp -r %s/small %s/seen; "
					   "mount -o remount,size=200m %s/small; " TOPI
					   " import %s/small p %s --utc-offset Z; rm -rf %s; cp -r %s/small %s' 2>&1",
		w->p.dir, w->p.dir, inside, w->p.dir, w->p.dir, w->photos, w->p.dir, w->p.dir, w->p.dir,
		w->p.dir, w->p.dir, w->photos, inside, w->p.dir, inside);
	if (code != 0)
		fail_msg("%d: %s", code, command_out);
	assert_non_null(strstr(command_out, "topi: "));
	if (!strstr(command_out, "No space left on device (writing below"))
		fail_msg("%s", command_out);
	char seen[100];
	snprintf(seen, sizeof seen, "%s/seen", w->p.dir);
	int64_t counts = rows_of(seen).counts;
	assert_int_equal(counts / 1000000000 % 25, 0); /* whole deployments of 25 */
	assert_true(counts / 1000000000 < 150);
	assert_same_rows(inside, rows_of(calm));
	assert_files(inside, 150);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, import_world_open, import_world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(every_statement_fails_once),
		ROW(killed_at_any_point),
		ROW(two_at_once),
		ROW(a_limit_on_files),
		ROW(a_full_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
