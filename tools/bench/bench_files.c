/*
 * bench_files DIR N net|files [single|half|fastest]: N pictures from DIR's JPEGs (again and again) to the logits of a
 * ResNet-18 at 224 px with random parameters, in batches of 16 on all cores; prints pictures a second. net: the net
 * alone, on pictures that were decoded before; files: read and decoded ahead by one thread, as a worker does.
 */
#include "backend.h"
#include "input.h"
#include "ring.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PX = 224,
	BATCH = 16,
	ROOM = 3 * BATCH,
	IMAGE = PX * PX * 3,
	N_CLASSES = 54,
	MAX_FILES = 4096
};

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct bench {
	char *paths[MAX_FILES];
	int n_files;
	uint8_t *rgb; /* [ROOM][IMAGE] */
};

static void make(void *arg, int thread, int64_t index)
{
	struct bench *b = arg;
	static const struct input_spec spec = {.px = PX, .fit = INPUT_SQUASH};
	struct err err = {0};
	(void)thread;
	if (input_load(
			b->paths[index % b->n_files], &spec, NULL, b->rgb + index % ROOM * IMAGE, &err)) {
		fprintf(stderr, "bench_files: %s: %s\n", b->paths[index % b->n_files], err.text);
		exit(1);
	}
}

static enum status list(const char *dir, struct bench *b, struct err *err)
{
	DIR *folder = opendir(dir);
	for (struct dirent *e; folder && b->n_files < MAX_FILES && (e = readdir(folder));) {
		char path[2000];
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (strstr(e->d_name, ".jpg"))
			b->paths[b->n_files++] = xstrdup(path);
	}
	if (folder)
		closedir(folder);
	return b->n_files ? OK : err_set(err, NOT_FOUND, "%s holds no .jpg", dir);
}

static enum status run(struct bench *b, const struct backend *backend, void *handle, int n,
	int is_net, struct err *err)
{
	static float logits[BATCH * N_CLASSES];
	struct ring_spec spec = {is_net ? 0 : n, ROOM, is_net ? 0 : 1, make, b};
	struct ring *ring = NULL;
	enum status status = ring_open(&spec, &ring, err);
	for (int done = 0; done < n && !status; done += BATCH) {
		int got = is_net ? BATCH : ring_take(ring, BATCH);
		status = backend->infer(handle, b->rgb + done % ROOM * IMAGE, got, logits, NULL, err);
		if (!is_net)
			ring_give_back(ring, got);
	}
	ring_close(ring);
	return status;
}

int main(int argc, char **argv)
{
	struct bench b = {0};
	struct net net;
	struct err err = {0};
	const struct backend *backend = NULL;
	void *handle = NULL;
	int n = argc > 2 ? (int)strtol(argv[2], NULL, 10) / BATCH * BATCH : 0;
	if (n < BATCH || (argc != 4 && argc != 5)) {
		fputs("bench_files: wanted DIR N net|files [single|half|fastest]\n", stderr);
		return 2;
	}
	const char *precision = argc == 5 ? argv[4] : "single";
	enum status status = net_init(&net, net_arch_find("resnet18"), N_CLASSES, PX, &err);
	if (!status)
		status = list(argv[1], &b, &err);
	if (!status) {
		float *params = xmalloc(net.n_floats * sizeof *params);
		net_init_params(&net, 1, params);
		struct backend_config config = {.net = &net,
			.params = params,
			.mean = INPUT_IMAGENET_MEAN,
			.std = INPUT_IMAGENET_STD,
			.precision = !strcmp(precision, "half") ? BACKEND_HALF
				: !strcmp(precision, "fastest")     ? BACKEND_FASTEST
													: BACKEND_SINGLE};
		status = backend_open("cpu", &config, &backend, &handle, &err);
		free(params);
	}
	b.rgb = xmalloc(ROOM * IMAGE);
	for (int i = 0; i < ROOM && !status; i++)
		make(&b, 0, i);
	if (!status) /* warms up */
		status = run(&b, backend, handle, BATCH * 4, 1, &err);
	double start = now_s();
	if (!status)
		status = run(&b, backend, handle, n, strcmp(argv[3], "net") == 0, &err);
	if (status)
		fprintf(stderr, "bench_files: %s\n", err.text);
	else
		printf("%.1f\n", n / (now_s() - start));
	if (backend)
		backend->close(handle);
	for (int i = 0; i < b.n_files; i++)
		free(b.paths[i]);
	free(b.rgb);
	return status != OK;
}
