/* Coats: the colour of a place on an animal. */
#pragma once

#include "canvas.h"

enum material { M_BODY, M_FAR_LEG, M_DARK, M_PALE, M_HORN, M_EAR, M_SKIN, M_WING };

/* What a coat needs to know of the individual. */
struct coat {
	int taxon;
	uint32_t seed;
	float back, belly;      /* heights at mid body, metres */
	float half;             /* half the distance from shoulder to hip, metres */
	float neck_x, neck_y;   /* where the neck begins */
	float neck_dx, neck_dy; /* its direction, unit length */
	float stripe;           /* gazelles: strength of the dark flank stripe, 0..1 */
	int female;
};

/* The colour at (x, y): metres, x forward from mid body, y up from the ground. */
struct colour coat_colour(const struct coat *c, enum material m, float x, float y);
