/*
 * topi simulate --stream FILE --tau T [--crowd-only] [--labels OUT] [--json]
 *
 * Replays one recorded project (core/stream.h has the format) and prints what a coordinator would
 * ask: how many answers a subject took and how many labels came out right.
 */
#include "commands.h"
#include "stream.h"

#include <errno.h>
#include <float.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct arguments {
	const char *stream, *labels;
	double tau;
	bool has_tau, crowd_only, json;
};

enum { OPTION_STREAM = 1, OPTION_TAU, OPTION_CROWD_ONLY, OPTION_LABELS, OPTION_JSON };

static const struct option options[] = {
	{"stream", required_argument, NULL, OPTION_STREAM},
	{"tau", required_argument, NULL, OPTION_TAU},
	{"crowd-only", no_argument, NULL, OPTION_CROWD_ONLY},
	{"labels", required_argument, NULL, OPTION_LABELS},
	{"json", no_argument, NULL, OPTION_JSON},
	{0},
};

/* Returns EXIT_DONE, or what cmd_usage returned. */
static int parse(int argc, char **argv, struct arguments *out)
{
	struct err err;
	opterr = 0;
	optind = 0; /* glibc: start afresh, whatever was parsed before */
	for (int option; (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
		switch (option) {
		case OPTION_STREAM:
			out->stream = optarg;
			break;
		case OPTION_TAU:
			if (parse_real("--tau", optarg, 0.0, 1.0 - DBL_EPSILON, &out->tau, &err) != OK)
				return cmd_usage("%s", err.text);
			out->has_tau = true;
			break;
		case OPTION_CROWD_ONLY:
			out->crowd_only = true;
			break;
		case OPTION_LABELS:
			out->labels = optarg;
			break;
		case OPTION_JSON:
			out->json = true;
			break;
		case ':':
			return cmd_usage("%s needs a value", argv[optind - 1]);
		default:
			return cmd_usage("simulate does not know %s", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return cmd_usage("simulate does not know %s", argv[optind]);
	if (!out->stream)
		return cmd_usage("simulate needs --stream FILE");
	if (!out->has_tau)
		return cmd_usage("simulate needs --tau T, the risk to retire at, such as 0.01");
	return EXIT_DONE;
}

static enum status write_labels(
	const char *path, const struct stream_result *result, struct err *err)
{
	FILE *file = fopen(path, "w");
	if (!file)
		return err_set(err, BAD_INPUT, "%s cannot be written: %s", path, strerror(errno));
	fputs("label,answers,risk\n", file);
	for (int i = 0; i < result->n_subjects; i++) {
		const struct stream_subject *row = &result->subjects[i];
		fprintf(file, "%d,%d,%.12g\n", row->label, row->n_answers, row->risk);
	}
	const bool failed = ferror(file) != 0;
	if (fclose(file) != 0 || failed)
		return err_set(err, FULL, "%s is incomplete: %s", path, strerror(errno));
	return OK;
}

static void print_json(const struct stream_score *score, int n_subjects)
{
	printf("{\"subjects\": %d, \"answers\": %.9g, \"answers_total\": %ld, \"accuracy\": %.9g, ",
		n_subjects, score->answers_per_subject, score->n_answers, score->accuracy);
	if (isnan(score->accuracy_animals))
		printf("\"accuracy_animals\": null, ");
	else
		printf("\"accuracy_animals\": %.9g, ", score->accuracy_animals);
	printf("\"mean_risk\": %.9g}\n", score->mean_risk);
}

static void print_text(const struct stream_score *score, int n_subjects)
{
	printf("subjects           %d\n", n_subjects);
	printf("answers a subject  %.6f\n", score->answers_per_subject);
	printf("accuracy           %.6f\n", score->accuracy);
	if (isnan(score->accuracy_animals))
		printf("animal accuracy    no animals in this project\n");
	else
		printf("animal accuracy    %.6f of %d\n", score->accuracy_animals, score->n_animals);
	printf("mean risk          %.9f\n", score->mean_risk);
}

int cmd_simulate(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct stream_result result = {0};
	struct err err;
	const int usage = parse(argc, argv, &arguments);
	if (usage != EXIT_DONE)
		return usage;
	enum status status = stream_run(
		arguments.stream, arguments.tau, !arguments.crowd_only, &result, &err);
	if (status == OK && arguments.labels)
		status = write_labels(arguments.labels, &result, &err);
	if (status == OK) {
		const struct stream_score score = stream_score(&result);
		(arguments.json ? print_json : print_text)(&score, result.n_subjects);
		if (fflush(stdout) != 0)
			status = err_set(&err, FULL, "the result cannot be printed: %s", strerror(errno));
	}
	stream_result_release(&result);
	return status == OK ? EXIT_DONE : cmd_fail(&err);
}
