/*
 * The training of a whole net: steps, epochs, what is told after each, checkpoints and the best of what was seen. All
 * that a step does follows from the seed and the step's number, so that a run can go on from any of them.
 */
#include "train_part.h"

#include "augment.h"
#include "feed.h"
#include "train_checkpoint.h"
#include "train_schedule.h"
#include "train_set.h"
#include "train_target.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run {
	const struct train_spec *spec;
	const struct recipe *recipe;
	const struct train_set *set;
	struct model *model;
	int k, batch, n_epochs, n_steps; /* steps an epoch */
	int rank, n_ranks;
	double rate;
	const struct backend *backend;
	struct backend_ranks ranks;
	unsigned char rank_id[BACKEND_RANKS_ID_BYTES];
	void *handle;
	int *order, *shuffled;     /* [n_order]: of the set's items, those that are trained on */
	int n_order, order_epoch;  /* shuffled is of this epoch */
	int *kept_out, n_kept_out; /* of items */
	struct train_feed *feed;
	int64_t first_step; /* that the feed makes */
	uint8_t *spare;
	float *target, *weight, *layer_rate;
	float *start;         /* parameters; NULL: nothing of them is wanted at the end */
	struct checkpoint at; /* how far it is */
	char checkpoint[1300];
	double kept_s; /* when the checkpoint was written last */
	struct train_report *report;
};

/* The order of an epoch: Fisher and Yates, from the seed and the epoch alone. */
static void shuffle(struct run *r, int epoch)
{
	unsigned long long state = (r->spec->seed ^ 0x5851f42d4c957f2dull) +
		0xda942042e4dd58b5ull * (unsigned long long)epoch;
	memcpy(r->shuffled, r->order, (size_t)r->n_order * sizeof *r->order);
	for (int i = r->n_order - 1; i > 0; i--) {
		int j = (int)(train_uniform(&state) * (i + 1)), kept = r->shuffled[i];
		r->shuffled[i] = r->shuffled[j];
		r->shuffled[j] = kept;
	}
	r->order_epoch = epoch;
}

/* Of this rank's batch number n of the run. */
static unsigned long long batch_seed(const struct run *r, int64_t number)
{
	return r->spec->seed * 0x9e3779b97f4a7c15ull +
		(unsigned long long)(number * r->n_ranks + r->rank) + 1;
}

/* The set's items of a batch; the feed counts from where the run goes on. */
static unsigned long long draw_batch(void *arg, int64_t nth, int *which)
{
	struct run *r = arg;
	int64_t number = r->first_step + nth;
	int epoch = (int)(number / r->n_steps) + 1;
	int64_t first = number % r->n_steps * r->n_ranks + r->rank;
	if (epoch != r->order_epoch)
		shuffle(r, epoch);
	for (int b = 0; b < r->batch; b++)
		which[b] = r->shuffled[(first * r->batch + b) % r->n_order];
	return batch_seed(r, number);
}

static enum status run_step(struct run *r, struct backend_step *at, struct err *err)
{
	const struct train_set *set = r->set;
	int64_t number = r->at.step, n_steps = (int64_t)r->n_epochs * r->n_steps;
	const struct recipe *recipe = r->recipe;
	const int *which;
	uint8_t *rgb;
	enum status status = train_feed_next(r->feed, &rgb, &which, err);
	if (status)
		return status;
	for (int b = 0; b < r->batch; b++) {
		const struct train_item *item = &set->items[set->item[which[b]]];
		r->weight[b] = item->weight;
		train_target_smooth(
			&r->model->net, item->target, recipe->label_smoothing, r->target + b * r->k);
	}
	struct train_mix mix = {.rgb = rgb,
		.spare = r->spare,
		.target = r->target,
		.weight = r->weight,
		.n = r->batch,
		.k = r->k,
		.image_bytes = (size_t)set->input.px * (size_t)set->input.px * 3,
		.head_size = r->model->net.head_size,
		.n_heads = r->model->net.n_heads};
	train_mixup(&mix, recipe->mixup, batch_seed(r, number));
	*at = (struct backend_step){.rgb = rgb,
		.target = r->target,
		.weight = r->weight,
		.rule = recipe->rule,
		.rate = (float)train_rate_at(recipe, r->rate, number, n_steps),
		.momentum = (float)recipe->momentum,
		.weight_decay = (float)recipe->weight_decay,
		.beta2 = (float)recipe->beta2,
		.layer_rate = r->layer_rate,
		.clip = (float)recipe->clip,
		.is_norm_frozen = recipe->norm_frozen,
		.average = (float)train_average_at(recipe, number, n_steps)};
	status = r->backend->train_step(r->handle, at, err);
	if (!status && !isfinite(at->loss))
		status = err_set(err, FAULT, "training diverged at step %lld: the rate %g is too high",
			(long long)number, r->rate);
	return status;
}

static enum status keep(struct run *r, struct err *err)
{
	enum status status = OK;
	for (int i = 0; i < 4 && !status; i++)
		status = r->backend->read_state(r->handle, (enum backend_state)i, r->at.states[i], err);
	if (!status)
		status = checkpoint_write(&r->at, r->checkpoint, err);
	r->kept_s = train_now_s();
	return status;
}

static enum status stopped(struct run *r, struct err *err)
{
	enum status status = r->spec->checkpoint ? keep(r, err) : OK;
	return status ? status : err_set(err, CONFLICT, "stopped");
}

/* Goes on from a checkpoint of this run, if there is one. With ranks, all have one of the same step, or none goes on. */
static enum status resume(struct run *r, struct err *err)
{
	struct err why = {0};
	enum status status = OK;
	if (!r->spec->checkpoint)
		return OK;
	bool is_there = !checkpoint_read(&r->at, r->checkpoint, &why);
	if (r->n_ranks > 1) {
		/* Sums of a number and its square over the ranks tell whether it is the same on all. */
		float step = is_there ? (float)(r->at.step / r->n_steps) : -1,
			  sums[2] = {step, step * step};
		status = ranks_sum(r->spec->ranks, sums, 2, err);
		is_there = step >= 0 && sums[0] * sums[0] == (float)r->n_ranks * sums[1];
	}
	if (!is_there) {
		r->at.step = 0;
		r->at.loss_sum = r->at.n_right = 0;
		r->at.best_loss = INFINITY;
		r->at.best_epoch = 0;
		return status;
	}
	for (int i = 0; i < 4 && !status; i++)
		status = r->backend->write_state(
			r->handle, (enum backend_state)i, r->at.states[i], r->at.step, err);
	return status;
}

/* Rank 0's numbers, for all. */
static enum status agree(struct run *r, float *numbers, size_t n, struct err *err)
{
	if (r->n_ranks == 1)
		return OK;
	if (r->rank != 0)
		memset(numbers, 0, n * sizeof *numbers);
	return ranks_sum(r->spec->ranks, numbers, n, err);
}

/* What becomes of an average: the start's share of it (Wortsman et al., CVPR 2022). */
static void blend(const struct run *r, float *params)
{
	float share = (float)r->recipe->blend;
	for (size_t i = 0; r->start && i < r->model->net.n_floats; i++)
		params[i] += share * (r->start[i] - params[i]);
}

/* Looks at the average on the kept-out items and keeps it if it is the best. */
static enum status judge(struct run *r, int epoch, struct train_progress *p, struct err *err)
{
	struct model look = *r->model;
	float *average = r->at.states[BACKEND_AVERAGE], seen[2] = {0};
	enum status status = r->backend->read_state(r->handle, BACKEND_AVERAGE, average, err);
	if (status)
		return status;
	if (r->rank == 0) {
		look.params = xmalloc(look.net.n_floats * sizeof *look.params);
		memcpy(look.params, average, look.net.n_floats * sizeof *look.params);
		blend(r, look.params);
		train_shift_bias(&look, look.params, -r->recipe->logit_adjust);
		status = train_judge(r->spec, &look, r->set->items, r->kept_out, r->n_kept_out,
			&p->kept_out_loss, &p->kept_out_accuracy, err);
		free(look.params);
		if (status)
			return status;
		seen[0] = (float)p->kept_out_loss;
		seen[1] = (float)p->kept_out_accuracy;
	}
	status = agree(r, seen, 2, err);
	p->kept_out_loss = (double)seen[0];
	p->kept_out_accuracy = (double)seen[1];
	if (!status && p->kept_out_loss < r->at.best_loss) {
		r->at.best_loss = p->kept_out_loss;
		r->at.best_epoch = epoch;
		memcpy(r->at.best, average, look.net.n_floats * sizeof *average);
	}
	return status;
}

static enum status end_epoch(struct run *r, double start_s, int n_seen, struct err *err)
{
	int epoch = (int)(r->at.step / r->n_steps);
	struct train_progress p = {epoch, r->n_epochs, r->at.loss_sum / r->n_steps,
		r->at.n_right / ((double)r->n_steps * r->batch),
		n_seen / fmax(1e-9, train_now_s() - start_s), NAN, NAN};
	enum status status = OK;
	r->report->n_epochs = epoch;
	r->report->loss = p.loss;
	r->report->accuracy = p.accuracy;
	r->at.loss_sum = r->at.n_right = 0;
	if (r->recipe->patience && r->n_kept_out)
		status = judge(r, epoch, &p, err);
	if (status)
		return status;
	float is_stopped[2] = {(float)(r->spec->progress && r->spec->progress(r->spec->arg, &p)), 0};
	if (r->spec->stop && r->spec->stop(r->spec->arg))
		is_stopped[0] = 1;
	is_stopped[1] = (float)(train_now_s() - r->kept_s >= r->spec->checkpoint_s);
	/* A stop is anybody's: a launcher tells all ranks, each at another time. */
	if (r->n_ranks > 1)
		status = ranks_sum(r->spec->ranks, is_stopped, 2, err);
	if (!status && is_stopped[0] > 0)
		return stopped(r, err);
	if (!status && r->spec->checkpoint && is_stopped[1] > 0)
		status = keep(r, err);
	return status;
}

static bool is_over(const struct run *r)
{
	int64_t epoch = r->at.step / r->n_steps;
	return epoch >= r->n_epochs ||
		(r->recipe->patience && r->at.best_epoch &&
			epoch - r->at.best_epoch >= r->recipe->patience);
}

static enum status open_feed(struct run *r, struct err *err)
{
	r->first_step = r->at.step;
	struct train_plan plan = {.n_batches = (int64_t)r->n_epochs * r->n_steps - r->first_step,
		.batch = r->batch,
		.draw = draw_batch,
		.arg = r};
	int n_threads = backend_is_cpu(r->backend) ? 0 : feed_card_threads();
	return plan.n_batches > 0 ? train_feed_open(r->set, &plan, n_threads, &r->feed, err) : OK;
}

static enum status run_epochs(struct run *r, struct err *err)
{
	enum status status = resume(r, err);
	r->report->first_epoch = (int)(r->at.step / r->n_steps) + 1;
	r->report->n_epochs = r->report->first_epoch - 1;
	r->kept_s = train_now_s();
	if (!status)
		status = open_feed(r, err);
	while (!status && !is_over(r)) {
		double start_s = train_now_s();
		int n_seen = 0;
		do {
			struct backend_step at;
			if (r->n_ranks == 1 && r->spec->stop && r->spec->stop(r->spec->arg))
				return stopped(r, err);
			status = run_step(r, &at, err);
			if (status)
				return status;
			r->at.step++;
			r->at.loss_sum += at.loss;
			r->at.n_right += at.n_right;
			n_seen += r->batch;
		} while (r->at.step % r->n_steps);
		status = end_epoch(r, start_s, n_seen, err);
	}
	return status;
}

/* Every rank has seen other batches: the running statistics become their mean, and all have the same model. */
static enum status mean_statistics(struct run *r, float *params, struct err *err)
{
	const struct net *net = &r->model->net;
	enum status status = OK;
	for (int i = 0; i < net->n_params && r->n_ranks > 1 && !status; i++) {
		const struct net_param *p = &net->params[i];
		if (p->kind != NET_BN_MEAN && p->kind != NET_BN_VAR)
			continue;
		status = ranks_sum(r->spec->ranks, params + p->offset, p->n, err);
		for (size_t j = 0; j < p->n && !status; j++)
			params[p->offset + j] /= (float)r->n_ranks;
	}
	return status;
}

/* What the model file holds, into the model. */
static enum status finish(struct run *r, struct err *err)
{
	struct model *model = r->model;
	enum status status = r->backend->read_state(r->handle, BACKEND_AVERAGE, model->params, err);
	r->report->best_epoch = r->at.best_epoch;
	if (!status && r->recipe->patience && r->at.best_epoch)
		memcpy(model->params, r->at.best, model->net.n_floats * sizeof *model->params);
	if (!status)
		blend(r, model->params);
	if (!status)
		status = mean_statistics(r, model->params, err);
	train_shift_bias(model, model->params, -r->recipe->logit_adjust);
	return status;
}

/*
 * Epochs for so many items, where the caller leaves it to us. From scratch a net wants to see pictures some hundred
 * thousand times, however few they are: at 60,000 it still underfits (docs/model.md).
 */
static int choose_epochs(int n_items, int is_scratch)
{
	int n = (is_scratch ? 120000 : 6000) / n_items;
	int least = is_scratch ? 20 : 5, most = is_scratch ? 600 : 30;
	return n < least ? least : n > most ? most : n;
}

/* Which items are trained on and which are looked at. Without patience all are trained on. */
static enum status part_items(struct run *r, struct err *err)
{
	const struct train_set *set = r->set;
	for (int i = 0; i < set->n_items; i++) {
		if (r->recipe->patience && set->items[set->item[i]].is_kept_out)
			r->kept_out[r->n_kept_out++] = set->item[i];
		else
			r->order[r->n_order++] = i;
	}
	if (r->n_order < 2)
		return err_set(
			err, BAD_INPUT, "all but %d items are kept out: training wants 2 or more", r->n_order);
	return OK;
}

/* Each rank has its own: their running statistics differ. */
static void checkpoint_path(const struct train_spec *spec, char *out, size_t size)
{
	int rank = spec->ranks ? ranks_backend(spec->ranks)->rank : 0;
	const char *path = spec->checkpoint ? spec->checkpoint : "";
	if (rank)
		snprintf(out, size, "%.1200s.rank%d", path, rank);
	else
		snprintf(out, size, "%.1200s", path);
}

static void measure(struct run *r, const struct train_spec *spec)
{
	const struct backend_ranks *ranks = spec->ranks ? ranks_backend(spec->ranks) : NULL;
	r->rank = ranks ? ranks->rank : 0;
	r->n_ranks = ranks ? ranks->n_ranks : 1;
	r->batch = r->recipe->batch;
	r->n_epochs = spec->n_epochs ? spec->n_epochs : choose_epochs(r->n_order, !spec->from);
	r->n_steps = (r->n_order + r->batch * r->n_ranks - 1) / (r->batch * r->n_ranks);
	r->rate = recipe_rate(r->recipe, r->n_ranks);
	checkpoint_path(spec, r->checkpoint, sizeof r->checkpoint);
}

static void set_prior(struct run *r)
{
	int *which = xmalloc((size_t)r->n_order * sizeof *which);
	for (int i = 0; i < r->n_order; i++)
		which[i] = r->set->item[r->order[i]];
	train_target_prior(r->model, r->set->items, which, r->n_order);
	free(which);
}

/* Rank 0 makes what cards need to meet; a failure of its own is shared as nothing, so that nobody waits for it. */
static enum status meet(struct run *r, struct err *err)
{
	size_t n = 0;
	void *id = r->rank_id;
	r->ranks = *ranks_backend(r->spec->ranks);
	enum status made = r->rank ? OK : backend_rank_id(r->spec->device, r->rank_id, &n, err);
	struct err ignored;
	enum status status = ranks_share(r->spec->ranks, &id, &n, made ? &ignored : err);
	if (made || status)
		return made ? made : status;
	if (n == sizeof r->rank_id)
		r->ranks.nccl_id = r->rank_id;
	if (r->rank) {
		memcpy(r->rank_id, id, n <= sizeof r->rank_id ? n : 0);
		free(id);
	}
	return OK;
}

static enum status open_backend(struct run *r, struct err *err)
{
	struct model *model = r->model;
	enum status status = r->n_ranks > 1 ? meet(r, err) : OK;
	if (status)
		return status;
	struct backend_config config = {.net = &model->net,
		.params = model->params,
		.train_batch = r->batch,
		.precision = r->recipe->precision,
		.ranks = r->n_ranks > 1 ? &r->ranks : NULL};
	memcpy(config.mean, model->input.mean, sizeof config.mean);
	memcpy(config.std, model->input.std, sizeof config.std);
	return backend_open(r->spec->device, &config, &r->backend, &r->handle, err);
}

/* Trains model's parameters in place. */
static enum status run_training(struct model *model, const struct train_spec *spec,
	const struct train_set *set, struct train_report *report, struct err *err)
{
	struct run r = {.spec = spec,
		.recipe = train_recipe(spec),
		.set = set,
		.model = model,
		.k = model->net.n_classes,
		.report = report};
	size_t n_items = (size_t)set->n_items, px = (size_t)model->input.px;
	r.order = xmalloc(n_items * sizeof *r.order);
	r.shuffled = xmalloc(n_items * sizeof *r.shuffled);
	r.kept_out = xmalloc(n_items * sizeof *r.kept_out);
	enum status status = part_items(&r, err);
	if (status)
		goto done;
	measure(&r, spec);
	set_prior(&r);
	checkpoint_init(&r.at, model->net.n_floats);
	checkpoint_hash(spec, model, r.n_epochs, set->items, set->n_items, r.at.run);
	train_shift_bias(model, model->params, r.recipe->logit_adjust);
	size_t batch = (size_t)r.batch;
	r.spare = xmalloc(r.recipe->mixup > 0 ? batch * px * px * 3 : 1);
	r.target = xmalloc(batch * (size_t)r.k * sizeof *r.target);
	r.weight = xmalloc(batch * sizeof *r.weight);
	if (r.recipe->frozen_stages || r.recipe->layer_decay < 1 || r.recipe->relative) {
		r.layer_rate = xmalloc((size_t)model->net.n_params * sizeof *r.layer_rate);
		train_layer_rates(r.recipe, &model->net, model->params, r.layer_rate);
	}
	if (spec->from && r.recipe->blend > 0) {
		r.start = xmalloc(model->net.n_floats * sizeof *r.start);
		memcpy(r.start, model->params, model->net.n_floats * sizeof *r.start);
	}
	status = open_backend(&r, err);
	if (!status)
		status = run_epochs(&r, err);
	if (!status)
		status = finish(&r, err);
	train_feed_close(r.feed);
	if (r.handle)
		r.backend->close(r.handle);
done:
	checkpoint_release(&r.at);
	free(r.order);
	free(r.shuffled);
	free(r.kept_out);
	free(r.spare);
	free(r.target);
	free(r.weight);
	free(r.layer_rate);
	free(r.start);
	return status;
}

static enum status save(
	struct model *model, const struct train_spec *spec, const char *path, struct err *err)
{
	char own[1300];
	int rank = spec->ranks ? ranks_backend(spec->ranks)->rank : 0;
	enum status status = rank ? OK : model_save(model, path, NULL, err);
	if (status || !spec->checkpoint)
		return status;
	checkpoint_path(spec, own, sizeof own);
	unlink(own);
	return OK;
}

/*
 * From a model the head comes first: a new one says nothing of the classes yet, and what it asks of the backbone would spoil
 * that (Kumar et al., ICLR 2022). Rank 0's, for all.
 */
static enum status fit_head(struct model *model, const struct train_spec *spec,
	const struct train_item *items, int n_items, struct err *err)
{
	const struct net_param *fc = &model->net.params[model->net.n_params - 2];
	float *at = model->params + fc[0].offset;
	size_t n_bytes = (fc[0].n + fc[1].n) * sizeof *at, n = 0;
	struct train_spec head = *spec;
	struct train_report ignored = {0};
	struct err unheard;
	int rank = spec->ranks ? ranks_backend(spec->ranks)->rank : 0;
	head.n_epochs = 0;
	head.progress = NULL;
	head.skipped = NULL;
	enum status made = rank ? OK : train_head_fit(model, &head, items, n_items, &ignored, err);
	if (!spec->ranks)
		return made;
	void *shared = rank ? NULL : at;
	n = rank || made ? 0 : n_bytes;
	enum status status = ranks_share(spec->ranks, &shared, &n, made ? &unheard : err);
	if (!made && !status && n != n_bytes)
		status = err_set(err, FAULT, "rank 0 has no head to share");
	if (rank && !status)
		memcpy(at, shared, n);
	if (rank)
		free(shared);
	return made ? made : status;
}

enum status train_full(const struct train_spec *spec, const struct train_item *items, int n_items,
	const char *path, struct train_report *report, struct err *err)
{
	struct model *parent = NULL, *model = NULL;
	struct train_set *set = NULL;
	enum status status;
	if (spec->from) {
		status = model_load(spec->from, &parent, err);
		if (!status)
			status = train_adopt(
				parent, spec, spec->input_px ? spec->input_px : parent->input.px, &model, err);
	} else {
		struct model_head heads[NET_MAX_HEADS];
		int n_heads = train_heads(spec, heads);
		status = model_new_heads(
			spec->arch, heads, n_heads, spec->input_px, spec->seed, &model, err);
		if (!status) {
			model->input.fit = spec->fit;
			model->input.focus = spec->focus;
		}
	}
	if (!status)
		status = train_set_new(spec, items, n_items, &model->input, &set, report, err);
	if (!status && parent)
		status = fit_head(model, spec, items, n_items, err);
	if (!status)
		status = run_training(model, spec, set, report, err);
	if (!status) {
		train_set_history(model, spec, report->n_items);
		model_hash(model);
		status = save(model, spec, path, err);
	}
	train_set_free(set);
	model_free(model);
	model_free(parent);
	return status;
}
