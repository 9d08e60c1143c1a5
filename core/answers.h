/*
 * All answers of a crowd in memory, for methods that read them again and again (refit.h, dawid_skene.h). The one idea: what
 * a volunteer's answer says about the truth depends on the volunteer and the class only, so each pair that occurs is one
 * *column*, and an answer is the number of its column: 4 bytes by subject and 4 by column, whatever the number of classes.
 *
 * Shapes: subject_start [n_subjects + 1]; subject_column [n_answers], the columns of a subject's answers, by volunteer;
 *         column_start [n_columns + 1]; column_subject [n_answers], the subjects of a column's answers, as they came;
 *         column_class [n_columns]; volunteer_start [n_volunteers + 1], the volunteer's columns, by class.
 */
#pragma once

#include "status.h"

#include <stddef.h>
#include <stdint.h>

enum { ANSWERS_MAX_CLASSES = 1000 };

struct answer {
	uint32_t subject, volunteer;
	uint32_t class;
};

struct answers {
	size_t n_subjects, n_volunteers, n_answers, n_columns;
	int k;
	size_t n_repeats; /* a volunteer's later answers to the same subject: dropped */
	uint32_t *subject_start, *subject_column;
	uint32_t *column_start, *column_subject;
	uint16_t *column_class;
	uint32_t *volunteer_start;
};

/*
 * Sorts a list of answers; of several by one volunteer to one subject the first stays.
 * Owns:   on OK the caller ends *out with answers_release. The list is the caller's; repeats are taken out of it in place,
 *         so that its first out->n_answers remain.
 * Errors: BAD_INPUT when k is not 2..ANSWERS_MAX_CLASSES or an answer names a subject, volunteer or class that is none;
 *         TOO_LARGE over 2^32 - 2 answers; FAULT when memory is out. *out is then empty.
 */
enum status answers_sort(struct answer *list, size_t n, size_t n_subjects, size_t n_volunteers,
	int k, struct answers *out, struct err *err) MUST_CHECK;
void answers_release(struct answers *answers);

/* How many answers a subject has, and a volunteer has given. */
uint32_t answers_of_subject(const struct answers *answers, size_t subject);
uint32_t answers_of_volunteer(const struct answers *answers, size_t volunteer);

/* A block of plain numbers whose size comes from input: NULL when memory is out. Zeroed. */
void *answers_alloc(size_t n, size_t size);
