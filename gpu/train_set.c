/* Decoded frames, and batches of them made ahead. */
#include "train_set.h"

#include "ring.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

/* A window is kept with what lies around it, so that a crop may look a little wider or to a side. */
static const double context = 4.0 / 3;

static struct input_window with_context(const struct input_window *window)
{
	double w = fmin(window->width * context, 1), h = fmin(window->height * context, 1);
	double x = window->x + (window->width - w) / 2, y = window->y + (window->height - h) / 2;
	return (struct input_window){
		fmin(fmax(x, 0), 1 - w), fmin(fmax(y, 0), 1 - h), w, h, window->strength};
}

static enum status decode_picture(const struct train_set *set, const struct train_frame *frame,
	struct image_rgb *out, struct err *err)
{
	uint8_t *bytes = NULL;
	size_t n_bytes = frame->n_bytes;
	struct input_window window = with_context(&frame->window);
	enum status status = OK;
	if (!frame->jpeg)
		status = input_read_file(frame->path, &bytes, &n_bytes, err);
	if (!status)
		status = input_picture(frame->jpeg ? frame->jpeg : bytes, n_bytes, set->stored_px,
			set->input.fit, set->input.focus ? &window : NULL, out, err);
	free(bytes);
	return status;
}

enum status train_frame_decode(
	const struct train_frame *frame, const struct input_spec *input, uint8_t *rgb, struct err *err)
{
	return frame->jpeg ? input_decode(frame->jpeg, frame->n_bytes, input, &frame->window, rgb, err)
					   : input_load(frame->path, input, &frame->window, rgb, err);
}

/* Half of the machine's memory. */
static size_t memory_bytes(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
	return pages > 0 && size > 0 ? (size_t)pages * (size_t)size / 2 : (size_t)1 << 30;
}

/* The frames that decoded, item by item. */
static void keep_good(struct train_set *set, const struct train_spec *spec, int n_all,
	const int *starts, const struct err *whys, struct train_report *report)
{
	int n_frames = 0;
	for (int i = 0; i < n_all; i++) {
		set->first[set->n_items] = n_frames;
		for (int f = starts[i]; f < starts[i + 1]; f++) {
			if (whys[f].status == OK) {
				set->frames[n_frames++] = set->frames[f];
				continue;
			}
			report->n_skipped_frames++;
			if (spec->skipped)
				spec->skipped(spec->arg, i, f - starts[i], &whys[f]);
		}
		if (n_frames > set->first[set->n_items])
			set->item[set->n_items++] = i;
		else
			report->n_skipped_items++;
	}
	set->first[set->n_items] = n_frames;
	report->n_items = set->n_items;
	report->n_frames = n_frames;
}

enum status train_set_new(const struct train_spec *spec, const struct train_item *items,
	int n_items, const struct input_spec *input, struct train_set **out,
	struct train_report *report, struct err *err)
{
	struct train_set *set = xcalloc(1, sizeof *set);
	int *starts = xcalloc((size_t)n_items + 1, sizeof *starts);
	set->items = items;
	set->item = xcalloc((size_t)n_items + 1, sizeof *set->item);
	set->first = xcalloc((size_t)n_items + 1, sizeof *set->first);
	set->input = *input;
	set->stored_px = (int)ceil(input->px * (input->focus ? context : 8.0 / 7));
	for (int i = 0; i < n_items; i++)
		starts[i + 1] = starts[i] + items[i].n_frames;
	int n_all = starts[n_items];
	set->frames = xcalloc((size_t)n_all + 1, sizeof *set->frames);
	struct err *whys = xcalloc((size_t)n_all + 1, sizeof *whys);
	for (int i = 0; i < n_items; i++) {
		for (int f = 0; f < items[i].n_frames; f++)
			set->frames[starts[i] + f].source = &items[i].frames[f];
	}
	size_t each = (size_t)set->stored_px * (size_t)set->stored_px *
		(input->fit == INPUT_CROP ? 5 : 3);
	int is_kept = (size_t)n_all * each <= memory_bytes();
#pragma omp parallel for schedule(dynamic, 4)
	for (int f = 0; f < n_all; f++) {
		struct train_set_frame *frame = &set->frames[f];
		if (!decode_picture(set, frame->source, &frame->picture, &whys[f]) && !is_kept) {
			image_rgb_release(&frame->picture);
		}
	}
	keep_good(set, spec, n_items, starts, whys, report);
	free(whys);
	free(starts);
	if (set->n_items < 2) {
		enum status status = err_set(err, BAD_INPUT,
			"%d of %d items have a readable frame: training wants 2 or more", set->n_items,
			n_items);
		train_set_free(set);
		return status;
	}
	*out = set;
	return OK;
}

void train_set_free(struct train_set *set)
{
	if (!set)
		return;
	for (int f = 0; f < set->first[set->n_items]; f++)
		image_rgb_release(&set->frames[f].picture);
	free(set->frames);
	free(set->first);
	free(set->item);
	free(set);
}

enum { AHEAD = 2 }; /* batches: one that the net trains on, one that is being made */

struct train_feed {
	const struct train_set *set;
	struct train_plan plan;
	struct ring *ring; /* NULL: the taker's team makes a batch when it is wanted */
	size_t image;      /* bytes of a picture */
	int64_t next;      /* batch that the taker is given next */
	int n_held;
	/* Of batch number % AHEAD: */
	uint8_t *rgb;                    /* [AHEAD][batch][px][px][3] */
	int *which;                      /* [AHEAD][batch] */
	unsigned long long seeds[AHEAD]; /* of its chances */
	struct err *whys;                /* [AHEAD][batch] */
};

/* Plans are drawn by the taker, in order, before any of the batch's pictures can be begun. */
static void draw_plan(struct train_feed *f, int64_t number)
{
	int at = (int)(number % AHEAD);
	if (number < f->plan.n_batches)
		f->seeds[at] = f->plan.draw(f->plan.arg, number, f->which + at * f->plan.batch);
}

static void make_picture(void *arg, int thread, int64_t index)
{
	struct train_feed *f = arg;
	const struct train_set *set = f->set;
	size_t batch = (size_t)f->plan.batch, at = (size_t)index % (AHEAD * batch);
	unsigned long long state = f->seeds[at / batch] ^
		(unsigned long long)(at % batch + 1) * 0xd1342543de82ef95ull;
	int which = f->which[at], first = set->first[which];
	int n_frames = set->first[which + 1] - first;
	const struct train_set_frame *frame =
		&set->frames[first + (int)(train_uniform(&state) * n_frames)];
	struct image_rgb decoded = {0};
	(void)thread;
	f->whys[at].status = OK;
	if (!frame->picture.pixels && decode_picture(set, frame->source, &decoded, &f->whys[at]))
		return;
	augment_picture(frame->picture.pixels ? &frame->picture : &decoded, &set->input, &state,
		f->rgb + at * f->image);
	image_rgb_release(&decoded);
}

enum status train_feed_open(const struct train_set *set, const struct train_plan *plan,
	int n_threads, struct train_feed **out, struct err *err)
{
	struct train_feed *f = xcalloc(1, sizeof *f);
	size_t room = AHEAD * (size_t)plan->batch;
	f->set = set;
	f->plan = *plan;
	f->image = (size_t)set->input.px * (size_t)set->input.px * 3;
	f->rgb = xmalloc(room * f->image);
	f->which = xcalloc(room, sizeof *f->which);
	f->whys = xcalloc(room, sizeof *f->whys);
	for (int number = 0; number < AHEAD; number++)
		draw_plan(f, number);
	struct ring_spec spec = {.n_things = plan->n_batches * plan->batch,
		.room = (int)room,
		.n_threads = n_threads,
		.make = make_picture,
		.arg = f};
	enum status status = n_threads ? ring_open(&spec, &f->ring, err) : OK;
	if (status) {
		train_feed_close(f);
		return status;
	}
	*out = f;
	return OK;
}

enum status train_feed_next(struct train_feed *f, uint8_t **rgb, const int **which, struct err *err)
{
	int batch = f->plan.batch, at = (int)(f->next % AHEAD);
	if (f->next > 0)
		draw_plan(f, f->next + AHEAD - 1);
	if (f->ring) {
		ring_give_back(f->ring, f->n_held);
		f->n_held = ring_take(f->ring, batch);
	} else {
#pragma omp parallel for schedule(dynamic)
		for (int b = 0; b < batch; b++)
			make_picture(f, 0, f->next * batch + b);
	}
	f->next++;
	*rgb = f->rgb + (size_t)(at * batch) * f->image;
	*which = f->which + at * batch;
	for (int b = 0; b < batch; b++) {
		const struct err *why = &f->whys[at * batch + b];
		if (why->status)
			return err_set(err, why->status, "%s", why->text);
	}
	return OK;
}

void train_feed_close(struct train_feed *f)
{
	if (!f)
		return;
	ring_close(f->ring);
	free(f->rgb);
	free(f->which);
	free(f->whys);
	free(f);
}
