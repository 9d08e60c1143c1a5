/*
 * A project of two classes, blank and one animal, on four deployments: half of the subjects are certification gold, and the
 * model says the truth (subject i is of class i % 2) with confidence .97. Where i % 10 is 1, an animal, it says .6 of gold, and
 * has said nothing of the rest.
 */
#pragma once

#include "support_project.h"

enum { STRATA_N = 1600, STRATA_GOLD = 800 };

extern struct test_project strata_world;

/* Predicted and settled. before: SQL that runs before the certificates are looked for, or NULL. */
void strata_open(const char *policy, const char *before);
void strata_settle(int64_t now_ms);
void strata_sweep(int64_t now_ms);
/* Every blind subject is answered, by the truth or (wrong) by the other class, and judged by an expert where asked. */
void strata_answer_blind(bool wrong, int64_t now_ms);
/* Both probations end by right answers, and what is sure is labelled. */
void strata_activate(int64_t now_ms);
