/* A handle for each card, and a thread for each in every call: cards wait for each other only
 * inside NCCL. */
#include "backend_cards.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CARDS 64

struct cards;

struct card {
	struct cards *all;
	struct backend_config config;
	struct backend_ranks ranks;
	void *handle;
	/* Of the call that is under way: */
	int first, n; /* pictures */
	const uint8_t *rgb;
	float *logits, *embeddings;
	struct backend_step step;
	enum status status;
	struct err err;
};

struct cards {
	const struct backend *cuda;
	const struct net *net;
	int n, train_batch;
	uint8_t id[BACKEND_RANKS_ID_BYTES];
	struct card card[MAX_CARDS];
};

/* Runs f for every card at once. Returns the first failure by number. */
static enum status on_all(struct cards *all, void *(*f)(void *card), struct err *err)
{
	pthread_t threads[MAX_CARDS];
	int is_started[MAX_CARDS] = {0};
	for (int i = 1; i < all->n; i++)
		is_started[i] = !pthread_create(&threads[i], NULL, f, &all->card[i]);
	f(&all->card[0]);
	for (int i = 1; i < all->n; i++) {
		if (is_started[i])
			pthread_join(threads[i], NULL);
		else
			all->card[i].status = err_set(&all->card[i].err, FAULT, "no thread for card %d", i);
	}
	for (int i = 0; i < all->n; i++) {
		if (all->card[i].status)
			return err_set(err, all->card[i].status, "%s", all->card[i].err.text);
	}
	return OK;
}

static void *open_card(void *arg)
{
	struct card *c = arg;
	c->status = c->all->cuda->open(&c->config, &c->handle, &c->err);
	return NULL;
}

static void *infer_card(void *arg)
{
	struct card *c = arg;
	const struct net *net = c->all->net;
	size_t at = (size_t)c->first, picture = (size_t)net->input_px * (size_t)net->input_px * 3;
	c->status = OK;
	if (c->n > 0)
		c->status = c->all->cuda->infer(c->handle, c->rgb + at * picture, c->n,
			c->logits + at * (size_t)net->n_classes,
			c->embeddings ? c->embeddings + at * (size_t)net->n_features : NULL, &c->err);
	return NULL;
}

static void *step_card(void *arg)
{
	struct card *c = arg;
	c->status = c->all->cuda->train_step(c->handle, &c->step, &c->err);
	return NULL;
}

static void cards_close(void *handle)
{
	struct cards *all = handle;
	if (!all)
		return;
	for (int i = 0; i < all->n; i++)
		all->cuda->close(all->card[i].handle);
	free(all);
}

static enum status cards_infer(
	void *handle, const uint8_t *rgb, int n, float *logits, float *embeddings, struct err *err)
{
	struct cards *all = handle;
	int part = (n + all->n - 1) / all->n;
	for (int i = 0; i < all->n; i++) {
		struct card *c = &all->card[i];
		c->first = i * part < n ? i * part : n;
		c->n = n - c->first < part ? n - c->first : part;
		c->rgb = rgb;
		c->logits = logits;
		c->embeddings = embeddings;
	}
	return on_all(all, infer_card, err);
}

static enum status cards_train_step(void *handle, struct backend_step *step, struct err *err)
{
	struct cards *all = handle;
	size_t part = (size_t)(all->train_batch / all->n);
	size_t picture = (size_t)all->net->input_px * (size_t)all->net->input_px * 3;
	for (int i = 0; i < all->n; i++) {
		struct backend_step *own = &all->card[i].step;
		*own = *step;
		own->rgb += (size_t)i * part * picture;
		own->target += (size_t)i * part * (size_t)all->net->n_classes;
		own->weight += (size_t)i * part;
		own->gradient = i ? NULL : step->gradient;
	}
	enum status status = on_all(all, step_card, err);
	if (status)
		return status;
	step->loss = 0;
	step->n_right = 0;
	step->norm = all->card[0].step.norm;
	for (int i = 0; i < all->n; i++) {
		step->loss += all->card[i].step.loss / all->n;
		step->n_right += all->card[i].step.n_right;
	}
	return OK;
}

static enum status cards_read_state(
	void *handle, enum backend_state which, float *out, struct err *err)
{
	struct cards *all = handle;
	return all->cuda->read_state(all->card[0].handle, which, out, err);
}

static enum status cards_write_state(
	void *handle, enum backend_state which, const float *in, int64_t n_steps, struct err *err)
{
	struct cards *all = handle;
	enum status status = OK;
	for (int i = 0; i < all->n && !status; i++)
		status = all->cuda->write_state(all->card[i].handle, which, in, n_steps, err);
	return status;
}

static enum status cards_features(
	void *handle, const uint8_t *rgb, int n, float *planes, struct err *err)
{
	struct cards *all = handle;
	return all->cuda->features(all->card[0].handle, rgb, n, planes, err);
}

static const struct backend backend_cards = {
	.abi = BACKEND_ABI,
	.name = "cuda",
	.infer = cards_infer,
	.features = cards_features,
	.train_step = cards_train_step,
	.read_state = cards_read_state,
	.write_state = cards_write_state,
	.close = cards_close,
};

enum status backend_cards_open(const struct backend *cuda, const struct backend_config *config,
	const struct backend **out, void **handle, struct err *err)
{
	int n = cuda->n_devices(), n_used = n < MAX_CARDS ? n : MAX_CARDS;
	if (n_used < 2) { /* the card itself, or why there is none */
		*out = cuda;
		return cuda->open(config, handle, err);
	}
	if (config->ranks)
		return err_set(err, BAD_INPUT, "cuda:all and a launcher's ranks: each rank has one card");
	if (config->train_batch % n_used)
		return err_set(err, BAD_INPUT, "a batch of %d cannot be parted over %d cards",
			config->train_batch, n_used);
	struct cards *all = xcalloc(1, sizeof *all);
	all->cuda = cuda;
	all->net = config->net;
	all->n = n_used;
	all->train_batch = config->train_batch;
	enum status status = all->train_batch ? cuda->new_id(all->id, err) : OK;
	for (int i = 0; i < n_used; i++) {
		struct card *c = &all->card[i];
		c->all = all;
		c->config = *config;
		c->config.device = i;
		c->config.train_batch = config->train_batch / n_used;
		c->ranks = (struct backend_ranks){.rank = i, .n_ranks = n_used, .nccl_id = all->id};
		c->config.ranks = all->train_batch ? &c->ranks : NULL;
	}
	if (!status)
		status = on_all(all, open_card, err);
	if (status) {
		cards_close(all);
		return status;
	}
	*out = &backend_cards;
	*handle = all;
	return OK;
}
