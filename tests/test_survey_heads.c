/* labels: http; timeout: 240 */
/*
 * What a project's survey asks is learnt beside the species: from people's answers through a training, by the head alone and
 * as a whole net, to the report, predictions and an export. Zebras stand and are two; topis move and are 11 to 50.
 */
#include "support_frames.h"
#include "support_server.h"
#include "survey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct frames frames;

#define sql(...) frames_sql(&frames, __VA_ARGS__)

static int set_up(void **state)
{
	(void)state;
	frames_open(&frames, 60000);
	frames_label(&frames);
	sql("UPDATE project SET survey = "
		"'{\"count\":true,\"young\":true,\"behaviours\":[\"moving\"]}'");
	sql("INSERT INTO volunteer (id, name, created_ms) VALUES (90, 'v', 0)");
	sql("INSERT INTO classification (id, uuid, project_id, subject_id, volunteer_id, answer, "
		"counted, expert, blind, "
		"policy_id, created_ms) SELECT id, randomblob(16), project_id, id, 90, 'taxa', 1, 0, 0, "
		"(SELECT policy_id FROM project), 0 FROM subject WHERE id %% 3 > 0");
	/* a zebra is seen as two zebras, a topi as 20 topis that move; of a third of them nobody said more than the species */
	sql("INSERT INTO annotation (classification_id, taxon_id, count, details) "
		"SELECT id, 1 + id %% 3, CASE WHEN id %% 9 < 3 THEN NULL WHEN id %% 3 = 1 THEN 2 ELSE 11 "
		"END, "
		"CASE WHEN id %% 9 < 3 THEN '{}' WHEN id %% 3 = 1 THEN '{\"behaviours\":[]}' "
		"ELSE '{\"behaviours\":[\"moving\"]}' END FROM classification");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	frames_close(&frames);
	return 0;
}

/* The report's head of that name; NULL: there is none. */
static const json_t *head_of(const json_t *reply, const char *name)
{
	const json_t *report = json_object_get(json_object_get(reply, "model"), "report");
	json_t *head;
	size_t i;
	json_array_foreach(json_object_get(report, "heads"), i, head)
	{
		if (strcmp(json_string_value(json_object_get(head, "name")), name) == 0)
			return head;
	}
	return NULL;
}

static int number(const json_t *head, const char *member)
{
	return (int)json_integer_value(json_object_get(head, member));
}

/* The column of a line of a CSV whose cells hold no commas. cell [80]. */
static void cell_of(const char *line, int column, char *cell)
{
	for (; column > 0; column--)
		line = strchr(line, ',') + 1;
	snprintf(cell, 80, "%.*s", (int)strcspn(line, ",\r\n"), line);
}

static int column_of(const char *header, const char *name)
{
	const char *found = strstr(header, name);
	int column = 0;
	assert_non_null(found);
	for (const char *p = header; p < found; p++)
		column += *p == ',';
	return column;
}

static void check_export(void)
{
	char path[100], line[1000], cell[80];
	int columns[3], n_lines = 0;
	snprintf(path, sizeof path, "%s/labels.csv", frames.dir);
	const char *args[] = {
		"topi", "export", frames.dir, "p", "--format", "csv", "--out", path, NULL};
	assert_int_equal(frames_wait(frames_start(&frames, args)), 0);
	FILE *in = fopen(path, "r");
	assert_non_null(in);
	assert_non_null(fgets(line, sizeof line, in));
	columns[0] = column_of(line, "model_count");
	columns[1] = column_of(line, "model_young");
	columns[2] = column_of(line, "model_behaviours");
	while (fgets(line, sizeof line, in)) {
		int subject = atoi(line);
		if (subject % 3 == 0 || subject > FRAMES_SUBJECTS - FRAMES_BROKEN)
			continue;
		n_lines++;
		cell_of(line, columns[0], cell);
		assert_string_equal(cell, subject % 3 == 1 ? "2" : "11-50");
		cell_of(line, columns[1], cell);
		assert_string_equal(cell, ""); /* nobody said, so it was not learnt */
		cell_of(line, columns[2], cell);
		assert_memory_equal(cell, "moving:", 7);
		assert_true(subject % 3 == 1 ? atof(cell + 7) < 0.5 : atof(cell + 7) > 0.5);
	}
	assert_true(n_lines > 100);
	fclose(in);
}

static void a_head_alone_learns_the_survey(void **state)
{
	(void)state;
	const char *train[] = {
		"topi", "train", frames.dir, "p", "--from", "start", "--device", "cpu", "--json", NULL};
	json_t *reply = frames_json(&frames, train);
	const json_t *count = head_of(reply, "count"), *moving = head_of(reply, "behaviour:moving");
	json_int_t id = json_integer_value(json_object_get(json_object_get(reply, "model"), "id"));
	assert_null(head_of(reply, "young"));
	assert_true(number(count, "n") > 10);
	assert_int_equal(number(count, "n_right"), number(count, "n"));
	assert_int_equal(number(count, "n_near"), number(count, "n"));
	assert_true(number(moving, "n") > 10);
	assert_int_equal(number(moving, "n_right"), number(moving, "n"));
	json_decref(reply);
	const char *predict[] = {
		"topi", "predict", frames.dir, "p", "--model", "m2", "--device", "cpu", NULL};
	sql("UPDATE model SET name = 'm2' WHERE id = %d", (int)id);
	assert_int_equal(frames_wait(frames_start(&frames, predict)), 0);
	assert_int_equal(
		sql("SELECT count(*) FROM prediction WHERE model_id = %d AND subject_id %% 3 > 0 "
			"AND json_extract(heads, '$.count[0]') <> iif(subject_id %% 3 = 1, '2', '11-50')",
			(int)id),
		0);
	assert_int_equal(
		sql("SELECT count(*) FROM prediction WHERE model_id = %d AND heads IS NULL", (int)id), 0);
	sql("UPDATE subject SET prediction_id = (SELECT p.id FROM prediction p WHERE p.subject_id = "
		"subject.id AND p.model_id = %d)",
		(int)id);
	check_export();
}

/* Mixed pictures and all: a recipe that mixes goes with several heads. */
static void a_whole_net_learns_it_too(void **state)
{
	(void)state;
	char path[100];
	snprintf(path, sizeof path, "%s/recipe.json", frames.dir);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_true(fputs("{\"mixup\": 0.2}", out) >= 0);
	assert_int_equal(fclose(out), 0);
	const char *train[] = {"topi", "train", frames.dir, "p", "--arch", "resnet10s", "--epochs",
		"30", "--recipe", path, "--device", "cpu", "--json", NULL};
	json_t *reply = frames_json(&frames, train);
	const json_t *count = head_of(reply, "count");
	assert_true(number(count, "n") > 10);
	assert_true(number(count, "n_right") * 10 > number(count, "n") * 9);
	json_decref(reply);
}

static void a_survey_names_its_heads(void **state)
{
	(void)state;
	const char *survey =
		"{\"count\":true,\"young\":true,\"sex\":true,\"behaviours\":[\"resting\",\"moving\"]}";
	json_t *heads = survey_heads(survey), *said = json_object();
	assert_int_equal(json_array_size(heads), 4);
	const json_t *bins = json_object_get(json_array_get(heads, 0), "classes");
	assert_int_equal(json_array_size(bins), 12);
	assert_string_equal(json_string_value(json_array_get(bins, 9)), "10");
	assert_string_equal(json_string_value(json_array_get(bins, 10)), "11-50");
	assert_string_equal(json_string_value(json_array_get(bins, 11)), "51+");
	json_decref(heads);
	survey_tally(survey, 0, "{}", said);
	assert_int_equal(json_object_size(said), 0);
	survey_tally(survey, 3, "{\"young\":false,\"behaviours\":[\"moving\"]}", said);
	survey_tally(survey, 40, "{\"young\":true}", said);
	survey_tally("{}", 3, "{\"young\":true}", said); /* not asked, not learnt */
	char *text = json_dumps(said, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text,
		"{\"behaviour:moving\":{\"yes\":1},\"behaviour:resting\":{\"no\":1},"
		"\"count\":{\"11-50\":1,\"3\":1},\"young\":{\"no\":1,\"yes\":1}}");
	free(text);
	json_decref(said);
}

static const char *const no_heads[] = {"3", "{\"count\": 2}", "{\"count\": [\"2\"]}",
	"{\"count\": [2, 0.5]}", "{\"count\": [\"2\", 1.5]}", "{\"count\": [\"2\", \"0.5\"]}",
	"{\"a name that is longer than any word of a survey can ever be with its prefix\": [\"2\", "
	"0.5]}"};

/* What a worker sends beside the species is kept as it came, or the whole batch is refused. */
static void a_worker_sends_heads(void **state)
{
	(void)state;
	struct test_server s;
	struct client c;
	test_server_open(&s, 3, 1, NULL);
	test_model(&s.project, 3);
	client_open(&c, &s);
	c.token = s.token;
	test_sql(&s.project,
		"INSERT INTO job (project_id, kind, model_id, spec, created_ms) VALUES (%lld, 'predict', "
		"%lld, "
		"'{\"scope\":\"all\"}', 0)",
		(long long)s.project.id, (long long)s.project.model_id);
	assert_int_equal(client_post(&c, "/api/worker/lease", "{\"worker\": \"w\", \"n\": 5}"), 200);
	const json_t *job = json_object_get(c.json, "job");
	long long id = json_integer_value(json_object_get(job, "id")),
			  batch = json_integer_value(json_object_get(job, "batch"));
	char path[100];
	snprintf(path, sizeof path, "/api/worker/jobs/%lld/predictions", id);
	static const char body[] =
		"{\"worker\": \"w\", \"batch\": %lld, \"predictions\": [{\"subject\": %lld, \"n_frames\": "
		"1, "
		"\"logits\": [0, 1, 0], \"embedding\": null, \"heads\": %s}], \"failed\": []}";
	for (size_t i = 0; i < sizeof no_heads / sizeof *no_heads; i++) {
		if (client_post(&c, path, body, batch, (long long)s.project.first_subject, no_heads[i]) !=
			400)
			fail_msg("%s was taken", no_heads[i]);
		assert_non_null(strstr(client_text(&c, "error"), "heads are"));
	}
	assert_int_equal(test_sql(&s.project, "SELECT count(*) FROM prediction"), 0);
	assert_int_equal(client_post(&c, path, body, batch, (long long)s.project.first_subject,
						 "{\"count\": [\"2\", 0.75]}"),
		200);
	assert_int_equal(
		test_sql(
			&s.project, "SELECT count(*) FROM prediction WHERE heads = '{\"count\":[\"2\",0.75]}'"),
		1);
	client_close(&c);
	test_server_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_survey_names_its_heads),
		cmocka_unit_test(a_worker_sends_heads),
		cmocka_unit_test_setup_teardown(a_head_alone_learns_the_survey, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_whole_net_learns_it_too, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
