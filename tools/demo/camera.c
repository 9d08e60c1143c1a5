/* The camera: a 5x7 font for its strip, a TIFF block for its EXIF, libjpeg for the rest. */
#include "camera.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

static const char glyph_of[] = "0123456789:-CAM ";
static const uint8_t glyphs[][7] = {/* rows, five bits each, left bit highest */
	{14, 17, 19, 21, 25, 17, 14}, {4, 12, 4, 4, 4, 4, 14}, {14, 17, 1, 2, 4, 8, 31},
	{31, 2, 4, 2, 1, 17, 14}, {2, 6, 10, 18, 31, 2, 2}, {31, 16, 30, 1, 1, 17, 14},
	{6, 8, 16, 30, 17, 17, 14}, {31, 1, 2, 4, 8, 8, 8}, {14, 17, 17, 14, 17, 17, 14},
	{14, 17, 17, 15, 1, 2, 12}, {0, 4, 4, 0, 4, 4, 0}, {0, 0, 0, 31, 0, 0, 0},
	{14, 17, 16, 16, 16, 17, 14}, {14, 17, 17, 31, 17, 17, 17}, {17, 27, 21, 21, 17, 17, 17},
	{0, 0, 0, 0, 0, 0, 0}};

int camera_strip_rows(int h)
{
	return (h * 4 + 99) / 100;
}

void camera_strip(struct shot *s)
{
	int rows = camera_strip_rows(s->h), top = s->h - rows, dot = rows / 11 > 1 ? rows / 11 : 1;
	memset(s->rgb + (size_t)top * (size_t)s->w * 3, 0, (size_t)rows * (size_t)s->w * 3);
	char text[64];
	struct tm t;
	gmtime_r(&s->local_time, &t);
	snprintf(text, sizeof text, "%04d-%02d-%02d  %02d:%02d:%02d  %dC  CAM %02d", t.tm_year + 1900,
		t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, s->temperature_c, s->deployment);
	int x0 = 4 * dot, y0 = top + (rows - 7 * dot) / 2;
	for (const char *c = text; *c; c++, x0 += 6 * dot) {
		const uint8_t *glyph = glyphs[strchr(glyph_of, *c) - glyph_of];
		for (int y = 0; y < 7 * dot; y++)
			for (int x = 0; x < 5 * dot && x0 + x < s->w && y0 + y < s->h; x++)
				if (glyph[y / dot] >> (4 - x / dot) & 1)
					memset(
						s->rgb + 3 * ((size_t)(y0 + y) * (size_t)s->w + (size_t)(x0 + x)), 235, 3);
	}
}

/* A TIFF block being written, little-endian. */
struct tiff {
	uint8_t bytes[512];
	size_t n;
};

static void put(struct tiff *t, uint32_t value, int n_bytes)
{
	for (int i = 0; i < n_bytes; i++)
		t->bytes[t->n++] = (uint8_t)(value >> 8 * i);
}

enum { ASCII = 2, LONG = 4, RATIONAL = 5 };

static void entry(struct tiff *t, uint32_t tag, uint32_t type, uint32_t count, uint32_t value)
{
	put(t, tag, 2);
	put(t, type, 2);
	put(t, count, 4);
	put(t, value, 4);
}

static void text_at(struct tiff *t, uint32_t offset, const char *s)
{
	memcpy(t->bytes + offset, s, strlen(s) + 1);
}

/* Degrees, minutes, seconds/1000: three rationals. */
static void angle_at(struct tiff *t, uint32_t offset, double deg)
{
	deg = deg < 0 ? -deg : deg;
	uint32_t d = (uint32_t)deg, m = (uint32_t)((deg - d) * 60.0);
	uint32_t s = (uint32_t)(((deg - d) * 60.0 - m) * 60000.0);
	t->n = offset;
	const uint32_t parts[6] = {d, 1, m, 1, s, 1000};
	for (int i = 0; i < 6; i++)
		put(t, parts[i], 4);
}

static void exif_block(struct tiff *t, const struct shot *s)
{
	enum {
		EXIF_IFD = 80,
		GPS_IFD = 110,
		MAKE = 180,
		MODEL = 200,
		DATE = 220,
		LAT = 244,
		LON = 268
	};
	*t = (struct tiff){.n = 0};
	put(t, 0x4949, 2);
	put(t, 42, 2);
	put(t, 8, 4);
	put(t, 4, 2);
	entry(t, 0x010F, ASCII, 9, MAKE);
	entry(t, 0x0110, ASCII, 8, MODEL);
	entry(t, 0x8769, LONG, 1, EXIF_IFD);
	entry(t, 0x8825, LONG, 1, GPS_IFD);
	put(t, 0, 4);
	t->n = EXIF_IFD;
	put(t, 1, 2);
	entry(t, 0x9003, ASCII, 20, DATE);
	put(t, 0, 4);
	t->n = GPS_IFD;
	put(t, 4, 2);
	entry(t, 1, ASCII, 2, s->latitude_deg < 0 ? 'S' : 'N');
	entry(t, 2, RATIONAL, 3, LAT);
	entry(t, 3, ASCII, 2, s->longitude_deg < 0 ? 'W' : 'E');
	entry(t, 4, RATIONAL, 3, LON);
	put(t, 0, 4);
	text_at(t, MAKE, "TOPICAM ");
	text_at(t, MODEL, "DEMO 10");
	char date[32];
	struct tm m;
	gmtime_r(&s->local_time, &m);
	strftime(date, sizeof date, "%Y:%m:%d %H:%M:%S", &m);
	text_at(t, DATE, date);
	angle_at(t, LAT, s->latitude_deg);
	angle_at(t, LON, s->longitude_deg);
}

enum status jpeg_write(const uint8_t *rgb, int w, int h, int quality, const uint8_t *exif,
	size_t n_exif, const char *path, struct err *err)
{
	struct jpeg_compress_struct jpeg;
	struct jpeg_error_mgr errors;
	unsigned char *bytes = NULL;
	unsigned long n = 0;
	jpeg.err = jpeg_std_error(&errors); /* writing to memory fails only when memory is out */
	jpeg_create_compress(&jpeg);
	jpeg_mem_dest(&jpeg, &bytes, &n);
	jpeg.image_width = (JDIMENSION)w;
	jpeg.image_height = (JDIMENSION)h;
	jpeg.input_components = 3;
	jpeg.in_color_space = JCS_RGB;
	jpeg_set_defaults(&jpeg);
	jpeg_set_quality(&jpeg, quality, TRUE);
	jpeg.write_JFIF_header = exif == NULL;
	jpeg_start_compress(&jpeg, TRUE);
	if (exif)
		jpeg_write_marker(&jpeg, JPEG_APP0 + 1, exif, (unsigned)n_exif);
	while (jpeg.next_scanline < jpeg.image_height) {
		JSAMPROW row = (JSAMPROW)rgb + (size_t)jpeg.next_scanline * (size_t)w * 3;
		jpeg_write_scanlines(&jpeg, &row, 1);
	}
	jpeg_finish_compress(&jpeg);
	jpeg_destroy_compress(&jpeg);

	enum status status = OK;
	FILE *file = fopen(path, "wb");
	if (!file || fwrite(bytes, 1, n, file) != n)
		status = err_set(err, FAULT, "cannot write %s: %m", path);
	if (file && fclose(file) && status == OK)
		status = err_set(err, FULL, "cannot write %s: %m", path);
	free(bytes);
	return status;
}

enum status camera_write(const struct shot *s, const char *path, struct err *err)
{
	struct tiff tiff;
	exif_block(&tiff, s);
	uint8_t marker[6 + sizeof tiff.bytes] = "Exif\0";
	memcpy(marker + 6, tiff.bytes, tiff.n);
	return jpeg_write(s->rgb, s->w, s->h, 82, marker, 6 + (size_t)tiff.n, path, err);
}
