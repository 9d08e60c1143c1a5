/* The files of static/, as bytes in the program; web/embed.c makes the table at build time. */
#pragma once

#include <stddef.h>

struct asset {
	const char *path; /* below static/: "index.html" */
	const char *type; /* MIME */
	const char *etag; /* with its quotes; of the content */
	const char *csp;  /* what the page's inline import map needs in script-src, or NULL */
	const unsigned char *bytes;
	size_t n_bytes;
};

extern const struct asset assets[]; /* ends with a row whose path is NULL */
