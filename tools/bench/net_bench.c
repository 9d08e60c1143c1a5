/* Buffers are made once, so that what is timed is the run. */
#include "net_bench.h"

#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_UP = 3, MIN_RUNS = 5, MAX_RUNS = 4096 };

bool net_bench_read(int argc, char **argv, struct net_bench *out)
{
	static const char *const precisions[] = {"single", "half", "fastest"};
	int precision = 0;
	*out = (struct net_bench){.arch = argc >= 5 ? net_arch_find(argv[1]) : NULL};
	if (!out->arch)
		return false;
	out->px = (int)strtol(argv[2], NULL, 10);
	out->batch = (int)strtol(argv[3], NULL, 10);
	while (precision < 3 && strcmp(argv[4], precisions[precision]) != 0)
		precision++;
	out->config.precision = (enum backend_precision)precision;
	return out->batch >= 1 && out->batch <= 4096 && precision < 3;
}

enum status net_bench_open(struct net_bench *b, const char *device, bool trains, struct err *err)
{
	b->net = xmalloc(sizeof *b->net);
	enum status status = net_init(b->net, b->arch, NET_BENCH_CLASSES, b->px, err);
	if (status != OK)
		return status;
	const size_t n_bytes = (size_t)b->batch * (size_t)b->px * (size_t)b->px * 3;
	b->params = xmalloc(b->net->n_floats * sizeof *b->params);
	b->rgb = xmalloc(n_bytes);
	for (size_t i = 0; i < n_bytes; i++)
		b->rgb[i] = (uint8_t)(i * 2654435761u >> 13);
	net_init_params(b->net, 1, b->params);
	b->config = (struct backend_config){.net = b->net,
		.params = b->params,
		.mean = {0.485f, 0.456f, 0.406f},
		.std = {0.229f, 0.224f, 0.225f},
		.train_batch = trains ? b->batch : 0,
		.precision = b->config.precision};
	return backend_open(device, &b->config, &b->backend, &b->handle, err);
}

void net_bench_close(struct net_bench *b)
{
	if (b->handle)
		b->backend->close(b->handle);
	free(b->params);
	free(b->rgb);
	free(b->net);
}

enum status net_bench_time(struct net_bench *b, double seconds,
	enum status (*run)(struct net_bench *b, void *arg, struct err *err), void *arg, double *run_s,
	struct err *err)
{
	static double took_s[MAX_RUNS];
	enum status status = OK;
	double until = 0;
	int n = -WARM_UP;
	for (; status == OK && n < MAX_RUNS && (n < MIN_RUNS || measure_now_s() < until); n++) {
		double start = measure_now_s();
		if (n <= 0)
			until = start + seconds;
		status = run(b, arg, err);
		if (n >= 0)
			took_s[n] = measure_now_s() - start;
	}
	if (status == OK)
		*run_s = measure_median(took_s, n);
	return status;
}

int net_bench_end(const char *name, const struct net_bench *b, enum status status, double run_s,
	const struct err *err)
{
	if (status != OK) {
		fprintf(stderr, "%s: %s\n", name, err->text);
		return status == BAD_INPUT ? 77 : 1;
	}
	printf("%.2f\n", b->batch / run_s);
	return 0;
}
