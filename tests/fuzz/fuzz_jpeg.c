/* Renditions of any bytes: they are made, or there is a reason; never both, never neither. */
#include "fuzz.h"
#include "image.h"
#include "support_photo.h"

#include <stdlib.h>
#include <string.h>

const int fuzz_with_jpegs = 1;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct image_rendition out[N_RENDITIONS] = {0};
	struct image_info info = {0};
	struct err err = {0};
	/* Large pictures are slow, not wrong: what the header says is checked, the pixels of small ones decoded. */
	enum status st = image_probe(data, n, &info, &err);
	if ((st == OK) == (err.text[0] != 0))
		abort();
	if (st != OK || (int64_t)info.width_px * info.height_px > 1 << 20)
		return 0;
	const struct image_options options = {.crop_bottom_px = n % 3 == 0 ? 8 : 0};
	st = image_renditions(data, n, &options, out, &info, &err);
	for (int i = 0; i < N_RENDITIONS; i++)
		if ((st == OK) != (out[i].bytes != NULL))
			abort();
	if ((st == OK) == (err.text[0] != 0))
		abort();
	image_renditions_release(out);
	return 0;
}

size_t fuzz_seed(int i, uint8_t *out, size_t room)
{
	size_t n = 0;
	if (i > 2)
		return 0;
	uint8_t *bytes = photo_bytes(&(struct photo_spec){.seed = i,
									 .time = i ? "2024:05:01 10:00:00" : NULL,
									 .width_px = 16 + 40 * i,
									 .height_px = 16 + 24 * i},
		&n);
	n = n < room ? n : room;
	memcpy(out, bytes, n);
	free(bytes);
	return n;
}
