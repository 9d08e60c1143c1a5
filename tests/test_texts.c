/* labels: unit sql */
/* A project's file in other languages: what is taken, what is refused and with which words, and that it comes back as it was. */
#include "project.h"
#include "survey.h"
#include "texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char whole[] =
	"{\"slug\": \"p\", \"title\": \"P\", \"titles\": {\"sw\": \"Mradi\", \"fr\": \"Projet\"},"
	"\"descriptions\": {\"pt-BR\": \"Descri\u00e7\u00e3o\"},"
	"\"looks\": [{\"id\": \"pattern\", \"name\": \"Pattern\", \"names\": {\"fr\": \"Motif\"}, "
	"\"values\": ["
	"{\"id\": \"stripes\", \"name\": \"Stripes\", \"names\": {\"fr\": \"Rayures\"}}, {\"id\": "
	"\"plain\", "
	"\"name\": \"Plain\"}]}],"
	"\"confusions\": [{\"taxa\": [\"zebra\", \"topi\"], \"text\": \"Only one has *stripes*.\", "
	"\"texts\": "
	"{\"fr\": \"Rayures.\"}}],"
	"\"survey\": {\"behaviours\": [\"eating\"], \"behaviour_names\": {\"eating\": {\"fr\": "
	"\"mange\"}}},"
	"\"taxa\": [{\"code\": \"zebra\", \"scientific_name\": \"Equus quagga\", \"common_name\": "
	"\"zebra\", "
	"\"names\": {\"sw\": \"punda milia\", \"fr\": \"z\u00e8bre\"}, \"looks\": {\"pattern\": "
	"[\"stripes\"]}},"
	"{\"code\": \"topi\", \"scientific_name\": \"Damaliscus lunatus\", \"common_name\": \"topi\"},"
	"{\"code\": \"blank\", \"kind\": \"blank\", \"common_name\": \"nothing\"}]}";

static char dir[64];
static struct db *db;

static int set_up(void **state)
{
	(void)state;
	struct err err = {0};
	int64_t id = 0;
	snprintf(dir, sizeof dir, "/tmp/topi-texts-XXXXXX");
	json_t *file = json_loads(whole, 0, NULL);
	bool ok = mkdtemp(dir) && file && db_open(dir, DB_CREATE, &db, &err) == OK &&
		db_begin(db, &err) == OK && project_add(db, file, 0, &id, &err) == OK &&
		db_commit(db, &err) == OK;
	if (!ok)
		fprintf(stderr, "%s\n", err.text);
	json_decref(file);
	return ok && id == 1 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	char command[100];
	db_close(db);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command); /* a test's own folder under /tmp */
}

/* As `topi project show` prints it. The caller frees it. */
static char *shown(int64_t id)
{
	struct err err = {0};
	json_t *file = NULL;
	if (project_show(db, id, &file, &err) != OK)
		fail_msg("%s", err.text);
	char *text = json_dumps(file, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	json_decref(file);
	return text;
}

static enum status set(const char *text, struct err *err)
{
	json_t *file = json_loads(text, 0, NULL);
	if (!file)
		fail_msg("no JSON: %s", text);
	assert_int_equal(db_begin(db, err), OK);
	enum status st = project_set(db, 1, file, 5, err);
	if (st == OK)
		st = db_commit(db, err);
	db_rollback(db);
	json_decref(file);
	return st;
}

static void it_comes_back_as_it_was(void **state)
{
	(void)state;
	struct err err = {0};
	int64_t id = 0;
	char *first = shown(1);
	static const char *const parts[] = {
		"\"sw\": \"Mradi\"", "z\u00e8bre", "Rayures", "pt-BR", "mange", "Only one has *stripes*."};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (!strstr(first, parts[i]))
			fail_msg("%s is not in %s", parts[i], first);
	assert_int_equal(set(first, &err), OK);
	char *second = shown(1);
	assert_string_equal(second, first);
	/* And in another data directory's place, but for the slug. */
	json_t *file = json_loads(first, 0, NULL);
	json_object_set_new(file, "slug", json_string("q"));
	char *other = json_dumps(file, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	assert_int_equal(db_begin(db, &err), OK);
	if (project_add(db, file, 0, &id, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(db_commit(db, &err), OK);
	char *third = shown(id);
	assert_string_equal(third, other);
	json_decref(file);
	free(first);
	free(second);
	free(third);
	free(other);
}

static void each_field_is_checked(void **state)
{
	(void)state;
	static const struct {
		const char *file, *word; /* of the error */
	} rows[] = {
		{"{\"titles\": []}", "project: \"titles\" must be an object"},
		{"{\"titles\": {\"french\": \"x\"}}", "'french' is no language"},
		{"{\"titles\": {\"fr\": \"\"}}", "\"titles\": 'fr' must be a text of 1 to 200 bytes"},
		{"{\"descriptions\": {\"fr\": 7}}", "\"descriptions\": 'fr' must be a text"},
		{"{\"looks\": {}}", "\"looks\" must be a list"},
		{"{\"looks\": [{\"id\": \"A\", \"name\": \"A\", \"values\": [{\"id\": \"b\", \"name\": "
		 "\"b\"}]}]}",
			"looks: \"id\" must be"},
		{"{\"looks\": [{\"id\": \"a\", \"name\": \"A\", \"values\": []}]}",
			"look a: \"values\" must be a list of 1"},
		{"{\"looks\": [{\"id\": \"a\", \"values\": [{\"id\": \"b\", \"name\": \"b\"}]}]}",
			"'a' needs a \"name\""},
		{"{\"looks\": [{\"id\": \"a\", \"name\": \"A\", \"colour\": 1}]}", "no field 'colour'"},
		{"{\"looks\": [{\"id\": \"a\", \"name\": \"A\", \"values\": [{\"id\": \"b\", \"name\": "
		 "\"b\"}, "
		 "{\"id\": \"b\", \"name\": \"c\"}]}]}",
			"look a: 'b' stands twice"},
		{"{\"looks\": []}", "taxon zebra: the project has no look 'pattern'"},
		{"{\"looks\": [{\"id\": \"pattern\", \"name\": \"P\", \"values\": [{\"id\": \"plain\", "
		 "\"name\": "
		 "\"p\"}]}]}",
			"look pattern has no value 'stripes'"},
		{"{\"confusions\": [{\"taxa\": [\"zebra\"], \"text\": \"x\"}]}", "two different taxa"},
		{"{\"confusions\": [{\"taxa\": [\"zebra\", \"zebra\"], \"text\": \"x\"}]}",
			"two different taxa"},
		{"{\"confusions\": [{\"taxa\": [\"zebra\", \"lion\"], \"text\": \"x\"}]}",
			"no taxon 'lion'"},
		{"{\"confusions\": [{\"taxa\": [\"zebra\", \"topi\"]}]}",
			"what tells zebra and topi apart"},
		{"{\"confusions\": [{\"taxa\": [\"zebra\", \"topi\"], \"text\": \"x\", \"texts\": {\"fr\": "
		 "1}}]}",
			"confusions: \"texts\": 'fr'"},
		{"{\"taxa\": [{\"code\": \"zebra\", \"hotky\": \"z\"}]}",
			"taxon zebra: there is no field 'hotky'"},
		{"{\"taxa\": [{\"code\": \"zebra\", \"names\": \"x\"}]}",
			"taxon zebra: \"names\" must be an object"},
		{"{\"taxa\": [{\"code\": \"zebra\", \"names\": {\"x\": \"x\"}}]}",
			"taxon zebra: \"names\": 'x'"},
		{"{\"taxa\": [{\"code\": \"zebra\", \"looks\": []}]}",
			"taxon zebra: \"looks\" must be an object"},
		{"{\"taxa\": [{\"code\": \"zebra\", \"looks\": {\"pattern\": \"stripes\"}}]}",
			"'pattern' must be a list"},
		{"{\"taxa\": [{\"code\": \"zebra\", \"looks\": {\"pattern\": [\"dots\"]}}]}",
			"no value 'dots'"},
		{"{\"taxa\": [{\"code\": \"topi\", \"retired\": true}]}",
			"confusions: the project has no taxon 'topi'"},
		{"{\"survey\": {\"behaviours\": [\"eating\"], \"behaviour_names\": {\"flying\": {\"fr\": "
		 "\"x\"}}}}",
			"'flying' is not among the behaviours"},
		{"{\"survey\": {\"behaviours\": [\"eating\"], \"behaviour_names\": {\"eating\": {\"fr\": "
		 "1}}}}",
			"eating: \"behaviour_names\": 'fr'"},
		{"{\"survey\": {\"behaviour_names\": 1}}", "\"behaviour_names\" must be an object"},
	};
	char *before = shown(1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {0};
		if (set(rows[i].file, &err) != BAD_INPUT || !strstr(err.text, rows[i].word))
			fail_msg("%s: %s", rows[i].file, err.text);
		char *after = shown(1);
		assert_string_equal(after, before);
		free(after);
	}
	free(before);
}

/* A field is replaced whole; an empty one goes, and others stay. */
static void a_part_changes_that_part(void **state)
{
	(void)state;
	struct err err = {0};
	if (set("{\"titles\": {\"es\": \"Proyecto\"}, \"confusions\": [], \"taxa\": [{\"code\": "
			"\"zebra\", \"names\": "
			"{}}, {\"code\": \"topi\", \"names\": {\"fr\": \"topi\"}, \"looks\": {\"pattern\": "
			"[\"plain\", "
			"\"stripes\"]}}]}",
			&err) != OK)
		fail_msg("%s", err.text);
	char *text = shown(1);
	json_t *file = json_loads(text, 0, NULL);
	assert_int_equal(json_object_size(json_object_get(file, "titles")), 1);
	assert_null(json_object_get(file, "confusions"));
	assert_non_null(json_object_get(file, "looks"));
	const json_t *taxa = json_object_get(file, "taxa");
	assert_null(json_object_get(json_array_get(taxa, 0), "names"));
	assert_non_null(json_object_get(json_array_get(taxa, 0), "looks"));
	assert_int_equal(json_array_size(json_object_get(
						 json_object_get(json_array_get(taxa, 1), "looks"), "pattern")),
		2);
	json_decref(file);
	free(text);
}

static void languages(void **state)
{
	(void)state;
	static const struct {
		const char *tag;
		bool is;
	} rows[] = {{"fr", true}, {"sw", true}, {"pt-BR", true}, {"zh-Hant-TW", true}, {"swa", true},
		{"", false}, {"f", false}, {"FR", false}, {"french", false}, {"fr-", false},
		{"fr_FR", false}, {"fr-123456789", false}, {"../x", false}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (texts_is_language(rows[i].tag) != rows[i].is)
			fail_msg("'%s'", rows[i].tag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_comes_back_as_it_was, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_field_is_checked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_part_changes_that_part, set_up, tear_down),
		cmocka_unit_test(languages)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
