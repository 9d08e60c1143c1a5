/* labels: unit */
/* Token buckets: how many, how soon again, whose; and what an address is known by. */
#include "limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

enum { T0 = 1000000 };

/* How many of a kind are let through in a row at one moment. */
static int burst(struct limits *l, enum limit_kind kind, const char *key, int64_t now_ms)
{
	int n = 0;
	while (n < 100000 && limit_take(l, kind, key, now_ms) == 0)
		n++;
	return n;
}

static void every_kind_lets_through_a_burst_and_then_one_by_one(void **state)
{
	static const struct {
		enum limit_kind kind;
		int people, n, wait_s; /* at once, and until the next */
	} rows[] = {
		{LIMIT_LOGIN, 1, 10, 60},
		{LIMIT_LOGIN, 30, 10, 60}, /* a name is one person's */
		{LIMIT_LOGIN_NAME, 30, 100, 60},
		{LIMIT_LOGIN_ADDRESS, 30, 60, 10},
		{LIMIT_SIGNUP, 1, 1, 3600},
		{LIMIT_SIGNUP, 30, 30, 120},
		{LIMIT_ANONYMOUS, 30, 120, 30},
		{LIMIT_FLAG, 30, 60, 60},
		{LIMIT_ANSWER, 30, 1000, 1},
		{LIMIT_COMMENT, 30, 10, 30},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct limits *l = limits_new(rows[i].people);
		int n = burst(l, rows[i].kind, "a", T0);
		int wait_s = limit_take(l, rows[i].kind, "a", T0);
		if (n != rows[i].n || wait_s != rows[i].wait_s)
			fail_msg("row %zu: %d, then %d s", i, n, wait_s);
		assert_int_equal(limit_take(l, rows[i].kind, "b", T0), 0); /* another's is another */
		assert_int_equal(limit_take(l, rows[i].kind, "a", T0 + wait_s * 1000), 0);
		assert_int_equal(
			burst(l, rows[i].kind, "a", T0 + 1000 * 86400), rows[i].n); /* full again */
		limits_free(l);
	}
}

static void what_is_given_back_can_be_taken_again(void **state)
{
	struct limits *l = limits_new(1);
	(void)state;
	assert_int_equal(burst(l, LIMIT_LOGIN, "a", T0), 10);
	limit_give(l, LIMIT_LOGIN, "a");
	limit_give(l, LIMIT_LOGIN, "never seen");
	assert_int_equal(burst(l, LIMIT_LOGIN, "a", T0), 1);
	assert_int_equal(burst(l, LIMIT_LOGIN, "a", T0 - 3600000),
		0); /* a clock set back locks nobody out for longer */
	assert_in_range(limit_take(l, LIMIT_LOGIN, "a", T0 - 3600000), 1, 60);
	limits_free(l);
}

/* More names than there are places: whoever was met last is still known, and nothing grows. */
static void a_flood_of_names_does_not_free_the_last_one(void **state)
{
	struct limits *l = limits_new(1);
	char name[32];
	(void)state;
	assert_int_equal(burst(l, LIMIT_LOGIN, "victim", T0), 10);
	for (int i = 0; i < 200000; i++) { /* each recovers before the victim does, and goes first */
		snprintf(name, sizeof name, "flood %d", i);
		assert_int_equal(limit_take(l, LIMIT_LOGIN, name, T0), 0);
	}
	assert_true(limit_take(l, LIMIT_LOGIN, "victim", T0) > 0);
	limits_free(l);
}

static void an_address_is_a_household(void **state)
{
	static const struct {
		const char *connection, *forwarded, *known;
	} rows[] = {
		{"127.0.0.1", NULL, ""},
		{"127.1.2.3", NULL, ""},
		{"::1", NULL, ""},
		{"192.0.2.7", NULL, "192.0.2.7"},
		{"::ffff:192.0.2.7", NULL, "192.0.2.7"},
		{"2001:db8:1:2:3:4:5:6", NULL, "2001:db8:1:2::"},
		{"127.0.0.1", "192.0.2.7", "192.0.2.7"},
		{"127.0.0.1", "6.6.6.6, 192.0.2.7", "192.0.2.7"}, /* what the proxy itself has seen */
		{"127.0.0.1", "127.0.0.1,192.0.2.7", "192.0.2.7"},
		{"127.0.0.1", "127.0.0.1", ""},
		{"127.0.0.1", "", "?"},
		{"127.0.0.1", "somebody", "?"},
		{"127.0.0.1", "1.2.3.4.5", "?"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char out[48];
		limit_address(rows[i].connection, rows[i].forwarded, out);
		if (strcmp(out, rows[i].known) != 0)
			fail_msg("row %zu: '%s'", i, out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_lets_through_a_burst_and_then_one_by_one),
		cmocka_unit_test(what_is_given_back_can_be_taken_again),
		cmocka_unit_test(a_flood_of_names_does_not_free_the_last_one),
		cmocka_unit_test(an_address_is_a_household),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
