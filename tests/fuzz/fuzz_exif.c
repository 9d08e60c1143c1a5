/* EXIF of any bytes: whatever comes out can exist. */
#include "exif.h"
#include "fuzz.h"
#include "support_photo.h"

#include <stdlib.h>
#include <string.h>

const int fuzz_with_jpegs = 1;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct exif e;
	exif_read(data, n, &e);
	if (e.orientation < 1 || e.orientation > 8)
		abort();
	if (e.has_place &&
		!(e.latitude_deg >= -90 && e.latitude_deg <= 90 && e.longitude_deg >= -180 &&
			e.longitude_deg <= 180))
		abort();
	if (!memchr(e.make, 0, sizeof e.make) || !memchr(e.model, 0, sizeof e.model))
		abort();
	if (e.has_time) {
		struct civil_date date = civil_date_of(e.time.civil_s);
		if (!civil_date_valid(&date) || e.time.millisecond < 0 || e.time.millisecond > 999)
			abort();
	}
	return 0;
}

size_t fuzz_seed(int i, uint8_t *out, size_t room)
{
	size_t n = 0;
	if (i > 0)
		return 0;
	uint8_t *bytes = photo_bytes(
		&(struct photo_spec){.time = "2024:05:01 10:00:00", .width_px = 8, .height_px = 8}, &n);
	n = n < room ? n : room;
	memcpy(out, bytes, n);
	free(bytes);
	return n;
}
