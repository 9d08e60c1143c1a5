/*
 * Rasterises a body: each layer's parts are united in a field of signed distances over its box,
 * whose gradient gives a surface that light can fall on.
 */
#include "animal.h"

#include "body.h"
#include "noise.h"
#include "rng.h"
#include "status.h"

#include <stdlib.h>

struct box {
	int x0, y0, x1, y1; /* pixels, both ends inside */
};

/* Pixels to metres on the animal. */
struct frame {
	float x_px, foot_px, mx, my; /* metres a pixel: mx carries side and turn */
};

static struct box box_of(
	const struct canvas *c, const struct frame *f, const struct part *p, float grow_m)
{
	float left = fminf(p->x0 - p->r0, p->x1 - p->r1) - grow_m;
	float right = fmaxf(p->x0 + p->r0, p->x1 + p->r1) + grow_m;
	float low = fminf(p->y0 - p->r0, p->y1 - p->r1) - grow_m;
	float high = fmaxf(p->y0 + p->r0, p->y1 + p->r1) + grow_m;
	float a = f->x_px + left / f->mx, b = f->x_px + right / f->mx;
	return (struct box){(int)fmaxf(0.0f, floorf(fminf(a, b) - 1.0f)),
		(int)fmaxf(0.0f, floorf(f->foot_px - high / f->my - 1.0f)),
		(int)fminf((float)c->w - 1.0f, ceilf(fmaxf(a, b) + 1.0f)),
		(int)fminf((float)c->h - 1.0f, ceilf(f->foot_px - low / f->my + 1.0f))};
}

/* A union that flows: the smaller distance, less a fillet where both are near (Quilez 2013). */
static float soft_min(float a, float b, float k)
{
	float h = fmaxf(k - fabsf(a - b), 0.0f);
	return fminf(a, b) - h * h * 0.25f / k;
}

static struct box fill_field(const struct canvas *c, const struct frame *f, const struct body *b,
	const struct layer *l, float **field)
{
	struct box all = {c->w, c->h, -1, -1};
	for (int i = l->first; i < l->first + l->n; i++) {
		struct box o = box_of(c, f, &b->parts[i], l->blend_m);
		all.x0 = o.x0 < all.x0 ? o.x0 : all.x0;
		all.y0 = o.y0 < all.y0 ? o.y0 : all.y0;
		all.x1 = o.x1 > all.x1 ? o.x1 : all.x1;
		all.y1 = o.y1 > all.y1 ? o.y1 : all.y1;
	}
	if (all.x1 < all.x0 || all.y1 < all.y0)
		return (struct box){0, 0, -1, -1};
	int w = all.x1 - all.x0 + 1, h = all.y1 - all.y0 + 1;
	float *d = xmalloc((size_t)w * (size_t)h * sizeof *d);
	for (int i = 0; i < w * h; i++)
		d[i] = 1e3f;
	for (int i = l->first; i < l->first + l->n; i++) {
		struct box o = box_of(c, f, &b->parts[i], l->blend_m);
		for (int y = o.y0; y <= o.y1; y++) {
			float *row = d + (y - all.y0) * w - all.x0;
			float my = (f->foot_px - (float)y) * f->my;
			for (int x = o.x0; x <= o.x1; x++) {
				float m = part_distance(&b->parts[i], ((float)x - f->x_px) * f->mx, my);
				row[x] = soft_min(row[x], m, l->blend_m);
			}
		}
	}
	*field = d;
	return all;
}

/* Light on a surface whose outward slope in the picture is (nx, ny up). */
static float light_on(const struct pose *p, float nx, float ny)
{
	float nz = sqrtf(fmaxf(0.0f, 1.0f - nx * nx - ny * ny));
	if (p->by_flash)
		return 0.45f + 0.6f * nz;
	return 0.48f + 0.5f * fmaxf(0.0f, 0.5f * p->light * nx + 0.72f * ny + 0.45f * nz);
}

static float luma(const uint8_t *rgb)
{
	return 0.299f * (float)rgb[0] + 0.587f * (float)rgb[1] + 0.114f * (float)rgb[2];
}

static void paint_layer(struct canvas *c, const struct frame *f, const struct body *b,
	const struct layer *l, const struct pose *p, struct sight *sight)
{
	float *field = NULL;
	struct box o = fill_field(c, f, b, l, &field);
	int w = o.x1 - o.x0 + 1;
	float edge = 1.0f / p->scale;
	for (int y = o.y0; y <= o.y1; y++)
		for (int x = o.x0; x <= o.x1; x++) {
			const float *d = field + (y - o.y0) * w + (x - o.x0);
			float cover = 0.5f - *d / edge;
			if (cover <= 0.0f)
				continue;
			sight->all += fminf(cover, 1.0f);
			size_t i = (size_t)y * (size_t)c->w + (size_t)x;
			if (c->z[i] > p->z + 1)
				continue;
			float gx = x > o.x0 ? *d - d[-1] : x < o.x1 ? d[1] - *d : 0.0f;
			float gy = y > o.y0 ? d[-w] - *d : y < o.y1 ? *d - d[w] : 0.0f;
			float length = sqrtf(gx * gx + gy * gy) + 1e-6f;
			float tilt = fminf(fmaxf(1.0f + *d / l->round_m, 0.0f), 0.97f) / length;
			float mx = ((float)x - f->x_px) * f->mx, my = (f->foot_px - (float)y) * f->my;
			struct colour colour = coat_colour(&b->coat, l->material, mx, my);
			colour = colour_mix(colour, p->dust, p->dirt);
			float fur = noise_hash(x, y, b->coat.seed) - 0.5f;
			colour = colour_scale(colour, light_on(p, gx * tilt, gy * tilt) + 0.07f * fur);
			float before = luma(c->rgb + 3 * i);
			canvas_blend(
				c, x, y, colour_mix(colour, p->haze_colour, p->haze), fminf(cover, 1.0f), p->z);
			sight->seen += fminf(cover, 1.0f);
			sight->contrast += fabsf(luma(c->rgb + 3 * i) - before);
		}
	free(field);
}

static void paint_shadow(struct canvas *c, const struct pose *p)
{
	float half = 0.5f * animal_length(p->taxon) * p->scale * (0.3f + 0.7f * p->turn);
	float cast = p->by_flash ? 0.0f : -p->light * 0.7f * animal_height(p->taxon) * p->scale;
	float tall = fmaxf(0.07f * animal_height(p->taxon) * p->scale, 1.0f);
	int y0 = (int)(p->foot_px - tall), y1 = (int)(p->foot_px + tall);
	int x0 = (int)(p->x_px + 0.5f * cast - half - fabsf(cast)),
		x1 = (int)(p->x_px + 0.5f * cast + half + fabsf(cast));
	for (int y = y0 < 0 ? 0 : y0; y <= y1 && y < c->h; y++)
		for (int x = x0 < 0 ? 0 : x0; x <= x1 && x < c->w; x++) {
			float u = ((float)x - p->x_px - 0.4f * cast) / (half + 0.4f * fabsf(cast));
			float v = ((float)y - p->foot_px) / tall, in = 1.0f - u * u - v * v;
			size_t i = (size_t)y * (size_t)c->w + (size_t)x;
			if (in <= 0.0f || c->z[i] > p->z + (int)tall + 1)
				continue;
			const struct colour dark = {24, 20, 20};
			canvas_blend(c, x, y, dark, fminf(in * 1.5f, 0.5f) * (1.0f - p->haze), c->z[i]);
		}
}

void animal_draw(struct canvas *c, const struct pose *p, struct sight *sight)
{
	struct body body;
	body_build(&body, p);
	struct rng r = rng_at(p->seed, 5, 0);
	float size = rng_range(&r, 0.86f, 1.08f);
	struct frame f = {
		p->x_px, p->foot_px, p->side / (p->scale * size * p->turn), 1.0f / (p->scale * size)};
	paint_shadow(c, p);
	for (int i = 0; i < body.n_layers; i++)
		paint_layer(c, &f, &body, &body.layers[i], p, sight);
	int x = (int)(f.x_px + body.eye_x / f.mx), y = (int)(f.foot_px - body.eye_y / f.my);
	if (x < 0 || y < 0 || x >= c->w || y >= c->h || c->z[y * c->w + x] != p->z)
		return;
	float radius = fmaxf(body.eye_r * p->scale * (p->by_flash ? 1.6f : 1.0f), 0.8f);
	struct part eye = {(float)x, (float)y, radius, (float)x, (float)y, radius};
	const struct colour shine = {255, 255, 255}, dark = {20, 16, 14};
	canvas_part(c, &eye, p->by_flash ? shine : dark, 1.0f, p->z);
}
