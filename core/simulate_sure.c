/*
 * The one idea of the coverage: the simulated project is the whole population, so that the error of
 * everything above a threshold is known and a promise can be seen to hold or not. What gold itself
 * labels is left out: it is not the model's label.
 */
#include "simulate_sure.h"
#include "bounds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_GOLD = 3000, PATH_GOLD = 15 };
static const double NOWHERE = 2.0;

const double stratum_alpha[N_STRATA] = {[STRATUM_BLANK] = .01, [STRATUM_ANIMALS] = .034};
const double sure_delta = .05;

int sure_n_gold(const struct world *world)
{
	return world->n / 20 < MOST_GOLD ? world->n / 20 : MOST_GOLD;
}

enum status sure_draw_gold(
	const struct world *world, int repetition, int *gold_out, struct err *err)
{
	const int n_gold = sure_n_gold(world);
	struct rng r = rng_at(world->options.seed, PATH_GOLD, (uint64_t)repetition);
	bool *drawn = calloc((size_t)world->n, sizeof *drawn);
	if (!drawn)
		return err_set(err, FAULT, "no memory for %d subjects", world->n);
	for (int i = 0; i < n_gold; i++) {
		int subject;
		do
			subject = rng_int(&r, world->n);
		while (drawn[subject]);
		drawn[subject] = true;
		gold_out[i] = subject;
	}
	free(drawn);
	return OK;
}

/* The gold of one stratum, in falling confidence. */
struct sample {
	int n;
	double *confidence;
	bool *wrong;
};

static void sample_release(struct sample *s)
{
	free(s->confidence);
	free(s->wrong);
}

static int by_falling_confidence(const void *a, const void *b)
{
	const struct world_subject *const *x = a, *const *y = b;
	return ((*x)->p_top < (*y)->p_top) - ((*x)->p_top > (*y)->p_top);
}

static struct sample sample_of(const struct world *world, const int *gold, int n_gold, int stratum)
{
	const size_t room = (size_t)n_gold;
	struct sample out = {0, xcalloc(room, sizeof(double)), xcalloc(room, sizeof(bool))};
	const struct world_subject **sorted = xcalloc(room, sizeof *sorted);
	for (int i = 0; i < n_gold; i++)
		if (stratum_of(&world->subjects[gold[i]]) == stratum)
			sorted[out.n++] = &world->subjects[gold[i]];
	qsort(sorted, (size_t)out.n, sizeof *sorted, by_falling_confidence);
	for (int i = 0; i < out.n; i++) {
		out.confidence[i] = sorted[i]->p_top;
		out.wrong[i] = sorted[i]->guess != sorted[i]->truth;
	}
	free(sorted);
	return out;
}

enum status sure_certify(const struct world *world, const int *gold, int n_gold,
	struct sure_thresholds *out, struct err *err)
{
	struct sample samples[N_STRATA];
	int n_tested = 0;
	bool enough[N_STRATA];
	enum status status = OK;
	for (int s = 0; s < N_STRATA; s++) {
		samples[s] = sample_of(world, gold, n_gold, s);
		enough[s] = samples[s].n >= log(sure_delta) / log1p(-stratum_alpha[s]);
		n_tested += enough[s];
	}
	for (int s = 0; s < N_STRATA; s++) {
		out->at[s] = NOWHERE;
		out->delta[s] = enough[s] ? sure_delta / n_tested : 0.0;
		if (!enough[s] || status != OK)
			continue;
		status = choose_threshold(samples[s].confidence, samples[s].wrong, samples[s].n,
			stratum_alpha[s], out->delta[s], &out->at[s], err);
		if (status == NOT_FOUND)
			status = OK;
	}
	for (int s = 0; s < N_STRATA; s++)
		sample_release(&samples[s]);
	return status;
}

void sure_looks_good(
	const struct world *world, const int *gold, int n_gold, struct sure_thresholds *out)
{
	*out = (struct sure_thresholds){0};
	for (int s = 0; s < N_STRATA; s++) {
		struct sample sample = sample_of(world, gold, n_gold, s);
		int n_wrong = 0;
		out->at[s] = NOWHERE;
		for (int i = 0; i < sample.n; i++) {
			n_wrong += sample.wrong[i];
			if (n_wrong <= stratum_alpha[s] * (i + 1))
				out->at[s] = sample.confidence[i];
		}
		sample_release(&sample);
	}
}

/* Everything in a stratum, in falling confidence, with the errors so far. */
struct population {
	int n;
	const struct world_subject **sorted;
	int *n_wrong;
};

static enum status population_init(
	struct population *p, const struct world *world, int stratum, struct err *err)
{
	const size_t room = (size_t)world->n;
	*p = (struct population){0, calloc(room, sizeof *p->sorted), calloc(room, sizeof *p->n_wrong)};
	if (!p->sorted || !p->n_wrong)
		return err_set(err, FAULT, "no memory for %d subjects", world->n);
	for (int i = 0; i < world->n; i++)
		if (stratum_of(&world->subjects[i]) == stratum)
			p->sorted[p->n++] = &world->subjects[i];
	qsort(p->sorted, (size_t)p->n, sizeof *p->sorted, by_falling_confidence);
	for (int i = 0; i < p->n; i++)
		p->n_wrong[i] = (i ? p->n_wrong[i - 1] : 0) + (p->sorted[i]->guess != p->sorted[i]->truth);
	return OK;
}

static void population_release(struct population *p)
{
	free(p->sorted);
	free(p->n_wrong);
}

struct labelled {
	int n, n_wrong;
};

/* What is labelled from this confidence on, gold left out. */
static struct labelled labelled_from(const struct world *world, const struct population *p,
	double threshold, const int *gold, int n_gold, int stratum)
{
	int low = 0, high = p->n;
	while (low < high) {
		const int mid = (low + high) / 2;
		if (p->sorted[mid]->p_top >= threshold)
			low = mid + 1;
		else
			high = mid;
	}
	struct labelled out = {low, low ? p->n_wrong[low - 1] : 0};
	for (int i = 0; i < n_gold; i++) {
		const struct world_subject *s = &world->subjects[gold[i]];
		if (stratum_of(s) == stratum && s->p_top >= threshold) {
			out.n--;
			out.n_wrong -= s->guess != s->truth;
		}
	}
	return out;
}

/* Adds one draw to the sums: which promises it broke and how much it labelled. */
static void count_draw(const struct world *world, const struct population *populations,
	const int *gold, const struct sure_thresholds *at, bool naive, struct simulate_certificate *out)
{
	const int n_gold = sure_n_gold(world);
	bool any_broken = false, any_threshold = false;
	for (int s = 0; s < N_STRATA; s++) {
		const struct labelled l = labelled_from(world, &populations[s], at->at[s], gold, n_gold, s);
		const bool broken = l.n_wrong > stratum_alpha[s] * l.n;
		const double share = (double)l.n / world->n;
		any_broken |= broken;
		any_threshold |= at->at[s] < NOWHERE;
		*(naive ? &out[s].naive_broken : &out[s].broken) += broken;
		*(naive ? &out[s].naive_automated : &out[s].automated) += share;
		*(naive ? &out[N_STRATA].naive_automated : &out[N_STRATA].automated) += share;
		out[s].none += !naive && at->at[s] >= NOWHERE;
	}
	*(naive ? &out[N_STRATA].naive_broken : &out[N_STRATA].broken) += any_broken;
	out[N_STRATA].none += !naive && !any_threshold;
}

enum status sure_coverage(
	const struct world *world, struct simulate_certificate *out, struct err *err)
{
	static const char *const names[SIMULATE_N_CERTIFICATES] = {"blank", "animals", "both"};
	const int n = world->options.n_repetitions;
	struct population populations[N_STRATA] = {0};
	int *gold = xcalloc((size_t)sure_n_gold(world), sizeof *gold);
	enum status status = OK;
	for (int s = 0; s < SIMULATE_N_CERTIFICATES; s++)
		out[s] = (struct simulate_certificate){.stratum = names[s],
			.alpha = s < N_STRATA ? stratum_alpha[s] : NAN,
			.delta = sure_delta};
	for (int s = 0; s < N_STRATA && status == OK; s++)
		status = population_init(&populations[s], world, s, err);
	for (int i = 0; i < n && status == OK; i++) {
		struct sure_thresholds certified, naive;
		status = sure_draw_gold(world, i, gold, err);
		if (status == OK)
			status = sure_certify(world, gold, sure_n_gold(world), &certified, err);
		if (status != OK)
			break;
		sure_looks_good(world, gold, sure_n_gold(world), &naive);
		count_draw(world, populations, gold, &certified, false, out);
		count_draw(world, populations, gold, &naive, true, out);
		for (int s = 0; s < N_STRATA; s++)
			out[s].delta = certified.delta[s] > 0.0 ? certified.delta[s] : out[s].delta;
	}
	for (int s = 0; s < SIMULATE_N_CERTIFICATES; s++) {
		out[s].broken /= n;
		out[s].none /= n;
		out[s].automated /= n;
		out[s].naive_broken /= n;
		out[s].naive_automated /= n;
	}
	for (int s = 0; s < N_STRATA; s++)
		population_release(&populations[s]);
	free(gold);
	return status;
}
