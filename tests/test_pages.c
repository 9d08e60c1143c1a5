/* labels: unit http sql; timeout: 120 */
/* What volunteers read: a folder taken whole or not at all, and its pages and pictures as a browser gets them. */
#include "pages.h"
#include "support_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TEST "/api/projects/test"
#define PNG "\x89PNG\r\n\x1a\n and the rest of a picture"
#define SVG "<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0h9v9z\"/></svg>"

static struct test_server server;
static char folder[64];

static void put_n(const char *name, const char *bytes, size_t n)
{
	char path[300];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = 0;
		mkdir(path, 0700);
		*slash = '/';
	}
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

static void put(const char *name, const char *text)
{
	put_n(name, text, strlen(text));
}

static void drop(const char *name)
{
	char path[300];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	assert_int_equal(unlink(path), 0);
}

static enum status take(struct pages_taken *out, struct err *err)
{
	struct test_project *p = &server.project;
	assert_int_equal(db_begin(p->db, err), OK);
	enum status st = pages_take(p->db, p->dir, p->id, folder, out, err);
	if (st == OK)
		st = db_commit(p->db, err);
	db_rollback(p->db);
	return st;
}

static int set_up(void **state)
{
	(void)state;
	test_server_open(&server, 4, 2, NULL);
	test_sql(&server.project,
		"UPDATE project SET texts = "
		"'{\"titles\":{\"fr\":\"Essai\"},\"looks\":[{\"id\":\"pattern\",\"name\":\"P\","
		"\"values\":[{\"id\":\"stripes\",\"name\":\"S\"}]}],\"confusions\":[{\"taxa\":[\"animal1\","
		"\"animal2\"],"
		"\"text\":\"x\"}]}'; UPDATE taxon SET texts = '{\"names\":{\"fr\":\"un\"}}' WHERE code = "
		"'animal1'");
	snprintf(folder, sizeof folder, "/tmp/topi-pages-XXXXXX");
	assert_non_null(mkdtemp(folder));
	put("guide.md", "# Guide\n\n![Two](pictures/two.svg) ![one](./taxa/animal1.png \"One\")\n");
	put("guide.sw.md", "# Mwongozo\n");
	put("guide/animal1.md", "See ![it](../taxa/animal1.png).\n");
	put("practice/animal2.md", "Because ![ of [this](nowhere) and ![.\n");
	put("pictures/two.svg", SVG);
	put("taxa/animal1.png", PNG);
	put("looks/pattern/stripes.jpeg", "\xff\xd8\xff\xe0 a photograph");
	put(".hidden", "not looked at");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	char command[100];
	test_server_close(&server);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command); /* a test's own folder under /tmp */
}

static void a_browser_gets_them(void **state)
{
	(void)state;
	struct err err = {0};
	struct pages_taken taken;
	struct client c;
	char url[200], svg[200];
	if (take(&taken, &err) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(taken.n_pages, 4);
	assert_int_equal(taken.n_pictures, 3);
	client_open(&c, &server);
	assert_int_equal(client_send(&c, "GET", TEST, NULL), 200);
	const json_t *taxa = json_object_get(c.json, "taxa");
	const json_t *one = json_array_get(taxa, 1);
	snprintf(url, sizeof url, "%s", json_string_value(json_object_get(one, "picture")));
	assert_memory_equal(url, TEST "/files/", strlen(TEST "/files/"));
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(one, "names"), "fr")), "un");
	assert_null(json_object_get(json_array_get(taxa, 2), "picture"));
	const json_t *value = json_array_get(
		json_object_get(json_array_get(json_object_get(c.json, "looks"), 0), "values"), 0);
	assert_non_null(strstr(json_string_value(json_object_get(value, "picture")), ".jpg"));
	const json_t *pair = json_object_get(
		json_array_get(json_object_get(c.json, "confusions"), 0), "taxa");
	assert_int_equal(json_integer_value(json_array_get(pair, 1)), server.project.taxa[2]);
	const json_t *pages = json_object_get(c.json, "pages");
	assert_int_equal(json_array_size(pages), 3);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(pages, 0), "name")), "guide");
	assert_int_equal(json_array_size(json_object_get(json_array_get(pages, 0), "languages")), 2);

	assert_int_equal(client_send(&c, "GET", TEST "/pages/guide?lang=sw", NULL), 200);
	assert_string_equal(client_text(&c, "markdown"), "# Mwongozo\n");
	assert_string_equal(client_text(&c, "lang"), "sw");
	assert_int_equal(client_send(&c, "GET", TEST "/pages/guide?lang=fr", NULL), 200);
	assert_string_equal(client_text(&c, "lang"), "");
	assert_non_null(strstr(client_text(&c, "markdown"), url)); /* links are addresses */
	assert_non_null(strstr(client_text(&c, "markdown"), ".png \"One\")\n"));
	snprintf(svg, sizeof svg, "%.*s",
		(int)strcspn(strstr(client_text(&c, "markdown"), "(") + 1, ")"),
		strstr(client_text(&c, "markdown"), "(") + 1);
	assert_int_equal(client_send(&c, "GET", TEST "/pages/practice/animal2", NULL), 200);
	assert_string_equal(client_text(&c, "markdown"), "Because ![ of [this](nowhere) and ![.\n");
	assert_int_equal(client_send(&c, "GET", TEST "/pages/guide/animal1", NULL), 200);
	assert_non_null(strstr(client_text(&c, "markdown"), url));

	assert_int_equal(client_send(&c, "GET", url, NULL), 200);
	assert_memory_equal(c.body, PNG, sizeof PNG - 1);
	assert_non_null(strstr(c.headers, "Content-Type: image/png"));
	assert_non_null(strstr(c.headers, "immutable"));
	assert_non_null(strstr(c.headers, "nosniff"));
	assert_null(strstr(c.headers, "sandbox"));
	assert_int_equal(client_send(&c, "GET", svg, NULL), 200);
	assert_non_null(strstr(c.headers, "Content-Type: image/svg+xml"));
	assert_non_null(strstr(c.headers, "Content-Security-Policy: default-src 'none'"));
	assert_non_null(strstr(c.headers, "sandbox"));

	static const char *const not_there[] = {TEST "/pages/tutorial", TEST "/pages/guide/animal2",
		TEST "/pages/..%2fguide", TEST "/files/..%2f..%2ftopi.db", TEST "/files/..%2ftwo.svg",
		TEST "/files/0000000000000000000000000000000000000000000000000000000000000000.png",
		"/api/projects/nope/pages/guide"};
	for (size_t i = 0; i < sizeof not_there / sizeof *not_there; i++)
		assert_int_equal(client_send(&c, "GET", not_there[i], NULL), 404);
	/* A new folder takes the old one's place. */
	drop("practice/animal2.md");
	drop("taxa/animal1.png");
	put("guide.md", "New\n");
	put("guide/animal1.md", "New\n");
	assert_int_equal(take(&taken, &err), OK);
	assert_int_equal(client_send(&c, "GET", url, NULL), 404);
	assert_int_equal(client_send(&c, "GET", TEST "/pages/practice/animal2", NULL), 404);
	client_close(&c);
}

static int n_files(const char *words)
{
	char line[200], out[20] = "";
	snprintf(line, sizeof line, "find %s/pages -type f %s | wc -l", server.project.dir, words);
	FILE *pipe = popen(line, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(out, sizeof out, pipe));
	pclose(pipe);
	return (int)strtol(out, NULL, 10);
}

static int clean(void)
{
	struct err err = {0};
	int n = -1;
	assert_int_equal(db_begin(server.project.db, &err), OK);
	assert_int_equal(pages_clean(server.project.db, server.project.dir, &n, &err), OK);
	db_rollback(server.project.db);
	return n;
}

static void pictures_that_no_page_has_go(void **state)
{
	(void)state;
	struct err err = {0};
	struct pages_taken taken;
	char path[200];
	assert_int_equal(clean(), 0); /* there is no folder yet */
	assert_int_equal(take(&taken, &err), OK);
	assert_int_equal(clean(), 0);
	assert_int_equal(n_files(""), 3);
	/* One that another project has too stays; what an import that was killed had begun goes. */
	test_sql(&server.project,
		"INSERT INTO project (slug, title, created_ms) VALUES ('other', 'O', 0); INSERT INTO "
		"page_picture "
		"(project_id, name, file) SELECT (SELECT max(id) FROM project), name, file FROM "
		"page_picture WHERE "
		"name = 'taxa/animal1'");
	drop("taxa/animal1.png");
	drop("looks/pattern/stripes.jpeg");
	put("guide.md", "New\n");
	put("guide/animal1.md", "New\n");
	assert_int_equal(take(&taken, &err), OK);
	assert_int_equal(n_files(""), 3);
	snprintf(path, sizeof path, "touch $(dirname $(find %s/pages -name '*.svg'))/.x.svg.part",
		server.project.dir);
	assert_int_equal(system(path), 0);
	assert_int_equal(clean(), 2);
	assert_int_equal(n_files(""), 2);
	assert_int_equal(n_files("-name '*.png'"), 1);
	assert_int_equal(n_files("-name '*.svg'"), 1);
}

static void half_a_folder_is_not_taken(void **state)
{
	(void)state;
	static const struct {
		const char *name, *bytes, *word;
	} rows[] = {
		{"notes.txt", "hello", "notes.txt is no page"},
		{"pictures/x.png", "no picture", "pictures/x.png is no page"},
		{"about.md", "x", "about.md is no page: guide.md"},
		{"guide/lion.md", "x", "no taxon 'lion'"},
		{"guide.french.md", "x", "'french' is no language"},
		{"tutorial.fr.md", "x", "tutorial.md in the project's own language is missing"},
		{"tutorial.md", "![x](nowhere.png)", "the picture 'nowhere.png' is not in the folder"},
		{"tutorial.md", "![x](../../etc/passwd)", "'../../etc/passwd' is not in the folder"},
		{"tutorial.md", "![x](https://example.org/x.png)", "is not in the folder"},
		{"tutorial.md", "![x](guide.md)", "the picture 'guide.md' is not"},
		{"tutorial.md", "\xff\xfe", "no text in UTF-8"},
		{"tutorial.md", "", "tutorial.md is empty"},
		{"taxa/lion.png", PNG, "no taxon 'lion'"},
		{"looks/patern/stripes.png", PNG,
			"looks/patern/stripes.png: the project's \"looks\" have no 'patern'"},
		{"looks/pattern/spots.png", PNG, "the look 'pattern' has no value 'spots'"},
		{"looks/pattern.png", PNG, "looks/LOOK/VALUE.png"},
		{"looks/pattern/stripes/x.png", PNG, "looks/LOOK/VALUE.png"},
		{"taxa/animal1.svg", SVG, "two pictures are called taxa/animal1"},
		{"pictures/bad.svg", "<svg><SCRIPT>x</SCRIPT></svg>", "'<script' is not taken"},
		{"pictures/bad.svg", "<svg><a href=\"javascript:x\"/></svg>", "'javascript:' is not taken"},
		{"a/b/c/d/e/f.png", PNG, "neither a plain file nor a folder near the top"},
	};
	struct err err = {0};
	struct pages_taken taken;
	assert_int_equal(take(&taken, &err), OK);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		put(rows[i].name, rows[i].bytes);
		if (take(&taken, &err) == OK || !strstr(err.text, rows[i].word))
			fail_msg("%s: %s", rows[i].name, err.text);
		assert_int_equal(test_sql(&server.project, "SELECT count(*) FROM page"), 4);
		assert_int_equal(test_sql(&server.project, "SELECT count(*) FROM page_picture"), 3);
		drop(rows[i].name);
	}
}

/* A disk that takes no picture leaves the pages as they were. */
static void a_picture_that_cannot_be_kept_ends_it(void **state)
{
	(void)state;
	char command[200], path[100];
	struct err err = {0};
	struct pages_taken taken;
	snprintf(path, sizeof path, "%s/pages", server.project.dir);
	FILE *file = fopen(path, "w"); /* where the pictures' folder would be */
	assert_non_null(file);
	fclose(file);
	assert_int_equal(take(&taken, &err), FAULT);
	assert_non_null(strstr(err.text, "cannot be written"));
	assert_int_equal(test_sql(&server.project, "SELECT count(*) FROM page"), 0);
	assert_int_equal(test_sql(&server.project, "SELECT count(*) FROM page_picture"), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(take(&taken, &err), OK);
	snprintf(command, sizeof command, "test -z \"$(find %s -name '.*.part')\"", path);
	assert_int_equal(system(command), 0);
}

static void sizes_and_links_are_bounded(void **state)
{
	(void)state;
	char path[300];
	struct err err = {0};
	struct pages_taken taken;
	char *big = calloc(1, PAGES_MAX_PICTURE + 1);
	assert_non_null(big);
	memcpy(big, PNG, sizeof PNG - 1);
	put_n("pictures/big.png", big, PAGES_MAX_PICTURE + 1);
	assert_int_equal(take(&taken, &err), TOO_LARGE);
	assert_non_null(strstr(err.text, "pictures/big.png is over 2 MiB"));
	put_n("pictures/big.png", big, PAGES_MAX_PICTURE);
	assert_int_equal(take(&taken, &err), OK);
	memset(big, 'x', PAGES_MAX_PICTURE);
	put_n("tutorial.md", big, PAGES_MAX_PAGE + 1);
	assert_int_equal(take(&taken, &err), TOO_LARGE);
	put_n("tutorial.md", big, PAGES_MAX_PAGE);
	assert_int_equal(take(&taken, &err), OK);
	free(big);
	snprintf(path, sizeof path, "%s/pictures/link.png", folder);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_int_equal(take(&taken, &err), BAD_INPUT);
	assert_non_null(strstr(err.text, "pictures/link.png is neither"));
	folder[strlen(folder) - 1] ^= 1;
	assert_int_equal(take(&taken, &err), NOT_FOUND);
	folder[strlen(folder) - 1] ^= 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_browser_gets_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pictures_that_no_page_has_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(half_a_folder_is_not_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_picture_that_cannot_be_kept_ends_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sizes_and_links_are_bounded, set_up, tear_down)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
