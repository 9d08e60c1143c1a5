/* What refit.c, refit_judge.c and refit_learn.c share: the state of a refit. */
#pragma once

#include "refit.h"

#include <stdatomic.h>

enum { REFIT_SUBJECTS_A_BLOCK = 8192, REFIT_MAX_LEARN_BLOCKS = 64 };

/*
 * What a block of subjects teaches: sharpened posteriors without their zeros, subject after subject. One class alone has all
 * and is written without its share; where all k have one the classes are not written.
 */
struct refit_lesson {
	uint32_t *class_end, *t_end; /* [subjects of the block] where a subject's entries end */
	uint16_t *class;             /* [class_room] */
	double *t;                   /* [t_room] */
	size_t class_room, t_room;
};

struct refit {
	struct refit_input in;
	size_t n_blocks, n_learn_blocks;
	/* Two of each: a judgement writes the next while it compares with the one in force. */
	struct refit_lesson *lessons[2]; /* [n_blocks] */
	int current;                     /* which lessons the last judgement wrote */
	int learned;        /* which lessons the skills in force were learned from, -1: none */
	double *mass;       /* [n_subjects] share of the posterior that the last judgement kept */
	bool is_judged;     /* nothing was learned since the last judgement */
	double *m, *counts; /* [k x k] */
	double *log_votes, *log_share; /* [k], [n_models x k] */
	double *pi, *log_pi;           /* [k] */
	double *lambda, *precision;    /* [n_volunteers] */
	double own_prior;
	/* [n_columns x k]: log P(answer | truth); while learning, the cells. */
	double *columns;
	double *sums;        /* [n_blocks x k] of posteriors, or [n_learn_blocks x k x k] of counts */
	double *moved;       /* [n_blocks] */
	atomic_bool is_full; /* memory ran out in a thread */
};

/* A subject's entry: class[i], or i where that is NULL, has the share t[i], or 1 where that is NULL. */
struct refit_taught {
	const uint16_t *class;
	const double *t;
	size_t n;
};
struct refit_taught refit_taught(const struct refit *r, int lessons, size_t subject);

/* Row sums, error rates and then log P(answer | truth) of one volunteer's columns, which hold cells. more_rows [k] or NULL is
 * added to the row sums. steps Newton steps on lambda. */
void refit_volunteer(
	struct refit *r, size_t volunteer, int steps, const double *more_rows, double *scratch);

/* own_counts.prior from the cells in r->columns; lambda must be known (refit_own.c). */
void refit_fit_own_prior(struct refit *r);

size_t refit_n_models(const struct refit_prior *prior);

/* Adds a subject's prior to ev: the log of its prediction or of the crowd's votes. True where it is a prediction. */
bool refit_base(const struct refit *r, size_t subject, double *ev);

/* The column of a volunteer's answer, or n_columns. */
size_t refit_find_column(const struct answers *answers, uint32_t volunteer, int class);
