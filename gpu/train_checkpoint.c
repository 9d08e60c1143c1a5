/* Checkpoints on disk. Numbers are written in hexadecimal floating point, so that they come back to the bit. */
#include "train_checkpoint.h"

#include "train_part.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TENSORS = 5 };

static const char *const names[N_TENSORS] = {"live", "average", "momentum", "second", "best"};
static const char version[] = "topi checkpoint 1";

void checkpoint_init(struct checkpoint *c, size_t n_floats)
{
	*c = (struct checkpoint){.n_floats = n_floats, .best_loss = INFINITY};
	for (int i = 0; i < 4; i++)
		c->states[i] = xcalloc(n_floats, sizeof(float));
	c->best = xcalloc(n_floats, sizeof(float));
}

void checkpoint_release(struct checkpoint *c)
{
	for (int i = 0; i < 4; i++)
		free(c->states[i]);
	free(c->best);
	*c = (struct checkpoint){0};
}

/* FNV-1a with 128 bits, over 4 bytes at once where there are many. */
struct hash {
	unsigned __int128 value;
};

static void add(struct hash *h, const void *bytes, size_t n)
{
	const unsigned __int128 prime = (unsigned __int128)1 << 88 | 0x13b;
	const uint8_t *at = bytes;
	for (; n >= 4; n -= 4, at += 4) {
		uint32_t word;
		memcpy(&word, at, 4);
		h->value = (h->value ^ word) * prime;
	}
	for (; n > 0; n--, at++)
		h->value = (h->value ^ *at) * prime;
}

static void add_text(struct hash *h, const char *text)
{
	add(h, text ? text : "", text ? strlen(text) + 1 : 0);
}

static void add_item(struct hash *h, const struct train_item *item, int k)
{
	add(h, item->target, (size_t)k * sizeof *item->target);
	add(h, &item->weight, sizeof item->weight);
	add(h, &item->is_kept_out, sizeof item->is_kept_out);
	add(h, &item->n_frames, sizeof item->n_frames);
	for (int i = 0; i < item->n_frames; i++) {
		const struct train_frame *frame = &item->frames[i];
		const char *slash = frame->path ? strrchr(frame->path, '/') : NULL;
		/* A worker's folder is another each time; the name in it holds the picture's hash. */
		add_text(h, slash ? slash : frame->path);
		if (frame->jpeg)
			add(h, frame->jpeg, frame->n_bytes);
		const struct input_window *w = &frame->window;
		add(h, (double[]){w->x, w->y, w->width, w->height, w->strength}, 5 * sizeof(double));
	}
}

void checkpoint_hash(const struct train_spec *spec, const struct model *model, int n_epochs,
	const struct train_item *items, int n_items, char *out)
{
	struct hash h = {(unsigned __int128)0x6c62272e07bb0142ull << 64 | 0x62b821756295c58dull};
	const struct backend_ranks *ranks = spec->ranks ? ranks_backend(spec->ranks) : NULL;
	int place[2] = {ranks ? ranks->rank : 0, ranks ? ranks->n_ranks : 1};
	char *recipe = recipe_write(train_recipe(spec));
	add_text(&h, recipe);
	free(recipe);
	add_text(&h, model->net.arch->name);
	add_text(&h, spec->device);
	add(&h, place, sizeof place);
	add(&h, &spec->seed, sizeof spec->seed);
	add(&h, &n_epochs, sizeof n_epochs);
	add(&h, &model->input.px, sizeof model->input.px);
	add(&h, &model->input.fit, sizeof model->input.fit);
	add(&h, &model->input.focus, sizeof model->input.focus);
	add(&h, model->params, model->net.n_floats * sizeof *model->params);
	for (int c = 0; c < model->net.n_classes; c++)
		add_text(&h, model->classes[c]);
	for (int i = 0; i < n_items; i++)
		add_item(&h, &items[i], model->net.n_classes);
	snprintf(out, 33, "%016llx%016llx", (unsigned long long)(h.value >> 64),
		(unsigned long long)h.value);
}

static float *tensor(const struct checkpoint *c, int i)
{
	return i < 4 ? c->states[i] : c->best;
}

enum status checkpoint_write(const struct checkpoint *c, const char *path, struct err *err)
{
	struct safetensors_out out[N_TENSORS];
	char step[24], sum[40], right[40], loss[40], epoch[24];
	int n = c->best_epoch > 0 ? N_TENSORS : N_TENSORS - 1;
	for (int i = 0; i < n; i++)
		out[i] = (struct safetensors_out){.name = names[i],
			.type = SAFETENSORS_F32,
			.n_dims = 1,
			.shape = {(int64_t)c->n_floats},
			.floats = tensor(c, i)};
	snprintf(step, sizeof step, "%lld", (long long)c->step);
	snprintf(epoch, sizeof epoch, "%d", c->best_epoch);
	snprintf(sum, sizeof sum, "%a", c->loss_sum);
	snprintf(right, sizeof right, "%a", c->n_right);
	snprintf(loss, sizeof loss, "%a", c->best_loss);
	const struct safetensors_pair pairs[] = {{"format", version}, {"run", c->run}, {"step", step},
		{"loss_sum", sum}, {"n_right", right}, {"best_loss", loss}, {"best_epoch", epoch}};
	return safetensors_write(path, out, n, pairs, sizeof pairs / sizeof *pairs, err);
}

static double number(const struct safetensors *file, const char *key)
{
	const char *text = safetensors_metadata(file, key);
	return text ? strtod(text, NULL) : NAN;
}

static enum status fill(struct checkpoint *c, const struct safetensors *file, struct err *err)
{
	double step = number(file, "step"), epoch = number(file, "best_epoch");
	c->loss_sum = number(file, "loss_sum");
	c->n_right = number(file, "n_right");
	c->best_loss = number(file, "best_loss");
	if (!(step >= 0 && step < 1e15 && epoch >= 0 && epoch < 1e9 && isfinite(c->loss_sum) &&
			isfinite(c->n_right) && !isnan(c->best_loss)))
		return err_set(err, BAD_INPUT, "its numbers are broken");
	c->step = (int64_t)step;
	c->best_epoch = (int)epoch;
	for (int i = 0; i < (epoch > 0 ? N_TENSORS : N_TENSORS - 1); i++) {
		const struct safetensors_tensor *t = safetensors_find(file, names[i]);
		if (!t || t->n != (int64_t)c->n_floats)
			return err_set(err, BAD_INPUT, "the checkpoint has no %s of this net", names[i]);
		enum status st = safetensors_floats(t, tensor(c, i), err);
		if (st)
			return st;
	}
	return OK;
}

enum status checkpoint_read(struct checkpoint *c, const char *path, struct err *err)
{
	struct safetensors *file = NULL;
	enum status st = safetensors_open(path, &file, err);
	if (st)
		return st;
	const char *format = safetensors_metadata(file, "format");
	const char *run = safetensors_metadata(file, "run");
	st = format && !strcmp(format, version) && run && !strcmp(run, c->run)
		? fill(c, file, err)
		: err_set(err, NOT_FOUND, "the checkpoint is of another run");
	safetensors_close(file);
	return st;
}
