/*
 * The simulated crowd: what a volunteer answers about a subject, as a pure function.
 *
 * Forty volunteers: 0..33 good (skill normal, deviation 0.5), 34..38 poor (skill 1.6 lower), 39
 * clicks at random. A volunteer errs about an animal with probability
 *     1 / (1 + exp(skill_v - hardness_s)),
 *     hardness_s = -5.5 + 4 difficulty + 0.8 (where the taxon has a look-alike) + 1.8 z_s,
 * z_s normal and the same for everybody, so that a hard subject fools many. Four in five wrong
 * answers are the subject's own wrong answer: its look-alike (3 in 4, where there is one), else
 * "nothing here" with the difficulty as probability, else another animal drawn once for the
 * subject; the rest are "can't tell" or any taxon, half and half. Empty scenes: hardness is -6 +
 * z_s / 2.
 *
 * Source of the figures: Swanson et al. 2015 (Sci. Data 2:150026) and 2016 (Conserv. Biol.
 * 30:520-531), Snapshot Serengeti: plurality agrees with experts on 96.6 % of animals (98 % of all
 * images); a single volunteer is right on 88 to 90 %; an empty image is called empty by more than
 * 97 %. -5.5 and 1.8 were solved once for a single volunteer's .89 and plurality-of-10's .965 on a
 * reference population (difficulty 1 - (1-u)^(1/2.4), u uniform; a third of the animals with a
 * look-alike: .890 and .966 there), before any model had seen a scene, and stay as they are.
 */
#pragma once

#include <stdint.h>

enum { CROWD_N = 40, CROWD_CANT_TELL = -1, CROWD_N_TAXA_MAX = 64 };

struct crowd_subject {
	uint64_t id;
	int truth;     /* index of the taxon */
	int lookalike; /* index, or -1 */
	int blank;     /* index of "nothing here" */
	int n_taxa;    /* 3 .. CROWD_N_TAXA_MAX */
	double difficulty;
};

struct truth_row;

/* What the crowd needs of a row of the truth; id is a hash of the event key. */
struct crowd_subject crowd_subject_of(const struct truth_row *row);

/* Volunteer v's answer: a taxon's index or CROWD_CANT_TELL. */
int crowd_answer(uint64_t seed, int v, const struct crowd_subject *s);

/*
 * The same volunteer where a confirm card shows a guess: a wrong one is confirmed with probability .3 whoever is asked, and one
 * who would have erred lets a right one persuade them half of the time. Else the answer is what follows "something else".
 */
int crowd_confirm(uint64_t seed, int v, const struct crowd_subject *s, int guess);

/* The order in which volunteers meet a subject: a permutation of 0 .. CROWD_N-1. */
void crowd_order(uint64_t seed, uint64_t subject_id, int order[CROWD_N]);

struct crowd_result {
	int label; /* a taxon's index or CROWD_CANT_TELL, where nobody named one */
	int n_answers;
};

/* The commonest taxon of the first ten answers; of several, the one named first. */
struct crowd_result crowd_plurality10(uint64_t seed, const struct crowd_subject *s);

/*
 * Snapshot Serengeti's rule (Swanson et al. 2015): stop when the first 5 answers all say "nothing
 * here", when 10 do in total, when 10 agree on a taxon, or after 25; the label is the plurality.
 */
struct crowd_result crowd_serengeti(uint64_t seed, const struct crowd_subject *s);

struct crowd_score {
	double answers, accuracy, accuracy_animals; /* answers a subject; shares right */
};

struct crowd_score crowd_score(uint64_t seed, const struct crowd_subject *subjects, int n,
	struct crowd_result (*rule)(uint64_t, const struct crowd_subject *));

/* One answer a subject, by the first volunteer to meet it. */
struct crowd_result crowd_single(uint64_t seed, const struct crowd_subject *s);
