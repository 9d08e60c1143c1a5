/*
 * A crowd from CSV files (docs/consensus.md, "Any crowd"): answers `task,worker,answer` (or `label`, as crowd-kit has it),
 * predictions `task,class,probability`, gold `task,truth`. Columns in any order, others are passed over. Names are text. Classes
 * are all that the files name, numbered in the order of their names.
 */
#pragma once

#include "answers.h"
#include "names.h"
#include "refit.h"

struct answers_file {
	struct names *tasks, *workers;
	char **classes;      /* [answers.k] in the order of their names */
	struct answer *list; /* [answers.n_answers] in the file's order, without repeats */
	struct answers answers;
	int16_t *gold;            /* [n_subjects], REFIT_NO_GOLD where there is none */
	size_t n_gold;            /* tasks with gold */
	size_t n_gold_unknown;    /* rows of gold for tasks that no other file has */
	struct refit_prior prior; /* start is NULL without a file */
};

/*
 * prior and gold may be NULL. A row of gold without a truth says nothing.
 * Owns:   on OK the caller ends *out with answers_file_release; an error leaves it empty.
 * Errors: NOT_FOUND when a file cannot be opened; BAD_INPUT with file and line for a missing column, an empty name, a
 *         probability outside 0..1, a class or a truth given twice for a task, probabilities of a task that do not sum to 1 within
 *         1e-6, no answers, fewer than two classes; TOO_LARGE over ANSWERS_MAX_CLASSES; FAULT.
 */
enum status answers_file_load(const char *answers, const char *prior, const char *gold,
	struct answers_file *out, struct err *err) MUST_CHECK;
void answers_file_release(struct answers_file *file);
