/*
 * Certificates: the bounds under which a model labels alone, and the blind audits that keep them honest (docs/consensus.md,
 * items on gold, certificates and audits). One certificate a stratum (strata.h): what the model takes for blank, for a
 * common or for another class, in each group of deployments. An animal that a model overlooks is lost for good, so blanks
 * have a bound of their own.
 *
 * A certificate stands on certification gold that was drawn at random, never shown, never trained on: the model's calibration
 * is fitted on all of it and each stratum's threshold tested on what lies in it (docs/consensus.md says why that is sound). It
 * begins on probation: subjects that it would label are drawn as shadow audits and answered blind; when enough of them hold
 * it is active. Audits go on for as long as it labels; the moment that their confidence sequence shows an error above alpha
 * it alone is revoked, and the sweep takes its labels back. Another one of the same gold follows it, once: on probation, with its
 * model not heard in the stratum, until shadow audits alone bear the promise.
 */
#pragma once

#include "deployment.h"
#include "label.h"
#include "strata.h"

enum { CERTIFICATE_MIN_GOLD = 20 }; /* gold to calibrate on: below it a model is not heard */

/*
 * Fits the promoted model's calibration and issues certificates, where gold, model or policy are new since the last. A
 * stratum whose gold and rules are those of its last certificate keeps that, revoked or not. Where audits have refuted the promise,
 * whatever gold came since, only one that follows the revoked certificate is issued, and only when as much gold was drawn
 * since as a test takes.
 */
enum status certificate_renew(
	struct db *db, const struct project *project, int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * Below which cs_upper of its shadow audits ends a probation. Where audits have revoked the certificate that this one follows,
 * its gold vouches for nothing any more, and they alone must bear alpha.
 */
double certificate_bound(double alpha, bool follows);

/* A stratum with the gold that the promoted model has in it now. */
struct stratum_now {
	char group[DEPLOYMENT_GROUP_MAX + 1];
	enum stratum_part part;
	double alpha;
	int n_gold, n_needed; /* n_needed: at its share of delta, or alone where it is not tested */
	bool tested;
};

/* Owns: the caller frees *out; NULL and 0 where the model has no gold. */
enum status certificate_strata(struct db *db, const struct project *project,
	struct stratum_now **out, int *n, struct err *err) MUST_CHECK;

/*
 * A certificate of the promoted model on probation (else nothing is done): draws more shadow audits where those of today
 * cannot end it. Fewer predictions may be sure than the gold had promised, and after n_errors more audits are needed.
 * Draws go by a hash below a rate, so that a higher one only adds to them.
 */
enum status certificate_draw_more(struct db *db, const struct project *project,
	int64_t certificate_id, int n_errors, struct err *err) MUST_CHECK;

/*
 * An open subject without answers: auto-labels it, or draws it for an audit (*drawn: it is to be answered blind from now
 * on), or both, where its stratum's certificate in force says so.
 */
enum status certificate_apply(struct db *db, const struct project *project,
	const struct subject *subject, int64_t now_ms, bool *drawn, struct err *err) MUST_CHECK;

/*
 * Draws an auto-labelled subject for an audit after all, at this rate; 0: the least that draws it. Its label stands
 * meanwhile. OK and nothing done where it carries no auto-label that can be audited.
 */
enum status certificate_audit_more(struct db *db, const struct project *project, int64_t subject_id,
	double rate, int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * People have answered an audited subject: crowd_label_id 0 when they could not tell. A disagreement, and a random share
 * of the agreements, wants an expert; else the audit is done.
 */
enum status audit_answered(struct db *db, const struct project *project, int64_t subject_id,
	int64_t crowd_label_id, int64_t now_ms, bool *wants_expert, struct err *err) MUST_CHECK;

/*
 * The expert has spoken (n 0: cannot be told, which voids the audit). Of several species the truth is one that the model did
 * not name. OK where there is no audit. Shapes: taxon_ids [n].
 */
enum status audit_judged(struct db *db, int64_t subject_id, const int64_t *taxon_ids, int n,
	int64_t now_ms, struct err *err) MUST_CHECK;

/* Reads the confidence sequence after an audit of this subject: ends a probation, or revokes. */
enum status audit_settle(struct db *db, const struct project *project, int64_t subject_id,
	int64_t now_ms, struct err *err) MUST_CHECK;

/* A subject is opened again: its audit too, unless its certificate was revoked. *blind says whether it has one. */
enum status audit_reopened(
	struct db *db, int64_t subject_id, bool *blind, struct err *err) MUST_CHECK;
