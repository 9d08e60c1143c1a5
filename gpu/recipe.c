/* Recipes are a table: a field's name, where it lies, and what it may be. */
#include "recipe.h"

#include <assert.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct recipe recipe_default = {.batch = 32,
	.rule = BACKEND_SGD,
	.momentum = 0.9,
	.beta2 = 0.999,
	.weight_decay = 5e-4,
	.schedule = RECIPE_COSINE,
	.warm_up = 0.05,
	.step_every = 1.0 / 3,
	.step_factor = 0.1,
	.label_smoothing = 0.05,
	.average = 0.05,
	.layer_decay = 1,
	.precision = BACKEND_FASTEST,
	.l2 = 1e-3};

const struct recipe recipe_tuning = {.batch = 32,
	.rule = BACKEND_ADAMW,
	.momentum = 0.9,
	.beta2 = 0.999,
	.weight_decay = 0.01,
	.schedule = RECIPE_COSINE,
	.warm_up = 0.05,
	.step_every = 1.0 / 3,
	.step_factor = 0.1,
	.average = 0.05,
	.norm_frozen = true,
	.layer_decay = 1,
	.relative = true,
	.blend = 0.5,
	.precision = BACKEND_FASTEST,
	.l2 = 1e-3};

enum kind { INT, REAL, BOOL, WORD };

struct field {
	const char *name;
	size_t at;
	enum kind kind;
	double low, high;
	const char *words[4]; /* WORD: by the enum's value */
};

#define AT(field) #field, offsetof(struct recipe, field)

static const struct field fields[] = {
	{AT(batch), INT, 1, 4096, {0}},
	{AT(rule), WORD, 0, 0, {"sgd", "adamw"}},
	{AT(rate), REAL, 0, 10, {0}},
	{AT(momentum), REAL, 0, 0.9999, {0}},
	{AT(beta2), REAL, 0, 0.99999, {0}},
	{AT(weight_decay), REAL, 0, 1, {0}},
	{AT(schedule), WORD, 0, 0, {"cosine", "step"}},
	{AT(warm_up), REAL, 0, 0.5, {0}},
	{AT(step_every), REAL, 0.001, 1, {0}},
	{AT(step_factor), REAL, 0.001, 1, {0}},
	{AT(label_smoothing), REAL, 0, 0.9, {0}},
	{AT(logit_adjust), REAL, 0, 4, {0}},
	{AT(mixup), REAL, 0, 1, {0}},
	{AT(clip), REAL, 0, 1e6, {0}},
	{AT(average), REAL, 0, 1, {0}},
	{AT(patience), INT, 0, 10000, {0}},
	{AT(norm_frozen), BOOL, 0, 0, {0}},
	{AT(layer_decay), REAL, 0.01, 1, {0}},
	{AT(frozen_stages), INT, 0, 5, {0}},
	{AT(relative), BOOL, 0, 0, {0}},
	{AT(blend), REAL, 0, 1, {0}},
	{AT(precision), WORD, 0, 0, {"single", "half", "fastest"}},
	{AT(l2), REAL, 1e-9, 1e3, {0}},
};

enum { N_FIELDS = sizeof fields / sizeof *fields };

static_assert(sizeof(enum backend_rule) == sizeof(int) &&
		sizeof(enum recipe_schedule) == sizeof(int) &&
		sizeof(enum backend_precision) == sizeof(int),
	"words are stored as ints");

static enum status read_word(const struct field *f, const json_t *value, void *to, struct err *err)
{
	const char *word = json_string_value(value), *last = "";
	char list[80] = "";
	for (int i = 0; f->words[i]; i++) {
		if (word && !strcmp(word, f->words[i])) {
			memcpy(to, &i, sizeof i);
			return OK;
		}
		snprintf(list + strlen(list), sizeof list - strlen(list), "%s\"%s\"", last, f->words[i]);
		last = " or ";
	}
	return err_set(err, BAD_INPUT, "the recipe's %s is %s%.30s%s: wanted %s", f->name,
		word ? "\"" : "", word ? word : "no text", word ? "\"" : "", list);
}

static enum status read_field(
	const struct field *f, const json_t *value, struct recipe *out, struct err *err)
{
	void *to = (char *)out + f->at;
	double number = json_number_value(value);
	if (f->kind == WORD)
		return read_word(f, value, to, err);
	if (f->kind == BOOL) {
		bool is_true = json_is_true(value);
		if (!json_is_boolean(value))
			return err_set(err, BAD_INPUT, "the recipe's %s is true or false", f->name);
		memcpy(to, &is_true, sizeof is_true);
		return OK;
	}
	if (!(f->kind == INT ? json_is_integer(value) : json_is_number(value)))
		return err_set(err, BAD_INPUT, "the recipe's %s is no %s", f->name,
			f->kind == INT ? "whole number" : "number");
	if (!(number >= f->low && number <= f->high))
		return err_set(err, BAD_INPUT, "the recipe's %s is %g: wanted %g to %g", f->name, number,
			f->low, f->high);
	int whole = (int)number;
	memcpy(to, f->kind == INT ? (const void *)&whole : &number,
		f->kind == INT ? sizeof whole : sizeof number);
	return OK;
}

enum status recipe_read(
	const char *json, const struct recipe *base, struct recipe *out, struct err *err)
{
	json_error_t why;
	const char *name;
	json_t *value;
	*out = *base;
	if (!json)
		return OK;
	json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, &why);
	enum status st = OK;
	if (!object)
		st = err_set(err, BAD_INPUT, "the recipe is no JSON: line %d: %.100s", why.line, why.text);
	else if (!json_is_object(object))
		st = err_set(err, BAD_INPUT, "the recipe is no JSON object");
	json_object_foreach(object, name, value)
	{
		int i = 0;
		while (i < N_FIELDS && strcmp(fields[i].name, name))
			i++;
		if (st == OK && i == N_FIELDS)
			st = err_set(err, BAD_INPUT, "a recipe has no field '%.40s'", name);
		if (st == OK)
			st = read_field(&fields[i], value, out, err);
	}
	json_decref(object);
	return st;
}

char *recipe_write(const struct recipe *recipe)
{
	json_t *object = json_object();
	for (int i = 0; i < N_FIELDS; i++) {
		const struct field *f = &fields[i];
		const char *from = (const char *)recipe + f->at;
		json_t *value = NULL;
		int whole = 0;
		double number;
		bool is_true;
		switch (f->kind) {
		case INT:
			memcpy(&whole, from, sizeof whole);
			value = json_integer(whole);
			break;
		case REAL:
			memcpy(&number, from, sizeof number);
			value = json_real(number);
			break;
		case BOOL:
			memcpy(&is_true, from, sizeof is_true);
			value = json_boolean(is_true);
			break;
		case WORD:
			memcpy(&whole, from, sizeof whole);
			value = json_string(f->words[whole]);
			break;
		}
		json_object_set_new(object, f->name, value);
	}
	char *text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

double recipe_rate(const struct recipe *recipe, int n_ranks)
{
	double for_64 = recipe->relative ? 0.01 : recipe->rule == BACKEND_SGD ? 0.1 : 1e-3;
	return recipe->rate > 0 ? recipe->rate : for_64 * recipe->batch * n_ranks / 64;
}
