/*
 * topi deployment list DIR PROJECT
 * topi deployment set DIR PROJECT NAME [--latitude D] [--longitude D] [--utc-offset +HH:MM] [--clock-shift-s S]
 *                                      [--holdout on|off] [--group GROUP]
 */
#include "civil.h"
#include "commands.h"
#include "deployment.h"
#include "prediction.h"
#include "project.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
	OPTION_LATITUDE = 1,
	OPTION_LONGITUDE,
	OPTION_OFFSET,
	OPTION_SHIFT,
	OPTION_HOLDOUT,
	OPTION_GROUP
};

static const struct option options[] = {
	{"latitude", required_argument, NULL, OPTION_LATITUDE},
	{"longitude", required_argument, NULL, OPTION_LONGITUDE},
	{"utc-offset", required_argument, NULL, OPTION_OFFSET},
	{"clock-shift-s", required_argument, NULL, OPTION_SHIFT},
	{"holdout", required_argument, NULL, OPTION_HOLDOUT},
	{"group", required_argument, NULL, OPTION_GROUP},
	{0},
};

struct arguments {
	double latitude_deg, longitude_deg;
	int64_t utc_offset_s, clock_shift_s, holdout;
	struct deployment_change change; /* points into this struct */
};

static enum status parse_offset(const char *text, int64_t *out, struct err *err)
{
	int offset_s = 0;
	enum status st = civil_parse_offset(text, &offset_s, err);
	*out = offset_s;
	return st;
}

/* One option. Errors: BAD_INPUT. */
static enum status take(struct arguments *a, int option, const char *text, struct err *err)
{
	switch (option) {
	case OPTION_LATITUDE:
		a->change.latitude_deg = &a->latitude_deg;
		return parse_real("--latitude", text, -90, 90, &a->latitude_deg, err);
	case OPTION_LONGITUDE:
		a->change.longitude_deg = &a->longitude_deg;
		return parse_real("--longitude", text, -180, 180, &a->longitude_deg, err);
	case OPTION_OFFSET:
		a->change.utc_offset_s = &a->utc_offset_s;
		return parse_offset(text, &a->utc_offset_s, err);
	case OPTION_SHIFT:
		a->change.clock_shift_s = &a->clock_shift_s;
		return parse_int("--clock-shift-s", text, -4000000000, 4000000000, &a->clock_shift_s, err);
	case OPTION_GROUP:
		a->change.group = text;
		return OK;
	default:
		a->change.holdout = &a->holdout;
		a->holdout = strcmp(text, "on") == 0;
		if (!a->holdout && strcmp(text, "off") != 0)
			return err_set(err, BAD_INPUT, "--holdout is '%.40s': on or off is wanted", text);
		return OK;
	}
}

static int end(struct db *db, enum status st, const struct err *err)
{
	db_rollback(db);
	db_close(db);
	return st == OK ? EXIT_DONE : cmd_fail(err);
}

/* What people's first answers say of the model there. */
static void print_drift(const struct deployment *d)
{
	char since[CIVIL_TEXT] = "";
	if (d->n_compared == 0)
		return;
	civil_format(d->alarm_ms / 1000, 0, 0, since);
	printf("  people differ from the model on %lld of %lld, %.1f were expected%s%s\n",
		(long long)d->n_differ, (long long)d->n_compared, d->n_expected,
		d->alarm_ms ? ": DRIFT, audited more since " : "", d->alarm_ms ? since : "");
}

static int list(const char *dir, const char *slug)
{
	struct err err = {0};
	struct db *db = NULL;
	struct deployment_list all = {0};
	int64_t project_id = 0;
	enum status st = db_open(dir, DB_READ, &db, &err);
	if (st != OK)
		return cmd_fail(&err);
	st = project_find(db, slug, &project_id, &err);
	if (st == OK)
		st = deployment_list(db, project_id, &all, &err);
	for (int i = 0; st == OK && i < all.n; i++) {
		const struct deployment *d = &all.items[i];
		char place[64] = "no coordinates";
		char zone[CIVIL_TEXT];
		civil_format(-d->utc_offset_s, 0, (int)d->utc_offset_s, zone); /* midnight there */
		if (d->placed)
			snprintf(place, sizeof place, "%.6f %.6f", d->latitude_deg, d->longitude_deg);
		printf("%-24s %-24s %s, shift %lld s, %lld subjects%s%s%s\n", d->name, place,
			zone + strlen("1970-01-01T00:00:00"), (long long)d->clock_shift_s,
			(long long)d->n_subjects, d->holdout ? ", held out" : "", d->group[0] ? ", group " : "",
			d->group);
		print_drift(d);
	}
	deployment_list_release(&all);
	return end(db, st, &err);
}

static int set(int argc, char **argv)
{
	struct err err = {0};
	struct arguments a = {0};
	struct db *db = NULL;
	int64_t project_id = 0;
	opterr = 0;
	optind = 0; /* glibc: start afresh, whatever was parsed before */
	for (int option; (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
		if (option == ':')
			return cmd_usage("%s needs a value", argv[optind - 1]);
		if (option == '?')
			return cmd_usage("deployment set does not know %s", argv[optind - 1]);
		if (take(&a, option, optarg, &err) != OK)
			return cmd_usage("%s", err.text);
	}
	if (argc - optind != 3)
		return cmd_usage(
			"deployment set takes a data directory, a project and a deployment's name");
	enum status st = db_open(argv[optind], DB_WRITE, &db, &err);
	if (st != OK)
		return cmd_fail(&err);
	st = db_begin(db, &err);
	if (st == OK)
		st = project_find(db, argv[optind + 1], &project_id, &err);
	if (st == OK)
		st = deployment_set(db, project_id, argv[optind + 2], &a.change, &err);
	if (st == OK && a.change.group) /* certificates are by group */
		st = prediction_settle(db, project_id, now_ms(), &err);
	if (st == OK)
		st = db_commit(db, &err);
	return end(db, st, &err);
}

int cmd_deployment(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "list") == 0)
		return list(argv[2], argv[3]);
	if (argc > 1 && strcmp(argv[1], "set") == 0)
		return set(argc - 1, argv + 1);
	return cmd_usage("deployment takes list DIR PROJECT or set DIR PROJECT NAME OPTIONS");
}
