/* Votes are few and classes many: counting is done among the answers themselves. */
#include "simulate_rules.h"

enum { BLANK = 0, FIRST_BLANKS = 5, ENOUGH = 10 };

const double rule_model_sure = .95;

static int count(const int *answers, int n, int class)
{
	int found = 0;
	for (int i = 0; i < n; i++)
		found += answers[i] == class;
	return found;
}

/* The most frequent answer and, through *n_votes, how often it was given. n >= 1. */
static int leader(const int *answers, int n, int *n_votes)
{
	int best = answers[0];
	*n_votes = 0;
	for (int i = 0; i < n; i++) {
		const int votes = count(answers, i + 1, answers[i]);
		if (votes > *n_votes) {
			best = answers[i];
			*n_votes = votes;
		}
	}
	return best;
}

static struct rule_verdict serengeti(const int *answers, int n)
{
	int votes = 0;
	if (n == 0)
		return (struct rule_verdict){0};
	const int best = leader(answers, n, &votes);
	const bool all_blank = n == FIRST_BLANKS && best == BLANK && votes == n;
	return (struct rule_verdict){
		.done = all_blank || votes >= ENOUGH || n >= RULE_MAX_ANSWERS, .label = best};
}

struct rule_verdict rule_look(struct rule rule, struct rule_guess guess, const int *answers, int n)
{
	int votes = 0;
	switch (rule.kind) {
	case RULE_PLURALITY:
		if (n < rule.k)
			return (struct rule_verdict){0};
		return (struct rule_verdict){.done = true, .label = leader(answers, n, &votes)};
	case RULE_SERENGETI:
		break;
	case RULE_MODEL_ONE:
		if (n == 1 && guess.p < rule_model_sure && answers[0] == guess.class)
			return (struct rule_verdict){.done = true, .label = guess.class};
		/* fall through */
	case RULE_MODEL_SERENGETI:
		if (guess.p >= rule_model_sure)
			return (struct rule_verdict){.done = true, .automated = true, .label = guess.class};
		break;
	}
	return serengeti(answers, n);
}
