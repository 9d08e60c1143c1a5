/*
 * topi consensus DIR PROJECT [--refit [--dry-run] [--cold]] [--json]: where a project's labels stand, and the full refit of the
 * skills that they are decided by (core/project_refit.h). It may run while a server does: after each piece that it writes it
 * stays away from the database for as long as it has had it.
 */
#include "cmd_refit.h"

#include "commands.h"
#include "db_copy.h"
#include "project_refit.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct arguments {
	const char *dir, *slug;
	bool refit, dry_run, cold, json;
};

static int64_t monotonic_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* What the refit's hands work on: the database, and the step that runs. */
struct hand {
	struct db *db;
	const char *step;
	int64_t begun_ns;
};

static enum status write_piece(void *arg, writer_work *work, void *work_arg, struct err *err)
{
	struct db *db = ((struct hand *)arg)->db;
	enum status st = db_begin(db, err);
	const int64_t begun = monotonic_ns();
	if (st == OK)
		st = work(db, work_arg, err);
	if (st == OK)
		st = db_commit(db, err);
	if (st != OK)
		db_rollback(db);
	const int64_t took = monotonic_ns() - begun;
	const struct timespec pause = {took / 1000000000, took % 1000000000};
	nanosleep(&pause, NULL);
	return st;
}

static bool never_stops(void *arg)
{
	(void)arg;
	return false;
}

static int64_t clock_of(void *arg)
{
	(void)arg;
	return now_ms();
}

/* One line a step, when it is done. */
static void begins(void *arg, const char *step)
{
	struct hand *hand = arg;
	const int64_t now_ns = monotonic_ns();
	if (hand->step)
		fprintf(
			stderr, "refit: %s took %.1f s\n", hand->step, (double)(now_ns - hand->begun_ns) / 1e9);
	hand->step = step;
	hand->begun_ns = now_ns;
}

static struct refit_hands hands_of(struct hand *hand, bool cold)
{
	const long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
	return (struct refit_hands){.write = write_piece,
		.stops = never_stops,
		.now_ms = clock_of,
		.begins = begins,
		.arg = hand,
		.n_threads = n_cores > 0 ? (int)n_cores : 1,
		.cold = cold};
}

static json_t *record_json(const struct refit_record *r)
{
	json_t *o = json_pack("{sI sb sI sI sI si sf si si sI sI sI sI sI si}", "id", (json_int_t)r->id,
		"done", (int)r->is_done, "answers", (json_int_t)r->n_answers, "subjects",
		(json_int_t)r->n_subjects, "volunteers", (json_int_t)r->n_volunteers, "passes", r->n_passes,
		"moved", r->moved, "gold_fit", r->n_gold_fit, "gold_check", r->n_gold_check, "reopened",
		(json_int_t)r->n_reopened, "relabelled", (json_int_t)r->n_relabelled, "retired",
		(json_int_t)r->n_retired, "started_ms", (json_int_t)r->started_ms, "finished_ms",
		(json_int_t)r->finished_ms, "policy_version", r->policy_version);
	json_object_set_new(o, "own_prior", json_real(r->own_prior));
	json_object_set_new(o, "kappa", r->has_kappa ? json_real(r->correlation.kappa) : json_null());
	json_object_set_new(o, "gamma", r->has_kappa ? json_real(r->correlation.gamma) : json_null());
	json_object_set_new(o, "loss", r->has_losses ? json_real(r->loss) : json_null());
	json_object_set_new(
		o, "loss_default", r->has_losses ? json_real(r->loss_default) : json_null());
	return o;
}

static void print_record(const struct refit_record *r)
{
	char when[32] = "";
	const time_t started = (time_t)(r->started_ms / 1000);
	struct tm utc;
	if (gmtime_r(&started, &utc))
		strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &utc);
	printf("refit %lld, %s, under policy %d%s\n", (long long)r->id, when, r->policy_version,
		r->is_done ? "" : ": not finished, subjects wait to be decided again");
	printf("  learnt from    %lld answers of %lld volunteers to %lld subjects, in %d passes\n",
		(long long)r->n_answers, (long long)r->n_volunteers, (long long)r->n_subjects, r->n_passes);
	printf("  labels         %lld taken back, %lld changed, %lld new\n", (long long)r->n_reopened,
		(long long)r->n_relabelled, (long long)r->n_retired);
	printf("  own matrices   on %g prior answers a row\n", r->own_prior);
	if (r->has_losses)
		printf("  kappa          %g, gamma %g fitted on %d gold; on %d others %.4f nats, by "
			   "default %.4f"
			   "%s\n",
			r->correlation.kappa, r->correlation.gamma, r->n_gold_fit, r->n_gold_check, r->loss,
			r->loss_default, r->has_kappa ? "" : ": not taken");
	else
		printf("  kappa          not fitted: certification gold with two sources is %d + %d, %d + "
			   "%d are "
			   "needed\n",
			r->n_gold_fit, r->n_gold_check, REFIT_LEAST_GOLD, REFIT_LEAST_GOLD);
}

/* What the state is made of. */
struct state {
	struct project project;
	int64_t n[N_OUTCOMES];
	int64_t n_people;
	double p_people; /* mean risk of people's labels when they were decided */
	bool has_certificate;
	double alpha;
	int n_audits, n_errors;
	bool has_refit;
	struct refit_record refit;
};

static enum status read_labels(struct db *db, struct state *s, struct err *err)
{
	struct fates fates = {0};
	struct stmt *row = NULL;
	enum status st = fates_read(db, s->project.id, &fates, err);
	for (size_t i = 0; st == OK && i < fates.n; i++)
		s->n[fates.list[i].outcome]++;
	fates_release(&fates);
	if (st != OK)
		return st;
	row = db_query(db, Q_REFIT_PROMISED, "i", s->project.id);
	while ((st = db_step(row, err)) == OK)
		if (strcmp(col_text(row, 0), "people") == 0) {
			s->n_people = col_int(row, 1);
			s->p_people = col_real(row, 2);
		}
	if (st == NOT_FOUND)
		st = db_one(db, Q_STATUS_CERTIFICATE, &row, err, "i", s->project.id);
	if (st == OK) {
		s->has_certificate = true;
		s->alpha = col_real(row, 3);
		s->n_audits = (int)col_int(row, 11);
		s->n_errors = (int)col_int(row, 12);
		db_done(row);
	}
	return st == NOT_FOUND ? OK : st;
}

static const char *kappa_source(const struct state *s)
{
	if (s->project.policy.kappa != POLICY_AUTO)
		return "policy";
	return s->has_refit && s->refit.has_kappa ? "gold" : "default";
}

static json_t *state_json(const struct state *s)
{
	const struct refit_record *r = &s->refit;
	json_t *subjects = json_object();
	for (int i = 0; i < N_OUTCOMES; i++)
		json_object_set_new(subjects, outcome_name((enum outcome)i), json_integer(s->n[i]));
	json_t *people = json_pack("{sI sf si sf si}", "labels", (json_int_t)s->n_people, "promised",
		s->p_people, "gold", s->has_refit ? r->n_gold_sure : 0, "gold_promised",
		s->has_refit ? r->p_gold_wrong : 0.0, "gold_wrong", s->has_refit ? r->n_gold_wrong : 0);
	json_t *model = s->has_certificate
		? json_pack("{sI sf si si}", "labels", (json_int_t)s->n[OUTCOME_BY_MODEL], "promised",
			  s->alpha, "audits", s->n_audits, "audits_wrong", s->n_errors)
		: json_null();
	return json_pack("{ss so so so sf sf ss so}", "project", s->project.slug, "subjects", subjects,
		"people", people, "model", model, "kappa", s->project.correlation.kappa, "gamma",
		s->project.correlation.gamma, "kappa_from", kappa_source(s), "refit",
		s->has_refit ? record_json(r) : json_null());
}

static void print_state(const struct state *s)
{
	const struct refit_record *r = &s->refit;
	printf("project %s\n", s->project.slug);
	for (int i = 0; i < N_OUTCOMES; i++)
		printf("  %8lld  %s\n", (long long)s->n[i], outcome_name((enum outcome)i));
	printf("people's labels  %.4f promised to be wrong", s->p_people);
	if (s->has_refit && r->n_gold_sure > 0)
		printf("; of %d gold that would have been labelled %.4f was promised, %.4f is (%d)",
			r->n_gold_sure, r->p_gold_wrong, (double)r->n_gold_wrong / r->n_gold_sure,
			r->n_gold_wrong);
	putchar('\n');
	if (s->has_certificate)
		printf("the model's      %.4f promised to be wrong at most; %d of %d audits were\n",
			s->alpha, s->n_errors, s->n_audits);
	printf("kappa            %g, gamma %g, by %s\n", s->project.correlation.kappa,
		s->project.correlation.gamma, kappa_source(s));
	if (s->has_refit)
		print_record(r);
	else
		puts("never refitted");
}

static enum status show(struct db *db, int64_t id, bool json, struct err *err)
{
	struct state s = {0};
	enum status st = db_read_begin(db, err);
	if (st == OK)
		st = project_load(db, id, &s.project, err);
	if (st == OK)
		st = read_labels(db, &s, err);
	if (st == OK) {
		st = project_refit_last(db, id, &s.refit, err);
		s.has_refit = st == OK;
		st = st == NOT_FOUND ? OK : st;
	}
	if (st == OK && json) {
		json_t *o = state_json(&s);
		json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
		putchar('\n');
		json_decref(o);
	} else if (st == OK) {
		print_state(&s);
	}
	project_release(&s.project);
	return st;
}

static enum status refit(struct db *db, int64_t id, const struct arguments *a, struct err *err)
{
	struct refit_record record = {0};
	bool resumed = false;
	struct hand hand = {.db = db};
	const struct refit_hands hands = hands_of(&hand, a->cold);
	enum status st = project_refit(db, id, &hands, &resumed, &record, err);
	if (st != OK)
		return st;
	begins(&hand, NULL);
	if (a->json) {
		json_t *o = record_json(&record);
		json_object_set_new(o, "resumed", json_boolean(resumed));
		json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
		putchar('\n');
		json_decref(o);
		return OK;
	}
	if (resumed)
		puts("a refit that was broken off has been finished; --refit once more begins another");
	print_record(&record);
	return OK;
}

static const char *code_of(const struct project *p, int64_t taxon_id)
{
	const int z = taxon_id ? project_class(p, taxon_id) : -1;
	return z < 0 ? "no label" : p->taxa[z].code;
}

static void print_preview(const struct project *p, const struct refit_preview *v, bool json)
{
	json_t *changes = json_array(), *outcomes = json_array(), *o;
	for (size_t i = 0; i < v->n_changes; i++)
		json_array_append_new(changes,
			json_pack("{ss ss sI}", "from", code_of(p, v->changes[i].from_id), "to",
				code_of(p, v->changes[i].to_id), "n", (json_int_t)v->changes[i].n));
	for (int from = 0; from < N_OUTCOMES; from++)
		for (int to = 0; to < N_OUTCOMES; to++)
			if (from != to && v->n[from][to])
				json_array_append_new(outcomes,
					json_pack("{ss ss sI}", "from", outcome_name((enum outcome)from), "to",
						outcome_name((enum outcome)to), "n", (json_int_t)v->n[from][to]));
	if (json) {
		o = record_json(&v->record);
		json_object_set(o, "labels", changes);
		json_object_set(o, "outcomes", outcomes);
		json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
		putchar('\n');
		json_decref(o);
	} else {
		size_t i;
		puts("nothing was changed; a refit now would be");
		print_record(&v->record);
		json_array_foreach(changes, i, o) printf("  %8lld  labels from %s to %s\n",
			(long long)json_integer_value(json_object_get(o, "n")),
			json_string_value(json_object_get(o, "from")),
			json_string_value(json_object_get(o, "to")));
		json_array_foreach(outcomes, i, o) printf("  %8lld  subjects from %s to %s\n",
			(long long)json_integer_value(json_object_get(o, "n")),
			json_string_value(json_object_get(o, "from")),
			json_string_value(json_object_get(o, "to")));
	}
	json_decref(changes);
	json_decref(outcomes);
}

static enum status preview(struct db *db, int64_t id, const struct arguments *a, struct err *err)
{
	struct db_copy copy;
	struct project p = {0};
	struct refit_preview result = {0};
	enum status st = db_copy_make(db, &copy, err);
	if (st == OK) {
		struct hand hand = {.db = copy.db};
		const struct refit_hands hands = hands_of(&hand, a->cold);
		st = project_refit_preview(copy.db, id, &hands, &result, err);
		if (st == OK)
			begins(&hand, NULL);
	}
	if (st == OK)
		st = project_load(copy.db, id, &p, err);
	db_copy_release(&copy);
	if (st == OK)
		print_preview(&p, &result, a->json);
	refit_preview_release(&result);
	project_release(&p);
	return st;
}

static int parse(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {{"refit", no_argument, NULL, 'r'},
		{"dry-run", no_argument, NULL, 'd'}, {"cold", no_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'}, {0}};
	int c;
	optind = 0; /* glibc: start afresh, whatever was parsed before */
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return EXIT_USAGE;
		*(c == 'r' ? &a->refit : c == 'd' ? &a->dry_run : c == 'c' ? &a->cold : &a->json) = true;
	}
	if (!a->refit && (a->dry_run || a->cold))
		return cmd_usage("--dry-run and --cold go with --refit");
	if (argc - optind != 2)
		return cmd_usage("consensus DIR PROJECT [--refit [--dry-run] [--cold]] [--json]");
	a->dir = argv[optind];
	a->slug = argv[optind + 1];
	return EXIT_DONE;
}

int cmd_refit(int argc, char **argv)
{
	struct arguments a = {0};
	struct err err = {0};
	struct db *db = NULL;
	int64_t id = 0;
	const int usage = parse(argc, argv, &a);
	if (usage != EXIT_DONE)
		return usage;
	const bool writes = a.refit && !a.dry_run;
	/* A copy is made on a connection that may write; all that it writes is the copy. */
	enum status st = db_open(a.dir, a.refit ? DB_WRITE : DB_READ, &db, &err);
	if (st == OK)
		st = project_find(db, a.slug, &id, &err);
	if (st == OK)
		st = writes   ? refit(db, id, &a, &err)
			: a.refit ? preview(db, id, &a, &err)
					  : show(db, id, a.json, &err);
	db_close(db);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}
