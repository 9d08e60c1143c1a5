/*
 * Which photographs an import looks at. Names become text that everybody can read: bytes that are no UTF-8, and control
 * characters, are written %XX, so that two cameras' folders never become one. Symbolic links are not followed (no loops,
 * nothing from elsewhere) and the data directory's own pictures are not photographs.
 */
#include "import_part.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MAX_OPEN_FOLDERS = 32 };

/* nftw hands its callback no argument. */
static _Thread_local struct walk {
	const char *root;
	struct stat data; /* the data directory */
	const struct manifest *manifest;
	struct photo_list *out;
	struct import_result *result;
} walking;

void import_add_problem(struct import_result *result, const char *file, const char *reason)
{
	result->problems = xrealloc(
		result->problems, (size_t)(result->n_problems + 1) * sizeof *result->problems);
	struct import_problem *problem = &result->problems[result->n_problems++];
	problem->file = xstrdup(file);
	snprintf(problem->reason, sizeof problem->reason, "%s", reason);
}

static char *readable(const char *name)
{
	char *text = NULL;
	size_t n_bytes = 0;
	FILE *out = open_memstream(&text, &n_bytes);
	for (size_t n; out && *name; name += n) {
		n = text_char(name);
		if (n > 0) {
			fwrite(name, 1, n, out);
		} else {
			fprintf(out, "%%%02X", (unsigned)(uint8_t)*name);
			n = 1;
		}
	}
	if (!out || fclose(out) != 0)
		abort(); /* memory is out, as in xmalloc */
	return text;
}

static bool is_jpeg_name(const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *dot = strrchr(name, '.');
	if (strncmp(slash ? slash + 1 : name, "._", 2) == 0)
		return false; /* what a Mac leaves beside each file on a memory card */
	return dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
}

/* "a/b/c.jpg" below PATH belongs to deployment "a"; a file in PATH itself to the deployment named like PATH's folder. */
static char *deployment_of(const char *root, const char *name)
{
	const char *slash = strchr(name, '/');
	char *real = slash ? strndup(name, (size_t)(slash - name)) : realpath(root, NULL);
	const char *last = real ? strrchr(real, '/') : NULL;
	char *out = readable(slash && real ? real : last && last[1] ? last + 1 : "deployment");
	free(real);
	return out;
}

static void add_photo(const char *root, const char *path, const char *name)
{
	struct photo_list *out = walking.out;
	const struct manifest_row *row = walking.manifest ? manifest_find(walking.manifest, name)
													  : NULL;
	if (walking.manifest && !row) {
		walking.result->n_passed++;
		return;
	}
	if (out->n == out->room) {
		out->room = out->room ? out->room * 2 : 1024;
		out->items = xrealloc(out->items, out->room * sizeof *out->items);
	}
	out->items[out->n++] = (struct photo){
		.path = xstrdup(path),
		.name = readable(name),
		.deployment = row && row->deployment[0] ? readable(row->deployment)
												: deployment_of(root, name),
		.row = row,
	};
}

static void note(const char *name, const char *reason)
{
	char *file = readable(*name ? name : walking.root);
	import_add_problem(walking.result, file, reason);
	free(file);
}

static void visit_link(const char *path, const char *name)
{
	struct stat info;
	if (is_jpeg_name(name) || (stat(path, &info) == 0 && S_ISDIR(info.st_mode)))
		note(name, "is a symbolic link: links are not followed");
	else
		walking.result->n_passed++;
}

static int visit(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)at;
	const char *name = path + strlen(walking.root);
	while (*name == '/')
		name++;
	if (kind == FTW_D && info->st_dev == walking.data.st_dev && info->st_ino == walking.data.st_ino)
		return FTW_SKIP_SUBTREE;
	if (kind == FTW_DNR || kind == FTW_NS)
		note(name, "cannot be read");
	else if (kind == FTW_SL)
		visit_link(path, name);
	else if (kind == FTW_F && is_jpeg_name(name) && S_ISREG(info->st_mode))
		add_photo(walking.root, path, name);
	else if (kind == FTW_F)
		walking.result->n_passed++;
	return FTW_CONTINUE;
}

/* Whether a folder lies in the data directory, or is it. */
static bool is_inside(const char *path, const char *data_dir)
{
	char *inner = realpath(path, NULL);
	char *outer = realpath(data_dir, NULL);
	size_t n = outer ? strlen(outer) : 0;
	bool inside = inner && outer && strncmp(inner, outer, n) == 0 && (!inner[n] || inner[n] == '/');
	free(inner);
	free(outer);
	return inside;
}

enum status walk_photos(const char *path, const char *data_dir, const struct manifest *manifest,
	struct photo_list *out, struct import_result *result, struct err *err)
{
	struct stat info;
	walking = (struct walk){.root = path, .manifest = manifest, .out = out, .result = result};
	if (stat(path, &info) != 0 || stat(data_dir, &walking.data) != 0)
		return err_set(err, NOT_FOUND, "%.120s cannot be read: %s", path, strerror(errno));
	if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
		return err_set(err, BAD_INPUT, "%.120s is no folder and no file", path);
	if (is_inside(path, data_dir))
		return err_set(err, BAD_INPUT, "%.120s lies in the data directory itself", path);
	if (S_ISREG(info.st_mode)) {
		const char *slash = strrchr(path, '/');
		char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
		add_photo(folder ? folder : "/", path, slash ? slash + 1 : path);
		free(folder);
		return OK;
	}
	/* A link that the user names is meant; links below it are not followed. */
	char *root = S_ISDIR(info.st_mode) ? realpath(path, NULL) : NULL;
	walking.root = root ? root : path;
	int failed = nftw(walking.root, visit, MAX_OPEN_FOLDERS, FTW_PHYS | FTW_ACTIONRETVAL);
	int code = errno;
	free(root);
	walking.root = NULL;
	if (failed)
		return err_set(err, BAD_INPUT, "%.120s cannot be walked: %s", path, strerror(code));
	return OK;
}
