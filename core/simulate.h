/*
 * A simulated project in which every policy meets the same images and the same people: what each
 * costs, how often its labels are right, and whether its promises hold (docs/consensus.md, "A
 * simulated project"). Pure: the seed is an argument, the same arguments give the same report.
 *
 * Units: answers are per subject, everything else is a share of 0..1; NAN where there is nothing to
 * count.
 */
#pragma once

#include "status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
	SIMULATE_MIN_SUBJECTS = 1000,
	SIMULATE_MAX_SUBJECTS = 200000,
	SIMULATE_MAX_REPETITIONS = 100000,
	SIMULATE_MAX_ROWS = 20,
	SIMULATE_N_CERTIFICATES = 3,
};

struct simulate_options {
	uint64_t seed;
	int n_subjects;    /* SIMULATE_MIN_SUBJECTS .. SIMULATE_MAX_SUBJECTS */
	int n_repetitions; /* gold draws of the coverage, 1 .. SIMULATE_MAX_REPETITIONS */
	bool new_site;     /* the model is worse there and surer of itself */
	bool clickers;     /* 15 % of the volunteers answer at random */
	bool bot;          /* one account gives a tenth of all answers: always "nothing here" */
};

enum simulate_family {
	FAMILY_PLURALITY,
	FAMILY_SERENGETI,
	FAMILY_MODEL_SERENGETI,
	FAMILY_MODEL_ONE,
	FAMILY_OURS,
	FAMILY_OURS_CROWD,
	N_SIMULATE_FAMILIES
};

/* What one policy came to. */
struct simulate_row {
	enum simulate_family family;
	char name[40];
	char setting[8];       /* what tells it from the others of its family, or "" */
	double answers;        /* a subject, experts' (gold, audits, hard cases) included */
	double expert_answers; /* those alone */
	double accuracy, accuracy_animals, accuracy_macro;
	double promised_risk;   /* mean risk it believed in; NAN for rules without one */
	double automated;       /* share labelled by the model alone */
	double automated_wrong; /* of those; NAN where there are none */
};

/* The world as it came out, beside the figures that it was fitted to. */
struct simulate_figures {
	double blank, model_accuracy, model_accuracy_animals, model_confidence;
	double few_answers; /* share of volunteers who give fewer than 20 */
};

/* A promise over many draws of certification gold; the last of them stands for all strata together. */
struct simulate_certificate {
	const char *stratum;
	double alpha, delta;
	double broken, none,
		automated; /* share of draws: promise broken, no threshold; mean share automated */
	double naive_broken, naive_automated; /* with the lowest threshold that looks good */
};

struct simulate_report {
	struct simulate_options options;
	struct simulate_figures figures;
	int n_rows, n_gold; /* n_gold: drawn for a certificate */
	struct simulate_row rows[SIMULATE_MAX_ROWS];
	struct simulate_certificate certificates[SIMULATE_N_CERTIFICATES];
};

/* Errors: BAD_INPUT when an option is out of range, FAULT when memory is out. *out is written only on OK. */
enum status simulate_run(const struct simulate_options *options, struct simulate_report *out,
	struct err *err) MUST_CHECK;

/* "ours", "plurality": what the plot and JSON call a family. */
const char *simulate_family_name(enum simulate_family family);

/* Answers a subject against accuracy on animals, as SVG. Errors of writing are the stream's to tell. */
void simulate_plot(const struct simulate_report *report, FILE *out);
