/*
 * topi simulate [--seed S] [--subjects N] [--repetitions N] [--new-site] [--clickers] [--bot] [--svg OUT] [--json]
 * topi simulate --stream FILE --tau T [--crowd-only] [--labels OUT] [--json]
 *
 * Sets every policy to work on a simulated project (core/simulate.h), or replays one that was
 * recorded (core/stream.h has the format), and prints what a coordinator would ask: how many answers
 * a subject took and how many labels came out right.
 */
#include "commands.h"
#include "simulate.h"
#include "simulate_report.h"
#include "stream.h"

#include <errno.h>
#include <float.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_SUBJECTS = 100000 };

struct arguments {
	const char *stream, *labels, *svg;
	const char *of_stream, *of_world; /* an option that was given and belongs to that use alone */
	double tau;
	bool has_tau, crowd_only, json;
	struct simulate_options world;
};

enum {
	OPTION_STREAM = 1,
	OPTION_TAU,
	OPTION_CROWD_ONLY,
	OPTION_LABELS,
	OPTION_JSON,
	OPTION_SEED,
	OPTION_SUBJECTS,
	OPTION_REPETITIONS,
	OPTION_NEW_SITE,
	OPTION_CLICKERS,
	OPTION_BOT,
	OPTION_SVG
};

static const struct option options[] = {
	{"stream", required_argument, NULL, OPTION_STREAM},
	{"tau", required_argument, NULL, OPTION_TAU},
	{"crowd-only", no_argument, NULL, OPTION_CROWD_ONLY},
	{"labels", required_argument, NULL, OPTION_LABELS},
	{"json", no_argument, NULL, OPTION_JSON},
	{"seed", required_argument, NULL, OPTION_SEED},
	{"subjects", required_argument, NULL, OPTION_SUBJECTS},
	{"repetitions", required_argument, NULL, OPTION_REPETITIONS},
	{"new-site", no_argument, NULL, OPTION_NEW_SITE},
	{"clickers", no_argument, NULL, OPTION_CLICKERS},
	{"bot", no_argument, NULL, OPTION_BOT},
	{"svg", required_argument, NULL, OPTION_SVG},
	{0},
};

static enum status read_option(int option, struct arguments *out, struct err *err)
{
	struct simulate_options *world = &out->world;
	int64_t number = 0;
	enum status status = OK;
	switch (option) {
	case OPTION_STREAM:
		out->stream = optarg;
		break;
	case OPTION_TAU:
		out->of_stream = "--tau";
		out->has_tau = true;
		return parse_real("--tau", optarg, 0.0, 1.0 - DBL_EPSILON, &out->tau, err);
	case OPTION_CROWD_ONLY:
		out->of_stream = "--crowd-only";
		out->crowd_only = true;
		break;
	case OPTION_LABELS:
		out->of_stream = "--labels";
		out->labels = optarg;
		break;
	case OPTION_JSON:
		out->json = true;
		break;
	case OPTION_SEED:
		out->of_world = "--seed";
		status = parse_int("--seed", optarg, 0, UINT32_MAX, &number, err);
		world->seed = (uint64_t)number;
		break;
	case OPTION_SUBJECTS:
		out->of_world = "--subjects";
		status = parse_int(
			"--subjects", optarg, SIMULATE_MIN_SUBJECTS, SIMULATE_MAX_SUBJECTS, &number, err);
		world->n_subjects = (int)number;
		break;
	case OPTION_REPETITIONS:
		out->of_world = "--repetitions";
		status = parse_int("--repetitions", optarg, 1, SIMULATE_MAX_REPETITIONS, &number, err);
		world->n_repetitions = (int)number;
		break;
	case OPTION_NEW_SITE:
		out->of_world = "--new-site";
		world->new_site = true;
		break;
	case OPTION_CLICKERS:
		out->of_world = "--clickers";
		world->clickers = true;
		break;
	case OPTION_BOT:
		out->of_world = "--bot";
		world->bot = true;
		break;
	case OPTION_SVG:
		out->of_world = "--svg";
		out->svg = optarg;
		break;
	}
	return status;
}

/* Returns EXIT_DONE, or what cmd_usage returned. */
static int parse(int argc, char **argv, struct arguments *out)
{
	struct err err;
	opterr = 0;
	optind = 0; /* glibc: start afresh, whatever was parsed before */
	for (int option; (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
		if (option == ':')
			return cmd_usage("%s needs a value", argv[optind - 1]);
		if (option == '?')
			return cmd_usage("simulate does not know %s", argv[optind - 1]);
		if (read_option(option, out, &err) != OK)
			return cmd_usage("%s", err.text);
	}
	if (optind < argc)
		return cmd_usage("simulate does not know %s", argv[optind]);
	if (!out->stream && out->of_stream)
		return cmd_usage("%s is for a recorded project: --stream FILE is needed", out->of_stream);
	if (out->stream && out->of_world)
		return cmd_usage("%s is for a simulated project, not for --stream", out->of_world);
	if (out->stream && !out->has_tau)
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

static enum status replay(const struct arguments *arguments, struct err *err)
{
	struct stream_result result = {0};
	enum status status = stream_run(
		arguments->stream, arguments->tau, !arguments->crowd_only, &result, err);
	if (status == OK && arguments->labels)
		status = write_labels(arguments->labels, &result, err);
	if (status == OK) {
		const struct stream_score score = stream_score(&result);
		(arguments->json ? print_json : print_text)(&score, result.n_subjects);
	}
	stream_result_release(&result);
	return status;
}

static enum status write_plot(
	FILE *file, const char *path, const struct simulate_report *report, struct err *err)
{
	simulate_plot(report, file);
	const bool failed = ferror(file) != 0;
	if (fclose(file) != 0 || failed)
		return err_set(err, FULL, "%s is incomplete: %s", path, strerror(errno));
	return OK;
}

static enum status simulate(const struct arguments *arguments, struct err *err)
{
	struct simulate_report report;
	FILE *plot = NULL;
	/* Before the work, for it takes a while. */
	if (arguments->svg && !(plot = fopen(arguments->svg, "w")))
		return err_set(err, BAD_INPUT, "%s cannot be written: %s", arguments->svg, strerror(errno));
	enum status status = simulate_run(&arguments->world, &report, err);
	if (status != OK) {
		if (plot)
			fclose(plot);
		return status;
	}
	(arguments->json ? simulate_print_json : simulate_print_table)(&report);
	return plot ? write_plot(plot, arguments->svg, &report, err) : OK;
}

int cmd_simulate(int argc, char **argv)
{
	struct arguments arguments = {
		.world = {.seed = 1, .n_subjects = DEFAULT_SUBJECTS, .n_repetitions = 1000}};
	struct err err;
	const int usage = parse(argc, argv, &arguments);
	if (usage != EXIT_DONE)
		return usage;
	enum status status = (arguments.stream ? replay : simulate)(&arguments, &err);
	if (status == OK && fflush(stdout) != 0)
		status = err_set(&err, FULL, "the result cannot be printed: %s", strerror(errno));
	return status == OK ? EXIT_DONE : cmd_fail(&err);
}
