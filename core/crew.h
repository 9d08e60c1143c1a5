/* Independent pieces of work on several threads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Calls work(arg, i) once for each i below n, in order of i as threads get free, and returns when all have returned. When
 * one returns false, no further one is begun. n_threads under 1 is 1; at most 64 are used.
 */
void crew_run(size_t n, int n_threads, bool (*work)(void *arg, size_t i), void *arg);
