/*
 * The taxa of the simulated world, in the order of project.json (a test compares). The last is
 * "nothing here".
 */
#pragma once

enum taxon {
	TAXON_THOMSONS,
	TAXON_ZEBRA,
	TAXON_GRANTS,
	TAXON_BUFFALO,
	TAXON_GIRAFFE,
	TAXON_ELEPHANT,
	TAXON_HYENA,
	TAXON_OSTRICH,
	TAXON_BLANK,
	N_TAXA
};

/* The code in project.json; t must be in 0 .. N_TAXA-1. */
const char *taxon_code(int t);

/* The taxon of a code, or -1. */
int taxon_of(const char *code);

/* The taxon that people mistake t for, or -1: the two gazelles are each other's. */
int taxon_lookalike(int t);
