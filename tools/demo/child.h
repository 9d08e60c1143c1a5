/*
 * Child processes: how the demo drives topi, as a person at a terminal would. What they print on
 * stderr is appended to a log; they are ended when the demo ends.
 * Shapes: argv is NULL-terminated, argv[0] the program, looked up in PATH where it has no '/'.
 */
#pragma once

#include "status.h"

#include <sys/types.h>

/*
 * Runs and waits. Owns: *out (stdout as text; NULL: dropped) is the caller's, free() it, also after
 * a failure. Errors: FAULT with the program's last line where it did not exit 0.
 */
enum status child_run(
	const char *log, const char *const *argv, char **out, struct err *err) MUST_CHECK;

/* Starts and leaves it running; stdout goes to the log as well. */
enum status child_start(
	const char *log, const char *const *argv, pid_t *out, struct err *err) MUST_CHECK;

/* Whether it still runs; one that has ended is waited for. */
int child_runs(pid_t *pid);

/* Asks it to end (SIGTERM), after 20 s makes it; *pid is 0 then. 0 is fine. */
void child_stop(pid_t *pid);
