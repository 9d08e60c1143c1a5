/*
 * Certificates: the bound under which a model labels alone, and the blind audits that keep it honest (docs/consensus.md,
 * items on gold, certificates and audits). One stratum a project today: what the model
 * takes for anything but blank (an animal that a model overlooks is lost for good, and asks for a bound of its own).
 *
 * A certificate stands on certification gold that was drawn at random, never shown, never trained on: its calibration is
 * fitted and its threshold tested on all of it (docs/consensus.md says why that is sound). It begins on probation: subjects that it would label are drawn
 * as shadow audits and answered blind; when enough of them hold it is active. Audits go on for as long as it labels; the
 * moment that their confidence sequence shows an error above alpha it is revoked, and the sweep takes its labels back.
 */
#pragma once

#include "label.h"

enum { CERTIFICATE_MIN_GOLD = 20 }; /* gold to calibrate on: below it a model is not heard */

/* Fits the promoted model's calibration and issues a certificate, where gold, model or policy are new since the last. */
enum status certificate_renew(
	struct db *db, const struct project *project, int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * The certificate on probation: draws more shadow audits where those of today cannot end it. Fewer predictions may be sure
 * than the gold had promised, and after n_errors more audits are needed. Draws go by a hash below a rate, so that a higher
 * one only adds to them.
 */
enum status certificate_draw_more(
	struct db *db, const struct project *project, int n_errors, struct err *err) MUST_CHECK;

/*
 * An open subject without answers: auto-labels it, or draws it for an audit (*drawn: it is to be answered blind from now
 * on), or both, where the certificate in force says so.
 */
enum status certificate_apply(struct db *db, const struct project *project,
	const struct subject *subject, int64_t now_ms, bool *drawn, struct err *err) MUST_CHECK;

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
