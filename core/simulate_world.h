/*
 * The world of `topi simulate`: subjects with a truth, a difficulty that people and model share, a
 * model's prediction, and the volunteers who come by (docs/consensus.md, "A simulated project").
 * Everything follows from the seed: an answer is a function of (seed, subject, volunteer), so that
 * every policy meets the same people giving the same answers.
 *
 * Units: difficulties are standard normal; probabilities sum to 1.
 */
#pragma once

#include "rng.h"
#include "simulate.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	WORLD_CLASSES = 54,
	WORLD_BLANK = 0,
	WORLD_PRESENT = 50,  /* volunteers who are there at the same time */
	WORLD_MAX_ASKED = 25 /* volunteers whom one subject can be shown */
};

struct world_subject {
	int truth, confuser; /* what it is, and what this image is taken for */
	float hard_for_people, hard_for_model;
	int guess;    /* the model's most probable class */
	double p_top; /* and what the model gives it, before any calibration */
};

struct world {
	struct simulate_options options;
	double pi[WORLD_CLASSES]; /* how common a class is; the model was trained under it too */
	int n;
	struct world_subject *subjects; /* [n] */
	float *p_model;                 /* [n x WORLD_CLASSES] */
};

/* Owns: *out is the caller's on OK. Errors: FAULT when memory is out. */
enum status world_init(
	struct world *out, const struct simulate_options *options, struct err *err) MUST_CHECK;
void world_release(struct world *world);

/* The class that this volunteer answers for this subject. */
int world_answer(const struct world *world, int subject, int volunteer);

/* The volunteers of one policy's project: WORLD_PRESENT at a time, each until their own number of answers is given. */
struct crowd {
	const struct world *world;
	struct rng rng;
	int n_seen; /* volunteers are numbered in the order in which they came */
	struct {
		int volunteer;
		long n_left;
	} present[WORLD_PRESENT];
};

void crowd_open(struct crowd *crowd, const struct world *world);

/* Someone who is there and has not been asked yet gives one answer: the volunteer's number. n_asked < WORLD_MAX_ASKED. */
int crowd_next(struct crowd *crowd, const int *asked, int n_asked);

/* How many answers this volunteer gives before leaving for good: log-normal, half below 20. */
long world_activity(const struct world *world, int volunteer);
