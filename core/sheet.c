/* CSV, one way: a buffer in front of a file, a hash beside it, and an error that waits for the end of the row. */
#include "sheet.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 16 };

struct sheet {
	int fd;
	int code; /* the first errno of a write, or 0 */
	int n_columns, n_cells;
	char *path;
	crypto_hash_sha256_state hash;
	struct sheet_sum sum;
	size_t n_buffer;
	char buffer[BUFFER_BYTES];
};

enum status file_error(int code, const char *path, struct err *err)
{
	switch (code) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return err_set(err, FULL, "%.120s cannot be written: the disk is full", path);
	case EEXIST:
	case ENOTEMPTY:
		return err_set(err, CONFLICT, "%.120s exists: name another, or remove it", path);
	case ENOENT:
		return err_set(err, NOT_FOUND, "%.120s cannot be made: its folder does not exist", path);
	case EIO:
		return err_set(err, FAULT, "%.120s: %s", path, strerror(code));
	default:
		return err_set(err, BAD_INPUT, "%.120s cannot be written: %s", path, strerror(code));
	}
}

void iso_time(int64_t unix_ms, int64_t utc_offset_s, char out[CIVIL_TEXT])
{
	int64_t floor_s = unix_ms / 1000 - (unix_ms % 1000 < 0);
	civil_format(floor_s, 0, (int)(utc_offset_s / 60 * 60), out);
}

static void flush(struct sheet *s)
{
	crypto_hash_sha256_update(&s->hash, (const unsigned char *)s->buffer, s->n_buffer);
	s->sum.n_bytes += (int64_t)s->n_buffer;
	for (size_t at = 0; at < s->n_buffer && !s->code;) {
		ssize_t n = write(s->fd, s->buffer + at, s->n_buffer - at);
		if (n < 0 && errno != EINTR)
			s->code = errno;
		at += n > 0 ? (size_t)n : 0;
	}
	s->n_buffer = 0;
}

static void put(struct sheet *s, const char *bytes, size_t n)
{
	while (n > 0) {
		if (s->n_buffer == BUFFER_BYTES)
			flush(s);
		size_t part = n < BUFFER_BYTES - s->n_buffer ? n : BUFFER_BYTES - s->n_buffer;
		memcpy(s->buffer + s->n_buffer, bytes, part);
		s->n_buffer += part;
		bytes += part;
		n -= part;
	}
}

/* Bytes of the UTF-8 character at p (Unicode 15, table 3-7), or 0 where there is none. */
static size_t utf8_length(const unsigned char *p)
{
	size_t n = p[0] < 0x80 ? 1
		: p[0] < 0xc2      ? 0
		: p[0] < 0xe0      ? 2
		: p[0] < 0xf0      ? 3
		: p[0] < 0xf5      ? 4
						   : 0;
	if (n > 1) {
		unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
		unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
		if (p[1] < low || p[1] > high)
			return 0;
	}
	for (size_t i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

static void begin_cell(struct sheet *s)
{
	if (s->n_cells++ > 0)
		put(s, ",", 1);
}

void sheet_text(struct sheet *s, const char *text)
{
	begin_cell(s);
	if (!text)
		return;
	bool quoted = text[strcspn(text, ",\"\r\n")] != '\0';
	if (quoted)
		put(s, "\"", 1);
	const char *from = text, *p = text; /* what lies between is as it should be */
	while (*p) {
		const size_t n = (unsigned char)*p < 0x80 ? 1 : utf8_length((const unsigned char *)p);
		if (n > 0 && *p != '"') {
			p += n;
			continue;
		}
		put(s, from, (size_t)(p - from));
		if (n == 0)
			put(s, "\xef\xbf\xbd", 3);
		else
			put(s, "\"\"", 2);
		from = ++p;
	}
	put(s, from, (size_t)(p - from));
	if (quoted)
		put(s, "\"", 1);
}

void sheet_int(struct sheet *s, int64_t value)
{
	char text[24];
	snprintf(text, sizeof text, "%lld", (long long)value);
	sheet_text(s, text);
}

void sheet_real(struct sheet *s, double value)
{
	char text[40];
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	sheet_text(s, text);
}

void sheet_empty(struct sheet *s, int n_cells)
{
	for (int i = 0; i < n_cells; i++)
		begin_cell(s);
}

void sheet_time(struct sheet *s, int64_t unix_ms, int64_t utc_offset_s)
{
	char text[CIVIL_TEXT];
	iso_time(unix_ms, utc_offset_s, text);
	sheet_text(s, text);
}

enum status sheet_end_row(struct sheet *s, struct err *err)
{
	put(s, "\r\n", 2);
	int n = s->n_cells;
	s->n_cells = 0;
	if (n != s->n_columns)
		return err_set(
			err, FAULT, "%.100s: a row of %d cells under %d columns", s->path, n, s->n_columns);
	s->sum.n_rows++;
	return s->code ? file_error(s->code, s->path, err) : OK;
}

enum status sheet_open(
	const char *path, const char *const *header, struct sheet **out, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return file_error(errno, path, err);
	struct sheet *s = xcalloc(1, sizeof *s);
	s->fd = fd;
	s->path = xstrdup(path);
	crypto_hash_sha256_init(&s->hash);
	while (header[s->n_columns])
		sheet_text(s, header[s->n_columns++]);
	enum status st = sheet_end_row(s, err);
	s->sum.n_rows = 0;
	if (st != OK)
		sheet_free(s);
	else
		*out = s;
	return st;
}

enum status sheet_finish(struct sheet *s, struct sheet_sum *out, struct err *err)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	flush(s);
	if (!s->code && fsync(s->fd) != 0)
		s->code = errno;
	if (close(s->fd) != 0 && !s->code)
		s->code = errno;
	s->fd = -1;
	crypto_hash_sha256_final(&s->hash, hash);
	sodium_bin2hex(s->sum.sha256, sizeof s->sum.sha256, hash, sizeof hash);
	enum status st = s->code ? file_error(s->code, s->path, err) : OK;
	if (st == OK)
		*out = s->sum;
	sheet_free(s);
	return st;
}

void sheet_free(struct sheet *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s);
}
