/* The page, as bytes in the program; web/embed.c makes the table of static/ at build time. */
#pragma once

#include <stddef.h>

struct asset {
	const char *path; /* below static/: "index.html" */
	const char *type; /* MIME */
	const char
		*hash; /* of the content; in a page, a name followed by ?HASH never changes its content */
	const char *csp; /* what an inline script of the page needs in script-src, or "" */
	const unsigned char *bytes;
	size_t n_bytes;
	const unsigned char *gzip; /* the same compressed; NULL where that gains nothing */
	size_t n_gzip;
};

extern const struct asset assets[]; /* ends with a row whose path is NULL */
