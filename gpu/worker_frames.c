/* Where a job's frames are: in the data directory, or fetched from the server. */
#include "worker_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where oneDNN's rate levels off; and what makes a card's own time longer than a call to it takes. */
enum { CPU_BATCH = 32, CARD_BATCH = FRAMES_MAX_BATCH };

/* A frame and whose it is. */
struct wanted {
	int item;
	const json_t *frame;
};

struct frames {
	const struct worker_options *options;
	struct wanted *wanted;
	int n_wanted, n_taken;
	struct client *clients[FEED_MAX_THREADS + 1]; /* a thread's own, made when it first needs one */
	struct feed *feed;
};

bool worker_rendition(
	const struct worker_options *options, const struct worker_frame *frame, char *path)
{
	if (!options->media)
		return false;
	snprintf(path, WORKER_PATH, "%.900s/renditions/%lld/%.2s/%s-%lld.jpg", options->media,
		(long long)frame->px, frame->sha256, frame->sha256, (long long)frame->crop);
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
		.crop = json_integer_value(json_object_get(json, "crop")),
		.px = json_integer_value(json_object_get(json, "px"))};
	if (!out->sha256 || strlen(out->sha256) != 64 ||
		strspn(out->sha256, "0123456789abcdef") != 64 || out->crop < 0 || out->px < 1)
		return err_set(err, BAD_INPUT, "a frame without hash, crop and px");
	if (focus && !json_is_null(focus) && !read_window(focus, &out->window))
		return err_set(err, BAD_INPUT, "a frame's focus is no window within it");
	return OK;
}

static enum status fetch(struct frames *f, int thread, const struct worker_frame *frame,
	struct feed_file *out, struct err *err)
{
	const struct worker_options *options = f->options;
	char path[200];
	enum status st = OK;
	if (!f->clients[thread])
		st = client_open(options, options->once ? 5 : 60, &f->clients[thread], err);
	snprintf(path, sizeof path, "/api/worker/renditions/%lld/%s-%lld", (long long)frame->px,
		frame->sha256, (long long)frame->crop);
	return st == OK ? client_get(f->clients[thread], path, &out->bytes, &out->n_bytes, err) : st;
}

static enum status read_frame(
	void *arg, int thread, int64_t index, struct feed_file *out, struct err *err)
{
	struct frames *f = arg;
	struct worker_frame frame;
	char path[WORKER_PATH];
	enum status st = worker_frame(f->wanted[index].frame, &frame, err);
	if (st != OK)
		return st;
	out->window = frame.window;
	if (worker_rendition(f->options, &frame, path))
		return input_read_file(path, &out->bytes, &out->n_bytes, err);
	return fetch(f, thread, &frame, out, err);
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

enum status frames_open(const struct worker_options *options, const json_t *subjects,
	const bool *skip, const struct engine *engine, struct frames **out, struct err *err)
{
	struct frames *f = xcalloc(1, sizeof *f);
	f->options = options;
	list_wanted(f, subjects, skip);
	struct feed_spec spec = {.n_files = f->n_wanted,
		.batch = engine_is_cpu(engine) ? CPU_BATCH : CARD_BATCH,
		.input = engine_model(engine)->input,
		.is_cpu = engine_is_cpu(engine),
		.read = read_frame,
		.arg = f};
	enum status st = feed_open(&spec, &f->feed, err);
	if (st != OK) {
		frames_close(f);
		return st;
	}
	*out = f;
	return OK;
}

int frames_next(struct frames *f, struct frame_picture *out, const uint8_t **rgb)
{
	const struct err *whys;
	int n = feed_next(f->feed, rgb, &whys);
	for (int i = 0; i < n; i++)
		out[i] = (struct frame_picture){f->wanted[f->n_taken + i].item, &whys[i]};
	f->n_taken += n;
	return n;
}

void frames_close(struct frames *f)
{
	if (!f)
		return;
	feed_close(f->feed);
	for (int i = 0; i <= FEED_MAX_THREADS; i++)
		client_close(f->clients[i]);
	free(f->wanted);
	free(f);
}
