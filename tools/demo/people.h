/*
 * The simulated people at work: forty volunteers and one expert, who know the truth and see topi
 * only over HTTP, as their browsers would. A volunteer asks for two tasks, fetches a photograph of
 * each and answers as crowd_answer says, or crowd_confirm where it carries a guess; the expert answers the expert queue with the truth.
 */
#pragma once

#include "client.h"
#include "crowd.h"
#include "taxa.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { PEOPLE_THREADS = 8 };

struct people {
	const char *slug;
	uint64_t seed;
	const struct crowd_subject *subjects; /* [n_subjects] by subject id; those without one are 0 */
	int64_t n_subjects;
	int64_t taxon_id[N_TAXA];
	struct session volunteers[CROWD_N], expert, admin;
	atomic_int *answers; /* [n_subjects] volunteers' answers that the server took */
	atomic_int n_answers, n_expert;
};

/*
 * Makes everybody known to the server at url: volunteers get their cookies, expert and admin log in
 * with the password. Sessions live in the data directory: a copy of it knows them too.
 */
enum status people_enter(
	struct people *p, const char *url, const char *password, struct err *err) MUST_CHECK;

/* GET status of the project as the admin. Owns: *out is the caller's. */
enum status people_status(
	struct people *p, struct client *c, json_t **out, struct err *err) MUST_CHECK;

/*
 * Lets everybody work until done(arg, status) says so, which is asked some times a second; nobody
 * holds a task afterwards. Errors: FAULT when nothing has changed for two minutes; what anybody met.
 */
enum status people_work(struct people *p, const char *url,
	bool (*done)(const void *arg, const json_t *status), const void *arg,
	struct err *err) MUST_CHECK;
