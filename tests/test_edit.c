/* labels: unit sql fault */
/* What people correct by command: a deployment's clock and place, a project's file. */
#include "deployment.h"
#include "project.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

static const char project_file[] =
	"{\"slug\": \"p\", \"title\": \"P\", \"taxa\": ["
	"{\"code\": \"zebra\", \"scientific_name\": \"Equus quagga\", \"common_name\": \"zebra\", "
	"\"hotkey\": \"z\"},"
	"{\"code\": \"blank\", \"kind\": \"blank\", \"common_name\": \"nothing\"}]}";

/* Three events a minute apart, two deployments; the last subject has no time. */
static const char rows[] =
	"INSERT INTO deployment (id, project_id, name, utc_offset_s, created_ms) VALUES"
	" (1, 1, 'a', 7200, 0), (2, 1, 'b', 0, 0);"
	"INSERT INTO subject (id, project_id, deployment_id, start_ms, end_ms, created_ms) VALUES"
	" (1, 1, 1, 60000, 60000, 0), (2, 1, 1, 120000, 125000, 0), (3, 1, 1, 180000, 180000, 0),"
	" (4, 1, 2, 60000, 60000, 0), (5, 1, 1, NULL, NULL, 0);"
	"INSERT INTO media (id, project_id, deployment_id, subject_id, sha256, n_bytes, file_name, "
	"width_px, height_px, crop_bottom_px, camera_ms, taken_ms, created_ms)"
	" SELECT id, 1, deployment_id, id, CAST(printf('%032d', id) AS BLOB), 1, 'x', 1, 1, 0, "
	"start_ms, start_ms, 0 FROM subject;";

static char dir[64];
static struct db *db;
static sqlite3 *raw;

static int set_up(void **state)
{
	(void)state;
	struct err err = {0};
	int64_t id = 0;
	char path[100];
	snprintf(dir, sizeof dir, "/tmp/topi-edit-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	json_t *file = json_loads(project_file, 0, NULL);
	bool ok = file && db_open(dir, DB_CREATE, &db, &err) == OK &&
		project_add(db, file, 0, &id, &err) == OK;
	json_decref(file);
	snprintf(path, sizeof path, "%s/topi.db", dir);
	if (!ok || sqlite3_open(path, &raw) != SQLITE_OK ||
		sqlite3_exec(raw, rows, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "%s %s\n", err.text, raw ? sqlite3_errmsg(raw) : "");
		return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	char command[100];
	sqlite3_close(raw);
	db_close(db);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command); /* a test's own folder under /tmp */
}

/* The rows of a query as "a,b;c,d". */
static const char *ask(const char *query)
{
	static char text[2000];
	sqlite3_stmt *stmt = NULL;
	size_t n = 0;
	text[0] = '\0';
	assert_int_equal(sqlite3_prepare_v2(raw, query, -1, &stmt, NULL), SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(stmt); i++) {
			const char *cell = (const char *)sqlite3_column_text(stmt, i);
			n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", cell ? cell : "-",
				i + 1 < sqlite3_column_count(stmt) ? "," : ";");
		}
	sqlite3_finalize(stmt);
	return text;
}

static enum status set_deployment(
	const char *name, const struct deployment_change *change, struct err *err)
{
	enum status st = db_begin(db, err);
	if (st == OK)
		st = deployment_set(db, 1, name, change, err);
	if (st == OK)
		st = db_commit(db, err);
	db_rollback(db);
	return st;
}

static const char events[] = "SELECT start_ms / 1000, end_ms / 1000 FROM subject ORDER BY id";
static const char photographs[] = "SELECT camera_ms / 1000, taken_ms / 1000 FROM media ORDER BY id";

/* Each row starts where the one above ended. */
static void clocks_are_corrected(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool offset;
		int64_t value;
		const char *events, *photographs;
	} cases[] = {
		/* one event's way forward: each lands where the next one was */
		{"later", false, 60, "120,120;180,185;240,240;60,60;-,-;",
			"60,120;120,180;180,240;60,60;-,-;"},
		{"earlier", false, -60, "0,0;60,65;120,120;60,60;-,-;", "60,0;120,60;180,120;60,60;-,-;"},
		{"far", false, 1000000000,
			"1000000060,1000000060;1000000120,1000000125;1000000180,"
			"1000000180;60,60;-,-;",
			"60,1000000060;120,1000000120;180,1000000180;60,60;-,-;"},
		{"back", false, 0, "60,60;120,125;180,180;60,60;-,-;", "60,60;120,120;180,180;60,60;-,-;"},
		{"another zone", true, 3600, "3660,3660;3720,3725;3780,3780;60,60;-,-;",
			"3660,3660;3720,3720;3780,3780;60,60;-,-;"},
		{"the first zone", true, 7200, "60,60;120,125;180,180;60,60;-,-;",
			"60,60;120,120;180,180;60,60;-,-;"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = {0};
		struct deployment_change change = {0};
		*(cases[i].offset ? &change.utc_offset_s : &change.clock_shift_s) = &cases[i].value;
		print_message("%s\n", cases[i].name);
		/* The nth step fails: all is as it was. Then it goes through. */
		char before[2000];
		snprintf(before, sizeof before, "%s", ask(events));
		enum status st = FULL;
		for (long nth = 1; st != OK; nth++) {
			assert_true(nth < 20);
			assert_string_equal(ask(events), before);
			db_fail_step(nth, FULL);
			st = set_deployment("a", &change, &err);
			db_fail_step(0, OK);
			assert_true(st == OK || st == FULL);
		}
		assert_string_equal(ask(events), cases[i].events);
		assert_string_equal(ask(photographs), cases[i].photographs);
	}
}

static void what_cannot_be_is_refused(void **state)
{
	(void)state;
	const double north = 91, east = -181, nan = 0.0 / 0.0;
	const int64_t odd = 30, wide = 20 * 3600, years = 5000000000, two = 2, fine = 4000000000;
	const struct {
		const char *name;
		struct deployment_change change;
		enum status status;
	} cases[] = {
		{"nobody", {.holdout = &two}, BAD_INPUT},
		{"nobody", {0}, NOT_FOUND},
		{"a", {.latitude_deg = &north}, BAD_INPUT},
		{"a", {.latitude_deg = &nan}, BAD_INPUT},
		{"a", {.longitude_deg = &east}, BAD_INPUT},
		{"a", {.utc_offset_s = &odd}, BAD_INPUT},
		{"a", {.utc_offset_s = &wide}, BAD_INPUT},
		{"a", {.clock_shift_s = &years}, BAD_INPUT},
		{"late", {.clock_shift_s = &fine}, BAD_INPUT},
	};
	assert_int_equal(
		sqlite3_exec(raw,
			"INSERT INTO deployment (id, project_id, name, utc_offset_s, created_ms) VALUES"
			" (3, 1, 'late', 0, 0); INSERT INTO subject (id, project_id, deployment_id, "
			"start_ms, end_ms, created_ms) VALUES (6, 1, 3, 253402300799000, 253402300799000, 0)",
			NULL, NULL, NULL),
		SQLITE_OK);
	char before[2000];
	snprintf(before, sizeof before, "%s", ask(events));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = {0};
		assert_int_equal(set_deployment(cases[i].name, &cases[i].change, &err), cases[i].status);
		assert_true(err.text[0] != 0);
	}
	assert_string_equal(ask(events), before);
	struct err err = {0};
	const double latitude = -2.5, longitude = 34.75;
	const int64_t on = 1;
	assert_int_equal(
		set_deployment("b",
			&(struct deployment_change){
				.latitude_deg = &latitude, .longitude_deg = &longitude, .holdout = &on},
			&err),
		OK);
	struct deployment_list all;
	assert_int_equal(deployment_list(db, 1, &all, &err), OK);
	assert_int_equal(all.n, 3);
	assert_false(all.items[0].placed);
	assert_true(all.items[1].placed && all.items[1].holdout);
	assert_true(all.items[1].latitude_deg == -2.5 && all.items[1].longitude_deg == 34.75);
	assert_int_equal(all.items[0].n_subjects, 4);
	deployment_list_release(&all);
}

static enum status set_project(const char *text, struct err *err)
{
	json_t *file = json_loads(text, 0, NULL);
	assert_non_null(file);
	enum status st = db_begin(db, err);
	if (st == OK)
		st = project_set(db, 1, file, 5, err);
	if (st == OK)
		st = db_commit(db, err);
	db_rollback(db);
	json_decref(file);
	return st;
}

static const char list[] =
	"SELECT id, code, kind, common_name, hotkey, protected, retired_ms FROM taxon ORDER BY id";

static void a_project_is_changed(void **state)
{
	(void)state;
	static const char first[] = "1,zebra,animal,zebra,z,0,-;2,blank,blank,nothing,,0,-;";
	static const struct {
		const char *file;
		enum status status;
		const char *word; /* of the error */
		const char *list; /* afterwards; NULL: as before */
	} cases[] = {
		{"[]", BAD_INPUT, "object", NULL},
		{"{\"colour\": 1}", BAD_INPUT, "colour", NULL},
		{"{\"slug\": \"q\"}", CONFLICT, "slug", NULL},
		{"{\"title\": \"\"}", BAD_INPUT, "title", NULL},
		{"{\"title\": 7}", BAD_INPUT, "title", NULL},
		{"{\"gap_s\": -1}", BAD_INPUT, "gap_s", NULL},
		{"{\"model_px\": 320}", BAD_INPUT, "model_px\" must be a whole number from 321", NULL},
		{"{\"model_px\": 1280}", BAD_INPUT, "model_px", NULL},
		{"{\"camtrap\": 1}", BAD_INPUT, "camtrap", NULL},
		{"{\"policy\": {\"tau\": 0.2}}", CONFLICT, "policy", NULL},
		{"{\"taxa\": 1}", BAD_INPUT, "taxa", NULL},
		{"{\"taxa\": [{\"code\": \"zebra\", \"kind\": \"human\"}]}", CONFLICT, "zebra", NULL},
		{"{\"taxa\": [{\"code\": \"zebra\", \"retired\": true}]}", BAD_INPUT, "at least 2", NULL},
		{"{\"taxa\": [{\"code\": \"zebra\", \"retired\": 1}]}", BAD_INPUT, "retired", NULL},
		{"{\"taxa\": [{\"code\": \"zebra\", \"common_name\": \"\"}]}", BAD_INPUT, "common_name",
			NULL},
		{"{\"title\": \"no\", \"taxa\": [{\"code\": \"b2\", \"kind\": \"blank\", \"common_name\": "
		 "\"b\"}]}",
			CONFLICT, "blank", NULL},
		{"{\"taxa\": [{\"code\": \"lion\", \"scientific_name\": \"Panthera leo\", \"common_name\": "
		 "\"lion\", \"hotkey\": \"z\"}]}",
			BAD_INPUT, "hotkey", NULL},
		{"{\"taxa\": [{\"code\": \"zebra\", \"hotkey\": \"+\"}]}", BAD_INPUT,
			"taxon zebra: the hotkey '+'", NULL},
		{"{\"taxa\": [{\"code\": \"zebra\", \"hotkey\": \"/\"}]}", BAD_INPUT, "hotkey '/'", NULL},
		{"{\"taxa\": [{\"code\": \"zebra\", \"hotkey\": \" \"}]}", BAD_INPUT, "hotkey ' '", NULL},
		{"{\"taxa\": [{\"code\": \"zebra\", \"hotkey\": \"0\"}]}", BAD_INPUT, "hotkey '0'", NULL},
		{"{\"taxa\": [{\"code\": \"zebra\", \"hotkey\": \"zz\"}]}", BAD_INPUT, "one letter", NULL},
		{"{\"taxa\": [{\"code\": \"lion\", \"scientific_name\": \"Panthera leo\", \"common_name\": "
		 "\"lion\", \"hotkey\": \"?\"}]}",
			BAD_INPUT, "taxon lion: the hotkey '?'", NULL},
		{"{\"title\": \"New\", \"camtrap\": {\"samplingDesign\": \"targeted\"}, \"taxa\": ["
		 "{\"code\": \"lion\", \"scientific_name\": \"Panthera leo\", \"common_name\": \"lion\", "
		 "\"hotkey\": \"z\"}, {\"code\": \"zebra\", \"protected\": true, \"hotkey\": \"\"}]}",
			OK, "",
			"1,zebra,animal,zebra,,1,-;2,blank,blank,nothing,,0,-;3,lion,animal,lion,z,0,-;"},
		{"{\"taxa\": [{\"code\": \"zebra\", \"retired\": true}]}", OK, "",
			"1,zebra,animal,zebra,,1,5;2,blank,blank,nothing,,0,-;3,lion,animal,lion,z,0,-;"},
		{"{\"taxa\": [{\"code\": \"zebra\", \"retired\": false}]}", OK, "",
			"1,zebra,animal,zebra,,1,-;2,blank,blank,nothing,,0,-;3,lion,animal,lion,z,0,-;"},
	};
	char before[2000];
	snprintf(before, sizeof before, "%s", first);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = {0};
		if (set_project(cases[i].file, &err) != cases[i].status || !strstr(err.text, cases[i].word))
			fail_msg("%s: %s", cases[i].file, err.text);
		if (cases[i].list)
			snprintf(before, sizeof before, "%s", cases[i].list);
		assert_string_equal(ask(list), before);
	}
	assert_string_equal(
		ask("SELECT title, camtrap FROM project"), "New,{\"samplingDesign\":\"targeted\"};");
}

/* A key of before it was reserved is in nobody's way until its taxon is given another. */
static void a_reserved_key_stays_until_another_is_given(void **state)
{
	(void)state;
	static const struct {
		const char *file;
		enum status status;
		const char *word, *keys; /* of the error; zebra's and lion's afterwards */
	} cases[] = {
		{"{\"title\": \"Newer\", \"taxa\": [{\"code\": \"lion\", \"hotkey\": \"l\"}]}", OK, "",
			"+;l;"},
		{"{\"taxa\": [{\"code\": \"zebra\", \"hotkey\": \"+\", \"rank\": \"species\"}]}", OK, "",
			"+;l;"},
		{"{\"taxa\": [{\"code\": \"zebra\", \"hotkey\": \"/\"}]}", BAD_INPUT,
			"taxon zebra: the hotkey '/'", "+;l;"},
		{"{\"taxa\": [{\"code\": \"lion\", \"hotkey\": \"+\"}]}", BAD_INPUT,
			"taxon lion: the hotkey '+'", "+;l;"},
		{"{\"taxa\": [{\"code\": \"zebra\", \"hotkey\": \"y\"}]}", OK, "", "y;l;"},
	};
	ask("UPDATE taxon SET hotkey = '+' WHERE code = 'zebra'");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = {0};
		if (set_project(cases[i].file, &err) != cases[i].status || !strstr(err.text, cases[i].word))
			fail_msg("%s: %s", cases[i].file, err.text);
		assert_string_equal(
			ask("SELECT hotkey FROM taxon WHERE code <> 'blank' ORDER BY id"), cases[i].keys);
	}
}

/* What show prints, add takes, and says the same of what it made. */
static void show_and_add_agree(void **state)
{
	(void)state;
	struct err err = {0};
	json_t *file = NULL, *again = NULL;
	int64_t id = 0;
	assert_int_equal(project_show(db, 1, &file, &err), OK);
	assert_int_equal(json_array_size(json_object_get(file, "taxa")), 3);
	char *text = json_dumps(file, 0);
	assert_int_equal(set_project(text, &err), OK); /* nothing changes */
	free(text);
	json_object_set_new(file, "slug", json_string("other"));
	if (project_add(db, file, 0, &id, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(project_show(db, id, &again, &err), OK);
	assert_true(json_equal(file, again));
	json_decref(file);
	json_decref(again);
}

/* Of the events at 60, 120 to 125 and 180 s of one deployment, none may be met by another. */
static void events_never_overlap(void **state)
{
	(void)state;
	static const struct {
		int start_s, end_s;
		bool fits;
	} cases[] = {{0, 59, true}, {0, 60, false}, {60, 60, false}, {50, 70, false}, {61, 119, true},
		{61, 120, false}, {121, 124, false}, {125, 130, false}, {110, 200, false}, {126, 179, true},
		{0, 1000, false}, {180, 300, false}, {181, 300, true}};
	assert_string_equal(ask("SELECT start_ms / 1000, end_ms / 1000 FROM subject WHERE "
							"deployment_id = 1 ORDER BY id"),
		"60,60;120,125;180,180;-,-;");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int update = 0; update < 2; update++) {
			char text[500];
			snprintf(text, sizeof text,
				update ? "BEGIN; INSERT INTO subject (id, project_id, deployment_id, start_ms, "
						 "end_ms, "
						 "created_ms) VALUES (99, 1, 1, 900000000, 900000000, 0);"
						 "UPDATE subject SET start_ms = %d000, end_ms = %d000 WHERE id = 99"
					   : "BEGIN; INSERT INTO subject (project_id, deployment_id, start_ms, end_ms, "
						 "created_ms) "
						 "VALUES (1, 1, %d000, %d000, 0)",
				cases[i].start_s, cases[i].end_s);
			int code = sqlite3_exec(raw, text, NULL, NULL, NULL);
			sqlite3_exec(raw, "ROLLBACK", NULL, NULL, NULL);
			if ((code == SQLITE_OK) != cases[i].fits)
				fail_msg("%d to %d s: %s", cases[i].start_s, cases[i].end_s, sqlite3_errmsg(raw));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_are_corrected),
		cmocka_unit_test(events_never_overlap),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(a_project_is_changed),
		cmocka_unit_test(a_reserved_key_stays_until_another_is_given),
		cmocka_unit_test(show_and_add_agree),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
