/*
 * Somebody leaves. Name, password, roles, sessions, favourites and what is derived of their skill go at once. Their answers
 * stay, nobody's by then, or are taken too: each is superseded and its subject decided again, a few at a time, so that
 * a server goes on meanwhile; whatever interrupts it, the next call goes on. What others' skills and the pooled matrix had learnt with
 * them is learnt anew by the next refit; of how often people miss one of several species (set_skill.h) their part stays in the sum.
 * An expert's verdicts stay: labels, gold and certificates stand on them.
 */
#pragma once

#include "db.h"

/* take: the answers too. In the caller's transaction. */
enum status forget_begin(
	struct db *db, int64_t volunteer_id, bool take, int64_t now_ms, struct err *err) MUST_CHECK;

/* Takes up to n_most answers of whoever has asked for it. *n: how many; 0: nothing is left to do. In the caller's transaction. */
enum status forget_step(
	struct db *db, int n_most, int64_t now_ms, int *n, struct err *err) MUST_CHECK;
