/* labels: unit sql; timeout: 60 */
/* Exports of labels that name several species, and of what voters said about each. */
#include "export.h"
#include "support_export.h"
#include "status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * Event 1 is zebra and rhino: three answers count 2, 5 and 60 zebra, two of three saw young, all saw them resting and two
 * moving, two say female. Event 6 (the deployment "NA", whose place is told to the degree of a garden) is a person and a
 * rhino, which is protected. Event 8 is a vehicle and a person.
 */
static const char changes[] =
	"INSERT INTO volunteer (id, created_ms) VALUES (3, 0);"
	"INSERT INTO label_also (subject_id, taxon_id) VALUES (1, 2), (6, 2), (8, 3);"
	"INSERT INTO classification (id, uuid, project_id, subject_id, volunteer_id, answer, counted, "
	"expert, blind, policy_id, created_ms, several) VALUES (7, CAST(printf('%016d', 7) AS BLOB), "
	"1, "
	"1, 3, 'taxa', 1, 0, 0, 1, 1590900000000, 1);"
	"INSERT INTO annotation (classification_id, taxon_id, count, details) VALUES (7, 1, 60, "
	"'{\"young\":true,\"behaviours\":[\"moving\",\"resting\"],\"sex\":\"female\"}'), (7, 2, NULL, "
	"'{}');"
	"UPDATE annotation SET details = "
	"'{\"young\":true,\"behaviours\":[\"resting\"],\"sex\":\"female\"}' WHERE classification_id = "
	"1;"
	"UPDATE annotation SET details = '{\"young\":false,\"behaviours\":[\"resting\",\"moving\"]}' "
	"WHERE classification_id = 2;";

static char dir[64];

/* The line of a file that starts so, without its end. Stops the test where there is none, or more than one. */
static void assert_line(const char *text, const char *start, const char *end)
{
	char lead[100];
	snprintf(lead, sizeof lead, "\n%s", start);
	const char *line = strstr(text, lead);
	if (!line || strstr(line + 1, lead))
		fail_msg("not one line begins with %s", start);
	const char *stop = strstr(line, "\r\n");
	size_t n = strlen(end);
	if (!stop || (size_t)(stop - line) < n || strncmp(stop - n, end, n) != 0)
		fail_msg("%.*s: it should end in %s", stop ? (int)(stop - line) : 400, line + 1, end);
}

static char *export_text(
	struct db *db, enum export_format format, const char *name, const char *file)
{
	char path[200];
	struct err err = {0};
	struct export_result out;
	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (export_project(db, 1, format, path, export_world_ms, &out, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(out.n_rows, format == EXPORT_CLASSIFICATIONS ? 8 : 11);
	snprintf(path, sizeof path, "%s/%s", dir, file);
	FILE *in = fopen(path, "rb");
	assert_non_null(in);
	char *text = xcalloc(1, 1 << 16);
	assert_true(fread(text, 1, (1 << 16) - 1, in) > 0);
	fclose(in);
	return text;
}

static void a_row_a_species(void **state)
{
	struct db *db = NULL;
	char path[200], command[100];
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/topi-export-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/data", dir);
	assert_int_equal(export_world_make(path, &db), 0);
	assert_int_equal(export_world_sql(path, changes), 0);

	char *text = export_text(db, EXPORT_CSV, "labels.csv", "labels.csv");
	assert_non_null(strstr(text,
		"zebra,Equus "
		"quagga,retired,people,risk,0.9876,3,0,,,1,2020-05-31T07:40:00+03:00,,,2,5,2,51+,"
		"0.667,resting:1|moving:0.667,female:1,,,,\r\n"));
	assert_non_null(strstr(text,
		"rhino,Diceros "
		"bicornis,retired,people,risk,0.9876,3,0,,,1,2020-05-31T07:40:00+03:00,,,2,,,,,,,,,,"
		"\r\n"));
	assert_line(text, "4,NA", ",0,,,,,,,,,,"); /* no label, no species */
	free(text);

	text = export_text(db, EXPORT_CLASSIFICATIONS, "answers.csv", "answers.csv");
	assert_line(text, "6,", ",rhino,certify,rhino,0");
	assert_non_null(strstr(text, "zebra,Equus quagga,60,")); /* as it was given, not its bin */
	free(text);

	text = export_text(db, EXPORT_CAMTRAP_DP, "package", "package/observations.csv");
	assert_line(text, "o1,",
		",taxon:zebra | young:0.667 | behaviour:resting=1 | behaviour:moving=0.667 | sex:female=1,"
		"\"Count: median 5 of 3 answers, from 2 to 51+.\"");
	assert_non_null(strstr(text, ",event,animal,,Equus quagga,5,,female,resting|moving,,"));
	assert_line(text, "o1.2,", ",taxon:rhino,");
	assert_line(text, "o6,", ",taxon:human,");
	assert_line(text, "o6.2,", ",taxon:rhino,");
	free(text);
	text = export_text(db, EXPORT_CAMTRAP_DP, "again", "again/deployments.csv");
	assert_non_null(strstr(text, "d2:NA,10.5,-60.3,7900,")); /* the rhino's place is rounded */
	free(text);
	text = export_text(db, EXPORT_CAMTRAP_DP, "media", "media/media.csv");
	assert_non_null(strstr(text, "8.jpg,false,IMG_8.JPG")); /* a person is on it */
	assert_non_null(strstr(text, "1.jpg,true,IMG_1.JPG"));
	free(text);
	db_close(db);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_row_a_species)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
