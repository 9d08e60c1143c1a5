/* Any text as a time, an offset and a UUID: what is taken reads back as itself. */
#include "civil.h"
#include "classification.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

const int fuzz_with_jpegs = 0;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err err = {0};
	struct civil_time t, again;
	int offset_s = 0;
	char *text = malloc(n + 1);
	char out[CIVIL_TEXT];
	if (!text)
		abort();
	memcpy(text, data, n);
	text[n] = 0;
	enum status st = civil_parse(text, &t, &err);
	if ((st == OK) == (err.text[0] != 0) || (st != OK && st != BAD_INPUT))
		abort();
	if (st == OK) {
		int shown_s = t.has_offset ? t.offset_s : 0;
		civil_format(t.civil_s - shown_s, t.millisecond, shown_s, out);
		if (civil_parse(out, &again, &err) != OK || again.civil_s != t.civil_s ||
			again.millisecond != t.millisecond || again.offset_s != shown_s)
			abort();
	}
	err = (struct err){0};
	st = civil_parse_offset(text, &offset_s, &err);
	if ((st == OK) == (err.text[0] != 0) || offset_s > CIVIL_MAX_OFFSET_S ||
		offset_s < -CIVIL_MAX_OFFSET_S)
		abort();
	uint8_t uuid[16];
	err = (struct err){0};
	st = uuid_parse(text, uuid, &err);
	if ((st == OK) == (err.text[0] != 0) || (st == OK && n < 32))
		abort();
	free(text);
	return 0;
}

size_t fuzz_seed(int i, uint8_t *out, size_t room)
{
	static const char *const seeds[] = {"2020-05-30T04:57:37+02:00", "2024-02-29 23:59:59.999Z",
		"0002-01-01T00:00", "9998-12-31T23:59:59.1-18:00", "-0330", "+05",
		"0f8fad5b-d9cb-469f-a165-70867728950e"};
	if (i >= (int)(sizeof seeds / sizeof *seeds))
		return 0;
	size_t n = strlen(seeds[i]) < room ? strlen(seeds[i]) : room;
	memcpy(out, seeds[i], n);
	return n;
}
