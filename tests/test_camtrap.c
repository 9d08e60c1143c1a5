/* labels: peer real; timeout: 120 */
/*
 * A Camtrap DP package against the standard's own schemas, by programs that are not ours (tests/camtrap/validate.mjs).
 * Skipped where the schemas (../shared/camtrap-dp), Node or the packages of package.json are not there.
 */
#include "export.h"
#include "support_export.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char schemas[] = TOPI_SOURCE_DIR "/../shared/camtrap-dp";
static char dir[64];

static int run(const char *command)
{
	int code = system(command); /* on a test's own folder under /tmp */
	return WIFEXITED(code) ? WEXITSTATUS(code) : -1;
}

/* What the validator says of a package lies in `said` then. */
static int validate(const char *package)
{
	char command[400];
	snprintf(command, sizeof command, "cd %s && node %s/tests/camtrap/validate.mjs %s %s >said",
		dir, TOPI_SOURCE_DIR, package, schemas);
	return run(command);
}

static void a_package_holds(void **state)
{
	(void)state;
	char command[100];
	int code = validate("package");
	snprintf(command, sizeof command, "cat %s/said", dir);
	assert_int_equal(run(command), 0);
	assert_int_equal(code, 0);
}

/* The validator is worth something: each damage alone is found, and named. */
static void a_damaged_package_does_not(void **state)
{
	(void)state;
	static const struct {
		const char *file, *edit; /* for sed */
		const char *finding;
	} cases[] = {
		{"datapackage.json", "/samplingDesign/d", "required property 'samplingDesign'"},
		{"datapackage.json", "s/targeted/simple random/", "project/samplingDesign: must be equal"},
		{"datapackage.json", "s/Polygon/Square/", "datapackage.json/spatial"},
		{"datapackage.json", "s/1\\.0\\.2\\/media/1.0\\/media/",
			"resources/1/schema: must match pattern"},
		{"datapackage.json", "s/Equus quagga/Equus zebra/", "taxonomic: Equus quagga is missing"},
		{"datapackage.json", "s/\"name\": \"media\"/\"name\": \"deployments\"/",
			"2 resources are named"},
		{"datapackage.json", "s/\"scope\": \"media\"/\"to\": 1/",
			"licenses/1: must have required property 'scope'"},
		{"datapackage.json", "s/\"contact\"/\"boss\"/", "contributors/0/role"},
		{"observations.csv", "s/Equus quagga,2,/Equus quagga,2.0,/", "count '2.0' is no integer"},
		{"observations.csv", "s/Equus quagga,2,/Equus quagga,0,/", "count '0' breaks minimum"},
		{"observations.csv", "s/,blank,/,nothing,/", "observationType 'nothing' breaks enum"},
		{"observations.csv", "s/T09:26/ 09:26/", "is no datetime"},
		{"observations.csv", "s/^o2,/o1,/", "observationID 'o1' stands twice"},
		{"observations.csv", "s/,,taxon:zebra/,0.9,taxon:zebra/", "a person's probability"},
		{"observations.csv", "s/,observationComments//", "observations: Invalid Record Length"},
		{"observations.csv", "s/sex,behavior/behavior,sex/", "observations: the columns are"},
		{"deployments.csv", "s/2020-05-30/2020-02-30/", "is no datetime"},
		{"deployments.csv", "s/34\\.8,7900/,7900/", "longitude '' is required"},
		{"deployments.csv", "s/34\\.8,7900/340.8,7900/", "longitude '340.8' breaks maximum"},
		{"deployments.csv", "s/^d2:NA/NA/", "deploymentID 'NA' is required"},
		{"media.csv", "s/+03:00//", "is no datetime"},
		{"media.csv", "s/,media\\//,\\/media\\//", "breaks pattern"},
		{"media.csv", "s/^m8,cam A again/m8,cam B/", "deploymentID 'cam B' is not in deployments"},
		{"media.csv", "s/T07:40:00/T07:39:00/", "lies in 0 events"},
		{"media.csv", "/^m6/s/false/true/", "shows a person and is public"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char command[600];
		snprintf(command, sizeof command,
			"cd %s && rm -rf copy && cp -r package copy && sed -i '%s' copy/%s && ! cmp -s copy/%s "
			"package/%s",
			dir, cases[i].edit, cases[i].file, cases[i].file, cases[i].file);
		if (run(command) != 0)
			fail_msg("%s was not damaged", cases[i].edit);
		int code = validate("copy");
		snprintf(command, sizeof command, "grep -qF \"%s\" %s/said || { cat %s/said; false; }",
			cases[i].finding, dir, dir);
		if (code != 2 || run(command) != 0)
			fail_msg("%s: exit %d, not found: %s", cases[i].edit, code, cases[i].finding);
	}
}

static int set_up(void **state)
{
	(void)state;
	struct err err = {0};
	struct db *db = NULL;
	struct export_result result;
	char path[100];
	snprintf(dir, sizeof dir, "/tmp/topi-camtrap-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/data", dir);
	if (export_world_make(path, &db) != 0)
		return -1;
	snprintf(path, sizeof path, "%s/package", dir);
	enum status st = export_project(db, 1, EXPORT_CAMTRAP_DP, path, export_world_ms, &result, &err);
	db_close(db);
	if (st != OK)
		fprintf(stderr, "%s\n", err.text);
	return st == OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	char command[100];
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return run(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_package_holds),
		cmocka_unit_test(a_damaged_package_does_not),
	};
	if (access(schemas, R_OK) != 0 || access(TOPI_SOURCE_DIR "/node_modules/ajv", R_OK) != 0 ||
		run("node --version") != 0) {
		printf("skipped: needs ../shared/camtrap-dp, node and `npm ci`\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
