/* Stripes, patches, spots and plain hides, each a function of the place on the body. */
#include "coat.h"

#include "noise.h"
#include "taxa.h"

static float smooth(float low, float high, float v)
{
	float t = (v - low) / (high - low);
	t = t < 0.0f ? 0.0f : t > 1.0f ? 1.0f : t;
	return t * t * (3.0f - 2.0f * t);
}

static struct colour zebra(const struct coat *c, float x, float y)
{
	const struct colour black = {40, 35, 34}, white = {214, 205, 190};
	float bend = (noise_value(x * 3.0f, y * 3.0f, c->seed) - 0.5f) * 1.6f;
	float along = (x - c->neck_x) * c->neck_dx + (y - c->neck_y) * c->neck_dy;
	float phase;
	if (y < c->belly)
		phase = y * 62.0f;
	else if (along > 0.0f && x > c->half * 0.8f)
		phase = along * 44.0f + 1.0f;
	else if (x < -c->half * 0.4f) /* wide stripes that sweep back over the haunch */
		phase = (x * 0.55f - (y - c->belly) * 0.9f) * 36.0f;
	else
		phase = (x + 0.12f * (y - c->belly)) * 40.0f;
	return colour_mix(black, white, smooth(-0.25f, 0.25f, sinf(phase + bend)));
}

/* Distance to the border between the nearest two of the points scattered one a cell. */
static float cell_border(float x, float y, uint32_t seed)
{
	int cx = (int)floorf(x), cy = (int)floorf(y);
	float first = 9.0f, second = 9.0f;
	for (int j = cy - 1; j <= cy + 1; j++)
		for (int i = cx - 1; i <= cx + 1; i++) {
			float dx = (float)i + noise_hash(i, j, seed) - x;
			float dy = (float)j + noise_hash(i, j, seed + 1) - y;
			float d = dx * dx + dy * dy;
			if (d < first) {
				second = first;
				first = d;
			} else if (d < second)
				second = d;
		}
	return sqrtf(second) - sqrtf(first);
}

static struct colour giraffe(const struct coat *c, float x, float y)
{
	const struct colour net = {214, 188, 142}, patch = {142, 88, 44};
	float border = cell_border(x * 4.2f, y * 4.2f, c->seed);
	float on = smooth(0.10f, 0.2f, border) * smooth(0.7f, 1.3f, y);
	return colour_mix(net, patch, on * (0.75f + 0.25f * noise_value(x * 9, y * 9, c->seed)));
}

static struct colour gazelle(const struct coat *c, float x, float y)
{
	const struct colour tan = {190, 140, 86}, white = {232, 224, 208}, black = {40, 32, 28};
	float belly = c->belly, depth = c->back - belly;
	struct colour body = tan;
	if (x < c->half && y > belly - 0.05f) /* white below, along a soft line */
		body = colour_mix(white, tan, smooth(belly + 0.24f * depth, belly + 0.36f * depth, y));
	if (c->stripe > 0.0f && x < c->half * 1.02f && x > -c->half * 1.15f) {
		float middle = belly + (0.43f + 0.10f * (x / c->half)) * depth;
		float on = 1.0f - smooth(0.09f * depth, 0.15f * depth, fabsf(y - middle));
		body = colour_mix(body, black, on * c->stripe);
	}
	/* The white of the rump ends below the tail in Thomson's and reaches above it in Grant's. */
	float top = c->taxon == TAXON_GRANTS ? c->back : c->back - 0.35f * depth;
	if (x < -c->half * 1.12f && y < top && y > belly * 0.75f)
		body = white;
	if (y < belly * 0.6f)
		body = colour_mix(body, white, 0.25f);
	return body;
}

static struct colour hyena(const struct coat *c, float x, float y)
{
	const struct colour sand = {156, 130, 96}, spot = {66, 52, 42};
	float spots = noise_value(x * 26.0f, y * 26.0f, c->seed);
	float on = smooth(0.62f, 0.72f, spots) * smooth(-0.6f, -0.1f, 0.4f - fabsf(x) + 0.2f);
	struct colour coat = colour_mix(sand, spot, on * 0.9f);
	return colour_mix(coat, spot, 1.0f - smooth(0.02f, 0.3f, y));
}

static struct colour hide(const struct coat *c, struct colour base, float x, float y, float depth)
{
	float folds = noise_fbm(x * 6.0f, y * 11.0f, c->seed, 3) - 0.5f;
	return colour_scale(base, 1.0f + depth * folds);
}

static struct colour body_colour(const struct coat *c, float x, float y)
{
	switch ((enum taxon)c->taxon) {
	case TAXON_ZEBRA:
		return zebra(c, x, y);
	case TAXON_GIRAFFE:
		return giraffe(c, x, y);
	case TAXON_THOMSONS:
	case TAXON_GRANTS:
		return gazelle(c, x, y);
	case TAXON_HYENA:
		return hyena(c, x, y);
	case TAXON_ELEPHANT:
		return hide(c, (struct colour){118, 109, 102}, x, y, 0.5f);
	case TAXON_BUFFALO:
		return hide(c, (struct colour){60, 50, 45}, x, y, 0.4f);
	case TAXON_OSTRICH:
		return hide(c, c->female ? (struct colour){122, 110, 98} : (struct colour){38, 36, 38},
			x * 2.0f, y, 0.9f);
	case TAXON_BLANK:
	case N_TAXA:
		break;
	}
	return (struct colour){0, 0, 0};
}

struct colour coat_colour(const struct coat *c, enum material m, float x, float y)
{
	switch (m) {
	case M_BODY:
		return body_colour(c, x, y);
	case M_FAR_LEG:
		return colour_scale(body_colour(c, x, y), 0.62f);
	case M_DARK:
		return (struct colour){42, 36, 32};
	case M_PALE:
		return (struct colour){226, 218, 200};
	case M_HORN:
		return colour_scale((struct colour){84, 74, 66}, 0.8f + 0.4f * (sinf(y * 130.0f) > 0.0f));
	case M_EAR:
		return colour_scale(body_colour(c, x, y), 0.85f);
	case M_SKIN:
		return (struct colour){182, 146, 124};
	case M_WING:
		return c->female ? (struct colour){168, 156, 140} : (struct colour){224, 220, 212};
	}
	return (struct colour){0, 0, 0};
}
