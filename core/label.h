/*
 * Decisions: the one place where a subject retires, is auto-labelled, goes to an expert or is opened again. Every change
 * of a label is a row of label_event. All functions run inside the caller's transaction.
 *
 * Two rules, never mixed (docs/consensus.md): a subject with no answers is labelled only under a certificate, whatever
 * its risk; once it has an answer it retires by the policy's tau.
 */
#pragma once

#include "project.h"

struct subject {
	int64_t id, project_id, deployment_id;
	enum subject_state { SUBJECT_OPEN, SUBJECT_EXPERT, SUBJECT_RETIRED } state;
	bool blind; /* an audit: the model is not heard */
	int n_answers, n_cant_tell;
	double risk;
	int64_t label_id; /* 0: none */
	double p_label;   /* its posterior when decided */
	char decided_by[8], reason[16];
	int64_t decided_ms, prediction_id, certificate_id; /* 0: none */
	bool taught;
};

/* Errors: NOT_FOUND. */
enum status subject_load(
	struct db *db, int64_t id, struct subject *out, struct err *err) MUST_CHECK;

/*
 * Decides an open subject after an answer (classification_id) or a prediction or a change of rules (0). A subject that
 * is not open is left as it is.
 */
enum status label_decide(struct db *db, const struct project *project, int64_t subject_id,
	int64_t classification_id, int64_t now_ms, struct err *err) MUST_CHECK;

/* The same, for who has just loaded the subject. */
enum status label_decide_loaded(struct db *db, const struct project *project,
	const struct subject *subject, int64_t classification_id, int64_t now_ms,
	struct err *err) MUST_CHECK;

/*
 * An expert's verdict: the class of a taxon, or -1 for "cannot be told", which retires the subject without a label.
 * Closes the subject's audit and fills in its gold row where it has them.
 * Shapes: classification_id and expert_id 0 for a verdict from a file.
 */
enum status label_by_expert(struct db *db, const struct project *project, int64_t subject_id,
	int truth, int64_t expert_id, int64_t classification_id, int64_t now_ms,
	struct err *err) MUST_CHECK;

/*
 * The same of a subject with several species. Gold and the audit keep one taxon: the first, and for an audit one that the
 * model did not name, since a label of one species is wrong where there are two.
 * Shapes: truths [n], different classes, n >= 1.
 */
enum status label_by_expert_set(struct db *db, const struct project *project, int64_t subject_id,
	const int *truths, int n, int64_t expert_id, int64_t classification_id, int64_t now_ms,
	struct err *err) MUST_CHECK;

/* To the expert queue, because somebody says that its photographs must not be seen (flag.h); a label stands until then. */
enum status label_flagged(struct db *db, const struct project *project, int64_t subject_id,
	int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * Takes the label of a subject back and opens it, with the reason ("undone", "revoked"); then decides it anew. One that a flag
 * hides goes to the expert queue instead.
 */
enum status label_reopen(struct db *db, const struct project *project, int64_t subject_id,
	const char *why, int64_t now_ms, struct err *err) MUST_CHECK;

/* What a refit made of a subject. */
enum label_refitted { LABEL_KEPT, LABEL_REOPENED, LABEL_RELABELLED, LABEL_RETIRED };

/*
 * After a refit whose skills are in force and which has learnt from the answers up to last_id: those that came too late to
 * be counted count now, and the subject is decided again. A people's label is taken back where its risk has come above
 * twice the tau that it was given under, and is another where another class is likelier; what an expert or the model has
 * decided stands.
 */
enum status label_refit(struct db *db, const struct project *project, int64_t subject_id,
	int64_t last_id, int64_t now_ms, enum label_refitted *out, struct err *err) MUST_CHECK;

/* What certificate.c asks for: an auto-label. `audited` leaves the subject open, to be answered blind. */
enum status label_by_model(struct db *db, const struct project *project,
	const struct subject *subject, int64_t taxon_id, double p, int64_t certificate_id, bool audited,
	int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * The posterior of a subject from its counted votes and the model's evidence, where that was heard; sums to 1. Of several
 * species each has the share that its own probability is of all of theirs. Shapes: q_out [project->k].
 */
enum status label_posterior(struct db *db, const struct project *project, int64_t subject_id,
	double *q_out, struct err *err) MUST_CHECK;
