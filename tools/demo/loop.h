/*
 * `topi-demo setup` and `topi-demo loop`: a project of rendered scenes set up as a conservation
 * group would, and the whole loop run on it with simulated people: first model, certificate,
 * answers, second model, auto-labels, audits, export, score. topi is driven by its commands and its
 * HTTP interface alone.
 *
 * The folder holds photos/ (with manifest.csv), truth.jsonl (which only the people and the scorer
 * read), data/ (topi's), sabotage/ (a copy of data/ whose model was tampered with), and log.txt.
 */
#pragma once

#include "people.h"
#include "table.h"

#include <sys/types.h>

/* Of the demo's accounts admin, expert and volunteer. */
#define LOOP_PASSWORD "topi-demo"

struct loop_options {
	const char *topi;    /* the program */
	const char *dir;     /* setup: made, or continued where it was set up already; loop: new */
	const char *project; /* project.json */
	int n_subjects, n_certify, n_train;
	int n_epochs; /* of a training; 0: as topi chooses */
	uint64_t seed;
	/*
	 * Share of every deployment's events, the earliest, that is there from the start; loop_next_wave
	 * brings the rest. Volunteers are given what has fewest answers first, so that all that is open
	 * has answers long before a third of it is decided: a model that is to label alone must meet
	 * photographs that came later.
	 */
	double first_wave;
};

struct rule_score {
	double answers, accuracy, accuracy_animals;
};

/* Right of n with Wilson's 95 % interval. */
struct share {
	int n;
	double accuracy, low, high;
};

enum sabotage {
	SABOTAGE_NONE,
	SABOTAGE_MISSED,
	SABOTAGE_REVOKED
}; /* NONE: there was no certificate */

struct loop_result {
	int n_subjects, n_scored, n_images;
	double auto_share;
	struct rule_score ours, plurality10, serengeti;
	int n_planted; /* answers to gold that was planted */
	int n_expert_answers, n_expert_gold;
	struct share model_before, model_after;
	char certificate[12]; /* the last one's state; empty: none was issued */
	int n_audits, n_audit_errors;
	enum sabotage sabotage;
	double sabotage_alpha;                  /* promise of the certificate that was broken */
	int n_sabotage_labels, n_sabotage_left; /* wrong model's labels: made, and not taken back */
	double wall_s;
};

struct loop {
	const struct loop_options *o;
	double start_s;
	char photos[1000], truth_path[1000], data[1000], log[1000];
	char slug[64], url[64];
	struct truth truth;
	struct crowd_subject *subjects; /* by subject id */
	int n_known;                    /* subjects there now */
	struct people people;
	pid_t server;
	struct loop_result result;
};

/* Scenes, project, import, kept-out deployment, accounts, gold: no server yet. */
enum status loop_setup(struct loop *l, const struct loop_options *o, struct err *err) MUST_CHECK;
/* Imports the rest and has its share of the certification gold labelled. */
enum status loop_next_wave(struct loop *l, struct err *err) MUST_CHECK;
/* Everything, then the score in l->result. l is zero before, loop_release ends it in any case. */
enum status loop_run(struct loop *l, const struct loop_options *o, struct err *err) MUST_CHECK;
void loop_release(struct loop *l);

/* loop_print.c. Expectations are those of an honest run; the number of those not met. */
void loop_print_json(const struct loop_result *r);
int loop_print_table(const struct loop_result *r, FILE *out);

/* Between the files of the loop. */

double loop_seconds(void); /* a clock that never goes back */
/* "[ 12.3 s] ..." on stderr. */
void loop_say(const struct loop *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `topi VERB ARGUMENTS...`, NULL-terminated; out as child_run. */
enum status loop_topi(const struct loop *l, char **out, struct err *err, ...)
	__attribute__((sentinel)) MUST_CHECK;
/* The export as of now. */
enum status loop_table(
	struct loop *l, const char *data, struct table *out, struct err *err) MUST_CHECK;
/* One value of the database of a stopped or running server, by the sqlite3 program. */
enum status loop_sql(const struct loop *l, const char *data, const char *sql, char **out,
	struct err *err) MUST_CHECK;
/* The server on a data directory with a worker of its own; waits until it answers. */
enum status loop_serve(struct loop *l, const char *data, struct err *err) MUST_CHECK;
/* Waits until no job is left and nothing changes any more. */
enum status loop_settle(struct loop *l, struct err *err) MUST_CHECK;
/* loop_sabotage.c: the same project with a model whose classes were shuffled. */
enum status loop_sabotage_copy(struct loop *l, struct err *err) MUST_CHECK;
enum status loop_sabotage_run(struct loop *l, struct err *err) MUST_CHECK;
/* loop_score.c */
enum status loop_score(struct loop *l, struct err *err) MUST_CHECK;
struct share loop_share(int n_right, int n);
