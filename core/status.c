/* The one place where a failure gets its words, and where a small allocation that fails ends the
 * program. */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t text_char(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
		return 0; /* C1 controls */
	size_t n = p[0] >= 0xc2 && p[0] <= 0xdf ? 2
		: p[0] >= 0xe0 && p[0] <= 0xef      ? 3
		: p[0] >= 0xf0 && p[0] <= 0xf4      ? 4
											: 0;
	for (size_t i = 1; i < n; i++) {
		unsigned low = i > 1 ? 0x80 : p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
		unsigned high = i > 1 ? 0xbf : p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
		if (p[i] < low || p[i] > high)
			return 0;
	}
	return n;
}

/* Values from outside may hold anything, and a width may cut a character in two: the message stays one line of UTF-8. */
static void make_one_line(char *text)
{
	for (size_t n; *text; text += n) {
		n = text_char(text);
		if (n == 0) {
			*text = '?';
			n = 1;
		}
	}
}

enum status err_set(struct err *err, enum status status, const char *format, ...)
{
	if (err) {
		va_list args;
		va_start(args, format);
		vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
		make_one_line(err->text);
		err->status = status;
	}
	return status;
}

const char *status_name(enum status status)
{
	switch (status) {
	case OK:
		return "ok";
	case NOT_FOUND:
		return "not found";
	case BAD_INPUT:
		return "bad input";
	case TOO_LARGE:
		return "too large";
	case DENIED:
		return "denied";
	case CONFLICT:
		return "conflict";
	case BUSY:
		return "busy";
	case FULL:
		return "full";
	case FAULT:
		return "fault";
	}
	return "unknown";
}

static void *checked(void *p)
{
	if (!p) {
		fputs("topi: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *xmalloc(size_t n_bytes)
{
	return checked(malloc(n_bytes ? n_bytes : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return checked(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t n_bytes)
{
	return checked(realloc(p, n_bytes ? n_bytes : 1));
}

char *xstrdup(const char *s)
{
	return checked(strdup(s));
}
