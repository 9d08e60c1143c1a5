/*
 * topi export DIR PROJECT --format csv|classifications|camtrap-dp --out PATH [--json]
 *
 * Writes a project's labels, raw answers or Camtrap DP package; safe beside a running server.
 */
#include "commands.h"
#include "export.h"
#include "project.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

struct arguments {
	const char *dir, *project, *format, *out;
	bool json;
};

enum { OPTION_FORMAT = 1, OPTION_OUT, OPTION_JSON };

static const struct option options[] = {
	{"format", required_argument, NULL, OPTION_FORMAT},
	{"out", required_argument, NULL, OPTION_OUT},
	{"json", no_argument, NULL, OPTION_JSON},
	{0},
};

/* Returns EXIT_DONE, or what cmd_usage returned. */
static int parse(int argc, char **argv, struct arguments *a)
{
	opterr = 0;
	optind = 0; /* glibc: start afresh, whatever was parsed before */
	for (int option; (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
		switch (option) {
		case OPTION_FORMAT:
			a->format = optarg;
			break;
		case OPTION_OUT:
			a->out = optarg;
			break;
		case OPTION_JSON:
			a->json = true;
			break;
		case ':':
			return cmd_usage("%s needs a value", argv[optind - 1]);
		default:
			return cmd_usage("export does not know %s", argv[optind - 1]);
		}
	}
	if (argc - optind != 2)
		return cmd_usage("export takes a data directory and a project");
	if (!a->format)
		return cmd_usage("export needs --format csv, classifications or camtrap-dp");
	if (!a->out)
		return cmd_usage("export needs --out PATH, which must not exist yet");
	a->dir = argv[optind];
	a->project = argv[optind + 1];
	return EXIT_DONE;
}

static void print_result(
	const struct arguments *a, enum export_format format, const struct export_result *result)
{
	const char *what = format == EXPORT_CSV ? "subjects"
		: format == EXPORT_CLASSIFICATIONS  ? "answers"
											: "observations";
	if (a->json) {
		json_t *object = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s}", "format", a->format, "path",
			a->out, "rows", (json_int_t)result->n_rows, "deployments",
			(json_int_t)result->n_deployments, "media", (json_int_t)result->n_media, "sha256",
			result->sha256);
		if (format != EXPORT_CAMTRAP_DP) {
			json_object_del(object, "deployments");
			json_object_del(object, "media");
		}
		json_dumpf(object, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(object);
		return;
	}
	printf("%s: %lld %s", a->out, (long long)result->n_rows, what);
	if (format == EXPORT_CAMTRAP_DP)
		printf(" of %lld photographs from %lld deployments", (long long)result->n_media,
			(long long)result->n_deployments);
	putchar('\n');
}

int cmd_export(int argc, char **argv)
{
	struct arguments a = {0};
	struct err err = {0};
	struct db *db = NULL;
	enum export_format format;
	struct export_result result;
	int64_t project_id = 0;
	int code = parse(argc, argv, &a);
	if (code != EXIT_DONE)
		return code;
	if (export_format_parse(a.format, &format, &err) != OK)
		return cmd_usage("%s", err.text);
	enum status st = db_open(a.dir, DB_READ, &db, &err);
	if (st == OK)
		st = project_find(db, a.project, &project_id, &err);
	if (st == OK)
		st = export_project(db, project_id, format, a.out, now_ms(), &result, &err);
	db_close(db);
	if (st != OK)
		return cmd_fail(&err);
	print_result(&a, format, &result);
	return EXIT_DONE;
}
