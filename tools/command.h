/*
 * The command table's contract. A command is `int cmd_<name>(int argc, char **argv)` in
 * tools/cmd_<name>.c with argv[0] "topi" (getopt's messages begin with it); it returns EXIT_DONE, EXIT_FAILED or EXIT_USAGE.
 * topi.c lists the commands; nothing else exits.
 */
#pragma once

#include "status.h"

#include <stdint.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;   /* its arguments, without `topi NAME` */
	const char *summary; /* one line for the list */
	const char *help;    /* what `topi help NAME` adds; ends with a newline */
};

/* Prints `topi: <what is wrong>` to stderr; returns EXIT_FAILED. */
int cmd_fail(const struct err *err);
/* Prints `topi: <what is wrong>` and where help is; returns EXIT_USAGE. */
int cmd_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The clock and the machine's randomness, which core is handed as arguments. Units: Unix
 * milliseconds, UTC. */
int64_t now_ms(void);

/* One number of an option, whole or not, in [low, high]. Errors: BAD_INPUT that names the option
 * and the range. */
enum status parse_int(const char *option, const char *text, int64_t low, int64_t high, int64_t *out,
	struct err *err) MUST_CHECK;
enum status parse_real(const char *option, const char *text, double low, double high, double *out,
	struct err *err) MUST_CHECK;

/* Whether --device's text names a device: auto, cpu, cuda, cuda:N (and reference, for tests). Errors: BAD_INPUT. */
enum status parse_device(const char *text, struct err *err) MUST_CHECK;
