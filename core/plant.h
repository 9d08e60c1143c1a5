/*
 * Gold planted among a volunteer's tasks: subjects whose truth an expert has given, handed out like any other. What people
 * say of them teaches their skill from the truth itself (purposes probe and train-people), tells how far people go wrong
 * together (certify), and never counts towards a label. Only after train-people gold is the truth told.
 *
 * plant_blank of it is blank and plant_rare of the animal that the volunteer has met least, as long as there is some left.
 *
 * A volunteer meets it at policy.plant_first of their first 20 answers, falling towards policy.plant_rate. It comes only in
 * the place of a task that there is, so that a project ends; subjects of people and vehicles are never planted.
 */
#pragma once

#include "project.h"

/*
 * Whether this slot is for gold, and which subject that would be: *subject_id is 0 where it is not. `slot` tells the tasks
 * of one request apart; the draw is keyed by the volunteer's last answer, so that asking again does not change it. None of
 * deployment `apart_from` (0: any will do).
 */
struct plant_slot {
	int64_t project_id, volunteer_id, now_ms, apart_from;
	int slot;
};
enum status plant_draw(struct db *db, const struct policy *policy, struct plant_slot slot,
	int64_t *subject_id, struct err *err) MUST_CHECK;

/* An answer to planted gold that has been stored: the classes that it names; none: "can't tell". */
struct planted_answer {
	int64_t volunteer_id, classification_id;
	bool guessed; /* a confirm card was shown */
	int n;
	const int *classes; /* [n] */
};

enum { PLANT_MAX_TAXA = 20 };

/* The truth as taxa. */
struct planted_truth {
	int n; /* 0: the volunteer is not to hear it */
	int64_t taxa[PLANT_MAX_TAXA];
};

/*
 * Learns from such an answer. Where it and the truth are one species, their confusion (skill_teach); else whether each
 * species was named (set_teach). One to a card teaches no skill.
 */
enum status plant_answered(struct db *db, const struct project *project, int64_t subject_id,
	struct planted_answer answer, struct planted_truth *told, struct err *err) MUST_CHECK;

/* What the reply to an answer to such gold tells, as plant_answered has it. */
enum status plant_told(struct db *db, const struct project *project, int64_t subject_id,
	struct planted_truth *told, struct err *err) MUST_CHECK;
