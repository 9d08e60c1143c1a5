/* Commands as a user types them, through the shell. */
#pragma once

#define TOPI TOPI_BINARY_DIR "/topi"

extern char command_out[16000]; /* stdout of the last command; add 2>&1 for both */

/* Runs it and waits: its exit code, or -1 when a signal ended it. */
int command(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A data directory at `dir` with the project "p": blank, animal1, animal2. Stops the test on failure. */
void command_init(const char *dir);
