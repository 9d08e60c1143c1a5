/* labels: http; timeout: 120 */
/* The commands serve, user and token as a user runs them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define TOPI TOPI_BINARY_DIR "/topi"

static char dir[64];
static char out[8000]; /* of the last command, stdout and stderr */

/* Runs a shell command; %s stands for the data directory, TOPI for the program. Its exit code. */
static int run(const char *command, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *command, ...)
{
	char text[1000];
	va_list args;
	va_start(args, command);
	vsnprintf(text, sizeof text, command, args);
	va_end(args);
	FILE *in = popen(text, "r");
	assert_non_null(in);
	out[fread(out, 1, sizeof out - 1, in)] = 0;
	int code = pclose(in);
	return WIFEXITED(code) ? WEXITSTATUS(code) : -1;
}

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/topi-serve-XXXXXX");
	return mkdtemp(dir) ? run(TOPI " init %s 2>&1", dir) : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return run("rm -rf %s", dir);
}

static void accounts(void **state)
{
	static const struct {
		const char *command;
		int code;
		const char *says;
	} rows[] = {
		{"echo 'correct horse' | " TOPI " user add %s ana --admin", 0, ""},
		{"echo 'correct horse' | " TOPI " user add %s ana", 1, "taken"},
		{"echo short | " TOPI " user add %s ben", 1, "8 to 200"},
		{TOPI " user add %s ben </dev/null", 1, "no password"},
		{TOPI " user add %s ben --password-file /nonexistent", 1, "/nonexistent"},
		{"echo 'correct horse' | " TOPI " user add %s ben --role expert --project no", 1, "no"},
		{TOPI " user list %s | grep -c ben", 1, "0"}, /* and nothing is half done */
		{TOPI " user add %s", 2, "DIR NAME"},
		{TOPI " user add %s ben --password secret", 2, "--password"},
		{TOPI " user role %s ana --role expert", 2, "go together"},
		{TOPI " user role %s ana", 2, "--role"},
		{TOPI " user role %s nobody --admin", 1, "nobody"},
		{TOPI " user list %s", 0, "ana"},
		{"echo 'another horse' | " TOPI " user passwd %s ana", 0, ""},
		{TOPI " token add %s w1 | grep -cE '^[0-9a-f]{64}$'", 0, "1"},
		{TOPI " token add %s w1", 1, "w1"},
		{TOPI " token list %s", 0, "in force"},
		{TOPI " token revoke %s w1", 0, ""},
		{TOPI " token revoke %s w1", 1, "w1"},
		{TOPI " token list %s", 0, "revoked"},
		{TOPI " token burn %s", 2, "revoke"},
		{TOPI " serve", 2, "data directory"},
		{TOPI " serve %s --worker gpu", 2, "auto, cpu, cuda or none"},
		{TOPI " serve %s --port 80", 2, "--port"},
		{TOPI " serve %s --worker none --listen 127.0.0.1", 2, "HOST:PORT"},
		{TOPI " serve %s/none --worker none", 1, "topi init"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char command[600];
		const char *place = strstr(rows[i].command, "%s");
		size_t n = place ? (size_t)(place - rows[i].command) : strlen(rows[i].command);
		snprintf(command, sizeof command, "(%.*s%s%s) 2>&1", (int)n, rows[i].command,
			place ? dir : "", place ? place + 2 : "");
		int code = run("%s", command);
		if (code != rows[i].code || !strstr(out, rows[i].says))
			fail_msg("%s: %d %s", command, code, out);
	}
}

/* The address that a started server prints; its process is *pid, its stderr goes to DIR/log. */
static void start(const char *options, pid_t *pid, char url[100])
{
	char command[300];
	int ends[2];
	size_t n = 0;
	char line[300] = "";
	snprintf(command, sizeof command, "exec " TOPI " serve %s --worker none %s 2>%s/log", dir,
		options, dir);
	assert_int_equal(pipe(ends), 0);
	*pid = fork();
	if (*pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	close(ends[1]);
	while (n < sizeof line - 1 && read(ends[0], line + n, 1) == 1 && line[n] != '\n')
		n++;
	close(ends[0]);
	line[n] = 0;
	const char *at = strstr(line, " at http://127.0.0.1:");
	if (!at)
		fail_msg("serve said: '%s'", line);
	snprintf(url, 100, "%s", at + 4);
}

static void a_server_serves_and_ends_when_asked(void **state)
{
	(void)state;
	char url[100];
	pid_t pid = 0;
	int code = 0;
	start("--listen 127.0.0.1:0 --verbose", &pid, url);
	assert_int_equal(run("curl -s %s/healthz", url), 0);
	assert_string_equal(out, "{\"ok\":true,\"version\":\"" TOPI_VERSION "\"}");
	assert_int_equal(run("curl -s -b topi=cookiesecret '%s/api/projects?a=querysecret'", url), 0);
	assert_int_equal(
		run("curl -s -H 'X-Topi: 1' %s/api/login -d '{\"name\":\"ana\",\"password\":\"another "
			"horse\"}'",
			url),
		0);
	assert_non_null(strstr(out, "\"admin\":true"));
	assert_int_equal(run(TOPI " serve %s --worker none --listen %s 2>&1", dir, url + 7), 1);
	assert_non_null(strstr(out, "is taken"));
	assert_int_equal(run("cat %s/log", dir), 0);
	assert_non_null(strstr(out, "GET /api/projects 200"));
	assert_non_null(strstr(out, "POST /api/login 200"));
	assert_null(strstr(out, "secret"));
	assert_null(strstr(out, "horse"));
	time_t begin = time(NULL);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &code, 0), pid);
	assert_true(WIFEXITED(code));
	assert_int_equal(WEXITSTATUS(code), 0);
	assert_in_range(time(NULL) - begin, 0, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accounts),
		cmocka_unit_test(a_server_serves_and_ends_when_asked),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
