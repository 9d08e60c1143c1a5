/* Codes of the simulated world's taxa, and which two look alike. */
#include "taxa.h"

#include <string.h>

static const char *const codes[N_TAXA] = {
	[TAXON_THOMSONS] = "thomsons_gazelle",
	[TAXON_ZEBRA] = "zebra",
	[TAXON_GRANTS] = "grants_gazelle",
	[TAXON_BUFFALO] = "buffalo",
	[TAXON_GIRAFFE] = "giraffe",
	[TAXON_ELEPHANT] = "elephant",
	[TAXON_HYENA] = "hyena",
	[TAXON_OSTRICH] = "ostrich",
	[TAXON_BLANK] = "blank",
};

const char *taxon_code(int t)
{
	return codes[t];
}

int taxon_of(const char *code)
{
	for (int t = 0; t < N_TAXA; t++)
		if (!strcmp(code, codes[t]))
			return t;
	return -1;
}

int taxon_lookalike(int t)
{
	if (t == TAXON_THOMSONS)
		return TAXON_GRANTS;
	return t == TAXON_GRANTS ? TAXON_THOMSONS : -1;
}
