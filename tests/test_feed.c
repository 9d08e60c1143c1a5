/* labels: unit; timeout: 60 */
/* JPEGs to batches: in order, the same bits whether the team decodes or threads ahead, and the bad ones are told. */
#include "feed.h"
#include "support_photo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_FILES = 23, PX = 24, IMAGE = PX * PX * 3, CUT = 5, ABSENT = 17, ALIKE = 8 };

struct world {
	struct feed_file files[N_FILES];
	uint8_t want[N_FILES][IMAGE];
};

static const struct input_spec input = {.px = PX, .fit = INPUT_SQUASH, .focus = true};

/* CUT is cut short, ABSENT cannot be read; every ALIKE-th has a window. */
static void open_world(struct world *w)
{
	for (int i = 0; i < N_FILES; i++) {
		struct feed_file *f = &w->files[i];
		f->bytes = photo_bytes(
			&(struct photo_spec){.seed = i + 1, .patch_x = i, .patch_px = 20}, &f->n_bytes);
		if (i % ALIKE == 0)
			f->window = (struct input_window){0.25, 0.25, 0.5, 0.5, 3};
		if (i == CUT)
			f->n_bytes /= 2;
		else
			assert_int_equal(
				input_decode(f->bytes, f->n_bytes, &input, &f->window, w->want[i], NULL), OK);
	}
}

static void close_world(struct world *w)
{
	for (int i = 0; i < N_FILES; i++)
		free(w->files[i].bytes);
}

static enum status read_file(
	void *arg, int thread, int64_t index, struct feed_file *out, struct err *err)
{
	const struct world *w = arg;
	if (thread < 0 || thread > FEED_MAX_THREADS)
		return err_set(err, FAULT, "thread %d", thread);
	if (index == ABSENT)
		return err_set(err, NOT_FOUND, "it is gone");
	*out = w->files[index];
	out->bytes = xmalloc(out->n_bytes);
	memcpy(out->bytes, w->files[index].bytes, out->n_bytes);
	return OK;
}

static struct feed *open_feed(struct world *w, int batch, bool is_cpu)
{
	struct err err = {0};
	struct feed *feed = NULL;
	struct feed_spec spec = {.n_files = N_FILES,
		.batch = batch,
		.input = input,
		.is_cpu = is_cpu,
		.read = read_file,
		.arg = w};
	if (feed_open(&spec, &feed, &err))
		fail_msg("%s", err.text);
	return feed;
}

static void every_picture_comes_once_and_in_order(void **state)
{
	(void)state;
	static const int batches[] = {1, 3, 4, 23, 32};
	static struct world w;
	open_world(&w);
	for (size_t b = 0; b < 2 * sizeof batches / sizeof *batches; b++) {
		int batch = batches[b / 2], at = 0, n;
		struct feed *feed = open_feed(&w, batch, b % 2);
		const uint8_t *rgb;
		const struct err *whys;
		while ((n = feed_next(feed, &rgb, &whys)) > 0) {
			assert_int_equal(n, N_FILES - at < batch ? N_FILES - at : batch);
			for (int i = 0; i < n; i++, at++) {
				if (at == CUT) {
					assert_int_equal(whys[i].status, BAD_INPUT);
					assert_non_null(strstr(whys[i].text, "cut short"));
				} else if (at == ABSENT) {
					assert_int_equal(whys[i].status, NOT_FOUND);
					assert_string_equal(whys[i].text, "it is gone");
				} else {
					assert_int_equal(whys[i].status, OK);
					assert_memory_equal(rgb + i * IMAGE, w.want[at], IMAGE);
				}
			}
		}
		assert_int_equal(at, N_FILES);
		assert_int_equal(feed_next(feed, &rgb, &whys), 0);
		feed_close(feed);
	}
	close_world(&w);
}

/* What was read and not taken is freed: the sanitizers look. */
static void it_ends_when_the_net_has_enough(void **state)
{
	(void)state;
	static struct world w;
	open_world(&w);
	for (int enough = 0; enough < 6; enough++) {
		struct feed *feed = open_feed(&w, 2, enough % 2);
		const uint8_t *rgb;
		const struct err *whys;
		for (int i = 0; i < enough; i++)
			assert_int_equal(feed_next(feed, &rgb, &whys), 2);
		feed_close(feed);
	}
	feed_close(NULL);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_picture_comes_once_and_in_order),
		cmocka_unit_test(it_ends_when_the_net_has_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
