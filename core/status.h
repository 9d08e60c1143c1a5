/*
 * One way to fail. A function that can fail returns an enum status and, on anything but OK, has
 * filled the caller's struct err with one line of UTF-8 that says what was wrong, with the offending value
 * and what would be right.
 *
 * Owns:   nothing; a struct err lives on the caller's stack.
 * Rule:   web/ turns a status into an HTTP status and tools/ into an exit code, each in exactly one
 * place.
 */
#pragma once

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))

enum status {
	OK,
	NOT_FOUND, /* the named thing is not there */
	BAD_INPUT, /* the caller's value is wrong */
	TOO_LARGE, /* over a stated limit */
	DENIED,    /* known, but not for this user */
	CONFLICT,  /* true of the value, but not now: it exists already, or another has it */
	BUSY,      /* try again soon */
	FULL,      /* no room on the disk */
	FAULT      /* our own, or the machine's, mistake */
};

struct err {
	enum status status;
	char text[200];
};

/* Fills err (which may be NULL) and returns status, so that a caller writes `return err_set(err,
 * BAD_INPUT, ...)`. */
enum status err_set(struct err *err, enum status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Bytes of the printable UTF-8 character at text (RFC 3629), or 0: a control character, or no UTF-8. */
size_t text_char(const char *text);

/* The status' name in lower case, as JSON problems carry it: "bad input". */
const char *status_name(enum status status);

/* malloc, calloc, realloc and strdup for small sizes that the program chooses itself: they abort
 * when memory is out. */
void *xmalloc(size_t n_bytes);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n_bytes);
char *xstrdup(const char *s);
