/* labels: unit */
/* EXIF blocks put together by hand, in both byte orders: what is read from good ones, and that bad
 * ones give nothing, keep inside their bytes and end. */
#include "exif.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A TIFF block under construction. Directories are written where they are asked for; values longer
 * than four bytes go behind them. */
struct maker {
	uint8_t bytes[4000];
	size_t n;
	bool big_endian;
};

static void put16(struct maker *m, size_t at, unsigned v)
{
	m->bytes[at + !m->big_endian] = (uint8_t)(v >> 8);
	m->bytes[at + m->big_endian] = (uint8_t)v;
}

static void put32(struct maker *m, size_t at, uint32_t v)
{
	put16(m, at + (m->big_endian ? 0 : 2), v >> 16);
	put16(m, at + (m->big_endian ? 2 : 0), v & 0xffff);
}

struct field {
	unsigned tag, type;
	uint32_t count;
	const char *text;               /* ASCII */
	uint32_t numbers[6];            /* SHORT, LONG: the first; RATIONAL: pairs */
	uint32_t offset;                /* where it says its value lies; 0: where it really does */
	uint32_t said_type, said_count; /* 0: as they are */
};

/* Writes a directory and gives its offset. */
static uint32_t put_directory(struct maker *m, const struct field *fields, int n)
{
	size_t start = m->n, at = start + 2;
	put16(m, start, (unsigned)n);
	m->n += 2 + (size_t)n * 12 + 4;
	for (int i = 0; i < n; i++, at += 12) {
		const struct field *f = &fields[i];
		uint32_t count = f->type == 2 ? (uint32_t)strlen(f->text) + 1 : f->count;
		size_t bytes = count * (f->type == 5 ? 8u : f->type == 4 ? 4u : f->type == 3 ? 2u : 1u);
		size_t value = bytes > 4 ? m->n : at + 8;
		put16(m, at, f->tag);
		put16(m, at + 2, f->said_type ? f->said_type : f->type);
		put32(m, at + 4, f->said_count ? f->said_count : count);
		if (bytes > 4) {
			put32(m, at + 8, f->offset ? f->offset : (uint32_t)m->n);
			m->n += bytes;
		} else if (f->offset) {
			put32(m, at + 8, f->offset);
		}
		if (f->type == 2)
			memcpy(m->bytes + value, f->text, bytes);
		else if (f->type == 3)
			put16(m, value, f->numbers[0]);
		else
			for (size_t k = 0; k < bytes / 4 && !(f->type == 4 && k > 0); k++)
				put32(m, value + 4 * k, f->numbers[k]);
	}
	put32(m, start + 2 + (size_t)n * 12,
		(uint32_t)start); /* "the next" is itself: a loop to refuse */
	return (uint32_t)start;
}

#define TEXT(t, s)                                                                                 \
	{                                                                                              \
		.tag = (t), .type = 2, .text = (s)                                                         \
	}
#define SHORT(t, v)                                                                                \
	{                                                                                              \
		.tag = (t), .type = 3, .count = 1, .numbers = { v }                                        \
	}
#define ANGLE(t, ...)                                                                              \
	{                                                                                              \
		.tag = (t), .type = 5, .count = 3, .numbers = { __VA_ARGS__ }                              \
	}

enum { MAX_FIELDS = 8 };

static const struct row {
	const char *name;
	struct field exif[MAX_FIELDS], gps[MAX_FIELDS], main[MAX_FIELDS];
	const char *time; /* NULL: none; as civil_format_local, then .ms, then the offset in seconds */
	int orientation;
	const char *make, *model;
	bool has_gps, has_place;
	double latitude_deg, longitude_deg;
} rows[] = {
	{.name = "everything",
		.main = {TEXT(0x010f, "Reconyx"), TEXT(0x0110, "HC500  "), SHORT(0x0112, 6),
			TEXT(0x0132, "2021:01:01 00:00:00")},
		.exif = {TEXT(0x9003, "2009:04:10 05:07:00"), TEXT(0x9011, "+08:00"), TEXT(0x9291, "25")},
		.gps = {TEXT(1, "S"), ANGLE(2, 1, 1, 30, 1, 3600, 100), TEXT(3, "E"),
			ANGLE(4, 34, 1, 45, 2, 0, 1)},
		.time = "2009-04-10T05:07:00.250+28800",
		.orientation = 6,
		.make = "Reconyx",
		.model = "HC500",
		.has_gps = true,
		.has_place = true,
		.latitude_deg = -1.51,
		.longitude_deg = 34.375},
	{.name = "nothing", .orientation = 1},
	{.name = "the file's date alone",
		.main = {TEXT(0x0132, "2021:01:01 00:00:01"), TEXT(0x0112, "x")},
		.exif = {TEXT(0x9011, "+08:00"), TEXT(0x9290, "5")},
		.time = "2021-01-01T00:00:01.500",
		.orientation = 1},
	{.name = "digitised",
		.main = {TEXT(0x0132, "2021:01:01 00:00:01")},
		.exif = {TEXT(0x9004, "2020:01:01 00:00:01")},
		.time = "2020-01-01T00:00:01.000",
		.orientation = 1},
	{.name = "an unset clock",
		.main = {TEXT(0x0132, "2021:01:01 00:00:01")},
		.exif = {TEXT(0x9003, "0000:00:00 00:00:00")},
		.time = "2021-01-01T00:00:01.000",
		.orientation = 1},
	{.name = "blanks for a date", .exif = {TEXT(0x9003, "    :  :     :  :  ")}, .orientation = 1},
	{.name = "ISO separators",
		.exif = {TEXT(0x9003, "2020-05-30T04:57:37")},
		.time = "2020-05-30T04:57:37.000",
		.orientation = 1},
	{.name = "no such day", .exif = {TEXT(0x9003, "2021:02:29 00:00:00")}, .orientation = 1},
	{.name = "a date cut short", .exif = {TEXT(0x9003, "2021:02:2")}, .orientation = 1},
	{.name = "a date with more", .exif = {TEXT(0x9003, "2021:02:20 00:00:00Z")}, .orientation = 1},
	{.name = "a date as numbers", .exif = {SHORT(0x9003, 2021)}, .orientation = 1},
	{.name = "a bad offset",
		.exif = {TEXT(0x9003, "2021:02:20 00:00:00"), TEXT(0x9011, "local")},
		.time = "2021-02-20T00:00:00.000",
		.orientation = 1},
	{.name = "orientation 0", .main = {SHORT(0x0112, 0)}, .orientation = 1},
	{.name = "orientation 9", .main = {SHORT(0x0112, 9)}, .orientation = 1},
	{.name = "orientation as LONG",
		.main = {{.tag = 0x0112, .type = 4, .count = 1, .numbers = {3}}},
		.orientation = 3},
	{.name = "unprintable model",
		.main = {TEXT(0x0110, "a\x01\xff")},
		.orientation = 1,
		.model = "a??"},
	{.name = "a long make",
		.main = {TEXT(
			0x010f, "0123456789012345678901234567890123456789012345678901234567890123456789")},
		.make = "012345678901234567890123456789012345678901234567890123456789012",
		.orientation = 1},
	{.name = "a GPS block without a fix", .gps = {TEXT(1, "N")}, .orientation = 1, .has_gps = true},
	{.name = "fractions over zero",
		.gps = {TEXT(1, "N"), ANGLE(2, 1, 0, 0, 1, 0, 1), TEXT(3, "E"), ANGLE(4, 1, 1, 0, 1, 0, 1)},
		.orientation = 1,
		.has_gps = true},
	{.name = "seconds of 0/0",
		.gps = {TEXT(1, "N"), ANGLE(2, 1, 1, 30, 1, 0, 0), TEXT(3, "W"),
			ANGLE(4, 1, 1, 0, 1, 0, 0)},
		.orientation = 1,
		.has_gps = true,
		.has_place = true,
		.latitude_deg = 1.5,
		.longitude_deg = -1},
	{.name = "beyond the pole",
		.gps = {TEXT(1, "N"), ANGLE(2, 90, 1, 1, 1, 0, 1), TEXT(3, "E"),
			ANGLE(4, 1, 1, 0, 1, 0, 1)},
		.orientation = 1,
		.has_gps = true},
	{.name = "no letter",
		.gps = {TEXT(1, ""), ANGLE(2, 9, 1, 1, 1, 0, 1), TEXT(3, "E"), ANGLE(4, 1, 1, 0, 1, 0, 1)},
		.orientation = 1,
		.has_gps = true},
	{.name = "two fractions",
		.gps = {TEXT(1, "N"), {.tag = 2, .type = 5, .count = 2, .numbers = {9, 1, 1, 1}},
			TEXT(3, "E"), ANGLE(4, 1, 1, 0, 1, 0, 1)},
		.orientation = 1,
		.has_gps = true},
	{.name = "an offset past the end",
		.main = {{.tag = 0x010f, .type = 2, .text = "Reconyx", .offset = 0xfffffff0}},
		.orientation = 1},
	{.name = "a count past the end",
		.main = {{.tag = 0x010f, .type = 2, .text = "Reconyx", .said_count = 0xffffffff}},
		.orientation = 1},
	{.name = "a count that overflows",
		.gps = {TEXT(1, "N"),
			{.tag = 2,
				.type = 5,
				.count = 3,
				.numbers = {1, 1, 1, 1, 1, 1},
				.said_count = 0x20000003}},
		.orientation = 1,
		.has_gps = true},
	{.name = "an unknown type",
		.main = {{.tag = 0x0112, .type = 3, .count = 1, .numbers = {3}, .said_type = 77}},
		.orientation = 1},
	{.name = "the second of two is good",
		.main = {{.tag = 0x010f, .type = 2, .text = "Reconyx", .offset = 0xffff},
			TEXT(0x010f, "Bushnell")},
		.orientation = 1,
		.make = "Bushnell"},
};

static int count(const struct field *fields)
{
	int n = 0;
	while (n < MAX_FIELDS && fields[n].type)
		n++;
	return n;
}

static struct maker make(const struct row *row, bool big_endian)
{
	struct maker m = {.n = 8, .big_endian = big_endian};
	struct field main[MAX_FIELDS + 2];
	int n = count(row->main);
	memcpy(main, row->main, sizeof row->main);
	memcpy(m.bytes, big_endian ? "MM\0*" : "II*\0", 4);
	if (count(row->exif))
		main[n++] = (struct field){.tag = 0x8769,
			.type = 4,
			.count = 1,
			.numbers = {put_directory(&m, row->exif, count(row->exif))}};
	if (count(row->gps))
		main[n++] = (struct field){.tag = 0x8825,
			.type = 4,
			.count = 1,
			.numbers = {put_directory(&m, row->gps, count(row->gps))}};
	uint32_t at = put_directory(&m, main, n);
	put32(&m, 4, at);
	return m;
}

/* Reads a block inside a JPEG's first segments, from memory of exactly that size. */
static void read_in_jpeg(const uint8_t *block, size_t n_block, size_t n_kept, struct exif *out)
{
	static const uint8_t jfif[] = {
		0xff, 0xd8, 0xff, 0xe0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0};
	size_t n = sizeof jfif + 10 + n_block;
	uint8_t *p = malloc(n);
	memcpy(p, jfif, sizeof jfif);
	memcpy(p + sizeof jfif,
		(uint8_t[]){0xff, 0xe1, (uint8_t)((n_block + 8) >> 8), (uint8_t)(n_block + 8), 'E', 'x',
			'i', 'f', 0, 0},
		10);
	memcpy(p + sizeof jfif + 10, block, n_block);
	if (n_kept > n)
		n_kept = n;
	uint8_t *exact = malloc(n_kept ? n_kept : 1);
	memcpy(exact, p, n_kept);
	exif_read(exact, n_kept, out);
	free(exact);
	free(p);
}

static void reads(void **state)
{
	const struct row *row = *state;
	for (int big_endian = 0; big_endian < 2; big_endian++) {
		struct maker m = make(row, big_endian);
		struct exif e;
		read_in_jpeg(m.bytes, m.n, SIZE_MAX, &e);
		char time[60] = "";
		if (e.has_time) {
			civil_format_local(e.time.civil_s, time);
			snprintf(time + 19, sizeof time - 19, ".%03d", e.time.millisecond);
			if (e.time.has_offset)
				snprintf(time + 23, sizeof time - 23, "%+d", e.time.offset_s);
		}
		assert_string_equal(time, row->time ? row->time : "");
		assert_int_equal(e.orientation, row->orientation);
		assert_string_equal(e.make, row->make ? row->make : "");
		assert_string_equal(e.model, row->model ? row->model : "");
		assert_int_equal(e.has_gps, row->has_gps);
		assert_int_equal(e.has_place, row->has_place);
		assert_true(fabs(e.latitude_deg - row->latitude_deg) < 1e-9);
		assert_true(fabs(e.longitude_deg - row->longitude_deg) < 1e-9);
	}
}

/* The full block cut everywhere, and with every 16 bits of it set to hostile values: only ASan and
 * the clock can complain, but orientation and texts must stay in their ranges too. */
static void survives(void **state)
{
	(void)state;
	for (int big_endian = 0; big_endian < 2; big_endian++) {
		struct maker m = make(&rows[0], big_endian);
		struct exif e;
		for (size_t n = 0; n < m.n + 30; n++)
			read_in_jpeg(m.bytes, m.n, n, &e);
		for (size_t n = 0; n < m.n; n++)
			read_in_jpeg(m.bytes, n, SIZE_MAX, &e);
		for (size_t at = 0; at + 1 < m.n; at++) {
			static const unsigned values[] = {0, 1, 8, 0x7fff, 0x8000, 0xfffe, 0xffff};
			for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
				struct maker hostile = m;
				put16(&hostile, at, values[v]);
				read_in_jpeg(hostile.bytes, hostile.n, SIZE_MAX, &e);
				assert_in_range(e.orientation, 1, 8);
				assert_true(strlen(e.make) < sizeof e.make && strlen(e.model) < sizeof e.model);
				assert_true(fabs(e.latitude_deg) <= 90 && fabs(e.longitude_deg) <= 180);
			}
		}
	}
}

/* Directories that point at the main one, so that it is its own EXIF and GPS directory. */
static void ends_on_a_loop(void **state)
{
	(void)state;
	struct maker m = {.n = 8, .big_endian = true};
	memcpy(m.bytes, "MM\0*", 4);
	const struct field fields[] = {SHORT(0x0112, 8),
		{.tag = 0x8769, .type = 4, .count = 1, .numbers = {8}},
		{.tag = 0x8825, .type = 4, .count = 1, .numbers = {8}}};
	put32(&m, 4, put_directory(&m, fields, 3));
	struct exif e;
	read_in_jpeg(m.bytes, m.n, SIZE_MAX, &e);
	assert_int_equal(e.orientation, 8);
	assert_false(e.has_time);
	assert_true(e.has_gps && !e.has_place);
}

static void reads_only_exif_segments(void **state)
{
	(void)state;
	struct maker m = make(&rows[0], true);
	struct exif e;
	uint8_t odd[4200];
	size_t n = 0;
	/* Fill bytes and an XMP segment come first; then the EXIF one. */
	memcpy(odd, "\xff\xd8\xff\xff\xff\xe1\0\x0ahttp://\0\xff\xe1", 18);
	n = 18;
	odd[n++] = (uint8_t)((m.n + 8) >> 8);
	odd[n++] = (uint8_t)(m.n + 8);
	memcpy(odd + n, "Exif\0\0", 6);
	memcpy(odd + n + 6, m.bytes, m.n);
	exif_read(odd, n + 6 + m.n, &e);
	assert_int_equal(e.orientation, 6);
	odd[17] = 0xda; /* as pixels it is none */
	exif_read(odd, n + 6 + m.n, &e);
	assert_int_equal(e.orientation, 1);
	exif_read((const uint8_t *)"not a JPEG", 10, &e);
	assert_int_equal(e.orientation, 1);
	exif_read(NULL, 0, &e);
	assert_int_equal(e.orientation, 1);
}

int main(void)
{
	enum { N_ROWS = sizeof rows / sizeof *rows };
	struct CMUnitTest made[N_ROWS];
	for (size_t i = 0; i < N_ROWS; i++)
		made[i] = (struct CMUnitTest){
			.name = rows[i].name, .test_func = reads, .initial_state = (void *)(uintptr_t)&rows[i]};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives),
		cmocka_unit_test(ends_on_a_loop),
		cmocka_unit_test(reads_only_exif_segments),
	};
	int failed = cmocka_run_group_tests_name("reading", made, NULL, NULL);
	return failed + cmocka_run_group_tests_name("the rest", tests, NULL, NULL);
}
