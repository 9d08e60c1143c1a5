/* Decoding ahead: one thread reads, fetches and decodes while the engine runs; a bounded ring lies between them. */
#include "worker_job.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RING = 32 };

struct frames {
	const struct worker_options *options;
	const json_t *subjects;
	const bool *skip;
	struct input_spec input;
	struct client *client; /* the thread's own */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct frame_picture ring[RING];
	int first, n;
	bool ended, stop;
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

static enum status decode(struct frames *f, const json_t *json, uint8_t *rgb, struct err *err)
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
	st = client_get(f->client, path, &bytes, &n_bytes, err);
	if (st == OK)
		st = input_decode(bytes, n_bytes, &f->input, &frame.window, rgb, err);
	free(bytes);
	return st;
}

/* False: nobody wants more. */
static bool push(struct frames *f, const struct frame_picture *picture)
{
	pthread_mutex_lock(&f->mutex);
	while (f->n == RING && !f->stop)
		pthread_cond_wait(&f->changed, &f->mutex);
	bool wanted = !f->stop;
	if (wanted) {
		f->ring[(f->first + f->n++) % RING] = *picture;
		pthread_cond_broadcast(&f->changed);
	}
	pthread_mutex_unlock(&f->mutex);
	return wanted;
}

static bool push_frame(struct frames *f, int item, const json_t *frame)
{
	struct err err = {0};
	struct frame_picture picture = {.item = item};
	picture.rgb = xmalloc((size_t)f->input.px * (size_t)f->input.px * 3);
	picture.status = decode(f, frame, picture.rgb, &err);
	if (picture.status != OK) {
		free(picture.rgb);
		picture.rgb = NULL;
		snprintf(picture.why, sizeof picture.why, "%.119s", err.text);
	}
	bool wanted = push(f, &picture);
	if (!wanted)
		free(picture.rgb);
	return wanted;
}

static void *frames_main(void *arg)
{
	struct frames *f = arg;
	bool wanted = true;
	for (size_t i = 0; wanted && i < json_array_size(f->subjects); i++) {
		const json_t *list = json_object_get(json_array_get(f->subjects, i), "frames");
		for (size_t j = 0; wanted && j < json_array_size(list) && !(f->skip && f->skip[i]); j++)
			wanted = push_frame(f, (int)i, json_array_get(list, j));
	}
	pthread_mutex_lock(&f->mutex);
	f->ended = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->mutex);
	return NULL;
}

enum status frames_open(const struct worker_options *options, const json_t *subjects,
	const bool *skip, const struct input_spec *input, struct frames **out, struct err *err)
{
	struct frames *f = xcalloc(1, sizeof *f);
	f->options = options;
	f->subjects = subjects;
	f->skip = skip;
	f->input = *input;
	pthread_mutex_init(&f->mutex, NULL);
	pthread_cond_init(&f->changed, NULL);
	enum status st = client_open(options, options->once ? 5 : 60, &f->client, err);
	if (st == OK && pthread_create(&f->thread, NULL, frames_main, f) != 0)
		st = err_set(err, FAULT, "no thread to decode with");
	if (st != OK) {
		client_close(f->client);
		free(f);
		return st;
	}
	*out = f;
	return OK;
}

int frames_next(struct frames *f, struct frame_picture *out, int n_max)
{
	int n = 0;
	pthread_mutex_lock(&f->mutex);
	while (f->n < n_max && f->n < RING && !f->ended)
		pthread_cond_wait(&f->changed, &f->mutex);
	for (; n < n_max && f->n > 0; n++) {
		out[n] = f->ring[f->first];
		f->first = (f->first + 1) % RING;
		f->n--;
	}
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->mutex);
	return n;
}

void frames_close(struct frames *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&f->mutex);
	f->stop = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->mutex);
	pthread_join(f->thread, NULL);
	for (int i = 0; i < f->n; i++)
		free(f->ring[(f->first + i) % RING].rgb);
	client_close(f->client);
	pthread_mutex_destroy(&f->mutex);
	pthread_cond_destroy(&f->changed);
	free(f);
}
