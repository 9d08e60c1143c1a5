/*
 * bench_files DIR N net|files|beside [single|half|fastest]: N pictures from DIR's JPEGs (again and again) to the logits of a
 * ResNet-18 at 224 px with random parameters, in batches of 32 on all cores; prints pictures a second (and on stderr which
 * share of the time the net ran: the ratio to the net alone, on a machine whose speed changes from second to second).
 *   net     the net alone, on pictures that were decoded before
 *   files   read ahead and decoded by the net's team, as a worker with a CPU does (gpu/feed.h)
 *   beside  decoded ahead by threads beside it, as a worker with a card does
 */
#include "backend.h"
#include "feed.h"
#include "measure.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PX = 224, BATCH = 32, IMAGE = PX * PX * 3, N_CLASSES = 54, MAX_FILES = 16384 };

struct bench {
	char *paths[MAX_FILES];
	int n_files;
	const struct backend *backend;
	void *handle;
	float logits[BATCH * N_CLASSES];
	double net_s; /* in the net */
};

static enum status read_one(
	void *arg, int thread, int64_t index, struct feed_file *out, struct err *err)
{
	struct bench *b = arg;
	(void)thread;
	return input_read_file(b->paths[index % b->n_files], &out->bytes, &out->n_bytes, err);
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

/* net: one batch of pictures, n / BATCH times. */
static enum status run(struct bench *b, const char *what, int n, struct err *err)
{
	struct feed_spec spec = {.n_files = n,
		.batch = BATCH,
		.input = {.px = PX, .fit = INPUT_SQUASH},
		.is_cpu = strcmp(what, "beside") != 0,
		.read = read_one,
		.arg = b};
	struct feed *feed = NULL;
	const uint8_t *rgb = NULL;
	const struct err *whys;
	bool is_net = strcmp(what, "net") == 0;
	enum status status = feed_open(&spec, &feed, err);
	int got = 0;
	for (int done = 0; done < n && !status; done += got) {
		if (!is_net || done == 0)
			got = feed_next(feed, &rgb, &whys);
		for (int i = 0; i < got && !status; i++)
			if (whys[i].status)
				status = err_set(err, whys[i].status, "%s", whys[i].text);
		double start = measure_now_s();
		if (!status)
			status = b->backend->infer(b->handle, rgb, got, b->logits, NULL, err);
		b->net_s += measure_now_s() - start;
	}
	feed_close(feed);
	return status;
}

static enum status open_net(
	struct bench *b, struct net *net, const char *precision, struct err *err)
{
	enum status status = net_init(net, net_arch_find("resnet18"), N_CLASSES, PX, err);
	if (status)
		return status;
	float *params = xmalloc(net->n_floats * sizeof *params);
	net_init_params(net, 1, params);
	struct backend_config config = {.net = net,
		.params = params,
		.mean = INPUT_IMAGENET_MEAN,
		.std = INPUT_IMAGENET_STD,
		.precision = !strcmp(precision, "half") ? BACKEND_HALF
			: !strcmp(precision, "fastest")     ? BACKEND_FASTEST
												: BACKEND_SINGLE};
	status = backend_open("cpu", &config, &b->backend, &b->handle, err);
	free(params);
	return status;
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct net net;
	struct err err = {0};
	int n = argc > 2 ? (int)strtol(argv[2], NULL, 10) / BATCH * BATCH : 0;
	if (n < BATCH || (argc != 4 && argc != 5)) {
		fputs("bench_files: wanted DIR N net|files|beside [single|half|fastest]\n", stderr);
		return 2;
	}
	enum status status = list(argv[1], &b, &err);
	if (!status)
		status = open_net(&b, &net, argc == 5 ? argv[4] : "single", &err);
	if (!status) /* warms up */
		status = run(&b, "net", BATCH * 4, &err);
	double start = measure_now_s();
	b.net_s = 0;
	if (!status)
		status = run(&b, argv[3], n, &err);
	double took = measure_now_s() - start;
	if (status) {
		fprintf(stderr, "bench_files: %s\n", err.text);
	} else {
		fprintf(stderr, "%.3f in the net\n", b.net_s / took);
		printf("%.1f\n", n / took);
	}
	if (b.handle)
		b.backend->close(b.handle);
	for (int i = 0; i < b.n_files; i++)
		free(b.paths[i]);
	return status != OK;
}
