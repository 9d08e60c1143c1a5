/*
 * The full refit of a project: everybody's skill, the pooled matrix and the class prior made anew from all its answers, and
 * what they change about its labels (docs/consensus.md, equations 17-22, "A project's refit").
 *
 * In this order: all answers are read in one read transaction; refit.h fits them in memory, from the skills in force; kappa and
 * gamma come from certification gold; the new skills are written beside those in force, in pieces; one small transaction puts
 * them in force; the subjects that may be decided otherwise are decided again, in pieces. Before that one transaction nothing
 * has changed, so that a refit that dies is simply begun again; after it the rest is a list in the database that anybody may
 * finish. One refit at a time runs in a data directory (a lock on DIR/refit.lock, gone with its process).
 */
#pragma once

#include "fate.h"
#include "project.h"
#include "writer.h"

/*
 * What a refit needs of its caller. write runs work in a transaction of its own (writer_do, or begin and commit); work keeps
 * the database for some ten milliseconds at most, and other writers may go between. stops says whether to give up.
 */
struct refit_hands {
	enum status (*write)(void *arg, writer_work *work, void *work_arg, struct err *err);
	bool (*stops)(void *arg);
	int64_t (*now_ms)(void *arg);
	void (*begins)(void *arg, const char *step); /* is told of each step, or NULL */
	void *arg;
	int n_threads;
	bool cold; /* from the votes alone, not from the skills in force */
};

/* A refit as stored. */
struct refit_record {
	int64_t id;
	bool is_done; /* false: subjects still wait to be decided again */
	int64_t n_answers, n_subjects, n_volunteers;
	int n_passes;
	double moved;    /* most that a posterior moved in the last pass */
	bool has_kappa;  /* gold has told kappa and gamma */
	bool has_losses; /* there was enough gold to see */
	struct correlation correlation;
	int n_gold_fit, n_gold_check;
	double loss,
		loss_default; /* nats a gold of the half that was kept back, fitted and by default */
	int n_gold_sure,
		n_gold_wrong;    /* gold that answers and model would have been enough for; of it wrong, */
	double p_gold_wrong; /* and its mean risk */
	double own_prior;    /* own_counts.prior, as the answers have it */
	int64_t n_reopened, n_relabelled, n_retired;
	int64_t started_ms, finished_ms; /* finished 0: not yet */
	int policy_version;
};

/* So many certification gold with two sources or more, in each half, before kappa is taken from it. */
enum { REFIT_LEAST_GOLD = 20 };

/*
 * Refits a project, or finishes the refit of it that was broken off (*resumed). db is read from, outside any transaction.
 * Errors: NOT_FOUND no answer to learn from; BAD_INPUT one taxon only, or what is stored makes no sense (named); CONFLICT
 *         another refit is running; BUSY stopped; TOO_LARGE, FULL, FAULT.
 */
enum status project_refit(struct db *db, int64_t project_id, const struct refit_hands *hands,
	bool *resumed, struct refit_record *out, struct err *err) MUST_CHECK;

/* The last refit whose skills came into force. Errors: NOT_FOUND. */
enum status project_refit_last(
	struct db *db, int64_t project_id, struct refit_record *out, struct err *err) MUST_CHECK;

/*
 * The first project after after_id (0: any) whose nightly refit is due (policy refit_hour, UTC), or whose refit was broken off.
 * Errors: NOT_FOUND none is.
 */
enum status project_refit_due(struct db *db, int64_t now_ms, int64_t after_id, int64_t *project_id,
	struct err *err) MUST_CHECK;

/* What a refit would do. */
struct refit_preview {
	struct refit_record record;
	int64_t n[N_OUTCOMES][N_OUTCOMES]; /* subjects by what they are and what they would be */
	size_t n_changes;
	struct refit_change {
		int64_t from_id, to_id, n; /* labels, 0: none */
	} * changes;                   /* [n_changes] that differ */
};

/*
 * Refits a copy of the database that nobody else uses, and compares. One that was broken off is finished first: its changes are
 * not this one's. Owns: refit_preview_release ends *out, also after a failure. Errors: as project_refit.
 */
enum status project_refit_preview(struct db *copy, int64_t project_id,
	const struct refit_hands *hands, struct refit_preview *out, struct err *err) MUST_CHECK;
void refit_preview_release(struct refit_preview *preview);
