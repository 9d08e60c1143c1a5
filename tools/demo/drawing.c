/* Drawn twice: once to see how large the animal is in its pose, once to fill the paper. */
#include "drawing.h"

#include "animal.h"
#include "camera.h"
#include "taxa.h"

#include <stdio.h>

enum { MARGIN = 18, TRIAL = 700, TRIAL_FOOT = 680, NEAR = 100, QUALITY = 88 };

static const float trial_scale = 90; /* pixels a metre: the giraffe fits */

/* The individual whose build, horns and coat show best what the taxon is. */
static const uint64_t individuals[N_TAXA] = {[TAXON_THOMSONS] = 1,
	[TAXON_GRANTS] = 3,
	[TAXON_ZEBRA] = 1,
	[TAXON_BUFFALO] = 1,
	[TAXON_GIRAFFE] = 1,
	[TAXON_ELEPHANT] = 1,
	[TAXON_HYENA] = 1,
	[TAXON_OSTRICH] = 1};

static struct canvas paper(int w, int h)
{
	static const struct colour sheet = {238, 231, 216};
	struct canvas c = canvas_new(w, h);
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++)
			canvas_blend(&c, x, y, sheet, 1, 0);
	return c;
}

static void draw(struct canvas *c, int t, float x_px, float foot_px, float scale)
{
	struct sight sight = {0};
	animal_draw(c,
		&(struct pose){.taxon = t,
			.seed = individuals[t],
			.x_px = x_px,
			.foot_px = foot_px,
			.scale = scale,
			.side = 1,
			.turn = 1,
			.step = 0.7f,
			.stride = 0.4f,
			.light = 0,
			.z = NEAR},
		&sight);
}

struct canvas drawing_new(int t)
{
	struct canvas c = paper(TRIAL, TRIAL);
	int x0 = TRIAL, x1 = 0, y0 = TRIAL, y1 = 0;
	draw(&c, t, TRIAL / 2.0f, TRIAL_FOOT, trial_scale);
	for (int i = 0; i < TRIAL * TRIAL; i++)
		if (c.z[i] == NEAR) {
			x0 = i % TRIAL < x0 ? i % TRIAL : x0;
			x1 = i % TRIAL > x1 ? i % TRIAL : x1;
			y0 = i / TRIAL < y0 ? i / TRIAL : y0;
			y1 = i / TRIAL > y1 ? i / TRIAL : y1;
		}
	canvas_free(&c);
	const float by_width = (float)(DRAWING_W - 2 * MARGIN) / (float)(x1 - x0 + 1);
	const float by_height = (float)(DRAWING_H - 2 * MARGIN) / (float)(y1 - y0 + 1);
	const float larger = by_width < by_height ? by_width : by_height;
	c = paper(DRAWING_W, DRAWING_H);
	draw(&c, t, DRAWING_W / 2.0f + larger * (TRIAL / 2.0f - 0.5f * (float)(x0 + x1)),
		DRAWING_H / 2.0f + larger * (TRIAL_FOOT - 0.5f * (float)(y0 + y1)), trial_scale * larger);
	return c;
}

enum status drawings_write(const char *dir, struct err *err)
{
	char path[1100];
	enum status st = OK;
	for (int t = 0; st == OK && t < N_TAXA; t++) {
		if (t == TAXON_BLANK)
			continue;
		struct canvas c = drawing_new(t);
		snprintf(path, sizeof path, "%.1000s/%s.jpg", dir, taxon_code(t));
		st = jpeg_write(c.rgb, c.w, c.h, QUALITY, NULL, 0, path, err);
		canvas_free(&c);
	}
	return st;
}
