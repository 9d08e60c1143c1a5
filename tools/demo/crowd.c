/* Volunteers of unequal skill, whose errors go the same way. */
#include "crowd.h"

#include "rng.h"
#include "taxa.h"
#include "truth.h"

enum { N_GOOD = 34, N_POOR = 5, CLICKER = CROWD_N - 1 };
static const double H0 = -5.5, SIGMA = 1.8;

/* Keys that keep the draws apart. */
enum { KEY_SKILL = 101, KEY_SUBJECT, KEY_ANSWER, KEY_ORDER, KEY_CONFIRM };

static double skill_of(uint64_t seed, int v)
{
	struct rng r = rng_at(seed, KEY_SKILL, (uint64_t)v);
	double skill = 0.5 * (double)rng_normal(&r);
	return v < N_GOOD ? skill : skill - 1.6;
}

static int other_animal(struct rng *r, const struct crowd_subject *s)
{
	int t;
	do
		t = rng_int(r, s->n_taxa);
	while (t == s->truth || t == s->blank);
	return t;
}

/* What the subject itself brings, the same for everybody. */
struct latent {
	double hardness;
	int wrong;
};

static struct latent latent_of(uint64_t seed, const struct crowd_subject *s)
{
	struct rng r = rng_at(seed, KEY_SUBJECT, s->id);
	double z = (double)rng_normal(&r), like = (double)rng_unit(&r), empty = (double)rng_unit(&r);
	int other = other_animal(&r, s);
	if (s->truth == s->blank)
		return (struct latent){-6.0 + 0.5 * z, other};
	struct latent l = {H0 + 4.0 * s->difficulty + SIGMA * z, other};
	if (s->lookalike >= 0)
		l.hardness += 0.8;
	if (s->lookalike >= 0 && like < 0.75)
		l.wrong = s->lookalike;
	else if (empty < s->difficulty)
		l.wrong = s->blank;
	return l;
}

int crowd_answer(uint64_t seed, int v, const struct crowd_subject *s)
{
	struct rng r = rng_at(seed ^ KEY_ANSWER, s->id, (uint64_t)v);
	if (v == CLICKER)
		return rng_int(&r, s->n_taxa + 1) - 1;
	struct latent l = latent_of(seed, s);
	if ((double)rng_unit(&r) >= 1.0 / (1.0 + exp(skill_of(seed, v) - l.hardness)))
		return s->truth;
	if (rng_unit(&r) < 0.8f)
		return l.wrong;
	if (rng_unit(&r) < 0.5f)
		return CROWD_CANT_TELL;
	int t = rng_int(&r, s->n_taxa - 1); /* any taxon but the truth */
	return t < s->truth ? t : t + 1;
}

int crowd_confirm(uint64_t seed, int v, const struct crowd_subject *s, int guess)
{
	struct rng r = rng_at(seed ^ KEY_CONFIRM, s->id, (uint64_t)v);
	int own = crowd_answer(seed, v, s);
	if ((double)rng_unit(&r) < (guess == s->truth ? 0.5 : 0.3))
		return guess;
	return own == guess && guess != s->truth ? s->truth : own;
}

struct crowd_subject crowd_subject_of(const struct truth_row *row)
{
	uint64_t h = 0xCBF29CE484222325u; /* FNV-1a */
	for (const char *c = row->event; *c; c++)
		h = (h ^ (uint8_t)*c) * 0x100000001B3u;
	return (struct crowd_subject){.id = h,
		.truth = row->taxon,
		.lookalike = row->lookalike,
		.blank = TAXON_BLANK,
		.n_taxa = N_TAXA,
		.difficulty = row->difficulty};
}

void crowd_order(uint64_t seed, uint64_t subject_id, int order[CROWD_N])
{
	struct rng r = rng_at(seed ^ KEY_ORDER, subject_id, 0);
	for (int i = 0; i < CROWD_N; i++) {
		int j = rng_int(&r, i + 1);
		order[i] = order[j];
		order[j] = i;
	}
}

/* Votes so far, and where each taxon was first named. */
struct tally {
	int votes[CROWD_N_TAXA_MAX], first[CROWD_N_TAXA_MAX], n;
};

static int count(struct tally *t, int answer)
{
	t->n++;
	if (answer == CROWD_CANT_TELL)
		return 0;
	if (!t->votes[answer])
		t->first[answer] = t->n;
	return ++t->votes[answer];
}

static struct crowd_result plurality(const struct tally *t, int n_taxa)
{
	int best = CROWD_CANT_TELL;
	for (int i = 0; i < n_taxa; i++)
		if (t->votes[i] &&
			(best < 0 || t->votes[i] > t->votes[best] ||
				(t->votes[i] == t->votes[best] && t->first[i] < t->first[best])))
			best = i;
	return (struct crowd_result){best, t->n};
}

static struct crowd_result first_answers(uint64_t seed, const struct crowd_subject *s, int n)
{
	struct tally t = {.n = 0};
	int order[CROWD_N];
	crowd_order(seed, s->id, order);
	while (t.n < n)
		count(&t, crowd_answer(seed, order[t.n], s));
	return plurality(&t, s->n_taxa);
}

struct crowd_result crowd_single(uint64_t seed, const struct crowd_subject *s)
{
	return first_answers(seed, s, 1);
}

struct crowd_result crowd_plurality10(uint64_t seed, const struct crowd_subject *s)
{
	return first_answers(seed, s, 10);
}

struct crowd_result crowd_serengeti(uint64_t seed, const struct crowd_subject *s)
{
	struct tally t = {.n = 0};
	int order[CROWD_N];
	crowd_order(seed, s->id, order);
	while (t.n < 25) {
		int same = count(&t, crowd_answer(seed, order[t.n], s));
		if (same == 10 || (t.n == 5 && t.votes[s->blank] == 5))
			break;
	}
	return plurality(&t, s->n_taxa);
}

struct crowd_score crowd_score(uint64_t seed, const struct crowd_subject *subjects, int n,
	struct crowd_result (*rule)(uint64_t, const struct crowd_subject *))
{
	double answers = 0, right = 0, animals = 0, animals_right = 0;
	for (int i = 0; i < n; i++) {
		struct crowd_result result = rule(seed, &subjects[i]);
		int ok = result.label == subjects[i].truth, animal = subjects[i].truth != subjects[i].blank;
		answers += result.n_answers;
		right += ok;
		animals += animal;
		animals_right += ok && animal;
	}
	return (struct crowd_score){
		n ? answers / n : 0, n ? right / n : 0, animals > 0 ? animals_right / animals : 0};
}
