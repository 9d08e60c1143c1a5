/*
 * Reading CSV (csv.h). The reader keeps one row: the fields' bytes one after another, each ended
 * by a zero, and where each starts. A small state machine takes a byte at a time from stdio's
 * buffer; a second one, for UTF-8 (RFC 3629: no overlong forms, no surrogates), runs beside it. After
 * a mistake the rest of the line is passed over.
 */
#include "csv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct csv_reader {
	FILE *in;
	char *name;
	int64_t line;     /* the line of the next byte */
	int64_t row_line; /* where the row began */
	char *bytes;
	size_t n_bytes, room_bytes;
	size_t starts[CSV_MAX_FIELDS];
	int n_fields;
	/* Bytes read ahead to look for a byte order mark that was none, last first. */
	int ahead[2];
	int n_ahead;
	bool started;
	/* UTF-8: how many bytes of a character are still to come, and the range of the next. */
	int n_more;
	uint8_t low, high;
};

struct csv_reader *csv_reader_new(FILE *in, const char *name)
{
	struct csv_reader *r = xcalloc(1, sizeof *r);
	r->in = in;
	r->name = xstrdup(name);
	r->line = 1;
	return r;
}

void csv_reader_free(struct csv_reader *reader)
{
	if (!reader)
		return;
	free(reader->name);
	free(reader->bytes);
	free(reader);
}

static int raw_byte(struct csv_reader *r)
{
	return r->n_ahead > 0 ? r->ahead[--r->n_ahead] : getc(r->in);
}

/* One byte with its line counted: a CR alone or with an LF is one line's end and comes as LF. */
static int next_byte(struct csv_reader *r)
{
	int c = raw_byte(r);
	if (c == '\r') {
		int after = getc(r->in);
		if (after != '\n' && after != EOF)
			ungetc(after, r->in);
		c = '\n';
	}
	if (c == '\n')
		r->line++;
	return c;
}

static bool utf8_takes(struct csv_reader *r, uint8_t c)
{
	if (r->n_more > 0) {
		bool good = c >= r->low && c <= r->high;
		r->n_more--;
		r->low = 0x80;
		r->high = 0xbf;
		return good;
	}
	r->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	r->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c >= 0xc2 && c <= 0xdf)
		r->n_more = 1;
	else if (c >= 0xe0 && c <= 0xef)
		r->n_more = 2;
	else if (c >= 0xf0 && c <= 0xf4)
		r->n_more = 3;
	return (c > 0 && c < 0x80) || r->n_more > 0;
}

static enum status bad(
	struct csv_reader *r, enum status status, const char *what, int last, struct err *err)
{
	int64_t line = r->line - (last == '\n');
	while (last != '\n' && last != EOF)
		last = next_byte(r);
	r->n_more = 0;
	return err_set(err, status, "%s:%lld: %s", r->name, (long long)line, what);
}

static void put_byte(struct csv_reader *r, int c)
{
	if (r->n_bytes == r->room_bytes) {
		r->room_bytes = r->room_bytes ? r->room_bytes * 2 : 1024;
		r->bytes = xrealloc(r->bytes, r->room_bytes);
	}
	r->bytes[r->n_bytes++] = (char)c;
}

/* A row's first byte; at the start of the text the one behind the byte order mark, if any. */
static int first_byte(struct csv_reader *r)
{
	int c = next_byte(r);
	if (r->started || c != 0xef)
		return c;
	int second = getc(r->in), third = second == 0xbb ? getc(r->in) : EOF;
	if (third == 0xbf)
		return next_byte(r);
	if (third != EOF)
		r->ahead[r->n_ahead++] = third;
	if (second != EOF)
		r->ahead[r->n_ahead++] = second;
	return c;
}

enum field_state { AT_START, PLAIN, QUOTED, AFTER_QUOTE };

/* What byte c means in the state s, where it is not just taken; NULL when nothing is wrong. */
static const char *step(enum field_state *s, int c, bool *take, bool *end)
{
	*take = *end = false;
	if (*s == QUOTED) {
		if (c == EOF)
			return "a quote is opened here or above and never closed";
		*take = c != '"';
		if (c == '"')
			*s = AFTER_QUOTE;
		return NULL;
	}
	if (c == ',' || c == '\n' || c == EOF) {
		*end = true;
		return NULL;
	}
	if (*s == AFTER_QUOTE && c != '"')
		return "text after a closing quote: a quote inside a field is written twice";
	if (*s == PLAIN && c == '"')
		return "a quote inside an unquoted field: quote the field and write the quote twice";
	*take = *s == AFTER_QUOTE || c != '"';
	*s = *s == AFTER_QUOTE || (*s == AT_START && c == '"') ? QUOTED : PLAIN;
	return NULL;
}

enum status csv_next(struct csv_reader *reader, struct err *err)
{
	struct csv_reader *r = reader;
	enum field_state state = AT_START;
	r->n_fields = 0;
	r->n_bytes = 0;
	r->row_line = r->line;
	int c = first_byte(r);
	r->started = true;
	while (c == '\n') {
		r->row_line = r->line;
		c = next_byte(r);
	}
	if (c == EOF && !ferror(r->in))
		return NOT_FOUND;
	r->starts[0] = 0;
	for (;; c = next_byte(r)) {
		if (c == EOF && ferror(r->in))
			return err_set(err, FAULT, "%s: cannot be read: %s", r->name, strerror(errno));
		if (c != EOF ? !utf8_takes(r, (uint8_t)c) : r->n_more > 0)
			return bad(r, BAD_INPUT, "not UTF-8 text: save the file as UTF-8", c, err);
		bool take, end;
		const char *wrong = step(&state, c, &take, &end);
		if (wrong)
			return bad(r, BAD_INPUT, wrong, c, err);
		if (take)
			put_byte(r, c);
		if (r->n_bytes - r->starts[r->n_fields] > CSV_MAX_FIELD_BYTES)
			return bad(r, TOO_LARGE, "a field of over 64 KiB: is a quote left open?", c, err);
		if (r->n_bytes > CSV_MAX_ROW_BYTES)
			return bad(r, TOO_LARGE, "a row of over 1 MiB", c, err);
		if (!end)
			continue;
		put_byte(r, 0);
		r->n_fields++;
		if (c != ',')
			return OK;
		if (r->n_fields == CSV_MAX_FIELDS)
			return bad(r, TOO_LARGE, "over 1024 fields in a row", c, err);
		r->starts[r->n_fields] = r->n_bytes;
		state = AT_START;
	}
}

int csv_n_fields(const struct csv_reader *reader)
{
	return reader->n_fields;
}

const char *csv_field(const struct csv_reader *reader, int i)
{
	return reader->bytes + reader->starts[i];
}

int64_t csv_line(const struct csv_reader *reader)
{
	return reader->row_line;
}
