/* labels: real slow; timeout: 300 */
/*
 * The loop's model part on real photographs with real weights, by the commands that a user types: import with a
 * manifest whose labels are gold, a ResNet-18 as backbone, a head retrained, every subject predicted.
 */
#include "support_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include <cmocka.h>

#define DATA TOPI_SOURCE_DIR "/../shared/data"
#define WEIGHTS DATA "/weights/resnet18-imagenet-ktb-f16.safetensors"

static char dir[] = "/tmp/topi-photos-XXXXXX";

/* labels.csv (file,label,split) as a project and a manifest: the training split's labels are an expert's, the rest is "val". */
static int write_files(sqlite3 *truth)
{
	char path[200], line[400], file[200], label[60], split[20], last[60] = "";
	int n_classes = 0;
	FILE *in = fopen(DATA "/photos/labels.csv", "r");
	snprintf(path, sizeof path, "%s/project.json", dir);
	FILE *project = fopen(path, "w");
	snprintf(path, sizeof path, "%s/manifest.csv", dir);
	FILE *manifest = fopen(path, "w");
	assert_true(in && project && manifest);
	fprintf(project,
		"{\"slug\":\"photos\",\"title\":\"Photos\",\"taxa\":[{\"code\":\"nothing\",\"kind\":"
		"\"blank\","
		"\"common_name\":\"nothing here\"}");
	fprintf(manifest, "file,deployment,label\n");
	assert_non_null(fgets(line, sizeof line, in));
	while (fgets(line, sizeof line, in)) {
		assert_int_equal(sscanf(line, "%199[^,],%59[^,],%19[a-z]", file, label, split), 3);
		int is_val = strcmp(split, "val") == 0;
		if (strcmp(label, last) != 0) {
			fprintf(project,
				",{\"code\":\"%s\",\"kind\":\"animal\",\"common_name\":\"%s\",\"scientific_name\":"
				"\"%s\"}",
				label, label, label);
			snprintf(last, sizeof last, "%s", label);
			n_classes++;
		}
		fprintf(manifest, "%s,%s,%s\n", file, split, is_val ? "" : label);
		if (is_val) {
			char *sql = sqlite3_mprintf("INSERT INTO truth VALUES (%Q, %Q)", file, label);
			assert_int_equal(sqlite3_exec(truth, sql, NULL, NULL, NULL), SQLITE_OK);
			sqlite3_free(sql);
		}
	}
	fprintf(project, "]}\n");
	fclose(in);
	assert_int_equal(fclose(project), 0);
	assert_int_equal(fclose(manifest), 0);
	return n_classes;
}

static int number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	int value = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

static void well(int code)
{
	if (code != 0)
		fail_msg("exit code %d: %s", code, command_out);
}

static void a_head_on_real_weights_knows_real_photographs(void **state)
{
	(void)state;
	sqlite3 *db = NULL;
	char sql[300];
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE truth (file TEXT PRIMARY KEY, label TEXT)",
						 NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(write_files(db), 37);
	well(command("%s init %s/d 2>&1", TOPI, dir));
	well(command("%s project add %s/d %s/project.json 2>&1", TOPI, dir, dir));
	well(command("%s import %s/d photos %s/photos --manifest %s/manifest.csv --utc-offset Z 2>&1",
		TOPI, dir, DATA, dir));
	well(command("%s deployment set %s/d photos val --holdout on 2>&1", TOPI, dir));
	well(command(
		"%s train %s/d photos --from %s --mode head --device cpu 2>&1", TOPI, dir, WEIGHTS));
	snprintf(sql, sizeof sql, "ATTACH '%s/d/topi.db' AS topi", dir);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	int newest = number(
		db, "SELECT max(substr(name, 2)) FROM topi.model WHERE name GLOB 'm[0-9]*'");
	well(command("%s model promote %s/d photos m%d 2>&1", TOPI, dir, newest));
	well(command("%s predict %s/d photos --device cpu 2>&1", TOPI, dir));
	int n = number(db, "SELECT count(*) FROM truth");
	int n_predicted = number(db,
		"SELECT count(*) FROM truth t JOIN topi.media m ON m.file_name = t.file"
		" JOIN topi.prediction p ON p.subject_id = m.subject_id");
	int n_right = number(db,
		"SELECT count(*) FROM truth t JOIN topi.media m ON m.file_name = t.file"
		" JOIN topi.prediction p ON p.subject_id = m.subject_id"
		" JOIN topi.taxon x ON x.id = p.top_id WHERE x.code = t.label");
	/* Nothing that the model was judged on has taught it. */
	assert_int_equal(number(db,
						 "SELECT count(*) FROM topi.model_subject ms JOIN topi.media m ON "
						 "m.subject_id = ms.subject_id"
						 " JOIN truth t ON t.file = m.file_name"),
		0);
	sqlite3_close(db);
	printf("a head on ResNet-18's features: %d of %d validation photographs right (%.4f)\n",
		n_right, n, (double)n_right / n);
	assert_int_equal(n_predicted, n);
	assert_true(n_right >= 0.85 * n);
}

int main(void)
{
	char command_line[100];
	if (access(DATA "/photos/labels.csv", R_OK) != 0 || access(WEIGHTS, R_OK) != 0) {
		puts("skipped: the shared photographs and weights are not there");
		return 77;
	}
	if (!mkdtemp(dir))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_on_real_weights_knows_real_photographs),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command_line, sizeof command_line, "rm -rf %s", dir);
	return system(command_line) == 0 ? failed : 1;
}
