/*
 * topi consensus DIR PROJECT ... (cmd_refit.c), or
 * topi consensus --answers FILE.csv [--prior CSV] [--gold CSV] [--out CSV] [--volunteers CSV]
 *                [--method ours|majority|dawid-skene] [--json]
 *
 * Labels for any crowd's answers, without a data directory or a model (core/answers_file.h has the formats). Both outputs are
 * written beside their place first: either all of them are there at the end, or none has changed.
 */
#include "answers_file.h"
#include "cmd_refit.h"
#include "commands.h"
#include "confusion.h"
#include "correlation.h"
#include "dawid_skene.h"
#include "refit.h"
#include "sheet.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum method { OURS, MAJORITY, DAWID_SKENE };
static const char *const method_names[] = {"ours", "majority", "dawid-skene"};

struct arguments {
	const char *answers, *prior, *gold, *out, *volunteers;
	enum method method;
	bool json, refit;
};

enum {
	OPTION_ANSWERS = 1,
	OPTION_PRIOR,
	OPTION_GOLD,
	OPTION_OUT,
	OPTION_VOLUNTEERS,
	OPTION_METHOD,
	OPTION_REFIT,
	OPTION_JSON
};

static const struct option options[] = {
	{"answers", required_argument, NULL, OPTION_ANSWERS},
	{"prior", required_argument, NULL, OPTION_PRIOR},
	{"gold", required_argument, NULL, OPTION_GOLD},
	{"out", required_argument, NULL, OPTION_OUT},
	{"volunteers", required_argument, NULL, OPTION_VOLUNTEERS},
	{"method", required_argument, NULL, OPTION_METHOD},
	{"refit", no_argument, NULL, OPTION_REFIT},
	{"json", no_argument, NULL, OPTION_JSON},
	{0},
};

static int parse_method(const char *text, enum method *out)
{
	for (int i = OURS; i <= DAWID_SKENE; i++)
		if (strcmp(text, method_names[i]) == 0) {
			*out = (enum method)i;
			return EXIT_DONE;
		}
	return cmd_usage("--method is '%.40s': ours, majority or dawid-skene", text);
}

/* Returns EXIT_DONE, or what cmd_usage returned. */
static int parse(int argc, char **argv, struct arguments *out)
{
	int usage = EXIT_DONE;
	opterr = 0;
	optind = 0; /* glibc: start afresh, whatever was parsed before */
	for (int option;
		 usage == EXIT_DONE && (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
		switch (option) {
		case OPTION_ANSWERS:
			out->answers = optarg;
			break;
		case OPTION_PRIOR:
			out->prior = optarg;
			break;
		case OPTION_GOLD:
			out->gold = optarg;
			break;
		case OPTION_OUT:
			out->out = optarg;
			break;
		case OPTION_VOLUNTEERS:
			out->volunteers = optarg;
			break;
		case OPTION_METHOD:
			usage = parse_method(optarg, &out->method);
			break;
		case OPTION_REFIT:
			out->refit = true;
			break;
		case OPTION_JSON:
			out->json = true;
			break;
		case ':':
			return cmd_usage("%s needs a value", argv[optind - 1]);
		default:
			return cmd_usage("consensus does not know %s", argv[optind - 1]);
		}
	}
	if (usage != EXIT_DONE)
		return usage;
	if (optind < argc)
		return cmd_usage("consensus does not know %s", argv[optind]);
	if (!out->answers)
		return cmd_usage("consensus needs --answers FILE.csv");
	if (out->method != OURS && (out->prior || out->refit))
		return cmd_usage("--method %s has no use for %s", method_names[out->method],
			out->prior ? "--prior" : "--refit");
	if (out->out && out->volunteers && strcmp(out->out, out->volunteers) == 0)
		return cmd_usage("--out and --volunteers name the same file");
	return EXIT_DONE;
}

/* What came of the method. */
struct verdict {
	enum method method;
	const struct answers_file *file;
	struct refit *refit; /* OURS */
	struct correlation correlation;
	struct refit_report report;
	bool is_fitted; /* the correlation, on gold */
	float *shares;  /* DAWID_SKENE: [n_subjects x k] */
	uint16_t *label;
	double *p; /* [n_subjects] of the label */
	double mean_risk;
};

/* So many gold tasks say more of kappa than its prior does. */
enum { LEAST_GOLD_TO_FIT = 20 };

static enum status fit_correlation(struct verdict *v, struct err *err)
{
	const struct answers_file *file = v->file;
	const size_t n = file->answers.n_subjects, k = (size_t)file->answers.k;
	double *evidence = answers_alloc(file->n_gold * k, sizeof *evidence);
	double log_pi[ANSWERS_MAX_CLASSES];
	int *n_sources = answers_alloc(file->n_gold, sizeof *n_sources);
	int *truth = answers_alloc(file->n_gold, sizeof *truth), n_gold = 0;
	enum status status = evidence && n_sources && truth
		? OK
		: err_set(err, FAULT, "%zu gold tasks do not fit in memory", file->n_gold);
	for (size_t i = 0; status == OK && i < n; i++) {
		if (file->gold[i] == REFIT_NO_GOLD)
			continue;
		n_sources[n_gold] = refit_evidence(v->refit, i, evidence + (size_t)n_gold * k);
		truth[n_gold++] = file->gold[i];
	}
	for (size_t z = 0; z < k; z++)
		log_pi[z] = log(refit_pi(v->refit)[z]);
	if (status == OK && n_gold >= LEAST_GOLD_TO_FIT) {
		status = correlation_fit(
			log_pi, evidence, n_sources, truth, NULL, n_gold, (int)k, &v->correlation, err);
		v->is_fitted = true;
	}
	free(evidence);
	free(n_sources);
	free(truth);
	return status;
}

static enum status run_ours(struct verdict *v, struct err *err)
{
	const long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
	const struct refit_input input = {.answers = &v->file->answers,
		.prior = v->file->prior.start ? &v->file->prior : NULL,
		.gold = v->file->gold,
		.fits_own_prior = true,
		.n_threads = n_cores > 0 ? (int)n_cores : 1};
	enum status status = refit_new(&input, &v->refit, err);
	if (status == OK)
		status = refit_run(v->refit, label_params.iter, 1e-4, &v->report, err);
	if (status == OK)
		status = fit_correlation(v, err);
	return status;
}

static enum status posterior(const struct verdict *v, size_t task, double *q, struct err *err)
{
	const size_t k = (size_t)v->file->answers.k;
	if (v->method == OURS)
		return refit_decide(v->refit, task, v->correlation, q, err);
	if (v->method == DAWID_SKENE) {
		for (size_t z = 0; z < k; z++)
			q[z] = (double)v->shares[task * k + z];
		return OK;
	}
	majority_shares(&v->file->answers, task, q);
	if (v->file->gold[task] != REFIT_NO_GOLD) {
		memset(q, 0, k * sizeof *q);
		q[v->file->gold[task]] = 1.0;
	}
	return OK;
}

static enum status decide(struct verdict *v, struct err *err)
{
	const size_t n = v->file->answers.n_subjects;
	const int k = v->file->answers.k;
	double q[ANSWERS_MAX_CLASSES];
	v->label = answers_alloc(n, sizeof *v->label);
	v->p = answers_alloc(n, sizeof *v->p);
	if (v->method == DAWID_SKENE)
		v->shares = answers_alloc(n * (size_t)k, sizeof *v->shares);
	if (!v->label || !v->p || (v->method == DAWID_SKENE && !v->shares))
		return err_set(err, FAULT, "%zu tasks do not fit in memory", n);
	enum status status = OK;
	if (v->method == OURS)
		status = run_ours(v, err);
	else if (v->method == DAWID_SKENE)
		status = dawid_skene(&v->file->answers, v->file->gold, DAWID_SKENE_ROUNDS, v->shares, err);
	for (size_t i = 0; status == OK && i < n; i++) {
		status = posterior(v, i, q, err);
		if (status != OK)
			break;
		const int label = consensus_argmax(q, k);
		v->label[i] = (uint16_t)label;
		v->p[i] = fmin(q[label], 1.0);
		v->mean_risk += (1.0 - v->p[i]) / (double)n;
	}
	return status;
}

static enum status write_labels(const struct verdict *v, struct sheet *sheet, struct err *err)
{
	enum status status = OK;
	for (size_t i = 0; status == OK && i < v->file->answers.n_subjects; i++) {
		sheet_text(sheet, names_text(v->file->tasks, (uint32_t)i));
		sheet_text(sheet, v->file->classes[v->label[i]]);
		sheet_real(sheet, v->p[i]);
		status = sheet_end_row(sheet, err);
	}
	return status;
}

/* How many of each volunteer's answers are expected to be right. Shapes: right_out [n_volunteers]. */
static enum status count_right(const struct verdict *v, double *right_out, struct err *err)
{
	const struct answers *answers = &v->file->answers;
	double q[ANSWERS_MAX_CLASSES];
	uint32_t *volunteer = answers_alloc(answers->n_columns, sizeof *volunteer);
	enum status status = volunteer ? OK
								   : err_set(err, FAULT, "the volunteers do not fit in memory");
	for (uint32_t i = 0; status == OK && i < answers->n_volunteers; i++)
		for (uint32_t c = answers->volunteer_start[i]; c < answers->volunteer_start[i + 1]; c++)
			volunteer[c] = i;
	for (size_t i = 0; status == OK && i < answers->n_subjects; i++) {
		status = posterior(v, i, q, err);
		for (uint32_t a = answers->subject_start[i]; a < answers->subject_start[i + 1]; a++) {
			const uint32_t column = answers->subject_column[a];
			right_out[volunteer[column]] += q[answers->column_class[column]];
		}
	}
	free(volunteer);
	return status;
}

/* How often somebody with this lambda is right about a subject of this crowd. */
static double accuracy(const struct verdict *v, double lambda)
{
	const size_t k = (size_t)v->file->answers.k;
	double sum = 0.0;
	for (size_t z = 0; z < k; z++)
		sum += refit_pi(v->refit)[z] *
			(1.0 - confusion_error_rate(refit_m(v->refit)[z * k + z], lambda));
	return sum;
}

static enum status write_volunteers(const struct verdict *v, struct sheet *sheet, struct err *err)
{
	const struct answers *answers = &v->file->answers;
	double *right = answers_alloc(answers->n_volunteers, sizeof *right);
	enum status status = right ? count_right(v, right, err)
							   : err_set(err, FAULT, "the volunteers do not fit in memory");
	for (size_t i = 0; status == OK && i < answers->n_volunteers; i++) {
		const uint32_t n = answers_of_volunteer(answers, i);
		sheet_text(sheet, names_text(v->file->workers, (uint32_t)i));
		sheet_int(sheet, n);
		sheet_real(sheet, right[i]);
		if (v->method == OURS) {
			const double lambda = refit_lambda(v->refit)[i];
			const double reach = 1.96 / sqrt(refit_precision(v->refit, i));
			sheet_real(sheet, lambda);
			sheet_real(sheet, accuracy(v, lambda));
			sheet_real(sheet, accuracy(v, lambda + reach));
			sheet_real(sheet, accuracy(v, lambda - reach));
		} else {
			sheet_empty(sheet, 1);
			sheet_real(sheet, n ? right[i] / n : NAN);
			sheet_empty(sheet, 2);
		}
		status = sheet_end_row(sheet, err);
	}
	free(right);
	return status;
}

/* A file written beside its place, to be moved there when all are whole. */
struct draft {
	const char *path; /* NULL: nothing is wanted */
	char *beside;
};

static enum status write_draft(struct draft *d, const char *const *header, const struct verdict *v,
	enum status (*write)(const struct verdict *, struct sheet *, struct err *), struct err *err)
{
	struct sheet *sheet = NULL;
	struct sheet_sum sum;
	if (!d->path)
		return OK;
	/* Moving a file there would put it in the place of a device or a folder. */
	struct stat there;
	if (lstat(d->path, &there) == 0 && !S_ISREG(there.st_mode))
		return err_set(err, BAD_INPUT, "%.120s is no plain file: name another", d->path);
	const size_t size = strlen(d->path) + 32;
	char *beside = xmalloc(size);
	snprintf(beside, size, "%s.%ld.part", d->path, (long)getpid());
	enum status status = sheet_open(beside, header, &sheet, err);
	if (status != OK) {
		free(beside);
		return status;
	}
	d->beside = beside;
	status = write(v, sheet, err);
	if (status != OK)
		sheet_free(sheet);
	else
		status = sheet_finish(sheet, &sum, err);
	return status;
}

static enum status move_draft(struct draft *d, struct err *err)
{
	if (!d->beside)
		return OK;
	if (rename(d->beside, d->path) != 0)
		return err_set(err, BAD_INPUT, "%.120s cannot be written: %s", d->path, strerror(errno));
	free(d->beside);
	d->beside = NULL;
	return OK;
}

static void drop_draft(struct draft *d)
{
	if (d->beside)
		unlink(d->beside);
	free(d->beside);
}

static enum status write_all(
	const struct arguments *arguments, const struct verdict *v, struct err *err)
{
	static const char *const label_header[] = {"task", "label", "probability", NULL};
	static const char *const volunteer_header[] = {
		"worker", "answers", "right", "lambda", "accuracy", "accuracy_low", "accuracy_high", NULL};
	struct draft labels = {arguments->out, NULL}, volunteers = {arguments->volunteers, NULL};
	enum status status = write_draft(&labels, label_header, v, write_labels, err);
	if (status == OK)
		status = write_draft(&volunteers, volunteer_header, v, write_volunteers, err);
	if (status == OK)
		status = move_draft(&labels, err);
	if (status == OK)
		status = move_draft(&volunteers, err);
	drop_draft(&labels);
	drop_draft(&volunteers);
	return status;
}

static enum status print_summary(const struct verdict *v, bool as_json, struct err *err)
{
	const struct answers_file *file = v->file;
	json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:I, s:i, s:I, s:I, s:f}", "method",
		method_names[v->method], "tasks", (json_int_t)file->answers.n_subjects, "answers",
		(json_int_t)file->answers.n_answers, "repeats_dropped", (json_int_t)file->answers.n_repeats,
		"workers", (json_int_t)file->answers.n_volunteers, "classes", file->answers.k, "gold",
		(json_int_t)file->n_gold, "gold_of_unknown_tasks", (json_int_t)file->n_gold_unknown,
		"mean_risk", v->mean_risk);
	if (o && v->method == OURS) {
		json_object_set_new(o, "passes", json_integer(v->report.n_passes));
		json_object_set_new(o, "moved", json_real(v->report.moved));
		json_object_set_new(o, "own_prior", json_real(refit_own_prior(v->refit)));
		json_object_set_new(o, "kappa", json_real(v->correlation.kappa));
		json_object_set_new(o, "gamma", json_real(v->correlation.gamma));
		json_object_set_new(o, "kappa_from_gold", json_boolean(v->is_fitted));
	}
	const char *key;
	json_t *value;
	if (o && as_json)
		json_dumpf(o, stdout, JSON_REAL_PRECISION(9));
	else
		json_object_foreach(o, key, value)
		{
			char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
			printf("%-22s %s\n", key, text ? text : "");
			free(text);
		}
	if (as_json)
		puts("");
	json_decref(o);
	if (fflush(stdout) != 0)
		return err_set(err, FULL, "the result cannot be printed: %s", strerror(errno));
	return OK;
}

int cmd_consensus(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct answers_file file = {0};
	struct err err;
	bool is_project = argc > 1; /* answers come by option only */
	for (int i = 1; i < argc; i++)
		is_project = is_project && strncmp(argv[i], "--answers", 9) != 0;
	if (is_project)
		return cmd_refit(argc, argv);
	const int usage = parse(argc, argv, &arguments);
	if (usage != EXIT_DONE)
		return usage;
	struct verdict verdict = {
		.method = arguments.method, .file = &file, .correlation = {.kappa = label_params.kd}};
	enum status status = answers_file_load(
		arguments.answers, arguments.prior, arguments.gold, &file, &err);
	if (status == OK) {
		free(file.list);
		file.list = NULL;
		status = decide(&verdict, &err);
	}
	if (status == OK)
		status = write_all(&arguments, &verdict, &err);
	if (status == OK)
		status = print_summary(&verdict, arguments.json, &err);
	refit_free(verdict.refit);
	free(verdict.shares);
	free(verdict.label);
	free(verdict.p);
	answers_file_release(&file);
	return status == OK ? EXIT_DONE : cmd_fail(&err);
}
