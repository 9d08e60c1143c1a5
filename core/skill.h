/*
 * Volunteers' skill in the database: the column of their confusion matrix that an answer stands for, what a retirement
 * teaches, and the remix that turns everybody's counts into the pooled matrix. The arithmetic is in confusion.h.
 */
#pragma once

#include "project.h"

/* As a volunteer: one of whom nothing is known, and who answers as people do on average. */
enum { SKILL_AVERAGE = 0 };

/* Everybody's matrix, P(answer | truth). Owns: the project's; shapes: [k x k], row-major. */
enum status skill_pool(
	struct db *db, const struct project *project, const double **out, struct err *err) MUST_CHECK;

/*
 * Log-likelihood of one answer of a volunteer for every truth.
 * Shapes: log_theta_out [project->k], nats.
 */
enum status skill_column(struct db *db, const struct project *project, int64_t volunteer_id,
	int answer, double *log_theta_out, struct err *err) MUST_CHECK;

/*
 * One answer credited: the volunteer's lambda and counts, and the pool's.
 * Shapes: t [project->k], the opinion of the other sources (consensus_credit) or one-hot truth.
 */
enum status skill_teach(struct db *db, const struct project *project, int64_t volunteer_id,
	int answer, const double *t, struct err *err) MUST_CHECK;

/*
 * What skill.row_sums holds: the sum of each row of a volunteer's counts that is above 0, by taxon.
 * Shapes: rows [project->k]; out [project->k * SKILL_SUM_BYTES]. Returns the bytes written.
 */
enum { SKILL_SUM_BYTES = sizeof(uint32_t) + sizeof(double) };
size_t skill_pack_rows(const struct project *project, const double *rows, uint8_t *out);

/*
 * Makes the pooled matrix, the class prior and the rates of confirm cards anew from the counts: after every 200th retirement
 * (more seldom in a large project: label.c), and whenever the taxa changed. prior = (n + 1) / (N + k) over the labels in force.
 */
enum status skill_remix(struct db *db, int64_t project_id, struct err *err) MUST_CHECK;
