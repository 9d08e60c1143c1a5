/*
 * A project's label model in memory, one answer at a time: open a subject, add answers, retire it;
 * volunteers and the pool learn at retirement only (docs/consensus.md, equations 1-10). The
 * database keeps the same state in rows and calls the same functions of confusion.h and
 * consensus.h.
 *
 * Shapes: m, counts [k x k]; log_pi, priors and posteriors [k].
 * Owns:   struct online owns its matrices and volunteers; a subject is the caller's from
 * online_open until online_retire or online_subject_free takes it. Arguments are borrowed for the
 * call. Cost:   O(k) an answer; O(n k) a retirement with n answers; O(k^2) only in init and remix.
 */
#pragma once

#include "consensus.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>

enum { ONLINE_MAX_CLASSES = 1000, ONLINE_MAX_VOLUNTEERS = 100000, ONLINE_NO_GOLD = -1 };

/* One volunteer. A volunteer who was never credited has skill 0, precision 1 / v0 and no cells. */
struct online_volunteer {
	double lambda, precision; /* log ratio of error odds, and how well it is known */
	double n_credited;        /* answers credited so far */
	double *rows;             /* [k] credited mass a truth, NULL before the first credit */
	double **columns;         /* [k] pointers to [k] cells (truth) an answer, NULL where none */
};

struct online {
	int k, n_volunteers;
	struct correlation correlation;
	double *m, *counts; /* the pooled matrix in force, and the counts of the next one */
	double *log_pi;
	struct online_volunteer *volunteers; /* [n_volunteers], grows with the highest number seen */
	double *scratch;                     /* work space of scratch_size doubles */
	size_t scratch_size;
};

struct online_subject; /* an open subject: its evidence and its answers */

/*
 * Shapes: m [k x k], a pooled matrix (all entries > 0); pi [k], all > 0.
 * Owns:   copies m and pi. On an error nothing is owned; online_release is still allowed.
 * Errors: BAD_INPUT when k is not 2..ONLINE_MAX_CLASSES, or m or pi has an entry that is not in (0,
 * 1].
 */
enum status online_init(struct online *o, int k, const double *m, const double *pi,
	struct correlation correlation, struct err *err) MUST_CHECK;
void online_release(struct online *o);

/*
 * A subject with a calibrated prediction, or with none (p_model and p_model_prior NULL).
 * Owns:   *subject_out becomes the caller's; it and q_out are written only on OK.
 * Errors: those of consensus_model_evidence and consensus_decide; FAULT when memory is out.
 */
enum status online_open(struct online *o, const double *p_model, const double *p_model_prior,
	struct online_subject **subject_out, double *q_out, struct err *err) MUST_CHECK;

/*
 * A volunteer's answer under the present skills; q_out is the posterior after it.
 * Errors: BAD_INPUT when volunteer or class is out of range, FAULT when memory is out; the subject
 * is then as before.
 */
enum status online_answer(struct online *o, struct online_subject *subject, int volunteer,
	int class, double *q_out, struct err *err) MUST_CHECK;

enum status online_posterior(const struct online *o, const struct online_subject *subject,
	double *q_out, struct err *err) MUST_CHECK;

/*
 * Closes a subject and teaches: each volunteer is credited against what the other sources say, or
 * against gold (a class, or ONLINE_NO_GOLD). Without gold a lone source teaches nothing.
 * Owns:   takes and frees the subject on OK; on an error it stays the caller's, and nothing was
 * learned. Errors: BAD_INPUT when gold is no class, FAULT when memory is out.
 */
enum status online_retire(struct online *o, struct online_subject *subject, int gold,
	int *label_out, double *risk_out, struct err *err) MUST_CHECK;
void online_subject_free(struct online_subject *subject);

/* Puts what was learned since the last remix into force: m = confusion_pool(counts). */
enum status online_remix(struct online *o, struct err *err) MUST_CHECK;
