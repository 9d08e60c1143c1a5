/*
 * Reading the manifest (manifest.h). Texts go into chunks that never move, so rows hold plain
 * pointers; a text equal to the one in the same column of the row before is not stored again, which
 * makes ten million rows of a few deployments fit in memory. The index by file is an open-addressed
 * table of row numbers, at most half full.
 */
#include "manifest.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "csv.h"

#define CHUNK_BYTES (1 << 20)

struct chunk {
	struct chunk *next;
	size_t used, room;
	char bytes[];
};

struct manifest_store {
	struct chunk *chunks;
	uint32_t *slots; /* row number + 1, 0 is empty */
	size_t n_slots;  /* a power of two */
	size_t room_rows;
};

enum column { FILE_COLUMN, DEPLOYMENT, TIMESTAMP, EVENT, LATITUDE, LONGITUDE, LABEL, N_COLUMNS };

static const char *const column_names[N_COLUMNS] = {
	"file", "deployment", "timestamp", "event", "latitude", "longitude", "label"};

struct reading {
	struct csv_reader *csv;
	const char *name;
	struct manifest *manifest;
	struct manifest_errors *errors;
	int at[N_COLUMNS]; /* field of each known column, -1 where absent */
	int n_fields;
	char **others; /* [n_fields] names of the columns that are metadata, NULL for known ones */
	bool out_of_memory;
};

/* One line more of what is wrong; text gets "name:line: " in front where line > 0. */
__attribute__((format(printf, 3, 4))) static void complain(
	struct reading *r, int64_t line, const char *format, ...)
{
	struct manifest_errors *e = r->errors;
	char what[300], whole[600];
	if (e->n++ >= MANIFEST_MAX_ERRORS)
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	if (line > 0)
		snprintf(whole, sizeof whole, "%s:%lld: %s", r->name, (long long)line, what);
	else
		snprintf(whole, sizeof whole, "%s", what);
	e->text[e->n_kept++] = xstrdup(whole);
}

/* A copy that lives as long as the manifest; NULL when memory is out. */
static const char *keep(struct manifest_store *store, const char *text)
{
	size_t n = strlen(text) + 1;
	struct chunk *c = store->chunks;
	if (n == 1)
		return "";
	if (!c || c->room - c->used < n) {
		size_t room = n > CHUNK_BYTES ? n : CHUNK_BYTES;
		c = malloc(sizeof *c + room);
		if (!c)
			return NULL;
		*c = (struct chunk){.next = store->chunks, .room = room};
		store->chunks = c;
	}
	char *copy = c->bytes + c->used;
	memcpy(copy, text, n);
	c->used += n;
	return copy;
}

/* FNV-1a. */
static uint64_t hash(const char *text)
{
	uint64_t h = 14695981039346656037u;
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 1099511628211u;
	return h;
}

/* The slot that holds that file, or the empty one where it belongs. */
static uint32_t *slot_of(const struct manifest *m, const char *file)
{
	size_t mask = m->store->n_slots - 1;
	size_t i = (size_t)(hash(file) >> 7) & mask;
	while (m->store->slots[i] && strcmp(m->rows[m->store->slots[i] - 1].file, file) != 0)
		i = (i + 1) & mask;
	return &m->store->slots[i];
}

const struct manifest_row *manifest_find(const struct manifest *manifest, const char *file)
{
	if (manifest->n_rows == 0)
		return NULL;
	uint32_t row = *slot_of(manifest, file);
	return row ? &manifest->rows[row - 1] : NULL;
}

/* Room for one row more, in the array and in the index. */
static bool grow(struct manifest *m)
{
	struct manifest_store *store = m->store;
	if (m->n_rows < store->room_rows)
		return true;
	size_t room = store->room_rows ? store->room_rows * 2 : 1024;
	struct manifest_row *rows = realloc(m->rows, room * sizeof *rows);
	if (!rows)
		return false;
	m->rows = rows;
	uint32_t *slots = room < UINT32_MAX ? calloc(room * 2, sizeof *slots) : NULL;
	if (!slots)
		return false;
	free(store->slots);
	store->slots = slots;
	store->n_slots = room * 2;
	store->room_rows = room;
	for (size_t i = 0; i < m->n_rows; i++)
		*slot_of(m, m->rows[i].file) = (uint32_t)i + 1;
	return true;
}

/* Takes "./" and doubled slashes out of a path, in place; says what is wrong with it, or NULL. */
static const char *tidy_path(char *path)
{
	char *to = path;
	if (path[0] == '/' || (path[0] && path[1] == ':' && (path[2] == '\\' || path[2] == '/')))
		return "is absolute: name it from the imported folder on";
	if (strchr(path, '\\'))
		return "has a backslash: write folders with /";
	for (const char *from = path; *from;) {
		size_t n = strcspn(from, "/");
		if (n == 2 && from[0] == '.' && from[1] == '.')
			return "leads out of the imported folder";
		if (n > 0 && !(n == 1 && from[0] == '.')) {
			if (to > path)
				*to++ = '/';
			memmove(to, from, n);
			to += n;
		}
		from += n + (from[n] == '/');
	}
	*to = 0;
	return *path ? NULL : "names no file";
}

static const char *field(const struct reading *r, enum column column)
{
	return r->at[column] < 0 ? "" : csv_field(r->csv, r->at[column]);
}

static bool read_degrees(const char *text, double limit, double *out)
{
	char *end;
	if (!*text || strspn(text, "+-.0123456789eE") != strlen(text))
		return false;
	*out = strtod(text, &end);
	return *end == 0 && isfinite(*out) && fabs(*out) <= limit;
}

static void read_place(struct reading *r, struct manifest_row *row)
{
	const char *latitude = field(r, LATITUDE), *longitude = field(r, LONGITUDE);
	if (!*latitude && !*longitude)
		return;
	if (!*latitude || !*longitude) {
		complain(r, row->line, "%s without %s: give both or neither",
			*latitude ? "latitude" : "longitude", *latitude ? "longitude" : "latitude");
		return;
	}
	if (!read_degrees(latitude, 90, &row->latitude_deg))
		complain(r, row->line, "latitude \"%.40s\" is not between -90 and 90 degrees", latitude);
	if (!read_degrees(longitude, 180, &row->longitude_deg))
		complain(
			r, row->line, "longitude \"%.40s\" is not between -180 and 180 degrees", longitude);
	row->has_place = true;
}

static void put_json_text(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if ((uint8_t)*text < 0x20)
			fprintf(out, "\\u%04x", (unsigned)(uint8_t)*text);
		else
			putc(*text, out);
	}
	putc('"', out);
}

/* The row's other columns as a JSON object, or NULL where all are empty; the caller frees it. */
static char *metadata_of(struct reading *r)
{
	char *text = NULL;
	size_t n_bytes = 0;
	FILE *out = NULL;
	for (int i = 0; i < r->n_fields; i++) {
		if (!r->others[i] || !*csv_field(r->csv, i))
			continue;
		if (!out && !(out = open_memstream(&text, &n_bytes))) {
			r->out_of_memory = true;
			return NULL;
		}
		putc(ftell(out) == 0 ? '{' : ',', out);
		put_json_text(out, r->others[i]);
		putc(':', out);
		put_json_text(out, csv_field(r->csv, i));
	}
	if (out) {
		putc('}', out);
		r->out_of_memory |= ferror(out) != 0;
		r->out_of_memory |= fclose(out) != 0;
	}
	return text;
}

/* Points *slot at text as kept, or as the row before has it. */
static void set_text(struct reading *r, const char **slot, const char *before, const char *text)
{
	*slot = before && strcmp(before, text) == 0 ? before : keep(r->manifest->store, text);
	r->out_of_memory |= !*slot;
}

static void add_row(struct reading *r, struct manifest_row *row, const char *path)
{
	struct manifest *m = r->manifest;
	const struct manifest_row *twin = manifest_find(m, path);
	if (twin) {
		complain(r, row->line, "\"%.120s\" is named twice, first in line %lld", path,
			(long long)twin->line);
		return;
	}
	if (!grow(m)) {
		r->out_of_memory = true;
		return;
	}
	const struct manifest_row *before = m->n_rows ? &m->rows[m->n_rows - 1] : NULL;
	char *metadata = metadata_of(r);
	set_text(r, &row->file, NULL, path);
	set_text(r, &row->deployment, before ? before->deployment : NULL, field(r, DEPLOYMENT));
	set_text(r, &row->event, before ? before->event : NULL, field(r, EVENT));
	set_text(r, &row->label, before ? before->label : NULL, field(r, LABEL));
	set_text(r, &row->metadata, before ? before->metadata : NULL, metadata ? metadata : "");
	free(metadata);
	if (r->out_of_memory)
		return;
	uint32_t *slot = slot_of(m, row->file);
	m->rows[m->n_rows++] = *row;
	*slot = (uint32_t)m->n_rows;
}

static void read_row(struct reading *r)
{
	struct manifest_row row = {.line = csv_line(r->csv)};
	struct err why;
	if (csv_n_fields(r->csv) != r->n_fields) {
		complain(
			r, row.line, "%d fields, but the header has %d", csv_n_fields(r->csv), r->n_fields);
		return;
	}
	const char *time = field(r, TIMESTAMP);
	row.has_time = *time != 0;
	if (row.has_time && civil_parse(time, &row.time, &why) != OK)
		complain(r, row.line, "timestamp %s", why.text);
	read_place(r, &row);
	char *path = xstrdup(field(r, FILE_COLUMN));
	const char *wrong = *path ? tidy_path(path) : "";
	if (!wrong)
		add_row(r, &row, path);
	else if (!*wrong)
		complain(r, row.line, "the file is not named");
	else
		complain(r, row.line, "\"%.120s\" %s", field(r, FILE_COLUMN), wrong);
	free(path);
}

static void read_header(struct reading *r)
{
	int64_t line = csv_line(r->csv);
	r->n_fields = csv_n_fields(r->csv);
	r->others = xcalloc((size_t)r->n_fields, sizeof *r->others);
	for (int i = 0; i < r->n_fields; i++) {
		const char *name = csv_field(r->csv, i);
		int known = -1, twin = -1;
		for (int c = 0; c < N_COLUMNS; c++) {
			if (strcasecmp(name, column_names[c]) == 0)
				known = c;
		}
		for (int before = 0; before < i; before++) {
			if (strcasecmp(name, csv_field(r->csv, before)) == 0)
				twin = before;
		}
		if (!*name)
			complain(r, line, "column %d has no name", i + 1);
		else if (twin >= 0)
			complain(r, line, "column \"%.60s\" is there twice", name);
		if (known >= 0)
			r->at[known] = i;
		else
			r->others[i] = xstrdup(name);
	}
	if (r->at[FILE_COLUMN] < 0)
		complain(r, line, "there is no column \"file\"");
}

static enum status read_all(struct reading *r, struct err *err)
{
	enum status status;
	bool header = false;
	while ((status = csv_next(r->csv, err)) != NOT_FOUND) {
		if (status == FAULT)
			return FAULT;
		if (status != OK)
			complain(r, 0, "%s", err->text); /* names its line itself */
		else if (header)
			read_row(r);
		else
			read_header(r);
		if (r->out_of_memory)
			return err_set(err, FAULT, "%s: no memory for the manifest", r->name);
		/* Without a sound header every row would be wrong. */
		if (!header && r->errors->n > 0)
			break;
		header = true;
	}
	if (!header && r->errors->n == 0)
		complain(r, 1, "there is no header: the first line must name the columns");
	if (r->errors->n == 0)
		return OK;
	if (r->errors->n == 1)
		return err_set(err, BAD_INPUT, "%s", r->errors->text[0]);
	return err_set(err, BAD_INPUT, "%.150s (and %zu more)", r->errors->text[0], r->errors->n - 1);
}

enum status manifest_read(FILE *in, const char *name, struct manifest **out,
	struct manifest_errors *errors, struct err *err)
{
	struct err own;
	struct reading r = {.name = name, .errors = errors, .at = {-1, -1, -1, -1, -1, -1, -1}};
	*errors = (struct manifest_errors){0};
	*out = NULL;
	r.csv = csv_reader_new(in, name);
	r.manifest = xcalloc(1, sizeof *r.manifest);
	r.manifest->store = xcalloc(1, sizeof *r.manifest->store);
	enum status status = read_all(&r, err ? err : &own);
	if (status == OK) {
		*out = r.manifest;
		r.manifest = NULL;
	}
	for (int i = 0; r.others && i < r.n_fields; i++)
		free(r.others[i]);
	free(r.others);
	manifest_free(r.manifest);
	csv_reader_free(r.csv);
	return status;
}

void manifest_free(struct manifest *manifest)
{
	if (!manifest)
		return;
	for (struct chunk *c = manifest->store->chunks, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(manifest->store->slots);
	free(manifest->store);
	free(manifest->rows);
	free(manifest);
}

void manifest_errors_release(struct manifest_errors *errors)
{
	for (size_t i = 0; i < errors->n_kept; i++)
		free(errors->text[i]);
	*errors = (struct manifest_errors){0};
}
