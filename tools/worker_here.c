/* What the commands that are workers share. */
#include "worker_here.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_bool stop;

static void on_signal(int number)
{
	(void)number;
	atomic_store(&stop, true);
}

const atomic_bool *worker_stop_on_signal(void)
{
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
	sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
	return &stop;
}

enum status ranks_meet(
	const struct ranks_place *place, bool quiet, struct ranks **out, struct err *err)
{
	if (!quiet)
		fprintf(stderr,
			"topi: rank %d of %d, as the launcher's variables say: waiting for %s at %s port %d, "
			"up to "
			"%d s\n",
			place->rank, place->n_ranks, place->rank ? "rank 0" : "the others", place->host,
			place->port, RANKS_PATIENCE_S);
	return ranks_open(place, RANKS_PATIENCE_S, out, err);
}

void ranks_device(const struct ranks_place *place, const char **device, char *room, size_t size)
{
	if (!*device || strcmp(*device, "cuda") != 0)
		return;
	snprintf(room, size, "cuda:%d", place->local_rank);
	*device = room;
}

enum status worker_cache_dir(char *out, size_t size, struct err *err)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char parent[800];
	if (xdg && xdg[0] == '/')
		snprintf(parent, sizeof parent, "%.700s", xdg);
	else if (home && home[0] == '/')
		snprintf(parent, sizeof parent, "%.700s/.cache", home);
	else
		snprintf(parent, sizeof parent, "/tmp/topi-cache-%ld", (long)getuid());
	if (mkdir(parent, 0700) != 0 && errno != EEXIST)
		return err_set(err, FULL, "the cache %.120s: %s", parent, strerror(errno));
	snprintf(out, size, "%s/topi", parent);
	return OK;
}
