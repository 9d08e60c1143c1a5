/*
 * A small crowd's answers in a project's tables, some of its subjects decided by people, some by experts, some open; and the
 * refit of it, piece by piece.
 */
#pragma once

#include "answers.h"
#include "project_refit.h"
#include "support_project.h"

enum { REFIT_K = 5, REFIT_MODEL_K = 4, REFIT_SUBJECTS = 60, REFIT_ANSWERED = 50, REFIT_CROWD = 7 };

/* The answers that a world has, by numbers from 0, and the subjects' classes. */
enum { REFIT_MAX_GIVEN = 1000 };
extern struct answer refit_given[REFIT_MAX_GIVEN];
extern size_t refit_n_given;
extern int refit_truths[REFIT_SUBJECTS];

/*
 * The first REFIT_ANSWERED subjects with one to six answers of people who are right with .45 to .93, predictions of a model that
 * knows four of the five classes on two thirds of them, an expert's truth on every ninth, no label on every fifth other, people's
 * labels on the rest, one in three of them wrong. The next subject has an auto-label and no answers.
 */
void refit_world(struct test_project *t, const char *policy);

struct refit_hand {
	struct db *db;
	int n_pieces, die_at; /* the piece that a SIGKILL ends; 0: none */
	bool after_commit, stop;
};

enum status refit_by_hand(struct refit_hand *hand, int64_t project_id, bool cold,
	struct refit_record *out, struct err *err) MUST_CHECK;
/* Stops the test unless it is OK. */
void refit_must(struct test_project *t, bool cold, struct refit_record *out);

/* Everything that a refit may write, as text. Shapes: out [REFIT_DUMP]. */
enum { REFIT_DUMP = 400000 };
void refit_dump(const char *dir, char *out);
