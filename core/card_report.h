/*
 * What confirm cards are worth beside blind surveys: how long people take over each, and how much an average volunteer's answer
 * to each is expected to lower the entropy, on the subjects that carried the newest cards (docs/consensus.md, equation 30).
 */
#pragma once

#include "confirm.h"

struct card_question {
	int64_t n;         /* answers that the time is of: the newest 2,000 at most */
	double seconds;    /* the median; 0: none has a time */
	double bits;       /* an answer; 0: there is no card to say it of */
	double bits_per_s; /* 0: one of them is not known */
};

struct card_report {
	struct confirm_counts counts; /* cards on gold, as of the last remix */
	struct confirm_rates rates;
	int64_t n_yes; /* of the cards whose time is known */
	struct card_question card, survey;
};

/* Errors: the database's. */
enum status card_report_make(struct db *db, const struct project *project, struct card_report *out,
	struct err *err) MUST_CHECK;
