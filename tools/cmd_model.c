/* topi model: the registry from the command line. */
#include "commands.h"
#include "model_file.h"
#include "project.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_MODELS = 10000, MAX_PATH = 4096 };

struct options {
	const char *what, *args[3]; /* args: DIR, PROJECT, MODEL, MODELS or FILE */
	int n_args;
	const char *name, *out;
	bool backbone, focus, json;
};

static enum status read_options(int argc, char **argv, struct options *o, struct err *err)
{
	*o = (struct options){.what = argc > 1 ? argv[1] : ""};
	for (int i = 2; i < argc; i++) {
		const char **value = strcmp(argv[i], "--name") == 0 ? &o->name
			: strcmp(argv[i], "--out") == 0                 ? &o->out
															: NULL;
		if (value && i + 1 == argc)
			return err_set(err, BAD_INPUT, "%s wants a value", argv[i]);
		if (value)
			*value = argv[++i];
		else if (strcmp(argv[i], "--backbone") == 0)
			o->backbone = true;
		else if (strcmp(argv[i], "--focus") == 0)
			o->focus = true;
		else if (strcmp(argv[i], "--json") == 0)
			o->json = true;
		else if (argv[i][0] == '-' || o->n_args == 3)
			return err_set(err, BAD_INPUT, "model does not know '%.60s' here", argv[i]);
		else
			o->args[o->n_args++] = argv[i];
	}
	return OK;
}

static json_t *model_json(const struct registry_model *m)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:b, s:I, s:I, s:O, s:O, s:O}", "id",
		(json_int_t)m->id, "name", m->name, "state", m->state, "arch", m->arch, "sha256", m->sha256,
		"backbone", m->backbone, "parent", m->parent_id ? json_integer(m->parent_id) : json_null(),
		"calibrated", (int)m->calibrated, "n_trained_on", (json_int_t)m->n_trained_on,
		"n_predictions", (json_int_t)m->n_predictions, "classes", m->classes, "spec", m->spec,
		"report", m->report);
}

static void put_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(object);
}

static void print_line(const struct registry_model *m)
{
	json_t *accuracy = json_object_get(m->report, "accuracy"), *head;
	size_t i;
	printf("%-16s %-10s %-10s %3zu classes, trained on %lld, %lld predictions", m->name, m->state,
		m->arch, json_array_size(m->classes), (long long)m->n_trained_on,
		(long long)m->n_predictions);
	if (json_is_number(accuracy))
		printf(", accuracy %.3f (%.3f to %.3f) of %lld held out", json_number_value(accuracy),
			json_number_value(json_object_get(m->report, "low")),
			json_number_value(json_object_get(m->report, "high")),
			(long long)json_integer_value(json_object_get(m->report, "n")));
	json_array_foreach(json_object_get(m->report, "heads"), i, head)
	{
		long long n = json_integer_value(json_object_get(head, "n"));
		if (n > 0)
			printf(", %s %.3f of %lld", json_string_value(json_object_get(head, "name")),
				(double)json_integer_value(json_object_get(head, "n_right")) / (double)n, n);
	}
	putchar('\n');
}

static enum status list(struct db *db, int64_t project, bool json, struct err *err)
{
	static int64_t ids[MAX_MODELS];
	int n = 0;
	json_t *all = json_array();
	enum status st = registry_list(db, project, ids, MAX_MODELS, &n, err);
	for (int i = 0; st == OK && i < n; i++) {
		struct registry_model m;
		st = registry_get(db, ids[i], &m, err);
		if (st == OK && json)
			json_array_append_new(all, model_json(&m));
		else if (st == OK)
			print_line(&m);
		registry_release(&m);
	}
	if (st == OK && json)
		put_json(json_pack("{s:O}", "models", all));
	json_decref(all);
	return st;
}

static enum status show(struct db *db, int64_t id, bool json, struct err *err)
{
	struct registry_model m;
	enum status st = registry_get(db, id, &m, err);
	if (st == OK && json)
		put_json(model_json(&m));
	else if (st == OK) {
		json_t *object = model_json(&m);
		json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		putchar('\n');
		json_decref(object);
	}
	registry_release(&m);
	return st;
}

/* A copy of the file, which must not be there yet; whole or not at all. */
static enum status export_file(struct db *db, int64_t id, const char *out, struct err *err)
{
	struct registry_model m;
	char path[MAX_PATH], part[MAX_PATH];
	char chunk[1 << 16];
	size_t n;
	enum status st = registry_get(db, id, &m, err);
	if (st != OK)
		return st;
	registry_path(db_dir(db), m.sha256, path);
	registry_release(&m);
	if (access(out, F_OK) == 0)
		return err_set(err, CONFLICT, "%.150s exists already: name a new file", out);
	snprintf(part, sizeof part, "%.4000s.part", out);
	FILE *from = fopen(path, "rbe"), *to = from ? fopen(part, "wbe") : NULL;
	bool ok = to != NULL;
	while (ok && (n = fread(chunk, 1, sizeof chunk, from)) > 0)
		ok = fwrite(chunk, 1, n, to) == n;
	ok = ok && !ferror(from);
	if (to)
		ok = fflush(to) == 0 && fsync(fileno(to)) == 0 && ok;
	if (to)
		ok = fclose(to) == 0 && ok;
	if (from)
		fclose(from);
	if (ok && rename(part, out) == 0)
		return OK;
	st = err_set(
		err, errno == ENOSPC ? FULL : FAULT, "%.120s cannot be written: %s", out, strerror(errno));
	if (to)
		unlink(part);
	return st;
}

static enum status change(struct db *db, int64_t project, int64_t *id, bool back, struct err *err)
{
	enum status st = db_begin(db, err);
	if (st == OK)
		st = back ? registry_rollback(db, project, now_ms(), id, err)
				  : registry_promote(db, project, *id, now_ms(), err);
	if (st == OK)
		st = db_commit(db, err);
	if (st != OK)
		db_rollback(db);
	return st;
}

static enum status told(struct db *db, int64_t id, const char *what, bool json, struct err *err)
{
	struct registry_model m;
	enum status st = registry_get(db, id, &m, err);
	if (st == OK && json)
		put_json(model_json(&m));
	else if (st == OK)
		printf("model %s is %s\n", m.name, what);
	registry_release(&m);
	return st;
}

static enum status run(struct db *db, const struct options *o, struct err *err)
{
	int64_t project = 0, id = 0;
	const char *what = o->what, *third = o->args[2];
	enum status st = project_find(db, o->args[1], &project, err);
	if (st != OK)
		return st;
	if (strcmp(what, "list") == 0)
		return list(db, project, o->json, err);
	if (strcmp(what, "import") == 0) {
		st = model_file_import(db, project, third, o->name, o->backbone, o->focus, &id, err);
		return st == OK ? told(db, id, "imported", o->json, err) : st;
	}
	if (strcmp(what, "ensemble") == 0) {
		st = model_file_ensemble(db, project, third, o->name, &id, err);
		return st == OK ? told(db, id, "there", o->json, err) : st;
	}
	if (strcmp(what, "rollback") == 0) {
		st = change(db, project, &id, true, err);
		return st == OK ? told(db, id, "the current one again", o->json, err) : st;
	}
	st = registry_find(db, project, third, &id, err);
	if (st != OK)
		return st;
	if (strcmp(what, "show") == 0)
		return show(db, id, o->json, err);
	if (strcmp(what, "export") == 0) {
		st = export_file(db, id, o->out, err);
		return st == OK ? told(db, id, "exported", o->json, err) : st;
	}
	st = change(db, project, &id, false, err);
	return st == OK ? told(db, id, "the current one; its predictions are queued", o->json, err)
					: st;
}

int cmd_model(int argc, char **argv)
{
	static const char *const two[] = {"list", "rollback"};
	static const char *const three[] = {"show", "import", "ensemble", "export", "promote"};
	struct err err = {0};
	struct options o;
	struct db *db = NULL;
	int wanted = 0;
	if (read_options(argc, argv, &o, &err) != OK)
		return cmd_usage("%s", err.text);
	for (size_t i = 0; i < sizeof two / sizeof *two; i++)
		wanted = strcmp(o.what, two[i]) == 0 ? 2 : wanted;
	for (size_t i = 0; i < sizeof three / sizeof *three; i++)
		wanted = strcmp(o.what, three[i]) == 0 ? 3 : wanted;
	if (!wanted)
		return cmd_usage(
			"model list, show, import, ensemble, export, promote or rollback is wanted");
	if (o.n_args != wanted)
		return cmd_usage("model %s takes DIR PROJECT%s", o.what,
			wanted == 2                           ? ""
				: strcmp(o.what, "import") == 0   ? " FILE"
				: strcmp(o.what, "ensemble") == 0 ? " MODEL,MODEL..."
												  : " MODEL");
	if (strcmp(o.what, "export") == 0 && !o.out)
		return cmd_usage("model export wants --out FILE");
	enum status st = db_open(o.args[0], DB_WRITE, &db, &err);
	if (st == OK)
		st = run(db, &o, &err);
	db_close(db);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}
