/*
 * What a camera adds to a picture: the info strip, EXIF with its clock and place, JPEG.
 */
#pragma once

#include "status.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct shot {
	int w, h;
	uint8_t *rgb;      /* [h][w][3], borrowed */
	time_t local_time; /* the camera's clock, as if it were UTC */
	double latitude_deg, longitude_deg;
	int deployment; /* from 1 */
	int temperature_c;
};

/* Rows that the strip takes: 4 % of the height. */
int camera_strip_rows(int h);

/* Draws the black bar with date, time, temperature and camera number over the lowest rows. */
void camera_strip(struct shot *shot);

/*
 * Writes a JPEG (quality 82, 4:2:0) with Make, Model, DateTimeOriginal and GPS in EXIF (CIPA
 * DC-008). Errors: FAULT or FULL with the path when it cannot be written.
 */
enum status camera_write(const struct shot *shot, const char *path, struct err *err) MUST_CHECK;

/* A picture as a JPEG. Shapes: rgb [h][w][3]; exif: NULL, or the content of its APP1 marker. Errors: those of camera_write. */
enum status jpeg_write(const uint8_t *rgb, int w, int h, int quality, const uint8_t *exif,
	size_t n_exif, const char *path, struct err *err) MUST_CHECK;
