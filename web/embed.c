/*
 * Build tool: turns the files of static/ into one C table, embed OUT.c ROOT FILE...
 *
 * Each file becomes its path below ROOT, MIME type, bytes, an ETag of its SHA-256 and, for a page
 * with an inline import map, the hash that the content security policy must name (browsers read
 * import maps inline only). A page is told which languages there are, from the names of lang/.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *type_of(const char *path)
{
	static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
		{".js", "text/javascript; charset=utf-8"}, {".mjs", "text/javascript; charset=utf-8"},
		{".css", "text/css; charset=utf-8"}, {".json", "application/json"},
		{".svg", "image/svg+xml"}, {".png", "image/png"}, {".jpg", "image/jpeg"},
		{".ico", "image/x-icon"}, {".woff2", "font/woff2"}, {".txt", "text/plain; charset=utf-8"}};
	const char *dot = strrchr(path, '.');
	for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
		if (strcmp(dot, types[i][0]) == 0)
			return types[i][1];
	return "application/octet-stream";
}

static void fail(const char *path, const char *what)
{
	fprintf(stderr, "embed: %s: %s\n", path, what);
	exit(1);
}

static unsigned char *read_all(const char *path, size_t *n)
{
	FILE *in = fopen(path, "rb");
	if (!in || fseek(in, 0, SEEK_END) != 0)
		fail(path, "cannot be read");
	long size = ftell(in);
	rewind(in);
	unsigned char *bytes = malloc((size_t)size + 1);
	if (!bytes || fread(bytes, 1, (size_t)size, in) != (size_t)size)
		fail(path, "cannot be read");
	fclose(in);
	bytes[size] = 0;
	*n = (size_t)size;
	return bytes;
}

/* The codes of the languages: "en es fr". */
static void find_languages(int n, char **paths, char *out, size_t size)
{
	size_t used = 0;
	out[0] = 0;
	for (int i = 0; i < n; i++) {
		const char *name = strstr(paths[i], "/lang/");
		const char *end = name ? strstr(name, ".js") : NULL;
		if (!end)
			continue;
		name += strlen("/lang/");
		used += (size_t)snprintf(
			out + used, size - used, "%s%.*s", used ? " " : "", (int)(end - name), name);
		if (used >= size)
			fail(paths[i], "is one language too many");
	}
}

/* The file as it is served: a page says which languages there are. */
static unsigned char *read_served(const char *path, const char *languages, size_t *n)
{
	static const char mark[] = "<meta name=\"languages\" content=\"en\">";
	char *text = (char *)read_all(path, n);
	char *at = strncmp(type_of(path), "text/html", 9) == 0 ? strstr(text, mark) : NULL;
	if (!at)
		return (unsigned char *)text;
	size_t size = *n + strlen(languages) + 1;
	char *out = malloc(size);
	if (!out)
		fail(path, "no memory");
	*n = (size_t)snprintf(out, size, "%.*s<meta name=\"languages\" content=\"%s\">%s",
		(int)(at - text), text, languages, at + strlen(mark));
	free(text);
	return (unsigned char *)out;
}

/* 'sha256-...' of the first inline import map, or nothing. */
static void put_csp(FILE *out, const char *text)
{
	const char *open = strstr(text, "<script type=\"importmap\">");
	const char *end = open ? strstr(open, "</script>") : NULL;
	if (!end) {
		fputs("0", out);
		return;
	}
	open += strlen("<script type=\"importmap\">");
	unsigned char hash[crypto_hash_sha256_BYTES];
	char base64[64];
	crypto_hash_sha256(hash, (const unsigned char *)open, (unsigned long long)(end - open));
	sodium_bin2base64(base64, sizeof base64, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
	fprintf(out, "\"'sha256-%s'\"", base64);
}

static void put_bytes(FILE *out, const char *path, const char *languages, int number)
{
	size_t n = 0;
	unsigned char *bytes = read_served(path, languages, &n);
	fprintf(out, "static const unsigned char file_%d[] = {", number);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%u,", i % 32 ? "" : "\n", bytes[i]);
	fputs("0};\n", out);
	free(bytes);
}

static void put_row(
	FILE *out, const char *root, const char *path, const char *languages, int number)
{
	size_t n = 0;
	unsigned char *bytes = read_served(path, languages, &n);
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[33];
	if (strncmp(path, root, strlen(root)) != 0 || strpbrk(path, "\"\\\n"))
		fail(path, "is not below the root, or has a name that cannot be served");
	crypto_hash_sha256(hash, bytes, n);
	sodium_bin2hex(hex, sizeof hex, hash, 16);
	fprintf(
		out, "\t{\"%s\", \"%s\", \"\\\"%s\\\"\", ", path + strlen(root) + 1, type_of(path), hex);
	if (strncmp(type_of(path), "text/html", 9) == 0)
		put_csp(out, (const char *)bytes);
	else
		fputs("0", out);
	fprintf(out, ", file_%d, %zu},\n", number, n);
	free(bytes);
}

int main(int argc, char **argv)
{
	if (argc < 3 || sodium_init() < 0) {
		fputs("usage: embed OUT.c ROOT FILE...\n", stderr);
		return 2;
	}
	char languages[200];
	find_languages(argc - 3, argv + 3, languages, sizeof languages);
	FILE *out = fopen(argv[1], "w");
	if (!out)
		fail(argv[1], "cannot be written");
	fputs("/* Made by web/embed.c: do not edit. */\n#include \"assets.h\"\n\n", out);
	for (int i = 3; i < argc; i++)
		put_bytes(out, argv[i], languages, i);
	fputs("\nconst struct asset assets[] = {\n", out);
	for (int i = 3; i < argc; i++)
		put_row(out, argv[2], argv[i], languages, i);
	fputs("\t{0, 0, 0, 0, 0, 0},\n};\n", out);
	return fclose(out) == 0 ? 0 : 1;
}
