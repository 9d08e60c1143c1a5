/* Places are a whole number of batches, so that a batch lies in one piece. */
#include "feed.h"

#include "ring.h"

#include <stdlib.h>
#include <unistd.h>

/*
 * AHEAD: batches that are the net's, ready, and being made. READERS, beside a CPU's net: they sleep in a disk or a server
 * nearly all the time (a rendition is 50 KB, and decoding it takes twenty times as long as copying it), so there are as many as hide
 * a few milliseconds of either at 500 pictures a second, whatever the number of cores.
 */
enum { AHEAD = 3, READERS = 4 };

struct feed {
	struct feed_spec spec;
	struct ring *ring;
	size_t image; /* bytes of a picture */
	int64_t n_taken;
	int n_held; /* the last batch's */
	/* Of index % (AHEAD * batch): */
	struct feed_file *files;
	uint8_t *rgb;
	struct err *whys;
};

static void decode(struct feed *f, size_t place)
{
	struct feed_file *file = &f->files[place];
	struct err *why = &f->whys[place];
	if (why->status == OK)
		why->status = input_decode(file->bytes, file->n_bytes, &f->spec.input, &file->window,
			f->rgb + place * f->image, why);
	free(file->bytes);
	file->bytes = NULL;
}

static size_t place_of(const struct feed *f, int64_t index)
{
	return (size_t)index % ((size_t)f->spec.batch * AHEAD);
}

static void make(void *arg, int thread, int64_t index)
{
	struct feed *f = arg;
	size_t place = place_of(f, index);
	f->files[place] = (struct feed_file){0};
	f->whys[place].status = OK;
	f->whys[place].status = f->spec.read(
		f->spec.arg, thread, index, &f->files[place], &f->whys[place]);
	if (!f->spec.is_cpu)
		decode(f, place);
}

int feed_card_threads(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores < 1 ? 1 : cores > FEED_MAX_THREADS ? FEED_MAX_THREADS : (int)cores;
}

enum status feed_open(const struct feed_spec *spec, struct feed **out, struct err *err)
{
	struct feed *f = xcalloc(1, sizeof *f);
	size_t room = AHEAD * (size_t)spec->batch;
	f->spec = *spec;
	f->image = (size_t)spec->input.px * (size_t)spec->input.px * 3;
	f->files = xcalloc(room, sizeof *f->files);
	f->rgb = xcalloc(room, f->image);
	f->whys = xcalloc(room, sizeof *f->whys);
	struct ring_spec ring = {.n_things = spec->n_files,
		.room = (int)room,
		.n_threads = spec->is_cpu ? READERS : feed_card_threads(),
		.make = make,
		.arg = f};
	enum status status = ring_open(&ring, &f->ring, err);
	if (status) {
		feed_close(f);
		return status;
	}
	*out = f;
	return OK;
}

int feed_next(struct feed *f, const uint8_t **rgb, const struct err **whys)
{
	ring_give_back(f->ring, f->n_held);
	int n = f->n_held = ring_take(f->ring, f->spec.batch);
	size_t first = place_of(f, f->n_taken);
	f->n_taken += n;
	if (f->spec.is_cpu) {
#pragma omp parallel for schedule(dynamic)
		for (int i = 0; i < n; i++)
			decode(f, first + (size_t)i);
	}
	*rgb = f->rgb + first * f->image;
	*whys = f->whys + first;
	return n;
}

void feed_close(struct feed *f)
{
	if (!f)
		return;
	ring_close(f->ring);
	for (size_t i = 0; i < AHEAD * (size_t)f->spec.batch; i++)
		free(f->files[i].bytes);
	free(f->files);
	free(f->rgb);
	free(f->whys);
	free(f);
}
