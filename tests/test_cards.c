/* labels: unit; timeout: 60 */
/* `cuda:all` over two cards that are the reference: what they say together is what one says. */
#include "backend_cards.h"
#include "support_net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CARDS 2

static int n_cards(void)
{
	return CARDS;
}

static enum status id_of_nobody(void *id, struct err *err)
{
	(void)err;
	memset(id, 7, BACKEND_RANKS_ID_BYTES);
	return OK;
}

static int n_opened, n_closed;

static enum status open_card(const struct backend_config *config, void **handle, struct err *err)
{
	struct backend_config own = *config;
	own.ranks = NULL; /* they do not know each other */
	__atomic_add_fetch(&n_opened, 1, __ATOMIC_SEQ_CST);
	return backend_reference.open(&own, handle, err);
}

static void close_card(void *handle)
{
	n_closed += handle != NULL;
	backend_reference.close(handle);
}

static struct backend cards_of_reference(void)
{
	struct backend b = backend_reference;
	b.open = open_card;
	b.close = close_card;
	b.n_devices = n_cards;
	b.new_id = id_of_nobody;
	return b;
}

static void pictures_are_spread(void **state)
{
	(void)state;
	const struct backend cuda = cards_of_reference(), *all;
	struct fixture *f = fixture_new(0);
	float *x = calloc((size_t)(2 * BATCH * f->net.n_features), sizeof *x), logits[2][BATCH * K];
	void *handle, *one;
	f->config.train_batch = 0;
	n_opened = n_closed = 0;
	assert_int_equal(backend_cards_open(&cuda, &f->config, &all, &handle, NULL), OK);
	assert_int_equal(n_opened, CARDS);
	one = fixture_open(&backend_reference, f);
	for (int n = 1; n <= BATCH; n++) {
		assert_int_equal(all->infer(handle, f->rgb, n, logits[0], x, NULL), OK);
		assert_int_equal(
			backend_reference.infer(one, f->rgb, n, logits[1], x + BATCH * f->net.n_features, NULL),
			OK);
		assert_memory_equal(logits[0], logits[1], (size_t)(n * K) * sizeof(float));
		assert_memory_equal(
			x, x + BATCH * f->net.n_features, (size_t)(n * f->net.n_features) * sizeof(float));
	}
	all->close(handle);
	backend_reference.close(one);
	assert_int_equal(n_closed, CARDS);
	free(x);
	fixture_free(f);
}

/* Each has its part of the batch; what the step says is of all. */
static void batches_are_parted(void **state)
{
	(void)state;
	const struct backend cuda = cards_of_reference(), *all;
	struct fixture *f = fixture_new(0);
	struct err err;
	void *handle;
	double loss = 0;
	int n_right = 0;
	struct backend_step step = {.rgb = f->rgb, .target = f->target, .weight = f->weight};
	f->config.train_batch = BATCH - 1;
	assert_int_equal(backend_cards_open(&cuda, &f->config, &all, &handle, &err), BAD_INPUT);
	assert_string_equal(err.text, "a batch of 3 cannot be parted over 2 cards");
	f->config.train_batch = BATCH;
	assert_int_equal(backend_cards_open(&cuda, &f->config, &all, &handle, NULL), OK);
	assert_int_equal(all->train_step(handle, &step, NULL), OK);
	all->close(handle);
	f->config.train_batch = BATCH / CARDS;
	for (int i = 0; i < CARDS; i++) {
		struct backend_step own = {.rgb = f->rgb + i * BATCH / CARDS * PX * PX * 3,
			.target = f->target + i * BATCH / CARDS * K,
			.weight = f->weight + i * BATCH / CARDS};
		void *one = fixture_open(&backend_reference, f);
		assert_int_equal(backend_reference.train_step(one, &own, NULL), OK);
		backend_reference.close(one);
		loss += own.loss / CARDS;
		n_right += own.n_right;
	}
	assert_true(step.loss == loss);
	assert_int_equal(step.n_right, n_right);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pictures_are_spread),
		cmocka_unit_test(batches_are_parted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
