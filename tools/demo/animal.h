/*
 * An animal in a frame: drawn from a table of body measures (metres) as soft unions of tapered
 * capsules, with a coat that is a function of the place on the body, lit from one side.
 */
#pragma once

#include "canvas.h"

struct pose {
	int taxon;     /* TAXON_*, not blank */
	uint64_t seed; /* the individual: build, coat, horns */
	float x_px;    /* middle of the body */
	float foot_px; /* row of the feet, in the canvas */
	float scale;   /* pixels a metre */
	float side;    /* 1 looks right, -1 left */
	float turn;    /* 1 broadside .. 0.4 nearly end on */
	float step;    /* phase of the walk, radians; */
	float stride;  /* 0 stands .. 1 walks */
	float graze;   /* 0 head up .. 1 head down */
	float light;   /* -1 .. 1: where light comes from */
	float haze;    /* share of haze_colour */
	float dirt;    /* share of dust on the coat */
	struct colour haze_colour, dust;
	int z;        /* row of the feet, in the landscape */
	int by_flash; /* night: light from the camera, eyes shine */
};

/* Sums over the pixels of an animal: all it would cover, and those that can be seen. */
struct sight {
	float all, seen, contrast; /* contrast: sum over seen pixels of |difference in brightness| */
};

/* Draws behind whatever in the canvas has a larger z; adds to *sight. */
void animal_draw(struct canvas *c, const struct pose *pose, struct sight *sight);

/* Height of the taxon's back and length of its body with head, metres. */
float animal_height(int taxon);
float animal_length(int taxon);
