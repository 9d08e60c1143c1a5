/* EXIF by hand, pixels by libjpeg. */
#include "support_photo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <jpeglib.h>

/* A big-endian TIFF block: maker, GPS at 2 S 34 E, time. Offsets count from "MM". */
static size_t put_exif(uint8_t *out, const char *time)
{
	static const uint8_t head[] = {
		'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, /* */
		0, 3,                                       /* directory at 8: 3 fields, 42 bytes */
		0x01, 0x0f, 0, 2, 0, 0, 0, 15, 0, 0, 0, 50, /* maker, at 50 */
		0x87, 0x69, 0, 4, 0, 0, 0, 1, 0, 0, 0, 66,  /* EXIF directory at 66 */
		0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 104, /* GPS directory at 104 */
		0, 0, 0, 0,                                 /* no next */
		'T', 'o', 'p', 'i', 'T', 'e', 's', 't', 'C', 'a', 'm', 'e', 'r', 'a', 0, 0, /* 50 */
		0, 1,                                                                       /* 66 */
		0x90, 0x03, 0, 2, 0, 0, 0, 20, 0, 0, 0, 84, /* taken, at 84 */
		0, 0, 0, 0,                                 /* 80 */
		'0', '0', '0', '0', ':', '0', '0', ':', '0', '0', ' ', '0', '0', ':', '0', '0', ':', '0',
		'0', 0,                               /* 84 */
		0, 4,                                 /* 104 */
		0, 1, 0, 2, 0, 0, 0, 2, 'S', 0, 0, 0, /* */
		0, 2, 0, 5, 0, 0, 0, 3, 0, 0, 0, 158, /* latitude at 158 */
		0, 3, 0, 2, 0, 0, 0, 2, 'E', 0, 0, 0, /* */
		0, 4, 0, 5, 0, 0, 0, 3, 0, 0, 0, 182, /* longitude at 182 */
		0, 0, 0, 0,                           /* 154 */
		0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1,  /* 158 */
		0, 0, 0, 34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, /* 182 */
	};
	memcpy(out, head, sizeof head);
	memcpy(out + 6 + 84, time, 19);
	return sizeof head;
}

uint8_t *photo_bytes(const struct photo_spec *spec, size_t *n)
{
	struct jpeg_compress_struct j;
	struct jpeg_error_mgr errors;
	unsigned char *out = NULL;
	unsigned long n_out = 0;
	int width = spec->width_px ? spec->width_px : 96;
	int height = spec->height_px ? spec->height_px : 72;
	j.err = jpeg_std_error(&errors);
	jpeg_create_compress(&j);
	jpeg_mem_dest(&j, &out, &n_out);
	j.image_width = (JDIMENSION)width;
	j.image_height = (JDIMENSION)height;
	j.input_components = 3;
	j.in_color_space = JCS_RGB;
	jpeg_set_defaults(&j);
	jpeg_start_compress(&j, TRUE);
	if (spec->time) {
		uint8_t exif[300];
		jpeg_write_marker(&j, JPEG_APP0 + 1, exif, (unsigned)put_exif(exif, spec->time));
	}
	uint8_t *row = malloc((size_t)width * 3);
	uint32_t state = (uint32_t)spec->seed * 2654435761u + 12345;
	while (j.next_scanline < j.image_height) {
		bool strip = (int)j.next_scanline >= height - spec->strip_px;
		for (int x = 0; x < width; x++) {
			if (x % 8 == 0)
				state = state * 1664525u + 1013904223u;
			row[3 * x] = strip ? 255 : (uint8_t)(state >> 24 & 0x3f);
			row[3 * x + 1] = strip ? 0 : (uint8_t)(128 + (state >> 26 & 0x3f));
			row[3 * x + 2] = strip ? 255 : (uint8_t)(state >> 25 & 0x3f);
			if (x >= spec->patch_x && x < spec->patch_x + spec->patch_px &&
				(int)j.next_scanline >= spec->patch_y &&
				(int)j.next_scanline < spec->patch_y + spec->patch_px)
				row[3 * x] = row[3 * x + 1] = row[3 * x + 2] = 250;
			if (spec->is_grey)
				row[3 * x] = row[3 * x + 2] = row[3 * x + 1];
		}
		jpeg_write_scanlines(&j, &row, 1);
	}
	free(row);
	jpeg_finish_compress(&j);
	jpeg_destroy_compress(&j);
	*n = (size_t)n_out;
	return out;
}

void file_write(const char *dir, const char *name, const void *bytes, size_t n)
{
	char path[4000];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0755);
		*slash = '/';
	}
	FILE *out = fopen(path, "wb");
	if (!out || fwrite(bytes, 1, n, out) != n || fclose(out) != 0)
		fail_msg("%s cannot be written", path);
}

void text_write(const char *dir, const char *name, const char *text)
{
	file_write(dir, name, text, strlen(text));
}

void photo_write(const char *dir, const char *name, const struct photo_spec *spec)
{
	size_t n = 0;
	uint8_t *bytes = photo_bytes(spec, &n);
	file_write(dir, name, bytes, n);
	free(bytes);
}

void header_write(const char *dir, const char *name, int width_px, int height_px)
{
	size_t n = 0;
	uint8_t *bytes = photo_bytes(&(struct photo_spec){.seed = 1}, &n);
	for (size_t at = 2; at + 9 < n; at += 2 + ((size_t)bytes[at + 2] << 8 | bytes[at + 3]))
		if (bytes[at + 1] == 0xc0) {
			bytes[at + 5] = (uint8_t)(height_px >> 8);
			bytes[at + 6] = (uint8_t)height_px;
			bytes[at + 7] = (uint8_t)(width_px >> 8);
			bytes[at + 8] = (uint8_t)width_px;
			break;
		}
	file_write(dir, name, bytes, n);
	free(bytes);
}
