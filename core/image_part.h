/*
 * What the files that know libjpeg-turbo share: image_jpeg.c (whole pictures), image_window.c (parts of them),
 * image_huffman.c (its fast way) and image_encode.c. Nobody else includes this.
 *
 * libjpeg ends a failed call with longjmp. All of a decoding's state lives in one struct (decoder,
 * encoder) of the caller of the function that calls setjmp: that function has no local of its own
 * to lose, and its caller releases everything whichever way it ended. Warnings that mean unknown
 * pixels end the decoding like errors: libjpeg would fill them with grey, and a volunteer would be
 * asked about grey. (A net is asked about a picture with a few grey blocks: is_lenient.)
 */
#pragma once

#include "image.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

struct failure {
	struct jpeg_error_mgr base; /* first: libjpeg hands back a pointer to it */
	jmp_buf jump;
	enum status status;
	struct err *err;
	struct image_info *info; /* of a decoding; counts what was passed over */
	bool is_lenient; /* damage in the middle of a picture is passed over, too, and arithmetic
								coding taken */
};

void image_failure_init(struct failure *f, struct image_info *info, struct err *err);
/* To the setjmp of f->jump. */
__attribute__((noreturn)) void image_fail(struct failure *f, enum status status, const char *text);

struct decoder {
	struct jpeg_decompress_struct jpeg;
	struct failure failure;
	struct jpeg_progress_mgr progress;
	struct image_rgb image;
	uint8_t *row;                  /* one decoded row of any colour space */
	struct image_huffman *huffman; /* NULL: libjpeg's own */
};

/*
 * Readies d, which is zero, and its libjpeg struct; what fails jumps to d->failure.jump only after setjmp.
 * Owns: the caller ends it with image_decoder_release, whatever came, which leaves d->image.
 */
void image_decoder_init(struct decoder *d, struct image_info *info, struct err *err);
void image_decoder_release(struct decoder *d);

/* Behind setjmp: reads and judges the header, fills info. libjpeg has allocated only a few kilobytes by then. */
void image_read_header(
	struct decoder *d, const uint8_t *jpeg, size_t n_bytes, struct image_info *info);

/*
 * Behind jpeg_start_decompress: from here on image_huffman.c decodes, where it can. What is odd about the data ends the
 * decoding, which the caller begins again without this call when image_huffman_is_odd; other failures are as ever.
 */
void image_huffman_start(struct decoder *d);
bool image_huffman_is_odd(const struct decoder *d);

/* Adobe stores CMYK with 255 for no ink; without its marker 255 is full ink. */
void image_cmyk_to_rgb(const uint8_t *in, int n_px, bool inverted, uint8_t *out);
