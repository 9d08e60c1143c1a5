/*
 * Pictures: a camera's JPEG is decoded once, and what everybody else looks at afterwards are its
 * renditions. Only image_{jpeg,window,encode}.c know libjpeg-turbo; nothing here prints or ends the program.
 *
 * Invariants: no size is taken from a file without a bound; a rendition holds JFIF and pixels and
 * nothing else (no EXIF, no profile, no comment, no thumbnail), because place, time and the
 * photographer's name must not leave with it.
 * Source: ITU-T T.81 (JPEG), T.871 (JFIF); Adobe technical note 5116 for CMYK.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define IMAGE_MAX_SIDE_PX 30000
#define IMAGE_MAX_PIXELS 100000000
/* A progressive picture has about 10 scans; hostile ones have hundreds over the same pixels. */
#define IMAGE_MAX_SCANS 100

/* Shapes: pixels [height_px][width_px][3], red, green, blue, sRGB. Owns: pixels. */
struct image_rgb {
	int width_px, height_px;
	uint8_t *pixels;
};

/* What a file says of itself. Units: sizes in pixels of the original, upright (after the EXIF
 * orientation) and before any cut. */
struct image_info {
	int width_px, height_px;
	int orientation; /* EXIF 1-8; 1 where it says nothing */
	int n_components;
	bool progressive;
	int n_warnings;    /* lesser faults that the decoder passed over */
	char warning[100]; /* the first of them */
};

struct image_options {
	/* Rows of the original as stored (before the orientation) that the camera's info strip takes
	 * at the bottom; they are in no rendition. */
	int crop_bottom_px;
	int model_px; /* RENDITION_MODEL's long side, at most RENDITION_WEB's; 0: IMAGE_MODEL_PX */
};

enum { IMAGE_MODEL_PX = 448 };

enum image_rendition_kind {
	RENDITION_WEB,   /* long side 1280, quality 85 */
	RENDITION_THUMB, /* long side 320, quality 85 */
	RENDITION_MODEL, /* long side as options say, quality 90 */
	N_RENDITIONS
};

/* Owns: bytes, a JPEG. */
struct image_rendition {
	int width_px, height_px;
	uint8_t *bytes;
	size_t n_bytes;
};

/*
 * Reads the header alone.
 * Errors: BAD_INPUT when it is no JPEG, or one that cannot be taken (arithmetic coding, 12 bits, 2
 *         components) or is cut short; TOO_LARGE over 30,000 px a side or 100 megapixels.
 */
enum status image_probe(
	const uint8_t *jpeg, size_t n_bytes, struct image_info *info, struct err *err) MUST_CHECK;

/*
 * The picture's three renditions, from one decoding: cut, upright, no larger than the original.
 * Shapes: out [N_RENDITIONS], by enum image_rendition_kind.
 * Owns:   borrows jpeg; the caller releases out with image_renditions_release, also on an error.
 * Errors: as image_decode_rgb.
 */
enum status image_renditions(const uint8_t *jpeg, size_t n_bytes,
	const struct image_options *options, struct image_rendition out[N_RENDITIONS],
	struct image_info *info, struct err *err) MUST_CHECK;
void image_renditions_release(struct image_rendition out[N_RENDITIONS]);

/*
 * Decodes to upright RGB, cut as options say (NULL: nothing). min_long_side_px > 0 allows the
 * decoder to shrink by 2, 4 or 8 as long as the long side keeps at least so many pixels; columns
 * and rows of the original that fill less than one pixel at the far edges are dropped then. 0
 * decodes at full size. Grey, YCbCr, RGB, CMYK and YCCK are taken, sequential or progressive.
 * Owns:   borrows jpeg; out is the caller's on OK (image_rgb_release) and empty otherwise. info may
 *         be NULL.
 * Errors: as image_probe; BAD_INPUT also for damage that leaves pixels unknown ("the file is cut
 *         short", a bad code) and a crop that leaves nothing; FAULT when memory is out.
 */
enum status image_decode_rgb(const uint8_t *jpeg, size_t n_bytes,
	const struct image_options *options, int min_long_side_px, struct image_rgb *out,
	struct image_info *info, struct err *err) MUST_CHECK;

/* A part of a picture as its file stores it (before the EXIF orientation), in shares of its sides,
 * and the size that it will be resized to. */
struct image_part {
	double x, y, width, height;
	int width_px, height_px;
};

/* The decoded surroundings of a part: rgb begins at (x_px, y_px) of the whole, which would be
 * whole_width_px x whole_height_px at the scale that the decoder chose. */
struct image_window {
	struct image_part part;
	struct image_rgb rgb;
	int x_px, y_px, whole_width_px, whole_height_px;
};

/*
 * Decodes what a resize of a part reads, and as little else as libjpeg can: shrunk by the most of
 * 1, 2, 4, 8 that leaves the part at least width_px x height_px pixels (where it has them), rows
 * and columns beyond the part and a margin for the filter left out. Not turned upright. choose is
 * told the stored size in pixels and names the part. The chroma of a picture at full size is
 * repeated, not interpolated.
 * Owns:   as image_decode_rgb, out->rgb.
 * Errors: as image_decode_rgb, but a few bad bytes in the middle are passed over and arithmetic
 *         coding is taken; a file that is cut short is found out also where the window ends before.
 */
enum status image_decode_window(const uint8_t *jpeg, size_t n_bytes,
	struct image_part (*choose)(const void *arg, int width_px, int height_px), const void *arg,
	struct image_window *out, struct err *err) MUST_CHECK;

/*
 * Resizes each axis on its own: the mean over the area that an output pixel covers where it gets
 * smaller (so no aliasing, and each input pixel counts the same), linear between pixel centres
 * where it grows. Values are averaged as stored (sRGB), as browsers and training pipelines do.
 * Owns:   borrows in; out as above.
 * Errors: BAD_INPUT when a side is under 1 or over IMAGE_MAX_SIDE_PX; FAULT when memory is out.
 */
enum status image_resize_rgb(const struct image_rgb *in, int width_px, int height_px,
	struct image_rgb *out, struct err *err) MUST_CHECK;

/*
 * Encodes baseline JPEG, 4:2:0, JFIF and nothing else. Units: quality 1-100 (libjpeg's).
 * Owns:   *bytes is the caller's (free) on OK, NULL otherwise.
 * Errors: FAULT when memory is out.
 */
enum status image_encode_rgb(const struct image_rgb *in, int quality, uint8_t **bytes,
	size_t *n_bytes, struct err *err) MUST_CHECK;

void image_rgb_release(struct image_rgb *image);
