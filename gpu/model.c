/* Models in memory: made, named, hashed, given another head. Their files: model_read.c, model_write.c. */
#include "model_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_free(struct model *model)
{
	if (!model)
		return;
	for (int i = 0; model->classes && i < model->net.n_classes; i++)
		free(model->classes[i]);
	for (int i = 0; i < model->n_extra; i++) {
		free(model->extra_keys[i]);
		free(model->extra_values[i]);
	}
	for (int h = 0; h < NET_MAX_HEADS; h++)
		free(model->heads[h]);
	free(model->classes);
	free(model->extra_keys);
	free(model->extra_values);
	free(model->prior);
	free(model->params);
	free(model);
}

const char *model_get(const struct model *model, const char *key)
{
	for (int i = 0; i < model->n_extra; i++) {
		if (!strcmp(model->extra_keys[i], key))
			return model->extra_values[i];
	}
	return NULL;
}

void model_set(struct model *model, const char *key, const char *value)
{
	int i = 0;
	while (i < model->n_extra && strcmp(model->extra_keys[i], key))
		i++;
	if (i < model->n_extra) {
		free(model->extra_values[i]);
		model->extra_values[i] = value ? xstrdup(value) : NULL;
		if (value)
			return;
		free(model->extra_keys[i]);
		model->n_extra--;
		memmove(&model->extra_keys[i], &model->extra_keys[i + 1],
			(size_t)(model->n_extra - i) * sizeof *model->extra_keys);
		memmove(&model->extra_values[i], &model->extra_values[i + 1],
			(size_t)(model->n_extra - i) * sizeof *model->extra_values);
		return;
	}
	if (!value)
		return;
	size_t n_bytes = (size_t)(model->n_extra + 1) * sizeof(char *);
	model->extra_keys = xrealloc(model->extra_keys, n_bytes);
	model->extra_values = xrealloc(model->extra_values, n_bytes);
	model->extra_keys[model->n_extra] = xstrdup(key);
	model->extra_values[model->n_extra++] = xstrdup(value);
}

/* FNV-1a of 128 bits (Fowler, Noll, Vo), taken in words of 4 bytes. It tells backbones apart; it is
 * no seal. */
static void hash_words(unsigned __int128 *hash, const void *data, size_t n_words)
{
	static const unsigned __int128 prime = (unsigned __int128)1 << 88 | 0x13b;
	const uint8_t *at = data;
	for (size_t i = 0; i < n_words; i++) {
		uint32_t word;
		memcpy(&word, at + 4 * i, 4);
		*hash = (*hash ^ word) * prime;
	}
}

static const unsigned __int128 hash_start = (unsigned __int128)0x6c62272e07bb0142ull << 64 |
	0x62b821756295c58dull;

static void hash_text(unsigned __int128 hash, char *out)
{
	snprintf(out, 33, "%016llx%016llx", (unsigned long long)(hash >> 64), (unsigned long long)hash);
}

void model_hash_bytes(const void *data, size_t n, char *out)
{
	unsigned __int128 hash = hash_start;
	hash_words(&hash, data, n / 4);
	hash_text(hash, out);
}

void model_hash(struct model *model)
{
	unsigned __int128 hash = hash_start;
	char what[64] = {0};
	snprintf(what, sizeof what, "%s %d %d%s", model->net.arch->name, model->input.px,
		(int)model->input.fit, model->input.focus ? " focus" : "");
	hash_words(&hash, what, sizeof what / 4);
	hash_words(&hash, model->input.mean, 3);
	hash_words(&hash, model->input.std, 3);
	for (int i = 0; i < model->net.n_params; i++) {
		const struct net_param *p = &model->net.params[i];
		if (p->kind != NET_FC_WEIGHT && p->kind != NET_FC_BIAS)
			hash_words(&hash, model->params + p->offset, p->n);
	}
	hash_text(hash, model->backbone);
}

/* The labels of a model's logits: what the heads name. */
struct labels {
	char **classes;
	double *prior;
	char *heads[NET_MAX_HEADS];
};

static void labels_init(
	struct labels *labels, const struct model_head *heads, int n_heads, int n_classes)
{
	char number[16];
	int at = 0;
	*labels = (struct labels){0};
	labels->classes = xcalloc((size_t)n_classes, sizeof *labels->classes);
	labels->prior = xcalloc((size_t)n_classes, sizeof *labels->prior);
	for (int h = 0; h < n_heads; h++) {
		if (n_heads > 1)
			labels->heads[h] = xstrdup(heads[h].name);
		for (int i = 0; i < heads[h].n_classes; i++, at++) {
			snprintf(number, sizeof number, "%d", i);
			labels->classes[at] = xstrdup(heads[h].classes ? heads[h].classes[i] : number);
			labels->prior[at] = 1.0 / heads[h].n_classes;
		}
	}
}

/* The net of these heads. Errors: as net_init and net_set_heads. */
static enum status net_of(struct net *net, const struct net_arch *arch,
	const struct model_head *heads, int n_heads, int input_px, struct err *err)
{
	int sizes[NET_MAX_HEADS] = {0}, n_classes = 0;
	for (int h = 0; h < n_heads && h < NET_MAX_HEADS; h++) {
		if (heads[h].n_classes < 1 || heads[h].n_classes > NET_MAX_CLASSES - n_classes)
			return err_set(err, BAD_INPUT, "head %d has %d classes: wanted 1 to %d in all", h,
				heads[h].n_classes, NET_MAX_CLASSES);
		sizes[h] = heads[h].n_classes;
		n_classes += sizes[h];
	}
	enum status status = net_init(net, arch, n_classes, input_px, err);
	return status || n_heads == 1 ? status : net_set_heads(net, sizes, n_heads, err);
}

/* A model with everything but its parameters' values. */
enum status model_empty(const struct net_arch *arch, const struct model_head *heads, int n_heads,
	int input_px, struct model **out, struct err *err)
{
	struct model *model = xcalloc(1, sizeof *model);
	struct labels labels;
	enum status status = net_of(&model->net, arch, heads, n_heads, input_px, err);
	if (status) {
		free(model);
		return status;
	}
	model->input = (struct input_spec){.px = input_px,
		.fit = INPUT_SQUASH,
		.mean = INPUT_IMAGENET_MEAN,
		.std = INPUT_IMAGENET_STD};
	model->params = xcalloc(model->net.n_floats, sizeof *model->params);
	labels_init(&labels, heads, n_heads, model->net.n_classes);
	model->classes = labels.classes;
	model->prior = labels.prior;
	memcpy(model->heads, labels.heads, sizeof model->heads);
	*out = model;
	return OK;
}

enum status model_new_heads(const char *arch, const struct model_head *heads, int n_heads,
	int input_px, unsigned long long seed, struct model **out, struct err *err)
{
	const struct net_arch *found = net_arch_find(arch);
	if (!found)
		return err_set(err, BAD_INPUT,
			"arch %.40s: wanted resnet10s, resnet18, resnet34, resnet50, resnet101 or resnet152",
			arch);
	enum status status = model_empty(
		found, heads, n_heads, input_px ? input_px : found->input_px, out, err);
	if (status)
		return status;
	net_init_params(&(*out)->net, seed, (*out)->params);
	model_hash(*out);
	return OK;
}

enum status model_new(const char *arch, const char *const *classes, int n_classes, int input_px,
	unsigned long long seed, struct model **out, struct err *err)
{
	const struct model_head head = {"species", classes, n_classes};
	return model_new_heads(arch, &head, 1, input_px, seed, out, err);
}

enum status model_copy(const struct model *model, int input_px, struct model **out, struct err *err)
{
	struct model_head heads[NET_MAX_HEADS];
	const struct net *net = &model->net;
	int px = input_px ? input_px : model->input.px;
	for (int h = 0, at = 0; h < net->n_heads; at += net->head_size[h++])
		heads[h] = (struct model_head){
			model->heads[h], (const char *const *)model->classes + at, net->head_size[h]};
	enum status status = model_empty(net->arch, heads, net->n_heads, px, out, err);
	if (status)
		return status;
	memcpy((*out)->params, model->params, net->n_floats * sizeof *model->params);
	memcpy((*out)->prior, model->prior, (size_t)net->n_classes * sizeof *model->prior);
	(*out)->input = model->input;
	(*out)->input.px = px;
	model_hash(*out);
	return OK;
}

/* Which of the model's logits is that class of that head; -1: it does not know it. */
static int known_class(const struct model *model, const char *head, const char *class)
{
	for (int h = 0, at = 0; h < model->net.n_heads; at += model->net.head_size[h++]) {
		if (head && model->heads[h] && strcmp(head, model->heads[h]))
			continue;
		for (int i = 0; i < model->net.head_size[h]; i++) {
			if (!strcmp(class, model->classes[at + i]))
				return at + i;
		}
	}
	return -1;
}

enum status model_replace_head(struct model *model, const struct model_head *heads, int n_heads,
	unsigned long long seed, struct err *err)
{
	struct model *fresh = NULL;
	const struct net *old = &model->net;
	enum status status = model_empty(old->arch, heads, n_heads, old->input_px, &fresh, err);
	if (status)
		return status;
	const struct net_param *to = &fresh->net.params[fresh->net.n_params - 2];
	const struct net_param *from = &old->params[old->n_params - 2];
	size_t d = (size_t)old->n_features;
	net_init_params(&fresh->net, seed, fresh->params);
	memcpy(fresh->params, model->params, from->offset * sizeof *fresh->params);
	for (int h = 0, at = 0; h < n_heads; h++) {
		for (int i = 0; i < heads[h].n_classes; i++, at++) {
			int known = known_class(model, fresh->heads[h], fresh->classes[at]);
			if (known < 0)
				continue;
			memcpy(fresh->params + to[0].offset + (size_t)at * d,
				model->params + from[0].offset + (size_t)known * d, d * sizeof *fresh->params);
			fresh->params[to[1].offset + (size_t)at] =
				model->params[from[1].offset + (size_t)known];
		}
	}
	/* All but the head's labels stays where it was. */
	fresh->input = model->input;
	memcpy(fresh->backbone, model->backbone, sizeof fresh->backbone);
	fresh->n_extra = model->n_extra;
	fresh->extra_keys = model->extra_keys;
	fresh->extra_values = model->extra_values;
	model->n_extra = 0;
	model->extra_keys = model->extra_values = NULL;
	struct model swap = *model;
	*model = *fresh;
	*fresh = swap;
	model_free(fresh);
	return OK;
}

enum status model_name_classes(struct model *model, const char *path, struct err *err)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	int n = 0, is_csv = 0;
	if (!file)
		return err_set(err, NOT_FOUND, "%s: cannot be read", path);
	for (int row = 0; (length = getline(&line, &room, file)) >= 0; row++) {
		line[strcspn(line, "\r\n")] = 0;
		if (row == 0 && !strncmp(line, "index,", 6)) {
			is_csv = 1;
			continue;
		}
		if (!*line)
			continue;
		const char *comma = is_csv ? strchr(line, ',') : NULL;
		comma = comma ? strchr(comma + 1, ',') : NULL;
		if (n < model->net.head_size[0]) {
			free(model->classes[n]);
			model->classes[n] = xstrdup(comma ? comma + 1 : line);
		}
		n++;
	}
	free(line);
	fclose(file);
	if (n != model->net.head_size[0])
		return err_set(
			err, BAD_INPUT, "%s: %d classes; the model has %d", path, n, model->net.head_size[0]);
	return OK;
}
