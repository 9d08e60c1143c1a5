/*
 * A picture in the making: colour before any light falls on it, and for each pixel how near it is.
 *
 * Shapes: rgb [h][w][3]; z [h][w].
 * Units:  rgb 0..255, reflectance of the surface (light comes at the end, in scene.c). z is the row
 *         (in the landscape's own pixels) where the thing in that pixel touches the ground: larger
 *         is nearer; 0 is sky. Ground has its own row.
 * Owns:   canvas_new allocates, canvas_free releases.
 */
#pragma once

#include <stdint.h>

struct canvas {
	int w, h;
	uint8_t *rgb;
	uint16_t *z;
};

struct colour {
	float r, g, b;
};

/* A tapered capsule: two discs and what lies between. */
struct part {
	float x0, y0, r0, x1, y1, r1;
};

struct canvas canvas_new(int w, int h);
void canvas_free(struct canvas *c);

struct colour colour_mix(struct colour a, struct colour b, float share_of_b);
struct colour colour_scale(struct colour c, float factor);

/* Signed distance from (x, y) to the part's outline, negative inside; exact but for a slight bend
 * where the ends differ much in radius. */
float part_distance(const struct part *p, float x, float y);

/* Lays colour over the pixel with the given cover (0..1); sets z where cover is at least half.
 * Outside the canvas nothing happens. */
void canvas_blend(struct canvas *c, int x, int y, struct colour colour, float cover, int z);

/* A capsule in pixels, antialiased over `soft` pixels. */
void canvas_part(struct canvas *c, const struct part *p, struct colour colour, float soft, int z);
