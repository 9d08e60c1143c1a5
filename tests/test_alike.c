/* labels: http sql; timeout: 120 */
/*
 * Audits, gold and routine tasks as a volunteer's browser receives them: every byte of every reply is the same for all kinds,
 * but for digits that differ from subject to subject (ids, times), and those are as many.
 */
#include "gold.h"
#include "label.h"
#include "support_server.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define TEST "/api/projects/test"

static struct test_server server;

enum kind {
	UNSURE,    /* the model is not sure: asked blind as ever */
	SURE,      /* could carry a card, and was drawn to be asked blind */
	UNDECIDED, /* somebody has answered it */
	SHADOW,    /* shadow audit */
	AUDIT,     /* auto-labelled and drawn */
	PERSON,    /* the same, and the model takes it for a person */
	PROBE,
	CERTIFY,
	TRAIN,
	N_KINDS
};

/* Gold first: what is left over is people's. Ids are two digits long. */
enum { N_SUBJECTS = 60, PER_KIND = 5 };

static int64_t first_of(enum kind kind)
{
	return server.project.first_subject + 10 + (int64_t)kind * PER_KIND;
}

static void gold_of(enum kind kind, const char *purpose)
{
	struct err err = {0};
	struct project p = {0};
	assert_int_equal(project_load(server.project.db, server.project.id, &p, &err), OK);
	assert_int_equal(db_begin(server.project.db, &err), OK);
	for (int i = 0; i < PER_KIND; i++)
		assert_int_equal(
			gold_label(server.project.db, &p, first_of(kind) + i, "animal1", "probe", 1, &err), OK);
	assert_int_equal(db_commit(server.project.db, &err), OK);
	test_sql(&server.project,
		"UPDATE gold SET purpose = '%s', p_draw = 1 WHERE subject_id >= %d AND subject_id < %d",
		purpose, (int)first_of(kind), (int)first_of(kind) + PER_KIND);
	project_release(&p);
}

static void predict(enum kind kind, int top, double p)
{
	for (int i = 0; i < PER_KIND; i++)
		test_predict(&server.project, first_of(kind) + i, top, p, 5);
}

/* Every kind comes to be as it does in a project: by predictions under a certificate that draws all that it would label. */
static void open_all_kinds(const char *policy)
{
	struct test_project *t = &server.project;
	test_server_open(&server, 4, N_SUBJECTS + 10, policy);
	test_sql(t, "UPDATE taxon SET kind = 'human' WHERE code = 'animal3'");
	/* Subjects of one digit, and what is no kind, are not asked about. */
	test_sql(t,
		"UPDATE subject SET state = 'retired', reason = 'cant_tell' WHERE id < %d OR id >= %d",
		(int)first_of(0), (int)first_of(N_KINDS));
	test_model(t, 4);
	test_sql(t, "UPDATE model SET w0 = 0, w1 = 1, n_calibration = 20");
	gold_of(PROBE, "probe");
	gold_of(CERTIFY, "certify");
	gold_of(TRAIN, "train-people");
	test_sql(t,
		"INSERT INTO certificate (project_id, model_id, policy_id, alpha, delta, threshold, "
		"n_gold, n_above, n_wrong, "
		"p_error_upper, audit_rate, state, issued_ms) VALUES (%d, %d, 1, 0.034, 0.05, 0.9, 100, "
		"100, 0, 0.03, 1, "
		"'probation', 1000000)",
		(int)t->id, (int)t->model_id);
	test_sql(t,
		"UPDATE certificate SET p_top_min = threshold; INSERT INTO certificate_taxon SELECT 1, id "
		"FROM taxon "
		"WHERE kind <> 'blank'");
	predict(SHADOW, 2, 0.97);
	test_sql(t, "UPDATE certificate SET state = 'active'");
	predict(AUDIT, 2, 0.97);
	predict(PERSON, 3, 0.97);
	predict(UNSURE, 2, 0.6);
	predict(SURE, 2, 0.85);
	predict(UNDECIDED, 2, 0.6);
	predict(PROBE, 1, 0.85);
	predict(CERTIFY, 1, 0.85);
	predict(TRAIN, 1, 0.85);
	for (int i = 0; i < PER_KIND; i++)
		test_must_answer(t, first_of(UNDECIDED) + i, 60, i % 2 ? 1 : -1, 20);
	assert_int_equal(
		test_sql(t, "SELECT count(*) FROM audit WHERE kind = 'shadow' AND state = 'crowd'"),
		PER_KIND);
	assert_int_equal(
		test_sql(t, "SELECT count(*) FROM audit WHERE kind = 'audit' AND state = 'crowd'"),
		2 * PER_KIND);
}

/* Digits, and the names of days and months, which the clock chooses. */
static void mask(char *text)
{
	char *date = strstr(text, "Date: ");
	for (char *c = text; *c; c++)
		if (isdigit((unsigned char)*c))
			*c = '0';
	for (char *c = date; c && *c != '\r'; c++)
		*c = '0';
}

/* A reply as it came, all but what the clock and the ids say. Owns: the caller frees it. */
static char *received(const struct client *c)
{
	size_t n = strlen(c->headers) + c->n_body + 1;
	char *text = malloc(n);
	assert_non_null(text);
	assert_int_equal(strlen(c->body), c->n_body);
	snprintf(text, n, "%s%s", c->headers, c->body);
	mask(text);
	return text;
}

enum { N_REPLIES = 8 };
static const char *const asked[N_REPLIES] = {"next", "the photograph", "the small one",
	"the answer", "the answer again", "undo", "next after undo",
	"one's last answers, an hour later"};

static void keep(char **out, int *n, const struct client *c)
{
	out[(*n)++] = received(c);
}

/*
 * A volunteer nobody has seen before, whose first task is of the kind: others are tried until one is. Planted gold and draws go
 * by a hash of the volunteer, live subjects by their place in the queue.
 */
static int64_t get_task(struct client *c, enum kind kind, char **out, int *n)
{
	bool planted = kind >= PROBE;
	test_sql(&server.project,
		"UPDATE subject SET priority = priority + 9 WHERE id >= %d AND id < %d AND priority < 9 "
		"AND state = 'open'",
		(int)first_of(kind), (int)first_of(kind) + PER_KIND);
	if (planted)
		test_sql(&server.project,
			"UPDATE gold SET n_planted = 3 * (subject_id < %d OR subject_id >= %d), plant_u = "
			"plant_u",
			(int)first_of(kind), (int)first_of(kind) + PER_KIND);
	for (int i = 0; i < 100; i++) {
		client_open(c, &server);
		client_log_in(c, NULL);
		assert_int_equal(client_post(c, TEST "/next", "{\"n\": 1}"), 200);
		const json_t *task = json_array_get(json_object_get(c->json, "tasks"), 0);
		int64_t subject = json_integer_value(json_object_get(task, "subject"));
		if (subject >= first_of(kind) && subject < first_of(kind) + PER_KIND &&
			json_is_null(json_object_get(task, "guess"))) {
			keep(out, n, c);
			test_sql(
				&server.project, "UPDATE subject SET priority = priority - 9 WHERE priority > 9");
			return subject;
		}
		client_close(c);
	}
	fail_msg("no task of kind %d", kind);
	return 0;
}

static void get(struct client *c, int64_t subject, const char *size, char **out, int *n)
{
	char path[60];
	snprintf(path, sizeof path, "/media/%lld/%s.jpg", (long long)subject, size);
	assert_int_equal(client_send(c, "GET", path, NULL), 200);
	keep(out, n, c);
}

/* An hour goes by, in which people, a model or an expert have decided what is no gold; some is open still. */
static void hour_later(enum kind kind, int64_t subject)
{
	static const char *const by[N_KINDS] = {
		[UNSURE] = "people", [SHADOW] = "expert", [AUDIT] = "model", [SURE] = "people"};
	if (by[kind])
		test_sql(&server.project,
			"UPDATE subject SET state = 'retired', label_id = %d, p_label = 1, decided_by = '%s', "
			"reason = 'risk', decided_ms = %lld WHERE id = %d",
			(int)server.project.taxa[2], by[kind], (long long)time(NULL) * 1000, (int)subject);
	test_sql(&server.project, "UPDATE subject SET decided_ms = decided_ms - 3600000 WHERE id = %d",
		(int)subject);
	test_sql(&server.project,
		"UPDATE classification SET created_ms = created_ms - 3600000 WHERE subject_id = %d",
		(int)subject);
}

/* What one volunteer receives from the first task to long after its answer. Every kind has three digits in its task's id. */
static void live_through(enum kind kind, char **out)
{
	static int nth;
	struct client c;
	int n = 0;
	int64_t subject = get_task(&c, kind, out, &n);
	get(&c, subject, "1280", out, &n);
	get(&c, subject, "320", out, &n);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(client_post(&c, TEST "/classifications",
							 "{\"uuid\": \"00000000-0000-4000-8000-%012d\", \"subject\": %lld, "
							 "\"answer\": \"taxa\", "
							 "\"taxa\": [{\"taxon\": %lld}]}",
							 nth * 3, (long long)subject, (long long)server.project.taxa[2]),
			200);
		keep(out, &n, &c);
	}
	assert_int_equal(client_post(&c, TEST "/undo",
						 "{\"uuid\": \"00000000-0000-4000-8000-%012d\", \"of\": "
						 "\"00000000-0000-4000-8000-%012d\"}",
						 nth * 3 + 1, nth * 3),
		200);
	keep(out, &n, &c);
	assert_int_equal(client_post(&c, TEST "/next", "{\"n\": 1}"), 200);
	keep(out, &n, &c);
	assert_int_equal(client_post(&c, TEST "/classifications",
						 "{\"uuid\": \"00000000-0000-4000-8000-%012d\", \"subject\": %lld, "
						 "\"answer\": \"cant_tell\"}",
						 nth * 3 + 2, (long long)subject),
		200);
	hour_later(kind, subject);
	assert_int_equal(client_send(&c, "GET", TEST "/answers?n=1", NULL), 200);
	assert_non_null(strstr(c.body, "\"may_undo\":true"));
	keep(out, &n, &c);
	/* Labels are counted (what is likely at a camera): those who come next find what the first found. */
	test_sql(&server.project,
		"UPDATE subject SET state = 'open', label_id = NULL, decided_by = NULL WHERE id = %d AND "
		"state = 'retired' AND id < %d",
		(int)subject, (int)first_of(PROBE));
	assert_int_equal(n, N_REPLIES);
	nth++;
	client_close(&c);
}

static void compare_all(const char *policy)
{
	char *of[N_KINDS][N_REPLIES];
	open_all_kinds(policy);
	/* Ids of tasks are as long for all. */
	test_sql(&server.project,
		"INSERT INTO task (id, project_id, subject_id, volunteer_id, issued_ms, expires_ms) VALUES "
		"(1000, 1, %d, 63, 0, 1)",
		(int)server.project.first_subject);
	for (int kind = 0; kind < N_KINDS; kind++)
		live_through((enum kind)kind, of[kind]);
	for (int kind = 0; kind < N_KINDS; kind++)
		for (int i = 0; i < N_REPLIES; i++) {
			/* This kind alone has the truth told, after the answer and when it comes again. */
			bool told = kind == TRAIN && (i == 3 || i == 4);
			if (told ? strcmp(of[kind][i], of[UNSURE][i]) == 0
					 : strcmp(of[kind][i], of[UNSURE][i]) != 0)
				fail_msg(
					"kind %d, %s:\n%s\ninstead of\n%s", kind, asked[i], of[kind][i], of[UNSURE][i]);
		}
	for (int kind = 0; kind < N_KINDS; kind++)
		for (int i = 0; i < N_REPLIES; i++)
			free(of[kind][i]);
	test_server_close(&server);
}

#define PLANTED                                                                                    \
	"\"plant_first\": 0.5, \"plant_rate\": 0.5, \"audit_tau\": 0.0001, \"tau\": 0.0001, \"cap\": " \
	"1000, \"kappa\": 0"

static void all_kinds_are_alike(void **state)
{
	(void)state;
	compare_all("{" PLANTED ", \"confirm_ends\": false, \"confirm_blind\": 0.5}");
}

static void and_where_the_model_is_revealed(void **state)
{
	(void)state;
	compare_all("{" PLANTED ", \"confirm_ends\": false, \"confirm_blind\": 0.5, \"reveal\": true}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds_are_alike),
		cmocka_unit_test(and_where_the_model_is_revealed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
