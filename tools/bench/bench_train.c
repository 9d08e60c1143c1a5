/*
 * bench_train ARCH PX BATCH single|half|fastest [sgd|adamw] [DEVICE]: images a second of whole
 * training steps (uint8 pictures in memory, forward, backward, parameters) from random parameters;
 * the median of the steps of about four seconds, alone on its line. Status 77 when the device
 * cannot do it.
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
#define MEASURE_S 4

/* The median of a step's seconds. */
static enum status measure(const struct backend *backend, void *handle,
	const struct backend_config *config, int is_adamw, double *step_s, struct err *err)
{
	static double seconds[MAX_RUNS];
	size_t n = (size_t)config->train_batch, px = (size_t)config->net->input_px;
	uint8_t *rgb = xmalloc(n * px * px * 3);
	float *target = xcalloc(n * N_CLASSES, sizeof *target), *weight = xmalloc(n * sizeof *weight);
	struct backend_step step = {.rgb = rgb,
		.target = target,
		.weight = weight,
		.rule = is_adamw ? BACKEND_ADAMW : BACKEND_SGD,
		.rate = is_adamw ? 1e-3f : 0.01f,
		.momentum = 0.9f,
		.beta2 = 0.999f};
	enum status status = OK;
	int run = -WARM_UP;
	double until = 0;
	for (size_t i = 0; i < n * px * px * 3; i++)
		rgb[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t i = 0; i < n; i++) {
		target[i * N_CLASSES + i % N_CLASSES] = 1;
		weight[i] = 1;
	}
	for (; !status && run < MAX_RUNS && (run < MIN_RUNS || measure_now_s() < until); run++) {
		double start = measure_now_s();
		if (run <= 0)
			until = start + MEASURE_S;
		status = backend->train_step(handle, &step, err);
		if (run >= 0)
			seconds[run] = measure_now_s() - start;
	}
	free(rgb);
	free(target);
	free(weight);
	if (status)
		return status;
	*step_s = measure_median(seconds, run);
	return OK;
}

int main(int argc, char **argv)
{
	static const char *const precisions[] = {"single", "half", "fastest"};
	const struct net_arch *arch = argc >= 5 ? net_arch_find(argv[1]) : NULL;
	int px = arch ? (int)strtol(argv[2], NULL, 10) : 0;
	int batch = arch ? (int)strtol(argv[3], NULL, 10) : 0, precision = 0;
	int is_adamw = argc > 5 && !strcmp(argv[5], "adamw");
	while (arch && precision < 3 && strcmp(argv[4], precisions[precision]))
		precision++;
	if (!arch || batch < 1 || batch > 4096 || precision == 3 || argc > 7 ||
		(argc > 5 && !is_adamw && strcmp(argv[5], "sgd"))) {
		fputs(
			"bench_train: wanted ARCH PX BATCH single|half|fastest [sgd|adamw] [DEVICE]\n", stderr);
		return 2;
	}
	struct net *net = xmalloc(sizeof *net);
	struct err err = {0};
	const struct backend *backend = NULL;
	void *handle = NULL;
	double step_s = 0;
	enum status status = net_init(net, arch, N_CLASSES, px, &err);
	if (!status) {
		float *params = xmalloc(net->n_floats * sizeof *params);
		struct backend_config config = {.net = net,
			.params = params,
			.mean = {0.485f, 0.456f, 0.406f},
			.std = {0.229f, 0.224f, 0.225f},
			.train_batch = batch,
			.precision = (enum backend_precision)precision};
		net_init_params(net, 1, params);
		status = backend_open(argc > 6 ? argv[6] : "cpu", &config, &backend, &handle, &err);
		if (!status)
			status = measure(backend, handle, &config, is_adamw, &step_s, &err);
		if (handle)
			backend->close(handle);
		free(params);
	}
	free(net);
	if (status) {
		fprintf(stderr, "bench_train: %s\n", err.text);
		return status == BAD_INPUT ? 77 : 1;
	}
	printf("%.2f\n", batch / step_s);
	return 0;
}
