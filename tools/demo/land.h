/*
 * A deployment's view: what the camera sees when nothing is there. Painted once; every frame of the
 * deployment is a window on it. A pinhole camera at height camera_m looks along flat ground:
 * what stands at distance d touches the ground at row horizon + focal * camera_m / d.
 *
 * Owns: land_new paints and allocates, land_free releases.
 */
#pragma once

#include "canvas.h"

enum { LAND_MARGIN = 12 }; /* pixels around the frame, for a camera that sways */

struct land {
	struct canvas view; /* frame + LAND_MARGIN on every side */
	float horizon_px, focal_px, camera_m;
	float sun_side; /* -1 .. 1: where the morning sun stands */
	float warmth;   /* how far the light leans to red (> 0) or blue (< 0) */
	float haze;     /* share of haze colour at 100 m */
	struct colour haze_colour, dust, blade;
	double latitude_deg, longitude_deg;
};

/* Deployment `index` of n; the last one has a palette, season and light that no other has. */
struct land land_new(int index, int n, int frame_w, int frame_h, uint64_t seed);
void land_free(struct land *land);

/* Row where something at this distance stands, and pixels a metre there. */
float land_row(const struct land *land, float distance_m);
float land_scale(const struct land *land, float distance_m);
