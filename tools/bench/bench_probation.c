/*
 * bench_probation: how probations end (docs/consensus.md, "Certificates"), simulated: audits come one by one, each an error
 * with the true probability; after each the confidence sequence is read as core/audit.c reads it. Two Markdown tables: a first
 * certificate (cs_upper below 2 alpha, looking from 64 or from 150 audits on, at most 400), and one that follows a revoked one
 * (below alpha, at most 1,000).
 */
#include "bounds.h"
#include "certificate.h"
#include "rng.h"

#include <stdio.h>
#include <string.h>

enum { RUNS = 3000, MOST = 1000 };

static const double alpha = .034, delta = .05;

enum end { UNKNOWN, GOES_ON, ENDED, REVOKED };

/* What n audits with k errors mean: worked out once. */
static enum end ends(double bound, int from, int k, int n)
{
	static enum end known[MOST + 1][MOST + 1];
	static double known_bound;
	static int known_from;
	if (known_bound != bound || known_from != from)
		memset(known, 0, sizeof known);
	known_bound = bound;
	known_from = from;
	enum end *e = &known[n][k];
	if (*e == UNKNOWN)
		*e = cs_lower(k, n, delta) > alpha               ? REVOKED
			: n >= from && cs_upper(k, n, delta) < bound ? ENDED
														 : GOES_ON;
	return *e;
}

static void row(double error, double bound, int from, int most)
{
	int n_ended = 0, n_revoked = 0;
	long n_audits = 0;
	for (int run = 0; run < RUNS; run++) {
		struct rng r = rng_at(1, (uint64_t)(error * 1e4), (uint64_t)run);
		enum end end = GOES_ON;
		int n = 0, k = 0;
		while (end == GOES_ON && n < most) {
			k += (double)rng_unit(&r) < error;
			end = ends(bound, from, k, ++n);
		}
		n_ended += end == ENDED;
		n_revoked += end == REVOKED;
		n_audits += n;
	}
	printf("| %.3f | %d | %.2f | %.2f | %.0f |\n", error, from, (double)n_ended / RUNS,
		(double)n_revoked / RUNS, (double)n_audits / RUNS);
}

int main(void)
{
	static const double errors[] = {.01, .02, .034, .05, .068, .1};
	static const struct {
		bool follows;
		int from, most;
	} tables[] = {{false, 64, 400}, {false, 150, 400}, {true, 64, 1000}};
	for (int t = 0; t < 3; t++) {
		printf("\n%s, at most %d audits\n\n| true error | looking from | ended | revoked | audits "
			   "until then "
			   "|\n|---|---|---|---|---|\n",
			tables[t].follows ? "After a revocation" : "A first certificate", tables[t].most);
		for (int i = 0; i < 6; i++)
			row(errors[i], certificate_bound(alpha, tables[t].follows), tables[t].from,
				tables[t].most);
	}
	return 0;
}
