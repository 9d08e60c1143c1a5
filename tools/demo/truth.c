/* Reads the truth back, line by line. */
#include "truth.h"

#include "taxa.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

static int row_of(struct truth_row *row, const char *line)
{
	const char *event, *deployment, *taxon;
	json_t *files, *like, *json = json_loads(line, 0, NULL);
	int ok = json_unpack(json, "{s:s, s:s, s:o, s:s, s:o, s:F, s:b}", "event", &event, "deployment",
				 &deployment, "files", &files, "taxon", &taxon, "lookalike", &like, "difficulty",
				 &row->difficulty, "night", &row->night) == 0;
	if (ok) {
		row->event = xstrdup(event);
		row->deployment = (int)strtol(deployment + (*deployment == 'D'), NULL, 10);
		row->taxon = taxon_of(taxon);
		row->lookalike = json_is_string(like) ? taxon_of(json_string_value(like)) : -1;
		size_t i;
		json_t *file;
		json_array_foreach(files, i, file) if (json_is_string(file) && i < TRUTH_MAX_FILES)
			row->files[row->n_files++] = xstrdup(json_string_value(file));
		ok = row->deployment > 0 && row->taxon >= 0 && row->n_files > 0;
	}
	json_decref(json);
	return ok;
}

enum status truth_load(struct truth *out, const char *path, struct err *err)
{
	*out = (struct truth){0};
	FILE *in = fopen(path, "r");
	if (!in)
		return err_set(err, NOT_FOUND, "cannot read %s: %m", path);
	char *line = NULL;
	size_t size = 0, room = 0;
	enum status status = OK;
	while (status == OK && getline(&line, &size, in) > 0) {
		if ((size_t)out->n == room) {
			room = room ? 2 * room : 1024;
			out->rows = xrealloc(out->rows, room * sizeof *out->rows);
		}
		out->rows[out->n] = (struct truth_row){0};
		if (!row_of(&out->rows[out->n++], line))
			status = err_set(err, BAD_INPUT, "%s line %d is not a line of truth", path, out->n);
	}
	free(line);
	fclose(in);
	return status;
}

void truth_release(struct truth *t)
{
	for (int i = 0; i < t->n; i++) {
		free(t->rows[i].event);
		for (int f = 0; f < t->rows[i].n_files; f++)
			free(t->rows[i].files[f]);
	}
	free(t->rows);
	*t = (struct truth){0};
}
