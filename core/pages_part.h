/* What pages.c and pages_folder.c share: a folder in memory. */
#pragma once

#include "pages.h"

struct page_item {
	char *path; /* below the folder */
	uint8_t *bytes;
	size_t n;
	bool is_page;
	char file[72]; /* of a picture: its name in the data directory */
};

struct page_folder {
	struct page_item *items; /* in order of their paths */
	int n, room;
	size_t n_bytes;
};

/* Reads every file of a folder, and says what each is. Owns: the caller releases *out, also after a failure. */
enum status page_folder_read(const char *path, struct page_folder *out, struct err *err) MUST_CHECK;
void page_folder_release(struct page_folder *folder);

/*
 * The page's Markdown with every ![](path) as the picture's address. Owns: the caller frees *out.
 * Errors: BAD_INPUT a picture that is not in the folder.
 */
enum status page_link_pictures(const struct page_folder *folder, const struct page_item *page,
	const char *slug, char **out, struct err *err) MUST_CHECK;
