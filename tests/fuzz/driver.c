/*
 * A small fuzzer for machines without clang: seeds, mutated by bit flips, splices, cuts and words from other seeds; the
 * same sequence every time, for TOPI_FUZZ_S seconds (5). It sees no coverage: tests/fuzz/run.sh finds more.
 *
 *   fuzz_NAME              fuzz
 *   fuzz_NAME FILE...      run these inputs only (what a crash has left)
 *   fuzz_NAME --seeds DIR  write the seeds as files
 */
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SEEDS = 400, MAX_BYTES = 1 << 16, SLOW_S = 10 };

static struct {
	uint8_t *bytes;
	size_t n;
} seeds[MAX_SEEDS];
static int n_seeds;
static uint64_t state = 88172645463325252u;
static uint8_t input[2 * MAX_BYTES];
static size_t n_input;
static char crash_path[300];

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static size_t below(size_t n)
{
	return n ? (size_t)(next() % n) : 0;
}

static void add_seed(const uint8_t *bytes, size_t n)
{
	if (n_seeds == MAX_SEEDS || n == 0 || n > MAX_BYTES)
		return;
	seeds[n_seeds].bytes = malloc(n);
	if (!seeds[n_seeds].bytes)
		abort();
	memcpy(seeds[n_seeds].bytes, bytes, n);
	seeds[n_seeds++].n = n;
}

static size_t read_file(const char *path)
{
	FILE *in = fopen(path, "rb");
	size_t n = in ? fread(input, 1, MAX_BYTES, in) : 0;
	if (in)
		fclose(in);
	return n;
}

static void add_folder(const char *path)
{
	char file[1000];
	DIR *folder = opendir(path);
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			add_seed(input, read_file(file));
	}
	if (folder)
		closedir(folder);
}

/* One change of the input; it stays within MAX_BYTES. */
static void mutate(void)
{
	static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff, '"', ',', '\n', '\r', '{', '-', '9'};
	const uint8_t *other = NULL;
	size_t at = below(n_input + 1);
	size_t pick = below((size_t)n_seeds);
	size_t from = below(seeds[pick].n);
	size_t n = 1 + below(next() % 4 ? 16 : seeds[pick].n - from);
	n = n > seeds[pick].n - from ? seeds[pick].n - from : n;
	other = seeds[pick].bytes + from;
	switch (next() % 8) {
	case 0: /* a bit */
		if (at < n_input)
			input[at] ^= (uint8_t)(1u << below(8));
		break;
	case 1: /* a byte that often matters */
	case 2:
		if (at < n_input)
			input[at] = odd[below(sizeof odd)];
		break;
	case 3: /* cut off */
		if (below(8) == 0)
			n_input = at;
		break;
	case 4: /* cut out */
		n = 1 + below(32);
		if (at + n < n_input) {
			memmove(input + at, input + at + n, n_input - at - n);
			n_input -= n;
		}
		break;
	case 5: /* over it, a piece of a seed */
		if (at + n <= n_input)
			memcpy(input + at, other, n);
		break;
	case 6: /* into it */
		if (n_input + n <= MAX_BYTES) {
			memmove(input + at + n, input + at, n_input - at);
			memcpy(input + at, other, n);
			n_input += n;
		}
		break;
	case 7: /* a piece of itself once more */
		n = 1 + below(64);
		if (at + n <= n_input && n_input + n <= MAX_BYTES) {
			memmove(input + at + n, input + at, n_input - at);
			n_input += n;
		}
		break;
	}
}

static void run(void)
{
	uint8_t *exact = malloc(n_input ? n_input : 1); /* a read past its end is seen by ASan */
	if (!exact)
		abort();
	memcpy(exact, input, n_input);
	alarm(SLOW_S);
	LLVMFuzzerTestOneInput(exact, n_input);
	alarm(0);
	free(exact);
}

/* Keeps the input that did it. */
static void died(int sig)
{
	FILE *out = fopen(crash_path, "wb");
	if (out) {
		fwrite(input, 1, n_input, out);
		fclose(out);
	}
	fprintf(
		stderr, "%s: the input is in %s\n", sig == SIGALRM ? "too slow" : "crashed", crash_path);
	signal(sig, SIG_DFL);
	raise(sig);
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int write_seeds(const char *dir)
{
	char path[1000];
	for (int i = 0; i < n_seeds; i++) {
		snprintf(path, sizeof path, "%s/seed-%d", dir, i);
		FILE *out = fopen(path, "wb");
		if (!out || fwrite(seeds[i].bytes, 1, seeds[i].n, out) != seeds[i].n || fclose(out) != 0)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	const char *seconds = getenv("TOPI_FUZZ_S");
	double end_s = now_s() + (seconds ? strtod(seconds, NULL) : 5);
	long n_runs = 0;
	snprintf(crash_path, sizeof crash_path, "/tmp/topi-%.100s.crash", name);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		signal(signals[i], died);
	for (int i = 0; (n_input = fuzz_seed(i, input, MAX_BYTES)) > 0; i++)
		add_seed(input, n_input);
	if (fuzz_with_jpegs) {
		add_folder(TOPI_SOURCE_DIR "/../shared/data/jpeg-robustness/fuzz");
		add_folder(TOPI_SOURCE_DIR "/../shared/data/jpeg-robustness/odd");
	}
	if (n_seeds == 0)
		return 1;
	if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
		return write_seeds(argv[2]);
	for (int i = 1; i < argc; i++) {
		n_input = read_file(argv[i]);
		run();
	}
	if (argc > 1)
		return 0;
	for (int i = 0; i < n_seeds; i++, n_runs++) {
		n_input = seeds[i].n;
		memcpy(input, seeds[i].bytes, n_input);
		run();
	}
	for (; now_s() < end_s; n_runs++) {
		size_t pick = below((size_t)n_seeds);
		if (next() % 4 != 0) { /* else on from the last one */
			n_input = seeds[pick].n;
			memcpy(input, seeds[pick].bytes, n_input);
		}
		for (size_t k = 1 + below(8); k > 0; k--)
			mutate();
		run();
	}
	printf("%s: %ld inputs from %d seeds\n", name, n_runs, n_seeds);
	return 0;
}
