/*
 * Training with others, by NCCL, which is loaded when it is first asked for: a machine with one card
 * need not have it. A mean runs on a stream of its own behind what the queue has done so far, so that
 * the rest of backward goes on meanwhile.
 */
#include "device_cuda.h"

#include <assert.h>
#include <dlfcn.h>
#include <nccl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(ncclUniqueId) == BACKEND_RANKS_ID_BYTES, "backend.h");

static struct {
	ncclResult_t (*get_id)(ncclUniqueId *id);
	ncclResult_t (*join)(ncclComm_t *comm, int n_ranks, ncclUniqueId id, int rank);
	ncclResult_t (*leave)(ncclComm_t comm);
	ncclResult_t (*sum)(const void *from, void *to, size_t n, ncclDataType_t type, ncclRedOp_t op,
		ncclComm_t comm, cudaStream_t stream);
	const char *(*words)(ncclResult_t result);
} nccl;

static char load_failed[160]; /* why; empty: loaded */

struct device_ranks {
	ncclComm_t comm;
	cudaStream_t stream;
	cudaEvent_t ready, done;
};

static void load(void)
{
	static const struct {
		const char *name;
		void *to;
	} functions[] = {{"ncclGetUniqueId", &nccl.get_id}, {"ncclCommInitRank", &nccl.join},
		{"ncclCommDestroy", &nccl.leave}, {"ncclAllReduce", &nccl.sum},
		{"ncclGetErrorString", &nccl.words}};
	void *library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		const char *why = dlerror();
		snprintf(load_failed, sizeof load_failed, "%s", why ? why : "libnccl.so.2");
		return;
	}
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		void *at = dlsym(library, functions[i].name);
		if (!at)
			snprintf(load_failed, sizeof load_failed, "libnccl.so.2 is too old");
		memcpy(functions[i].to, &at, sizeof at);
	}
}

static enum status need_nccl(struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, load);
	if (load_failed[0])
		return err_set(err, NOT_FOUND,
			"several cards train together by NCCL, and it is not here: %s", load_failed);
	return OK;
}

static void tried(struct device *d, ncclResult_t result, const char *what)
{
	if (result == ncclSuccess || d->failed)
		return;
	d->failed = 1;
	err_set(&d->failure, FAULT, "cuda:%d: %s: NCCL: %s", d->number, what, nccl.words(result));
}

enum status device_ranks_id(void *id, struct err *err)
{
	ncclUniqueId made;
	enum status status = need_nccl(err);
	if (status)
		return status;
	ncclResult_t result = nccl.get_id(&made);
	if (result != ncclSuccess)
		return err_set(err, FAULT, "making a group of ranks: NCCL: %s", nccl.words(result));
	memcpy(id, &made, sizeof made);
	return OK;
}

enum status device_ranks_join(struct device *d, const struct backend_ranks *ranks, struct err *err)
{
	ncclUniqueId id;
	if (!ranks->nccl_id)
		return err_set(err, BAD_INPUT, "rank %d of %d has no NCCL id", ranks->rank, ranks->n_ranks);
	enum status status = need_nccl(err);
	if (status)
		return status;
	memcpy(&id, ranks->nccl_id, sizeof id);
	struct device_ranks *r = d->ranks = xcalloc(1, sizeof *r);
	device_tried(d, cudaStreamCreateWithFlags(&r->stream, cudaStreamNonBlocking), "a stream");
	if (!d->failed)
		device_tried(d, cudaEventCreateWithFlags(&r->ready, cudaEventDisableTiming), "an event");
	if (!d->failed)
		device_tried(d, cudaEventCreateWithFlags(&r->done, cudaEventDisableTiming), "an event");
	if (!d->failed)
		tried(d, nccl.join(&r->comm, ranks->n_ranks, id, ranks->rank), "joining the other ranks");
	return device_check(d, err);
}

void device_ranks_leave(struct device *d)
{
	struct device_ranks *r = d->ranks;
	if (!r)
		return;
	if (r->stream)
		cudaStreamSynchronize(r->stream);
	if (r->comm)
		nccl.leave(r->comm);
	if (r->ready)
		cudaEventDestroy(r->ready);
	if (r->done)
		cudaEventDestroy(r->done);
	if (r->stream)
		cudaStreamDestroy(r->stream);
	free(r);
	d->ranks = NULL;
}

void device_ranks_mean(struct device *d, float *at, size_t n)
{
	struct device_ranks *r = d->ranks;
	if (d->failed)
		return;
	device_tried(d, cudaEventRecord(r->ready, d->stream), "a gradient's mean");
	device_tried(d, cudaStreamWaitEvent(r->stream, r->ready, 0), "a gradient's mean");
	if (!d->failed)
		tried(
			d, nccl.sum(at, at, n, ncclFloat32, ncclAvg, r->comm, r->stream), "a gradient's mean");
}

void device_ranks_wait(struct device *d)
{
	struct device_ranks *r = d->ranks;
	if (d->failed)
		return;
	device_tried(d, cudaEventRecord(r->done, r->stream), "a gradient's mean");
	device_tried(d, cudaStreamWaitEvent(d->stream, r->done, 0), "a gradient's mean");
}
