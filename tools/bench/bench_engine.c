/*
 * bench_engine DEVICE: the speed of a backend with random parameters and pictures, as rows of a
 * Markdown table: images a second from uint8 pictures in memory to logits, and of whole training
 * steps. Medians; decoding is not in them. Stops at the first failure.
 */
#include "backend.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>

#define RUNS 9 /* timed, after WARM_UP that are not */
#define WARM_UP 2
#define N_CLASSES 10

struct bench {
	struct net net;
	const struct backend *backend;
	void *handle;
	uint8_t *rgb;
	float *target, *weight, *logits;
	int batch, trains;
};

static enum status run_once(struct bench *b, struct err *err)
{
	struct backend_step step = {
		.rgb = b->rgb, .target = b->target, .weight = b->weight, .rate = 0.01f, .momentum = 0.9f};
	if (b->trains)
		return b->backend->train_step(b->handle, &step, err);
	return b->backend->infer(b->handle, b->rgb, b->batch, b->logits, NULL, err);
}

static enum status measure(
	const char *device, const float *params, struct bench *b, double *images_s, struct err *err)
{
	struct backend_config config = {.net = &b->net,
		.params = params,
		.mean = {0.485f, 0.456f, 0.406f},
		.std = {0.229f, 0.224f, 0.225f},
		.train_batch = b->trains ? b->batch : 0};
	double seconds[RUNS];
	enum status status = backend_open(device, &config, &b->backend, &b->handle, err);
	if (status)
		return status;
	for (int i = -WARM_UP; i < RUNS && !status; i++) {
		double start = measure_now_s();
		status = run_once(b, err);
		if (i >= 0)
			seconds[i] = measure_now_s() - start;
	}
	b->backend->close(b->handle);
	if (status)
		return status;
	*images_s = b->batch / measure_median(seconds, RUNS);
	return OK;
}

/* Returns 0 when the row could not be measured. */
static int print_row(const char *device, const char *arch, int px, int batch, int trains)
{
	struct err err;
	struct bench b = {.batch = batch, .trains = trains};
	double images_s = 0;
	size_t n = (size_t)batch;
	if (net_init(&b.net, net_arch_find(arch), N_CLASSES, px, &err)) {
		fprintf(stderr, "bench_engine: %s\n", err.text);
		return 0;
	}
	float *params = xmalloc(b.net.n_floats * sizeof *params);
	net_init_params(&b.net, 1, params);
	b.rgb = xmalloc(n * (size_t)px * (size_t)px * 3);
	b.target = xcalloc(n * N_CLASSES, sizeof *b.target);
	b.weight = xmalloc(n * sizeof *b.weight);
	b.logits = xmalloc(n * N_CLASSES * sizeof *b.logits);
	for (size_t i = 0; i < n * (size_t)px * (size_t)px * 3; i++)
		b.rgb[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t i = 0; i < n; i++) {
		b.target[i * N_CLASSES + i % N_CLASSES] = 1;
		b.weight[i] = 1;
	}
	enum status status = measure(device, params, &b, &images_s, &err);
	if (status)
		fprintf(stderr, "bench_engine: %s, %s at batch %d: %s\n", device, arch, batch, err.text);
	else
		printf("| %s | %s | %d | %d | %s | %.0f |\n", b.backend->name, arch, px, batch,
			trains ? "train" : "infer", images_s);
	fflush(stdout);
	free(params);
	free(b.rgb);
	free(b.target);
	free(b.weight);
	free(b.logits);
	return status == OK;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *arch;
		int px, batch, trains;
	} rows[] = {
		{"resnet10s", 128, 32, 0},
		{"resnet10s", 128, 32, 1},
		{"resnet18", 224, 1, 0},
		{"resnet18", 224, 32, 0},
		{"resnet18", 224, 32, 1},
		{"resnet50", 224, 32, 0},
	};
	int is_good = 1;
	if (argc != 2) {
		fputs("bench_engine: wanted one argument, a device (cpu, cuda, cuda:N)\n", stderr);
		return 2;
	}
	puts("| backend | net | px | batch | | images/s |\n|---|---|---|---|---|---|");
	for (size_t i = 0; i < sizeof rows / sizeof *rows && is_good; i++)
		is_good = print_row(argv[1], rows[i].arch, rows[i].px, rows[i].batch, rows[i].trains);
	return !is_good;
}
