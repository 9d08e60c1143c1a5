/* Body plans: one table of measures for what walks on four legs, and the ostrich by itself. */
#include "body.h"

#include "rng.h"
#include "taxa.h"

/* Metres and degrees. shoulder, hip: height of the back there; half: half their distance. */
struct plan {
	float shoulder, hip, half, r_chest, r_belly, r_rump;
	float neck_len, neck_deg, graze_deg, neck_r0, neck_r1;
	float head_len, head_drop_deg, head_r, muzzle_r;
	float leg_r0, leg_r1, tail_len, tail_r, ear_len, ear_r;
	float length; /* nose to tail, broadside */
};

static const struct plan plans[N_TAXA] = {
	[TAXON_THOMSONS] = {0.66f, 0.68f, 0.30f, 0.145f, 0.11f, 0.125f, 0.30f, 55, -48, 0.085f, 0.052f,
		0.20f, 75, 0.06f, 0.03f, 0.05f, 0.016f, 0.20f, 0.018f, 0.12f, 0.022f, 1.1f},
	[TAXON_GRANTS] = {0.88f, 0.90f, 0.40f, 0.19f, 0.145f, 0.165f, 0.42f, 57, -48, 0.11f, 0.065f,
		0.26f, 75, 0.075f, 0.038f, 0.065f, 0.02f, 0.26f, 0.016f, 0.16f, 0.028f, 1.5f},
	[TAXON_ZEBRA] = {1.32f, 1.34f, 0.55f, 0.31f, 0.32f, 0.31f, 0.55f, 42, -42, 0.24f, 0.15f, 0.46f,
		80, 0.14f, 0.085f, 0.12f, 0.04f, 0.5f, 0.03f, 0.17f, 0.04f, 2.3f},
	[TAXON_BUFFALO] = {1.62f, 1.52f, 0.70f, 0.44f, 0.44f, 0.38f, 0.45f, 5, -48, 0.33f, 0.24f, 0.46f,
		50, 0.19f, 0.14f, 0.16f, 0.06f, 0.65f, 0.03f, 0.26f, 0.06f, 2.9f},
	[TAXON_GIRAFFE] = {2.95f, 2.45f, 0.62f, 0.46f, 0.42f, 0.36f, 1.95f, 62, 5, 0.34f, 0.13f, 0.52f,
		85, 0.14f, 0.08f, 0.15f, 0.06f, 0.85f, 0.03f, 0.20f, 0.04f, 3.2f},
	[TAXON_ELEPHANT] = {3.0f, 2.75f, 0.95f, 0.85f, 0.86f, 0.80f, 0.42f, 8, -10, 0.62f, 0.55f, 0.5f,
		65, 0.52f, 0.30f, 0.30f, 0.22f, 1.1f, 0.04f, 0.0f, 0.0f, 4.6f},
	[TAXON_HYENA] = {0.86f, 0.70f, 0.36f, 0.20f, 0.17f, 0.155f, 0.34f, 28, -40, 0.15f, 0.11f, 0.22f,
		45, 0.105f, 0.055f, 0.07f, 0.032f, 0.26f, 0.04f, 0.07f, 0.05f, 1.5f},
	[TAXON_OSTRICH] = {1.25f, 1.2f, 0.3f, 0, 0, 0, 0.9f, 75, -30, 0, 0, 0.2f, 80, 0, 0, 0, 0, 0, 0,
		0, 0, 1.4f},
};

struct point {
	float x, y;
};

static struct point polar(struct point from, float deg, float len)
{
	float a = deg * 0.017453293f;
	return (struct point){from.x + len * cosf(a), from.y + len * sinf(a)};
}

static void layer(struct body *b, enum material m, float round_m, float blend_m)
{
	b->layers[b->n_layers++] = (struct layer){
		.material = m, .first = b->n_parts, .round_m = round_m, .blend_m = blend_m};
}

static void add(struct body *b, struct point p, float r0, struct point q, float r1)
{
	b->parts[b->n_parts++] = (struct part){p.x, p.y, r0, q.x, q.y, r1};
	b->layers[b->n_layers - 1].n++;
}

/* One leg from the trunk to the ground: swing in radians, bend > 0 puts the joint forward. */
static void leg(struct body *b, struct point top, float r0, float r1, float swing, float bend)
{
	float foot = top.x + 0.55f * top.y * swing, lift = 0.10f * top.y * fmaxf(0.0f, swing * bend);
	struct point joint = {0.5f * (top.x + foot) + bend * 0.07f * top.y, top.y * 0.48f + lift};
	struct point hoof = {foot, r1 + lift};
	add(b, top, r0, joint, r1 * 1.35f);
	add(b, joint, r1 * 1.25f, (struct point){hoof.x, hoof.y + r1}, r1 * 0.9f);
	add(b, hoof, r1 * 1.25f, (struct point){hoof.x + r1, hoof.y}, r1 * 1.2f);
}

static void legs(struct body *b, const struct plan *p, const struct pose *pose, int far)
{
	float swing = 0.45f * pose->stride, phase = pose->step + (far ? 3.14159f : 0.0f);
	float shift = far ? 0.10f * p->half : 0.0f;
	struct point fore = {p->half * 0.92f + shift, p->shoulder - 1.35f * p->r_chest};
	struct point hind = {-p->half * 1.02f + shift, p->hip - 1.1f * p->r_rump};
	leg(b, fore, p->leg_r0, p->leg_r1, swing * sinf(phase), 0.35f);
	leg(b, hind, p->leg_r0 * 1.5f, p->leg_r1, swing * sinf(phase + 1.9f), -0.9f);
}

static void gazelle_horns(struct body *b, struct point base, float size, int grants, int female)
{
	float len = (grants ? female ? 0.34f : 0.62f : female ? 0.09f : 0.30f) * size;
	float r = (female ? 0.009f : 0.017f) * (grants ? 1.25f : 1.0f);
	for (int i = 0; i < 2; i++) {
		struct point root = {base.x - 0.025f * (float)i, base.y};
		struct point mid = polar(root, 112.0f + 9.0f * (float)i, 0.55f * len);
		layer(b, M_HORN, 0.02f, 0.01f);
		add(b, root, r, mid, r * 0.8f);
		add(b, mid, r * 0.8f, polar(mid, grants ? 104.0f : 92.0f, 0.45f * len), r * 0.3f);
	}
}

static void buffalo_horns(struct body *b, struct point head)
{
	layer(b, M_HORN, 0.06f, 0.03f);
	struct point boss = {head.x, head.y + 0.17f};
	add(b, (struct point){boss.x - 0.10f, boss.y}, 0.09f, (struct point){boss.x + 0.10f, boss.y},
		0.08f);
	for (int i = -1; i <= 1; i += 2) {
		struct point low = {boss.x + 0.30f * (float)i, boss.y - 0.14f};
		add(b, boss, 0.08f, low, 0.055f);
		struct point out = {low.x + 0.13f * (float)i, low.y + 0.10f};
		add(b, low, 0.055f, out, 0.04f);
		add(b, out, 0.04f, (struct point){out.x - 0.03f * (float)i, out.y + 0.20f}, 0.012f);
	}
}

static void elephant_head(struct body *b, struct point head, float size, float swing)
{
	struct point root = {head.x + 0.42f, head.y - 0.30f};
	layer(b, M_BODY, 0.2f, 0.12f);
	struct point a = polar(root, -72.0f, 0.75f * size), c = polar(a, -90.0f + 14.0f * swing, 0.65f);
	add(b, root, 0.24f, a, 0.17f);
	add(b, a, 0.17f, c, 0.12f);
	add(b, c, 0.12f, polar(c, -62.0f + 40.0f * swing, 0.35f), 0.09f);
	layer(b, M_PALE, 0.05f, 0.02f);
	struct point tusk = {root.x - 0.02f, root.y - 0.22f};
	struct point bend = polar(tusk, -48.0f, 0.42f * size);
	add(b, tusk, 0.06f, bend, 0.05f);
	add(b, bend, 0.05f, polar(bend, -8.0f, 0.28f * size), 0.025f);
	layer(b, M_EAR, 0.10f, 0.2f);
	add(b, (struct point){head.x - 0.15f, head.y + 0.20f}, 0.36f,
		(struct point){head.x - 0.45f, head.y - 0.02f}, 0.44f);
	add(b, (struct point){head.x - 0.42f, head.y - 0.05f}, 0.40f,
		(struct point){head.x - 0.25f, head.y - 0.55f}, 0.16f);
}

/* What grows on a head: ears, horns, mane. */
static void ornaments(struct body *b, const struct plan *p, const struct pose *pose,
	struct point neck, struct point head, float neck_deg)
{
	struct rng r = rng_at(pose->seed, 7, 0);
	float size = rng_range(&r, 0.8f, 1.15f);
	if (pose->taxon == TAXON_ELEPHANT) {
		elephant_head(b, head, size, rng_range(&r, -1.0f, 1.0f));
		return;
	}
	float back = pose->taxon == TAXON_BUFFALO ? 195.0f : 125.0f;
	layer(b, M_EAR, p->ear_r, p->ear_r);
	struct point root = {head.x - 0.3f * p->head_r, head.y + 0.6f * p->head_r};
	add(b, root, p->ear_r * 0.7f, polar(root, back, p->ear_len), p->ear_r);
	add(b, root, p->ear_r * 0.6f, polar(root, back - 45.0f, p->ear_len * 0.9f), p->ear_r * 0.8f);
	struct point crown = {head.x, head.y + 0.8f * p->head_r};
	if (pose->taxon == TAXON_THOMSONS || pose->taxon == TAXON_GRANTS)
		gazelle_horns(b, crown, size, pose->taxon == TAXON_GRANTS, b->coat.female);
	if (pose->taxon == TAXON_BUFFALO)
		buffalo_horns(b, head);
	if (pose->taxon == TAXON_GIRAFFE) {
		layer(b, M_DARK, 0.03f, 0.01f);
		add(b, crown, 0.025f, polar(crown, 105.0f, 0.2f), 0.035f);
		add(b, crown, 0.025f, polar(crown, 80.0f, 0.2f), 0.035f);
	}
	if (pose->taxon == TAXON_ZEBRA || pose->taxon == TAXON_GIRAFFE) {
		float off = pose->taxon == TAXON_ZEBRA ? 1.0f : 0.9f, thick = 0.045f;
		layer(b, M_DARK, 0.04f, 0.02f);
		add(b, polar(neck, neck_deg + 90.0f, p->neck_r0 * off), thick,
			polar(head, neck_deg + 90.0f, p->neck_r1 * off), thick);
	}
}

static void quadruped(struct body *b, const struct plan *p, const struct pose *pose)
{
	struct point chest = {p->half, p->shoulder - p->r_chest};
	struct point rump = {-p->half, p->hip - p->r_rump};
	struct point belly = {0.0f, 0.5f * (p->shoulder + p->hip) - p->r_belly * 1.05f};
	float neck_deg = p->neck_deg + (p->graze_deg - p->neck_deg) * pose->graze;
	struct point neck = {p->half + 0.3f * p->r_chest, chest.y + 0.25f * p->r_chest};
	struct point head = polar(neck, neck_deg, p->neck_len + 0.4f * p->neck_r0);
	float nod = -90.0f * pose->graze + (neck_deg - p->head_drop_deg) * (1.0f - pose->graze);
	struct point nose = polar(head, nod, p->head_len);
	float a = neck_deg * 0.017453293f;
	b->coat.neck_x = neck.x;
	b->coat.neck_y = neck.y;
	b->coat.neck_dx = cosf(a);
	b->coat.neck_dy = sinf(a);

	layer(b, M_FAR_LEG, p->leg_r0, p->leg_r1);
	legs(b, p, pose, 1);
	struct point tail = {-p->half - 0.85f * p->r_rump, p->hip - 0.5f * p->r_rump};
	struct point tip = polar(tail, -98.0f, p->tail_len);
	layer(b, pose->taxon == TAXON_THOMSONS ? M_DARK : M_BODY, p->tail_r, 0.01f);
	add(b, tail, p->tail_r, tip, p->tail_r);
	layer(b, M_DARK, p->tail_r, 0.01f);
	add(b, tip, p->tail_r * 1.4f, polar(tip, -95.0f, p->tail_len * 0.3f), p->tail_r);
	layer(b, M_BODY, p->r_chest, 0.3f * p->r_chest);
	add(b, chest, p->r_chest, belly, p->r_belly);
	add(b, belly, p->r_belly, rump, p->r_rump);
	add(b, neck, p->neck_r0, head, p->neck_r1);
	add(b, head, p->head_r, nose, p->muzzle_r);
	legs(b, p, pose, 0);
	if (pose->taxon == TAXON_ZEBRA || pose->taxon == TAXON_HYENA || pose->taxon == TAXON_BUFFALO) {
		layer(b, M_DARK, p->muzzle_r, 0.01f);
		add(b, nose, p->muzzle_r * 0.95f, polar(nose, nod, 0.03f), p->muzzle_r * 0.8f);
	}
	ornaments(b, p, pose, neck, head, neck_deg);
	struct point eye = polar(head, nod, 0.25f * p->head_len);
	b->eye_x = eye.x;
	b->eye_y = eye.y + 0.3f * p->head_r;
	b->eye_r = fmaxf(0.018f, 0.10f * p->head_r);
}

static void ostrich(struct body *b, const struct pose *pose)
{
	float swing = 0.5f * pose->stride * sinf(pose->step);
	struct point hip = {-0.02f, 0.95f};
	for (int near = 0; near < 2; near++) {
		float s = near ? swing : -swing;
		layer(b, M_SKIN, 0.06f, 0.03f);
		struct point knee = {hip.x - 0.10f + 0.25f * s, 0.50f};
		struct point foot = {hip.x + 0.65f * s, 0.03f};
		add(b, hip, 0.15f, knee, 0.04f);
		add(b, knee, 0.04f, foot, 0.03f);
		add(b, foot, 0.03f, (struct point){foot.x + 0.14f, 0.025f}, 0.025f);
	}
	layer(b, M_WING, 0.1f, 0.1f);
	add(b, (struct point){-0.45f, 1.22f}, 0.16f, (struct point){-0.72f, 1.12f}, 0.10f);
	layer(b, M_SKIN, 0.05f, 0.04f);
	struct point neck = {0.36f, 1.25f};
	float up = 78.0f - 118.0f * pose->graze;
	struct point bend = polar(neck, up - 25.0f, 0.35f), head = polar(bend, up + 14.0f, 0.60f);
	add(b, neck, 0.09f, bend, 0.05f);
	add(b, bend, 0.05f, head, 0.035f);
	struct point face = {head.x + 0.03f, head.y};
	add(b, head, 0.065f, face, 0.06f);
	layer(b, M_DARK, 0.02f, 0.01f);
	add(b, face, 0.03f, polar(face, -12.0f, 0.15f), 0.012f);
	layer(b, M_BODY, 0.3f, 0.15f);
	add(b, (struct point){0.22f, 1.18f}, 0.24f, (struct point){-0.20f, 1.17f}, 0.31f);
	add(b, (struct point){-0.20f, 1.17f}, 0.31f, (struct point){-0.48f, 1.15f}, 0.16f);
	layer(b, M_WING, 0.08f, 0.05f);
	add(b, (struct point){0.10f, 1.02f}, 0.07f, (struct point){-0.38f, 1.0f}, 0.09f);
	b->eye_x = head.x + 0.03f;
	b->eye_y = head.y + 0.02f;
	b->eye_r = 0.02f;
}

void body_build(struct body *b, const struct pose *pose)
{
	const struct plan *p = &plans[pose->taxon];
	struct rng r = rng_at(pose->seed, 3, 0);
	*b = (struct body){.coat = {.taxon = pose->taxon,
						   .seed = (uint32_t)rng_next(&r),
						   .back = 0.5f * (p->shoulder + p->hip),
						   .half = p->half}};
	b->coat.belly = b->coat.back - 2.1f * p->r_belly;
	b->coat.female = rng_unit(&r) < 0.5f;
	/* A good half of Thomson's stripes are bold; some Grant's, females and young, have one too. */
	float mark = rng_unit(&r);
	if (pose->taxon == TAXON_THOMSONS)
		b->coat.stripe = 0.7f + 0.3f * mark;
	if (pose->taxon == TAXON_GRANTS && b->coat.female)
		b->coat.stripe = fmaxf(0.0f, mark - 0.4f) * 0.7f;
	if (pose->taxon == TAXON_OSTRICH)
		ostrich(b, pose);
	else
		quadruped(b, p, pose);
}

float animal_height(int taxon)
{
	return plans[taxon].shoulder;
}

float animal_length(int taxon)
{
	return plans[taxon].length;
}
