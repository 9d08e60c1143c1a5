/*
 * A whole recorded project, replayed from one text file through the online label model: the policy
 * of the reference's `stream`, with the same labels and counts (docs/consensus.md, "A recorded
 * project").
 *
 * The file: line 1 `pi,p0,p1,...`, the class prior; then one line a subject,
 * `truth|class:probability ...|volunteer:answer ...`, where model mass that is not listed is shared
 * out like pi. Classes count from 0, 0 is "nothing here". Empty lines are skipped.
 */
#pragma once

#include "status.h"

#include <stdbool.h>

enum {
	STREAM_ANSWER_CAP = 25,    /* a subject retires after this many answers */
	STREAM_REMIX_EVERY = 200,  /* retirements between two remixes */
	STREAM_MAX_LINE = 1 << 20, /* bytes, line end included */
	STREAM_MAX_SUBJECTS = 1000000,
	STREAM_MAX_NUMBERS = 64000000 /* open subjects x classes */
};

struct stream_subject {
	int truth, label;
	int n_answers; /* answers used, not recorded */
	double risk;   /* 1 - highest posterior, at the last look */
};

struct stream_result {
	int n_classes, n_subjects;
	struct stream_subject *subjects; /* [n_subjects] in file order */
};

/* Accuracies over a result; NaN where there is nothing to count (no animals). */
struct stream_score {
	long n_answers;
	int n_animals; /* subjects whose truth is not class 0 */
	double answers_per_subject, accuracy, accuracy_animals, mean_risk;
};

/*
 * Passes over the open subjects in file order, one recorded answer each, until a subject's risk is
 * at most tau or its recorded answers (at most STREAM_ANSWER_CAP) are used up. With use_model false
 * the predictions are ignored. A subject with no recorded answer keeps the label it opened with.
 * Units:  tau is a probability, 0 <= tau < 1.
 * Owns:   on OK the caller releases *out; on an error *out is empty.
 * Errors: BAD_INPUT for tau; NOT_FOUND when the file cannot be opened; BAD_INPUT with file:line for
 *         what the file says wrong; TOO_LARGE over a limit above; FAULT when memory or the disk
 * fails.
 */
enum status stream_run(const char *path, double tau, bool use_model, struct stream_result *out,
	struct err *err) MUST_CHECK;
void stream_result_release(struct stream_result *result);

struct stream_score stream_score(const struct stream_result *result);
