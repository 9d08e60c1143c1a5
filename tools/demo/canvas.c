/* Pixels, and the one primitive that everything in the world is made of. */
#include "canvas.h"

#include "status.h"

#include <math.h>
#include <stdlib.h>

struct canvas canvas_new(int w, int h)
{
	size_t n = (size_t)w * (size_t)h;
	return (struct canvas){.w = w, .h = h, .rgb = xcalloc(n, 3), .z = xcalloc(n, sizeof(uint16_t))};
}

void canvas_free(struct canvas *c)
{
	free(c->rgb);
	free(c->z);
	*c = (struct canvas){0};
}

struct colour colour_mix(struct colour a, struct colour b, float t)
{
	return (struct colour){a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

struct colour colour_scale(struct colour c, float factor)
{
	return (struct colour){c.r * factor, c.g * factor, c.b * factor};
}

float part_distance(const struct part *p, float x, float y)
{
	float dx = p->x1 - p->x0, dy = p->y1 - p->y0, px = x - p->x0, py = y - p->y0;
	float len2 = dx * dx + dy * dy;
	float t = len2 > 0.0f ? (px * dx + py * dy) / len2 : 0.0f;
	t = t < 0.0f ? 0.0f : t > 1.0f ? 1.0f : t;
	float qx = px - t * dx, qy = py - t * dy;
	return sqrtf(qx * qx + qy * qy) - (p->r0 + (p->r1 - p->r0) * t);
}

static uint8_t byte_of(float v)
{
	return v <= 0.0f ? 0 : v >= 255.0f ? 255 : (uint8_t)(v + 0.5f);
}

void canvas_blend(struct canvas *c, int x, int y, struct colour colour, float cover, int z)
{
	if (x < 0 || y < 0 || x >= c->w || y >= c->h || cover <= 0.0f)
		return;
	size_t i = (size_t)y * (size_t)c->w + (size_t)x;
	uint8_t *p = c->rgb + 3 * i;
	p[0] = byte_of((float)p[0] + (colour.r - (float)p[0]) * cover);
	p[1] = byte_of((float)p[1] + (colour.g - (float)p[1]) * cover);
	p[2] = byte_of((float)p[2] + (colour.b - (float)p[2]) * cover);
	if (cover >= 0.5f)
		c->z[i] = (uint16_t)z;
}

void canvas_part(struct canvas *c, const struct part *p, struct colour colour, float soft, int z)
{
	float left = fminf(p->x0 - p->r0, p->x1 - p->r1), right = fmaxf(p->x0 + p->r0, p->x1 + p->r1);
	float top = fminf(p->y0 - p->r0, p->y1 - p->r1), low = fmaxf(p->y0 + p->r0, p->y1 + p->r1);
	int x0 = (int)fmaxf(0.0f, left - soft),
		x1 = (int)fminf((float)c->w - 1.0f, right + soft + 1.0f);
	int y0 = (int)fmaxf(0.0f, top - soft), y1 = (int)fminf((float)c->h - 1.0f, low + soft + 1.0f);
	for (int y = y0; y <= y1; y++)
		for (int x = x0; x <= x1; x++) {
			float cover = 0.5f - part_distance(p, (float)x, (float)y) / soft;
			if (cover > 0.0f)
				canvas_blend(c, x, y, colour, fminf(cover, 1.0f), z);
		}
}
