/* Of embed.c: the page's modules as one script and its sheets as one sheet, so that a slow line fetches each in one go. */
#pragma once

#include <stddef.h>

struct text {
	char *s; /* ends with a 0 */
	size_t n;
};

/* Prints why the build ends here, and ends it. */
__attribute__((noreturn)) void fail(const char *path, const char *what);

/* The bytes of a file. Owns: the caller frees s. */
struct text read_all(const char *path);
void text_add(struct text *text, const char *s, size_t n);

/*
 * `entry` (below root, "main.js") with every module that it imports, in the order in which they run. Each becomes
 * a constant with what it exports: const $dom = (() => { ...; return { el }; })(). Comments and indentation are left
 * out. Takes what the page's code has: `import { a as b } from './x.js'`, `import * as x`, `export` before a
 * declaration, import('./x.js') of a literal; any other import or export, and modules that import each other in
 * a ring, end the build.
 */
struct text bundle_script(const char *root, const char *entry);

/* A sheet without its comments, added to the text. */
void bundle_sheet(struct text *out, const char *sheet);
