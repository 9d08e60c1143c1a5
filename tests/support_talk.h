/* A server, and five who speak: two anonymous volunteers, an expert, a moderator and an admin. */
#pragma once

#include "support_server.h"

extern struct test_server talk_server;
extern struct client talk_ann, talk_ben, talk_emil, talk_mona, talk_ada;
extern int talk_n_answers; /* the number in the last answer's UUID */

int talk_set_up_with(const char *policy);
int talk_tear_down(void **state);

int64_t talk_id_of(struct client *c);
/* Leases the subject to them; and answers it. */
void talk_give(struct client *c, int64_t subject);
void talk_answer(struct client *c, int64_t subject, int class);
/* The HTTP status of taking back the of-th answer; and of the last one, which must be 200. */
int talk_try_undo(struct client *c, int of);
void talk_undo_last(struct client *c);
