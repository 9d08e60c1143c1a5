/* Any bytes as a recorded project. */
#include "fuzz.h"
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const int fuzz_with_jpegs = 0;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int fd = -1;
	char path[40];
	struct stream_result result = {0};
	struct err err = {0};
	if (fd < 0)
		fd = memfd_create("stream", 0);
	if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, n, 0) != (ssize_t)n)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	enum status st = stream_run(path, 0.01, n % 2 == 0, &result, &err);
	if ((st == OK) == (err.text[0] != 0) || (st != OK && result.subjects))
		abort();
	for (int i = 0; st == OK && i < result.n_subjects; i++) {
		const struct stream_subject *s = &result.subjects[i];
		if (s->label < 0 || s->label >= result.n_classes || s->n_answers < 0 ||
			s->n_answers > STREAM_ANSWER_CAP || !(s->risk >= -1e-9 && s->risk <= 1 + 1e-9))
			abort();
	}
	stream_result_release(&result);
	return 0;
}

size_t fuzz_seed(int i, uint8_t *out, size_t room)
{
	static const char *const seeds[] = {
		"pi,0.5,0.3,0.2\n1|1:0.9 0:0.05|7:1 8:1 9:0\n0|0:0.99|7:0 8:0\n2|2:0.4 1:0.4|9:2 7:2 8:1\n",
		"pi,.6,.4\n0||1:0\n\n1|1:1|\n",
		"pi,1e-3,0.999\r\n1|0:1e-300|100000:1\r\n",
	};
	if (i >= (int)(sizeof seeds / sizeof *seeds))
		return 0;
	size_t n = strlen(seeds[i]) < room ? strlen(seeds[i]) : room;
	memcpy(out, seeds[i], n);
	return n;
}
