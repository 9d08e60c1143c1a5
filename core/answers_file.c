/*
 * Reading the files one after another into lists of numbers, then putting the classes in order and sorting. A line number is
 * kept for each prediction, because only their sum can be wrong.
 */
#include "answers_file.h"
#include "csv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct guess {
	uint32_t task, class, line;
	double p;
};

struct loading {
	struct answers_file *file;
	struct names *classes;
	const char *path; /* of the file that is read */
	struct csv_reader *reader;
	size_t n, room; /* of file->list */
	struct guess *guesses;
	size_t n_guesses, room_guesses;
	uint32_t *truths; /* [room_truths] by task: class + 1, 0 where there is none */
	size_t room_truths;
};

enum { MAX_COLUMNS = 3 };

static enum status bad_row(
	const struct loading *l, struct err *err, const char *format, const char *text)
{
	char what[160];
	snprintf(what, sizeof what, format, text);
	return err_set(err, BAD_INPUT, "%.60s:%lld: %s", l->path, (long long)csv_line(l->reader), what);
}

/* Where the wanted columns are. A name "answer|label" takes either. */
static enum status find_columns(
	struct loading *l, const char *const *wanted, int n_wanted, int *at, struct err *err)
{
	const enum status status = csv_next(l->reader, err);
	if (status == NOT_FOUND)
		return err_set(
			err, BAD_INPUT, "%.80s:1: the file is empty: a header is needed first", l->path);
	for (int w = 0; status == OK && w < n_wanted; w++) {
		at[w] = -1;
		for (int i = 0; i < csv_n_fields(l->reader); i++) {
			const char *name = csv_field(l->reader, i);
			const bool is_it = strcmp(name, wanted[w]) == 0 ||
				(strcmp(wanted[w], "answer") == 0 && strcmp(name, "label") == 0);
			if (is_it && at[w] >= 0)
				return bad_row(l, err, "there are two columns for \"%s\"", wanted[w]);
			if (is_it)
				at[w] = i;
		}
		if (at[w] < 0)
			return bad_row(l, err,
				strcmp(wanted[w], "answer") == 0 ? "there is no column \"%s\" (or \"label\")"
												 : "there is no column \"%s\"",
				wanted[w]);
	}
	return status;
}

/* The next row's wanted fields. Errors: NOT_FOUND after the last. */
static enum status next_row(struct loading *l, const char *const *wanted, int n_wanted,
	const int *at, const char **fields, struct err *err)
{
	const enum status status = csv_next(l->reader, err);
	for (int w = 0; status == OK && w < n_wanted; w++) {
		if (at[w] >= csv_n_fields(l->reader))
			return bad_row(l, err, "the row ends before the column \"%s\"", wanted[w]);
		fields[w] = csv_field(l->reader, at[w]);
		if (!fields[w][0] && strcmp(wanted[w], "truth") != 0)
			return bad_row(l, err, "the column \"%s\" is empty", wanted[w]);
	}
	return status;
}

static enum status put_class(struct loading *l, const char *name, uint32_t *out, struct err *err)
{
	const enum status status = names_put(l->classes, name, out, err);
	if (status == OK && *out >= ANSWERS_MAX_CLASSES)
		return err_set(err, TOO_LARGE, "%.60s:%lld: '%.60s' is class number %d: 1000 are the most",
			l->path, (long long)csv_line(l->reader), name, ANSWERS_MAX_CLASSES + 1);
	return status;
}

/* Room for one more element. */
static void *grown(void *array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return array;
	const size_t more = *room ? *room * 2 : 1024;
	void *p = realloc(array, more * size);
	if (p)
		*room = more;
	return p;
}

static enum status take_answer(struct loading *l, const char **fields, struct err *err)
{
	struct answer *list = grown(l->file->list, l->n, &l->room, sizeof *list);
	if (!list)
		return err_set(err, FAULT, "%zu answers do not fit in memory", l->n);
	l->file->list = list;
	struct answer *a = &list[l->n];
	enum status status = names_put(l->file->tasks, fields[0], &a->subject, err);
	if (status == OK)
		status = names_put(l->file->workers, fields[1], &a->volunteer, err);
	if (status == OK)
		status = put_class(l, fields[2], &a->class, err);
	l->n += status == OK;
	return status;
}

static enum status take_guess(struct loading *l, const char **fields, struct err *err)
{
	struct guess *guesses = grown(l->guesses, l->n_guesses, &l->room_guesses, sizeof *guesses);
	if (!guesses)
		return err_set(err, FAULT, "%zu predictions do not fit in memory", l->n_guesses);
	l->guesses = guesses;
	struct guess *g = &guesses[l->n_guesses];
	char *end = NULL;
	g->p = strtod(fields[2], &end);
	if (end == fields[2] || *end || !(g->p >= 0.0 && g->p <= 1.0))
		return bad_row(
			l, err, "the probability is '%.60s': a number from 0 to 1 is needed", fields[2]);
	g->line = (uint32_t)csv_line(l->reader);
	enum status status = names_put(l->file->tasks, fields[0], &g->task, err);
	if (status == OK)
		status = put_class(l, fields[1], &g->class, err);
	l->n_guesses += status == OK;
	return status;
}

static enum status take_truth(struct loading *l, const char **fields, struct err *err)
{
	uint32_t task, class;
	if (!fields[1][0])
		return OK;
	if (!names_find(l->file->tasks, fields[0], &task)) {
		l->file->n_gold_unknown++;
		return OK;
	}
	if (!l->truths) {
		l->room_truths = names_count(l->file->tasks);
		l->truths = answers_alloc(l->room_truths, sizeof *l->truths);
		if (!l->truths)
			return err_set(err, FAULT, "gold does not fit in memory");
	}
	const enum status status = put_class(l, fields[1], &class, err);
	if (status != OK)
		return status;
	if (l->truths[task] && l->truths[task] != class + 1)
		return bad_row(l, err, "task '%.60s' has another truth further up", fields[0]);
	l->file->n_gold += !l->truths[task];
	l->truths[task] = class + 1;
	return OK;
}

static enum status read_file(struct loading *l, const char *path, const char *const *wanted,
	int n_wanted, enum status (*take)(struct loading *, const char **, struct err *),
	struct err *err)
{
	int at[MAX_COLUMNS];
	const char *fields[MAX_COLUMNS];
	FILE *in = fopen(path, "r");
	if (!in)
		return err_set(err, NOT_FOUND, "%.120s cannot be read: %s", path, strerror(errno));
	l->path = path;
	l->reader = csv_reader_new(in, path);
	enum status status = find_columns(l, wanted, n_wanted, at, err);
	while (status == OK) {
		status = next_row(l, wanted, n_wanted, at, fields, err);
		if (status == OK)
			status = take(l, fields, err);
		else if (status == NOT_FOUND)
			break;
	}
	csv_reader_free(l->reader);
	l->reader = NULL;
	fclose(in);
	return status == NOT_FOUND ? OK : status;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Classes in the order of their names: rank[number as they came] = number. */
static void order_classes(struct loading *l, uint32_t *rank)
{
	const size_t k = names_count(l->classes);
	l->file->classes = xcalloc(k + 1, sizeof *l->file->classes);
	for (size_t i = 0; i < k; i++)
		l->file->classes[i] = xstrdup(names_text(l->classes, (uint32_t)i));
	qsort(l->file->classes, k, sizeof *l->file->classes, compare_names);
	for (size_t i = 0; i < k; i++) {
		uint32_t came = 0;
		if (names_find(l->classes, l->file->classes[i], &came))
			rank[came] = (uint32_t)i;
	}
	for (size_t i = 0; i < l->n; i++)
		l->file->list[i].class = rank[l->file->list[i].class];
	for (size_t i = 0; i < l->n_guesses; i++)
		l->guesses[i].class = rank[l->guesses[i].class];
}

static int compare_guesses(const void *a, const void *b)
{
	const struct guess *x = a, *y = b;
	if (x->task != y->task)
		return x->task < y->task ? -1 : 1;
	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	return (x->line > y->line) - (x->line < y->line);
}

static enum status fill_prior(struct loading *l, const char *path, struct err *err)
{
	const size_t n = names_count(l->file->tasks), n_guesses = l->n_guesses,
				 k = names_count(l->classes);
	uint32_t *start = answers_alloc(n + 1, sizeof *start);
	uint16_t *class = answers_alloc(n_guesses, sizeof *class);
	double *p = answers_alloc(n_guesses, sizeof *p), *share = answers_alloc(k, sizeof *share);
	l->file->prior = (struct refit_prior){.start = start, .class = class, .p = p, .share = share};
	if (!start || !class || !p || !share)
		return err_set(err, FAULT, "%zu predictions do not fit in memory", n_guesses);
	qsort(l->guesses, n_guesses, sizeof *l->guesses, compare_guesses);
	size_t n_tasks = 0;
	double sum = 0.0;
	for (size_t i = 0; i < n_guesses; i++) {
		const struct guess *g = &l->guesses[i];
		const bool first = i == 0 || g->task != g[-1].task;
		if (!first && g->class == g[-1].class)
			return err_set(err, BAD_INPUT,
				"%.60s:%u: task '%.40s' has class '%.40s' further up already", path, g->line,
				names_text(l->file->tasks, g->task), l->file->classes[g->class]);
		sum = first ? g->p : sum + g->p;
		n_tasks += first;
		if ((i + 1 == n_guesses || g[1].task != g->task) && fabs(sum - 1.0) > 1e-6)
			return err_set(err, BAD_INPUT,
				"%.60s:%u: the probabilities of task '%.40s' sum to %.9g: they must sum to 1", path,
				g->line, names_text(l->file->tasks, g->task), sum);
		start[g->task + 1]++;
		class[i] = (uint16_t)g->class;
		p[i] = g->p;
		share[g->class] += g->p;
	}
	for (size_t i = 0; i < n; i++)
		start[i + 1] += start[i];
	/* What the model says on average is the class prior that it goes by. */
	for (size_t z = 0; z < k; z++)
		share[z] /= (double)(n_tasks ? n_tasks : 1);
	return OK;
}

static enum status fill_gold(struct loading *l, const uint32_t *rank, struct err *err)
{
	const size_t n = names_count(l->file->tasks);
	l->file->gold = answers_alloc(n, sizeof *l->file->gold);
	if (!l->file->gold)
		return err_set(err, FAULT, "%zu tasks do not fit in memory", n);
	for (size_t i = 0; i < n; i++)
		l->file->gold[i] = l->truths && l->truths[i] ? (int16_t)rank[l->truths[i] - 1]
													 : REFIT_NO_GOLD;
	return OK;
}

static enum status finish(
	struct loading *l, const char *answers, const char *prior, struct err *err)
{
	uint32_t rank[ANSWERS_MAX_CLASSES + 1];
	const size_t k = names_count(l->classes);
	if (l->n == 0)
		return err_set(err, BAD_INPUT, "%.80s: there is no answer below the header", answers);
	if (k < 2)
		return err_set(err, BAD_INPUT,
			"%.80s: every answer is '%.60s': at least 2 classes are needed", answers,
			names_text(l->classes, 0));
	order_classes(l, rank);
	enum status status = fill_gold(l, rank, err);
	if (status == OK && prior)
		status = fill_prior(l, prior, err);
	if (status == OK)
		status = answers_sort(l->file->list, l->n, names_count(l->file->tasks),
			names_count(l->file->workers), (int)k, &l->file->answers, err);
	return status;
}

enum status answers_file_load(const char *answers, const char *prior, const char *gold,
	struct answers_file *out, struct err *err)
{
	static const char *const of_answers[] = {"task", "worker", "answer"};
	static const char *const of_prior[] = {"task", "class", "probability"};
	static const char *const of_gold[] = {"task", "truth"};
	*out = (struct answers_file){.tasks = names_new(), .workers = names_new()};
	struct loading l = {.file = out, .classes = names_new()};
	enum status status = out->tasks && out->workers && l.classes
		? read_file(&l, answers, of_answers, 3, take_answer, err)
		: err_set(err, FAULT, "memory is out");
	if (status == OK && prior)
		status = read_file(&l, prior, of_prior, 3, take_guess, err);
	if (status == OK && gold)
		status = read_file(&l, gold, of_gold, 2, take_truth, err);
	if (status == OK)
		status = finish(&l, answers, prior, err);
	names_free(l.classes);
	free(l.guesses);
	free(l.truths);
	if (status != OK)
		answers_file_release(out);
	return status;
}

void answers_file_release(struct answers_file *file)
{
	names_free(file->tasks);
	names_free(file->workers);
	for (size_t i = 0; file->classes && file->classes[i]; i++)
		free(file->classes[i]);
	free(file->classes);
	free(file->list);
	answers_release(&file->answers);
	free(file->gold);
	free((void *)file->prior.start);
	free((void *)file->prior.class);
	free((void *)file->prior.p);
	free((void *)file->prior.share);
	*file = (struct answers_file){0};
}
