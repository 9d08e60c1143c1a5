/* Places animals, moves them through a burst, and turns reflectance into a photograph. */
#include "scene.h"

#include "rng.h"
#include "taxa.h"

#include <string.h>

static int is_night(int second_of_day)
{
	return second_of_day < 6 * 3600 || second_of_day >= 18 * 3600 + 1800;
}

static void plan_light(
	struct scene *s, const struct land *land, const struct event *e, struct rng *r)
{
	float day = fminf(fmaxf(((float)e->second_of_day / 3600.0f - 6.0f) / 12.5f, 0.0f), 1.0f);
	float low = 1.0f - sinf(3.14159f * day); /* 1 at dawn and dusk */
	float overcast = rng_unit(r), exposure = rng_range(r, 0.82f, 1.12f) * (1.0f - 0.28f * low);
	float warm = land->warmth + 0.26f * low * low * (1.0f - overcast);
	const float gain[3] = {exposure * (1.0f + 0.6f * warm), exposure, exposure * (1.0f - warm)};
	float fog = rng_unit(r) < 0.12f ? rng_range(r, 0.15f, 0.5f) : 0.05f * overcast;
	for (int c = 0; c < 3; c++)
		for (int v = 0; v < 256; v++) {
			float x = (float)v * gain[c] * (1.0f - fog) + 190.0f * exposure * fog;
			s->light[c][v] = (uint8_t)fminf(fmaxf(x, 0.0f), 255.0f);
		}
	s->flash = rng_range(r, 0.75f, 1.15f);
}

static int herd_size(int taxon, struct rng *r)
{
	static const float alone[N_TAXA] = {[TAXON_THOMSONS] = 0.5f,
		[TAXON_ZEBRA] = 0.5f,
		[TAXON_GRANTS] = 0.5f,
		[TAXON_BUFFALO] = 0.5f,
		[TAXON_GIRAFFE] = 0.75f,
		[TAXON_ELEPHANT] = 0.65f,
		[TAXON_HYENA] = 0.8f,
		[TAXON_OSTRICH] = 0.75f};
	int n = 1;
	while (n < SCENE_MAX_ANIMALS && rng_unit(r) > alone[taxon])
		n++;
	return n;
}

static int nearer_last(const struct pose *a, const struct pose *b)
{
	return a->foot_px > b->foot_px;
}

static void plan_animals(
	struct scene *s, const struct land *land, const struct event *e, struct rng *r)
{
	float tall = animal_height(e->taxon), w = (float)(land->view.w - 2 * LAND_MARGIN);
	float near = fmaxf(2.6f, 1.5f * tall), far = fminf(18.0f + 16.0f * tall, 60.0f);
	float herd_m = near * powf(far / near, rng_unit(r)), herd_x = rng_range(r, -0.02f, 1.02f) * w;
	float heading = rng_unit(r) < 0.5f ? 1.0f : -1.0f, dusk = rng_range(r, -1.0f, 1.0f);
	float light = e->second_of_day < 12 * 3600 ? land->sun_side : -land->sun_side;
	s->n_animals = herd_size(e->taxon, r);
	for (int i = 0; i < s->n_animals; i++) {
		float d = i ? fmaxf(near, herd_m * rng_range(r, 0.8f, 1.5f)) : herd_m;
		float px = land_scale(land, d), row = land_row(land, d);
		int walks = rng_unit(r) < 0.6f;
		float x = i ? herd_x + rng_range(r, -2.2f, 2.2f) * animal_length(e->taxon) * px : herd_x;
		s->animals[i] = (struct pose){
			.taxon = e->taxon,
			.seed = rng_next(r),
			.x_px = x,
			.foot_px = row - (float)s->pan_y,
			.scale = px,
			.side = rng_unit(r) < 0.8f ? heading : -heading,
			.turn = 1.0f - 0.58f * rng_unit(r) * rng_unit(r),
			.step = rng_range(r, 0.0f, 6.28f),
			.stride = walks ? rng_range(r, 0.5f, 1.0f) : rng_range(r, 0.0f, 0.25f),
			.graze = rng_unit(r) < 0.35f ? rng_range(r, 0.6f, 1.0f) : rng_range(r, 0.0f, 0.2f),
			.light = s->night ? 0.0f : light * 0.8f + 0.2f * dusk,
			.haze = 1.0f - expf(-d * land->haze / 100.0f),
			.dirt = 0.05f + 0.25f * rng_unit(r),
			.haze_colour = land->haze_colour,
			.dust = land->dust,
			.z = (int)row,
			.by_flash = s->night,
		};
		s->speed_m[i] = walks ? rng_range(r, 0.3f, 1.3f) : 0.0f;
	}
	for (int i = 1; i < s->n_animals; i++) /* far to near; at most five */
		for (int j = i; j > 0 && nearer_last(&s->animals[j - 1], &s->animals[j]); j--) {
			struct pose pose = s->animals[j];
			float speed = s->speed_m[j];
			s->animals[j] = s->animals[j - 1];
			s->speed_m[j] = s->speed_m[j - 1];
			s->animals[j - 1] = pose;
			s->speed_m[j - 1] = speed;
		}
}

void scene_plan(struct scene *s, const struct land *land, const struct event *e, int try)
{
	struct rng r = rng_at(e->seed, 1, 0);
	*s = (struct scene){.night = is_night(e->second_of_day), .seed = e->seed};
	plan_light(s, land, e, &r);
	s->pan_x = rng_int(&r, 2 * LAND_MARGIN + 1);
	s->pan_y = rng_int(&r, 2 * LAND_MARGIN + 1);
	float w = (float)(land->view.w - 2 * LAND_MARGIN), h = (float)(land->view.h - 2 * LAND_MARGIN);
	if (rng_unit(&r) < 0.15f) { /* in scenes with animals and without */
		float x = rng_unit(&r) * w, thick = rng_range(&r, 0.005f, 0.02f) * w;
		s->blade = (struct part){x, h, thick, x + rng_range(&r, -0.3f, 0.3f) * w,
			rng_range(&r, 0.1f, 0.7f) * h, 0.3f * thick};
	}
	struct rng places = rng_at(e->seed, 2, (uint64_t)try);
	if (e->taxon != TAXON_BLANK)
		plan_animals(s, land, e, &places);
}

enum { N_ROWS = 8192 }; /* rows of the ground, those below the picture included */

/* The infrared lamp's reach: the share of its light at each row of the ground; the sky gets none.
 */
static void flash_reach(const struct land *land, float power, float *reach)
{
	for (int z = 0; z < N_ROWS; z++) {
		float d = land->focal_px * land->camera_m / fmaxf((float)z - land->horizon_px, 0.1f);
		float far = d * d / (11.0f * 11.0f);
		reach[z] = z == 0 ? 0.0f : fminf(1.35f * power / (0.35f + far), 1.25f);
	}
}

enum { NOISE_BITS = 16, NOISE_SIZE = 1 << NOISE_BITS };
static int8_t noise_table[NOISE_SIZE]; /* normal, sigma 16 */

__attribute__((constructor)) static void fill_noise(void)
{
	struct rng r = rng_at(1, 2, 3);
	for (int i = 0; i < NOISE_SIZE; i++)
		noise_table[i] = (int8_t)fminf(fmaxf(16.0f * rng_normal(&r), -127.0f), 127.0f);
}

static inline uint8_t clamp(int v)
{
	return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

static void expose_day(const struct scene *s, struct canvas *c, struct rng *r)
{
	for (int y = 0; y < c->h; y++) {
		uint8_t *p = c->rgb + (size_t)y * (size_t)c->w * 3;
		unsigned at = (unsigned)rng_next(r);
		for (int x = 0; x < c->w; x++, p += 3) {
			int noise = noise_table[(at + (unsigned)x) & (NOISE_SIZE - 1)] / 6;
			p[0] = clamp(s->light[0][p[0]] + noise);
			p[1] = clamp(s->light[1][p[1]] + noise);
			p[2] = clamp(s->light[2][p[2]] + noise);
		}
	}
}

static void expose_night(struct canvas *c, const float *reach, struct rng *r)
{
	float cx = 0.5f * (float)c->w, cy = 0.5f * (float)c->h, far2 = cx * cx + cy * cy;
	for (int y = 0; y < c->h; y++) {
		uint8_t *p = c->rgb + (size_t)y * (size_t)c->w * 3;
		const uint16_t *z = c->z + (size_t)y * (size_t)c->w;
		unsigned at = (unsigned)rng_next(r);
		float dy = (float)y - cy;
		for (int x = 0; x < c->w; x++, p += 3) {
			float dx = (float)x - cx, off = (dx * dx + dy * dy) / far2;
			float grey = 0.42f * (float)p[0] + 0.42f * (float)p[1] + 0.16f * (float)p[2];
			float lit = 6.0f + 0.95f * grey * reach[z[x] & (N_ROWS - 1)] * (1.0f - 0.72f * off);
			int noise = noise_table[(at + (unsigned)x) & (NOISE_SIZE - 1)] / 3;
			p[0] = p[1] = p[2] = clamp((int)lit + noise);
		}
	}
}

void scene_frame(const struct scene *s, const struct land *land, const struct event *e, int f,
	struct canvas *frame, struct sight *sight_out)
{
	for (int y = 0; y < frame->h; y++) {
		size_t from = (size_t)(y + s->pan_y) * (size_t)land->view.w + (size_t)s->pan_x;
		size_t to = (size_t)y * (size_t)frame->w;
		memcpy(frame->rgb + 3 * to, land->view.rgb + 3 * from, 3 * (size_t)frame->w);
		memcpy(frame->z + to, land->view.z + from, sizeof *frame->z * (size_t)frame->w);
	}
	float reach[N_ROWS];
	flash_reach(land, s->flash, reach);
	*sight_out = (struct sight){0};
	for (int i = 0; i < s->n_animals; i++) {
		struct pose pose = s->animals[i];
		float walked_m = s->speed_m[i] * (float)e->gap_s[f];
		pose.x_px += pose.side * pose.turn * walked_m * pose.scale;
		pose.step += walked_m / animal_height(pose.taxon) * 4.0f;
		struct sight one = {0};
		animal_draw(frame, &pose, &one);
		sight_out->all += one.all;
		sight_out->seen += one.seen;
		sight_out->contrast += one.contrast *
			(s->night ? fminf(reach[pose.z & (N_ROWS - 1)], 1.0f) : 1.0f);
	}
	if (s->blade.r0 > 0.0f)
		canvas_part(
			frame, &s->blade, colour_scale(land->blade, 0.7f), s->blade.r0, land->view.h - 1);
	struct rng r = rng_at(s->seed, 4, (uint64_t)f);
	if (s->night)
		expose_night(frame, reach, &r);
	else
		expose_day(s, frame, &r);
}

static double unit(double v)
{
	return v < 0.0 ? 0.0 : v > 1.0 ? 1.0 : v;
}

double scene_difficulty(const struct sight *sight, int night, int frame_w)
{
	if (sight->seen < 1.0f)
		return 1.0;
	double zoom = 960.0 / frame_w, area = (double)sight->seen * zoom * zoom;
	double size = unit(log(area / 144.0) / log(10000.0 / 144.0));
	double part = unit((double)sight->seen / (double)fmaxf(sight->all, 1.0f));
	double contrast = unit((double)(sight->contrast / sight->seen) / 45.0);
	double ease = pow(size, 0.6) * (0.4 + 0.6 * part) * (0.5 + 0.5 * contrast);
	return unit(1.0 - (night ? 0.85 : 1.0) * ease);
}
