/*
 * Answers sorted by counting, which is stable and linear: once by volunteer and subject to find repeats, once by class and
 * volunteer to number the columns. No temporary array is wider than 4 bytes an answer.
 */
#include "answers.h"

#include <stdlib.h>

void *answers_alloc(size_t n, size_t size)
{
	return calloc(n ? n : 1, size);
}

void answers_release(struct answers *answers)
{
	free(answers->subject_start);
	free(answers->subject_column);
	free(answers->column_start);
	free(answers->column_subject);
	free(answers->column_class);
	free(answers->volunteer_start);
	*answers = (struct answers){0};
}

uint32_t answers_of_subject(const struct answers *answers, size_t subject)
{
	return answers->subject_start[subject + 1] - answers->subject_start[subject];
}

uint32_t answers_of_volunteer(const struct answers *answers, size_t volunteer)
{
	return answers->column_start[answers->volunteer_start[volunteer + 1]] -
		answers->column_start[answers->volunteer_start[volunteer]];
}

enum key { BY_SUBJECT, BY_VOLUNTEER, BY_CLASS };

static uint32_t key_of(const struct answer *a, enum key key)
{
	return key == BY_SUBJECT ? a->subject : key == BY_VOLUNTEER ? a->volunteer : a->class;
}

/* One stable counting sort of positions in the list: from (NULL: as they are) to to. */
static enum status sort_by(const struct answer *list, size_t n, enum key key, size_t n_keys,
	const uint32_t *from, uint32_t *to)
{
	uint32_t *next = answers_alloc(n_keys + 1, sizeof *next);
	if (!next)
		return FAULT;
	for (size_t i = 0; i < n; i++)
		next[key_of(&list[i], key) + 1]++;
	for (size_t i = 1; i <= n_keys; i++)
		next[i] += next[i - 1];
	for (size_t i = 0; i < n; i++) {
		const uint32_t at = from ? from[i] : (uint32_t)i;
		to[next[key_of(&list[at], key)]++] = at;
	}
	free(next);
	return OK;
}

/* Takes repeats out of the list: equal neighbours by volunteer and subject, all but the first. */
static enum status drop_repeats(struct answer *list, struct answers *out, uint32_t *a, uint32_t *b)
{
	const size_t n = out->n_answers;
	if (sort_by(list, n, BY_VOLUNTEER, out->n_volunteers, NULL, a) != OK ||
		sort_by(list, n, BY_SUBJECT, out->n_subjects, a, b) != OK)
		return FAULT;
	size_t n_kept = 0;
	for (size_t i = 1; i < n; i++)
		if (list[b[i]].subject == list[b[i - 1]].subject &&
			list[b[i]].volunteer == list[b[i - 1]].volunteer)
			a[n_kept++] = b[i];
	out->n_repeats = n_kept;
	for (size_t i = 0; i < n_kept; i++)
		list[a[i]].class = UINT32_MAX;
	n_kept = 0;
	for (size_t i = 0; i < n; i++)
		if (list[i].class != UINT32_MAX)
			list[n_kept++] = list[i];
	out->n_answers = n_kept;
	return OK;
}

static int is_same_column(const struct answer *a, const struct answer *b)
{
	return a->volunteer == b->volunteer && a->class == b->class;
}

/* order: positions by volunteer and class. */
static enum status fill_columns(
	const struct answer *list, const uint32_t *order, struct answers *out)
{
	const size_t n = out->n_answers;
	for (size_t i = 0; i < n; i++)
		out->n_columns += i == 0 || !is_same_column(&list[order[i]], &list[order[i - 1]]);
	out->column_start = answers_alloc(out->n_columns + 1, sizeof *out->column_start);
	out->column_class = answers_alloc(out->n_columns, sizeof *out->column_class);
	out->column_subject = answers_alloc(n, sizeof *out->column_subject);
	out->volunteer_start = answers_alloc(out->n_volunteers + 1, sizeof *out->volunteer_start);
	if (!out->column_start || !out->column_class || !out->column_subject || !out->volunteer_start)
		return FAULT;
	size_t column = 0;
	for (size_t i = 0; i < n; i++) {
		const struct answer *a = &list[order[i]];
		if (i == 0 || !is_same_column(a, &list[order[i - 1]])) {
			out->column_start[column] = (uint32_t)i;
			out->column_class[column] = (uint16_t)a->class;
			out->volunteer_start[a->volunteer + 1]++;
			column++;
		}
		out->column_subject[i] = a->subject;
	}
	out->column_start[out->n_columns] = (uint32_t)n;
	for (size_t v = 0; v < out->n_volunteers; v++)
		out->volunteer_start[v + 1] += out->volunteer_start[v];
	return OK;
}

static enum status fill_subjects(struct answers *out)
{
	const size_t n = out->n_answers;
	uint32_t *next = answers_alloc(out->n_subjects + 1, sizeof *next);
	out->subject_start = answers_alloc(out->n_subjects + 1, sizeof *out->subject_start);
	out->subject_column = answers_alloc(n, sizeof *out->subject_column);
	if (!next || !out->subject_start || !out->subject_column) {
		free(next);
		return FAULT;
	}
	for (size_t i = 0; i < n; i++)
		out->subject_start[out->column_subject[i] + 1]++;
	for (size_t i = 0; i < out->n_subjects; i++) {
		out->subject_start[i + 1] += out->subject_start[i];
		next[i] = out->subject_start[i];
	}
	for (size_t c = 0; c < out->n_columns; c++)
		for (uint32_t i = out->column_start[c]; i < out->column_start[c + 1]; i++)
			out->subject_column[next[out->column_subject[i]]++] = (uint32_t)c;
	free(next);
	return OK;
}

enum status answers_sort(struct answer *list, size_t n, size_t n_subjects, size_t n_volunteers,
	int k, struct answers *out, struct err *err)
{
	*out = (struct answers){.n_subjects = n_subjects, .n_volunteers = n_volunteers, .k = k};
	if (k < 2 || k > ANSWERS_MAX_CLASSES)
		return err_set(
			err, BAD_INPUT, "answers of %d classes: 2 to %d are possible", k, ANSWERS_MAX_CLASSES);
	if (n >= UINT32_MAX || n_subjects >= UINT32_MAX || n_volunteers >= UINT32_MAX)
		return err_set(err, TOO_LARGE, "%zu answers to %zu subjects: at most %u are possible", n,
			n_subjects, UINT32_MAX - 1);
	for (size_t i = 0; i < n; i++)
		if (list[i].subject >= n_subjects || list[i].volunteer >= n_volunteers ||
			list[i].class >= (uint32_t)k)
			return err_set(err, BAD_INPUT,
				"answer %zu is (subject %u, volunteer %u, class %u) of %zu, %zu and %d", i,
				list[i].subject, list[i].volunteer, list[i].class, n_subjects, n_volunteers, k);
	out->n_answers = n;
	uint32_t *a = answers_alloc(n, sizeof *a), *b = answers_alloc(n, sizeof *b);
	enum status status = a && b ? drop_repeats(list, out, a, b) : FAULT;
	if (status == OK)
		status = sort_by(list, out->n_answers, BY_CLASS, (size_t)k, NULL, a);
	if (status == OK)
		status = sort_by(list, out->n_answers, BY_VOLUNTEER, n_volunteers, a, b);
	free(a);
	if (status == OK)
		status = fill_columns(list, b, out);
	free(b);
	if (status == OK)
		status = fill_subjects(out);
	if (status != OK) {
		answers_release(out);
		return err_set(err, FAULT, "%zu answers do not fit in memory", n);
	}
	return OK;
}
