/*
 * What volunteers read: a folder of Markdown and pictures, taken whole or not at all in place of the one before.
 *
 *   guide.md, tutorial.md            the field guide's beginning, and the tutorial
 *   guide/CODE.md, practice/CODE.md  of a taxon: its part of the guide; why it is what it is, in the practice
 *   guide.sw.md, guide/CODE.sw.md    the same in another language (BCP 47)
 *   taxa/CODE.png                    the taxon's picture in the grid; looks/LOOK/VALUE.png a look's
 *   any other picture                for ![words](path/of/the/picture.png) in a page, by its path from there
 *
 * Pictures are PNG, JPEG, WebP or SVG, by what is in them and whatever they are called, and lie at pages/ab/<sha256>.<type>
 * of the data directory. A page's links to them are written as addresses when it is taken. Nothing else may lie in the
 * folder but files whose name begins with a dot.
 */
#pragma once

#include "db.h"

enum {
	PAGES_MAX_FILES = 2000,
	PAGES_MAX_PICTURE = 2 << 20,
	PAGES_MAX_PAGE = 256 << 10,
	PAGES_MAX_BYTES = 128 << 20 /* of all files */
};

struct pages_taken {
	int n_pages, n_pictures;
};

/*
 * Runs in the caller's transaction, to be rolled back unless OK; pictures that were written then are in nobody's way.
 * Errors: NOT_FOUND no such folder; BAD_INPUT, TOO_LARGE with the file that is wrong; FULL, FAULT the disk.
 */
enum status pages_take(struct db *db, const char *dir, int64_t project_id, const char *folder,
	struct pages_taken *out, struct err *err) MUST_CHECK;

/*
 * Removes the pictures that no project's pages have any more, and what an ended import left half written. In a write transaction
 * after the one of pages_take: then no other import is between its pictures and its rows. *n: how many went.
 */
enum status pages_clean(struct db *db, const char *dir, int *n, struct err *err) MUST_CHECK;

/* Where a picture lies. Shapes: file is '<64 hex digits>.<type>', path [n]. */
void pages_path(const char *dir, const char *file, char *path, size_t n);
