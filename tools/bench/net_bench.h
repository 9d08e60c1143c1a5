/* What bench_infer and bench_train share: a net of random parameters on a device, pictures, and runs that are timed. */
#pragma once

#include "backend.h"

#include <stdbool.h>

enum { NET_BENCH_CLASSES = 1000 };

struct net_bench {
	const struct net_arch *arch;
	int px, batch;
	struct net *net;
	struct backend_config config;
	const struct backend *backend;
	void *handle;
	float *params;
	uint8_t *rgb; /* [batch x px x px x 3] */
};

/* argv[1..4]: ARCH PX BATCH single|half|fastest. False where they are not that. */
bool net_bench_read(int argc, char **argv, struct net_bench *out);

/* Owns: the caller ends it with net_bench_close, also after a failure. Errors: BAD_INPUT the device cannot do it. */
enum status net_bench_open(
	struct net_bench *b, const char *device, bool trains, struct err *err) MUST_CHECK;
void net_bench_close(struct net_bench *b);

/* The median seconds of the runs of about so many seconds, after three that warm up; five at least. */
enum status net_bench_time(struct net_bench *b, double seconds,
	enum status (*run)(struct net_bench *b, void *arg, struct err *err), void *arg, double *run_s,
	struct err *err) MUST_CHECK;

/* The program's end: images a second on a line of their own, or why not. 77: the device cannot do it. */
int net_bench_end(const char *name, const struct net_bench *b, enum status status, double run_s,
	const struct err *err);
