/* What every command shares: how it fails, what time it is, how it reads a number. */
#include "command.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int cmd_fail(const struct err *err)
{
	fprintf(stderr, "topi: %s\n", err->text);
	return EXIT_FAILED;
}

int cmd_usage(const char *format, ...)
{
	va_list args;
	fputs("topi: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(" (see `topi help`)\n", stderr);
	return EXIT_USAGE;
}

int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum status parse_int(
	const char *option, const char *text, int64_t low, int64_t high, int64_t *out, struct err *err)
{
	char *end = NULL;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (end == text || *end || errno || value < low || value > high)
		return err_set(err, BAD_INPUT, "%s is '%.40s': a whole number from %lld to %lld is wanted",
			option, text, (long long)low, (long long)high);
	*out = value;
	return OK;
}

enum status parse_real(
	const char *option, const char *text, double low, double high, double *out, struct err *err)
{
	char *end = NULL;
	errno = 0;
	double value = strtod(text, &end);
	if (end == text || *end || errno || !isfinite(value) || value < low || value > high)
		return err_set(err, BAD_INPUT, "%s is '%.40s': a number from %g to %g is wanted", option,
			text, low, high);
	*out = value;
	return OK;
}

enum status parse_device(const char *text, struct err *err)
{
	static const char *const known[] = {"auto", "cpu", "cuda", "cuda:all", "reference"};
	const char *number = strncmp(text, "cuda:", 5) == 0 ? text + 5 : "";
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(text, known[i]) == 0)
			return OK;
	if (*number && strlen(number) < 4 && number[strspn(number, "0123456789")] == 0)
		return OK;
	return err_set(
		err, BAD_INPUT, "--device is '%.40s': auto, cpu, cuda[:N] or cuda:all is wanted", text);
}
