/*
 * One capture event as pictures: what walks through, in which light, and how hard a person would
 * find it.
 */
#pragma once

#include "animal.h"
#include "land.h"

enum { SCENE_MAX_FRAMES = 3, SCENE_MAX_ANIMALS = 5 };

struct event {
	uint64_t seed;
	int taxon, n_frames;
	int second_of_day;           /* of the first frame, local time */
	int gap_s[SCENE_MAX_FRAMES]; /* seconds after the first frame */
};

struct scene {
	struct pose animals[SCENE_MAX_ANIMALS];
	float speed_m[SCENE_MAX_ANIMALS]; /* metres a second, along the way it looks */
	int n_animals, night;
	int pan_x, pan_y;      /* the frame's corner in the landscape */
	struct part blade;     /* a blade before the lens; radius 0: none */
	uint8_t light[3][256]; /* day: brightness a channel */
	float flash;           /* night: power of the infrared lamp */
	uint64_t seed;
};

/* Decides everything about the event; try n places the animals anew (0 first). */
void scene_plan(struct scene *s, const struct land *land, const struct event *e, int try);

/*
 * Renders frame f into frame (its size is the photograph's), lit and with the sensor's noise.
 * sight_out: the animals as seen, contrast after the lamp's reach.
 */
void scene_frame(const struct scene *s, const struct land *land, const struct event *e, int f,
	struct canvas *frame, struct sight *sight_out);

/*
 * How hard a frame is for a person, 0 easy .. 1 hopeless: from the visible area (log scale between
 * 12 x 12 and 100 x 100 pixels in a frame 960 wide), the part that vegetation leaves, contrast,
 * and night. Written down before any crowd or model saw a scene.
 */
double scene_difficulty(const struct sight *sight, int night, int frame_w);
