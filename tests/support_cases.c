/* Reads check files whole: they are small, and a test looks its arrays up by name. */
#include "support_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Copies the field before the next comma and returns what follows it, or NULL. */
static const char *take_field(const char *at, char *out, size_t size)
{
	const char *comma = strchr(at, ',');
	if (!comma || (size_t)(comma - at) >= size)
		return NULL;
	memcpy(out, at, (size_t)(comma - at));
	out[comma - at] = 0;
	return comma + 1;
}

static const char *take_count(const char *at, int *out)
{
	char *end = NULL;
	const long value = strtol(at, &end, 10);
	*out = (int)value;
	return end == at || *end != ',' || value < 1 || value > 1000000 ? NULL : end + 1;
}

static bool parse_array(const char *line, struct case_array *out)
{
	const char *at = take_field(line, out->name, sizeof out->name);
	at = at ? take_field(at, out->side, sizeof out->side) : NULL;
	at = at ? take_field(at, out->key, sizeof out->key) : NULL;
	at = at ? take_count(at, &out->n_rows) : NULL;
	at = at ? take_count(at, &out->n_cols) : NULL;
	if (!at || (strcmp(out->side, "in") != 0 && strcmp(out->side, "out") != 0))
		return false;
	const size_t n = (size_t)out->n_rows * (size_t)out->n_cols;
	out->values = xcalloc(n, sizeof *out->values);
	for (size_t i = 0; i < n; i++) {
		char *end = NULL;
		out->values[i] = strtod(at, &end);
		if (end == at || *end != (i + 1 < n ? ',' : 0))
			return false;
		at = end + 1;
	}
	return true;
}

enum status cases_load(const char *path, struct cases *out, struct err *err)
{
	*out = (struct cases){0};
	FILE *file = fopen(path, "r");
	if (!file)
		return err_set(err, NOT_FOUND, "%s cannot be opened", path);
	enum status status = OK;
	char *line = NULL;
	size_t line_size = 0;
	for (int number = 1; status == OK && getline(&line, &line_size, file) >= 0; number++) {
		line[strcspn(line, "\r\n")] = 0;
		out->arrays = xrealloc(out->arrays, (size_t)(out->n_arrays + 1) * sizeof *out->arrays);
		struct case_array *array = &out->arrays[out->n_arrays++];
		*array = (struct case_array){0};
		if (!parse_array(line, array))
			status = err_set(err, BAD_INPUT,
				"%s:%d: a line case,in|out,name,rows,cols,values... is needed", path, number);
	}
	free(line);
	fclose(file);
	if (status != OK)
		cases_release(out);
	return status;
}

void cases_release(struct cases *cases)
{
	for (int i = 0; i < cases->n_arrays; i++)
		free(cases->arrays[i].values);
	free(cases->arrays);
	*cases = (struct cases){0};
}

const struct case_array *cases_find(
	const struct cases *cases, const char *name, const char *side, const char *key)
{
	for (int i = 0; i < cases->n_arrays; i++) {
		const struct case_array *array = &cases->arrays[i];
		if (strcmp(array->name, name) == 0 && strcmp(array->side, side) == 0 &&
			strcmp(array->key, key) == 0)
			return array;
	}
	return NULL;
}

bool cases_has(const struct cases *cases, const char *name)
{
	for (int i = 0; i < cases->n_arrays; i++)
		if (strcmp(cases->arrays[i].name, name) == 0)
			return true;
	return false;
}
