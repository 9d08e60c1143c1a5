/*
 * Turns the SQL of this folder into C: schema_gen OUT.h OUT.c FILE.sql...
 *
 * migrations/NNNN_words.sql is one migration, applied whole and in order. queries/<noun>.sql holds
 * statements, each after a line `-- name: noun_verb`; the enum is Q_NOUN_VERB. Two statements of
 * one name, a statement without a name and a gap in the migration numbers end the build.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_QUERIES = 2000, MAX_NAME = 64 };

static char names[MAX_QUERIES][MAX_NAME];
static int n_names;
static int n_migrations;

static void fail(const char *file, const char *what)
{
	fprintf(stderr, "schema_gen: %s: %s\n", file, what);
	exit(1);
}

/* One line of SQL as a C string literal; comments and indentation stay out of the program. */
static void put_line(FILE *out, const char *line)
{
	while (*line == ' ' || *line == '\t')
		line++;
	const char *end = strstr(line, "-- ");
	size_t n = end ? (size_t)(end - line) : strlen(line);
	while (n > 0 && isspace((unsigned char)line[n - 1]))
		n--;
	if (n == 0)
		return;
	fputs("\t\"", out);
	for (size_t i = 0; i < n; i++) {
		if (line[i] == '"' || line[i] == '\\')
			fputc('\\', out);
		fputc(line[i], out);
	}
	fputs("\\n\"\n", out);
}

static void add_name(const char *file, const char *name)
{
	if (n_names == MAX_QUERIES || strlen(name) >= MAX_NAME)
		fail(file, "too many names, or one too long");
	for (int i = 0; i < n_names; i++)
		if (strcmp(names[i], name) == 0)
			fail(file, "a name stands twice");
	snprintf(names[n_names++], MAX_NAME, "%s", name);
}

static void put_queries(FILE *out, const char *path, FILE *in)
{
	char line[1000];
	int open = 0;
	while (fgets(line, sizeof line, in)) {
		char name[MAX_NAME];
		if (sscanf(line, "-- name: %63[a-z0-9_]", name) == 1) {
			add_name(path, name);
			fprintf(out, "%s\t/* %s */\n", open ? "\t,\n" : "", name);
			open = 1;
			continue;
		}
		const char *text = line + strspn(line, " \t\r\n");
		if (*text && strncmp(text, "--", 2) != 0 && !open)
			fail(path, "SQL before the first `-- name:` line");
		if (*text && strncmp(text, "--", 2) != 0)
			put_line(out, line);
	}
	if (open)
		fputs("\t,\n", out);
}

static void put_migration(FILE *out, const char *path, const char *base, FILE *in)
{
	char line[1000];
	if (atoi(base) != n_migrations + 1)
		fail(path, "migrations are numbered 0001, 0002, ... with no gap");
	n_migrations++;
	fprintf(out, "\t{%d, \"%.60s\",\n", n_migrations, base);
	while (fgets(line, sizeof line, in))
		put_line(out, line);
	fputs("\t},\n", out);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* Both kinds of file go through here; `migration` says which of them this pass is for. */
static void pass(FILE *out, int argc, char **argv, int migration)
{
	for (int i = 3; i < argc; i++) {
		if ((strstr(argv[i], "/migrations/") != NULL) != (migration != 0))
			continue;
		FILE *in = fopen(argv[i], "r");
		if (!in)
			fail(argv[i], "cannot be opened");
		if (migration)
			put_migration(out, argv[i], base_name(argv[i]), in);
		else
			put_queries(out, argv[i], in);
		fclose(in);
	}
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fputs("usage: schema_gen OUT.h OUT.c FILE.sql...\n", stderr);
		return 2;
	}
	FILE *c = fopen(argv[2], "w");
	if (!c)
		fail(argv[2], "cannot be written");
	fputs("/* Made by schema/gen.c: do not edit. */\n#include \"schema.h\"\n\n", c);
	fputs("const struct migration migrations[] = {\n", c);
	pass(c, argc, argv, 1);
	fputs("\t{0, 0, 0},\n};\n\nconst char *const query_sql[] = {\n", c);
	pass(c, argc, argv, 0);
	fputs("\t0,\n};\n\nconst char *const query_name[] = {\n", c);
	for (int i = 0; i < n_names; i++)
		fprintf(c, "\t\"%s\",\n", names[i]);
	fputs("\t0,\n};\n", c);
	if (fclose(c) != 0)
		fail(argv[2], "cannot be written");

	FILE *h = fopen(argv[1], "w");
	if (!h)
		fail(argv[1], "cannot be written");
	fputs("/* Made by schema/gen.c: do not edit. */\n#pragma once\n\nenum query {\n", h);
	for (int i = 0; i < n_names; i++) {
		fputs("\tQ_", h);
		for (const char *p = names[i]; *p; p++)
			fputc(toupper((unsigned char)*p), h);
		fputs(",\n", h);
	}
	fprintf(h, "\tN_QUERIES\n};\n\nenum { N_MIGRATIONS = %d };\n\n", n_migrations);
	fputs("/* Migrations in order, and statements by their enum; each list ends with a zero. */\n"
		  "struct migration {\n\tint version;\n\tconst char *name;\n\tconst char *sql;\n};\n\n"
		  "extern const struct migration migrations[];\n"
		  "extern const char *const query_sql[];\nextern const char *const query_name[];\n",
		h);
	return fclose(h) == 0 ? 0 : 1;
}
