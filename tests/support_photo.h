/*
 * Photographs as cameras write them: a small JPEG with EXIF, each of its own bytes, and the files and folders around it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PHOTO_MAKE "TopiTestCamera"

struct photo_spec {
	const char *time;        /* "2020:05:30 04:57:37" as EXIF writes it, or NULL: no EXIF at all */
	int seed;                /* other seeds, other pictures */
	int width_px, height_px; /* 0: 96 x 72 */
	int strip_px;            /* magenta rows at the bottom */
	int patch_x, patch_y, patch_px; /* a light square: an animal, say */
	bool is_grey;                   /* as by infrared light */
};

/* The bytes of a photograph, with maker and GPS where it has EXIF; the caller frees them. */
uint8_t *photo_bytes(const struct photo_spec *spec, size_t *n);

/* Writes below dir, making folders; stops the test on failure. */
void photo_write(const char *dir, const char *name, const struct photo_spec *spec);
void file_write(const char *dir, const char *name, const void *bytes, size_t n);
void text_write(const char *dir, const char *name, const char *text);
/* A JPEG header that says width x height, without pixels. */
void header_write(const char *dir, const char *name, int width_px, int height_px);
