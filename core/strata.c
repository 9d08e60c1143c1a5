/* Counting only: what is tested must be settled before any truth is looked at. */
#include "strata.h"

#include <math.h>

const char *stratum_name(enum stratum_part part)
{
	static const char *const names[N_PARTS] = {"blank", "common", "other"};
	return names[part];
}

enum stratum_part stratum_part_of(bool is_blank, int n_said, int common_gold)
{
	if (is_blank)
		return PART_BLANK;
	return n_said >= common_gold ? PART_COMMON : PART_OTHER;
}

int stratum_needed(double alpha, double delta)
{
	return (int)ceil(log(delta) / log1p(-alpha));
}

int strata_choose(struct stratum *strata, int n, double delta)
{
	int n_tested = 0;
	for (int i = 0; i < n; i++) {
		strata[i].tested = strata[i].n_gold >= stratum_needed(strata[i].alpha, delta);
		n_tested += strata[i].tested;
	}
	for (;;) {
		int worst = -1;
		double least = 1;
		for (int i = 0; i < n; i++) {
			double share = (double)strata[i].n_gold /
				stratum_needed(strata[i].alpha, delta / (n_tested > 0 ? n_tested : 1));
			if (strata[i].tested && share < least) {
				least = share;
				worst = i;
			}
		}
		if (worst < 0)
			return n_tested;
		strata[worst].tested = false;
		n_tested--;
	}
}
