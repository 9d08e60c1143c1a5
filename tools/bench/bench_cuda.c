/*
 * bench_cuda infer|train NET BATCH [DEVICE] [single|half]: images a second of a card, 224 px, from
 * pictures in this machine's memory to logits in it, or of whole training steps (SGD with momentum;
 * the loss back here after each). Prints one number: the median of runs of about half a second.
 * 77, after saying why, where there is no card.
 */
#include "backend.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PX 224
#define N_CLASSES 1000
#define RUNS 7
#define RUN_S 0.5
#define WARM_UP_BATCHES 40 /* recorded graphs, and every way tried (gpu/cuda/infer.c) */

struct bench {
	struct net net;
	const struct backend *backend;
	void *handle;
	uint8_t *rgb; /* of n batches */
	float *target, *weight, *logits;
	int trains, batch, n;
};

static enum status run_once(struct bench *b, struct err *err)
{
	if (!b->trains)
		return b->backend->infer(b->handle, b->rgb, b->n * b->batch, b->logits, NULL, err);
	enum status status = OK;
	for (int i = 0; i < b->n && !status; i++) {
		struct backend_step step = {.rgb = b->rgb + (size_t)i * (size_t)b->batch * PX * PX * 3,
			.target = b->target,
			.weight = b->weight,
			.rate = 0.01f,
			.momentum = 0.9f,
			.weight_decay = 1e-4f};
		status = b->backend->train_step(b->handle, &step, err);
	}
	return status;
}

static enum status measure(struct bench *b, double *images_s, struct err *err)
{
	double rates[RUNS];
	enum status status = OK;
	for (int i = 0; i < WARM_UP_BATCHES && !status; i += b->n)
		status = run_once(b, err);
	for (int i = 0; i < RUNS && !status; i++) {
		double start = measure_now_s(), passed;
		int n = 0;
		do {
			status = run_once(b, err);
			n += b->n * b->batch;
			passed = measure_now_s() - start;
		} while (!status && passed < RUN_S);
		rates[i] = n / passed;
	}
	if (status)
		return status;
	*images_s = measure_median(rates, RUNS);
	return OK;
}

static void fill(struct bench *b, float *params)
{
	size_t batch = (size_t)b->batch, n_rgb = (size_t)b->n * batch * PX * PX * 3;
	uint32_t state = 1;
	net_init_params(&b->net, 1, params);
	b->rgb = xmalloc(n_rgb);
	b->target = xcalloc(batch * N_CLASSES, sizeof *b->target);
	b->weight = xmalloc(batch * sizeof *b->weight);
	b->logits = xmalloc((size_t)b->n * batch * N_CLASSES * sizeof *b->logits);
	for (size_t i = 0; i < n_rgb; i++) {
		state = state * 1664525u + 1013904223u;
		b->rgb[i] = (uint8_t)(state >> 24);
	}
	for (size_t i = 0; i < batch; i++) {
		b->target[i * N_CLASSES + i * 37 % N_CLASSES] = 1;
		b->weight[i] = 1;
	}
}

int main(int argc, char **argv)
{
	struct bench b = {.trains = argc > 1 && !strcmp(argv[1], "train")};
	const struct net_arch *arch = argc > 3 ? net_arch_find(argv[2]) : NULL;
	struct err err;
	double images_s = 0;
	b.batch = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0;
	b.n = b.trains ? 2 : 8;
	if (!arch || b.batch < 1 || (!b.trains && strcmp(argv[1], "infer"))) {
		fputs("usage: bench_cuda infer|train NET BATCH [DEVICE] [single|half]\n", stderr);
		return 2;
	}
	if (net_init(&b.net, arch, N_CLASSES, PX, &err)) {
		fprintf(stderr, "bench_cuda: %s\n", err.text);
		return 1;
	}
	float *params = xmalloc(b.net.n_floats * sizeof *params);
	fill(&b, params);
	const struct backend_config config = {.net = &b.net,
		.params = params,
		.mean = {0.485f, 0.456f, 0.406f},
		.std = {0.229f, 0.224f, 0.225f},
		.train_batch = b.trains ? b.batch : 0,
		.precision = argc > 5 && !strcmp(argv[5], "single") ? BACKEND_SINGLE : BACKEND_HALF};
	enum status status = backend_open(
		argc > 4 ? argv[4] : "cuda", &config, &b.backend, &b.handle, &err);
	if (status) {
		fprintf(stderr, "bench_cuda: skipped: %s\n", err.text);
		return 77;
	}
	status = measure(&b, &images_s, &err);
	if (status)
		fprintf(stderr, "bench_cuda: %s\n", err.text);
	else
		printf("%.1f\n", images_s);
	b.backend->close(b.handle);
	free(params);
	free(b.rgb);
	free(b.target);
	free(b.weight);
	free(b.logits);
	return status ? 1 : 0;
}
