/* The one place where a failure gets its words, and where a small allocation that fails ends the
 * program. */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status err_set(struct err *err, enum status status, const char *format, ...)
{
	if (err) {
		va_list args;
		va_start(args, format);
		vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
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
