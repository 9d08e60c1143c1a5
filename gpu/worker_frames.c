/* Decoding ahead: threads read, fetch and decode while the engine runs (ring.h). */
#include "ring.h"
#include "worker_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 48, MAX_THREADS = 16 };

/* A frame and whose it is. */
struct wanted {
	int item;
	const json_t *frame;
};

struct frames {
	const struct worker_options *options;
	struct input_spec input;
	struct wanted *wanted;
	int n_wanted, n_taken, n_threads;
	struct client *clients[MAX_THREADS + 1]; /* a thread's own; the last is the taker's */
	struct ring *ring;
	struct frame_picture places[ROOM]; /* of index % ROOM */
};

bool worker_rendition(
	const struct worker_options *options, const struct worker_frame *frame, char *path)
{
	if (!options->media)
		return false;
	snprintf(path, WORKER_PATH, "%.900s/renditions/448/%.2s/%s-%lld.jpg", options->media,
		frame->sha256, frame->sha256, (long long)frame->crop);
	FILE *file = fopen(path, "rbe");
	if (file)
		fclose(file);
	return file != NULL;
}

/* [x, y, width, height, strength], within the picture. */
static bool read_window(const json_t *json, struct input_window *out)
{
	double v[5];
	for (size_t i = 0; i < 5; i++)
		v[i] = json_number_value(json_array_get(json, i));
	*out = (struct input_window){v[0], v[1], v[2], v[3], v[4]};
	return json_array_size(json) == 5 && v[0] >= 0 && v[1] >= 0 && v[2] > 0 && v[3] > 0 &&
		v[0] + v[2] < 1 + 1e-6 && v[1] + v[3] < 1 + 1e-6 && v[4] >= 0;
}

enum status worker_frame(const json_t *json, struct worker_frame *out, struct err *err)
{
	const json_t *focus = json_object_get(json, "focus");
	*out = (struct worker_frame){.sha256 = json_string_value(json_object_get(json, "sha256")),
		.crop = json_integer_value(json_object_get(json, "crop"))};
	if (!out->sha256 || strlen(out->sha256) != 64 ||
		strspn(out->sha256, "0123456789abcdef") != 64 || out->crop < 0)
		return err_set(err, BAD_INPUT, "a frame without hash and crop");
	if (focus && !json_is_null(focus) && !read_window(focus, &out->window))
		return err_set(err, BAD_INPUT, "a frame's focus is no window within it");
	return OK;
}

static enum status decode(
	struct frames *f, int thread, const json_t *json, uint8_t *rgb, struct err *err)
{
	struct worker_frame frame;
	char path[WORKER_PATH];
	unsigned char *bytes = NULL;
	size_t n_bytes = 0;
	enum status st = worker_frame(json, &frame, err);
	if (st != OK)
		return st;
	if (worker_rendition(f->options, &frame, path))
		return input_load(path, &f->input, &frame.window, rgb, err);
	snprintf(
		path, sizeof path, "/api/worker/renditions/%s-%lld", frame.sha256, (long long)frame.crop);
	st = client_get(f->clients[thread], path, &bytes, &n_bytes, err);
	if (st == OK)
		st = input_decode(bytes, n_bytes, &f->input, &frame.window, rgb, err);
	free(bytes);
	return st;
}

static void make(void *arg, int thread, int64_t index)
{
	struct frames *f = arg;
	struct err err = {0};
	const struct wanted *wanted = &f->wanted[index];
	struct frame_picture *picture = &f->places[index % ROOM];
	*picture = (struct frame_picture){.item = wanted->item};
	picture->rgb = xmalloc((size_t)f->input.px * (size_t)f->input.px * 3);
	picture->status = decode(f, thread, wanted->frame, picture->rgb, &err);
	if (picture->status != OK) {
		free(picture->rgb);
		picture->rgb = NULL;
		snprintf(picture->why, sizeof picture->why, "%.119s", err.text);
	}
}

static void list_wanted(struct frames *f, const json_t *subjects, const bool *skip)
{
	size_t n = json_array_size(subjects), n_all = 0;
	for (size_t i = 0; i < n; i++)
		n_all += json_array_size(json_object_get(json_array_get(subjects, i), "frames"));
	f->wanted = xcalloc(n_all + 1, sizeof *f->wanted);
	for (size_t i = 0; i < n; i++) {
		const json_t *list = json_object_get(json_array_get(subjects, i), "frames");
		for (size_t j = 0; j < json_array_size(list) && !(skip && skip[i]); j++)
			f->wanted[f->n_wanted++] = (struct wanted){(int)i, json_array_get(list, j)};
	}
}

/* The engine keeps all cores of a CPU busy itself, and its team waits for its slowest: half of them decode beside it. */
static int count_threads(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores < 4 ? 1 : cores / 2 > MAX_THREADS ? MAX_THREADS : (int)(cores / 2);
}

enum status frames_open(const struct worker_options *options, const json_t *subjects,
	const bool *skip, const struct input_spec *input, struct frames **out, struct err *err)
{
	struct frames *f = xcalloc(1, sizeof *f);
	f->options = options;
	f->input = *input;
	f->n_threads = count_threads();
	list_wanted(f, subjects, skip);
	enum status st = OK;
	for (int i = 0; i <= f->n_threads && st == OK; i++)
		st = client_open(options, options->once ? 5 : 60, &f->clients[i], err);
	struct ring_spec spec = {
		.n_things = f->n_wanted, .room = ROOM, .n_threads = f->n_threads, .make = make, .arg = f};
	if (st == OK)
		st = ring_open(&spec, &f->ring, err);
	if (st != OK) {
		frames_close(f);
		return st;
	}
	*out = f;
	return OK;
}

int frames_next(struct frames *f, struct frame_picture *out, int n_max)
{
	int n = ring_take(f->ring, n_max);
	for (int i = 0; i < n; i++) {
		struct frame_picture *place = &f->places[(f->n_taken + i) % ROOM];
		out[i] = *place;
		place->rgb = NULL;
	}
	f->n_taken += n;
	ring_give_back(f->ring, n);
	return n;
}

void frames_close(struct frames *f)
{
	if (!f)
		return;
	ring_close(f->ring);
	for (int i = 0; i < ROOM; i++)
		free(f->places[i].rgb);
	for (int i = 0; i <= f->n_threads; i++)
		client_close(f->clients[i]);
	free(f->wanted);
	free(f);
}
