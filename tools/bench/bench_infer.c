/*
 * bench_infer ARCH PX BATCH single|half|fastest [DEVICE]: images a second from uint8 pictures in
 * memory to logits, with random parameters; the median of the runs of about two seconds, alone on
 * its line. Status 77 when the device cannot do it.
 */
#include "net_bench.h"

#include <stdio.h>
#include <stdlib.h>

static enum status infer(struct net_bench *b, void *logits, struct err *err)
{
	return b->backend->infer(b->handle, b->rgb, b->batch, logits, NULL, err);
}

int main(int argc, char **argv)
{
	struct net_bench b;
	struct err err = {0};
	double run_s = 0;
	if (!net_bench_read(argc, argv, &b) || argc > 6) {
		fputs("bench_infer: wanted ARCH PX BATCH single|half|fastest [DEVICE]\n", stderr);
		return 2;
	}
	float *logits = xmalloc((size_t)b.batch * NET_BENCH_CLASSES * sizeof *logits);
	enum status status = net_bench_open(&b, argc > 5 ? argv[5] : "cpu", false, &err);
	if (status == OK)
		status = net_bench_time(&b, 2, infer, logits, &run_s, &err);
	net_bench_close(&b);
	free(logits);
	return net_bench_end("bench_infer", &b, status, run_s, &err);
}
