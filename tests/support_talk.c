/* The server of the tests of flags and comments, and those who speak. */
#include "support_talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TEST "/api/projects/test"

struct test_server talk_server;
struct client talk_ann, talk_ben, talk_emil, talk_mona, talk_ada;
int talk_n_answers;
static struct test_project *const t = &talk_server.project;
static struct client *const all[] = {&talk_ann, &talk_ben, &talk_emil, &talk_mona, &talk_ada};

int talk_set_up_with(const char *policy)
{
	test_server_open(&talk_server, 4, 12, policy);
	static const char *const names[] = {NULL, NULL, "emil", "vera", "ada"};
	test_sql(t,
		"INSERT INTO role (project_id, volunteer_id, role) SELECT %d, id, 'moderator' FROM "
		"volunteer WHERE name = 'vera'",
		(int)t->id);
	for (size_t i = 0; i < 5; i++) {
		client_open(all[i], &talk_server);
		client_log_in(all[i], names[i]);
	}
	return 0;
}

int talk_tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < 5; i++)
		client_close(all[i]);
	test_server_close(&talk_server);
	return 0;
}

int64_t talk_id_of(struct client *c)
{
	assert_int_equal(client_send(c, "GET", "/api/me", NULL), 200);
	return client_int(c, "id");
}

void talk_give(struct client *c, int64_t subject)
{
	test_sql(t,
		"INSERT INTO task (project_id, subject_id, volunteer_id, issued_ms, expires_ms) VALUES "
		"(%d, %d, %d, 0, 9999999999999) ON CONFLICT DO NOTHING",
		(int)t->id, (int)subject, (int)talk_id_of(c));
}

void talk_answer(struct client *c, int64_t subject, int class)
{
	talk_give(c, subject);
	if (client_post(c, TEST "/classifications",
			"{\"uuid\": \"00000000-0000-4000-8000-%012d\", \"subject\": %lld, \"answer\": "
			"\"taxa\", \"taxa\": [{\"taxon\": %lld}]}",
			++talk_n_answers, (long long)subject, (long long)t->taxa[class]) != 200)
		fail_msg("%s", c->body);
}

int talk_try_undo(struct client *c, int of)
{
	static int n_undos;
	return client_post(c, TEST "/undo",
		"{\"uuid\": \"00000000-0000-4000-8000-%012d\", \"of\": "
		"\"00000000-0000-4000-8000-%012d\"}",
		1000000 + ++n_undos, of);
}

void talk_undo_last(struct client *c)
{
	assert_int_equal(talk_try_undo(c, talk_n_answers), 200);
}
