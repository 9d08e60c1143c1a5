/* labels: unit http; timeout: 120 */
/* Leases after their end: an answer that was given off line comes weeks later. */
#include "support_server.h"

#include "volunteer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define TEST "/api/projects/test"

static const int64_t day_ms = 24LL * 3600 * 1000;

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void a_late_answer_is_taken_for_as_long_as_a_session_lives(void **state)
{
	(void)state;
	struct test_server s;
	struct client c;
	test_server_open(&s, 4, 12, NULL);
	struct test_project *p = &s.project;
	client_open(&c, &s);
	client_log_in(&c, NULL);
	assert_int_equal(client_post(&c, TEST "/next", "{\"n\": 2}"), 200);
	json_t *tasks = json_incref(json_object_get(c.json, "tasks"));
	int64_t subjects[2];
	for (size_t i = 0; i < 2; i++)
		subjects[i] = json_integer_value(json_object_get(json_array_get(tasks, i), "subject"));
	json_decref(tasks);
	/* One lease ended a day before the session would, the other a day after. */
	test_sql(p, "UPDATE task SET expires_ms = expires_ms - %lld WHERE subject_id = %d",
		(long long)(SESSION_MS - day_ms), (int)subjects[0]);
	test_sql(p, "UPDATE task SET expires_ms = expires_ms - %lld WHERE subject_id = %d",
		(long long)(SESSION_MS + day_ms), (int)subjects[1]);
	test_server_restart(&s); /* which cleans up at once */
	for (int i = 0; i < 600 && test_sql(p, "SELECT count(*) FROM task") == 2; i++)
		pause_ms(100);
	assert_int_equal(test_sql(p, "SELECT count(*) FROM task"), 1);
	static const int replies[] = {200, 403};
	for (int i = 0; i < 2; i++)
		assert_int_equal(client_post(&c, TEST "/classifications",
							 "{\"uuid\": \"00000000-0000-4000-8000-00000000000%d\", \"subject\": "
							 "%lld, \"answer\": \"taxa\", \"taxa\": [{\"taxon\": %lld}]}",
							 i, (long long)subjects[i], (long long)p->taxa[1]),
			replies[i]);
	assert_int_equal(test_sql(p, "SELECT counted FROM classification"), 1);
	client_close(&c);
	test_server_close(&s);
}

/* A lease that has ended is in nobody's way: the subject is free again, for its volunteer too. */
static void a_dead_lease_is_in_nobodys_way(void **state)
{
	(void)state;
	struct test_server s;
	struct client c;
	test_server_open(&s, 4, 2, NULL);
	client_open(&c, &s);
	client_log_in(&c, NULL);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(client_post(&c, TEST "/next", "{\"n\": 2}"), 200);
		assert_int_equal(json_array_size(json_object_get(c.json, "tasks")), 2);
		assert_int_equal(test_sql(&s.project, "SELECT count(*) FROM task"), 2);
		test_sql(
			&s.project, "UPDATE task SET expires_ms = expires_ms - %lld", (long long)(30 * day_ms));
	}
	client_close(&c);
	test_server_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_late_answer_is_taken_for_as_long_as_a_session_lives),
		cmocka_unit_test(a_dead_lease_is_in_nobodys_way)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
