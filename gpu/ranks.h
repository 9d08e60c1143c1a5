/*
 * One run of several processes: who they are, as the launcher says in the environment, and a rendezvous on a socket of
 * rank 0's, over which they share the job and NCCL's id and, on CPUs, add up their gradients. The sum is plain (all
 * send to rank 0, which adds in the order of ranks and sends the result back): for two or a few ranks, and for tests.
 * What goes over the socket is neither secret nor checked against a forger: a cluster's own network is wanted.
 */
#pragma once

#include "backend.h"

#include <stdbool.h>

struct ranks_place {
	int rank, n_ranks, local_rank; /* local: among those on this machine */
	char host[256];                /* of rank 0 */
	int port;
};

/*
 * From torchrun (RANK, WORLD_SIZE, LOCAL_RANK), Open MPI (OMPI_COMM_WORLD_RANK, _SIZE, _LOCAL_RANK) or Slurm
 * (SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_LOCALID), whichever is there first; without any n_ranks is 1. Host and port are
 * MASTER_ADDR and the port after MASTER_PORT (torchrun's own store holds that one); 127.0.0.1 and 29501 where unset.
 * Errors: BAD_INPUT for a number that is none; for ranks on several machines without MASTER_ADDR.
 */
enum status ranks_place(struct ranks_place *out, struct err *err) MUST_CHECK;

struct ranks;

/*
 * Meets the others; waits for patience_s.
 * Owns:   *out is the caller's, to ranks_close.
 * Errors: BUSY when they do not come; FAULT when one that had come is gone before the last is there; BAD_INPUT for a host that cannot be found or listened on.
 */
enum status ranks_open(const struct ranks_place *place, double patience_s, struct ranks **out,
	struct err *err) MUST_CHECK;
void ranks_close(struct ranks *ranks); /* NULL is fine */

/* For backend_config: sum is a sum over the socket. Borrowed from ranks. */
const struct backend_ranks *ranks_backend(const struct ranks *ranks);

/*
 * Rank 0's bytes, for all: rank 0 gives them in *bytes and *n, the others get them there.
 * Owns:   *bytes of the others is the caller's to free.
 * Errors: FAULT when another rank is gone; TOO_LARGE past 1 GiB.
 */
enum status ranks_share(struct ranks *ranks, void **bytes, size_t *n, struct err *err) MUST_CHECK;

/* Adds up over all ranks, in place. Errors: FAULT when another rank is gone. */
enum status ranks_sum(struct ranks *ranks, float *at, size_t n, struct err *err) MUST_CHECK;
