/* Decoded frames and augmentation. */
#include "train_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

double train_uniform(unsigned long long *state)
{
	unsigned long long z = *state += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static double between(unsigned long long *state, double low, double high)
{
	return low + (high - low) * train_uniform(state);
}

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
	struct picture *out, struct err *err)
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
			free(frame->picture.rgb);
			frame->picture.rgb = NULL;
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
		free(set->frames[f].picture.rgb);
	free(set->frames);
	free(set->first);
	free(set->item);
	free(set);
}

struct change {
	double x, y, w, h; /* the rectangle that becomes the picture */
	int is_flipped;
	float gain[3], offset; /* of R, G, B */
	int is_grey;
};

/* Camera traps: an animal may stand at the border and be small, so a crop keeps at least four fifths
 * of the frame there, and of a window with its context two fifths; light, haze and colour differ by hour
 * and site; at night all is grey. */
static struct change draw_change(
	const struct picture *picture, const struct input_spec *input, unsigned long long *state)
{
	struct change c;
	double least_area = input->fit == INPUT_CROP ? 0.3 : input->focus ? 0.4 : 0.8;
	double area = between(state, least_area, 1);
	double aspect = exp(between(state, -log(4.0 / 3), log(4.0 / 3)));
	double side = picture->w < picture->h ? picture->w : picture->h;
	c.w = fmin(sqrt(area * aspect) * side, picture->w);
	c.h = fmin(sqrt(area / aspect) * side, picture->h);
	c.x = between(state, 0, picture->w - c.w);
	c.y = between(state, 0, picture->h - c.h);
	c.is_flipped = train_uniform(state) < 0.5;
	c.is_grey = train_uniform(state) < 0.15;
	double light = between(state, 0.7, 1.4), contrast = between(state, 0.7, 1.3);
	for (int i = 0; i < 3; i++)
		c.gain[i] = (float)(light * contrast * (c.is_grey ? 1 : between(state, 0.9, 1.1)));
	c.offset = (float)(light * (1 - contrast) * 110); /* contrast turns about a middle grey */
	return c;
}

/* Where output i of n reads: a pixel, its neighbour and the share of the neighbour. */
struct tap {
	int a, b;
	float share;
};

static void draw_taps(double from, double length, int n_in, int n, int is_flipped, struct tap *taps)
{
	for (int i = 0; i < n; i++) {
		double at = from + (i + 0.5) * length / n - 0.5;
		at = at < 0 ? 0 : at > n_in - 1 ? n_in - 1 : at;
		int a = (int)at;
		taps[is_flipped ? n - 1 - i : i] = (struct tap){
			a, a + 1 < n_in ? a + 1 : a, (float)(at - a)};
	}
}

static uint8_t to_byte(float v)
{
	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : (int)(v + 0.5f));
}

static void apply(const struct picture *in, const struct change *c, int px, uint8_t *out)
{
	struct tap *across = xmalloc(2 * (size_t)px * sizeof *across), *down = across + px;
	draw_taps(c->x, c->w, in->w, px, c->is_flipped, across);
	draw_taps(c->y, c->h, in->h, px, 0, down);
	for (int y = 0; y < px; y++) {
		const uint8_t *upper = in->rgb + (size_t)down[y].a * (size_t)in->w * 3;
		const uint8_t *lower = in->rgb + (size_t)down[y].b * (size_t)in->w * 3;
		float v = down[y].share;
		for (int x = 0; x < px; x++) {
			int a = 3 * across[x].a, b = 3 * across[x].b;
			float u = across[x].share, rgb[3];
			for (int i = 0; i < 3; i++) {
				float top = (float)upper[a + i] + u * (float)(upper[b + i] - upper[a + i]);
				float bottom = (float)lower[a + i] + u * (float)(lower[b + i] - lower[a + i]);
				rgb[i] = top + v * (bottom - top);
			}
			if (c->is_grey)
				rgb[0] = rgb[1] = rgb[2] = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
			for (int i = 0; i < 3; i++)
				*out++ = to_byte(rgb[i] * c->gain[i] + c->offset);
		}
	}
	free(across);
}

enum status train_set_batch(const struct train_set *set, const int *which, int n,
	unsigned long long seed, uint8_t *rgb, struct err *err)
{
	size_t image = (size_t)set->input.px * (size_t)set->input.px * 3;
	struct err *whys = xcalloc((size_t)n, sizeof *whys);
	enum status status = OK;
#pragma omp parallel for schedule(static)
	for (int b = 0; b < n; b++) {
		unsigned long long state = seed ^ (unsigned long long)(b + 1) * 0xd1342543de82ef95ull;
		int first = set->first[which[b]], n_frames = set->first[which[b] + 1] - first;
		const struct train_set_frame *frame =
			&set->frames[first + (int)(train_uniform(&state) * n_frames)];
		struct picture picture = frame->picture;
		if (!picture.rgb && decode_picture(set, frame->source, &picture, &whys[b]))
			continue;
		struct change change = draw_change(&picture, &set->input, &state);
		apply(&picture, &change, set->input.px, rgb + (size_t)b * image);
		if (!frame->picture.rgb)
			free(picture.rgb);
	}
	for (int b = 0; b < n && !status; b++) {
		if (whys[b].status)
			status = err_set(err, whys[b].status, "%s", whys[b].text);
	}
	free(whys);
	return status;
}
