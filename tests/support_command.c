/* One buffer for what the last command printed. */
#include "support_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

char command_out[16000];

int command(const char *format, ...)
{
	char text[3000];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	FILE *in = popen(text, "r");
	assert_non_null(in);
	size_t n = fread(command_out, 1, sizeof command_out - 1, in);
	command_out[n] = 0;
	while (fgetc(in) != EOF)
		continue;
	int code = pclose(in);
	return WIFEXITED(code) ? WEXITSTATUS(code) : -1;
}

void command_init(const char *dir)
{
	int code = command("(" TOPI " init %s && cat >%s/p.json && " TOPI
					   " project add %s %s/p.json) 2>&1 <<'END'\n"
					   "{\"slug\": \"p\", \"title\": \"P\", \"taxa\": ["
					   "{\"code\": \"blank\", \"kind\": \"blank\", \"common_name\": \"nothing\"},"
					   "{\"code\": \"animal1\", \"kind\": \"animal\", \"common_name\": \"one\", "
					   "\"scientific_name\": \"Una prima\"},"
					   "{\"code\": \"animal2\", \"kind\": \"animal\", \"common_name\": \"two\", "
					   "\"scientific_name\": \"Una altera\"}]}\nEND\n",
		dir, dir, dir, dir);
	if (code != 0)
		fail_msg("%s", command_out);
}
