/*
 * bench_infer ARCH PX BATCH single|half|fastest [DEVICE]: images a second from uint8 pictures in
 * memory to logits, with random parameters; the median of the runs of about two seconds, alone on
 * its line. Status 77 when the device cannot do it.
 */
#include "backend.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_CLASSES 1000
#define WARM_UP 3
#define MIN_RUNS 5
#define MAX_RUNS 4096
#define MEASURE_S 2

/* The median of a run's seconds. */
static enum status measure(const struct backend *backend, void *handle, const struct net *net,
	int batch, double *run_s, struct err *err)
{
	static double seconds[MAX_RUNS];
	size_t n_bytes = (size_t)batch * (size_t)net->input_px * (size_t)net->input_px * 3;
	uint8_t *rgb = xmalloc(n_bytes);
	float *logits = xmalloc((size_t)batch * N_CLASSES * sizeof *logits);
	enum status status = OK;
	int n = -WARM_UP;
	double until = 0;
	for (size_t i = 0; i < n_bytes; i++)
		rgb[i] = (uint8_t)(i * 2654435761u >> 13);
	for (; !status && n < MAX_RUNS && (n < MIN_RUNS || measure_now_s() < until); n++) {
		double start = measure_now_s();
		if (n <= 0)
			until = start + MEASURE_S;
		status = backend->infer(handle, rgb, batch, logits, NULL, err);
		if (n >= 0)
			seconds[n] = measure_now_s() - start;
	}
	free(rgb);
	free(logits);
	if (status)
		return status;
	*run_s = measure_median(seconds, n);
	return OK;
}

int main(int argc, char **argv)
{
	static const char *const precisions[] = {"single", "half", "fastest"};
	const struct net_arch *arch = argc >= 5 ? net_arch_find(argv[1]) : NULL;
	int px = arch ? (int)strtol(argv[2], NULL, 10) : 0;
	int batch = arch ? (int)strtol(argv[3], NULL, 10) : 0, precision = 0;
	while (arch && precision < 3 && strcmp(argv[4], precisions[precision]))
		precision++;
	if (!arch || batch < 1 || batch > 4096 || precision == 3 || argc > 6) {
		fputs("bench_infer: wanted ARCH PX BATCH single|half|fastest [DEVICE]\n", stderr);
		return 2;
	}
	struct net *net = xmalloc(sizeof *net);
	struct err err = {0};
	const struct backend *backend = NULL;
	void *handle = NULL;
	double run_s = 0;
	enum status status = net_init(net, arch, N_CLASSES, px, &err);
	if (!status) {
		float *params = xmalloc(net->n_floats * sizeof *params);
		struct backend_config config = {.net = net,
			.params = params,
			.mean = {0.485f, 0.456f, 0.406f},
			.std = {0.229f, 0.224f, 0.225f},
			.precision = (enum backend_precision)precision};
		net_init_params(net, 1, params);
		status = backend_open(argc > 5 ? argv[5] : "cpu", &config, &backend, &handle, &err);
		free(params);
	}
	if (!status) {
		status = measure(backend, handle, net, batch, &run_s, &err);
		backend->close(handle);
	}
	free(net);
	if (status) {
		fprintf(stderr, "bench_infer: %s\n", err.text);
		return status == BAD_INPUT ? 77 : 1;
	}
	printf("%.2f\n", batch / run_s);
	return 0;
}
