/*
 * The shape of an animal in a pose: layers of tapered capsules in metres, x forward from mid body,
 * y up from the ground, drawn in order.
 */
#pragma once

#include "animal.h"
#include "coat.h"

enum { BODY_MAX_PARTS = 64, BODY_MAX_LAYERS = 24 };

struct layer {
	enum material material;
	int first, n;  /* parts */
	float round_m; /* how far from the outline the surface turns away */
	float blend_m; /* width over which parts flow into each other */
};

struct body {
	struct part parts[BODY_MAX_PARTS];
	struct layer layers[BODY_MAX_LAYERS];
	int n_parts, n_layers;
	float eye_x, eye_y, eye_r;
	struct coat coat;
};

void body_build(struct body *b, const struct pose *pose);
