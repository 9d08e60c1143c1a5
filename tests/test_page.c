/* labels: http */
/* How the page is sent: compressed for who takes that, its parts under names that never change their content. */
#include "support_server.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct test_server server;

static int set_up(void **state)
{
	(void)state;
	test_server_open(&server, 3, 1, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_server_close(&server);
	return 0;
}

/* One GET with headers of its own. The reply's head is what `reply` holds then; its body is returned. */
static char *get(const char *path, const char *headers, char *reply, size_t size)
{
	char request[400];
	struct sockaddr_in address = {.sin_family = AF_INET};
	address.sin_port = htons(
		(uint16_t)strtol(strrchr(server_url(server.server), ':') + 1, NULL, 10));
	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n",
		path, headers);
	assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	size_t n = 0;
	ssize_t got;
	while (n < size - 1 && (got = read(fd, reply + n, size - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	reply[n] = 0;
	char *end = strstr(reply, "\r\n\r\n");
	assert_non_null(end);
	*end = 0;
	return end + 4;
}

static void the_page_is_compressed_and_its_parts_never_asked_again(void **state)
{
	(void)state;
	static char reply[100000];
	static char page[20000];
	static const struct {
		const char *hash, *headers, *cache;
		bool gzip;
	} rows[] = {
		{NULL, "", "no-cache", false},
		{NULL, "Accept-Encoding: br, gzip\r\n", "no-cache", true},
		{"?", "Accept-Encoding: gzip;q=0, br\r\n", "public, max-age=31536000, immutable", false},
		{"?", "Accept-Encoding: gzip;q=0.5\r\n", "public, max-age=31536000, immutable", true},
		{"?0123456789abcdef", "Accept-Encoding: gzip\r\n", "no-cache", true},
	};
	const char *html = get("/", "", page, sizeof page);
	const char *name = strstr(html, "static/page.css?");
	assert_non_null(name);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char path[100];
		char cache[80];
		const char *hash = rows[i].hash ? rows[i].hash : "";
		snprintf(path, sizeof path, "/static/page.css%.17s",
			strcmp(hash, "?") == 0 ? name + strlen("static/page.css") : hash);
		get(path, rows[i].headers, reply, sizeof reply);
		snprintf(cache, sizeof cache, "Cache-Control: %s\r\n", rows[i].cache);
		assert_non_null(strstr(reply, " 200 "));
		assert_non_null(strstr(reply, cache));
		assert_non_null(strstr(reply, "Vary: Accept-Encoding"));
		assert_int_equal(strstr(reply, "Content-Encoding: gzip") != NULL, rows[i].gzip);
		assert_int_equal(strstr(reply, "-gzip\"") != NULL, rows[i].gzip);
	}
	get("/static/label.js", "", reply, sizeof reply);
	assert_non_null(strstr(reply, " 404 ")); /* a part of main.js */
}

/* The page's own script runs only where the policy names it. */
static void the_policy_names_the_inline_script(void **state)
{
	(void)state;
	static char page[20000];
	unsigned char hash[crypto_hash_sha256_BYTES];
	char base64[64];
	const char *html = get("/", "", page, sizeof page);
	const char *code = strstr(html, "<script>");
	const char *end = code ? strstr(code, "</script>") : NULL;
	assert_non_null(end);
	code += strlen("<script>");
	crypto_hash_sha256(hash, (const unsigned char *)code, (unsigned long long)(end - code));
	sodium_bin2base64(base64, sizeof base64, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
	const char *policy = strstr(page, "script-src 'self' 'sha256-");
	assert_non_null(policy);
	assert_memory_equal(policy + strlen("script-src 'self' 'sha256-"), base64, strlen(base64));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_is_compressed_and_its_parts_never_asked_again),
		cmocka_unit_test(the_policy_names_the_inline_script),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
