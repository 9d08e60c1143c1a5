/*
 * Replaying a recorded project. Two halves: a reader that turns each line into an open subject (or
 * says what is wrong with the line), and the loop that hands out recorded answers.
 *
 * A prediction is turned into evidence as its line is read and not kept; the same goes for answers
 * past the cap and for subjects that are sure from the start. Reading stops at the first bad line.
 */
#include "stream.h"
#include "confusion.h"
#include "consensus.h"
#include "online.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer {
	int volunteer, class;
};

struct open_subject {
	int index, n_recorded; /* row of the result; recorded answers, at most the cap */
	struct online_subject *state;
	struct answer recorded[STREAM_ANSWER_CAP];
};

struct project {
	FILE *file;
	const char *path;
	char *line; /* [STREAM_MAX_LINE] */
	long line_number;

	double tau;
	bool use_model;
	double *pi, *p, *q; /* [k] */
	struct online online;
	struct open_subject *open; /* [n_open], file order */
	int n_open, open_size;
	struct stream_result result;
	int result_size;
};

__attribute__((format(printf, 4, 5))) static enum status bad_line(
	const struct project *project, struct err *err, enum status status, const char *format, ...)
{
	char what[160];
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	const char *slash = strrchr(project->path, '/');
	const char *name = slash && strlen(project->path) > 40 ? slash + 1 : project->path;
	return err_set(err, status, "%.40s:%ld: %s", name, project->line_number, what);
}

/* The next line without its end, or NOT_FOUND after the last. */
static enum status read_line(struct project *project, struct err *err)
{
	project->line_number++;
	if (!fgets(project->line, STREAM_MAX_LINE, project->file)) {
		if (ferror(project->file))
			return bad_line(project, err, FAULT, "cannot be read: %s", strerror(errno));
		return NOT_FOUND;
	}
	size_t length = strlen(project->line);
	const bool complete = length > 0 && project->line[length - 1] == '\n';
	if (!complete && length + 1 == STREAM_MAX_LINE)
		return bad_line(project, err, TOO_LARGE, "a line of over %d bytes", STREAM_MAX_LINE - 2);
	if (!complete && !feof(project->file))
		return bad_line(project, err, BAD_INPUT, "a zero byte: the file must be text");
	while (length > 0 && strchr("\r\n", project->line[length - 1]))
		project->line[--length] = 0;
	return OK;
}

/* Reads a whole number below limit at *at and moves past it. */
static bool read_index(const char **at, int limit, int *out)
{
	long value = 0;
	const char *p = *at;
	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (*p - '0');
		if (value >= limit)
			return false;
	}
	*out = (int)value;
	*at = p;
	return true;
}

/* Reads a probability at *at and moves past it. */
static bool read_probability(const char **at, double *out)
{
	char *end = NULL;
	*out = strtod(*at, &end);
	if (end == *at || !(*out >= 0.0 && *out <= 1.0))
		return false;
	*at = end;
	return true;
}

static enum status read_prior(struct project *project, struct err *err)
{
	enum status status = read_line(project, err);
	if (status == NOT_FOUND)
		return bad_line(
			project, err, BAD_INPUT, "the file is empty: a first line pi,p0,p1,... is needed");
	if (status != OK)
		return status;
	if (strncmp(project->line, "pi,", 3) != 0)
		return bad_line(project, err, BAD_INPUT,
			"starts with \"%.20s\": the first line is pi,p0,p1,...", project->line);
	const char *at = project->line + 2;
	int k = 0;
	double sum = 0.0;
	while (*at == ',') {
		const char *entry = ++at;
		if (k == ONLINE_MAX_CLASSES)
			return bad_line(project, err, TOO_LARGE, "over %d classes", ONLINE_MAX_CLASSES);
		if (!read_probability(&at, &project->pi[k]) || project->pi[k] <= 0.0 || (*at && *at != ','))
			return bad_line(project, err, BAD_INPUT,
				"prior of class %d is \"%.20s\": a number over 0, at most 1, is needed", k, entry);
		sum += project->pi[k++];
	}
	if (k < 2)
		return bad_line(project, err, BAD_INPUT, "%d class: at least 2 are needed", k);
	if (fabs(sum - 1.0) > 1e-3)
		return bad_line(
			project, err, BAD_INPUT, "the class prior sums to %.6g: it must sum to 1", sum);
	project->result.n_classes = k;
	return OK;
}

/* `class:probability ...` into p, the rest shared out like pi. */
static enum status read_prediction(struct project *project, const char *at, struct err *err)
{
	const int k = project->result.n_classes;
	double *p = project->p, sum = 0.0;
	for (int z = 0; z < k; z++)
		p[z] = 0.0;
	for (at += strspn(at, " "); *at; at += strspn(at, " ")) {
		const char *entry = at;
		int class = 0;
		double value = 0.0;
		if (!read_index(&at, k, &class) || *at++ != ':' || !read_probability(&at, &value) ||
			(*at && *at != ' '))
			return bad_line(project, err, BAD_INPUT,
				"prediction \"%.20s\": class:probability is needed, class 0 to %d, probability 0 "
				"to 1",
				entry, k - 1);
		if (p[class] > 0.0)
			return bad_line(project, err, BAD_INPUT, "the prediction lists class %d twice", class);
		p[class] = value;
		sum += value;
	}
	/* Probabilities rounded to six places may pass 1 by a little. */
	if (sum > 1.0 + 1e-5)
		return bad_line(
			project, err, BAD_INPUT, "the prediction sums to %.6g: at most 1 is possible", sum);
	for (int z = 0; z < k; z++)
		p[z] = fmax(p[z] + (1.0 - sum) * project->pi[z], 0.0);
	return OK;
}

/* `volunteer:answer ...`: every entry is checked, those within the cap are kept. */
static enum status read_answers(
	struct project *project, const char *at, struct open_subject *subject, struct err *err)
{
	const int k = project->result.n_classes;
	for (at += strspn(at, " "); *at; at += strspn(at, " ")) {
		const char *entry = at;
		struct answer answer = {0};
		if (!read_index(&at, ONLINE_MAX_VOLUNTEERS, &answer.volunteer) || *at++ != ':' ||
			!read_index(&at, k, &answer.class) || (*at && *at != ' '))
			return bad_line(project, err, BAD_INPUT,
				"answer \"%.20s\": volunteer:class is needed, volunteer 0 to %d, class 0 to %d",
				entry, ONLINE_MAX_VOLUNTEERS - 1, k - 1);
		if (subject->n_recorded < STREAM_ANSWER_CAP)
			subject->recorded[subject->n_recorded++] = answer;
	}
	return OK;
}

/* Room for one more in both lists, doubling. */
static enum status reserve_subject(struct project *project, struct err *err)
{
	struct stream_result *result = &project->result;
	if (result->n_subjects == STREAM_MAX_SUBJECTS)
		return bad_line(project, err, TOO_LARGE, "over %d subjects", STREAM_MAX_SUBJECTS);
	if (project->n_open >= STREAM_MAX_NUMBERS / result->n_classes)
		return bad_line(project, err, TOO_LARGE, "over %d open subjects of %d classes",
			project->n_open, result->n_classes);
	if (result->n_subjects == project->result_size) {
		const int size = project->result_size ? 2 * project->result_size : 1024;
		struct stream_subject *grown = realloc(result->subjects, (size_t)size * sizeof *grown);
		if (!grown)
			return bad_line(project, err, FAULT, "no memory for %d subjects", size);
		result->subjects = grown;
		project->result_size = size;
	}
	if (project->n_open == project->open_size) {
		const int size = project->open_size ? 2 * project->open_size : 1024;
		struct open_subject *grown = realloc(project->open, (size_t)size * sizeof *grown);
		if (!grown)
			return bad_line(project, err, FAULT, "no memory for %d open subjects", size);
		project->open = grown;
		project->open_size = size;
	}
	return OK;
}

static void look(struct project *project, struct stream_subject *row)
{
	row->label = consensus_argmax(project->q, project->result.n_classes);
	row->risk = consensus_risk(project->q, project->result.n_classes);
}

/* `truth|prediction|answers` becomes a row of the result, and an open subject if it is not sure. */
static enum status read_subject(struct project *project, struct err *err)
{
	enum status status = reserve_subject(project, err);
	if (status != OK)
		return status;
	const int k = project->result.n_classes;
	struct stream_subject row = {0};
	const char *at = project->line;
	char *prediction = strchr(project->line, '|');
	char *answers = prediction ? strchr(prediction + 1, '|') : NULL;
	if (!answers || strchr(answers + 1, '|'))
		return bad_line(project, err, BAD_INPUT,
			"\"%.20s\": three fields truth|prediction|answers are needed", project->line);
	*prediction++ = 0;
	*answers++ = 0;
	if (!read_index(&at, k, &row.truth) || *at)
		return bad_line(project, err, BAD_INPUT,
			"truth is \"%.20s\": a class from 0 to %d is needed", project->line, k - 1);

	struct open_subject *subject = &project->open[project->n_open];
	*subject = (struct open_subject){.index = project->result.n_subjects};
	status = read_prediction(project, prediction, err);
	if (status == OK)
		status = read_answers(project, answers, subject, err);
	if (status == OK)
		status = online_open(&project->online, project->use_model ? project->p : NULL, project->pi,
			&subject->state, project->q, err);
	if (status != OK)
		return status;
	look(project, &row);
	project->result.subjects[project->result.n_subjects++] = row;
	if (row.risk > project->tau && subject->n_recorded > 0)
		project->n_open++;
	else
		online_subject_free(subject->state);
	return OK;
}

static enum status read_project(struct project *project, struct err *err)
{
	enum status status = read_prior(project, err);
	if (status != OK)
		return status;
	const size_t k = (size_t)project->result.n_classes;
	double *counts = calloc(k * k, sizeof *counts), *m = calloc(k * k, sizeof *m);
	if (!counts || !m)
		status = err_set(err, FAULT, "no memory for %zu classes", k);
	if (status == OK)
		status = confusion_pool(counts, (int)k, m, err);
	if (status == OK)
		status = online_init(&project->online, (int)k, m, project->pi,
			(struct correlation){.kappa = label_params.kd}, err);
	free(counts);
	free(m);
	while (status == OK && (status = read_line(project, err)) == OK)
		if (project->line[0])
			status = read_subject(project, err);
	if (status != NOT_FOUND)
		return status;
	if (project->result.n_subjects == 0)
		return bad_line(project, err, BAD_INPUT,
			"no subjects: a line truth|prediction|answers each is needed after the first");
	return OK;
}

/* Hands out answers, pass after pass, until no subject is open. */
static enum status ask(struct project *project, struct err *err)
{
	long n_retired = 0;
	while (project->n_open > 0) {
		int n_still_open = 0;
		for (int i = 0; i < project->n_open; i++) {
			struct open_subject *subject = &project->open[i];
			struct stream_subject *row = &project->result.subjects[subject->index];
			const struct answer next = subject->recorded[row->n_answers];
			enum status status = online_answer(
				&project->online, subject->state, next.volunteer, next.class, project->q, err);
			if (status != OK)
				return status;
			row->n_answers++;
			look(project, row);
			if (row->risk > project->tau && row->n_answers < subject->n_recorded) {
				/* Swapped, not copied: every state stays in the list exactly once. */
				struct open_subject kept = *subject;
				*subject = project->open[n_still_open];
				project->open[n_still_open++] = kept;
				continue;
			}
			int label = 0;
			double risk = 0.0;
			status = online_retire(
				&project->online, subject->state, ONLINE_NO_GOLD, &label, &risk, err);
			if (status != OK)
				return status;
			subject->state = NULL;
			if (++n_retired % STREAM_REMIX_EVERY == 0)
				status = online_remix(&project->online, err);
			if (status != OK)
				return status;
		}
		project->n_open = n_still_open;
	}
	return OK;
}

enum status stream_run(
	const char *path, double tau, bool use_model, struct stream_result *out, struct err *err)
{
	*out = (struct stream_result){0};
	if (!(tau >= 0.0 && tau < 1.0))
		return err_set(err, BAD_INPUT, "tau is %g: it must lie in 0..1, 1 excluded", tau);
	struct project project = {
		.path = path,
		.tau = tau,
		.use_model = use_model,
		.line = malloc(STREAM_MAX_LINE),
		.pi = calloc(3 * ONLINE_MAX_CLASSES, sizeof(double)),
	};
	enum status status = OK;
	if (!project.line || !project.pi) {
		status = err_set(err, FAULT, "no memory to read %s", path);
		goto done;
	}
	project.p = project.pi + ONLINE_MAX_CLASSES;
	project.q = project.p + ONLINE_MAX_CLASSES;
	project.file = fopen(path, "r");
	if (!project.file) {
		status = err_set(err, NOT_FOUND, "%s cannot be opened: %s", path, strerror(errno));
		goto done;
	}
	status = read_project(&project, err);
	if (status == OK)
		status = ask(&project, err);
	if (status == OK) {
		*out = project.result;
		project.result.subjects = NULL;
	}
done:
	for (int i = 0; i < project.n_open; i++)
		online_subject_free(project.open[i].state);
	if (project.file)
		fclose(project.file);
	online_release(&project.online);
	free(project.open);
	free(project.result.subjects);
	free(project.line);
	free(project.pi);
	return status;
}

void stream_result_release(struct stream_result *result)
{
	free(result->subjects);
	*result = (struct stream_result){0};
}

struct stream_score stream_score(const struct stream_result *result)
{
	struct stream_score score = {0};
	int n_right = 0, n_right_animals = 0;
	double risk = 0.0;
	for (int i = 0; i < result->n_subjects; i++) {
		const struct stream_subject *row = &result->subjects[i];
		const bool animal = row->truth > 0, right = row->label == row->truth;
		score.n_answers += row->n_answers;
		score.n_animals += animal;
		n_right += right;
		n_right_animals += animal && right;
		risk += row->risk;
	}
	const double n = result->n_subjects;
	score.answers_per_subject = n > 0 ? (double)score.n_answers / n : NAN;
	score.accuracy = n > 0 ? n_right / n : NAN;
	score.accuracy_animals = score.n_animals ? (double)n_right_animals / score.n_animals : NAN;
	score.mean_risk = n > 0 ? risk / n : NAN;
	return score;
}
