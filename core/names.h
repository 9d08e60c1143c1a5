/* Text to number: distinct names, numbered from 0 in the order in which they came. */
#pragma once

#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names;

enum { NAMES_MAX = 1 << 30 };

/* Owns: the caller ends it with names_free, which takes NULL. NULL when memory is out. */
struct names *names_new(void);
void names_free(struct names *names);

/* The number of a name, a new one where it is new. Errors: FAULT when memory is out or NAMES_MAX is reached. */
enum status names_put(
	struct names *names, const char *text, uint32_t *out, struct err *err) MUST_CHECK;
/* False where there is no such name. */
bool names_find(const struct names *names, const char *text, uint32_t *out);

size_t names_count(const struct names *names);
/* Owns: the text is the table's, until the next names_put. */
const char *names_text(const struct names *names, uint32_t i);
