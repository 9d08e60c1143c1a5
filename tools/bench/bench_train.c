/*
 * bench_train ARCH PX BATCH single|half|fastest [sgd|adamw] [DEVICE]: images a second of whole
 * training steps (uint8 pictures in memory, forward, backward, parameters) from random parameters;
 * the median of the steps of about four seconds, alone on its line. Status 77 when the device
 * cannot do it.
 */
#include "net_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status step(struct net_bench *b, void *arg, struct err *err)
{
	return b->backend->train_step(b->handle, arg, err);
}

int main(int argc, char **argv)
{
	struct net_bench b;
	struct err err = {0};
	double step_s = 0;
	const bool is_adamw = argc > 5 && strcmp(argv[5], "adamw") == 0;
	if (!net_bench_read(argc, argv, &b) || argc > 7 ||
		(argc > 5 && !is_adamw && strcmp(argv[5], "sgd") != 0)) {
		fputs(
			"bench_train: wanted ARCH PX BATCH single|half|fastest [sgd|adamw] [DEVICE]\n", stderr);
		return 2;
	}
	const size_t n = (size_t)b.batch;
	float *target = xcalloc(n * NET_BENCH_CLASSES, sizeof *target);
	float *weight = xmalloc(n * sizeof *weight);
	for (size_t i = 0; i < n; i++) {
		target[i * NET_BENCH_CLASSES + i % NET_BENCH_CLASSES] = 1;
		weight[i] = 1;
	}
	enum status status = net_bench_open(&b, argc > 6 ? argv[6] : "cpu", true, &err);
	struct backend_step one = {.rgb = b.rgb,
		.target = target,
		.weight = weight,
		.rule = is_adamw ? BACKEND_ADAMW : BACKEND_SGD,
		.rate = is_adamw ? 1e-3f : 0.01f,
		.momentum = 0.9f,
		.beta2 = 0.999f};
	if (status == OK)
		status = net_bench_time(&b, 4, step, &one, &step_s, &err);
	net_bench_close(&b);
	free(target);
	free(weight);
	return net_bench_end("bench_train", &b, status, step_s, &err);
}
