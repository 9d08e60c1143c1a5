/* labels: unit; timeout: 120 */
/* Batches made ahead: the same bits however many threads make them, whether the pictures are kept or decoded again, and
 * damaged files are told and left out. */
#include "support_photo.h"
#include "train_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_ITEMS = 7, BATCH = 5, N_BATCHES = 9, PX = 24, BATCH_BYTES = BATCH * PX * PX * 3 };

struct skips {
	int n, item, frame;
	char why[200];
};

static void on_skipped(void *arg, int item, int frame, const struct err *why)
{
	struct skips *s = arg;
	s->n++;
	s->item = item;
	s->frame = frame;
	snprintf(s->why, sizeof s->why, "%s", why->text);
}

struct world {
	struct train_frame frames[N_ITEMS][2];
	struct train_item items[N_ITEMS];
	struct skips skips;
	struct train_set *set;
	struct train_report report;
};

/* Two frames an item; one of item 3's is cut short. */
static void open_world(struct world *w)
{
	static const float target[2] = {1, 0};
	struct train_spec spec = {.skipped = on_skipped, .arg = &w->skips};
	const struct input_spec input = {.px = PX, .fit = INPUT_SQUASH};
	struct err err = {0};
	for (int i = 0; i < N_ITEMS; i++) {
		for (int f = 0; f < 2; f++) {
			struct train_frame *frame = &w->frames[i][f];
			frame->jpeg = photo_bytes(
				&(struct photo_spec){
					.seed = 2 * i + f, .patch_x = 10 * i, .patch_y = 7 * i, .patch_px = 20 + f},
				&frame->n_bytes);
		}
		w->items[i] = (struct train_item){
			.frames = w->frames[i], .n_frames = 2, .target = target, .weight = 1};
	}
	w->frames[3][1].n_bytes /= 2;
	if (train_set_new(&spec, w->items, N_ITEMS, &input, &w->set, &w->report, &err))
		fail_msg("%s", err.text);
}

static void close_world(struct world *w)
{
	train_set_free(w->set);
	for (int i = 0; i < N_ITEMS; i++)
		for (int f = 0; f < 2; f++)
			free((void *)w->frames[i][f].jpeg);
}

static unsigned long long draw(void *arg, int64_t number, int *which)
{
	int64_t *next = arg;
	assert_int_equal(number, *next);
	(*next)++;
	for (int b = 0; b < BATCH; b++)
		which[b] = (int)(number * BATCH + b * 3) % N_ITEMS;
	return 77 + (unsigned long long)number;
}

static void run(const struct train_set *set, int n_threads, uint8_t *out)
{
	int64_t next = 0;
	struct train_plan plan = {N_BATCHES, BATCH, draw, &next};
	struct train_feed *feed = NULL;
	struct err err = {0};
	assert_int_equal(train_feed_open(set, &plan, n_threads, &feed, &err), OK);
	for (int number = 0; number < N_BATCHES; number++) {
		uint8_t *rgb;
		const int *which;
		if (train_feed_next(feed, &rgb, &which, &err))
			fail_msg("%s", err.text);
		for (int b = 0; b < BATCH; b++)
			assert_int_equal(which[b], (number * BATCH + b * 3) % N_ITEMS);
		memcpy(out + number * BATCH_BYTES, rgb, BATCH_BYTES);
	}
	assert_int_equal(next, N_BATCHES);
	train_feed_close(feed);
}

static void forget_pictures(struct train_set *set)
{
	for (int f = 0; f < set->first[set->n_items]; f++)
		image_rgb_release(&set->frames[f].picture);
}

static void threads_change_no_bit(void **state)
{
	(void)state;
	static uint8_t want[N_BATCHES * BATCH_BYTES], got[sizeof want];
	struct world w = {0};
	open_world(&w);
	run(w.set, 0, want);
	assert_memory_not_equal(want, want + BATCH_BYTES, BATCH_BYTES);
	for (int pass = 0; pass < 2; pass++, forget_pictures(w.set)) {
		for (int n_threads = 0; n_threads < 5; n_threads++) {
			memset(got, 0, sizeof got);
			run(w.set, n_threads, got);
			assert_memory_equal(got, want, sizeof want);
		}
	}
	close_world(&w);
}

static void damaged_frames_are_told_and_left_out(void **state)
{
	(void)state;
	struct world w = {0};
	open_world(&w);
	assert_int_equal(w.skips.n, 1);
	assert_int_equal(w.skips.item, 3);
	assert_int_equal(w.skips.frame, 1);
	assert_non_null(strstr(w.skips.why, "cut short"));
	assert_int_equal(w.report.n_frames, 2 * N_ITEMS - 1);
	assert_int_equal(w.report.n_skipped_frames, 1);
	close_world(&w);
}

/* A file that was good at the start and is not any more ends the run, and the feed can be closed. */
static void what_fails_later_is_an_error(void **state)
{
	(void)state;
	struct world w = {0};
	int64_t next = 0;
	struct train_plan plan = {N_BATCHES, BATCH, draw, &next};
	struct train_feed *feed = NULL;
	struct err err = {0};
	uint8_t *rgb;
	const int *which;
	open_world(&w);
	forget_pictures(w.set);
	for (int i = 0; i < N_ITEMS; i++)
		w.frames[i][0].n_bytes = w.frames[i][1].n_bytes = 100;
	assert_int_equal(train_feed_open(w.set, &plan, 2, &feed, &err), OK);
	assert_int_equal(train_feed_next(feed, &rgb, &which, &err), BAD_INPUT);
	train_feed_close(feed);
	train_feed_close(NULL);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_change_no_bit),
		cmocka_unit_test(damaged_frames_are_told_and_left_out),
		cmocka_unit_test(what_fails_later_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
