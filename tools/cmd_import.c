/* topi import: photographs into a project, with progress, and every file that could not be taken. */
#include "civil.h"
#include "commands.h"
#include "import.h"
#include "manifest.h"
#include "project.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct view {
	bool terminal;
	int64_t begun_ms, shown_ms;
	char deployment[100];
};

static void show(const struct import_progress *p, void *arg)
{
	struct view *v = arg;
	int64_t now = now_ms();
	double seconds = (double)(now - v->begun_ms) / 1000;
	if (p->n_to_compare) { /* on a terminal: next to nothing to say elsewhere */
		if (v->terminal && now - v->shown_ms >= 200) {
			v->shown_ms = now;
			fprintf(stderr, "\r%s: %lld of %lld compared with their background \033[K",
				p->deployment, (long long)p->n_compared, (long long)p->n_to_compare);
		}
		return;
	}
	double rate = seconds > 0 ? (double)p->n_done / seconds : 0;
	if (v->terminal) {
		if (now - v->shown_ms < 200 && p->n_done < p->n_total)
			return;
		v->shown_ms = now;
		double left = rate > 0 ? (double)(p->n_total - p->n_done) / rate : 0;
		fprintf(stderr, "\r%lld of %lld photographs, %.0f a second, %d:%02d left \033[K",
			(long long)p->n_done, (long long)p->n_total, rate, (int)left / 60, (int)left % 60);
	} else if (strncmp(v->deployment, p->deployment, sizeof v->deployment - 1) != 0) {
		snprintf(v->deployment, sizeof v->deployment, "%s", p->deployment);
		fprintf(stderr, "deployment %s: photograph %lld of %lld, %.0f a second\n", p->deployment,
			(long long)p->n_done, (long long)p->n_total, rate);
	}
}

/* A manifest that was refused: each mistake once, and after several a line that sums up. */
static int refuse(const struct import_result *r, const char *manifest)
{
	int n = 0;
	while (r->manifest_errors[n])
		fprintf(stderr, "topi: %s\n", r->manifest_errors[n++]);
	if (n > 1)
		fprintf(stderr, "topi: %s has %s%d mistakes: nothing was stored\n", manifest,
			n < MANIFEST_MAX_ERRORS ? "" : "at least ", n);
	return EXIT_FAILED;
}

static void report(const struct import_result *r, bool json)
{
	for (int i = 0; i < r->n_problems; i++)
		fprintf(stderr, "topi: %s: %s\n", r->problems[i].file, r->problems[i].reason);
	if (json) {
		json_t *problems = json_array();
		for (int i = 0; i < r->n_problems; i++)
			json_array_append_new(problems,
				json_pack("{ss ss}", "file", r->problems[i].file, "reason", r->problems[i].reason));
		json_t *out = json_pack("{sI sI sI sI sI sI so}", "files", (json_int_t)r->n_files, "new",
			(json_int_t)r->n_new, "same", (json_int_t)r->n_same, "passed_over",
			(json_int_t)r->n_passed, "subjects", (json_int_t)r->n_subjects, "gold",
			(json_int_t)r->n_gold, "problems", problems);
		json_dumpf(out, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(out);
		return;
	}
	printf("%lld photographs: %lld new in %lld subjects, %lld there already, %d problems\n",
		(long long)r->n_files, (long long)r->n_new, (long long)r->n_subjects, (long long)r->n_same,
		r->n_problems);
	if (r->n_passed)
		printf("%lld other files were passed over\n", (long long)r->n_passed);
	if (r->n_gold)
		printf("%lld subjects are labelled by the manifest\n", (long long)r->n_gold);
}

static int run(const char *dir, const char *slug, struct import_options *o, bool json)
{
	struct err err = {0};
	struct db *db = NULL;
	int64_t id = 0;
	struct import_result result = {0};
	struct view view = {.terminal = isatty(STDERR_FILENO), .begun_ms = now_ms()};
	o->progress = show;
	o->arg = &view;
	o->now_ms = now_ms();
	o->n_threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
	enum status st = db_open(dir, DB_WRITE, &db, &err);
	if (st == OK)
		st = project_find(db, slug, &id, &err);
	if (st == OK)
		st = import_run(db, id, o, &result, &err);
	db_close(db);
	if (view.shown_ms)
		fputc('\n', stderr);
	int code = EXIT_DONE;
	if (st != OK && result.manifest_errors && result.manifest_errors[0])
		code = refuse(&result, o->manifest);
	else if (st != OK)
		code = cmd_fail(&err);
	else
		report(&result, json);
	if (result.n_problems > 0)
		code = EXIT_FAILED;
	import_result_release(&result);
	return code;
}

int cmd_import(int argc, char **argv)
{
	static const struct option options[] = {{"manifest", required_argument, NULL, 'm'},
		{"gap", required_argument, NULL, 'g'}, {"crop-bottom", required_argument, NULL, 'c'},
		{"utc-offset", required_argument, NULL, 'u'}, {"link", no_argument, NULL, 'l'},
		{"json", no_argument, NULL, 'j'}, {0}};
	struct import_options o = {.gap_s = -1, .crop_bottom_px = -1};
	struct err err = {0};
	enum status st = OK;
	int64_t offset = 0;
	int offset_s = 0;
	bool json = false;
	int c;
	while (st == OK && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			o.manifest = optarg;
			break;
		case 'g':
			st = parse_int("--gap", optarg, 0, 86400, &o.gap_s, &err);
			break;
		case 'c':
			st = parse_int("--crop-bottom", optarg, 0, 10000, &o.crop_bottom_px, &err);
			break;
		case 'u':
			st = civil_parse_offset(optarg, &offset_s, &err);
			offset = offset_s;
			o.utc_offset_s = &offset;
			break;
		case 'l':
			o.link = true;
			break;
		case 'j':
			json = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (st != OK)
		return cmd_usage("%s", err.text);
	if (argc - optind < 3)
		return cmd_usage("import wants DIR PROJECT PATH...");
	o.paths = (const char *const *)(argv + optind + 2);
	o.n_paths = argc - optind - 2;
	return run(argv[optind], argv[optind + 1], &o, json);
}
