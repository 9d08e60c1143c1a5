/*
 * Classifications: one volunteer's answer to one subject, kept for ever. Storing one decides the subject again in the
 * same transaction, so that a subject retires with the answer that retires it.
 */
#pragma once

#include "others.h"
#include "plant.h"

enum answer_kind { ANSWER_TAXA, ANSWER_CANT_TELL };

enum { ANSWER_MAX_TAXA = 20 };

/* One species of an answer. */
struct named {
	int64_t taxon_id;
	const int64_t *count; /* animals, or NULL where not asked */
	const json_t
		*details; /* object with the answers to the project's other questions (survey.h), or NULL */
};

struct classification {
	uint8_t uuid[16]; /* the client's name for it: a retry counts once */
	int64_t project_id, subject_id, volunteer_id;
	bool expert; /* an expert's verdict; the caller has checked the role */
	enum answer_kind answer;
	int64_t taxon_id;           /* ANSWER_TAXA: the species, or the first of several, */
	const int64_t *count;       /* how many of it, or NULL where not asked, */
	const json_t *details;      /* and what else the project asks of it, or NULL; */
	int n_more;                 /* the others */
	const struct named *more;   /* [n_more] */
	bool several;               /* there are more species than are named */
	const int64_t *duration_ms; /* or NULL */
};

struct classification_result {
	bool
		counted; /* false: the subject had retired. Gold that was planted, and an answer that is no evidence
				  * because of what the volunteer had heard, look as if they counted. */
	bool replay;                /* this UUID was stored before; nothing changed */
	struct planted_truth truth; /* the expert's answer, where the volunteer is to hear it */
	bool reveals;         /* the volunteer is to hear what the model thinks (policy.reveal): */
	int64_t opinion_id;   /* a taxon; 0: it has said nothing */
	bool reveals_others;  /* the volunteer is to hear what others said (policy.reveal_others): */
	struct others others; /* n is 0 where too few have */
};

/*
 * Stores an answer, ends its lease and decides the subject. Runs inside the caller's transaction.
 * An answer that names several species, or says that there are, moves the subject to set mode (set_mode.h).
 * Errors: NOT_FOUND unknown subject; BAD_INPUT a taxon that the project does not have (or no longer has), one that is named
 *         twice, "nothing here" among others, an answer to what the project does not ask, or a count below 1; DENIED a subject that this volunteer was never given, or a UUID of somebody else's answer; CONFLICT a
 *         second answer to the subject.
 */
enum status classification_add(struct db *db, const struct classification *c, int64_t now_ms,
	struct classification_result *out, struct err *err) MUST_CHECK;

struct classification_undone {
	int64_t subject_id;
	bool expert;                      /* from the expert queue */
	bool planted;                     /* gold */
	int64_t guess_id, guess_model_id; /* of the card that was shown; 0: a blind survey */
};

/*
 * Takes back the volunteer's own answer `of`: a superseding row under `uuid`; a subject that people had decided is open
 * again, unless the answers that remain decide it too. *out says which, and how it was given. Allowed for the last 10 answers.
 * Replays answer OK.
 * Errors: NOT_FOUND no such answer of this volunteer; CONFLICT too many since, superseded already, an expert's verdict, or the
 * photographs are hidden by now.
 */
enum status classification_undo(struct db *db, const uint8_t uuid[16], const uint8_t of[16],
	int64_t volunteer_id, int64_t now_ms, struct classification_undone *out,
	struct err *err) MUST_CHECK;

/* Whether classification_undo would take this answer back. Errors: NOT_FOUND no such answer; the database's. */
enum status classification_may_undo(
	struct db *db, const uint8_t of[16], bool *out, struct err *err) MUST_CHECK;

/* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" to 16 bytes and back. Errors: BAD_INPUT. */
enum status uuid_parse(const char *text, uint8_t out[16], struct err *err) MUST_CHECK;
void uuid_format(const uint8_t uuid[16], char out[37]);
