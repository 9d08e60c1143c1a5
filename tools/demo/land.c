/* Sky, hills, ground, trees, rocks, grass: painted from far to near with a palette a deployment. */
#include "land.h"

#include "noise.h"
#include "rng.h"

#include <stdlib.h>

struct style {
	struct colour sky_top, sky_low, hill, soil, cover, leaf, rock, grass;
	float horizon, camera_m, warmth, haze, grass_m;
	int n_trees, n_bushes, n_rocks, n_tufts;
};

/* The last row is the deployment kept out of training: red burnt earth, ash, an early green flush,
 * a bluish overcast. */
static const struct style styles[] = {
	{{96, 142, 205}, {196, 212, 226}, {112, 128, 122}, {158, 132, 92}, {192, 168, 108},
		{84, 98, 52}, {134, 126, 116}, {202, 178, 112}, 0.40f, 1.0f, 0.05f, 0.20f, 0.45f, 5, 6, 3,
		900},
	{{118, 158, 208}, {210, 220, 224}, {88, 112, 92}, {118, 104, 72}, {102, 132, 58}, {58, 92, 40},
		{120, 118, 112}, {112, 146, 62}, 0.36f, 0.9f, 0.0f, 0.14f, 0.35f, 3, 14, 1, 1100},
	{{128, 150, 182}, {214, 206, 190}, {142, 122, 104}, {176, 150, 118}, {164, 142, 104},
		{102, 104, 66}, {158, 142, 122}, {186, 164, 118}, 0.44f, 1.2f, 0.12f, 0.32f, 0.28f, 2, 8,
		12, 450},
	{{84, 126, 176}, {178, 196, 204}, {70, 92, 70}, {96, 84, 62}, {88, 104, 54}, {46, 74, 34},
		{104, 100, 92}, {122, 128, 66}, 0.33f, 0.8f, -0.05f, 0.10f, 0.5f, 12, 24, 2, 800},
	{{142, 170, 204}, {226, 224, 214}, {132, 132, 108}, {146, 130, 88}, {206, 186, 128},
		{112, 116, 62}, {140, 132, 118}, {222, 202, 142}, 0.42f, 1.1f, 0.08f, 0.24f, 0.7f, 2, 3, 2,
		1300},
	{{150, 156, 164}, {202, 204, 206}, {102, 98, 108}, {148, 84, 58}, {86, 62, 54}, {92, 128, 60},
		{116, 92, 84}, {126, 158, 74}, 0.47f, 1.35f, -0.14f, 0.30f, 0.22f, 7, 10, 7, 600},
};
enum { N_STYLES = (int)(sizeof styles / sizeof *styles) };

float land_row(const struct land *land, float distance_m)
{
	return land->horizon_px + land->focal_px * land->camera_m / distance_m;
}

float land_scale(const struct land *land, float distance_m)
{
	return land->focal_px / distance_m;
}

static void paint_sky(struct land *l, const struct style *s, uint32_t seed)
{
	float w = (float)l->view.w;
	for (int y = 0; y < l->view.h && (float)y <= l->horizon_px; y++)
		for (int x = 0; x < l->view.w; x++) {
			float v = (float)y / l->horizon_px;
			struct colour c = colour_mix(s->sky_top, s->sky_low, v);
			float cloud = noise_fbm((float)x / w * 5.0f, (float)y / w * 14.0f, seed, 4);
			c = colour_mix(
				c, (struct colour){236, 236, 236}, fminf(fmaxf((cloud - 0.5f) * 3.0f, 0.0f), 0.8f));
			canvas_blend(&l->view, x, y, c, 1.0f, 0);
		}
}

static void paint_hills(struct land *l, const struct style *s, uint32_t seed)
{
	float w = (float)l->view.w;
	for (int ridge = 0; ridge < 2; ridge++)
		for (int x = 0; x < l->view.w; x++) {
			float rise = noise_fbm(
				(float)x / w * (2.5f + 3.0f * (float)ridge), (float)ridge * 7.0f, seed + 9, 4);
			float top = l->horizon_px - w * (ridge ? 0.05f : 0.11f) * fmaxf(rise - 0.25f, 0.0f);
			struct colour c = ridge ? colour_mix(s->hill, s->leaf, 0.4f)
									: colour_mix(s->hill, s->sky_low, 0.45f);
			for (int y = (int)top; (float)y <= l->horizon_px; y++) {
				float t = noise_value((float)x * 0.12f, (float)y * 0.2f, seed + 11);
				canvas_blend(&l->view, x, y, colour_scale(c, 0.94f + 0.12f * t), 1.0f, 0);
			}
		}
}

static void paint_ground(struct land *l, const struct style *s, uint32_t seed)
{
	float middle = 0.5f * (float)l->view.w;
	for (int y = (int)l->horizon_px; y < l->view.h; y++) {
		float d = l->focal_px * l->camera_m / fmaxf((float)y - l->horizon_px, 0.5f);
		float near = 1.0f / (1.0f + d / 25.0f);
		for (int x = 0; x < l->view.w; x++) {
			float wx = ((float)x - middle) * d / l->focal_px;
			float patch = noise_fbm(wx * 0.35f, d * 0.35f, seed + 20, 4);
			float grain = noise_fbm(wx * 9.0f, d * 5.0f, seed + 30, 2) - 0.5f;
			struct colour c = colour_mix(
				s->soil, s->cover, fminf(fmaxf((patch - 0.35f) * 3.3f, 0.0f), 1.0f));
			c = colour_scale(c, 1.0f + 0.7f * grain * near);
			c = colour_mix(c, l->haze_colour, 1.0f - expf(-d * l->haze / 100.0f));
			canvas_blend(&l->view, x, y, c, 1.0f, y);
		}
	}
}

/* Leaves: many small discs in an ellipse, lighter on top. */
static void paint_leaves(struct land *l, struct rng *r, struct colour leaf, float x, float y,
	float half_w, float half_h, int z)
{
	int n = 40 + (int)fminf(half_w * half_h * 0.10f, 500.0f);
	for (int i = 0; i < n; i++) {
		float a = rng_range(r, 0.0f, 6.2831853f), q = sqrtf(rng_unit(r));
		float dx = cosf(a) * q * half_w, dy = sinf(a) * q * half_h;
		float size = fmaxf(0.8f, rng_range(r, 0.04f, 0.13f) * fminf(half_w, half_h * 2.0f));
		struct colour c = colour_scale(leaf, rng_range(r, 0.55f, 1.05f) - 0.3f * dy / half_h);
		struct part p = {x + dx, y + dy, size, x + dx + rng_range(r, -size, size), y + dy, size};
		canvas_part(&l->view, &p, c, 1.4f, z);
	}
}

static void paint_tree(struct land *l, struct rng *r, const struct style *s, float x, float d)
{
	float px = land_scale(l, d), row = land_row(l, d), fade = 1.0f - expf(-d * l->haze / 100.0f);
	float height = rng_range(r, 3.5f, 6.5f) * px, lean = rng_range(r, -0.2f, 0.2f) * height;
	struct colour bark = colour_mix((struct colour){86, 72, 58}, l->haze_colour, fade);
	struct colour leaf = colour_mix(s->leaf, l->haze_colour, fade);
	struct part trunk = {x, row, 0.16f * px, x + lean, row - height * 0.75f, 0.07f * px};
	canvas_part(&l->view, &trunk, bark, 1.4f, (int)row);
	for (int i = 0; i < 3; i++) {
		float side = rng_range(r, -0.45f, 0.45f) * height;
		struct part limb = {x + lean * 0.6f, row - height * 0.5f, 0.07f * px, x + lean + side,
			row - height * rng_range(r, 0.8f, 0.95f), 0.04f * px};
		canvas_part(&l->view, &limb, bark, 1.4f, (int)row);
		paint_leaves(l, r, leaf, x + lean + side, row - height * rng_range(r, 0.85f, 1.05f),
			0.38f * height, 0.12f * height, (int)row);
	}
}

static void paint_rock(struct land *l, struct rng *r, const struct style *s, float x, float d)
{
	float px = land_scale(l, d), row = land_row(l, d);
	float half = rng_range(r, 0.2f, 1.0f) * px, tall = half * rng_range(r, 0.5f, 1.0f);
	uint32_t seed = (uint32_t)rng_next(r);
	for (int y = (int)(row - tall * 1.3f); y <= (int)row; y++)
		for (int i = (int)(x - half * 1.3f); i <= (int)(x + half * 1.3f); i++) {
			float u = ((float)i - x) / half, v = (row - (float)y) / tall;
			float bump = noise_fbm(u * 2.5f + 9.0f, v * 2.5f, seed, 3);
			float inside = 1.0f - sqrtf(u * u + v * v) + (bump - 0.5f) * 0.5f;
			float light = 0.55f + 0.35f * v + 0.6f * (bump - 0.5f) - 0.15f * u * l->sun_side;
			canvas_blend(&l->view, i, y, colour_scale(s->rock, light),
				fminf(inside * half * 0.7f, 1.0f), (int)row);
		}
}

static void paint_tuft(struct land *l, struct rng *r, const struct style *s, float x, float d)
{
	float px = land_scale(l, d), row = land_row(l, d), fade = 1.0f - expf(-d * l->haze / 100.0f);
	int n = d < 12.0f ? 9 + rng_int(r, 10) : 4;
	for (int i = 0; i < n; i++) {
		float tall = s->grass_m * rng_range(r, 0.35f, 1.25f) * px;
		float root = x + rng_range(r, -0.09f, 0.09f) * px;
		struct colour c = colour_scale(s->grass, rng_range(r, 0.6f, 1.12f));
		struct part blade = {root, row, fmaxf(0.006f * px, 0.35f),
			root + rng_range(r, -0.45f, 0.45f) * tall, row - tall, 0.2f};
		canvas_part(&l->view, &blade, colour_mix(c, l->haze_colour, fade), 1.2f, (int)row);
	}
}

struct thing {
	float distance_m;
	int kind; /* 0 tree, 1 bush, 2 rock, 3 tuft */
};

static int farther_first(const void *a, const void *b)
{
	float x = ((const struct thing *)a)->distance_m, y = ((const struct thing *)b)->distance_m;
	return (x < y) - (x > y);
}

static void paint_things(struct land *l, const struct style *s, struct rng *r)
{
	const int counts[4] = {s->n_trees, s->n_bushes, s->n_rocks, s->n_tufts};
	const float low[4] = {11.0f, 5.0f, 3.5f, 1.9f}, high[4] = {90.0f, 70.0f, 40.0f, 45.0f};
	struct thing things[2048];
	int n = 0;
	for (int kind = 0; kind < 4; kind++)
		for (int i = 0; i < counts[kind]; i++)
			things[n++] = (struct thing){
				low[kind] * powf(high[kind] / low[kind], rng_unit(r)), kind};
	qsort(things, (size_t)n, sizeof *things, farther_first);
	for (int i = 0; i < n; i++) {
		float d = things[i].distance_m, px = land_scale(l, d);
		float x = rng_range(r, -0.05f, 1.05f) * (float)l->view.w;
		if (things[i].kind == 0)
			paint_tree(l, r, s, x, d);
		else if (things[i].kind == 1) {
			float half = rng_range(r, 0.3f, 0.9f) * px;
			struct colour leaf = colour_mix(
				s->leaf, l->haze_colour, 1.0f - expf(-d * l->haze / 100.0f));
			paint_leaves(l, r, leaf, x, land_row(l, d) - half * 0.55f, half, half * 0.6f,
				(int)land_row(l, d));
		} else if (things[i].kind == 2)
			paint_rock(l, r, s, x, d);
		else
			paint_tuft(l, r, s, x, d);
	}
}

struct land land_new(int index, int n, int frame_w, int frame_h, uint64_t seed)
{
	const struct style *s = &styles[index == n - 1 ? N_STYLES - 1 : index % (N_STYLES - 1)];
	struct rng r = rng_at(seed, 0x1A4D, (uint64_t)index);
	struct land l = {.view = canvas_new(frame_w + 2 * LAND_MARGIN, frame_h + 2 * LAND_MARGIN)};
	l.horizon_px = LAND_MARGIN + s->horizon * (float)frame_h;
	l.focal_px = 0.9f * (float)frame_w;
	l.camera_m = s->camera_m;
	l.sun_side = rng_range(&r, -1.0f, 1.0f);
	l.warmth = s->warmth;
	l.haze = s->haze;
	l.haze_colour = s->sky_low;
	l.dust = s->soil;
	l.blade = s->grass;
	l.latitude_deg = -2.3 - 0.2 * (double)rng_unit(&r);
	l.longitude_deg = 34.8 + 0.3 * (double)rng_unit(&r);
	uint32_t noise = (uint32_t)rng_next(&r);
	paint_sky(&l, s, noise);
	paint_hills(&l, s, noise);
	paint_ground(&l, s, noise);
	paint_things(&l, s, &r);
	return l;
}

void land_free(struct land *land)
{
	canvas_free(&land->view);
}
