/* The folder as it lies there. Links out of it are not followed: only what somebody put there is shown to everybody. */
#include "pages_part.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PATH = 4096, MAX_DEPTH = 4, SVG_HEAD = 1024 };

void page_folder_release(struct page_folder *f)
{
	for (int i = 0; i < f->n; i++) {
		free(f->items[i].path);
		free(f->items[i].bytes);
	}
	free(f->items);
	*f = (struct page_folder){0};
}

static bool has_word(const char *text, size_t n, const char *word)
{
	const size_t n_word = strlen(word);
	for (size_t i = 0; i + n_word <= n; i++)
		if (strncasecmp(text + i, word, n_word) == 0)
			return true;
	return false;
}

static bool is_utf8(const uint8_t *bytes, size_t n)
{
	json_t *text = json_stringn((const char *)bytes, n);
	bool good = text && memchr(bytes, 0, n) == NULL;
	json_decref(text);
	return good;
}

/* What a file is by its bytes; NULL: nothing that is shown. */
static const char *pages_type(const uint8_t *bytes, size_t n)
{
	static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
	if (n > sizeof png && memcmp(bytes, png, sizeof png) == 0)
		return "png";
	if (n > 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff)
		return "jpg";
	if (n > 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0)
		return "webp";
	if (is_utf8(bytes, n) && has_word((const char *)bytes, n < SVG_HEAD ? n : SVG_HEAD, "<svg"))
		return "svg";
	return NULL;
}

/* The server sends an SVG in a sandbox; one that does more than draw is refused here all the same. */
static enum status check_svg(const struct page_item *item, struct err *err)
{
	static const char *const words[] = {
		"<script", "javascript:", "<!entity", "<foreignobject", "onload=", "onclick="};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (has_word((const char *)item->bytes, item->n, words[i]))
			return err_set(
				err, BAD_INPUT, "%.100s: a drawing with '%s' is not taken", item->path, words[i]);
	return OK;
}

static enum status name_picture(struct page_item *item, struct err *err)
{
	uint8_t sha256[32];
	char hex[65];
	const char *type = pages_type(item->bytes, item->n);
	if (!type)
		return err_set(err, BAD_INPUT,
			"%.100s is no page (.md) and no PNG, JPEG, WebP or SVG picture", item->path);
	if (item->n > PAGES_MAX_PICTURE)
		return err_set(
			err, TOO_LARGE, "%.100s is over %d MiB", item->path, PAGES_MAX_PICTURE >> 20);
	crypto_hash_sha256(sha256, item->bytes, item->n);
	sodium_bin2hex(hex, sizeof hex, sha256, sizeof sha256);
	snprintf(item->file, sizeof item->file, "%s.%s", hex, type);
	return strcmp(type, "svg") == 0 ? check_svg(item, err) : OK;
}

static enum status check_page(const struct page_item *item, struct err *err)
{
	if (item->n > PAGES_MAX_PAGE)
		return err_set(err, TOO_LARGE, "%.100s is over %d KiB", item->path, PAGES_MAX_PAGE >> 10);
	return is_utf8(item->bytes, item->n)
		? OK
		: err_set(err, BAD_INPUT, "%.100s is no text in UTF-8", item->path);
}

static enum status read_bytes(const char *path, struct page_item *item, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	size_t got = 0;
	ssize_t n = 0;
	if (fd < 0)
		return err_set(err, BAD_INPUT, "%.100s cannot be read: %s", item->path, strerror(errno));
	while (got < item->n && (n = read(fd, item->bytes + got, item->n - got)) > 0)
		got += (size_t)n;
	close(fd);
	item->bytes[got] = 0;
	return got == item->n
		? OK
		: err_set(err, BAD_INPUT, "%.100s became shorter while it was read", item->path);
}

static enum status add_file(
	const char *path, const char *below, size_t n, struct page_folder *f, struct err *err)
{
	const size_t n_name = strlen(below);
	if (n == 0)
		return err_set(err, BAD_INPUT, "%.100s is empty", below);
	if (f->n == PAGES_MAX_FILES || n > PAGES_MAX_BYTES || f->n_bytes + n > PAGES_MAX_BYTES)
		return err_set(err, TOO_LARGE, "the folder has over %d files, or over %d MiB",
			PAGES_MAX_FILES, PAGES_MAX_BYTES >> 20);
	if (f->n == f->room) {
		f->room = f->room ? f->room * 2 : 64;
		f->items = xrealloc(f->items, (size_t)f->room * sizeof *f->items);
	}
	struct page_item *item = &f->items[f->n++];
	*item = (struct page_item){.path = xstrdup(below),
		.bytes = malloc(n + 1),
		.n = n,
		.is_page = n_name > 3 && strcmp(below + n_name - 3, ".md") == 0};
	f->n_bytes += n;
	if (!item->bytes)
		return err_set(err, FAULT, "%.100s does not fit in memory", below);
	enum status st = read_bytes(path, item, err);
	if (st == OK)
		st = item->is_page ? check_page(item, err) : name_picture(item, err);
	return st;
}

static enum status read_folder(
	const char *root, const char *below, int depth, struct page_folder *f, struct err *err);

static enum status read_entry(const char *root, const char *below, const char *name, int depth,
	struct page_folder *f, struct err *err)
{
	char inner[MAX_PATH], path[2 * MAX_PATH];
	struct stat info;
	const int n_inner = snprintf(inner, sizeof inner, "%s%s%s", below, *below ? "/" : "", name);
	const int n_path = snprintf(path, sizeof path, "%s/%s", root, inner);
	if (n_inner >= (int)sizeof inner || n_path >= (int)sizeof path)
		return err_set(err, BAD_INPUT, "%.100s: the path is too long", name);
	if (lstat(path, &info) != 0)
		return err_set(err, BAD_INPUT, "%.100s cannot be read: %s", inner, strerror(errno));
	if (S_ISDIR(info.st_mode) && depth < MAX_DEPTH)
		return read_folder(root, inner, depth + 1, f, err);
	if (!S_ISREG(info.st_mode))
		return err_set(
			err, BAD_INPUT, "%.100s is neither a plain file nor a folder near the top", inner);
	return add_file(path, inner, (size_t)info.st_size, f, err);
}

static enum status read_folder(
	const char *root, const char *below, int depth, struct page_folder *f, struct err *err)
{
	char path[2 * MAX_PATH];
	enum status st = OK;
	snprintf(path, sizeof path, "%.*s/%s", MAX_PATH, root, below);
	DIR *open_dir = opendir(path);
	if (!open_dir)
		return err_set(
			err, NOT_FOUND, "the folder %.100s cannot be read: %s", path, strerror(errno));
	for (const struct dirent *e; st == OK && (e = readdir(open_dir)) != NULL;)
		if (e->d_name[0] != '.')
			st = read_entry(root, below, e->d_name, depth, f, err);
	closedir(open_dir);
	return st;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct page_item *)a)->path, ((const struct page_item *)b)->path);
}

enum status page_folder_read(const char *path, struct page_folder *out, struct err *err)
{
	*out = (struct page_folder){0};
	enum status st = read_folder(path, "", 0, out, err);
	if (out->n > 0)
		qsort(out->items, (size_t)out->n, sizeof *out->items, by_path);
	return st;
}

/* A path as a page at `from` names it, from the folder's top; false where it leaves the folder. */
static bool resolve(const char *from, const char *link, size_t n_link, char out[MAX_PATH])
{
	const char *slash = strrchr(from, '/');
	size_t n = slash ? (size_t)(slash - from) : 0;
	if (n + n_link + 2 > MAX_PATH)
		return false;
	memcpy(out, from, n);
	for (size_t i = 0, m; i < n_link; i += m + 1) {
		const char *part = link + i;
		m = 0;
		while (i + m < n_link && part[m] != '/')
			m++;
		if (m == 0 || (m == 1 && part[0] == '.'))
			continue;
		if (m == 2 && part[0] == '.' && part[1] == '.') {
			if (n == 0)
				return false;
			while (n > 0 && out[n - 1] != '/')
				n--;
			n -= n > 0;
			continue;
		}
		if (n > 0)
			out[n++] = '/';
		memcpy(out + n, part, m);
		n += m;
	}
	out[n] = 0;
	return true;
}

static const struct page_item *find(const struct page_folder *f, const char *path)
{
	const struct page_item key = {.path = (char *)path};
	return f->n ? bsearch(&key, f->items, (size_t)f->n, sizeof key, by_path) : NULL;
}

enum status page_link_pictures(const struct page_folder *f, const struct page_item *page,
	const char *slug, char **out, struct err *err)
{
	char path[MAX_PATH];
	const char *text = (const char *)page->bytes, *last = text + page->n;
	size_t room = page->n * 2 + 256, n = 0;
	*out = xmalloc(room);
	for (const char *mark; (mark = strstr(text, "![")) != NULL;) {
		const char *end = mark + 2 + strcspn(mark + 2, "[]");
		const bool is_link = end[0] == ']' && end[1] == '(';
		const char *link = is_link ? end + 2 : mark + 2; /* else it is but those two signs */
		const size_t n_link = is_link ? strcspn(link, ") \t\n") : 0, n_text = (size_t)(link - text);
		const bool local = n_link > 0 && *link != '/' && resolve(page->path, link, n_link, path);
		const struct page_item *picture = local ? find(f, path) : NULL;
		if (is_link && (!picture || picture->is_page))
			return err_set(err, BAD_INPUT, "%.60s: the picture '%.*s' is not in the folder",
				page->path, n_link > 60 ? 60 : (int)n_link, link);
		if (n + (size_t)(last - text) + 300 > room)
			*out = xrealloc(*out, room = (n + (size_t)(last - text) + 300) * 2);
		memcpy(*out + n, text, n_text);
		n += n_text;
		if (is_link)
			n += (size_t)snprintf(
				*out + n, room - n, "/api/projects/%.60s/files/%s", slug, picture->file);
		text = link + n_link;
	}
	if (n + (size_t)(last - text) + 1 > room)
		*out = xrealloc(*out, n + (size_t)(last - text) + 1);
	memcpy(*out + n, text, (size_t)(last - text) + 1);
	return OK;
}
