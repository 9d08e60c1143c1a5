/* What the commands that are workers share: where files are kept, how a signal ends them, and their rank's device. */
#pragma once

#include "ranks.h"

#include <stdatomic.h>

enum { RANKS_PATIENCE_S = 300 };

/* Where fetched files are kept: ~/.cache/topi, or under /tmp for who has no home. Errors: FULL. */
enum status worker_cache_dir(char *out, size_t size, struct err *err) MUST_CHECK;

/* SIGTERM and SIGINT set it. */
const atomic_bool *worker_stop_on_signal(void);

/* ranks_open, with a line on stderr that says what is waited for. */
enum status ranks_meet(
	const struct ranks_place *place, bool quiet, struct ranks **out, struct err *err) MUST_CHECK;

/* "cuda" becomes the card of this rank, in room; every other device stays. */
void ranks_device(const struct ranks_place *place, const char **device, char *room, size_t size);
