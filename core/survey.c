/* One table of questions; the words that may answer them stand beside. */
#include "survey.h"

#include "texts.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const sexes[] = {"female", "male", NULL};
static const char *const life_stages[] = {"adult", "subadult", "juvenile", NULL};

/* Questions of yes and no in a survey; with words: one of them is the answer. */
static const struct question {
	const char *name;
	const char *const *words; /* NULL: true or false, or (count) none of our business here */
} questions[] = {{"count", NULL}, {"young", NULL}, {"sex", sexes}, {"life_stage", life_stages}};

enum { N_QUESTIONS = sizeof questions / sizeof *questions };

static bool is_question(const char *name)
{
	for (int i = 0; i < N_QUESTIONS; i++)
		if (strcmp(questions[i].name, name) == 0)
			return true;
	return false;
}

static bool is_in(const json_t *list, const json_t *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (json_equal(json_array_get(list, i), text))
			return true;
	return false;
}

/* Behaviours stand between "|" in files. */
static bool is_word(const json_t *text)
{
	const char *word = json_string_value(text);
	return word && *word && json_string_length(text) <= SURVEY_BEHAVIOUR && !strpbrk(word, "|;=\n");
}

static enum status check_behaviours(const json_t *list, struct err *err)
{
	size_t n = json_array_size(list);
	bool good = json_is_array(list) && n <= SURVEY_MAX_BEHAVIOURS;
	for (size_t i = 0; good && i < n; i++)
		good = is_word(json_array_get(list, i)) && !is_in(list, json_array_get(list, i), i);
	return good ? OK
				: err_set(err, BAD_INPUT,
					  "survey: \"behaviours\" must be a list of at most %d different words of 1 to "
					  "%d bytes without | ; =",
					  SURVEY_MAX_BEHAVIOURS, SURVEY_BEHAVIOUR);
}

/* {word: {language: text}} of the survey's own words. */
static enum status check_behaviour_names(
	const json_t *names, const json_t *behaviours, struct err *err)
{
	const char *word;
	json_t *texts;
	enum status st = OK;
	if (!json_is_object(names))
		return err_set(err, BAD_INPUT,
			"survey: \"behaviour_names\" must be an object, such as {\"eating\": {\"fr\": "
			"\"mange\"}}");
	json_object_foreach((json_t *)names, word, texts)
	{
		json_t *text = json_string(word);
		if (st == OK && !is_in(behaviours, text, json_array_size(behaviours)))
			st = err_set(err, BAD_INPUT,
				"survey: \"behaviour_names\": '%.40s' is not among the behaviours", word);
		json_decref(text);
		if (st == OK)
			st = texts_check_languages(word, "behaviour_names", texts, 200, err);
	}
	return st;
}

enum status survey_check(const json_t *survey, struct err *err)
{
	const char *name;
	json_t *value;
	enum status st = OK;
	if (!json_is_object(survey))
		return err_set(err, BAD_INPUT, "survey: an object is wanted, such as {\"count\": true}");
	json_object_foreach((json_t *)survey, name, value)
	{
		if (strcmp(name, "behaviours") == 0)
			st = check_behaviours(value, err);
		else if (strcmp(name, "behaviour_names") == 0)
			st = check_behaviour_names(value, json_object_get(survey, "behaviours"), err);
		else if (!is_question(name))
			st = err_set(err, BAD_INPUT,
				"survey: there is no question '%.40s': count, young, sex, life_stage and "
				"behaviours can be asked",
				name);
		else if (!json_is_boolean(value))
			st = err_set(err, BAD_INPUT, "survey: \"%s\" must be true or false", name);
		if (st != OK)
			return st;
	}
	return OK;
}

static enum status take_behaviours(
	const json_t *asked, const json_t *given, json_t *out, struct err *err)
{
	size_t n = json_array_size(given);
	if (!json_is_array(given))
		return err_set(err, BAD_INPUT, "\"behaviours\" must be a list of the project's words");
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_array_get(given, i);
		if (!is_in(asked, one, json_array_size(asked)))
			return err_set(err, BAD_INPUT, "the project has no behaviour '%.60s'",
				json_is_string(one) ? json_string_value(one) : "that is no text");
		if (is_in(given, one, i))
			return err_set(
				err, BAD_INPUT, "the behaviour '%.60s' is named twice", json_string_value(one));
	}
	json_object_set(out, "behaviours", (json_t *)given);
	return OK;
}

static enum status take_word(
	const struct question *q, const json_t *given, json_t *out, struct err *err)
{
	const char *text = json_string_value(given);
	const char *const *word = q->words;
	if (!word && !json_is_boolean(given))
		return err_set(err, BAD_INPUT, "\"%s\" must be true or false", q->name);
	while (word && *word && (!text || strcmp(*word, text) != 0))
		word++;
	if (word && !*word)
		return err_set(err, BAD_INPUT, "\"%s\" must be %s, %s%s%s", q->name, q->words[0],
			q->words[1], q->words[2] ? " or " : "", q->words[2] ? q->words[2] : "");
	json_object_set(out, q->name, (json_t *)given);
	return OK;
}

enum status survey_details(const char *survey, const json_t *entry, char **details, struct err *err)
{
	json_t *asked = json_loads(survey, 0, NULL);
	json_t *out = json_object();
	enum status st = OK;
	*details = NULL;
	for (int i = 0; st == OK && i <= N_QUESTIONS; i++) {
		const char *name = i < N_QUESTIONS ? questions[i].name : "behaviours";
		const json_t *given = json_object_get(entry, name);
		const json_t *wanted = json_object_get(asked, name);
		if (!given || json_is_null(given) || strcmp(name, "count") == 0)
			continue;
		if (!json_is_true(wanted) && !json_is_array(wanted))
			st = err_set(err, BAD_INPUT, "the project does not ask for \"%s\"", name);
		else if (i == N_QUESTIONS)
			st = take_behaviours(wanted, given, out, err);
		else
			st = take_word(&questions[i], given, out, err);
	}
	if (st == OK)
		*details = json_dumps(out, JSON_COMPACT);
	json_decref(asked);
	json_decref(out);
	return st;
}

long long count_bin(long long count)
{
	return count >= COUNT_MANY ? COUNT_MANY : count >= COUNT_ELEVEN ? COUNT_ELEVEN : count;
}

void count_text(long long count, char out[24])
{
	long long bin = count_bin(count);
	if (bin == COUNT_MANY)
		snprintf(out, 24, "%d+", COUNT_MANY);
	else if (bin == COUNT_ELEVEN)
		snprintf(out, 24, "%d-%d", COUNT_ELEVEN, COUNT_MANY - 1);
	else
		snprintf(out, 24, "%lld", bin);
}

static void add_head(json_t *heads, const char *name, json_t *classes)
{
	json_array_append_new(heads, json_pack("{s:s, s:o}", "name", name, "classes", classes));
}

json_t *survey_heads(const char *survey)
{
	static const long long more[] = {COUNT_ELEVEN, COUNT_MANY};
	char text[sizeof "behaviour:" + SURVEY_BEHAVIOUR];
	json_t *asked = json_loads(survey, 0, NULL), *heads = json_array(), *word;
	size_t i;
	if (json_is_true(json_object_get(asked, "count"))) {
		json_t *bins = json_array();
		for (long long n = 1; n < COUNT_ELEVEN + 2; n++) {
			count_text(n < COUNT_ELEVEN ? n : more[n - COUNT_ELEVEN], text);
			json_array_append_new(bins, json_string(text));
		}
		add_head(heads, "count", bins);
	}
	if (json_is_true(json_object_get(asked, "young")))
		add_head(heads, "young", json_pack("[s, s]", "no", "yes"));
	json_array_foreach(json_object_get(asked, "behaviours"), i, word)
	{
		snprintf(text, sizeof text, "behaviour:%s", json_string_value(word));
		add_head(heads, text, json_pack("[s, s]", "no", "yes"));
	}
	json_decref(asked);
	return heads;
}

static void say(json_t *said, const char *head, const char *class)
{
	json_t *of = json_object_get(said, head);
	if (!of) {
		of = json_object();
		json_object_set_new(said, head, of);
	}
	json_object_set_new(
		of, class, json_integer(json_integer_value(json_object_get(of, class)) + 1));
}

void survey_tally(const char *survey, long long count, const char *details, json_t *said)
{
	char text[sizeof "behaviour:" + SURVEY_BEHAVIOUR];
	json_t *asked = json_loads(survey, 0, NULL), *given = json_loads(details, 0, NULL), *word;
	const json_t *young = json_object_get(given, "young");
	const json_t *behaviours = json_object_get(given, "behaviours");
	size_t i;
	if (count > 0 && json_is_true(json_object_get(asked, "count"))) {
		count_text(count, text);
		say(said, "count", text);
	}
	if (young && json_is_true(json_object_get(asked, "young")))
		say(said, "young", json_is_true(young) ? "yes" : "no");
	json_array_foreach(json_object_get(asked, "behaviours"), i, word)
	{
		snprintf(text, sizeof text, "behaviour:%s", json_string_value(word));
		if (behaviours)
			say(said, text, is_in(behaviours, word, json_array_size(behaviours)) ? "yes" : "no");
	}
	json_decref(asked);
	json_decref(given);
}
