/* What the files of the device in plain C share. */
#pragma once

#include "device.h"
#include "support_device.h"

#include <string.h>

#define LANES 2

struct device {
	int failed;
	int is_put[LANES], is_marked[LANES]; /* copies that the queue does not know, and what waits */
	const struct backend_ranks *ranks;
	uint64_t work; /* a hash of what has been queued since a recording's run began */
};

/* What a card's recording would hold for good. */
static inline void note(struct device *d, const void *at, double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	d->work = (d->work ^ (uint64_t)(uintptr_t)at) * 0x100000001b3u;
	d->work = (d->work ^ bits) * 0x100000001b3u;
}
