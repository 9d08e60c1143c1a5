/* Any bytes as a project file and as a policy, against a database that takes nothing in the end. */
#include "fuzz.h"
#include "project.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const int fuzz_with_jpegs = 0;

static struct db *db;
static int64_t id;
static char dir[] = "/tmp/topi-fuzz-XXXXXX";

static const char *const seeds[] = {
	"{\"slug\":\"p\",\"title\":\"P\",\"gap_s\":60,\"taxa\":[{\"code\":\"blank\",\"kind\":\"blank\","
	"\"common_name\":\"n\"},"
	"{\"code\":\"zebra\",\"kind\":\"animal\",\"common_name\":\"z\",\"scientific_name\":\"Equus "
	"quagga\",\"rank\":\"species\","
	"\"hotkey\":\"z\",\"protected\":true}],\"camtrap\":{\"samplingDesign\":\"targeted\"},"
	"\"policy\":{\"alpha\":0.05}}",
	"{\"alpha\":0.05,\"delta\":0.05,\"tau\":0.01,\"kappa\":0.1,\"cap\":10,\"auto_label\":true,"
	"\"audits\":100}",
	"{\"title\":\"Q\",\"taxa\":[{\"code\":\"zebra\",\"retired\":true},{\"code\":\"lion\",\"common_"
	"name\":\"l\",\"kind\":\"animal\","
	"\"scientific_name\":\"Panthera leo\"}]}",
};

static void close_all(void)
{
	static const char *const names[] = {"topi.db", "topi.db-wal", "topi.db-shm", "embeddings.db",
		"embeddings.db-wal", "embeddings.db-shm", "media", "renditions", "models", ""};
	char path[100];
	db_close(db);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		remove(path);
	}
}

static void open_all(void)
{
	struct err err = {0};
	json_t *first = json_loads(seeds[0], 0, NULL);
	if (!mkdtemp(dir) || db_open(dir, DB_CREATE, &db, &err) != OK || db_begin(db, &err) != OK ||
		project_add(db, first, 1000, &id, &err) != OK || db_commit(db, &err) != OK) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	json_decref(first);
	atexit(close_all);
}

/* Runs one change and takes it back; a failure has its words, and is not ours. */
static void check(enum status st, const struct err *err)
{
	if ((st == OK) == (err->text[0] != 0) || st == FAULT)
		abort();
	db_rollback(db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err err = {0};
	struct policy policy;
	int64_t new_id = 0;
	if (!db)
		open_all();
	json_t *file = json_loadb((const char *)data, n, JSON_REJECT_DUPLICATES, NULL);
	if (!file)
		return 0;
	enum status st = policy_parse(file, policy_default(), &policy, &err);
	if ((st == OK) == (err.text[0] != 0))
		abort();
	err = (struct err){0};
	if (db_begin(db, &err) != OK)
		abort();
	check(project_set(db, id, file, 2000, &err), &err);
	err = (struct err){0};
	if (json_is_object(file) && json_is_string(json_object_get(file, "slug")))
		json_object_set_new(file, "slug", json_string("other"));
	if (db_begin(db, &err) != OK)
		abort();
	check(project_add(db, file, 2000, &new_id, &err), &err);
	json_decref(file);
	return 0;
}

size_t fuzz_seed(int i, uint8_t *out, size_t room)
{
	if (i >= (int)(sizeof seeds / sizeof *seeds))
		return 0;
	size_t n = strlen(seeds[i]) < room ? strlen(seeds[i]) : room;
	memcpy(out, seeds[i], n);
	return n;
}
