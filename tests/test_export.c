/* labels: unit sql fault; timeout: 120 */
/*
 * Exports of a project made by hand: two time zones, every state and decider, a protected taxon, a person, names with
 * commas, quotes, newlines, pipes and letters beyond ASCII. What is expected stands here byte for byte.
 */
#include "export.h"
#include "sheet.h"
#include "support_export.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

/* One row a line. */
/* clang-format off */
static const char wanted_labels[] =
	"subject,deployment,event,start,end,n_frames,files,label,scientific_name,state,decided_by,reason,probability,n_answers,n_cant_tell,model,certificate,policy,decided,gold,audit,n_species,count,count_min,count_max,young,behaviours,sex,life_stage,model_count,model_young,model_behaviours\r\n"
	"1,\"cam, \"\"A\"\"\",e1,2020-05-30T03:53:20+03:00,2020-05-30T03:53:25+03:00,2,\"IMG_1.JPG|Gro\xc3\x9f, \"\"a\\|b\"\"\n\xef\xbf\xbd.jpg\",zebra,Equus quagga,retired,people,risk,0.9876,3,0,,,1,2020-05-31T07:40:00+03:00,,,1,2,2,5,,,,,,,\r\n"
	"2,\"cam, \"\"A\"\"\",ev|2,2020-05-30T06:40:00+03:00,2020-05-30T06:40:00+03:00,1,IMG_2.JPG,rhino,Diceros bicornis,retired,expert,expert,1,0,0,,,1,2020-05-31T07:40:00+03:00,certify,,1,,,,,,,,,,\r\n"
	"3,\"cam, \"\"A\"\"\",e3,2020-05-30T09:26:40+03:00,2020-05-30T09:26:40+03:00,1,IMG_3.JPG,blank,,retired,model,certificate,0.999,0,0,m1,7,1,2020-05-31T07:40:00+03:00,,audit:crowd,0,,,,,,,,,,\r\n"
	"4,NA,e4,2020-05-29T21:23:20-03:30,2020-05-29T21:23:20-03:30,1,IMG_4.JPG,,,open,,,,0,0,,,,,,,0,,,,,,,,,,\r\n"
	"5,NA,e5,2020-05-30T00:10:00-03:30,2020-05-30T00:10:00-03:30,1,IMG_5.JPG,,,retired,,cant_tell,,0,3,,,,2020-05-31T01:10:00-03:30,,,0,,,,,,,,,,\r\n"
	"6,NA,e6,2020-05-30T02:56:40-03:30,2020-05-30T02:56:40-03:30,1,IMG_6.JPG,human,,retired,people,risk,0.97,2,0,,,1,2020-05-31T01:10:00-03:30,,,1,,,,,,,,,,\r\n"
	"7,NA,e7,2020-05-30T05:43:20-03:30,2020-05-30T05:43:20-03:30,1,IMG_7.JPG,,,expert,,,,20,0,,,,,,,0,,,,,,,,,,\r\n"
	"8,cam A again,e8,2020-05-31T07:40:00+03:00,2020-05-31T07:40:00+03:00,1,IMG_8.JPG,vehicle,,retired,expert,expert,1,0,0,,,1,2020-05-31T07:40:00+03:00,probe,,1,,,,,,,,,,\r\n";

static const char wanted_answers[] =
	"classification,uuid,subject,deployment,volunteer,answer,label,scientific_name,count,details,counted,expert,blind,credited,superseded_by,shown,guess,guess_model,told,policy,model,duration_ms,created,subject_label,gold,gold_label,several\r\n"
	"1,30303030303030303030303030303031,1,\"cam, \"\"A\"\"\",1,taxa,zebra,Equus quagga,2,{},1,0,0,0,,survey,,,0,1,,1500,2020-05-31T04:23:20Z,zebra,,,0\r\n"
	"2,30303030303030303030303030303032,1,\"cam, \"\"A\"\"\",2,taxa,zebra,Equus quagga,5,{},1,0,0,0,,confirm,zebra,m1,1,1,m1,,2020-05-31T04:40:00Z,zebra,,,0\r\n"
	"3,30303030303030303030303030303033,5,NA,1,cant_tell,,,,,1,0,1,0,,survey,,,0,1,,,2020-05-31T04:40:00Z,,,,0\r\n"
	"4,30303030303030303030303030303034,4,NA,1,taxa,zebra,Equus quagga,9,{},1,0,0,0,5,survey,,,0,1,,,2020-05-31T04:40:00Z,,,,0\r\n"
	"5,30303030303030303030303030303035,4,NA,1,undone,,,,,0,0,0,0,,survey,,,0,1,,,2020-05-31T04:40:01Z,,,,0\r\n"
	"6,30303030303030303030303030303036,2,\"cam, \"\"A\"\"\",2,taxa,rhino,Diceros bicornis,,{},1,1,0,0,,survey,,,0,1,,,2020-05-31T04:40:00Z,rhino,certify,rhino,0\r\n";

static const char wanted_deployments[] =
	"deploymentID,locationID,locationName,latitude,longitude,coordinateUncertainty,deploymentStart,deploymentEnd,setupBy,cameraID,cameraModel,cameraDelay,cameraHeight,cameraDepth,cameraTilt,cameraHeading,detectionDistance,timestampIssues,baitUse,featureType,habitat,deploymentGroups,deploymentTags,deploymentComments\r\n"
	"\"cam, \"\"A\"\"\",,\"cam, \"\"A\"\"\",-2.3,34.8,7900,2020-05-30T03:53:20+03:00,2020-05-30T09:26:40+03:00,,,,,,,,,,,,,,,,Start and end are those of the first and last photograph. Coordinates are rounded to 0.1 degrees to protect a taxon seen at this place.\r\n"
	"d2:NA,,d2:NA,10.5,-60.25,,2020-05-29T21:23:20-03:30,2020-05-30T05:43:20-03:30,,,,,,,,,,,,,,,,Start and end are those of the first and last photograph. Times are the camera's clock corrected by 3600 s.\r\n"
	"cam A again,,cam A again,-2.3,34.8,7900,2020-05-31T07:40:00+03:00,2020-05-31T07:40:00+03:00,,,,,,,,,,,,,,,,Start and end are those of the first and last photograph. Coordinates are rounded to 0.1 degrees to protect a taxon seen at this place.\r\n";

static const char wanted_media[] =
	"mediaID,deploymentID,captureMethod,timestamp,filePath,filePublic,fileName,fileMediatype,exifData,favorite,mediaComments\r\n"
	"m1,\"cam, \"\"A\"\"\",activityDetection,2020-05-30T03:53:20+03:00,media/30/3030303030303030303030303030303030303030303030303030303030303031.jpg,true,IMG_1.JPG,image/jpeg,,,\r\n"
	"m2,\"cam, \"\"A\"\"\",activityDetection,2020-05-30T06:40:00+03:00,media/30/3030303030303030303030303030303030303030303030303030303030303032.jpg,true,IMG_2.JPG,image/jpeg,,,\r\n"
	"m3,\"cam, \"\"A\"\"\",activityDetection,2020-05-30T09:26:40+03:00,media/30/3030303030303030303030303030303030303030303030303030303030303033.jpg,true,IMG_3.JPG,image/jpeg,,,\r\n"
	"m4,d2:NA,activityDetection,2020-05-29T21:23:20-03:30,media/30/3030303030303030303030303030303030303030303030303030303030303034.jpg,false,IMG_4.JPG,image/jpeg,,,\r\n"
	"m5,d2:NA,activityDetection,2020-05-30T00:10:00-03:30,media/30/3030303030303030303030303030303030303030303030303030303030303035.jpg,false,IMG_5.JPG,image/jpeg,,,\r\n"
	"m6,d2:NA,activityDetection,2020-05-30T02:56:40-03:30,media/30/3030303030303030303030303030303030303030303030303030303030303036.jpg,false,IMG_6.JPG,image/jpeg,,,\r\n"
	"m7,d2:NA,activityDetection,2020-05-30T05:43:20-03:30,media/30/3030303030303030303030303030303030303030303030303030303030303037.jpg,false,IMG_7.JPG,image/jpeg,,,\r\n"
	"m8,cam A again,activityDetection,2020-05-31T07:40:00+03:00,media/30/3030303030303030303030303030303030303030303030303030303030303038.jpg,false,IMG_8.JPG,image/jpeg,,,\r\n"
	"m9,\"cam, \"\"A\"\"\",activityDetection,2020-05-30T03:53:25+03:00,media/30/3030303030303030303030303030303030303030303030303030303030303039.jpg,true,\"Gro\xc3\x9f, \"\"a|b\"\"\n\xef\xbf\xbd.jpg\",image/jpeg,,,\r\n";

static const char wanted_observations[] =
	"observationID,deploymentID,mediaID,eventID,eventStart,eventEnd,observationLevel,observationType,cameraSetupType,scientificName,count,lifeStage,sex,behavior,individualID,individualPositionRadius,individualPositionAngle,individualSpeed,bboxX,bboxY,bboxWidth,bboxHeight,classificationMethod,classifiedBy,classificationTimestamp,classificationProbability,observationTags,observationComments\r\n"
	"o1,\"cam, \"\"A\"\"\",,e1,2020-05-30T03:53:20+03:00,2020-05-30T03:53:25+03:00,event,animal,,Equus quagga,2,,,,,,,,,,,,human,\"Two zones, \"\"one\"\" project\",2020-05-31T07:40:00+03:00,,taxon:zebra,\"Count: median 2 of 2 answers, from 2 to 5.\"\r\n"
	"o2,\"cam, \"\"A\"\"\",,e2,2020-05-30T06:40:00+03:00,2020-05-30T06:40:00+03:00,event,animal,,Diceros bicornis,,,,,,,,,,,,,human,expert 2,2020-05-31T07:40:00+03:00,,taxon:rhino | event:ev/2,\r\n"
	"o3,\"cam, \"\"A\"\"\",,e3,2020-05-30T09:26:40+03:00,2020-05-30T09:26:40+03:00,event,blank,,,,,,,,,,,,,,,machine,m1 (sha256 abcdef012345),2020-05-31T07:40:00+03:00,0.999,taxon:blank | certificate:7,\r\n"
	"o4,d2:NA,,e4,2020-05-29T21:23:20-03:30,2020-05-29T21:23:20-03:30,event,unclassified,,,,,,,,,,,,,,,,,,,,\r\n"
	"o5,d2:NA,,e5,2020-05-30T00:10:00-03:30,2020-05-30T00:10:00-03:30,event,unknown,,,,,,,,,,,,,,,human,\"Two zones, \"\"one\"\" project\",2020-05-31T01:10:00-03:30,,,\r\n"
	"o6,d2:NA,,e6,2020-05-30T02:56:40-03:30,2020-05-30T02:56:40-03:30,event,human,,,,,,,,,,,,,,,human,\"Two zones, \"\"one\"\" project\",2020-05-31T01:10:00-03:30,,taxon:human,\r\n"
	"o7,d2:NA,,e7,2020-05-30T05:43:20-03:30,2020-05-30T05:43:20-03:30,event,unclassified,,,,,,,,,,,,,,,,,,,,\r\n"
	"o8,cam A again,,e8,2020-05-31T07:40:00+03:00,2020-05-31T07:40:00+03:00,event,vehicle,,,,,,,,,,,,,,,human,expert,2020-05-31T07:40:00+03:00,,taxon:vehicle,\r\n";

static const char wanted_package[] =
	"{\"profile\": \"https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2/camtrap-dp-profile.json\","
	" \"name\": \"two-zones\","
	" \"created\": \"2023-11-14T22:13:20Z\","
	" \"contributors\": [{\"title\": \"Ada\", \"role\": \"contact\"}],"
	" \"licenses\": [{\"name\": \"CC0-1.0\", \"scope\": \"data\"}, {\"name\": \"CC-BY-4.0\", \"scope\": \"media\"}],"
	" \"project\": {\"title\": \"Two zones, \\\"one\\\" project\", \"samplingDesign\": \"targeted\", \"captureMethod\": [\"activityDetection\"], \"individualAnimals\": false, \"observationLevel\": [\"event\"], \"id\": \"two-zones\", \"description\": \"A test.\"},"
	" \"spatial\": {\"type\": \"Polygon\", \"coordinates\": [[[-60.25, -2.3], [34.8, -2.3], [34.8, 10.5], [-60.25, 10.5], [-60.25, -2.3]]]},"
	" \"temporal\": {\"start\": \"2020-05-29\", \"end\": \"2020-05-31\"},"
	" \"taxonomic\": [{\"scientificName\": \"Equus quagga\", \"vernacularNames\": {\"eng\": \"zebra\"}, \"taxonRank\": \"species\"}, {\"scientificName\": \"Diceros bicornis\", \"vernacularNames\": {\"eng\": \"rhino\"}}],"
	" \"coordinatePrecision\": 0.1}";
/* clang-format on */

static char dir[64];
static struct db *db;

static void sql(const char *text)
{
	char data[80];
	snprintf(data, sizeof data, "%s/data", dir);
	assert_int_equal(export_world_sql(data, text), 0);
}

static int set_up(void **state)
{
	(void)state;
	char data[80];
	snprintf(dir, sizeof dir, "/tmp/topi-export-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(data, sizeof data, "%s/data", dir);
	return export_world_make(data, &db);
}

static int tear_down(void **state)
{
	(void)state;
	char command[100];
	db_close(db);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command); /* a test's own folder under /tmp */
}

static const char *place(const char *name)
{
	static char path[200];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static char *read_all(const char *name)
{
	FILE *in = fopen(place(name), "rb");
	if (!in)
		fail_msg("%s is not there", name);
	char *text = xcalloc(1, 1 << 16);
	assert_true(fread(text, 1, (1 << 16) - 1, in) < (1 << 16) - 1);
	fclose(in);
	return text;
}

static void assert_file(const char *name, const char *wanted)
{
	char *text = read_all(name);
	assert_string_equal(text, wanted);
	free(text);
}

static void export_ok(enum export_format format, const char *name, struct export_result *out)
{
	struct err err = {0};
	if (export_project(db, 1, format, place(name), export_world_ms, out, &err) != OK)
		fail_msg("%s", err.text);
}

/* Entries of the test's folder: 1 is the data directory alone. */
static int n_entries(void)
{
	int n = -2;
	DIR *d = opendir(dir);
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void labels(void **state)
{
	(void)state;
	struct export_result out;
	export_ok(EXPORT_CSV, "labels.csv", &out);
	assert_int_equal(out.n_rows, 8);
	assert_file("labels.csv", wanted_labels);
	json_t *about = json_load_file(place("labels.csv.json"), 0, NULL);
	assert_non_null(about);
	assert_string_equal(json_string_value(json_object_get(about, "sha256")), out.sha256);
	assert_int_equal(json_integer_value(json_object_get(about, "rows")), 8);
	assert_string_equal(
		json_string_value(json_object_get(about, "created")), "2023-11-14T22:13:20Z");
	json_decref(about);
	char command[300];
	snprintf(command, sizeof command, "echo %s %s | sha256sum --check --status", out.sha256,
		place("labels.csv"));
	assert_int_equal(system(command), 0); /* coreutils agree on the hash */
}

static void answers(void **state)
{
	(void)state;
	struct export_result out;
	export_ok(EXPORT_CLASSIFICATIONS, "answers.csv", &out);
	assert_int_equal(out.n_rows, 6);
	assert_file("answers.csv", wanted_answers);
}

static void package(void **state)
{
	(void)state;
	struct export_result out;
	export_ok(EXPORT_CAMTRAP_DP, "package/", &out);
	assert_int_equal(out.n_deployments, 3);
	assert_int_equal(out.n_media, 9);
	assert_int_equal(out.n_rows, 8);
	assert_file("package/deployments.csv", wanted_deployments);
	assert_file("package/media.csv", wanted_media);
	assert_file("package/observations.csv", wanted_observations);
	json_t *about = json_load_file(place("package/datapackage.json"), 0, NULL);
	assert_non_null(about);
	json_t *wanted = json_loads(wanted_package, 0, NULL);
	assert_non_null(wanted);
	const char *name;
	json_t *value;
	json_object_foreach(wanted, name, value) if (!json_equal(value, json_object_get(about, name)))
		fail_msg("%s is not as expected", name);
	json_decref(wanted);
	json_decref(about);
}

static void nobody_is_named(void **state)
{
	(void)state;
	static const char *const files[] = {"labels.csv", "answers.csv", "package/deployments.csv",
		"package/media.csv", "package/observations.csv", "package/datapackage.json"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char *text = read_all(files[i]);
		assert_null(strstr(text, "Secret"));
		if (strncmp(files[i], "package", 7) == 0) {
			assert_null(strstr(text, "34.81")); /* where the rhino was */
			assert_null(strstr(text, "2.345"));
		}
		free(text);
	}
}

static void what_exists_is_kept(void **state)
{
	(void)state;
	struct err err = {0};
	struct export_result out;
	char *before = read_all("labels.csv");
	int n = n_entries();
	static const struct {
		enum export_format format;
		const char *name;
		enum status status;
	} cases[] = {
		{EXPORT_CSV, "labels.csv", CONFLICT},
		{EXPORT_CLASSIFICATIONS, "labels.csv", CONFLICT},
		{EXPORT_CAMTRAP_DP, "package", CONFLICT},
		{EXPORT_CAMTRAP_DP, "labels.csv", CONFLICT},
		{EXPORT_CSV, "no/such/folder.csv", NOT_FOUND},
		{EXPORT_CAMTRAP_DP, "no/such/folder", NOT_FOUND},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(export_project(db, 1, cases[i].format, place(cases[i].name),
							 export_world_ms, &out, &err),
			cases[i].status);
	assert_int_equal(
		export_project(db, 99, EXPORT_CSV, place("x.csv"), export_world_ms, &out, &err), NOT_FOUND);
	assert_int_equal(export_project(db, 1, EXPORT_CSV, "", export_world_ms, &out, &err), BAD_INPUT);
	assert_int_equal(n_entries(), n);
	assert_file("labels.csv", before);
	free(before);
	enum export_format format;
	assert_int_equal(export_format_parse("xls", &format, &err), BAD_INPUT);
	assert_int_equal(export_format_parse("camtrap-dp", &format, &err), OK);
	assert_int_equal(format, EXPORT_CAMTRAP_DP);
}

/* Any step fails, or the disk is full: the export says so, and leaves nothing behind. */
static void a_failure_leaves_nothing(void **state)
{
	(void)state;
	struct export_result out;
	int n = n_entries();
	for (int format = EXPORT_CSV; format <= EXPORT_CAMTRAP_DP; format++) {
		enum status st = FAULT;
		for (long nth = 1; st != OK; nth++) {
			struct err err = {0};
			db_fail_step(nth, BUSY);
			st = export_project(
				db, 1, (enum export_format)format, place("fault"), export_world_ms, &out, &err);
			db_fail_step(0, OK);
			assert_true(nth < 200);
			if (st != OK) {
				assert_int_equal(st, BUSY);
				assert_int_equal(n_entries(), n);
			} else {
				assert_true(nth > 10);
			}
		}
		char command[300];
		snprintf(command, sizeof command, "rm -r %s*", place("fault"));
		assert_int_equal(system(command), 0);
		struct err err = {0};
		struct rlimit limit, small;
		assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
		small = (struct rlimit){.rlim_cur = 600, .rlim_max = limit.rlim_max};
		signal(SIGXFSZ, SIG_IGN);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		st = export_project(
			db, 1, (enum export_format)format, place("fault"), export_world_ms, &out, &err);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		assert_int_equal(st, FULL);
		assert_non_null(strstr(err.text, "disk is full"));
		assert_int_equal(n_entries(), n);
	}
}

static void all_that_is_missing_is_named(void **state)
{
	(void)state;
	struct err err = {0};
	struct export_result out;
	static const char *const words[] = {"contributors", "samplingDesign", "captureMethod",
		"licenses", "topi project set", "coordinates of 2 deployments", "topi deployment set",
		"times of 1 photograph ", "topi import --manifest"};
	int n = n_entries();
	sql("UPDATE project SET camtrap = '{\"licenses\": [{\"name\": \"CC0-1.0\", \"scope\": "
		"\"data\"}]}';"
		"UPDATE deployment SET latitude_deg = NULL WHERE id < 3;"
		"UPDATE media SET taken_ms = NULL WHERE id = 1");
	assert_int_equal(
		export_project(db, 1, EXPORT_CAMTRAP_DP, place("incomplete"), export_world_ms, &out, &err),
		BAD_INPUT);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strstr(err.text, words[i]))
			fail_msg("'%s' is not in: %s", words[i], err.text);
	assert_true(strlen(err.text) < sizeof err.text - 1);
	assert_int_equal(n_entries(), n);
}

static void times_and_numbers(void **state)
{
	(void)state;
	static const struct {
		int64_t ms, offset_s;
		const char *wanted;
	} cases[] = {
		{0, 0, "1970-01-01T00:00:00Z"},
		{-1, 0, "1969-12-31T23:59:59Z"},
		{1590814657999, 7200, "2020-05-30T06:57:37+02:00"},
		{1590814657000, -12600, "2020-05-30T01:27:37-03:30"},
		{1590814657000, 20700, "2020-05-30T10:42:37+05:45"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[CIVIL_TEXT];
		iso_time(cases[i].ms, cases[i].offset_s, text);
		assert_string_equal(text, cases[i].wanted);
	}
	static const char *const header[] = {"a", "b", "c", NULL};
	struct err err = {0};
	struct sheet *s = NULL;
	struct sheet_sum sum;
	assert_int_equal(sheet_open(place("n.csv"), header, &s, &err), OK);
	sheet_real(s, 0.1);
	sheet_real(s, 1.0 / 3);
	sheet_real(s, 34.81234);
	assert_int_equal(sheet_end_row(s, &err), OK);
	sheet_text(s, "\xed\xa0\x80|\xf0\x9f\xa6\x93|\xc3"); /* a surrogate, a zebra, half a letter */
	sheet_text(s, NULL);
	sheet_text(s, "\r");
	assert_int_equal(sheet_end_row(s, &err), OK);
	sheet_int(s, 1);
	assert_int_equal(sheet_end_row(s, &err), FAULT); /* too few cells */
	assert_int_equal(sheet_finish(s, &sum, &err), OK);
	assert_file("n.csv",
		"a,b,c\r\n0.1,0.3333333333333333,34.81234\r\n"
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xf0\x9f\xa6\x93|\xef\xbf\xbd,,\"\r\"\r\n1\r\n");
}

/* 200,000 subjects: SQLite holds no more than its cache (kept small here), the program no more than a row. */
static void memory_is_constant(void **state)
{
	(void)state;
	enum { N = 200000, MIB = 1 << 20 };
	struct export_result out;
	sqlite3_soft_heap_limit64(8 * MIB);
	sql("BEGIN;"
		"WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
		" INSERT INTO subject (id, project_id, deployment_id, start_ms, end_ms, created_ms)"
		" SELECT i + 1000, 1, 1, 1600000000000 + i * 100000, 1600000000000 + i * 100000, 0 FROM n;"
		"INSERT INTO media (project_id, deployment_id, subject_id, sha256, n_bytes, file_name, "
		"width_px, height_px,"
		" crop_bottom_px, camera_ms, taken_ms, created_ms) SELECT 1, 1, id, CAST(printf('%032d', "
		"id) AS BLOB), 1,"
		" printf('some/folder/with/a/long/name/IMG_%d.JPG', id), 1, 1, 0, start_ms, start_ms, 0 "
		"FROM subject"
		" WHERE id > 1000;"
		"INSERT INTO classification (uuid, project_id, subject_id, volunteer_id, answer, counted, "
		"expert, blind,"
		" policy_id, created_ms) SELECT CAST(printf('%016d', id) AS BLOB), 1, id, 1, 'cant_tell', "
		"1, 0, 0, 1, 0"
		" FROM subject WHERE id > 1000; COMMIT");
	sqlite3_memory_highwater(1);
	struct rusage before, after;
	getrusage(RUSAGE_SELF, &before);
	export_ok(EXPORT_CSV, "big.csv", &out);
	assert_int_equal(out.n_rows, N + 8);
	export_ok(EXPORT_CLASSIFICATIONS, "big-answers.csv", &out);
	assert_int_equal(out.n_rows, N + 6);
	export_ok(EXPORT_CAMTRAP_DP, "big-package", &out);
	assert_int_equal(out.n_media, N + 9);
	getrusage(RUSAGE_SELF, &after);
	assert_true(sqlite3_memory_highwater(0) < 12 * MIB);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
	assert_true((after.ru_maxrss - before.ru_maxrss) * 1024 < 16 * MIB);
#endif
	struct stat there;
	assert_int_equal(stat(place("big.csv"), &there), 0);
	assert_true(there.st_size > 16 * MIB); /* what it would have had to hold */
}

/* Writes a counter in binary on the labels of 16 subjects, again and again, each time in one transaction. */
static void *count_on(void *stop)
{
	for (int counter = 1; !atomic_load((atomic_bool *)stop); counter++) {
		char text[300];
		char data[80];
		snprintf(text, sizeof text,
			"PRAGMA busy_timeout = 10000; UPDATE subject SET label_id = CASE WHEN bit THEN 1 END, "
			"decided_by = CASE "
			"WHEN bit THEN 'people' END FROM (SELECT id AS i, %d >> (id - 1001) & 1 AS bit FROM "
			"subject "
			"WHERE id BETWEEN 1001 AND 1016) WHERE id = i",
			counter);
		snprintf(data, sizeof data, "%s/data", dir);
		if (export_world_sql(data, text) != 0)
			abort();
	}
	return NULL;
}

/* The counter that a table of the package shows: `word` stands in the row of a subject whose bit is set. */
static unsigned counter_in(const char *name, const char *row, const char *word)
{
	char line[1000];
	unsigned counter = 0;
	int n_rows = 0;
	FILE *in = fopen(place(name), "r");
	assert_non_null(in);
	while (fgets(line, sizeof line, in)) {
		int id = 0;
		const char *at = strstr(line, row);
		if (!at || sscanf(at + strlen(row), "%d", &id) != 1 || id < 1001 || id > 1016)
			continue;
		n_rows++;
		counter |= (unsigned)(strstr(line, word) != NULL) << (id - 1001);
	}
	fclose(in);
	assert_int_equal(n_rows, 16);
	return counter;
}

/* While others write, every table of a package is of one moment. */
static void a_package_is_of_one_moment(void **state)
{
	(void)state;
	struct export_result out;
	atomic_bool stop = false;
	pthread_t writer;
	assert_int_equal(pthread_create(&writer, NULL, count_on, &stop), 0);
	usleep(100000);
	export_ok(EXPORT_CAMTRAP_DP, "moment", &out);
	atomic_store(&stop, true);
	pthread_join(writer, NULL);
	export_ok(EXPORT_CAMTRAP_DP, "later", &out);
	unsigned seen = counter_in("moment/observations.csv", "o", ",animal,");
	assert_int_equal(counter_in("moment/media.csv", "/IMG_", ",true,"), seen);
	assert_true(counter_in("later/observations.csv", "o", ",animal,") > seen); /* it did go on */
}

int main(void)
{
	sqlite3_initialize(); /* before db_open, which has it count no memory */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels),
		cmocka_unit_test(answers),
		cmocka_unit_test(package),
		cmocka_unit_test(nobody_is_named),
		cmocka_unit_test(what_exists_is_kept),
		cmocka_unit_test(a_failure_leaves_nothing),
		cmocka_unit_test(times_and_numbers),
		cmocka_unit_test(memory_is_constant),
		cmocka_unit_test(a_package_is_of_one_moment),
		cmocka_unit_test(all_that_is_missing_is_named),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
