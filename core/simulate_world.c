/*
 * The one idea: an image has a difficulty and a confuser of its own, and both people and model err
 * along them. That is what makes answers correlated, majorities wrong together, and a model's
 * agreement worth less than it seems.
 *
 * The constants were fitted to published figures of Snapshot Serengeti (Swanson et al. 2015, 2016;
 * Norouzzadeh et al. 2018; docs/consensus.md says what was assumed). They are not to be moved by what a
 * policy makes of the world.
 */
#include "simulate_world.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	double blank, tail; /* share of blanks; the r-th commonest species ~ r^-tail */
	int n_groups;       /* of species that look alike: a common, a rarer, a rare one */
	double correlation; /* of the two difficulties of an image */
	double confuser_alike,
		confuser_blank;                 /* an animal's confuser: of its group, or nothing at all */
	double to_confuser;                 /* share of people's errors that go there */
	double animal, animal_hard;         /* log-odds of a right answer, and what difficulty costs */
	double empty, empty_hard;           /* the same for blanks */
	double skill;                       /* standard deviation of people's log-odds */
	double log_answers, log_answers_sd; /* of a volunteer's number of answers */
	double clickers, bot;               /* share of random clickers; share of answers by the bot */
	/* The model: log pi + weight x (noise + signal at the truth + drift to the confuser). */
	double signal_animal, signal_blank, signal_hard, drift, weight;
	double away_signal, away_weight; /* at a new site: less signal, more confidence */
} world_is = {
	.blank = .75,
	.tail = 1.4,
	.n_groups = 18,
	.correlation = .6,
	.confuser_alike = .65,
	.confuser_blank = .2,
	.to_confuser = .7,
	.animal = 2.75,
	.animal_hard = 1.55,
	.empty = 4.2,
	.empty_hard = 1.5,
	.skill = .8,
	.log_answers = 2.995732, /* 20 answers */
	.log_answers_sd = 2.43,
	.clickers = .15,
	.bot = .1,
	.signal_animal = 5.15,
	.signal_blank = 3.4,
	.signal_hard = 1.15,
	.drift = 1.25,
	.weight = 2.05,
	.away_signal = .75,
	.away_weight = 1.5,
};

/* What a draw is for; subjects and volunteers have paths of their own under each. */
enum { PATH_SUBJECT = 1, PATH_VOLUNTEER, PATH_ACTIVITY, PATH_CROWD };

static uint64_t path(const struct world *world, uint64_t purpose)
{
	return world->options.seed * 16 + purpose;
}

static double logistic(double x)
{
	return 1.0 / (1.0 + exp(-x));
}

/* A species by how common it is. */
static int draw_species(const struct world *world, struct rng *r)
{
	double u = (double)rng_unit(r) * (1.0 - world->pi[WORLD_BLANK]);
	int z = 1;
	while (z < WORLD_CLASSES - 1 && (u -= world->pi[z]) >= 0.0)
		z++;
	return z;
}

static int draw_other_species(const struct world *world, struct rng *r, int truth)
{
	int z;
	do
		z = draw_species(world, r);
	while (z == truth);
	return z;
}

/* Species r, r + n_groups, r + 2 n_groups ... look alike. */
static int draw_alike(struct rng *r, int truth)
{
	const int group = (truth - 1) % world_is.n_groups;
	const int n = (WORLD_CLASSES - 2 - group) / world_is.n_groups + 1;
	const int own = (truth - 1) / world_is.n_groups;
	return 1 + group + world_is.n_groups * ((own + 1 + rng_int(r, n - 1)) % n);
}

static int draw_confuser(const struct world *world, struct rng *r, int truth)
{
	const double u = (double)rng_unit(r);
	if (truth == WORLD_BLANK)
		return draw_species(world, r);
	if (u < world_is.confuser_alike)
		return draw_alike(r, truth);
	if (u < world_is.confuser_alike + world_is.confuser_blank)
		return WORLD_BLANK;
	return draw_other_species(world, r, truth);
}

static void predict(const struct world *world, struct rng *r, struct world_subject *s, float *p)
{
	const bool away = world->options.new_site;
	const double weight = world_is.weight * (away ? world_is.away_weight : 1.0);
	double signal = s->truth == WORLD_BLANK ? world_is.signal_blank : world_is.signal_animal;
	signal = signal * (away ? world_is.away_signal : 1.0) -
		world_is.signal_hard * (double)s->hard_for_model;
	const double drift = world_is.drift * fmax(0.0, (double)s->hard_for_model);
	double score[WORLD_CLASSES], highest = -INFINITY, sum = 0.0;
	for (int z = 0; z < WORLD_CLASSES; z++) {
		double seen = (double)rng_normal(r);
		seen += z == s->truth ? signal : z == s->confuser ? drift : 0.0;
		score[z] = log(world->pi[z]) + weight * seen;
		if (score[z] > highest) {
			highest = score[z];
			s->guess = z;
		}
	}
	for (int z = 0; z < WORLD_CLASSES; z++)
		sum += score[z] = exp(score[z] - highest);
	for (int z = 0; z < WORLD_CLASSES; z++)
		p[z] = (float)(score[z] / sum);
	s->p_top = 1.0 / sum;
}

static void draw_subject(const struct world *world, int i, struct world_subject *s, float *p)
{
	struct rng r = rng_at(path(world, PATH_SUBJECT), (uint64_t)i, 0);
	s->truth = (double)rng_unit(&r) < world_is.blank ? WORLD_BLANK : draw_species(world, &r);
	s->confuser = draw_confuser(world, &r, s->truth);
	s->hard_for_people = rng_normal(&r);
	const double c = world_is.correlation;
	s->hard_for_model = (float)(c * (double)s->hard_for_people +
		sqrt(1.0 - c * c) * (double)rng_normal(&r));
	predict(world, &r, s, p);
}

enum status world_init(struct world *out, const struct simulate_options *options, struct err *err)
{
	const size_t n = (size_t)options->n_subjects;
	double sum = 0.0;
	*out = (struct world){.options = *options, .n = options->n_subjects};
	for (int z = 1; z < WORLD_CLASSES; z++)
		sum += pow(z, -world_is.tail);
	out->pi[WORLD_BLANK] = world_is.blank;
	for (int z = 1; z < WORLD_CLASSES; z++)
		out->pi[z] = (1.0 - world_is.blank) * pow(z, -world_is.tail) / sum;
	out->subjects = calloc(n, sizeof *out->subjects);
	out->p_model = calloc(n * WORLD_CLASSES, sizeof *out->p_model);
	if (!out->subjects || !out->p_model) {
		world_release(out);
		return err_set(err, FAULT, "no memory for %zu subjects", n);
	}
	for (int i = 0; i < out->n; i++)
		draw_subject(out, i, &out->subjects[i], &out->p_model[(size_t)i * WORLD_CLASSES]);
	return OK;
}

void world_release(struct world *world)
{
	free(world->subjects);
	free(world->p_model);
	*world = (struct world){0};
}

int world_answer(const struct world *world, int subject, int volunteer)
{
	const struct world_subject *s = &world->subjects[subject];
	struct rng person = rng_at(path(world, PATH_VOLUNTEER), (uint64_t)volunteer, 0);
	struct rng r = rng_at(path(world, PATH_VOLUNTEER), (uint64_t)volunteer, (uint64_t)subject + 1);
	const double skill = world_is.skill * (double)rng_normal(&person);
	if (world->options.bot && volunteer == 0)
		return WORLD_BLANK;
	if (world->options.clickers && (double)rng_unit(&person) < world_is.clickers)
		return rng_int(&r, WORLD_CLASSES);
	const bool blank = s->truth == WORLD_BLANK;
	const double log_odds = skill + (blank ? world_is.empty : world_is.animal) -
		(blank ? world_is.empty_hard : world_is.animal_hard) * (double)s->hard_for_people;
	if ((double)rng_unit(&r) < logistic(log_odds))
		return s->truth;
	if ((double)rng_unit(&r) < world_is.to_confuser)
		return s->confuser;
	int other;
	do
		other = draw_confuser(world, &r, s->truth);
	while (other == s->confuser);
	return other;
}

long world_activity(const struct world *world, int volunteer)
{
	struct rng r = rng_at(path(world, PATH_ACTIVITY), (uint64_t)volunteer, 0);
	return 1 +
		lrint(floor(
			exp(world_is.log_answers + world_is.log_answers_sd * (double)rng_normal(&r)) - .5));
}

static void arrive(struct crowd *crowd, int place)
{
	const int volunteer = crowd->n_seen++;
	crowd->present[place].volunteer = volunteer;
	crowd->present[place].n_left = world_activity(crowd->world, volunteer);
}

void crowd_open(struct crowd *crowd, const struct world *world)
{
	*crowd = (struct crowd){.world = world, .rng = rng_at(path(world, PATH_CROWD), 0, 0)};
	for (int i = 0; i < WORLD_PRESENT; i++)
		arrive(crowd, i);
}

static bool was_asked(const int *asked, int n_asked, int volunteer)
{
	for (int i = 0; i < n_asked; i++)
		if (asked[i] == volunteer)
			return true;
	return false;
}

int crowd_next(struct crowd *crowd, const int *asked, int n_asked)
{
	const bool has_bot = crowd->world->options.bot;
	if (has_bot && (double)rng_unit(&crowd->rng) < world_is.bot && !was_asked(asked, n_asked, 0))
		return 0;
	for (;;) {
		const int place = rng_int(&crowd->rng, WORLD_PRESENT);
		const int volunteer = crowd->present[place].volunteer;
		if (was_asked(asked, n_asked, volunteer) || (has_bot && volunteer == 0))
			continue;
		if (--crowd->present[place].n_left <= 0)
			arrive(crowd, place);
		return volunteer;
	}
}
