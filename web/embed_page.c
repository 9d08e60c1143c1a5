#include "embed_page.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MODULES = 200, MAX_PATH = 300 };

struct module {
	char path[MAX_PATH]; /* below the root */
	bool done;           /* its text is in the bundle; else it is being read */
};

struct bundle {
	const char *root;
	struct text out;
	struct module modules[MAX_MODULES];
	int n_modules;
};

void fail(const char *path, const char *what)
{
	fprintf(stderr, "embed: %s: %s\n", path, what);
	exit(1);
}

void text_add(struct text *text, const char *s, size_t n)
{
	text->s = realloc(text->s, text->n + n + 1);
	if (!text->s)
		fail("the page", "no memory");
	memcpy(text->s + text->n, s, n);
	text->n += n;
	text->s[text->n] = 0;
}

static void add(struct text *text, const char *s)
{
	text_add(text, s, strlen(s));
}

struct text read_all(const char *path)
{
	struct text text = {0};
	char chunk[65536];
	size_t n;
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

/* The end of the string, template or regular expression that begins at p; a template's ${} holds no template. */
static const char *literal_end(const char *p)
{
	char quote = *p++;
	bool in_class = false; /* [...] of a regular expression */
	for (; *p && (*p != quote || in_class); p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (quote == '/' && (*p == '[' || *p == ']'))
			in_class = *p == '[';
		else if (quote == '`' && *p == '$' && p[1] == '{')
			for (int depth = 0; *p && !(*p == '}' && --depth == 0); p++) {
				depth += *p == '{';
				if (*p == '\'' || *p == '`')
					p = literal_end(p) - 1;
			}
	}
	return *p ? p + 1 : p;
}

/* Whether a slash that follows this text begins a regular expression and divides nothing. */
static bool expects_value(const struct text *before)
{
	size_t n = before->n;
	while (n > 0 && isspace((unsigned char)before->s[n - 1]))
		n--;
	if (n >= 6 && strncmp(before->s + n - 6, "return", 6) == 0)
		return true;
	return n == 0 || strchr("(,=:[!&|?{};+-*%<>~^", before->s[n - 1]);
}

/* Code without comments, indentation and empty lines. */
static struct text strip(const char *p)
{
	struct text out = {0};
	text_add(&out, "", 0);
	while (*p) {
		const char *end = p + 1;
		if (p[0] == '/' && p[1] == '/') {
			p += strcspn(p, "\n");
			continue;
		}
		if (p[0] == '/' && p[1] == '*') {
			end = strstr(p + 2, "*/");
			p = end ? end + 2 : p + strlen(p);
			continue;
		}
		if (strchr("'\"`", *p) || (*p == '/' && expects_value(&out)))
			end = literal_end(p);
		if (isspace((unsigned char)*p)) {
			end = p + strspn(p, " \t\n");
			bool line = memchr(p, '\n', (size_t)(end - p)) != NULL;
			if (out.n > 0 && out.s[out.n - 1] != '\n')
				add(&out, line ? "\n" : " ");
			p = end;
			continue;
		}
		text_add(&out, p, (size_t)(end - p));
		p = end;
	}
	return out;
}

/* The name of a module's constant: $lang_en. */
static void put_name(struct text *out, const char *path)
{
	add(out, "$");
	for (const char *p = path; *p && strcmp(p, ".js") != 0; p++)
		text_add(out, isalnum((unsigned char)*p) ? p : "_", 1);
}

static void add_module(struct bundle *bundle, const char *path, bool is_entry);

/* The module that './x.js' at p names, added to the bundle. Writes its path; returns what follows the quote. */
static const char *take_path(
	struct bundle *bundle, const char *from, const char *p, char path[MAX_PATH])
{
	const char *end = strncmp(p, "'./", 3) == 0 ? strchr(p + 3, '\'') : NULL;
	if (!end || end - p > MAX_PATH)
		fail(from, "imports what is not './MODULE.js'");
	snprintf(path, MAX_PATH, "%.*s", (int)(end - p - 3), p + 3);
	add_module(bundle, path, false);
	return end + 1;
}

/* An import statement at p becomes a declaration in `body`. Returns what follows it. */
static const char *take_import(
	struct bundle *bundle, const char *from, const char *p, struct text *body)
{
	char path[MAX_PATH];
	const char *end = strchr(p, ';');
	const char *what = p + strlen("import ");
	const char *source = strstr(p, " from ");
	if (!end || !source || source > end || (*what != '{' && strncmp(what, "* as ", 5) != 0))
		fail(from, "has an import that is not { names } or * as name");
	take_path(bundle, from, source + strlen(" from "), path);
	add(body, "const ");
	if (*what == '*')
		text_add(body, what + 5, (size_t)(source - what - 5));
	while (*what != '*' && what < source) { /* { a as b } is { a: b } in a declaration */
		bool as = strncmp(what, " as ", 4) == 0;
		text_add(body, as ? ": " : what, as ? 2 : 1);
		what += as ? 4 : 1;
	}
	add(body, " = ");
	put_name(body, path);
	add(body, ";");
	return end + 1;
}

/* An export before a declaration: its name is added to `names`. Returns the declaration. */
static const char *take_export(const char *from, const char *p, struct text *names)
{
	static const char *const kinds[] = {"const ", "function ", "async function ", "class "};
	const char *declaration = p + strlen("export ");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		size_t n = strlen(kinds[i]);
		if (strncmp(declaration, kinds[i], n) != 0 || declaration[n] == '{')
			continue;
		const char *name = declaration + n;
		text_add(names, name,
			strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"));
		add(names, ", ");
		return declaration;
	}
	fail(from, "exports what is no const, function or class");
}

/* Whether the module is in the bundle; a new one is put down as being read. */
static struct module *find_module(struct bundle *bundle, const char *path, bool *is_new)
{
	for (int i = 0; i < bundle->n_modules; i++)
		if (strcmp(bundle->modules[i].path, path) == 0) {
			*is_new = false;
			return &bundle->modules[i];
		}
	if (bundle->n_modules == MAX_MODULES)
		fail(path, "is one module too many");
	struct module *module = &bundle->modules[bundle->n_modules++];
	snprintf(module->path, sizeof module->path, "%s", path);
	*is_new = true;
	return module;
}

static void add_module(struct bundle *bundle, const char *path, bool is_entry)
{
	static const char lazy[] = "import('";
	char file[2 * MAX_PATH];
	char imported[MAX_PATH];
	bool is_new;
	struct module *module = find_module(bundle, path, &is_new);
	if (!is_new && !module->done)
		fail(path, "imports itself by way of others");
	if (!is_new)
		return;
	snprintf(file, sizeof file, "%s/%s", bundle->root, path);
	struct text source = read_all(file);
	struct text code = strip(source.s);
	struct text body = {0};
	struct text names = {0};
	text_add(&names, "", 0);
	text_add(&body, "", 0);
	for (const char *p = code.s; *p;) {
		bool begins = p == code.s || p[-1] == '\n';
		if (begins && strncmp(p, "import ", 7) == 0) {
			p = take_import(bundle, path, p, &body);
		} else if (begins && strncmp(p, "export ", 7) == 0) {
			p = take_export(path, p, &names);
		} else if (strncmp(p, lazy, strlen(lazy)) == 0) {
			p = take_path(bundle, path, p + strlen(lazy) - 1, imported);
			add(&body, "Promise.resolve(");
			put_name(&body, imported);
		} else {
			text_add(&body, p++, 1);
		}
	}
	if (!is_entry) {
		add(&bundle->out, "const ");
		put_name(&bundle->out, path);
		add(&bundle->out, " = (() => {\n");
	}
	text_add(&bundle->out, body.s, body.n);
	if (!is_entry) {
		add(&bundle->out, "return { ");
		text_add(&bundle->out, names.s, names.n);
		add(&bundle->out, "};\n})();\n");
	}
	module->done = true;
	free(source.s);
	free(code.s);
	free(body.s);
	free(names.s);
}

struct text bundle_script(const char *root, const char *entry)
{
	struct bundle bundle = {.root = root};
	add_module(&bundle, entry, true);
	return bundle.out;
}

void bundle_sheet(struct text *out, const char *sheet)
{
	for (const char *p = sheet; *p;) {
		const char *open = strstr(p, "/*");
		const char *close = open ? strstr(open, "*/") : NULL;
		text_add(out, p, close ? (size_t)(open - p) : strlen(p));
		p = close ? close + 2 : p + strlen(p);
	}
}
