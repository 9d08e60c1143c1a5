/*
 * What every fuzz target is: LLVMFuzzerTestOneInput as libFuzzer calls it, and seeds of its own making. Linked with
 * driver.c it runs under ctest without clang; tests/fuzz/run.sh links the same file with libFuzzer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The ith seed, from 0. Shapes: out [room]. Returns its bytes, 0 after the last. */
size_t fuzz_seed(int i, uint8_t *out, size_t room);

/* Whether the JPEG files of ../shared, where they are, are seeds too. */
extern const int fuzz_with_jpegs;
