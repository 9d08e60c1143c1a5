/*
 * The EXIF reader (exif.h). Its one idea: a struct block holds the TIFF bytes with their length,
 * and every access goes through it, so an offset from the file is compared once, in one place.
 * Three directories at most are read (main, EXIF, GPS), none of them follows a link to a next one,
 * and an entry count is bounded by the bytes that are there: no file can make it loop.
 */
#include "exif.h"

#include <math.h>
#include <string.h>

struct block {
	const uint8_t *bytes;
	size_t n_bytes;
	bool big_endian;
};

/* One directory entry whose value lies wholly inside the block. */
struct entry {
	unsigned type;
	uint32_t count;
	size_t at;
};

enum { TYPE_BYTE = 1, TYPE_ASCII = 2, TYPE_SHORT = 3, TYPE_LONG = 4, TYPE_RATIONAL = 5 };

enum {
	GPS_LATITUDE_REF = 0x0001,
	GPS_LATITUDE = 0x0002,
	GPS_LONGITUDE_REF = 0x0003,
	GPS_LONGITUDE = 0x0004,
	TAG_MAKE = 0x010f,
	TAG_MODEL = 0x0110,
	TAG_ORIENTATION = 0x0112,
	TAG_DATE_TIME = 0x0132,
	TAG_EXIF_DIRECTORY = 0x8769,
	TAG_GPS_DIRECTORY = 0x8825,
	TAG_DATE_TIME_ORIGINAL = 0x9003,
	TAG_DATE_TIME_DIGITIZED = 0x9004,
	TAG_OFFSET_TIME = 0x9010, /* then: of the original, of digitising */
	TAG_SUBSECOND = 0x9290    /* the same order */
};

/* Callers have checked that the bytes are there. */
static unsigned get16(const struct block *b, size_t at)
{
	const uint8_t *p = b->bytes + at;
	return b->big_endian ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint32_t get32(const struct block *b, size_t at)
{
	uint32_t first = get16(b, at), second = get16(b, at + 2);
	return b->big_endian ? first << 16 | second : second << 16 | first;
}

static bool inside(const struct block *b, size_t at, size_t n_bytes)
{
	return at <= b->n_bytes && n_bytes <= b->n_bytes - at;
}

static size_t type_bytes(unsigned type)
{
	switch (type) {
	case TYPE_BYTE:
	case TYPE_ASCII:
		return 1;
	case TYPE_SHORT:
		return 2;
	case TYPE_LONG:
		return 4;
	case TYPE_RATIONAL:
		return 8;
	}
	return 0;
}

/* The first usable entry of that tag. */
static bool find(const struct block *b, size_t directory, unsigned tag, struct entry *out)
{
	if (!inside(b, directory, 2))
		return false;
	size_t n = get16(b, directory);
	for (size_t i = 0, at = directory + 2; i < n && inside(b, at, 12); i++, at += 12) {
		if (get16(b, at) != tag)
			continue;
		struct entry e = {.type = get16(b, at + 2), .count = get32(b, at + 4), .at = at + 8};
		size_t size = type_bytes(e.type);
		if (size == 0 || e.count == 0 || e.count > b->n_bytes / size)
			continue;
		if (e.count * size > 4)
			e.at = get32(b, at + 8);
		if (!inside(b, e.at, e.count * size))
			continue;
		*out = e;
		return true;
	}
	return false;
}

static bool find_number(const struct block *b, size_t directory, unsigned tag, uint32_t *out)
{
	struct entry e;
	if (!find(b, directory, tag, &e) || (e.type != TYPE_SHORT && e.type != TYPE_LONG))
		return false;
	*out = e.type == TYPE_SHORT ? get16(b, e.at) : get32(b, e.at);
	return true;
}

/* An ASCII field up to its first zero, cut to the room, without blanks at the end; what is not
 * printable becomes '?'. */
static bool find_text(
	const struct block *b, size_t directory, unsigned tag, char *out, size_t room_bytes)
{
	struct entry e;
	size_t n = 0;
	out[0] = 0;
	if (!find(b, directory, tag, &e) || e.type != TYPE_ASCII)
		return false;
	for (; n < e.count && n + 1 < room_bytes && b->bytes[e.at + n]; n++) {
		uint8_t c = b->bytes[e.at + n];
		out[n] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = 0;
	return n > 0;
}

/* "2009:04-10 05:07:00" in any mixture of the separators that cameras write. An unset clock writes
 * zeros or blanks: no date. */
static bool read_date(const char *text, int64_t *civil_s)
{
	static const char shape[] = "0000:00:00 00:00:00";
	int field[6] = {0}, f = 0;
	if (strlen(text) != sizeof shape - 1)
		return false;
	for (size_t i = 0; i < sizeof shape - 1; i++) {
		char c = text[i];
		if (shape[i] == '0') {
			if (c < '0' || c > '9')
				return false;
			field[f] = field[f] * 10 + (c - '0');
			continue;
		}
		f++;
		if (!strchr(shape[i] == ' ' ? " T" : i < 10 ? ":-/." : ":", c))
			return false;
	}
	struct civil_date date = {field[0], field[1], field[2], field[3], field[4], field[5]};
	/* Outside these years no digital camera took it, and no offset may leave the calendar. */
	if (!civil_date_valid(&date) || date.year < 1970 || date.year > 9998)
		return false;
	*civil_s = civil_seconds(&date);
	return true;
}

static void read_time(const struct block *b, size_t main, size_t exif, struct exif *out)
{
	const struct {
		size_t directory;
		unsigned tag, which;
	} sources[] = {
		{exif, TAG_DATE_TIME_ORIGINAL, 1},
		{exif, TAG_DATE_TIME_DIGITIZED, 2},
		{main, TAG_DATE_TIME, 0},
	};
	char text[24];
	for (size_t i = 0; i < sizeof sources / sizeof *sources && !out->has_time; i++) {
		if (!find_text(b, sources[i].directory, sources[i].tag, text, sizeof text) ||
			!read_date(text, &out->time.civil_s))
			continue;
		out->has_time = true;
		int scale = 100;
		if (find_text(b, exif, TAG_SUBSECOND + sources[i].which, text, sizeof text)) {
			for (const char *p = text; *p >= '0' && *p <= '9'; p++, scale /= 10)
				out->time.millisecond += (*p - '0') * scale;
		}
		if (find_text(b, exif, TAG_OFFSET_TIME + sources[i].which, text, sizeof text))
			out->time.has_offset = civil_parse_offset(text, &out->time.offset_s, NULL) == OK;
	}
}

/* Degrees, minutes and seconds as three fractions, signed by the letter of the reference tag. */
static bool read_angle(const struct block *b, size_t gps, unsigned ref_tag, unsigned tag,
	const char *letters, double *deg)
{
	struct entry e;
	char ref[4];
	double value = 0, unit = 1;
	if (!find_text(b, gps, ref_tag, ref, sizeof ref) || !strchr(letters, ref[0]))
		return false;
	if (!find(b, gps, tag, &e) || e.type != TYPE_RATIONAL || e.count != 3)
		return false;
	for (size_t i = 0; i < 3; i++, unit /= 60) {
		double top = get32(b, e.at + 8 * i), bottom = get32(b, e.at + 8 * i + 4);
		if (bottom == 0 && top == 0 && i == 2)
			break; /* some cameras leave the seconds 0/0 */
		if (bottom == 0)
			return false;
		value += top / bottom * unit;
	}
	*deg = ref[0] == letters[1] ? -value : value;
	return true;
}

static void read_block(const struct block *b, struct exif *out)
{
	size_t main = get32(b, 4), exif = b->n_bytes, gps = b->n_bytes;
	uint32_t value;
	if (find_number(b, main, TAG_ORIENTATION, &value) && value >= 1 && value <= 8)
		out->orientation = (int)value;
	find_text(b, main, TAG_MAKE, out->make, sizeof out->make);
	find_text(b, main, TAG_MODEL, out->model, sizeof out->model);
	if (find_number(b, main, TAG_EXIF_DIRECTORY, &value))
		exif = value;
	read_time(b, main, exif, out);
	out->has_gps = find_number(b, main, TAG_GPS_DIRECTORY, &value);
	if (out->has_gps)
		gps = value;
	double latitude, longitude;
	if (read_angle(b, gps, GPS_LATITUDE_REF, GPS_LATITUDE, "NS", &latitude) &&
		read_angle(b, gps, GPS_LONGITUDE_REF, GPS_LONGITUDE, "EW", &longitude) &&
		fabs(latitude) <= 90 && fabs(longitude) <= 180) {
		out->has_place = true;
		out->latitude_deg = latitude;
		out->longitude_deg = longitude;
	}
}

void exif_read(const uint8_t *jpeg, size_t n_bytes, struct exif *out)
{
	static const uint8_t intel[4] = {'I', 'I', 42, 0}, motorola[4] = {'M', 'M', 0, 42};
	*out = (struct exif){.orientation = 1};
	if (n_bytes < 4 || jpeg[0] != 0xff || jpeg[1] != 0xd8)
		return;
	for (size_t at = 2; n_bytes - at >= 4 && jpeg[at] == 0xff;) {
		unsigned marker = jpeg[at + 1];
		size_t length = (size_t)jpeg[at + 2] << 8 | jpeg[at + 3]; /* counts its own two bytes */
		if (marker == 0xff) {                                     /* fill */
			at++;
			continue;
		}
		if (marker == 0xda || marker == 0xd9 || length < 2 || length > n_bytes - at - 2)
			return;
		const uint8_t *body = jpeg + at + 4;
		at += 2 + length;
		if (marker != 0xe1 || length < 2 + 6 + 8 || memcmp(body, "Exif\0", 6) != 0)
			continue;
		struct block b = {.bytes = body + 6, .n_bytes = length - 8};
		b.big_endian = memcmp(b.bytes, motorola, 4) == 0;
		if (!b.big_endian && memcmp(b.bytes, intel, 4) != 0)
			continue;
		read_block(&b, out);
		return;
	}
}
