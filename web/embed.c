/*
 * Build tool: turns the page into one C table, embed OUT.c BUNDLE ROOT FILE...
 *
 * BUNDLE is the folder where esbuild has made main.js of all modules, ahead.js (which goes into the page itself and runs before
 * it) and page.css of all sheets. From the files of ROOT, a language stays a file of its own, and so does everything that is no
 * module and no sheet. Each becomes its path below static/, MIME type, a hash, its bytes and the same compressed. In the page
 * every name "static/..." gets its hash behind it, and the languages there are stand in its head.
 */
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { N_HASH = 16 };

struct text {
	char *s; /* ends with a 0 */
	size_t n;
};

struct file {
	char path[300]; /* below the root */
	struct text text;
	char hash[N_HASH + 1];
	char csp[80]; /* what a page's inline script needs in script-src */
};

static struct file files[400];
static int n_files;

__attribute__((noreturn)) static void fail(const char *path, const char *what)
{
	fprintf(stderr, "embed: %s: %s\n", path, what);
	exit(1);
}

static void text_add(struct text *text, const char *s, size_t n)
{
	text->s = realloc(text->s, text->n + n + 1);
	if (!text->s)
		fail("the page", "no memory");
	memcpy(text->s + text->n, s, n);
	text->n += n;
	text->s[text->n] = 0;
}

static struct text read_all(const char *folder, const char *name)
{
	struct text text = {0};
	char path[600];
	char chunk[65536];
	size_t n;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *in = fopen(path, "rb");
	if (!in)
		fail(path, "cannot be read");
	text_add(&text, "", 0);
	while ((n = fread(chunk, 1, sizeof chunk, in)) > 0)
		text_add(&text, chunk, n);
	if (ferror(in))
		fail(path, "cannot be read");
	fclose(in);
	return text;
}

static const char *type_of(const char *path)
{
	static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
		{".js", "text/javascript; charset=utf-8"}, {".css", "text/css; charset=utf-8"},
		{".json", "application/json"}, {".svg", "image/svg+xml"}, {".png", "image/png"},
		{".jpg", "image/jpeg"}, {".ico", "image/x-icon"}, {".woff2", "font/woff2"},
		{".txt", "text/plain; charset=utf-8"}};
	const char *dot = strrchr(path, '.');
	for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
		if (strcmp(dot, types[i][0]) == 0)
			return types[i][1];
	return "application/octet-stream";
}

static void file_add(const char *path, struct text text)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[2 * sizeof hash + 1];
	if (n_files == sizeof files / sizeof *files || strlen(path) >= sizeof files->path ||
		strpbrk(path, "\"\\\n"))
		fail(path, "is one file too many, or has a name that cannot be served");
	struct file *file = &files[n_files++];
	snprintf(file->path, sizeof file->path, "%s", path);
	file->text = text;
	crypto_hash_sha256(hash, (const unsigned char *)text.s, text.n);
	sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
	snprintf(file->hash, sizeof file->hash, "%.*s", N_HASH, hex);
}

static const struct file *file_find(const char *path, size_t n)
{
	for (int i = 0; i < n_files; i++)
		if (strlen(files[i].path) == n && strncmp(files[i].path, path, n) == 0)
			return &files[i];
	fail(path, "is named by the page and not there");
}

/* "en.js?HASH es.js?HASH": the files of the languages. English is in the script. */
static struct text list_languages(void)
{
	struct text list = {0};
	text_add(&list, "en.js", 5);
	for (int i = 0; i < n_files; i++) {
		if (strncmp(files[i].path, "lang/", 5) != 0)
			continue;
		text_add(&list, " ", 1);
		text_add(&list, files[i].path + 5, strlen(files[i].path) - 5);
		text_add(&list, "?", 1);
		text_add(&list, files[i].hash, N_HASH);
	}
	return list;
}

/* A script that is to run before all others goes into the page itself; its hash allows it. */
static void put_inline(struct text *out, const char *bundle, const char *script, char csp[80])
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char base64[64];
	struct text code = read_all(bundle, script);
	text_add(out, "<script>", 8);
	text_add(out, code.s, code.n);
	text_add(out, "</script>", 9);
	crypto_hash_sha256(hash, (const unsigned char *)code.s, code.n);
	sodium_bin2base64(base64, sizeof base64, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
	snprintf(csp, 80, "'sha256-%s'", base64);
	free(code.s);
}

/* The page with the names of its files as they are served, and the languages in its head. */
static struct text rewrite(const struct text *page, const char *bundle, char csp[80])
{
	static const char inlined[] = "<script async src=\"static/ahead.js\"></script>";
	static const char name[] = "\"static/";
	static const char languages[] = "content=\"en.js\"";
	struct text out = {0};
	struct text list = list_languages();
	for (const char *p = page->s; *p;) {
		if (strncmp(p, inlined, strlen(inlined)) == 0) {
			put_inline(&out, bundle, "ahead.js", csp);
			p += strlen(inlined);
		} else if (strncmp(p, languages, strlen(languages)) == 0) {
			text_add(&out, "content=\"", 9);
			text_add(&out, list.s, list.n);
			text_add(&out, "\"", 1);
			p += strlen(languages);
		} else if (strncmp(p, name, strlen(name)) == 0) {
			text_add(&out, p, strlen(name));
			p += strlen(name);
			size_t n = strcspn(p, "\"");
			const struct file *file = file_find(p, n);
			text_add(&out, file->path, strlen(file->path));
			text_add(&out, "?", 1);
			text_add(&out, file->hash, N_HASH);
			p += n;
		} else {
			text_add(&out, p++, 1);
		}
	}
	free(list.s);
	return out;
}

static void put_bytes(FILE *out, const char *name, int number, const char *bytes, size_t n)
{
	fprintf(out, "static const unsigned char %s_%d[] = {", name, number);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%u,", i % 32 ? "" : "\n", (unsigned char)bytes[i]);
	fputs("0};\n", out);
}

/* The bytes compressed, as gzip; empty where that does not make them smaller. */
static struct text compress_text(const struct text *text)
{
	struct text out = {0};
	z_stream z = {0};
	if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		fail("zlib", "does not start");
	out.n = deflateBound(&z, text->n);
	out.s = malloc(out.n);
	if (!out.s)
		fail("zlib", "no memory");
	z.next_in = (unsigned char *)text->s;
	z.avail_in = (unsigned)text->n;
	z.next_out = (unsigned char *)out.s;
	z.avail_out = (unsigned)out.n;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		fail("zlib", "does not compress");
	out.n = z.total_out < text->n ? z.total_out : 0;
	deflateEnd(&z);
	return out;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), n_end = strlen(end);
	return n >= n_end && strcmp(s + n - n_end, end) == 0;
}

static void read_files(const char *bundle, const char *root, int n, char **paths)
{
	for (int i = 0; i < n; i++) {
		if (strncmp(paths[i], root, strlen(root)) != 0)
			fail(paths[i], "is not below the root");
		const char *below = paths[i] + strlen(root) + 1;
		bool is_language = strncmp(below, "lang/", 5) == 0 && strcmp(below, "lang/en.js") != 0;
		if (is_language ||
			!(ends_with(below, ".js") || ends_with(below, ".css") || ends_with(below, ".html")))
			file_add(below, read_all(root, below));
	}
	file_add("page.css", read_all(bundle, "page.css"));
	file_add("main.js", read_all(bundle, "main.js"));
	struct text page = read_all(root, "index.html");
	char csp[80] = "";
	file_add("index.html", rewrite(&page, bundle, csp));
	memcpy(files[n_files - 1].csp, csp, sizeof csp);
	free(page.s);
}

int main(int argc, char **argv)
{
	if (argc < 4 || sodium_init() < 0) {
		fputs("usage: embed OUT.c BUNDLE ROOT FILE...\n", stderr);
		return 2;
	}
	read_files(argv[2], argv[3], argc - 4, argv + 4);
	FILE *out = fopen(argv[1], "w");
	if (!out)
		fail(argv[1], "cannot be written");
	fputs("/* Made by web/embed.c: do not edit. */\n#include \"assets.h\"\n\n", out);
	size_t n_gzip[sizeof files / sizeof *files];
	for (int i = 0; i < n_files; i++) {
		struct text small = compress_text(&files[i].text);
		n_gzip[i] = small.n;
		put_bytes(out, "file", i, files[i].text.s, files[i].text.n);
		if (small.n)
			put_bytes(out, "gzip", i, small.s, small.n);
		free(small.s);
	}
	fputs("\nconst struct asset assets[] = {\n", out);
	for (int i = 0; i < n_files; i++) {
		fprintf(out, "\t{\"%s\", \"%s\", \"%s\", \"%s\", file_%d, %zu, ", files[i].path,
			type_of(files[i].path), files[i].hash, files[i].csp, i, files[i].text.n);
		if (n_gzip[i])
			fprintf(out, "gzip_%d, %zu},\n", i, n_gzip[i]);
		else
			fputs("0, 0},\n", out);
	}
	fputs("\t{0, 0, 0, 0, 0, 0, 0, 0},\n};\n", out);
	return fclose(out) == 0 ? 0 : 1;
}
