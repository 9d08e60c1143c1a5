/* topi-demo: the world that the demo and its check run on. A program of its own: nothing in topi
 * knows it. */
#include "crowd.h"
#include "drawing.h"
#include "loop.h"
#include "scenes.h"
#include "taxa.h"
#include "truth.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage_text[] =
	"usage: topi-demo scenes --out DIR --truth FILE --subjects N --seed S [--deployments 6]\n"
	"                        [--size 960x720]\n"
	"       topi-demo drawings DIR\n"
	"       topi-demo probe --dir DIR --truth FILE\n"
	"       topi-demo crowd --truth FILE --seed S\n"
	"       topi-demo setup --topi PROGRAM --project FILE --dir DIR [OPTIONS]\n"
	"       topi-demo loop --topi PROGRAM --project FILE --dir DIR [--json] [--strict] [OPTIONS]\n"
	"                 OPTIONS: --subjects 1800 --certify 300 --train 200 --seed 11 --epochs N\n";

static int usage(void)
{
	fputs(usage_text, stderr);
	return 2;
}

static int fail(const struct err *err)
{
	fprintf(stderr, "topi-demo: %s\n", err->text);
	return 1;
}

/* A whole number of the command line; 0 where it is none, which no option allows but the seed. */
static long number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);
	return *end || end == text || n < 0 || n > 1000000000 ? 0 : n;
}

static int scenes(int argc, char **argv)
{
	static const struct option options[] = {{"out", 1, NULL, 'o'}, {"truth", 1, NULL, 't'},
		{"subjects", 1, NULL, 'n'}, {"seed", 1, NULL, 's'}, {"deployments", 1, NULL, 'd'},
		{"size", 1, NULL, 'z'}, {NULL, 0, NULL, 0}};
	struct scenes_options o = {.n_deployments = 6, .w = 960, .h = 720};
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
		if (c == 'o')
			o.dir = optarg;
		else if (c == 't')
			o.truth_path = optarg;
		else if (c == 'n')
			o.n_subjects = (int)number(optarg);
		else if (c == 's')
			o.seed = (uint64_t)number(optarg);
		else if (c == 'd')
			o.n_deployments = (int)number(optarg);
		else if (c == 'z' && strchr(optarg, 'x')) {
			char *x = strchr(optarg, 'x');
			*x = 0;
			o.w = (int)number(optarg);
			o.h = (int)number(x + 1);
		} else
			return usage();
	if (!o.dir || !o.truth_path || optind != argc)
		return usage();
	struct err err = {0};
	int n_files = 0;
	if (scenes_write(&o, &n_files, &err) != OK)
		return fail(&err);
	printf("%d subjects, %d photographs in %s\n", o.n_subjects, n_files, o.dir);
	return 0;
}

static int probe(int argc, char **argv)
{
	static const struct option options[] = {
		{"dir", 1, NULL, 'd'}, {"truth", 1, NULL, 't'}, {NULL, 0, NULL, 0}};
	const char *dir = NULL, *truth = NULL;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
		if (c == 'd')
			dir = optarg;
		else if (c == 't')
			truth = optarg;
		else
			return usage();
	if (!dir || !truth || optind != argc)
		return usage();
	struct err err = {0};
	double accuracy, commonest;
	if (probe_run(dir, truth, &accuracy, &commonest, &err) != OK)
		return fail(&err);
	printf("mean colour alone: %.3f right on the last deployment (its commonest taxon: %.3f)\n",
		accuracy, commonest);
	return accuracy < 0.5 ? 0 : 1;
}

static void print_rule(const char *name, struct crowd_score score)
{
	printf("%-12s %6.2f answers a subject, %.4f right, animals %.4f\n", name, score.answers,
		score.accuracy, score.accuracy_animals);
}

/* What this crowd would make of these scenes, with no server and no model. */
static int crowd(int argc, char **argv)
{
	static const struct option options[] = {
		{"truth", 1, NULL, 't'}, {"seed", 1, NULL, 's'}, {NULL, 0, NULL, 0}};
	const char *path = NULL;
	uint64_t seed = 0;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
		if (c == 't')
			path = optarg;
		else if (c == 's')
			seed = (uint64_t)number(optarg);
		else
			return usage();
	if (!path || optind != argc)
		return usage();
	struct err err = {0};
	struct truth truth;
	if (truth_load(&truth, path, &err) != OK) {
		truth_release(&truth);
		return fail(&err);
	}
	struct crowd_subject *subjects = xcalloc((size_t)truth.n, sizeof *subjects);
	for (int i = 0; i < truth.n; i++)
		subjects[i] = crowd_subject_of(&truth.rows[i]);
	print_rule("single", crowd_score(seed, subjects, truth.n, crowd_single));
	print_rule("plurality10", crowd_score(seed, subjects, truth.n, crowd_plurality10));
	print_rule("serengeti", crowd_score(seed, subjects, truth.n, crowd_serengeti));
	free(subjects);
	truth_release(&truth);
	return 0;
}

struct loop_arguments {
	struct loop_options o;
	int json, strict;
};

static int loop_parse(int argc, char **argv, struct loop_arguments *a)
{
	static const struct option options[] = {{"topi", 1, NULL, 't'}, {"project", 1, NULL, 'p'},
		{"dir", 1, NULL, 'd'}, {"subjects", 1, NULL, 'n'}, {"certify", 1, NULL, 'c'},
		{"train", 1, NULL, 'r'}, {"seed", 1, NULL, 's'}, {"epochs", 1, NULL, 'e'},
		{"json", 0, NULL, 'j'}, {"strict", 0, NULL, 'x'}, {NULL, 0, NULL, 0}};
	*a = (struct loop_arguments){
		.o = {
			.n_subjects = 1800, .n_certify = 300, .n_train = 200, .seed = 11, .first_wave = 0.45}};
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
		if (c == 't')
			a->o.topi = optarg;
		else if (c == 'p')
			a->o.project = optarg;
		else if (c == 'd')
			a->o.dir = optarg;
		else if (c == 'n')
			a->o.n_subjects = (int)number(optarg);
		else if (c == 'c')
			a->o.n_certify = (int)number(optarg);
		else if (c == 'r')
			a->o.n_train = (int)number(optarg);
		else if (c == 's')
			a->o.seed = (uint64_t)number(optarg);
		else if (c == 'e')
			a->o.n_epochs = (int)number(optarg);
		else if (c == 'j')
			a->json = 1;
		else if (c == 'x')
			a->strict = 1;
		else
			return usage();
	return a->o.topi && a->o.project && a->o.dir && optind == argc ? 0 : usage();
}

static int run_loop(int argc, char **argv, int setup_only)
{
	struct loop_arguments a;
	struct loop loop = {.server = 0};
	struct err err = {0};
	int code = loop_parse(argc, argv, &a), n_missed = 0;
	if (code)
		return code;
	if (setup_only)
		a.o.first_wave = 1;
	enum status status = setup_only ? loop_setup(&loop, &a.o, &err) : loop_run(&loop, &a.o, &err);
	if (status == OK && !setup_only) {
		n_missed = loop_print_table(&loop.result, a.json ? stderr : stdout);
		if (a.json)
			loop_print_json(&loop.result);
	}
	loop_release(&loop);
	return status != OK ? fail(&err) : a.strict && n_missed;
}

/* The taxa's pictures, as tools/demo/pages/taxa has them. */
static int drawings(int argc, char **argv)
{
	struct err err = {0};
	if (argc != 2)
		return usage();
	return drawings_write(argv[1], &err) == OK ? 0 : fail(&err);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "scenes"))
		return scenes(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "drawings"))
		return drawings(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "probe"))
		return probe(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "crowd"))
		return crowd(argc - 1, argv + 1);
	if (argc > 1 && (!strcmp(argv[1], "loop") || !strcmp(argv[1], "setup")))
		return run_loop(argc - 1, argv + 1, !strcmp(argv[1], "setup"));
	return usage();
}
